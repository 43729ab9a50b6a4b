package advise_test

import (
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/topology/topologytest"
)

func TestForwardDrops(t *testing.T) {
	drop := bridged + "host: iptables -P FORWARD DROP\n"
	const out = "host: iptables -A FORWARD -i v-net-0 -o eth0 -j ACCEPT\n"
	const answers = "host: iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
	const alone = `
		host: machine
		red, blue: namespace in host
		host:v-net-0 bridge
		red:a 10.0.0.1/24 -- host:ra on v-net-0
		blue:a 10.0.0.2/24 -- host:ba on v-net-0
		host: iptables -P FORWARD DROP
		`
	check(t, []spoken{
		{"no rule at all", drop, `
			forward-drops host: the policy of FORWARD in host is DROP, and no rule accepts what red sends through it, from v-net-0 to eth0 [Let it pass]`},
		{"the other side sends everything through it as well", strings.Replace(drop, "neighbour: route 192.168.15.0/24", "neighbour: route default", 1), `
			forward-drops host: the policy of FORWARD in host is DROP, and no rule accepts what red sends through it, from v-net-0 to eth0 [Let it pass]`},
		{"answers do not pass", drop + out, `
			forward-drops host: the policy of FORWARD in host is DROP, and no rule accepts the answers to what red sends through it, from v-net-0 to eth0 [Let it pass]`},
		{"only answers pass", drop + answers, `
			forward-drops host: the policy of FORWARD in host is DROP, and no rule accepts what red sends through it, from v-net-0 to eth0 [Let it pass]`},
		{"a rule for another interface", drop + answers + "host: iptables -A FORWARD -i docker0 -j ACCEPT", `
			forward-drops host: the policy of FORWARD in host is DROP, and no rule accepts what red sends through it, from v-net-0 to eth0 [Let it pass]`},
		{"chains that lead nowhere", drop + `
			host: iptables -N MINE
			host: iptables -A FORWARD -j MINE
			host: iptables -A FORWARD -j LOG --log-prefix "dropped: "
			host: iptables -A MINE -s 10.0.0.0/8 -j ACCEPT
			host: iptables -A MINE -j RETURN`, `
			forward-drops host: the policy of FORWARD in host is DROP, and no rule accepts what red sends through it, from v-net-0 to eth0 [Let it pass]`},
		{"IPv6", `
			r, a, b: machine
			r: sysctl net.ipv6.conf.all.forwarding=1
			r: ip6tables -P FORWARD DROP
			a:e 2001:db8:1::2/64 -- r:e 2001:db8:1::1/64
			b:e 2001:db8:2::2/64 -- r:f 2001:db8:2::1/64
			a: route default via 2001:db8:1::1
			b: route default via 2001:db8:2::1`, `
			forward-drops r: the policy of FORWARD in r is DROP, and no rule accepts what a sends through it, from e to f [Let it pass]`},
		{"what a bridge passes, too", alone + "host: sysctl net.bridge.bridge-nf-call-iptables=1", `
			forward-drops host: the policy of FORWARD in host drops what v-net-0 passes from port to port, blue to red for one: bridge-nf-call-iptables is 1 [Let it pass]`},
		{"both directions have a rule", drop + out + answers, ""},
		{"a rule in a chain of its own", drop + answers + `
			host: iptables -N MINE
			host: iptables -A FORWARD -j MINE
			host: iptables -A MINE -i v-net-0 -j ACCEPT`, ""},
		{"some may pass", drop + answers + "host: iptables -A FORWARD -p tcp --dport 80 -j ACCEPT", ""},
		{"some addresses may pass", drop + answers + "host: iptables -A FORWARD -s 192.168.15.1 -j ACCEPT", ""},
		{"dropped by a rule, and so on purpose", drop + "host: iptables -A FORWARD -i v-net-0 -j DROP", ""},
		{"only those outside may begin", strings.Replace(drop, "red, blue, green, yellow: route", "red, blue, green, yellow: route", 1) + answers +
			"host: iptables -A FORWARD -i eth0 -j ACCEPT", ""},
		{"the policy accepts", bridged + "host: iptables -P FORWARD ACCEPT\nhost: iptables -P INPUT DROP", ""},
		{"nothing is sent through", `
			r, a, b: machine
			r: sysctl net.ipv4.ip_forward=1
			r: iptables -P FORWARD DROP
			a:e 10.0.0.2/24 -- r:e 10.0.0.1/24
			b:e 10.1.0.2/24 -- r:f 10.1.0.1/24`, ""},
		{"what a bridge passes does not meet iptables", alone, ""},
		{"what a bridge passes has a rule", alone + `host: sysctl net.bridge.bridge-nf-call-iptables=1
			host: iptables -A FORWARD -i v-net-0 -o v-net-0 -j ACCEPT`, ""},
	})
}

func TestNATMatchesNothing(t *testing.T) {
	nat := strings.Replace(bridged, "neighbour: route 192.168.15.0/24 via 192.168.1.2", "", 1) + "host: iptables -t nat -A "
	good := nat + "POSTROUTING -s 192.168.15.0/24 -o eth0 -j MASQUERADE\nhost: iptables -t nat -A "
	check(t, []spoken{
		{"nobody's subnet", nat + "POSTROUTING -s 192.168.51.0/24 -j MASQUERADE",
			"nat-matches-nothing host: the rule `-t nat -A POSTROUTING -s 192.168.51.0/24 -j MASQUERADE` of host matches nothing: nobody has an address in 192.168.51.0/24 [Make it 192.168.15.0/24]"},
		{"an interface that is not there", nat + "POSTROUTING -s 192.168.15.0/24 -o eth1 -j MASQUERADE",
			"nat-matches-nothing host: the rule `-t nat -A POSTROUTING -s 192.168.15.0/24 -o eth1 -j MASQUERADE` of host matches nothing: there is no interface eth1 [Make it eth0]"},
		{"a port of a bridge", good + "PREROUTING -i veth-red-br -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80",
			"nat-matches-nothing host: the rule `-t nat -A PREROUTING -i veth-red-br -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80` of host matches nothing: veth-red-br is a port of v-net-0, and to the firewall packets come and go by the bridge [Make it v-net-0]"},
		{"a port of a bridge, alone", good + "PREROUTING -i veth-red-br -j DNAT --to-destination 192.168.15.2",
			"nat-matches-nothing host: the rule `-t nat -A PREROUTING -i veth-red-br -j DNAT --to-destination 192.168.15.2` of host matches nothing: veth-red-br is a port of v-net-0, and to the firewall packets come and go by the bridge [Make it v-net-0]"},
		{"an address that nobody has", good + "PREROUTING -d 192.168.1.9 -p tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80",
			"nat-matches-nothing host: the rule `-t nat -A PREROUTING -d 192.168.1.9 -p tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80` of host matches nothing: nobody on office has 192.168.1.9 [Make it 192.168.1.2]"},
		{"the second rule of its chain", good + "POSTROUTING --source=10.9.0.0/16 -j SNAT --to-source 192.168.1.2",
			"nat-matches-nothing host: the rule `-t nat -A POSTROUTING --source=10.9.0.0/16 -j SNAT --to-source 192.168.1.2` of host matches nothing: nobody has an address in 10.9.0.0/16 [Make it 192.168.15.0/24]"},
		{"its own address", good + "PREROUTING -d 192.168.1.2 -p tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80", ""},
		{"somebody's on the internet", good + "PREROUTING -d 8.8.8.8 -j DNAT --to-destination 192.168.15.2", ""},
		{"anything but", good + "POSTROUTING ! -s 10.0.0.0/8 ! -o eth7 -j MASQUERADE", ""},
		{"all interfaces of a kind", good + "POSTROUTING -o wg+ -j MASQUERADE", ""},
		{"no translation", good + "POSTROUTING -s 10.0.0.0/8 -j ACCEPT", ""},
		{"in another table", good + "PREROUTING -i lo -j ACCEPT\nhost: iptables -t mangle -A PREROUTING -i eth7 -j MARK --set-mark 1", ""},
		{"rules before anything else", `
			host: machine
			host: iptables -t nat -A POSTROUTING -s 192.168.15.0/24 -o eth0 -j MASQUERADE`, ""},
		{"its interface is docker0, as written by others", good + "PREROUTING ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80", ""},
	})
}

// TestFixOfANATRule: the other words of the rule stay as they are.
func TestFixOfANATRule(t *testing.T) {
	for rule, want := range map[string]string{
		"-t nat -A POSTROUTING -s 192.168.51.0/24 ! -o v-net-0 -j MASQUERADE":     "-t nat -A POSTROUTING -s 192.168.15.0/24 ! -o v-net-0 -j MASQUERADE",
		"-t nat -A POSTROUTING --source=192.168.51.0/24 -o eth0 -j MASQUERADE":    "-t nat -A POSTROUTING -s192.168.15.0/24 -o eth0 -j MASQUERADE",
		"-t nat -A POSTROUTING --out-interface eth1 -j MASQUERADE":                "-t nat -A POSTROUTING --out-interface eth0 -j MASQUERADE",
		"-t nat -A POSTROUTING -oeth1 -m comment --comment 'to lan' -jMASQUERADE": `-t nat -A POSTROUTING -oeth0 -m comment --comment "to lan" -jMASQUERADE`,
	} {
		lab := topologytest.Lab(t, strings.Replace(bridged, "neighbour: route 192.168.15.0/24 via 192.168.1.2", "", 1)+"host: iptables "+rule)
		for _, a := range adviseOn(lab, labengine.AdviceNATMatchesNothing) {
			after, err := lab.Edit(a.Fix.Edits)
			if err != nil {
				t.Fatal(err)
			}
			if got := after.Nodes["host"].Iptables; len(got) != 1 || got[0] != want {
				t.Errorf("%s becomes %q, want %s", rule, got, want)
			}
			rule = ""
		}
		if rule != "" {
			t.Errorf("nothing is said of %s", rule)
		}
	}
}

// inside is red and web behind host, which has a way out.
const inside = `
	host, router: machine
	office: lan
	red, web: namespace in host
	host:v-net-0 bridge 192.168.15.5/24
	red:eth0 192.168.15.1/24 -- host:veth-red on v-net-0
	web:eth0 192.168.15.2/24 -- host:veth-web on v-net-0
	host:eth0 192.168.1.2/24 -- office
	router:eth0 192.168.1.1/24 -- office
	red, web: route default via 192.168.15.5
	host: route default via 192.168.1.1
	host: sysctl net.ipv4.ip_forward=1
	host: iptables -t nat -A POSTROUTING -s 192.168.15.0/24 -o eth0 -j MASQUERADE
	`

func TestDNATToNobody(t *testing.T) {
	dnat := inside + "host: iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 80 -j DNAT --to-destination "
	check(t, []spoken{
		{"a slip of the finger", dnat + "192.168.15.22:80", `
			dnat-to-nobody host: the rule ` + "`-t nat -A PREROUTING -i eth0 -p tcp --dport 80 -j DNAT --to-destination 192.168.15.22:80`" + ` of host sends what it catches to 192.168.15.22, and nobody on v-net-0 has that address`},
		{"it can be but one", `
			host: machine
			red: namespace in host
			red:eth0 192.168.15.1/24 -- host:veth-red 192.168.15.5/24
			host: iptables -t nat -A OUTPUT -d 10.0.0.1 -j DNAT --to-destination=192.168.15.11:8080-8090`, `
			dnat-to-nobody host: the rule ` + "`-t nat -A OUTPUT -d 10.0.0.1 -j DNAT --to-destination=192.168.15.11:8080-8090`" + ` of host sends what it catches to 192.168.15.11, and nobody on the cable from host to red has that address [Make it 192.168.15.1:8080-8090]`},
		{"IPv6", `
			host: machine
			red: namespace in host
			red:eth0 2001:db8::1/64 -- host:veth-red 2001:db8::5/64
			host: ip6tables -t nat -A PREROUTING -i eth7+ -p tcp --dport 80 -j DNAT --to-destination [2001:db8::11]:80`, `
			dnat-to-nobody host: the rule ` + "`-t nat -A PREROUTING -i eth7+ -p tcp --dport 80 -j DNAT --to-destination [2001:db8::11]:80`" + ` of host sends what it catches to 2001:db8::11, and nobody on the cable from host to red has that address [Make it [2001:db8::1]:80]`},
		{"behind another gateway", inside + `
			router: sysctl net.ipv4.ip_forward=1
			router: route 192.168.15.0/24 via 192.168.1.2
			router: iptables -t nat -A PREROUTING -i wan0+ -p tcp --dport 80 -j DNAT --to-destination 192.168.15.22`, `
			dnat-to-nobody router: the rule ` + "`-t nat -A PREROUTING -i wan0+ -p tcp --dport 80 -j DNAT --to-destination 192.168.15.22`" + ` of router sends what it catches to 192.168.15.22, and nobody on v-net-0 has that address`},
		{"somebody has it", dnat + "192.168.15.2:80", ""},
		{"one of several", dnat + "192.168.15.20-192.168.15.22:80", ""},
		{"another port", dnat + ":8080", ""},
		{"somebody outside", dnat + "8.8.8.8:53", ""},
		{"somebody has no address yet", inside + `
			blue: namespace in host
			blue:eth0 -- host:veth-blue on v-net-0
			host: iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 80 -j DNAT --to-destination 192.168.15.22:80`, ""},
		{"nobody is there yet", `
			host: machine
			host:br0 bridge 192.168.15.5/24
			host: iptables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 192.168.15.22:80`, ""},
		{"who answers for others may answer for it", inside + `
			red: sysctl net.ipv4.conf.all.proxy_arp=1
			host: iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 80 -j DNAT --to-destination 192.168.15.22:80`, ""},
	})
}

func TestDNATCatchesInside(t *testing.T) {
	const rule = "host: iptables -t nat -A PREROUTING "
	caught := func(rule string) string {
		return "dnat-catches-inside host: the rule `-t nat -A PREROUTING " + rule + "` of host has neither -d nor -i: " +
			"it catches what red asks of the outside too, and sends it to 192.168.15.2 [Make it for 192.168.1.2 alone]"
	}
	const port80 = "-p tcp -m tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80"
	check(t, []spoken{
		{"as the lecture has it", inside + rule + port80, caught(port80)},
		{"everything", inside + rule + "-j DNAT --to-destination 192.168.15.2", caught("-j DNAT --to-destination 192.168.15.2")},
		{"from one side", inside + rule + "-i eth0 " + port80, ""},
		{"for one address", inside + rule + "-d 192.168.1.2 " + port80, ""},
		{"for its own addresses", inside + rule + "-m addrtype --dst-type LOCAL " + port80, ""},
		{"those inside are spared before", inside + rule + "-i v-net-0 -j RETURN\n" + rule + port80, ""},
		{"nobody asks anything of the outside", strings.Replace(inside, "host: route default via 192.168.1.1", "", 1) + rule + port80, ""},
		{"web alone is inside", strings.Replace(inside, "red, web: route", "web: route", 1) + rule + port80, ""},
	})
}
