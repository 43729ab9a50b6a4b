package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vethlab/labengine"
	"vethlab/labengine/document"
	"vethlab/labengine/plan"
)

// switched is red and blue on an OVS bridge of host, red in VLAN 10.
func switched(t *testing.T) labengine.Lab {
	t.Helper()
	lab, err := document.Parse("test.yaml", []byte(`
vethlab: 1
nodes:
  - {name: host, kind: machine}
  - {name: red, kind: namespace, in: host}
  - {name: blue, kind: namespace, in: host}
  - {name: br0, kind: ovs, in: host, addresses: [192.168.15.5/24], mac: 02:00:00:00:00:05}
cables:
  - ["red:eth0 mac 02:00:00:00:00:01", "br0:red-br mac 02:00:00:00:00:02 tag 10"]
  - ["blue:eth0 mac 02:00:00:00:00:03", "br0:blue-br mac 02:00:00:00:00:04"]
`))
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

const startOVS = `mkdir -p /run/openvswitch
test -e /run/openvswitch/conf.db || ovsdb-tool create /run/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server --detach --pidfile --remote=punix:/run/openvswitch/db.sock /run/openvswitch/conf.db
ovs-vsctl --no-wait init -- set Open_vSwitch . other_config:n-handler-threads=1 other_config:n-revalidator-threads=1
ovs-vswitchd --detach --pidfile --log-file=/run/openvswitch/ovs-vswitchd.log -vconsole:off -vsyslog:off
`

func TestOVSBridgeAndPortsAreOneTransaction(t *testing.T) {
	all := switched(t)
	empty := edit(t, all, labengine.Edit{Delete: &labengine.Delete{ID: "host:br0"}},
		labengine.Edit{Delete: &labengine.Delete{ID: "host/red"}}, labengine.Edit{Delete: &labengine.Delete{ID: "host/blue"}})
	check(t, empty, all, `
		ip netns add red
		ip netns add blue
		ip link add name eth0 address 02:00:00:00:00:01 netns red type veth peer name red-br address 02:00:00:00:00:02
		ip link set dev red-br up
		ip -n red link set dev eth0 up
		ip link add name eth0 address 02:00:00:00:00:03 netns blue type veth peer name blue-br address 02:00:00:00:00:04
		ip link set dev blue-br up
		ip -n blue link set dev eth0 up
		`+startOVS+`ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev 'other_config:hwaddr="02:00:00:00:00:05"' -- add-port br0 blue-br -- add-port br0 red-br -- set port red-br tag=10
		ip netns exec blue ethtool -K eth0 tx off
		ip netns exec red ethtool -K eth0 tx off
		ip addr add 192.168.15.5/24 dev br0
		ip link set dev br0 up
	`)
	check(t, all, empty, `
		ovs-vsctl del-br br0
		ovs-appctl exit --cleanup
		ovs-appctl -t ovsdb-server exit
		ip -n red link del dev eth0
		ip -n blue link del dev eth0
		ip netns del red
		ip netns del blue
	`)
}

func TestOVSChanges(t *testing.T) {
	update := func(u labengine.UpdateInterface) labengine.Edit { return labengine.Edit{UpdateInterface: &u} }
	for _, test := range []struct {
		name  string
		edits []labengine.Edit
		want  string
	}{
		{"another tag and trunks", []labengine.Edit{update(labengine.UpdateInterface{ID: "host:red-br", Port: new("tag 20 trunks 30,20")})},
			"ovs-vsctl set port red-br tag=20 trunks=20,30\n"},
		{"no tag", []labengine.Edit{update(labengine.UpdateInterface{ID: "host:red-br", Port: new("")})}, "ovs-vsctl clear port red-br tag\n"},
		{"no port", []labengine.Edit{update(labengine.UpdateInterface{ID: "host:red-br", Master: new(labengine.ID(""))})},
			"ovs-vsctl del-port br0 red-br\nip netns exec red ethtool -K eth0 tx on\n"},
		{"another name of a port", []labengine.Edit{update(labengine.UpdateInterface{ID: "host:red-br", Name: new("p")})},
			"ovs-vsctl del-port br0 red-br\nip link set dev red-br name p\novs-vsctl add-port br0 p -- set port p tag=10\n"},
		{"another MAC and MTU", []labengine.Edit{update(labengine.UpdateInterface{ID: "host:br0", MAC: new("02:00:00:00:00:99"), MTU: new(1400)})},
			"ovs-vsctl set bridge br0 'other_config:hwaddr=\"02:00:00:00:00:99\"' -- set interface br0 mtu_request=1400\n"},
		{"options", []labengine.Edit{update(labengine.UpdateInterface{ID: "host:br0", Options: new("fail_mode secure stp_enable true")})},
			"ovs-vsctl set bridge br0 stp_enable=true fail_mode=secure\n"},
		{"options and a MAC", []labengine.Edit{update(labengine.UpdateInterface{ID: "host:br0", Options: new("rstp_enable true"), MAC: new("02:00:00:00:00:99")})},
			"ovs-vsctl set bridge br0 'other_config:hwaddr=\"02:00:00:00:00:99\"' rstp_enable=true\n"},
		{"another name of the bridge", []labengine.Edit{update(labengine.UpdateInterface{ID: "host:br0", Name: new("br1")})},
			"ovs-vsctl del-br br0\n" +
				"ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev 'other_config:hwaddr=\"02:00:00:00:00:05\"' -- add-port br1 blue-br " +
				"-- add-port br1 red-br -- set port red-br tag=10\n" +
				"ip addr add 192.168.15.5/24 dev br1\nip link set dev br1 up\n"},
		{"a second bridge", []labengine.Edit{{AddInterface: &labengine.AddInterface{
			ID: "b", Node: "host", Name: "br1", Kind: labengine.OVS, MTU: 1300, MAC: "02:00:00:00:00:09", Options: "mcast_snooping_enable true",
		}}},
			"ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev 'other_config:hwaddr=\"02:00:00:00:00:09\"' mcast_snooping_enable=true " +
				"-- set interface br1 mtu_request=1300\nip link set dev br1 up\n"},
		{"slowed down while it is no port, and a port again", []labengine.Edit{
			update(labengine.UpdateInterface{ID: "host:red-br", Name: new("p"), Impair: new("rate 1mbit")}),
		}, "ovs-vsctl del-port br0 red-br\nip link set dev red-br name p\novs-vsctl add-port br0 p -- set port p tag=10\n" +
			"tc qdisc replace dev p root tbf rate 1mbit burst 3200 latency 300ms\n"},
		{"on a Linux bridge instead", []labengine.Edit{
			{AddInterface: &labengine.AddInterface{ID: "b", Node: "host", Name: "v", Kind: labengine.Bridge, MAC: "02:00:00:00:00:09"}},
			update(labengine.UpdateInterface{ID: "host:red-br", Master: new(labengine.ID("b"))}),
		}, "ovs-vsctl del-port br0 red-br\nip netns exec red ethtool -K eth0 tx on\nip link add name v address 02:00:00:00:00:09 type bridge\n" +
			"ip link set dev red-br master v\nip link set dev v up\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			have := switched(t)
			want := edit(t, have, test.edits...)
			whole := plan.Diff(have, want).Script()
			if diff := cmp.Diff(test.want, whole); diff != "" {
				t.Error(diff)
			}
			part := plan.Diff(have.Around(labengine.Compare(have, want))).Script()
			if diff := cmp.Diff(whole, part); diff != "" {
				t.Errorf("of the part of the lab that this is about, the plan is another one: %s", diff)
			}
		})
	}
}

// TestScriptOfOVSInSeveralMachines: each machine that a script has as a namespace has an Open vSwitch of its own.
func TestScriptOfOVSInSeveralMachines(t *testing.T) {
	lab, err := document.Parse("test.yaml", []byte(`
vethlab: 1
nodes:
  - {name: host, kind: machine}
  - {name: far, kind: machine}
  - {name: br0, kind: ovs, in: far}
`))
	if err != nil {
		t.Fatal(err)
	}
	script := plan.Script(lab)
	for _, line := range []string{
		"ip netns exec far env OVS_RUNDIR=/run/openvswitch-far ovs-vswitchd --detach --pidfile " +
			"--log-file=/run/openvswitch-far/ovs-vswitchd.log -vconsole:off -vsyslog:off\n",
		"ip netns exec far env OVS_RUNDIR=/run/openvswitch-far ovs-vsctl add-br br0 -- set bridge br0",
		"--pid --fork --mount-proc",
	} {
		if !strings.Contains(script, line) {
			t.Errorf("no %q in\n%s", line, script)
		}
	}
}
