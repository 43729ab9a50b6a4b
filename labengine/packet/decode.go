// Package packet says what a frame is, in the words of tcpdump and Wireshark. It is pure: bytes in, a Summary out.
//
// Frames come from the wire, so every byte is a stranger's, and only the first 128 of them are there: a header that
// is cut off is decoded as far as it goes. Nothing here may panic; FuzzDecode holds it to that.
package packet

import (
	"net/netip"
	"strconv"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// Summary is what people read of a frame. The fields are those of labengine.Frame.
type Summary struct {
	Protocol  string // of the innermost layer that was understood: "ARP", "TCP", …, or an EtherType as "0x88cc"
	Source    string // the innermost address that is known: IP, else MAC
	Target    string
	Info      string // one line, as Wireshark's Info column
	Brief     string // a few words, for the token that travels along the cable; may be empty
	Reply     bool   // it answers an earlier frame
	Flags     string // of TCP, a letter each in the order S F R P A U E W: "S", "SA", "FA"; else empty
	Important bool   // see [Important]
}

// Decode says what one frame is. data are its first bytes, Ethernet header first; length is how long it was on the
// wire, in bytes, and at least len(data). See [Decoder] for many frames.
func Decode(data []byte, length int) Summary {
	var d Decoder
	return d.Decode(data, length)
}

// Decoder decodes frame after frame without making the layers anew. The zero value is ready. It is for one goroutine.
type Decoder struct {
	eth   layers.Ethernet
	vlan  layers.Dot1Q
	arp   layers.ARP
	ip4   layers.IPv4
	ip6   layers.IPv6
	icmp4 layers.ICMPv4
	tcp   layers.TCP
	udp   layers.UDP
	stp   layers.STP

	out   Summary
	info  text
	brief text
	vid   text // names of what is around: "[VLAN 10] "
	depth int  // of tunnels
}

// maxDepth bounds frames within frames: VXLAN in VXLAN.
const maxDepth = 2

// Decode is the package's Decode. The summary holds no part of data.
func (d *Decoder) Decode(data []byte, length int) (s Summary) {
	// The layers are gopacket's; its own parser recovers from their panics too. A frame must not end a lab.
	defer func() {
		if recover() != nil {
			s = d.finish()
			s.Info += " (malformed)"
		}
	}()
	return d.decode(data, length)
}

func (d *Decoder) decode(data []byte, length int) Summary {
	d.begin()
	d.frame(data, max(length, len(data)))
	s := d.finish()
	s.Important = Important(data)
	return s
}

func (d *Decoder) begin() {
	d.out = Summary{}
	d.info, d.brief, d.vid = d.info[:0], d.brief[:0], d.vid[:0]
	d.depth = 0
}

func (d *Decoder) finish() Summary {
	s := d.out
	s.Info = string(d.vid) + string(d.info)
	s.Brief = string(d.brief)
	return s
}

// nowhere takes gopacket's word that a layer was cut off: here that is normal.
type nowhere struct{}

func (nowhere) SetTruncated() {}

var truncated gopacket.DecodeFeedback = nowhere{}

// frame decodes from the Ethernet header on. IEEE 802.3 §3.2.
func (d *Decoder) frame(data []byte, length int) {
	if d.eth.DecodeFromBytes(data, truncated) != nil {
		d.out.Protocol = "Ethernet"
		d.info = d.info.add("Truncated: ").int(len(data)).add(" of ").int(length).add(" bytes")
		return
	}
	d.out.Source, d.out.Target = mac(d.eth.SrcMAC), mac(d.eth.DstMAC)
	kind, rest := d.eth.EthernetType, d.eth.Payload
	for kind == layers.EthernetTypeDot1Q || kind == layers.EthernetTypeQinQ {
		if d.vlan.DecodeFromBytes(rest, truncated) != nil {
			d.out.Protocol = "VLAN"
			d.info = d.info.add("Truncated VLAN tag")
			return
		}
		d.vid = d.vid.add("[VLAN ").int(int(d.vlan.VLANIdentifier)).add("] ")
		kind, rest = d.vlan.Type, d.vlan.Payload
		if kind < 0x600 {
			kind = layers.EthernetTypeLLC
		}
	}
	d.network(kind, rest, length-(len(data)-len(rest)))
}

// network decodes what an EtherType names; left is how many bytes it had on the wire.
func (d *Decoder) network(kind layers.EthernetType, data []byte, left int) {
	switch kind {
	case layers.EthernetTypeARP:
		d.readARP(data)
	case layers.EthernetTypeIPv4:
		d.readIPv4(data, left)
	case layers.EthernetTypeIPv6:
		d.readIPv6(data, left)
	case layers.EthernetTypeLLC:
		d.readLLC(data)
	case layers.EthernetTypeLinkLayerDiscovery:
		d.readLLDP(data)
	default:
		d.out.Protocol = string(text(nil).hex(uint64(kind), 4))
		d.info = d.info.add("EtherType ").hex(uint64(kind), 4)
		if name := etherNames[kind]; name != "" {
			d.info = d.info.add(" (").add(name).add(")")
		}
		d.info = d.info.add(", ").int(left).add(" bytes")
	}
}

// etherNames are the EtherTypes that a lab may meet and that are not decoded. IEEE 802 Numbers, iana.org.
var etherNames = map[layers.EthernetType]string{
	0x0842: "Wake-on-LAN", 0x6558: "Ethernet bridging", 0x8847: "MPLS", 0x8848: "MPLS multicast",
	0x8863: "PPPoE discovery", 0x8864: "PPPoE session", 0x888e: "EAPOL", 0x88e5: "MACsec", 0x88f7: "PTP",
	0x8809: "slow protocols: LACP", 0x9000: "Ethernet loopback", 0x8906: "FCoE", 0x22f0: "AVTP",
}

// readARP is RFC 826; announcements and probes are RFC 5227 §1.1 and §3.
func (d *Decoder) readARP(data []byte) {
	d.out.Protocol = "ARP"
	a := &d.arp
	if a.DecodeFromBytes(data, truncated) != nil {
		d.info = d.info.add("Truncated ARP")
		return
	}
	sender, ok1 := netip.AddrFromSlice(a.SourceProtAddress)
	target, ok2 := netip.AddrFromSlice(a.DstProtAddress)
	if !ok1 || !ok2 || !sender.Is4() || !target.Is4() || len(a.SourceHwAddress) != 6 {
		d.info = d.info.add("ARP operation ").int(int(a.Operation)).add(", hardware type ").int(int(a.AddrType))
		return
	}
	if !sender.IsUnspecified() {
		d.out.Source = sender.String()
	}
	if !target.IsUnspecified() {
		d.out.Target = target.String()
	}
	switch {
	case a.Operation == layers.ARPRequest && sender == target:
		d.info = d.info.add("ARP Announcement for ").ip(sender)
		d.brief = d.brief.ip(sender).add(" is here")
	case a.Operation == layers.ARPRequest && sender.IsUnspecified():
		d.info = d.info.add("Who has ").ip(target).add("? (ARP Probe)")
		d.brief = d.brief.add("who has ").ip(target).add("?")
	case a.Operation == layers.ARPRequest:
		d.info = d.info.add("Who has ").ip(target).add("? Tell ").ip(sender)
		d.brief = d.brief.add("who has ").ip(target).add("?")
	case a.Operation == layers.ARPReply && sender == target:
		d.info = d.info.add("Gratuitous ARP for ").ip(sender).add(" (Reply)")
		d.brief = d.brief.ip(sender).add(" is here")
	case a.Operation == layers.ARPReply:
		d.out.Reply = true
		d.info = d.info.ip(sender).add(" is at ").mac(a.SourceHwAddress)
		d.brief = d.brief.ip(sender).add(" is at ").mac(a.SourceHwAddress)
	default:
		d.info = d.info.add("ARP operation ").int(int(a.Operation))
	}
}

// readIPv4 is RFC 791.
func (d *Decoder) readIPv4(data []byte, left int) {
	d.out.Protocol = "IPv4"
	err := d.ip4.DecodeFromBytes(data, truncated)
	if len(data) >= 20 {
		d.out.Source = netip.AddrFrom4([4]byte(data[12:16])).String()
		d.out.Target = netip.AddrFrom4([4]byte(data[16:20])).String()
	}
	if err != nil {
		d.info = d.info.add("Malformed or cut off: ").add(err.Error())
		return
	}
	if d.ip4.Version != 4 {
		d.info = d.info.add("IP version ").int(int(d.ip4.Version)).add(" in an IPv4 frame")
		return
	}
	payload := int(d.ip4.Length) - int(d.ip4.IHL)*4
	if data[2] == 0 && data[3] == 0 { // a super-frame over 64 KiB (BIG TCP): the length is the wire's
		payload = left - int(d.ip4.IHL)*4
	}
	more := d.ip4.Flags&layers.IPv4MoreFragments != 0
	if d.ip4.FragOffset > 0 {
		d.fragment(uint8(d.ip4.Protocol), int(d.ip4.FragOffset)*8, uint64(d.ip4.Id), 4)
		return
	}
	d.transport(uint8(d.ip4.Protocol), d.ip4.Payload, payload, d.ip4.TTL)
	if more {
		d.info = d.info.add(" (first fragment, ID ").hex(uint64(d.ip4.Id), 4).add(")")
	}
}

func (d *Decoder) fragment(proto uint8, offset int, id uint64, digits int) {
	d.info = d.info.add("Fragmented IP protocol (proto=").add(protocolName(proto)).add(", off=").int(offset).
		add(", ID=").hexdigits(id, digits).add(")")
	d.brief = d.brief.add("fragment")
}

// readIPv6 is RFC 8200; the extension headers are walked by hand, because gopacket stops at the first that is cut off.
func (d *Decoder) readIPv6(data []byte, left int) {
	d.out.Protocol = "IPv6"
	if len(data) < 40 {
		d.info = d.info.add("Truncated IPv6 header")
		return
	}
	_ = d.ip6.DecodeFromBytes(data, truncated) // its errors are about what follows the fixed header
	d.out.Source = netip.AddrFrom16([16]byte(data[8:24])).String()
	d.out.Target = netip.AddrFrom16([16]byte(data[24:40])).String()
	if d.ip6.Version != 6 {
		d.info = d.info.add("IP version ").int(int(d.ip6.Version)).add(" in an IPv6 frame")
		return
	}
	payload := int(d.ip6.Length)
	if payload == 0 {
		payload = max(left-40, 0) // a super-frame or a jumbogram, RFC 2675
	}
	next, rest := data[6], data[40:min(len(data), 40+payload)]
	for {
		switch next {
		case 0, 43, 60: // hop-by-hop, routing, destination options
			if len(rest) < 8 || len(rest) < 8+int(rest[1])*8 {
				d.info = d.info.add("Truncated after an extension header")
				return
			}
			size := 8 + int(rest[1])*8
			next, rest, payload = rest[0], rest[size:], payload-size
		case 44:
			if len(rest) < 8 {
				d.info = d.info.add("Truncated fragment header")
				return
			}
			offset := (int(rest[2])<<8 | int(rest[3])) &^ 7
			id := uint64(rest[4])<<24 | uint64(rest[5])<<16 | uint64(rest[6])<<8 | uint64(rest[7])
			if offset > 0 {
				d.fragment(rest[0], offset, id, 8)
				return
			}
			next, rest, payload = rest[0], rest[8:], payload-8
		default:
			d.transport(next, rest, max(payload, 0), data[7])
			return
		}
	}
}

// transport decodes what an IP protocol number names; length is its length by the IP header, in bytes.
func (d *Decoder) transport(proto uint8, data []byte, length int, ttl uint8) {
	switch proto {
	case 1:
		d.readICMPv4(data, ttl)
	case 2:
		d.readIGMP(data)
	case 6:
		d.readTCP(data, length)
	case 17:
		d.readUDP(data, length)
	case 58:
		d.readICMPv6(data, ttl)
	case 59:
		d.info = d.info.add("No next header")
	default:
		d.out.Protocol = protocolName(proto)
		d.info = d.info.add("IP protocol ").int(int(proto)).add(", ").int(length).add(" bytes")
	}
}

// protocolName is an IP protocol's, as /etc/protocols has it in its aliases.
func protocolName(proto uint8) string {
	switch proto {
	case 1:
		return "ICMP"
	case 2:
		return "IGMP"
	case 4:
		return "IPIP"
	case 6:
		return "TCP"
	case 17:
		return "UDP"
	case 41:
		return "IPv6"
	case 47:
		return "GRE"
	case 50:
		return "ESP"
	case 51:
		return "AH"
	case 58:
		return "ICMPv6"
	case 89:
		return "OSPF"
	case 103:
		return "PIM"
	case 112:
		return "VRRP"
	case 132:
		return "SCTP"
	}
	return "IP " + strconv.Itoa(int(proto))
}
