// Package topology is a lab as its packets see it: which interfaces hear each other, where a node sends what it has for an
// address, and who takes it there. It is pure: what the kernel would do is worked out from the lab alone, and from the little
// that a running lab says besides.
//
// A [Network] is made from a lab once, and asked often: making it costs what the lab has, an answer costs what it says.
package topology

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"vethlab/labengine"
)

// Network is a lab with everything at hand that packets meet. It is not changed once it is made.
type Network struct {
	Lab      labengine.Lab
	Nodes    []*Node    // in the order of the file, switches among them
	Segments []*Segment // in the order of their first interface

	nodes      map[labengine.ID]*Node
	interfaces map[labengine.ID]*Interface
	owners     map[netip.Addr][]*Interface // who has an address, in the order of nodes
}

// Node is a network namespace with what decides where its packets go.
type Node struct {
	labengine.Node
	Label      string       // as people call it: "red", or "host/red" where red alone would be ambiguous
	Interfaces []*Interface // loopback first, then by name
	Routes     []*Route     // of table main, those that addresses make included; in the order of the file, the kernel's own first
	ByRules    bool         // rules of its own choose the table that a packet is routed by

	tables [2]table            // IPv4, IPv6
	local  map[netip.Addr]bool // nil of a node with few addresses, which are soon looked through
	live   labengine.NodeState
	rules  *labengine.Firewall
}

// Interface is a network device with where it is.
type Interface struct {
	labengine.Interface
	Node     *Node
	Prefixes []netip.Prefix // its addresses, in their order
	Peer     *Interface     // the other end of its cable; nil where it has none
	Cable    labengine.ID
	Master   *Interface // the bridge that it is a port of
	Parent   *Interface // what it sends through
	Segment  *Segment   // who hears what it sends; nil of a loopback

	index int // among all
}

// few is how many of something are looked through rather than indexed: most nodes have that few, and a map costs more.
const few = 12

// New looks at a lab. Of a running one, live says what the document has no word for.
func New(lab labengine.Lab, live labengine.Live) *Network {
	n := &Network{
		Lab: lab, nodes: make(map[labengine.ID]*Node, len(lab.Nodes)),
		interfaces: make(map[labengine.ID]*Interface, len(lab.Interfaces)),
		owners:     make(map[netip.Addr][]*Interface, len(lab.Interfaces)),
	}
	n.addNodes(live)
	n.addInterfaces()
	n.addSegments()
	for _, node := range n.Nodes {
		node.addRoutes()
	}
	return n
}

func (n *Network) addNodes(live labengine.Live) {
	called := make(map[string]int, len(n.Lab.Nodes))
	for _, node := range n.Lab.Nodes {
		called[node.Name]++
	}
	slab := make([]Node, 0, len(n.Lab.Nodes))
	for id, node := range n.Lab.Nodes {
		slab = append(slab, Node{Node: node, Label: node.Name, ByRules: len(node.IPRules) > 0})
		added := &slab[len(slab)-1]
		if called[node.Name] > 1 && node.In != "" {
			added.Label = n.Lab.Nodes[node.In].Name + "/" + node.Name
		}
		if state := live.Nodes[id]; state != nil {
			added.live = *state
		}
		added.rules = live.Firewalls[id]
		n.nodes[id] = added
		n.Nodes = append(n.Nodes, added)
	}
	slices.SortFunc(n.Nodes, func(a, b *Node) int { return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.ID, b.ID)) })
}

func (n *Network) addInterfaces() {
	slab := make([]Interface, 0, len(n.Lab.Interfaces))
	for id, i := range n.Lab.Interfaces {
		node := n.nodes[i.Node]
		if node == nil {
			continue
		}
		slab = append(slab, Interface{Interface: i, Node: node, index: len(slab)})
		added := &slab[len(slab)-1]
		for _, text := range i.Addresses {
			if p, err := netip.ParsePrefix(text); err == nil {
				added.Prefixes = append(added.Prefixes, p)
			}
		}
		n.interfaces[id] = added
		node.Interfaces = append(node.Interfaces, added)
	}
	for _, c := range n.Lab.Cables {
		if a, b := n.interfaces[c.Ends[0]], n.interfaces[c.Ends[1]]; a != nil && b != nil {
			a.Peer, b.Peer, a.Cable, b.Cable = b, a, c.ID, c.ID
		}
	}
	for _, node := range n.Nodes {
		if len(node.Interfaces) > few {
			node.local = map[netip.Addr]bool{}
		}
		slices.SortFunc(node.Interfaces, func(a, b *Interface) int {
			return cmp.Or(compareBool(b.Kind == labengine.Loopback, a.Kind == labengine.Loopback), cmp.Compare(a.Name, b.Name))
		})
		for _, i := range node.Interfaces {
			i.Master, i.Parent = n.interfaces[i.Interface.Master], n.interfaces[i.Interface.Parent]
			for _, p := range i.Prefixes {
				n.owners[p.Addr()] = append(n.owners[p.Addr()], i)
				if node.local != nil {
					node.local[p.Addr()] = true
				}
			}
		}
	}
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// Node is the node with this ID; nil where the lab has none.
func (n *Network) Node(id labengine.ID) *Node { return n.nodes[id] }

// Interface is the interface with this ID; nil where the lab has none.
func (n *Network) Interface(id labengine.ID) *Interface { return n.interfaces[id] }

// Owners are the interfaces of the lab that have an address, in the order of nodes.
func (n *Network) Owners(a netip.Addr) []*Interface { return n.owners[a] }

// String is how people call an interface: "veth-red of red".
func (i *Interface) String() string { return i.Name + " of " + i.Node.Label }

// Has says whether one of the interface's addresses is this one.
func (i *Interface) Has(a netip.Addr) bool {
	return slices.ContainsFunc(i.Prefixes, func(p netip.Prefix) bool { return p.Addr() == a })
}

// HasFamily says whether the interface has an address of IPv6, or of IPv4.
func (i *Interface) HasFamily(ipv6 bool) bool {
	return slices.ContainsFunc(i.Prefixes, func(p netip.Prefix) bool { return p.Addr().Is6() == ipv6 })
}

// IsPort says whether the interface is a port of a bridge: what arrives at it is the bridge's.
func (i *Interface) IsPort() bool { return i.Interface.Master != "" }

// IsLoopback says whether the interface is a node's lo.
func (i *Interface) IsLoopback() bool { return i.Kind == labengine.Loopback }

// Owns says whether packets for an address end in the node; in the internet those do that are for its hosts.
func (n *Node) Owns(a netip.Addr) bool {
	if n.Kind == labengine.Internet && slices.Contains(public, a) {
		return true
	}
	if n.local != nil {
		return a.IsLoopback() || n.local[a]
	}
	return a.IsLoopback() || slices.ContainsFunc(n.Interfaces, func(i *Interface) bool { return i.Has(a) })
}

var public = labengine.PublicAddresses()

// Setting is the value of one of the node's settings, as sysctl(8) names them; "" where neither the node nor a fresh
// namespace is known to have one.
func (n *Node) Setting(name string) string {
	for _, s := range n.Sysctls {
		if value, ok := strings.CutPrefix(s, name+"="); ok {
			return value
		}
	}
	fresh, _ := labengine.FreshSysctl(name)
	return fresh
}

// Forwards says whether the node passes on what is not for itself, on some of its interfaces at least.
func (n *Node) Forwards(ipv6 bool) bool {
	if n.Kind == labengine.Internet {
		return true
	}
	family := "net.ipv4."
	if ipv6 {
		family = "net.ipv6."
	}
	return slices.ContainsFunc(n.Sysctls, func(s string) bool {
		name, value, _ := strings.Cut(s, "=")
		name, ours := strings.CutPrefix(strings.ReplaceAll(name, "/", "."), family)
		return ours && value != "0" && (name == "ip_forward" || strings.HasPrefix(name, "conf.") && strings.HasSuffix(name, ".forwarding"))
	})
}

// proxies says whether the node answers ARP for others.
func (n *Node) proxies() bool {
	return slices.ContainsFunc(n.Sysctls, func(s string) bool {
		return strings.Contains(s, "proxy_arp") && !strings.HasSuffix(s, "=0")
	})
}

// Live is what a running lab says of the node; empty where it says nothing.
func (n *Node) Live() labengine.NodeState { return n.live }

// Firewall is what a running lab says of the node's rules; nil where it says nothing.
func (n *Node) Firewall() *labengine.Firewall { return n.rules }

// Neighbours are the entries that somebody has made by hand in the node's ARP and NDP tables, as far as a running lab tells.
func (n *Node) Neighbours() []labengine.Neighbour {
	return slices.DeleteFunc(slices.Clone(n.live.Neighbours), func(x labengine.Neighbour) bool { return x.State != "PERMANENT" })
}
