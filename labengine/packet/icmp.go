package packet

import (
	"encoding/binary"
	"net/netip"

	"github.com/gopacket/gopacket/layers"
)

// unreachable4 are the codes of ICMP's type 3: RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1.
var unreachable4 = [...]string{"Network unreachable", "Host unreachable", "Protocol unreachable", "Port unreachable",
	"Fragmentation needed", "Source route failed", "Network unknown", "Host unknown", "Source host isolated",
	"Network administratively prohibited", "Host administratively prohibited", "Network unreachable for TOS",
	"Host unreachable for TOS", "Communication administratively filtered", "Host precedence violation",
	"Precedence cutoff in effect"}

// readICMPv4 is RFC 792.
func (d *Decoder) readICMPv4(data []byte, ttl uint8) {
	d.out.Protocol = "ICMP"
	c := &d.icmp4
	if c.DecodeFromBytes(data, truncated) != nil {
		d.info = d.info.add("Truncated ICMP")
		return
	}
	kind, code := c.TypeCode.Type(), c.TypeCode.Code()
	switch kind {
	case layers.ICMPv4TypeEchoRequest, layers.ICMPv4TypeEchoReply:
		d.echo(kind == layers.ICMPv4TypeEchoReply, c.Id, c.Seq, ", ttl=", ttl)
	case layers.ICMPv4TypeDestinationUnreachable:
		d.out.Reply = true
		d.info = d.info.add("Destination unreachable (").add(codeName(unreachable4[:], code)).add(")")
		if code == 4 && len(data) >= 8 { // RFC 1191 §4
			d.info = d.info.add(", next-hop MTU ").int(int(binary.BigEndian.Uint16(data[6:])))
		}
		d.brief = d.brief.add(lower(codeName(unreachable4[:], code)))
		d.quoted4(c.Payload)
	case layers.ICMPv4TypeTimeExceeded:
		d.out.Reply = true
		what := codeName([]string{"Time to live exceeded in transit", "Fragment reassembly time exceeded"}, code)
		d.info = d.info.add("Time-to-live exceeded (").add(what).add(")")
		d.brief = d.brief.add("TTL exceeded")
		d.quoted4(c.Payload)
	case layers.ICMPv4TypeRedirect:
		what := codeName([]string{"Redirect for network", "Redirect for host", "Redirect for TOS and network",
			"Redirect for TOS and host"}, code)
		d.info = d.info.add("Redirect (").add(what).add("), gateway ").ip(netip.AddrFrom4([4]byte(data[4:8])))
		d.brief = d.brief.add("redirect")
		d.quoted4(c.Payload)
	case layers.ICMPv4TypeSourceQuench:
		d.info = d.info.add("Source quench")
	case layers.ICMPv4TypeParameterProblem:
		d.out.Reply = true
		d.info = d.info.add("Parameter problem")
		d.quoted4(c.Payload)
	case layers.ICMPv4TypeRouterAdvertisement:
		d.info = d.info.add("Mobile IP Advertisement or router advertisement")
	case layers.ICMPv4TypeRouterSolicitation:
		d.info = d.info.add("Router solicitation")
	case layers.ICMPv4TypeTimestampRequest, layers.ICMPv4TypeTimestampReply:
		d.out.Reply = kind == layers.ICMPv4TypeTimestampReply
		d.info = d.info.add("Timestamp ").add(pick(d.out.Reply, "reply", "request"))
	default:
		d.info = d.info.add("Type ").int(int(kind)).add(", code ").int(int(code))
	}
}

// echo is the line of a ping's two frames. hops is the header's name for the last value.
func (d *Decoder) echo(reply bool, id, seq uint16, hops string, ttl uint8) {
	d.out.Reply = reply
	d.info = d.info.add("Echo (ping) ").add(pick(reply, "reply", "request")).add(" id=").hex(uint64(id), 4).
		add(", seq=").int(int(seq)).add(hops).int(int(ttl))
	d.brief = d.brief.add(pick(reply, "ping reply ", "ping ")).int(int(seq))
}

// quoted4 names the packet that an ICMP error is about: its header is quoted, RFC 792.
func (d *Decoder) quoted4(data []byte) {
	if len(data) >= 20 && data[0]>>4 == 4 {
		d.quoted(netip.AddrFrom4([4]byte(data[12:16])), netip.AddrFrom4([4]byte(data[16:20])), data[9])
	}
}

func (d *Decoder) quoted6(data []byte) {
	if len(data) >= 40 && data[0]>>4 == 6 {
		d.quoted(netip.AddrFrom16([16]byte(data[8:24])), netip.AddrFrom16([16]byte(data[24:40])), data[6])
	}
}

func (d *Decoder) quoted(from, to netip.Addr, proto uint8) {
	d.info = d.info.add(" for ").ip(from).add(" → ").ip(to).add(" ").add(protocolName(proto))
}

// readICMPv6 is RFC 4443, RFC 4861 (neighbour discovery), RFC 2710 and RFC 3810 (multicast listeners).
func (d *Decoder) readICMPv6(data []byte, hopLimit uint8) {
	d.out.Protocol = "ICMPv6"
	if len(data) < 8 {
		d.info = d.info.add("Truncated ICMPv6")
		return
	}
	kind, code, body := data[0], data[1], data[8:]
	switch kind {
	case 1, 2, 3, 4:
		d.out.Reply = true
		switch kind {
		case 1:
			what := codeName([]string{"no route to destination", "administratively prohibited",
				"beyond scope of source address", "address unreachable", "port unreachable",
				"source address failed ingress/egress policy", "reject route to destination"}, code)
			d.info = d.info.add("Destination Unreachable (").add(what).add(")")
			d.brief = d.brief.add(what)
		case 2:
			d.info = d.info.add("Packet Too Big (MTU ").uint(uint64(binary.BigEndian.Uint32(data[4:]))).add(")")
			d.brief = d.brief.add("too big")
		case 3:
			what := codeName([]string{"hop limit exceeded in transit", "fragment reassembly time exceeded"}, code)
			d.info = d.info.add("Time Exceeded (").add(what).add(")")
			d.brief = d.brief.add("hop limit exceeded")
		case 4:
			d.info = d.info.add("Parameter Problem")
		}
		d.quoted6(body)
	case 128, 129:
		id, seq := binary.BigEndian.Uint16(data[4:]), binary.BigEndian.Uint16(data[6:])
		d.echo(kind == 129, id, seq, ", hop limit=", hopLimit)
	case 130:
		d.info = d.info.add("Multicast Listener Query")
	case 131:
		d.info = d.info.add("Multicast Listener Report")
	case 132:
		d.info = d.info.add("Multicast Listener Done")
	case 143:
		d.info = d.info.add("Multicast Listener Report Message v2")
	case 133:
		d.info = d.info.add("Router Solicitation")
		d.option(body, 1, " from ")
		d.brief = d.brief.add("any router?")
	case 134:
		d.out.Reply = true
		d.info = d.info.add("Router Advertisement")
		if len(body) >= 8 {
			d.option(body[8:], 1, " from ")
		}
		d.brief = d.brief.add("router here")
	case 135, 136:
		d.neighbour(kind == 136, data)
	case 137:
		d.info = d.info.add("Redirect")
		if len(body) >= 32 {
			d.info = d.info.add(" for ").ip(netip.AddrFrom16([16]byte(body[16:32]))).
				add(" is at ").ip(netip.AddrFrom16([16]byte(body[:16])))
		}
	default:
		d.info = d.info.add("Type ").int(int(kind)).add(", code ").int(int(code))
	}
}

// neighbour is a solicitation or, with advertised, an advertisement: RFC 4861 §4.3 and §4.4.
func (d *Decoder) neighbour(advertised bool, data []byte) {
	if len(data) < 24 {
		d.info = d.info.add("Truncated Neighbor ").add(pick(advertised, "Advertisement", "Solicitation"))
		return
	}
	about := netip.AddrFrom16([16]byte(data[8:24]))
	if !advertised {
		d.info = d.info.add("Neighbor Solicitation for ").ip(about)
		d.option(data[24:], 1, " from ")
		d.brief = d.brief.add("who has ").ip(about).add("?")
		return
	}
	const router, solicited, override = 0x80, 0x40, 0x20
	d.out.Reply = data[4]&solicited != 0
	d.info = d.info.add("Neighbor Advertisement ").ip(about)
	separator := " ("
	for _, f := range []struct {
		bit  byte
		name string
	}{{router, "rtr"}, {solicited, "sol"}, {override, "ovr"}} {
		if data[4]&f.bit != 0 {
			d.info = d.info.add(separator).add(f.name)
			separator = ", "
		}
	}
	if separator == ", " {
		d.info = d.info.add(")")
	}
	d.option(data[24:], 2, " is at ")
	d.brief = d.brief.ip(about).add(" is here")
}

// option writes the link-layer address option of that type, RFC 4861 §4.6.1, if it is there.
func (d *Decoder) option(data []byte, kind byte, before string) {
	for len(data) >= 8 {
		size := int(data[1]) * 8
		if data[0] == kind && size == 8 {
			d.info = d.info.add(before).mac(data[2:8])
			return
		}
		if size == 0 || size > len(data) {
			return
		}
		data = data[size:]
	}
}

// readIGMP is RFC 2236 and RFC 3376.
func (d *Decoder) readIGMP(data []byte) {
	d.out.Protocol = "IGMP"
	if len(data) < 8 {
		d.info = d.info.add("Truncated IGMP")
		return
	}
	group := netip.AddrFrom4([4]byte(data[4:8]))
	switch data[0] {
	case 0x11:
		d.info = d.info.add("Membership Query, ")
		if group.IsUnspecified() {
			d.info = d.info.add("general")
		} else {
			d.info = d.info.add("specific for group ").ip(group)
		}
	case 0x12, 0x16:
		d.info = d.info.add("Membership Report group ").ip(group)
	case 0x17:
		d.info = d.info.add("Leave Group ").ip(group)
	case 0x22:
		d.info = d.info.add("Membership Report (IGMPv3)")
		for records, n := data[8:], int(binary.BigEndian.Uint16(data[6:8])); n > 0 && len(records) >= 8; n-- {
			what, sources := records[0], int(binary.BigEndian.Uint16(records[2:4]))
			verb := " / group "
			switch {
			case what == 4 && sources == 0:
				verb = " / Join group "
			case what == 3 && sources == 0:
				verb = " / Leave group "
			}
			d.info = d.info.add(verb).ip(netip.AddrFrom4([4]byte(records[4:8])))
			size := 8 + sources*4 + int(records[1])*4
			if size > len(records) {
				break
			}
			records = records[size:]
		}
	default:
		d.info = d.info.add("Type ").hex(uint64(data[0]), 2)
	}
}

// codeName names a code, or says its number.
func codeName(names []string, code uint8) string {
	if int(code) < len(names) {
		return names[code]
	}
	return string(text("code ").int(int(code)))
}

func pick(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// lower makes the first letter small.
func lower(s string) string {
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return s
	}
	return string(s[0]+32) + s[1:]
}
