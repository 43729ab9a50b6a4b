package service

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// maxDatagram is the longest that UDP carries, in bytes.
const maxDatagram = 65535

// answerer makes the answer to a datagram; nil is none. The buffer is its own until it returns.
type answerer func(from netip.AddrPort, datagram []byte) []byte

// listenUDP opens a socket for each address, and answers what comes from where it was sent to: a caller drops what comes
// from another of the node's addresses. Longer datagrams than longest bytes are cut off. IPv6 is left out where the kernel has none.
func (s *Server) listenUDP(in In, addresses []string, longest int, answer answerer) error {
	for _, address := range addresses {
		network := "udp4"
		if strings.HasPrefix(address, "[") {
			network = "udp6"
		}
		var c net.PacketConn
		err := in(func() (err error) {
			c, err = new(net.ListenConfig).ListenPacket(context.Background(), network, address)
			return err
		})
		if network == "udp6" && noIPv6(err) {
			continue
		}
		if err != nil {
			return err
		}
		if s.track(c) {
			s.running.Go(func() { s.serveUDP(network, c, longest, answer) })
		}
	}
	return nil
}

// noIPv6 says whether a socket of IPv6 could not be had because the kernel, or the namespace, has none.
func noIPv6(err error) bool {
	return errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// socket reads and writes datagrams with the address that they were sent to.
type socket interface {
	read(buffer []byte) (n int, from net.Addr, err error)
	write(answer []byte, to net.Addr) error // from the address that the last one read was sent to
}

func (s *Server) serveUDP(network string, c net.PacketConn, longest int, answer answerer) {
	var sock socket
	if network == "udp4" {
		p := ipv4.NewPacketConn(c)
		p.SetControlMessage(ipv4.FlagDst|ipv4.FlagInterface, true)
		sock = &socket4{PacketConn: p}
	} else {
		p := ipv6.NewPacketConn(c)
		p.SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface, true)
		sock = &socket6{PacketConn: p}
	}
	buffer := make([]byte, longest)
	for {
		n, from, err := sock.read(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // an ICMP error of an answer before
			time.Sleep(time.Millisecond)
			continue
		}
		if !s.tokens.take() {
			continue
		}
		if udp, ok := from.(*net.UDPAddr); ok {
			if a := answer(udp.AddrPort(), buffer[:n]); a != nil {
				sock.write(a, from) // where it cannot be sent, the caller waits in vain, as with any server
			}
		}
	}
}

type socket4 struct {
	*ipv4.PacketConn
	to ipv4.ControlMessage
}

func (s *socket4) read(buffer []byte) (int, net.Addr, error) {
	n, control, from, err := s.ReadFrom(buffer)
	s.to = ipv4.ControlMessage{}
	if control != nil && !control.Dst.IsMulticast() && !control.Dst.Equal(net.IPv4bcast) {
		s.to.Src = control.Dst
	}
	return n, from, err
}

func (s *socket4) write(answer []byte, to net.Addr) error {
	_, err := s.WriteTo(answer, &s.to, to)
	if err != nil && s.to.Src != nil { // a subnet's broadcast address is nobody's own
		_, err = s.WriteTo(answer, nil, to)
	}
	return err
}

type socket6 struct {
	*ipv6.PacketConn
	to ipv6.ControlMessage
}

func (s *socket6) read(buffer []byte) (int, net.Addr, error) {
	n, control, from, err := s.ReadFrom(buffer)
	s.to = ipv6.ControlMessage{}
	if control != nil && !control.Dst.IsMulticast() {
		s.to.Src = control.Dst
		if control.Dst.IsLinkLocalUnicast() {
			s.to.IfIndex = control.IfIndex
		}
	}
	return n, from, err
}

func (s *socket6) write(answer []byte, to net.Addr) error {
	_, err := s.WriteTo(answer, &s.to, to)
	return err
}

// echoTCP sends back what comes, RFC 862.
func echoTCP(c net.Conn) {
	buffer := make([]byte, 4<<10)
	for {
		c.SetDeadline(time.Now().Add(echoIdle))
		n, err := c.Read(buffer)
		if n > 0 {
			if _, err := c.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// echoIdle is how long an echo connection may be silent.
const echoIdle = 10 * time.Minute

// echoUDP sends back each datagram, but for those from another echo service: the two would not stop.
func echoUDP(port int) answerer {
	return func(from netip.AddrPort, datagram []byte) []byte {
		if int(from.Port()) == port {
			return nil
		}
		return datagram
	}
}

// bucket bounds a rate: so many at once, and so many a second in the long run.
type bucket struct {
	mu     sync.Mutex // guards what follows
	tokens float64
	last   time.Time
	rate   float64 // a second
	most   float64
}

func newBucket(rate, most float64) *bucket {
	return &bucket{tokens: most, last: time.Now(), rate: rate, most: most}
}

func (b *bucket) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.tokens = min(b.most, b.tokens+b.rate*now.Sub(b.last).Seconds())
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
