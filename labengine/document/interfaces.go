package document

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"vethlab/labengine"
)

// named is an interface that the file has, by its name.
type named struct {
	id labengine.ID
	at position
}

// declare takes an interface's name in a node.
func (r *reader) declare(node labengine.ID, name string, at position) error {
	if first, taken := r.names[node][name]; taken {
		p := r.problem(at, "give it another name", "%s has an interface `%s` already, from line %d", r.labels.of(node), name, first.at.line)
		switch first.id {
		case labengine.LoopbackID(node):
			p = r.problem(at, "give it another name", "%s has its loopback interface `lo` already", r.labels.of(node))
		case labengine.SwitchID(node):
			p = r.problem(at, "give it another name", "%s is a bridge `%s` in itself", r.labels.of(node), name)
		}
		p.Err = &labengine.Problem{Code: labengine.CodeExists}
		return p
	}
	id := r.interfaceID(node, name)
	r.names[node][name] = named{id, at}
	r.where[id] = at
	return nil
}

func (r *reader) interfaceID(node labengine.ID, name string) labengine.ID {
	n := r.lab.Nodes[node]
	return interfaceID(r.lab.Nodes[n.In].Name, n.Name, name)
}

// settings are what a file states of an interface.
type settings struct {
	up        *bool
	mtu       int // bytes; 0 where it does not say
	mac       string
	options   string
	vlans     string
	alias     string
	addresses []string
}

// settings reads what the keys of an interface say. Its options are checked with what they are for.
func (r *reader) settings(id labengine.ID, name string, fields map[string]value) (s settings, err error) {
	if v, ok := fields["up"]; ok {
		up, err := r.bool(v, "up")
		if err != nil {
			return s, err
		}
		s.up = &up
	}
	if v, ok := fields["mtu"]; ok {
		loopback := strconv.Itoa(labengine.DefaultMTU(labengine.Loopback))
		if name == "lo" && v.form == scalar && v.text == loopback {
			s.mtu = labengine.DefaultMTU(labengine.Loopback)
		} else if s.mtu, err = r.mtu(v, v.text, v.at); err != nil {
			return s, err
		}
	}
	if v, ok := fields["mac"]; ok {
		text, err := r.text(v, "a MAC")
		if err != nil {
			return s, err
		}
		if s.mac, err = labengine.CanonicalMAC(text); err != nil {
			return s, r.because(v.at, err)
		}
	}
	if v, ok := fields["options"]; ok {
		if s.options, err = r.text(v, "an interface's options"); err != nil {
			return s, err
		}
		r.fieldAt[field{id, "options"}] = v.at
	}
	if v, ok := fields["vlans"]; ok {
		text, err := r.text(v, "an interface's VLANs")
		if err != nil {
			return s, err
		}
		if s.vlans, err = labengine.CanonicalVLANs(text); err != nil {
			return s, r.because(v.at, err)
		}
	}
	if v, ok := fields["alias"]; ok {
		if s.alias, err = r.text(v, "an alias"); err != nil {
			return s, err
		}
		if err := labengine.CheckAlias(s.alias); err != nil {
			return s, r.because(v.at, err)
		}
	}
	items, err := r.items(fields["addresses"], "the addresses are a list, as in [10.0.0.1/32]", "")
	if err != nil {
		return s, err
	}
	for _, item := range items {
		text, err := r.text(item, "an address")
		if err != nil {
			return s, err
		}
		if s.addresses, err = r.address(s.addresses, text, item.at, name); err != nil {
			return s, err
		}
	}
	return s, nil
}

// change is the edits that give settings to an interface that is made with its node: lo, or a LAN's bridge.
func (s settings) change(id labengine.ID) []labengine.Edit {
	update := labengine.UpdateInterface{ID: id, Up: s.up}
	if s.mtu != 0 {
		update.MTU = &s.mtu
	}
	if s.mac != "" {
		update.MAC = &s.mac
	}
	if s.options != "" {
		update.Options = &s.options
	}
	if s.vlans != "" {
		update.VLANs = &s.vlans
	}
	if s.alias != "" {
		update.Alias = &s.alias
	}
	edits := []labengine.Edit{{UpdateInterface: &update}}
	for _, a := range s.addresses {
		edits = append(edits, labengine.Edit{AddAddress: &labengine.AddAddress{Interface: id, Address: a}})
	}
	return edits
}

// link is an interface that no cable makes, before its parent and master are known.
type link struct {
	add            labengine.AddInterface
	parent, master value
}

// entriesOfNode reads what an entry of the list of nodes states of itself and of its interfaces.
func (r *reader) entriesOfNode(n node) error {
	if isBridge(n.kind) {
		t := r.labels.byID[n.id]
		return r.addLink(t.node, n.name, string(n.kind), n.fields)
	}
	if n.kind == labengine.LAN {
		s, err := r.settings(labengine.SwitchID(n.id), n.name, n.fields)
		if err != nil {
			return err
		}
		r.edits = append(r.edits, s.change(labengine.SwitchID(n.id))...)
	}
	v := n.fields["interfaces"]
	if v.form == nothing {
		return nil
	}
	if v.form != mapping {
		return r.expected(v, "a node's interfaces are a mapping, as in {lo: {up: true}}")
	}
	seen := false
	for _, p := range v.pairs {
		if p.key.text != "lo" {
			if err := r.interfaceOfNode(n, p); err != nil {
				return err
			}
			continue
		}
		if seen {
			return r.problem(p.key.at, "remove one of them", "interface `lo` is here twice")
		}
		seen = true
		fields, err := r.fields(p.value, loopbackShape)
		if err != nil {
			return err
		}
		id := labengine.LoopbackID(n.id)
		r.where[id] = p.value.at
		s, err := r.settings(id, "lo", fields)
		if err != nil {
			return err
		}
		r.edits = append(r.edits, s.change(id)...)
	}
	return nil
}

// interfaceOfNode reads an interface that stands under its node.
func (r *reader) interfaceOfNode(n node, p pair) error {
	name := p.key.text
	if n.kind == labengine.LAN && name == labengine.SwitchName {
		return r.problem(p.key.at, "write them as the lan's own keys", "`%s` is the lan itself: its settings do not stand here", name)
	}
	if err := labengine.CheckInterfaceName(name); err != nil {
		return r.because(p.key.at, err)
	}
	fields, err := r.fields(p.value, interfaceShape)
	if err != nil {
		return err
	}
	atCable := "what is special about a cable's interface stands at the cable's end: " + n.name + ":" + name + " mtu 1400 down"
	kind, ok := fields["kind"]
	if !ok {
		return r.problem(p.key.at, atCable+"; else "+hintInterfaceKinds, "interface `%s` has no kind", name)
	}
	text, err := r.text(kind, "an interface's kind")
	if err != nil {
		return err
	}
	if !slices.Contains(interfaceKinds, text) {
		hint := hintInterfaceKinds
		if near := labengine.Nearest(strings.ToLower(text), interfaceKinds); near != "" {
			hint = "did you mean " + near + "?"
		} else if text == labengine.Veth {
			hint = atCable
		}
		return r.problem(kind.at, hint, "interfaces of kind %q do not stand here", abridge(text))
	}
	if err := r.declare(n.id, name, p.key.at); err != nil {
		return err
	}
	return r.addLink(n.id, name, text, fields)
}

// addLink takes in an interface that no cable makes.
func (r *reader) addLink(node labengine.ID, name, kind string, fields map[string]value) error {
	id := r.names[node][name].id
	s, err := r.settings(id, name, fields)
	if err != nil {
		return err
	}
	port := ""
	if v, ok := fields["port"]; ok {
		if port, err = r.text(v, "what a port does with VLANs"); err != nil {
			return err
		}
		r.fieldAt[field{id, "port"}] = v.at
	}
	add := labengine.AddInterface{
		ID: id, Node: node, Name: name, Kind: kind, Options: s.options, Addresses: s.addresses, MAC: s.mac, MTU: s.mtu,
		VLANs: s.vlans, Alias: s.alias, Down: s.up != nil && !*s.up, Port: port,
	}
	r.bridges[id] = labengine.HasPorts(kind)
	r.links = append(r.links, link{add, fields["parent"], fields["master"]})
	return nil
}

// resolve finds the parents and masters of the interfaces, which can be anything that the file names.
func (r *reader) resolve() error {
	for i := range r.links {
		l := &r.links[i]
		var err error
		if l.master.form != nothing {
			text, err := r.text(l.master, "an interface's master")
			if err != nil {
				return err
			}
			if labengine.HasPorts(l.add.Kind) {
				return r.problem(l.master.at, "join the two with a cable", "`%s` is a bridge; the kernel has no bridge in a bridge", l.add.Name)
			}
			if l.add.Master, err = r.bridgeIn(l.add.Node, text, l.master.at); err != nil {
				return err
			}
			r.fieldAt[field{l.add.ID, "master"}] = l.master.at
		}
		if l.parent.form == nothing {
			continue
		}
		text, err := r.text(l.parent, "an interface's parent")
		if err != nil {
			return err
		}
		r.fieldAt[field{l.add.ID, "parent"}] = l.parent.at
		node, name := l.add.Node, text
		if label, after, other := strings.Cut(text, ":"); other {
			t, err := r.called(label, l.parent.at)
			if err != nil {
				return err
			}
			if t.bridge {
				return r.problem(l.parent.at, "name the node that the interface is in", "`%s` is a bridge; its ports are interfaces of its node", label)
			}
			node, name = t.id, after
		}
		if l.add.Parent, err = r.interfaceIn(node, name, l.parent.at); err != nil {
			return err
		}
	}
	return nil
}

// interfaceIn is the interface of a node that has a name.
func (r *reader) interfaceIn(node labengine.ID, name string, at position) (labengine.ID, error) {
	if found, ok := r.names[node][name]; ok {
		return found.id, nil
	}
	names := slices.Sorted(maps.Keys(r.names[node]))
	hint := "it has " + abridge(strings.Join(names, ", "))
	if near := labengine.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	p := r.problem(at, hint, "%s has no interface `%s`", r.labels.of(node), abridge(name))
	p.Err = &labengine.Problem{Code: labengine.CodeNoSuchInterface}
	return "", p
}

// bridgeIn is the bridge of a node that has a name.
func (r *reader) bridgeIn(node labengine.ID, name string, at position) (labengine.ID, error) {
	if found, ok := r.names[node][name]; ok && !r.bridges[found.id] {
		return "", r.problem(at, "name a bridge of the same node", "`%s` is no bridge, and has no ports", name)
	}
	id, err := r.interfaceIn(node, name, at)
	if p, ok := errors.AsType[*labengine.Problem](err); ok && !strings.HasPrefix(p.Hint, "did you mean") {
		p.Hint = "add a node {name: " + abridge(name) + ", kind: bridge, in: " + r.labels.of(node) + "}"
	}
	return id, err
}

// makeLinks adds the edits that make the interfaces: bridges, for those that are ports; what else is on top of nothing; then
// cables; then what is on top of others, the lower ones first.
func (r *reader) makeLinks(cables []labengine.Edit) error {
	waiting := map[labengine.ID]link{}
	var onTop []link
	for _, first := range []bool{true, false} {
		for _, l := range r.links {
			switch {
			case l.add.Parent != "":
				if first {
					waiting[l.add.ID] = l
					onTop = append(onTop, l)
				}
			case first == labengine.HasPorts(l.add.Kind):
				r.edits = append(r.edits, labengine.Edit{AddInterface: &l.add})
			}
		}
	}
	r.edits = append(r.edits, cables...)
	for _, l := range onTop {
		var stack []link // from an interface to the lowest that is not made yet
		for below, ok := waiting[l.add.ID]; ok; below, ok = waiting[below.add.Parent] {
			if len(stack) > 0 && below.add.ID == l.add.ID || len(stack) > len(onTop) {
				return r.problem(l.parent.at, "", "interface `%s` is on top of itself", l.add.Name)
			}
			stack = append(stack, below)
		}
		for _, l := range slices.Backward(stack) {
			delete(waiting, l.add.ID)
			r.edits = append(r.edits, labengine.Edit{AddInterface: &l.add})
		}
	}
	return r.edit()
}

// The numbers of things in a list up to which a file is read: some checks compare each with each.
const (
	maxAddresses = 4_000 // of an interface
	maxSettings  = 1_000 // of a node
	maxRoutes    = 20_000
)

// address checks an address, and that the interface does not have it.
func (r *reader) address(has []string, text string, at position, of string) ([]string, error) {
	address, err := labengine.CanonicalAddress(text)
	if err != nil {
		return nil, r.because(at, err)
	}
	if slices.Contains(has, address) {
		p := r.problem(at, "remove one of them", "%s has %s twice", of, address)
		p.Err = &labengine.Problem{Code: labengine.CodeExists}
		return nil, p
	}
	if len(has) == maxAddresses {
		return nil, r.problem(at, "", "an interface has up to %d addresses here", maxAddresses)
	}
	return append(has, address), nil
}

func (r *reader) mtu(v value, text string, at position) (int, error) {
	if v.form != scalar {
		return 0, r.expected(v, "an MTU is a number of bytes")
	}
	mtu, err := strconv.Atoi(text)
	if err != nil {
		return 0, r.problem(at, "write it as `mtu: 1400`", "an MTU is a number of bytes; this is %q", abridge(text))
	}
	if err := labengine.CheckMTU(mtu); err != nil {
		return 0, r.because(at, err)
	}
	return mtu, nil
}
