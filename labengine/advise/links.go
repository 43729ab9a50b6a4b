package advise

import (
	"net/netip"
	"slices"
	"strconv"

	"vethlab/labengine"
	"vethlab/labengine/topology"
)

// interfacesDown finds interfaces that are down, and that something which is there would need.
func (a *adviser) interfacesDown() {
	said := map[*topology.Interface]bool{}
	for _, node := range a.Nodes {
		for _, i := range node.Interfaces {
			if i.Up || i.IsLoopback() || said[i] || !a.isNeeded(i) {
				continue
			}
			down := []*topology.Interface{i}
			if i.Peer != nil && !i.Peer.Up {
				down = append(down, i.Peer)
				said[i.Peer] = true
			}
			a.interfaceDown(i, down)
		}
	}
}

// isNeeded says whether an interface has an address, or whether something hangs on it that is in use.
func (a *adviser) isNeeded(i *topology.Interface) bool {
	onTop := slices.ContainsFunc(a.onTopOf(i), func(top *topology.Interface) bool { return top.Up && len(top.Prefixes) > 0 })
	switch {
	case onTop:
		return true
	case len(i.Prefixes) > 0:
		return !isLeft(i)
	case i.Peer != nil && i.Peer.Up:
		return len(i.Peer.Prefixes) > 0 || i.IsPort() && i.Peer.IsPort() && !joinedOtherwise(i.Master, i.Peer.Master)
	case i.Peer == nil && i.IsPort(): // a vlan or a tunnel that is a port; what hangs on a dummy or an internal port is its node
		return i.Master != nil && i.Master.Up && i.Kind != labengine.Dummy && i.Kind != labengine.Internal
	case labengine.HasPorts(i.Kind):
		return slices.ContainsFunc(a.portsOf(i), func(p *topology.Interface) bool {
			return p.Up && p.Peer != nil && p.Peer.Up && len(p.Peer.Prefixes) > 0
		})
	}
	return false
}

// isLeft says whether an interface is down where it would be in the way: nobody can be there, and its subnet is elsewhere now.
func isLeft(i *topology.Interface) bool {
	return i.Segment != nil && isUnplugged(i) && slices.ContainsFunc(i.Prefixes, func(p netip.Prefix) bool {
		return slices.ContainsFunc(i.Node.Interfaces, func(other *topology.Interface) bool {
			return other.Segment != i.Segment && slices.ContainsFunc(other.Prefixes, func(q netip.Prefix) bool {
				return q.Masked() == p.Masked() && connects(other, q)
			})
		})
	})
}

func (a *adviser) portsOf(bridge *topology.Interface) []*topology.Interface {
	return slices.DeleteFunc(slices.Clone(bridge.Node.Interfaces), func(i *topology.Interface) bool { return i.Master != bridge })
}

// onTopOf are the interfaces that send through another one, where that is their own node's.
func (a *adviser) onTopOf(i *topology.Interface) []*topology.Interface {
	return slices.DeleteFunc(slices.Clone(i.Node.Interfaces), func(top *topology.Interface) bool { return top.Parent != i })
}

// joinedOtherwise says whether cables that are up join two bridges: then one that is down may be so to open a ring.
func joinedOtherwise(x, y *topology.Interface) bool {
	wires := wiresOf(x.Segment, func(port *topology.Interface) bool { return port.Up })
	reached := map[*topology.Interface]bool{x: true}
	for more := true; more && !reached[y]; {
		more = false
		for _, w := range wires {
			if reached[w.ends[0]] != reached[w.ends[1]] {
				reached[w.ends[0]], reached[w.ends[1]], more = true, true, true
			}
		}
	}
	return reached[y]
}

func (a *adviser) interfaceDown(i *topology.Interface, down []*topology.Interface) {
	up := true
	var edits []labengine.Edit
	for _, d := range down {
		edits = append(edits, labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: d.ID, Up: &up}})
	}
	on := interfaceIDs(down)
	if i.Peer != nil {
		on = append(on, i.Cable)
	}
	set := fix(edits, "Set %s up", i.Name)
	ports := len(a.portsOf(i))
	switch {
	case len(down) == 2:
		set.Label = "Set both up"
		a.say(labengine.AdviceInterfaceDown, on, set, "%s are down: nothing passes the cable between them", list(called(down)))
	case i.Peer != nil:
		a.say(labengine.AdviceInterfaceDown, on, set, "%s is down: nothing passes its cable to %s", i, i.Peer)
	case labengine.HasPorts(i.Kind) && ports > 0:
		a.say(labengine.AdviceInterfaceDown, on, set, "%s is down: nothing passes between its %d %s and %s",
			i, ports, choose(ports, "port", "ports"), i.Node.Label)
	case len(i.Prefixes) > 0:
		a.say(labengine.AdviceInterfaceDown, on, set, "%s has %s and is down: nothing arrives there", i, i.Prefixes[0])
	default:
		a.say(labengine.AdviceInterfaceDown, on, set, "%s is down, and what depends on it passes nothing on", i)
	}
}

// loopbacksDown finds nodes whose lo is down, as a new namespace's is, where something is bound to it. A node reaches its
// own addresses through lo too; that alone is no reason to say so.
func (a *adviser) loopbacksDown() {
	for _, node := range a.Nodes {
		for _, i := range node.Interfaces {
			if !i.IsLoopback() || i.Up {
				continue
			}
			up := true
			set := fix([]labengine.Edit{{UpdateInterface: &labengine.UpdateInterface{ID: i.ID, Up: &up}}}, "Set lo up")
			if len(i.Prefixes) > 0 {
				a.say(labengine.AdviceLoopbackDown, []labengine.ID{i.ID}, set,
					"lo of %s has %s and is down: nothing reaches that address", node.Label, i.Prefixes[0])
			} else if s, ok := boundToLoopback(node.Live().Sockets); ok {
				a.say(labengine.AdviceLoopbackDown, []labengine.ID{i.ID}, set,
					"lo of %s is down: nothing reaches what waits at %s port %d there", node.Label, s.Address, s.Port)
			} else {
				continue
			}
			a.said[len(a.said)-1].Minor = true
		}
	}
}

func boundToLoopback(sockets []labengine.Socket) (labengine.Socket, bool) {
	at := slices.IndexFunc(sockets, func(s labengine.Socket) bool {
		address, err := netip.ParseAddr(s.Address)
		return err == nil && address.IsLoopback()
	})
	if at < 0 {
		return labengine.Socket{}, false
	}
	return sockets[at], true
}

// mtuMismatches finds segments on which some take smaller packets than others send. A switch and a cable say nothing when
// they drop what is too large: path MTU discovery is for routers.
func (a *adviser) mtuMismatches() {
	for _, s := range a.Segments {
		if s.Split {
			continue
		}
		speaking := 0
		var small, large *topology.Interface
		for _, i := range s.Members {
			if !i.Up || len(i.Prefixes) == 0 || i.Kind == labengine.Dummy {
				continue
			}
			speaking++
			if small == nil || i.MTU < small.MTU {
				small = i
			}
			if large == nil || i.MTU > large.MTU {
				large = i
			}
		}
		if speaking < 2 {
			continue
		}
		for _, i := range s.Ports {
			if i.Up && i.MTU < small.MTU && isOnTheWay(i) {
				small = i
			}
		}
		if small.MTU < large.MTU {
			a.mtuMismatch(s, small, large)
		}
	}
}

// isOnTheWay says whether somebody's packets pass a port.
func isOnTheWay(port *topology.Interface) bool {
	if port.Peer == nil {
		return true
	}
	return port.Peer.Up && (port.Peer.IsPort() || len(port.Peer.Prefixes) > 0)
}

// mtuMismatch lowers the larger ones: that is safe whatever the reason for the smaller one, a tunnel for one.
func (a *adviser) mtuMismatch(s *topology.Segment, small, large *topology.Interface) {
	mtu := small.MTU
	var edits []labengine.Edit
	lower := func(i *topology.Interface) {
		if i.MTU > mtu {
			edits = append(edits, labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: i.ID, MTU: &mtu}})
		}
	}
	for _, i := range append(slices.Clone(s.Ports), s.Members...) {
		for _, top := range a.onTopOf(i) {
			if top.Kind == labengine.VLAN { // the kernel has it follow
				lower(top)
			}
		}
		lower(i)
	}
	where := "everywhere on " + s.Name()
	if len(edits) == 1 {
		where = "on " + large.Name + " too"
	}
	a.say(labengine.AdviceMTUMismatch, interfaceIDs([]*topology.Interface{small, large}), fix(edits, "Set an MTU of %d %s", mtu, where),
		"%s has an MTU of %d and %s one of %d: packets of more than %d bytes between them vanish without a word",
		small, small.MTU, large, large.MTU, small.MTU)
}

// wire is a cable from bridge to bridge.
type wire struct {
	cable labengine.ID
	ends  [2]*topology.Interface // bridges
}

// wiresOf are the cables between bridges of a segment, both of whose ends pass.
func wiresOf(s *topology.Segment, passes func(port *topology.Interface) bool) []wire {
	var found []wire
	for _, port := range s.Ports {
		if peer := port.Peer; peer != nil && port.ID < peer.ID && port.Master != nil && peer.Master != nil && passes(port) && passes(peer) {
			found = append(found, wire{port.Cable, [2]*topology.Interface{port.Master, peer.Master}})
		}
	}
	return found
}

// bridgeLoops finds rings of bridges none of which runs STP: a broadcast goes round in them for ever, and ever more of them
// until the machine does nothing else. One bridge with STP hears itself and opens the ring: the others pass on what it sends.
// A cable that is cut opens it where both directions are: by one alone, the broadcast goes round the other way.
func (a *adviser) bridgeLoops() {
	for _, s := range a.Segments {
		if len(s.Bridges) == 0 || s.Split {
			continue
		}
		wires := wiresOf(s, func(port *topology.Interface) bool {
			return port.Up && port.Master.Up && !runsSTP(port.Master) && !(sendsNothing(port) && sendsNothing(port.Peer))
		})
		if ring := ringOf(wires); len(ring) > 0 {
			a.bridgeLoop(ring)
		}
	}
}

// sendsNothing says whether an interface's frames all get lost, as on a cable that is cut.
func sendsNothing(i *topology.Interface) bool {
	impairment, err := labengine.ParseImpairment(i.Impair)
	return err == nil && (impairment.Cut || impairment.Loss == 100)
}

// runsSTP says whether a bridge listens for rings: by 802.1D or, of Open vSwitch, 802.1D or 802.1w.
func runsSTP(bridge *topology.Interface) bool {
	if bridge.Kind == labengine.OVS {
		return bridge.Option("stp_enable") == "true" || bridge.Option("rstp_enable") == "true"
	}
	return bridge.Option("stp_state") != "0"
}

// ringOf is what is left of wires once those have gone, again and again, that are the only one of a bridge: nothing where
// there is no ring.
func ringOf(wires []wire) []wire {
	at := map[*topology.Interface][]int{}
	for i, w := range wires {
		at[w.ends[0]] = append(at[w.ends[0]], i)
		at[w.ends[1]] = append(at[w.ends[1]], i)
	}
	left := map[*topology.Interface]int{}
	var ends []*topology.Interface
	for bridge, its := range at {
		if left[bridge] = len(its); len(its) == 1 {
			ends = append(ends, bridge)
		}
	}
	gone := make([]bool, len(wires))
	for len(ends) > 0 {
		bridge := ends[len(ends)-1]
		ends = ends[:len(ends)-1]
		for _, i := range at[bridge] {
			if gone[i] {
				continue
			}
			gone[i] = true
			for _, end := range wires[i].ends {
				if left[end]--; left[end] == 1 {
					ends = append(ends, end)
				}
			}
		}
	}
	var ring []wire
	for i, w := range wires {
		if !gone[i] {
			ring = append(ring, w)
		}
	}
	return ring
}

func (a *adviser) bridgeLoop(ring []wire) {
	var bridges []*topology.Interface
	var on []labengine.ID
	for _, w := range ring {
		for _, b := range w.ends {
			if !slices.Contains(bridges, b) {
				bridges = append(bridges, b)
			}
		}
	}
	var edits []labengine.Edit
	for _, b := range bridges {
		values, _ := labengine.ParseOptions(b.Kind, b.Options)
		if b.Kind == labengine.OVS {
			values["stp_enable"] = "true"
		} else {
			values["stp_state"] = "1"
		}
		options := labengine.WriteOptions(b.Kind, values)
		edits = append(edits, labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: b.ID, Options: &options}})
		on = append(on, b.ID)
	}
	names := topology.BridgeNames(bridges)
	for _, w := range ring {
		on = append(on, w.cable)
	}
	cables := strconv.Itoa(len(ring)) + choose(len(ring), " cable", " cables")
	stp := fix(edits, "Turn STP on")
	if len(bridges) == 1 {
		a.say(labengine.AdviceBridgeLoop, on, stp, "%s leads back to %s, which has no STP: a broadcast goes round for ever", cables, names[0])
		return
	}
	a.say(labengine.AdviceBridgeLoop, on, stp, "%s are a ring by %s, and none has STP: a broadcast goes round for ever", list(names), cables)
}
