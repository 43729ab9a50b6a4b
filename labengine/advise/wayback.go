package advise

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"vethlab/labengine"
	"vethlab/labengine/topology"
)

// The search for missing ways back follows sources, not packets: each subnet that sends through a gateway is told to the
// gateways behind it, and on each segment behind a gateway everyone is asked for a way back to all of them at once. Nodes with
// the same routes are asked once, so that the work grows with nodes and gateways, not with pairs of nodes.

// maxSources bounds how many sources are followed, over all gateways: beyond it no more ways are looked at. A ring of a
// thousand routers would have a million.
const maxSources = 20_000

// source is a subnet from which packets come to a gateway.
type source struct {
	subnet  netip.Prefix
	address netip.Addr     // of the node that sends, in it
	node    *topology.Node // who sends
	to      netip.Prefix   // what it sends there
	in      *topology.Interface
}

// ways is what is known while ways back are looked for.
type ways struct {
	*adviser
	sources map[*topology.Node]map[netip.Prefix][]*source // by gateway, and by where they lead
	order   map[*topology.Node][]netip.Prefix             // the keys of the inner maps
	known   map[knownKey]bool                             // the sources
	onward  map[*topology.Node][]*topology.Route          // a gateway's routes through others
	routes  map[rulesOf]string                            // see routesOf
	transit [2]map[*topology.Segment]bool                 // see isTransit
	missing map[missingKey]*missing
	groups  []*returnGroup
	byGroup map[groupKey]*returnGroup
}

// lost is a source to which answers do not come back, and the router at which they end: nil where they do not begin.
type lost struct {
	*source
	router *topology.Node
}

// missing are the sources that are lost to nodes with the same routes.
type missing struct {
	all      []lost
	bySubnet map[netip.Prefix]lost // nil until it is asked for
}

type knownKey struct {
	gateway    *topology.Node
	to, subnet netip.Prefix
}

type missingKey struct {
	gateway *topology.Node
	to      netip.Prefix
	routes  string // of whoever answers
}

type groupKey struct {
	gateway *topology.Node
	router  *topology.Node
	first   netip.Prefix // of the subnets, which are so many
	count   int
	outside bool
}

// returnGroup is an advice in the making: those who lack the same ways back through the same gateway.
type returnGroup struct {
	groupKey
	sender  *topology.Node
	missing []netip.Prefix
	nodes   []*topology.Node
	edits   []labengine.Edit
}

// sourceOf is the subnet from which a node sends through a gateway; not valid where it has no address there.
func (a *adviser) sourceOf(u use) netip.Prefix {
	p := sourceAddress(u)
	if !p.IsValid() || p.IsSingleIP() {
		return netip.Prefix{}
	}
	return p.Masked()
}

func sourceAddress(u use) netip.Prefix {
	var first netip.Prefix
	for _, p := range u.route.Out.Prefixes {
		switch {
		case p.Addr().String() == u.route.Source || u.route.Source == "" && p.Contains(u.route.Gateway):
			return p
		case !first.IsValid() && p.Addr().Is6() == u.route.Gateway.Is6():
			first = p
		}
	}
	if u.route.Source != "" {
		return netip.Prefix{} // another interface's
	}
	return first
}

// noReturnRoutes finds nodes that get packets through a gateway, and cannot answer for want of a route.
func (a *adviser) noReturnRoutes() {
	w := &ways{
		adviser: a, sources: map[*topology.Node]map[netip.Prefix][]*source{}, order: map[*topology.Node][]netip.Prefix{},
		known: map[knownKey]bool{}, onward: map[*topology.Node][]*topology.Route{}, routes: map[rulesOf]string{},
		transit: [2]map[*topology.Segment]bool{{}, {}},
		missing: map[missingKey]*missing{}, byGroup: map[groupKey]*returnGroup{},
	}
	for _, gateway := range a.gateways {
		for _, u := range a.uses[gateway] {
			if subnet := a.sourceOf(u); subnet.IsValid() && !u.node.ByRules && !w.isTransit(u) {
				w.follow(gateway, &source{subnet, sourceAddress(u).Addr(), u.node, u.route.Prefix, u.at}, u.node)
			}
		}
	}
	for _, gateway := range a.Nodes {
		for _, to := range w.order[gateway] {
			w.askBehind(gateway, to)
		}
	}
	for _, g := range w.groups {
		w.sayNoReturn(g)
	}
}

// isTransit says whether a user sends from between routers, where nobody lives: what routers send themselves need not find
// back, as long as what they pass on does.
func (w *ways) isTransit(u use) bool {
	ipv6 := u.route.Gateway.Is6()
	transit, known := w.transit[family(ipv6)][u.at.Segment]
	if !known {
		transit = !slices.ContainsFunc(u.at.Segment.Members, func(i *topology.Interface) bool {
			return i.HasFamily(ipv6) && !i.Node.Forwards(ipv6)
		})
		w.transit[family(ipv6)][u.at.Segment] = transit
	}
	return transit
}

// follow tells a gateway, and those behind it, of a source.
func (w *ways) follow(gateway *topology.Node, s *source, from *topology.Node) {
	key := knownKey{gateway, s.to, s.subnet}
	if len(w.known) >= maxSources || w.known[key] || !gateway.Forwards(s.subnet.Addr().Is6()) || gateway.ByRules || gateway == s.node {
		return
	}
	if from != s.node && !isNear(gateway, s) {
		if _, ok := w.wayBack(gateway, from, s); !ok {
			return // it is asked too, as one of those behind from
		}
	}
	w.known[key] = true
	at := w.sources[gateway]
	if at == nil {
		at = map[netip.Prefix][]*source{}
		w.sources[gateway] = at
	}
	if at[s.to] == nil {
		w.order[gateway] = append(w.order[gateway], s.to)
	}
	at[s.to] = append(at[s.to], s)
	for _, r := range w.through(gateway) {
		if !r.Prefix.Overlaps(s.to) || !w.comesOut(gateway, s, r.Out) {
			continue
		}
		for _, at := range w.hop(r) {
			if at.Node == from {
				continue
			}
			next := *s
			if next.in = at; r.Prefix.Bits() > s.to.Bits() {
				next.to = r.Prefix
			}
			w.follow(at.Node, &next, gateway)
		}
	}
}

// through are a gateway's routes through others.
func (w *ways) through(gateway *topology.Node) []*topology.Route {
	routes, known := w.onward[gateway]
	if !known {
		for _, r := range gateway.Routes {
			if r.Usable && r.Gateway.IsValid() && !r.Special() {
				routes = append(routes, r)
			}
		}
		w.onward[gateway] = routes
	}
	return routes
}

// comesOut says whether packets of a source come out of a gateway's interface as they went in: not dropped, and not with
// another source address.
func (w *ways) comesOut(gateway *topology.Node, s *source, out *topology.Interface) bool {
	p := packet{in: s.in.Name, out: out.Name, source: s.subnet, state: "NEW"}
	return w.mayPass(gateway, p) && !w.mayTranslate(gateway, p)
}

// askBehind asks those behind a gateway for ways back to the sources that send there: the gateways through which it sends
// on, each for itself, and who is on its links.
func (w *ways) askBehind(gateway *topology.Node, to netip.Prefix) {
	for _, r := range w.through(gateway) {
		for _, at := range w.hop(r) {
			if r.Prefix.Overlaps(to) && !at.Node.ByRules {
				w.ask(gateway, to, r.Out, []*topology.Interface{at})
			}
		}
	}
	link := func(r *topology.Route) bool {
		return r.Usable && !r.Gateway.IsValid() && r.Kernel && r.Out != nil && r.Out.Segment != nil && !r.Prefix.IsSingleIP()
	}
	if r, ok := gateway.Lookup(to.Addr()); ok && link(r) && r.Prefix.Bits() <= to.Bits() {
		w.ask(gateway, to, r.Out, w.reached(gateway, r.Out, to))
		return
	}
	for _, r := range gateway.Routes {
		if link(r) && to.Overlaps(r.Prefix) {
			w.ask(gateway, to, r.Out, w.reached(gateway, r.Out, r.Prefix))
		}
	}
}

// reached are those on a gateway's link that have an address in a subnet; none where rules decide for some.
func (w *ways) reached(gateway *topology.Node, out *topology.Interface, subnet netip.Prefix) []*topology.Interface {
	var found []*topology.Interface
	for _, i := range out.Segment.Members {
		within := func(p netip.Prefix) bool { return subnet.Contains(p.Addr()) }
		if !i.Up || i.Node == gateway || !slices.ContainsFunc(i.Prefixes, within) {
			continue
		}
		if i.Node.ByRules {
			return nil
		}
		found = append(found, i)
	}
	return found
}

// ask notes the sources to which none of some interfaces' nodes has a way back. Where one of them has, that may be all that
// the route there is for: to answer it.
func (w *ways) ask(gateway *topology.Node, to netip.Prefix, out *topology.Interface, all []*topology.Interface) {
	lists := make([]*missing, len(all))
	var distinct []*missing
	for at, i := range all {
		lists[at] = w.missingFor(missingKey{gateway, to, w.routesOf(i.Node, to.Addr().Is6())}, i.Node)
		if len(lists[at].all) == 0 {
			return
		}
		if !slices.Contains(distinct, lists[at]) {
			distinct = append(distinct, lists[at])
		}
	}
	if len(all) == 0 {
		return
	}
	var common []*source
	for _, l := range distinct[0].all {
		others := slices.ContainsFunc(distinct[1:], func(m *missing) bool { return !m.has(l.subnet) })
		near := slices.ContainsFunc(all, func(i *topology.Interface) bool { return isNear(i.Node, l.source) })
		if l.in.Segment == out.Segment || others || near || !w.comesOut(gateway, l.source, out) {
			continue
		}
		if common = append(common, l.source); len(common) > maxMissing {
			break
		}
	}
	for at, i := range all {
		var own []lost
		for _, s := range common {
			if lists[at].has(s.subnet) {
				own = append(own, lists[at].bySubnet[s.subnet])
			}
		}
		w.note(gateway, i.Node, i, own)
	}
}

func (m *missing) has(subnet netip.Prefix) bool {
	if m.bySubnet == nil {
		m.bySubnet = make(map[netip.Prefix]lost, len(m.all))
		for _, l := range m.all {
			m.bySubnet[l.subnet] = l
		}
	}
	_, is := m.bySubnet[subnet]
	return is
}

// maxMissing is how many missing routes of a node are counted. What lacks several lacks a default route first of all; where
// there is one, as many are mended one by one.
const maxMissing = 16

// isNear says whether a source is on a link of the node, or the node itself: what it sends there it sends through nobody.
func isNear(node *topology.Node, l *source) bool {
	if l.node == node || node.Owns(l.address) {
		return true
	}
	r, ok := node.Lookup(l.address)
	return ok && r.Kernel && !r.Gateway.IsValid()
}

// missingFor are the sources of a gateway to which nodes with the same routes have no way back. It is asked of one of them.
func (w *ways) missingFor(key missingKey, node *topology.Node) *missing {
	found, known := w.missing[key]
	if !known {
		found = &missing{}
		for _, s := range w.sources[key.gateway][key.to] {
			if router, ok := w.wayBack(node, key.gateway, s); !ok {
				found.all = append(found.all, lost{s, router})
			}
		}
		w.missing[key] = found
	}
	return found
}

// routesOf is the same for nodes that send the same through the same others, their own links aside.
func (w *ways) routesOf(node *topology.Node, ipv6 bool) string {
	key := rulesOf{node, ipv6}
	if text, known := w.routes[key]; known {
		return text
	}
	var b strings.Builder
	for _, r := range node.Routes {
		if !r.Usable || r.Kernel && !r.Gateway.IsValid() || r.Prefix.Addr().Is6() != ipv6 {
			continue
		}
		fmt.Fprintf(&b, "%s %s %d", r.Type, r.Prefix, r.Metric)
		for _, at := range w.hop(r) {
			b.WriteString(" " + string(at.Node.ID))
		}
		if !r.Gateway.IsValid() && r.Out != nil {
			b.WriteString(" dev " + string(r.Out.ID))
		}
		b.WriteByte('\n')
	}
	w.routes[key] = b.String()
	return b.String()
}

// wayBack says whether what a node answers to a source finds there, as far as routes go. Where it does not, router is where
// it ends; nil where the node has no route for it. What another advice is about, and what is not known, counts as a way.
func (w *ways) wayBack(node, gateway *topology.Node, s *source) (router *topology.Node, ok bool) {
	r, found := w.beyond(node, s.address)
	for hops := 0; ; hops++ {
		switch {
		case r != nil && r.Special():
			return nil, true // meant so
		case !found && wouldHave(node, s.address):
			return nil, true
		case !found && hops == 0:
			return nil, false
		case !found:
			return node, false
		case !r.Gateway.IsValid() || hops == maxHops:
			return nil, true
		}
		at := w.hop(r)
		if len(at) == 0 {
			return nil, true
		}
		node = at[0].Node
		if node == gateway || node == s.node || node.Owns(s.address) || node.ByRules || !node.Forwards(s.address.Is6()) {
			return nil, true
		}
		r, found = node.Lookup(s.address)
	}
}

// beyond is Lookup without a node's own links, of which nodes with the same routes have different ones: see isNear.
func (w *ways) beyond(node *topology.Node, a netip.Addr) (best *topology.Route, ok bool) {
	for _, r := range node.Routes {
		if !r.Usable || !r.Prefix.Contains(a) || r.Kernel && !r.Gateway.IsValid() {
			continue
		}
		if !ok || r.Prefix.Bits() > best.Prefix.Bits() || r.Prefix.Bits() == best.Prefix.Bits() && r.Metric < best.Metric {
			best, ok = r, true
		}
	}
	return best, ok
}

// wouldHave says whether a node has a route for an address that cannot be used, for a reason that another advice gives.
func wouldHave(node *topology.Node, a netip.Addr) bool {
	return slices.ContainsFunc(node.Routes, func(r *topology.Route) bool { return !r.Usable && r.Prefix.Contains(a) })
}

// maxHops is how far a packet comes: the default TTL of RFC 1700 and Linux. A loop is no missing route.
const maxHops = 64

// note adds a node to those that lack the same ways back. Where its answers end at a router on a link with the gateway, it is
// the router that lacks them.
func (w *ways) note(gateway, node *topology.Node, i *topology.Interface, left []lost) {
	if len(left) == 0 {
		return
	}
	router := left[0].router
	var missing []netip.Prefix
	for _, l := range left {
		if l.router == router { // the others come up once these are mended
			missing = append(missing, l.subnet)
		}
	}
	if at := w.nextTo(gateway, router); at != nil {
		node, i, router = router, at, nil
	}
	key := groupKey{gateway, router, missing[0], len(missing), node.Kind == labengine.Internet}
	g := w.byGroup[key]
	if g == nil {
		g = &returnGroup{groupKey: key, sender: left[0].node, missing: missing}
		w.byGroup[key], w.groups = g, append(w.groups, g)
	}
	if slices.Contains(g.nodes, node) {
		return
	}
	g.nodes = append(g.nodes, node)
	if g.outside {
		g.edits = append(g.edits, masquerade(gateway, i, missing)...)
		return
	}
	via, ok := addressFor(gateway, i, missing[0].Addr().Is6())
	if !ok {
		return
	}
	if _, has := node.Lookup(everything(missing[0])); !has && len(missing) > 1 {
		g.edits = append(g.edits, addRoute(node, "default via "+via.String()))
		return
	}
	if len(missing) > maxMissing {
		return
	}
	for _, subnet := range missing {
		for _, r := range node.Routes {
			if r.Prefix == subnet && !r.Kernel && r.Metric == 0 {
				g.edits = append(g.edits, deleteRoute(node, r.Text))
			}
		}
		g.edits = append(g.edits, addRoute(node, subnet.String()+" via "+via.String()))
	}
}

// nextTo is where a router is on a link with a gateway.
func (w *ways) nextTo(gateway, router *topology.Node) *topology.Interface {
	if router == nil {
		return nil
	}
	for _, i := range gateway.Interfaces {
		if i.Segment == nil || i.IsPort() || !i.Up {
			continue
		}
		for _, at := range w.MembersOf(router, i.Segment) {
			if _, ok := addressFor(gateway, at, false); ok && at.Up {
				return at
			}
			if _, ok := addressFor(gateway, at, true); ok && at.Up {
				return at
			}
		}
	}
	return nil
}

// everything is an address that only a default route is for.
func everything(p netip.Prefix) netip.Addr {
	if p.Addr().Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// addressFor is where an interface reaches a gateway.
func addressFor(gateway *topology.Node, i *topology.Interface, ipv6 bool) (netip.Addr, bool) {
	for _, own := range gateway.Interfaces {
		if own.Segment != i.Segment || own.IsPort() || !own.Up {
			continue
		}
		for _, p := range own.Prefixes {
			onLink := func(q netip.Prefix) bool { return q.Contains(p.Addr()) }
			if p.Addr().Is6() == ipv6 && slices.ContainsFunc(i.Prefixes, onLink) {
				return p.Addr(), true
			}
		}
	}
	return netip.Addr{}, false
}

// masquerade has a gateway lend its own address to what it sends to the internet, which knows nobody's private subnets.
func masquerade(gateway *topology.Node, at *topology.Interface, missing []netip.Prefix) []labengine.Edit {
	if missing[0].Addr().Is6() || gateway.Kind == labengine.Internet {
		return nil // with IPv6 there is no need to
	}
	own := slices.IndexFunc(gateway.Interfaces, func(i *topology.Interface) bool {
		return i.Segment == at.Segment && !i.IsPort() && i.HasFamily(false)
	})
	if own < 0 {
		return nil
	}
	if len(missing) > maxMissing {
		return nil
	}
	var commands []string
	for _, subnet := range missing {
		commands = append(commands, "-t nat -A POSTROUTING -s "+subnet.String()+" -o "+gateway.Interfaces[own].Name+" -j MASQUERADE")
	}
	return []labengine.Edit{{Iptables: &labengine.Iptables{Node: gateway.ID, Commands: commands}}}
}

func (w *ways) sayNoReturn(g *returnGroup) {
	on, names := nodeIDs(g.nodes), list(labels(g.nodes))
	through := fmt.Sprintf("what %s sends through %s arrives, and the answer is lost", g.sender.Label, g.gateway.Label)
	to := subnets(g.missing)
	if len(g.missing) > maxMissing {
		to = g.missing[0].String() + " and many more"
	}
	switch {
	case g.outside:
		a := append([]labengine.ID{g.gateway.ID}, on...)
		w.say(labengine.AdviceNoReturnRoute, a, fix(g.edits, "Let %s lend its address", g.gateway.Label),
			"%s has no route back to %s, which nobody out there knows: %s", names, to, through)
	case g.router != nil:
		w.say(labengine.AdviceNoReturnRoute, on, fix(g.edits, "Add the %s", choose(len(g.edits), "route", "routes")),
			"%s %s what is for %s to %s, which has no route there: %s", names, choose(len(g.nodes), "sends", "send"), to, g.router.Label, through)
	default:
		w.say(labengine.AdviceNoReturnRoute, on, fix(g.edits, "Add the %s", choose(len(g.edits), "route", "routes")),
			"%s %s no route back to %s: %s", names, choose(len(g.nodes), "has", "have"), to, through)
	}
}

// subnets is "192.168.15.0/24", or with others "192.168.15.0/24 and 2 more".
func subnets(prefixes []netip.Prefix) string {
	texts := make([]string, len(prefixes))
	for i, p := range prefixes {
		texts[i] = p.String()
	}
	if len(texts) < 3 {
		return strings.Join(texts, " and ")
	}
	return fmt.Sprintf("%s and %d more", texts[0], len(texts)-1)
}
