package live

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"

	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// Exec runs a program in a node of the lab that conn is a fresh connection to, with these files, and waits for its end.
// The status is the program's, or 126 or 127 where it could not be started.
func Exec(conn *net.UnixConn, request ExecRequest, stdin, stdout, stderr *os.File) (int, error) {
	if err := askExec(conn, request); err != nil {
		return 1, err
	}
	rights := unix.UnixRights(int(stdin.Fd()), int(stdout.Fd()), int(stderr.Fd()))
	if _, _, err := conn.WriteMsgUnix([]byte{0}, rights, nil); err != nil {
		return 1, err
	}
	return ExecWait(conn)
}

// ExecTerminal starts a program in a terminal of the lab's, of the request's size, and gives that terminal's master.
func ExecTerminal(conn *net.UnixConn, request ExecRequest) (*os.File, error) {
	if err := askExec(conn, request); err != nil {
		return nil, err
	}
	return receiveFile(conn)
}

// ExecWait waits for the end of a program that was started on the connection.
func ExecWait(conn *net.UnixConn) (int, error) {
	var end ExecEnd
	if err := json.NewDecoder(conn).Decode(&end); err != nil {
		return 1, fmt.Errorf("the lab ended before the command: %w", err)
	}
	if end.Error != "" {
		return end.Status, errors.New(end.Error)
	}
	return end.Status, nil
}

// askExec sends the request and reads the answer, not a byte more.
func askExec(conn *net.UnixConn, request ExecRequest) error {
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	ask, err := http.NewRequest(http.MethodGet, "http://lab/exec?request="+url.QueryEscape(string(data)), nil)
	if err != nil {
		return err
	}
	ask.Header.Set("Connection", "Upgrade")
	ask.Header.Set("Upgrade", "exec")
	if err := ask.Write(conn); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(oneByte{conn}, 16), ask)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		var p labengine.Problem
		if json.NewDecoder(answer.Body).Decode(&p) == nil && p.Message != "" {
			return &p
		}
		return fmt.Errorf("the lab process answered %s", answer.Status)
	}
	return nil
}

// oneByte reads byte by byte, so that what follows the answer's header is left on the socket.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1)]) }

// receiveFile takes the terminal's master, ready for reads that can be called off.
func receiveFile(conn *net.UnixConn) (*os.File, error) {
	files, err := receiveFiles(conn, 1)
	if err != nil {
		return nil, err
	}
	fd, err := unix.FcntlInt(files[0].Fd(), unix.F_DUPFD_CLOEXEC, 3)
	files[0].Close()
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "terminal"), nil
}
