package topology_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vethlab/labengine"
	"vethlab/labengine/topology"
	"vethlab/labengine/topology/topologytest"
)

// bridged is the picture that container networking is taught with: red and blue on a bridge in host, host and neighbour on
// the office LAN.
const bridged = `
	host, neighbour: machine
	office: lan
	red, blue: namespace in host
	host:v-net-0 bridge 192.168.15.5/24
	red:veth-red 192.168.15.1/24 -- host:veth-red-br on v-net-0
	blue:veth-blue 192.168.15.2/24 -- host:veth-blue-br on v-net-0
	host:eth0 192.168.1.2/24 -- office
	neighbour:eth0 192.168.1.3/24 -- office
	red, blue: route default via 192.168.15.5
	neighbour: route 192.168.15.0/24 via 192.168.1.2
	host: sysctl net.ipv4.ip_forward=1`

func network(t testing.TB, text string) *topology.Network {
	t.Helper()
	return topology.New(topologytest.Lab(t, text), labengine.Live{})
}

// segments are a network's, a line each: the name, who speaks IP there, and what is not sure.
func segments(n *topology.Network) []string {
	var lines []string
	for _, s := range n.Segments {
		var names []string
		for _, i := range s.Members {
			names = append(names, string(i.ID))
		}
		line := s.Name() + ": " + strings.Join(names, " ")
		if s.Open {
			line += " (open)"
		}
		if s.Split {
			line += " (split)"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestSegments(t *testing.T) {
	for _, c := range []struct{ name, lab, want string }{
		{"an empty lab", "", ""},
		{"nodes alone", "host: machine", ""},
		{"a bridge and a LAN", bridged, `
			office: host:eth0 neighbour:eth0
			v-net-0: host:v-net-0 red:veth-red blue:veth-blue`},
		{"a cable, whatever is down", `
			red, blue: machine
			red:a -- blue:b down`, `
			the cable from red to blue: red:a blue:b`},
		{"two bridges with a cable", `
			host: machine
			host:br0 bridge
			host:br1 bridge
			host:a on br0 -- host:b on br1`, `
			br0 and br1: host:br0 host:br1`},
		{"a dummy is alone", `
			host: machine
			host:d0 dummy 10.0.0.1/24`, `
			their network: host:d0`},
		{"vlans on one cable, by their tags", `
			red, blue: machine
			red:a -- blue:b
			red:a.10 vlan over a id 10
			blue:b.10 vlan over b id 10
			red:a.20 vlan over a id 20
			blue:b.30 vlan over b id 30
			blue:b.ad vlan over b id 10 protocol 802.1ad`, `
			the cable from red to blue: red:a blue:b
			vlan 10: red:a.10 blue:b.10
			vlan 20: red:a.20
			vlan 30: blue:b.30
			vlan 10: blue:b.ad`},
		{"a vlan that is a port joins, and the vlans in it too", `
			red, host, blue: machine
			red:a -- host:b
			red:a.10 vlan over a id 10
			red:a.10.7 vlan over a.10 id 7
			host:br0 bridge
			host:b.10 vlan over b id 10 on br0
			host:br0.7 vlan over br0 id 7
			host:c on br0 -- blue:d
			blue:d.7 vlan over d id 7`, `
			the cable from red to host: red:a host:b
			br0: red:a.10 host:br0 blue:d
			vlan 7: red:a.10.7 host:br0.7 blue:d.7`},
		{"a vlan on a port is seen by who is behind that port alone", `
			host, red: machine
			host:br0 bridge
			host:a on br0 -- red:b
			host:a.10 vlan over a id 10`, `
			br0: host:br0 red:b
			vlan 10: host:a.10 (split)`},
		{"macvlans are where their parent is", `
			host, peer: machine
			red: namespace in host
			host:eth0 -- peer:eth0
			host:mv0 macvlan over eth0 mode bridge`, `
			their network: host:eth0 host:mv0 peer:eth0`},
		{"vlan filtering keeps some apart", `
			red, host: machine
			host:br0 bridge vlan_filtering 1
			red:a -- host:b on br0`, `
			br0: red:a host:br0 (split)`},
		{"a tunnel whose ends name each other", `
			red, blue: machine
			red:a 10.0.0.1/24 -- blue:b 10.0.0.2/24
			red:x vxlan id 42 remote 10.0.0.2 dstport 4789
			blue:x vxlan id 42 remote 10.0.0.1 dstport 4789`, `
			the cable from red to blue: red:a blue:b
			their network: red:x blue:x`},
		{"tunnels with another number, port or end", `
			red, blue: machine
			red:a 10.0.0.1/24 -- blue:b 10.0.0.2/24
			red:x vxlan id 42 remote 10.0.0.2 dstport 4789
			blue:x vxlan id 43 remote 10.0.0.1 dstport 4789
			blue:y vxlan id 42 remote 10.0.0.1 dstport 8472
			blue:z vxlan id 42 remote 10.0.0.9 dstport 4789
			blue:any vxlan id 44`, `
			the cable from red to blue: red:a blue:b
			their network: red:x (open)
			their network: blue:any (open)
			their network: blue:x (open)
			their network: blue:y (open)
			their network: blue:z (open)`},
		{"tunnels over a group", `
			red, blue: machine
			red:a -- blue:b
			red:x vxlan over a id 42 remote 239.1.1.1 dstport 4789
			blue:x vxlan over b id 42 remote 239.1.1.1 dstport 4789`, `
			the cable from red to blue: red:a blue:b
			their network: red:x blue:x`},
		{"a proxy answers for others", `
			red, blue: machine
			blue: sysctl net.ipv4.conf.all.proxy_arp=1
			red:a -- blue:b`, `
			the cable from red to blue: red:a blue:b (open)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := strings.Split(strings.ReplaceAll(strings.TrimPrefix(c.want, "\n"), "\t", ""), "\n")
			if c.want == "" {
				want = nil
			}
			if diff := cmp.Diff(want, segments(network(t, c.lab))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestForeignInterfacesLeaveASegmentOpen(t *testing.T) {
	lab := topologytest.Lab(t, "red, blue: machine\nred:a -- blue:b\nred:c -- blue:d")
	tunnel := lab.Interfaces["red:a"]
	tunnel.Kind = "gre"
	lab.Interfaces["red:a"] = tunnel
	delete(lab.Cables, "red:c--blue:d") // the other end is in a namespace that is not seen
	delete(lab.Interfaces, "blue:d")
	for _, s := range topology.New(lab, labengine.Live{}).Segments {
		if !s.Open {
			t.Errorf("%s is closed", s.Name())
		}
	}
}

// TestLookup finds routes as `ip route get` does.
func TestLookup(t *testing.T) {
	n := network(t, `
		r, a, b: machine
		r:eth0 10.0.0.1/24 10.0.7.1/32 -- a:eth0 10.0.0.2/24
		r:eth1 10.1.0.1/16 2001:db8:1::1/64 -- b:eth0 10.1.0.2/16
		r:eth2 10.2.0.1/24 down -- b:eth1
		r:d0 dummy
		r:lo 10.9.0.1/24
		r: route default via 10.0.0.2
		r: route 10.1.2.0/24 via 10.0.0.2
		r: route 10.3.0.0/16 via 10.1.0.2 metric 50
		r: route 10.3.0.0/16 via 10.0.0.2 metric 20
		r: route 10.4.0.0/16 via 10.2.0.9
		r: route 10.5.0.0/16 via 172.16.0.1
		r: route 10.6.0.0/16 via 172.16.0.1 dev eth1 onlink
		r: route 172.20.0.1 dev eth1
		r: route 10.8.0.0/16 via 172.20.0.1
		r: route blackhole 10.10.0.0/16
		r: route throw 10.11.0.0/16
		r: route 10.12.0.0/16 via 10.0.0.1
		r: route 10.13.0.0/16 via 10.1.0.2 table 100
		r: route 10.14.0.0/16 dev eth9
		r: route 2001:db8:2::/48 via 2001:db8:1::2
		r: route 2001:db8:3::/48 via fe80::1 dev eth1
		r: route 2001:db8:4::/48 via fe80::1`)
	r := n.Node("r")
	for _, c := range []struct{ to, want string }{
		{"10.0.0.77", "10.0.0.0/24 dev eth0"},
		{"10.1.2.3", "10.1.2.0/24 via 10.0.0.2 dev eth0"},
		{"10.1.3.3", "10.1.0.0/16 dev eth1"},
		{"10.3.0.1", "10.3.0.0/16 via 10.0.0.2 dev eth0"},
		{"10.4.0.1", "default via 10.0.0.2 dev eth0"}, // the link is down, its gateway is on no other
		{"10.5.0.1", "default via 10.0.0.2 dev eth0"}, // the gateway is reached by another one
		{"10.6.0.1", "10.6.0.0/16 via 172.16.0.1 dev eth1"},
		{"10.8.0.1", "10.8.0.0/16 via 172.20.0.1 dev eth1"},
		{"10.9.0.9", "default via 10.0.0.2 dev eth0"},
		{"10.10.0.1", "blackhole 10.10.0.0/16"},
		{"10.11.0.1", "none"},
		{"10.12.0.1", "default via 10.0.0.2 dev eth0"}, // the gateway is r itself
		{"10.13.0.1", "default via 10.0.0.2 dev eth0"},
		{"10.14.0.1", "default via 10.0.0.2 dev eth0"},
		{"8.8.8.8", "default via 10.0.0.2 dev eth0"},
		{"2001:db8:1::9", "2001:db8:1::/64 dev eth1"},
		{"2001:db8:2::1", "2001:db8:2::/48 via 2001:db8:1::2 dev eth1"},
		{"2001:db8:3::1", "2001:db8:3::/48 via fe80::1 dev eth1"},
		{"2001:db8:4::1", "none"},
	} {
		got := "none"
		if route, ok := r.Lookup(netip.MustParseAddr(c.to)); ok {
			seen := route.Route
			if seen.To == "" {
				seen.To = route.Prefix.String()
			}
			seen.Onlink, seen.Metric, seen.Kernel = false, 0, false
			if route.Out != nil {
				seen.Dev = route.Out.Name
			}
			got = seen.String()
		}
		if got != c.want {
			t.Errorf("to %s by %q, want %q", c.to, got, c.want)
		}
	}
	if r.ByRules {
		t.Error("without a rule, nothing looks into table 100")
	}
	if n := network(t, "r: machine\nr: rule from 10.0.0.0/24 table 100"); !n.Node("r").ByRules {
		t.Error("the rule is not noticed")
	}
}

// TestLiveRoutes: a peer address looks like a single one in the document; the kernel's own route tells.
func TestLiveRoutes(t *testing.T) {
	lab := topologytest.Lab(t, "red, blue: machine\nred:a 10.0.0.1/32 -- blue:b 10.0.0.2/32")
	n := topology.New(lab, labengine.Live{Nodes: map[labengine.ID]*labengine.NodeState{
		"red": {
			Routes: []labengine.Route{
				{To: "10.0.0.2/32", Dev: "a", Kernel: true, Scope: "link"},
				{To: "10.7.0.0/24", Dev: "a", Kernel: true, Scope: "link"}, // of an address that is gone by now
				{To: "default", Via: "10.0.0.2", Dev: "a"},                 // the document has such
			},
			Neighbours: []labengine.Neighbour{{IP: "10.0.0.2", State: "STALE"}, {IP: "10.0.0.3", State: "PERMANENT"}},
		},
		"blue": nil,
	}})
	red := n.Node("red")
	if r, ok := red.Lookup(netip.MustParseAddr("10.0.0.2")); !ok || r.Out.ID != "red:a" {
		t.Errorf("the peer is not on the link: %+v", r)
	}
	for _, to := range []string{"10.7.0.1", "8.8.8.8"} {
		if r, ok := red.Lookup(netip.MustParseAddr(to)); ok {
			t.Errorf("%s by %s", to, r.Text)
		}
	}
	if len(red.Neighbours()) != 1 || red.Neighbours()[0].IP != "10.0.0.3" {
		t.Errorf("neighbours made by hand: %v", red.Neighbours())
	}
}

func hop(n *topology.Network, out labengine.ID, to string) string {
	var at []string
	for _, i := range n.Hop(n.Interface(out), netip.MustParseAddr(to)) {
		at = append(at, string(i.ID))
	}
	return strings.Join(at, " ")
}

func TestHop(t *testing.T) {
	n := network(t, bridged+`
		other: machine
		other:eth0 192.168.1.3/24 -- office
		down: machine
		down:eth0 192.168.1.9/24 down -- office
		host:mv0 macvlan over eth0 192.168.1.20/24
		host:mv1 macvlan over eth0 mode bridge 192.168.1.21/24`)
	for _, c := range []struct{ out, to, want string }{
		{"red:veth-red", "192.168.15.2", "blue:veth-blue"},
		{"red:veth-red", "192.168.15.5", "host:v-net-0"},
		{"red:veth-red", "192.168.1.2", "host:v-net-0"}, // host answers for all of its addresses
		{"red:veth-red", "192.168.1.3", ""},
		{"red:veth-red", "192.168.15.1", ""},
		{"host:eth0", "192.168.1.3", "neighbour:eth0 other:eth0"},
		{"host:eth0", "192.168.1.9", ""}, // it is down
		{"red.lo", "192.168.15.2", ""},
		{"neighbour:eth0", "192.168.1.20", "host:mv0"},
		{"down:eth0", "192.168.1.3", ""},
	} {
		if got := hop(n, labengine.ID(c.out), c.to); got != c.want {
			t.Errorf("out of %s to %s: at %q, want %q", c.out, c.to, got, c.want)
		}
	}
	strict := network(t, bridged+"\n\t\thost: sysctl net.ipv4.conf.all.arp_ignore=1")
	if got := hop(strict, "red:veth-red", "192.168.1.2"); got != "" {
		t.Errorf("with arp_ignore, host answers at %s for another link's address", got)
	}
}

func TestMacvlansAndTheirParentDoNotHearEachOther(t *testing.T) {
	n := network(t, `
		host, peer: machine
		red, blue, green: namespace in host
		host:eth0 10.0.0.1/24 -- peer:eth0 10.0.0.2/24
		host:mv0 macvlan over eth0 mode bridge 10.0.0.3/24
		host:mv1 macvlan over eth0 mode bridge 10.0.0.4/24
		host:mv2 macvlan over eth0 10.0.0.5/24`)
	moved := n.Lab.Clone()
	for name, node := range map[labengine.ID]labengine.ID{"host:mv0": "red", "host:mv1": "blue", "host:mv2": "green"} {
		i := moved.Interfaces[name]
		i.Node = node
		moved.Interfaces[name] = i
	}
	n = topology.New(moved, labengine.Live{})
	for _, c := range []struct{ out, to, want string }{
		{"host:mv0", "10.0.0.2", "peer:eth0"},
		{"host:mv0", "10.0.0.4", "host:mv1"},
		{"host:mv0", "10.0.0.1", ""}, // the classic
		{"host:eth0", "10.0.0.3", ""},
		{"host:mv0", "10.0.0.5", ""}, // of mode vepa
		{"peer:eth0", "10.0.0.5", "host:mv2"},
	} {
		if got := hop(n, labengine.ID(c.out), c.to); got != c.want {
			t.Errorf("out of %s to %s: at %q, want %q", c.out, c.to, got, c.want)
		}
	}
}

func TestNext(t *testing.T) {
	n := network(t, bridged)
	for _, c := range []struct{ from, to, want string }{
		{"red", "192.168.1.3", "default via 192.168.15.5 -> host:v-net-0"},
		{"red", "192.168.15.2", "192.168.15.0/24 dev veth-red -> blue:veth-blue"},
		{"host", "192.168.15.1", "192.168.15.0/24 dev v-net-0 -> red:veth-red"},
		{"host", "192.168.15.9", "192.168.15.0/24 dev v-net-0 ->"},
		{"neighbour", "192.168.15.1", "192.168.15.0/24 via 192.168.1.2 -> host:eth0"},
	} {
		r, at := n.Next(n.Node(labengine.ID(c.from)), netip.MustParseAddr(c.to))
		got := r.String() + " ->"
		for _, i := range at {
			got += fmt.Sprint(" ", i.ID)
		}
		if got != c.want {
			t.Errorf("%s to %s: %q, want %q", c.from, c.to, got, c.want)
		}
	}
	if r, at := n.Next(n.Node("host"), netip.MustParseAddr("8.8.8.8")); r != nil || at != nil {
		t.Errorf("host to 8.8.8.8: %v %v", r, at)
	}
}

func TestForwards(t *testing.T) {
	for _, c := range []struct {
		setting string
		v4, v6  bool
	}{
		{"net.ipv4.ip_forward=1", true, false},
		{"net.ipv4.ip_forward=0", false, false},
		{"net.ipv4.conf.all.forwarding=1", true, false},
		{"net/ipv4/conf/eth0/forwarding=1", true, false},
		{"net.ipv6.conf.all.forwarding=1", false, true},
		{"net.ipv4.conf.all.rp_filter=1", false, false},
	} {
		node := network(t, "r: machine\nr: sysctl "+c.setting).Node("r")
		if node.Forwards(false) != c.v4 || node.Forwards(true) != c.v6 {
			t.Errorf("%s: IPv4 %v, IPv6 %v", c.setting, node.Forwards(false), node.Forwards(true))
		}
	}
}

func TestLabelsAndOwners(t *testing.T) {
	lab := topologytest.Lab(t, bridged)
	namesake, err := lab.Edit([]labengine.Edit{{AddNode: &labengine.AddNode{ID: "red2", Name: "red", Kind: labengine.Namespace, In: "neighbour"}}})
	if err != nil {
		t.Fatal(err)
	}
	n := topology.New(namesake, labengine.Live{})
	if label := n.Node("red").Label; label != "host/red" {
		t.Errorf("red is called %s", label)
	}
	if i := n.Interface("red:veth-red"); i.String() != "veth-red of host/red" || !i.Has(netip.MustParseAddr("192.168.15.1")) {
		t.Errorf("the interface is %s", i)
	}
	if owners := n.Owners(netip.MustParseAddr("192.168.1.2")); len(owners) != 1 || owners[0].ID != "host:eth0" {
		t.Errorf("192.168.1.2 is %v's", owners)
	}
	host := n.Node("host")
	for address, own := range map[string]bool{"192.168.15.5": true, "127.0.0.9": true, "::1": true, "192.168.15.1": false} {
		if host.Owns(netip.MustParseAddr(address)) != own {
			t.Errorf("host owns %s: %v", address, !own)
		}
	}
}

func TestTheInternetAnswersForItsHosts(t *testing.T) {
	n := network(t, "world: internet\nhost: machine\nhost:eth0 203.0.113.2/24 -- world:eth0 203.0.113.1/24")
	world := n.Node("world")
	for address, own := range map[string]bool{"8.8.8.8": true, "203.0.113.1": true, "203.0.113.2": false, "192.168.1.1": false} {
		if world.Owns(netip.MustParseAddr(address)) != own {
			t.Errorf("the internet answers at %s: %v", address, !own)
		}
	}
	if !world.Forwards(false) || !world.Forwards(true) || n.Node("host").Forwards(false) {
		t.Error("its routers forward, a machine does when it is told to")
	}
}

// star is a machine with n namespaces, each on a cable of its own with a network of its own, and a way out through it.
func star(n int) string {
	var b strings.Builder
	b.WriteString("host: machine\nhost: sysctl net.ipv4.ip_forward=1\n")
	for i := range n {
		net := fmt.Sprintf("10.%d.%d.", i/256, i%256)
		fmt.Fprintf(&b, "n%d: namespace in host\nn%d:eth0 %s2/24 -- host:h%d %s1/24\nn%d: route default via %s1\n", i, i, net, i, net, i, net)
	}
	return b.String()
}

func BenchmarkNew(b *testing.B) {
	for _, size := range []int{10, 100, 1000} {
		lab := topologytest.Lab(b, star(size))
		b.Run(fmt.Sprint("nodes=", size), func(b *testing.B) {
			for b.Loop() {
				topology.New(lab, labengine.Live{})
			}
		})
	}
}
