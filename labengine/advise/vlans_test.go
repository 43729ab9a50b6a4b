package advise_test

import (
	"strings"
	"testing"
)

func TestVLANApart(t *testing.T) {
	const ovs = `
		host: machine
		red, blue, green: namespace in host
		host:ovs0 ovs 192.168.15.5/24
		red:eth0 192.168.15.1/24 -- host:red on ovs0 tag 10
		blue:eth0 192.168.15.2/24 -- host:blue on ovs0
		green:eth0 192.168.15.3/24 -- host:green on ovs0
		`
	tagged := func(tags ...string) string { // of red, blue and green
		lab := strings.Replace(ovs, "192.168.15.5/24", "", 1)
		for i, name := range []string{"host:red on ovs0 tag 10", "host:blue on ovs0", "host:green on ovs0"} {
			lab = strings.Replace(lab, name, strings.TrimSuffix(name, " tag 10")+" "+tags[i], 1)
		}
		return lab
	}
	bridge := strings.NewReplacer("ovs0 ovs", "ovs0 bridge vlan_filtering 1", "tag 10", "vid 10 pvid untagged").Replace(ovs)
	const behindRouter = `
		host, r: machine
		red: namespace in host
		host:ovs0 ovs
		red:eth0 192.168.15.1/24 -- host:red on ovs0 tag 10
		r:eth0 192.168.15.5/24 -- host:r on ovs0
		`
	const onAStick = `
		host, r: machine
		r: sysctl net.ipv4.ip_forward=1
		red, blue: namespace in host
		host:ovs0 ovs
		red:eth0 10.1.0.1/24 -- host:red on ovs0 tag 10
		blue:eth0 10.2.0.1/24 -- host:blue on ovs0 tag 20
		r:eth0 -- host:r on ovs0
		r:eth0.10 vlan over eth0 id 10 10.1.0.5/24
		r:eth0.20 vlan over eth0 id 20 10.2.0.5/24
		red: route default via 10.1.0.5
		blue: route default via 10.2.0.5
		`
	check(t, []spoken{
		{"one has a tag", ovs, `
			vlan-apart host:red: eth0 of red is in VLAN 10 on ovs0, and everybody else of 192.168.15.0/24 there is in no VLAN: frames stay in their VLAN, and they do not reach each other [Put red into no VLAN]`},
		{"one has none", tagged("tag 10", "tag 10", ""), `
			vlan-apart host:green: eth0 of green is in no VLAN on ovs0, and everybody else of 192.168.15.0/24 there is in VLAN 10: frames stay in their VLAN, and they do not reach each other [Put green into VLAN 10]`},
		{"its gateway has none", behindRouter + "red: route default via 192.168.15.5", `
			vlan-apart host:red: eth0 of red is in VLAN 10 on ovs0, and r is in no VLAN: frames stay in their VLAN, and they do not reach each other [Put red into no VLAN]`},
		{"its gateway has another one", strings.Replace(behindRouter, "host:r on ovs0", "host:r on ovs0 tag 20", 1) + "red: route default via 192.168.15.5", `
			vlan-apart host:red: eth0 of red is in VLAN 10 on ovs0, and r is in VLAN 20: frames stay in their VLAN, and they do not reach each other [Put red into VLAN 20]`},
		{"a router on a stick, and the wrong tag", strings.Replace(onAStick, "host:blue on ovs0 tag 20", "host:blue on ovs0 tag 30", 1), `
			vlan-apart host:blue: eth0 of blue is in VLAN 30 on ovs0, and r is in VLAN 20: frames stay in their VLAN, and they do not reach each other [Put blue into VLAN 20]`},
		{"a bridge", bridge, `
			vlan-apart host:red: eth0 of red is in VLAN 10 on ovs0, and everybody else of 192.168.15.0/24 there is in VLAN 1: frames stay in their VLAN, and they do not reach each other [Put red into VLAN 1]`},
		{"a bridge that is in another one itself", `
			host: machine
			red, blue: namespace in host
			host:br0 bridge vlan_filtering 1 192.168.15.5/24
			red:eth0 192.168.15.1/24 -- host:red on br0 vid 10 pvid untagged
			blue:eth0 192.168.15.2/24 -- host:blue on br0 vid 10 pvid untagged`, `
			vlan-apart host:br0: br0 of host is in VLAN 1 on br0, and everybody else of 192.168.15.0/24 there is in VLAN 10: frames stay in their VLAN, and they do not reach each other [Put br0 into VLAN 10]`},
		{"a bridge that does not look at tags", strings.Replace(bridge, "vlan_filtering 1", "", 1), ""},
		{"each in its own, to see that VLANs keep apart", tagged("tag 10", "tag 20", "tag 30"), ""},
		{"two tenants", tagged("tag 10", "tag 10", "tag 20"), ""},
		{"two of them, the second to be tagged yet", behindRouter, ""},
		{"a bridge's own port may have a tag that is not seen", `
			host: machine
			red, blue: namespace in host
			host:ovs0 ovs 192.168.15.5/24
			red:eth0 192.168.15.1/24 -- host:red on ovs0 tag 10
			blue:eth0 192.168.15.2/24 -- host:blue on ovs0 tag 10
			red: route default via 192.168.15.5`, ""},
		{"all in one", tagged("tag 10", "tag 10", "tag 10"), ""},
		{"the same addresses in two VLANs", strings.Replace(ovs, "192.168.15.1/24", "192.168.15.2/24", 1), ""},
		{"another subnet in another VLAN", strings.Replace(ovs, "192.168.15.1/24", "10.0.0.1/24", 1), ""},
		{"a router on a stick", onAStick, ""},
		{"a trunk", tagged("trunks 10,20", "", ""), ""},
		{"another switch may join them", ovs + `
			host:br1 bridge
			host:a on ovs0 tag 10 -- host:b on br1
			host:c on ovs0 -- host:d on br1`, ""},
	})
}
