package topology

import (
	"cmp"
	"net/netip"
	"slices"

	"vethlab/labengine"
)

// Route is an entry of a node's table main with where it leads.
type Route struct {
	labengine.Route
	Prefix  netip.Prefix
	Gateway netip.Addr // not valid where there is none
	Out     *Interface // nil where it leads nowhere
	Usable  bool       // the kernel has it: its interface is there and up, and its gateway on a link
}

// Special says whether the route is one that drops what it is for: blackhole, unreachable, prohibit or throw.
func (r *Route) Special() bool { return r.Type != "" }

// String is the route as `ip route add` takes it.
func (r *Route) String() string {
	if r.Text == "" {
		return labengine.Route{To: r.Prefix.String(), Dev: r.Dev, IPv6: r.IPv6}.String()
	}
	return r.Text
}

// table finds the longest prefix: its routes, those with longer prefixes first and better ones first, and of a large table
// the first of each prefix.
type table struct {
	routes  []*Route
	first   map[netip.Prefix]*Route
	lengths []int // that there are, the longest first
}

var everything = [2]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

func family(a netip.Addr) int {
	if a.Is6() {
		return 1
	}
	return 0
}

// addRoutes works out the node's table as the kernel would have it.
func (n *Node) addRoutes() {
	for _, i := range n.Interfaces {
		for _, p := range i.Prefixes {
			if p.Bits() < p.Addr().BitLen() && !i.IsLoopback() {
				n.Routes = append(n.Routes, n.connected(i, p.Masked()))
			}
		}
	}
	for _, r := range n.live.Routes { // to the other end of a link with a peer address; or by router advertisement
		if r.Kernel && r.Table == "" && (r.Via != "" || isHost(r.To)) {
			n.addRoute(r)
		}
	}
	for _, text := range n.Node.Routes {
		if r, err := labengine.ParseRoute(text); err == nil && r.Table == "" && r.TOS == "" && r.From == "" {
			n.addRoute(r)
		}
	}
	for _, r := range n.Routes {
		if !r.Gateway.IsValid() {
			r.Usable = r.Special() || r.Out != nil && r.Out.Up
		}
	}
	n.enter(func(r *Route) bool { return !r.Gateway.IsValid() })
	for _, r := range n.Routes {
		if r.Gateway.IsValid() {
			n.resolve(r)
		}
	}
	n.enter(func(r *Route) bool { return r.Gateway.IsValid() })
}

func isHost(to string) bool {
	p, err := netip.ParsePrefix(to)
	return err == nil && p.IsSingleIP()
}

func (n *Node) connected(i *Interface, p netip.Prefix) *Route {
	return &Route{Route: labengine.Route{Dev: i.Name, Kernel: true, IPv6: p.Addr().Is6()}, Prefix: p, Out: i}
}

func (n *Node) addRoute(r labengine.Route) {
	added := &Route{Route: r}
	ipv6 := 0
	if r.IPv6 {
		ipv6 = 1
	}
	if added.Prefix = everything[ipv6]; r.To != "default" {
		p, err := netip.ParsePrefix(r.To)
		if err != nil {
			return
		}
		added.Prefix = p
	}
	if ways := r.Ways(); len(ways) > 0 { // the first of several stands for them
		added.Gateway, _ = netip.ParseAddr(ways[0].Via)
		added.Out = n.interfaceNamed(ways[0].Dev)
		added.Onlink = ways[0].Onlink
	}
	n.Routes = append(n.Routes, added)
}

func (n *Node) interfaceNamed(name string) *Interface {
	at := slices.IndexFunc(n.Interfaces, func(i *Interface) bool { return i.Name == name })
	if name == "" || at < 0 {
		return nil
	}
	return n.Interfaces[at]
}

// resolve finds the link that a route's gateway is on, as the kernel does when the route is added: by the routes that need
// no gateway themselves. Source: fib_check_nh_v4_gw in net/ipv4/fib_semantics.c.
func (n *Node) resolve(r *Route) {
	linkLocal := r.Gateway.Is6() && r.Gateway.IsLinkLocalUnicast()
	switch link, ok := n.Lookup(r.Gateway); {
	case n.Owns(r.Gateway):
	case r.Onlink || linkLocal:
		r.Usable = r.Out != nil && r.Out.Up
	case r.Out != nil:
		r.Usable = n.isOnLink(r.Gateway, r.Out)
	case ok && !link.Special():
		r.Out, r.Usable = link.Out, true
	default: // a link that is down may be meant
		at := slices.IndexFunc(n.Interfaces, func(i *Interface) bool {
			return slices.ContainsFunc(i.Prefixes, func(p netip.Prefix) bool { return p.Contains(r.Gateway) })
		})
		if at >= 0 {
			r.Out = n.Interfaces[at]
		}
	}
}

// isOnLink says whether a route without a gateway leads to an address out of this very interface.
func (n *Node) isOnLink(a netip.Addr, out *Interface) bool {
	return slices.ContainsFunc(n.Routes, func(r *Route) bool {
		return r.Out == out && r.Usable && !r.Gateway.IsValid() && r.Prefix.Contains(a)
	})
}

// enter puts some of the node's routes into the table.
func (n *Node) enter(some func(*Route) bool) {
	for _, r := range n.Routes {
		if r.Usable && some(r) {
			t := &n.tables[family(r.Prefix.Addr())]
			t.routes = append(t.routes, r)
		}
	}
	for f := range n.tables {
		n.tables[f].sort()
	}
}

func (t *table) sort() {
	slices.SortStableFunc(t.routes, func(a, b *Route) int {
		return cmp.Or(cmp.Compare(b.Prefix.Bits(), a.Prefix.Bits()), cmp.Compare(a.metric(), b.metric()))
	})
	if len(t.routes) <= few {
		return
	}
	t.first, t.lengths = make(map[netip.Prefix]*Route, len(t.routes)), nil
	for _, r := range t.routes {
		if _, there := t.first[r.Prefix]; !there {
			t.first[r.Prefix] = r
		}
		if len(t.lengths) == 0 || t.lengths[len(t.lengths)-1] != r.Prefix.Bits() {
			t.lengths = append(t.lengths, r.Prefix.Bits())
		}
	}
}

func (t *table) find(a netip.Addr) *Route {
	if t.first == nil {
		for _, r := range t.routes {
			if r.Prefix.Contains(a) {
				return r
			}
		}
		return nil
	}
	for _, bits := range t.lengths {
		if p, err := a.Prefix(bits); err == nil && t.first[p] != nil {
			return t.first[p]
		}
	}
	return nil
}

// metric is the route's, with the kernel's own where it is not said.
func (r *Route) metric() uint32 {
	switch {
	case r.Metric != 0 || !r.IPv6:
		return r.Metric
	case r.Kernel:
		return 256 // IP6_RT_PRIO_ADDRCONF, net/ip6_route.h
	}
	return 1024 // IP6_RT_PRIO_USER
}

// Lookup is the route of table main that the node has for an address, that with the longest prefix; false where it has none.
// What is the node's own is not looked for: see [Node.Owns].
func (n *Node) Lookup(a netip.Addr) (*Route, bool) {
	r := n.tables[family(a)].find(a)
	return r, r != nil && r.Type != "throw"
}

// Hop lists who takes what a node sends out of an interface to an address on that link: the interfaces at which it arrives,
// one for each node that says the address is its own.
func (n *Network) Hop(out *Interface, to netip.Addr) []*Interface {
	if out == nil || out.Segment == nil || !out.Up {
		return nil
	}
	var at []*Interface
	for _, owner := range n.owners[to] {
		if owner.Node == out.Node || slices.ContainsFunc(at, func(i *Interface) bool { return i.Node == owner.Node }) {
			continue
		}
		if owner.Segment == out.Segment && owner.Up && hears(out, owner) && !owner.IsPort() {
			at = append(at, owner)
			continue
		}
		if !answersForAll(owner.Node, to) {
			continue
		}
		for _, i := range n.MembersOf(owner.Node, out.Segment) {
			if i.Up && hears(out, i) {
				at = append(at, i)
				break
			}
		}
	}
	return at
}

// answersForAll says whether a node answers for an address of another one of its interfaces: with IPv4 it does, unless it is
// told otherwise. Source: arp_ignore in Documentation/networking/ip-sysctl.rst.
func answersForAll(n *Node, a netip.Addr) bool {
	return a.Is4() && n.Setting("net.ipv4.conf.all.arp_ignore") == "0"
}

// Next lists where what a node has for an address arrives next, by its route for it.
func (n *Network) Next(from *Node, to netip.Addr) (r *Route, at []*Interface) {
	r, ok := from.Lookup(to)
	if !ok || r.Special() {
		return r, nil
	}
	if r.Gateway.IsValid() {
		to = r.Gateway
	}
	return r, n.Hop(r.Out, to)
}
