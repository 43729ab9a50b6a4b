package kernel

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// entrance is an OS thread that enters namespaces to do there what has to be done inside. It is locked to its goroutine and
// never unlocked, so that no other goroutine ever runs on a thread that is in some namespace.
type entrance struct {
	home  *os.File
	calls chan func()
	done  chan struct{}
}

func newEntrance(home *os.File) *entrance {
	e := &entrance{home: home, calls: make(chan func()), done: make(chan struct{})}
	go func() {
		defer close(e.done)
		runtime.LockOSThread()
		for call := range e.calls {
			call()
		}
	}()
	return e
}

// in calls f on the thread, in the namespace. Then the thread goes home: in a namespace it would keep that alive.
func (e *entrance) in(file *os.File, f func() error) error {
	result := make(chan error, 1)
	e.calls <- func() {
		err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			err = f()
			unix.Setns(int(e.home.Fd()), unix.CLONE_NEWNET) // where that fails, the next call is none the worse
		}
		result <- err
	}
	return <-result
}

// open opens a netlink socket in each of several namespaces; of one where that fails, the error.
func (e *entrance) open(files []*os.File) ([]*socket, []error) {
	sockets, errs := make([]*socket, len(files)), make([]error, len(files))
	done := make(chan struct{})
	e.calls <- func() {
		defer close(done)
		for i, file := range files {
			if errs[i] = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); errs[i] == nil {
				sockets[i], errs[i] = newSocket()
			}
		}
		unix.Setns(int(e.home.Fd()), unix.CLONE_NEWNET)
	}
	<-done
	return sockets, errs
}

func (e *entrance) close() {
	close(e.calls)
	<-e.done
}
