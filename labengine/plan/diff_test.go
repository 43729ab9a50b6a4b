package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vethlab/labengine"
	"vethlab/labengine/document"
	"vethlab/labengine/plan"
)

// lab reads the nodes and cables of a document; machine host is there always.
func lab(t testing.TB, nodes, cables string) labengine.Lab {
	t.Helper()
	text := "vethlab: 1\nname: test\nnodes:\n  - {name: host, kind: machine}\n"
	for _, name := range strings.Fields(nodes) {
		kind := "kind: namespace, in: host"
		if machine, ok := strings.CutSuffix(name, "!"); ok {
			name, kind = machine, "kind: machine"
		}
		if in, inner, ok := strings.Cut(name, "/"); ok {
			name, kind = inner, "kind: namespace, in: "+in
		}
		text += fmt.Sprintf("  - {name: %s, %s}\n", name, kind)
	}
	if cables != "" {
		text += "cables:\n"
		for _, cable := range strings.Split(cables, ";") {
			text += "  - [" + cable + "]\n"
		}
	}
	parsed, err := document.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func edit(t testing.TB, l labengine.Lab, edits ...labengine.Edit) labengine.Lab {
	t.Helper()
	after, err := l.Edit(edits)
	if err != nil {
		t.Fatal(err)
	}
	return after
}

func check(t *testing.T, have, want labengine.Lab, script string) {
	t.Helper()
	script = strings.ReplaceAll(strings.TrimPrefix(script, "\n"), "\t", "")
	if diff := cmp.Diff(script, plan.Diff(have, want).Script()); diff != "" {
		t.Error(diff)
	}
	if again := plan.Diff(want, want); len(again) != 0 {
		t.Errorf("a lab differs from itself by %v", again)
	}
}

const (
	mac1 = " mac 02:00:00:00:00:01"
	mac2 = " mac 02:00:00:00:00:02"
)

func TestJoinTwoNamespaces(t *testing.T) {
	check(t, lab(t, "red blue", ""), lab(t, "red blue", "red:eth0 10.0.0.1/24"+mac1+", blue:eth0 10.0.0.2/24"+mac2), `
		ip link add name eth0 address 02:00:00:00:00:01 netns red type veth peer name eth0 address 02:00:00:00:00:02 netns blue
		ip -n blue addr add 10.0.0.2/24 dev eth0
		ip -n blue link set dev eth0 up
		ip -n red addr add 10.0.0.1/24 dev eth0
		ip -n red link set dev eth0 up
	`)
}

func TestStartFromNothing(t *testing.T) {
	check(t, labengine.NewLab("test"), lab(t, "red", "red:eth0"+mac1+", host:veth-red mtu 1400"+mac2), `
		ip link set dev lo up
		ip netns add red
		ip link add name eth0 address 02:00:00:00:00:01 netns red type veth peer name veth-red address 02:00:00:00:00:02 mtu 1400
		ip link set dev veth-red up
		ip -n red link set dev eth0 up
	`)
}

func TestQuietCable(t *testing.T) {
	want := lab(t, "red", "red:eth0"+mac1+" down, host:veth-red"+mac2+" down")
	want.Quiet = true
	check(t, lab(t, "red", ""), want, `
		ip link add name eth0 address 02:00:00:00:00:01 numtxqueues 1 numrxqueues 1 netns red type veth peer name veth-red address 02:00:00:00:00:02 numtxqueues 1 numrxqueues 1
		ip -n red link set dev eth0 addrgenmode none
		ip link set dev veth-red addrgenmode none
	`)
}

func TestDeleteNamespaceTakesItsCables(t *testing.T) {
	check(t, lab(t, "red blue", "red:eth0, blue:eth0"), lab(t, "blue", ""), `
		ip -n red link del dev eth0
		ip netns del red
	`)
}

func TestDeleteMachineTakesAllThatIsInside(t *testing.T) {
	have := lab(t, "far! far/red", "far/red:a, far:b; host:c, far:d")
	check(t, have, lab(t, "", ""), `
		ip link del dev c
		poweroff -f
	`)
}

func TestAddressesKeepTheirOrder(t *testing.T) {
	have := lab(t, "red", "red:eth0 10.0.0.1/24 10.0.0.2/24 10.0.0.3/24"+mac1+", host:veth-red"+mac2)
	want := lab(t, "red", "red:eth0 10.0.0.1/24 10.0.0.3/24 10.0.0.2/24"+mac1+", host:veth-red"+mac2)
	check(t, have, want, `
		ip -n red addr del 10.0.0.2/24 dev eth0
		ip -n red addr add 10.0.0.2/24 dev eth0
	`)
}

func TestRenameAndMove(t *testing.T) {
	have := lab(t, "red blue", "red:eth0 10.0.0.1/24, host:veth-red")
	green, blue, name := "green", labengine.ID("host/blue"), "uplink"
	want := edit(t, have,
		labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: "host/red", Name: &green}},
		labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: "host/red:eth0", Node: &blue, Name: &name}})
	check(t, have, want, `
		touch /run/netns/green
		mount --bind /run/netns/red /run/netns/green
		ip netns del red
		ip -n green link set dev eth0 netns blue name uplink
		ip -n blue addr add 10.0.0.1/24 dev uplink
		ip -n blue link set dev uplink up
	`)
}

func TestNamesThatChangePlaces(t *testing.T) {
	have := lab(t, "", "host:a"+mac1+", host:b"+mac2)
	want := have.Clone()
	a, b := want.Interfaces["host:a"], want.Interfaces["host:b"]
	a.Name, b.Name = b.Name, a.Name
	want.Interfaces["host:a"], want.Interfaces["host:b"] = a, b
	check(t, have, want, `
		ip link set dev b name renaming0
		ip link set dev a name b
		ip link set dev renaming0 name a
	`)
}

func TestMovedNamespaceIsMadeAnew(t *testing.T) {
	have := lab(t, "far! red", "red:eth0 10.0.0.1/24"+mac1+", host:veth-red"+mac2)
	far := labengine.ID("far")
	want := edit(t, have, labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: "host/red", In: &far}})
	check(t, have, want, `
		ip -n red link del dev eth0
		ip netns del red
		ip netns add red
		ip link add name eth0 address 02:00:00:00:00:01 netns red type veth peer name veth-red address 02:00:00:00:00:02 netns host
		ip link set dev veth-red up
		ip -n red addr add 10.0.0.1/24 dev eth0
		ip -n red link set dev eth0 up
	`)
}

func TestHeldNamespaceHasNoName(t *testing.T) {
	have := lab(t, "red", "red:eth0"+mac1+", host:veth-red"+mac2)
	n := have.Nodes["host/red"]
	n.Held = "my (odd) name (57)"
	have.Nodes["host/red"] = n
	up := false
	want := edit(t, have, labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: "host/red:eth0", Up: &up}})
	check(t, have, want, `
		nsenter -t 57 -n ip link set dev eth0 down
	`)
}

func TestScriptOfSeveralMachines(t *testing.T) {
	script := plan.Script(lab(t, "far! red far/red", "host/red:eth0"+mac1+", far/red:eth0"+mac2))
	_, commands, _ := strings.Cut(script, "set -e\n")
	want := "ip link set dev lo up\nip netns add far\nip netns add red\nip netns add far-red\n" +
		"ip link add name eth0 address 02:00:00:00:00:01 netns red type veth peer name eth0 address 02:00:00:00:00:02 netns far-red\n" +
		"ip -n far-red link set dev eth0 up\nip -n red link set dev eth0 up\nip -n far link set dev lo up\n"
	if diff := cmp.Diff(want, commands); diff != "" {
		t.Error(diff)
	}
}

// TestScriptTurnsNoBridgeIntoAFirewall: a shell's namespaces may have bridged frames pass iptables, a lab's do not.
func TestScriptTurnsNoBridgeIntoAFirewall(t *testing.T) {
	want := edit(t, lab(t, "red", ""),
		labengine.Edit{AddInterface: &labengine.AddInterface{ID: "br", Node: "host", Name: "br0", Kind: labengine.Bridge}},
		labengine.Edit{SetSysctl: &labengine.SetSysctl{Node: "host", Name: "net.bridge.bridge-nf-call-ip6tables", Value: "1"}},
	)
	off := "sysctl -e -w net.bridge.bridge-nf-call-iptables=0\n"
	if script := plan.Script(want); strings.Contains(script, off) {
		t.Errorf("without a rule:\n%s", script)
	}
	n := want.Nodes["host"]
	n.Iptables = []string{"-P FORWARD DROP"}
	want.Nodes["host"] = n
	if script := plan.Script(want); !strings.Contains(script, off) || strings.Contains(script, "ip6tables=0") {
		t.Errorf("with a rule:\n%s", script)
	}
}

// BenchmarkDiff takes a namespace out of a lab of so many, with its cable.
func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			var nodes, cables []string
			for i := range n {
				nodes = append(nodes, fmt.Sprintf("n%d", i))
				cables = append(cables, fmt.Sprintf("n%d:eth0 10.0.%d.%d/16, host:h%d", i, i/250, i%250+1, i))
			}
			have := lab(b, strings.Join(nodes, " "), strings.Join(cables, ";"))
			want := edit(b, have, labengine.Edit{Delete: &labengine.Delete{ID: "host/n0"}})
			for b.Loop() {
				plan.Diff(have, want)
			}
		})
	}
}

func TestContainers(t *testing.T) {
	have := lab(t, "red far!", "")
	far, name, command := labengine.ID("far"), "api", "sleep 9"
	end := func(id, node, name string) labengine.End {
		return labengine.End{ID: labengine.ID(id), Node: labengine.ID(node), Name: name, MAC: "02:00:00:00:00:0" + id}
	}
	want := edit(t, have,
		labengine.Edit{AddNode: &labengine.AddNode{ID: "w", Name: "web", Kind: labengine.Container, In: "host", Command: "echo 'hi'"}},
		labengine.Edit{AddCable: &labengine.AddCable{ID: "c", A: end("1", "w", "eth0"), B: end("2", "host/red", "vethweb")}},
		labengine.Edit{AddRoute: &labengine.AddRoute{Node: "w", Route: "2001:db8::/64 dev eth0"}},
		labengine.Edit{SetSysctl: &labengine.SetSysctl{Node: "w", Name: "net.ipv4.ip_forward", Value: "1"}})
	check(t, have, want, `
		unshare --net --pid --mount --uts --ipc --fork --mount-proc sh -c 'hostname web; (echo '\''hi'\'') > /run/containers/web.log 2>&1 & exec sleep infinity' &
		until pgrep -P $! > /run/containers/web.pid; do kill -0 $!; sleep 0.1; done
		nsenter -t $(cat /run/containers/web.pid) -n sysctl -w net.ipv4.ip_forward=1
		ip link add name eth0 address 02:00:00:00:00:01 netns $(cat /run/containers/web.pid) type veth peer name vethweb address 02:00:00:00:00:02 netns red
		ip -n red link set dev vethweb up
		nsenter -t $(cat /run/containers/web.pid) -n ip link set dev eth0 up
		nsenter -t $(cat /run/containers/web.pid) -n ip -6 route add 2001:db8::/64 dev eth0
	`)
	check(t, want, edit(t, want, labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: "w", Name: &name}}), `
		nsenter -t $(cat /run/containers/web.pid) -u hostname api
		mv /run/containers/web.pid /run/containers/api.pid
	`)
	odd := "my_app" // Docker takes it, and hostname(1) does not
	check(t, want, edit(t, want, labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: "w", Name: &odd}}), `
		nsenter -t $(cat /run/containers/web.pid) -u busybox hostname my_app
		mv /run/containers/web.pid /run/containers/my_app.pid
	`)
	bare := edit(t, want, labengine.Edit{Delete: &labengine.Delete{ID: "c"}})
	check(t, bare, edit(t, bare, labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: "w", In: &far}},
		labengine.Edit{SetSysctl: &labengine.SetSysctl{Node: "w", Name: "net.ipv4.ip_forward"}},
		labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: "w", Command: &command}}), `
		kill -9 $(cat /run/containers/web.pid)
		unshare --net --pid --mount --uts --ipc --fork --mount-proc sh -c 'hostname web; (sleep 9) > /run/containers/web.log 2>&1 & exec sleep infinity' &
		until pgrep -P $! > /run/containers/web.pid; do kill -0 $!; sleep 0.1; done
	`)
}

func TestServices(t *testing.T) {
	have := edit(t, lab(t, "red", ""), labengine.Edit{AddService: &labengine.AddService{Node: "host/red", Service: "echo tcp 80"}})
	want := edit(t, have, labengine.Edit{DeleteService: &labengine.DeleteService{Node: "host/red", Service: "echo tcp 80"}},
		labengine.Edit{AddService: &labengine.AddService{Node: "host/red", Service: "http 80"}},
		labengine.Edit{AddService: &labengine.AddService{Node: "host", Service: "dns 53 web.lan=10.0.0.1"}})
	check(t, have, want, `
		kill $(ip netns exec red ss -Hlnp --tcp sport = :80 | sed 's/.*pid=\([0-9]*\).*/\1/')
		dnsmasq -C /dev/null -x '' -u '' -g '' -p 53 --no-resolv --no-hosts --host-record=web.lan,10.0.0.1
		mkdir -p /run/www/red
		echo red > /run/www/red/index.html
		ip netns exec red busybox httpd -p 80 -h /run/www/red
	`)
}

func TestInternetHasNoCommands(t *testing.T) {
	have := lab(t, "", "")
	check(t, have, edit(t, have, labengine.Edit{AddNode: &labengine.AddNode{ID: "i", Name: "internet", Kind: labengine.Internet}}), "")
}

func TestVLANsOfPorts(t *testing.T) {
	have := lab(t, "red", "red:eth0"+mac1+", host:p0"+mac2)
	p0, _ := have.InterfaceNamed("host", "p0")
	bridge := edit(t, have, labengine.Edit{AddInterface: &labengine.AddInterface{
		ID: "br0", Node: "host", Name: "br0", Kind: labengine.Bridge, Options: "vlan_filtering 1", MAC: "02:00:00:00:00:03",
	}})
	set := func(l labengine.Lab, id labengine.ID, vlans string) labengine.Lab {
		return edit(t, l, labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: id, VLANs: &vlans}})
	}
	port := edit(t, bridge, labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: p0.ID, Master: new(labengine.ID("br0"))}})
	access := set(set(port, p0.ID, "10 pvid untagged"), "br0", "1 pvid untagged, 10")
	check(t, have, access, `
		ip link add name br0 address 02:00:00:00:00:03 type bridge vlan_filtering 1
		bridge vlan add dev br0 vid 10 self
		ip link set dev br0 up
		ip link set dev p0 master br0
		bridge vlan add dev p0 vid 10 pvid untagged
		bridge vlan del dev p0 vid 1
	`)
	trunk := set(access, p0.ID, "1 pvid untagged, 10, 30-40")
	check(t, access, trunk, `
		bridge vlan add dev p0 vid 1 pvid untagged
		bridge vlan add dev p0 vid 10
		bridge vlan add dev p0 vid 30-40
	`)
	check(t, trunk, set(trunk, p0.ID, ""), `
		bridge vlan del dev p0 vid 10
		bridge vlan del dev p0 vid 30-40
	`)
	check(t, trunk, set(trunk, p0.ID, "none"), `
		bridge vlan del dev p0 vid 1
		bridge vlan del dev p0 vid 10
		bridge vlan del dev p0 vid 30-40
	`)
	out := edit(t, trunk, labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: p0.ID, Master: new(labengine.ID(""))}})
	check(t, trunk, out, `
		ip link set dev p0 nomaster
	`)
	check(t, out, trunk, `
		ip link set dev p0 master br0
		bridge vlan add dev p0 vid 10
		bridge vlan add dev p0 vid 30-40
	`)
	inRed := edit(t, lab(t, "red", ""), labengine.Edit{AddInterface: &labengine.AddInterface{
		ID: "b", Node: "host/red", Name: "b", Kind: labengine.Bridge, Options: "vlan_default_pvid 5", VLANs: "none", MAC: "02:00:00:00:00:03",
	}})
	check(t, lab(t, "red", ""), inRed, `
		ip -n red link add name b address 02:00:00:00:00:03 type bridge vlan_default_pvid 5
		bridge -n red vlan del dev b vid 5 self
		ip -n red link set dev b up
	`)
}

func TestTun(t *testing.T) {
	have := lab(t, "red", "")
	red, _ := have.FindNode("red")
	want := edit(t, have, labengine.Edit{AddInterface: &labengine.AddInterface{
		ID: "a", Node: red.ID, Name: "a", Kind: labengine.Tun, Alias: "the VPN",
	}}, labengine.Edit{AddInterface: &labengine.AddInterface{
		ID: "b", Node: "host", Name: "b", Kind: labengine.Tun, Options: "mode tap multi_queue 1", MTU: 1400, MAC: "02:00:00:00:00:01",
	}})
	check(t, have, want, `
		ip tuntap add dev b mode tap multi_queue
		ip link set dev b mtu 1400 address 02:00:00:00:00:01
		ip -n red tuntap add dev a mode tun
		ip link set dev b up
		ip -n red link set dev a alias 'the VPN'
		ip -n red link set dev a up
	`)
}

// TestRouteWithAWayThatIsDown: the kernel keeps such a route, and takes it only while all its ways are up.
func TestRouteWithAWayThatIsDown(t *testing.T) {
	have := lab(t, "red blue", "red:e0 10.0.0.1/24, blue:e0 10.0.0.2/24; red:e1 10.1.0.1/24 down, blue:e1 10.1.0.2/24")
	red, _ := have.FindNode("red")
	e1, _ := have.InterfaceNamed(red.ID, "e1")
	have = edit(t, have, labengine.Edit{AddAddress: &labengine.AddAddress{Interface: e1.ID, Address: "fd00::1/64"}})
	want := edit(t, have, labengine.Edit{AddRoute: &labengine.AddRoute{
		Node: red.ID, Route: "10.9.0.0/16 nexthop via 10.0.0.2 nexthop via 10.1.0.2",
	}})
	check(t, have, want, `
		ip -n red link set dev e1 up
		ip -n red route add 10.9.0.0/16 nexthop via 10.0.0.2 nexthop via 10.1.0.2
		ip -n red link set dev e1 down
		ip -n red addr add fd00::1/64 dev e1
	`)
}
