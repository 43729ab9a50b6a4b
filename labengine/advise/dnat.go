package advise

import (
	"net/netip"
	"slices"
	"strings"

	"vethlab/labengine"
	"vethlab/labengine/topology"
)

// dnat looks at where a rule sends what it catches, and at what it catches besides what is meant.
func (a *adviser) dnat(node *topology.Node, chain []rule, r *rule, ipv6 bool) {
	to, port, ok := splitTarget(r.to)
	if !ok || to.Is6() != ipv6 {
		return
	}
	if len(a.Owners(to)) > 0 || node.Owns(to) {
		a.dnatCatchesInside(node, chain, r, to)
		return
	}
	out := a.linkFor(node, to)
	if out == nil || out.Segment == nil || out.Segment.Open {
		return
	}
	if slices.ContainsFunc(out.Node.Neighbours(), func(entry labengine.Neighbour) bool { return entry.IP == to.String() }) {
		return
	}
	var there []netip.Addr // who could be meant
	for _, i := range out.Segment.Members {
		if !i.HasFamily(ipv6) && i.Peer != nil { // it may be given this address yet
			return
		}
		for _, p := range i.Prefixes {
			if i.Node != out.Node && p.Contains(to) && !p.IsSingleIP() {
				there = append(there, p.Addr())
			}
		}
	}
	if len(there) == 0 {
		return
	}
	instead := ""
	if len(there) == 1 {
		instead = there[0].String() + port
		if strings.HasPrefix(port, "]") {
			instead = "[" + instead
		}
	}
	a.say(labengine.AdviceDNATToNobody, []labengine.ID{node.ID},
		fix(rewrite(node, chain, r, "--to-destination", instead, ipv6), "Make it %s", instead),
		"the rule `%s` of %s sends what it catches to %s, and nobody on %s has that address", r.text, node.Label, to, out.Segment.Name())
}

// splitTarget splits what --to-destination says into an address and what is behind it, the ] of IPv6 included. It is not ok
// where that is no single address.
func splitTarget(text string) (to netip.Addr, port string, ok bool) {
	if to, err := netip.ParseAddr(text); err == nil {
		return to, "", true
	}
	host, end := text, ":"
	if strings.HasPrefix(text, "[") {
		host, end = text[1:], "]"
	}
	at := strings.Index(host, end)
	if at < 0 {
		return netip.Addr{}, "", false
	}
	to, err := netip.ParseAddr(host[:at])
	return to, host[at:], err == nil
}

// linkFor is the interface out of which packets for an address leave for it itself, from a node or from a gateway behind it;
// nil where they do not come so far.
func (a *adviser) linkFor(node *topology.Node, to netip.Addr) *topology.Interface {
	for range maxHops {
		r, at := a.Next(node, to)
		switch {
		case r == nil || r.Special() || node.ByRules:
			return nil
		case !r.Gateway.IsValid():
			if r.Prefix.IsSingleIP() || !r.Kernel {
				return nil // somebody has said that it is there
			}
			return r.Out
		case len(at) != 1:
			return nil
		}
		node = at[0].Node
	}
	return nil
}

// dnatCatchesInside finds rules that are meant for what comes from outside, and that catch what those inside ask of others:
// who has its default route through the node, on the segment where the rule sends it.
func (a *adviser) dnatCatchesInside(node *topology.Node, chain []rule, r *rule, to netip.Addr) {
	ipv6 := to.Is6()
	if r.parsed.Chain != "PREROUTING" || !r.isForAnybody() || !node.Forwards(ipv6) || node.ByRules {
		return
	}
	for i := range chain {
		if chain[i].number < r.number && !slices.Contains(translating, chain[i].target) { // it may spare those inside
			return
		}
	}
	rest, hops := a.Next(node, everywhere(ipv6).Addr())
	if rest == nil || rest.Prefix != everywhere(ipv6) || len(hops) == 0 {
		return
	}
	outside := netip.Addr{}
	for _, p := range rest.Out.Prefixes {
		if p.Addr().Is6() == ipv6 && !p.Addr().IsLinkLocalUnicast() {
			outside = p.Addr()
			break
		}
	}
	behind := func(i *topology.Interface) bool { return i.Node != node && i.Has(to) }
	for _, u := range a.uses[node] {
		segment := u.at.Segment
		if u.route.Prefix != everywhere(ipv6) || segment == rest.Out.Segment || u.node.Owns(to) || !slices.ContainsFunc(segment.Members, behind) {
			continue
		}
		instead := ""
		if outside.IsValid() {
			instead = outside.String()
		}
		a.say(labengine.AdviceDNATCatchesInside, []labengine.ID{node.ID, u.node.ID},
			fix(rewrite(node, chain, r, "-d", instead, ipv6), "Make it for %s alone", instead),
			"the rule `%s` of %s has neither -d nor -i: it catches what %s asks of the outside too, and sends it to %s",
			r.text, node.Label, u.node.Label, to)
		a.said[len(a.said)-1].Minor = true
		return
	}
}

// isForAnybody says whether a rule does not care whence packets come and whither they go, but for ports.
func (r *rule) isForAnybody() bool {
	if r.in.text != "" || r.source.IsValid() || r.destination.IsValid() || r.states.text != "" {
		return false
	}
	words := r.parsed.Args
	for at := 0; at < len(words); at++ {
		option, value, attached := splitOption(words[at])
		if !attached && at+1 < len(words) {
			value = words[at+1]
		}
		switch option {
		case "-m":
			if value != "tcp" && value != "udp" && value != "multiport" && value != "comment" {
				return false
			}
		case "-p", "-j", "--dport", "--destination-port", "--dports", "--destination-ports", "--to-destination", "--comment":
		case "--random", "--persistent":
			continue
		default:
			return false
		}
		if !attached {
			at++
		}
	}
	return true
}
