package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newContainer(t testing.TB, m *Machine, name string) *Container {
	t.Helper()
	c, err := m.NewContainer(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// inside runs a shell script in the container and gives what it printed.
func inside(t testing.TB, c *Container, script string) string {
	t.Helper()
	out, status := run(t, c.m, Command{Container: c, Argv: []string{"sh", "-c", script}})
	if status != 0 {
		t.Fatalf("in %s: %s: exit status %d\n%s", c.Name(), script, status, out)
	}
	return out
}

func TestContainerIsAlone(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		c := newContainer(t, m, "web")
		if got := inside(t, c, "exec ps -e -o comm="); got != "init\nps\n" {
			t.Errorf("a container's processes: %s", got)
		}
		if got := inside(t, c, "ps -p 1 -o args=; id -u; hostname; cat /etc/hostname; getent hosts web"); got !=
			"init\n0\nweb\nweb\n127.0.1.1       web\n" {
			t.Errorf("init, id, hostname: %q", got)
		}
		for what, script := range map[string]string{
			"only lo, down":         "test \"$(ip -br link | awk '{print $1, $2}')\" = 'lo DOWN'",
			"its own /sys":          "test \"$(ls /sys/class/net)\" = lo",
			"no namespaces":         "test -z \"$(ip netns)\"",
			"namespaces of its own": "ip netns add red && ip netns exec red ip link set lo up && ip netns del red",
			"not forwarding":        "test $(cat /proc/sys/net/ipv4/ip_forward) = 0 && sysctl -qw net.ipv4.ip_forward=1",
			"iptables":              "iptables -A INPUT -j ACCEPT && iptables -S | grep -q ACCEPT",
			"the machine's files":   "test -e /usr/bin/env && echo hello > /tmp/from-web",
		} {
			if out, status := run(t, m, Command{Container: c, Argv: []string{"sh", "-c", script}}); status != 0 {
				t.Errorf("%s: %d %s", what, status, out)
			}
		}
		machine, inner, ok := c.Pids(c.Pid())
		if !ok || inner != 1 || machine < 2 {
			t.Errorf("numbers %d %d %v", machine, inner, ok)
		}
		for what, script := range map[string]string{
			"its number":           fmt.Sprintf("test $(cat /run/containers/web.pid) = %d && grep -q 'NSpid:.*%d.*1$' /proc/%d/status", machine, machine, machine),
			"entered by hand":      "test $(nsenter -t $(cat /run/containers/web.pid) -p -m ps -e -o pid= | head -1) = 1",
			"its netns by hand":    "nsenter -t $(cat /run/containers/web.pid) -n ip link add d0 type bridge",
			"ip-link knows it":     "ip link add v0 type veth peer name eth0 netns $(cat /run/containers/web.pid)",
			"not an `ip netns`":    "test -z \"$(ip netns)\"",
			"its files are here":   "test \"$(cat /tmp/from-web)\" = hello",
			"my name is still":     "test $(hostname) = host && test $(cat /etc/hostname) = host && ! grep -q web /etc/hosts",
			"mounts do not come":   "mount | grep -qv staging && ! mount | grep -q 'size=256k'",
			"nothing stays behind": "! ls -A /run/netns | grep -q .",
		} {
			if out, status := run(t, m, Command{Argv: []string{"sh", "-c", script}}); status != 0 {
				t.Errorf("%s: %d %s", what, status, out)
			}
		}
		inside(t, c, "ip link show eth0 && ip link show d0")
	})
}

func TestContainerKeepsItsBounds(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		c := newContainer(t, m, "web")
		sleeper, err := m.Exec(t.Context(), Command{Argv: []string{"sleep", "4321"}})
		if err != nil {
			t.Fatal(err)
		}
		sh(t, m, "mkdir /mnt/secret && mount -t tmpfs none /mnt/secret && touch /mnt/secret/x") // after the container
		for _, script := range []string{
			"mount -o remount,rw /usr", "mount -o remount,bind,rw /usr", "umount /usr", "umount -l /usr", "touch /usr/bin/x",
			"echo 1 > /proc/sys/kernel/panic",
			"ls /mnt/secret | grep x",
			"reboot -f; sleep 0.1; false",
			"pgrep sleep || pkill sleep",
			// the machine's processes and the lab's, once everything that can be taken away is
			"while umount /proc; do :; done; ls /proc | grep .",
			"umount -l /proc; mount -t proc proc /proc && ls /proc | grep .",
			"while umount -l /run/netns; do :; done; grep -q nsfs /proc/self/mountinfo",
			"nsenter -t 1 -m -p ps -e | grep sleep",
			"chroot /proc/1/root ps -e | grep sleep",
			"grep -q lab.sock /proc/net/unix",
			"kill -9 -1; kill -9 1; pgrep sleep",
		} {
			if out, status := run(t, m, Command{Container: c, Argv: []string{"sh", "-c", script}}); status == 0 {
				t.Errorf("%s: went well\n%s", script, out)
			}
		}
		select {
		case <-sleeper.Done():
			t.Error("a container's root has ended a process of the machine")
		case <-c.Done():
			t.Error("the container has ended")
		default:
		}
		c = newContainer(t, m, "whole")
		for _, call := range refused[:4] {
			if out, status := run(t, m, Command{Container: c, Argv: []string{"perl", "-e",
				fmt.Sprintf("syscall(%d, 0, 0, 0, 0, 0, 0); exit($!+0)", call)}}); status != int(unix.EPERM) {
				t.Errorf("system call %d: errno %d\n%s", call, status, out)
			}
		}
		if got := inside(t, c, "grep NoNewPrivs /proc/self/status"); got != "NoNewPrivs:\t1\n" {
			t.Error(got)
		}
		sh(t, m, "pgrep -fx 'sleep 4321'")
	})
}

func TestContainerEndsWithItsProcesses(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		c := newContainer(t, m, "web")
		e, err := m.Exec(t.Context(), Command{Container: c, Argv: []string{"sleep", "60"}})
		if err != nil {
			t.Fatal(err)
		}
		term := openTerminal(t, m, TerminalConfig{Container: c})
		r, _ := term.Attach(0)
		if got := expect(t, r, "\x1b]633;B\a"); !strings.Contains(got, "root@web ~ # ") {
			t.Errorf("prompt: %q", got)
		}
		term.Write([]byte("tty; ps -e -o comm= | xargs\r"))
		expect(t, r, "/dev/pts/0")
		expect(t, r, "init sleep bash ps xargs")
		if _, inner, ok := c.Pids(e.Pid()); !ok || inner < 2 {
			t.Errorf("sleep is %d in the container, %v", inner, ok)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if status, err := e.Wait(); status != 128+9 || err != nil {
			t.Errorf("sleep: %d, %v", status, err)
		}
		<-term.Done()
		if _, err := m.Exec(t.Context(), Command{Container: c, Argv: []string{"true"}}); err == nil {
			t.Error("a program starts in a container that has ended")
		}
		sh(t, m, "for i in 1 2 3 4 5 6 7 8 9; do test -e /run/containers/web.pid || exit 0; sleep 0.1; done; exit 1")
		if got := sh(t, m, "exec ps -e -o comm="); got != "init\nps\n" {
			t.Errorf("left: %q", got)
		}
		if got := sh(t, m, "grep -c 'staging\\|netns' /proc/self/mountinfo"); got != "1\n" { // /run/netns, as ever
			t.Errorf("mounts: %q", got)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Errorf("closed twice: %v", err)
		}

		killed := newContainer(t, m, "web")
		sh(t, m, "kill $(cat /run/containers/web.pid); sleep 0.05; kill -0 $(cat /run/containers/web.pid); kill -9 $(cat /run/containers/web.pid)")
		select {
		case <-killed.Done():
		case <-time.After(5 * time.Second):
			t.Error("a container outlives its init")
		}
	})
}

func TestContainerReapsOrphans(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		c := newContainer(t, m, "web")
		inside(t, c, "for i in 1 2 3 4 5; do (sleep 0.05 &) ; done; sleep 0.2")
		if ps := inside(t, c, "exec ps -e -o stat=,comm="); strings.Contains(ps, "Z") || strings.Count(ps, "\n") != 2 {
			t.Errorf("left:\n%s", ps)
		}
		// what runs in a container may wait for its own children
		inside(t, c, "sh -c 'sh -c \"exit 3\"; test $? = 3'")
	})
}

func TestContainerRename(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		c, other := newContainer(t, m, "web"), newContainer(t, m, "other")
		if err := c.Rename(t.Context(), "api"); err != nil {
			t.Fatal(err)
		}
		if got := inside(t, c, "hostname; cat /etc/hostname; getent hosts api"); got != "api\napi\n127.0.1.1       api\n" {
			t.Errorf("got %q", got)
		}
		if got := inside(t, other, "hostname") + sh(t, m, "hostname; cat /etc/hostname; ls /run/containers"); got !=
			"other\nhost\nhost\napi.pid\nother.pid\n" {
			t.Errorf("others: %q", got)
		}
		for _, bad := range []string{"", ".", "..", "a/b", strings.Repeat("x", 65), "a\nb"} {
			if _, err := m.NewContainer(t.Context(), bad); !errors.Is(err, unix.EINVAL) {
				t.Errorf("%q: %v", bad, err)
			}
			if err := c.Rename(t.Context(), bad); !errors.Is(err, unix.EINVAL) {
				t.Errorf("rename to %q: %v", bad, err)
			}
		}
		// without /etc/hostname of its own, the machine's is not touched
		inside(t, c, "umount /etc/hostname /etc/hosts")
		if err := c.Rename(t.Context(), "third"); err != nil {
			t.Fatal(err)
		}
		if got := sh(t, m, "cat /etc/hostname"); got != "host\n" {
			t.Errorf("the machine's /etc/hostname is %q", got)
		}
	})
}

// TestContainerIsSmall: what waits in a container is two pages, not a Go program.
func TestContainerIsSmall(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		c := newContainer(t, m, "web")
		kb := pss(t, c.Pid())
		if t.Logf("%d KiB", kb); kb > 100 {
			t.Errorf("a container's init takes %d KiB", kb)
		}
	})
}

// pss is a process's share of memory, in KiB.
func pss(t testing.TB, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[0] == "Pss:" {
			kb, _ := strconv.Atoi(fields[1])
			return kb
		}
	}
	t.Fatal("no Pss in smaps_rollup")
	return 0
}

// TestManyContainers also sees to it that each is gone once it is closed.
func TestManyContainers(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		mounts, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", m.Pid()))
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		const count = 30
		var all []*Container
		for i := range count {
			all = append(all, newContainer(t, m, fmt.Sprintf("c%d", i)))
		}
		t.Logf("%v for each", time.Since(begun)/count)
		if got := sh(t, m, "ls /run/containers | wc -l; pgrep -x init | wc -l"); got != fmt.Sprintf("%d\n%d\n", count, count+1) {
			t.Errorf("containers, inits: %q", got)
		}
		for _, c := range all {
			inside(t, c, "true")
		}
		// the thread that /proc shows has entered none of them
		if now, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", m.Pid())); err != nil || now != mounts {
			t.Errorf("the machine's init has gone from %s to %s, %v", mounts, now, err)
		}
		for _, c := range all {
			if err := c.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}
