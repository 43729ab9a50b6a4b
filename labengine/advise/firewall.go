package advise

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"vethlab/labengine"
	"vethlab/labengine/topology"
)

// forwardDrops finds nodes whose FORWARD chain lets nothing pass that others send through them, only because no rule is
// for it. What a rule drops is meant so.
func (a *adviser) forwardDrops() {
	for _, gateway := range a.Nodes {
		for _, ipv6 := range families {
			r := a.rulesIn(gateway, ipv6)
			if r.policies[forward] != "DROP" {
				continue
			}
			if gateway.Forwards(ipv6) && a.wide[family(ipv6)][gateway] {
				a.forwardDrop(gateway, r, ipv6)
			}
			if !ipv6 {
				a.bridgedDrop(gateway, r)
			}
		}
	}
}

// flow is a way through a gateway.
type flow struct {
	in, out         *topology.Interface
	from, to        netip.Prefix
	asked, answered fate // what may happen to a first packet, and to the answers
}

// forwardDrop says so for the first user of a gateway all of whose ways are closed. Those inside the gateway's machine come
// first, then those who send everything through it: the others may only answer them.
func (a *adviser) forwardDrop(gateway *topology.Node, r *rules, ipv6 bool) {
	outside := func(u use) int {
		if u.node.In == gateway.ID || u.node.In != "" && u.node.In == gateway.In {
			return 0
		}
		return 1
	}
	users := slices.SortedStableFunc(slices.Values(a.uses[gateway]), func(x, y use) int {
		return cmp.Or(outside(x)-outside(y), cmp.Compare(x.route.Prefix.Bits(), y.route.Prefix.Bits()))
	})
	for _, u := range users {
		from := a.sourceOf(u)
		if u.route.Gateway.Is6() != ipv6 || !from.IsValid() {
			continue
		}
		closed, ok := closedWay(r, u, from, waysOn(gateway, u))
		if !ok {
			continue
		}
		on := []labengine.ID{gateway.ID, u.node.ID}
		open := []string{"-A FORWARD -i " + closed.in.Name + " -o " + closed.out.Name + " -j ACCEPT"}
		answers := "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
		what := "what " + u.node.Label + " sends through it"
		if closed.asked.accepted {
			what, open = "the answers to what "+u.node.Label+" sends through it", []string{answers}
		} else if !closed.answered.accepted {
			open = append(open, answers)
		}
		edit := labengine.Edit{Iptables: &labengine.Iptables{Node: gateway.ID, IPv6: ipv6, Commands: open}}
		a.say(labengine.AdviceForwardDrops, on, fix([]labengine.Edit{edit}, "Let it pass"),
			"the policy of FORWARD in %s is DROP, and no rule accepts %s, from %s to %s",
			gateway.Label, what, closed.in.Name, closed.out.Name)
		return
	}
}

// closedWay is the way on that a user's packets would take, where the policy closes all of them: for what is asked, or for
// the answers.
func closedWay(r *rules, u use, from netip.Prefix, ways iter.Seq[*topology.Route]) (closed flow, ok bool) {
	for way := range ways {
		f := flow{in: u.at, out: way.Out, from: from, to: u.route.Prefix}
		if way.Prefix.Bits() > f.to.Bits() {
			f.to = way.Prefix
		}
		f.asked = r.fateIn(forward, packet{f.in.Name, f.out.Name, f.from, f.to, "NEW"})
		f.answered = r.fateIn(forward, packet{f.out.Name, f.in.Name, f.to, f.from, "ESTABLISHED"})
		asks := f.asked.accepted && f.answered.accepted
		begun := r.fateIn(forward, packet{f.out.Name, f.in.Name, f.to, f.from, "NEW"}).accepted // the user only answers
		byRule := f.asked.dropped || f.answered.dropped
		if asks || begun || byRule {
			return flow{}, false
		}
		if !ok {
			closed, ok = f, true
		}
	}
	return closed, ok
}

// waysOn are the routes by which a gateway would pass on what a user sends, that for everything else first.
func waysOn(gateway *topology.Node, u use) iter.Seq[*topology.Route] {
	leads := func(r *topology.Route) bool {
		return r.Usable && !r.Special() && r.Out != nil && r.Out.Segment != u.at.Segment && r.Out.Kind != labengine.Dummy &&
			r.Prefix.Overlaps(u.route.Prefix)
	}
	return func(yield func(*topology.Route) bool) {
		rest, ok := gateway.Lookup(everything(u.route.Prefix))
		if ok && leads(rest) && !yield(rest) {
			return
		}
		for _, r := range gateway.Routes {
			if r != rest && leads(r) && !yield(r) {
				return
			}
		}
	}
}

// bridgedDrop finds bridges whose own traffic is dropped: where bridge-nf-call-iptables is 1, what goes from port to port
// passes FORWARD too.
func (a *adviser) bridgedDrop(node *topology.Node, r *rules) {
	if node.Setting("net.bridge.bridge-nf-call-iptables") != "1" {
		return
	}
	for _, bridge := range node.Interfaces {
		if bridge.Kind != labengine.Bridge {
			continue
		}
		var behind []*topology.Interface
		for _, port := range a.portsOf(bridge) {
			if port.Peer != nil && port.Peer.HasFamily(false) {
				behind = append(behind, port.Peer)
			}
		}
		if len(behind) < 2 {
			continue
		}
		subnet := subnetOf(behind[0], false)
		if !subnet.IsValid() || !subnet.Contains(subnetOf(behind[1], false).Addr()) {
			continue
		}
		subnet = subnet.Masked()
		if f := r.fateIn(forward, packet{bridge.Name, bridge.Name, subnet, subnet, "NEW"}); f.accepted || f.dropped {
			continue
		}
		edit := labengine.Edit{Iptables: &labengine.Iptables{
			Node: node.ID, Commands: []string{"-A FORWARD -i " + bridge.Name + " -o " + bridge.Name + " -j ACCEPT"},
		}}
		a.say(labengine.AdviceForwardDrops, []labengine.ID{node.ID, bridge.ID}, fix([]labengine.Edit{edit}, "Let it pass"),
			"the policy of FORWARD in %s drops what %s passes from port to port, %s to %s for one: bridge-nf-call-iptables is 1",
			node.Label, bridge.Name, behind[0].Node.Label, behind[1].Node.Label)
	}
}

// natMatchesNothing finds rules that translate addresses, and that no packet of this lab meets.
func (a *adviser) natMatchesNothing() {
	for _, node := range a.Nodes {
		for _, ipv6 := range families {
			for _, text := range node.Rules(ipv6) {
				parsed, err := labengine.ParseRule(text)
				if err == nil && parsed.Table == "nat" && parsed.Verb == "-A" {
					a.natRules(node, ipv6)
					break
				}
			}
		}
	}
}

var translating = []string{"MASQUERADE", "SNAT", "DNAT", "REDIRECT", "NETMAP"}

// natRules looks at a node's rules in the order in which they are written, those of a chain together.
func (a *adviser) natRules(node *topology.Node, ipv6 bool) {
	r := a.rulesIn(node, ipv6)
	speaks := slices.ContainsFunc(node.Interfaces, func(i *topology.Interface) bool { return i.HasFamily(ipv6) && !i.IsLoopback() })
	if !speaks { // half drawn
		return
	}
	var seen []chainOf
	for _, text := range node.Rules(ipv6) {
		parsed, err := labengine.ParseRule(text)
		if err != nil || parsed.Table != "nat" || slices.Contains(seen, chainOf{"nat", parsed.Chain}) {
			continue
		}
		seen = append(seen, chainOf{"nat", parsed.Chain})
		chain := r.chains[chainOf{"nat", parsed.Chain}]
		for i := range chain {
			again := slices.IndexFunc(chain, func(other rule) bool { return other.text == chain[i].text }) < i
			if slices.Contains(translating, chain[i].target) && !again {
				a.natRule(node, chain, &chain[i], ipv6)
			}
		}
	}
}

// natRule looks at a rule of a chain, and at those that are the same.
func (a *adviser) natRule(node *topology.Node, chain []rule, r *rule, ipv6 bool) {
	say := func(option, instead, format string, args ...any) {
		edits := rewrite(node, chain, r, option, instead, ipv6)
		args = append([]any{r.text, node.Label}, args...)
		a.misses[node] = a.misses[node] || r.parsed.Chain == "POSTROUTING"
		a.say(labengine.AdviceNATMatchesNothing, []labengine.ID{node.ID}, fix(edits, "Make it %s", instead),
			"the rule `%s` of %s matches nothing: "+format, args...)
	}
	for _, match := range []struct {
		option string
		name   name
	}{{"-i", r.in}, {"-o", r.out}} {
		if match.name.text == "" || match.name.not || match.name.text[len(match.name.text)-1] == '+' {
			continue
		}
		switch i := interfaceNamed(node, match.name.text); {
		case i == nil:
			say(match.option, nearestInterface(node, match.name.text), "there is no interface %s", match.name.text)
			return
		case i.Master != nil && i.Master.Kind == labengine.Bridge:
			say(match.option, i.Master.Name, "%s is a port of %s, and to the firewall packets come and go by the bridge", i.Name, i.Master.Name)
			return
		}
	}
	if m := r.source; m.IsValid() && !m.not && !a.isSomebodys(m.Prefix) {
		say("-s", a.onlyUsers(node, ipv6), "nobody has an address in %s", m)
		return
	}
	if m := r.destination; r.target == "DNAT" && m.IsSingleIP() && !m.not {
		if a.natDestination(node, m.Addr(), say) {
			return
		}
	}
	if r.target == "DNAT" {
		a.dnat(node, chain, r, ipv6)
	}
}

// rewrite has a rule, and those that are the same, say something else behind one of its options; nothing where there is
// nothing to say instead.
func rewrite(node *topology.Node, chain []rule, r *rule, option, instead string, ipv6 bool) []labengine.Edit {
	if instead == "" {
		return nil
	}
	var commands []string
	for _, same := range chain {
		if same.text == r.text {
			commands = append(commands, same.with(option, instead))
		}
	}
	return []labengine.Edit{{Iptables: &labengine.Iptables{Node: node.ID, IPv6: ipv6, Commands: commands, Was: r.text}}}
}

// natDestination looks at a rule for packets to one address: one that is in a subnet of the node, and nobody's, is an address
// for which nobody answers ARP. What is not in a subnet of the node could be routed to it.
func (a *adviser) natDestination(node *topology.Node, to netip.Addr, say func(option, instead, format string, args ...any)) (said bool) {
	if len(a.Owners(to)) > 0 || node.Owns(to) {
		return false
	}
	for _, i := range node.Interfaces {
		if i.Segment == nil || i.Segment.Open {
			continue
		}
		for _, p := range i.Prefixes {
			if p.Contains(to) && !p.IsSingleIP() {
				say("-d", p.Addr().String(), "nobody on %s has %s", i.Segment.Name(), to)
				return true
			}
		}
	}
	return false
}

// with is a command that has the rule say something else behind one of its options, or say so first where it has none.
func (r *rule) with(option, value string) string {
	changed := r.parsed
	changed.Verb, changed.Number, changed.Args = "-R", r.number, slices.Clone(changed.Args)
	for at, word := range changed.Args {
		short, _, attached := splitOption(word)
		switch {
		case short == option && attached:
			if changed.Args[at] = option + value; strings.HasPrefix(option, "--") {
				changed.Args[at] = option + "=" + value
			}
			return changed.String()
		case short == option && at+1 < len(changed.Args):
			changed.Args[at+1] = value
			return changed.String()
		}
	}
	changed.Args = slices.Insert(changed.Args, 0, option, value)
	return changed.String()
}

func interfaceNamed(node *topology.Node, called string) *topology.Interface {
	at := slices.IndexFunc(node.Interfaces, func(i *topology.Interface) bool { return i.Name == called })
	if at < 0 {
		return nil
	}
	return node.Interfaces[at]
}

func nearestInterface(node *topology.Node, called string) string {
	var names []string
	for _, i := range node.Interfaces {
		if !i.IsPort() && !i.IsLoopback() {
			names = append(names, i.Name)
		}
	}
	return labengine.Nearest(called, names)
}

// isSomebodys says whether anybody in the lab has an address in a subnet.
func (a *adviser) isSomebodys(p netip.Prefix) bool {
	if p.IsSingleIP() {
		return len(a.Owners(p.Addr())) > 0
	}
	for _, s := range a.Segments {
		for _, i := range s.Members {
			if slices.ContainsFunc(i.Prefixes, func(q netip.Prefix) bool { return p.Contains(q.Addr()) }) {
				return true
			}
		}
	}
	return false
}

// onlyUsers is the subnet from which others send through a node; "" where there is none, or more than one.
func (a *adviser) onlyUsers(node *topology.Node, ipv6 bool) string {
	found := ""
	for _, u := range a.uses[node] {
		from := a.sourceOf(u)
		if !from.IsValid() || from.Addr().Is6() != ipv6 {
			continue
		}
		if found != "" && found != from.String() {
			return ""
		}
		found = from.String()
	}
	return found
}
