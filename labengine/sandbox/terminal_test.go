package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

func openTerminal(t *testing.T, m *Machine, c TerminalConfig) *Terminal {
	t.Helper()
	term, err := m.OpenTerminal(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { term.Close() })
	return term
}

// expect reads until the text has come, and gives all that was read. The next Read reads what follows the text.
func expect(t *testing.T, r *TerminalReader, text string) string {
	t.Helper()
	var all []byte
	buf := make([]byte, 4096)
	stop := time.AfterFunc(10*time.Second, func() { r.Close() })
	defer stop.Stop()
	for {
		n, err := r.Read(buf)
		all = append(all, buf[:n]...)
		if i := bytes.Index(all, []byte(text)); i >= 0 {
			end := i + len(text)
			r.off -= int64(len(all) - end)
			return string(all[:end])
		}
		if err != nil {
			t.Fatalf("%v while waiting for %q in %q", err, text, all[max(0, len(all)-300):])
		}
	}
}

func TestTerminal(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		active := make(chan struct{}, 1)
		term := openTerminal(t, m, TerminalConfig{Cols: 100, Rows: 30, Activity: func() {
			select {
			case active <- struct{}{}:
			default:
			}
		}})
		r, skipped := term.Attach(0)
		if skipped != 0 {
			t.Errorf("skipped %d", skipped)
		}
		const promptEnd = "\x1b]633;B\a"
		if got := expect(t, r, promptEnd); !strings.Contains(got, "\x1b]633;A\aroot@host ~ # ") {
			t.Errorf("prompt: %q", got)
		}
		<-active
		term.Write([]byte("stty size; tty; false\r"))
		got := expect(t, r, "\x1b]633;D;1\a")
		for _, want := range []string{"30 100", "/dev/pts/0", "\x1b]633;E;stty size\\x3b tty\\x3b false\a\x1b]633;C\a"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in %q", want, got)
			}
		}
		expect(t, r, promptEnd)
		if err := term.Resize(120, 40); err != nil {
			t.Fatal(err)
		}
		term.Write([]byte("stty size\r"))
		expect(t, r, "40 120")
		expect(t, r, promptEnd)
		term.Write([]byte("sleep 60\r"))
		sh(t, m, "until pgrep -fx 'sleep 60'; do sleep 0.02; done") // between fork and exec, bash loses a Ctrl+C
		term.Write([]byte("\x03"))
		expect(t, r, "\x1b]633;D;130\a")
		expect(t, r, promptEnd)

		again, skipped := term.Attach(0)
		if got := expect(t, again, "633;D;130"); skipped != 0 || !strings.Contains(got, "30 100") {
			t.Errorf("skipped %d, replayed %q", skipped, got)
		}
		later, _ := term.Attach(r.Offset())
		term.Write([]byte("exit 3\r"))
		rest, err := io.ReadAll(later)
		if err != nil || !strings.Contains(string(rest), "exit 3") || strings.Contains(string(rest), "sleep") {
			t.Errorf("the rest: %q, %v", rest, err)
		}
		if status, err := term.Wait(); status != 3 || err != nil {
			t.Errorf("exit status %d, %v", status, err)
		}
		if _, err := term.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
			t.Errorf("write after the end: %v", err)
		}
	})
}

func TestTerminalInNamespace(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		err := m.AddNamespaces(t.Context(), []string{"r$(id)d"}, func(_ int, ns *os.File) error {
			defer ns.Close()
			term := openTerminal(t, m, TerminalConfig{Node: "r$(id)d", NetNS: ns, Color: "#ff8000"})
			r, _ := term.Attach(0)
			if got := expect(t, r, "# "); !strings.Contains(got, "root@host \x1b[38;2;255;128;0m[r$(id)d]\x1b[0m ~ # ") {
				t.Errorf("prompt: %q", got)
			}
			term.Write([]byte("ip netns add blue; ip netns identify; ip -br link; bash\r"))
			if got := expect(t, r, "lo  "); !strings.Contains(got, "r$(id)d\r\n") {
				t.Errorf("in the namespace: %q", got)
			}
			expect(t, r, "633;B\a") // the inner shell has the same prompt
			term.Write([]byte("exit\r"))
			expect(t, r, "633;B\a")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		sh(t, m, "ip netns exec blue true") // made on the machine's own mounts: not broken
	})
}

// TestPromptFollowsItsNode: of a namespace by whatever name it has now, and of a machine by its hostname, at the next prompt.
// What a program sees of it is so too, and the last command's status is as it was.
func TestPromptFollowsItsNode(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		err := m.AddNamespaces(t.Context(), []string{"blue", "red"}, func(i int, ns *os.File) error {
			defer ns.Close()
			if i == 0 {
				return nil
			}
			term := openTerminal(t, m, TerminalConfig{Node: "red", NetNS: ns})
			r, _ := term.Attach(0)
			expect(t, r, "633;B\a")
			if err := m.RenameNamespace(t.Context(), "red", "crimson"); err != nil {
				return err
			}
			term.Write([]byte("hostname elsewhere; false\r"))
			if got := expect(t, r, "633;B\a"); !strings.Contains(got, "root@elsewhere \x1b[0m[crimson]\x1b[0m ~ # ") {
				t.Errorf("prompt: %q", got)
			}
			term.Write([]byte("echo $?, $VETHLAB_NODE.\r"))
			expect(t, r, "1, crimson.")
			expect(t, r, "633;B\a")
			term.Write([]byte("ip netns exec blue bash\r"))
			if got := expect(t, r, "633;B\a"); !strings.Contains(got, "[blue]") {
				t.Errorf("prompt in another namespace: %q", got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestTerminalHangsUp(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		term := openTerminal(t, m, TerminalConfig{})
		r, _ := term.Attach(0)
		expect(t, r, "633;B\a")
		term.Write([]byte("trap '' HUP; echo no''w; exec sleep 60\r")) // does not go by itself
		expect(t, r, "now")
		if err := term.Close(); err != nil {
			t.Fatal(err)
		}
		if status, err := term.Wait(); status != 128+9 || err != nil {
			t.Errorf("%d, %v", status, err)
		}
		if _, err := r.Read(make([]byte, 1)); err != io.EOF {
			// what was printed may still be there
			for err == nil {
				_, err = r.Read(make([]byte, 4096))
			}
			if err != io.EOF {
				t.Error(err)
			}
		}
		term = openTerminal(t, m, TerminalConfig{})
		m.Close(context.Background())
		if _, err := term.Wait(); !errors.Is(err, ErrMachineGone) {
			t.Errorf("after the machine's end: %v", err)
		}
	})
}

func TestTerminalSlowReaderAndBusyProgram(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		term := openTerminal(t, m, TerminalConfig{})
		slow, _ := term.Attach(0)
		r, _ := term.Attach(0)
		expect(t, r, "633;B\a")
		term.Write([]byte("head -c 600000 /dev/zero | tr '\\0' x; echo; echo don''e; touch /tmp/x\r"))
		sh(t, m, "until test -e /tmp/x; do sleep 0.02; done")
		if _, err := slow.Read(make([]byte, 10)); err != ErrSlow {
			t.Errorf("the slow reader: %v", err)
		}
		back, skipped := term.Attach(slow.Offset())
		if skipped < 600000-scrollbackSize {
			t.Errorf("skipped %d", skipped)
		}
		expect(t, back, "done")
		expect(t, back, "633;B\a")
		term.Write([]byte("stty raw -echo; echo no''w; sleep 60\r"))
		expect(t, back, "now")
		var err error
		for i := 0; i < 20 && err == nil; i++ {
			_, err = term.Write(make([]byte, 4096))
		}
		if err != ErrBusy {
			t.Errorf("writing to who does not read: %v", err)
		}
	})
}

// TestScrollback holds the ring to a plain slice.
func TestScrollback(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	s := newScrollback()
	term := &Terminal{screen: s}
	var all []byte
	for range 400 {
		p := make([]byte, rnd.IntN(20000))
		if rnd.IntN(50) == 0 {
			p = make([]byte, scrollbackSize+rnd.IntN(1000))
		}
		for i := range p {
			p[i] = byte(rnd.Uint32())
		}
		all = append(all, p...)
		s.write(p)
		offset := rnd.Int64N(int64(len(all)) + 1)
		r, skipped := term.Attach(offset)
		got := make([]byte, 0, scrollbackSize)
		for int64(len(got)) < int64(len(all))-offset-skipped {
			buf := make([]byte, 1+rnd.IntN(70000))
			n, err := r.Read(buf)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			got = append(got, buf[:n]...)
		}
		if !bytes.Equal(got, all[offset+skipped:]) {
			t.Fatalf("seed %d: differs after %d bytes", seed, len(all))
		}
		if kept := int64(len(all)) - offset - skipped; skipped > 0 && kept != scrollbackSize {
			t.Fatalf("seed %d: skipped %d and kept only %d", seed, skipped, kept)
		}
	}
}

func TestSGR(t *testing.T) {
	for in, want := range map[string]string{"": "0", "#0A0b0C": "38;2;10;11;12", "200": "38;5;200"} {
		if got, err := sgr(in); got != want || err != nil {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"red", "#12345", "#12345g", "256", "-1", "1;31"} {
		if _, err := sgr(in); err == nil {
			t.Errorf("%s was taken", in)
		}
	}
}
