package live_test

import (
	"slices"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/advise"
	"vethlab/labengine/live/labtest"
	"vethlab/labengine/topology/topologytest"
)

// behindHost is red on a bridge in host, and neighbour behind host; what is missing is in each case another thing.
const behindHost = `
	host, neighbour: machine
	red: namespace in host
	host:v-net-0 bridge 192.168.15.5/24
	red:veth-red 192.168.15.1/24 -- host:veth-red-br on v-net-0
	host:eth0 192.168.1.2/24 -- neighbour:eth0 192.168.1.3/24
	red: route default via 192.168.15.5
	`

// TestAdviceIsTrue holds advice to the kernel: what is advised on does not work, and works once the fixes are applied.
func TestAdviceIsTrue(t *testing.T) {
	const back, forwards = "neighbour: route default via 192.168.1.2\n", "host: sysctl net.ipv4.ip_forward=1\n"
	for _, c := range []struct {
		code labengine.AdviceCode
		lab  string
		to   string // whom red pings
	}{
		{labengine.AdviceForwardingOff, behindHost + back, "192.168.1.3"},
		{labengine.AdviceNoReturnRoute, behindHost + forwards, "192.168.1.3"},
		{labengine.AdviceForwardDrops, behindHost + back + forwards + "host: iptables -P FORWARD DROP\n", "192.168.1.3"},
		{labengine.AdviceNATMatchesNothing, behindHost + forwards + "host: iptables -t nat -A POSTROUTING -s 192.168.51.0/24 -j MASQUERADE\n", "192.168.1.3"},
		{labengine.AdviceInterfaceDown, behindHost + "host:veth-red-br down", "192.168.15.5"},
		{labengine.AdviceHostPrefix, `
			host: machine
			red, blue: namespace in host
			red:veth-red 192.168.15.1 -- blue:veth-blue 192.168.15.2`, "192.168.15.2"},
		{labengine.AdviceDifferentSubnets, `
			host: machine
			red, blue: namespace in host
			red:veth-red 192.168.15.1/24 -- blue:veth-blue 192.168.51.2/24`, "192.168.15.2"},
		{labengine.AdviceSubnetTwice, `
			host: machine
			red: namespace in host
			host:a-net bridge 192.168.15.5/24
			host:v-net-0 bridge 192.168.15.5/24
			red:veth-red 192.168.15.1/24 -- host:veth-red-br on v-net-0`, "192.168.15.5"},
		{labengine.AdviceVLANApart, `
			host: machine
			red, blue: namespace in host
			host:ovs0 ovs 192.168.15.5/24
			red:veth-red 192.168.15.1/24 -- host:veth-red-br on ovs0 tag 10
			blue:veth-blue 192.168.15.2/24 -- host:veth-blue-br on ovs0
			red: route default via 192.168.15.5`, "192.168.15.5"},
		{labengine.AdviceGatewayAbsent, `
			host: machine
			red, blue: namespace in host
			host:v-net-0 bridge
			red:veth-red 192.168.15.1/24 -- host:veth-red-br on v-net-0
			blue:veth-blue 192.168.15.2/24 -- host:veth-blue-br on v-net-0
			red: route default via 192.168.15.5
			host:br9 bridge 10.9.9.9/24`, "10.9.9.9"},
		{labengine.AdviceBridgeLoop, `
			host: machine
			red: namespace in host
			host:br0 bridge 192.168.15.5/24 stp_state 1 forward_delay 200
			host:br1 bridge
			host:a on br0 -- host:b on br1
			host:c on br0 -- host:d on br1
			red:veth-red 192.168.15.1/24 -- host:veth-red-br on br1`, ""}, // one bridge with STP opens the ring: nothing to advise
	} {
		t.Run(string(c.code), func(t *testing.T) {
			lab := labtest.StartLab(t, topologytest.Lab(t, c.lab))
			said := adviceOf(lab)
			if c.to == "" {
				if len(said) > 0 {
					t.Errorf("advised: %s", said[0].Message)
				}
				lab.MustRun("red", "ping", "-c1", "-w10", "192.168.15.5")
				return
			}
			if !slices.ContainsFunc(said, func(a labengine.Advice) bool { return a.Code == c.code }) {
				t.Fatalf("nothing is said of it, only %v", said)
			}
			if _, status := lab.Run("red", "ping", "-c1", "-W1", c.to); status == 0 {
				t.Errorf("red reaches %s all the same", c.to)
			}
			for len(said) > 0 && said[0].Fix != nil {
				lab.MustEdit(said[0].Fix.Edits...)
				said = adviceOf(lab)
			}
			lab.CheckKernel()
			lab.MustRun("red", "ping", "-c1", "-w5", c.to)
		})
	}
}

// TestWhatADNATRuleCatches: a rule with neither -d nor -i takes what red asks of the outside, as is said of it.
func TestWhatADNATRuleCatches(t *testing.T) {
	lab := labtest.StartLab(t, topologytest.Lab(t, `
		host: machine
		world: internet
		red, web: namespace in host
		host:v-net-0 bridge 192.168.15.5/24
		red:eth0 192.168.15.1/24 -- host:veth-red on v-net-0
		web:eth0 192.168.15.2/24 -- host:veth-web on v-net-0
		host:eth0 203.0.113.2/24 -- world:eth0 203.0.113.1/24
		red, web: route default via 192.168.15.5
		host: route default via 203.0.113.1
		host: sysctl net.ipv4.ip_forward=1
		host: iptables -t nat -A POSTROUTING -s 192.168.15.0/24 -j MASQUERADE
		host: iptables -t nat -A PREROUTING -p icmp -j DNAT --to-destination 192.168.15.2`))
	webIs := func(up bool, routes int) {
		lab.Until("web's interface", func(s labtest.State) bool {
			eth0, ok := s.Lab.InterfaceNamed("web", "eth0")
			return ok && eth0.Up == up && len(s.Lab.Nodes["web"].Routes) == routes
		})
	}
	lab.MustRun("web", "ip", "link", "set", "eth0", "down")
	webIs(false, 0)
	const outside = "8.8.8.8"
	if _, status := lab.Run("red", "ping", "-c1", "-W1", outside); status == 0 {
		t.Errorf("web is down, and red reaches %s all the same", outside)
	}
	lab.MustRun("web", "ip", "link", "set", "eth0", "up")
	lab.MustRun("web", "ip", "route", "add", "default", "via", "192.168.15.5")
	webIs(true, 1)
	said := adviceOf(lab)
	if len(said) != 1 || said[0].Code != labengine.AdviceDNATCatchesInside {
		t.Fatalf("advised: %+v", said)
	}
	lab.MustEdit(said[0].Fix.Edits...)
	if said := adviceOf(lab); len(said) > 0 {
		t.Errorf("after the fix: %s", said[0].Message)
	}
	lab.MustRun("web", "ip", "link", "set", "eth0", "down")
	lab.MustRun("red", "ping", "-c1", "-w5", outside)
}

// TestNothingIsSaidOfAHealthyLab: of one that runs, with all that the kernel says of it.
func TestNothingIsSaidOfAHealthyLab(t *testing.T) {
	lab := labtest.StartLab(t, bridged(t))
	lab.MustRun("blue", "ping", "-c1", "-W3", "192.168.1.3")
	for _, a := range adviceOf(lab) {
		t.Error(a.Message)
	}
	lab.Shell("host", "ip link add x type veth peer name y; ip addr add 10.1.0.1 peer 10.1.0.2 dev x; ip addr add 10.1.0.2 peer 10.1.0.1 dev y; "+
		"ip link set x up; ip link set y up")
	lab.Until("the peers' addresses", func(s labtest.State) bool {
		y, _ := s.Lab.InterfaceNamed("host", "y")
		return len(s.Links[y.ID].Addresses) > 0 && y.Up && slices.ContainsFunc(s.Nodes["host"].Routes, func(r labengine.Route) bool { return r.Dev == "y" && !r.IPv6 })
	})
	for _, a := range adviceOf(lab) {
		t.Error(a.Message)
	}
}

func adviceOf(lab *labtest.Lab) []labengine.Advice {
	state := lab.State()
	return advise.Advise(state.Lab, state.Live)
}
