package packet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/gopacket/gopacket/layers"
)

// readTCP is RFC 9293. length is that of header and payload by the IP header, in bytes. Numbers are as they are on the
// wire: one frame alone does not know where its connection began.
func (d *Decoder) readTCP(data []byte, length int) {
	d.out.Protocol = "TCP"
	if len(data) < 14 {
		d.ports(data)
		d.info = d.info.add(" Truncated TCP header")
		return
	}
	bits := data[13]
	d.tcp = layers.TCP{Options: d.tcp.Options[:0]}
	_ = d.tcp.DecodeFromBytes(data, truncated) // its errors are about options that are cut off
	d.out.Flags = tcpFlags[bits]
	d.out.Reply = bits&0x12 == 0x12
	d.ports(data)
	d.info = d.info.add(" [").add(tcpWords[bits]).add("] Seq=").uint(uint64(binary.BigEndian.Uint32(data[4:])))
	if bits&0x10 != 0 {
		d.info = d.info.add(" Ack=").uint(uint64(binary.BigEndian.Uint32(data[8:])))
	}
	if len(data) >= 16 {
		d.info = d.info.add(" Win=").int(int(binary.BigEndian.Uint16(data[14:])))
	}
	header := int(data[12]>>4) * 4
	size := max(length-header, 0)
	d.info = d.info.add(" Len=").int(size)
	for _, o := range d.tcp.Options {
		if o.OptionType == layers.TCPOptionKindMSS && len(o.OptionData) == 2 {
			d.info = d.info.add(" MSS=").int(int(binary.BigEndian.Uint16(o.OptionData)))
		}
	}
	dst := int(binary.BigEndian.Uint16(data[2:]))
	switch {
	case bits&0x07 != 0:
		d.brief = d.brief.add(tcpWords[bits]).add(" → ").int(dst)
	case size > 0:
		d.brief = d.brief.int(size).add(" B → ").int(dst)
	default:
		d.brief = d.brief.add("ACK")
	}
	if size > 0 && header >= 20 && header < len(data) {
		d.readHTTP(data[header:])
	}
}

// ports writes the two ports as far as they are there.
func (d *Decoder) ports(data []byte) {
	if len(data) >= 4 {
		d.info = d.info.int(int(binary.BigEndian.Uint16(data))).add(" → ").int(int(binary.BigEndian.Uint16(data[2:])))
	}
}

// tcpFlags and tcpWords name all 256 sets of flags once: "SA" and "SYN, ACK".
var tcpFlags, tcpWords = func() (letters, words [256]string) {
	flags := [...]struct {
		bit    int
		letter string
		word   string
	}{{0x02, "S", "SYN"}, {0x01, "F", "FIN"}, {0x04, "R", "RST"}, {0x08, "P", "PSH"}, {0x10, "A", "ACK"},
		{0x20, "U", "URG"}, {0x40, "E", "ECE"}, {0x80, "W", "CWR"}}
	for set := range 256 {
		for _, f := range flags {
			if set&f.bit == 0 {
				continue
			}
			letters[set] += f.letter
			if words[set] != "" {
				words[set] += ", "
			}
			words[set] += f.word
		}
		if set == 0 {
			words[set] = "<None>"
		}
	}
	return
}()

var httpWords = [...]string{"GET ", "POST ", "HEAD ", "PUT ", "DELETE ", "OPTIONS ", "PATCH ", "CONNECT ", "TRACE ", "HTTP/1."}

// readHTTP takes the first line of an HTTP/1 message, RFC 9112 §2.1, whatever its port.
func (d *Decoder) readHTTP(data []byte) {
	for _, word := range httpWords {
		if !bytes.HasPrefix(data, []byte(word)) {
			continue
		}
		line, _, _ := bytes.Cut(data, []byte("\r\n"))
		d.out.Protocol = "HTTP"
		d.out.Reply = word == "HTTP/1."
		d.info, d.brief = d.info[:0].safe(line, 120), d.brief[:0]
		if _, status, ok := bytes.Cut(line, []byte(" ")); ok && d.out.Reply {
			d.brief = d.brief.safe(status, 30)
		} else {
			d.brief = d.brief.safe(bytes.TrimSuffix(line, []byte(" HTTP/1.1")), 30)
		}
		return
	}
}

// readUDP is RFC 768.
func (d *Decoder) readUDP(data []byte, length int) {
	d.out.Protocol = "UDP"
	if d.udp.DecodeFromBytes(data, truncated) != nil && len(data) < 8 {
		d.ports(data)
		d.info = d.info.add(" Truncated UDP header")
		return
	}
	src, dst := binary.BigEndian.Uint16(data), binary.BigEndian.Uint16(data[2:])
	body := data[8:]
	switch {
	case src == 53 || dst == 53:
		d.readDNS(body, "DNS")
	case src == 5353 || dst == 5353:
		d.readDNS(body, "MDNS")
	case src == 5355 || dst == 5355:
		d.readDNS(body, "LLMNR")
	case (src == 67 || src == 68) && (dst == 67 || dst == 68):
		d.readDHCP(body)
	case src == 546 && dst == 547 || src == 547 && dst == 546:
		d.readDHCPv6(body)
	case dst == 4789 && d.depth < maxDepth && len(body) >= 8+14 && body[0]&0x08 != 0:
		d.readVXLAN(body, length-8)
	default:
		d.ports(data)
		size := max(length-8, 0)
		d.info = d.info.add(" Len=").int(size)
		d.brief = d.brief.int(size).add(" B → ").int(int(dst))
	}
}

// readVXLAN is RFC 7348 §5. The frame inside is what people look for; the tunnel's ends stay its source and target.
func (d *Decoder) readVXLAN(data []byte, length int) {
	source, target := d.out.Source, d.out.Target
	vni := int(data[4])<<16 | int(data[5])<<8 | int(data[6])
	d.depth++
	d.vid = d.vid.add("[VXLAN ").int(vni).add("] ")
	d.frame(data[8:], max(length-8, len(data)-8))
	inner := d.out.Protocol
	d.out.Protocol, d.out.Source, d.out.Target = "VXLAN", source, target
	if inner != "VXLAN" {
		d.vid = d.vid.add(inner).add(" ")
	}
}

// dnsTypes are RR types, RFC 1035 §3.2.2 and those that came later.
func dnsType(n uint16) string {
	switch n {
	case 1:
		return "A"
	case 2:
		return "NS"
	case 5:
		return "CNAME"
	case 6:
		return "SOA"
	case 12:
		return "PTR"
	case 15:
		return "MX"
	case 16:
		return "TXT"
	case 28:
		return "AAAA"
	case 33:
		return "SRV"
	case 41:
		return "OPT"
	case 65:
		return "HTTPS"
	case 255:
		return "ANY"
	}
	return "TYPE" + strconv.Itoa(int(n)) // RFC 3597 §5
}

// dnsCodes are RCODEs, in Wireshark's words. RFC 1035 §4.1.1.
var dnsCodes = [...]string{"", "Format error", "Server failure", "No such name", "Not implemented", "Refused"}

// readDNS is RFC 1035 §4.1, read by hand because most answers are longer than what was kept of them.
func (d *Decoder) readDNS(data []byte, proto string) {
	d.out.Protocol = proto
	if len(data) < 12 {
		d.info = d.info.add("Truncated DNS header")
		return
	}
	flags := binary.BigEndian.Uint16(data[2:])
	d.out.Reply = flags&0x8000 != 0
	d.info = d.info.add("Standard query ").add(pick(d.out.Reply, "response ", "")).
		hex(uint64(binary.BigEndian.Uint16(data)), 4)
	questions, answers := binary.BigEndian.Uint16(data[4:]), binary.BigEndian.Uint16(data[6:])
	code := int(flags & 15)
	if d.out.Reply && code != 0 {
		d.info = d.info.add(" ").add(codeName(dnsCodes[:], uint8(code)))
		d.brief = d.brief.add(lower(codeName(dnsCodes[:], uint8(code))))
	}
	at := 12
	for q := range min(questions, 4) {
		name, next, ok := dnsName(data, at)
		if !ok || next+4 > len(data) {
			d.info = d.info.add(" ").safe(name, 80).add("…")
			return
		}
		kind := dnsType(binary.BigEndian.Uint16(data[next:]))
		d.info = d.info.add(" ").add(kind).add(" ").safe(name, 80)
		if q == 0 && !d.out.Reply {
			d.brief = d.brief.add(kind).add(" ").safe(name, 40).add("?")
		}
		at = next + 4
	}
	for range min(answers, 4) {
		_, next, ok := dnsName(data, at)
		if !ok || next+10 > len(data) {
			d.info = d.info.add(" …")
			return
		}
		kind := binary.BigEndian.Uint16(data[next:])
		size := int(binary.BigEndian.Uint16(data[next+8:]))
		at = next + 10 + size
		if at > len(data) {
			d.info = d.info.add(" ").add(dnsType(kind)).add(" …")
			return
		}
		d.info = d.info.add(" ").add(dnsType(kind))
		value := text(nil)
		switch {
		case kind == 1 && size == 4, kind == 28 && size == 16:
			a, _ := netip.AddrFromSlice(data[next+10 : at])
			value = value.ip(a)
		case kind == 5 || kind == 2 || kind == 12:
			name, _, _ := dnsName(data, next+10)
			value = value.safe(name, 80)
		default:
			continue
		}
		d.info = d.info.add(" ").add(string(value))
		if len(d.brief) == 0 {
			d.brief = append(d.brief, value...)
		}
	}
}

// dnsName reads a name with its compression pointers, RFC 1035 §4.1.4, and says where what follows it begins. A pointer
// may only point backwards, so that it ends.
func dnsName(data []byte, at int) (name []byte, next int, ok bool) {
	next = -1
	for limit := at; ; {
		if at >= len(data) {
			return name, at, false
		}
		n := int(data[at])
		switch {
		case n == 0:
			if next < 0 {
				next = at + 1
			}
			if len(name) == 0 {
				name = []byte("<Root>")
			}
			return name, next, true
		case n&0xc0 == 0xc0:
			if at+2 > len(data) {
				return name, at, false
			}
			if next < 0 {
				next = at + 2
			}
			to := n&0x3f<<8 | int(data[at+1])
			if to >= limit {
				return name, next, false
			}
			at, limit = to, to
		case n&0xc0 != 0 || at+1+n > len(data) || len(name)+n > 255:
			return name, at, false
		default:
			if len(name) > 0 {
				name = append(name, '.')
			}
			name = append(name, data[at+1:at+1+n]...)
			at += 1 + n
		}
	}
}

var dhcpTypes = [...]string{1: "Discover", 2: "Offer", 3: "Request", 4: "Decline", 5: "ACK", 6: "NAK", 7: "Release", 8: "Inform"}

// readDHCP is RFC 2131 §2. The type of a message is an option behind byte 240, which 128 bytes do not reach: without it
// the line says, as tcpdump does, which way it goes, and who asks or what address is given.
func (d *Decoder) readDHCP(data []byte) {
	d.out.Protocol = "DHCP"
	if len(data) < 8 {
		d.info = d.info.add("Truncated DHCP")
		return
	}
	d.out.Reply = data[0] == 2
	name := pick(d.out.Reply, "Reply", "Request")
	known := false
	for at := 240; at+2 < len(data) && data[at] != 255; {
		if data[at] == 0 {
			at++
			continue
		}
		if data[at] == 53 && data[at+1] == 1 && int(data[at+2]) < len(dhcpTypes) && data[at+2] > 0 {
			name, known = dhcpTypes[data[at+2]], true
			break
		}
		at += 2 + int(data[at+1])
	}
	d.info = d.info.add(pick(known, "DHCP ", "BOOTP/DHCP, ")).add(name).add(" - Transaction ID ").hex(uint64(binary.BigEndian.Uint32(data[4:])), 1)
	d.brief = d.brief.add("DHCP ").add(lower(name))
	if len(data) < 20 {
		return
	}
	if given := netip.AddrFrom4([4]byte(data[16:20])); !given.IsUnspecified() {
		d.info = d.info.add(", your address ").ip(given)
		d.brief = d.brief.add(" ").ip(given)
	}
	if len(data) >= 34 && data[1] == 1 && data[2] == 6 {
		d.info = d.info.add(", client ").mac(data[28:34])
	}
}

var dhcp6Types = [...]string{1: "Solicit", 2: "Advertise", 3: "Request", 4: "Confirm", 5: "Renew", 6: "Rebind", 7: "Reply",
	8: "Release", 9: "Decline", 10: "Reconfigure", 11: "Information-request", 12: "Relay-forw", 13: "Relay-reply"}

// readDHCPv6 is RFC 8415 §8.
func (d *Decoder) readDHCPv6(data []byte) {
	d.out.Protocol = "DHCPv6"
	if len(data) < 4 || data[0] == 0 {
		d.info = d.info.add("Truncated DHCPv6")
		return
	}
	d.out.Reply = data[0] == 2 || data[0] == 7
	d.info = d.info.add(codeName(dhcp6Types[:], data[0])).add(" XID: 0x").
		hexdigits(uint64(data[1])<<16|uint64(data[2])<<8|uint64(data[3]), 6)
	d.brief = d.brief.add(lower(codeName(dhcp6Types[:], data[0])))
}
