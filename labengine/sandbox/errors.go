package sandbox

import (
	"errors"
	"fmt"
)

// ErrNotRunning says that no lab process answers in the folder asked for.
var ErrNotRunning = errors.New("the lab is not running")

// ErrRunning says that a lab process already answers in the folder that Start was to use.
var ErrRunning = errors.New("the lab is already running")

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

// MissingProgramError names a program that this computer lacks, and the package that brings it.
type MissingProgramError struct {
	Program string // "bwrap"
	Package string // "bubblewrap", its name in Debian, Ubuntu, Fedora and Arch
}

func (e *MissingProgramError) Error() string {
	return fmt.Sprintf("%s is not installed: install the package %s", e.Program, e.Package)
}
