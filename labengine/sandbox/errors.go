package sandbox

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNotRunning says that no lab process answers in the folder asked for.
var ErrNotRunning = errors.New("the lab is not running")

// ErrRunning says that a lab process already answers in the folder that Start was to use.
var ErrRunning = errors.New("the lab is already running")

// ErrNoNamespaces says that the kernel makes no namespaces for this user, or no more. The error that wraps it is an
// [*Error] whose hint is the setting that mends it, and wraps the errno as well.
var ErrNoNamespaces = errors.New("the kernel refuses namespaces")

// ErrMachineGone says that the machine ended: it was closed, its init died, or its agent broke the protocol.
var ErrMachineGone = errors.New("the machine has ended")

// ErrSlow is what a TerminalReader returns when it has fallen behind the scrollback. Attach again at its Offset.
var ErrSlow = errors.New("the reader fell behind the terminal's scrollback")

// ErrBusy is what Terminal.Write returns when the program in it has not read its input for a while.
var ErrBusy = errors.New("the terminal does not read its input")

// Error says what could not be done, in the kernel's words. errors.Is(err, unix.ENOENT) holds where the kernel said
// ENOENT.
type Error struct {
	Op   string // what was tried, as "umount /run/netns/red"
	Hint string // what the user can do about it; may be empty
	Err  error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %v", e.Op, e.Err)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap gives the cause, mostly an errno.
func (e *Error) Unwrap() error { return e.Err }

func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Err: err}
}

func failedHint(op string, err error, hint string) error {
	return &Error{Op: op, Err: err, Hint: hint}
}

// noNamespaces is the error of a call that was to make namespaces.
func noNamespaces(op string, err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return failed(op, err)
	}
	switch errno {
	case unix.ENOSPC, unix.EUSERS, unix.EPERM, unix.EACCES:
		return failedHint(op, fmt.Errorf("%w: %w", ErrNoNamespaces, errno), namespaceHint(errno))
	}
	return failed(op, err)
}

// namespaceHint says what usually stands in the way when the kernel refuses namespaces.
func namespaceHint(errno syscall.Errno) string {
	if mend := namespacesOff(); mend != "" {
		return mend
	}
	if errno == unix.ENOSPC || errno == unix.EUSERS {
		return "a limit in /proc/sys/user/max_*_namespaces is reached: end some labs, or raise it"
	}
	return "something keeps users from making user namespaces; in a container, start it with docker run --security-opt " +
		"seccomp=unconfined --security-opt systempaths=unconfined"
}

// namespacesOff names the setting of this system by which user namespaces are switched off, and the line that mends it;
// "" where there is none.
func namespacesOff() string {
	for _, s := range []struct {
		file, off, mend string
		spares          bool // root
	}{
		{"user/max_user_namespaces", "0", "user.max_user_namespaces=65536", false},
		{"kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1", true},
		{"kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0", true},
	} {
		text, err := os.ReadFile("/proc/sys/" + s.file)
		if err != nil || strings.TrimSpace(string(text)) != s.off || s.spares && isRoot() {
			continue
		}
		return "user namespaces are switched off: as root, type `sysctl -w " + s.mend + "`"
	}
	return ""
}

// MissingProgramError names a program that this computer lacks, and the package that brings it.
type MissingProgramError struct {
	Program string // "bwrap"
	Package string // "bubblewrap", its name in Debian, Ubuntu, Fedora and Arch
}

func (e *MissingProgramError) Error() string {
	return fmt.Sprintf("%s is not installed: install the package %s", e.Program, e.Package)
}
