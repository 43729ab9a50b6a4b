package labengine

import (
	"slices"
	"strings"
)

// apply carries out the one field that is set.
func (e Edit) apply(l *draft) error {
	set, err := 0, error(nil)
	one := func(isSet bool, do func() error) {
		if isSet && set == 0 {
			err = do()
		}
		if isSet {
			set++
		}
	}
	one(e.AddNode != nil, func() error { return e.AddNode.apply(l) })
	one(e.AddCable != nil, func() error { return e.AddCable.apply(l) })
	one(e.AddInterface != nil, func() error { return e.AddInterface.apply(l) })
	one(e.AddRoute != nil, func() error { return e.AddRoute.apply(l) })
	one(e.DeleteRoute != nil, func() error { return e.DeleteRoute.apply(l) })
	one(e.AddIPRule != nil, func() error { return e.AddIPRule.apply(l) })
	one(e.DeleteIPRule != nil, func() error { return e.DeleteIPRule.apply(l) })
	one(e.AddNeighbour != nil, func() error { return e.AddNeighbour.apply(l) })
	one(e.DeleteNeighbour != nil, func() error { return e.DeleteNeighbour.apply(l) })
	one(e.SetSysctl != nil, func() error { return e.SetSysctl.apply(l) })
	one(e.Iptables != nil, func() error { return e.Iptables.apply(l) })
	one(e.AddService != nil, func() error { return e.AddService.apply(l) })
	one(e.DeleteService != nil, func() error { return e.DeleteService.apply(l) })
	one(e.UpdateNode != nil, func() error { return e.UpdateNode.apply(l) })
	one(e.UpdateInterface != nil, func() error { return e.UpdateInterface.apply(l) })
	one(e.AddAddress != nil, func() error { return e.AddAddress.apply(l) })
	one(e.DeleteAddress != nil, func() error { return e.DeleteAddress.apply(l) })
	one(e.Delete != nil, func() error { return e.Delete.apply(l) })
	one(e.Place != nil, func() error { return e.Place.apply(l) })
	one(e.UpdateLab != nil, func() error { return e.UpdateLab.apply(l) })
	if set != 1 {
		return Problemf(CodeBadRequest, "an edit does exactly one thing; this one does %d", set)
	}
	return err
}

func (e *AddNode) apply(l *draft) error {
	if err := l.checkNewID(e.ID); err != nil {
		return err
	}
	switch e.Kind {
	case Machine, LAN, Internet:
		if e.In != "" {
			return Problemf(CodeBadRequest, "%s `%s` cannot be inside another node", e.Kind, e.Name).About(e.ID, "in")
		}
	case Namespace, Container:
		if err := l.checkIsMachine(e.In, e.Kind); err != nil {
			return err
		}
	default:
		return Problemf(CodeBadRequest, "there is no kind of node %q", e.Kind).About(e.ID, "kind").
			WithHint("the kinds are machine, namespace, container, lan and internet")
	}
	n := Node{ID: e.ID, Name: e.Name, Kind: e.Kind, In: e.In}
	if err := n.setCommand(e.Command); err != nil {
		return err
	}
	if err := l.checkNodeName(n); err != nil {
		return err
	}
	l.addNode(n)
	lo := LoopbackID(e.ID)
	l.addInterface(Interface{
		ID: lo, Node: e.ID, Name: "lo", Kind: Loopback, Up: e.Kind == Machine, MTU: DefaultMTU(Loopback),
		Addresses: []string{},
	})
	if e.Kind == LAN {
		l.addInterface(Interface{
			ID: SwitchID(e.ID), Node: e.ID, Name: SwitchName, Kind: Bridge, Up: true, MTU: DefaultMTU(Bridge),
			MAC: l.MACFor(e.ID, SwitchName), Addresses: []string{},
		})
	}
	if e.Place != nil {
		l.setPlace(e.ID, *e.Place)
	}
	return nil
}

func (e *AddCable) apply(l *draft) error {
	if err := l.checkNewID(e.ID); err != nil {
		return err
	}
	mtu := e.MTU
	if mtu == 0 {
		mtu = DefaultMTU(Veth)
	}
	if err := CheckMTU(mtu); err != nil {
		return about(err, e.ID)
	}
	for _, end := range [2]End{e.A, e.B} {
		if err := l.checkNewID(end.ID); err != nil {
			return err
		}
		if _, ok := l.Nodes[end.Node]; !ok {
			return Problemf(CodeNoSuchNode, "the node that this cable's end is for is gone").About(end.Node, "node")
		}
		i := Interface{ID: end.ID, Node: end.Node, Name: end.Name, Kind: Veth, Up: !end.Down, MTU: mtu, Master: end.Master, VLANs: end.VLANs, Alias: end.Alias, Impair: end.Impair, Port: end.Port}
		if l.Nodes[end.Node].Kind == LAN && i.Master == "" {
			i.Master = SwitchID(end.Node)
		}
		if err := l.addChecked(i, end.MAC, end.Addresses); err != nil {
			return err
		}
	}
	l.addCable(Cable{ID: e.ID, Ends: [2]ID{e.A.ID, e.B.ID}})
	return nil
}

// addChecked adds an interface after a look at its name, MAC, addresses and master.
func (l *draft) addChecked(i Interface, mac string, addresses []string) error {
	if err := l.checkInterfaceName(i); err != nil {
		return err
	}
	if i.HasMAC() {
		i.MAC = l.MACFor(i.Node, i.Name)
	} else if mac != "" {
		return Problemf(CodeBadRequest, "`%s` carries packets without frames: it has no MAC", i.Name).About(i.ID, "mac").
			WithHint("make it with mode tap")
	}
	if mac != "" {
		mac, err := CanonicalMAC(mac)
		if err != nil {
			return about(err, i.ID)
		}
		i.MAC = mac
	}
	if err := l.checkMaster(i); err != nil {
		return err
	}
	if err := l.checkVLANs(&i); err != nil {
		return err
	}
	if err := CheckAlias(i.Alias); err != nil {
		return about(err, i.ID)
	}
	if err := l.settlePort(&i, i.Port); err != nil {
		return err
	}
	impair, err := CanonicalImpairment(i.Impair)
	if err != nil {
		return about(err, i.ID)
	}
	i.Impair, i.Addresses = impair, []string{}
	for _, text := range addresses {
		if err := l.addAddress(&i, text); err != nil {
			return err
		}
	}
	l.addInterface(i)
	return nil
}

// checkMaster refuses a master that cannot be one.
func (l *draft) checkMaster(i Interface) error {
	if i.Master == "" {
		return nil
	}
	bridge, ok := l.Interfaces[i.Master]
	switch {
	case !ok:
		return Problemf(CodeNoSuchInterface, "the bridge that `%s` is to be a port of is gone", i.Name).About(i.ID, "master")
	case !HasPorts(bridge.Kind):
		return Problemf(CodeBadRequest, "`%s` is a %s; only a bridge has ports", bridge.Name, bridge.Kind).About(i.ID, "master")
	case HasPorts(i.Kind):
		return Problemf(CodeBadRequest, "`%s` is a bridge; the kernel has no bridge in a bridge (ELOOP)", i.Name).About(i.ID, "master").
			WithHint("join the two with a cable")
	case i.Kind == Loopback:
		return Problemf(CodeBadRequest, "lo cannot be a port of a bridge").About(i.ID, "master")
	case i.isPackets():
		return Problemf(CodeBadRequest, "`%s` carries packets without frames: the kernel makes it no port (EINVAL)", i.Name).
			About(i.ID, "master").WithHint("make it with mode tap")
	case bridge.Node != i.Node:
		return Problemf(CodeBadRequest, "`%s` is in %s, and `%s` in %s; a port is where its bridge is",
			i.Name, l.Label(i.Node), bridge.Name, l.Label(bridge.Node)).About(i.ID, "master")
	}
	return nil
}

// settlePort gives a port of an OVS bridge what it does with VLANs. What is no such port has nothing of the kind.
func (l *draft) settlePort(i *Interface, text string) error {
	port, err := CanonicalSwitchPort(text)
	switch {
	case err != nil:
		return about(err, i.ID)
	case port != "" && l.Interfaces[i.Master].Kind != OVS:
		return Problemf(CodeBadRequest, "`%s` is no port of an OVS bridge: it has no tag and no trunks", i.Name).About(i.ID, "port")
	}
	i.Port = port
	return nil
}

// checkSwitchPlace refuses an OVS bridge anywhere but in a machine, whose processes are its datapath.
func (l *draft) checkSwitchPlace(i Interface) error {
	if n := l.Nodes[i.Node]; i.Kind == OVS && n.Kind != Machine {
		return Problemf(CodeBadRequest, "%s is a %s; an OVS bridge is in a machine, where Open vSwitch runs", l.Label(n.ID), n.Kind).
			About(i.ID, "node").WithHint("put it into the machine, and join " + n.Name + " to it with a cable")
	}
	return nil
}

func (e *AddInterface) apply(l *draft) error {
	if err := l.checkNewID(e.ID); err != nil {
		return err
	}
	switch n, ok := l.Nodes[e.Node]; {
	case !ok:
		return goneNode(e.Node)
	case n.Kind == Internet:
		return onlyCables(n, e.ID)
	}
	if _, ok := linkOptions[e.Kind]; !ok {
		return Problemf(CodeBadRequest, "interfaces of kind %q are not made here", e.Kind).About(e.ID, "kind").
			WithHint("the kinds are bridge, ovs, dummy, tun, vlan, vxlan and macvlan")
	}
	options, err := CanonicalOptions(e.Kind, e.Options)
	if err != nil {
		return about(err, e.ID)
	}
	if group, ok := groupOf(e.Kind, options); ok && e.Parent == "" {
		return Problemf(CodeBadRequest, "`%s` sends to a group, %s, and says not out of which interface", e.Name, group).About(e.ID, "parent").
			WithHint("say the interface below it, or the address of one machine")
	}
	i := Interface{
		ID: e.ID, Node: e.Node, Name: e.Name, Kind: e.Kind, Up: !e.Down, MTU: e.MTU, Master: e.Master, Parent: e.Parent,
		Options: options, VLANs: e.VLANs, Alias: e.Alias, Port: e.Port,
	}
	if err := l.checkSwitchPlace(i); err != nil {
		return err
	}
	parent, ok := l.Interfaces[e.Parent]
	switch {
	case e.Parent == "" && NeedsParent(e.Kind):
		return Problemf(CodeBadRequest, "a %s is made on top of an interface; `%s` names none", e.Kind, e.Name).About(e.ID, "parent")
	case e.Parent != "" && !MayHaveParent(e.Kind):
		return Problemf(CodeBadRequest, "a %s is on top of no other interface", e.Kind).About(e.ID, "parent")
	case e.Parent == e.ID:
		return Problemf(CodeBadRequest, "`%s` cannot be on top of itself", e.Name).About(e.ID, "parent")
	case e.Parent != "" && !ok:
		return Problemf(CodeNoSuchInterface, "the interface below `%s` is gone", e.Name).About(e.Parent, "")
	case e.Parent != "" && parent.Kind == Loopback:
		return Problemf(CodeBadRequest, "the kernel makes no %s on lo", e.Kind).About(e.ID, "parent")
	}
	if i.MTU == 0 {
		i.MTU = DefaultMTU(e.Kind)
		if e.Parent != "" {
			i.MTU = parent.MTU
			if e.Kind == VXLAN {
				i.MTU -= VXLANHeadroom
			}
		}
	} else if err := CheckMTU(i.MTU); err != nil {
		return about(err, e.ID)
	}
	if err := l.addChecked(i, e.MAC, e.Addresses); err != nil {
		return err
	}
	if e.Place != nil {
		l.setPlace(e.ID, *e.Place)
	}
	return nil
}

// onlyCables refuses to put an interface into an internet that is no cable's.
func onlyCables(internet Node, id ID) error {
	return Problemf(CodeBadRequest, "only cables are plugged into %s: there is no shell in it to make anything else", internet.Name).
		About(id, "node")
}

func (e *UpdateNode) apply(l *draft) error {
	n, ok := l.Nodes[e.ID]
	if !ok {
		return goneNode(e.ID)
	}
	if e.Name != nil {
		n.Name = *e.Name
	}
	if e.In != nil {
		if !n.Kind.IsInside() {
			return Problemf(CodeBadRequest, "`%s` is a %s; only namespaces and containers are in a machine", n.Name, n.Kind).About(e.ID, "in")
		}
		if err := l.checkIsMachine(*e.In, n.Kind); err != nil {
			return err
		}
		n.In = *e.In
	}
	if e.Command != nil {
		if err := n.setCommand(*e.Command); err != nil {
			return err
		}
	}
	if err := l.checkNodeName(n); err != nil {
		return err
	}
	l.setNode(n)
	l.names = nil
	return nil
}

func (e *UpdateInterface) apply(l *draft) error {
	i, err := l.interfaceToEdit(e.ID)
	if err != nil {
		return err
	}
	if e.ID == SwitchID(i.Node) && (e.Name != nil || e.Node != nil) {
		return Problemf(CodeBadRequest, "this bridge is the LAN itself: it keeps its name and place").About(e.ID, "name")
	}
	if i.Kind == Loopback && (e.Name != nil && *e.Name != i.Name || e.Node != nil && *e.Node != i.Node || e.MAC != nil) {
		return Problemf(CodeBadRequest, "the kernel keeps lo's name, place and address").About(e.ID, "name")
	}
	if e.Node != nil {
		to, ok := l.Nodes[*e.Node]
		switch {
		case !ok:
			return goneNode(*e.Node)
		case to.Kind == Internet && i.Kind != Veth:
			return onlyCables(to, i.ID)
		}
		if i.Node != *e.Node { // the kernel takes a port out of its bridge when it moves, and what delays it away
			if i.Impair = ""; i.Kind != Bridge {
				i.VLANs = ""
			}
			if i.Node, i.Master = *e.Node, ""; l.Nodes[i.Node].Kind == LAN && !HasPorts(i.Kind) && !i.isPackets() {
				i.Master = SwitchID(i.Node)
				i.Addresses = slices.DeleteFunc(slices.Clone(i.Addresses), isIPv6)
			}
		}
		if err := l.checkSwitchPlace(i); err != nil {
			return err
		}
	}
	if e.Master != nil {
		if i.Master != *e.Master { // another bridge knows nothing of them
			i.VLANs = ""
		}
		i.Master = *e.Master
		if err := l.checkMaster(i); err != nil {
			return err
		}
	}
	if e.VLANs != nil {
		i.VLANs = *e.VLANs
		if err := l.checkVLANs(&i); err != nil {
			return err
		}
	}
	if e.Alias != nil {
		if err := CheckAlias(*e.Alias); err != nil {
			return about(err, e.ID)
		}
		i.Alias = *e.Alias
	}
	port := i.Port
	if l.Interfaces[i.Master].Kind != OVS {
		port = "" // it has left its bridge
	}
	if e.Port != nil {
		port = *e.Port
	}
	if err := l.settlePort(&i, port); err != nil {
		return err
	}
	if e.Impair != nil {
		if i.Impair, err = CanonicalImpairment(*e.Impair); err != nil {
			return about(err, e.ID)
		}
	}
	if e.Options != nil {
		if i.Options, err = i.changedOptions(*e.Options); err != nil {
			return about(err, e.ID)
		}
	}
	if e.Name != nil {
		if i.Node == l.Interfaces[e.ID].Node {
			l.renameInTables(i.Node, i.Name, *e.Name)
		}
		i.Name = *e.Name
	}
	if e.Name != nil || e.Node != nil {
		if err := l.checkInterfaceName(i); err != nil {
			return err
		}
	}
	if e.MTU != nil {
		if err := CheckMTU(*e.MTU); err != nil && !(i.Kind == Loopback && *e.MTU == DefaultMTU(Loopback)) {
			return about(err, e.ID)
		}
		i.MTU = *e.MTU
	}
	if e.MAC != nil && !i.HasMAC() {
		return Problemf(CodeBadRequest, "`%s` carries packets without frames: it has no MAC", i.Name).About(e.ID, "mac").
			WithHint("make it with mode tap")
	}
	if e.MAC != nil {
		mac, err := CanonicalMAC(*e.MAC)
		if err != nil {
			return about(err, e.ID)
		}
		i.MAC = mac
	}
	if e.Up != nil {
		i.Up = *e.Up
	}
	l.setInterface(i)
	if e.Name != nil || e.Node != nil {
		l.names = nil
		l.dropDangling() // a bridge that moves leaves its ports behind
	}
	return nil
}

// changedOptions checks options for an interface that is there.
func (i Interface) changedOptions(text string) (string, error) {
	options, err := ParseOptions(i.Kind, text)
	if err != nil {
		return "", err
	}
	have, _ := ParseOptions(i.Kind, i.Options)
	for _, o := range linkOptions[i.Kind] {
		if o.Fixed && options[o.Name] != have[o.Name] {
			return "", Problemf(CodeBadValue, "the kernel does not change `%s` of a %s that is there", o.Name, i.Kind).About(i.ID, "options").
				WithHint("delete it and make it anew")
		}
	}
	return WriteOptions(i.Kind, options), nil
}

func (e *AddAddress) apply(l *draft) error {
	i, err := l.interfaceToEdit(e.Interface)
	if err != nil {
		return err
	}
	if err := l.addAddress(&i, e.Address); err != nil {
		return err
	}
	l.setInterface(i)
	return nil
}

func (e *DeleteAddress) apply(l *draft) error {
	i, err := l.interfaceToEdit(e.Interface)
	if err != nil {
		return err
	}
	address, err := CanonicalAddress(e.Address)
	if err != nil {
		return about(err, i.ID)
	}
	at := slices.Index(i.Addresses, address)
	if at < 0 {
		return Problemf(CodeGone, "%s does not have %s", i.Name, address).About(i.ID, "address")
	}
	i.Addresses = slices.Delete(slices.Clone(i.Addresses), at, at+1)
	l.setInterface(i)
	return nil
}

func (e *Delete) apply(l *draft) error {
	l.names = nil
	if _, ok := l.Nodes[e.ID]; ok {
		delete(l.Nodes, e.ID)
		l.dropDangling()
		return nil
	}
	if c, ok := l.Cables[e.ID]; ok {
		delete(l.Interfaces, c.Ends[0])
		l.dropDangling()
		return nil
	}
	i, ok := l.Interfaces[e.ID]
	if !ok {
		return Problemf(CodeGone, "what this would delete is gone already").About(e.ID, "")
	}
	if i.Kind == Loopback {
		return Problemf(CodeBadRequest, "the kernel does not let go of lo").About(e.ID, "")
	}
	if e.ID == SwitchID(i.Node) {
		return Problemf(CodeBadRequest, "this bridge is the LAN itself").About(e.ID, "").WithHint("delete the LAN")
	}
	delete(l.Interfaces, e.ID)
	l.dropDangling()
	return nil
}

func (e *PlaceNode) apply(l *draft) error {
	if _, ok := l.Nodes[e.ID]; !ok && !HasPorts(l.Interfaces[e.ID].Kind) {
		return goneNode(e.ID)
	}
	l.setPlace(e.ID, Place{X: e.X, Y: e.Y})
	return nil
}

func (e *UpdateLab) apply(l *draft) error {
	if e.Name != nil {
		name := strings.TrimSpace(*e.Name)
		if name == "" || len(name) > 200 || strings.ContainsAny(name, "\n\r\x00") {
			return Problemf(CodeBadName, "a lab's name is one line of 1 to 200 bytes").About("", "name")
		}
		l.Name = name
	}
	if e.Quiet != nil {
		l.Quiet = *e.Quiet
	}
	return nil
}

// addAddress appends a checked address. The problem is a "bad-address", or "exists" where the interface has it.
func (l *draft) addAddress(i *Interface, text string) error {
	address, err := CanonicalAddress(text)
	if err != nil {
		return about(err, i.ID)
	}
	if lan := l.Nodes[i.Node]; lan.Kind == LAN && isIPv6(address) {
		return Problemf(CodeBadRequest, "%s is a switch: its ports have no address of IPv6", lan.Name).About(i.ID, "address").
			WithHint("give it to the other end of the cable")
	}
	if slices.Contains(i.Addresses, address) {
		return Problemf(CodeExists, "%s has %s already", i.Name, address).About(i.ID, "address")
	}
	i.Addresses = append(slices.Clone(i.Addresses), address)
	return nil
}

func (l *draft) interfaceToEdit(id ID) (Interface, error) {
	i, ok := l.Interfaces[id]
	if !ok {
		return i, Problemf(CodeNoSuchInterface, "this interface is gone").About(id, "")
	}
	return i, nil
}
