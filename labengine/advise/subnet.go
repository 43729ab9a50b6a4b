package advise

import (
	"net/netip"
	"slices"

	"vethlab/labengine"
	"vethlab/labengine/topology"
)

// subnetAddresses finds hosts that have a subnet's own address or its broadcast address. Of the first, RFC 1122 §3.2.1.3 says that
// it is nobody's, and of the second that it is everybody's.
func (a *adviser) subnetAddresses() {
	for _, node := range a.Nodes {
		if node.Kind == labengine.LAN {
			continue
		}
		for _, i := range node.Interfaces {
			for _, p := range i.Prefixes {
				if !p.Addr().Is4() || p.Bits() > 30 || i.IsPort() { // in a /31 both are hosts: RFC 3021
					continue
				}
				what := ""
				switch p.Addr() {
				case p.Masked().Addr():
					what = "which names the subnet itself: it is no host's"
				case broadcastOf(p):
					what = "the subnet's broadcast address: what is sent to it is for everybody, and nobody's to answer"
				default:
					continue
				}
				var edits []labengine.Edit
				free := a.freeBeside(i, p)
				if free.IsValid() {
					edits = []labengine.Edit{deleteAddress(i, p), addAddress(i, free)}
				}
				a.say(labengine.AdviceSubnetAddress, []labengine.ID{i.ID}, fix(edits, "Make it %s", free), "%s has %s, %s", i, p, what)
			}
		}
	}
}

// broadcastOf is the last address of an IPv4 subnet.
func broadcastOf(p netip.Prefix) netip.Addr {
	bytes := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(bytes)
}

// freeBeside is the first of a subnet's hosts that nobody is. It is not valid where there is none among the first 256.
func (a *adviser) freeBeside(i *topology.Interface, p netip.Prefix) netip.Prefix {
	at := p.Masked().Addr()
	for range 256 {
		at = at.Next()
		if !p.Contains(at) || at == broadcastOf(p) {
			break
		}
		if len(a.Owners(at)) == 0 && !a.expected[addressAt{i.Segment, at}] {
			return netip.PrefixFrom(at, p.Bits())
		}
	}
	return netip.Prefix{}
}

// subnetsTwice finds nodes with one subnet on two interfaces that do not hear each other: of two routes to one subnet the
// kernel takes the one that was made first, even where nothing is plugged in there, and the other leads nobody anywhere.
func (a *adviser) subnetsTwice() {
	for _, node := range a.Nodes {
		if node.Kind == labengine.LAN || node.ByRules { // which table has the routes, and who is sent there, is said elsewhere
			continue
		}
		first := map[netip.Prefix]*topology.Interface{}
		for _, i := range node.Interfaces {
			for at, p := range i.Prefixes {
				subnet := p.Masked()
				if !connects(i, p) || isAgain(i.Prefixes, at) {
					continue
				}
				other := first[subnet]
				if other == nil {
					first[subnet] = i
				} else if i.Segment != other.Segment && !chooses(node, subnet, i, other) && hasConnected(i, subnet) && hasConnected(other, subnet) {
					a.subnetTwice(subnet, other, i)
				}
			}
		}
	}
}

// isAgain says whether an address is in the same subnet as one before it.
func isAgain(prefixes []netip.Prefix, at int) bool {
	return slices.ContainsFunc(prefixes[:at], func(p netip.Prefix) bool { return p.Masked() == prefixes[at].Masked() })
}

// connects says whether the kernel makes a route to others out of an interface's address.
func connects(i *topology.Interface, p netip.Prefix) bool {
	return i.Up && !i.IsLoopback() && !i.IsPort() && i.Segment != nil && p.Bits() < p.Addr().BitLen()-1 && !p.Addr().IsLinkLocalUnicast()
}

// hasConnected says whether that route is there, in table main: of a lab that runs it is known. An address may have been given
// with `noprefixroute`, or with a metric that says which is better.
func hasConnected(i *topology.Interface, subnet netip.Prefix) bool {
	routes, to := i.Node.Live().Routes, subnet.String()
	return len(routes) == 0 || slices.ContainsFunc(routes, func(r labengine.Route) bool {
		return r.Kernel && r.Table == "" && r.Dev == i.Name && r.To == to && (r.Metric == 0 || r.IPv6)
	})
}

// chooses says whether somebody has written a route into a subnet that says which of two interfaces it is.
func chooses(node *topology.Node, subnet netip.Prefix, x, y *topology.Interface) bool {
	return slices.ContainsFunc(node.Routes, func(r *topology.Route) bool {
		return !r.Kernel && (r.Out == x || r.Out == y) && !r.Gateway.IsValid() && r.Prefix.Overlaps(subnet) && r.Prefix.Bits() >= subnet.Bits()
	})
}

func (a *adviser) subnetTwice(subnet netip.Prefix, x, y *topology.Interface) {
	if !hasNeighbour(x, subnet) && !hasNeighbour(y, subnet) { // half drawn
		return
	}
	if !isUnplugged(y) && isUnplugged(x) {
		x, y = y, x
	}
	var edits []labengine.Edit
	if isUnplugged(y) {
		for _, p := range y.Prefixes {
			if p.Masked() == subnet {
				edits = append(edits, deleteAddress(y, p))
			}
		}
	}
	a.say(labengine.AdviceSubnetTwice, interfaceIDs([]*topology.Interface{y, x}), fix(edits, "Take %s from %s", subnet, y.Name),
		"%s has addresses of %s on %s and on %s, which are not joined: it sends all to one of them, and whoever is behind the other gets nothing",
		y.Node.Label, subnet, x.Name, y.Name)
}

// hasNeighbour says whether somebody else of a subnet is where an interface is.
func hasNeighbour(i *topology.Interface, subnet netip.Prefix) bool {
	return slices.ContainsFunc(i.Segment.Members, func(other *topology.Interface) bool {
		return other.Node != i.Node && slices.ContainsFunc(other.Prefixes, func(p netip.Prefix) bool { return subnet.Contains(p.Addr()) })
	})
}

// isUnplugged says whether nobody can be where an interface is.
func isUnplugged(i *topology.Interface) bool {
	return i.Peer == nil && !i.Segment.Open && len(i.Segment.Ports) == 0 && len(i.Segment.Members) == 1
}
