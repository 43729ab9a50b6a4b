package live_test

import (
	"fmt"

	"vethlab/labengine"
)

// What hands and terminals do in a random walk with bridges, other interfaces, routes, settings and impairments.

func (w *walker) anyBridge(lab labengine.Lab) (labengine.Interface, bool) {
	id, ok := pick(w, ids(lab.Interfaces, func(i labengine.Interface) bool {
		return labengine.HasPorts(i.Kind) && lab.Nodes[i.Node].Kind != labengine.LAN
	}))
	return lab.Interfaces[id], ok
}

func (w *walker) addBridge(lab labengine.Lab) {
	name, at := w.name("b"), w.anyNode(lab)
	w.edit(labengine.Edit{AddInterface: &labengine.AddInterface{
		ID: labengine.ID(name), Node: at.ID, Name: name, Kind: labengine.Bridge, Addresses: []string{w.randomAddress()},
		Options: []string{"", "stp_state 1", "ageing_time 20000 mcast_snooping 0"}[w.rand.IntN(3)],
	}})
}

func (w *walker) addOnTop(lab labengine.Lab) {
	below, ok := w.anyVeth(lab)
	if !ok {
		return
	}
	name := w.name("o")
	kind, options := labengine.MACVLAN, "mode bridge"
	if w.rand.IntN(2) == 0 {
		kind, options = labengine.VXLAN, fmt.Sprintf("id %d remote 10.0.0.9", 1+w.rand.IntN(1000))
	}
	w.edit(labengine.Edit{AddInterface: &labengine.AddInterface{
		ID: labengine.ID(name), Node: below.Node, Name: name, Kind: kind, Parent: below.ID, Options: options,
	}})
}

// addPort plugs a cable's end into a bridge where it is, takes it out again, or draws a new cable to a bridge.
func (w *walker) addPort(lab labengine.Lab) {
	bridge, ok := w.anyBridge(lab)
	if !ok {
		return
	}
	if w.rand.IntN(2) == 0 {
		name, from := w.name("p"), w.anyNode(lab)
		w.edit(labengine.Edit{AddCable: &labengine.AddCable{
			ID: labengine.ID(name), A: labengine.End{ID: labengine.ID(name + "a"), Node: from.ID, Name: name + "a"},
			B: labengine.End{ID: labengine.ID(name + "b"), Node: bridge.Node, Name: name + "b", Master: bridge.ID},
		}})
		return
	}
	id, ok := pick(w, ids(lab.Interfaces, func(i labengine.Interface) bool {
		return i.Kind == labengine.Veth && i.Node == bridge.Node
	}))
	if !ok {
		return
	}
	master := bridge.ID
	if lab.Interfaces[id].Master != "" {
		master = ""
	}
	w.edit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: id, Master: &master}})
}

func (w *walker) impair(lab labengine.Lab) {
	if i, ok := w.anyVeth(lab); ok {
		text := []string{"", "cut", "rate 10mbit", "rate 1mbit"}[w.rand.IntN(4)]
		w.edit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: i.ID, Impair: &text}})
	}
}

func (w *walker) addTun(lab labengine.Lab) {
	name := w.name("u")
	w.edit(labengine.Edit{AddInterface: &labengine.AddInterface{
		ID: labengine.ID(name), Node: w.anyNode(lab).ID, Name: name, Kind: labengine.Tun, MTU: []int{0, 1400}[w.rand.IntN(2)],
		Options: []string{"", "mode tap", "mode tap pi 1"}[w.rand.IntN(3)], Addresses: []string{w.randomAddress()},
	}})
}

func (w *walker) typeTun(lab labengine.Lab) {
	name := w.name("y")
	w.typed("%s tuntap add dev %s mode %s", w.ip(lab, w.hosts(lab).ID), name, []string{"tun", "tap multi_queue"}[w.rand.IntN(2)])
}

func (w *walker) alias(lab labengine.Lab) {
	if i, ok := w.anyVeth(lab); ok {
		text := []string{"", "the way out", "it's up"}[w.rand.IntN(3)]
		w.edit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: i.ID, Alias: &text}})
	}
}

func (w *walker) typeAlias(lab labengine.Lab) {
	if i, ok := w.hostsVeth(lab); ok {
		w.typed("%s link set dev %s alias '%s'", w.ip(lab, i.Node), i.Name, []string{"", "typed alias"}[w.rand.IntN(2)])
	}
}

func (w *walker) randomRoute() string {
	return []string{
		fmt.Sprintf("10.%d.0.0/16 via 10.0.%d.%d", 1+w.rand.IntN(5), w.rand.IntN(3), 1+w.rand.IntN(200)),
		fmt.Sprintf("blackhole 10.%d.0.0/16", 20+w.rand.IntN(5)),
		fmt.Sprintf("10.%d.0.0/16 via 10.0.%d.%d metric 50", 1+w.rand.IntN(5), w.rand.IntN(3), 1+w.rand.IntN(200)),
		fmt.Sprintf("default via 192.168.15.%d", 1+w.rand.IntN(2)),
		fmt.Sprintf("10.%d.0.0/16 mtu 1400 nexthop via 192.168.15.%d nexthop via 10.0.%d.7 weight 2", 1+w.rand.IntN(5), 1+w.rand.IntN(2), w.rand.IntN(3)),
	}[w.rand.IntN(5)]
}

func (w *walker) route(lab labengine.Lab) {
	n := w.anyNode(lab)
	if n.Kind == labengine.LAN {
		return
	}
	if r, has := pick(w, n.Routes); has && w.rand.IntN(3) == 0 {
		w.edit(labengine.Edit{DeleteRoute: &labengine.DeleteRoute{Node: n.ID, Route: r}})
		return
	}
	w.edit(labengine.Edit{AddRoute: &labengine.AddRoute{Node: n.ID, Route: w.randomRoute()}})
}

func (w *walker) sysctl(lab labengine.Lab) {
	n := w.anyNode(lab)
	if n.Kind == labengine.LAN {
		return
	}
	name := []string{"net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter"}[w.rand.IntN(2)]
	w.edit(labengine.Edit{SetSysctl: &labengine.SetSysctl{Node: n.ID, Name: name, Value: fmt.Sprint(w.rand.IntN(2))}})
}

func (w *walker) typeBridge(lab labengine.Lab) {
	name := w.name("y")
	w.typed("%s link add name %s type bridge; %s link set %s up", w.ip(lab, w.hosts(lab).ID), name, w.ip(lab, "host"), name)
}

func (w *walker) typePort(lab labengine.Lab) {
	i, ok := w.hostsVeth(lab)
	if !ok {
		return
	}
	id, ok := pick(w, ids(lab.Interfaces, func(b labengine.Interface) bool {
		return labengine.HasPorts(b.Kind) && b.Node == i.Node
	}))
	switch {
	case lab.Interfaces[i.Master].Kind == labengine.OVS:
		w.typed("ovs-vsctl del-port %s", i.Name)
		return
	case !ok || i.Master != "":
		w.typed("%s link set dev %s nomaster", w.ip(lab, i.Node), i.Name)
		return
	case lab.Interfaces[id].Kind == labengine.OVS:
		w.typed("ovs-vsctl add-port %s %s", lab.Interfaces[id].Name, i.Name)
		return
	}
	w.typed("%s link set dev %s master %s", w.ip(lab, i.Node), i.Name, lab.Interfaces[id].Name)
}

func (w *walker) typeRoute(lab labengine.Lab) {
	n := w.hosts(lab)
	if r, has := pick(w, n.Routes); has && w.rand.IntN(3) == 0 {
		w.typed("%s route del %s", w.ip(lab, n.ID), r)
		return
	}
	w.typed("%s route add %s", w.ip(lab, n.ID), w.randomRoute())
}

func (w *walker) typeSysctl(lab labengine.Lab) {
	n := w.hosts(lab)
	command := fmt.Sprintf("sysctl -qw net.ipv4.ip_forward=%d", w.rand.IntN(2))
	if n.In != "" {
		command = "ip netns exec " + n.Name + " " + command
	}
	w.typed("%s", command)
}

func (w *walker) typeImpair(lab labengine.Lab) {
	i, ok := w.hostsVeth(lab)
	if !ok {
		return
	}
	tc := "tc"
	if n := lab.Nodes[i.Node]; n.In != "" {
		tc += " -n " + n.Name
	}
	if w.rand.IntN(3) == 0 {
		w.typed("%s qdisc del dev %s root", tc, i.Name)
		return
	}
	w.typed("%s qdisc replace dev %s root tbf rate 5mbit burst 20kb latency 50ms", tc, i.Name)
}

func (w *walker) randomNeighbour(dev string) string {
	return fmt.Sprintf("10.0.0.%d lladdr 02:00:00:00:00:%02x dev %s", 1+w.rand.IntN(5), w.rand.IntN(256), dev)
}

func (w *walker) neighbour(lab labengine.Lab) {
	i, ok := w.anyVeth(lab)
	if !ok {
		return
	}
	n := lab.Nodes[i.Node]
	if text, has := pick(w, n.Neighbours); has && w.rand.IntN(3) == 0 {
		w.edit(labengine.Edit{DeleteNeighbour: &labengine.DeleteNeighbour{Node: n.ID, Neighbour: text}})
		return
	}
	w.edit(labengine.Edit{AddNeighbour: &labengine.AddNeighbour{Node: n.ID, Neighbour: w.randomNeighbour(i.Name)}})
}

func (w *walker) typeNeighbour(lab labengine.Lab) {
	if i, ok := w.hostsVeth(lab); ok {
		w.typed("%s neigh replace %s", w.ip(lab, i.Node), w.randomNeighbour(i.Name))
	}
}
