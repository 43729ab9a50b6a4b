package labengine

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func to[T any](v T) *T { return &v }

// redAndBlue is a machine host with namespaces red and blue in it, a cable between them, and a machine other.
func redAndBlue(t testing.TB) Lab {
	t.Helper()
	lab, err := NewLab("Red and blue").Edit([]Edit{
		{AddNode: &AddNode{ID: "h", Name: "host", Kind: Machine, Place: &Place{X: 1, Y: 2}}},
		{AddNode: &AddNode{ID: "r", Name: "red", Kind: Namespace, In: "h"}},
		{AddNode: &AddNode{ID: "b", Name: "blue", Kind: Namespace, In: "h"}},
		{AddNode: &AddNode{ID: "o", Name: "other", Kind: Machine}},
		{AddCable: &AddCable{
			ID: "c",
			A:  End{ID: "vr", Node: "r", Name: "veth-red", Addresses: []string{"192.168.15.1/24"}},
			B:  End{ID: "vb", Node: "b", Name: "veth-blue", Addresses: []string{"192.168.15.2/24"}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

func TestAddingMakesWholeThings(t *testing.T) {
	lab := redAndBlue(t)
	want := NewLab("Red and blue")
	for i, n := range []Node{
		{ID: "h", Name: "host", Kind: Machine}, {ID: "r", Name: "red", Kind: Namespace, In: "h"},
		{ID: "b", Name: "blue", Kind: Namespace, In: "h"}, {ID: "o", Name: "other", Kind: Machine},
	} {
		n.Order = i + 1
		want.Nodes[n.ID] = n
		lo := LoopbackID(n.ID)
		want.Interfaces[lo] = Interface{ID: lo, Node: n.ID, Name: "lo", Kind: Loopback, Up: n.Kind == Machine, MTU: 65536}
	}
	want.Interfaces["vr"] = Interface{
		ID: "vr", Node: "r", Name: "veth-red", Kind: Veth, Up: true, MTU: 1500,
		MAC: DeriveMAC("host", "red", "veth-red"), Addresses: []string{"192.168.15.1/24"},
	}
	want.Interfaces["vb"] = Interface{
		ID: "vb", Node: "b", Name: "veth-blue", Kind: Veth, Up: true, MTU: 1500,
		MAC: DeriveMAC("host", "blue", "veth-blue"), Addresses: []string{"192.168.15.2/24"},
	}
	want.Cables["c"] = Cable{ID: "c", Ends: [2]ID{"vr", "vb"}, Order: 1}
	want.Places["h"] = Place{X: 1, Y: 2}
	if diff := cmp.Diff(want, lab, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// TestGoodEdits says of each edit what is to be seen of it afterwards, as a patch.
func TestGoodEdits(t *testing.T) {
	lab := redAndBlue(t)
	node := func(id ID, change func(*Node)) Patch {
		n := lab.Nodes[id]
		change(&n)
		return Patch{Nodes: map[ID]*Node{id: &n}}
	}
	iface := func(id ID, change func(*Interface)) Patch {
		i := lab.Interfaces[id]
		change(&i)
		return Patch{Interfaces: map[ID]*Interface{id: &i}}
	}
	veth := func(id, node ID, name string, change func(*Interface)) *Interface {
		i := &Interface{ID: id, Node: node, Name: name, Kind: Veth, Up: true, MTU: 1500, MAC: lab.MACFor(node, name)}
		change(i)
		return i
	}
	for name, test := range map[string]struct {
		edit Edit
		want Patch
	}{
		"rename a node":    {Edit{UpdateNode: &UpdateNode{ID: "r", Name: to("rouge")}}, node("r", func(n *Node) { n.Name = "rouge" })},
		"name as it was":   {Edit{UpdateNode: &UpdateNode{ID: "r", Name: to("red")}}, Patch{}},
		"rename a machine": {Edit{UpdateNode: &UpdateNode{ID: "h", Name: to("pc")}}, node("h", func(n *Node) { n.Name = "pc" })},
		"move a namespace": {Edit{UpdateNode: &UpdateNode{ID: "r", In: to(ID("o"))}}, node("r", func(n *Node) { n.In = "o" })},
		"same name elsewhere": {Edit{UpdateNode: &UpdateNode{ID: "r", In: to(ID("o")), Name: to("blue")}}, node("r", func(n *Node) {
			n.In, n.Name = "o", "blue"
		})},
		"a namespace like its machine": {Edit{UpdateNode: &UpdateNode{ID: "r", Name: to("host")}}, node("r", func(n *Node) { n.Name = "host" })},
		"rename an interface":          {Edit{UpdateInterface: &UpdateInterface{ID: "vr", Name: to("eth0")}}, iface("vr", func(i *Interface) { i.Name = "eth0" })},
		"plug elsewhere":               {Edit{UpdateInterface: &UpdateInterface{ID: "vr", Node: to(ID("o"))}}, iface("vr", func(i *Interface) { i.Node = "o" })},
		"down":                         {Edit{UpdateInterface: &UpdateInterface{ID: "vr", Up: to(false)}}, iface("vr", func(i *Interface) { i.Up = false })},
		"MTU":                          {Edit{UpdateInterface: &UpdateInterface{ID: "vr", MTU: to(68)}}, iface("vr", func(i *Interface) { i.MTU = 68 })},
		"MAC": {Edit{UpdateInterface: &UpdateInterface{ID: "vr", MAC: to("02-00-00-00-00-0A")}}, iface("vr", func(i *Interface) {
			i.MAC = "02:00:00:00:00:0a"
		})},
		"lo up":       {Edit{UpdateInterface: &UpdateInterface{ID: "r.lo", Up: to(true)}}, iface("r.lo", func(i *Interface) { i.Up = true })},
		"lo stays lo": {Edit{UpdateInterface: &UpdateInterface{ID: "r.lo", Name: to("lo"), Node: to(ID("r")), MTU: to(65536)}}, Patch{}},
		"address": {Edit{AddAddress: &AddAddress{"vr", " 2001:DB8::1/64 "}}, iface("vr", func(i *Interface) {
			i.Addresses = []string{"192.168.15.1/24", "2001:db8::1/64"}
		})},
		"address of lo": {Edit{AddAddress: &AddAddress{"r.lo", "10.0.0.1"}}, iface("r.lo", func(i *Interface) { i.Addresses = []string{"10.0.0.1/32"} })},
		"same address at the other end": {Edit{AddAddress: &AddAddress{"vb", "192.168.15.1/24"}}, iface("vb", func(i *Interface) {
			i.Addresses = []string{"192.168.15.2/24", "192.168.15.1/24"}
		})},
		"no address": {Edit{DeleteAddress: &DeleteAddress{"vr", "192.168.15.1/24"}}, iface("vr", func(i *Interface) { i.Addresses = nil })},
		"place":      {Edit{Place: &PlaceNode{"r", 3, 4}}, Patch{Places: map[ID]*Place{"r": {3, 4}}}},
		"lab":        {Edit{UpdateLab: &UpdateLab{Name: to(" New "), Quiet: to(true)}}, Patch{Name: to("New"), Quiet: to(true)}},
		"delete a cable": {Edit{Delete: &Delete{"c"}}, Patch{
			Cables: map[ID]*Cable{"c": nil}, Interfaces: map[ID]*Interface{"vr": nil, "vb": nil},
		}},
		"delete an interface": {Edit{Delete: &Delete{"vb"}}, Patch{
			Cables: map[ID]*Cable{"c": nil}, Interfaces: map[ID]*Interface{"vr": nil, "vb": nil},
		}},
		"delete a namespace": {Edit{Delete: &Delete{"r"}}, Patch{
			Nodes: map[ID]*Node{"r": nil}, Cables: map[ID]*Cable{"c": nil}, Interfaces: map[ID]*Interface{"vr": nil, "vb": nil, "r.lo": nil},
		}},
		"delete a machine": {Edit{Delete: &Delete{"h"}}, Patch{
			Nodes: map[ID]*Node{"h": nil, "r": nil, "b": nil}, Cables: map[ID]*Cable{"c": nil}, Places: map[ID]*Place{"h": nil},
			Interfaces: map[ID]*Interface{"vr": nil, "vb": nil, "h.lo": nil, "r.lo": nil, "b.lo": nil},
		}},
		"cable in one node": {Edit{AddCable: &AddCable{ID: "d", A: End{ID: "x", Node: "o", Name: "x", Down: true, MAC: "02:00:00:00:00:01"}, B: End{ID: "y", Node: "o", Name: "y"}, MTU: 9000}}, Patch{
			Cables: map[ID]*Cable{"d": {ID: "d", Ends: [2]ID{"x", "y"}, Order: 2}},
			Interfaces: map[ID]*Interface{
				"x": veth("x", "o", "x", func(i *Interface) { i.Up, i.MTU, i.MAC = false, 9000, "02:00:00:00:00:01" }),
				"y": veth("y", "o", "y", func(i *Interface) { i.MTU = 9000 }),
			},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			before := lab.Clone()
			after, err := lab.Edit([]Edit{test.edit})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, Compare(lab, after), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(before, lab); diff != "" {
				t.Errorf("the lab that was edited has changed: %s", diff)
			}
		})
	}
}

func TestBadEdits(t *testing.T) {
	lab := redAndBlue(t)
	cable := func(change func(*AddCable)) Edit {
		c := AddCable{ID: "d", A: End{ID: "x", Node: "r", Name: "x"}, B: End{ID: "y", Node: "b", Name: "y"}}
		change(&c)
		return Edit{AddCable: &c}
	}
	for name, test := range map[string]struct {
		edit Edit
		code Code
		on   ID
	}{
		"nothing":            {Edit{}, CodeBadRequest, ""},
		"two things":         {Edit{Delete: &Delete{"c"}, Place: &PlaceNode{"r", 1, 1}}, CodeBadRequest, ""},
		"no id":              {Edit{AddNode: &AddNode{Name: "x", Kind: Machine}}, CodeBadRequest, ""},
		"id with a space":    {Edit{AddNode: &AddNode{ID: "a b", Name: "x", Kind: Machine}}, CodeBadRequest, ""},
		"endless id":         {Edit{AddNode: &AddNode{ID: ID(fmt.Sprintf("%0121d", 1)), Name: "x", Kind: Machine}}, CodeBadRequest, ""},
		"id of a node":       {Edit{AddNode: &AddNode{ID: "r", Name: "x", Kind: Machine}}, CodeExists, "r"},
		"id of an interface": {Edit{AddNode: &AddNode{ID: "vr", Name: "x", Kind: Machine}}, CodeExists, "vr"},
		"id of lo":           {Edit{AddNode: &AddNode{ID: "r.lo", Name: "x", Kind: Machine}}, CodeExists, "r.lo"},
		"no kind":            {Edit{AddNode: &AddNode{ID: "n", Name: "x"}}, CodeBadRequest, "n"},
		"machine in machine": {Edit{AddNode: &AddNode{ID: "n", Name: "x", Kind: Machine, In: "h"}}, CodeBadRequest, "n"},
		"namespace nowhere":  {Edit{AddNode: &AddNode{ID: "n", Name: "x", Kind: Namespace}}, CodeBadRequest, ""},
		"namespace in gone":  {Edit{AddNode: &AddNode{ID: "n", Name: "x", Kind: Namespace, In: "gone"}}, CodeNoSuchNode, "gone"},
		"namespace in one":   {Edit{AddNode: &AddNode{ID: "n", Name: "x", Kind: Namespace, In: "r"}}, CodeBadRequest, "r"},
		"bad name":           {Edit{AddNode: &AddNode{ID: "n", Name: "a/b", Kind: Namespace, In: "h"}}, CodeBadName, "n"},
		"second red":         {Edit{AddNode: &AddNode{ID: "n", Name: "red", Kind: Namespace, In: "h"}}, CodeExists, "n"},
		"second host":        {Edit{AddNode: &AddNode{ID: "n", Name: "host", Kind: Machine}}, CodeExists, "n"},
		"rename to a second": {Edit{UpdateNode: &UpdateNode{ID: "r", Name: to("blue")}}, CodeExists, "r"},
		"rename to nothing":  {Edit{UpdateNode: &UpdateNode{ID: "h", Name: to("")}}, CodeBadName, ""},
		"rename badly":       {Edit{UpdateNode: &UpdateNode{ID: "h", Name: to("a b")}}, CodeBadName, "h"},
		"rename gone":        {Edit{UpdateNode: &UpdateNode{ID: "gone", Name: to("x")}}, CodeNoSuchNode, "gone"},
		"move a machine":     {Edit{UpdateNode: &UpdateNode{ID: "h", In: to(ID("o"))}}, CodeBadRequest, "h"},
		"move to a netns":    {Edit{UpdateNode: &UpdateNode{ID: "r", In: to(ID("b"))}}, CodeBadRequest, "b"},
		"move to gone":       {Edit{UpdateNode: &UpdateNode{ID: "r", In: to(ID("gone"))}}, CodeNoSuchNode, "gone"},
		"cable id taken":     {cable(func(c *AddCable) { c.ID = "c" }), CodeExists, "c"},
		"ends with one id":   {cable(func(c *AddCable) { c.B.ID = "x" }), CodeExists, "x"},
		"cable to gone":      {cable(func(c *AddCable) { c.B.Node = "gone" }), CodeNoSuchNode, "gone"},
		"bad interface":      {cable(func(c *AddCable) { c.B.Name = "a:b" }), CodeBadName, "y"},
		"interface taken":    {cable(func(c *AddCable) { c.B.Name = "veth-blue" }), CodeExists, "y"},
		"both ends the same": {cable(func(c *AddCable) { c.B.Node, c.B.Name = "r", "x" }), CodeExists, "y"},
		"cable to lo":        {cable(func(c *AddCable) { c.A.Name = "lo" }), CodeExists, "x"},
		"cable's MTU":        {cable(func(c *AddCable) { c.MTU = 67 }), CodeBadValue, "d"},
		"end's MAC":          {cable(func(c *AddCable) { c.A.MAC = "ff:ff:ff:ff:ff:ff" }), CodeBadValue, "x"},
		"end's address":      {cable(func(c *AddCable) { c.A.Addresses = []string{"1.2.3"} }), CodeBadAddress, "x"},
		"address twice":      {cable(func(c *AddCable) { c.A.Addresses = []string{"1.2.3.4", "1.2.3.4/32"} }), CodeExists, "x"},
		"interface gone":     {Edit{UpdateInterface: &UpdateInterface{ID: "gone", Up: to(true)}}, CodeNoSuchInterface, "gone"},
		"interface renamed":  {Edit{UpdateInterface: &UpdateInterface{ID: "vr", Name: to("lo")}}, CodeExists, "vr"},
		"plugged into gone":  {Edit{UpdateInterface: &UpdateInterface{ID: "vr", Node: to(ID("gone"))}}, CodeNoSuchNode, "gone"},
		"MTU":                {Edit{UpdateInterface: &UpdateInterface{ID: "vr", MTU: to(65536)}}, CodeBadValue, "vr"},
		"MAC":                {Edit{UpdateInterface: &UpdateInterface{ID: "vr", MAC: to("red")}}, CodeBadValue, "vr"},
		"lo renamed":         {Edit{UpdateInterface: &UpdateInterface{ID: "r.lo", Name: to("lo0")}}, CodeBadRequest, "r.lo"},
		"lo moved":           {Edit{UpdateInterface: &UpdateInterface{ID: "r.lo", Node: to(ID("b"))}}, CodeBadRequest, "r.lo"},
		"lo with a MAC":      {Edit{UpdateInterface: &UpdateInterface{ID: "r.lo", MAC: to("02:00:00:00:00:01")}}, CodeBadRequest, "r.lo"},
		"address to gone":    {Edit{AddAddress: &AddAddress{"gone", "1.2.3.4"}}, CodeNoSuchInterface, "gone"},
		"bad address":        {Edit{AddAddress: &AddAddress{"vr", "1.2.3.4/33"}}, CodeBadAddress, "vr"},
		"same address":       {Edit{AddAddress: &AddAddress{"vr", "192.168.15.1/24"}}, CodeExists, "vr"},
		"unknown address":    {Edit{DeleteAddress: &DeleteAddress{"vr", "1.2.3.4"}}, CodeGone, "vr"},
		"no address at all":  {Edit{DeleteAddress: &DeleteAddress{"vr", "x"}}, CodeBadAddress, "vr"},
		"address from gone":  {Edit{DeleteAddress: &DeleteAddress{"gone", "1.2.3.4"}}, CodeNoSuchInterface, "gone"},
		"delete gone":        {Edit{Delete: &Delete{"gone"}}, CodeGone, "gone"},
		"delete lo":          {Edit{Delete: &Delete{"r.lo"}}, CodeBadRequest, "r.lo"},
		"place gone":         {Edit{Place: &PlaceNode{"gone", 1, 1}}, CodeNoSuchNode, "gone"},
		"lab without a name": {Edit{UpdateLab: &UpdateLab{Name: to("  ")}}, CodeBadName, ""},
		"lab of two lines":   {Edit{UpdateLab: &UpdateLab{Name: to("a\nb")}}, CodeBadName, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := lab.Clone()
			good := Edit{AddNode: &AddNode{ID: "new", Name: "new", Kind: Machine}}
			after, err := lab.Edit([]Edit{good, test.edit})
			var p *Problem
			if !errors.As(err, &p) {
				t.Fatalf("got %v", err)
			}
			if p.Code != test.code || p.On != test.on {
				t.Errorf("got %q on %q (%v), want %q on %q", p.Code, p.On, p, test.code, test.on)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("part of the edits is done: %s", diff)
			}
			if diff := cmp.Diff(before, lab); diff != "" {
				t.Errorf("the lab that was edited has changed: %s", diff)
			}
		})
	}
}

func TestNoEditsIsNoOp(t *testing.T) {
	if _, err := redAndBlue(t).Edit(nil); !errors.Is(err, &Problem{Code: CodeBadRequest}) {
		t.Errorf("got %v", err)
	}
}

// TestEditsSeeTheOnesBefore has edits that free a name, and take it.
func TestEditsSeeTheOnesBefore(t *testing.T) {
	lab, err := redAndBlue(t).Edit([]Edit{
		{UpdateNode: &UpdateNode{ID: "r", Name: to("rouge")}},
		{UpdateNode: &UpdateNode{ID: "b", Name: to("red")}},
		{Delete: &Delete{"c"}},
		{AddCable: &AddCable{ID: "d", A: End{ID: "x", Node: "r", Name: "veth-red"}, B: End{ID: "y", Node: "b", Name: "veth-blue"}}},
		{UpdateInterface: &UpdateInterface{ID: "x", Name: to("a")}},
		{UpdateInterface: &UpdateInterface{ID: "y", Node: to(ID("r")), Name: to("veth-red")}},
		{Delete: &Delete{"o"}},
		{AddNode: &AddNode{ID: "o2", Name: "other", Kind: Machine}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := lab.NodeNamed("h", "red"); !ok || n.ID != "b" {
		t.Errorf("red is %+v", n)
	}
	if i, ok := lab.InterfaceNamed("r", "veth-red"); !ok || i.ID != "y" {
		t.Errorf("veth-red is %+v", i)
	}
	if lab.Nodes["o2"].Order != 4 || lab.Cables["d"].Order != 1 {
		t.Errorf("orders are %d and %d", lab.Nodes["o2"].Order, lab.Cables["d"].Order)
	}
}

func TestFreeNamesAreOffered(t *testing.T) {
	lab := redAndBlue(t)
	_, err := lab.Edit([]Edit{{AddNode: &AddNode{ID: "n", Name: "red", Kind: Namespace, In: "h"}}})
	var p *Problem
	if !errors.As(err, &p) || p.Hint != "`red-2` is free" || p.Message != "host already has a namespace `red`" {
		t.Errorf("got %v", err)
	}
	_, err = lab.Edit([]Edit{{AddCable: &AddCable{ID: "d", A: End{ID: "x", Node: "r", Name: "exactly15bytes_"}, B: End{ID: "y", Node: "r", Name: "exactly15bytes_"}}}})
	if !errors.As(err, &p) || p.Hint != "`exactly15bytes2` is free" {
		t.Errorf("got %v", err)
	}
}

func TestFindNode(t *testing.T) {
	lab, err := redAndBlue(t).Edit([]Edit{
		{AddNode: &AddNode{ID: "r2", Name: "red", Kind: Namespace, In: "o"}},
		{AddNode: &AddNode{ID: "o2", Name: "other", Kind: Namespace, In: "h"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for label, want := range map[string]ID{"host": "h", "blue": "b", "host/blue": "b", "host/red": "r", "other/red": "r2", "other": "o", "host/other": "o2"} {
		if n, err := lab.FindNode(label); err != nil || n.ID != want {
			t.Errorf("%s is %q (%v), want %q", label, n.ID, err, want)
		}
	}
	for id := range lab.Nodes {
		if n, err := lab.FindNode(lab.Label(id)); err != nil || n.ID != id {
			t.Errorf("the label of %q, %q, finds %q (%v)", id, lab.Label(id), n.ID, err)
		}
	}
	if _, err := lab.FindNode("red"); !errors.Is(err, &Problem{Code: CodeAmbiguous}) {
		t.Errorf("got %v", err)
	}
	_, err = lab.FindNode("bleu")
	var p *Problem
	if !errors.As(err, &p) || p.Code != CodeNoSuchNode || p.Hint != "did you mean blue?" {
		t.Errorf("got %v", err)
	}
}

func TestContainersInternetAndServices(t *testing.T) {
	lab, err := redAndBlue(t).Edit([]Edit{
		{AddNode: &AddNode{ID: "w", Name: "web", Kind: Container, In: "h", Command: " busybox httpd -f -p 80 "}},
		{AddNode: &AddNode{ID: "i", Name: "internet", Kind: Internet}},
		{AddCable: &AddCable{ID: "ci", A: End{ID: "ve", Node: "h", Name: "eth0"}, B: End{ID: "vi", Node: "i", Name: "lan", Addresses: []string{"192.168.1.1/24"}}}},
		{AddService: &AddService{"r", "dns  53 Web.LAN.=192.168.15.2"}},
		{AddService: &AddService{"r", "echo udp 7"}},
		{AddService: &AddService{"r", "echo tcp 7"}},
		{DeleteService: &DeleteService{"r", "echo udp 7"}},
		{UpdateNode: &UpdateNode{ID: "w", In: to(ID("o"))}},
		{AddRoute: &AddRoute{"i", "192.168.15.0/24 via 192.168.1.2"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := lab.Nodes["w"]; n.Command != "busybox httpd -f -p 80" || n.In != "o" {
		t.Errorf("the container is %+v", n)
	}
	if diff := cmp.Diff([]string{"dns 53 web.lan=192.168.15.2", "echo tcp 7"}, lab.Nodes["r"].Services); diff != "" {
		t.Error(diff)
	}
	if i := lab.Interfaces["vi"]; i.Master != "" || lab.Interfaces["i.lo"].Up {
		t.Errorf("the edge has %+v", i)
	}
	for name, test := range map[string]struct {
		edit Edit
		code Code
	}{
		"a container in nothing":      {Edit{AddNode: &AddNode{ID: "x", Name: "x", Kind: Container}}, CodeBadRequest},
		"a container in a container":  {Edit{AddNode: &AddNode{ID: "x", Name: "x", Kind: Container, In: "w"}}, CodeBadRequest},
		"a container that is no host": {Edit{AddNode: &AddNode{ID: "x", Name: "a b", Kind: Container, In: "h"}}, CodeBadName},
		"two lines":                   {Edit{UpdateNode: &UpdateNode{ID: "w", Command: to("a\nb")}}, CodeBadValue},
		"a namespace with a command":  {Edit{UpdateNode: &UpdateNode{ID: "r", Command: to("a")}}, CodeBadRequest},
		"the internet in a machine":   {Edit{AddNode: &AddNode{ID: "x", Name: "x", Kind: Internet, In: "h"}}, CodeBadRequest},
		"a bridge in the internet":    {Edit{AddInterface: &AddInterface{ID: "x", Node: "i", Name: "br0", Kind: Bridge}}, CodeBadRequest},
		"the uplink's name":           {Edit{UpdateInterface: &UpdateInterface{ID: "vi", Name: to(UplinkName)}}, CodeBadName},
		"a setting of the internet":   {Edit{SetSysctl: &SetSysctl{"i", "net.ipv4.ip_forward", "0"}}, CodeBadRequest},
		"a service of the internet":   {Edit{AddService: &AddService{"i", "http 80"}}, CodeBadRequest},
		"a port twice":                {Edit{AddService: &AddService{"r", "http 53"}}, CodeExists},
		"no port":                     {Edit{AddService: &AddService{"r", "http"}}, CodeBadValue},
		"no such port":                {Edit{AddService: &AddService{"r", "http 65536"}}, CodeBadValue},
		"too many words":              {Edit{AddService: &AddService{"r", "http 80 81"}}, CodeBadValue},
		"no such service":             {Edit{AddService: &AddService{"r", "htp 80"}}, CodeBadValue},
		"a name without an address":   {Edit{AddService: &AddService{"b", "dns 53 web.lan"}}, CodeBadValue},
		"a name that is none":         {Edit{AddService: &AddService{"b", "dns 53 a..b=1.2.3.4"}}, CodeBadValue},
		"a service that is not there": {Edit{DeleteService: &DeleteService{"r", "http 80"}}, CodeGone},
	} {
		_, err := lab.Edit([]Edit{test.edit})
		if !errors.Is(err, &Problem{Code: test.code}) {
			t.Errorf("%s: %v, not %s", name, err, test.code)
		}
	}
}
