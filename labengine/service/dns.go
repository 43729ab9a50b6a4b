package service

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"vethlab/labengine"
)

// zone is all that a DNS service knows. There is no other server to ask.
type zone struct {
	addresses map[string][]netip.Addr // by name, in lower case, with the final dot
	names     map[string]string       // of PTR: by reverse name
}

func newZone(list []labengine.NameAddress) *zone {
	z := &zone{addresses: map[string][]netip.Addr{}, names: map[string]string{}}
	for _, n := range list {
		name := n.Name + "."
		z.addresses[name] = append(z.addresses[name], n.Address)
		if reverse := reverseName(n.Address); z.names[reverse] == "" {
			z.names[reverse] = name
		}
	}
	return z
}

// reverseName is the name under which an address has its PTR, RFC 1035 §3.5 and RFC 3596 §2.5.
func reverseName(a netip.Addr) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	bytes := a.AsSlice()
	for i := len(bytes) - 1; i >= 0; i-- {
		if a.Is4() {
			b.WriteString(netip.AddrFrom4([4]byte{0, 0, 0, bytes[i]}).String()[len("0.0.0."):] + ".")
			continue
		}
		b.WriteByte(hex[bytes[i]&15])
		b.WriteByte('.')
		b.WriteByte(hex[bytes[i]>>4])
		b.WriteByte('.')
	}
	if a.Is4() {
		return b.String() + "in-addr.arpa."
	}
	return b.String() + "ip6.arpa."
}

const (
	ttl          = 60  // s
	maxPlain     = 512 // bytes of an answer over UDP, RFC 1035 §2.3.4
	maxQuery     = 2 << 10
	dnsIdle      = 10 * time.Second
	dnsQuestions = 100 // of one TCP connection
)

func (z *zone) answerUDP(_ netip.AddrPort, query []byte) []byte { return z.answer(query, maxPlain) }

// serveTCP answers messages with their length before them, RFC 1035 §4.2.2.
func (z *zone) serveTCP(c net.Conn) {
	for range dnsQuestions {
		c.SetDeadline(time.Now().Add(dnsIdle))
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		answer := z.answer(query, maxDatagram)
		if answer == nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// answer makes the answer to a query, of at most so many bytes; a longer one is cut off, and says so. What is no query
// gets none.
func (z *zone) answer(query []byte, most int) []byte {
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil || header.Response {
		return nil
	}
	reply := dnsmessage.Header{
		ID: header.ID, Response: true, OpCode: header.OpCode, RecursionDesired: header.RecursionDesired, RecursionAvailable: true,
	}
	questions, err := parser.AllQuestions()
	switch {
	case err != nil || header.OpCode == 0 && len(questions) != 1:
		reply.RCode, questions = dnsmessage.RCodeFormatError, nil
	case header.OpCode != 0:
		reply.RCode = dnsmessage.RCodeNotImplemented
	case questions[0].Class != dnsmessage.ClassINET:
		reply.RCode = dnsmessage.RCodeRefused
	default:
		return z.lookUp(reply, questions[0], most)
	}
	return build(reply, questions, nil, nil, most)
}

// lookUp answers one question. The name is sent back as it came: some callers write it in capitals here and there.
func (z *zone) lookUp(reply dnsmessage.Header, q dnsmessage.Question, most int) []byte {
	name := strings.ToLower(q.Name.String())
	header := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: ttl}
	var answers []dnsmessage.Resource
	wants := func(t dnsmessage.Type) bool { return q.Type == t || q.Type == dnsmessage.TypeALL }
	for _, a := range z.addresses[name] {
		switch {
		case a.Is4() && wants(dnsmessage.TypeA):
			answers = append(answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
		case a.Is6() && wants(dnsmessage.TypeAAAA):
			answers = append(answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	target, isReverse := z.names[name]
	if isReverse && wants(dnsmessage.TypePTR) {
		if to, err := dnsmessage.NewName(target); err == nil {
			answers = append(answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.PTRResource{PTR: to}})
		}
	}
	if len(answers) > 0 {
		return build(reply, []dnsmessage.Question{q}, answers, nil, most)
	}
	if !isReverse && !z.has(name) {
		reply.RCode = dnsmessage.RCodeNameError
	}
	return build(reply, []dnsmessage.Question{q}, nil, authority(), most)
}

// has says whether a name is there, or one below it, RFC 8020.
func (z *zone) has(name string) bool {
	for known := range z.addresses {
		if known == name || strings.HasSuffix(known, "."+name) {
			return true
		}
	}
	return name == "."
}

// authority is the SOA record that tells how long to remember that a name is not there, RFC 2308. It is made for each
// answer: packing writes to it.
func authority() []dnsmessage.Resource {
	return []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("."), Class: dnsmessage.ClassINET, TTL: ttl},
		Body: &dnsmessage.SOAResource{
			NS: dnsmessage.MustNewName("ns.lab."), MBox: dnsmessage.MustNewName("nobody.lab."), Serial: 1, Refresh: 3600, Retry: 600,
			Expire: 86400, MinTTL: ttl,
		},
	}}
}

func build(header dnsmessage.Header, questions []dnsmessage.Question, answers, authorities []dnsmessage.Resource, most int) []byte {
	message := dnsmessage.Message{Header: header, Questions: questions, Answers: answers, Authorities: authorities}
	packed, err := message.Pack()
	if err == nil && len(packed) > most {
		message.Truncated, message.Answers, message.Authorities = true, nil, nil
		packed, err = message.Pack()
	}
	if err != nil {
		return nil
	}
	return packed
}
