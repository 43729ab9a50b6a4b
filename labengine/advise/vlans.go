package advise

import (
	"net/netip"
	"slices"
	"strconv"

	"vethlab/labengine"
	"vethlab/labengine/topology"
)

// vlanEnd is an interface that sends and hears frames of one VLAN of a switch.
type vlanEnd struct {
	*topology.Interface
	port  *topology.Interface // of the switch, or the bridge itself
	vlan  int                 // -1 is unknown
	below bool                // it is the port that puts it there, and not a tag of its own
}

// vlansApart finds whoever is alone in its VLAN where everybody else of its subnet on the same switch is in another one. Two
// parties that are kept apart are meant to be: what is said is that some are in a VLAN and others in none, or that a gateway
// is in another one than who sends through it.
func (a *adviser) vlansApart() {
	var tops map[*topology.Interface][]*topology.Interface // what sends through an interface
	for _, s := range a.Segments {
		if !s.Split || s.Open || len(s.Bridges) != 1 || !s.Bridges[0].Up { // by another switch they could be joined after all
			continue
		}
		if tops == nil {
			tops = a.tops()
		}
		ends, ok := a.vlanEnds(s.Bridges[0], tops)
		if !ok {
			continue
		}
		var subnets []netip.Prefix
		in := map[netip.Prefix][]vlanEnd{}
		for _, e := range ends {
			for at, p := range e.Prefixes {
				if p.IsSingleIP() || p.Addr().IsLinkLocalUnicast() || isAgain(e.Prefixes, at) {
					continue
				}
				if len(in[p.Masked()]) == 0 {
					subnets = append(subnets, p.Masked())
				}
				in[p.Masked()] = append(in[p.Masked()], e)
			}
		}
		for _, subnet := range subnets {
			a.vlanApart(s.Bridges[0], subnet, in[subnet])
		}
	}
}

// vlanEnds are those on a switch that are up. It is not ok where something hangs on it of which that cannot be said.
func (a *adviser) vlanEnds(bridge *topology.Interface, tops map[*topology.Interface][]*topology.Interface) (ends []vlanEnd, ok bool) {
	add := func(i, port *topology.Interface) {
		if !i.Up || !port.Up {
			return
		}
		ends = append(ends, vlanEnd{i, port, vlanOf(port, bridge), true})
		for _, top := range tops[i] {
			id, err := strconv.Atoi(top.Option("id"))
			if top.Kind != labengine.VLAN || err != nil || !carries(port, bridge, id) {
				id = -1
			}
			if top.Up {
				ends = append(ends, vlanEnd{top, port, id, false})
			}
		}
	}
	add(bridge, bridge)
	for _, port := range a.portsOf(bridge) {
		switch {
		case port.Kind == labengine.Internal:
			add(port, port)
		case port.Peer == nil || port.Peer.IsPort():
			return nil, false
		default:
			add(port.Peer, port)
		}
	}
	return ends, true
}

// vlanOf is the VLAN of what comes to a port without a tag and leaves without one; -1 where there is none such. Without tags
// and trunks, Open vSwitch has it in VLAN 0.
func vlanOf(port, bridge *topology.Interface) int {
	if bridge.Kind == labengine.OVS {
		switch p, _ := labengine.ParseSwitchPort(port.Port); {
		case p.Tag >= 0 && (p.Mode == "" || p.Mode == "access" || p.Mode == "native-untagged"):
			return p.Tag
		case p.Tag < 0 && len(p.Trunks) == 0 && (p.Mode == "" || p.Mode == "trunk"):
			return 0
		}
		return -1
	}
	for _, v := range port.VLANsIn(bridge.Interface) {
		if v.PVID && v.Untagged {
			return v.First
		}
	}
	return -1
}

// carries says whether a port lets frames with a VLAN's tag in and out, tag and all.
func carries(port, bridge *topology.Interface, vlan int) bool {
	if bridge.Kind == labengine.OVS {
		p, _ := labengine.ParseSwitchPort(port.Port)
		access := p.Mode == "access" || p.Mode == "dot1q-tunnel" || p.Mode == "" && p.Tag >= 0
		return !access && p.Tag != vlan && (len(p.Trunks) == 0 || slices.Contains(p.Trunks, vlan))
	}
	return slices.ContainsFunc(port.VLANsIn(bridge.Interface), func(v labengine.PortVLAN) bool {
		return v.First <= vlan && vlan <= v.Last && !v.Untagged
	})
}

// vlanApart looks at those of one subnet on a switch.
func (a *adviser) vlanApart(bridge *topology.Interface, subnet netip.Prefix, ends []vlanEnd) {
	count := map[int]int{}
	for _, e := range ends {
		count[e.vlan]++
	}
	if len(count) != 2 || count[-1] > 0 {
		return
	}
	at := slices.IndexFunc(ends, func(e vlanEnd) bool { return count[e.vlan] == 1 })
	if len(ends) == 2 && ends[1].sendsThrough(ends[0].Interface) {
		at = 1
	}
	if at < 0 || !ends[at].below || ends[at].chooses(subnet) {
		return
	}
	odd, rest := ends[at], slices.Delete(slices.Clone(ends), at, at+1)
	usual := 0
	if bridge.Kind == labengine.Bridge {
		usual, _ = strconv.Atoi(bridge.Option("vlan_default_pvid"))
	}
	mixed, gateway, seen := odd.vlan == usual || rest[0].vlan == usual, false, 0
	for _, e := range rest {
		if e.Node == odd.Node || slices.ContainsFunc(odd.Prefixes, func(p netip.Prefix) bool { return e.Has(p.Addr()) }) {
			return // of two legs, or two tenants with the same addresses, each has its own
		}
		gateway = gateway || odd.sendsThrough(e.Interface) || e.sendsThrough(odd.Interface)
		if e.Kind != labengine.OVS {
			seen++
		}
	}
	// That Open vSwitch has tagged its bridge's own port, no document tells.
	if odd.Kind == labengine.OVS || seen == 0 || !gateway && (!mixed || len(rest) < 2) {
		return
	}
	words := func(vlan int) string {
		if vlan == 0 {
			return "no VLAN"
		}
		return "VLAN " + strconv.Itoa(vlan)
	}
	others := "everybody else of " + subnet.String() + " there is"
	if len(rest) == 1 {
		others = rest[0].Node.Label + " is"
	}
	a.say(labengine.AdviceVLANApart, interfaceIDs([]*topology.Interface{odd.port, odd.Interface}),
		fix([]labengine.Edit{joinVLAN(odd.port, rest[0].vlan, usual)}, "Put %s into %s", odd.port.Name, words(rest[0].vlan)),
		"%s is in %s on %s, and %s in %s: frames stay in their VLAN, and they do not reach each other",
		odd.Interface, words(odd.vlan), bridge.Name, others, words(rest[0].vlan))
}

// sendsThrough says whether the node of an end has a route through somebody.
func (e vlanEnd) sendsThrough(gateway *topology.Interface) bool {
	return slices.ContainsFunc(e.Node.Routes, func(r *topology.Route) bool {
		return r.Gateway.IsValid() && r.Out == e.Interface && gateway.Has(r.Gateway)
	})
}

// chooses says whether somebody has written another way into a subnet than by the end itself.
func (e vlanEnd) chooses(subnet netip.Prefix) bool {
	return e.Node.ByRules || slices.ContainsFunc(e.Node.Routes, func(r *topology.Route) bool {
		return !r.Kernel && r.Out != e.Interface && subnet.Contains(r.Prefix.Addr()) && r.Prefix.Bits() >= subnet.Bits()
	})
}

// joinVLAN has a port take what comes without a tag to be of a VLAN.
func joinVLAN(port *topology.Interface, vlan, usual int) labengine.Edit {
	text := ""
	if port.Master != nil && port.Master.Kind == labengine.OVS {
		if vlan != usual {
			text = labengine.SwitchPort{Tag: vlan}.String()
		}
		return labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: port.ID, Port: &text}}
	}
	if vlan != usual {
		text = labengine.WriteVLANs(labengine.DefaultVLANs(vlan))
	}
	return labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: port.ID, VLANs: &text}}
}
