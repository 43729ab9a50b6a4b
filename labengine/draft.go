package labengine

import "slices"

// Edit says what the lab is after all the edits, and leaves l as it is. A [Problem] says which edit is not possible,
// and why; then none of them is.
func (l Lab) Edit(edits []Edit) (Lab, error) {
	after := draft{Lab: l.Clone()}
	if err := after.carryOut(edits); err != nil {
		return l, err
	}
	if slices.ContainsFunc(edits, Edit.mayDropRoutes) {
		after.dropRoutes(l)
		after.dropNeighbours(l)
	}
	return after.Lab, nil
}

// EditPatch is what [Lab.Edit] changes, as [Compare] says it. What only adds to the lab costs the same however large that is: the
// lab's maps are written to, and put back.
func (j *Journal) EditPatch(edits []Edit) (Patch, error) {
	if slices.ContainsFunc(edits, Edit.mayDropRoutes) {
		after, err := j.Lab.Edit(edits)
		return Compare(j.Lab, after), err
	}
	names := j.index()
	last := names.last
	after := draft{Lab: j.Lab, names: names, was: &Patch{}}
	err := after.carryOut(edits)
	is := after.Before(*after.was) // what there is now of it
	is.Name, is.Quiet = &after.Name, &after.Quiet
	j.Lab.Apply(*after.was)
	names.follow(is, *after.was)
	names.last = last
	if err != nil {
		return Patch{}, err
	}
	return j.Lab.Prune(is), nil
}

// mayDropRoutes says whether a link may go, go down or lose an address.
func (e Edit) mayDropRoutes() bool {
	return e.UpdateNode != nil || e.UpdateInterface != nil || e.DeleteAddress != nil || e.Delete != nil
}

// draft is a lab while it is edited, with its names at hand: a file of a thousand nodes is one list of edits.
type draft struct {
	Lab
	names *names // nil until a name is looked up, and after edits that change or free some
	was   *Patch // what has been set, as it was before; nil where nobody asks
}

func (l *draft) carryOut(edits []Edit) error {
	if len(edits) == 0 {
		return Problemf(CodeBadRequest, "the op has no edits")
	}
	for _, e := range edits {
		if err := e.apply(l); err != nil {
			return err
		}
	}
	return nil
}

// index makes the names ready.
func (l *draft) index() *names {
	if l.names == nil {
		l.names = namesIn(l.Lab)
	}
	return l.names
}

// addNode adds a checked node, last in order.
func (l *draft) addNode(n Node) {
	names := l.index()
	names.last.node++
	n.Order = names.last.node
	l.setNode(n)
	names.nodes[nodeName{n.In, n.Name}] = n.ID
}

// addInterface adds a checked interface.
func (l *draft) addInterface(i Interface) {
	l.index().interfaces[interfaceName{i.Node, i.Name}] = i.ID
	l.setInterface(i)
}

// addCable adds a cable, last in order.
func (l *draft) addCable(c Cable) {
	names := l.index()
	names.last.cable++
	c.Order = names.last.cable
	if l.was != nil {
		keep(&l.was.Cables, l.Cables, c.ID)
	}
	l.Cables[c.ID] = c
}

func (l *draft) setNode(n Node) {
	if l.was != nil {
		keep(&l.was.Nodes, l.Nodes, n.ID)
	}
	l.Nodes[n.ID] = n
}

func (l *draft) setInterface(i Interface) {
	if l.was != nil {
		keep(&l.was.Interfaces, l.Interfaces, i.ID)
	}
	l.Interfaces[i.ID] = i
}

func (l *draft) setPlace(id ID, at Place) {
	if l.was != nil {
		keep(&l.was.Places, l.Places, id)
	}
	l.Places[id] = at
}

// keep notes what a thing is, unless that has been noted.
func keep[V any](was *map[ID]*V, now map[ID]V, id ID) {
	if _, kept := (*was)[id]; kept {
		return
	}
	if *was == nil {
		*was = map[ID]*V{}
	}
	(*was)[id] = nil
	if v, ok := now[id]; ok {
		(*was)[id] = &v
	}
}

// names says which node and interface of a lab has a name, and which orders are the last.
type names struct {
	nodes      map[nodeName]ID
	interfaces map[interfaceName]ID
	last       struct{ node, cable int }
}

type nodeName struct {
	in   ID
	name string
}

type interfaceName struct {
	node ID
	name string
}

func namesIn(l Lab) *names {
	n := &names{nodes: make(map[nodeName]ID, len(l.Nodes)), interfaces: make(map[interfaceName]ID, len(l.Interfaces))}
	for id, i := range l.Interfaces {
		n.interfaces[interfaceName{i.Node, i.Name}] = id
	}
	for id, node := range l.Nodes {
		n.nodes[nodeName{node.In, node.Name}] = id
	}
	n.findLast(l)
	return n
}

func (n *names) findLast(l Lab) {
	n.last.node, n.last.cable = 0, 0
	for _, node := range l.Nodes {
		n.last.node = max(n.last.node, node.Order)
	}
	for _, c := range l.Cables {
		n.last.cable = max(n.last.cable, c.Order)
	}
}

// follow takes in what a patch has changed. It says whether what was the last in order has gone: which one is then is to be found.
func (n *names) follow(before, after Patch) (lostLast bool) {
	for id, was := range before.Nodes {
		if was == nil {
			continue
		}
		if n.nodes[nodeName{was.In, was.Name}] == id {
			delete(n.nodes, nodeName{was.In, was.Name})
		}
		is := after.Nodes[id]
		lostLast = lostLast || was.Order == n.last.node && (is == nil || is.Order < was.Order)
	}
	for id, was := range before.Cables {
		is := after.Cables[id]
		lostLast = lostLast || was != nil && was.Order == n.last.cable && (is == nil || is.Order < was.Order)
	}
	for id, was := range before.Interfaces {
		if was != nil && n.interfaces[interfaceName{was.Node, was.Name}] == id {
			delete(n.interfaces, interfaceName{was.Node, was.Name})
		}
	}
	for id, is := range after.Nodes {
		if is != nil {
			n.nodes[nodeName{is.In, is.Name}] = id
			n.last.node = max(n.last.node, is.Order)
		}
	}
	for _, is := range after.Cables {
		if is != nil {
			n.last.cable = max(n.last.cable, is.Order)
		}
	}
	for id, is := range after.Interfaces {
		if is != nil {
			n.interfaces[interfaceName{is.Node, is.Name}] = id
		}
	}
	return lostLast
}
