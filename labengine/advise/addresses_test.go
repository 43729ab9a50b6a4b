package advise_test

import (
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/topology/topologytest"
)

func TestPortAddress(t *testing.T) {
	check(t, []spoken{
		{"on the port instead of the bridge", `
			host: machine
			red: namespace in host
			host:v-net-0 bridge
			red:veth-red 192.168.15.1/24 -- host:veth-red-br 192.168.15.5/24 on v-net-0`, `
			port-address host:veth-red-br: veth-red-br of host has 192.168.15.5/24, but it is a port of v-net-0: a port is only a socket of the switch, and what arrives there is the bridge's [Move 192.168.15.5/24 to v-net-0]`},
		{"on both", `
			host: machine
			red: namespace in host
			host:v-net-0 bridge 192.168.15.5/24
			red:veth-red 192.168.15.1/24 -- host:veth-red-br 192.168.15.5/24 10.0.0.1/24 on v-net-0`, `
			port-address host:veth-red-br: veth-red-br of host has 192.168.15.5/24 and 10.0.0.1/24, but it is a port of v-net-0: a port is only a socket of the switch, and what arrives there is the bridge's [Move 192.168.15.5/24 and 10.0.0.1/24 to v-net-0]`},
		{"on a LAN's port", `
			host: machine
			office: lan
			host:eth0 192.168.1.2/24 -- office:p1 192.168.1.1/24`, `
			port-address office:p1: p1 of office has 192.168.1.1/24, but it is a port of office: a port is only a socket of the switch, and what arrives there is the bridge's [Take 192.168.1.1/24 from the port of office]`},
		{"on the bridge", bridged, ""},
	})
}

func TestHostPrefix(t *testing.T) {
	check(t, []spoken{
		{"the lecture's line, on both ends", `
			red, blue: machine
			red:veth-red 192.168.15.1 -- blue:veth-blue 192.168.15.2`, `
			host-prefix red:veth-red: veth-red of red has 192.168.15.1/32, a subnet of one address: red has no route to anybody else on the cable from red to blue [Make it 192.168.15.1/24]
			host-prefix blue:veth-blue: veth-blue of blue has 192.168.15.2/32, a subnet of one address: blue has no route to anybody else on the cable from red to blue [Make it 192.168.15.2/24]`},
		{"on one end, and the other says which subnet", `
			red, blue: machine
			red:veth-red 10.0.0.1 -- blue:veth-blue 10.0.0.2/16`, `
			host-prefix red:veth-red: veth-red of red has 10.0.0.1/32, a subnet of one address: red has no route to anybody else on the cable from red to blue [Make it 10.0.0.1/16]`},
		{"alone yet", `
			red, blue: machine
			red:veth-red 192.168.15.1 -- blue:veth-blue`, `
			host-prefix red:veth-red: veth-red of red has 192.168.15.1/32, a subnet of one address: red has no route to anybody else on the cable from red to blue [Make it 192.168.15.1/24]`},
		{"with a way out that the kernel would refuse for it", `
			host: machine
			red: namespace in host
			host:v-net-0 bridge 192.168.15.5/24
			red:veth-red 192.168.15.1 -- host:veth-red-br on v-net-0
			red: route default via 192.168.15.5`, `
			host-prefix red:veth-red: veth-red of red has 192.168.15.1/32, a subnet of one address: red has no route to anybody else on v-net-0 [Make it 192.168.15.1/24]`},
		{"of the bridge", `
			host: machine
			red: namespace in host
			host:v-net-0 bridge 192.168.15.5/32
			red:veth-red 192.168.15.1/24 -- host:veth-red-br on v-net-0`, `
			host-prefix host:v-net-0: v-net-0 of host has 192.168.15.5/32, a subnet of one address: host has no route to anybody else on v-net-0 [Make it 192.168.15.5/24]`},
		{"IPv6", `
			red, blue: machine
			red:a 2001:db8::1 -- blue:b 2001:db8::2/64`, `
			host-prefix red:a: a of red has 2001:db8::1/128, a subnet of one address: red has no route to anybody else on the cable from red to blue [Make it 2001:db8::1/64]`},
		{"a second address", `
			red, blue: machine
			red:a 10.0.0.1/24 10.0.0.100/32 -- blue:b 10.0.0.2/24`, ""},
		{"with a route to the other end, as pods have", `
			host: machine
			pod: namespace in host
			pod:eth0 10.244.0.7/32 -- host:cali7
			pod: route 169.254.1.1 dev eth0
			pod: route default via 169.254.1.1
			host: route 10.244.0.7 dev cali7`, ""},
		{"with a gateway taken to be on the link", `
			red, blue: machine
			red:a 10.0.0.1/32 -- blue:b
			red: route default via 10.9.9.9 dev a onlink`, ""},
		{"of lo and of a dummy", "red: machine\nred:lo 10.9.9.9/32\nred:d0 dummy 10.9.9.8/32", ""},
		{"of a bridge without ports", "host: machine\nhost:br0 bridge 10.0.0.1/32", ""},
	})
	t.Run("a peer address, as the kernel's route tells", func(t *testing.T) {
		lab := topologytest.Lab(t, "red, blue: machine\nred:a 10.0.0.1/32 -- blue:b 10.0.0.2/32")
		peer := func(to, dev string) *labengine.NodeState {
			return &labengine.NodeState{Routes: []labengine.Route{{To: to, Dev: dev, Kernel: true, Scope: "link"}}}
		}
		live := labengine.Live{Nodes: map[labengine.ID]*labengine.NodeState{"red": peer("10.0.0.2/32", "a"), "blue": peer("10.0.0.1/32", "b")}}
		checkLab(t, lab, live, nil)
	})
}

func TestAddressTwice(t *testing.T) {
	check(t, []spoken{
		{"two namespaces on a bridge", bridged + `
			purple: namespace in host
			purple:veth-purple 192.168.15.3/24 -- host:veth-purple-br on v-net-0`, `
			address-twice green:veth-green: veth-green of green and veth-purple of purple both have 192.168.15.3 on v-net-0: who sends to it reaches now one, now the other [Make veth-purple of purple 192.168.15.6/24]`},
		{"the gateway keeps it", `
			host, other: machine
			office: lan
			aa: machine
			aa:eth0 192.168.1.1/24 -- office
			host:eth0 192.168.1.1/24 -- office
			host:eth1 10.0.0.1/24 -- other:eth1 10.0.0.2/24`, `
			address-twice host:eth0: eth0 of host and eth0 of aa both have 192.168.1.1 on office: who sends to it reaches now one, now the other [Make eth0 of aa 192.168.1.2/24]`},
		{"three of them", `
			a, b, c: machine
			office: lan
			a:e 10.0.0.1/29 -- office
			b:e 10.0.0.1/29 -- office
			c:e 10.0.0.1/29 -- office`, `
			address-twice a:e: e of a, e of b and e of c all have 10.0.0.1 on office: who sends to it reaches now one, now the other [Give e of b and e of c another one]`},
		{"a full subnet", `
			a, b: machine
			a:e 10.0.0.1/30 10.0.0.2/30 -- b:e 10.0.0.1/30`, `
			address-twice a:e: e of a and e of b both have 10.0.0.1 on the cable from a to b: who sends to it reaches now one, now the other [Take it from e of b]`},
		{"single addresses", `
			a, b: machine
			a:e 10.0.0.9/24 10.0.0.1/32 -- b:e 10.0.0.8/24 10.0.0.1/32`, `
			address-twice a:e: e of a and e of b both have 10.0.0.1 on the cable from a to b: who sends to it reaches now one, now the other [Take it from e of b]`},
		{"in two lengths", `
			a, b: machine
			a:e 10.0.0.1/24 -- b:e 10.0.0.1/24 10.0.0.1/16`, `
			address-twice a:e: e of a and e of b both have 10.0.0.1 on the cable from a to b: who sends to it reaches now one, now the other [Make e of b 10.0.0.2/24]`},
		{"IPv6", `
			a, b: machine
			a:e 2001:db8::1/64 -- b:e 2001:db8::1/64`, `
			address-twice a:e: e of a and e of b both have 2001:db8::1 on the cable from a to b: who sends to it reaches now one, now the other [Make e of b 2001:db8::2/64]`},
		{"in two lengths on one interface", `
			a, b: machine
			a:e 10.0.0.1/24 10.0.0.1/16 -- b:e 10.0.0.2/24`, ""},
		{"one is down", `
			a, b, c: machine
			office: lan
			a:e 10.0.0.1/24 -- office
			b:e 10.0.0.1/24 -- office
			c:e 10.0.0.3/24 -- office
			b:e down`, `
			interface-down b:e: e of b is down: nothing passes its cable to p2 of office [Set e up]`},
		{"on different networks", `
			a, b, c: machine
			a:e 10.0.0.1/24 -- b:e 10.0.0.2/24
			a:f 10.1.0.1/24 -- c:e 10.1.0.2/24
			c:f 10.0.0.1/24 -- b:f`, ""},
		{"kept apart by vlan filtering", `
			host: machine
			red, blue: namespace in host
			host:br0 bridge vlan_filtering 1
			red:a 10.0.0.1/24 -- host:ra on br0
			blue:a 10.0.0.1/24 -- host:ba on br0`, ""},
	})
}

func TestDifferentSubnets(t *testing.T) {
	check(t, []spoken{
		{"the two ends of a cable", `
			red, blue: machine
			red:a 192.168.15.1/24 -- blue:b 192.168.51.2/24`, `
			different-subnets blue:b: a of red has 192.168.15.1/24 and b of blue has 192.168.51.2/24: the two ends of a cable are in one subnet, or they do not reach each other [Make it 192.168.15.2/24]`},
		{"the router is right", `
			red, r, blue: machine
			red:a 192.168.51.2/24 -- r:b 192.168.15.1/24
			r:c 10.0.0.1/24 -- blue:d 10.0.0.2/24`, `
			different-subnets red:a: b of r has 192.168.15.1/24 and a of red has 192.168.51.2/24: the two ends of a cable are in one subnet, or they do not reach each other [Make it 192.168.15.2/24]`},
		{"another length, and only one end takes the other to be there", `
			red, blue: machine
			red:a 10.0.0.1/24 -- blue:b 10.0.1.2/16`, `
			different-subnets blue:b: a of red has 10.0.0.1/24 and b of blue has 10.0.1.2/16: the two ends of a cable are in one subnet, or they do not reach each other [Make it 10.0.0.2/24]`},
		{"the host part is taken", `
			red, blue: machine
			red:a 10.0.0.1/24 10.0.0.2/24 -- blue:b 10.0.1.2/24`, `
			different-subnets blue:b: a of red has 10.0.0.1/24 and b of blue has 10.0.1.2/24: the two ends of a cable are in one subnet, or they do not reach each other [Make it 10.0.0.3/24]`},
		{"an end on a bridge", `
			host: machine
			red: namespace in host
			host:v-net-0 bridge 192.168.15.5/24
			red:veth-red 192.168.51.1/24 -- host:veth-red-br on v-net-0`, `
			different-subnets red:veth-red: v-net-0 of host has 192.168.15.5/24 and veth-red of red has 192.168.51.1/24: the two ends of a cable are in one subnet, or they do not reach each other [Make it 192.168.15.1/24]`},
		{"one of many", bridged + `
			purple: namespace in host
			purple:veth-purple 192.168.51.6/24 -- host:veth-purple-br on v-net-0`, `
			different-subnets purple:veth-purple: veth-purple of purple has 192.168.51.6/24, and everyone else on v-net-0 is in 192.168.15.0/24: nobody there reaches it [Make it 192.168.15.6/24]`},
		{"IPv6", `
			red, blue: machine
			red:a 2001:db8:1::1/64 -- blue:b 2001:db8:2::2/64`, `
			different-subnets blue:b: a of red has 2001:db8:1::1/64 and b of blue has 2001:db8:2::2/64: the two ends of a cable are in one subnet, or they do not reach each other [Make it 2001:db8:1::2/64]`},
		{"a second address joins them", `
			red, blue: machine
			red:a 10.0.0.1/24 -- blue:b 10.1.0.2/24 10.0.0.2/24`, ""},
		{"lengths that differ, and each takes the other to be there", `
			red, blue: machine
			red:a 10.0.0.1/24 -- blue:b 10.0.0.2/16`, ""},
		{"one family each", `
			red, blue: machine
			red:a 10.0.0.1/24 -- blue:b 2001:db8::2/64`, ""},
		{"a route to the other end", `
			red, blue: machine
			red:a 10.0.0.1/24 -- blue:b 10.1.0.2/24
			red: route 10.1.0.2 dev a
			blue: route 10.0.0.1 dev b`, ""},
		{"two tenants on a switch", `
			a, b, c, d: machine
			office: lan
			a:e 10.0.0.1/24 -- office
			b:e 10.0.0.2/24 -- office
			c:e 10.1.0.1/24 -- office
			d:e 10.1.0.2/24 -- office`, ""},
		{"two on a switch yet", `
			a, b: machine
			office: lan
			a:e 10.0.0.1/24 -- office
			b:e 10.1.0.1/24 -- office`, ""},
		{"the router of two networks on a switch", `
			r, a, b: machine
			office: lan
			r:e 10.0.0.1/24 10.1.0.1/24 -- office
			a:e 10.0.0.2/24 -- office
			b:e 10.1.0.2/24 -- office`, ""},
	})
}
