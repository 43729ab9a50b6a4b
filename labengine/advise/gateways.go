package advise

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"vethlab/labengine"
	"vethlab/labengine/topology"
)

// gatewaysNotConnected finds routes whose gateway is on no link of the node: the kernel would refuse them.
func (a *adviser) gatewaysNotConnected() {
	type group struct {
		route   *topology.Route
		own     bool
		instead netip.Addr
		nodes   []*topology.Node
		edits   []labengine.Edit
	}
	var groups []*group
	byText := map[string]*group{}
	for _, node := range a.Nodes {
		for _, r := range node.Routes {
			if !a.isUnconnected(node, r) {
				continue
			}
			instead := a.gatewayFor(node, r)
			if link, ok := node.Lookup(r.Gateway); ok && r.Dev != "" && !link.Gateway.IsValid() && !link.Special() {
				instead = r.Gateway // by the right interface
			}
			own := node.Owns(r.Gateway)
			key := fmt.Sprint(r.Text, " ", instead, own)
			g := byText[key]
			if g == nil {
				g = &group{route: r, own: own, instead: instead}
				byText[key], groups = g, append(groups, g)
			}
			g.nodes = append(g.nodes, node)
			if instead.IsValid() {
				g.edits = append(g.edits, reroute(node, r, instead)...)
			}
		}
	}
	for _, g := range groups {
		on, names := nodeIDs(g.nodes), list(labels(g.nodes))
		instead := fix(g.edits, "Send it through %s", g.instead)
		switch {
		case g.own:
			a.say(labengine.AdviceGatewayNotConnected, on, instead,
				"the route `%s` of %s leads to %s: a gateway is somebody else", g.route.Text, names, choose(len(g.nodes), "itself", "themselves"))
			continue
		case g.route.Dev != "":
			a.say(labengine.AdviceGatewayNotConnected, on, instead,
				"the gateway %s in `%s` of %s is not on %s: the kernel refuses the route", g.route.Gateway, g.route.Text, names, g.route.Dev)
			continue
		}
		a.say(labengine.AdviceGatewayNotConnected, on, instead,
			"the gateway %s in `%s` of %s is on no network that %s an address in: the kernel refuses the route",
			g.route.Gateway, g.route.Text, names, choose(len(g.nodes), "it has", "they have"))
	}
}

// isUnconnected says whether a route's gateway is on no link of its node, and not for want of something else that is said.
func (a *adviser) isUnconnected(node *topology.Node, r *topology.Route) bool {
	if !r.Gateway.IsValid() || r.Usable || r.Kernel || len(r.Hops) > 0 {
		return false
	}
	ipv6 := r.Gateway.Is6()
	speaks, waits := false, false
	for _, i := range node.Interfaces {
		if single, meant, ok := a.hostPrefix(i, ipv6); ok && single.Addr() != r.Gateway && meant.Contains(r.Gateway) {
			return false
		}
		speaks = speaks || i.HasFamily(ipv6) && !i.IsLoopback()
		waits = waits || i.Peer != nil && !i.IsPort() && len(i.Prefixes) == 0 // for an address, which may be what the route is for
	}
	switch {
	case !speaks: // half drawn
		return false
	case node.Owns(r.Gateway):
		return true
	case r.Out == nil:
		return r.Dev == "" && !waits // an interface that is not there yet is another matter
	}
	return r.Out.Up && !r.Onlink && !r.Gateway.IsLinkLocalUnicast() && r.Out.HasFamily(ipv6)
}

// gatewayFor is the address of who was probably meant: the only router on the node's links or, of several, the one that has
// the gateway's address elsewhere. It is not valid where nobody was.
func (a *adviser) gatewayFor(node *topology.Node, r *topology.Route) netip.Addr {
	var found []netip.Addr
	for _, i := range node.Interfaces {
		if i.Up && !i.IsPort() && (r.Dev == "" || r.Dev == i.Name) {
			found = append(found, a.routersOn(i, r.Gateway)...)
		}
	}
	for _, address := range found {
		for _, i := range a.Owners(address) {
			if i.Node != node && i.Node.Owns(r.Gateway) {
				return address
			}
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	return netip.Addr{}
}

// routersOn are the addresses, of a gateway's family, at which an interface reaches nodes that route.
func (a *adviser) routersOn(i *topology.Interface, gateway netip.Addr) []netip.Addr {
	if i.Segment == nil {
		return nil
	}
	var found []netip.Addr
	for _, other := range i.Segment.Members {
		if other.Node == i.Node || !other.Up || !a.routes(other.Node, gateway.Is6()) {
			continue
		}
		for _, p := range other.Prefixes {
			within := func(q netip.Prefix) bool { return q.Contains(p.Addr()) && !q.IsSingleIP() }
			if p.Addr().Is6() == gateway.Is6() && slices.ContainsFunc(i.Prefixes, within) && !i.Node.Owns(p.Addr()) {
				found = append(found, p.Addr())
				break
			}
		}
	}
	return found
}

// reroute has a route go through another gateway.
func reroute(node *topology.Node, r *topology.Route, gateway netip.Addr) []labengine.Edit {
	other := r.Route
	other.Via, other.Dev = gateway.String(), ""
	edits := []labengine.Edit{deleteRoute(node, r.Text)}
	has := func(have *topology.Route) bool { return other.Covers(have.Route) || have.Route.Covers(other) }
	if !slices.ContainsFunc(node.Routes, has) {
		edits = append(edits, addRoute(node, other.String()))
	}
	return edits
}

// gatewaysAbsent finds gateways that should be on a segment, and that nobody there is.
func (a *adviser) gatewaysAbsent() {
	type group struct {
		at     addressAt
		out    *topology.Interface
		routes []*topology.Route
		nodes  []*topology.Node
	}
	var groups []*group
	byPlace := map[addressAt]*group{}
	for _, node := range a.Nodes {
		for _, r := range node.Routes {
			if !a.isAbsent(node, r) {
				continue
			}
			key := addressAt{r.Out.Segment, r.Gateway}
			g := byPlace[key]
			if g == nil {
				g = &group{at: key, out: r.Out}
				byPlace[key], groups = g, append(groups, g)
			}
			g.routes, g.nodes = append(g.routes, r), append(g.nodes, node)
		}
	}
	for _, g := range groups {
		var set *labengine.Fix
		routers := a.routersOn(g.out, g.at.address)
		if len(routers) == 1 {
			var edits []labengine.Edit
			for i, r := range g.routes {
				edits = append(edits, reroute(g.nodes[i], r, routers[0])...)
			}
			set = fix(edits, "Send it through %s", routers[0])
		} else if bridge, subnet := a.gatewayToBe(g.out, g.at.address); len(routers) == 0 && bridge != nil {
			set = fix([]labengine.Edit{addAddress(bridge, subnet)}, "Give %s the address %s", bridge.Name, subnet)
		}
		nodes := slices.Compact(slices.Clone(g.nodes))
		a.say(labengine.AdviceGatewayAbsent, nodeIDs(nodes), set, "%s %s through %s, and nobody on %s has that address",
			list(labels(nodes)), choose(len(nodes), "sends", "send"), g.at.address, g.at.segment.Name())
	}
}

// isAbsent says whether nobody is at a route's gateway. Where nobody else is on the link yet, or others may be there that
// are not seen, it does not.
func (a *adviser) isAbsent(node *topology.Node, r *topology.Route) bool {
	if !r.Gateway.IsValid() || !r.Usable || r.Kernel || len(r.Hops) > 0 || r.Out.Segment == nil || r.Out.Segment.Open || r.Gateway.IsLinkLocalUnicast() {
		return false
	}
	segment := r.Out.Segment
	for _, i := range a.Owners(r.Gateway) {
		if i.Segment == segment || len(a.MembersOf(i.Node, segment)) > 0 {
			return false
		}
	}
	for _, entry := range node.Neighbours() {
		if entry.IP == r.Gateway.String() {
			return false
		}
	}
	ipv6 := r.Gateway.Is6()
	return slices.ContainsFunc(segment.Members, func(i *topology.Interface) bool { return i.Node != node && i.HasFamily(ipv6) })
}

// gatewayToBe is the only bridge on a segment that could have the gateway's address, and the address with its subnet.
func (a *adviser) gatewayToBe(out *topology.Interface, gateway netip.Addr) (*topology.Interface, netip.Prefix) {
	var found *topology.Interface
	for _, i := range out.Segment.Members {
		if !labengine.HasPorts(i.Kind) || len(i.Prefixes) > 0 {
			continue
		}
		if found != nil {
			return nil, netip.Prefix{}
		}
		found = i
	}
	for _, p := range out.Prefixes {
		if p.Contains(gateway) {
			return found, netip.PrefixFrom(gateway, p.Bits())
		}
	}
	return nil, netip.Prefix{}
}

// forwardingOff finds nodes that others send through, and that keep it.
func (a *adviser) forwardingOff() {
	for _, gateway := range a.gateways {
		for f, ipv6 := range families {
			if gateway.Forwards(ipv6) || !a.wide[f][gateway] {
				continue
			}
			var users []*topology.Node
			for _, u := range a.uses[gateway] {
				if u.route.Gateway.Is6() == ipv6 && leadsOn(gateway, u) && !slices.Contains(users[max(0, len(users)-1):], u.node) {
					users = append(users, u.node)
				}
			}
			if len(users) == 0 {
				continue
			}
			name := "net.ipv4.ip_forward"
			if ipv6 {
				name = "net.ipv6.conf.all.forwarding"
			}
			on := append([]labengine.ID{gateway.ID}, nodeIDs(users)...)
			a.say(labengine.AdviceForwardingOff, on,
				fix([]labengine.Edit{{SetSysctl: &labengine.SetSysctl{Node: gateway.ID, Name: name, Value: "1"}}}, "Let %s forward", gateway.Label),
				"%s %s through %s, which drops what is not for itself: %s is 0",
				list(labels(users)), choose(len(users), "sends", "send"), gateway.Label, name)
		}
	}
}

// leadsOn says whether a gateway would have a way on for what a route sends through it: out of another segment.
func leadsOn(gateway *topology.Node, u use) bool {
	on := func(r *topology.Route) bool {
		return r.Usable && r.Out != nil && r.Out.Segment != u.at.Segment && r.Out.Kind != labengine.Dummy
	}
	if r, ok := gateway.Lookup(u.route.Prefix.Addr()); ok && on(r) {
		return true
	}
	return slices.ContainsFunc(gateway.Routes, func(r *topology.Route) bool { return on(r) && r.Prefix.Overlaps(u.route.Prefix) })
}

// noWayOn finds gateways of default routes that have none themselves, though somebody on their links would lead on.
func (a *adviser) noWayOn() {
	for _, gateway := range a.gateways {
		for _, ipv6 := range families {
			if !gateway.Forwards(ipv6) || gateway.ByRules || gateway.Kind == labengine.Internet || hasDefault(gateway, ipv6) {
				continue
			}
			var users []*topology.Node
			sends := map[*topology.Node]bool{gateway: true}
			for _, u := range a.uses[gateway] {
				if u.route.Prefix == everywhere(ipv6) && !sends[u.node] {
					users, sends[u.node] = append(users, u.node), true
				}
			}
			if len(users) == 0 {
				continue
			}
			onward := onward(gateway, sends, ipv6)
			if len(onward) == 0 {
				continue
			}
			var add *labengine.Fix
			if len(onward) == 1 {
				add = fix([]labengine.Edit{addRoute(gateway, "default via "+onward[0].String())}, "Let %s send it through %s", gateway.Label, onward[0])
			}
			a.say(labengine.AdviceNoWayOn, append([]labengine.ID{gateway.ID}, nodeIDs(users)...), add,
				"%s %s through %s whatever is for elsewhere, and %s has no default route: it ends there",
				list(labels(users)), choose(len(users), "sends", "send"), gateway.Label, gateway.Label)
		}
	}
}

// onward are the addresses at which a gateway reaches those who would lead on what its users send elsewhere: the internet, or
// else routers that have a default route, and not through the gateway.
func onward(gateway *topology.Node, users map[*topology.Node]bool, ipv6 bool) []netip.Addr {
	var outside, routers []netip.Addr
	seen := maps.Clone(users)
	for _, i := range gateway.Interfaces {
		if i.Segment == nil || i.IsPort() || !i.Up {
			continue
		}
		for _, at := range i.Segment.Members {
			node := at.Node
			isOutside := node.Kind == labengine.Internet
			if seen[node] || !isOutside && !(node.Forwards(ipv6) && hasDefault(node, ipv6)) {
				continue
			}
			seen[node] = true
			if address, reached := addressFor(node, i, ipv6); !reached {
				continue
			} else if isOutside {
				outside = append(outside, address)
			} else {
				routers = append(routers, address)
			}
		}
	}
	if len(outside) > 0 {
		return outside
	}
	return routers
}

func hasDefault(n *topology.Node, ipv6 bool) bool {
	return slices.ContainsFunc(n.Routes, func(r *topology.Route) bool { return r.Prefix == everywhere(ipv6) })
}

// everywhere is what a default route is for.
func everywhere(ipv6 bool) netip.Prefix {
	if ipv6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}
