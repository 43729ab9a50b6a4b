package sandbox

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("ns%d", i)
	}
	return list
}

// add makes namespaces and closes what it is given.
func add(t testing.TB, m *Machine, list ...string) {
	t.Helper()
	err := m.AddNamespaces(t.Context(), list, func(i int, ns *os.File) error { return ns.Close() })
	if err != nil {
		t.Fatal(err)
	}
}

func listNetns(t testing.TB, m *Machine) string {
	t.Helper()
	list := strings.Fields(sh(t, m, "ls /run/netns"))
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestNamespaces(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		var order []int
		err := m.AddNamespaces(t.Context(), []string{"red", "blue"}, func(i int, ns *os.File) error {
			order = append(order, i)
			defer ns.Close()
			out, status := run(t, m, Command{NetNS: ns, Argv: []string{"sh", "-c",
				"ip -br link && ip link set lo up && ping -nc1 -W1 127.0.0.1 >/dev/null && " +
					"cat /proc/sys/net/ipv4/ip_forward && iptables -A INPUT -j ACCEPT && ip link add br0 type bridge"}})
			if status != 0 || !strings.HasPrefix(out, "lo ") || !strings.HasSuffix(out, "\n0\n") {
				t.Errorf("in the namespace: %d\n%s", status, out)
			}
			return nil
		})
		if err != nil || !slices.Equal(order, []int{0, 1}) {
			t.Fatalf("%v, %v", order, err)
		}
		if got := sh(t, m, "ip netns list | cut -d' ' -f1 | sort | xargs"); got != "blue red\n" {
			t.Errorf("ip netns list: %q", got)
		}
		sh(t, m, "ip netns exec red ip link show br0; ip netns exec red ip netns exec blue true")

		if err := m.RenameNamespace(t.Context(), "red", "green"); err != nil {
			t.Fatal(err)
		}
		sh(t, m, "ip netns exec green ip link show br0; test ! -e /run/netns/red")
		if err := m.RenameNamespace(t.Context(), "green", "blue"); !errors.Is(err, unix.EEXIST) {
			t.Errorf("rename to a name that is taken: %v", err)
		}
		if err := m.RenameNamespace(t.Context(), "red", "x"); !errors.Is(err, unix.ENOENT) {
			t.Errorf("rename of nothing: %v", err)
		}
		if err := m.DeleteNamespace(t.Context(), "green"); err != nil {
			t.Fatal(err)
		}
		if err := m.DeleteNamespace(t.Context(), "green"); !errors.Is(err, unix.ENOENT) {
			t.Errorf("deleted twice: %v", err)
		}
		if got := listNetns(t, m); got != "blue" {
			t.Errorf("left: %s", got)
		}
		if got := sh(t, m, "grep -c nsfs /proc/self/mountinfo"); got != "1\n" {
			t.Errorf("mounts: %s", got)
		}
	})
}

func TestAddNamespacesFails(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		for _, bad := range []string{"", ".", "..", "a/b", strings.Repeat("x", 256), "a\x00b"} {
			err := m.AddNamespaces(t.Context(), []string{bad}, nil)
			if !errors.Is(err, unix.EINVAL) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		add(t, m, "ns100")
		told := 0
		err := m.AddNamespaces(t.Context(), names(200), func(i int, ns *os.File) error {
			told++
			return ns.Close()
		})
		if !errors.Is(err, unix.EEXIST) || told != 100 {
			t.Errorf("a name that is taken: %v after %d", err, told)
		}
		if got := listNetns(t, m); strings.Count(got, " ") != 100 {
			t.Errorf("left: %s", got)
		}
		if err := m.DeleteNamespaces(t.Context(), names(101)); err != nil {
			t.Fatal(err)
		}
		enough := errors.New("enough")
		err = m.AddNamespaces(t.Context(), names(200), func(i int, ns *os.File) error {
			ns.Close()
			if i == 2 {
				return enough
			}
			return nil
		})
		if err != enough {
			t.Errorf("got %v", err)
		}
		if got := listNetns(t, m); got != "ns0 ns1 ns2" {
			t.Errorf("left: %s", got)
		}
	})
}

func TestOddNames(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		list := []string{"a b", "-x", "$(id)", "ü", "\x1b[31m", strings.Repeat("x", 255)}
		add(t, m, list...)
		if err := m.DeleteNamespaces(t.Context(), list); err != nil {
			t.Error(err)
		}
	})
}

// TestManyNamespaces also sees to it that none stays alive unseen: the maker's thread must have come home.
func TestManyNamespaces(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		add(t, m, names(300)...)
		if got := listNetns(t, m); strings.Count(got, " ") != 299 {
			t.Errorf("%s", got)
		}
		if err := m.DeleteNamespaces(t.Context(), names(300)); err != nil {
			t.Fatal(err)
		}
		if got := sh(t, m, "readlink /proc/1/task/*/ns/net | sort -u | wc -l; grep -c nsfs /proc/self/mountinfo; true"); got != "1\n0\n" {
			t.Errorf("namespaces of the agent's threads, mounts: %q", got)
		}
	})
}

// What lacks the settings of bridges has them before somebody can look: a program, or who has asked for them.
func TestFinishNamespaces(t *testing.T) {
	inLab(t, func(t *testing.T, l *Lab) {
		m := newMachine(t, l, "host")
		var red *os.File
		err := m.AddNamespaces(t.Context(), []string{"red"}, func(_ int, ns *os.File) error { red = ns; return nil })
		if err == nil {
			err = m.FinishNamespaces(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		defer red.Close()
		err = inNewNetNS(func() error { // on a thread that ends
			if err := unix.Setns(int(red.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			if _, bridges := differing(); len(bridges) > 0 {
				return fmt.Errorf("red lacks %v", bridges)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		add(t, m, "blue")
		sh(t, m, "ip netns exec blue sh -c 'test ! -e /proc/sys/net/bridge || grep -qx 0 /proc/sys/net/bridge/bridge-nf-call-iptables'")
	})
}
