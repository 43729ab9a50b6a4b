package sandbox

import (
	"context"
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Size is a terminal's size in characters.
type Size struct {
	Cols uint16 `json:"cols"`
	Rows uint16 `json:"rows"`
}

// Command is a program to run in a machine, as its root.
type Command struct {
	// Argv is the program and its arguments. A name without a slash is looked for in PATH.
	Argv []string
	// Env is added to what a shell of the machine has: PATH, HOME, LANG, TERM and so on.
	Env []string
	// Dir is the folder to start in; empty: /root.
	Dir string
	// NetNS is the network namespace to run in, on the machine's own mounts; nil: the machine's root namespace.
	NetNS *os.File
	// Container is the container to run in, in all its namespaces and on its mounts; nil: the machine.
	Container *Container
	// TTY is the size of the terminal to run in; nil: no terminal.
	TTY *Size
	// Log is the file, as the program sees files, that output goes to, instead of to Stdout and Stderr. It is made anew.
	Log string
	// Stdin, Stdout and Stderr are what a program without a terminal has; nil: /dev/null. They stay the caller's.
	Stdin, Stdout, Stderr *os.File
}

// Exec is a program that was started in a machine.
type Exec struct {
	pid   int
	pidfd *pidfd
	pty   *os.File
	done  chan struct{}

	status int // both written before done is closed
	err    error
}

var machineEnv = []string{
	"PATH=" + searchPath, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash", "LANG=C.UTF-8",
}

// mergeEnv lets later settings win.
func mergeEnv(lists ...[]string) []string {
	var env []string
	at := map[string]int{}
	for _, list := range lists {
		for _, kv := range list {
			name, _, _ := strings.Cut(kv, "=")
			if i, ok := at[name]; ok {
				env[i] = kv
				continue
			}
			at[name] = len(env)
			env = append(env, kv)
		}
	}
	return env
}

// Exec starts a program in the machine, in a session of its own. A program that is not there gives ENOENT. The caller
// closes the PTY of a program that was given a terminal; ctx bounds the start alone.
func (m *Machine) Exec(ctx context.Context, c Command) (*Exec, error) {
	if len(c.Argv) == 0 {
		return nil, failed("exec", unix.EINVAL)
	}
	base := machineEnv
	if c.TTY != nil {
		base = append(base[:len(base):len(base)], "TERM=xterm-256color", "COLORTERM=truecolor")
	}
	req := &request{Op: opExec, Exec: &execRequest{
		Argv: c.Argv, Env: mergeEnv(base, c.Env), Dir: c.Dir, NetNS: c.NetNS != nil && c.Container == nil,
		Box: c.Container != nil, TTY: c.TTY, Log: c.Log,
	}}
	if c.Dir == "" {
		req.Exec.Dir = "/root"
	}
	var files []*os.File
	if c.Container != nil {
		files = append(files, c.Container.pidfd.f)
	} else if c.NetNS != nil {
		files = append(files, c.NetNS)
	}
	if c.TTY == nil {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return nil, failed("open /dev/null", err)
		}
		defer null.Close()
		for _, f := range []*os.File{c.Stdin, c.Stdout, c.Stderr} {
			if f == nil {
				f = null
			}
			// A Go program's pipes do not block, and other programs take that for an error; os/exec does the same.
			if err := unix.SetNonblock(int(f.Fd()), false); err != nil {
				return nil, failed("exec", err)
			}
			files = append(files, f)
		}
	}

	e := &Exec{done: make(chan struct{})}
	k := &call{replies: make(chan answer, 1), exit: make(chan int, 1)}
	if err := m.begin(req, k, files...); err != nil {
		return nil, err
	}
	a, err := k.next(ctx)
	if err != nil {
		m.forget(req.ID)
		if ctx.Err() != nil {
			m.running.Go(k.killLate)
		}
		return nil, err
	}
	if err := a.err(); err != nil {
		closeFDs(a.fds)
		return nil, err
	}
	if err := e.take(a.fds, c.TTY != nil); err != nil {
		m.forget(req.ID)
		return nil, m.distrust(err.Error())
	}
	m.running.Go(func() {
		status, ok := <-k.exit
		e.exited(status, ok)
	})
	return e, nil
}

// killLate ends a program whose caller no longer waits for it to start.
func (c *call) killLate() {
	a, ok := <-c.replies
	if !ok {
		return
	}
	if len(a.fds) > 0 {
		unix.PidfdSendSignal(a.fds[0], unix.SIGKILL, nil, 0)
	}
	closeFDs(a.fds)
}

// take makes sure that an agent's descriptors are what they should be: a process and, if asked for, a pty's master.
func (e *Exec) take(fds []int, tty bool) error {
	want := 1
	if tty {
		want = 2
	}
	if len(fds) != want {
		closeFDs(fds)
		return errors.New("the wrong number of descriptors for a program")
	}
	pid, err := pidOfFD(fds[0])
	if err == nil && tty {
		err = checkPTY(fds[1])
	}
	if err == nil {
		e.pidfd, err = newPidfd(fds[0])
		fds = fds[1:]
	}
	if err != nil {
		closeFDs(fds)
		return err
	}
	e.pid = pid
	if tty {
		e.pty = os.NewFile(uintptr(fds[0]), "pty")
	}
	return nil
}

func checkPTY(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || unix.Major(st.Rdev) != 5 || unix.Minor(st.Rdev) != 2 {
		return errors.New("not a pty's master") // devices.txt: 5:2 is /dev/ptmx
	}
	return unix.SetNonblock(fd, true)
}

// exited takes a wait(2) status; it is not known where the machine ended first.
func (e *Exec) exited(status int, known bool) {
	ws := unix.WaitStatus(status)
	switch {
	case !known:
		e.status, e.err = -1, ErrMachineGone
	case ws.Signaled():
		e.status = 128 + int(ws.Signal())
	default:
		e.status = ws.ExitStatus()
	}
	e.pidfd.close()
	close(e.done)
}

// Pid is the program's number as the lab process counts; -1 if it had ended when Exec returned.
func (e *Exec) Pid() int { return e.pid }

// PTY is the master of the program's terminal, nil where it has none. It is the caller's to close, which hangs the
// terminal up. Calling its Fd would make reads block a thread.
func (e *Exec) PTY() *os.File { return e.pty }

// Resize sets the terminal's size; the program in front gets SIGWINCH.
func (e *Exec) Resize(cols, rows uint16) error {
	if e.pty == nil {
		return failed("resize", unix.ENOTTY)
	}
	rc, err := e.pty.SyscallConn()
	if err != nil {
		return err
	}
	cerr := rc.Control(func(fd uintptr) {
		err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: cols, Row: rows})
	})
	if cerr != nil {
		return cerr
	}
	return failed("resize", err)
}

// Done is closed when the program has ended.
func (e *Exec) Done() <-chan struct{} { return e.done }

// Wait waits for the program's end and gives its exit status, 128 + N for one that signal N ended, as a shell does.
// Where the machine ended first it is -1 and ErrMachineGone.
func (e *Exec) Wait() (int, error) {
	<-e.done
	return e.status, e.err
}

// Signal sends a signal to the program. One that has ended gives os.ErrProcessDone.
func (e *Exec) Signal(sig unix.Signal) error {
	err := e.pidfd.signal(sig)
	if errors.Is(err, os.ErrClosed) || errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}
