package plan

import (
	"net/netip"
	"slices"
	"strings"

	"vethlab/labengine"
)

// sysctls sets what differs: first what concerns a namespace or the links that it will have, later what concerns one link. IPv6 is
// switched on before addresses are given, and off once they have been taken.
func (d *differ) sysctls(later bool) {
	for _, n := range d.nodes {
		var have []string
		if d.keepsNode(n.ID) {
			have = d.have.Nodes[n.ID].Sysctls
		}
		at := SpotOf(d.want, n.ID)
		set := func(name, value string) {
			link, isLater := labengine.SysctlLink(name)
			if d.keepsNode(n.ID) && strings.HasSuffix(name, "disable_ipv6") {
				isLater = value != "0" || isLater && !d.keepsLink(n.ID, link)
			}
			if isLater == later {
				d.do(SetSysctl{At: at, Name: name, Value: value})
			}
		}
		for _, s := range n.Sysctls {
			if name, value, _ := strings.Cut(s, "="); !slices.Contains(have, s) {
				set(name, value)
			}
		}
		for _, s := range have {
			name, _, _ := strings.Cut(s, "=")
			if slices.ContainsFunc(n.Sysctls, func(s string) bool { return strings.HasPrefix(s, name+"=") }) {
				continue
			}
			fresh, known := labengine.FreshSysctl(name)
			if link, ofLink := labengine.SysctlLink(name); ofLink && d.keepsLink(n.ID, link) {
				fresh, known = labengine.FreshLinkSysctl(name, n.Sysctls)
			}
			if known {
				set(name, fresh)
			}
		}
	}
}

// keepsLink says whether a node keeps the link of a name.
func (d *differ) keepsLink(node labengine.ID, name string) bool {
	i, ok := d.want.InterfaceNamed(node, name)
	return ok && d.keepsInterface(i.ID) && d.have.Interfaces[i.ID].Name == name && d.have.Interfaces[i.ID].Node == node
}

// unsureRoutes takes away those that are not wanted, and that the kernel may drop or not as links and addresses change: before they do.
func (d *differ) unsureRoutes() {
	for _, n := range d.nodes {
		if !d.keepsNode(n.ID) {
			continue
		}
		for _, r := range d.routesAfter(n.ID) {
			if r.after == mayBeGone && !slices.Contains(n.Routes, r.renamed) {
				d.do(DeleteRoute{At: SpotOf(d.have, n.ID), Route: r.text})
			}
		}
	}
}

// routes adds and takes away routes, links and addresses being what they are to be. The kernel drops routes with their
// link, when it goes down, and with addresses: those are put back where they are still wanted. A rule that refuses packets has it
// refuse routes, too, whose gateway the rule is about: such rules come last, and are away meanwhile.
func (d *differ) routes() {
	for _, n := range d.nodes {
		at := SpotOf(d.want, n.ID)
		var have []routeAfter
		if d.keepsNode(n.ID) {
			have = d.routesAfter(n.ID)
		}
		had := map[string]fate{}
		for _, r := range have {
			had[r.renamed] = r.after
		}
		var add []AddRoute
		for _, text := range n.Routes {
			switch after, was := had[text]; {
			case !was:
				add = append(add, AddRoute{At: at, Route: text})
			case after != stays:
				add = append(add, AddRoute{At: at, Route: text, Replace: true})
			}
		}
		refusing := d.ipRules(at, n, add)
		for _, r := range have {
			if r.after == stays && !slices.Contains(n.Routes, r.renamed) {
				d.do(DeleteRoute{At: at, Route: r.renamed})
			}
		}
		for _, s := range add {
			d.addRoute(n.ID, s)
		}
		for _, text := range refusing {
			d.do(AddIPRule{At: at, Rule: text})
		}
	}
}

// addRoute adds a route. The kernel takes one with several ways only while all of their links are up, and keeps it when some
// are taken down: those are up for a moment, which costs them their IPv6 addresses.
func (d *differ) addRoute(node labengine.ID, s AddRoute) {
	var down []labengine.Interface
	up := false
	if r, err := labengine.ParseRoute(s.Route); err == nil && len(r.Hops) > 0 {
		links := d.want.InterfacesOf(node)
		for _, way := range r.Hops {
			i, ok := labengine.HopLink(way, links)
			up = up || ok && i.Up
			if ok && !i.Up && !slices.ContainsFunc(down, func(other labengine.Interface) bool { return other.ID == i.ID }) {
				down = append(down, i)
			}
		}
	}
	if !up {
		down = nil
	}
	for _, i := range down {
		d.do(SetLink{At: s.At, Interface: i.ID, Name: i.Name, Up: new(true)})
	}
	d.do(s)
	for _, i := range down {
		d.do(SetLink{At: s.At, Interface: i.ID, Name: i.Name, Up: new(false)})
		for _, a := range i.Addresses {
			if strings.Contains(a, ":") {
				d.do(AddAddress{At: s.At, Interface: i.ID, Dev: i.Name, Address: a})
			}
		}
	}
}

// ipRules takes rules of the routing policy away and adds others; they outlive links. Rules of one priority are asked in the
// order in which they were added: those behind one that comes or moves are added anew. Those that refuse packets, and others of
// their priority, are left to be added later, and returned: also those that stay, where they are in the way of routes that are added.
func (d *differ) ipRules(at Spot, n labengine.Node, routes []AddRoute) (refusing []string) {
	var have []string
	if d.keepsNode(n.ID) {
		have = d.have.Nodes[n.ID].IPRules
	}
	if len(have)+len(n.IPRules) == 0 {
		return nil
	}
	inOrder := map[ruleRank][]string{} // what is wanted of each rank, and not found yet
	later, inTheWay := map[ruleRank]bool{}, map[ruleRank]bool{}
	for _, text := range n.IPRules {
		inOrder[rank(text)] = append(inOrder[rank(text)], text)
	}
	for _, text := range slices.Concat(have, n.IPRules) {
		if r, err := labengine.ParseIPRule(text); err == nil && refuses(r) {
			later[rank(text)] = true
			inTheWay[rank(text)] = inTheWay[rank(text)] || slices.ContainsFunc(routes, func(s AddRoute) bool { return isInTheWay(r, s.Route) })
		}
	}
	stays := map[string]bool{}
	for _, text := range have {
		of := rank(text)
		switch left := inOrder[of]; {
		case !slices.Contains(n.IPRules, text) || inTheWay[of]:
		case of.priority == "":
			stays[text] = true
		case len(left) > 0 && left[0] == text:
			stays[text], inOrder[of] = true, left[1:]
		}
	}
	for _, text := range have {
		if !stays[text] {
			d.do(DeleteIPRule{At: at, Rule: text})
		}
	}
	for _, text := range n.IPRules {
		switch {
		case stays[text]:
		case later[rank(text)]:
			refusing = append(refusing, text)
		default:
			d.do(AddIPRule{At: at, Rule: text})
		}
	}
	return refusing
}

func refuses(r labengine.IPRule) bool {
	return slices.Contains([]string{"prohibit", "blackhole", "unreachable"}, r.Action)
}

// isInTheWay says whether a rule may be about the gateway of a route, for which the kernel then takes none: it looks for the way
// there as for a packet of its own (fib_check_nh in net/ipv4/fib_semantics.c, ip6_route_check_nh in net/ipv6/route.c).
func isInTheWay(rule labengine.IPRule, route string) bool {
	r, err := labengine.ParseRoute(route)
	if err != nil || rule.From != "" || rule.Iif != "" || rule.Mark != "" || rule.IPProto != "" || rule.SPort != "" || rule.DPort != "" {
		return false
	}
	to, err := netip.ParsePrefix(rule.To)
	return slices.ContainsFunc(r.Ways(), func(way labengine.Hop) bool {
		gateway, gerr := netip.ParseAddr(way.Via)
		return gerr == nil && gateway.Is6() == rule.IPv6 && (err != nil || rule.Not || to.Contains(gateway))
	})
}

// ruleRank is what rules have in common whose order means something.
type ruleRank struct {
	ipv6     bool
	priority string // "" is the kernel's choice, which is another one for each
}

func rank(text string) ruleRank {
	r, err := labengine.ParseIPRule(text)
	if err != nil || r.Absent {
		return ruleRank{}
	}
	return ruleRank{r.IPv6, r.Priority}
}

// neighbours writes permanent entries and takes others away, links being what they are to be. The kernel drops them with
// their link, when that goes down and when its MAC changes: those are put back where they are still wanted.
func (d *differ) neighbours() {
	for _, n := range d.nodes {
		var have []string
		if d.keepsNode(n.ID) {
			have = d.neighboursLeft(n.ID)
		}
		at := SpotOf(d.want, n.ID)
		for _, text := range have {
			if !slices.Contains(n.Neighbours, text) {
				d.do(DeleteNeighbour{At: at, Neighbour: text})
			}
		}
		for _, text := range n.Neighbours {
			if !slices.Contains(have, text) {
				d.do(AddNeighbour{At: at, Neighbour: text})
			}
		}
	}
}

// neighboursLeft are the entries that a node that stays still has once its links have changed, by their new names.
func (d *differ) neighboursLeft(node labengine.ID) []string {
	var left []string
	for _, text := range d.have.Nodes[node].Neighbours {
		p, err := labengine.ParseNeighbour(text)
		was, had := d.have.InterfaceNamed(node, p.Dev)
		is := d.want.Interfaces[was.ID]
		if err != nil || had && (!d.keepsInterface(was.ID) || !labengine.KeepsNeighbours(was, is)) {
			continue
		}
		if had {
			p.Dev = is.Name
		}
		left = append(left, p.String())
	}
	return left
}

// fate is what becomes of a route as links and addresses change.
type fate int

const (
	stays fate = iota
	mayBeGone
	isGone
)

// routeAfter is a route that a node has, and what it will be called and become once its links have changed.
type routeAfter struct {
	text    string
	renamed string
	after   fate
}

// routesAfter are the routes that a node that stays has.
func (d *differ) routesAfter(node labengine.ID) []routeAfter {
	routes := d.have.Nodes[node].Routes
	if len(routes) == 0 {
		return nil
	}
	links := d.have.InterfacesOf(node)
	all := make([]routeAfter, 0, len(routes))
	for _, text := range routes {
		r, err := labengine.ParseRoute(text)
		if err != nil {
			continue
		}
		route := routeAfter{text: text, renamed: text}
		gone, up := 0, true // how many of its ways, and whether all shall be
		for _, way := range r.Ways() {
			i, known := labengine.HopLink(way, links)
			is := d.want.Interfaces[i.ID]
			switch {
			case known:
				up = up && is.Up
				if is.Name != i.Name && way.Dev != "" && r.Rename(way.Dev, is.Name) {
					route.renamed = r.String()
				}
				if d.drops(i, is, r) {
					gone++
				}
			case slices.ContainsFunc(links, func(i labengine.Interface) bool { return d.drops(i, d.want.Interfaces[i.ID], r) }):
				route.after = mayBeGone // with an address that has gone before it: only the kernel knows its link
			}
		}
		switch {
		case len(r.Hops) > 0 && !up: // of several ways, those that are down stay
			route.after = stays
		case gone > 0 && gone == len(r.Ways()):
			route.after = isGone
		case gone > 0:
			route.after = mayBeGone
		}
		all = append(all, route)
	}
	return all
}

// drops says whether the kernel drops a route through a link for what happens to it: when it goes or goes down, and of IPv4 when
// it loses its last address, or the one that the route says packets leave with (fib_sync_down_addr in net/ipv4/fib_semantics.c).
func (d *differ) drops(was, is labengine.Interface, r labengine.Route) bool {
	if !d.keepsInterface(was.ID) || was.Node != is.Node || was.Up && !is.Up {
		return true
	}
	goes, _ := leaving(was.Addresses, is.Addresses)
	had, left := false, false // addresses of IPv4
	for k, a := range was.Addresses {
		if r.IPv6 || strings.Contains(a, ":") {
			continue
		}
		had, left = true, left || !goes[k]
		if address, _, _ := strings.Cut(a, "/"); goes[k] && address == r.Source {
			return true
		}
	}
	return had && !left
}

// changedOptions are the options of a link that has others: those that differ, and the defaults of those that are no longer
// said.
func changedOptions(kind, was, is string) string {
	have, _ := labengine.ParseOptions(kind, was)
	want, _ := labengine.ParseOptions(kind, is)
	options, _ := labengine.LinkOptions(kind)
	var words []string
	for _, o := range options {
		value, said := want[o.Name]
		if !said {
			value = o.Default
		}
		had, hadSaid := have[o.Name]
		if !hadSaid {
			had = o.Default
		}
		if value != had {
			words = append(words, o.Name, value)
		}
	}
	return strings.Join(words, " ")
}
