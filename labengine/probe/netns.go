package probe

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// within runs do on a thread that is in the network namespace meanwhile: a socket belongs for good to the namespace that
// it is opened in, whoever uses it later. Errors are the kernel's, as errnos.
func within(ns *os.File, do func() error) error {
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = enter(ns, do)
	}()
	<-done
	return err
}

// enter does the work of within on the thread that it is called on, and leaves the goroutine locked to that thread if it
// cannot go back: the runtime ends the thread with the goroutine. It never ends the process' first thread, which has its
// namespaces shown as /proc/PID/ns, so that one stays where it is.
func enter(ns *os.File, do func() error) (err error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		defer runtime.UnlockOSThread() // locked meanwhile, so that the other goroutine gets another thread
		return within(ns, do)
	}
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer unix.Close(home)
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	runtime.KeepAlive(ns)
	defer func() {
		if unix.Setns(home, unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return do()
}

// refused says what the kernel did not do, in strerror(3)'s words.
func refused(what string, err error) *labengine.Problem {
	p := labengine.Problemf(labengine.CodeRefused, "%s: %s", what, words(err))
	p.Err = err
	var errno syscall.Errno
	if errors.As(err, &errno) {
		p.Errno = unix.ErrnoName(errno)
	}
	switch errno {
	case unix.EPERM, unix.EACCES:
		p.Hint = "this system does not allow it: `vethlab doctor` says what is missing"
	case unix.ENOMEM, unix.ENOBUFS, unix.EMFILE, unix.ENFILE:
		p.Hint = "a limit of this system is reached: `vethlab doctor` says which"
	case unix.EAFNOSUPPORT:
		p.Hint = "this kernel was started without IPv6"
	}
	return p
}

// words is an error as strerror(3) has it: Go writes the same in lower case.
func words(err error) string {
	text := err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		text = errno.Error()
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
