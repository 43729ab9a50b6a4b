package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExec(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		for _, c := range []struct {
			script string
			env    []string
			dir    string
			status int
			out    string
		}{
			{script: "exit 7", status: 7},
			{script: "kill -9 $$", status: 137},
			{script: "echo out; echo err >&2", out: "out\nerr\n"},
			{script: "pwd; echo $HOME $LANG $X $PATH", env: []string{"X=1", "PATH=/usr/bin:/bin"}, dir: "/tmp",
				out: "/tmp\n/root C.UTF-8 1 /usr/bin:/bin\n"},
			{script: "pwd", out: "/root\n"},
			{script: "ls -l /proc/self/fd | grep -c -- '->'", out: "4\n"}, // 0, 1, 2, and ls's own
			{script: "trap - TERM INT PIPE; grep SigIgn /proc/self/status", out: "SigIgn:\t0000000000000000\n"},
		} {
			out, status := run(t, m, Command{Argv: []string{"sh", "-c", c.script}, Env: c.env, Dir: c.dir})
			if status != c.status || c.out != "" && out != c.out {
				t.Errorf("%s: %d, %q", c.script, status, out)
			}
		}
		for argv0, want := range map[string]error{
			"no-such-program": unix.ENOENT, "/nowhere": unix.ENOENT, "/etc/passwd": unix.EACCES,
		} {
			if _, err := m.Exec(t.Context(), Command{Argv: []string{argv0}}); !errors.Is(err, want) {
				t.Errorf("%s: %v", argv0, err)
			}
		}
		if _, err := m.Exec(t.Context(), Command{Argv: []string{"true", strings.Repeat("x", maxRequest)}}); !errors.Is(err, unix.E2BIG) {
			t.Errorf("too long: %v", err)
		}
	})
}

func TestExecPipes(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		in, stdin, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		defer stdout.Close()
		e, err := m.Exec(t.Context(), Command{Argv: []string{"tr", "a-z", "A-Z"}, Stdin: in, Stdout: out})
		in.Close()
		out.Close()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(stdin, "hello\n")
		stdin.Close()
		if got, _ := io.ReadAll(stdout); string(got) != "HELLO\n" {
			t.Errorf("got %q", got)
		}
		if status, err := e.Wait(); status != 0 || err != nil {
			t.Errorf("%d, %v", status, err)
		}
	})
}

func TestExecSignal(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		stdout, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer stdout.Close()
		e, err := m.Exec(t.Context(), Command{Argv: []string{"sh", "-c",
			"trap 'exit 5' TERM; echo ready; while :; do sleep 0.02; done"}, Stdout: out})
		out.Close()
		if err != nil {
			t.Fatal(err)
		}
		if e.Pid() <= 1 {
			t.Errorf("pid %d", e.Pid())
		}
		bufio.NewReader(stdout).ReadString('\n')
		if err := e.Signal(unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if status, err := e.Wait(); status != 5 || err != nil {
			t.Errorf("%d, %v", status, err)
		}
		if err := e.Signal(unix.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("after its end: %v", err)
		}
	})
}

// TestAgentIsNotTrusted plays an agent that its learner has taken over: what it sends ends its machine at the most.
func TestAgentIsNotTrusted(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		other := newMachine(t, l, "other")
		const send = "my $b = %s; syscall(44, $fd, $b, length $b, 0, 0, 0); " // sendto(2) on amd64
		for name, c := range map[string]struct {
			script string
			ends   bool
		}{
			"too long":      {fmt.Sprintf(send, "'x' x 100000"), true},
			"not JSON":      {fmt.Sprintf(send, "'hello'"), true},
			"shut down":     {"syscall(48, $fd, 2)", true},
			"unknown id":    {fmt.Sprintf(send, `'{"id":999999,"done":true}'`), false},
			"a stray exit":  {fmt.Sprintf(send, `'{"id":1,"exit":0}'`), false},
			"many messages": {"for (1..3000) { " + fmt.Sprintf(send, `'{"id":1,"index":-1}'`) + "}", false},
		} {
			t.Run(name, func(t *testing.T) {
				m := newMachine(t, l, "host")
				// Root may take descriptors of the machine's processes, the agent's socket among them.
				e, err := m.Exec(t.Context(), Command{Argv: []string{"perl", "-e",
					"my $p = syscall(434, 1, 0); my $fd = syscall(438, $p, 3, 0); $fd >= 0 or exit 9; " + c.script + "; exit 0"}})
				status := 0
				if err == nil {
					status, err = e.Wait()
				}
				if c.ends != errors.Is(err, ErrMachineGone) || !c.ends && status != 0 {
					t.Errorf("%d, %v", status, err)
				}
				if !c.ends {
					sh(t, m, "true")
				}
				sh(t, other, "true")
			})
		}
	})
}
