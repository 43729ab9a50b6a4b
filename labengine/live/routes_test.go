package live_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/live/labtest"
)

// everyRoute is one of each thing that a document says of routes.
var everyRoute = []string{
	"10.0.0.0/8 nexthop via 192.168.1.1 weight 1 nexthop via 192.168.2.1",
	"10.1.0.0/16 metric 7 nexthop dev e0 weight 256 nexthop via 192.168.2.1 dev e1",
	"10.2.0.0/16 nexthop via 9.9.9.9 dev e0 onlink nexthop via 192.168.2.1 realm 9",
	"10.3.0.0/16 proto static src 192.168.1.2 metric 4294967295 mtu lock 1400 window 3000 rtt 100ms rttvar 20ms ssthresh 4 " +
		"cwnd lock 5 advmss 1000 reordering 4 hoplimit 30 initcwnd 10 features ecn rto_min 200ms initrwnd 11 quickack 1 " +
		"congctl reno fastopen_no_cookie 1 nexthop via 192.168.1.1 nexthop via 192.168.2.1",
	"10.4.0.0/16 tos 0x10 via 192.168.1.1", "10.4.0.0/16 via 192.168.1.1", "10.5.0.0/16 via 192.168.1.1 realm 4",
	"10.6.0.0/16 via 192.168.1.1 realms 5/6", "10.7.0.0/16 via inet6 fd00:1::9 dev e0", "0.0.0.0/0 via inet6 fd00:1::9 dev e0",
	"10.8.0.0/16 nexthop via inet6 fd00:1::9 dev e0 nexthop via 192.168.2.1", "10.9.0.0/16 nexthop dev e0",
	"10.10.0.0/16 dev e0 scope site", "10.11.0.0/16 via 192.168.1.1 proto bird", "10.11.0.0/16 dev e0 proto 77 table 100",
	"10.12.0.0/16 scope link nexthop dev e0 nexthop dev e1", "blackhole 10.13.0.0/16 proto 99 metric 4000000000",
	"prohibit 10.14.0.0/16 table 4294967295", "unreachable default metric 4278198272", "10.15.0.0/16 dev e0 advmss lock 1200",
	"fd10::/32 nexthop via fd00:1::9 weight 3 nexthop via fd00:2::9", "fd11::/32 nexthop via fe80::1 dev e0 nexthop via fe80::1 dev e1",
	"fd12::/32 via fd00:1::9 metric 4294967295 proto static pref high", "fd13::/32 via fd00:1::9 mtu 1300 hoplimit 3 pref low",
	"fd14::/32 from fd00:1::/64 via fd00:1::9", "fd15::/32 metric 5 nexthop via fd77::1 dev e0 onlink nexthop via fd00:2::9",
	"blackhole fd16::/32", "default nexthop via fd00:1::9 nexthop via fd00:2::9",
}

// routed has two namespaces, alike but for their names, with two links each.
const routed = `vethlab: 1
nodes:
  - {name: host, kind: machine}
  - {name: red, kind: namespace, in: host}
  - {name: blue, kind: namespace, in: host}
cables:
  - ["red:e0 192.168.1.2/24 fd00:1::1/64", "host:r0 192.168.1.1/24"]
  - ["red:e1 192.168.2.2/24 fd00:2::1/64", "host:r1 192.168.2.1/24"]
  - ["blue:e0 192.168.1.2/24 fd00:1::1/64", "host:b0"]
  - ["blue:e1 192.168.2.2/24 fd00:2::1/64", "host:b1"]
`

func nodeNamed(t *testing.T, lab labengine.Lab, name string) labengine.Node {
	t.Helper()
	n, err := lab.FindNode(name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestEveryRoute draws in red what is typed in blue, and holds the two to each other as ip(8) shows them.
func TestEveryRoute(t *testing.T) {
	lab := labtest.Start(t, routed)
	red, blue := nodeNamed(t, lab.State().Lab, "red").ID, nodeNamed(t, lab.State().Lab, "blue").ID
	want := []string{}
	for _, text := range everyRoute {
		r, err := labengine.ParseRoute(text)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, r.Text)
		lab.MustEdit(labengine.Edit{AddRoute: &labengine.AddRoute{Node: red, Route: text}})
		family := ""
		if r.IPv6 {
			family = "-6"
		}
		lab.Shell("host", fmt.Sprintf("ip -n blue %s route add %s", family, text))
	}
	shown := func(netns string) string {
		out := lab.Shell("host", fmt.Sprintf("for f in -4 -6; do ip $f -o -n %s route show table all; done", netns))
		return strings.Join(slices.DeleteFunc(strings.Split(out, "\n"), func(line string) bool {
			return strings.Contains(line, "proto kernel")
		}), "\n")
	}
	if r, b := shown("red"), shown("blue"); r != b {
		t.Errorf("drawn:\n%s\ntyped:\n%s", r, b)
	}
	if got := lab.State().Lab.Nodes[red].Routes; !slices.Equal(got, want) {
		t.Errorf("drawn routes are\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	state := lab.Until("the typed routes", func(s labtest.State) bool { return len(s.Lab.Nodes[blue].Routes) == len(want) })
	for _, text := range state.Lab.Nodes[blue].Routes {
		typed, err := labengine.ParseRoute(text)
		covers := func(text string) bool { r, _ := labengine.ParseRoute(text); return r.Covers(typed) }
		if err != nil || !slices.ContainsFunc(want, covers) {
			t.Errorf("nobody typed `%s`: %v", text, err)
		}
	}
	lab.CheckKernel()
	lab.CheckScript()
	for _, text := range want {
		lab.MustEdit(labengine.Edit{DeleteRoute: &labengine.DeleteRoute{Node: red, Route: text}})
	}
	if r := strings.TrimSpace(shown("red")); r != "" {
		t.Errorf("left of what was drawn:\n%s", r)
	}
	for range want {
		mustUndo(t, lab, "a deletion")
	}
	lab.CheckKernel()
}

// TestRouteWithSeveralWays: typed, replaced, a way down and up again, a link gone, and all of it taken back.
func TestRouteWithSeveralWays(t *testing.T) {
	lab := labtest.Start(t, routed)
	red := nodeNamed(t, lab.State().Lab, "red").ID
	e1, _ := lab.State().Lab.InterfaceNamed(red, "e1")
	until := func(want string) {
		t.Helper()
		lab.Until(want, func(s labtest.State) bool {
			routes := s.Lab.Nodes[red].Routes
			return strings.Join(routes, "; ") == want
		})
		lab.CheckKernel()
	}
	const (
		both = "10.0.0.0/8 nexthop via 192.168.1.1 dev e0 weight 2 nexthop via 192.168.2.1 dev e1"
		swap = "10.0.0.0/8 nexthop via 192.168.2.1 dev e1 nexthop via 192.168.1.1 dev e0"
	)
	lab.Shell("host", "ip -n red route add 10.0.0.0/8 nexthop via 192.168.1.1 weight 2 nexthop via 192.168.2.1")
	until(both)
	lab.Shell("host", "ip -n red route replace 10.0.0.0/8 nexthop via 192.168.2.1 nexthop via 192.168.1.1")
	until(swap)
	mustUndo(t, lab, "what was typed in one go")
	until("")
	lab.MustEdit(labengine.Edit{AddRoute: &labengine.AddRoute{Node: red, Route: both}})
	lab.Shell("host", "ip -n red route replace 10.0.0.0/8 via 192.168.2.1")
	until("10.0.0.0/8 via 192.168.2.1 dev e1")
	mustUndo(t, lab, "the replacement")
	until(both)
	lab.MustRun("host", "ip", "addr", "add", "10.9.9.9/32", "dev", "lo")
	lab.MustRun("red", "ping", "-c1", "-W3", "10.9.9.9")

	lab.MustEdit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: e1.ID, Up: new(false)}})
	until(both) // the kernel marks the way dead and keeps it
	lab.CheckScript()
	lab.MustEdit(labengine.Edit{DeleteRoute: &labengine.DeleteRoute{Node: red, Route: both}})
	until("")
	mustUndo(t, lab, "a deletion while a way is down")
	until(both)
	mustUndo(t, lab, "the way that is down")
	until(both)
	if out := lab.Shell("host", "ip -n red route show 10.0.0.0/8"); strings.Contains(out, "dead") {
		t.Errorf("still dead: %s", out)
	}

	lab.MustEdit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: e1.ID, Name: new("other")}})
	until("10.0.0.0/8 nexthop via 192.168.1.1 dev e0 weight 2 nexthop via 192.168.2.1 dev other")
	lab.Shell("host", "ip -n red link del other")
	until("")
	mustUndo(t, lab, "the link")
	until("10.0.0.0/8 nexthop via 192.168.1.1 dev e0 weight 2 nexthop via 192.168.2.1 dev other")

	p := lab.Edit(labengine.Edit{AddRoute: &labengine.AddRoute{Node: red, Route: "10.7.0.0/16 nexthop via 192.168.1.1 nexthop via 9.9.9.9"}})
	if p == nil || p.Code != labengine.CodeRefused || !strings.Contains(p.Message, "Nexthop has invalid gateway") {
		t.Errorf("a way that leads nowhere: %v", p)
	}
	lab.CheckKernel()
}
