package packet

import "encoding/binary"

// Important says whether a frame is worth showing singly even on a busy cable: ARP, ICMP, ICMPv6 (neighbour discovery
// with it), IGMP, TCP's SYN, FIN and RST, DHCP, and spanning tree. data are the frame's first bytes. It allocates
// nothing and reads a dozen bytes, so that it can be asked of every frame of a flood.
func Important(data []byte) bool {
	if len(data) < 14 {
		return false
	}
	at := 12
	kind := binary.BigEndian.Uint16(data[at:])
	for kind == 0x8100 || kind == 0x88a8 {
		if at += 4; len(data) < at+2 {
			return false
		}
		kind = binary.BigEndian.Uint16(data[at:])
	}
	at += 2
	switch {
	case kind == 0x0806, kind < 0x600:
		return true
	case kind == 0x0800 && len(data) >= at+20:
		if binary.BigEndian.Uint16(data[at+6:])&0x1fff != 0 {
			return data[at+9] == 1
		}
		return importantTransport(data[at+9], data[at:], int(data[at]&15)*4)
	case kind == 0x86dd && len(data) >= at+40:
		next, header := data[at+6], 40
		for next == 0 || next == 60 || next == 43 {
			if len(data) < at+header+2 {
				return false
			}
			next, header = data[at+header], header+8+int(data[at+header+1])*8
		}
		return importantTransport(next, data[at:], header)
	}
	return false
}

func importantTransport(proto uint8, data []byte, at int) bool {
	switch proto {
	case 1, 2, 58:
		return true
	case 6:
		const finSynRst = 0x07 // RFC 9293 §3.1
		return len(data) > at+13 && data[at+13]&finSynRst != 0
	case 17:
		if len(data) < at+4 {
			return false
		}
		src, dst := binary.BigEndian.Uint16(data[at:]), binary.BigEndian.Uint16(data[at+2:])
		return isDHCP(src, dst)
	}
	return false
}

// isDHCP knows the ports of RFC 2131 §4.1 and RFC 8415 §7.2.
func isDHCP(src, dst uint16) bool {
	return src == 67 || src == 68 || dst == 67 || dst == 68 || src == 546 && dst == 547 || src == 547 && dst == 546
}
