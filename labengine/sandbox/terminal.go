package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// TerminalConfig describes a terminal to open.
type TerminalConfig struct {
	// Node is the namespace's name, for the prompt; empty for the machine itself.
	Node string
	// NetNS is the namespace that the shell runs in; nil: the machine's root namespace.
	NetNS *os.File
	// Container is the container that the shell runs in; nil: the machine.
	Container *Container
	// Cols and Rows are the size; 0: 80 by 24.
	Cols, Rows uint16
	// Color is the node's colour in the prompt: "#rrggbb", or "0" to "255" for one of xterm's; empty: none.
	Color string
	// Activity, if set, is called after the terminal has printed something: a good moment to look for what a command
	// changed. It is called by the goroutine that reads the terminal, and must not block.
	Activity func()
}

// Terminal is a shell in a machine. The lab process holds the pty's master and the scrollback, so that pages and
// servers come and go while the shell stays.
type Terminal struct {
	exec     *Exec
	screen   *scrollback
	activity func()
	pump     sync.WaitGroup
	done     chan struct{}

	writing sync.Mutex // held while input is written: a paste is not mixed with another
}

const (
	// writePatience is how long Write waits for a program to read its input. The kernel buffers 4 KiB.
	writePatience = 2 * time.Second
	// hangupPatience is how long Close lets a shell end by itself after SIGHUP.
	hangupPatience = 500 * time.Millisecond
)

// OpenTerminal starts a shell in a terminal: bash, or sh where there is no bash.
func (m *Machine) OpenTerminal(ctx context.Context, c TerminalConfig) (*Terminal, error) {
	color, err := sgr(c.Color)
	if err != nil {
		return nil, err
	}
	size := Size{Cols: c.Cols, Rows: c.Rows}
	if size.Cols == 0 {
		size.Cols = 80
	}
	if size.Rows == 0 {
		size.Rows = 24
	}
	cmd := Command{Argv: []string{"bash", "--rcfile", "/etc/bash.bashrc"}, NetNS: c.NetNS, Container: c.Container, TTY: &size}
	if c.Node != "" {
		cmd.Env = []string{"VETHLAB_NODE=" + printable(c.Node, 255), "VETHLAB_COLOR=" + color}
	}
	e, err := m.Exec(ctx, cmd)
	if errors.Is(err, unix.ENOENT) {
		cmd.Argv = []string{"sh"}
		e, err = m.Exec(ctx, cmd)
	}
	if err != nil {
		return nil, err
	}
	t := &Terminal{exec: e, screen: newScrollback(), activity: c.Activity, done: make(chan struct{})}
	t.pump.Go(t.run)
	return t, nil
}

// sgr turns a colour into the inside of a Select Graphic Rendition sequence, ECMA-48 §8.3.117.
func sgr(color string) (string, error) {
	if color == "" {
		return "0", nil
	}
	if hex, ok := strings.CutPrefix(color, "#"); ok && len(hex) == 6 {
		if v, err := strconv.ParseUint(hex, 16, 32); err == nil {
			return fmt.Sprintf("38;2;%d;%d;%d", v>>16, v>>8&0xff, v&0xff), nil
		}
	}
	if v, err := strconv.ParseUint(color, 10, 8); err == nil {
		return fmt.Sprintf("38;5;%d", v), nil
	}
	return "", fmt.Errorf("the colour %q is neither #rrggbb nor 0 to 255", color)
}

// run copies the terminal's output until it is hung up, by its shell's end (EIO) or by Close.
func (t *Terminal) run() {
	buf := make([]byte, 8<<10)
	for {
		n, err := t.exec.pty.Read(buf)
		if n > 0 {
			t.screen.write(buf[:n])
			if t.activity != nil {
				t.activity()
			}
		}
		if err != nil {
			break
		}
	}
	t.exec.pty.Close()
	t.screen.close()
	select {
	case <-t.exec.Done():
	case <-time.After(hangupPatience):
		t.exec.Signal(unix.SIGKILL)
		<-t.exec.Done()
	}
	close(t.done)
}

// Attach reads the terminal from an offset: first what the scrollback has from there on, then what comes. skipped
// tells how many bytes from there are no longer kept; an offset past the end means the end. Any number may read at
// once.
func (t *Terminal) Attach(offset int64) (r *TerminalReader, skipped int64) {
	t.screen.mu.Lock()
	defer t.screen.mu.Unlock()
	offset = min(max(offset, 0), t.screen.end)
	from := max(offset, t.screen.start())
	return &TerminalReader{screen: t.screen, off: from}, from - offset
}

// TerminalReader is one reader of a terminal. One goroutine reads; any may Close.
type TerminalReader struct {
	screen *scrollback
	off    int64 // guarded by screen.mu, as is closed
	closed bool
}

// Read waits for output. It returns io.EOF after the last output of a terminal that has ended, ErrSlow where output
// came faster than it was read for more than a scrollback's length, and os.ErrClosed after Close.
func (r *TerminalReader) Read(p []byte) (int, error) {
	s := r.screen
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case r.closed:
			return 0, os.ErrClosed
		case r.off < s.start():
			return 0, ErrSlow
		case r.off < s.end:
			n := copy(p, s.at(r.off))
			r.off += int64(n)
			return n, nil
		case s.closed:
			return 0, io.EOF
		}
		s.more.Wait()
	}
}

// Offset is where the next Read reads: the place to attach again from.
func (r *TerminalReader) Offset() int64 {
	r.screen.mu.Lock()
	defer r.screen.mu.Unlock()
	return r.off
}

// Close ends a Read that waits.
func (r *TerminalReader) Close() error {
	r.screen.mu.Lock()
	defer r.screen.mu.Unlock()
	r.closed = true
	r.screen.more.Broadcast()
	return nil
}

// Write types into the terminal. It returns ErrBusy where the program in it does not read: part of the input may have
// gone in, and n tells how much.
func (t *Terminal) Write(p []byte) (n int, err error) {
	t.writing.Lock()
	defer t.writing.Unlock()
	if err := t.exec.pty.SetWriteDeadline(time.Now().Add(writePatience)); err != nil {
		return 0, os.ErrClosed
	}
	n, err = t.exec.pty.Write(p)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = ErrBusy
	case errors.Is(err, unix.EIO):
		err = os.ErrClosed
	}
	return n, err
}

// Resize sets the terminal's size in characters; the program in front gets SIGWINCH.
func (t *Terminal) Resize(cols, rows uint16) error { return t.exec.Resize(cols, rows) }

// Pid is the shell's number as the lab process counts.
func (t *Terminal) Pid() int { return t.exec.Pid() }

// Done is closed when the shell has ended and its last output is in the scrollback.
func (t *Terminal) Done() <-chan struct{} { return t.done }

// Wait waits for Done and gives the shell's exit status, as Exec.Wait does.
func (t *Terminal) Wait() (int, error) {
	<-t.done
	return t.exec.Wait()
}

// Close hangs the terminal up, as closing its window would, and waits until the shell has ended.
func (t *Terminal) Close() error {
	t.exec.pty.Close()
	t.pump.Wait()
	return nil
}
