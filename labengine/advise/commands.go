package advise

import (
	"vethlab/labengine"
	"vethlab/labengine/plan"
	"vethlab/labengine/topology"
)

// commands fills in what a person would type for each fix. A fix is about few nodes, and no others are compared: a large lab
// may want many fixes.
func (a *adviser) commands() {
	p := parts{Network: a.Network, tops: a.tops()}
	for _, said := range a.said {
		if said.Fix == nil {
			continue
		}
		part := p.around(said.Fix.Edits)
		if after, err := part.Edit(said.Fix.Edits); err == nil {
			said.Fix.Commands = plan.Diff(part, after).Commands()
		}
	}
}

// tops are what sends through each interface.
func (a *adviser) tops() map[*topology.Interface][]*topology.Interface {
	tops := map[*topology.Interface][]*topology.Interface{}
	for _, node := range a.Nodes {
		for _, i := range node.Interfaces {
			if i.Parent != nil {
				tops[i.Parent] = append(tops[i.Parent], i)
			}
		}
	}
	return tops
}

// parts are smaller labs out of a lab.
type parts struct {
	*topology.Network
	tops map[*topology.Interface][]*topology.Interface // what sends through an interface
}

// around is the lab of the nodes that edits are about, with all their interfaces: where one goes down, routes that lead out
// of the others stay. What hangs on an interface is there too, wherever it is.
func (p parts) around(edits []labengine.Edit) labengine.Lab {
	part := labengine.NewLab(p.Lab.Name)
	part.Quiet = p.Lab.Quiet
	for _, e := range edits {
		node := p.about(e)
		if node == nil {
			continue
		}
		for _, i := range node.Interfaces {
			p.add(&part, i)
		}
	}
	return part
}

func (p parts) add(part *labengine.Lab, i *topology.Interface) {
	if _, is := part.Interfaces[i.ID]; is {
		return
	}
	part.Interfaces[i.ID] = i.Interface
	part.Nodes[i.Node.ID] = i.Node.Node
	if machine, ok := p.Lab.Nodes[i.Node.In]; ok {
		part.Nodes[machine.ID] = machine
	}
	if i.Parent != nil {
		p.add(part, i.Parent)
	}
	for _, top := range p.tops[i] {
		p.add(part, top)
	}
}

// about is the node that an edit of a fix is about.
func (p parts) about(e labengine.Edit) *topology.Node {
	switch {
	case e.AddAddress != nil:
		return p.nodeOf(e.AddAddress.Interface)
	case e.DeleteAddress != nil:
		return p.nodeOf(e.DeleteAddress.Interface)
	case e.UpdateInterface != nil:
		return p.nodeOf(e.UpdateInterface.ID)
	case e.AddRoute != nil:
		return p.Node(e.AddRoute.Node)
	case e.DeleteRoute != nil:
		return p.Node(e.DeleteRoute.Node)
	case e.SetSysctl != nil:
		return p.Node(e.SetSysctl.Node)
	case e.Iptables != nil:
		return p.Node(e.Iptables.Node)
	}
	return nil
}

func (p parts) nodeOf(id labengine.ID) *topology.Node {
	if i := p.Interface(id); i != nil {
		return i.Node
	}
	return nil
}
