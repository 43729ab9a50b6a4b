package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what has to happen: far longer than it takes on a slow machine.
const patience = 30 * time.Second

// redAndBlue is the lab of most tests.
const redAndBlue = "examples/red-and-blue.yaml"

// result is what a run of vethlab gave.
type result struct {
	stdout, stderr string
	status         int
}

// command is vethlab as a process of its own, with temporary files of the test's own and no desktop.
func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(executable(t), args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary(t), "DISPLAY=", "WAYLAND_DISPLAY=", "VETHLAB_TOKEN=", asProgram+"=1", endAtOnce)
	return cmd
}

// executable is the test binary.
func executable(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// endAtOnce keeps the race detector from having a process wait a second at its end.
const endAtOnce = "GORACE=atexit_sleep_ms=0"

// temporary is a folder for a run's temporary files. It has to be empty at the test's end, unless the run is killed.
func temporary(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vethlab-test-") // a short path: t.TempDir has the test's name in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left, _ := filepath.Glob(filepath.Join(dir, "vethlab-*")); len(left) > 0 {
			t.Errorf("temporary files are left: %v", left)
		}
		os.RemoveAll(dir)
	})
	return dir
}

// vethlab runs vethlab to its end.
func vethlab(t *testing.T, args ...string) result {
	t.Helper()
	return finish(t, command(t, args...))
}

// finish runs a command to its end.
func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// within runs the calling test again in user and mount namespaces of its own, that a shell script has prepared, and the
// body there. In them, the test is what root is in a rootless container. The script and the body have a folder, $dir.
func within(t *testing.T, prepare string, body func(t *testing.T, dir string)) {
	t.Helper()
	const mark = "VETHLAB_TEST_WITHIN"
	if dir := os.Getenv(mark); dir != "" {
		body(t, dir)
		return
	}
	dir := temporary(t)
	again := exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", "dir=$1; shift\n"+prepare+"\n"+`exec "$@"`,
		"sh", dir, executable(t), "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v", "-test.timeout=2m")
	again.Env = append(os.Environ(), mark+"="+dir, endAtOnce)
	out, err := again.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("in namespaces of its own: %v\n%s", err, out)
	} else if testing.Verbose() {
		t.Logf("in namespaces of its own:\n%s", out)
	}
}

// hostState is what a lab must not change: the links, mounts and names of namespaces around it.
func hostState(t *testing.T) string {
	t.Helper()
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, l := range links {
		fmt.Fprintln(&b, l.Index, l.Name, l.HardwareAddr, l.MTU)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	b.Write(mounts)
	names, _ := filepath.Glob("/run/netns/*")
	fmt.Fprintln(&b, names)
	return b.String()
}

// footprint is the processes of a lab, and the namespaces that they are in and we are not.
type footprint struct {
	processes  []string            // pid and start time, which together no other process has: proc_pid_stat(5)
	namespaces map[string]*os.File // by what the kernel calls them, held open: it gives their numbers to nobody else
}

// footprintOf is what a process and all its descendants have.
func footprintOf(t *testing.T, pid int) footprint {
	t.Helper()
	f := footprint{namespaces: map[string]*os.File{}}
	for _, p := range append(descendants(pid), pid) {
		f.processes = append(f.processes, identity(p))
		for _, link := range namespaceLinks(p) {
			if name, err := os.Readlink(link); err != nil || f.namespaces[name] != nil {
				continue
			}
			ns, err := os.Open(link)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { ns.Close() })
			if name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", ns.Fd())); err == nil {
				f.namespaces[name] = ns
			}
		}
	}
	for _, link := range namespaceLinks(os.Getpid()) {
		name, _ := os.Readlink(link)
		delete(f.namespaces, name)
	}
	return f
}

// checkGone fails the test where a process of the footprint is left, or anybody holds one of its namespaces.
func (f footprint) checkGone(t *testing.T) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range all {
		var pid int
		fmt.Sscan(filepath.Base(dir), &pid)
		if who := identity(pid); who != "" && slices.Contains(f.processes, who) {
			t.Errorf("process %s of the lab is left", who)
		}
		if pid == os.Getpid() {
			continue
		}
		open, _ := filepath.Glob(dir + "/fd/*")
		for _, link := range append(namespaceLinks(pid), open...) {
			if ns, err := os.Readlink(link); err == nil && f.namespaces[ns] != nil {
				t.Errorf("%s is the lab's %s", link, ns)
			}
		}
	}
}

// identity is a process that has not ended, "" for one that has.
func identity(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if fields[0] == "Z" || fields[0] == "X" { // its parent, or who has inherited it, has not yet asked how it ended
		return ""
	}
	return fmt.Sprint(pid, " since ", fields[19])
}

func descendants(pid int) []int {
	var all []int
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, name := range lists {
		text, _ := os.ReadFile(name)
		for _, f := range bytes.Fields(text) {
			var child int
			fmt.Sscan(string(f), &child)
			all = append(append(all, child), descendants(child)...)
		}
	}
	return all
}

// namespaceLinks are the files by which a process names its namespaces; none for one that has ended.
func namespaceLinks(pid int) []string {
	if identity(pid) == "" {
		return nil
	}
	var all []string
	for _, kind := range []string{"user", "pid", "mnt", "net", "uts", "ipc", "cgroup"} {
		all = append(all, fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	}
	return all
}

// await fails the test where the channel is not closed in time.
func await[T any](t *testing.T, what string, c <-chan T) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("never came: %s", what)
	}
}

// signalTo sends a signal to a process that the test has started.
func signalTo(t testing.TB, cmd *exec.Cmd, s syscall.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
