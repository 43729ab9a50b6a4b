package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// The lab process and a machine's agent speak over a SOCK_SEQPACKET pair: one JSON value is one message, descriptors
// ride along as SCM_RIGHTS. The lab process asks, each request with a number of its own; the agent answers with that
// number, in as many messages as the operation has results, the last of them marked Done.

const (
	// maxRequest bounds a request in bytes, under Linux's default socket buffer of 208 KiB.
	maxRequest = 128 << 10
	// maxReply bounds what the lab process reads of an agent's message; a longer one ends the machine.
	maxReply = 8 << 10
	// maxFDs is how many descriptors one message carries.
	maxFDs = 8
	// addBatch is how many namespaces one request asks for.
	addBatch = 64
)

type opcode string

const (
	opConfig opcode = "config" // Config -> Done when the machine is ready
	opAdd    opcode = "add"    // Names -> the namespaces in order, up to maxFDs at a time, then Done
	opFinish opcode = "finish" // -> Done when the namespaces have all of the baseline
	opDelete opcode = "delete" // Names -> Done
	opRename opcode = "rename" // Names: old, new -> Done
	opExec   opcode = "exec"   // Exec, descriptors -> Done with a pidfd and the pty's master, later Exit

	opContainer       opcode = "container"        // Names: the one -> Done with its init's pidfd
	opRenameContainer opcode = "rename container" // Names: old, new; a pidfd -> Done
)

type request struct {
	ID     uint64         `json:"id"`
	Op     opcode         `json:"op"`
	Config *machineConfig `json:"config,omitempty"`
	Names  []string       `json:"names,omitempty"`
	Exec   *execRequest   `json:"exec,omitempty"`
}

// machineConfig is all that an init knows about its machine.
type machineConfig struct {
	Hostname string            `json:"hostname"`
	IDs      int               `json:"ids"`   // how many user ids the machine has
	Files    map[string]string `json:"files"` // path -> content, made before anything runs
}

// execRequest comes with the descriptors that it names, in this order: the namespace or the pidfd, stdin, stdout, stderr.
type execRequest struct {
	Argv  []string `json:"argv"`
	Env   []string `json:"env"`
	Dir   string   `json:"dir"`
	NetNS bool     `json:"netns"` // the first descriptor is the network namespace to run in
	Box   bool     `json:"box"`   // the first descriptor is the pidfd of the init of the container to run in
	TTY   *Size    `json:"tty"`   // nil: three more descriptors follow
	Log   string   `json:"log"`   // a file in the place of the last two of them
}

type reply struct {
	ID    uint64 `json:"id"`
	Done  bool   `json:"done,omitempty"`
	Index int    `json:"index,omitempty"` // of the name that the first descriptor, or the error, is about
	Error string `json:"error,omitempty"` // what was tried
	Errno int    `json:"errno,omitempty"`
	Exit  *int   `json:"exit,omitempty"` // a wait(2) status
}

// err gives the reply's error, with an errno that Linux has, whatever the agent wrote.
func (r *reply) err() error {
	if r.Error == "" && r.Errno == 0 {
		return nil
	}
	errno := syscall.Errno(r.Errno)
	if errno <= 0 || errno > 4095 { // MAX_ERRNO in include/linux/err.h
		errno = unix.EIO
	}
	return &Error{Op: printable(r.Error, 400), Err: errno}
}

func (r *reply) setErr(err error) {
	if err == nil {
		return
	}
	r.Error, r.Errno = err.Error(), int(unix.EIO)
	var errno syscall.Errno
	if errors.As(err, &errno) {
		r.Errno = int(errno)
	}
	var e *Error
	if errors.As(err, &e) {
		r.Error = e.Op
	}
	r.Error = printable(r.Error, 400)
}

// setupReport is the setup's one message, from before anything of the machine runs: the init's number and pidfd.
type setupReport struct {
	Pid   int    `json:"pid"`
	Error string `json:"error,omitempty"`
}

// sendRaw and recvRaw are the agent's half: plain calls on a blocking socket.
func sendRaw(fd int, v any, fds ...int) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for {
		err := unix.Sendmsg(fd, b, oob, nil, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}

func recvRaw(fd int, buf, oob []byte, v any) ([]int, error) {
	for {
		n, oobn, flags, _, err := unix.Recvmsg(fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		return decode(buf[:n], oob[:oobn], flags, v)
	}
}

// decode takes a message apart. On an error it closes the descriptors that came with it.
func decode(b, oob []byte, flags int, v any) (fds []int, err error) {
	if len(oob) > 0 {
		msgs, err := unix.ParseSocketControlMessage(oob)
		if err != nil {
			return nil, err
		}
		for _, m := range msgs {
			if more, err := unix.ParseUnixRights(&m); err == nil {
				fds = append(fds, more...)
			}
		}
	}
	defer func() {
		if err != nil {
			closeFDs(fds)
			fds = nil
		}
	}()
	if len(b) == 0 && len(fds) == 0 {
		return nil, io.EOF
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		return fds, fmt.Errorf("message cut off: %w", unix.EMSGSIZE)
	}
	return fds, json.Unmarshal(b, v)
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// agentConn is the lab process's half, on the runtime's poller.
type agentConn struct {
	c        *net.UnixConn
	buf, oob []byte // the reader's
}

func newAgentConn(fd int) (*agentConn, error) {
	f := os.NewFile(uintptr(fd), "agent")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return &agentConn{c: c.(*net.UnixConn), buf: make([]byte, maxReply), oob: make([]byte, unix.CmsgSpace(4*maxFDs))}, nil
}

// send may be called by many goroutines at once: a message goes out whole.
func (a *agentConn) send(req *request, files ...*os.File) error {
	b, err := json.Marshal(req)
	if err != nil {
		return err
	}
	if len(b) > maxRequest {
		return failedHint("ask the machine", unix.E2BIG, fmt.Sprintf("%d bytes, at most %d", len(b), maxRequest))
	}
	fds := make([]int, len(files))
	for i, f := range files {
		rc, err := f.SyscallConn()
		if err != nil {
			return err
		}
		// The caller keeps f open for the length of this call; Fd would make it blocking.
		if err := rc.Control(func(fd uintptr) { fds[i] = int(fd) }); err != nil {
			return err
		}
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	_, _, err = a.c.WriteMsgUnix(b, oob, nil)
	return err
}

// recv is called by one goroutine.
func (a *agentConn) recv(v any) ([]int, error) {
	n, oobn, flags, _, err := a.c.ReadMsgUnix(a.buf, a.oob)
	if err != nil {
		return nil, err
	}
	return decode(a.buf[:n], a.oob[:oobn], flags, v)
}

func (a *agentConn) close() { a.c.Close() }

// printable replaces what could move a cursor or break a line, and cuts text to at most max bytes.
func printable(s string, max int) string {
	out := make([]rune, 0, min(len(s), max))
	size := 0
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfffd {
			r = '?'
		}
		if size += len(string(r)); size > max {
			break
		}
		out = append(out, r)
	}
	return string(out)
}
