package kernel

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

var native = binary.NativeEndian

// header is what matters of struct nlmsghdr, netlink(7).
type header struct {
	kind, flags uint16
	seq         uint32
}

// netlinkMessages yields the header and body of each message in a datagram, netlink(7).
func netlinkMessages(data []byte) iter.Seq2[header, []byte] {
	return func(yield func(header, []byte) bool) {
		for len(data) >= unix.SizeofNlMsghdr {
			length := int(native.Uint32(data))
			if length < unix.SizeofNlMsghdr || length > len(data) {
				return
			}
			h := header{kind: native.Uint16(data[4:]), flags: native.Uint16(data[6:]), seq: native.Uint32(data[8:])}
			if !yield(h, data[unix.SizeofNlMsghdr:length]) {
				return
			}
			data = data[min(align(length), len(data)):]
		}
	}
}

// attributes yields the type and value of each attribute behind a header of so many bytes, rtnetlink(7).
func attributes(body []byte, header int) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		if len(body) < header {
			return
		}
		for data := body[align(header):]; len(data) >= unix.SizeofRtAttr; {
			length := int(native.Uint16(data))
			if length < unix.SizeofRtAttr || length > len(data) {
				return
			}
			if !yield(native.Uint16(data[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), data[unix.SizeofRtAttr:length]) {
				return
			}
			data = data[min(align(length), len(data)):]
		}
	}
}

func align(length int) int { return (length + 3) &^ 3 }

// take records one event.
func (w *World) take(n *Netns, kind uint16, body []byte) {
	switch kind {
	case unix.RTM_NEWLINK:
		w.takeLink(n, body)
	case unix.RTM_DELLINK:
		w.loseLink(n, body)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		w.takeAddress(n, body, kind == unix.RTM_NEWADDR)
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		w.takeNeighbour(n, body, kind == unix.RTM_NEWNEIGH)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if !isOfTableLocal(body) { // which the kernel keeps, and each link has entries in
			w.markRoutes(n)
		}
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		w.markRoutes(n)
	case unix.RTM_NEWQDISC, unix.RTM_DELQDISC:
		w.takeQdisc(n, body, kind == unix.RTM_NEWQDISC)
	case unix.RTM_NEWNETCONF, rtmDelNetconf:
		w.TouchSysctls(n, false)
	}
}

// rtmDelNetconf is RTM_DELNETCONF, uapi/linux/rtnetlink.h.
const rtmDelNetconf = 81

func (w *World) markRoutes(n *Netns) {
	d := w.dirtyIn[n]
	d.routes = true
	w.dirtyIn[n] = d
}

func (w *World) markNeighbours(n *Netns) {
	d := w.dirtyIn[n]
	d.neighbours = true
	w.dirtyIn[n] = d
}

// indexOf is the link that a struct ifinfomsg is about.
func indexOf(body []byte) int { return int(int32(native.Uint32(body[4:]))) }

func (w *World) takeLink(n *Netns, body []byte) {
	if len(body) < unix.SizeofIfInfomsg {
		return
	}
	if body[0] == unix.AF_BRIDGE { // a bridge tells of its ports
		w.markVLANs(n)
		return
	}
	index := indexOf(body)
	fresh := Link{Index: index, Flags: native.Uint32(body[8:]), PeerNsid: -1, Kind: "ether", pvid: -1}
	if native.Uint16(body[2:]) == unix.ARPHRD_LOOPBACK {
		fresh.Kind = labengine.Loopback
	}
	var info []byte
	for t, v := range attributes(body, unix.SizeofIfInfomsg) {
		switch t {
		case unix.IFLA_IFNAME:
			fresh.Name = text(v)
		case unix.IFLA_MTU:
			fresh.MTU = int(native.Uint32(v))
		case unix.IFLA_ADDRESS:
			fresh.MAC = net.HardwareAddr(v).String()
		case unix.IFLA_LINK:
			fresh.Peer = int(int32(native.Uint32(v)))
		case unix.IFLA_LINK_NETNSID:
			fresh.PeerNsid = int32(native.Uint32(v))
		case unix.IFLA_IFALIAS:
			fresh.Alias = labengine.AliasSeen(text(v))
		case unix.IFLA_OPERSTATE:
			fresh.OperState = v[0]
		case unix.IFLA_MASTER:
			fresh.Master = int(native.Uint32(v))
		case unix.IFLA_LINKINFO:
			info = v
		}
	}
	old, known := n.Links[index]
	fresh.takeInfo(info, old)
	if fallbackDevices[fresh.Name] && fresh.Flags&unix.IFF_UP == 0 {
		return
	}
	if fresh.Kind == labengine.Loopback || fresh.MAC == noMAC { // a bridge without ports has none until it is given one
		fresh.MAC = ""
	}
	n.takeSwitch(&fresh, old)
	if known && old.same(&fresh) {
		return
	}
	if known {
		fresh.Addresses, fresh.ID, fresh.Doomed, fresh.Impair = old.Addresses, old.ID, old.Doomed, old.Impair
		fresh.vlans = old.vlans
		if n.names[old.Name] == index {
			delete(n.names, old.Name)
		}
		if old.Up() != fresh.Up() || old.Name != fresh.Name {
			w.markRoutes(n) // the kernel drops a link's routes without a word
			w.markNeighbours(n)
		}
		*old = fresh // whoever holds the link, holds what it is now
	} else {
		n.Links[index] = &fresh
	}
	n.names[fresh.Name] = index
	if fresh.pvid >= 0 || fresh.Master != 0 {
		w.markVLANs(n)
	}
	w.dirty[linkKey{n.Key, index}] = true
	if fresh.Kind == labengine.OVS && !known {
		w.overlay(n) // its ports may have been there before it
	}
}

const noMAC = "00:00:00:00:00:00"

// fallbackDevices are made by the kernel in each namespace when a tunnel's module is loaded, or by Open vSwitch for its
// datapath; down, they are nobody's.
var fallbackDevices = map[string]bool{
	"sit0": true, "tunl0": true, "gre0": true, "gretap0": true, "erspan0": true, "ip6tnl0": true, "ip6gre0": true,
	"ip_vti0": true, "ip6_vti0": true, "ovs-netdev": true,
}

func (w *World) loseLink(n *Netns, body []byte) {
	if len(body) < unix.SizeofIfInfomsg || body[0] == unix.AF_BRIDGE {
		return
	}
	index := indexOf(body)
	l, ok := n.Links[index]
	if !ok {
		return
	}
	delete(n.Links, index)
	if n.names[l.Name] == index {
		delete(n.names, l.Name)
	}
	if l.Kind == labengine.OVS {
		w.overlay(n) // its ports are ports no more
	}
	for k := range n.Neigh {
		if k.index == index {
			delete(n.Neigh, k)
			w.markNeighbours(n)
		}
	}
	w.dirty[linkKey{n.Key, index}] = true
	for t := range attributes(body, unix.SizeofIfInfomsg) {
		if t == unix.IFLA_NEW_NETNSID {
			w.moved[linkKey{n.Key, index}] = true
		}
	}
	w.markRoutes(n)
}

// Attribute and values that x/sys/unix lacks, uapi/linux/if_addr.h.
const (
	ifaProto        = 11
	ifaProtoKernel1 = 1 // IFAPROT_KERNEL_LO
	ifaProtoKernel3 = 3 // IFAPROT_KERNEL_LL
)

func (w *World) takeAddress(n *Netns, body []byte, added bool) {
	if len(body) < unix.SizeofIfAddrmsg {
		return
	}
	l, ok := n.Links[int(native.Uint32(body[4:]))]
	if !ok {
		return
	}
	a := Address{Scope: body[3], Secondary: body[0] == unix.AF_INET && body[2]&unix.IFA_F_SECONDARY != 0}
	var ip, peer netip.Addr
	known := false // who made it
	for t, v := range attributes(body, unix.SizeofIfAddrmsg) {
		switch t {
		case unix.IFA_LOCAL:
			ip, _ = netip.AddrFromSlice(v)
		case unix.IFA_ADDRESS: // the other end's of a point-to-point link; else the same
			peer, _ = netip.AddrFromSlice(v)
		case ifaProto:
			a.Kernel = v[0] >= ifaProtoKernel1 && v[0] <= ifaProtoKernel3
			known = true
		}
	}
	if !ip.IsValid() {
		ip = peer
	}
	if !ip.IsValid() {
		return
	}
	a.Prefix = netip.PrefixFrom(ip, int(body[1]))
	if peer.IsValid() && peer != ip {
		a.Peer = netip.PrefixFrom(peer, int(body[1]))
	}
	if !known { // before Linux 5.18
		loopback := l.Kind == labengine.Loopback && (a.Prefix.String() == "127.0.0.1/8" || a.Prefix.String() == "::1/128")
		a.Kernel = loopback || a.Prefix == linkLocal(l.MAC)
	}
	w.dirty[linkKey{n.Key, l.Index}] = true
	at := slices.IndexFunc(l.Addresses, func(b Address) bool { return b.Prefix == a.Prefix && b.Peer == a.Peer })
	l.Addresses = slices.Clone(l.Addresses)
	switch {
	case !added && at >= 0:
		l.Addresses = slices.Delete(l.Addresses, at, at+1)
		w.markRoutes(n) // some go with it
	case added && at >= 0 && l.Addresses[at].Secondary == a.Secondary:
		l.Addresses[at] = a
	case added:
		if at >= 0 { // promoted
			l.Addresses = slices.Delete(l.Addresses, at, at+1)
		}
		l.Addresses = slices.Insert(l.Addresses, placeFor(l.Addresses, a), a)
	}
}

// linkLocal is the address that the kernel makes of a MAC, RFC 4291 appendix A.
func linkLocal(mac string) netip.Prefix {
	m, err := net.ParseMAC(mac)
	if err != nil || len(m) != 6 {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}), 64)
}

// placeFor is where the kernel lists a new address: primary ones of IPv4 before secondary ones (inet_insert_ifa in
// net/ipv4/devinet.c), each in the order in which they were added.
func placeFor(list []Address, a Address) int {
	if !a.Prefix.Addr().Is4() || a.Secondary {
		return len(list)
	}
	at := slices.IndexFunc(list, func(b Address) bool { return b.Secondary })
	if at < 0 {
		return len(list)
	}
	return at
}

// The layout of struct ndmsg, uapi/linux/neighbour.h.
const sizeofNdmsg = 12

func (w *World) takeNeighbour(n *Netns, body []byte, added bool) {
	if len(body) < sizeofNdmsg || body[0] != unix.AF_INET && body[0] != unix.AF_INET6 {
		return
	}
	key := neighKey{index: int(int32(native.Uint32(body[4:])))}
	state := native.Uint16(body[8:])
	var neighbour labengine.Neighbour
	for t, v := range attributes(body, sizeofNdmsg) {
		switch t {
		case unix.NDA_DST:
			key.ip, _ = netip.AddrFromSlice(v)
		case unix.NDA_LLADDR:
			neighbour.MAC = net.HardwareAddr(v).String()
		}
	}
	if !key.ip.IsValid() || state&unix.NUD_NOARP != 0 {
		return
	}
	if !added {
		delete(n.Neigh, key)
	} else {
		neighbour.IP, neighbour.State = key.ip.String(), neighbourState(state)
		if state&(unix.NUD_INCOMPLETE|unix.NUD_FAILED) != 0 {
			neighbour.MAC = ""
		}
		n.Neigh[key] = neighbour
	}
	w.markNeighbours(n)
}

func neighbourState(state uint16) string {
	switch {
	case state&unix.NUD_PERMANENT != 0:
		return "PERMANENT"
	case state&unix.NUD_REACHABLE != 0:
		return "REACHABLE"
	case state&unix.NUD_STALE != 0:
		return "STALE"
	case state&unix.NUD_DELAY != 0:
		return "DELAY"
	case state&unix.NUD_PROBE != 0:
		return "PROBE"
	case state&unix.NUD_INCOMPLETE != 0:
		return "INCOMPLETE"
	case state&unix.NUD_FAILED != 0:
		return "FAILED"
	}
	return "NONE"
}

// operState is RFC 2863's word for IF_OPER_*, uapi/linux/if.h, as ip-link(8) prints it.
func operState(state uint8) string {
	names := []string{"UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"}
	if int(state) < len(names) {
		return names[state]
	}
	return fmt.Sprint(state)
}

func scope(scope uint8) string {
	switch scope {
	case unix.RT_SCOPE_UNIVERSE:
		return "global"
	case unix.RT_SCOPE_SITE:
		return "site"
	case unix.RT_SCOPE_LINK:
		return "link"
	case unix.RT_SCOPE_HOST:
		return "host"
	}
	return fmt.Sprint(scope)
}

func text(v []byte) string {
	if at := slices.Index(v, 0); at >= 0 {
		v = v[:at]
	}
	return string(v)
}
