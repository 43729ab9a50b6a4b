package sandbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// outside runs the body where Start and Find are called: as we are, and as root also as an ordinary user.
func outside(t *testing.T, body func(t *testing.T)) {
	if os.Geteuid() != 0 {
		body(t)
		return
	}
	t.Run("root", body)
	asUser(t)
}

// TestServeForever is no test of its own: it is what a lab process does in the tests below. It makes a machine that
// has namespaces, a shell and a terminal, says so on each connection, and waits for its end.
func TestServeForever(t *testing.T) {
	if theLab == nil {
		return
	}
	m := newMachine(t, theLab, "host")
	add(t, m, names(1000)...)
	term := openTerminal(t, m, TerminalConfig{})
	term.Write([]byte("ip link add veth0 type veth peer name veth1; iptables -A INPUT -j ACCEPT; (setsid sleep 600 &)\r"))
	for {
		c, err := theLab.Listener().Accept()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(c, "ready")
		c.Close()
	}
}

func serveForever(t testing.TB) *Process {
	t.Helper()
	p := startLab(t, "-test.run=^TestServeForever$")
	awaitServed(t, p)
	return p
}

func awaitServed(t testing.TB, p *Process) {
	t.Helper()
	c, err := p.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	line := make([]byte, 6)
	if n, err := c.Read(line); string(line[:n]) != "ready\n" {
		log, _ := os.ReadFile(filepath.Join(p.Dir(), logName))
		t.Fatalf("%q, %v\n%s", line[:n], err, log)
	}
}

// hostState is what a lab must not change.
func hostState(t *testing.T) string {
	t.Helper()
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, l := range links {
		fmt.Fprintln(&b, l.Index, l.Name, l.HardwareAddr)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	b.Write(mounts)
	netns, _ := filepath.Glob("/run/netns/*")
	fmt.Fprintln(&b, netns)
	return b.String()
}

func TestNothingIsLeft(t *testing.T) {
	outside(t, func(t *testing.T) {
		leaks := countLeaks()
		before := hostState(t)
		p := serveForever(t)
		pids := childrenOf(p.Pid())
		if len(pids) < 2 {
			t.Fatalf("the lab has %d processes more than its first", len(pids))
		}
		if now := hostState(t); now != before {
			t.Errorf("the host has changed: before\n%safter\n%s", before, now)
		}
		start := time.Now()
		if err := p.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		t.Logf("1000 namespaces killed in %v", took)
		if took > time.Second {
			t.Errorf("Kill took %v", took)
		}
		for _, pid := range pids {
			if exists(fmt.Sprintf("/proc/%d/exe", pid)) {
				t.Errorf("process %d is left", pid)
			}
		}
		if now := hostState(t); now != before {
			t.Errorf("the host has changed: before\n%safter\n%s", before, now)
		}
		var exit *exec.ExitError
		if !errors.As(p.Err(), &exit) {
			t.Errorf("Err: %v", p.Err())
		}
		if _, err := Find(p.Dir()); !errors.Is(err, ErrNotRunning) {
			t.Errorf("Find: %v", err)
		}
		if exists(filepath.Join(p.Dir(), sockName)) {
			t.Error("the socket is left")
		}
		p.Release()
		leaks.check(t)
	})
}

// childrenOf gives all descendants.
func childrenOf(pid int) []int {
	var all []int
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, name := range lists {
		text, _ := os.ReadFile(name)
		for _, f := range bytes.Fields(text) {
			var child int
			fmt.Sscan(string(f), &child)
			all = append(append(all, child), childrenOf(child)...)
		}
	}
	return all
}

// TestStarter is no test of its own: it is a server that starts a lab and is gone.
func TestStarter(t *testing.T) {
	dir := os.Getenv("SANDBOX_TEST_DIR")
	if dir == "" {
		return
	}
	if _, err := Start(context.Background(), Launch{Dir: dir, Args: []string{"lab", "-test.run=^TestServeForever$"}}); err != nil {
		t.Fatal(err)
	}
	unix.Kill(os.Getpid(), unix.SIGKILL)
}

func TestFindAfterTheStarterHasGone(t *testing.T) {
	outside(t, func(t *testing.T) {
		// A folder whose name is longer than a socket's address may be.
		dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := Find(dir); !errors.Is(err, ErrNotRunning) {
			t.Errorf("Find before the start: %v", err)
		}
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestStarter$")
		cmd.Env = append(os.Environ(), "SANDBOX_TEST_DIR="+dir)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("%v\n%s", err, out)
		}
		p, err := Find(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Release()
		awaitServed(t, p)
		if _, err := Start(t.Context(), Launch{Dir: dir, Args: []string{"lab"}}); !errors.Is(err, ErrRunning) {
			t.Errorf("started twice: %v", err)
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
		if err != nil || !strings.Contains(string(status), fmt.Sprintf("NSpid:\t%d\t1\n", p.Pid())) {
			t.Errorf("%d is not the lab's PID 1: %v", p.Pid(), err)
		}
		select {
		case <-p.Done():
			t.Error("done before its end")
		default:
		}
		if err := p.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Dial(t.Context()); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("Dial: %v", err)
		}
		if _, err := Find(dir); !errors.Is(err, ErrNotRunning) {
			t.Errorf("Find after the end: %v", err)
		}
	})
}

func TestStartFails(t *testing.T) {
	outside(t, func(t *testing.T) {
		dir := t.TempDir()
		if _, err := Start(t.Context(), Launch{Dir: filepath.Join(dir, "nowhere"), Args: []string{"lab"}}); !errors.Is(err, unix.ENOENT) {
			t.Errorf("no folder: %v", err)
		}
		// Not a lab: it ends without a word.
		_, err := Start(t.Context(), Launch{Dir: dir, Args: []string{"-test.run=^$"}})
		if err == nil || !strings.Contains(err.Error(), logName) {
			t.Errorf("ended: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Start(ctx, Launch{Dir: dir, Args: []string{"lab", "-test.run=^TestServeForever$"}}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if _, err := Find(dir); !errors.Is(err, ErrNotRunning) {
			t.Errorf("left running: %v", err)
		}
	})
}

func TestInitOutsideALab(t *testing.T) {
	if _, err := Init(); err == nil {
		t.Error("went well")
	}
}

func TestEachLabOfRootHasIDsOfItsOwn(t *testing.T) {
	if os.Geteuid() != 0 {
		return // as an ordinary user there is one id to have
	}
	a := startLab(t, "-test.run=^TestServeForever$")
	b := startLab(t, "-test.run=^TestServeForever$")
	ids := func(p *Process) string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", p.Pid()))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(string(text)), " ")
	}
	if ids(a) == ids(b) || !strings.HasSuffix(ids(a), " 65536") {
		t.Errorf("%s, %s", ids(a), ids(b))
	}
	was := ids(a)
	a.Kill(t.Context())
	if c := startLab(t, "-test.run=^TestServeForever$"); ids(c) != was {
		t.Errorf("%s was not free again: %s", was, ids(c))
	}
}

func TestMissingBwrap(t *testing.T) {
	err := error(&MissingProgramError{Program: "bwrap", Package: "bubblewrap"})
	var missing *MissingProgramError
	if !errors.As(fmt.Errorf("make the machine host: %w", err), &missing) || !strings.Contains(err.Error(), "bubblewrap") {
		t.Error(err)
	}
}

// TestSeccompFilter runs the filter in x/net/bpf's machine. Its verdicts are the kernel's, but for struct
// seccomp_data's byte order: the kernel loads words in its own, the machine in the network's.
func TestSeccompFilter(t *testing.T) {
	arch := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	for _, single := range []bool{false, true} {
		raw, err := seccompFilter(single)
		if err != nil {
			t.Fatal(err)
		}
		var prog []bpf.Instruction
		for ; len(raw) > 0; raw = raw[8:] {
			prog = append(prog, bpf.RawInstruction{Op: binary.NativeEndian.Uint16(raw), Jt: raw[2], Jf: raw[3],
				K: binary.NativeEndian.Uint32(raw[4:])}.Disassemble())
		}
		vm, err := bpf.NewVM(prog)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ nr, arch, want uint32 }{
			{unix.SYS_READ, arch, secRetAllow},
			{unix.SYS_UNSHARE, arch, secRetAllow},
			{unix.SYS_BPF, arch, secRetErrno | uint32(unix.EPERM)},
			{unix.SYS_REBOOT, arch, secRetErrno | uint32(unix.EPERM)},
			{unix.SYS_SETUID, arch, map[bool]uint32{false: secRetAllow, true: secRetErrno}[single]},
			{unix.SYS_READ, unix.AUDIT_ARCH_I386, secRetErrno | uint32(unix.ENOSYS)},
		} {
			data := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, c.nr), c.arch)
			if got, err := vm.Run(append(data, make([]byte, 56)...)); uint32(got) != c.want || err != nil {
				t.Errorf("single %v, call %d on %#x: %#x, %v", single, c.nr, c.arch, got, err)
			}
		}
	}
}

// TestCgroup plays the kernel's files: this may run where there is no cgroup v2.
func TestCgroup(t *testing.T) {
	root := t.TempDir()
	cgroupRoot, selfCgroup = root, filepath.Join(root, "self")
	t.Cleanup(func() { cgroupRoot, selfCgroup = "/sys/fs/cgroup", "/proc/self/cgroup" })
	if text, cgroups := Limits(); newLabCgroup() != nil || cgroups || !strings.Contains(text, "no cgroup") {
		t.Errorf("where there is none: %s", text)
	}
	own := filepath.Join(root, "service")
	for name, text := range map[string]string{
		"cgroup.controllers": "cpu memory", "self": "0::/service/" + cgroupLeaf + "\n",
		"service/cgroup.subtree_control":              "memory pids cpu",
		"service/vethlab-labs/cgroup.subtree_control": "",
	} {
		os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755)
		os.WriteFile(filepath.Join(root, name), []byte(text), 0o644)
	}
	if _, _, err := labCgroupParent(); err == nil || !strings.Contains(err.Error(), "pids") {
		t.Errorf("without the pids controller: %v", err)
	}
	os.WriteFile(filepath.Join(root, "cgroup.controllers"), []byte("cpu memory pids"), 0o644)
	dir, _, err := labCgroupParent()
	if err != nil || dir != filepath.Join(own, "vethlab-labs") {
		t.Errorf("%s, %v", dir, err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control")); string(got) != "+memory +pids +cpu" {
		t.Errorf("enabled: %q", got)
	}
	if text, cgroups := Limits(); !cgroups || !strings.HasPrefix(text, "a cgroup for each lab in "+dir) {
		t.Error(text)
	}
}
