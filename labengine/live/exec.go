package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/sandbox"
)

// ExecRequest asks for a program in a node. It is the body of GET /exec; after the answer "101" the connection carries
// no more HTTP: the caller passes its stdin, stdout and stderr by SCM_RIGHTS, unix(7), or with TTY set gets the master
// of a terminal in the same way. An [ExecEnd] as JSON follows when the program has ended. Closing the connection before
// that ends the program.
type ExecRequest struct {
	Node string        `json:"node"` // its label, as "red" or "host/red"; "" is the first machine
	Argv []string      `json:"argv"`
	TTY  *sandbox.Size `json:"tty,omitempty"`
}

// ExecEnd says how a program has ended.
type ExecEnd struct {
	Status int    `json:"status"` // exit status, or 128 and the signal's number
	Error  string `json:"error,omitempty"`
}

// serveExec runs a program in a node for `vethlab run`.
func (l *Lab) serveExec(w http.ResponseWriter, r *http.Request) {
	var request ExecRequest
	if err := json.Unmarshal([]byte(r.URL.Query().Get("request")), &request); err != nil {
		refuse(w, labengine.Problemf(labengine.CodeBadRequest, "not an exec request: %v", err))
		return
	}
	var at spot
	err := error(labengine.Problemf(labengine.CodeGone, "the lab has ended"))
	l.do(func() {
		var node labengine.Node
		if node, err = l.nodeLabelled(request.Node); err == nil {
			at, err = l.spotOf(node.ID)
		}
	})
	if err != nil {
		refuse(w, err)
		return
	}
	defer at.netns.Close()
	hijacked, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		refuse(w, err)
		return
	}
	defer hijacked.Close()
	conn := hijacked.(*net.UnixConn)
	conn.SetDeadline(time.Time{})
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: exec\r\n\r\n")
	l.active()
	status, err := runIn(r.Context(), conn, at, request)
	l.active()
	end := ExecEnd{Status: status}
	if err != nil {
		end.Error = err.Error()
	}
	json.NewEncoder(conn).Encode(end)
}

func (l *Lab) nodeLabelled(label string) (labengine.Node, error) {
	if label != "" {
		return l.journal.Lab.FindNode(label)
	}
	for _, n := range l.journal.Lab.NodesInOrder() {
		if n.Kind == labengine.Machine {
			return n, nil
		}
	}
	return labengine.Node{}, labengine.Problemf(labengine.CodeNoSuchNode, "the lab has no machine")
}

func runIn(ctx context.Context, conn *net.UnixConn, at spot, request ExecRequest) (int, error) {
	command := sandbox.Command{Argv: request.Argv, NetNS: at.netns, Container: at.container, TTY: request.TTY}
	if request.TTY == nil {
		files, err := receiveFiles(conn, 3)
		if err != nil {
			return -1, err
		}
		for _, f := range files {
			defer f.Close()
		}
		command.Stdin, command.Stdout, command.Stderr = files[0], files[1], files[2]
	}
	run, err := at.box.Exec(ctx, command)
	if errors.Is(err, unix.ENOENT) {
		return 127, fmt.Errorf("%s: command not found", request.Argv[0]) // as a shell says it
	}
	if err != nil {
		return 126, err
	}
	if pty := run.PTY(); pty != nil {
		err := sendFile(conn, pty)
		pty.Close()
		if err != nil {
			return -1, err
		}
	}
	gone := make(chan struct{})
	go func() { // the caller says nothing more: a read returns when it has gone
		defer close(gone)
		io.Copy(io.Discard, conn)
		run.Signal(unix.SIGHUP)
	}()
	defer func() { conn.CloseRead(); <-gone }()
	return run.Wait()
}

// receiveFiles takes files that come with one message, SCM_RIGHTS in unix(7).
func receiveFiles(conn *net.UnixConn, count int) ([]*os.File, error) {
	data, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4*count))
	_, n, _, _, err := conn.ReadMsgUnix(data, oob)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return nil, errors.New("no files came with the message")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, err
	}
	files := make([]*os.File, len(fds))
	for i, fd := range fds {
		unix.CloseOnExec(fd)
		files[i] = os.NewFile(uintptr(fd), fmt.Sprintf("fd %d", i))
	}
	if len(files) != count {
		for _, f := range files {
			f.Close()
		}
		return nil, fmt.Errorf("%d files came with the message, not %d", len(files), count)
	}
	return files, nil
}

// sendFile passes one file on.
func sendFile(conn *net.UnixConn, f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Control(func(fd uintptr) {
		_, _, sent = conn.WriteMsgUnix([]byte{0}, unix.UnixRights(int(fd)), nil)
	})
	return errors.Join(err, sent)
}
