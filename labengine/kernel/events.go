package kernel

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

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

func newEventSocket() (*eventSocket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
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
		var groups uint32
		for _, g := range []int{
			unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_NEIGH,
			unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF,
			unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE,
			unix.RTNLGRP_TC,
		} {
			groups |= 1 << (g - 1)
		}
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups})
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

// Drain takes in all that the kernel has told so far. What a request has changed is told before the request returns.
func (w *World) Drain() error {
	for {
		nsid, messages, err := w.events.receive()
		switch {
		case errors.Is(err, unix.EAGAIN):
			if w.lost {
				w.lost = false
				return w.readAll()
			}
			return nil
		case errors.Is(err, unix.ENOBUFS):
			w.lost = true
			continue
		case err != nil:
			return err
		}
		if n, ok := w.byNsid[nsid]; ok && nsid != local {
			for h, body := range netlinkMessages(messages) {
				w.take(n, h.kind, body)
			}
		}
	}
}
