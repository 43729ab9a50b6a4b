package advise_test

import (
	"fmt"
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/advise"
	"vethlab/labengine/topology/topologytest"
)

// star is a machine with n namespaces, each on a cable and in a network of its own. The first of them, as many as are said,
// send everything through the machine.
func star(n, routed int) string {
	var b strings.Builder
	b.WriteString("host, neighbour: machine\nhost:eth0 192.168.1.2/24 -- neighbour:eth0 192.168.1.3/24\n")
	b.WriteString("host: sysctl net.ipv4.ip_forward=1\nneighbour: route default via 192.168.1.2\n")
	for i := range n {
		net := fmt.Sprintf("10.%d.%d.", i/256, i%256)
		fmt.Fprintf(&b, "n%d: namespace in host\nn%d:eth0 %s2/24 -- host:h%d %s1/24\n", i, i, net, i, net)
		if i < routed {
			fmt.Fprintf(&b, "n%d: route default via %s1\n", i, net)
		}
	}
	return b.String()
}

// onBridge is a machine with n namespaces on a bridge; what each is said to have comes in place of %d.
func onBridge(n int, each string) string {
	var b strings.Builder
	b.WriteString("host, neighbour: machine\nhost:eth0 192.168.1.2/24 -- neighbour:eth0 192.168.1.3/24\nhost:br0 bridge 10.0.0.1/16\n")
	b.WriteString("host: sysctl net.ipv4.ip_forward=1\nneighbour: route default via 192.168.1.2\n")
	for i := range n {
		fmt.Fprintf(&b, "n%d: namespace in host\nn%d:eth0 10.0.%d.%d/16 -- host:p%d on br0\n", i, i, 1+i/250, 1+i%250, i)
		b.WriteString(strings.ReplaceAll(each, "%d", fmt.Sprint(i)) + "\n")
	}
	return b.String()
}

// crowds are large labs, well and not, by what they have many of, and how many advices they want.
var crowds = []struct {
	name  string
	lab   func(n int) string
	wants func(n int) int
}{
	{"star", func(n int) string { return star(n, n) }, none},
	{"star-half-without-a-way-back", func(n int) string { return star(n, n/2) }, one},
	{"star-firewalled", func(n int) string {
		return star(n, n) + "host: iptables -P FORWARD DROP\nhost: iptables -A FORWARD -i eth0 -j ACCEPT\n" +
			"host: iptables -t nat -A POSTROUTING -s 10.0.0.0/8 -o eth0 -j MASQUERADE\n"
	}, one},
	{"star-not-forwarding", func(n int) string { return star(n, n) + "host: sysctl net.ipv4.ip_forward=0\n" }, one},
	{"bridge", func(n int) string { return onBridge(n, "n%d: route default via 10.0.0.1") }, none},
	{"bridge-without-a-gateway", func(n int) string { return onBridge(n, "n%d: route default via 10.0.0.9") }, one},
	{"bridge-one-address", func(n int) string { return onBridge(n, "n%d: route default via 10.0.0.1\nn%d:eth0 10.0.200.200/16") }, one},
	{"bridge-down", func(n int) string { return onBridge(n, "n%d:eth0 down") }, func(n int) int { return n }},
}

func none(int) int { return 0 }

func one(int) int { return 1 }

func TestAdviseOnCrowds(t *testing.T) {
	const size = 60
	for _, c := range crowds {
		t.Run(c.name, func(t *testing.T) {
			lab := topologytest.Lab(t, c.lab(size))
			said := advise.Advise(lab, labengine.Live{})
			if len(said) != c.wants(size) {
				t.Errorf("%d advices, want %d: %q", len(said), c.wants(size), lines(said[:min(3, len(said))]))
			}
			for _, a := range said {
				checkAdvice(t, lab, labengine.Live{}, a)
				if len(a.Message) > 300 {
					t.Errorf("the message has %d bytes: %s", len(a.Message), a.Message)
				}
			}
		})
	}
}

// BenchmarkAdvise looks at labs of so many namespaces. 1,000 of them are to take less than 20 ms where few things are wrong;
// a fix that is a thousand edits is to take less than 200 ms.
func BenchmarkAdvise(b *testing.B) {
	for _, c := range crowds {
		for _, size := range []int{10, 100, 1000} {
			lab := topologytest.Lab(b, c.lab(size))
			b.Run(fmt.Sprintf("%s/nodes=%d", c.name, size), func(b *testing.B) {
				for b.Loop() {
					if said := advise.Advise(lab, labengine.Live{}); len(said) != c.wants(size) {
						b.Fatalf("%d advices", len(said))
					}
				}
			})
		}
	}
}
