package packet

import "encoding/binary"

// readLLC is IEEE 802.2; what a lab has of it is spanning tree, IEEE 802.1D §9.
func (d *Decoder) readLLC(data []byte) {
	d.out.Protocol = "LLC"
	if len(data) < 3 {
		d.info = d.info.add("Truncated LLC header")
		return
	}
	if data[0] == 0x42 && data[1] == 0x42 {
		d.readSTP(data[3:])
		return
	}
	d.info = d.info.add("LLC DSAP ").hex(uint64(data[0]), 2).add(" SSAP ").hex(uint64(data[1]), 2)
	if data[0] == 0xaa && len(data) >= 8 {
		d.info = d.info.add(" SNAP OUI ").mac(data[3:6]).add(" type ").hex(uint64(binary.BigEndian.Uint16(data[6:])), 4)
	}
}

func (d *Decoder) readSTP(data []byte) {
	d.out.Protocol = "STP"
	if d.stp.DecodeFromBytes(data, truncated) == nil && len(data) >= 35 {
		name := pick(data[3] == 2, "RST. ", "Conf. ")
		if d.stp.TC {
			name += "TC + "
		}
		cost, port := binary.BigEndian.Uint32(data[13:]), binary.BigEndian.Uint16(data[25:])
		root := binary.BigEndian.Uint16(data[5:])
		d.info = d.info.add(name).add("Root = ").int(int(root&0xf000)).add("/").int(int(root&0xfff)).add("/").mac(data[7:13]).
			add("  Cost = ").uint(uint64(cost)).add("  Port = ").hex(uint64(port), 4)
		d.brief = d.brief.add("spanning tree")
		return
	}
	if len(data) >= 4 && data[3] == 0x80 {
		d.info = d.info.add("Topology Change Notification")
		return
	}
	d.info = d.info.add("Truncated STP")
}

// readLLDP is IEEE 802.1AB §8: type and length in 16 bits, then the value.
func (d *Decoder) readLLDP(data []byte) {
	d.out.Protocol = "LLDP"
	for len(data) >= 2 {
		head := binary.BigEndian.Uint16(data)
		kind, size := head>>9, int(head&0x1ff)
		if kind == 0 || 2+size > len(data) {
			break
		}
		value := data[2 : 2+size]
		switch {
		case kind == 1 && size > 1:
			d.info = d.info.add("Chassis ")
			if value[0] == 4 {
				d.info = d.info.mac(value[1:])
			} else {
				d.info = d.info.safe(value[1:], 40)
			}
		case kind == 2 && size > 1:
			d.info = d.info.add(", port ")
			if value[0] == 3 {
				d.info = d.info.mac(value[1:])
			} else {
				d.info = d.info.safe(value[1:], 40)
			}
		case kind == 3 && size == 2:
			d.info = d.info.add(", TTL ").int(int(binary.BigEndian.Uint16(value))).add(" s")
		case kind == 5:
			d.info = d.info.add(", system ").safe(value, 40)
		}
		data = data[2+size:]
	}
	if len(d.info) == 0 {
		d.info = d.info.add("Truncated LLDP")
	}
}
