package advise_test

import (
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/topology/topologytest"
)

func TestInterfaceDown(t *testing.T) {
	check(t, []spoken{
		{"one end of a cable", redAndBlue + "red:veth-red down", `
			interface-down red:veth-red: veth-red of red is down: nothing passes its cable to veth-blue of blue [Set veth-red up]`},
		{"both ends", redAndBlue + "red:veth-red down\nblue:veth-blue down", `
			interface-down red:veth-red: veth-red of red and veth-blue of blue are down: nothing passes the cable between them [Set both up]`},
		{"the port on the bridge", bridged + "host:veth-red-br down", `
			interface-down host:veth-red-br: veth-red-br of host is down: nothing passes its cable to veth-red of red [Set veth-red-br up]`},
		{"the LAN's port", bridged + "office:p1 down", `
			interface-down office:p1: p1 of office is down: nothing passes its cable to eth0 of host [Set p1 up]`},
		{"the bridge", bridged + "host:v-net-0 down", `
			interface-down host:v-net-0: v-net-0 of host is down: nothing passes between its 4 ports and host [Set v-net-0 up]`},
		{"a bridge without an address", `
			host: machine
			red, blue: namespace in host
			host:br0 bridge down
			red:a 10.0.0.1/24 -- host:ra on br0
			blue:a 10.0.0.2/24 -- host:ba on br0`, `
			interface-down host:br0: br0 of host is down: nothing passes between its 2 ports and host [Set br0 up]`},
		{"a bridge without ports", "host: machine\nhost:br0 bridge 10.0.0.1/24 down", `
			interface-down host:br0: br0 of host has 10.0.0.1/24 and is down: nothing arrives there [Set br0 up]`},
		{"a vlan, and the interface below one", `
			a, b: machine
			a:e down -- b:e
			a:e.10 vlan over e id 10 10.0.0.1/24
			b:e.10 vlan over e id 10 10.0.0.2/24 down`, `
			interface-down a:e: e of a is down: nothing passes its cable to e of b [Set e up]
			interface-down b:e.10: e.10 of b has 10.0.0.2/24 and is down: nothing arrives there [Set e.10 up]`},
		{"a cable between bridges", `
			host: machine
			red, blue: namespace in host
			host:br0 bridge
			host:br1 bridge
			host:x on br0 down -- host:y on br1
			red:a 10.0.0.1/24 -- host:ra on br0
			blue:a 10.0.0.2/24 -- host:ba on br1`, `
			interface-down host:x: x of host is down: nothing passes its cable to y of host [Set x up]`},
		{"a tunnel that is a port", `
			a: machine
			a:br0 bridge
			a:vx vxlan id 42 remote 10.0.0.2 on br0 down`, `
			interface-down a:vx: vx of a is down, and what depends on it passes nothing on [Set vx up]`},
		{"nothing is in use", `
			host, other: machine
			host:a down -- other:b
			host:c down -- other:d down
			host:br0 bridge down
			host:d0 dummy down`, ""},
		{"the second cable between two bridges, for then there is no ring", `
			host: machine
			host:br0 bridge
			host:br1 bridge
			host:a on br0 -- host:b on br1
			host:c on br0 down -- host:d on br1`, ""},
	})
}

// TestInternalPortDown: a port that Open vSwitch makes itself is where its machine has an address; without one, nobody misses it.
func TestInternalPortDown(t *testing.T) {
	lab := topologytest.Lab(t, "a: machine\na:ovs0 ovs\na:vi0 tun mode tap on ovs0 down")
	vi0 := lab.Interfaces["a:vi0"]
	vi0.Kind = labengine.Internal
	lab.Interfaces["a:vi0"] = vi0
	checkLab(t, lab, labengine.Live{}, nil)
}

func TestLoopbackDown(t *testing.T) {
	check(t, []spoken{
		{"with an address of its own", redAndBlue + "red:lo 10.9.9.9/32", `
			loopback-down red.lo: lo of red has 10.9.9.9/32 and is down: nothing reaches that address [Set lo up]`},
		{"up", redAndBlue + "red:lo 10.9.9.9/32\nred:lo up", ""},
		{"as ip netns add leaves it", redAndBlue, ""},
	})
	lab := topologytest.Lab(t, redAndBlue)
	waits := func(address string) labengine.Live {
		return labengine.Live{Nodes: map[labengine.ID]*labengine.NodeState{
			"red": {Sockets: []labengine.Socket{{Protocol: "tcp", Address: address, Port: 80}}},
		}}
	}
	t.Run("somebody waits there", func(t *testing.T) {
		checkLab(t, lab, waits("127.0.0.1"), []string{
			"loopback-down red.lo: lo of red is down: nothing reaches what waits at 127.0.0.1 port 80 there [Set lo up]",
		})
	})
	t.Run("somebody waits elsewhere", func(t *testing.T) { checkLab(t, lab, waits("0.0.0.0"), nil) })
}

func TestMTUMismatch(t *testing.T) {
	check(t, []spoken{
		{"two ends of a cable", `
			red, blue: machine
			red:a 10.0.0.1/24 mtu 1400 -- blue:b 10.0.0.2/24`, `
			mtu-mismatch red:a: a of red has an MTU of 1400 and b of blue one of 1500: packets of more than 1400 bytes between them vanish without a word [Set an MTU of 1400 on b too]`},
		{"one cable of many on a bridge", `
			host: machine
			red, blue: namespace in host
			host:br0 bridge 10.0.0.5/24
			red:a 10.0.0.1/24 mtu 1400 -- host:ra on br0 mtu 1400
			blue:a 10.0.0.2/24 -- host:ba on br0`, `
			mtu-mismatch red:a: a of red has an MTU of 1400 and br0 of host one of 1500: packets of more than 1400 bytes between them vanish without a word [Set an MTU of 1400 everywhere on br0]`},
		{"a port alone", `
			host: machine
			red, blue: namespace in host
			host:br0 bridge
			red:a 10.0.0.1/24 -- host:ra on br0 mtu 1400
			blue:a 10.0.0.2/24 -- host:ba on br0`, `
			mtu-mismatch host:ra: ra of host has an MTU of 1400 and a of red one of 1500: packets of more than 1400 bytes between them vanish without a word [Set an MTU of 1400 everywhere on br0]`},
		{"a tunnel between bridges takes 50 bytes", `
			a, b: machine
			red: namespace in a
			blue: namespace in b
			a:eth0 192.168.1.1/24 -- b:eth0 192.168.1.2/24
			a:br0 bridge
			a:vx vxlan over eth0 id 42 remote 192.168.1.2 on br0
			red:e 10.0.0.1/24 -- a:re on br0
			b:br0 bridge
			b:vx vxlan over eth0 id 42 remote 192.168.1.1 on br0
			blue:e 10.0.0.2/24 -- b:be on br0`, `
			mtu-mismatch a:vx: vx of a has an MTU of 1450 and e of red one of 1500: packets of more than 1450 bytes between them vanish without a word [Set an MTU of 1450 everywhere on br0 of a and br0 of b]`},
		{"with vlans on top", `
			a, b: machine
			a:e 10.1.0.1/24 -- b:e 10.1.0.2/24 mtu 1400
			a:e.10 vlan over e id 10 10.0.0.1/24
			b:e.10 vlan over e id 10 10.0.0.2/24`, `
			mtu-mismatch b:e: e of b has an MTU of 1400 and e of a one of 1500: packets of more than 1400 bytes between them vanish without a word [Set an MTU of 1400 everywhere on the cable from a to b]
			mtu-mismatch b:e.10: e.10 of b has an MTU of 1400 and e.10 of a one of 1500: packets of more than 1400 bytes between them vanish without a word [Set an MTU of 1400 on e.10 too]`},
		{"smaller at both ends", `
			red, blue: machine
			red:a 10.0.0.1/24 mtu 1400 -- blue:b 10.0.0.2/24 mtu 1400`, ""},
		{"smaller behind a router", `
			red, r, blue: machine
			red:a 10.0.0.1/24 -- r:b 10.0.0.2/24
			r:c 10.1.0.2/24 mtu 1400 -- blue:d 10.1.0.1/24 mtu 1400`, ""},
		{"nobody speaks there yet", `
			red, blue: machine
			red:a 10.0.0.1/24 mtu 1400 -- blue:b`, ""},
		{"a port that nobody is behind", `
			host, other: machine
			red, blue: namespace in host
			host:br0 bridge
			red:a 10.0.0.1/24 -- host:ra on br0
			blue:a 10.0.0.2/24 -- host:ba on br0
			other:a -- host:oa on br0 mtu 1400`, ""},
	})
}

func TestBridgeLoop(t *testing.T) {
	check(t, []spoken{
		{"two cables between two bridges", `
			host: machine
			host:br0 bridge
			host:br1 bridge ageing_time 1000
			host:a on br0 -- host:b on br1
			host:c on br0 -- host:d on br1`, `
			bridge-loop host:br0: br0 and br1 are a ring by 2 cables, and none has STP: a broadcast goes round for ever [Turn STP on]`},
		{"two cables between a bridge and an OVS bridge", `
			host: machine
			host:br0 bridge
			host:ovs0 ovs
			host:a on br0 -- host:b on ovs0
			host:c on br0 -- host:d on ovs0`, `
			bridge-loop host:br0: br0 and ovs0 are a ring by 2 cables, and none has STP: a broadcast goes round for ever [Turn STP on]`},
		{"an OVS bridge with STP, and one with RSTP", `
			host: machine
			host:ovs0 ovs stp_enable true
			host:ovs1 ovs
			host:ovs2 ovs rstp_enable true
			host:a on ovs0 -- host:b on ovs1
			host:c on ovs0 -- host:d on ovs1
			host:e on ovs2 -- host:f on ovs1
			host:g on ovs2 -- host:h on ovs1`, ""},
		{"a cable from a bridge to itself", `
			host: machine
			host:br0 bridge
			host:a on br0 -- host:b on br0`, `
			bridge-loop host:br0: 1 cable leads back to br0, which has no STP: a broadcast goes round for ever [Turn STP on]`},
		{"three bridges in a ring, and one that only hangs on it", `
			a, b: machine
			office: lan
			a:br0 bridge
			b:br0 bridge
			b:br9 bridge
			a:x on br0 -- b:x on br0
			a:y on br0 -- office
			b:y on br0 -- office
			b:z on br0 -- b:z9 on br9`, `
			bridge-loop a:br0: office, br0 of a and br0 of b are a ring by 3 cables, and none has STP: a broadcast goes round for ever [Turn STP on]`},
		{"two rings", `
			a: machine
			a:br0 bridge
			a:br1 bridge
			a:br2 bridge
			a:br3 bridge
			a:p0 on br0 -- a:p1 on br1
			a:q0 on br0 -- a:q1 on br1
			a:p2 on br2 -- a:p3 on br3
			a:q2 on br2 -- a:q3 on br3`, `
			bridge-loop a:br0: br0 and br1 are a ring by 2 cables, and none has STP: a broadcast goes round for ever [Turn STP on]
			bridge-loop a:br2: br2 and br3 are a ring by 2 cables, and none has STP: a broadcast goes round for ever [Turn STP on]`},
		{"one bridge of the ring has STP", `
			host: machine
			host:br0 bridge stp_state 1
			host:br1 bridge
			host:a on br0 -- host:b on br1
			host:c on br0 -- host:d on br1`, ""},
		{"one end is down", `
			host: machine
			host:br0 bridge
			host:br1 bridge
			host:a on br0 -- host:b on br1
			host:c on br0 -- host:d on br1 down`, ""},
		{"one cable is cut", `
			host: machine
			host:br0 bridge
			host:br1 bridge
			host:a on br0 -- host:b on br1
			host:c on br0 cut -- host:d on br1 cut`, ""},
		{"one direction of a cable is cut", `
			host: machine
			host:br0 bridge
			host:br1 bridge
			host:a on br0 loss 100% -- host:b on br1
			host:c on br0 -- host:d on br1`, `
			bridge-loop host:br0: br0 and br1 are a ring by 2 cables, and none has STP: a broadcast goes round for ever [Turn STP on]`},
		{"a tree", `
			host: machine
			host:br0 bridge
			host:br1 bridge
			host:br2 bridge
			host:a on br0 -- host:b on br1
			host:c on br1 -- host:d on br2`, ""},
		{"a node on two bridges is no bridge", `
			host: machine
			red: namespace in host
			host:br0 bridge
			host:br1 bridge
			host:a on br0 -- host:b on br1
			host:c on br0 -- red:d
			host:e on br1 -- red:f`, ""},
		{"vlan filtering may keep it open", `
			host: machine
			host:br0 bridge vlan_filtering 1
			host:br1 bridge
			host:a on br0 -- host:b on br1
			host:c on br0 -- host:d on br1`, ""},
	})
}
