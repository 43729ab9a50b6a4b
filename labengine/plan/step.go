// Package plan says what has to be done to the kernel to make one lab into another, and how a person would type it.
//
// [Diff] is the one mechanism by which labs change: starting is Diff(empty, lab), undo is Diff(have, have without the
// change), rolling back is Diff(have, before). It is pure; package kernel carries its steps out.
package plan

import (
	"fmt"
	"strings"

	"vethlab/labengine"
)

// Spot is the network namespace in which a step happens, by the names that it has then.
type Spot struct {
	Node    labengine.ID
	Machine string
	Netns   string // "" is the machine's own
	Pid     string // of a process in a namespace that has no name, or what a shell says for it
}

// SpotOf is a node's spot in the lab.
func SpotOf(lab labengine.Lab, node labengine.ID) Spot {
	n := lab.Nodes[node]
	if n.In == "" {
		return Spot{Node: node, Machine: n.Name}
	}
	s := Spot{Node: node, Machine: lab.Nodes[n.In].Name, Netns: n.Name}
	switch {
	case n.Kind == labengine.Container:
		return containerSpot(node, s.Machine, n.Name)
	case n.Held != "":
		s.Netns, s.Pid = "", strings.TrimSuffix(n.Held[strings.LastIndexByte(n.Held, '(')+1:], ")")
	}
	return s
}

// ip is the ip(8) command for this spot, as typed in the machine's shell, with options of its own.
func (s Spot) ip(options ...string) string { return s.iproute("ip", options...) }

// iproute is a command of iproute2 for this spot.
func (s Spot) iproute(name string, options ...string) string {
	command := strings.Join(append([]string{name}, options...), " ")
	switch {
	case s.Pid != "":
		return "nsenter -t " + s.Pid + " -n " + command
	case s.Netns != "":
		return command + " -n " + quote(s.Netns)
	}
	return command
}

// run is the command for this spot, as typed in the machine's shell.
func (s Spot) run(command string) string {
	switch {
	case s.Pid != "":
		return "nsenter -t " + s.Pid + " -n " + command
	case s.Netns != "":
		return "ip netns exec " + quote(s.Netns) + " " + command
	}
	return command
}

// shell is the spot of the machine's own shell.
func (s Spot) shell() Spot { return Spot{Machine: s.Machine} }

// netns is the argument that puts a link in this spot, of a command that runs in another one; "" where it would be there
// anyway.
func (s Spot) netns(from Spot) string {
	inside := from.Netns != "" || from.Pid != ""
	switch {
	case s.Pid != "" && s.Pid != from.Pid:
		return " netns " + s.Pid
	case s.Netns != "" && s.Netns != from.Netns:
		return " netns " + quote(s.Netns)
	case s.Machine != from.Machine:
		return " netns " + quote(s.Machine)
	case s.Netns == "" && s.Pid == "" && inside:
		return " netns $$" // the shell's own
	}
	return ""
}

// Step is one thing to do to the kernel.
type Step interface {
	// Commands are what a person would type for it, in which machine.
	Commands() []labengine.Command
}

// The steps. Each holds names as they are when its turn comes.
type (
	// AddMachine makes a machine, with lo up, or the namespace of a LAN or of the internet's edge, which is in no machine.
	AddMachine struct {
		Node labengine.ID
		Name string
		Kind labengine.Kind
	}
	// DeleteMachine ends a machine, a LAN or an internet, with all that is in it.
	DeleteMachine struct {
		Node labengine.ID
		Name string
		Kind labengine.Kind
	}
	// RenameMachine changes a machine's hostname, or the name of a LAN or an internet.
	RenameMachine struct {
		Node     labengine.ID
		From, To string
		Kind     labengine.Kind
	}
	// AddNamespace makes a network namespace with a name, ip-netns(8).
	AddNamespace struct{ At Spot }
	// DeleteNamespace removes a namespace's name; without a process in it the namespace goes too.
	DeleteNamespace struct{ At Spot }
	// RenameNamespace gives a namespace another name; links, addresses and processes stay.
	RenameNamespace struct {
		At Spot
		To string
	}
	// AddVeth makes a veth pair with both ends where they belong, veth(4).
	AddVeth struct {
		Ends   [2]VethEnd
		Master string // the bridge that the first end becomes a port of
		Quiet  bool
	}
	// AddLink makes a link that is not a cable's: a bridge, dummy, tun, vlan, vxlan or macvlan.
	AddLink struct {
		At        Spot
		Interface labengine.ID
		Name      string
		Kind      string
		MAC       string
		MTU       int    // bytes; where it is not what the kernel chooses
		Options   string // as ip-link(8) takes them
		Parent    string // the link below, in ParentAt
		ParentAt  Spot
		Quiet     bool
	}
	// SetMaster makes a link a port of a bridge; "" takes it out of its bridge.
	SetMaster struct {
		At        Spot
		Interface labengine.ID
		Name      string
		Master    string
	}
	// SetVLANs changes in which VLANs a bridge's port is, or the bridge itself, bridge(8).
	SetVLANs struct {
		At          Spot
		Interface   labengine.ID
		Name        string
		Self        bool // it is a bridge
		Add, Remove []labengine.PortVLAN
	}
	// SetOptions changes a link's options, as ip-link(8) takes them.
	SetOptions struct {
		At        Spot
		Interface labengine.ID
		Name      string
		Kind      string
		Options   string
	}
	// SetImpairment says what happens to what a link sends, tc(8); "" is nothing.
	SetImpairment struct {
		At        Spot
		Interface labengine.ID
		Name      string
		Impair    string
	}
	// AddRoute adds a route, ip-route(8); Replace says that it may be there.
	AddRoute struct {
		At      Spot
		Route   string
		Replace bool
	}
	// DeleteRoute takes a route away.
	DeleteRoute struct {
		At    Spot
		Route string
	}
	// AddIPRule adds a rule of the routing policy, ip-rule(8); of `del` and one that each namespace has, it takes that away.
	AddIPRule struct {
		At   Spot
		Rule string
	}
	// DeleteIPRule takes one away; or brings back what `del` has taken.
	DeleteIPRule struct {
		At   Spot
		Rule string
	}
	// AddNeighbour writes a permanent entry into the ARP or NDP table, ip-neighbour(8); what is there for the address goes.
	AddNeighbour struct {
		At        Spot
		Neighbour string
	}
	// DeleteNeighbour takes one away.
	DeleteNeighbour struct {
		At        Spot
		Neighbour string
	}
	// SetSysctl sets one setting of a namespace, sysctl(8).
	SetSysctl struct {
		At          Spot
		Name, Value string
	}
	// DeleteLink removes a link, and its peer if it has one.
	DeleteLink struct {
		At        Spot
		Interface labengine.ID
		Name      string
		Peer      labengine.ID // the interface that goes with it
	}
	// MoveLink puts a link into another namespace. The kernel takes it down and drops its addresses.
	MoveLink struct {
		At        Spot
		Interface labengine.ID
		Name      string
		To        Spot
		NewName   string
	}
	// RenameLink changes a link's name.
	RenameLink struct {
		At        Spot
		Interface labengine.ID
		From, To  string
	}
	// SetLink changes what is not nil.
	SetLink struct {
		At        Spot
		Interface labengine.ID
		Name      string
		Up        *bool
		MTU       *int // bytes
		MAC       *string
		Alias     *string // "" takes it away
	}
	// AddAddress gives a link an address, CIDR notation.
	AddAddress struct {
		At        Spot
		Interface labengine.ID
		Dev       string
		Address   string
	}
	// DeleteAddress takes an address from a link.
	DeleteAddress struct {
		At        Spot
		Interface labengine.ID
		Dev       string
		Address   string
	}
)

// VethEnd is one end of a new veth pair.
type VethEnd struct {
	At        Spot
	Interface labengine.ID
	Name      string
	MAC       string
	MTU       int // bytes; 1500 is not spelled out
}

func in(machine string, lines ...string) []labengine.Command {
	commands := make([]labengine.Command, len(lines))
	for i, line := range lines {
		commands[i] = labengine.Command{Machine: machine, Line: line}
	}
	return commands
}

// Commands implements [Step]: what a plain shell in a new network namespace lacks of a machine.
func (s AddMachine) Commands() []labengine.Command {
	if s.Kind != labengine.Machine {
		return nil // a switch has no shell, and its bridge is a step of its own; nor has the internet
	}
	return in(s.Name, "ip link set dev lo up")
}

// Commands implements [Step]: a machine is ended from outside.
func (s DeleteMachine) Commands() []labengine.Command {
	if s.Kind != labengine.Machine {
		return nil
	}
	return in(s.Name, "poweroff -f")
}

// Commands implements [Step].
func (s RenameMachine) Commands() []labengine.Command {
	if s.Kind != labengine.Machine {
		return nil
	}
	return in(s.To, hostname(s.To))
}

// Commands implements [Step].
func (s AddNamespace) Commands() []labengine.Command {
	return in(s.At.Machine, "ip netns add "+quote(s.At.Netns))
}

// Commands implements [Step].
func (s DeleteNamespace) Commands() []labengine.Command {
	return in(s.At.Machine, "ip netns del "+quote(s.At.Netns))
}

// Commands implements [Step]: ip-netns(8) has no word for it, so that the new name is bound before the old one goes.
func (s RenameNamespace) Commands() []labengine.Command {
	from, to := quote("/run/netns/"+s.At.Netns), quote("/run/netns/"+s.To)
	return in(s.At.Machine, "touch "+to, "mount --bind "+from+" "+to, "ip netns del "+quote(s.At.Netns))
}

// Commands implements [Step].
func (s AddVeth) Commands() []labengine.Command {
	a, b := s.Ends[0], s.Ends[1]
	line := "ip"
	from := a.At.shell()
	options := a.options(s.Quiet) + a.At.netns(from)
	if s.Master != "" { // which is looked up where the command runs
		line, options, from = a.At.ip(), a.options(s.Quiet)+" master "+quote(s.Master), a.At
	}
	line += " link add name " + quote(a.Name) + options +
		" type veth peer name " + quote(b.Name) + b.options(s.Quiet) + b.At.netns(from)
	commands := in(a.At.Machine, line)
	if s.Quiet {
		for _, e := range s.Ends {
			commands = append(commands, in(e.At.Machine, e.At.ip()+" link set dev "+quote(e.Name)+" addrgenmode none")...)
		}
	}
	return commands
}

func (e VethEnd) options(quiet bool) string {
	text := ""
	if e.MAC != "" {
		text += " address " + e.MAC
	}
	if e.MTU != labengine.DefaultMTU(labengine.Veth) {
		text += fmt.Sprintf(" mtu %d", e.MTU)
	}
	if quiet {
		text += " numtxqueues 1 numrxqueues 1"
	}
	return text
}

// Commands implements [Step].
func (s SetMaster) Commands() []labengine.Command {
	line := s.At.ip() + " link set dev " + quote(s.Name)
	if s.Master == "" {
		return in(s.At.Machine, line+" nomaster")
	}
	return in(s.At.Machine, line+" master "+quote(s.Master))
}

// Commands implements [Step].
func (s SetOptions) Commands() []labengine.Command {
	return in(s.At.Machine, s.At.ip()+" link set dev "+quote(s.Name)+" type "+s.Kind+" "+s.Options)
}

// Commands implements [Step].
func (s SetVLANs) Commands() []labengine.Command {
	self := ""
	if s.Self {
		self = " self"
	}
	var lines []string
	for _, v := range s.Add {
		lines = append(lines, s.At.iproute("bridge")+" vlan add dev "+quote(s.Name)+" "+v.String()+self)
	}
	for _, v := range s.Remove {
		v.PVID, v.Untagged = false, false
		lines = append(lines, s.At.iproute("bridge")+" vlan del dev "+quote(s.Name)+" "+v.String()+self)
	}
	return in(s.At.Machine, lines...)
}

// Commands implements [Step].
func (s SetImpairment) Commands() []labengine.Command {
	tc := "tc"
	switch {
	case s.At.Pid != "":
		tc = s.At.run(tc)
	case s.At.Netns != "":
		tc += " -n " + quote(s.At.Netns)
	}
	i, err := labengine.ParseImpairment(s.Impair)
	dev := quote(s.Name)
	switch {
	case err != nil || i == labengine.Impairment{}:
		return in(s.At.Machine, tc+" qdisc del dev "+dev+" root")
	case i.Cut:
		return in(s.At.Machine, tc+" qdisc replace dev "+dev+" root blackhole")
	case i.NeedsNetem():
		return in(s.At.Machine, tc+" qdisc replace dev "+dev+" root netem "+i.String())
	}
	return in(s.At.Machine, fmt.Sprintf("%s qdisc replace dev %s root tbf %s burst %d latency %dms",
		tc, dev, i, i.Burst(), labengine.RateLatency.Milliseconds()))
}

// Commands implements [Step].
func (s AddRoute) Commands() []labengine.Command {
	verb := map[bool]string{false: "add", true: "replace"}[s.Replace]
	return in(s.At.Machine, routeCommand(s.At, verb, s.Route))
}

// Commands implements [Step].
func (s DeleteRoute) Commands() []labengine.Command {
	return in(s.At.Machine, routeCommand(s.At, "del", s.Route))
}

// routeCommand is the ip-route(8) command; of a route that names no address, -6 says that it is IPv6's.
func routeCommand(at Spot, verb, route string) string {
	line := at.ip()
	if r, err := labengine.ParseRoute(route); err == nil && r.IPv6 {
		line = at.ip("-6")
	}
	return line + " route " + verb + " " + quoteWords(route)
}

// quoteWords writes each word of a text so that a shell reads it as it is.
func quoteWords(text string) string {
	words := strings.Fields(text)
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

// Commands implements [Step].
func (s AddIPRule) Commands() []labengine.Command { return ipRuleCommand(s.At, s.Rule, true) }

// Commands implements [Step].
func (s DeleteIPRule) Commands() []labengine.Command { return ipRuleCommand(s.At, s.Rule, false) }

// ipRuleCommand is the ip-rule(8) command; -6 says of a rule that it is IPv6's.
func ipRuleCommand(at Spot, rule string, added bool) []labengine.Command {
	r, err := labengine.ParseIPRule(rule)
	if err != nil {
		return nil
	}
	line := at.ip()
	if r.IPv6 {
		line = at.ip("-6")
	}
	return in(at.Machine, line+" rule "+quoteWords(r.Command(added)))
}

// Commands implements [Step].
func (s AddNeighbour) Commands() []labengine.Command {
	return in(s.At.Machine, s.At.ip()+" neigh replace "+quoteWords(s.Neighbour))
}

// Commands implements [Step]: the address and the interface say which.
func (s DeleteNeighbour) Commands() []labengine.Command {
	p, err := labengine.ParseNeighbour(s.Neighbour)
	if err != nil {
		return nil
	}
	return in(s.At.Machine, s.At.ip()+" neigh del "+p.IP+" dev "+quote(p.Dev))
}

// Commands implements [Step].
func (s SetSysctl) Commands() []labengine.Command {
	command := "sysctl -w "
	if strings.HasPrefix(s.Name, "net.bridge.") && s.Value == "0" { // so it is without br_netfilter, which has no such setting
		command = "sysctl -e -w "
	}
	return in(s.At.Machine, s.At.run(command+quote(s.Name+"="+s.Value)))
}

// Commands implements [Step].
func (s DeleteLink) Commands() []labengine.Command {
	return in(s.At.Machine, s.At.ip()+" link del dev "+quote(s.Name))
}

// Commands implements [Step].
func (s MoveLink) Commands() []labengine.Command {
	line := s.At.ip() + " link set dev " + quote(s.Name)
	if s.To.Netns == "" && s.To.Pid == "" && s.To.Machine == s.At.Machine {
		line += " netns 1"
	} else {
		line += s.To.netns(Spot{})
	}
	if s.NewName != s.Name {
		line += " name " + quote(s.NewName)
	}
	return in(s.At.Machine, line)
}

// Commands implements [Step].
func (s RenameLink) Commands() []labengine.Command {
	return in(s.At.Machine, s.At.ip()+" link set dev "+quote(s.From)+" name "+quote(s.To))
}

// Commands implements [Step].
func (s SetLink) Commands() []labengine.Command {
	line := s.At.ip() + " link set dev " + quote(s.Name)
	if s.MTU != nil {
		line += fmt.Sprintf(" mtu %d", *s.MTU)
	}
	if s.MAC != nil {
		line += " address " + *s.MAC
	}
	if s.Alias != nil {
		line += " alias " + quote(*s.Alias)
	}
	if s.Up != nil && *s.Up {
		line += " up"
	} else if s.Up != nil {
		line += " down"
	}
	return in(s.At.Machine, line)
}

// Commands implements [Step].
func (s AddAddress) Commands() []labengine.Command {
	return in(s.At.Machine, s.At.ip()+" addr add "+s.Address+" dev "+quote(s.Dev))
}

// Commands implements [Step].
func (s DeleteAddress) Commands() []labengine.Command {
	return in(s.At.Machine, s.At.ip()+" addr del "+s.Address+" dev "+quote(s.Dev))
}

// quote writes a word so that a shell reads it as it is.
func quote(word string) string { return labengine.ShellQuote(word) }
