package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// theLab is set in the test binary that runs as a lab process: the very code that ships is then around the test.
var theLab *Lab

func TestMain(m *testing.M) {
	Reexec()
	// As if whoever started the server had ignored them: programs in machines must not. Go has no handler for the last two.
	for _, sig := range []int{int(syscall.SIGHUP), int(syscall.SIGUSR1), 32, 34} {
		rtSigaction(sig, &sigaction{handler: sigIgnore}, nil)
	}
	// The runtime's poller opens descriptors of its own when it is first used: not a leak.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	if len(os.Args) > 1 && os.Args[1] == "lab" {
		os.Args = append(os.Args[:1], os.Args[2:]...)
		var err error
		if theLab, err = Init(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// inLab runs the body inside a lab process: the test binary starts itself again with this test alone. As root it does
// so twice, in a lab of root's and in one of an ordinary user's.
func inLab(t *testing.T, body func(t *testing.T, l *Lab)) {
	t.Helper()
	if theLab != nil {
		leaks := countLeaks()
		t.Cleanup(func() { leaks.check(t) }) // after the body's own cleanups
		body(t, theLab)
		return
	}
	if os.Geteuid() == 0 {
		t.Run("root", func(t *testing.T) { labRun(t) })
		asUser(t)
		return
	}
	labRun(t)
}

func labRun(t *testing.T) {
	name, _, _ := strings.Cut(t.Name(), "/")
	p := startLab(t, "-test.run=^"+regexp.QuoteMeta(name)+"$", "-test.v", "-test.timeout=30s")
	<-p.Done()
	log, err := os.ReadFile(filepath.Join(p.Dir(), logName))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Err(); err != nil || !strings.Contains(string(log), "\nPASS\n") || testing.Verbose() {
		t.Logf("the lab's log:\n%s", log)
		if err != nil || !strings.Contains(string(log), "\nPASS\n") {
			t.Errorf("in the lab: %v", err)
		}
	}
	p.Release()
}

// asUser runs the calling test again as an ordinary user.
func asUser(t *testing.T) {
	t.Run("user", func(t *testing.T) {
		name, _, _ := strings.Cut(t.Name(), "/")
		tmp := userDir(t)
		cmd := exec.Command("/proc/self/exe", "-test.run=^"+regexp.QuoteMeta(name)+"$", "-test.v", "-test.timeout=60s")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
		cmd.Dir = "/"
		cmd.Env = []string{"PATH=" + searchPath, "TMPDIR=" + tmp, "HOME=" + tmp}
		out, err := cmd.CombinedOutput()
		if err != nil || testing.Verbose() {
			t.Logf("as an ordinary user:\n%s", out)
		}
		if err != nil {
			t.Error(err)
		}
	})
}

func userDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "sandbox-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, 1000, 1000); err != nil {
		t.Fatal(err)
	}
	return dir
}

func startLab(t testing.TB, args ...string) *Process {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := Start(context.Background(), Launch{Dir: dir, Args: append([]string{"lab"}, args...)})
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, logName))
		t.Fatalf("%v\n%s", err, log)
	}
	t.Cleanup(func() {
		if p.pidfd.ended() {
			return
		}
		p.Kill(context.Background())
		p.Release()
	})
	return p
}

func newMachine(t testing.TB, l *Lab, name string) *Machine {
	t.Helper()
	m, err := l.NewMachine(t.Context(), MachineConfig{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(context.Background()) })
	return m
}

// sh runs a shell script in the machine and gives what it printed.
func sh(t testing.TB, m *Machine, script string) string {
	t.Helper()
	out, status := run(t, m, Command{Argv: []string{"sh", "-c", script}})
	if status != 0 {
		t.Fatalf("%s: exit status %d\n%s", script, status, out)
	}
	return out
}

func run(t testing.TB, m *Machine, c Command) (string, int) {
	t.Helper()
	out, err := memfd("out", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c.Stdout, c.Stderr = out, out
	e, err := m.Exec(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	status, err := e.Wait()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", out.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return string(text), status
}

// leaks are counts that are the same before and after whatever cleans up behind itself.
type leaks struct {
	goroutines, fds, machines int
}

func countLeaks() leaks {
	fds, _ := os.ReadDir("/proc/self/fd")
	n := 0
	if theLab != nil {
		theLab.mu.Lock()
		n = len(theLab.machines)
		theLab.mu.Unlock()
	}
	return leaks{goroutines: runtime.NumGoroutine(), fds: len(fds), machines: n}
}

// check runs after the test's own cleanups.
func (before leaks) check(t testing.TB) {
	t.Helper()
	var after leaks
	for range 50 {
		after = countLeaks()
		if after.goroutines <= before.goroutines && after.fds <= before.fds && after.machines == before.machines {
			return
		}
		time.Sleep(20 * time.Millisecond) // what was told to end may still be on its way out
	}
	stacks := make([]byte, 64<<10)
	stacks = stacks[:runtime.Stack(stacks, true)]
	t.Errorf("left behind: before %+v, after %+v\n%s", before, after, stacks)
}
