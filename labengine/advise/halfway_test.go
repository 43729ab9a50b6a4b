package advise_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"vethlab/examples"
	"vethlab/labengine"
	"vethlab/labengine/advise"
	"vethlab/labengine/document"
)

// TestNothingIsSaidOnTheWay: in whatever order somebody wires the examples, gives addresses and sets what is to be set,
// nothing is said of what is not there yet. Routes and rules come after that: what is then said is about them.
func TestNothingIsSaidOnTheWay(t *testing.T) {
	for _, e := range examples.List() {
		lab, err := document.Parse(e.Name, e.Document)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(50) {
			t.Run(fmt.Sprintf("%s/%d", e.Name, seed), func(t *testing.T) {
				now := withoutValues(lab)
				for _, edit := range shuffled(seed, values(lab)) {
					if now, err = now.Edit([]labengine.Edit{edit}); err != nil {
						t.Fatal(err)
					}
					for _, said := range advise.Advise(now, labengine.Live{}) {
						t.Errorf("after %+v: %s", edit, said.Message)
					}
				}
			})
		}
	}
}

func shuffled(seed uint64, edits []labengine.Edit) []labengine.Edit {
	r := rand.New(rand.NewPCG(seed, 0))
	r.Shuffle(len(edits), func(a, b int) { edits[a], edits[b] = edits[b], edits[a] })
	return edits
}

// withoutValues is a lab that is wired, and no more.
func withoutValues(lab labengine.Lab) labengine.Lab {
	lab = lab.Clone()
	for id, n := range lab.Nodes {
		n.Routes, n.Sysctls, n.Iptables = nil, nil, nil
		lab.Nodes[id] = n
	}
	for id, i := range lab.Interfaces {
		i.Addresses = nil
		lab.Interfaces[id] = i
	}
	return lab
}

// values are the edits that give a lab's nodes and interfaces what they have, but for routes and rules.
func values(lab labengine.Lab) []labengine.Edit {
	var edits []labengine.Edit
	for _, n := range lab.NodesInOrder() {
		for _, s := range n.Sysctls {
			name, value, _ := strings.Cut(s, "=")
			edits = append(edits, labengine.Edit{SetSysctl: &labengine.SetSysctl{Node: n.ID, Name: name, Value: value}})
		}
		for _, i := range lab.InterfacesOf(n.ID) {
			for _, address := range i.Addresses {
				edits = append(edits, labengine.Edit{AddAddress: &labengine.AddAddress{Interface: i.ID, Address: address}})
			}
		}
	}
	return edits
}
