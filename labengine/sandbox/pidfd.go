package sandbox

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pidfd names one process for as long as it is open, whatever becomes of its number. pidfd_open(2)
type pidfd struct{ f *os.File }

// newPidfd takes the descriptor over, and makes it one that the runtime's poller can wait for.
func newPidfd(fd int) (*pidfd, error) {
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, failed("pidfd", err)
	}
	return &pidfd{os.NewFile(uintptr(fd), "pidfd")}, nil
}

func openPidfd(pid int) (*pidfd, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, failed(fmt.Sprintf("pidfd_open %d", pid), err)
	}
	return newPidfd(fd)
}

// wait returns nil once the process has ended, without a thread that waits meanwhile. It does not reap. Close makes
// it return os.ErrClosed.
func (p *pidfd) wait() error {
	rc, err := p.f.SyscallConn()
	if err != nil {
		return err
	}
	var pollErr error
	err = rc.Read(func(fd uintptr) bool {
		var n int
		n, pollErr = poll(int(fd))
		return n > 0 || pollErr != nil
	})
	return errors.Join(err, pollErr)
}

func poll(fd int) (int, error) {
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return n, err
		}
	}
}

// ended tells without waiting.
func (p *pidfd) ended() bool {
	ended := true
	if rc, err := p.f.SyscallConn(); err == nil {
		rc.Control(func(fd uintptr) {
			n, err := poll(int(fd))
			ended = n > 0 || err != nil
		})
	}
	return ended
}

func (p *pidfd) signal(sig unix.Signal) error {
	rc, err := p.f.SyscallConn()
	if err != nil {
		return os.ErrClosed
	}
	var sigErr error
	if err := rc.Control(func(fd uintptr) { sigErr = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); err != nil {
		return os.ErrClosed
	}
	return failed("kill -"+unix.SignalName(sig), sigErr)
}

// pid gives the process's number as the caller's /proc counts; -1 once it has ended. It fails for a descriptor that
// is no pidfd, and so tells whether one that came from a stranger is one.
func (p *pidfd) pid() (int, error) {
	var pid int
	var err error
	rc, err := p.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	if cerr := rc.Control(func(fd uintptr) { pid, err = pidOfFD(int(fd)) }); cerr != nil {
		return 0, cerr
	}
	return pid, err
}

func pidOfFD(fd int) (int, error) {
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(info)) {
		if v, ok := strings.CutPrefix(line, "Pid:"); ok {
			return strconv.Atoi(strings.TrimSpace(v))
		}
	}
	return 0, errors.New("not a pidfd")
}

func (p *pidfd) close() { p.f.Close() }
