package labengine

import "slices"

// Saved is the part of a lab that a file has words for: no namespaces that only a process holds, no interfaces of other
// kinds, and no routes and neighbours through such.
func (l Lab) Saved() Lab {
	l = l.Clone()
	for id, n := range l.Nodes {
		if n.Held != "" {
			delete(l.Nodes, id)
		}
	}
	cabled := map[ID]bool{}
	for _, c := range l.Cables {
		cabled[c.Ends[0]], cabled[c.Ends[1]] = true, true
	}
	unsaved := map[interfaceName]bool{}
	for id, i := range l.Interfaces {
		if !i.Saved() || i.Kind == Veth && !cabled[id] {
			delete(l.Interfaces, id)
			unsaved[interfaceName{i.Node, i.Name}] = true
		}
	}
	l.dropDangling()
	for id, n := range l.Nodes {
		through := func(text string) bool {
			r, err := ParseRoute(text)
			return err != nil || slices.ContainsFunc(r.Ways(), func(way Hop) bool { return unsaved[interfaceName{id, way.Dev}] })
		}
		unsavedNeighbour := func(text string) bool {
			p, err := ParseNeighbour(text)
			return err != nil || unsaved[interfaceName{id, p.Dev}]
		}
		if slices.ContainsFunc(n.Neighbours, unsavedNeighbour) {
			n.Neighbours = slices.DeleteFunc(slices.Clone(n.Neighbours), unsavedNeighbour)
			l.Nodes[id] = n
		}
		if slices.ContainsFunc(n.Routes, through) {
			n.Routes = slices.DeleteFunc(slices.Clone(n.Routes), through)
			l.Nodes[id] = n
		}
	}
	return l
}

// Machines is a lab with nothing but the nodes of this one that are in no machine, as they are before anything is set in them.
func (l Lab) Machines() Lab {
	machines := NewLab(l.Name)
	machines.Quiet = l.Quiet
	for id, n := range l.Nodes {
		if n.In == "" {
			machines.Nodes[id] = Node{ID: id, Name: n.Name, Kind: n.Kind, Order: n.Order}
		}
	}
	return machines
}
