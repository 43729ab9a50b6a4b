package labengine

import (
	"slices"
	"strings"
)

// Around is the part of the lab that a patch is about, before and after it: what it touches, and the nodes, machines and
// cable ends that this hangs on. What is said of a change, and what is done for it, is the same for the part as for the
// whole, and costs what the change costs, however large the lab is.
func (l Lab) Around(p Patch) (before, after Lab) {
	before = NewLab(l.Name)
	before.Quiet = l.Quiet
	addNode := func(id ID) {
		if n, ok := l.Nodes[id]; ok {
			before.Nodes[id] = n
			if machine, ok := l.Nodes[n.In]; ok {
				before.Nodes[machine.ID] = machine
			}
		}
	}
	var addInterface func(id ID)
	addInterface = func(id ID) {
		i, ok := l.Interfaces[id]
		if _, has := before.Interfaces[id]; !ok || has {
			return
		}
		before.Interfaces[id] = i
		addNode(i.Node)
		addInterface(i.Master)
		addInterface(i.Parent)
	}
	addCable := func(id ID) {
		if c, ok := l.Cables[id]; ok {
			before.Cables[id] = c
			addInterface(c.Ends[0])
			addInterface(c.Ends[1])
		}
	}
	for id, n := range p.Nodes {
		addNode(id)
		if n != nil {
			addNode(n.In)
			isNew := func(route string) bool { // such a route depends on which of its links are up
				return strings.Contains(route, " nexthop ") && !slices.Contains(l.Nodes[id].Routes, route)
			}
			for _, i := range l.waysOf(id, n.Routes, isNew) {
				addInterface(i)
			}
			for _, i := range l.setIn(*n) {
				addInterface(i)
			}
		}
	}
	for id, i := range p.Interfaces {
		addInterface(id)
		if was, ok := l.Interfaces[id]; ok && (i == nil || was.Up && !i.Up || !SameAddresses(was.Addresses, i.Addresses)) {
			for _, way := range l.waysOf(was.Node, l.Nodes[was.Node].Routes, func(string) bool { return true }) { // the kernel drops some
				addInterface(way)
			}
		}
		if i == nil {
			continue
		}
		addNode(i.Node)
		addInterface(i.Master)
		addInterface(i.Parent)
		was, ok := l.Interfaces[id]
		replugged := was.Master != i.Master && (l.Interfaces[was.Master].Kind == OVS || l.isOVS(p, i.Master))
		if ok && (was.Node != i.Node || replugged) { // it may have to be made anew, and what hangs on it too
			if c, ok := l.CableOf(id); ok {
				addCable(c.ID)
			}
		}
	}
	if l.someChange(p.Interfaces) {
		for id, i := range l.Interfaces { // what hangs on them follows: a vlan its parent's MTU, a port its bridge's end
			_, parent := p.Interfaces[i.Parent]
			_, master := p.Interfaces[i.Master]
			if i.Parent != "" && parent || i.Master != "" && master {
				addInterface(id)
			}
		}
	}
	if l.touchesOVS(p) { // Open vSwitch runs for as long as there is one
		for id, i := range l.Interfaces {
			if i.Kind == OVS {
				addInterface(id)
			}
		}
	}
	for id, c := range p.Cables {
		addCable(id)
		if c != nil {
			addInterface(c.Ends[0])
			addInterface(c.Ends[1])
		}
	}
	for id := range p.Places {
		addNode(id)
		addInterface(id)
		if at, ok := l.Places[id]; ok {
			before.Places[id] = at
		}
	}
	for id, n := range p.Nodes { // a node that moves is made anew, and what is in it too
		if was, ok := l.Nodes[id]; n != nil && ok && (was.In != n.In || was.Command != n.Command) {
			l.addContents(id, addInterface, addCable)
		}
	}
	after = before.Clone()
	after.Apply(p)
	return before, after
}

// waysOf are the interfaces that some of a node's routes lead out of.
func (l Lab) waysOf(node ID, routes []string, some func(route string) bool) []ID {
	var ways []ID
	var links []Interface
	for _, text := range routes {
		if !some(text) {
			continue
		}
		if links == nil {
			links = l.InterfacesOf(node)
		}
		if r, err := ParseRoute(text); err == nil {
			for _, way := range r.Ways() {
				if i, ok := HopLink(way, links); ok {
					ways = append(ways, i.ID)
				}
			}
		}
	}
	return ways
}

// setIn are the interfaces of a node whose own settings are others than they were.
func (l Lab) setIn(n Node) []ID {
	var set []ID
	was := l.Nodes[n.ID].Sysctls
	for _, setting := range slices.Concat(was, n.Sysctls) {
		name, _, _ := strings.Cut(setting, "=")
		if link, ok := SysctlLink(name); ok && slices.Contains(was, setting) != slices.Contains(n.Sysctls, setting) {
			if i, ok := l.InterfaceNamed(n.ID, link); ok {
				set = append(set, i.ID)
			}
		}
	}
	return set
}

// someChange says whether a patch touches interfaces that are there already: on new ones nothing hangs yet.
func (l Lab) someChange(touched map[ID]*Interface) bool {
	for id := range touched {
		if _, ok := l.Interfaces[id]; ok {
			return true
		}
	}
	return false
}

// isOVS says whether an interface is an OVS bridge after a patch.
func (l Lab) isOVS(p Patch, id ID) bool {
	if i, touched := p.Interfaces[id]; touched {
		return i != nil && i.Kind == OVS
	}
	return l.Interfaces[id].Kind == OVS
}

// touchesOVS says whether a patch is about an OVS bridge itself.
func (l Lab) touchesOVS(p Patch) bool {
	for id := range p.Interfaces {
		if l.Interfaces[id].Kind == OVS || l.isOVS(p, id) {
			return true
		}
	}
	return false
}

func (l Lab) addContents(node ID, addInterface, addCable func(ID)) {
	for id, i := range l.Interfaces {
		if i.Node == node {
			addInterface(id)
		}
	}
	for id, c := range l.Cables {
		if l.Interfaces[c.Ends[0]].Node == node || l.Interfaces[c.Ends[1]].Node == node {
			addCable(id)
		}
	}
}
