package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	sockName = "lab.sock"
	logName  = "lab.log"
)

// The descriptors that Start hands to the lab process, in the order of exec.Cmd.ExtraFiles.
const (
	fdListener = 3 // bound, and not yet listening: listen(2) records who is at the other end for SO_PEERCRED
	fdReady    = 4 // a pipe: Init writes one line, "ok" or what went wrong
	fdSlot     = 5 // the lock on the lab's ids; only in labs that root started

	fdNetDevices = 6 // a mount for /dev/net; only where [openNetDevices] made one
)

// labEnv is set for a lab process and for nothing else.
const labEnv = "VETHLAB_LAB_PROCESS"

// Launch says how to start a lab process.
type Launch struct {
	// Dir is the lab's own folder in the state directory. It exists and nobody else may enter it (mode 0700). The
	// socket lab.sock and the log lab.log live here.
	Dir string
	// Args are what the binary is started again with, as {"lab"}.
	Args []string
	// Lifeline, if set, is the reading end of a pipe, and becomes the lab process's standard input: a lab process that
	// reads to its end learns that whoever held the other end has gone, however that came about.
	Lifeline *os.File
	// ExtraEnv is added to the small environment that a lab process has; it inherits nothing of its starter's.
	ExtraEnv []string
}

// Process is a lab process as seen from outside. It may have been started by this process or by an earlier one.
type Process struct {
	pid   int
	pidfd *pidfd
	dir   string
	done  chan struct{}

	watching sync.WaitGroup
	exit     error // written before done is closed
}

// Start makes a lab process and returns once its Init is done: PID 1 of new user, pid, mount, network, uts, ipc and
// cgroup namespaces, in a session of its own. It outlives its starter. Root's labs get a range of 65,536 user ids
// that no other lab has, an ordinary user's labs have that one user's id.
//
// Start fails with ErrRunning where a lab answers in the folder already, and with ErrNoNamespaces where the kernel
// refuses namespaces.
func Start(ctx context.Context, l Launch) (*Process, error) {
	if p, err := Find(l.Dir); err == nil {
		p.Release()
		return nil, ErrRunning
	} else if !errors.Is(err, ErrNotRunning) {
		return nil, err
	}
	listener, err := bindSocket(l.Dir)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	log, err := os.OpenFile(filepath.Join(l.Dir, logName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, failed("open the lab's log", err)
	}
	defer log.Close()
	ready, readyChild, err := os.Pipe()
	if err != nil {
		return nil, failed("pipe", err)
	}
	defer ready.Close()
	defer readyChild.Close()

	pidfdNum := -1
	attr := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET |
			unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWCGROUP,
		Setsid: true,
		PidFD:  &pidfdNum,
	}
	slot, err := mapIDs(attr)
	if err != nil {
		return nil, err
	}
	if slot != nil {
		defer slot.file.Close()
	}
	group := newLabCgroup()
	if group != nil {
		defer group.Close()
		attr.UseCgroupFD, attr.CgroupFD = true, int(group.Fd())
	}
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: append([]string{"vethlab"}, l.Args...), Dir: "/",
		Env:    append([]string{"PATH=" + searchPath, "LANG=C.UTF-8", "HOME=/root", labEnv + "=1"}, l.ExtraEnv...),
		Stdout: log, Stderr: log,
		ExtraFiles:  []*os.File{listener, readyChild},
		SysProcAttr: attr,
	}
	if slot != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, slot.file)
		if devices := openNetDevices(); devices != nil {
			defer devices.Close()
			cmd.ExtraFiles = append(cmd.ExtraFiles, devices)
		}
	}
	if l.Lifeline != nil {
		cmd.Stdin = l.Lifeline // a nil *os.File in an io.Reader would not be nil
	}
	if err := cmd.Start(); err != nil {
		return nil, noNamespaces("start the lab process", err)
	}
	readyChild.Close()
	p, err := newProcess(cmd.Process.Pid, pidfdNum, l.Dir, cmd)
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return nil, err
	}
	if err := awaitReady(ctx, ready, l.Dir); err != nil {
		p.Kill(context.WithoutCancel(ctx))
		p.Release()
		return nil, err
	}
	return p, nil
}

// bindSocket makes the lab's socket, in a folder whose name may be longer than the 108 bytes of a socket's address.
func bindSocket(dir string) (*os.File, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, failed("open the lab's folder", err)
	}
	defer d.Close()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, failed("socket", err)
	}
	f := os.NewFile(uintptr(fd), sockName)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: viaFD(d)}); err != nil {
		f.Close()
		return nil, failed("bind "+filepath.Join(dir, sockName), err)
	}
	return f, nil
}

func viaFD(dir *os.File) string { return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), sockName) }

// awaitReady waits for Init's line, which comes as well when the lab process ends: then it is empty.
func awaitReady(ctx context.Context, ready *os.File, dir string) error {
	stop := context.AfterFunc(ctx, func() { ready.Close() })
	defer stop()
	line, err := io.ReadAll(io.LimitReader(ready, 4096))
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return failed("wait for the lab process", err)
	case string(line) == "ok":
		return nil
	case len(line) == 0:
		return fmt.Errorf("the lab process ended while it started; its log is %s", filepath.Join(dir, logName))
	}
	text := strings.TrimSpace(string(line))
	if mend := namespacesOff(); mend != "" { // AppArmor lets user namespaces be made, and nothing be done in them
		return failedHint("start the lab process", fmt.Errorf("%w: %s", ErrNoNamespaces, text), mend)
	}
	return fmt.Errorf("the lab process could not start: %s", text)
}

// Find gives the lab that runs in the folder, whoever started it. It returns ErrNotRunning where there is none, and
// then removes a socket that a lab left.
func Find(dir string) (*Process, error) {
	c, err := dial(context.Background(), dir)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, ErrNotRunning
	case errors.Is(err, unix.ECONNREFUSED):
		if err := os.Remove(filepath.Join(dir, sockName)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, failed("remove the socket of a lab that has ended", err)
		}
		return nil, ErrNotRunning
	case err != nil:
		return nil, failed("connect to the lab", err)
	}
	defer c.Close()
	pid, fd, err := peer(c)
	if err != nil {
		return nil, failed("find the lab's process", err)
	}
	return newProcess(pid, fd, dir, nil)
}

// peer tells which process listens at the other end. SO_PEERPIDFD came with Linux 6.5; before it, the number may in
// theory have passed to another process between the two calls, so the socket is asked again afterwards.
func peer(c *net.UnixConn) (pid, fd int, err error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	cerr := rc.Control(func(s uintptr) {
		var cred *unix.Ucred
		if cred, err = unix.GetsockoptUcred(int(s), unix.SOL_SOCKET, unix.SO_PEERCRED); err != nil {
			return
		}
		pid = int(cred.Pid)
		fd, err = unix.GetsockoptInt(int(s), unix.SOL_SOCKET, unix.SO_PEERPIDFD)
		if err == unix.ENOPROTOOPT {
			fd, err = unix.PidfdOpen(pid, 0)
		}
	})
	if cerr != nil {
		return 0, 0, cerr
	}
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		err = ErrNotRunning
	}
	return pid, fd, err
}

func newProcess(pid, fd int, dir string, child *exec.Cmd) (*Process, error) {
	pf, err := newPidfd(fd)
	if err != nil {
		return nil, err
	}
	p := &Process{pid: pid, pidfd: pf, dir: dir, done: make(chan struct{})}
	p.watching.Go(func() {
		if err := pf.wait(); err != nil {
			return // released
		}
		if child != nil {
			p.exit = child.Wait()
		}
		close(p.done)
	})
	return p, nil
}

// Pid is the lab process's number, as the caller counts.
func (p *Process) Pid() int { return p.pid }

// Dir is the lab's folder.
func (p *Process) Dir() string { return p.dir }

// Done is closed when the lab process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err tells, after Done, how the lab ended: nil for exit status 0, an *exec.ExitError for another status or a signal.
// It is nil too for a lab that an earlier process started: its status is not ours to know.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.exit
	default:
		return nil
	}
}

// Dial connects to the lab's socket.
func (p *Process) Dial(ctx context.Context) (net.Conn, error) {
	c, err := dial(ctx, p.dir)
	if err != nil {
		return nil, failed("connect to the lab", err)
	}
	return c, nil
}

func dial(ctx context.Context, dir string) (*net.UnixConn, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	c, err := new(net.Dialer).DialContext(ctx, "unix", viaFD(d))
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}

// Kill ends the lab process, and with it everything in the lab, and waits until it is gone. The kernel takes network
// devices and namespaces away after that in its own time, about a millisecond for each namespace.
func (p *Process) Kill(ctx context.Context) error {
	if err := p.pidfd.signal(unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Release gives the handle up and leaves the lab running. Done is not closed any more after it.
func (p *Process) Release() {
	p.pidfd.close()
	p.watching.Wait()
}
