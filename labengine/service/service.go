// Package service answers on behalf of nodes: HTTP that says who called, echo, and DNS for a few names. It is what nodes
// offer without a process of their own, and what stands behind a lab's internet.
//
// The package enters no namespaces: whoever starts a service says how to open its sockets where they belong.
package service

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vethlab/labengine"
)

// In calls a function where its sockets belong: on a thread that is in a node's network namespace.
type In func(open func() error) error

// Server is a service at work.
type Server struct {
	name  atomic.Pointer[string]
	names map[netip.Addr]string // of several hosts behind one service; not changed any more

	mu     sync.Mutex // guards what follows
	open   map[io.Closer]bool
	closed bool

	running sync.WaitGroup
	tokens  *bucket
	slots   chan struct{} // one for each connection
}

// Limits of one service. Policy: a connection over the number waits in the kernel's backlog, a datagram over the rate is
// dropped.
const (
	maxConnections = 128
	datagramRate   = 5000 // a second
	datagramBurst  = 1000
)

func newServer(name string) *Server {
	s := &Server{open: map[io.Closer]bool{}, tokens: newBucket(datagramRate, datagramBurst), slots: make(chan struct{}, maxConnections)}
	s.SetName(name)
	return s
}

// Start begins a service, whose node has this name. The error is the kernel's: EADDRINUSE where somebody listens already.
func Start(in In, what labengine.Service, name string) (*Server, error) {
	s := newServer(name)
	any4, any6 := net.JoinHostPort("0.0.0.0", strconv.Itoa(what.Port)), net.JoinHostPort("::", strconv.Itoa(what.Port))
	var err error
	switch what.Protocol {
	case "http":
		err = s.listenTCP(in, dual(what.Port), s.serveHTTP)
	case "dns":
		zone := newZone(what.Names)
		if err = s.listenTCP(in, dual(what.Port), s.acceptor(zone.serveTCP)); err == nil {
			err = s.listenUDP(in, []string{any4, any6}, maxQuery, zone.answerUDP)
		}
	case "echo":
		if what.Network == "tcp" {
			err = s.listenTCP(in, dual(what.Port), s.acceptor(echoTCP))
		} else {
			err = s.listenUDP(in, []string{any4, any6}, maxDatagram, echoUDP(what.Port))
		}
	default:
		err = labengine.Problemf(labengine.CodeBadValue, "there is no service %q", what.Protocol)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// dual is the address on which a socket takes both IPv4 and IPv6.
func dual(port int) []string { return []string{":" + strconv.Itoa(port)} }

// SetName is for a node that has got another name.
func (s *Server) SetName(name string) { s.name.Store(&name) }

// track remembers what has to be closed at the end. It returns false, and closes it, where that has come already.
func (s *Server) track(c io.Closer) bool {
	s.mu.Lock()
	ok := !s.closed
	if ok {
		s.open[c] = true
	}
	s.mu.Unlock()
	if !ok {
		c.Close()
	}
	return ok
}

func (s *Server) untrack(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// Close ends the service and all its connections: nothing keeps the namespace then.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	open := slices.Collect(maps.Keys(s.open))
	s.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
	s.running.Wait()
}

// listenTCP opens a listener for each address, and has serve accept until it is closed.
func (s *Server) listenTCP(in In, addresses []string, serve func(net.Listener)) error {
	for _, address := range addresses {
		var l net.Listener
		err := in(func() (err error) {
			l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", address)
			return err
		})
		if strings.HasPrefix(address, "[") && noIPv6(err) {
			continue
		}
		if err != nil {
			return err
		}
		bounded := &bounded{Listener: l, server: s}
		if s.track(bounded) {
			s.running.Go(func() { serve(bounded) })
		}
	}
	return nil
}

// acceptPause is how long a listener waits after an error of the system.
const acceptPause = 50 * time.Millisecond

// acceptor serves each connection on a goroutine of its own.
func (s *Server) acceptor(serve func(net.Conn)) func(net.Listener) {
	return func(l net.Listener) {
		for {
			c, err := l.Accept()
			switch {
			case errors.Is(err, net.ErrClosed):
				return
			case err != nil: // no descriptors left, say
				time.Sleep(acceptPause)
				continue
			}
			s.running.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	}
}

// bounded is a listener that accepts while there are slots: it holds one while it waits.
type bounded struct {
	net.Listener
	server *Server
}

// Accept implements [net.Listener].
func (b *bounded) Accept() (net.Conn, error) {
	b.server.slots <- struct{}{}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.server.slots
		return nil, err
	}
	held := &slotConn{Conn: c, server: b.server}
	if !b.server.track(held) {
		return nil, net.ErrClosed
	}
	return held, nil
}

// slotConn gives its slot back when it is closed.
type slotConn struct {
	net.Conn
	server *Server
	once   sync.Once
}

// Close implements [net.Conn].
func (c *slotConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.server.untrack(c)
		<-c.server.slots
	})
	return err
}
