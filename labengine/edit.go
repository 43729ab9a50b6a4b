package labengine

import (
	"fmt"
	"slices"
	"strings"
)

// Op is one gesture: edits that happen together or not at all. Its ID is made by whoever makes it, and the same ID is
// never carried out twice.
type Op struct {
	ID    ID     `json:"id"`
	Edits []Edit `json:"edits"`
}

// Edit is one change that a hand makes. Exactly one of its fields is set.
type Edit struct {
	AddNode         *AddNode         `json:"addNode,omitempty"`
	AddCable        *AddCable        `json:"addCable,omitempty"`
	UpdateNode      *UpdateNode      `json:"updateNode,omitempty"`
	UpdateInterface *UpdateInterface `json:"updateInterface,omitempty"`
	AddAddress      *AddAddress      `json:"addAddress,omitempty"`
	DeleteAddress   *DeleteAddress   `json:"deleteAddress,omitempty"`
	Delete          *Delete          `json:"delete,omitempty"`
	Place           *PlaceNode       `json:"place,omitempty"`
	UpdateLab       *UpdateLab       `json:"updateLab,omitempty"`
}

// AddNode makes a machine, or a namespace in one, as ip-netns(8) add does.
type AddNode struct {
	ID    ID     `json:"id"`
	Name  string `json:"name"`
	Kind  Kind   `json:"kind"`
	In    ID     `json:"in,omitempty"` // the machine that a namespace is made in
	Place *Place `json:"place,omitempty"`
}

// AddCable joins two nodes with a veth pair, veth(4). Both its interfaces are made, and up.
type AddCable struct {
	ID  ID  `json:"id"`
	A   End `json:"a"`
	B   End `json:"b"`
	MTU int `json:"mtu,omitempty"` // bytes; 68..65535, ETH_MIN_MTU and ETH_MAX_MTU in uapi/linux/if_ether.h; 0 is 1500
}

// End is one end of a new cable.
type End struct {
	ID        ID       `json:"id"` // of the interface
	Node      ID       `json:"node"`
	Name      string   `json:"name"`
	Addresses []string `json:"addresses,omitempty"` // CIDR notation
	MAC       string   `json:"mac,omitempty"`       // derived from the names if empty
	Down      bool     `json:"down,omitempty"`
}

// UpdateNode renames a node, or moves a namespace to another machine. What is nil stays.
type UpdateNode struct {
	ID   ID      `json:"id"`
	Name *string `json:"name,omitempty"`
	In   *ID     `json:"in,omitempty"`
}

// UpdateInterface changes an interface as ip-link(8) set does, or plugs it into another node. What is nil stays.
type UpdateInterface struct {
	ID   ID      `json:"id"`
	Name *string `json:"name,omitempty"`
	Node *ID     `json:"node,omitempty"`
	Up   *bool   `json:"up,omitempty"`
	MTU  *int    `json:"mtu,omitempty"` // bytes, 68..65535
	MAC  *string `json:"mac,omitempty"`
}

// AddAddress gives an interface an address, as ip-address(8) add does.
type AddAddress struct {
	Interface ID     `json:"interface"`
	Address   string `json:"address"` // CIDR notation
}

// DeleteAddress takes an address from an interface.
type DeleteAddress struct {
	Interface ID     `json:"interface"`
	Address   string `json:"address"`
}

// Delete removes a node with all that is in it, a cable with both ends, or an interface with its cable.
type Delete struct {
	ID ID `json:"id"`
}

// PlaceNode puts a node somewhere on the canvas.
type PlaceNode struct {
	ID ID      `json:"id"`
	X  float64 `json:"x"`
	Y  float64 `json:"y"`
}

// UpdateLab changes what holds for the whole lab. What is nil stays.
type UpdateLab struct {
	Name  *string `json:"name,omitempty"`
	Quiet *bool   `json:"quiet,omitempty"`
}

// Edit says what the lab is after all the edits, and leaves l as it is. A [Problem] says which edit is not possible,
// and why; then none of them is.
func (l Lab) Edit(edits []Edit) (Lab, error) {
	after := draft{Lab: l.Clone()}
	if len(edits) == 0 {
		return l, Problemf(CodeBadRequest, "the op has no edits")
	}
	for _, e := range edits {
		if err := e.apply(&after); err != nil {
			return l, err
		}
	}
	return after.Lab, nil
}

// draft is a lab while it is edited, with its names at hand: a file of a thousand nodes is one list of edits.
type draft struct {
	Lab
	nodes      map[nodeName]ID // nil until a name is looked up, and after edits that change or free some
	interfaces map[interfaceName]ID
	lastNode   int // Order
	lastCable  int
}

type nodeName struct {
	in   ID
	name string
}

type interfaceName struct {
	node ID
	name string
}

// index makes the names ready.
func (l *draft) index() {
	if l.nodes != nil {
		return
	}
	l.nodes, l.interfaces = make(map[nodeName]ID, len(l.Nodes)), make(map[interfaceName]ID, len(l.Interfaces))
	l.lastNode, l.lastCable = 0, 0
	for _, n := range l.Nodes {
		l.nodes[nodeName{n.In, n.Name}] = n.ID
		l.lastNode = max(l.lastNode, n.Order)
	}
	for _, i := range l.Interfaces {
		l.interfaces[interfaceName{i.Node, i.Name}] = i.ID
	}
	for _, c := range l.Cables {
		l.lastCable = max(l.lastCable, c.Order)
	}
}

// changed forgets the names.
func (l *draft) changed() { l.nodes = nil }

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
	case Machine:
		if e.In != "" {
			return Problemf(CodeBadRequest, "machine `%s` cannot be inside another node", e.Name).About(e.ID, "in")
		}
	case Namespace:
		if err := l.checkIsMachine(e.In); err != nil {
			return err
		}
	default:
		return Problemf(CodeBadRequest, "there is no kind of node %q", e.Kind).About(e.ID, "kind").
			WithHint("the kinds are machine and namespace")
	}
	n := Node{ID: e.ID, Name: e.Name, Kind: e.Kind, In: e.In}
	if err := l.checkNodeName(n); err != nil {
		return err
	}
	l.addNode(n)
	lo := LoopbackID(e.ID)
	l.addInterface(Interface{
		ID: lo, Node: e.ID, Name: "lo", Kind: Loopback, Up: e.Kind == Machine, MTU: DefaultMTU(Loopback),
		Addresses: []string{},
	})
	if e.Place != nil {
		l.Places[e.ID] = *e.Place
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
		i := Interface{ID: end.ID, Node: end.Node, Name: end.Name, Kind: Veth, Up: !end.Down, MTU: mtu, Addresses: []string{}}
		if err := l.checkInterfaceName(i); err != nil {
			return err
		}
		i.MAC = l.MACFor(end.Node, end.Name)
		if end.MAC != "" {
			mac, err := CanonicalMAC(end.MAC)
			if err != nil {
				return about(err, end.ID)
			}
			i.MAC = mac
		}
		for _, text := range end.Addresses {
			if err := i.addAddress(text); err != nil {
				return err
			}
		}
		l.addInterface(i)
	}
	l.addCable(Cable{ID: e.ID, Ends: [2]ID{e.A.ID, e.B.ID}})
	return nil
}

func (e *UpdateNode) apply(l *draft) error {
	n, ok := l.Nodes[e.ID]
	if !ok {
		return goneNode(e.ID)
	}
	if e.Name != nil {
		if n.Kind == Machine && n.Name != *e.Name && len(*e.Name) == 0 {
			return CheckNodeName(n.Kind, *e.Name)
		}
		n.Name = *e.Name
	}
	if e.In != nil {
		if n.Kind != Namespace {
			return Problemf(CodeBadRequest, "`%s` is a machine; only namespaces are in one", n.Name).About(e.ID, "in")
		}
		if err := l.checkIsMachine(*e.In); err != nil {
			return err
		}
		n.In = *e.In
	}
	if err := l.checkNodeName(n); err != nil {
		return err
	}
	l.Nodes[e.ID] = n
	l.changed()
	return nil
}

func (e *UpdateInterface) apply(l *draft) error {
	i, err := l.interfaceToEdit(e.ID)
	if err != nil {
		return err
	}
	if i.Kind == Loopback && (e.Name != nil && *e.Name != i.Name || e.Node != nil && *e.Node != i.Node || e.MAC != nil) {
		return Problemf(CodeBadRequest, "the kernel keeps lo's name, place and address").About(e.ID, "name")
	}
	if e.Node != nil {
		if _, ok := l.Nodes[*e.Node]; !ok {
			return goneNode(*e.Node)
		}
		i.Node = *e.Node
	}
	if e.Name != nil {
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
	if e.Name != nil || e.Node != nil {
		l.changed()
	}
	l.Interfaces[e.ID] = i
	return nil
}

func (e *AddAddress) apply(l *draft) error {
	i, err := l.interfaceToEdit(e.Interface)
	if err != nil {
		return err
	}
	if err := i.addAddress(e.Address); err != nil {
		return err
	}
	l.Interfaces[i.ID] = i
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
	l.Interfaces[i.ID] = i
	return nil
}

func (e *Delete) apply(l *draft) error {
	l.changed()
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
	delete(l.Interfaces, e.ID)
	l.dropDangling()
	return nil
}

func (e *PlaceNode) apply(l *draft) error {
	if _, ok := l.Nodes[e.ID]; !ok {
		return goneNode(e.ID)
	}
	l.Places[e.ID] = Place{X: e.X, Y: e.Y}
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
func (i *Interface) addAddress(text string) error {
	address, err := CanonicalAddress(text)
	if err != nil {
		return about(err, i.ID)
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

// checkNewID refuses an ID that something has, and one that could be read as a path or fill a log.
func (l *draft) checkNewID(id ID) error {
	if id == "" || len(id) > 120 || strings.ContainsFunc(string(id), func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Problemf(CodeBadRequest, "%q cannot be an id: 1 to 120 characters without spaces", id)
	}
	_, node := l.Nodes[id]
	_, iface := l.Interfaces[id]
	_, cable := l.Cables[id]
	if node || iface || cable {
		return Problemf(CodeExists, "the lab has something with id %s already", id).About(id, "id")
	}
	return nil
}

func (l *draft) checkIsMachine(id ID) error {
	n, ok := l.Nodes[id]
	switch {
	case id == "":
		return Problemf(CodeBadRequest, "a namespace is in a machine; this one names none").WithHint("drop it into a machine's box")
	case !ok:
		return goneNode(id)
	case n.Kind != Machine:
		return Problemf(CodeBadRequest, "`%s` is a %s; a namespace is in a machine", n.Name, n.Kind).About(id, "in")
	}
	return nil
}

func (l *draft) checkNodeName(n Node) error {
	if err := CheckNodeName(n.Kind, n.Name); err != nil {
		return about(err, n.ID)
	}
	if other, ok := l.nodeNamedOther(n); ok {
		where := "the lab"
		if n.In != "" {
			where = l.Nodes[n.In].Name
		}
		return Problemf(CodeExists, "%s already has a %s `%s`", where, other.Kind, n.Name).About(n.ID, "name").
			WithHint("`" + l.freeNodeName(n) + "` is free")
	}
	return nil
}

func (l *draft) nodeNamedOther(n Node) (Node, bool) {
	l.index()
	id, ok := l.nodes[nodeName{n.In, n.Name}]
	return l.Nodes[id], ok && id != n.ID
}

func (l *draft) freeNodeName(n Node) string {
	for count := 2; ; count++ {
		name := fmt.Sprintf("%s-%d", n.Name, count)
		if _, taken := l.NodeNamed(n.In, name); !taken {
			return name
		}
	}
}

func (l *draft) checkInterfaceName(i Interface) error {
	if err := CheckInterfaceName(i.Name); err != nil {
		return about(err, i.ID)
	}
	l.index()
	if id, ok := l.interfaces[interfaceName{i.Node, i.Name}]; ok && id != i.ID {
		return Problemf(CodeExists, "%s already has an interface `%s`", l.Label(i.Node), i.Name).About(i.ID, "name").
			WithHint("`" + l.freeInterfaceName(i) + "` is free")
	}
	return nil
}

func (l *draft) freeInterfaceName(i Interface) string {
	for count := 2; ; count++ {
		suffix := fmt.Sprint(count)
		name := i.Name[:min(len(i.Name), maxInterfaceName-len(suffix))] + suffix
		if _, taken := l.InterfaceNamed(i.Node, name); !taken {
			return name
		}
	}
}

// addNode adds a checked node, last in order.
func (l *draft) addNode(n Node) {
	l.index()
	l.lastNode++
	n.Order = l.lastNode
	l.Nodes[n.ID], l.nodes[nodeName{n.In, n.Name}] = n, n.ID
}

// addInterface adds a checked interface.
func (l *draft) addInterface(i Interface) {
	l.index()
	l.Interfaces[i.ID], l.interfaces[interfaceName{i.Node, i.Name}] = i, i.ID
}

// addCable adds a cable, last in order.
func (l *draft) addCable(c Cable) {
	l.index()
	l.lastCable++
	c.Order = l.lastCable
	l.Cables[c.ID] = c
}

func goneNode(id ID) error {
	return Problemf(CodeNoSuchNode, "this node is gone").About(id, "")
}

// about says which object a problem of a value is about.
func about(err error, on ID) error {
	if p, ok := err.(*Problem); ok && p.On == "" {
		p.On = on
	}
	return err
}
