package plan

import (
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

// Interfaces are those that the steps make, change or remove; what the kernel does along with them is not among them.
func (p Plan) Interfaces() map[labengine.ID]bool {
	touched := map[labengine.ID]bool{}
	for _, step := range p {
		switch s := step.(type) {
		case AddVeth:
			touched[s.Ends[0].Interface], touched[s.Ends[1].Interface] = true, true
		case DeleteLink:
			touched[s.Interface], touched[s.Peer] = true, true
		case AddLink:
			touched[s.Interface] = true
		case MoveLink:
			touched[s.Interface] = true
		case RenameLink:
			touched[s.Interface] = true
		case SetLink:
			touched[s.Interface] = true
		case SetMaster:
			touched[s.Interface] = true
		case SetOptions:
			touched[s.Interface] = true
		case SetImpairment:
			touched[s.Interface] = true
		case ChangeOVS:
			for _, c := range s.Changes {
				touched[c.Interface] = true
			}
		case AddAddress:
			touched[s.Interface] = true
		case DeleteAddress:
			touched[s.Interface] = true
		}
	}
	return touched
}

// Diff is what has to be done to make have into want. Objects are the same where their IDs are. What has to go goes
// first, then comes what has to be made, then names, places and values; each in the order of the file. A new cable's ends
// get their values at once: so whoever carries it out is busy with one cable while the namespaces of the next are made.
func Diff(have, want labengine.Lab) Plan {
	if len(have.Interfaces) > 0 { // of a large lab little changes at once
		have, want = have.Around(labengine.Compare(have, want))
	}
	d := differ{
		have: have, want: want, nodes: want.NodesInOrder(), interfaces: inOrder(want.Interfaces, nil),
		remade: map[labengine.ID]bool{}, valued: map[labengine.ID]bool{},
	}
	d.findRemade()
	hasOVS := hasOVS(have) || hasOVS(want)
	d.unsureRoutes()
	if hasOVS {
		d.deleteOVS()
	}
	d.deletes()
	d.renameNodes()
	d.addNodes()
	d.sysctls(false)
	d.moveAndRenameLinks()
	d.addLinks()
	if hasOVS {
		d.changeOVS()
	}
	d.values(lowerFirst(d.interfaces))
	d.bridgeMTUs()
	d.sysctls(true)
	d.routes()
	d.neighbours()
	d.services()
	d.rules()
	return d.plan
}

type differ struct {
	have, want labengine.Lab
	nodes      []labengine.Node      // that are wanted, in order
	interfaces []labengine.Interface // that are wanted, in order
	plan       Plan
	remade     map[labengine.ID]bool // nodes, cables and interfaces that are in both, and still have to be made anew
	ports      map[labengine.ID]bool // new interfaces that are made as ports of their bridge
	valued     map[labengine.ID]bool // interfaces that have their values
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

// findRemade finds what cannot be changed in place: a node in another machine, a container with another command, a cable
// between other interfaces, a link on top of another one than before, and everything that hangs on such.
func (d *differ) findRemade() {
	for id, was := range d.have.Nodes {
		if is, ok := d.want.Nodes[id]; ok && (is.In != was.In || is.Kind != was.Kind || is.Command != was.Command) {
			d.remade[id] = true
		}
	}
	for id, was := range d.have.Nodes {
		if is, ok := d.want.Nodes[id]; ok && (d.remade[is.In] || d.remade[was.In]) {
			d.remade[id] = true
		}
	}
	for id, was := range d.have.Interfaces {
		if is, ok := d.want.Interfaces[id]; ok && (is.Kind != was.Kind || !d.keepsNode(was.Node) || !d.keepsNode(is.Node) || isRemade(was, is)) {
			d.remade[id] = true
		}
	}
	for id, was := range d.have.Cables {
		if is, ok := d.want.Cables[id]; ok && (is.Ends != was.Ends || !d.keepsInterface(is.Ends[0]) || !d.keepsInterface(is.Ends[1])) {
			d.remade[id] = true
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
	for more := true; more; { // what is on top of a link goes with it
		more = false
		for id, is := range d.want.Interfaces {
			if _, was := d.have.Interfaces[id]; was && d.parentGoes(is) && !d.remade[id] {
				d.remade[id], more = true, true
			}
		}
	}
}

// isRemade says whether a link that is not a cable's cannot become another one in place: the kernel keeps what is below it
// and its fixed options, and a bridge where it is; Open vSwitch keeps a bridge's name, too.
func isRemade(was, is labengine.Interface) bool {
	if was.Parent != is.Parent || labengine.HasPorts(was.Kind) && was.Node != is.Node || was.Kind == labengine.OVS && was.Name != is.Name {
		return true
	}
	if was.Options == is.Options {
		return false
	}
	options, _ := labengine.LinkOptions(is.Kind)
	have, _ := labengine.ParseOptions(was.Kind, was.Options)
	want, _ := labengine.ParseOptions(is.Kind, is.Options)
	for _, o := range options {
		if o.Fixed && have[o.Name] != want[o.Name] {
			return true
		}
	}
	return false
}

// parentGoes says whether the link below one goes, which takes it along.
func (d *differ) parentGoes(i labengine.Interface) bool {
	return i.Parent != "" && !d.keepsInterface(i.Parent)
}

// deletes removes links, then namespaces and containers, then machines. What is inside a machine goes with it.
func (d *differ) deletes() {
	goes := func(node labengine.ID) bool { // with its machine
		machine := d.have.MachineOf(node).ID
		return !d.keepsNode(machine)
	}
	gone := map[labengine.ID]bool{}
	for _, c := range d.have.CablesInOrder() {
		if d.keepsCable(c.ID) {
			continue
		}
		a, b := d.have.Interfaces[c.Ends[0]], d.have.Interfaces[c.Ends[1]]
		gone[a.ID], gone[b.ID] = true, true
		if goes(a.Node) && goes(b.Node) {
			continue
		}
		d.do(DeleteLink{At: SpotOf(d.have, a.Node), Interface: a.ID, Name: a.Name, Peer: b.ID})
	}
	alone := func(i *labengine.Interface) bool { // neither a cable's nor along with something else
		return !gone[i.ID] && i.Kind != labengine.Loopback && i.Kind != labengine.OVS && !d.keepsInterface(i.ID) && d.keepsNode(i.Node) &&
			!d.parentGoes(*i)
	}
	for _, i := range inOrder(d.have.Interfaces, alone) {
		d.do(DeleteLink{At: SpotOf(d.have, i.Node), Interface: i.ID, Name: i.Name})
	}
	var machines Plan
	for _, n := range d.have.NodesInOrder() {
		if !d.keepsNode(n.ID) && !goes(n.ID) { // a program that listens would keep a namespace without its name
			for _, s := range n.Services {
				d.do(DeleteService{At: SpotOf(d.have, n.ID), Name: n.Name, Service: s})
			}
		}
		switch {
		case d.keepsNode(n.ID):
		case n.In == "":
			machines = append(machines, DeleteMachine{Node: n.ID, Name: n.Name, Kind: n.Kind})
		case goes(n.ID) || n.Held != "":
		case n.Kind == labengine.Container:
			d.do(DeleteContainer{At: SpotOf(d.have, n.ID), Name: n.Name})
		default:
			d.do(DeleteNamespace{At: SpotOf(d.have, n.ID)})
		}
	}
	d.plan = append(d.plan, machines...)
}

// renameNodes gives machines, and what is in them, that stay their new names. Names that change places go by a third one.
func (d *differ) renameNodes() {
	var renames []rename
	for _, n := range d.nodes {
		was := d.have.Nodes[n.ID]
		if !d.keepsNode(n.ID) || was.Name == n.Name || was.Held != "" {
			continue
		}
		if n.In == "" {
			d.do(RenameMachine{Node: n.ID, From: was.Name, To: n.Name, Kind: n.Kind})
			continue
		}
		renames = append(renames, rename{id: n.ID, from: was.Name, to: n.Name, scope: n.In})
	}
	for _, r := range orderRenames(renames) {
		at := SpotOf(d.want, r.id)
		if d.want.Nodes[r.id].Kind == labengine.Container {
			d.do(RenameContainer{At: containerSpot(r.id, at.Machine, r.from), From: r.from, To: r.to})
			continue
		}
		at.Netns = r.from
		d.do(RenameNamespace{At: at, To: r.to})
	}
}

func (d *differ) addNodes() {
	for _, n := range d.nodes {
		if n.In == "" && !d.keepsNode(n.ID) {
			d.do(AddMachine{Node: n.ID, Name: n.Name, Kind: n.Kind})
		}
	}
	for _, n := range d.nodes {
		if n.Kind == labengine.Namespace && !d.keepsNode(n.ID) && n.Held == "" {
			d.do(AddNamespace{At: SpotOf(d.want, n.ID)})
		}
	}
	for _, n := range d.nodes {
		if n.Kind == labengine.Container && !d.keepsNode(n.ID) {
			d.do(AddContainer{At: SpotOf(d.want, n.ID), Name: n.Name, Command: n.Command})
		}
	}
}

// moveAndRenameLinks plugs links that stay into other nodes, and gives them their new names.
func (d *differ) moveAndRenameLinks() {
	var renames []rename
	for _, i := range d.interfaces {
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

// addLinks makes bridges and what else needs no other link, then cables, then what is on top of a link.
func (d *differ) addLinks() {
	var single, onTop []labengine.Interface
	for _, i := range d.interfaces {
		if _, made := labengine.LinkOptions(i.Kind); !made || i.Kind == labengine.OVS || d.keepsInterface(i.ID) {
			continue
		}
		if i.Parent == "" {
			single = append(single, i)
		} else {
			onTop = append(onTop, i)
		}
	}
	for _, i := range single {
		d.addLink(i)
	}
	for _, c := range d.want.CablesInOrder() {
		if !d.keepsCable(c.ID) {
			d.addVeth(c)
			ends := []labengine.Interface{d.want.Interfaces[c.Ends[0]], d.want.Interfaces[c.Ends[1]]}
			if byPlace(&ends[0], &ends[1]) > 0 {
				slices.Reverse(ends)
			}
			d.values(ends)
		}
	}
	waiting := map[labengine.ID]bool{}
	for _, i := range onTop {
		waiting[i.ID] = true
	}
	for len(onTop) > 0 { // the lower ones first
		var later []labengine.Interface
		for _, i := range onTop {
			if waiting[i.Parent] {
				later = append(later, i)
				continue
			}
			d.addLink(i)
			delete(waiting, i.ID)
		}
		if len(later) == len(onTop) {
			break // a ring, which no lab has
		}
		onTop = later
	}
}

func (d *differ) addLink(i labengine.Interface) {
	step := AddLink{
		At: SpotOf(d.want, i.Node), Interface: i.ID, Name: i.Name, Kind: i.Kind, MAC: i.MAC, Options: i.Options, MTU: i.MTU,
		Quiet: d.want.Quiet,
	}
	if parent, ok := d.want.Interfaces[i.Parent]; ok {
		step.Parent, step.ParentAt = parent.Name, SpotOf(d.want, parent.Node)
	}
	d.do(step)
}

// addVeth makes a cable. The kernel takes a master for the end whose namespace is asked alone: an end that is a port goes
// first.
func (d *differ) addVeth(c labengine.Cable) {
	ends := c.Ends
	masters := [2]labengine.ID{masterIn(d.want, d.want.Interfaces[ends[0]]), masterIn(d.want, d.want.Interfaces[ends[1]])}
	if masters[0] == "" && masters[1] != "" {
		ends[0], ends[1] = ends[1], ends[0]
	}
	step := AddVeth{Quiet: d.want.Quiet}
	for e, end := range ends {
		i := d.want.Interfaces[end]
		step.Ends[e] = VethEnd{At: SpotOf(d.want, i.Node), Interface: i.ID, Name: i.Name, MAC: i.MAC, MTU: i.MTU}
	}
	step.Master = d.want.Interfaces[masterIn(d.want, d.want.Interfaces[ends[0]])].Name
	if step.Master != "" {
		d.mastered(ends[0])
	}
	d.do(step)
}

func (d *differ) mastered(id labengine.ID) {
	if d.ports == nil {
		d.ports = map[labengine.ID]bool{}
	}
	d.ports[id] = true
}

// values sets what links have that have not got it yet: MTU and MAC, options, bridge, addresses, up or down.
func (d *differ) values(of []labengine.Interface) {
	baseline := func(i labengine.Interface) labengine.Interface { // as it is when it has just been made
		i.Up = i.Kind == labengine.Loopback && d.want.Nodes[i.Node].Kind == labengine.Machine
		i.Addresses = nil
		i.Impair, i.Alias, i.VLANs = "", "", ""
		if i.Kind == labengine.Loopback {
			i.MTU = labengine.DefaultMTU(i.Kind)
		}
		if i.Master = masterIn(d.want, i); !d.ports[i.ID] {
			i.Master = ""
		}
		return i
	}
	for _, i := range of {
		if d.valued[i.ID] {
			continue
		}
		d.valued[i.ID] = true
		was, stays := d.have.Interfaces[i.ID]
		was.Master = masterIn(d.have, was)
		switch {
		case !stays || d.remade[i.ID]:
			was = baseline(i)
		case was.Node != i.Node: // moved
			was.Up, was.Addresses, was.Master, was.Impair, was.VLANs = false, nil, "", "", ""
		case was.Master != "" && !d.keepsInterface(was.Master): // its bridge has let go of it
			was.Master, was.VLANs = "", ""
		}
		at := SpotOf(d.want, i.Node)
		set := SetLink{At: at, Interface: i.ID, Name: i.Name}
		if was.MTU != i.MTU {
			set.MTU = new(i.MTU)
		}
		if was.MAC != i.MAC && i.MAC != "" {
			set.MAC = new(i.MAC)
		}
		if was.Alias != i.Alias {
			set.Alias = new(i.Alias)
		}
		if i.Kind == labengine.OVS { // which changes both itself
			d.setOVS(i, set.MAC != nil, set.MTU != nil, was.Options)
			set.MAC, set.MTU, was.Options = nil, nil, i.Options
		}
		if set.MTU != nil || set.MAC != nil || set.Alias != nil {
			d.do(set)
		}
		if was.Options != i.Options {
			d.do(SetOptions{At: at, Interface: i.ID, Name: i.Name, Kind: i.Kind, Options: changedOptions(i.Kind, was.Options, i.Options)})
		}
		if was.Impair != i.Impair && !d.becomesPort(i) {
			d.do(SetImpairment{At: at, Interface: i.ID, Name: i.Name, Impair: i.Impair})
		}
		if master := masterIn(d.want, i); was.Master != master {
			d.do(SetMaster{At: at, Interface: i.ID, Name: i.Name, Master: d.want.Interfaces[master].Name})
			was.VLANs = ""
		}
		if was.VLANs != i.VLANs {
			d.vlans(at, was, i)
		}
		d.addresses(at, i, was.Addresses)
		if was.Up != i.Up {
			d.do(SetLink{At: at, Interface: i.ID, Name: i.Name, Up: new(i.Up)})
		}
	}
}

// vlans puts a bridge's port, or the bridge itself, into other VLANs.
func (d *differ) vlans(at Spot, was, is labengine.Interface) {
	bridge := d.want.Interfaces[is.Master]
	if is.Kind == labengine.Bridge {
		bridge = is
	}
	if bridge.Kind != labengine.Bridge { // it has left its bridge, and its VLANs there
		return
	}
	add, remove := labengine.ChangeVLANs(was.VLANsIn(bridge), is.VLANsIn(bridge))
	if len(add)+len(remove) > 0 {
		d.do(SetVLANs{At: at, Interface: is.ID, Name: is.Name, Self: is.Kind == labengine.Bridge, Add: add, Remove: remove})
	}
}

// addresses keeps what both lists begin with, takes the rest away and adds what is wanted, so that the order is right:
// the first address of a subnet is the one that packets leave with. The kernel drops the others of the subnet with it, so they
// go before it.
func (d *differ) addresses(at Spot, i labengine.Interface, have []string) {
	goes, kept := leaving(have, i.Addresses)
	for k, a := range slices.Backward(have) {
		if goes[k] {
			d.do(DeleteAddress{At: at, Interface: i.ID, Dev: i.Name, Address: a})
		}
	}
	for _, a := range i.Addresses[kept:] {
		d.do(AddAddress{At: at, Interface: i.ID, Dev: i.Name, Address: a})
	}
}

// leaving says which of the addresses of a link go so that it can have others, some of them to come again, and how many of those
// it keeps.
func leaving(have, want []string) (goes []bool, kept int) {
	goes = make([]bool, len(have))
	if labengine.SameAddresses(have, want) {
		return goes, len(want)
	}
	for k, a := range have {
		first := slices.IndexFunc(have[:k], func(b string) bool { return labengine.SameSubnet(a, b) })
		goes[k] = first >= 0 && goes[first] || kept == len(want) || a != want[kept]
		if !goes[k] {
			kept++
		}
	}
	return goes, kept
}
