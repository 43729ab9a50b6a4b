package advise_test

import (
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/topology/topologytest"
)

func TestSubnetAddress(t *testing.T) {
	check(t, []spoken{
		{"the subnet's own", `
			red, blue: machine
			red:e 192.168.15.0/24 -- blue:e 192.168.15.1/24`, `
			subnet-address red:e: e of red has 192.168.15.0/24, which names the subnet itself: it is no host's [Make it 192.168.15.2/24]`},
		{"its broadcast address", `
			red, blue: machine
			red:e 192.168.15.127/25 -- blue:e 192.168.15.1/25`, `
			subnet-address red:e: e of red has 192.168.15.127/25, the subnet's broadcast address: what is sent to it is for everybody, and nobody's to answer [Make it 192.168.15.2/25]`},
		{"no other is free", `
			red, blue, green: machine
			host: machine
			host:br bridge
			red:e 10.0.0.3/30 -- host:p1 on br
			blue:e 10.0.0.1/30 -- host:p2 on br
			green:e 10.0.0.2/30 -- host:p3 on br`, `
			subnet-address red:e: e of red has 10.0.0.3/30, the subnet's broadcast address: what is sent to it is for everybody, and nobody's to answer`},
		{"ends in 0 or 255 within a larger subnet", `
			red, blue: machine
			red:e 10.0.0.255/16 -- blue:e 10.0.1.0/16`, ""},
		{"both of a /31", `
			red, blue: machine
			red:e 10.0.0.0/31 -- blue:e 10.0.0.1/31`, ""},
		{"IPv6 has no broadcast", `
			red, blue: machine
			red:e 2001:db8::/64 -- blue:e 2001:db8::1/64`, ""},
	})
}

func TestSubnetTwice(t *testing.T) {
	const left = `
		host: machine
		red, blue: namespace in host
		host:ovs0 ovs 192.168.15.5/24
		host:v-net-0 bridge 192.168.15.5/24
		red:veth-red 192.168.15.1/24 -- host:veth-red-br on ovs0
		blue:veth-blue 192.168.15.2/24 -- host:veth-blue-br on ovs0
		`
	const two = `
		r, a, b: machine
		r:e 10.0.0.1/24 -- a:e 10.0.0.2/24
		r:f 10.0.0.3/24 -- b:e 10.0.0.4/24
		`
	check(t, []spoken{
		{"the bridge that everybody has left", left, `
			subnet-twice host:v-net-0: host has addresses of 192.168.15.0/24 on ovs0 and on v-net-0, which are not joined: it sends all to one of them, and whoever is behind the other gets nothing [Take 192.168.15.0/24 from v-net-0]`},
		{"two cables", two, `
			subnet-twice r:f: r has addresses of 10.0.0.0/24 on e and on f, which are not joined: it sends all to one of them, and whoever is behind the other gets nothing`},
		{"IPv6, and several addresses", `
			r, a: machine
			r:d dummy 2001:db8::9/64 2001:db8::10/64
			r:e 2001:db8::1/64 2001:db8::3/64 -- a:e 2001:db8::2/64`, `
			subnet-twice r:d: r has addresses of 2001:db8::/64 on e and on d, which are not joined: it sends all to one of them, and whoever is behind the other gets nothing [Take 2001:db8::/64 from d]`},
		{"nobody is there yet", `
			host: machine
			red: namespace in host
			host:br0 bridge 192.168.15.5/24
			host:br1 bridge 192.168.15.5/24
			host:a on br0 -- red:a`, ""},
		{"the one that is left is down", left + "host:v-net-0 down", ""},
		{"both on one switch", `
			r, a: machine
			office: lan
			r:e 10.0.0.1/24 -- office
			r:f 10.0.0.3/24 -- office
			a:e 10.0.0.2/24 -- office`, ""},
		{"an address of a macvlan", `
			r, a: machine
			r:e 10.0.0.1/24 -- a:e 10.0.0.2/24
			r:m macvlan over e mode bridge 10.0.0.3/24`, ""},
		{"single addresses, and both ends of point-to-point links", `
			r, a, b: machine
			r:e 10.0.0.1/32 10.1.0.0/31 -- a:e 10.0.0.2/32 10.1.0.1/31
			r:f 10.0.0.1/32 10.1.0.0/31 -- b:e 10.0.0.3/32 10.1.0.1/31
			r: route 10.0.0.2 dev e
			r: route 10.0.0.3 dev f
			a, b: route 10.0.0.1 dev e`, ""},
		{"a larger one beside a smaller one", `
			r, a, b: machine
			r:e 10.0.0.1/16 -- a:e 10.0.7.2/16
			r:f 10.0.1.1/24 -- b:e 10.0.1.2/24`, ""},
		{"routes say who is where", two + "r: route 10.0.0.4 dev f", ""},
		{"rules choose a table", two + "r: rule from 10.0.0.3 table 100\nr: route 10.0.0.0/24 dev f table 100", ""},
	})
	t.Run("the kernel has no route for one of them: noprefixroute", func(t *testing.T) {
		live := labengine.Live{Nodes: map[labengine.ID]*labengine.NodeState{
			"r": {Routes: []labengine.Route{{To: "10.0.0.0/24", Dev: "e", Kernel: true, Scope: "link"}}},
		}}
		checkLab(t, topologytest.Lab(t, two), live, nil)
	})
}
