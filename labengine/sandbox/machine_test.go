package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMachineIsAlone(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		n := newMachine(t, l, "neighbour")
		ps := strings.Fields(sh(t, m, "exec ps -e -o comm="))
		if got := strings.Join(ps, " "); got != "init ps" {
			t.Errorf("a machine's processes: %s", got)
		}
		if got := sh(t, m, "id -u; hostname; cat /etc/hostname"); got != "0\nhost\nhost\n" {
			t.Errorf("id, hostname: %q", got)
		}
		for name, script := range map[string]string{
			"lab's own pids":  fmt.Sprintf("test ! -e /proc/%d/root/etc/hostname", n.Pid()),
			"no lab's /proc":  "umount /proc; test ! -e /proc/1",
			"no old root":     "test ! -e /m",
			"no lab's socket": "! grep -q lab.sock /proc/net/unix",
			"loopback is up":  "ping -nc1 -W1 127.0.0.1",
			"IPv6 loopback":   "ping -6 -nc1 -W1 ::1",
			"names resolve":   "getent hosts host neighbour || getent hosts host",
			"not forwarding":  "test $(cat /proc/sys/net/ipv4/ip_forward) = 0",
			"bridges are no firewalls": "test ! -e /proc/sys/net/bridge || " +
				"test $(cat /proc/sys/net/bridge/bridge-nf-call-iptables) = 0",
			"may forward": "sysctl -w net.ipv4.ip_forward=1",
			"writes /sys": "ip link add br0 type bridge && echo 16 > /sys/class/net/br0/bridge/group_fwd_mask",
		} {
			t.Run(name, func(t *testing.T) { sh(t, newMachine(t, l, "host"), script) })
		}
	})
}

func TestMachineKeepsItsBounds(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		for _, script := range []string{
			"mount -o remount,rw /usr",
			"mount -o remount,bind,rw /usr",
			"umount /usr",
			"umount -l /usr",
			"touch /usr/bin/x",
			"mount -o remount,bind,rw /etc/alternatives",
			"echo 1 > /proc/sys/kernel/panic",
			"echo x > /sys/power/state",
			"mknod /tmp/vda b 254 0 && head -c1 /tmp/vda",
			"dmesg",
			"reboot -f; sleep 0.1; false", // goes on after it
			"keyctl show || exit 1; exit 0",
		} {
			if out, status := run(t, m, Command{Argv: []string{"sh", "-c", script}}); status == 0 {
				t.Errorf("%s: went well\n%s", script, out)
			}
		}
		for _, call := range refused[:4] {
			if out, status := run(t, m, Command{Argv: []string{"perl", "-e",
				fmt.Sprintf("syscall(%d, 0, 0, 0, 0, 0); exit($!+0)", call)}}); status != int(unix.EPERM) {
				t.Errorf("system call %d: errno %d\n%s", call, status, out)
			}
		}
	})
}

func TestInitCannotBeKilledFromInside(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		sh(t, m, "for s in $(seq 1 64); do kill -$s 1 2>/dev/null; done; kill -9 1; true")
		e, err := m.Exec(t.Context(), Command{Argv: []string{"sleep", "60"}})
		if err != nil {
			t.Fatal(err)
		}
		killer, err := m.Exec(t.Context(), Command{Argv: []string{"sh", "-c", "pkill -9 .; kill -9 -1"}})
		if err != nil {
			t.Fatal(err)
		}
		if status, err := e.Wait(); status != 128+9 || err != nil {
			t.Errorf("sleep: %d, %v", status, err)
		}
		killer.Wait()
		if got := sh(t, m, "echo alive"); got != "alive\n" {
			t.Errorf("got %q", got)
		}
		select {
		case <-m.Done():
			t.Error("the init has ended")
		default:
		}
	})
}

func TestOrphansAreReaped(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		sh(t, m, "for i in 1 2 3 4 5; do (sleep 0.05 &) ; done; sleep 0.2")
		if ps := sh(t, m, "exec ps -e -o stat=,comm="); strings.Contains(ps, "Z") || strings.Count(ps, "\n") != 2 {
			t.Errorf("left:\n%s", ps)
		}
	})
}

func TestToolsWork(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		for _, script := range []string{
			"ip netns add red && ip netns list | grep -q red && ip netns exec red ip link set lo up",
			"ip netns exec red ping -nc1 -W1 127.0.0.1",
			"ip netns exec red ls /sys/class/net | grep -q lo",
			"mkdir -p /etc/netns/red && echo nameserver 1.2.3.4 > /etc/netns/red/resolv.conf && " +
				"ip netns exec red grep -q 1.2.3.4 /etc/resolv.conf",
			"ip netns del red && ! ip netns list | grep -q red",
			"iptables -t nat -A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE && iptables -t nat -S | grep -q MASQ",
			"nft list ruleset | grep -q masquerade || nft list ruleset",
			"timeout -s INT 0.3 tcpdump -lni lo; test $? = 124",
			"timeout -s INT 0.3 tcpdump -lni lo 2>&1 | grep -q 'listening on lo'",
			"echo '100 custom' >> /etc/iproute2/rt_tables && ip route add 10.9.0.0/16 dev lo table custom",
			"arping -V; ethtool --version; conntrack -V",
			"unshare -n ip link", "unshare -Ur id", "unshare -pf --mount-proc ps aux",
			"busybox true; nc -h 2>&1 | head -1",
		} {
			if out, status := run(t, m, Command{Argv: []string{"sh", "-c", script}}); status != 0 {
				t.Errorf("%s: exit status %d\n%s", script, status, out)
			}
		}
	})
}

func TestMachineEndsWithItsProcesses(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		e, err := m.Exec(t.Context(), Command{Argv: []string{"sleep", "60"}})
		if err != nil {
			t.Fatal(err)
		}
		pid := e.Pid()
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("its process is still there: %v", err)
		}
		if status, err := e.Wait(); status != -1 || !errors.Is(err, ErrMachineGone) {
			t.Errorf("Wait: %d, %v", status, err)
		}
		if _, err := m.Exec(t.Context(), Command{Argv: []string{"true"}}); !errors.Is(err, ErrMachineGone) {
			t.Errorf("Exec: %v", err)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	})
}

func TestNewMachineRefuses(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		for _, name := range []string{"", strings.Repeat("x", 65), "a\nb"} {
			if _, err := l.NewMachine(t.Context(), MachineConfig{Name: name}); !errors.Is(err, unix.EINVAL) {
				t.Errorf("%q: %v", name, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.NewMachine(ctx, MachineConfig{Name: "host"}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

func TestNameservers(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m, err := l.NewMachine(t.Context(), MachineConfig{Name: "host",
			Nameservers: []netip.Addr{netip.MustParseAddr("192.0.2.53")}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close(context.Background()) })
		check := func(want string) {
			t.Helper()
			if got := sh(t, m, "grep -v '^options' /etc/resolv.conf"); got != want {
				t.Errorf("got %q", got)
			}
		}
		check("nameserver 192.0.2.53\n")
		one, two := []netip.Addr{netip.MustParseAddr("192.0.2.53")}, []netip.Addr{netip.MustParseAddr("192.0.2.54")}
		set := func(from, to []netip.Addr) {
			t.Helper()
			if err := m.SetNameservers(t.Context(), from, to); err != nil {
				t.Fatal(err)
			}
		}
		set(one, nil)
		set(nil, two)
		check("nameserver 192.0.2.54\n")
		sh(t, m, "echo nameserver 192.0.2.55 > /etc/resolv.conf")
		set(two, one)
		check("nameserver 192.0.2.55\n")
	})
}

func TestStartAhead(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		l.StartAhead()
		l.StartAhead() // takes the place of the other
		m := newMachine(t, l, "host")
		if got := sh(t, m, "hostname; cat /etc/hostname"); got != "host\nhost\n" {
			t.Errorf("the machine is called %q", got)
		}
		other := newMachine(t, l, "neighbour")
		if got := sh(t, other, "hostname"); got != "neighbour\n" {
			t.Errorf("the machine after it is called %q", got)
		}
		l.StartAhead()
		l.EndAhead()
		l.EndAhead()
		// The lab process and two inits are left, once the reaper has seen to the rest.
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			all, err := filepath.Glob("/proc/[0-9]*")
			if err != nil || len(all) == 3 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("processes: %v", all)
			}
		}
	})
}
