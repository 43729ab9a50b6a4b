// Package labengine holds what a lab is and how it changes: pure values and rules, no input or output.
//
// A [Lab] is the one document that the canvas, the file and the kernel share. A gesture is an [Op], a list of [Edit]s;
// [Lab.Edit] checks it and says what it changes, as a [Patch]. A [Change] is a patch that has happened, with who did it
// and the commands it stands for; a [Journal] is a lab with its changes, and knows how to take them back. [Request] and
// [Message] are what the page, the server and the lab process say to each other.
package labengine

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// ID names a node, interface, cable or request: opaque, made by whoever makes the thing, and kept for as long as it lives.
type ID string

// Kind says what a node is in the kernel.
type Kind string

// The kinds of node. Each is described in its kernel terms.
const (
	Machine   Kind = "machine"   // a computer: root network namespace, processes, hostname and /run/netns of its own
	Namespace Kind = "namespace" // a network namespace of a machine, network_namespaces(7), pinned at /run/netns as ip-netns(8) does
	LAN       Kind = "lan"       // a switch between machines, in none of them: a bridge in a network namespace of its own
	Container Kind = "container" // network, pid, mount, uts and ipc namespaces inside a machine, with an init of their own: namespaces(7)
	Internet  Kind = "internet"  // the world outside, in no machine: an edge router, and behind it what [PublicHosts] lists
)

// Lab is a network as one document. Its maps are keyed by the ID that each value carries.
type Lab struct {
	Name       string           `json:"name"`
	Quiet      bool             `json:"quiet,omitempty"` // no IPv6 link-local addresses and one queue per veth: cheaper large labs
	Nodes      map[ID]Node      `json:"nodes"`
	Interfaces map[ID]Interface `json:"interfaces"`
	Cables     map[ID]Cable     `json:"cables"`
	Places     map[ID]Place     `json:"places"` // where things are drawn, by node or, of a bridge, by interface
}

// Node is a network namespace: a machine's own, one in a machine, a switch's between machines, or the internet's edge.
type Node struct {
	ID    ID     `json:"id"`
	Name  string `json:"name"`
	Kind  Kind   `json:"kind"`
	In    ID     `json:"in,omitempty"`   // the machine that a namespace or container is in
	Order int    `json:"order"`          // its place among the nodes of the file, ascending
	Held  string `json:"held,omitempty"` // the process that keeps a namespace without a name, as "bash (57)"; not saved

	Routes  []string `json:"routes,omitempty"`  // as ip-route(8) takes them; none that the kernel makes itself
	IPRules []string `json:"ipRules,omitempty"` // as ip-rule(8) takes them; of the three that each namespace has, `del` and those that have gone

	// The permanent entries of the ARP and NDP tables, as ip-neighbour(8) takes them; see [ParseNeighbour].
	Neighbours []string `json:"neighbours,omitempty"`

	Sysctls []string `json:"sysctls,omitempty"` // "net.ipv4.ip_forward=1", as sysctl(8) prints them: what differs from a fresh namespace

	Iptables  []string `json:"iptables,omitempty"`  // as iptables(8) takes them, without its name: -P, -N and -A, a chain's rules in order
	Ip6tables []string `json:"ip6tables,omitempty"` // the same for ip6tables(8)
	Command   string   `json:"command,omitempty"`   // of a container: what its init starts, one line for sh(1); "" is nothing
	Services  []string `json:"services,omitempty"`  // what it offers without a process of its own; see [ParseService]
}

// IsInside says whether nodes of a kind are in a machine.
func (k Kind) IsInside() bool { return k == Namespace || k == Container }

// Interface is a network device of a node, netdevice(7).
type Interface struct {
	ID        ID       `json:"id"`
	Node      ID       `json:"node"`
	Name      string   `json:"name"`
	Kind      string   `json:"kind"` // as ip-link(8) calls it: "veth", "loopback", "bridge", "dummy", …
	Up        bool     `json:"up"`   // administratively up, IFF_UP
	MTU       int      `json:"mtu"`  // bytes
	MAC       string   `json:"mac,omitempty"`
	Addresses []string `json:"addresses"` // CIDR notation, in the order in which they were added; none that the kernel makes itself

	Master  ID     `json:"master,omitempty"`  // the bridge that it is a port of, in the same node
	VLANs   string `json:"vlans,omitempty"`   // of a bridge and its ports, where not what the bridge gives: "vid 10 pvid untagged"; see [ParseVLANs]
	Port    string `json:"port,omitempty"`    // of a port of an OVS bridge, what it does with VLANs: "tag 10"; see [ParseSwitchPort]
	Parent  ID     `json:"parent,omitempty"`  // the interface that a vlan, macvlan or vxlan sends through
	Options string `json:"options,omitempty"` // its kind's own, as ip-link(8) takes them: "id 10"; see [CanonicalOptions]
	Alias   string `json:"alias,omitempty"`   // what people note at it, ip-link(8); see [CheckAlias]
	Impair  string `json:"impair,omitempty"`  // what happens to the frames that it sends: "delay 100ms loss 2%", "cut"; see [ParseImpairment]
}

// The kinds of interface that have a meaning here; others are shown as the kernel names them.
const (
	Veth     = "veth"
	Loopback = "loopback"
	Bridge   = "bridge"
	Dummy    = "dummy"
	VLAN     = "vlan"
	VXLAN    = "vxlan"
	MACVLAN  = "macvlan"
	Internal = "internal" // a port of an OVS bridge that Open vSwitch makes itself, to the kernel a tap; not saved
	Tun      = "tun"      // a program is the other end: of IP packets, or in mode tap of Ethernet frames; tun(4)
	OVS      = "ovs"      // an Open vSwitch bridge with the datapath in user space: to the kernel a tap, the bridge's own port
)

// Saved says whether the document has words for the interface. Others are shown while they are there, and not saved.
func (i Interface) Saved() bool {
	_, made := linkOptions[i.Kind]
	return i.Kind == Veth || i.Kind == Loopback || made
}

// HasMAC says whether the interface has a hardware address that can be chosen: lo has none, nor has what carries packets
// without frames.
func (i Interface) HasMAC() bool { return i.Kind != Loopback && !i.isPackets() }

// isPackets says whether packets cross the interface, and no Ethernet frames.
func (i Interface) isPackets() bool { return i.Kind == Tun && !strings.Contains(i.Options, "mode tap") }

// DefaultMTU is what the kernel gives an interface of this kind, in bytes.
func DefaultMTU(kind string) int {
	if kind == Loopback {
		return 65536
	}
	return 1500 // ETH_DATA_LEN, uapi/linux/if_ether.h
}

// VXLANHeadroom is what a vxlan's outer headers take from its parent's MTU over IPv4, in bytes: VXLAN_HEADROOM in
// include/net/vxlan.h.
const VXLANHeadroom = 50

// Cable is a veth pair, veth(4): two interfaces, what enters one leaves the other.
type Cable struct {
	ID    ID    `json:"id"`
	Ends  [2]ID `json:"ends"`  // interfaces
	Order int   `json:"order"` // its place among the cables of the file, ascending
}

// Place is where a node or a bridge is drawn, in CSS pixels; relative to the box that it is in, if it is in one.
type Place struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// NewLab is an empty lab.
func NewLab(name string) Lab {
	return Lab{
		Name: name, Nodes: map[ID]Node{}, Interfaces: map[ID]Interface{}, Cables: map[ID]Cable{}, Places: map[ID]Place{},
	}
}

// Clone is a lab that can be changed without changing l. Addresses are shared, and never written to in place.
func (l Lab) Clone() Lab {
	l.Nodes, l.Interfaces = maps.Clone(l.Nodes), maps.Clone(l.Interfaces)
	l.Cables, l.Places = maps.Clone(l.Cables), maps.Clone(l.Places)
	return l
}

// NodesInOrder lists the nodes as the file has them.
func (l Lab) NodesInOrder() []Node {
	return InOrder(l.Nodes, nil, func(a, b *Node) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.ID, b.ID))
	})
}

// CablesInOrder lists the cables as the file has them.
func (l Lab) CablesInOrder() []Cable {
	return InOrder(l.Cables, nil, func(a, b *Cable) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.ID, b.ID))
	})
}

// InOrder lists those of a map's values for which only holds, nil for all, in the order of compare. Values are moved once each:
// they are large, and a lab has thousands.
func InOrder[V any](values map[ID]V, only func(*V) bool, compare func(a, b *V) int) []V {
	list := make([]V, 0, len(values))
	for _, v := range values {
		list = append(list, v)
		if last := len(list) - 1; only != nil && !only(&list[last]) {
			list = list[:last]
		}
	}
	places := make([]*V, len(list))
	for at := range list {
		places[at] = &list[at]
	}
	slices.SortFunc(places, compare)
	sorted := make([]V, len(list))
	for at, v := range places {
		sorted[at] = *v
	}
	return sorted
}

// InterfacesOf lists the interfaces of a node by name, loopback first.
func (l Lab) InterfacesOf(node ID) []Interface {
	var found []Interface
	for _, i := range l.Interfaces {
		if i.Node == node {
			found = append(found, i)
		}
	}
	slices.SortFunc(found, func(a, b Interface) int {
		if (a.Kind == Loopback) != (b.Kind == Loopback) {
			if a.Kind == Loopback {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return found
}

// InterfaceNamed finds an interface by its node and name.
func (l Lab) InterfaceNamed(node ID, name string) (Interface, bool) {
	for _, i := range l.Interfaces {
		if i.Node == node && i.Name == name {
			return i, true
		}
	}
	return Interface{}, false
}

// NodeNamed finds a node by its name and the machine that it is in; "" for machines.
func (l Lab) NodeNamed(in ID, name string) (Node, bool) {
	for _, n := range l.Nodes {
		if n.In == in && n.Name == name {
			return n, true
		}
	}
	return Node{}, false
}

// MachineOf is the machine that a node is, or is in.
func (l Lab) MachineOf(node ID) Node {
	n := l.Nodes[node]
	if n.In != "" {
		return l.Nodes[n.In]
	}
	return n
}

// Label is how people call a node: its name, or machine/name where the name alone would be ambiguous.
func (l Lab) Label(node ID) string {
	n := l.Nodes[node]
	for _, other := range l.Nodes {
		if other.Name == n.Name && other.ID != n.ID && n.In != "" {
			return l.Nodes[n.In].Name + "/" + n.Name
		}
	}
	return n.Name
}

// FindNode finds a node by its label: "red", or "host/red" where red alone would be ambiguous.
// The problem says "no-such-node", or "ambiguous" with the labels that would do.
func (l Lab) FindNode(label string) (Node, error) {
	var found []Node
	for _, n := range l.NodesInOrder() {
		full := n.Name
		if n.In != "" {
			full = l.Nodes[n.In].Name + "/" + n.Name
		}
		if n.Name == label || full == label {
			found = append(found, n)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0:
		return Node{}, Problemf(CodeNoSuchNode, "there is no node %q", label).WithHint(l.nearestNode(label))
	}
	for _, n := range found { // a machine is called by its bare name
		if n.In == "" {
			return n, nil
		}
	}
	return Node{}, Problemf(CodeAmbiguous, "%q is in several machines", label).
		WithHint("write it as " + l.Label(found[0].ID) + " or " + l.Label(found[1].ID))
}

func (l Lab) nearestNode(label string) string {
	var names []string
	for _, n := range l.NodesInOrder() {
		names = append(names, l.Label(n.ID))
	}
	if near := Nearest(label, names); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// CableOf is the cable that an interface is an end of.
func (l Lab) CableOf(end ID) (Cable, bool) {
	for _, c := range l.Cables {
		if c.Ends[0] == end || c.Ends[1] == end {
			return c, true
		}
	}
	return Cable{}, false
}

// SwitchID is the ID of the bridge that a LAN is, which is there for as long as the LAN is.
func SwitchID(lan ID) ID { return lan + ".switch" }

// SwitchName is the name of a LAN's bridge in its namespace.
const SwitchName = "switch"

// PortsOf lists the ports of a bridge by name.
func (l Lab) PortsOf(bridge ID) []Interface {
	var ports []Interface
	for _, i := range l.Interfaces {
		if i.Master == bridge {
			ports = append(ports, i)
		}
	}
	slices.SortFunc(ports, func(a, b Interface) int { return cmp.Compare(a.Name, b.Name) })
	return ports
}

// LoopbackID is the ID of a node's loopback interface, which is there for as long as the node is.
func LoopbackID(node ID) ID { return node + ".lo" }
