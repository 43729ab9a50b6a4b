package probe

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// echo is a raw socket for ICMP echo requests to one address, raw(7). It never blocks.
type echo struct {
	fd   int
	to   netip.Addr
	dest unix.Sockaddr
	echoID
	data, control []byte
}

// echoID tells the answers to our requests from those to others': a raw socket hears them all.
type echoID struct {
	v6    bool
	id    uint16
	nonce [nonceSize]byte // the payload begins with it
}

const (
	headerSize  = 8  // ICMP echo header, RFC 792 and RFC 4443 §4.1
	nonceSize   = 8  // bytes
	payloadSize = 56 // bytes, ping(8)'s default
	icmpFilter  = 1  // ICMP_FILTER in uapi/linux/icmp.h
)

// answer is what came of a request.
type answer struct {
	seq  int
	from netip.Addr // who says so
	ttl  int        // of a reply
	at   time.Time  // by the kernel's stamp; zero if there is none
	err  string     // "" is a reply
}

// lastID makes the pings of this process differ in their ids.
var lastID atomic.Uint32

func init() {
	var b [4]byte
	rand.Read(b[:])
	lastID.Store(binary.NativeEndian.Uint32(b[:]))
}

func openEcho(ns *os.File, to netip.Addr) (*echo, error) {
	e := &echo{fd: -1, to: to, data: make([]byte, 2048), control: make([]byte, 512)}
	e.v6, e.id = to.Is6(), uint16(lastID.Add(1))
	rand.Read(e.nonce[:])
	err := within(ns, func() (err error) {
		domain, proto := unix.AF_INET, unix.IPPROTO_ICMP
		if e.v6 {
			domain, proto = unix.AF_INET6, unix.IPPROTO_ICMPV6
		}
		e.fd, err = unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
		return err
	})
	if err != nil {
		return nil, refused("a raw ICMP socket", err)
	}
	if err = e.prepare(); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// prepare sets what the socket is to hear, and where it is to send.
func (e *echo) prepare() error {
	if err := unix.SetsockoptInt(e.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return refused("SO_TIMESTAMPNS", err)
	}
	if !e.v6 {
		e.dest = &unix.SockaddrInet4{Addr: e.to.As4()}
		for _, o := range []struct {
			name       string
			level, opt int
			value      int
		}{
			{"ICMP_FILTER", unix.SOL_RAW, icmpFilter, ^(1 << int(ipv4.ICMPTypeEchoReply))},
			{"IP_RECVERR", unix.SOL_IP, unix.IP_RECVERR, 1},
			{"SO_BROADCAST", unix.SOL_SOCKET, unix.SO_BROADCAST, 1},
		} {
			if err := unix.SetsockoptInt(e.fd, o.level, o.opt, o.value); err != nil {
				return refused(o.name, err)
			}
		}
		return nil
	}
	zone, err := e.zone()
	if err != nil {
		return err
	}
	e.dest = &unix.SockaddrInet6{Addr: e.to.As16(), ZoneId: zone}
	only := unix.ICMPv6Filter{Data: [8]uint32{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}}
	only.Data[ipv6.ICMPTypeEchoReply>>5] &^= 1 << (ipv6.ICMPTypeEchoReply & 31) // a set bit blocks, RFC 3542 §3.2
	if err := unix.SetsockoptICMPv6Filter(e.fd, unix.SOL_ICMPV6, unix.ICMPV6_FILTER, &only); err != nil {
		return refused("ICMPV6_FILTER", err)
	}
	for opt, name := range map[int]string{unix.IPV6_RECVERR: "IPV6_RECVERR", unix.IPV6_RECVHOPLIMIT: "IPV6_RECVHOPLIMIT"} {
		if err := unix.SetsockoptInt(e.fd, unix.SOL_IPV6, opt, 1); err != nil {
			return refused(name, err)
		}
	}
	return nil
}

// zone is the index, in the socket's namespace, of the interface behind the % of an address.
func (e *echo) zone() (uint32, error) {
	name := e.to.Zone()
	if name == "" {
		return 0, nil
	}
	if ifr, err := unix.NewIfreq(name); err == nil && unix.IoctlIfreq(e.fd, unix.SIOCGIFINDEX, ifr) == nil {
		return ifr.Uint32(), nil
	}
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return uint32(n), nil
	}
	return 0, labengine.Problemf(labengine.CodeBadAddress, "`%s`: there is no interface %s here", e.to, name).About("", "to")
}

// zoneID is the index of the interface that the address says; 0 is any.
func (e *echo) zoneID() uint32 {
	if dest, ok := e.dest.(*unix.SockaddrInet6); ok {
		return dest.ZoneId
	}
	return 0
}

func (e *echo) close() { unix.Close(e.fd) }

func (e *echo) send(seq int) error {
	packet, err := e.request(seq)
	if err != nil {
		return err
	}
	return unix.Sendto(e.fd, packet, 0, e.dest)
}

// request is an echo request. The kernel writes the checksum of an ICMPv6 one itself, RFC 3542 §3.1.
func (e *echoID) request(seq int) ([]byte, error) {
	payload := make([]byte, payloadSize)
	for i := range payload {
		payload[i] = byte(headerSize + i) // ping(8)'s pattern
	}
	copy(payload, e.nonce[:])
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: int(e.id), Seq: seq, Data: payload}}
	if e.v6 {
		m.Type = ipv6.ICMPTypeEchoRequest
	}
	return m.Marshal(nil)
}

// receive takes the next reply to one of our requests, if one is there.
func (e *echo) receive() (a answer, ok bool, err error) {
	for {
		n, nc, _, from, err := unix.Recvmsg(e.fd, e.data, e.control, 0)
		switch err {
		case nil:
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return answer{}, false, nil
		default:
			return answer{}, false, err
		}
		if a, ok := e.reply(e.data[:n]); ok {
			if from6, ok := from.(*unix.SockaddrInet6); ok {
				a.from = netip.AddrFrom16(from6.Addr)
			}
			if a.from == e.to.WithZone("") {
				a.from = e.to
			}
			a.readControl(e.control[:nc])
			return a, true, nil
		}
	}
}

// reply reads what the socket received: over IPv4 that begins with the IP header.
func (e *echoID) reply(b []byte) (a answer, ok bool) {
	if e.v6 {
		a.seq, ok = e.ours(b, byte(ipv6.ICMPTypeEchoReply))
		return a, ok && len(b) >= headerSize+nonceSize
	}
	if len(b) < ipv4.HeaderLen || b[0]>>4 != 4 {
		return answer{}, false
	}
	header := int(b[0]&15) * 4
	if header < ipv4.HeaderLen || len(b) < header+headerSize+nonceSize {
		return answer{}, false
	}
	a.ttl = int(b[8])
	a.from, _ = netip.AddrFromSlice(b[12:16])
	a.seq, ok = e.ours(b[header:], byte(ipv4.ICMPTypeEchoReply))
	return a, ok
}

// ours reads the sequence number of an echo message of ours. One that an ICMP error quotes may end behind its header.
func (e *echoID) ours(b []byte, typ byte) (seq int, ok bool) {
	if len(b) < headerSize || b[0] != typ || b[1] != 0 || binary.BigEndian.Uint16(b[4:]) != e.id {
		return 0, false
	}
	if len(b) >= headerSize+nonceSize && [nonceSize]byte(b[headerSize:]) != e.nonce {
		return 0, false
	}
	return int(binary.BigEndian.Uint16(b[6:])), true
}

// readControl takes the hop limit and the kernel's time from the control messages, cmsg(3).
func (a *answer) readControl(control []byte) {
	messages, _ := unix.ParseSocketControlMessage(control) // none is no loss
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.SOL_IPV6 && m.Header.Type == unix.IPV6_HOPLIMIT && len(m.Data) >= 4:
			a.ttl = int(binary.NativeEndian.Uint32(m.Data))
		case m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS:
			var stamp unix.Timespec
			if _, err := binary.Decode(m.Data, binary.NativeEndian, &stamp); err == nil {
				a.at = time.Unix(stamp.Unix())
			}
		}
	}
}

// failure takes the next ICMP error about one of our requests from the queue of errors, IP_RECVERR in ip(7).
func (e *echo) failure() (a answer, ok bool) {
	for {
		n, nc, _, _, err := unix.Recvmsg(e.fd, e.data, e.control, unix.MSG_ERRQUEUE)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return answer{}, false
		}
		typ := byte(ipv4.ICMPTypeEcho)
		if e.v6 {
			typ = byte(ipv6.ICMPTypeEchoRequest)
		}
		seq, ours := e.ours(e.data[:n], typ)
		if !ours {
			continue
		}
		messages, _ := unix.ParseSocketControlMessage(e.control[:nc])
		for _, m := range messages {
			if m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_RECVERR ||
				m.Header.Level == unix.SOL_IPV6 && m.Header.Type == unix.IPV6_RECVERR {
				if a, ok := extendedError(m.Data); ok {
					a.seq = seq
					return a, true
				}
			}
		}
	}
}

// extendedError reads a struct sock_extended_err, uapi/linux/errqueue.h, and the address of its author behind it.
func extendedError(b []byte) (a answer, ok bool) {
	var ee unix.SockExtendedErr
	size, err := binary.Decode(b, binary.NativeEndian, &ee)
	if err != nil {
		return answer{}, false
	}
	switch ee.Origin {
	case unix.SO_EE_ORIGIN_ICMP:
		a.err = icmpWords(ipv4.ICMPType(ee.Type), ee.Code, ee.Info)
	case unix.SO_EE_ORIGIN_ICMP6:
		a.err = icmp6Words(ipv6.ICMPType(ee.Type), ee.Code, ee.Info)
	}
	if a.err == "" {
		a.err = sendWords(unix.Errno(ee.Errno))
	}
	if author := b[size:]; len(author) >= 2 {
		switch family := binary.NativeEndian.Uint16(author); {
		case family == unix.AF_INET && len(author) >= unix.SizeofSockaddrInet4:
			a.from = netip.AddrFrom4([4]byte(author[4:])) // behind family and port
		case family == unix.AF_INET6 && len(author) >= unix.SizeofSockaddrInet6:
			a.from = netip.AddrFrom16([16]byte(author[8:])) // behind family, port and flow label
		}
	}
	return a, true
}

// sendWords is what ping(8) says of a request that the kernel did not send.
func sendWords(err error) string {
	if err == unix.EHOSTUNREACH {
		return hostUnreachable
	}
	return words(err)
}

const (
	hostUnreachable = "Destination Host Unreachable"
	netUnreachable  = "Destination Net Unreachable"
	ttlExceeded     = "Time to live exceeded"
	filtered        = "Packet filtered"
)

// unreachable is what ping(8) says of the codes of RFC 792 and RFC 1812 §5.2.7.1.
var unreachable = [...]string{
	0: netUnreachable, 1: hostUnreachable, 2: "Destination Protocol Unreachable", 3: "Destination Port Unreachable",
	5: "Source Route Failed", 6: "Destination Net Unknown", 7: "Destination Host Unknown", 8: "Source Host Isolated",
	9: "Destination Net Prohibited", 10: "Destination Host Prohibited",
	11: "Destination Net Unreachable for Type of Service", 12: "Destination Host Unreachable for Type of Service",
	13: filtered, 14: "Precedence Violation", 15: "Precedence Cutoff",
}

// icmpWords is what ping(8) says of an ICMP error; "" leaves it to the errno.
func icmpWords(typ ipv4.ICMPType, code uint8, info uint32) string {
	switch typ {
	case ipv4.ICMPTypeDestinationUnreachable:
		if code == 4 {
			return fmt.Sprintf("Frag needed and DF set (mtu = %d)", info)
		}
		if int(code) < len(unreachable) {
			return unreachable[code]
		}
	case ipv4.ICMPTypeTimeExceeded:
		if code == 1 {
			return "Frag reassembly time exceeded"
		}
		return ttlExceeded
	case ipv4.ICMPTypeParameterProblem:
		return "Parameter problem"
	}
	return ""
}

// icmp6Words says ICMPv6 errors, RFC 4443 §3, in the words of their IPv4 likes.
func icmp6Words(typ ipv6.ICMPType, code uint8, info uint32) string {
	switch typ {
	case ipv6.ICMPTypeDestinationUnreachable:
		switch code {
		case 0:
			return netUnreachable
		case 1:
			return filtered
		case 2:
			return "Beyond scope of source address"
		case 3:
			return hostUnreachable
		case 4:
			return "Destination Port Unreachable"
		case 5, 6:
			return "Destination Net Prohibited"
		}
	case ipv6.ICMPTypePacketTooBig:
		return fmt.Sprintf("Packet too big (mtu = %d)", info)
	case ipv6.ICMPTypeTimeExceeded:
		if code == 1 {
			return "Frag reassembly time exceeded"
		}
		return ttlExceeded
	case ipv6.ICMPTypeParameterProblem:
		return "Parameter problem"
	}
	return ""
}
