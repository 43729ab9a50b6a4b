package labengine

// Protocol is the version of the messages below. It is in the first message, both ways; another version means that the
// page reloads, or that the lab is offered a restart.
const Protocol = 1

// Request is what a page asks of a lab, and what the server passes on to the lab process. Exactly one field besides ID
// and Author is set. Each request gets one [Reply]; a ping and an ARP probe send [ProbeEvent]s before it.
type Request struct {
	ID     ID     `json:"id"`
	Author string `json:"author,omitempty"` // the server writes it, whatever the page says

	Op      *Op       `json:"op,omitempty"`
	Undo    *Undo     `json:"undo,omitempty"`
	Redo    *Redo     `json:"redo,omitempty"`
	Restore *Restore  `json:"restore,omitempty"`
	Ping    *Ping     `json:"ping,omitempty"`
	ARP     *ARPProbe `json:"arp,omitempty"`
	Cancel  *Cancel   `json:"cancel,omitempty"`
	Close   *Close    `json:"close,omitempty"`

	// From the server to the lab process alone.
	Begin  *Begin  `json:"begin,omitempty"`
	Resume *Resume `json:"resume,omitempty"`
	Watch  *Watch  `json:"watch,omitempty"`
}

// Undo takes back the newest change that is the author's or nobody's.
type Undo struct{}

// Redo brings back what the author's newest undo took.
type Redo struct{}

// Restore makes the lab again what it was right after a change. It is a change itself, and can be undone.
type Restore struct {
	Seq int64 `json:"seq"` // of the change; 0 is before the first
}

// Ping sends ICMP echo requests, RFC 792 and RFC 4443, from a node.
type Ping struct {
	From     ID     `json:"from"`
	To       string `json:"to"`                 // an address
	Count    int    `json:"count"`              // 1..100
	Interval int    `json:"interval,omitempty"` // ms between requests, 10..10000; 0 is 1000
	Timeout  int    `json:"timeout,omitempty"`  // ms to wait for each reply, 10..10000; 0 is 1000
}

// ARPProbe asks who has an address, RFC 826, out of one interface.
type ARPProbe struct {
	From ID     `json:"from"` // the interface
	To   string `json:"to"`   // an IPv4 address
}

// Cancel ends a ping before its count.
type Cancel struct {
	Request ID `json:"request"`
}

// Close ends a terminal: its shell gets SIGHUP.
type Close struct {
	Terminal ID `json:"terminal"`
}

// Begin makes the lab in the kernel. It is the first request to a new lab process. Before the reply come, as [Change]s, what of
// the lab could not be made, and then one [Live] with all that is.
type Begin struct {
	Protocol int      `json:"protocol"`
	Lab      Lab      `json:"lab"`
	Seq      int64    `json:"seq"`
	Changes  []Change `json:"changes,omitempty"`
}

// Resume asks a lab process found running for its snapshot and the changes after one. It is the first request to it.
type Resume struct {
	Protocol int   `json:"protocol"`
	After    int64 `json:"after"`
}

// Watch turns the capture of frames on or off: it is on while somebody looks at the lab.
type Watch struct {
	Frames bool `json:"frames"`
}

// Message is what a lab says to everyone who looks at it. Exactly one field is set.
type Message struct {
	Hello     *Hello      `json:"hello,omitempty"`
	Snapshot  *Snapshot   `json:"snapshot,omitempty"`
	Status    *Status     `json:"status,omitempty"`
	Change    *Change     `json:"change,omitempty"`
	Live      *Live       `json:"live,omitempty"`
	Frames    *Frames     `json:"frames,omitempty"`
	Probe     *ProbeEvent `json:"probe,omitempty"`
	Reply     *Reply      `json:"reply,omitempty"`
	Terminals *Terminals  `json:"terminals,omitempty"`
	Advice    *AdviceList `json:"advice,omitempty"`
	Features  *Features   `json:"features,omitempty"`
}

// Hello is the first message of a connection.
type Hello struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"`          // of the program
	Author   string `json:"author,omitempty"` // who the page is, as changes name it
}

// Snapshot is all that a page needs to show a lab; the messages after it say what changes.
type Snapshot struct {
	ID        ID                 `json:"id"`
	Lab       Lab                `json:"lab"`
	Live      Live               `json:"live"`
	Status    Status             `json:"status"`
	Seq       int64              `json:"seq"`
	Changes   []Change           `json:"changes"` // the newest, oldest first; at most 2,000
	Terminals []Terminal         `json:"terminals"`
	Features  map[string]Feature `json:"features,omitempty"` // what the kernel has, by the word of the document; none before it has been tried
	Advice    []Advice           `json:"advice,omitempty"`
}

// Answer is what a trial has found out about a feature of the kernel.
type Answer string

// The answers.
const (
	Present  Answer = "yes"
	Lacking  Answer = "no"
	NotKnown Answer = "unknown" // it could not be found out
)

// Feature is something that kernels may lack: "netem", "tbf", "bridge", "vlan_filtering", "vlan", "vxlan", "macvlan", "dummy".
type Feature struct {
	Answer Answer `json:"answer"`
	Reason string `json:"reason,omitempty"` // why not, in words; or the errno that kept it from being found out
}

// State says whether a lab is in the kernel.
type State string

// The states of a lab.
const (
	Stopped  State = "stopped"
	Starting State = "starting"
	Running  State = "running"
	Stopping State = "stopping"
	Dead     State = "dead" // the lab process ended without being asked to; the drawing is safe
)

// Status says how a lab is.
type Status struct {
	State   State    `json:"state"`
	Since   int64    `json:"since"`           // ms since 1970
	Done    int      `json:"done,omitempty"`  // while starting: namespaces made
	Total   int      `json:"total,omitempty"` // while starting: namespaces to be made
	Problem *Problem `json:"problem,omitempty"`
	Viewers int      `json:"viewers,omitempty"`
}

// Live is what the kernel says of a running lab that is no part of its document. A message carries what has changed:
// whole values by ID, null for what has gone.
type Live struct {
	Links     map[ID]*Link      `json:"links,omitempty"` // by interface
	Nodes     map[ID]*NodeState `json:"nodes,omitempty"`
	Firewalls map[ID]*Firewall  `json:"firewalls,omitempty"` // by node, where there are rules or have been
	Counters  map[ID]*Counters  `json:"counters,omitempty"`  // by node, of its firewall; read anew each second while somebody looks
	Conntrack map[ID]*Conntrack `json:"conntrack,omitempty"` // by node, where connections are tracked; read as often
}

// Link is the state of an interface in the kernel, as ip-link(8) and ip-address(8) show it.
type Link struct {
	Index     int       `json:"index"`
	Carrier   bool      `json:"carrier"`   // IFF_LOWER_UP: the other end is up too
	OperState string    `json:"operState"` // RFC 2863: "UP", "DOWN", "LOWERLAYERDOWN", "UNKNOWN", …
	Addresses []Address `json:"addresses"` // all, those that the kernel makes itself included
}

// Address is an address as the kernel has it.
type Address struct {
	Address string `json:"address"`          // CIDR notation; of a point-to-point link without the length
	Peer    string `json:"peer,omitempty"`   // the other end's, of a point-to-point link, CIDR notation: the document has no word for it
	Scope   string `json:"scope"`            // "global", "link", "host"
	Kernel  bool   `json:"kernel,omitempty"` // made by the kernel itself: 127.0.0.1/8, ::1/128, fe80::/64
}

// NodeState is what a running node has in the kernel.
type NodeState struct {
	Pid        int             `json:"pid,omitempty"` // of a machine's init, in the lab process's pid namespace
	Routes     []Route         `json:"routes"`
	Neighbours []Neighbour     `json:"neighbours"`
	Container  *ContainerState `json:"container,omitempty"`
	Switches   []SwitchTable   `json:"switches,omitempty"` // of a machine's OVS bridges; read anew each second while somebody looks
	Dropped    uint64          `json:"dropped,omitempty"`  // of the internet: packets dropped because nobody there knows a way back to whom they are from
	Sockets    []Socket        `json:"sockets,omitempty"`  // those that wait for others to connect or send, as `ss -lntup` shows them
}

// Firewall is what iptables(8), ip6tables(8) and nft(8) show of a namespace. What its rules count is apart, in [Counters]:
// thousands of rules are said once, and not each second.
type Firewall struct {
	IPv4   []FirewallTable `json:"ipv4,omitempty"` // the tables that have been used
	IPv6   []FirewallTable `json:"ipv6,omitempty"`
	Native string          `json:"native,omitempty"` // tables that iptables knows nothing of, as `nft list ruleset` prints them; not saved
	Tables int             `json:"tables,omitempty"` // how many those are
}

// FirewallTable is a table of iptables(8).
type FirewallTable struct {
	Name   string          `json:"name"` // "filter", "nat", "mangle", "raw", "security"
	Chains []FirewallChain `json:"chains"`
	Legacy bool            `json:"legacy,omitempty"` // of iptables-legacy: the kernel does not tell of changes, so that it is looked at now and then
	Stale  bool            `json:"stale,omitempty"`  // as it was before nft(8) has put into it what iptables cannot read; see native
	Other  bool            `json:"other,omitempty"`  // of that iptables, of the two, which `iptables` is not here; not saved
}

// FirewallChain is a chain: a hook that packets pass, or a list of rules that others lead to.
type FirewallChain struct {
	Name   string         `json:"name"`
	Policy string         `json:"policy,omitempty"` // "ACCEPT" or "DROP"; "" for a chain that somebody has made
	Rules  []FirewallRule `json:"rules"`            // numbered from 1
}

// FirewallRule is a rule of a chain.
type FirewallRule struct {
	Text     string `json:"text"`               // as `iptables -S` prints it: "-A POSTROUTING -o eth0 -j MASQUERADE"
	Authored string `json:"authored,omitempty"` // as the document has it, where that is something else
}

// Counters are what the rules of a [Firewall] have counted, of each family in the order of places. What has counted nothing is
// left out.
type Counters struct {
	IPv4 []Counter `json:"ipv4,omitempty"`
	IPv6 []Counter `json:"ipv6,omitempty"`
}

// Counter is what a rule has counted, or of a built-in chain its policy.
type Counter struct {
	At      int    `json:"at"`      // its place in the family's tables, from 0: each chain has one, and then its rules
	Packets uint64 `json:"packets"` // that it has met
	Bytes   uint64 `json:"bytes"`
}

// SwitchTable is what an OVS bridge has learnt, and by which rules it goes.
type SwitchTable struct {
	Bridge string        `json:"bridge"`           // its name
	FDB    []SwitchEntry `json:"fdb"`              // as `ovs-appctl fdb/show` prints it
	Flows  []SwitchFlow  `json:"flows"`            // as `ovs-ofctl dump-flows` prints them
	Others []OtherPort   `json:"others,omitempty"` // ports that are no network devices; not saved
}

// OtherPort is a port of an OVS bridge that is no network device: the kernel does not know it.
type OtherPort struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`    // the type of its interface, "patch", "vxlan", …; or "bond"
	Options string `json:"options"` // of its interface, "peer=patch1"; of a bond, the names of its interfaces
}

// SwitchEntry says behind which port a MAC has been seen.
type SwitchEntry struct {
	Port string `json:"port"` // its name
	VLAN int    `json:"vlan"` // 0 where there is none
	MAC  string `json:"mac"`
	Age  string `json:"age"` // seconds since a frame came from there, or "static"
}

// SwitchFlow is a rule of OpenFlow by which a bridge goes.
type SwitchFlow struct {
	Table   int    `json:"table"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
	Text    string `json:"text"` // "priority=0 actions=NORMAL", ovs-fields(7) and ovs-actions(7)
}

// Conntrack is the table of tracked connections, as `conntrack -L` shows it.
type Conntrack struct {
	Flows []Flow `json:"flows"` // at most 500
	Count int    `json:"count"` // of all
}

// Flow is a tracked connection.
type Flow struct {
	Protocol string   `json:"protocol"`          // "tcp", "udp", "icmp", … or a number
	State    string   `json:"state,omitempty"`   // of TCP: "ESTABLISHED", "SYN_SENT", …
	Timeout  int      `json:"timeout"`           // s until it is forgotten, unless another packet comes
	Original FlowEnds `json:"original"`          // as the first packet had them
	Reply    FlowEnds `json:"reply"`             // as packets of the other direction have them: with NAT, not the same the other way round
	Unseen   bool     `json:"unseen,omitempty"`  // no reply has come yet: UNREPLIED
	Assured  bool     `json:"assured,omitempty"` // both directions have been busy: kept when the table is full
	Mark     uint32   `json:"mark,omitempty"`
}

// FlowEnds is where the packets of one direction come from and go to.
type FlowEnds struct {
	From     string `json:"from"` // an address
	To       string `json:"to"`
	FromPort int    `json:"fromPort,omitempty"`
	ToPort   int    `json:"toPort,omitempty"`
	ICMP     string `json:"icmp,omitempty"`    // "type=8 code=0 id=57"
	Packets  uint64 `json:"packets,omitempty"` // where the kernel counts them
	Bytes    uint64 `json:"bytes,omitempty"`
}

// Socket is one that waits: of TCP it listens, of UDP it is connected to nobody.
type Socket struct {
	Protocol string `json:"protocol"` // "tcp" or "udp"
	Address  string `json:"address"`  // "0.0.0.0" and "::" are all of the node's
	Port     int    `json:"port"`
	Dev      string `json:"dev,omitempty"`     // the interface that it is bound to
	Process  string `json:"process,omitempty"` // "busybox (57)", by its number in its machine, where it is known
}

// ContainerState is what runs in a container because the lab started it.
type ContainerState struct {
	Init    Process  `json:"init"`
	Command *Process `json:"command,omitempty"` // while it runs
	Ended   string   `json:"ended,omitempty"`   // how the command ended: "exit status 127"
}

// Process is a process that has two numbers, pid_namespaces(7).
type Process struct {
	Pid   int    `json:"pid"`   // in its machine
	Inner int    `json:"inner"` // in its container
	Line  string `json:"line"`  // as ps(1) shows it
}

// Neighbour is an entry of the ARP or NDP table, as ip-neighbour(8) shows it.
type Neighbour struct {
	IP    string `json:"ip"`
	MAC   string `json:"mac,omitempty"`
	Dev   string `json:"dev"`
	State string `json:"state"` // "REACHABLE", "STALE", "DELAY", "PROBE", "INCOMPLETE", "FAILED", "PERMANENT", "NOARP"
}

// Frames are what crossed the lab's cables since the message before, at most one message each 16 ms.
type Frames struct {
	Frames []Frame `json:"frames"`
	Missed uint64  `json:"missed,omitempty"` // crossed, and not captured here
	Rates  []Rate  `json:"rates,omitempty"`  // of busy cables, four times a second
}

// Frame is one crossing of a cable, in one direction.
type Frame struct {
	No       uint64 `json:"no"`       // counts the frames of this lab, from 1
	At       int64  `json:"at"`       // ns since 1970, by the kernel's clock at the receiving end
	To       ID     `json:"to"`       // the interface that it arrived at; it came from the cable's other end
	Length   int    `json:"length"`   // bytes, Ethernet header included
	Protocol string `json:"protocol"` // "ARP", "ICMP", "ICMPv6", "TCP", "UDP", "DNS", "DHCP", … or an EtherType as "0x88cc"
	Source   string `json:"source"`   // the innermost address that is known: IP, else MAC
	Target   string `json:"target"`
	Info     string `json:"info"`            // "Who has 192.168.15.2? Tell 192.168.15.1"
	Brief    string `json:"brief,omitempty"` // for a token: "who has 192.168.15.2?"
	Reply    bool   `json:"reply,omitempty"` // answers an earlier one: drawn ringed
	Flags    string `json:"flags,omitempty"` // TCP: "S", "SA", "F", "R", …
	Data     []byte `json:"data,omitempty"`  // its first 128 bytes
}

// Rate is how busy a cable is in one direction.
type Rate struct {
	To      ID      `json:"to"`      // the interface at which the frames arrive
	Packets float64 `json:"packets"` // per second
	Bits    float64 `json:"bits"`    // per second
	Shown   int     `json:"shown"`   // of these packets, how many were sent as frames
}

// ProbeEvent is one thing that a ping or an ARP probe saw.
type ProbeEvent struct {
	Request ID      `json:"request"`
	Seq     int     `json:"seq"`             // of the echo request, from 1
	From    string  `json:"from,omitempty"`  // who answered
	RTT     float64 `json:"rtt,omitempty"`   // ms
	TTL     int     `json:"ttl,omitempty"`   // of the reply
	MAC     string  `json:"mac,omitempty"`   // the answer to an ARP probe
	Error   string  `json:"error,omitempty"` // "timeout", "Destination Host Unreachable", "Network is unreachable", …
}

// Reply ends a request. Without a problem it has been carried out, and its change is on disk.
type Reply struct {
	Request ID       `json:"request"`
	Seq     int64    `json:"seq,omitempty"`  // of the change that it made
	Text    string   `json:"text,omitempty"` // of a probe, as ping(8) sums up: "3 packets transmitted, 3 received, 0% packet loss, …"; of an undo: what it took back
	Problem *Problem `json:"problem,omitempty"`
}

// Features is what the kernel of a running lab has, tried once the lab has been made.
type Features struct {
	Features map[string]Feature `json:"features"`
}

// AdviceList is all that is surely not meant in a lab, sent a moment after changes, where it differs from the list before. It
// may be about things that have gone since.
type AdviceList struct {
	Advice []Advice `json:"advice"`
}

// Terminals lists the terminals of a lab, whenever one is opened or ends.
type Terminals struct {
	Terminals []Terminal `json:"terminals"`
}

// Terminal is a shell in a node. Its ID is a token that the page makes; a page that knows it reattaches with it.
type Terminal struct {
	ID     ID     `json:"id"`
	Node   ID     `json:"node"`
	Title  string `json:"title"`
	Author string `json:"author,omitempty"`
}

// TerminalHello is the first message on a terminal's websocket, as text; binary messages with the shell's output follow.
// Binary messages to it are keys. A [TerminalSize] as text changes its size; a [TerminalEnd] as text is the last message.
type TerminalHello struct {
	ID      ID    `json:"id"`
	Offset  int64 `json:"offset"`  // bytes of output before what follows
	Skipped int64 `json:"skipped"` // bytes after the offset asked for that the scrollback has lost
}

// TerminalSize is a terminal's size in characters, 2..1000 each.
type TerminalSize struct {
	Cols int `json:"cols"`
	Rows int `json:"rows"`
}

// TerminalEnd says how the shell ended.
type TerminalEnd struct {
	Status int    `json:"status"` // exit status, or 128 and the signal's number
	Reason string `json:"reason"`
}
