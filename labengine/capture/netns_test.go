package capture

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// TestMain runs the tests in a user and a network namespace of their own, whoever runs them.
func TestMain(m *testing.M) {
	const inside = "VETHLAB_CAPTURE_TEST"
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Env = append(os.Environ(), inside+"=1")
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	runtime.LockOSThread() // the signal comes when this thread ends
	err := again.Run()
	var status *exec.ExitError
	switch {
	case errors.As(err, &status):
		os.Exit(max(1, status.ExitCode()))
	case err != nil:
		fmt.Fprintln(os.Stderr, "namespaces for the tests:", err)
		os.Exit(1)
	}
}

// namespace makes a network namespace without IPv6, so that nothing crosses its cables that no test sent.
func namespace(t testing.TB) *os.File {
	t.Helper()
	var ns *os.File
	enter(t, nil, func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		for _, which := range []string{"all", "default"} {
			err := os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", []byte("1"), 0)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		var err error
		ns, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	t.Cleanup(func() { ns.Close() })
	return ns
}

// enter runs f on a thread of its own, in the namespace.
func enter(t testing.TB, ns *os.File, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if ns != nil {
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				done <- err
				return
			}
		}
		done <- f()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// end is one end of a cable.
type end struct {
	ns      *os.File
	index   int
	mac     net.HardwareAddr
	address string
}

// cable joins two new namespaces, which are 192.168.15.1 and 192.168.15.2 on eth0.
func cable(t testing.TB) (red, blue end) {
	t.Helper()
	red = end{ns: namespace(t), mac: net.HardwareAddr{2, 0, 0, 0, 0, 1}, address: "192.168.15.1/24"}
	blue = end{ns: namespace(t), mac: net.HardwareAddr{2, 0, 0, 0, 0, 2}, address: "192.168.15.2/24"}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = "eth0", red.mac
	veth := &netlink.Veth{
		LinkAttrs: attrs, PeerName: "eth0", PeerHardwareAddr: blue.mac, PeerNamespace: netlink.NsFd(int(blue.ns.Fd())),
	}
	for _, e := range []*end{&red, &blue} {
		h, err := netlink.NewHandleAt(netns.NsHandle(e.ns.Fd()), unix.NETLINK_ROUTE)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		if e == &red {
			if err := h.LinkAdd(veth); err != nil {
				t.Fatal(err)
			}
		}
		link, err := h.LinkByName("eth0")
		if err != nil {
			t.Fatal(err)
		}
		e.index = link.Attrs().Index
		address, err := netlink.ParseAddr(e.address)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(h.AddrAdd(link, address), h.LinkSetUp(link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []end{red, blue} {
		awaitUp(t, e)
	}
	return red, blue
}

// awaitUp waits until the kernel's linkwatch has seen the carrier: until then it queues nothing.
func awaitUp(t testing.TB, e end) {
	t.Helper()
	h, err := netlink.NewHandleAt(netns.NsHandle(e.ns.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		link, err := h.LinkByIndex(e.index)
		if err != nil {
			t.Fatal(err)
		}
		if link.Attrs().OperState == netlink.OperUp {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the cable has no carrier after 10 s")
		}
	}
}

// run runs a program in the namespace.
func run(t testing.TB, ns *os.File, command string) {
	t.Helper()
	enter(t, ns, func() error {
		words := strings.Fields(command)
		out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", command, err, out)
		}
		return nil
	})
}

// sender is a socket that sends whole frames out of eth0.
type sender struct {
	fd int
	to unix.SockaddrLinklayer
}

func newSender(t testing.TB, from end) sender {
	t.Helper()
	s := sender{to: unix.SockaddrLinklayer{Ifindex: from.index, Halen: 6}}
	enter(t, from.ns, func() (err error) {
		s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	})
	t.Cleanup(func() { unix.Close(s.fd) })
	return s
}

func (s sender) send(t testing.TB, frame []byte) {
	for {
		err := unix.Sendto(s.fd, frame, 0, &s.to)
		if errors.Is(err, unix.ENOBUFS) {
			runtime.Gosched()
			continue
		}
		if err != nil {
			t.Error(err)
		}
		return
	}
}

// bulk is a frame that is not important, from red to blue; the receiving kernel drops it unread.
func bulk(red, blue end, length int) []byte {
	frame := append(append([]byte{}, blue.mac...), red.mac...)
	frame = append(frame, 0x88, 0xb5) // IEEE 802 local experimental
	return append(frame, make([]byte, length-len(frame))...)
}

// leaveNothing fails the test if goroutines or file descriptors outlive it.
func leaveNothing(t *testing.T) {
	t.Helper()
	if r, w, err := os.Pipe(); err == nil { // the runtime opens its poller with the first file that needs it
		r.Close()
		w.Close()
	}
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	t.Cleanup(func() {
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			g, f := runtime.NumGoroutine(), openFiles(t)
			if g <= goroutines && f <= files {
				return
			}
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<16)
				t.Errorf("%d goroutines and %d files, before it %d and %d\n%s", g, f, goroutines, files,
					stacks[:runtime.Stack(stacks, true)])
				return
			}
		}
	})
}

func openFiles(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
