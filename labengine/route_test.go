package labengine

import (
	"reflect"
	"slices"
	"testing"
)

func TestRoutes(t *testing.T) {
	for text, want := range map[string]string{
		"default via 192.168.15.5":                          "default via 192.168.15.5",
		"0.0.0.0/0 via 192.168.15.5 dev eth0 proto static":  "default via 192.168.15.5 dev eth0 proto static",
		"unicast 10.0.0.0/8 via 10.1.0.1 metric 100":        "10.0.0.0/8 via 10.1.0.1 metric 100",
		"10.0.0.1 dev eth0 scope link":                      "10.0.0.1 dev eth0",
		"10.0.0.1/32 dev eth0 scope global":                 "10.0.0.1 dev eth0 scope global",
		"2001:db8::/32 via fe80::1 dev eth0 metric 1024":    "2001:db8::/32 via fe80::1 dev eth0",
		"2001:DB8::1/128 dev eth0":                          "2001:db8::1 dev eth0",
		"default via 2001:db8::1":                           "default via 2001:db8::1",
		"::/0 dev eth0":                                     "::/0 dev eth0",
		"blackhole 10.0.0.0/8 table 100":                    "blackhole 10.0.0.0/8 table 100",
		"10.9.0.0/16 via 10.1.0.1 onlink dev eth0 mtu 1400": "10.9.0.0/16 via 10.1.0.1 dev eth0 onlink mtu 1400",
		"10.0.0.0/8 nexthop via 192.168.1.1 weight 1 nexthop via 192.168.2.1 weight 3 dev e1": "10.0.0.0/8 nexthop via 192.168.1.1 nexthop via 192.168.2.1 dev e1 weight 3",
		"10.0.0.0/8 metric 4294967295 nexthop dev e0 nexthop via 9.9.9.9 dev e1 onlink":       "10.0.0.0/8 metric 4294967295 nexthop dev e0 nexthop via 9.9.9.9 dev e1 onlink",
		"10.0.0.0/8 nexthop dev e0":                                         "10.0.0.0/8 dev e0 scope global",
		"10.0.0.0/8 nexthop via 10.1.0.1 dev e0 onlink":                     "10.0.0.0/8 via 10.1.0.1 dev e0 onlink",
		"default metric 5 nexthop via fd00::1 nexthop via fd00::2 weight 2": "default metric 5 nexthop via fd00::1 nexthop via fd00::2 weight 2",
		"10.0.0.0/8 via inet6 fd00::1 dev e0":                               "10.0.0.0/8 via inet6 fd00::1 dev e0",
		"0.0.0.0/0 via inet6 fe80::1 dev e0":                                "0.0.0.0/0 via inet6 fe80::1 dev e0",
		"default via inet6 fe80::1 dev e0":                                  "default via fe80::1 dev e0",
		"10.0.0.0/8 via 10.1.0.1 rto_min lock 200ms advmss lock 1200 rtt 1.5s mtu lock 1400 congctl reno features ecn initcwnd 0": "10.0.0.0/8 via 10.1.0.1 mtu lock 1400 rtt 1500ms advmss lock 1200 features ecn rto_min 200ms congctl reno",
		"10.0.0.0/8 dsfield 16 realms 0/4 via 10.1.0.1 protocol 186 scope 200":                                                    "10.0.0.0/8 tos 0x10 via 10.1.0.1 proto bgp scope site realm 4",
		"fd00::/16 from fd01::/64 via fd00::1 pref high proto 77":                                                                 "fd00::/16 from fd01::/64 via fd00::1 proto 77 pref high",
		"default via 10.0.0.1 table main src 10.0.0.2 dev x":                                                                      "default via 10.0.0.1 dev x src 10.0.0.2",
	} {
		r, err := ParseRoute(text)
		if err != nil || r.String() != want {
			t.Errorf("%s: %q, %v", text, r.String(), err)
			continue
		}
		if again, err := ParseRoute(r.String()); err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%s read again: %+v, not %+v, %v", r, again, r, err)
		}
	}
	for text, hint := range map[string]string{
		"": exampleRoute, "default": exampleRoute, "default vai 10.0.0.1": "did you mean via?", "10.0.0.1/8 dev eth0": "the network is 10.0.0.0/8",
		"10.0.0.0/8 via 2001:db8::1": "", "default via": "", "blackhole 10.0.0.0/8 dev eth0": "leave `via` and `dev` out",
		"default via 10.0.0.1 via 10.0.0.2": "remove one of them", "default via 10.0.0.1 table 255": "", "default dev far-too-long-a-name": "",
		"default via 10.0.0.1 proto kernel": "leave it out", "default via 10.0.0.1 metric 4294967296": "",
		"default nexthop": "write it as nexthop via 192.168.1.1 dev eth0 weight 2", "default nexthop via 10.0.0.1 weight 257": "",
		"default via 10.0.0.1 nexthop via 10.0.0.2": "say them behind each `nexthop`", "default nexthop via 10.0.0.1 mtu 1400": "",
		"default nexthop via 10.0.0.1 nexthop via fd00::1": "", "fd00::/8 nexthop dev e0 nexthop via fd00::1": "",
		"blackhole 10.0.0.0/8 nexthop via 10.0.0.1": "leave `via` and `dev` out", "fd00::/8 dev e0 tos 4": "", "fd00::/8 dev e0 realm 4": "",
		"10.0.0.0/8 dev e0 tos 3": "", "10.0.0.0/8 dev e0 pref low": "use `metric`", "10.0.0.0/8 dev e0 quackack 1": "did you mean quickack?",
		"10.0.0.0/8 dev e0 rtt 5": "", "10.0.0.0/8 dev e0 advmss lock 0": "", "10.0.0.0/8 from 10.1.0.0/16 dev e0": "use a rule of `ip rule` for it",
		"10.0.0.0/8 scope host nexthop dev e0 nexthop dev e1": "", "10.0.0.0/8 from fd00::/16 dev e0": "",
	} {
		_, err := ParseRoute(text)
		p, ok := err.(*Problem)
		if !ok || p.Hint != hint {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAuthoredRoutesKeepTheirText(t *testing.T) {
	kernel := func(texts ...string) (list []Route) {
		for _, text := range texts {
			r, err := ParseRoute(text)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, r)
		}
		return list
	}
	own, _ := ParseRoute("10.0.0.0/24 dev eth0")
	own.Kernel = true
	for _, c := range []struct {
		authored []string
		kernel   []Route
		want     []string
	}{
		{[]string{"default via 10.0.0.1"}, kernel("default via 10.0.0.1 dev eth0"), []string{"default via 10.0.0.1"}},
		{[]string{"default via 10.0.0.1"}, kernel("default via 10.0.0.2 dev eth0"), []string{"default via 10.0.0.2 dev eth0"}},
		{[]string{"10.8.0.0/16 dev eth1", "default via 10.0.0.1"}, kernel("default via 10.0.0.1 dev eth0", "10.9.0.0/16 dev eth0", "10.8.0.0/16 dev eth1"),
			[]string{"10.8.0.0/16 dev eth1", "default via 10.0.0.1", "10.9.0.0/16 dev eth0"}},
		{[]string{"default via 10.0.0.1", "default via 10.0.0.1 metric 5"}, kernel("default via 10.0.0.1 dev eth0 metric 5"),
			[]string{"default via 10.0.0.1 metric 5"}},
		{nil, []Route{own}, nil},
	} {
		if got := RoutesSeen(c.authored, c.kernel); !slices.Equal(got, c.want) {
			t.Errorf("%q, %v: %q", c.authored, c.kernel, got)
		}
	}
}

func TestImpairments(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "rate 1mbit": "rate 1mbit", "rate 1500kbit": "rate 1500kbit", "loss 2% delay 100ms 10ms": "delay 100ms 10ms loss 2%",
		"delay 0.5s rate 1gbit": "delay 500ms rate 1gbit", "loss 0.25": "loss 0.25%", "cut": "cut", "reorder 25% delay 10ms": "delay 10ms reorder 25%",
	} {
		if got, err := CanonicalImpairment(text); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"rate", "rate 1", "loss 101%", "delay 10", "delay 10ms 20ms", "cut loss 1%", "reorder 5%", "los 5%", "loss 1% loss 2%"} {
		if _, err := CanonicalImpairment(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
