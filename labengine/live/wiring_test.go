package live_test

import (
	"fmt"
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/live/labtest"
)

// bridged is the picture that container networking is taught with, as far as no firewall is in it: red and blue on a
// bridge in host, host and neighbour on the office LAN.
func bridged(t *testing.T) labengine.Lab {
	t.Helper()
	const m = labengine.Machine
	port := func(node, name string, master labengine.ID, addresses ...string) labengine.End {
		return labengine.End{ID: labengine.ID(node + ":" + name), Node: labengine.ID(node), Name: name, Master: master, Addresses: addresses}
	}
	lab, err := labengine.NewLab("bridged").Edit([]labengine.Edit{
		{AddNode: &labengine.AddNode{ID: "host", Name: "host", Kind: m}},
		{AddNode: &labengine.AddNode{ID: "neighbour", Name: "neighbour", Kind: m}},
		{AddNode: &labengine.AddNode{ID: "office", Name: "office", Kind: labengine.LAN}},
		{AddNode: &labengine.AddNode{ID: "red", Name: "red", Kind: labengine.Namespace, In: "host"}},
		{AddNode: &labengine.AddNode{ID: "blue", Name: "blue", Kind: labengine.Namespace, In: "host"}},
		{AddInterface: &labengine.AddInterface{
			ID: "v-net-0", Node: "host", Name: "v-net-0", Kind: labengine.Bridge, Addresses: []string{"192.168.15.5/24"},
		}},
		{AddCable: &labengine.AddCable{
			ID: "cred", A: port("red", "veth-red", "", "192.168.15.1/24"), B: port("host", "veth-red-br", "v-net-0"),
		}},
		{AddCable: &labengine.AddCable{
			ID: "cblue", A: port("blue", "veth-blue", "", "192.168.15.2/24"), B: port("host", "veth-blue-br", "v-net-0"),
		}},
		{AddCable: &labengine.AddCable{
			ID: "chost", A: port("host", "eth0", "", "192.168.1.2/24"), B: port("office", "p1", ""),
		}},
		{AddCable: &labengine.AddCable{
			ID: "cneighbour", A: port("neighbour", "eth0", "", "192.168.1.3/24"), B: port("office", "p2", ""),
		}},
		{AddRoute: &labengine.AddRoute{Node: "red", Route: "default via 192.168.15.5"}},
		{AddRoute: &labengine.AddRoute{Node: "blue", Route: "default via 192.168.15.5"}},
		{AddRoute: &labengine.AddRoute{Node: "neighbour", Route: "192.168.15.0/24 via 192.168.1.2"}},
		{SetSysctl: &labengine.SetSysctl{Node: "host", Name: "net.ipv4.ip_forward", Value: "1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

func TestBridgeLANRoutesAndForwarding(t *testing.T) {
	lab := labtest.StartLab(t, bridged(t))
	lab.CheckKernel()
	lab.MustRun("red", "ping", "-c1", "-W3", "192.168.15.2")
	lab.MustRun("host", "ping", "-c1", "-W3", "192.168.15.1")
	lab.MustRun("blue", "ping", "-c1", "-W3", "192.168.1.3")
	if out, status := lab.Run("office", "true"); status == 0 || !strings.Contains(out, "nothing runs in it") {
		t.Errorf("a command in a LAN: %d %s", status, out)
	}
	lab.MustEdit(labengine.Edit{SetSysctl: &labengine.SetSysctl{Node: "host", Name: "net.ipv4.ip_forward"}})
	lab.CheckKernel()
	if _, status := lab.Run("blue", "ping", "-c1", "-W1", "192.168.1.3"); status == 0 {
		t.Error("host forwards without ip_forward")
	}
}

func TestUndoBringsBackWhatTheKernelLost(t *testing.T) {
	lab := labtest.StartLab(t, bridged(t))
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
	}
	down, mtu := false, 1400
	for _, e := range []labengine.Edit{
		{Delete: &labengine.Delete{ID: "v-net-0"}}, // port membership, and host's address with it
		{Delete: &labengine.Delete{ID: "cred"}},    // red's default route
		{Delete: &labengine.Delete{ID: "red"}},     // the same, with the namespace
		{Delete: &labengine.Delete{ID: "office"}},  // the links of two machines, and neighbour's route
		{UpdateInterface: &labengine.UpdateInterface{ID: "red:veth-red", Up: &down}},
		{UpdateInterface: &labengine.UpdateInterface{ID: "red:veth-red", MTU: &mtu}},
		{DeleteAddress: &labengine.DeleteAddress{Interface: "blue:veth-blue", Address: "192.168.15.2/24"}},
		{DeleteRoute: &labengine.DeleteRoute{Node: "blue", Route: "default via 192.168.15.5"}},
	} {
		lab.MustEdit(e)
		undo(labengine.Describe(before, lab.State().Lab))
	}
	lab.MustRun("blue", "ping", "-c1", "-W3", "192.168.1.3")
	for _, typed := range []string{
		"ip link del v-net-0", "ip -n red link del veth-red", "ip netns del blue", "ip -n red link set veth-red down",
		"sysctl -qw net.ipv4.ip_forward=0", "ip -n red route del default", "ip link set veth-red-br nomaster",
		"ip link set v-net-0 type bridge stp_state 1 forward_delay 200",
	} {
		lab.Shell("host", typed)
		lab.Until("a change by "+typed, func(s labtest.State) bool { return !labengine.Compare(before, s.Lab).Empty() })
		undo(typed)
	}
	lab.MustRun("blue", "ping", "-c1", "-W3", "192.168.1.3")
}

func TestTypedWiringReachesTheDocument(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	lab.Shell("host", `
		ip link add br0 type bridge stp_state 1
		ip link add d0 type veth peer name d1
		ip link set d0 master br0
		ip link set br0 up
		ip addr add 10.5.0.1/24 dev br0
		ip route add 10.6.0.0/16 via 10.5.0.2 metric 50
		ip route add blackhole 10.7.0.0/16
		ip link add mv0 link d1 type macvlan mode bridge
		ip -n red route add default via 192.168.15.2
		sysctl -qw net.ipv4.ip_forward=1
		ip -n red -6 route add 2001:db8:9::/64 dev veth-red`)
	lab.Until("all of it", func(s labtest.State) bool {
		host, _ := s.Lab.FindNode("host")
		red, _ := s.Lab.FindNode("red")
		return len(host.Routes) == 2 && len(host.Sysctls) == 1 && len(red.Routes) == 2
	})
	lab.CheckKernel()
	lab.CheckScript()
	state := lab.State()
	br, _ := state.Lab.InterfaceNamed("host", "br0")
	d0, _ := state.Lab.InterfaceNamed("host", "d0")
	if d0.Master != br.ID || br.Options != "stp_state 1" {
		t.Errorf("br0 is %+v, d0 is %+v", br, d0)
	}
}

func TestEveryKindOfInterface(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	for at, c := range []struct {
		kind    string
		parent  labengine.ID
		options string
	}{
		{labengine.Bridge, "", "vlan_filtering 1"}, {labengine.Dummy, "", ""},
		{labengine.Tun, "", "mode tap multi_queue 1"},
		{labengine.VXLAN, "host/red:veth-red", "id 42 remote 192.168.15.2 dstport 4789"},
		{labengine.VXLAN, "host/red:veth-red", "id 43 remote 239.1.1.1 dstport 4789"},
		{labengine.VXLAN, "", "id 44 local 192.168.15.1 dstport 4789"},
		{labengine.MACVLAN, "host/red:veth-red", "mode bridge"}, {labengine.VLAN, "host/red:veth-red", "id 10"},
	} {
		name := fmt.Sprint("x", at)
		if p := lab.Edit(labengine.Edit{AddInterface: &labengine.AddInterface{
			ID: labengine.ID(name), Node: "host/red", Name: name, Kind: c.kind, Parent: c.parent, Options: c.options,
		}}); p != nil {
			if p.Code != labengine.CodeRefused || p.Errno != "ENOTSUP" && !strings.Contains(p.Hint, "/dev/net/tun") {
				t.Errorf("%s: %v", c.kind, p)
			}
			t.Logf("not in this kernel: %s (%v)", c.kind, p)
		}
		lab.CheckKernel()
	}
	lab.CheckScript()
	for range len(lab.State().Changes) {
		if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil {
			t.Fatal(r.Problem)
		}
		lab.CheckKernel()
	}
}

func TestImpairments(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	impair := func(text string) *labengine.Problem {
		t.Helper()
		p := lab.Edit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: "host/red:veth-red", Impair: &text}})
		lab.CheckKernel()
		return p
	}
	of := func(s labtest.State) string { return s.Lab.Interfaces["host/red:veth-red"].Impair }
	is := func() string { return of(lab.State()) }
	for _, text := range []string{"rate 1mbit", "rate 10gbit", "cut", "rate 64kbit"} {
		if p := impair(text); p != nil || is() != text {
			t.Errorf("%s: %v, and is %s", text, p, is())
		}
		lab.CheckScript()
	}
	if p := impair("delay 20ms loss 1%"); p != nil {
		if p.Code != labengine.CodeNotSupported || !strings.Contains(p.Message, "CONFIG_NET_SCH_NETEM") || is() != "rate 64kbit" {
			t.Errorf("without netem: %v, and is %s", p, is())
		}
	} else if is() != "delay 20ms loss 1%" {
		t.Errorf("is %s", is())
	}
	impair("cut")
	if _, status := lab.Run("red", "ping", "-c1", "-W1", "192.168.15.2"); status == 0 {
		t.Error("a ping through a cable that is cut")
	}
	if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil {
		t.Fatal(r.Problem)
	}
	impair("")
	lab.MustRun("red", "ping", "-c1", "-W3", "192.168.15.2")
	lab.Shell("red", "tc qdisc add dev veth-red root tbf rate 2mbit burst 8kb latency 50ms")
	lab.Until("the typed rate", func(s labtest.State) bool { return of(s) == "rate 2mbit" })
	if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil {
		t.Fatal(r.Problem)
	}
	lab.CheckKernel()
	lab.Shell("red", "tc qdisc add dev veth-red root blackhole; tc qdisc del dev veth-red root")
	lab.CheckKernel()
	if is() != "" {
		t.Errorf("is %s", is())
	}
}

func TestRestoreAnyRevision(t *testing.T) {
	lab := labtest.StartLab(t, bridged(t))
	revisions := []labengine.Lab{lab.State().Lab}
	for _, typed := range []string{"ip netns add green", "ip link del v-net-0", "ip -n red link del veth-red", "sysctl -qw net.ipv4.ip_forward=0"} {
		changes := len(lab.State().Changes)
		lab.Shell("host", typed)
		lab.Until(typed, func(s labtest.State) bool { return len(s.Changes) > changes })
		lab.CheckKernel()
		for len(revisions) <= len(lab.State().Changes) {
			revisions = append(revisions, lab.State().Lab)
		}
	}
	newest := len(revisions) - 1
	for _, seq := range []int{0, newest, 1, newest - 1, 0} {
		if r := lab.Ask(labengine.Request{Restore: &labengine.Restore{Seq: int64(seq)}}); r.Problem != nil {
			t.Fatalf("revision %d: %v", seq, r.Problem)
		}
		lab.CheckKernel()
		if p := labengine.Compare(revisions[seq], lab.State().Lab); !p.Empty() {
			t.Errorf("revision %d differs by %+v", seq, p)
		}
	}
	lab.MustRun("blue", "ping", "-c1", "-W3", "192.168.1.3")
	if r := lab.Ask(labengine.Request{Restore: &labengine.Restore{Seq: 1000}}); r.Problem == nil || r.Problem.Code != labengine.CodeBadRequest {
		t.Errorf("a revision that is not there: %v", r.Problem)
	}
}

// featuresOf are what the kernel has, which is tried after the lab has been made.
func featuresOf(lab *labtest.Lab) map[string]labengine.Feature {
	return lab.Until("features", func(s labtest.State) bool { return len(s.Features) > 0 }).Features
}

func TestFeaturesAreTried(t *testing.T) {
	lab := labtest.Start(t, hostAlone)
	features := featuresOf(lab)
	for _, name := range []string{"bridge", "tbf", "netem", "vlan", "vlan_filtering", "vxlan", "macvlan", "dummy"} {
		f, ok := features[name]
		if !ok || f.Answer == labengine.NotKnown || f.Answer == labengine.Lacking && !strings.Contains(f.Reason, "CONFIG_") {
			t.Errorf("%s: %+v", name, f)
		}
	}
	_, status := lab.Run("host", "sh", "-c", "tc qdisc add dev lo root netem delay 1ms")
	if has := features["netem"].Answer == labengine.Present; has != (status == 0) {
		t.Errorf("netem: %+v, and tc ends with %d", features["netem"], status)
	}
}

// TestVLANsOfPorts: where the kernel's bridges know no VLANs, each gesture is refused in its words, and nothing is left of it.
func TestVLANsOfPorts(t *testing.T) {
	lab := labtest.StartLab(t, bridged(t))
	filters := featuresOf(lab)["vlan_filtering"].Answer
	before := lab.State().Lab
	for _, e := range [][]labengine.Edit{
		{{UpdateInterface: &labengine.UpdateInterface{ID: "host:veth-red-br", VLANs: new("10 pvid untagged, 20, 30-40")}}},
		{{UpdateInterface: &labengine.UpdateInterface{ID: "host:veth-red-br", VLANs: new("none")}}},
		{{UpdateInterface: &labengine.UpdateInterface{ID: "v-net-0", VLANs: new("1 pvid untagged, 10")}}},
		{ // a port that is made, and a value that is set before the refusal
			{UpdateInterface: &labengine.UpdateInterface{ID: "red:veth-red", MTU: new(1400)}},
			{AddCable: &labengine.AddCable{
				ID: "cnew", A: labengine.End{ID: "new-a", Node: "red", Name: "new-a"},
				B: labengine.End{ID: "new-b", Node: "host", Name: "new-b", Master: "v-net-0", VLANs: "10 pvid untagged"},
			}},
		},
	} {
		p := lab.Edit(e...)
		lab.CheckKernel()
		if filters == labengine.Present {
			if p != nil {
				t.Errorf("%+v: %v", e, p)
			}
			lab.CheckScript()
			continue
		}
		if p == nil || p.Code != labengine.CodeRefused || p.Errno != "ENOTSUP" || !strings.Contains(p.Hint, "CONFIG_BRIDGE_VLAN_FILTERING") ||
			!strings.HasPrefix(p.Command, "bridge vlan ") || p.Message != "RTNETLINK answers: Operation not supported" {
			t.Errorf("%+v: %v", e, p)
		}
		if left := labengine.Compare(before, lab.State().Lab); !left.Empty() {
			t.Errorf("%+v leaves %+v", e, left)
		}
	}
	p := lab.Edit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: "red:veth-red", VLANs: new("10")}})
	if p == nil || p.Code != labengine.CodeBadRequest {
		t.Errorf("VLANs of what is no port: %v", p)
	}
}

// TestIPv6Off: who gives an address where IPv6 is off learns which setting it is, and what switches it on.
func TestIPv6Off(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	lab.MustEdit(labengine.Edit{SetSysctl: &labengine.SetSysctl{Node: "host/red", Name: "net.ipv6.conf.all.disable_ipv6", Value: "1"}})
	address := labengine.Edit{AddAddress: &labengine.AddAddress{Interface: "host/red:veth-red", Address: "fd00::1/64"}}
	const on = "`ip netns exec red sysctl -w net.ipv6.conf.all.disable_ipv6=0` switches it on"
	for _, e := range []labengine.Edit{
		address,
		{AddRoute: &labengine.AddRoute{Node: "host/red", Route: "fd01::/16 dev veth-red"}},
		{AddRoute: &labengine.AddRoute{Node: "host/red", Route: "fd01::/16 via fd00::2"}},
		{AddRoute: &labengine.AddRoute{Node: "host/red", Route: "fd01::/16 nexthop via fe80::2 dev veth-red nexthop via fe80::3 dev veth-red"}},
	} {
		p := lab.Edit(e)
		if p == nil || p.Code != labengine.CodeRefused || !strings.HasSuffix(p.Hint, on) || p.On == "" {
			t.Errorf("%+v: %v", e, p)
		}
		lab.CheckKernel()
	}
	_, line, _ := strings.Cut(on, "`")
	line, _, _ = strings.Cut(line, "`")
	lab.Shell("host", line)
	lab.MustEdit(address)
	lab.Shell("host", "ip netns exec red sysctl -w net.ipv6.conf.veth-red.disable_ipv6=1")
	lab.Until("no address", func(s labtest.State) bool {
		return len(s.Lab.Interfaces["host/red:veth-red"].Addresses) == 1
	})
	if p := lab.Edit(address); p == nil || !strings.Contains(p.Hint, "net.ipv6.conf.veth-red.disable_ipv6 is 1") {
		t.Errorf("off on one link: %v", p)
	}
}

func TestAlias(t *testing.T) {
	lab := labtest.StartLab(t, bridged(t))
	const text = "blue's way out: étage 2"
	set := func(id labengine.ID, alias string) *labengine.Problem {
		return lab.Edit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: id, Alias: &alias}})
	}
	for _, id := range []labengine.ID{"red:veth-red", "v-net-0", labengine.LoopbackID("red")} {
		if p := set(id, text); p != nil {
			t.Errorf("%s: %v", id, p)
		}
	}
	lab.CheckKernel()
	if p := set("v-net-0", strings.Repeat("x", 256)); p == nil || p.Code != labengine.CodeBadValue {
		t.Errorf("256 bytes: %v", p)
	}
	if p := set("v-net-0", strings.Repeat("x", 255)); p != nil {
		t.Errorf("255 bytes: %v", p)
	}
	lab.CheckKernel()
	lab.Shell("host", "ip -n blue link set dev veth-blue alias ' typed  here '; ip link set dev v-net-0 alias ''")
	lab.Until("what was typed", func(s labtest.State) bool {
		return s.Lab.Interfaces["blue:veth-blue"].Alias == "typed  here" && s.Lab.Interfaces["v-net-0"].Alias == ""
	})
	mustUndo(t, lab, "what was typed")
	lab.MustEdit(labengine.Edit{Delete: &labengine.Delete{ID: "red"}}) // and undone, the alias is there again
	mustUndo(t, lab, "the deletion")
	lab.CheckKernel()
	if got := lab.State().Lab.Interfaces["red:veth-red"].Alias; got != text {
		t.Errorf("red:veth-red is called %q", got)
	}
}

func TestPolicyRouting(t *testing.T) {
	lab := labtest.StartLab(t, bridged(t))
	rule := func(text string) *labengine.Problem {
		return lab.Edit(labengine.Edit{AddIPRule: &labengine.AddIPRule{Node: "host", Rule: text}})
	}
	for _, text := range []string{
		"from 192.168.15.1 table 100 priority 1000", "fwmark 0x1 table 100", "not to 10.0.0.0/8 iif v-net-0 table 200",
		"from 2001:db8::/32 prohibit", "to 10.99.0.0/16 blackhole priority 5",
	} {
		if p := rule(text); p != nil {
			t.Errorf("%s: %v", text, p)
		}
	}
	lab.MustEdit(labengine.Edit{AddRoute: &labengine.AddRoute{Node: "host", Route: "default via 192.168.1.3 table 100"}})
	out := lab.Shell("host", "ip rule; ip -6 rule; ip route show table 100")
	for _, words := range []string{
		"1000:\tfrom 192.168.15.1 lookup 100", "from all fwmark 0x1 lookup 100", "not from all to 10.0.0.0/8 iif v-net-0 lookup 200",
		"from 2001:db8::/32 prohibit", "5:\tfrom all to 10.99.0.0/16 blackhole", "default via 192.168.1.3 dev eth0",
	} {
		if !strings.Contains(out, words) {
			t.Errorf("no %q in\n%s", words, out)
		}
	}
	before := len(lab.State().Lab.Nodes["host"].IPRules)
	lab.Shell("host", "ip rule add to 10.9.0.0/16 lookup 300 pref 77; ip rule del pref 5")
	state := lab.Until("the typed rules", func(s labtest.State) bool {
		rules := strings.Join(s.Lab.Nodes["host"].IPRules, ";")
		return strings.Contains(rules, "to 10.9.0.0/16 table 300 priority 77") && !strings.Contains(rules, "blackhole")
	})
	if got := len(state.Lab.Nodes["host"].IPRules); got != before {
		t.Errorf("%d rules, not %d: %v", got, before, state.Lab.Nodes["host"].IPRules)
	}
	for range len(state.Changes) {
		if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil && r.Problem.Code != labengine.CodeNothingToUndo {
			t.Fatal(r.Problem)
		}
	}
	if out := lab.Shell("host", "ip rule; ip -6 rule"); strings.Count(out, "\n") != 5 {
		t.Errorf("rules after all is undone:\n%s", out)
	}
}

// While STP sees the topology change, a bridge forgets what it has learnt sooner: that is nobody's setting.
func TestSTPKeepsTheAgeingTime(t *testing.T) {
	lab := labtest.Start(t, `
vethlab: 1
nodes:
  - {name: host, kind: machine}
  - {name: br1, kind: bridge, in: host, options: stp_state 1 forward_delay 200}
  - {name: br2, kind: bridge, in: host, options: stp_state 1 forward_delay 200 ageing_time 20000}
cables:
  - [br1:a, br2:b]
  - [br1:c, br2:d]
`)
	before := lab.State()
	sooner := lab.Shell("host", `
		timeout 20 sh -c 'until grep -q 1 /sys/class/net/br1/bridge/topology_change && grep -q 1 /sys/class/net/br2/bridge/topology_change; do sleep 0.1; done'
		ip -d link show type bridge | grep -c "ageing_time 400 "
		ip link set br1 promisc on # the kernel tells of it
		ip link set br2 promisc on
		ip link add name last type bridge`)
	if sooner != "2\n" {
		t.Fatalf("%q bridges forget sooner", sooner)
	}
	now := lab.Until("what was typed last", func(s labtest.State) bool { _, ok := s.Lab.InterfaceNamed("host", "last"); return ok })
	for _, id := range []labengine.ID{"host:br1", "host:br2"} {
		if is, was := now.Lab.Interfaces[id].Options, before.Lab.Interfaces[id].Options; is != was {
			t.Errorf("%s has %s, and was given %s", id, is, was)
		}
	}
	lab.Shell("host", "ip link set br1 type bridge ageing_time 700")
	lab.Until("an ageing time that somebody types meanwhile", func(s labtest.State) bool {
		return s.Lab.Interfaces["host:br1"].Options == "stp_state 1 forward_delay 200 ageing_time 700"
	})
}

// The kernel tells of a veth's ends one after the other. They are one change all the same.
func TestTypedVethIsOneChange(t *testing.T) {
	lab := labtest.Start(t, "vethlab: 1\nnodes:\n  - {name: host, kind: machine}\n")
	for i := range 40 {
		p, q := fmt.Sprintf("p%d", i), fmt.Sprintf("q%d", i)
		lab.Shell("host", "ip link add name "+p+" type veth peer name "+q)
		lab.Until("a cable", func(s labtest.State) bool {
			end, ok := s.Lab.InterfaceNamed("host", p)
			_, cabled := s.Lab.CableOf(end.ID)
			return ok && cabled
		})
	}
	for _, c := range lab.State().Changes {
		if len(c.Patch.Interfaces) != 2*len(c.Patch.Cables) {
			t.Errorf("%q has %d interfaces and %d cables", c.Sentence, len(c.Patch.Interfaces), len(c.Patch.Cables))
		}
	}
}

// TestQuietBridge: what a bridge has because its lab is quiet is no option of its own.
func TestQuietBridge(t *testing.T) {
	lab := labtest.Start(t, `
vethlab: 1
quiet: true
nodes:
  - {name: host, kind: machine}
  - {name: br0, kind: bridge, in: host}
  - {name: br1, kind: bridge, in: host, options: mcast_snooping 0 stp_state 1}
`)
	lab.Shell("host", "ip link set br0 down; ip link set br0 up")
	lab.Until("both as they were drawn", func(s labtest.State) bool {
		return s.Lab.Interfaces["host:br0"].Options == "" && s.Lab.Interfaces["host:br1"].Options == "stp_state 1 mcast_snooping 0"
	})
	for _, c := range lab.State().Changes {
		if strings.Contains(c.Sentence, "mcast_snooping") {
			t.Errorf("nobody asked for %q", c.Sentence)
		}
	}
	if seen := lab.Shell("host", "cat /sys/class/net/br*/bridge/multicast_snooping"); seen != "0\n0\n" {
		t.Errorf("snooping is %q", seen)
	}
}
