package labengine

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
	AddInterface    *AddInterface    `json:"addInterface,omitempty"`
	UpdateNode      *UpdateNode      `json:"updateNode,omitempty"`
	UpdateInterface *UpdateInterface `json:"updateInterface,omitempty"`
	AddAddress      *AddAddress      `json:"addAddress,omitempty"`
	DeleteAddress   *DeleteAddress   `json:"deleteAddress,omitempty"`
	AddRoute        *AddRoute        `json:"addRoute,omitempty"`
	DeleteRoute     *DeleteRoute     `json:"deleteRoute,omitempty"`
	AddIPRule       *AddIPRule       `json:"addIPRule,omitempty"`
	DeleteIPRule    *DeleteIPRule    `json:"deleteIPRule,omitempty"`
	AddNeighbour    *AddNeighbour    `json:"addNeighbour,omitempty"`
	DeleteNeighbour *DeleteNeighbour `json:"deleteNeighbour,omitempty"`
	SetSysctl       *SetSysctl       `json:"setSysctl,omitempty"`
	Iptables        *Iptables        `json:"iptables,omitempty"`
	AddService      *AddService      `json:"addService,omitempty"`
	DeleteService   *DeleteService   `json:"deleteService,omitempty"`
	Delete          *Delete          `json:"delete,omitempty"`
	Place           *PlaceNode       `json:"place,omitempty"`
	UpdateLab       *UpdateLab       `json:"updateLab,omitempty"`
}

// AddNode makes a machine, a namespace in one, as ip-netns(8) add does, a container in one, as unshare(1) does, a LAN
// between machines, or the internet.
type AddNode struct {
	ID      ID     `json:"id"`
	Name    string `json:"name"`
	Kind    Kind   `json:"kind"`
	In      ID     `json:"in,omitempty"`      // the machine that a namespace or container is made in
	Command string `json:"command,omitempty"` // of a container; see [Node]
	Place   *Place `json:"place,omitempty"`
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
	Master    ID       `json:"master,omitempty"` // the bridge of the same node that it becomes a port of; a LAN's end is a port always
	VLANs     string   `json:"vlans,omitempty"`  // of a bridge's port; see [ParseVLANs]
	Alias     string   `json:"alias,omitempty"`  // see [CheckAlias]
	Impair    string   `json:"impair,omitempty"` // of what it sends; see [ParseImpairment]
	Port      string   `json:"port,omitempty"`   // of an OVS bridge's port; see [ParseSwitchPort]
}

// AddInterface makes an interface that no cable makes, as ip-link(8) add does: a bridge, dummy, tun, vlan, vxlan or
// macvlan; or as ovs-vsctl(8) add-br does. It is up unless it says otherwise.
type AddInterface struct {
	ID        ID       `json:"id"`
	Node      ID       `json:"node"`
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`
	Parent    ID       `json:"parent,omitempty"`    // of a vlan, macvlan or vxlan
	Options   string   `json:"options,omitempty"`   // as ip-link(8) takes them; see [CanonicalOptions]
	Addresses []string `json:"addresses,omitempty"` // CIDR notation
	MAC       string   `json:"mac,omitempty"`       // derived from the names if empty
	MTU       int      `json:"mtu,omitempty"`       // bytes; 0 is the kernel's own
	VLANs     string   `json:"vlans,omitempty"`     // of a bridge or its port; see [ParseVLANs]
	Alias     string   `json:"alias,omitempty"`     // see [CheckAlias]
	Down      bool     `json:"down,omitempty"`
	Master    ID       `json:"master,omitempty"`
	Port      string   `json:"port,omitempty"`  // of an OVS bridge's port; see [ParseSwitchPort]
	Place     *Place   `json:"place,omitempty"` // of a bridge
}

// AddRoute adds a route to a node's tables, as ip-route(8) add does.
type AddRoute struct {
	Node  ID     `json:"node"`
	Route string `json:"route"` // "default via 192.168.15.5"
}

// DeleteRoute takes a route away. It is said as the lab has it.
type DeleteRoute struct {
	Node  ID     `json:"node"`
	Route string `json:"route"`
}

// AddIPRule adds a rule that says which routing table is looked up, as ip-rule(8) add does.
type AddIPRule struct {
	Node ID     `json:"node"`
	Rule string `json:"rule"` // "from 192.168.15.0/24 table 100"
}

// DeleteIPRule takes such a rule away. It is said as the lab has it.
type DeleteIPRule struct {
	Node ID     `json:"node"`
	Rule string `json:"rule"`
}

// AddNeighbour writes a permanent entry into a node's ARP or NDP table, as ip-neighbour(8) add does.
type AddNeighbour struct {
	Node      ID     `json:"node"`
	Neighbour string `json:"neighbour"` // "192.168.15.2 lladdr 02:00:00:00:00:02 dev veth-red"
}

// DeleteNeighbour takes such an entry away. It is said as the lab has it.
type DeleteNeighbour struct {
	Node      ID     `json:"node"`
	Neighbour string `json:"neighbour"`
}

// SetSysctl sets one of a node's settings, as sysctl(8) -w does. An empty value is that of a fresh namespace.
type SetSysctl struct {
	Node  ID     `json:"node"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// AddService has a node offer something without a process of its own.
type AddService struct {
	Node    ID     `json:"node"`
	Service string `json:"service"` // "http 80", "echo udp 7", "dns 53 web.lan=192.168.15.2"; see [ParseService]
}

// DeleteService ends a service. It is said as the lab has it.
type DeleteService struct {
	Node    ID     `json:"node"`
	Service string `json:"service"`
}

// UpdateNode renames a node, moves a namespace or container to another machine, or gives a container another command: it
// is then made anew. What is nil stays.
type UpdateNode struct {
	ID      ID      `json:"id"`
	Name    *string `json:"name,omitempty"`
	In      *ID     `json:"in,omitempty"`
	Command *string `json:"command,omitempty"`
}

// UpdateInterface changes an interface as ip-link(8) set does, or plugs it into another node. What is nil stays.
type UpdateInterface struct {
	ID   ID      `json:"id"`
	Name *string `json:"name,omitempty"`
	Node *ID     `json:"node,omitempty"`
	Up   *bool   `json:"up,omitempty"`
	MTU  *int    `json:"mtu,omitempty"` // bytes, 68..65535
	MAC  *string `json:"mac,omitempty"`

	Master  *ID     `json:"master,omitempty"`  // the bridge that it becomes a port of; "" is none
	Options *string `json:"options,omitempty"` // all of its kind's options, as ip-link(8) takes them
	VLANs   *string `json:"vlans,omitempty"`   // of a bridge or its port; "" is what the bridge gives
	Alias   *string `json:"alias,omitempty"`   // "" takes it away
	Impair  *string `json:"impair,omitempty"`  // of what it sends; "" takes it away
	Port    *string `json:"port,omitempty"`    // of an OVS bridge's port; "" lets everything through
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

// PlaceNode puts a node or a bridge somewhere on the canvas.
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
