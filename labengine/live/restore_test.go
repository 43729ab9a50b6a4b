package live_test

import (
	"fmt"
	"slices"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/live/labtest"
)

// wired is a machine and a namespace with a cable between them, addressed in many ways.
const wired = `vethlab: 1
nodes:
  - {name: host, kind: machine}
  - {name: red, kind: namespace, in: host, routes: [default via 10.0.0.1]}
cables:
  - ["host:eth0 10.0.0.1/24", "red:eth0 10.0.0.2/24 10.0.0.12/24 fd00::1/64 fd00::9/64 10.1.0.1/16 fd00::5/64 10.0.0.22/24 fe80::7/64"]
`

// TestThereAndBack types something in red, makes the lab what it was in the beginning, and again what it became: the kernel gives
// and takes more than one says, and in an order of its own.
func TestThereAndBack(t *testing.T) {
	settings := map[string]int{"no IPv6": 2, "settings of a link": 3, "a link without IPv6": 1}
	for name, typed := range map[string]string{
		"a route by another address":      "ip addr add 10.0.0.99/24 dev eth0; ip route add 10.5.0.0/16 via 10.0.0.1",
		"a route of IPv6":                 "ip addr add fd01::99/64 dev eth0; ip route add fd05::/64 via fd01::1",
		"a route through a link":          "ip addr add 10.9.0.99/24 dev eth0; ip route add 10.5.0.0/16 dev eth0",
		"another default route":           "ip addr add 10.0.0.99/24 dev eth0; ip route del default; ip route add default via 10.0.0.1 dev eth0",
		"a default route with an MTU":     "ip addr add 10.0.0.99/24 dev eth0; ip route change default via 10.0.0.1 mtu 1300",
		"a primary address gone":          "ip addr del 10.0.0.2/24 dev eth0",
		"all addresses gone":              "ip addr flush dev eth0 scope global",
		"addresses in another order":      "ip addr flush dev eth0; ip addr add 10.0.0.22/24 dev eth0; ip addr add 10.0.0.2/24 dev eth0",
		"no IPv6":                         "sysctl -qw net.ipv6.conf.all.disable_ipv6=1",
		"an address that a route names":   "ip route add 10.6.0.0/16 via 10.0.0.1 src 10.0.0.12; ip addr del 10.0.0.12/24 dev eth0",
		"a route of several ways":         "ip link add d0 type veth peer name d1; ip link set d0 up; ip link set d1 up; ip addr add 10.7.0.1/24 dev d0; ip route add 10.8.0.0/16 nexthop via 10.0.0.1 nexthop via 10.7.0.9",
		"a rule that refuses":             "ip rule add from 10.0.0.0/8 lookup main pref 100; ip rule add prohibit pref 200",
		"a rule that refuses, no address": "ip rule add prohibit pref 200; ip addr flush dev eth0",
		"settings of a link":              "sysctl -qw net.ipv4.conf.eth0.proxy_arp=1 net.ipv4.conf.eth0.rp_filter=2 net.ipv4.conf.lo.arp_ignore=1",
		"a link without IPv6":             "sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1",
		"a link that is down":             "ip route add 10.5.0.0/16 via 10.0.0.1; ip link set eth0 down",
		"an address of the link by hand":  "ip addr add fe80::99/64 dev eth0; ip route add fd07::/64 via fe80::1 dev eth0",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := labtest.Start(t, wired)
			before := lab.State().Lab
			if n := len(lab.State().Changes); n != 0 {
				t.Errorf("started, it has changed: %v", lab.State().Changes)
			}
			lab.Shell("red", typed)
			after := agreed(lab, settings[name])
			if labengine.Compare(before, after).Empty() {
				t.Fatal("nothing has changed")
			}
			seq := len(lab.State().Changes)
			for range 2 {
				for _, to := range []struct {
					seq      int
					want     labengine.Lab
					settings int
				}{{0, before, 0}, {seq, after, settings[name]}} {
					if r := lab.Ask(labengine.Request{Restore: &labengine.Restore{Seq: int64(to.seq)}}); r.Problem != nil {
						t.Fatalf("restore %d: %v", to.seq, r.Problem)
					}
					if is := agreed(lab, to.settings); !labengine.Compare(to.want, is).Empty() {
						t.Errorf("restored %d, it differs: %s", to.seq, labengine.Describe(to.want, is))
					}
				}
			}
		})
	}
}

// agreed is the lab once the document and the kernel say the same, and red has so many settings.
func agreed(lab *labtest.Lab, settings int) labengine.Lab {
	lab.Until(fmt.Sprintf("%d settings", settings), func(s labtest.State) bool { return len(s.Lab.Nodes["host/red"].Sysctls) == settings })
	lab.CheckKernel()
	return lab.State().Lab
}

// TestPointToPointIsNotSaved: an address with another end's beside it is shown as what it is, and is no address of a subnet.
func TestPointToPointIsNotSaved(t *testing.T) {
	lab := labtest.Start(t, wired)
	lab.Shell("host", "ip addr add 10.8.1.1 peer 10.8.1.2/32 dev eth0")
	s := lab.Until("the address", func(s labtest.State) bool {
		i, _ := s.Lab.InterfaceNamed("host", "eth0")
		return s.Links[i.ID] != nil && slices.ContainsFunc(s.Links[i.ID].Addresses, func(a labengine.Address) bool {
			return a.Address == "10.8.1.1" && a.Peer == "10.8.1.2/32"
		})
	})
	if i, _ := s.Lab.InterfaceNamed("host", "eth0"); !slices.Equal(i.Addresses, []string{"10.0.0.1/24"}) {
		t.Errorf("the document has %v", i.Addresses)
	}
}

// TestLinksThatNoWordIsFor are shown as what they are, are no others when they come back, and keep no lab from starting again.
func TestLinksThatNoWordIsFor(t *testing.T) {
	lab := labtest.Start(t, wired)
	lab.Shell("host", "ip link add mv0 link eth0 type macvlan mode source; ip link add vx0 type vxlan id 10 dstport 4789 nolearning; "+
		"ip link add vx1 type vxlan external dstport 4790")
	is := map[string]string{"mv0": "macvlan mode source", "vx0": "vxlan nolearning", "vx1": "vxlan nolearning external"}
	s := lab.Until("the links", func(s labtest.State) bool {
		for name := range is {
			if _, ok := s.Lab.InterfaceNamed("host", name); !ok {
				return false
			}
		}
		return true
	})
	for name, kind := range is {
		if i, _ := s.Lab.InterfaceNamed("host", name); i.Kind != kind || i.Saved() {
			t.Errorf("%s is a %q, saved: %t", name, i.Kind, i.Saved())
		}
	}
	labtest.StartLab(t, s.Lab).CheckKernel()
}

// TestRulesThatNameUsers come back: the kernel takes them from the machine's own user namespace alone.
func TestRulesThatNameUsers(t *testing.T) {
	lab := labtest.Start(t, wired)
	lab.Shell("red", "iptables -t nat -A OUTPUT -m owner --uid-owner 1337 -j RETURN")
	lab.Shell("host", "iptables -A OUTPUT -m owner --gid-owner 7 -j DROP; iptables -A OUTPUT -d 10.9.9.9 -j DROP; ip6tables -A OUTPUT -m owner ! --uid-owner 0-9 -j ACCEPT")
	rules := func(s labtest.State) int {
		count := 0
		for _, n := range s.Lab.Nodes {
			count += len(n.Iptables) + len(n.Ip6tables)
		}
		return count
	}
	after := lab.Until("the rules", func(s labtest.State) bool { return rules(s) == 4 })
	for _, seq := range []int{0, len(after.Changes)} {
		if r := lab.Ask(labengine.Request{Restore: &labengine.Restore{Seq: int64(seq)}}); r.Problem != nil {
			t.Fatalf("restore %d: %v", seq, r.Problem)
		}
		lab.CheckKernel()
	}
	if p := labengine.Compare(after.Lab, lab.State().Lab); !p.Empty() {
		t.Errorf("restored, it differs: %+v", p)
	}
	labtest.StartLab(t, after.Lab).CheckKernel()
}
