package topology

import (
	"net/netip"
	"slices"
	"strings"

	"vethlab/labengine"
)

// Segment is a broadcast domain: what one of its interfaces sends to everyone, all hear. Cables, bridges and LANs make it
// larger; vlans are segments of their own on the same cables. Whether interfaces are up does not count: a segment is as it
// is drawn.
type Segment struct {
	Members []*Interface // that speak IP there, in the order of nodes; a bridge is one, its ports are not
	Ports   []*Interface // of bridges
	Bridges []*Interface // LANs' switches among them
	Open    bool         // others may be there that the lab does not show: behind a tunnel, or by proxy
	Split   bool         // some may not hear each other after all: vlan filtering keeps them apart
}

// addSegments joins what hears each other.
func (n *Network) addSegments() {
	j := newJoiner(len(n.interfaces))
	var vlans, vxlans []*Interface
	for _, node := range n.Nodes {
		for _, i := range node.Interfaces {
			switch i.Kind {
			case labengine.VLAN:
				vlans = append(vlans, i)
			case labengine.VXLAN:
				vxlans = append(vxlans, i)
			case labengine.MACVLAN:
				j.join(i, i.Parent)
			}
			j.join(i, i.Peer)
			j.join(i, i.Master)
		}
	}
	open := n.joinVXLANs(j, vxlans)
	j.joinVLANs(vlans)

	segments := make([]*Segment, len(n.interfaces)) // by what joiner finds
	for _, node := range n.Nodes {
		proxies := node.proxies()
		for _, i := range node.Interfaces {
			if i.IsLoopback() {
				continue
			}
			s := segments[j.find(i)]
			if s == nil {
				s = &Segment{}
				segments[j.find(i)] = s
				n.Segments = append(n.Segments, s)
			}
			i.Segment = s
			s.add(i)
			s.Open = s.Open || open[i] || isForeign(i) || proxies
			s.Split = s.Split || isFiltering(i) || i.Kind == labengine.VLAN && i.Parent != nil && i.Parent.IsPort()
		}
	}
}

func (s *Segment) add(i *Interface) {
	if labengine.HasPorts(i.Kind) {
		s.Bridges = append(s.Bridges, i)
	}
	switch {
	case i.IsPort():
		s.Ports = append(s.Ports, i)
	case i.Node.Kind != labengine.LAN:
		s.Members = append(s.Members, i)
	}
}

// isForeign says whether what is behind an interface is not in the lab: a tunnel's other end, a wire of the real machine.
func isForeign(i *Interface) bool {
	switch i.Kind {
	case labengine.Veth:
		return i.Peer == nil
	case labengine.Tun: // a program is behind it
		return true
	case labengine.Bridge, labengine.OVS, labengine.Dummy, labengine.VLAN, labengine.VXLAN, labengine.MACVLAN:
		return false
	}
	return true
}

func isFiltering(i *Interface) bool {
	return i.Kind == labengine.Bridge && i.Option("vlan_filtering") == "1" || i.Port != ""
}

// Option is the value of one of the interface's options, its default if it does not say.
func (i *Interface) Option(name string) string {
	words := strings.Fields(i.Options)
	for at := 0; at+1 < len(words); at += 2 {
		if words[at] == name {
			return words[at+1]
		}
	}
	options, _ := labengine.LinkOptions(i.Kind)
	for _, o := range options {
		if o.Name == name {
			return o.Default
		}
	}
	return ""
}

// joiner is a union-find over interfaces, by their indexes.
type joiner []int

func newJoiner(size int) joiner {
	j := make(joiner, size)
	for i := range j {
		j[i] = i
	}
	return j
}

func (j joiner) find(i *Interface) int {
	at := i.index
	for j[at] != at {
		j[at] = j[j[at]]
		at = j[at]
	}
	return at
}

// join makes two segments one. It says whether they were two.
func (j joiner) join(a, b *Interface) bool {
	if b == nil {
		return false
	}
	x, y := j.find(a), j.find(b)
	j[x] = y
	return x != y
}

// joinVLANs joins vlans with the same tag on the same segment. A vlan that is a bridge's port joins segments, and with them
// the vlans that are on them: until there are no more.
func (j joiner) joinVLANs(vlans []*Interface) {
	type tagged struct {
		below         int
		protocol, tag string
	}
	for more := true; more; {
		more = false
		first := map[tagged]*Interface{}
		for _, i := range vlans {
			if i.Parent == nil {
				continue
			}
			key := tagged{j.find(i.Parent), i.Option("protocol"), i.Option("id")}
			if other, ok := first[key]; ok {
				more = j.join(i, other) || more
			} else {
				first[key] = i
			}
		}
	}
}

// joinVXLANs joins the ends of tunnels that name each other, and lists those that may have ends which are not seen.
func (n *Network) joinVXLANs(j joiner, vxlans []*Interface) (open map[*Interface]bool) {
	type network struct {
		node     *Node // nil is any, for what a group hears
		id, port string
		group    string
	}
	ends := map[network][]*Interface{}
	of := func(i *Interface, node *Node) network {
		return network{node: node, id: i.Option("id"), port: i.Option("dstport")}
	}
	open = map[*Interface]bool{}
	for _, i := range vxlans {
		ends[of(i, i.Node)] = append(ends[of(i, i.Node)], i)
	}
	for _, i := range vxlans {
		remote, err := netip.ParseAddr(i.Option("remote"))
		switch {
		case err != nil: // it learns who is there, or is told by `bridge fdb`
			open[i] = true
		case remote.IsMulticast():
			key := of(i, nil)
			key.group = remote.String()
			if ends[key] = append(ends[key], i); len(ends[key]) > 1 {
				j.join(i, ends[key][0])
			}
		default:
			met := false
			for _, owner := range n.owners[remote] {
				for _, other := range ends[of(i, owner.Node)] {
					back, err := netip.ParseAddr(other.Option("remote"))
					if other != i && (err != nil || i.Node.Owns(back)) {
						j.join(i, other)
						met = true
					}
				}
			}
			open[i] = !met
		}
	}
	return open
}

// Name is what people call the segment: the LAN, the bridges, or the cable that it is.
func (s *Segment) Name() string {
	switch names := BridgeNames(s.Bridges); {
	case len(names) > 2:
		return strings.Join(names[:2], ", ") + " and more"
	case len(names) > 0:
		return strings.Join(names, " and ")
	case s.isCable():
		return "the cable from " + s.Members[0].Node.Label + " to " + s.Members[1].Node.Label
	case len(s.Members) > 0 && s.Members[0].Kind == labengine.VLAN:
		return "vlan " + s.Members[0].Option("id")
	}
	return "their network"
}

// BridgeNames is what people call bridges: a LAN by its own name, others by theirs, and with their nodes where two have the
// same. LANs come first.
func BridgeNames(bridges []*Interface) []string {
	called := map[string]int{}
	for _, b := range bridges {
		called[b.Name]++
	}
	var lans, names []string
	for _, b := range bridges {
		switch {
		case b.Node.Kind == labengine.LAN:
			lans = append(lans, b.Node.Label)
		case called[b.Name] > 1:
			names = append(names, b.String())
		default:
			names = append(names, b.Name)
		}
	}
	return append(lans, names...)
}

func (s *Segment) isCable() bool {
	return len(s.Members) == 2 && s.Members[0].Peer == s.Members[1]
}

// Owners are the members that have an address.
func (s *Segment) Owners(a netip.Addr) []*Interface {
	return slices.DeleteFunc(slices.Clone(s.Members), func(i *Interface) bool { return !i.Has(a) })
}

// Speaking are the members that have an address of IPv6, or of IPv4.
func (s *Segment) Speaking(ipv6 bool) []*Interface {
	return slices.DeleteFunc(slices.Clone(s.Members), func(i *Interface) bool { return !i.HasFamily(ipv6) })
}

// MembersOf are a node's members of a segment.
func (n *Network) MembersOf(node *Node, s *Segment) []*Interface {
	var found []*Interface
	if len(s.Members) < len(node.Interfaces) {
		for _, i := range s.Members {
			if i.Node == node {
				found = append(found, i)
			}
		}
		return found
	}
	for _, i := range node.Interfaces {
		if i.Segment == s && !i.IsPort() && node.Kind != labengine.LAN {
			found = append(found, i)
		}
	}
	return found
}

// hears says whether what one member sends reaches another: a macvlan and the interface below it never hear each other,
// macvlans on the same one only in mode bridge. Source: drivers/net/macvlan.c.
func hears(from, to *Interface) bool {
	if from.Kind == labengine.MACVLAN && from.Parent == to || to.Kind == labengine.MACVLAN && to.Parent == from {
		return false
	}
	if from.Kind == labengine.MACVLAN && to.Kind == labengine.MACVLAN && from.Parent == to.Parent {
		return from.Option("mode") == "bridge" && to.Option("mode") == "bridge"
	}
	return true
}
