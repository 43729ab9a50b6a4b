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
