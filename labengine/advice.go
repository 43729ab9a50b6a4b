package labengine

// Advice is about something that is legal in a lab, and surely not meant.
type Advice struct {
	Code    AdviceCode `json:"code"`
	On      []ID       `json:"on"`              // the nodes, interfaces and cables that it is about; the first is where to look
	Message string     `json:"message"`         // one sentence, no final period
	Minor   bool       `json:"minor,omitempty"` // worth knowing, and seldom what fails
	Fix     *Fix       `json:"fix,omitempty"`   // where it is clear what was meant
}

// Fix is what would make an advice needless.
type Fix struct {
	Label    string    `json:"label"` // of a button: "Add the route"
	Edits    []Edit    `json:"edits"`
	Commands []Command `json:"commands,omitempty"` // what the edits stand for
}

// AdviceCode is the stable name of what an advice is about.
type AdviceCode string

// The codes that an [Advice] can have.
const (
	AdviceHostPrefix          AdviceCode = "host-prefix"           // a /32 or /128 where a subnet was meant
	AdviceSubnetAddress       AdviceCode = "subnet-address"        // a subnet's own address, or its broadcast address
	AdviceAddressTwice        AdviceCode = "address-twice"         // on one segment
	AdviceSubnetTwice         AdviceCode = "subnet-twice"          // on two interfaces of a node that do not hear each other
	AdviceDifferentSubnets    AdviceCode = "different-subnets"     // on one cable
	AdviceVLANApart           AdviceCode = "vlan-apart"            // from everybody else of its subnet on a switch
	AdvicePortAddress         AdviceCode = "port-address"          // on a port of a bridge instead of the bridge
	AdviceInterfaceDown       AdviceCode = "interface-down"        // and needed
	AdviceLoopbackDown        AdviceCode = "loopback-down"         // and needed
	AdviceMTUMismatch         AdviceCode = "mtu-mismatch"          // on one segment
	AdviceBridgeLoop          AdviceCode = "bridge-loop"           // without STP
	AdviceGatewayNotConnected AdviceCode = "gateway-not-connected" // on no subnet that the node has an address in
	AdviceGatewayAbsent       AdviceCode = "gateway-absent"        // on such a subnet, and nobody's
	AdviceForwardingOff       AdviceCode = "forwarding-off"        // on a node that others send through
	AdviceNoWayOn             AdviceCode = "no-way-on"             // of a default route's gateway, which has none itself
	AdviceNoReturnRoute       AdviceCode = "no-return-route"       // to where packets come from
	AdviceForwardDrops        AdviceCode = "forward-drops"         // the policy of FORWARD drops what others send through the node
	AdviceNATMatchesNothing   AdviceCode = "nat-matches-nothing"   // a rule that no packet can meet
	AdviceDNATToNobody        AdviceCode = "dnat-to-nobody"        // to an address that nobody has where it would be
	AdviceDNATCatchesInside   AdviceCode = "dnat-catches-inside"   // what those behind a gateway ask of others outside
	AdviceARPTableSmall       AdviceCode = "arp-table-small"       // the computer's, for so many nodes
)
