package document

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vethlab/labengine"
)

// edits of the tests below, as short as can be.
func addNode(name string, kind labengine.Kind, in labengine.ID) labengine.Edit {
	return labengine.Edit{AddNode: &labengine.AddNode{ID: labengine.ID("new-" + name), Name: name, Kind: kind, In: in}}
}

func addCable(a, b labengine.End) labengine.Edit {
	return labengine.Edit{AddCable: &labengine.AddCable{ID: "new-" + a.ID, A: a, B: b}}
}

func newEnd(node labengine.ID, name string, addresses ...string) labengine.End {
	return labengine.End{ID: "new-" + node + ":" + labengine.ID(name), Node: node, Name: name, Addresses: addresses}
}

func remove(id labengine.ID) labengine.Edit {
	return labengine.Edit{Delete: &labengine.Delete{ID: id}}
}

func rename(id labengine.ID, name string) labengine.Edit {
	return labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: id, Name: &name}}
}

func change(c labengine.UpdateInterface) labengine.Edit { return labengine.Edit{UpdateInterface: &c} }

func addAddress(id labengine.ID, address string) labengine.Edit {
	return labengine.Edit{AddAddress: &labengine.AddAddress{Interface: id, Address: address}}
}

func deleteAddress(id labengine.ID, address string) labengine.Edit {
	return labengine.Edit{DeleteAddress: &labengine.DeleteAddress{Interface: id, Address: address}}
}

func addRoute(node labengine.ID, route string) labengine.Edit {
	return labengine.Edit{AddRoute: &labengine.AddRoute{Node: node, Route: route}}
}

func deleteRoute(node labengine.ID, route string) labengine.Edit {
	return labengine.Edit{DeleteRoute: &labengine.DeleteRoute{Node: node, Route: route}}
}

func place(id labengine.ID, x, y float64) labengine.Edit {
	return labengine.Edit{Place: &labengine.PlaceNode{ID: id, X: x, Y: y}}
}

func setSysctl(node labengine.ID, name, value string) labengine.Edit {
	return labengine.Edit{SetSysctl: &labengine.SetSysctl{Node: node, Name: name, Value: value}}
}

const commented = `# The lab

vethlab: 1    # the version
name: Two     # its name
nodes:
    # a computer
    - {name: host, kind: machine}   # of host
      # oddly far in
    - {name: red,  kind: namespace, in: host}   # of red

# far out
    - name: blue   # of blue
      kind: namespace
      # where blue is
      in: host
      # the end of blue
    # the end of the nodes
cables:
-   [red:veth-red   192.168.15.1/24, "blue:veth-blue fd00::2/64"]   # of the cable
# the places
canvas: {positions: {host: [1, 2],   # of host's place
  red: [3, 4]}}
`

func TestFormatChangesOnlyWhatIsSaidOtherwise(t *testing.T) {
	const host, red, blue = "host", "host/red", "host/blue"
	const vethRed, vethBlue = "host/red:veth-red", "host/blue:veth-blue"
	odd, pretty := string(readFile(t, "testdata/odd/odd.yaml")), string(readFile(t, "testdata/odd/pretty.json.yaml"))
	flow := string(readFile(t, "testdata/odd/flow.yaml"))
	// Each pair of the list is what stands in the source, and what is to stand there.
	for name, test := range map[string]struct {
		source  string
		edits   []labengine.Edit
		changes []string
	}{
		"a name": {commented, []labengine.Edit{{UpdateLab: &labengine.UpdateLab{Name: new("Three, or: 2")}}}, []string{
			"name: Two ", `name: "Three, or: 2" `,
		}},
		"no name": {commented, []labengine.Edit{{UpdateLab: &labengine.UpdateLab{Name: new(Unnamed), Quiet: new(true)}}}, []string{
			"name: Two     # its name\n", "name: Unnamed lab     # its name\nquiet: true\n",
		}},
		"a node after one in block style": {commented, []labengine.Edit{addNode("green", labengine.Namespace, host)}, []string{
			"      # the end of blue\n", "      # the end of blue\n    - name: green\n      kind: namespace\n      in: host\n",
		}},
		"a bridge": {commented, []labengine.Edit{{AddInterface: &labengine.AddInterface{
			ID: "br", Node: red, Name: "v-net-0", Kind: labengine.Bridge, Addresses: []string{"10.0.0.1/24", "fd00::1/64"},
			Place: &labengine.Place{X: 5, Y: 6.25},
		}}}, []string{
			"in: host}   # of red\n", "in: host}   # of red\n    - {name: v-net-0, kind: bridge, in: red, addresses: [10.0.0.1/24, \"fd00::1/64\"]}\n",
			"red: [3, 4]}}", "red: [3, 4], v-net-0: [5, 6.25]}}",
		}},
		"no red any more": {commented, []labengine.Edit{remove(red)}, []string{
			"    - {name: red,  kind: namespace, in: host}   # of red\n", "",
			"cables:\n-   [red:veth-red   192.168.15.1/24, \"blue:veth-blue fd00::2/64\"]   # of the cable\n", "cables: []\n",
			"[1, 2],", "[1, 2]", "red: [3, 4]", "",
		}},
		"no blue any more": {commented, []labengine.Edit{remove(blue)}, []string{
			"    - name: blue   # of blue\n      kind: namespace\n      # where blue is\n      in: host\n      # the end of blue\n", "",
			"cables:\n-   [red:veth-red   192.168.15.1/24, \"blue:veth-blue fd00::2/64\"]   # of the cable\n", "cables: []\n",
		}},
		"red is crimson": {commented, []labengine.Edit{rename(red, "crimson"), change(labengine.UpdateInterface{
			ID: vethRed, MAC: new(labengine.DeriveMAC("host", "crimson", "veth-red")),
		})}, []string{
			"{name: red,", "{name: crimson,", "[red:veth-red ", "[crimson:veth-red ", "  red: [3", "  crimson: [3",
		}},
		"red and blue change places": {commented, []labengine.Edit{
			rename(red, "x"), rename(blue, "red"), rename(red, "blue"),
			change(labengine.UpdateInterface{ID: vethRed, MAC: new(labengine.DeriveMAC("host", "blue", "veth-red"))}),
			change(labengine.UpdateInterface{ID: vethBlue, MAC: new(labengine.DeriveMAC("host", "red", "veth-blue"))}),
		}, []string{
			"{name: red,", "{name: blue,", "name: blue ", "name: red ", "[red:veth-red", "[blue:veth-red",
			`"blue:veth-blue`, `"red:veth-blue`, "  red: [3", "  blue: [3",
		}},
		"another address": {commented, []labengine.Edit{
			deleteAddress(vethRed, "192.168.15.1/24"), addAddress(vethRed, "192.168.15.7/24"), addAddress(vethBlue, "10.0.0.1/8"),
		}, []string{
			"192.168.15.1/24", "192.168.15.7/24", "fd00::2/64", "fd00::2/64 10.0.0.1/8",
		}},
		"an IPv6 address beside one of IPv4": {commented, []labengine.Edit{addAddress(vethRed, "2001:db8::1/64")}, []string{
			"[red:veth-red   192.168.15.1/24", `["red:veth-red   192.168.15.1/24 2001:db8::1/64"`,
		}},
		"down, and of another size": {commented, []labengine.Edit{
			change(labengine.UpdateInterface{ID: vethRed, Up: new(false), MTU: new(1400)}),
		}, []string{
			"192.168.15.1/24", "192.168.15.1/24 mtu 1400 down",
		}},
		"an alias, and down after it": {commented, []labengine.Edit{
			change(labengine.UpdateInterface{ID: vethRed, Alias: new("the way: 1 out")}),
			change(labengine.UpdateInterface{ID: vethRed, Up: new(false), MTU: new(1400)}),
			change(labengine.UpdateInterface{ID: labengine.LoopbackID(blue), Alias: new("itself")}),
		}, []string{
			"[red:veth-red   192.168.15.1/24", `["red:veth-red   192.168.15.1/24 mtu 1400 down alias the way: 1 out"`,
			"      in: host\n      # the end of blue\n",
			"      in: host\n      interfaces: {lo: {alias: itself}}\n      # the end of blue\n",
		}},
		"another size of both": {commented, []labengine.Edit{
			change(labengine.UpdateInterface{ID: vethRed, MTU: new(1400)}), change(labengine.UpdateInterface{ID: vethBlue, MTU: new(1400)}),
		}, []string{
			"192.168.15.1/24", "192.168.15.1/24 mtu 1400", "fd00::2/64", "fd00::2/64 mtu 1400",
		}},
		"a route, a setting and lo": {commented, []labengine.Edit{
			addRoute(red, "default via fd00::2"), setSysctl(blue, "net.ipv4.ip_forward", "1"),
			change(labengine.UpdateInterface{ID: labengine.LoopbackID(blue), Up: new(true)}),
		}, []string{
			"in: host}   # of red", `in: host, routes: ["default via fd00::2"]}   # of red`,
			"      in: host\n      # the end of blue\n",
			"      in: host\n      sysctls: {net.ipv4.ip_forward: 1}\n      interfaces: {lo: {up: true}}\n      # the end of blue\n",
		}},
		"a cable": {commented, []labengine.Edit{addCable(newEnd(red, "eth1", "10.0.0.1/24"), newEnd(host, "eth1", "fd00::1/64"))}, []string{
			"# of the cable\n", "# of the cable\n-   [red:eth1 10.0.0.1/24, \"host:eth1 fd00::1/64\"]\n",
		}},
		"routes in block style": {odd, []labengine.Edit{
			deleteRoute(host, "default via 10.0.0.2"), addRoute(host, "unreachable 10.9.0.0/16"),
		}, []string{
			"      - default via 10.0.0.2   # of host\n", "",
			"      - \"2001:db8:1::/48 via fd00::9\"\n", "      - \"2001:db8:1::/48 via fd00::9\"\n      - unreachable 10.9.0.0/16\n",
		}},
		"no addresses in block style": {odd, []labengine.Edit{
			deleteAddress("host:v-net-0", "192.168.15.5/24"), deleteAddress("host:v-net-0", "fd00:15::5/64"),
		}, []string{
			"addresses:\n          - 192.168.15.5/24    # of v-net-0\n", "addresses: []\n", "          - 'fd00:15::5/64'\n", "",
		}},
		"settings in block style": {odd, []labengine.Edit{
			setSysctl(host, "net.ipv4.ip_forward", "0"), setSysctl(host, "net.ipv4.conf.all.proxy_arp", "1"),
			change(labengine.UpdateInterface{ID: labengine.LoopbackID(host), Up: new(false)}),
		}, []string{
			"ip_forward:   1   # of host\n", "ip_forward:   0   # of host\n        net.ipv4.conf.all.proxy_arp: 1\n",
			"                 up: true", "                 up: false",
		}},
		"a port of a bridge, plugged elsewhere": {odd, []labengine.Edit{
			change(labengine.UpdateInterface{ID: "host:veth-blue-br", Master: new(labengine.ID(""))}),
		}, []string{
			"    - host/v-net-0:veth-blue-br\n", "    - host:veth-blue-br\n",
		}},
		"the cables of blue in block style": {odd, []labengine.Edit{
			deleteAddress(vethBlue, "2001:db8::2/64"), change(labengine.UpdateInterface{ID: "host/blue:x", Up: new(true), MTU: new(1300)}),
		}, []string{
			"   2001:db8::2/64", "", "  fd00::1/64\"", "  fd00::1/64 mtu 1400\"", "blue:x down", "blue:x mtu 1300", "  mtu:  1400   # of the fourth cable\n", "",
		}},
		"places in block style": {odd, []labengine.Edit{place(red, 1, 7), place("host:v-net-0", 0, 0)}, []string{
			"       - 2\n", "       - 7\n", "[1.50, -2e1]", "[0, 0]",
		}},
		"a node behind one without a comma": {flow, []labengine.Edit{addNode("x", labengine.Machine, "")}, []string{
			"{name: office, kind: lan}   # of", "{name: office, kind: lan},   # of", "no comma\n", "no comma\n     {name: x, kind: machine}\n",
		}},
		"a node from a line with others": {flow, []labengine.Edit{remove("host/green")}, []string{
			", {name: green, kind: namespace, in: host},", ",", "    [green:a, office],   # of green, and the last comma\n", "",
		}},
		"the last node of a list": {flow, []labengine.Edit{remove("office")}, []string{
			"{name: green, kind: namespace, in: host},", "{name: green, kind: namespace, in: host}",
			"     {name: office, kind: lan}   # of office, and no comma\n", "",
			"    [\"red:b fd00::1/64\", office],\n    [green:a, office],   # of green, and the last comma\n", "",
			"[\"default via fd00::1\", 10.0.0.0/8", "[10.0.0.0/8", // a route through red:b goes with it
		}},
		"the first port of a LAN": {flow, []labengine.Edit{remove("host/red:b")}, []string{
			"    [\"red:b fd00::1/64\", office],\n", "", "[green:a, office]", "[green:a, office:port2]",
			"[\"default via fd00::1\", 10.0.0.0/8", "[10.0.0.0/8", // a route through it goes with it
		}},
		"JSON": {pretty, []labengine.Edit{
			addCable(newEnd(host, "eth0", "10.0.0.1/24"), newEnd(red, "eth1")), addRoute(red, "default via 2001:db8::2"),
			{UpdateLab: &labengine.UpdateLab{Quiet: new(true)}},
		}, []string{
			"\"name\": \"Pretty, JSON\",\n", "\"name\": \"Pretty, JSON\",\n  \"quiet\": true,\n",
			"\"in\": \"host\"},\n    {\"name\": \"v-net-0\"", "\"in\": \"host\", \"routes\": [\"default via 2001:db8::2\"]},\n    {\"name\": \"v-net-0\"",
			"\"v-net-0:red\"]\n", "\"v-net-0:red\"],\n    [\"host:eth0 10.0.0.1/24\", \"red:eth1\"]\n",
		}},
		"a place": {commented, []labengine.Edit{place(red, -3, 4), place(blue, 0, 0.5)}, []string{
			"red: [3, 4]", "red: [-3, 4], blue: [0, 0.5]",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			want := strings.NewReplacer(test.changes...).Replace(test.source)
			checkFormat(t, test.source, test.edits, want)
			crlf := strings.NewReplacer("\n", "\r\n")
			checkFormat(t, "\ufeff"+crlf.Replace(test.source), test.edits, "\ufeff"+crlf.Replace(want))
			checkFormat(t, strings.TrimSuffix(test.source, "\n"), test.edits, strings.TrimSuffix(want, "\n"))
		})
	}
}

func checkFormat(t *testing.T, source string, edits []labengine.Edit, want string) {
	t.Helper()
	before, err := Parse("lab.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	lab, err := before.Edit(edits)
	if err != nil {
		t.Fatal(err)
	}
	got := Format(lab, []byte(source))
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s\n\ngot\n%s", diff, got)
	}
	if read, err := Parse("again.yaml", got); err != nil || !Same(read, lab) {
		t.Errorf("read again it is another lab, or none (%v)", err)
	}
}
