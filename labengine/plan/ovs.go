package plan

import (
	"slices"
	"strconv"
	"strings"

	"vethlab/labengine"
)

type (
	// StartOVS has Open vSwitch run in a machine: ovsdb-server(1), and ovs-vswitchd(8) with its datapath in user space. The
	// lab does not start what runs already.
	StartOVS struct{ At Spot }
	// StopOVS ends both.
	StopOVS struct{ At Spot }
	// ChangeOVS changes the configuration of a machine's Open vSwitch in one transaction, ovs-vsctl(8).
	ChangeOVS struct {
		At      Spot
		Changes []OVSChange
	}
	// SetOffload says who computes the checksums of what a link sends, ethtool(8): the link, so that on a veth nobody does,
	// or the kernel, which userspace switches rely on.
	SetOffload struct {
		At        Spot
		Interface labengine.ID
		Name      string
		On        bool
	}
)

// OVSChange is one command of ovs-vsctl(8).
type OVSChange struct {
	Interface labengine.ID // that it is about
	Args      []string
}

// OVSFolder is where a machine's Open vSwitch has its files, and where its programs look for them; its database answers at
// db.sock in it.
const OVSFolder = "/run/openvswitch"

// ovsThreads has it run with as few threads as it can: else it has some for each processor.
const ovsThreads = "other_config:n-handler-threads=1 other_config:n-revalidator-threads=1"

const ovsSchema = "/usr/share/openvswitch/vswitch.ovsschema"

// Commands implements [Step].
func (s StartOVS) Commands() []labengine.Command {
	folder := OVSFolder
	if s.At.Netns != "" {
		folder = s.At.ovsFolder()
	}
	database := folder + "/conf.db"
	return in(s.At.Machine,
		"mkdir -p "+folder,
		"test -e "+database+" || ovsdb-tool create "+database+" "+ovsSchema,
		s.At.ovs("ovsdb-server --detach --pidfile --remote=punix:"+folder+"/db.sock "+database),
		s.At.ovs("ovs-vsctl --no-wait init -- set Open_vSwitch . "+ovsThreads),
		s.At.ovs("ovs-vswitchd --detach --pidfile --log-file="+folder+"/ovs-vswitchd.log -vconsole:off -vsyslog:off"))
}

// ovs is a command of Open vSwitch for this spot. A machine that a script has as a namespace has one of its own, too.
func (s Spot) ovs(command string) string {
	if s.Netns == "" {
		return command
	}
	return s.run("env OVS_RUNDIR=" + s.ovsFolder() + " " + command)
}

func (s Spot) ovsFolder() string { return quote(OVSFolder + "-" + s.Netns) }

// Commands implements [Step].
func (s StopOVS) Commands() []labengine.Command {
	return in(s.At.Machine, s.At.ovs("ovs-appctl exit --cleanup"), s.At.ovs("ovs-appctl -t ovsdb-server exit"))
}

// Commands implements [Step].
func (s ChangeOVS) Commands() []labengine.Command {
	return in(s.At.Machine, s.At.ovs("ovs-vsctl "+quoteArgs(s.Args())))
}

// Args are the arguments of ovs-vsctl(8) for all of the changes.
func (s ChangeOVS) Args() []string {
	var all []string
	for _, c := range s.Changes {
		if len(all) > 0 {
			all = append(all, "--")
		}
		all = append(all, c.Args...)
	}
	return all
}

func quoteArgs(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = quote(a)
	}
	return strings.Join(quoted, " ")
}

// Commands implements [Step].
func (s SetOffload) Commands() []labengine.Command {
	state := map[bool]string{false: "off", true: "on"}[s.On]
	return in(s.At.Machine, s.At.run("ethtool -K "+quote(s.Name)+" tx "+state))
}

// ovsChanges collects the changes of each machine's Open vSwitch.
type ovsChanges map[labengine.ID][]OVSChange

func (c ovsChanges) add(machine, interfaceID labengine.ID, args ...string) {
	c[machine] = append(c[machine], OVSChange{interfaceID, args})
}

// do makes one transaction of the changes of each machine.
func (c ovsChanges) do(d *differ, lab labengine.Lab) {
	for _, n := range lab.NodesInOrder() {
		if changes := c[n.ID]; len(changes) > 0 {
			d.do(ChangeOVS{At: SpotOf(lab, n.ID), Changes: changes})
		}
	}
}

// ovsBridge is the OVS bridge that an interface is a port of.
func ovsBridge(lab labengine.Lab, i labengine.Interface) (labengine.Interface, bool) {
	bridge, ok := lab.Interfaces[i.Master]
	return bridge, ok && bridge.Kind == labengine.OVS
}

// masterIn is the interface that the kernel has as an interface's master: of a port of an OVS bridge, none.
func masterIn(lab labengine.Lab, i labengine.Interface) labengine.ID {
	if _, isPort := ovsBridge(lab, i); isPort {
		return ""
	}
	return i.Master
}

// keepsPort says whether a port of an OVS bridge stays one: Open vSwitch knows both by their names.
func (d *differ) keepsPort(was labengine.Interface) bool {
	is, ok := d.want.Interfaces[was.ID]
	return ok && d.keepsInterface(was.ID) && is.Master == was.Master && is.Name == was.Name && is.Node == was.Node && d.keepsInterface(is.Master)
}

// deleteOVS takes ports and bridges away, and ends Open vSwitch with a machine's last bridge. A machine that goes takes all
// along.
func (d *differ) deleteOVS() {
	changes := ovsChanges{}
	var offload Plan
	bridges := map[labengine.ID]int{} // that stay or come, by machine
	for _, i := range d.want.Interfaces {
		if i.Kind == labengine.OVS {
			bridges[i.Node]++
		}
	}
	var stop []labengine.ID
	peers := peersOf(d.have)
	for _, i := range inOrder(d.have.Interfaces, nil) {
		if !d.keepsNode(i.Node) {
			continue
		}
		if i.Kind == labengine.OVS && !d.keepsInterface(i.ID) {
			changes.add(i.Node, i.ID, "del-br", i.Name)
			if bridges[i.Node] == 0 && !slices.Contains(stop, i.Node) {
				stop = append(stop, i.Node)
			}
		}
		bridge, isPort := ovsBridge(d.have, i)
		if !isPort || d.keepsPort(i) {
			continue
		}
		if d.keepsInterface(bridge.ID) {
			changes.add(i.Node, i.ID, "del-port", bridge.Name, i.Name)
		}
		if _, still := ovsBridge(d.want, d.want.Interfaces[i.ID]); still {
			continue
		}
		if peer, ok := peers[i.ID]; ok && d.keepsInterface(peer.ID) && d.keepsInterface(i.ID) {
			offload = append(offload, SetOffload{At: SpotOf(d.have, peer.Node), Interface: peer.ID, Name: peer.Name, On: true})
		}
	}
	changes.do(d, d.have)
	d.plan = append(d.plan, offload...)
	for _, machine := range stop {
		d.do(StopOVS{At: SpotOf(d.have, machine)})
	}
}

// changeOVS makes bridges and ports, all of a machine in one transaction, and changes what ports do with VLANs.
func (d *differ) changeOVS() {
	changes := ovsChanges{}
	runs := map[labengine.ID]bool{}
	for _, i := range d.have.Interfaces {
		runs[i.Node] = runs[i.Node] || i.Kind == labengine.OVS && d.keepsNode(i.Node)
	}
	var offload, impair Plan
	peers := peersOf(d.want)
	for _, i := range d.interfaces {
		if i.Kind != labengine.OVS || d.keepsInterface(i.ID) {
			continue
		}
		if !runs[i.Node] {
			runs[i.Node] = true
			d.do(StartOVS{At: SpotOf(d.want, i.Node)})
		}
		changes.add(i.Node, i.ID, "add-br", i.Name)
		set := []string{"set", "bridge", i.Name, "datapath_type=netdev"}
		if i.MAC != "" {
			set = append(set, hwaddr(i.MAC))
		}
		changes.add(i.Node, i.ID, append(set, columns("", i.Options)...)...)
		if i.MTU != labengine.DefaultMTU(i.Kind) {
			changes.add(i.Node, i.ID, "set", "interface", i.Name, mtuRequest(i.MTU))
		}
	}
	for _, i := range d.interfaces {
		bridge, isPort := ovsBridge(d.want, i)
		if !isPort {
			continue
		}
		was := d.have.Interfaces[i.ID]
		if d.becomesPort(i) {
			if i.Impair != "" {
				impair = append(impair, SetImpairment{At: SpotOf(d.want, i.Node), Interface: i.ID, Name: i.Name, Impair: i.Impair})
			}
			changes.add(i.Node, i.ID, "add-port", bridge.Name, i.Name)
			if i.Kind == labengine.Internal {
				changes.add(i.Node, i.ID, "set", "interface", i.Name, "type=internal")
			}
			_, wasPort := ovsBridge(d.have, was)
			if peer, ok := peers[i.ID]; ok && !(wasPort && d.keepsInterface(i.ID)) {
				offload = append(offload, SetOffload{At: SpotOf(d.want, peer.Node), Interface: peer.ID, Name: peer.Name})
			}
			was.Port = ""
		}
		if was.Port != i.Port {
			d.changePort(changes, was.Port, i)
		}
	}
	changes.do(d, d.want)
	d.plan = append(append(d.plan, offload...), impair...)
}

// becomesPort says whether an interface is to be added to an OVS bridge. Open vSwitch takes away what happens to the frames
// that a new port sends, tc(8): it can be said after that alone.
func (d *differ) becomesPort(i labengine.Interface) bool {
	if _, isPort := ovsBridge(d.want, i); !isPort {
		return false
	}
	was, had := d.have.Interfaces[i.ID]
	return !had || !d.keepsPort(was)
}

// changePort sets the columns of a port that are to differ, and clears those that are to be empty.
func (d *differ) changePort(changes ovsChanges, have string, i labengine.Interface) {
	was, _ := labengine.ParseSwitchPort(have)
	is, _ := labengine.ParseSwitchPort(i.Port)
	var set, clear []string
	for _, column := range labengine.SwitchPortWords {
		switch now := is.Column(column); {
		case now == was.Column(column):
		case now == "":
			clear = append(clear, column)
		default:
			set = append(set, column+"="+now)
		}
	}
	if len(set) > 0 {
		changes.add(i.Node, i.ID, append([]string{"set", "port", i.Name}, set...)...)
	}
	if len(clear) > 0 {
		changes.add(i.Node, i.ID, append([]string{"clear", "port", i.Name}, clear...)...)
	}
}

// setOVS gives an OVS bridge that stays another MAC or MTU, or other options: Open vSwitch, whose all are, takes no notice of
// ip-link(8).
func (d *differ) setOVS(i labengine.Interface, mac, mtu bool, options string) {
	changes := ovsChanges{}
	set := columns(options, i.Options)
	if mac {
		set = append([]string{hwaddr(i.MAC)}, set...)
	}
	if len(set) > 0 {
		changes.add(i.Node, i.ID, append([]string{"set", "bridge", i.Name}, set...)...)
	}
	if mtu {
		changes.add(i.Node, i.ID, "set", "interface", i.Name, mtuRequest(i.MTU))
	}
	changes.do(d, d.want)
}

// columns are what ovs-vsctl(8) sets for an OVS bridge to have other options.
func columns(was, is string) []string {
	var set []string
	words := strings.Fields(changedOptions(labengine.OVS, was, is))
	for at := 0; at+1 < len(words); at += 2 {
		set = append(set, words[at]+"="+words[at+1])
	}
	return set
}

func hwaddr(mac string) string { return `other_config:hwaddr="` + mac + `"` }

func mtuRequest(mtu int) string { return "mtu_request=" + strconv.Itoa(mtu) }

// peersOf are the other ends of the cables whose ends are ports of OVS bridges, by those ends.
func peersOf(lab labengine.Lab) map[labengine.ID]labengine.Interface {
	peers := map[labengine.ID]labengine.Interface{}
	for _, c := range lab.Cables {
		for e, end := range c.Ends {
			if _, isPort := ovsBridge(lab, lab.Interfaces[end]); isPort {
				peers[end] = lab.Interfaces[c.Ends[1-e]]
			}
		}
	}
	return peers
}
