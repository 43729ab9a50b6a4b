package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"vethlab/labengine"
)

// Plan is steps in the order in which they have to happen.
type Plan []Step

// Commands are what a person would type for the whole plan.
func (p Plan) Commands() []labengine.Command {
	var all []labengine.Command
	for _, s := range p {
		all = append(all, s.Commands()...)
	}
	return all
}

// Script is the plan's commands, one a line.
func (p Plan) Script() string {
	var b strings.Builder
	for _, c := range p.Commands() {
		b.WriteString(c.Line)
		b.WriteByte('\n')
	}
	return b.String()
}

// Diff is what has to be done to make have into want. Objects are the same where their IDs are. What has to go goes
// first, then comes what has to be made, then names, places and values; each in the order of the file.
func Diff(have, want labengine.Lab) Plan {
	d := differ{have: have, want: want, remade: map[labengine.ID]bool{}}
	d.findRemade()
	d.deletes()
	d.renameNodes()
	d.addNodes()
	d.moveAndRenameLinks()
	d.addLinks()
	d.values()
	return d.plan
}

type differ struct {
	have, want labengine.Lab
	plan       Plan
	remade     map[labengine.ID]bool // nodes, cables and interfaces that are in both, and still have to be made anew
}

func (d *differ) do(s Step) { d.plan = append(d.plan, s) }

// keeps says whether the thing is in both labs and need not be made anew.
func keeps[V any](d *differ, have, want map[labengine.ID]V, id labengine.ID) bool {
	_, was := have[id]
	_, is := want[id]
	return was && is && !d.remade[id]
}

func (d *differ) keepsNode(id labengine.ID) bool  { return keeps(d, d.have.Nodes, d.want.Nodes, id) }
func (d *differ) keepsCable(id labengine.ID) bool { return keeps(d, d.have.Cables, d.want.Cables, id) }
func (d *differ) keepsInterface(id labengine.ID) bool {
	return keeps(d, d.have.Interfaces, d.want.Interfaces, id)
}

// findRemade finds what cannot be changed in place: a node in another machine, a cable between other interfaces, and
// everything that hangs on such.
func (d *differ) findRemade() {
	for id, was := range d.have.Nodes {
		if is, ok := d.want.Nodes[id]; ok && (is.In != was.In || is.Kind != was.Kind) {
			d.remade[id] = true
		}
	}
	for id, was := range d.have.Nodes {
		if is, ok := d.want.Nodes[id]; ok && (d.remade[is.In] || d.remade[was.In]) {
			d.remade[id] = true
		}
	}
	for id, was := range d.have.Interfaces {
		if is, ok := d.want.Interfaces[id]; ok && (is.Kind != was.Kind || !d.keepsNode(was.Node) || !d.keepsNode(is.Node)) {
			d.remade[id] = true
		}
	}
	for id, was := range d.have.Cables {
		if is, ok := d.want.Cables[id]; ok {
			d.remade[id] = is.Ends != was.Ends || !d.keepsInterface(is.Ends[0]) || !d.keepsInterface(is.Ends[1])
		}
		if !d.keepsCable(id) {
			for _, end := range was.Ends {
				d.remade[end] = true
			}
		}
	}
	for id, is := range d.want.Cables {
		if !d.keepsCable(id) {
			for _, end := range is.Ends {
				d.remade[end] = true
			}
		}
	}
}

// deletes removes links, then namespaces, then machines. What is inside a machine goes with it.
func (d *differ) deletes() {
	goes := func(node labengine.ID) bool { // with its machine
		machine := d.have.MachineOf(node).ID
		return !d.keepsNode(machine)
	}
	gone := map[labengine.ID]bool{}
	for _, c := range d.have.CablesInOrder() {
		a, b := d.have.Interfaces[c.Ends[0]], d.have.Interfaces[c.Ends[1]]
		if d.keepsCable(c.ID) {
			continue
		}
		gone[a.ID], gone[b.ID] = true, true
		if goes(a.Node) && goes(b.Node) {
			continue
		}
		d.do(DeleteLink{At: SpotOf(d.have, a.Node), Interface: a.ID, Name: a.Name, Peer: b.ID})
	}
	for _, i := range inOrder(d.have.Interfaces) {
		if gone[i.ID] || i.Kind == labengine.Loopback || d.keepsInterface(i.ID) || !d.keepsNode(i.Node) {
			continue
		}
		d.do(DeleteLink{At: SpotOf(d.have, i.Node), Interface: i.ID, Name: i.Name})
	}
	var machines Plan
	for _, n := range d.have.NodesInOrder() {
		switch {
		case d.keepsNode(n.ID):
		case n.Kind == labengine.Machine:
			machines = append(machines, DeleteMachine{Node: n.ID, Name: n.Name})
		case !goes(n.ID) && n.Held == "":
			d.do(DeleteNamespace{At: SpotOf(d.have, n.ID)})
		}
	}
	d.plan = append(d.plan, machines...)
}

// renameNodes gives machines and namespaces that stay their new names. Names that change places go by a third one.
func (d *differ) renameNodes() {
	var renames []rename
	for _, n := range d.want.NodesInOrder() {
		was := d.have.Nodes[n.ID]
		if !d.keepsNode(n.ID) || was.Name == n.Name || was.Held != "" {
			continue
		}
		if n.Kind == labengine.Machine {
			d.do(RenameMachine{Node: n.ID, From: was.Name, To: n.Name})
			continue
		}
		renames = append(renames, rename{id: n.ID, from: was.Name, to: n.Name, scope: n.In})
	}
	for _, r := range orderRenames(renames) {
		at := SpotOf(d.want, r.id)
		at.Netns = r.from
		d.do(RenameNamespace{At: at, To: r.to})
	}
}

func (d *differ) addNodes() {
	nodes := d.want.NodesInOrder()
	for _, n := range nodes {
		if n.Kind == labengine.Machine && !d.keepsNode(n.ID) {
			d.do(AddMachine{Node: n.ID, Name: n.Name})
		}
	}
	for _, n := range nodes {
		if n.Kind == labengine.Namespace && !d.keepsNode(n.ID) && n.Held == "" {
			d.do(AddNamespace{At: SpotOf(d.want, n.ID)})
		}
	}
}

// moveAndRenameLinks plugs links that stay into other nodes, and gives them their new names.
func (d *differ) moveAndRenameLinks() {
	var renames []rename
	for _, i := range inOrder(d.want.Interfaces) {
		was := d.have.Interfaces[i.ID]
		switch {
		case !d.keepsInterface(i.ID):
		case was.Node != i.Node:
			d.do(MoveLink{
				At: SpotOf(d.want, was.Node), Interface: i.ID, Name: was.Name, To: SpotOf(d.want, i.Node), NewName: i.Name,
			})
		case was.Name != i.Name:
			renames = append(renames, rename{id: i.ID, from: was.Name, to: i.Name, scope: i.Node})
		}
	}
	for _, r := range orderRenames(renames) {
		d.do(RenameLink{At: SpotOf(d.want, d.want.Interfaces[r.id].Node), Interface: r.id, From: r.from, To: r.to})
	}
}

func (d *differ) addLinks() {
	made := map[labengine.ID]bool{}
	for _, c := range d.want.CablesInOrder() {
		made[c.Ends[0]], made[c.Ends[1]] = true, true
		if d.keepsCable(c.ID) {
			continue
		}
		step := AddVeth{Quiet: d.want.Quiet}
		for e, end := range c.Ends {
			i := d.want.Interfaces[end]
			step.Ends[e] = VethEnd{At: SpotOf(d.want, i.Node), Interface: i.ID, Name: i.Name, MAC: i.MAC, MTU: i.MTU}
		}
		d.do(step)
	}
	for _, i := range inOrder(d.want.Interfaces) {
		creatable := i.Kind == labengine.Bridge || i.Kind == labengine.Dummy // the kinds that need no more than a name
		if creatable && !made[i.ID] && !d.keepsInterface(i.ID) {
			d.do(AddLink{At: SpotOf(d.want, i.Node), Interface: i.ID, Name: i.Name, Kind: i.Kind, MAC: i.MAC})
		}
	}
}

// values sets what links have: MTU and MAC, addresses, up or down.
func (d *differ) values() {
	baseline := func(i labengine.Interface) labengine.Interface { // as it is when it has just been made
		i.Up = i.Kind == labengine.Loopback && d.want.Nodes[i.Node].Kind == labengine.Machine
		i.Addresses = nil
		if i.Kind != labengine.Veth {
			i.MTU = labengine.DefaultMTU(i.Kind)
		}
		return i
	}
	for _, i := range inOrder(d.want.Interfaces) {
		was, stays := d.have.Interfaces[i.ID]
		switch {
		case !stays || d.remade[i.ID]:
			was = baseline(i)
		case was.Node != i.Node: // moved
			was.Up, was.Addresses = false, nil
		}
		at := SpotOf(d.want, i.Node)
		set := SetLink{At: at, Interface: i.ID, Name: i.Name}
		if was.MTU != i.MTU {
			set.MTU = &i.MTU
		}
		if was.MAC != i.MAC && i.MAC != "" {
			set.MAC = &i.MAC
		}
		if set.MTU != nil || set.MAC != nil {
			d.do(set)
		}
		d.addresses(at, i, was.Addresses)
		if was.Up != i.Up {
			d.do(SetLink{At: at, Interface: i.ID, Name: i.Name, Up: &i.Up})
		}
	}
}

// addresses keeps what both lists begin with, takes the rest away and adds what is wanted, so that the order is right:
// the first address of a subnet is the one that packets leave with.
func (d *differ) addresses(at Spot, i labengine.Interface, have []string) {
	kept := 0
	var left []string
	for _, a := range have {
		if slices.Contains(i.Addresses, a) {
			left = append(left, a)
		}
	}
	for kept < len(left) && left[kept] == i.Addresses[kept] {
		kept++
	}
	for _, a := range have {
		if !slices.Contains(left[:kept], a) {
			d.do(DeleteAddress{At: at, Interface: i.ID, Dev: i.Name, Address: a})
		}
	}
	for _, a := range i.Addresses[kept:] {
		d.do(AddAddress{At: at, Interface: i.ID, Dev: i.Name, Address: a})
	}
}

// inOrder lists interfaces by node and name, so that plans are the same each time.
func inOrder(interfaces map[labengine.ID]labengine.Interface) []labengine.Interface {
	list := make([]labengine.Interface, 0, len(interfaces))
	for _, i := range interfaces {
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b labengine.Interface) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return list
}

type rename struct {
	id       labengine.ID
	from, to string
	scope    labengine.ID // names are unique in it
}

// orderRenames puts renames in an order in which no name is taken when it is given; rings are opened by a name of ours.
func orderRenames(renames []rename) []rename {
	type key struct {
		scope labengine.ID
		name  string
	}
	taken := map[key]bool{}
	for _, r := range renames {
		taken[key{r.scope, r.from}] = true
	}
	var ordered []rename
	for len(renames) > 0 {
		var waiting []rename
		for _, r := range renames {
			if taken[key{r.scope, r.to}] {
				waiting = append(waiting, r)
				continue
			}
			delete(taken, key{r.scope, r.from})
			ordered = append(ordered, r)
		}
		if len(waiting) == len(renames) {
			r := &waiting[0]
			step := rename{id: r.id, from: r.from, to: fmt.Sprintf("renaming%d", len(ordered)), scope: r.scope}
			delete(taken, key{r.scope, r.from})
			r.from = step.to
			ordered = append(ordered, step)
		}
		renames = waiting
	}
	return ordered
}
