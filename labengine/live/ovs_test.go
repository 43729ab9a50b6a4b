package live_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/document"
	"vethlab/labengine/live/labtest"
	"vethlab/labengine/plan"
)

const fourOnOVS = `
vethlab: 1
name: Four on OVS
nodes:
  - {name: host, kind: machine}
  - {name: red, kind: namespace, in: host}
  - {name: blue, kind: namespace, in: host}
  - {name: green, kind: namespace, in: host}
  - {name: gray, kind: namespace, in: host}
  - {name: br0, kind: ovs, in: host, addresses: [192.168.15.5/24]}
cables:
  - [red:veth-red 192.168.15.1/24, br0:veth-red-br]
  - [blue:veth-blue 192.168.15.2/24, br0:veth-blue-br]
  - [green:veth-green 192.168.15.3/24, br0:veth-green-br]
  - [gray:veth-gray 192.168.15.4/24, br0:veth-gray-br]
`

// ovsProcesses counts the programs of Open vSwitch that run in host.
func ovsProcesses(lab *labtest.Lab) int {
	return len(strings.Fields(lab.Shell("host", "cat /proc/[0-9]*/comm 2>/dev/null | grep -xE 'ovsdb-server|ovs-vswitchd' || true")))
}

func TestFourNamespacesOnOVS(t *testing.T) {
	lab := labtest.Start(t, fourOnOVS)
	lab.CheckKernel()
	for _, address := range []string{"192.168.15.2", "192.168.15.3", "192.168.15.4", "192.168.15.5"} {
		lab.MustRun("red", "ping", "-c1", "-W3", address)
	}
	for from, to := range map[string]string{"red": "192.168.15.2", "blue": "192.168.15.5", "host": "192.168.15.2"} { // TCP, whose checksums nobody computes on a veth
		server := map[string]string{"192.168.15.2": "blue", "192.168.15.5": "host"}[to]
		lab.Shell(server, "busybox nc -ll -p 8000 -e cat >/dev/null 2>&1 &")
		out := lab.Shell(from, "until echo hello | nc -N -w3 "+to+" 8000; do sleep 0.05; done")
		if out != "hello\n" {
			t.Errorf("TCP from %s to %s says %q", from, to, out)
		}
		lab.Shell(server, "pkill -x busybox")
	}
	if out := lab.Shell("host", "ovs-appctl fdb/show br0; ovs-ofctl dump-flows br0"); !strings.Contains(out, "LOCAL") || !strings.Contains(out, "actions=NORMAL") {
		t.Error(out)
	}
	lab.CheckScript()
	if ps := ovsProcesses(lab); ps != 2 {
		t.Errorf("%d processes of Open vSwitch run", ps)
	}
}

func TestTagsOfAnOVSPortIsolateAndTrunksShowThem(t *testing.T) {
	lab := labtest.Start(t, strings.NewReplacer("veth-red-br]", "veth-red-br tag 10]", "veth-blue-br]", "veth-blue-br tag 10]",
		"veth-green-br]", "veth-green-br tag 20]", "veth-gray-br]", "veth-gray-br trunks 10]").Replace(fourOnOVS))
	lab.CheckKernel()
	lab.MustRun("red", "ping", "-c1", "-W3", "192.168.15.2")
	for _, other := range []string{"192.168.15.3", "192.168.15.4", "192.168.15.5"} {
		if out, status := lab.Run("red", "ping", "-c1", "-W1", other); status == 0 {
			t.Errorf("red in VLAN 10 reaches %s: %s", other, out)
		}
	}
	seen := lab.Shell("gray", `
		tcpdump -i veth-gray -nn -e -l -c1 'vlan 10 and arp' > /tmp/seen 2> /tmp/says & 
		until grep -q listening /tmp/says; do sleep 0.05; done
		ip netns exec red ping -c1 -W1 192.168.15.99 > /dev/null || true
		wait; cat /tmp/seen`)
	if !strings.Contains(seen, "802.1Q (0x8100)") || !strings.Contains(seen, "vlan 10") {
		t.Errorf("the trunk shows %q", seen)
	}
	lab.MustEdit(
		labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: "host:veth-green-br", Port: new("tag 10")}},
		labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: "host:veth-gray-br", Port: new("")}},
	)
	lab.CheckKernel()
	lab.MustRun("red", "ping", "-c1", "-W3", "192.168.15.3")
	if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil {
		t.Fatal(r.Problem)
	}
	lab.CheckKernel()
	if port := lab.State().Lab.Interfaces["host:veth-green-br"].Port; port != "tag 20" {
		t.Errorf("after undo: %q", port)
	}
}

func TestTypedOVSReachesTheDocument(t *testing.T) {
	lab := labtest.Start(t, `
vethlab: 1
nodes:
  - {name: host, kind: machine}
  - {name: red, kind: namespace, in: host}
cables:
  - [red:veth-red 192.168.15.1/24, host:veth-red-br]
`)
	if ps := ovsProcesses(lab); ps != 0 {
		t.Fatalf("%d processes of Open vSwitch run without a bridge", ps)
	}
	port := func(s labtest.State) labengine.Interface { return s.Lab.Interfaces["host:veth-red-br"] }
	bridge := func(s labtest.State) labengine.Interface {
		i, _ := s.Lab.InterfaceNamed("host", "br0")
		return i
	}
	out := lab.Shell("host", "ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 veth-red-br tag=10 2>&1")
	if out != "" {
		t.Error(out)
	}
	lab.Until("br0 with a port", func(s labtest.State) bool {
		return bridge(s).Kind == labengine.OVS && port(s).Master == bridge(s).ID && port(s).Port == "tag 10"
	})
	lab.CheckKernel()
	lab.Shell("host", "ovs-vsctl add-br br1") // with the datapath that no lab has
	lab.Until("br1", func(s labtest.State) bool {
		i, _ := s.Lab.InterfaceNamed("host", "br1")
		return i.Kind == labengine.OVS
	})
	lab.Shell("host", `
		ovs-vsctl del-br br1 -- clear port veth-red-br tag -- set port veth-red-br trunks=20,10
		ip addr add 192.168.15.5/24 dev br0
		ip link set br0 up`)
	lab.Until("trunks, an address, and br1 gone", func(s labtest.State) bool {
		_, still := s.Lab.InterfaceNamed("host", "br1")
		return !still && port(s).Port == "trunks 10,20" && bridge(s).Up && len(bridge(s).Addresses) == 1
	})
	lab.CheckKernel()
	lab.Shell("host", "ovs-vsctl set bridge br0 stp_enable=true fail_mode=secure")
	lab.Until("options", func(s labtest.State) bool { return bridge(s).Options == "stp_enable true fail_mode secure" })
	lab.CheckKernel()
	lab.Shell("host", "ovs-vsctl set bridge br0 stp_enable=false -- clear bridge br0 fail_mode")
	lab.Until("no options", func(s labtest.State) bool { return bridge(s).Options == "" })
	lab.CheckKernel()
	lab.Shell("host", "ovs-vsctl clear port veth-red-br trunks")
	lab.MustRun("red", "ping", "-c1", "-W3", "192.168.15.5")
	lab.Shell("host", "ovs-vsctl del-port veth-red-br")
	lab.Until("no port", func(s labtest.State) bool { return port(s).Master == "" && port(s).Port == "" })
	lab.CheckKernel()
	lab.Shell("host", "ovs-vsctl add-port br0 veth-red-br vlan_mode=native-untagged tag=5; ovs-vsctl del-br br0")
	lab.Until("no bridge", func(s labtest.State) bool { return bridge(s).ID == "" })
	for ovsProcesses(lab) > 0 { // a while later
	}
	if out := lab.Shell("host", "ovs-vsctl list-br"); out != "" {
		t.Errorf("started anew, Open vSwitch has %q", out)
	}
}

func TestOVSEditsAndTheirUndo(t *testing.T) {
	lab := labtest.Start(t, fourOnOVS)
	before := lab.State().Lab
	undo := func(what string) {
		t.Helper()
		lab.CheckKernel()
		if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil {
			t.Fatalf("undo of %s: %v", what, r.Problem)
		}
		lab.CheckKernel()
		if p := labengine.Compare(before, lab.State().Lab); !p.Empty() {
			t.Errorf("undo of %s leaves %+v", what, p)
		}
		lab.MustRun("red", "ping", "-c1", "-W3", "192.168.15.2")
	}
	const bridge, port = "host:br0", "host:veth-red-br"
	for _, edits := range [][]labengine.Edit{
		{{Delete: &labengine.Delete{ID: bridge}}},
		{{Delete: &labengine.Delete{ID: port}}}, // with its cable
		{{Delete: &labengine.Delete{ID: "host/red"}}},
		{{UpdateInterface: &labengine.UpdateInterface{ID: bridge, Name: new("br1")}}},
		{{UpdateInterface: &labengine.UpdateInterface{ID: bridge, MTU: new(1400)}}},
		{{UpdateInterface: &labengine.UpdateInterface{ID: bridge, MAC: new("02:00:00:00:00:07")}}},
		{{UpdateInterface: &labengine.UpdateInterface{ID: bridge, Options: new("mcast_snooping_enable true")}}},
		{{UpdateInterface: &labengine.UpdateInterface{ID: bridge, Options: new("rstp_enable true"), Name: new("br1")}}},
		{{UpdateInterface: &labengine.UpdateInterface{ID: port, Name: new("veth-red-x")}}},
		{{UpdateInterface: &labengine.UpdateInterface{ID: port, Master: new(labengine.ID(""))}}},
		{{UpdateInterface: &labengine.UpdateInterface{ID: port, Node: new(labengine.ID("host/gray"))}}},
		{{UpdateInterface: &labengine.UpdateInterface{ID: port, Port: new("tag 10")}}},
		{
			{AddInterface: &labengine.AddInterface{ID: "lb", Node: "host", Name: "v-net-0", Kind: labengine.Bridge}},
			{UpdateInterface: &labengine.UpdateInterface{ID: port, Master: new(labengine.ID("lb"))}},
		},
		{{AddInterface: &labengine.AddInterface{ID: "o2", Node: "host", Name: "br2", Kind: labengine.OVS, MTU: 1300}}},
	} {
		lab.MustEdit(edits...)
		undo(labengine.Describe(before, lab.State().Lab))
	}
	for _, typed := range []string{"ovs-vsctl del-br br0", "ip link del veth-red-br", "ip netns del red", "ovs-vsctl del-port veth-red-br"} {
		lab.Shell("host", typed)
		lab.Until("a change by "+typed, func(s labtest.State) bool { return !labengine.Compare(before, s.Lab).Empty() })
		undo(typed)
	}
	lab.MustEdit(labengine.Edit{Delete: &labengine.Delete{ID: bridge}})
	if ps := ovsProcesses(lab); ps != 0 {
		t.Errorf("%d processes of Open vSwitch run without a bridge", ps)
	}
	lab.CheckKernel()
	if p := lab.Edit(labengine.Edit{AddInterface: &labengine.AddInterface{ID: "o3", Node: "host/red", Name: "br3", Kind: labengine.OVS}}); p == nil || p.Hint == "" {
		t.Errorf("an OVS bridge in a namespace: %v", p)
	}
}

func TestOVSEndsWithItsMachine(t *testing.T) {
	lab := labtest.Start(t, strings.Replace(fourOnOVS, "nodes:", "nodes:\n  - {name: neighbour, kind: machine}", 1))
	lab.Shell("host", "ovs-vsctl list-br")
	before := lab.State().Lab
	lab.MustEdit(labengine.Edit{Delete: &labengine.Delete{ID: "host"}})
	lab.CheckKernel()
	if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil {
		t.Fatal(r.Problem)
	}
	lab.CheckKernel()
	if p := labengine.Compare(before, lab.State().Lab); !p.Empty() {
		t.Errorf("undo leaves %+v", p)
	}
	lab.MustRun("red", "ping", "-c1", "-W3", "192.168.15.2")
}

// TestOVSScript: Open vSwitch in a machine that the script has as a namespace switches too, beside another one.
func TestOVSScript(t *testing.T) {
	lab, err := document.Parse("test.yaml", []byte(strings.Replace(fourOnOVS, "cables:", `  - {name: far, kind: machine}
  - {name: pink, kind: namespace, in: far}
  - {name: br1, kind: ovs, in: far, addresses: [10.0.0.5/24]}
cables:
  - [pink:eth0 10.0.0.1/24, br1:pink-br tag 0]`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-ec", `
		mount -t tmpfs none /run; mkdir -p /run/netns; cat > /run/script; sh /run/script
		ip netns exec red ping -nc1 -W3 192.168.15.4
		ip netns exec far-pink ping -nc1 -W3 10.0.0.5
		ovs-vsctl list-br; ip netns exec far env OVS_RUNDIR=/run/openvswitch-far ovs-vsctl list-br`)
	cmd.Stdin = strings.NewReader(plan.Script(lab))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "br0\nbr1\n") {
		t.Errorf("%v\n%s\n%s", err, out, plan.Script(lab))
	}
}

func TestFlowsAndFDBOfOVSAreShown(t *testing.T) {
	lab := labtest.Start(t, fourOnOVS)
	lab.Ask(labengine.Request{Watch: &labengine.Watch{Frames: true}})
	lab.MustRun("red", "ping", "-c1", "-W3", "192.168.15.2")
	lab.Shell("host", "ovs-ofctl add-flow br0 priority=10,ip,nw_dst=192.168.15.4,actions=drop")
	mac := lab.State().Lab.Interfaces["host/red:veth-red"].MAC
	lab.Until("a flow, and red behind its port", func(s labtest.State) bool {
		host := s.Nodes["host"]
		if host == nil || len(host.Switches) != 1 {
			return false
		}
		t := host.Switches[0]
		return t.Bridge == "br0" &&
			slices.ContainsFunc(t.FDB, func(e labengine.SwitchEntry) bool { return e.Port == "veth-red-br" && e.MAC == mac }) &&
			slices.ContainsFunc(t.Flows, func(f labengine.SwitchFlow) bool { return f.Text == "priority=10,ip,nw_dst=192.168.15.4 actions=drop" })
	})
	lab.MustEdit(labengine.Edit{Delete: &labengine.Delete{ID: "host:br0"}})
	lab.Until("no bridge", func(s labtest.State) bool { return len(s.Nodes["host"].Switches) == 0 })
}

// TestPortsOfOVSThatAreNoCables types ports of the other types: what is a device is drawn, and what is none is told of.
func TestPortsOfOVSThatAreNoCables(t *testing.T) {
	lab := labtest.Start(t, fourOnOVS)
	lab.Ask(labengine.Request{Watch: &labengine.Watch{Frames: true}})
	before := lab.State().Changes
	lab.Shell("host", `
		ovs-vsctl add-port br0 own tag=10 -- set interface own type=internal
		ip addr add 192.168.15.77/24 dev own`)
	own := func(s labtest.State) labengine.Interface {
		i, _ := s.Lab.InterfaceNamed("host", "own")
		return i
	}
	s := lab.Until("an internal port", func(s labtest.State) bool {
		return own(s).Kind == labengine.Internal && own(s).Port == "tag 10" && s.Lab.Interfaces[own(s).Master].Name == "br0" && len(own(s).Addresses) == 1
	})
	if own(s).Saved() {
		t.Error("the document has no word for it")
	}
	lab.Shell("host", `
		ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev
		ovs-vsctl add-port br0 p0 -- set interface p0 type=patch options:peer=p1 -- add-port br1 p1 -- set interface p1 type=patch options:peer=p0
		ovs-vsctl add-port br1 far -- set interface far type=vxlan options:remote_ip=192.168.15.200 options:key=42`)
	lab.Until("patch and tunnel", func(s labtest.State) bool {
		host := s.Nodes["host"]
		if host == nil || len(host.Switches) != 2 {
			return false
		}
		return slices.Equal(host.Switches[0].Others, []labengine.OtherPort{{Name: "p0", Kind: "patch", Options: "peer=p1"}}) &&
			slices.Equal(host.Switches[1].Others, []labengine.OtherPort{
				{Name: "far", Kind: "vxlan", Options: "key=42 remote_ip=192.168.15.200"}, {Name: "p1", Kind: "patch", Options: "peer=p0"},
			})
	})
	lab.Shell("host", "ovs-vsctl del-port br0 own")
	lab.Until("no internal port", func(s labtest.State) bool { return own(s).ID == "" })
	if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil {
		t.Fatal(r.Problem)
	}
	lab.Until("the internal port back", func(s labtest.State) bool {
		return own(s).Kind == labengine.Internal && own(s).Port == "tag 10" && len(own(s).Addresses) == 1
	})
	lab.Shell("host", "ovs-vsctl del-br br1 -- del-port br0 p0 -- del-port br0 own")
	s = lab.Until("all of them gone", func(s labtest.State) bool {
		host := s.Nodes["host"]
		return own(s).ID == "" && host != nil && len(host.Switches) == 1 && len(host.Switches[0].Others) == 0
	})
	for _, c := range s.Changes[len(before):] {
		for id, i := range c.Patch.Interfaces {
			if i != nil && i.Kind == labengine.Tun {
				t.Errorf("%q took %s for a tap device of its own", c.Sentence, id)
			}
		}
	}
	lab.CheckKernel()
}

// TestBridgeOfNoType types what a lecture says: without a datapath type, the bridge gets the one that there is, and nothing is amiss.
func TestBridgeOfNoType(t *testing.T) {
	lab := labtest.Start(t, hostAlone)
	for _, command := range []string{
		"add-br br0", "--may-exist add-br br0 -- add-br br1", "add-br br2 -- set bridge br2 datapath_type=netdev", "add-br inner br0 10",
	} {
		if out, status := lab.Run("host", "sh", "-c", "ovs-vsctl "+command+" 2>&1"); status != 0 || out != "" {
			t.Errorf("ovs-vsctl %s: %d, %s", command, status, out)
		}
	}
	if out, status := lab.Run("host", "sh", "-c", "ovs-vsctl list-br; ovs-vsctl get bridge br1 datapath_type; ovs-vsctl frob 2>&1"); status == 0 ||
		out != "br0\nbr1\nbr2\ninner\nnetdev\novs-vsctl: unknown command 'frob'; use --help for help\n" {
		t.Errorf("%d: %q", status, out)
	}
	lab.Until("three bridges, and a port", func(s labtest.State) bool { return len(s.Lab.Interfaces) == 5 })
	lab.Shell("host", "ovs-vsctl del-br br2 -- del-br br1 -- del-br br0")
	lab.Until("none", func(s labtest.State) bool { return len(s.Lab.Interfaces) == 1 })
}
