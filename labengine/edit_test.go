package labengine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
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

// editCase is a case that the page is held to as well: see testdata/edits.json. One of Patch and Problem is set.
type editCase struct {
	Name    string   `json:"name"`
	Edits   []Edit   `json:"edits"`
	Patch   *Patch   `json:"patch"`
	Problem *Problem `json:"problem"`
}

func editCases(t *testing.T) (lab Lab, cases []editCase) {
	text, err := os.ReadFile("testdata/edits.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Lab   []Edit     `json:"lab"`
		Cases []editCase `json:"cases"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	lab, err = NewLab("Red and blue").Edit(file.Lab)
	if err != nil {
		t.Fatal(err)
	}
	return lab, file.Cases
}

// TestEdits says of each list of edits what is to be seen of it afterwards, as a patch, or why none of it is done.
func TestEdits(t *testing.T) {
	lab, cases := editCases(t)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			before := lab.Clone()
			after, err := lab.Edit(c.Edits)
			patch, patchErr := NewJournal(lab, 0, nil).EditPatch(c.Edits)
			if fmt.Sprint(err) != fmt.Sprint(patchErr) {
				t.Errorf("there is no patch: %v", patchErr)
			}
			if diff := cmp.Diff(before, lab); diff != "" {
				t.Errorf("the lab that was edited has changed: %s", diff)
			}
			if c.Problem == nil {
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(*c.Patch, Compare(lab, after), cmpopts.EquateEmpty()); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(*c.Patch, patch, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("the patch: %s", diff)
				}
				return
			}
			var p *Problem
			if !errors.As(err, &p) {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(c.Problem, p, cmpopts.IgnoreFields(Problem{}, "Err")); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("part of the edits is done: %s", diff)
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
