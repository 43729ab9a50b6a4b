package kernel

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// routeGroups are what the world hears of links, addresses, neighbours, routes and settings.
var routeGroups = []int{
	unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_NEIGH,
	unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF,
	unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE, unix.RTNLGRP_TC,
}

// receiveBuffer is asked for the socket for events, in bytes. The kernel grants twice net.core.rmem_max at most; when it
// overflows nonetheless, the kernel says ENOBUFS and the world is read anew.
const receiveBuffer = 8 << 20

// eventSocket hears of changes in every namespace that has a number in this one: NETLINK_LISTEN_ALL_NSID, netlink(7).
type eventSocket struct {
	file *os.File
	raw  syscall.RawConn
	fd   int
	buf  []byte
	oob  []byte
}

func newEventSocket(protocol int) (*eventSocket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, err
	}
	s := &eventSocket{file: os.NewFile(uintptr(fd), "netlink events"), fd: fd, buf: make([]byte, 64<<10), oob: make([]byte, 64)}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_LISTEN_ALL_NSID, 1)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	if err == nil {
		s.raw, err = s.file.SyscallConn()
	}
	if err != nil {
		s.file.Close()
		return nil, err
	}
	return s, nil
}

func (s *eventSocket) close() { s.file.Close() }

// listen has the kernel tell of all changes of some kinds from now on.
func (s *eventSocket) listen(groups ...int) error {
	for _, g := range groups {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g); err != nil {
			return err
		}
	}
	return nil
}

// wait returns once there is something to receive, or an error once the socket is closed.
func (s *eventSocket) wait() error {
	return s.raw.Read(func(fd uintptr) bool {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return ready > 0 || err != nil
	})
}

// waitFor is wait for at most so long, on the calling thread.
func (s *eventSocket) waitFor(long time.Duration) {
	unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, int(long.Milliseconds()))
}

// local is the namespace number of what happened in the socket's own namespace.
const local = int32(-1)

// receive takes the next datagram without waiting: the namespace that it is from, and its messages.
// The error is EAGAIN when there is none, ENOBUFS when the kernel had to drop some.
func (s *eventSocket) receive() (nsid int32, messages []byte, err error) {
	for {
		n, oobn, _, _, err := unix.Recvmsg(s.fd, s.buf, s.oob, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, nil, err
		}
		nsid := local
		controls, _ := unix.ParseSocketControlMessage(s.oob[:oobn])
		for _, c := range controls {
			if c.Header.Level == unix.SOL_NETLINK && c.Header.Type == unix.NETLINK_LISTEN_ALL_NSID && len(c.Data) >= 4 {
				nsid = int32(native.Uint32(c.Data))
			}
		}
		return nsid, s.buf[:n], nil
	}
}

// Wait returns once the kernel has told something; then call [World.Drain]. It returns an error once the world is closed.
func (w *World) Wait() error { return w.events.wait() }

// WaitRules is Wait for what the kernel tells of firewall rules.
func (w *World) WaitRules() error { return w.ruleEvents.wait() }

// Drain takes in all that the kernel has told so far. What a request has changed is told before the request returns.
func (w *World) Drain() error {
	lost, err := w.events.drain(func(nsid int32, messages []byte) {
		if n, ok := w.byNsid[nsid]; ok && nsid != local {
			for h, body := range netlinkMessages(messages) {
				w.take(n, h.kind, body)
			}
		}
	})
	if err != nil {
		return err
	}
	lostRules, err := w.ruleEvents.drain(func(nsid int32, messages []byte) {
		if n, ok := w.byNsid[nsid]; ok && nsid != local {
			for h, body := range netlinkMessages(messages) {
				w.takeRules(n, h.kind, body)
			}
		}
	})
	if err != nil {
		return err
	}
	if lostRules {
		for _, n := range w.byKey {
			w.CheckRules(n)
		}
	}
	if lost {
		return w.readAll(func(*Netns) bool { return true })
	}
	return nil
}

// drain takes all datagrams that are there. It says whether the kernel had to drop some.
func (s *eventSocket) drain(take func(nsid int32, messages []byte)) (lost bool, err error) {
	for {
		nsid, messages, err := s.receive()
		switch {
		case errors.Is(err, unix.EAGAIN):
			return lost, nil
		case errors.Is(err, unix.ENOBUFS):
			lost = true
		case err != nil:
			return lost, err
		default:
			take(nsid, messages)
		}
	}
}
