package live_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/live/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

const redAndBlue = `
vethlab: 1
name: test
nodes:
  - {name: host, kind: machine}
  - {name: red,  kind: namespace, in: host}
  - {name: blue, kind: namespace, in: host}
cables:
  - [red:veth-red 192.168.15.1/24, blue:veth-blue 192.168.15.2/24]
`

const hostAlone = `
vethlab: 1
name: test
nodes:
  - {name: host, kind: machine}
`

func TestCableJoinsTwoNamespaces(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	lab.MustRun("red", "ping", "-c1", "-W1", "192.168.15.2")
	if out, status := lab.Run("host", "ping", "-c1", "-W1", "192.168.15.2"); status == 0 {
		t.Errorf("the host reaches blue without a cable:\n%s", out)
	}
	lab.CheckKernel()
}

func TestGesturesReachTheKernel(t *testing.T) {
	lab := labtest.Start(t, hostAlone)
	lab.MustEdit(
		labengine.Edit{AddNode: &labengine.AddNode{ID: "r", Name: "red", Kind: labengine.Namespace, In: "host"}},
		labengine.Edit{AddNode: &labengine.AddNode{ID: "b", Name: "blue", Kind: labengine.Namespace, In: "host"}})
	lab.MustEdit(labengine.Edit{AddCable: &labengine.AddCable{
		ID: "c", A: labengine.End{ID: "c1", Node: "r", Name: "veth-red", Addresses: []string{"10.0.0.1/24", "2001:db8::1/64"}},
		B: labengine.End{ID: "c2", Node: "b", Name: "veth-blue", Addresses: []string{"10.0.0.2/24"}},
	}})
	lab.MustRun("red", "ping", "-c1", "-W1", "10.0.0.2")
	lab.CheckKernel()

	name, mtu, up, mac := "uplink", 1400, false, "02:00:00:00:00:07"
	lab.MustEdit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: "c1", Name: &name, MTU: &mtu, MAC: &mac}})
	lab.MustEdit(labengine.Edit{AddAddress: &labengine.AddAddress{Interface: "c1", Address: "10.0.1.1/24"}})
	lab.MustEdit(labengine.Edit{DeleteAddress: &labengine.DeleteAddress{Interface: "c1", Address: "10.0.0.1/24"}})
	lab.MustEdit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: "c2", Up: &up}})
	out := lab.MustRun("red", "ip", "addr", "show", "uplink")
	for _, want := range []string{"mtu 1400", mac, "10.0.1.1/24", "NO-CARRIER"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	lab.CheckKernel()

	green, host := "green", labengine.ID("host")
	lab.MustEdit(labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: "r", Name: &green}})
	lab.MustRun("green", "ip", "link", "show", "uplink")
	lab.MustEdit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: "c2", Node: &host}})
	lab.MustRun("host", "ip", "link", "show", "veth-blue")
	lab.CheckKernel()

	lab.MustEdit(labengine.Edit{Delete: &labengine.Delete{ID: "r"}})
	if out := lab.MustRun("host", "ip", "netns"); strings.Contains(out, "green") {
		t.Errorf("green is still there: %s", out)
	}
	lab.CheckKernel()
	for range 9 {
		if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil {
			t.Fatal(r.Problem)
		}
		lab.CheckKernel()
	}
	if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem == nil || r.Problem.Code != labengine.CodeNothingToUndo {
		t.Errorf("a tenth undo: %v", r.Problem)
	}
	if got := len(lab.State().Lab.Nodes); got != 1 {
		t.Errorf("%d nodes after all is undone", got)
	}
	for range 9 {
		if r := lab.Ask(labengine.Request{Redo: &labengine.Redo{}}); r.Problem != nil {
			t.Fatal(r.Problem)
		}
		lab.CheckKernel()
	}
}

func TestTerminalReachesTheDocument(t *testing.T) {
	lab := labtest.Start(t, hostAlone)
	lab.Shell("host", `
		ip netns add red
		ip netns add blue
		ip link add veth-red type veth peer name veth-blue
		ip link set veth-red netns red
		ip link set veth-blue netns blue
		ip -n red addr add 192.168.15.1/24 dev veth-red
		ip -n blue addr add 192.168.15.2/24 dev veth-blue
		ip -n red link set veth-red up
		ip -n blue link set veth-blue up`)
	state := lab.Until("red and blue, joined", func(s labtest.State) bool {
		red, err := s.Lab.FindNode("red")
		if err != nil {
			return false
		}
		i, ok := s.Lab.InterfaceNamed(red.ID, "veth-red")
		if !ok || !i.Up || len(i.Addresses) != 1 {
			return false
		}
		_, ok = s.Lab.CableOf(i.ID)
		return ok && s.Links[i.ID] != nil && s.Links[i.ID].Carrier
	})
	if len(state.Lab.Cables) != 1 || len(state.Lab.Nodes) != 3 {
		t.Errorf("%d cables, %d nodes", len(state.Lab.Cables), len(state.Lab.Nodes))
	}
	lab.CheckKernel()

	lab.Shell("host", `
		ip -n red link set veth-red down
		ip -n red link set veth-red name eth0
		ip -n red link set eth0 mtu 1300 address 02:00:00:00:00:01 up
		ip -n red addr add 10.0.0.1/8 dev eth0
		ip -n red addr del 192.168.15.1/24 dev eth0`)
	lab.Until("the new name, MTU, MAC and address", func(s labtest.State) bool {
		red, _ := s.Lab.FindNode("red")
		i, ok := s.Lab.InterfaceNamed(red.ID, "eth0")
		return ok && i.Up && i.MTU == 1300 && i.MAC == "02:00:00:00:00:01" && strings.Join(i.Addresses, " ") == "10.0.0.1/8"
	})
	lab.CheckKernel()

	lab.Shell("host", "ip -n red link del eth0; ip netns del blue")
	lab.Until("no cable and no blue", func(s labtest.State) bool {
		_, err := s.Lab.FindNode("blue")
		return len(s.Lab.Cables) == 0 && errors.Is(err, &labengine.Problem{Code: labengine.CodeNoSuchNode})
	})
	lab.CheckKernel()
}

func TestUndoOfWhatWasTyped(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	lab.Shell("host", "ip link add br9 type bridge")
	lab.Until("br9", func(s labtest.State) bool { _, ok := s.Lab.InterfaceNamed("host", "br9"); return ok })
	if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil {
		t.Fatal(r.Problem)
	}
	if out, status := lab.Run("host", "ip", "link", "show", "br9"); status == 0 {
		t.Errorf("br9 is still there:\n%s", out)
	}
	last := lab.State().Changes[len(lab.State().Changes)-1]
	if len(last.Commands) != 1 || last.Commands[0].Line != "ip link del dev br9" {
		t.Errorf("the undo's commands are %v", last.Commands)
	}
	lab.Shell("host", "ip netns del red")
	lab.Until("no red", func(s labtest.State) bool { return len(s.Lab.Nodes) == 2 && len(s.Lab.Cables) == 0 })
	if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil {
		t.Fatal(r.Problem)
	}
	lab.MustRun("red", "ping", "-c1", "-W1", "192.168.15.2")
	lab.CheckKernel()
}

func TestNamespaceThatAProcessHolds(t *testing.T) {
	lab := labtest.Start(t, hostAlone)
	lab.Shell("host", "unshare -n sleep 60 >/dev/null 2>&1 & echo $! > /tmp/pid")
	held := lab.Until("a held namespace", func(s labtest.State) bool {
		for _, n := range s.Lab.Nodes {
			if strings.HasPrefix(n.Held, "sleep (") {
				return true
			}
		}
		return false
	})
	for _, n := range held.Lab.Nodes {
		if n.Held == "" {
			continue
		}
		if p := lab.Edit(labengine.Edit{Delete: &labengine.Delete{ID: n.ID}}); p == nil || !strings.Contains(p.Hint, "end that process") {
			t.Errorf("deleting it: %v", p)
		}
	}
	lab.Shell("host", `ip link add one type veth peer name two netns $(cat /tmp/pid)`)
	lab.Until("a cable into it", func(s labtest.State) bool { return len(s.Lab.Cables) == 1 })
	lab.Shell("host", "ip netns attach kept $(cat /tmp/pid)")
	lab.Until("its name", func(s labtest.State) bool {
		n, err := s.Lab.FindNode("kept")
		return err == nil && n.Held == ""
	})
	lab.Shell("host", "kill $(cat /tmp/pid)")
	lab.Shell("host", "ip netns del kept")
	lab.Until("its end", func(s labtest.State) bool { return len(s.Lab.Nodes) == 1 && len(s.Lab.Cables) == 0 })
}

// TestUndoGoesPastWhatAProcessHeld undoes all there is, while a process lives that holds a namespace and after its end.
func TestUndoGoesPastWhatAProcessHeld(t *testing.T) {
	for _, lives := range []bool{true, false} {
		lab := labtest.Start(t, hostAlone)
		held := func(s labtest.State) bool {
			return slices.ContainsFunc(s.Lab.NodesInOrder(), func(n labengine.Node) bool { return n.Held != "" })
		}
		lab.Shell("host", "ip netns add a; unshare -n sh -c 'ip link set lo up; exec sleep 60' >/dev/null 2>&1 & echo $! > /tmp/pid")
		lab.Until("both", func(s labtest.State) bool { _, err := s.Lab.FindNode("a"); return err == nil && held(s) })
		if !lives {
			lab.Shell("host", "kill $(cat /tmp/pid)")
			lab.Until("its end", func(s labtest.State) bool { return !held(s) })
		}
		for range 10 {
			r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}})
			if r.Problem == nil {
				continue
			}
			if r.Problem.Code != labengine.CodeNothingToUndo {
				t.Errorf("the process lives: %t, and undo is refused: %v", lives, r.Problem)
			}
			break
		}
		s := lab.State()
		if _, err := s.Lab.FindNode("a"); err == nil || held(s) != lives {
			t.Errorf("the process lives: %t, and there are %v", lives, s.Lab.NodesInOrder())
		}
	}
}

func TestRefusedStepLeavesNothing(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	lab.Shell("red", "sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
	before := lab.Until("the setting, and what the kernel sets with it", func(s labtest.State) bool {
		return len(s.Lab.Nodes["host/red"].Sysctls) == 2
	}).Lab
	bad := labengine.Edit{AddAddress: &labengine.AddAddress{Interface: "host/red:veth-red", Address: "2001:db8::1/64"}}
	p := lab.Edit(
		labengine.Edit{AddNode: &labengine.AddNode{ID: "g", Name: "green", Kind: labengine.Namespace, In: "host"}},
		labengine.Edit{AddCable: &labengine.AddCable{
			ID: "gc", A: labengine.End{ID: "g1", Node: "g", Name: "eth0"}, B: labengine.End{ID: "g2", Node: "host", Name: "veth-green"},
		}}, bad)
	if p == nil || p.Code != labengine.CodeRefused || p.Errno == "" || !strings.HasPrefix(p.Command, "ip -n red addr add") {
		t.Errorf("the problem is %+v", p)
	}
	if diff := labengine.Compare(before, lab.State().Lab); !diff.Empty() {
		t.Errorf("something was left: %+v", diff)
	}
	lab.CheckKernel()
}

// TestOpsForWhatIsGone: what a terminal has taken away meanwhile is refused in words, and nothing is made in its place.
func TestOpsForWhatIsGone(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	state := lab.State().Lab
	red, err := state.FindNode("red")
	if err != nil {
		t.Fatal(err)
	}
	host, err := state.FindNode("host")
	if err != nil {
		t.Fatal(err)
	}
	veth, _ := state.InterfaceNamed(red.ID, "veth-red")
	lab.Shell("host", "ip netns del red") // asked at once, so that the op may come before its event
	for _, test := range []struct {
		edit labengine.Edit
		on   labengine.ID
	}{
		{labengine.Edit{AddAddress: &labengine.AddAddress{Interface: veth.ID, Address: "10.0.0.9/24"}}, veth.ID},
		{labengine.Edit{AddCable: &labengine.AddCable{
			ID: "c", A: labengine.End{ID: "x", Node: host.ID, Name: "to-red"}, B: labengine.End{ID: "y", Node: red.ID, Name: "eth0"},
		}}, red.ID},
		{labengine.Edit{Delete: &labengine.Delete{ID: red.ID}}, red.ID},
	} {
		p := lab.Edit(test.edit)
		if p == nil || p.Message == "" || p.On != test.on {
			t.Errorf("%+v: %+v", test.edit, p)
		} else if p.Code != labengine.CodeNoSuchNode && p.Code != labengine.CodeNoSuchInterface && p.Code != labengine.CodeGone {
			t.Errorf("%+v: %+v", test.edit, p)
		}
	}
	if _, status := lab.Run("red", "true"); status == 0 {
		t.Error("a command ran in what is gone")
	}
	if nodes := lab.State().Lab.Nodes; len(nodes) != 2 {
		t.Errorf("left: %+v", nodes)
	}
	lab.CheckKernel()
}

func TestSameAddressTwice(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	red, err := lab.State().Lab.FindNode("red")
	if err != nil {
		t.Fatal(err)
	}
	veth, _ := lab.State().Lab.InterfaceNamed(red.ID, "veth-red")
	lab.Shell("host", "ip -n red addr add 10.0.0.9/24 dev veth-red")
	add := labengine.Edit{AddAddress: &labengine.AddAddress{Interface: veth.ID, Address: "10.0.0.9/24"}}
	if p := lab.Edit(add); p == nil || p.Code != labengine.CodeExists || p.On != veth.ID || p.Field != "address" {
		t.Errorf("an address that was typed: %+v", p)
	}
	lab.CheckKernel()
}

func TestSameOpTwice(t *testing.T) {
	lab := labtest.Start(t, hostAlone)
	op := &labengine.Op{ID: "once", Edits: []labengine.Edit{
		{AddNode: &labengine.AddNode{ID: "r", Name: "red", Kind: labengine.Namespace, In: "host"}},
	}}
	first := lab.Ask(labengine.Request{Op: op})
	second := lab.Ask(labengine.Request{Op: op})
	if first.Problem != nil || second.Problem != nil || first.Seq != second.Seq {
		t.Errorf("first %+v, second %+v", first, second)
	}
	again := *op
	again.ID = "twice"
	if r := lab.Ask(labengine.Request{Op: &again}); r.Problem == nil || r.Problem.Code != labengine.CodeExists {
		t.Errorf("another op for the same thing: %+v", r.Problem)
	}
}

// A namespace gets the settings of bridges when the lab has been made: what a document says of them stays.
func TestBridgeSettingsOfNamespaces(t *testing.T) {
	lab := labtest.Start(t, `
vethlab: 1
name: settings
nodes:
  - {name: host, kind: machine}
  - {name: red, kind: namespace, in: host}
  - {name: blue, kind: namespace, in: host, sysctls: {net.bridge.bridge-nf-call-iptables: 1}}
`)
	for node, want := range map[string]string{"red": "0", "blue": "1"} {
		lab.MustRun(node, "sh", "-c", "test ! -e /proc/sys/net/bridge || test $(cat /proc/sys/net/bridge/bridge-nf-call-iptables) = "+want)
	}
}
