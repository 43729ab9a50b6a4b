package advise

import (
	"net/netip"
	"slices"

	"vethlab/labengine"
	"vethlab/labengine/topology"
)

// portAddresses finds addresses on ports of bridges: what arrives at a port is the bridge's, and so are the answers to ARP. An
// internal port of Open vSwitch is there to have them.
func (a *adviser) portAddresses() {
	for _, node := range a.Nodes {
		for _, i := range node.Interfaces {
			if i.Master == nil || !labengine.HasPorts(i.Master.Kind) || len(i.Prefixes) == 0 || i.Kind == labengine.Internal {
				continue
			}
			bridge := i.Master
			name, label := bridge.Name, "Move %s to %s"
			if node.Kind == labengine.LAN {
				name, label = node.Label, "Take %s from the port of %s"
			}
			var edits []labengine.Edit
			var texts []string
			for _, p := range i.Prefixes {
				texts = append(texts, p.String())
				edits = append(edits, deleteAddress(i, p))
				if node.Kind != labengine.LAN && !slices.Contains(bridge.Prefixes, p) {
					edits = append(edits, addAddress(bridge, p))
				}
			}
			a.say(labengine.AdvicePortAddress, interfaceIDs([]*topology.Interface{i, bridge}), fix(edits, label, list(texts), name),
				"%s has %s, but it is a port of %s: a port is only a socket of the switch, and what arrives there is the bridge's",
				i, list(texts), name)
		}
	}
}

// hostPrefixes finds addresses that have nobody else in their subnet where there is somebody on the link.
func (a *adviser) hostPrefixes() {
	for _, node := range a.Nodes {
		for _, i := range node.Interfaces {
			for _, ipv6 := range families {
				single, meant, ok := a.hostPrefix(i, ipv6)
				if !ok {
					continue
				}
				a.say(labengine.AdviceHostPrefix, []labengine.ID{i.ID},
					fix([]labengine.Edit{deleteAddress(i, single), addAddress(i, meant)}, "Make it %s", meant),
					"%s has %s, a subnet of one address: %s has no route to anybody else on %s", i, single, node.Label, i.Segment.Name())
			}
		}
	}
}

// hostPrefix says whether an interface has nothing but such addresses, its first one, and what was probably meant.
func (a *adviser) hostPrefix(i *topology.Interface, ipv6 bool) (single, meant netip.Prefix, ok bool) {
	if i.Segment == nil || i.IsPort() || i.Kind == labengine.Dummy || i.Node.Kind == labengine.LAN || a.routed[i] {
		return single, meant, false
	}
	for _, p := range i.Prefixes {
		switch {
		case p.Addr().Is6() != ipv6:
		case !p.IsSingleIP():
			return single, meant, false
		case !ok:
			single, ok = p, true
		}
	}
	if !ok || peerRoute(i) || len(i.Segment.Members) < 2 && i.Peer == nil && len(i.Segment.Ports) == 0 {
		return single, meant, false
	}
	bits := 24
	if ipv6 {
		bits = 64
	}
	narrowest := 0
	for _, other := range i.Segment.Members {
		for _, p := range other.Prefixes {
			if other != i && !p.IsSingleIP() && p.Contains(single.Addr()) {
				narrowest = max(narrowest, p.Bits())
			}
		}
	}
	if narrowest > 0 {
		bits = narrowest
	}
	return single, netip.PrefixFrom(single.Addr(), bits), true
}

// peerRoute says whether the kernel has made routes out of an interface that its addresses alone would not make: there is a
// peer address, or a router has advertised itself.
func peerRoute(i *topology.Interface) bool {
	return slices.ContainsFunc(i.Node.Routes, func(r *topology.Route) bool {
		return r.Out == i && r.Kernel && (r.Gateway.IsValid() || r.Prefix.IsSingleIP())
	})
}

// addressesTwice finds addresses that two interfaces on a segment have: whoever answers ARP first gets what the other one
// waits for.
func (a *adviser) addressesTwice() {
	for _, s := range a.Segments {
		if s.Split || len(s.Members) < 2 {
			continue
		}
		var said []netip.Addr
		for _, i := range s.Members {
			for _, p := range i.Prefixes {
				if !slices.Contains(said, p.Addr()) && len(a.speakers(s, p.Addr())) > 1 {
					said = append(said, p.Addr())
					a.addressTwice(s, p.Addr())
				}
			}
		}
	}
}

// speakers are those who have an address on a segment, each once.
func (a *adviser) speakers(s *topology.Segment, address netip.Addr) []*topology.Interface {
	if all := a.Owners(address); len(all) > len(s.Members) { // the same network, many times over
		return s.Owners(address)
	} else if len(all) < 2 && (len(all) == 0 || all[0].Segment == s && !all[0].IsPort()) {
		return all
	}
	var found []*topology.Interface
	for _, i := range a.Owners(address) {
		again := len(found) > 0 && found[len(found)-1] == i // in another length
		if i.Segment == s && !i.IsPort() && i.Node.Kind != labengine.LAN && !again {
			found = append(found, i)
		}
	}
	return found
}

func (a *adviser) addressTwice(s *topology.Segment, address netip.Addr) {
	var twins []*topology.Interface
	for _, i := range a.speakers(s, address) {
		if i.Up {
			twins = append(twins, i)
		}
	}
	if len(twins) < 2 {
		return
	}
	ipv6 := address.Is6()
	keeper := twins[0] // others may send through it
	for _, i := range twins {
		if a.routes(i.Node, ipv6) && !a.routes(keeper.Node, ipv6) {
			keeper = i
		}
	}
	var edits []labengine.Edit
	var free netip.Prefix
	for _, i := range twins {
		if i == keeper {
			continue
		}
		bits := 0 // an interface may have it in several lengths
		for _, p := range i.Prefixes {
			if p.Addr() == address {
				edits = append(edits, deleteAddress(i, p))
				bits = max(bits, p.Bits())
			}
		}
		from := address
		if free.IsValid() {
			from = free.Addr()
		}
		if free = a.freeAddress(s, netip.PrefixFrom(from, bits)); free.IsValid() {
			edits = append(edits, addAddress(i, free))
		}
	}
	others := slices.DeleteFunc(slices.Clone(twins), func(i *topology.Interface) bool { return i == keeper })
	names := list(called(others))
	label := "Take it from " + names
	if free.IsValid() && len(others) == 1 {
		label = "Make " + names + " " + free.String()
	} else if free.IsValid() {
		label = "Give " + names + " another one"
	}
	a.say(labengine.AdviceAddressTwice, interfaceIDs(twins), fix(edits, "%s", label),
		"%s %s have %s on %s: who sends to it reaches now one, now the other",
		list(called(twins)), choose(len(twins)-1, "both", "all"), address, s.Name())
}

// freeAddress is the next address of a subnet that nobody on the segment has or takes for a gateway; not valid where there
// is none. The search ends after 65,536.
func (a *adviser) freeAddress(s *topology.Segment, after netip.Prefix) netip.Prefix {
	if after.IsSingleIP() {
		return netip.Prefix{}
	}
	subnet := after.Masked()
	next := after.Addr().Next()
	for range 1 << 16 {
		if !subnet.Contains(next) {
			next = subnet.Addr()
		}
		if len(a.speakers(s, next)) == 0 && !a.expected[addressAt{s, next}] && !isEdge(next, subnet) {
			return netip.PrefixFrom(next, after.Bits())
		}
		if next == after.Addr() {
			break
		}
		next = next.Next()
	}
	return netip.Prefix{}
}

// isEdge says whether an address is the first of its subnet or, of IPv4, the last: no interface's, RFC 1122 §3.2.1.3. A /31
// has no such, RFC 3021.
func isEdge(address netip.Addr, subnet netip.Prefix) bool {
	if subnet.Bits() >= address.BitLen()-1 {
		return false
	}
	return address == subnet.Addr() || address.Is4() && !subnet.Contains(address.Next())
}

// differentSubnets finds two ends of a cable that cannot talk, and whoever is alone in its subnet where everyone else is
// in another one.
func (a *adviser) differentSubnets() {
	for _, s := range a.Segments {
		if s.Split || s.Open || len(s.Members) < 2 {
			continue
		}
		for _, ipv6 := range families {
			if speaking := s.Speaking(ipv6); len(speaking) == 2 && joined(speaking[0], speaking[1]) {
				a.differentEnds(s, speaking[0], speaking[1], ipv6)
			} else if len(speaking) > 2 {
				a.oddOne(s, speaking, ipv6)
			}
		}
	}
}

// joined says whether one cable joins two interfaces; one of them may be the bridge that it goes into.
func joined(x, y *topology.Interface) bool {
	into := func(i, bridge *topology.Interface) bool { return i.Peer != nil && i.Peer.Master == bridge }
	return x.Peer == y || into(x, y) || into(y, x)
}

func (a *adviser) differentEnds(s *topology.Segment, x, y *topology.Interface, ipv6 bool) {
	if x.Node == y.Node || meet(x, y) || a.routed[x] || a.routed[y] || peerRoute(x) || peerRoute(y) {
		return
	}
	p, q := subnetOf(x, ipv6), subnetOf(y, ipv6)
	if !p.IsValid() || !q.IsValid() {
		return
	}
	if a.routes(y.Node, ipv6) && !a.routes(x.Node, ipv6) {
		x, y, p, q = y, x, q, p
	}
	meant := a.like(s, q, p)
	var edits []labengine.Edit
	if meant.IsValid() {
		edits = []labengine.Edit{deleteAddress(y, q), addAddress(y, meant)}
	}
	on := interfaceIDs([]*topology.Interface{y, x})
	a.say(labengine.AdviceDifferentSubnets, on, fix(edits, "Make it %s", meant),
		"%s has %s and %s has %s: the two ends of a cable are in one subnet, or they do not reach each other", x, p, y, q)
}

// oddOne finds the only one in another subnet than the rest.
func (a *adviser) oddOne(s *topology.Segment, speaking []*topology.Interface, ipv6 bool) {
	counts := map[netip.Prefix]int{}
	for _, i := range speaking {
		if p := subnetOf(i, ipv6); p.IsValid() {
			counts[p.Masked()]++
		}
	}
	var odd, other *topology.Interface
	for _, i := range speaking {
		p := subnetOf(i, ipv6)
		switch {
		case !p.IsValid():
			return
		case counts[p.Masked()] == len(speaking)-1:
			other = i
		case odd == nil:
			odd = i
		}
	}
	if odd == nil || other == nil || a.routed[odd] || peerRoute(odd) {
		return
	}
	for _, i := range speaking {
		for _, p := range i.Prefixes {
			for _, q := range odd.Prefixes {
				if i != odd && (p.Contains(q.Addr()) || q.Contains(p.Addr())) {
					return
				}
			}
		}
	}
	p, q := subnetOf(other, ipv6), subnetOf(odd, ipv6)
	meant := a.like(s, q, p)
	var edits []labengine.Edit
	if meant.IsValid() {
		edits = []labengine.Edit{deleteAddress(odd, q), addAddress(odd, meant)}
	}
	a.say(labengine.AdviceDifferentSubnets, []labengine.ID{odd.ID}, fix(edits, "Make it %s", meant),
		"%s has %s, and everyone else on %s is in %s: nobody there reaches it", odd, q, s.Name(), p.Masked())
}

// meet says whether two interfaces take each other to be on the link, by some of their addresses.
func meet(x, y *topology.Interface) bool {
	for _, p := range x.Prefixes {
		for _, q := range y.Prefixes {
			if p.Contains(q.Addr()) && q.Contains(p.Addr()) {
				return true
			}
		}
	}
	return false
}

// subnetOf is an interface's first address that is one of a subnet; not valid where it has none, or one that is none.
func subnetOf(i *topology.Interface, ipv6 bool) netip.Prefix {
	for _, p := range i.Prefixes {
		if p.Addr().Is6() == ipv6 {
			if p.IsSingleIP() {
				return netip.Prefix{}
			}
			return p
		}
	}
	return netip.Prefix{}
}

// like is an address with a subnet's network and its own host part, or the next that is free; not valid where none is.
func (a *adviser) like(s *topology.Segment, address, subnet netip.Prefix) netip.Prefix {
	network, own := subnet.Masked().Addr().AsSlice(), address.Addr().AsSlice()
	for bit := subnet.Bits(); bit < len(network)*8; bit++ {
		network[bit/8] |= own[bit/8] & (0x80 >> (bit % 8))
	}
	meant, _ := netip.AddrFromSlice(network)
	if len(a.speakers(s, meant)) > 0 || isEdge(meant, subnet.Masked()) {
		return a.freeAddress(s, netip.PrefixFrom(subnet.Addr(), subnet.Bits()))
	}
	return netip.PrefixFrom(meant, subnet.Bits())
}
