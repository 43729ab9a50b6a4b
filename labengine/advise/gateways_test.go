package advise_test

import (
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/topology/topologytest"
)

func TestGatewayNotConnected(t *testing.T) {
	check(t, []spoken{
		{"the router's other address", strings.Replace(bridged, "blue, green, yellow: route default via 192.168.15.5",
			"blue, green, yellow: route default via 192.168.1.2", 1),
			"gateway-not-connected red: the gateway 192.168.1.2 in `default via 192.168.1.2` of red, blue and 2 more is on no network that they have an address in: the kernel refuses the route [Send it through 192.168.15.5]"},
		{"a slip of the finger", `
			r, a, b: machine
			a:e 10.0.0.2/24 -- r:e 10.0.0.1/24
			b:e 10.1.0.2/24 -- r:f 10.1.0.1/24
			a: route default via 10.0.10.1
			b: route default via 10.0.10.1`,
			"gateway-not-connected a: the gateway 10.0.10.1 in `default via 10.0.10.1` of a is on no network that it has an address in: the kernel refuses the route [Send it through 10.0.0.1]" + "\n" +
				"gateway-not-connected b: the gateway 10.0.10.1 in `default via 10.0.10.1` of b is on no network that it has an address in: the kernel refuses the route [Send it through 10.1.0.1]"},
		{"itself", `
			r, a, b: machine
			a:e 10.0.0.2/24 -- r:e 10.0.0.1/24
			b:e 10.1.0.2/24 -- r:f 10.1.0.1/24
			a: route default via 10.0.0.2`,
			"gateway-not-connected a: the route `default via 10.0.0.2` of a leads to itself: a gateway is somebody else [Send it through 10.0.0.1]"},
		{"on another link than it says", `
			r, a: machine
			a:e 10.0.0.2/24 -- r:e 10.0.0.1/24
			a:f 10.1.0.2/24 -- r:f 10.1.0.1/24
			a: route 10.9.0.0/16 via 10.0.0.1 dev f`,
			"gateway-not-connected a: the gateway 10.0.0.1 in `10.9.0.0/16 via 10.0.0.1 dev f` of a is not on f: the kernel refuses the route [Send it through 10.0.0.1]"},
		{"the right route is there too", `
			r, a, b: machine
			a:e 10.0.0.2/24 -- r:e 10.0.0.1/24
			b:e 10.1.0.2/24 -- r:f 10.1.0.1/24
			a: route default via 10.0.0.1
			a: route default via 10.0.10.1`,
			"gateway-not-connected a: the gateway 10.0.10.1 in `default via 10.0.10.1` of a is on no network that it has an address in: the kernel refuses the route [Send it through 10.0.0.1]" + "\n" +
				"forwarding-off r: a sends through r, which drops what is not for itself: net.ipv4.ip_forward is 0 [Let r forward]"},
		{"nobody routes there", `
			a, b: machine
			a:e 10.0.0.2/24 -- b:e 10.0.0.1/24
			a: route default via 10.7.0.1`,
			"gateway-not-connected a: the gateway 10.7.0.1 in `default via 10.7.0.1` of a is on no network that it has an address in: the kernel refuses the route"},
		{"its link is down, which is said instead", `
			r, a: machine
			a:e 10.0.0.2/24 down -- r:e 10.0.0.1/24
			a: route default via 10.0.0.1`, `
			interface-down a:e: e of a is down: nothing passes its cable to e of r [Set e up]`},
		{"an interface that is not there yet", `
			a, b: machine
			a:e 10.0.0.2/24 -- b:e 10.0.0.1/24
			a: route default via 10.7.0.1 dev eth7`, ""},
		{"taken to be on the link", `
			a, b: machine
			a:e 10.0.0.2/24 -- b:e 10.0.0.1/24
			a: route default via 10.7.0.1 dev e onlink`, `
			gateway-absent a: a sends through 10.7.0.1, and nobody on the cable from a to b has that address`},
		{"link-local", `
			a, b: machine
			a:e 2001:db8::2/64 -- b:e 2001:db8::1/64
			a: route default via fe80::1 dev e`, ""},
		{"in another table", `
			a, b: machine
			a:e 10.0.0.2/24 -- b:e 10.0.0.1/24
			a: route default via 10.7.0.1 table 100`, ""},
		{"of the other family", `
			a, b: machine
			a:e 10.0.0.2/24 -- b:e 10.0.0.1/24
			a: route 2001:db8:9::/48 via 2001:db8::1`, ""},
	})
}

func TestGatewayAbsent(t *testing.T) {
	check(t, []spoken{
		{"the bridge has no address yet", `
			host: machine
			red, blue: namespace in host
			host:v-net-0 bridge
			red:veth-red 192.168.15.1/24 -- host:veth-red-br on v-net-0
			blue:veth-blue 192.168.15.2/24 -- host:veth-blue-br on v-net-0
			red, blue: route default via 192.168.15.5`, `
			gateway-absent red: red and blue send through 192.168.15.5, and nobody on v-net-0 has that address [Give v-net-0 the address 192.168.15.5/24]`},
		{"the router has another one", strings.ReplaceAll(bridged, "blue, green, yellow: route default via 192.168.15.5",
			"blue, green, yellow: route default via 192.168.15.9"), `
			gateway-absent red: red, blue and 2 more send through 192.168.15.9, and nobody on v-net-0 has that address [Send it through 192.168.15.5]`},
		{"the end of a cable has none", `
			red, blue, green: machine
			office: lan
			red:a 10.0.0.1/24 -- office
			blue:b 10.0.0.2/24 -- office
			green:c -- office
			red: route default via 10.0.0.9
			red: route 10.9.0.0/16 via 10.0.0.9`, `
			gateway-absent red: red sends through 10.0.0.9, and nobody on office has that address`},
		{"two routers could be meant", `
			red, r1, r2, out: machine
			office: lan
			red:a 10.0.0.1/24 -- office
			r1:a 10.0.0.2/24 -- office
			r2:a 10.0.0.3/24 -- office
			r1:b 10.1.0.1/24 -- out:b 10.1.0.3/24
			r2:b 10.2.0.1/24 -- out:c 10.2.0.3/24
			red: route default via 10.0.0.9`, `
			gateway-absent red: red sends through 10.0.0.9, and nobody on office has that address`},
		{"a proxy may answer", `
			red, blue: machine
			red:a 10.0.0.1/24 -- blue:b 10.0.0.2/24
			blue: sysctl net.ipv4.conf.b.proxy_arp=1
			red: route default via 10.0.0.9`, ""},
		{"behind a tunnel that is not seen", `
			red: machine
			red:vx vxlan id 42 10.0.0.1/24
			red: route default via 10.0.0.9`, ""},
		{"its interface is down, which is said instead", `
			red, blue: machine
			red:a 10.0.0.1/24 -- blue:b 10.0.0.2/24 down
			red: route default via 10.0.0.2`, `
			interface-down blue:b: b of blue is down: nothing passes its cable to a of red [Set b up]`},
		{"a macvlan and its parent do not hear each other, but it is there", `
			host, peer: machine
			host:eth0 10.0.0.1/24 -- peer:eth0 10.0.0.2/24
			host:mv macvlan over eth0 mode bridge 10.0.0.3/24
			peer: route default via 10.0.0.3`, ""},
	})
	t.Run("with a neighbour made by hand", func(t *testing.T) {
		lab := topologytest.Lab(t, redAndBlue+"red: route default via 192.168.15.9")
		checkLab(t, lab, labengine.Live{Nodes: map[labengine.ID]*labengine.NodeState{
			"red": {Neighbours: []labengine.Neighbour{{IP: "192.168.15.9", MAC: "02:00:00:00:00:01", Dev: "veth-red", State: "PERMANENT"}}},
		}}, nil)
	})
}

func TestForwardingOff(t *testing.T) {
	off := strings.Replace(bridged, "host: sysctl net.ipv4.ip_forward=1", "", 1)
	check(t, []spoken{
		{"all of the picture but that", off, `
			forwarding-off host: neighbour, red and 3 more send through host, which drops what is not for itself: net.ipv4.ip_forward is 0 [Let host forward]`},
		{"before there is a way back", `
			host, neighbour: machine
			office: lan
			blue: namespace in host
			host:v-net-0 bridge 192.168.15.5/24
			blue:veth-blue 192.168.15.2/24 -- host:veth-blue-br on v-net-0
			host:eth0 192.168.1.2/24 -- office
			neighbour:eth0 192.168.1.3/24 -- office
			blue: route 192.168.1.0/24 via 192.168.15.5`, `
			forwarding-off host: blue sends through host, which drops what is not for itself: net.ipv4.ip_forward is 0 [Let host forward]`},
		{"of one family", `
			a, r, b: machine
			r: sysctl net.ipv4.ip_forward=1
			a:e 10.0.0.2/24 2001:db8:1::2/64 -- r:e 10.0.0.1/24 2001:db8:1::1/64
			b:e 10.1.0.2/24 2001:db8:2::2/64 -- r:f 10.1.0.1/24 2001:db8:2::1/64
			a: route default via 10.0.0.1
			b: route default via 10.1.0.1
			a: route default via 2001:db8:1::1
			b: route default via 2001:db8:2::1`, `
			forwarding-off r: a and b send through r, which drops what is not for itself: net.ipv6.conf.all.forwarding is 0 [Let r forward]`},
		{"switched on for an interface", off + "host: sysctl net.ipv4.conf.v-net-0.forwarding=1", ""},
		{"what is sent there leads nowhere else", `
			a, r, b: machine
			a:e 10.0.0.2/24 -- r:e 10.0.0.1/24
			b:e 10.1.0.2/24 -- r:f 10.1.0.1/24
			a: route 10.9.0.0/16 via 10.0.0.1`, ""},
		{"its other interface is a dummy", `
			a, r: machine
			a:e 10.0.0.2/24 -- r:e 10.0.0.1/24
			r:d0 dummy 10.1.0.1/24
			a: route 10.1.0.0/24 via 10.0.0.1`, ""},
		{"nobody sends through it", `
			a, r, b: machine
			a:e 10.0.0.2/24 -- r:e 10.0.0.1/24
			b:e 10.1.0.2/24 -- r:f 10.1.0.1/24`, ""},
	})
}

func TestNoReturnRoute(t *testing.T) {
	noWayBack := strings.Replace(bridged, "neighbour: route 192.168.15.0/24 via 192.168.1.2", "", 1)
	check(t, []spoken{
		{"the neighbour does not know the network behind host", noWayBack, `
			no-return-route neighbour: neighbour has no route back to 192.168.15.0/24: what red sends through host arrives, and the answer is lost [Add the route]`},
		{"nor do others on the LAN", noWayBack + `
			other, third, fourth: machine
			other:eth0 192.168.1.4/24 -- office
			third:eth0 192.168.1.5/24 -- office
			fourth:eth0 192.168.1.6/24 -- office`, `
			no-return-route neighbour: neighbour, other and 2 more have no route back to 192.168.15.0/24: what red sends through host arrives, and the answer is lost [Add the routes]`},
		{"the answers go to another router", noWayBack + `
			gw, wan: machine
			gw: sysctl net.ipv4.ip_forward=1
			gw:eth0 192.168.1.1/24 -- office
			gw:eth1 10.0.0.1/24 -- wan:eth0 10.0.0.2/24
			neighbour: route default via 192.168.1.1`, `
			no-return-route gw: gw has no route back to 192.168.15.0/24: what red sends through host arrives, and the answer is lost [Add the route]
			no-return-route wan: wan has no route back to 192.168.1.0/24: what neighbour sends through gw arrives, and the answer is lost [Add the route]`},
		{"the internet", `
			host: machine
			world: internet
			red: namespace in host
			host:v-net-0 bridge 192.168.15.5/24
			red:veth-red 192.168.15.1/24 -- host:veth-red-br on v-net-0
			host:wan0 203.0.113.2/24 -- world:eth0 203.0.113.1/24
			red: route default via 192.168.15.5
			host: route default via 203.0.113.1
			host: sysctl net.ipv4.ip_forward=1`, `
			no-return-route host: world has no route back to 192.168.15.0/24, which nobody out there knows: what red sends through host arrives, and the answer is lost [Let host lend its address]`},
		{"the internet, whose edge is the LAN's way out", noWayBack + `
			world: internet
			world:eth0 192.168.1.1/24 -- office
			host, neighbour: route default via 192.168.1.1`, `
			no-return-route host: world has no route back to 192.168.15.0/24, which nobody out there knows: what red sends through host arrives, and the answer is lost [Let host lend its address]`},
		{"two networks behind one router", `
			r, a, b, c: machine
			r: sysctl net.ipv4.ip_forward=1
			a:e 10.1.0.2/24 -- r:e 10.1.0.1/24
			b:e 10.2.0.2/24 -- r:f 10.2.0.1/24
			c:e 10.3.0.2/24 -- r:g 10.3.0.1/24
			a: route default via 10.1.0.1
			b: route default via 10.2.0.1`, `
			no-return-route c: c has no route back to 10.1.0.0/24 and 10.2.0.0/24: what a sends through r arrives, and the answer is lost [Add the route]`},
		{"the second router", `
			a, r1, r2, b: machine
			r1, r2: sysctl net.ipv4.ip_forward=1
			a:e 10.1.0.2/24 -- r1:w 10.1.0.1/24
			r1:e 10.12.0.1/30 -- r2:w 10.12.0.2/30
			r2:e 10.2.0.1/24 -- b:w 10.2.0.2/24
			a: route 10.2.0.0/24 via 10.1.0.1
			b: route default via 10.2.0.1
			r1: route 10.2.0.0/24 via 10.12.0.2`, `
			no-return-route r2: r2 has no route back to 10.1.0.0/24: what a sends through r1 arrives, and the answer is lost [Add the route]`},
		{"whoever is behind the second router", `
			a, r1, r2, b: machine
			r1, r2: sysctl net.ipv4.ip_forward=1
			a:e 10.1.0.2/24 -- r1:w 10.1.0.1/24
			r1:e 10.12.0.1/30 -- r2:w 10.12.0.2/30
			r2:e 10.2.0.1/24 -- b:w 10.2.0.2/24
			a: route 10.2.0.0/24 via 10.1.0.1
			r1: route 10.2.0.0/24 via 10.12.0.2
			r2: route 10.1.0.0/24 via 10.12.0.1`, `
			no-return-route b: b has no route back to 10.1.0.0/24: what a sends through r2 arrives, and the answer is lost [Add the route]`},
		{"a route to it that leads astray", noWayBack + `
			gw: machine
			gw: sysctl net.ipv4.ip_forward=1
			gw:eth0 192.168.1.1/24 -- office
			neighbour: route 192.168.15.0/24 via 192.168.1.1`, `
			no-return-route gw: gw has no route back to 192.168.15.0/24: what red sends through host arrives, and the answer is lost [Add the route]`},
		{"IPv6", `
			r, a, b: machine
			r: sysctl net.ipv6.conf.all.forwarding=1
			a:e 2001:db8:1::2/64 -- r:e 2001:db8:1::1/64
			b:e 2001:db8:2::2/64 -- r:f 2001:db8:2::1/64
			a: route default via 2001:db8:1::1`, `
			no-return-route b: b has no route back to 2001:db8:1::/64: what a sends through r arrives, and the answer is lost [Add the route]`},
		{"one of a network has no way out, and others have", strings.Replace(bridged, "green, yellow: route", "green: route", 1), ""},
		{"a network with no way out beside one that has it", bridged + `
			purple: namespace in host
			purple:veth-purple 10.0.0.2/24 -- host:veth-p 10.0.0.1/24
			`, `
			no-return-route purple: purple has no route back to 192.168.15.0/24: what red sends through host arrives, and the answer is lost [Add the route]`},
		{"answers are dropped on purpose", noWayBack + "neighbour: route blackhole 192.168.15.0/24", ""},
		{"rules choose the table", noWayBack + "neighbour: rule from 192.168.1.3 table 100", ""},
		{"the gateway lends its address", noWayBack + "host: iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE", ""},
		{"the gateway lends its address to some, perhaps", noWayBack + "host: iptables -t nat -A POSTROUTING -p tcp -j SNAT --to-source 192.168.1.2", ""},
		{"the gateway's firewall lets nothing of it pass", noWayBack + "host: iptables -A FORWARD -s 192.168.15.0/24 -j DROP", ""},
		{"a ring of routers", `
			r1, r2, r3, a: machine
			r1, r2, r3: sysctl net.ipv4.ip_forward=1
			r1:e 10.12.0.1/24 -- r2:w 10.12.0.2/24
			r2:e 10.23.0.2/24 -- r3:w 10.23.0.3/24
			r3:e 10.31.0.3/24 -- r1:w 10.31.0.1/24
			a:e 10.1.0.2/24 -- r1:a 10.1.0.1/24
			a: route default via 10.1.0.1
			r1: route default via 10.12.0.2
			r2: route default via 10.23.0.3
			r3: route default via 10.31.0.1`, ""},
	})
}

func TestTranslationThatIsNotInTheDocument(t *testing.T) {
	lab := topologytest.Lab(t, strings.Replace(bridged, "neighbour: route 192.168.15.0/24 via 192.168.1.2", "", 1))
	checkLab(t, lab, labengine.Live{Firewalls: map[labengine.ID]*labengine.Firewall{
		"host": {Native: "table ip nat { chain post { masquerade } }", Tables: 1},
	}}, nil)
	checkLab(t, lab, labengine.Live{Firewalls: map[labengine.ID]*labengine.Firewall{
		"host": {IPv4: []labengine.FirewallTable{{Name: "nat", Other: true}}},
	}}, nil)
}

func TestNoWayOn(t *testing.T) {
	const inside = `
			host: machine
			red, blue: namespace in host
			red:e 192.168.15.2/24 -- host:r 192.168.15.1/24
			blue:e 192.168.16.2/24 -- host:b 192.168.16.1/24
			red: route default via 192.168.15.1
			blue: route default via 192.168.16.1
			host: sysctl net.ipv4.ip_forward=1`
	const said = "no-way-on host: red and blue send through host whatever is for elsewhere, and host has no default route: it ends there"
	check(t, []spoken{
		{"nothing is elsewhere", inside, ""},
		{"the internet is next to the gateway", inside + `
			world: internet
			host:out 203.0.113.2/24 -- world:in 203.0.113.1/24`,
			said + " [Let host send it through 203.0.113.1]" + "\n" +
				"no-return-route host: world has no route back to 192.168.15.0/24 and 192.168.16.0/24, which nobody out there knows: what red sends through host arrives, and the answer is lost [Let host lend its address]"},
		{"another router leads there", inside + `
			edge: machine
			far: machine
			host:out 10.0.0.2/24 -- edge:in 10.0.0.1/24
			edge:out 10.9.0.2/24 -- far:in 10.9.0.1/24
			edge: route default via 10.9.0.1
			edge: route 192.168.0.0/16 via 10.0.0.2
			edge: sysctl net.ipv4.ip_forward=1`,
			said + " [Let host send it through 10.0.0.1]"},
		{"that one's own way leads back", inside + `
			edge: machine
			host:out 10.0.0.2/24 -- edge:in 10.0.0.1/24
			edge: route default via 10.0.0.2
			edge: sysctl net.ipv4.ip_forward=1`, ""},
	})
}
