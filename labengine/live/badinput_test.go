package live_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/live/labtest"
)

// refusal is a gesture that cannot be carried out, and how it is refused.
type refusal struct {
	edits      []labengine.Edit
	code       labengine.Code
	says, hint string
}

// check tries the gesture. Nothing of it may stay.
func (r refusal) check(t *testing.T, lab *labtest.Lab) {
	t.Helper()
	before := lab.State().Lab
	p := lab.Edit(r.edits...)
	if p == nil || p.Code != r.code || !strings.Contains(p.Message, r.says) || !strings.Contains(p.Hint, r.hint) {
		t.Errorf("%s: %v", r.says, p)
	}
	lab.CheckKernel()
	if left := labengine.Compare(before, lab.State().Lab); !left.Empty() {
		t.Errorf("%s: %+v is left", r.says, left)
	}
}

func TestBadWiring(t *testing.T) {
	lab := labtest.StartLab(t, bridged(t))
	update := func(u labengine.UpdateInterface) labengine.Edit { return labengine.Edit{UpdateInterface: &u} }
	node := func(u labengine.UpdateNode) labengine.Edit { return labengine.Edit{UpdateNode: &u} }
	add := func(a labengine.AddInterface) labengine.Edit {
		a.ID, a.Node = "new", "red"
		if a.Name == "" {
			a.Name = "new"
		}
		return labengine.Edit{AddInterface: &a}
	}
	in := func(id labengine.ID) *labengine.ID { return &id }
	good := update(labengine.UpdateInterface{ID: "red:veth-red", MTU: new(1400)}) // what is carried out before the refusal
	for _, r := range []refusal{
		{[]labengine.Edit{update(labengine.UpdateInterface{ID: "v-net-0", Master: in("v-net-0")})}, labengine.CodeBadRequest,
			"the kernel has no bridge in a bridge (ELOOP)", "join the two with a cable"},
		{[]labengine.Edit{add(labengine.AddInterface{Kind: labengine.VLAN, Parent: "new", Options: "id 5"})}, labengine.CodeBadRequest,
			"`new` cannot be on top of itself", ""},
		{[]labengine.Edit{add(labengine.AddInterface{Kind: labengine.VLAN, Parent: "red:veth-red", Options: "id 4095"})}, labengine.CodeBadValue,
			"`id` is a number from 0 to 4094; this is `4095`", ""},
		{[]labengine.Edit{node(labengine.UpdateNode{ID: "host", In: in("host")})}, labengine.CodeBadRequest,
			"`host` is a machine; only namespaces and containers are in a machine", ""},
		{[]labengine.Edit{node(labengine.UpdateNode{ID: "host", In: in("neighbour")}), node(labengine.UpdateNode{ID: "neighbour", In: in("host")})},
			labengine.CodeBadRequest, "`host` is a machine; only namespaces and containers are in a machine", ""},
		{[]labengine.Edit{node(labengine.UpdateNode{ID: "red", In: in("red")})}, labengine.CodeBadRequest,
			"`red` is a namespace; a namespace is in a machine", ""},
		{[]labengine.Edit{{AddNode: &labengine.AddNode{ID: "self", Name: "self", Kind: labengine.Namespace, In: "self"}}}, labengine.CodeNoSuchNode,
			"gone", ""},
		{[]labengine.Edit{add(labengine.AddInterface{Kind: labengine.VXLAN, Parent: "nobody", Options: "id 5 remote 10.0.0.1"})},
			labengine.CodeNoSuchInterface, "the interface below `new` is gone", ""},
		{[]labengine.Edit{good, add(labengine.AddInterface{Kind: labengine.VXLAN, Options: "id 5 remote 239.1.1.1"})}, labengine.CodeBadRequest,
			"sends to a group, 239.1.1.1, and says not out of which interface", "say the interface below it"},
		{[]labengine.Edit{{AddCable: &labengine.AddCable{
			ID: "loop", A: labengine.End{ID: "la", Node: "red", Name: "same"}, B: labengine.End{ID: "lb", Node: "red", Name: "same"},
		}}}, labengine.CodeExists, "red already has an interface `same`", "`same2` is free"},
	} {
		r.check(t, lab)
	}
}

// TestRefusalsSayWhy: in the words of the command that the step stands for, and with what is in the way.
func TestRefusalsSayWhy(t *testing.T) {
	lab := labtest.StartLab(t, bridged(t))
	sysctl := func(name, value string) []labengine.Edit {
		return []labengine.Edit{{SetSysctl: &labengine.SetSysctl{Node: "host", Name: name, Value: value}}}
	}
	route := func(via string) []labengine.Edit {
		return []labengine.Edit{{AddRoute: &labengine.AddRoute{Node: "blue", Route: "172.30.0.0/16 via " + via}}}
	}
	for _, r := range []refusal{
		{sysctl("net.ipv4.ip_default_ttl", "999"), labengine.CodeRefused,
			`sysctl: setting key "net.ipv4.ip_default_ttl": Invalid argument`, "the kernel does not take this value for net.ipv4.ip_default_ttl"},
		{sysctl("net.ipv4.nosuch", "1"), labengine.CodeRefused,
			"sysctl: cannot stat /proc/sys/net/ipv4/nosuch: No such file or directory", "its name is mistyped"},
		{[]labengine.Edit{{AddInterface: &labengine.AddInterface{ID: "m2", Node: "host", Name: "m2", Kind: labengine.MACVLAN, Parent: "host:veth-red-br"}}},
			labengine.CodeRefused, "RTNETLINK answers: Device or resource busy", "veth-red-br is a port of a bridge"},
		{[]labengine.Edit{rules("host", "-N A", "-N B", "-A A -j B", "-A B -j A", "-A INPUT -j A")}, labengine.CodeRefused,
			"RULE_APPEND failed", "jump to each other in a circle"},
		{route("10.9.0.1"), labengine.CodeRefused, "Error: Nexthop has invalid gateway", "its gateway is on no network"},
	} {
		r.check(t, lab)
	}
}

// TestRuleThatTheKernelLacks: what iptables does not know, and a rule of a table that this kernel cannot make.
func TestRuleThatTheKernelLacks(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	for _, r := range []refusal{
		{[]labengine.Edit{rules("host/red", "-t broute -A BROUTING -j DROP")}, labengine.CodeBadValue, "broute", ""},
		{[]labengine.Edit{rules("host/red", "-A INPUT -j ACCEPT", "-A INPUT -m nosuch -j ACCEPT")}, labengine.CodeRefused,
			"Couldn't load match `nosuch'", ""},
	} {
		r.check(t, lab)
	}
	secmark := rules("host/red", "-P INPUT DROP", "-t security -A INPUT -j SECMARK --selctx system_u:object_r:x:s0")
	if _, status := lab.Run("blue", "iptables", "-t", "security", "-A", "INPUT", "-j", "SECMARK", "--selctx", "system_u:object_r:x:s0"); status != 0 {
		refusal{[]labengine.Edit{secmark}, labengine.CodeRefused, "", ""}.check(t, lab)
		p := lab.Edit(secmark)
		if p == nil || !strings.Contains(p.Command, "SECMARK") || p.Message == "" {
			t.Errorf("a table without its kernel module: %v", p)
		}
	} else if p := lab.Edit(secmark); p != nil {
		t.Errorf("what a terminal can a hand cannot: %v", p)
	}
}

// TestNamesTakenInATerminal: a gesture wants a name that a terminal has just given to something else, seen or not yet.
func TestNamesTakenInATerminal(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	for round := range 5 {
		name := fmt.Sprintf("t%d", round)
		lab.Shell("host", fmt.Sprintf("ip link add name %s type bridge; ip netns add %s; ip link add name v%s type veth peer name w%s", name, name, name, name))
		for _, e := range []labengine.Edit{
			{AddInterface: &labengine.AddInterface{ID: labengine.ID("i" + name), Node: "host", Name: name, Kind: labengine.Bridge}},
			{AddNode: &labengine.AddNode{ID: labengine.ID("n" + name), Name: name, Kind: labengine.Namespace, In: "host"}},
			{AddCable: &labengine.AddCable{
				ID: labengine.ID("c" + name), A: labengine.End{ID: labengine.ID("a" + name), Node: "host/red", Name: "x" + name},
				B: labengine.End{ID: labengine.ID("b" + name), Node: "host", Name: "w" + name},
			}},
		} {
			p := lab.Edit(e)
			if p == nil || p.Code != labengine.CodeExists && (p.Code != labengine.CodeRefused || p.Errno != "EEXIST") || p.Hint == "" {
				t.Errorf("%s: %+v: %v", name, e, p)
			}
		}
		lab.CheckKernel()
		if _, ok := lab.State().Lab.InterfaceNamed("host/red", "x"+name); ok {
			t.Errorf("half of a cable to w%s is there", name)
		}
	}
}

// TestTerminalRacesAGesture: hand and terminal change the same thing at the same time. Either may win; the document is what
// the kernel has, and whoever lost is told.
func TestTerminalRacesAGesture(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	told := map[labengine.Code]bool{
		labengine.CodeRefused: true, labengine.CodeGone: true, labengine.CodeNoSuchInterface: true, labengine.CodeNoSuchNode: true, labengine.CodeExists: true,
	}
	for round := range 20 {
		name := fmt.Sprintf("b%d", round)
		id := labengine.ID(name)
		lab.MustEdit(labengine.Edit{AddInterface: &labengine.AddInterface{ID: id, Node: "host", Name: name, Kind: labengine.Bridge}})
		typed := []string{"ip link del dev %s", "ip link set dev %s name z%[1]s", "ip link set dev %s mtu 1300 down", "ip link set dev %s netns red", "ip addr add 10.0.0.1/24 dev %s"}[round%5]
		gestures := []labengine.Edit{
			{AddAddress: &labengine.AddAddress{Interface: id, Address: "10.0.0.1/24"}},
			{UpdateInterface: &labengine.UpdateInterface{ID: id, Name: new("y" + name)}},
			{UpdateInterface: &labengine.UpdateInterface{ID: id, MTU: new(1400), Options: new("stp_state 1")}},
			{Delete: &labengine.Delete{ID: id}},
		}
		var both sync.WaitGroup
		both.Go(func() { lab.Run("host", "sh", "-c", fmt.Sprintf(typed, name)) })
		for n := range gestures {
			if p := lab.Edit(gestures[(n+round)%len(gestures)]); p != nil && !told[p.Code] {
				t.Errorf("%s against %+v: %v", typed, gestures[(n+round)%len(gestures)], p)
			}
		}
		both.Wait()
		lab.CheckKernel()
	}
	lab.CheckScript()
}

// TestTenThousandRulesOfAFile: they are read, made and seen again, each as it is written.
func TestTenThousandRulesOfAFile(t *testing.T) {
	const count = 10_000
	var text strings.Builder
	text.WriteString("vethlab: 1\nnodes:\n  - name: host\n    kind: machine\n    iptables:\n")
	var want []string
	for n := range count {
		want = append(want, fmt.Sprintf("-A INPUT -s 10.%d.%d.1/32 -p tcp -m tcp --dport %d -j ACCEPT", n/250, n%250, n+1))
		fmt.Fprintf(&text, "      - %s\n", want[n])
	}
	began := time.Now()
	lab := labtest.Start(t, text.String())
	t.Logf("%d rules are there after %v", count, time.Since(began))
	checkRules(t, lab, "host", want...)
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("that took %v", took)
	}
	lab.MustEdit(rules("host", "-D INPUT 5000"))
	checkRules(t, lab, "host", append(want[:4999:4999], want[5000:]...)...)
}
