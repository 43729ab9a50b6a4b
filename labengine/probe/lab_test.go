package probe

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// inside is set in the environment of the test binary that runs in namespaces of its own.
const inside = "VETHLAB_PROBE_TEST_INSIDE"

// fromMain is what came of entering a namespace from the process' first thread, which only TestMain is on.
var fromMain error

func init() { runtime.LockOSThread() } // TestMain runs on the first thread

// TestMain starts the test binary again as root of a user namespace with a network namespace of its own.
func TestMain(m *testing.M) {
	if os.Getenv(inside) == "" {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
			Pdeathsig:   syscall.SIGKILL,
		}
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			fmt.Fprintf(os.Stderr, "%v (these tests need user namespaces)\n", err)
			os.Exit(1)
		}
		os.Exit(cmd.ProcessState.ExitCode())
	}
	// The runtime's poller opens descriptors of its own when it is first used: not a leak.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	fromMain = enterFromMain()
	runtime.UnlockOSThread()
	os.Exit(m.Run())
}

func enterFromMain() error {
	if unix.Gettid() != unix.Getpid() {
		return errors.New("TestMain is not on the first thread")
	}
	other, err := newNamespace()
	if err != nil {
		return err
	}
	defer other.Close()
	home, _ := os.Readlink("/proc/thread-self/ns/net")
	var there string
	if err := enter(other, func() (err error) {
		there, err = os.Readlink("/proc/thread-self/ns/net")
		return err
	}); err != nil {
		return err
	}
	if there == home {
		return errors.New("the work was not done in the other namespace")
	}
	if now, _ := os.Readlink("/proc/self/ns/net"); now != home {
		return fmt.Errorf("the first thread is in %s, was in %s", now, home)
	}
	return nil
}

// newNamespace makes a network namespace that lasts as long as the file is open.
func newNamespace() (*os.File, error) {
	here, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	defer here.Close()
	var handle netns.NsHandle
	if err := within(here, func() (err error) {
		handle, err = netns.New()
		return err
	}); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(handle), "netns"), nil
}

// lab is red:veth-red 10.0.0.1/24 fd00::1/64 -- blue:veth-blue 10.0.0.2/24 fd00::2/64, and red:bare -- blue:plain
// without IPv4 addresses on red's side, 10.1.0.2/24 on blue's. All are up, lo too.
type lab struct {
	t         testing.TB
	red, blue *os.File
	redLinks  *netlink.Handle
	blueLinks *netlink.Handle
	blueMAC   net.HardwareAddr // of veth-blue
	plainMAC  net.HardwareAddr // of plain
}

// newLab also checks that the test leaves no descriptor, goroutine or thread in another namespace.
func newLab(t testing.TB) *lab {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	l := &lab{t: t}
	handle := func(ns **os.File) *netlink.Handle {
		var err error
		*ns, err = newNamespace()
		must(err)
		h, err := netlink.NewHandleAt(netns.NsHandle((*ns).Fd()))
		must(err)
		t.Cleanup(func() { h.Close(); (*ns).Close() })
		return h
	}
	red, blue := handle(&l.red), handle(&l.blue)
	l.redLinks, l.blueLinks = red, blue
	up := func(h *netlink.Handle, name string, addresses ...string) net.HardwareAddr {
		link, err := h.LinkByName(name)
		must(err)
		for _, a := range addresses {
			address, err := netlink.ParseAddr(a)
			must(err)
			address.Flags = unix.IFA_F_NODAD
			must(h.AddrAdd(link, address))
		}
		must(h.LinkSetUp(link))
		return link.Attrs().HardwareAddr
	}
	cable := func(a, b string) {
		must(red.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: a}, PeerName: b, PeerNamespace: netlink.NsFd(int(l.blue.Fd())),
		}))
	}
	for _, ns := range []*os.File{l.red, l.blue} {
		l.sysctl(ns, "ipv6/conf/default/accept_dad", "0")
	}
	cable("veth-red", "veth-blue")
	cable("bare", "plain")
	up(red, "lo")
	up(blue, "lo")
	up(red, "veth-red", "10.0.0.1/24", "fd00::1/64")
	l.blueMAC = up(blue, "veth-blue", "10.0.0.2/24", "fd00::2/64")
	up(red, "bare")
	l.plainMAC = up(blue, "plain", "10.1.0.2/24")
	awaitCarrier(t, red, "veth-red")
	awaitCarrier(t, blue, "veth-blue")

	fds, goroutines := countFDs(t), runtime.NumGoroutine()
	t.Cleanup(func() { // before the namespaces' own cleanup
		for end := time.Now().Add(2 * time.Second); ; time.Sleep(time.Millisecond) { // an ending goroutine says nothing
			f, g := countFDs(t), runtime.NumGoroutine()
			if f <= fds && g <= goroutines {
				break
			}
			if time.Now().After(end) {
				stacks := make([]byte, 1<<16)
				t.Fatalf("descriptors: %d, then %d; goroutines: %d, then %d\n%s", fds, f, goroutines, g, stacks[:runtime.Stack(stacks, true)])
			}
		}
		home, err := os.Readlink("/proc/self/ns/net")
		must(err)
		threads, err := filepath.Glob("/proc/self/task/*/ns/net")
		must(err)
		for _, thread := range threads {
			if ns, err := os.Readlink(thread); err == nil && ns != home {
				t.Errorf("%s is %s, not %s", thread, ns, home)
			}
		}
	})
	return l
}

// awaitCarrier waits until the kernel has told IPv6 of the carrier, which it does at most once a second for all links: the
// addresses are in use from then on, the link-local one too.
func awaitCarrier(t testing.TB, h *netlink.Handle, name string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		link, err := h.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		addresses, err := h.AddrList(link, netlink.FAMILY_V6)
		if err != nil {
			t.Fatal(err)
		}
		ready := link.Attrs().OperState == netlink.OperUp
		local := false
		for _, a := range addresses {
			ready = ready && a.Flags&unix.IFA_F_TENTATIVE == 0
			local = local || a.IP.IsLinkLocalUnicast()
		}
		if ready && local {
			return
		}
	}
	t.Fatalf("%s has no carrier", name)
}

func countFDs(t testing.TB) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// sysctl sets /proc/sys/net/… of a namespace.
func (l *lab) sysctl(ns *os.File, name, value string) {
	l.t.Helper()
	if err := within(ns, func() error { return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0) }); err != nil {
		l.t.Fatal(err)
	}
}

// impatient makes red give up neighbours in 20 ms or so, not 3 s.
func (l *lab) impatient() {
	for _, family := range []string{"ipv4", "ipv6"} {
		l.sysctl(l.red, family+"/neigh/veth-red/mcast_solicit", "1")
		l.sysctl(l.red, family+"/neigh/veth-red/retrans_time_ms", "20")
	}
}

// loDown leaves red's lo as ip-netns(8) add does.
func (l *lab) loDown() {
	l.t.Helper()
	lo, err := l.redLinks.LinkByName("lo")
	if err == nil {
		err = l.redLinks.LinkSetDown(lo)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) index(name string) int {
	l.t.Helper()
	link, err := l.redLinks.LinkByName(name)
	if err != nil {
		l.t.Fatal(err)
	}
	return link.Attrs().Index
}

func TestFirstThreadStaysWhereItIs(t *testing.T) {
	if fromMain != nil {
		t.Error(fromMain)
	}
}
