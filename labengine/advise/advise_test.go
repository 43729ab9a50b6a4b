package advise_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vethlab/examples"
	"vethlab/labengine"
	"vethlab/labengine/advise"
	"vethlab/labengine/document"
	"vethlab/labengine/plan"
	"vethlab/labengine/topology/topologytest"
)

// bridged is the picture that container networking is taught with, all of it well.
const bridged = `
	host, neighbour: machine
	office: lan
	red, blue, green, yellow: namespace in host
	host:v-net-0 bridge 192.168.15.5/24
	red:veth-red 192.168.15.1/24 -- host:veth-red-br on v-net-0
	blue:veth-blue 192.168.15.2/24 -- host:veth-blue-br on v-net-0
	green:veth-green 192.168.15.3/24 -- host:veth-green-br on v-net-0
	yellow:veth-yellow 192.168.15.4/24 -- host:veth-yellow-br on v-net-0
	host:eth0 192.168.1.2/24 -- office
	neighbour:eth0 192.168.1.3/24 -- office
	red, blue, green, yellow: route default via 192.168.15.5
	neighbour: route 192.168.15.0/24 via 192.168.1.2
	host: sysctl net.ipv4.ip_forward=1
	`

const redAndBlue = `
	host: machine
	red, blue: namespace in host
	red:veth-red 192.168.15.1/24 -- blue:veth-blue 192.168.15.2/24
	`

// spoken is a lab with what is to be said of it: a line each of code, the first thing that it is about, the message, and the
// label of its fix. Nothing is to be said of a lab whose want is empty.
type spoken struct{ name, lab, want string }

func (c spoken) lines() []string {
	var lines []string
	for _, line := range strings.Split(c.want, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func lines(all []labengine.Advice) []string {
	var lines []string
	for _, a := range all {
		line := fmt.Sprintf("%s %s: %s", a.Code, a.On[0], a.Message)
		if a.Fix != nil {
			line += " [" + a.Fix.Label + "]"
		}
		lines = append(lines, line)
	}
	return lines
}

// check holds advice to what is to be said, and fixes to making it needless.
func check(t *testing.T, cases []spoken) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			checkLab(t, topologytest.Lab(t, c.lab), labengine.Live{}, c.lines())
		})
	}
}

func checkLab(t *testing.T, lab labengine.Lab, live labengine.Live, want []string) {
	t.Helper()
	said := advise.Advise(lab, live)
	if diff := cmp.Diff(want, lines(said)); diff != "" {
		t.Error(diff)
	}
	for _, a := range said {
		checkAdvice(t, lab, live, a)
	}
	settle(t, lab, live)
}

func checkAdvice(t *testing.T, lab labengine.Lab, live labengine.Live, a labengine.Advice) {
	t.Helper()
	for _, id := range a.On {
		_, node := lab.Nodes[id]
		_, iface := lab.Interfaces[id]
		_, cable := lab.Cables[id]
		if !node && !iface && !cable {
			t.Errorf("%s is about %s, which is not there", a.Code, id)
		}
	}
	if strings.HasSuffix(a.Message, ".") || strings.Contains(a.Message, "%!") || strings.Contains(a.Message, "invalid") {
		t.Errorf("the message of %s: %q", a.Code, a.Message)
	}
	if a.Fix == nil {
		return
	}
	after, err := lab.Edit(a.Fix.Edits)
	if err != nil {
		t.Errorf("the fix of %s cannot be: %v", a.Code, err)
		return
	}
	commands := plan.Diff(lab, after).Commands()
	if diff := cmp.Diff(commands, a.Fix.Commands); diff != "" || len(commands) == 0 {
		t.Errorf("the commands of the fix %q are not those of its edits: %s", a.Fix.Label, diff)
	}
	for _, b := range advise.Advise(after, live) {
		if b.Code == a.Code && slices.ContainsFunc(b.On, func(id labengine.ID) bool { return slices.Contains(a.On, id) }) {
			t.Errorf("the fix %q leaves %q", a.Fix.Label, b.Message)
		}
	}
}

// settle applies fix after fix: they come to an end, and do not call for each other.
func settle(t *testing.T, lab labengine.Lab, live labengine.Live) {
	t.Helper()
	for range 30 {
		said := advise.Advise(lab, live)
		at := slices.IndexFunc(said, func(a labengine.Advice) bool { return a.Fix != nil })
		if at < 0 {
			return
		}
		after, err := lab.Edit(said[at].Fix.Edits)
		if err != nil {
			t.Fatalf("%s: %v", said[at].Message, err)
		}
		lab = after
	}
	t.Error("the fixes do not come to an end")
}

func TestAdviseIsSilent(t *testing.T) {
	check(t, []spoken{
		{"an empty lab", "", ""},
		{"red and blue", redAndBlue, ""},
		{"four namespaces on a bridge, host joined, neighbour on the LAN", bridged, ""},
		{"machines and namespaces alone", "host, other: machine\nred: namespace in host\noffice: lan", ""},
		{"cables without an address", `
			host: machine
			office: lan
			red, blue: namespace in host
			host:br0 bridge
			red:a -- host:b on br0
			blue:a -- host:c on br0
			host:eth0 -- office`, ""},
		{"one end with an address", "red, blue: machine\nred:a 10.0.0.1/24 -- blue:b", ""},
		{"a way out before there is anything", `
			host: machine
			red: namespace in host
			host:br0 bridge
			red:a 10.0.0.1/24 -- host:b on br0
			red: route default via 10.0.0.5`, ""},
		{"routes of a node without an address", `
			red, blue: machine
			red:a -- blue:b 10.0.0.1/24
			red: route default via 10.0.0.1
			red: route 10.9.0.0/16 via 10.8.0.1`, ""},
		{"a route before the interface that it leads out of has an address", `
			host, neighbour: machine
			host:br0 bridge 192.168.15.5/24
			host:eth0 -- neighbour:eth0 192.168.1.1/24
			host: route default via 192.168.1.1`, ""},
		{"a bridge whose host is no router, and a way out to it", `
			host: machine
			red, blue: namespace in host
			host:v-net-0 bridge 192.168.15.5/24
			red:veth-red 192.168.15.1/24 -- host:veth-red-br on v-net-0
			blue:veth-blue 192.168.15.2/24 -- host:veth-blue-br on v-net-0
			red, blue: route default via 192.168.15.5`, ""},
		{"the same network twice, apart", `
			host: machine
			red, blue, green, yellow: namespace in host
			red:a 10.0.0.1/24 -- blue:b 10.0.0.2/24
			green:a 10.0.0.1/24 -- yellow:b 10.0.0.2/24`, ""},
		{"both families", `
			red, blue: machine
			red:a 10.0.0.1/24 2001:db8::1/64 -- blue:b 10.0.0.2/24 2001:db8::2/64`, ""},
		{"NAT instead of a way back", strings.Replace(bridged, "neighbour: route 192.168.15.0/24 via 192.168.1.2",
			"host: iptables -t nat -A POSTROUTING -s 192.168.15.0/24 ! -o v-net-0 -j MASQUERADE", 1), ""},
		{"Docker by hand", `
			host, neighbour: machine
			office: lan
			web: container in host
			host:docker0 bridge 172.17.0.1/16
			web:eth0 172.17.0.2/16 -- host:veth1a2b3c4 on docker0
			host:eth0 192.168.1.2/24 -- office
			neighbour:eth0 192.168.1.3/24 -- office
			web: route default via 172.17.0.1
			host: sysctl net.ipv4.ip_forward=1
			host: sysctl net.bridge.bridge-nf-call-iptables=1
			host: iptables -P FORWARD DROP
			host: iptables -N DOCKER
			host: iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
			host: iptables -A FORWARD -o docker0 -j DOCKER
			host: iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
			host: iptables -A FORWARD -i docker0 -o docker0 -j ACCEPT
			host: iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
			host: iptables -t nat -N DOCKER
			host: iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
			host: iptables -t nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
			host: iptables -t nat -A DOCKER -i docker0 -j RETURN
			host: iptables -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
			host: iptables -t nat -A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
			host: iptables -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT`, ""},
		{"out to the internet through NAT", `
			host: machine
			world: internet
			red: namespace in host
			host:v-net-0 bridge 192.168.15.5/24
			red:veth-red 192.168.15.1/24 -- host:veth-red-br on v-net-0
			host:wan0 203.0.113.2/24 -- world:eth0 203.0.113.1/24
			red: route default via 192.168.15.5
			host: route default via 203.0.113.1
			host: sysctl net.ipv4.ip_forward=1
			host: iptables -t nat -A POSTROUTING -s 192.168.15.0/24 -o wan0 -j MASQUERADE`, ""},
		{"three routers in a row", `
			a, r1, r2, r3, b: machine
			a:e 10.1.0.2/24 -- r1:w 10.1.0.1/24
			r1:e 10.12.0.1/30 -- r2:w 10.12.0.2/30
			r2:e 10.23.0.1/30 -- r3:w 10.23.0.2/30
			r3:e 10.3.0.1/24 -- b:w 10.3.0.2/24
			r1, r2, r3: sysctl net.ipv4.ip_forward=1
			a: route default via 10.1.0.1
			b: route default via 10.3.0.1
			r1: route 10.3.0.0/24 via 10.12.0.2
			r2: route 10.1.0.0/24 via 10.12.0.1
			r2: route 10.3.0.0/24 via 10.23.0.2
			r3: route 10.1.0.0/24 via 10.23.0.1`, ""},
		{"a router on a stick", `
			r, a, b: machine
			sw: namespace in r
			a:e 10.10.0.2/24 -- r:p1
			r:e0 -- b:e0
			r:e0.10 vlan over e0 id 10 10.1.0.1/24
			r:e0.20 vlan over e0 id 20 10.2.0.1/24
			b:e0.10 vlan over e0 id 10 10.1.0.2/24`, ""},
	})
}

// TestNothingIsSaidOfTheExamples: they show how it is done.
func TestNothingIsSaidOfTheExamples(t *testing.T) {
	for _, e := range examples.List() {
		lab, err := document.Parse(e.Name, e.Document)
		if err != nil {
			t.Fatal(err)
		}
		checkLab(t, lab, labengine.Live{}, nil)
	}
}

// TestAdviceCrossesTheWire: what the page gets is what was said.
func TestAdviceCrossesTheWire(t *testing.T) {
	said := advise.Advise(topologytest.Lab(t, redAndBlue+"blue:veth-blue down"), labengine.Live{})
	text, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	var got []labengine.Advice
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(said, got); diff != "" || len(got) != 1 {
		t.Error(diff)
	}
}

// adviseOn is what is said with a code.
func adviseOn(lab labengine.Lab, code labengine.AdviceCode) []labengine.Advice {
	return slices.DeleteFunc(advise.Advise(lab, labengine.Live{}), func(a labengine.Advice) bool { return a.Code != code })
}
