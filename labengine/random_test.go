package labengine

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// walker makes edits at random, most of them possible.
type walker struct {
	*rand.Rand
	made int
}

func newWalker(seed uint64) *walker {
	return &walker{Rand: rand.New(rand.NewPCG(seed, 0))}
}

func (w *walker) id() ID { w.made++; return ID(fmt.Sprintf("id%d", w.made)) }

func (w *walker) name() string { return fmt.Sprintf("n%d", w.IntN(12)) }

func (w *walker) address() string { return fmt.Sprintf("10.0.0.%d/24", w.IntN(5)) }

func pick[V any](w *walker, from map[ID]V) ID {
	if len(from) == 0 || w.IntN(40) == 0 {
		return "gone"
	}
	var ids []ID
	for id := range from {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids[w.IntN(len(ids))]
}

func (w *walker) edit(lab Lab) Edit {
	switch w.IntN(18) {
	case 15, 16, 17:
		e := Iptables{Node: pick(w, lab.Nodes), IPv6: w.IntN(4) == 0}
		chain := []string{"INPUT", "own1", "own2"}[w.IntN(3)]
		for range 1 + w.IntN(3) {
			match := fmt.Sprintf("-s 10.0.0.%d -j own%d", w.IntN(5), 1+w.IntN(3))
			e.Commands = append(e.Commands, []string{
				"-A " + chain + " " + match, "-I " + chain + " " + match, "-D " + chain + " 1", "-D " + chain + " " + match, "-F " + chain,
				"-N " + chain, "-X " + chain, "-P INPUT DROP", "-P INPUT ACCEPT", "-R " + chain + " 1 " + match,
			}[w.IntN(10)])
		}
		return Edit{Iptables: &e}
	case 0:
		return Edit{AddNode: &AddNode{ID: w.id(), Name: w.name(), Kind: Machine}}
	case 1, 2, 3:
		kind := []Kind{Namespace, Namespace, Container}[w.IntN(3)]
		return Edit{AddNode: &AddNode{ID: w.id(), Name: w.name(), Kind: kind, In: pick(w, lab.Nodes), Place: &Place{X: w.Float64()}}}
	case 4, 5, 6:
		return Edit{AddCable: &AddCable{
			ID: w.id(), A: End{ID: w.id(), Node: pick(w, lab.Nodes), Name: w.name(), Addresses: []string{w.address()}},
			B: End{ID: w.id(), Node: pick(w, lab.Nodes), Name: w.name(), Down: w.IntN(2) == 0},
		}}
	case 7:
		change := UpdateNode{ID: pick(w, lab.Nodes)}
		if w.IntN(2) == 0 {
			change.Name = to(w.name())
		} else {
			change.In = to(pick(w, lab.Nodes))
		}
		return Edit{UpdateNode: &change}
	case 8, 9:
		change := UpdateInterface{ID: pick(w, lab.Interfaces)}
		switch w.IntN(4) {
		case 0:
			change.Name = to(w.name())
		case 1:
			change.Node = to(pick(w, lab.Nodes))
		case 2:
			change.Up = to(w.IntN(2) == 0)
		default:
			change.MTU = to(1000 + w.IntN(3))
		}
		return Edit{UpdateInterface: &change}
	case 10:
		return Edit{AddAddress: &AddAddress{pick(w, lab.Interfaces), w.address()}}
	case 11:
		return Edit{DeleteAddress: &DeleteAddress{pick(w, lab.Interfaces), w.address()}}
	case 12:
		switch w.IntN(3) {
		case 0:
			return Edit{Delete: &Delete{pick(w, lab.Nodes)}}
		case 1:
			return Edit{Delete: &Delete{pick(w, lab.Cables)}}
		default:
			return Edit{Delete: &Delete{pick(w, lab.Interfaces)}}
		}
	case 13:
		return Edit{AddService: &AddService{pick(w, lab.Nodes), fmt.Sprintf("http %d", 80+w.IntN(3))}}
	default:
		if w.IntN(4) == 0 {
			return Edit{UpdateLab: &UpdateLab{Name: to(w.name()), Quiet: to(w.IntN(2) == 0)}}
		}
		return Edit{Place: &PlaceNode{ID: pick(w, lab.Nodes), X: float64(w.IntN(100)), Y: 1}}
	}
}

// step is the lab after an op that is possible.
func (w *walker) step(lab Lab) Lab {
	for {
		edits := []Edit{w.edit(lab)}
		for w.IntN(4) == 0 {
			edits = append(edits, w.edit(lab))
		}
		before := lab.Clone()
		after, err := lab.Edit(edits)
		if patch, patchErr := NewJournal(lab, 0, nil).EditPatch(edits); !reflect.DeepEqual(patch, Compare(lab, after)) || fmt.Sprint(patchErr) != fmt.Sprint(err) {
			panic(fmt.Sprintf("the patch of %v is %v, %v", edits, patch, patchErr))
		}
		if !reflect.DeepEqual(lab, before) {
			panic(fmt.Sprintf("the patch of %v has changed the lab", edits))
		}
		if err == nil {
			return after
		}
	}
}

func (w *walker) lab(steps int) Lab {
	lab := NewLab("random")
	for range steps {
		lab = w.step(lab)
	}
	return lab
}

// checkWhole checks what holds of every lab.
func checkWhole(t *testing.T, lab Lab) {
	t.Helper()
	type name struct {
		in   ID
		name string
	}
	nodes, interfaces, loopbacks, ends := map[name]ID{}, map[name]ID{}, map[ID]int{}, map[ID]int{}
	for id, n := range lab.Nodes {
		if other, taken := nodes[name{n.In, n.Name}]; taken || n.ID != id {
			t.Errorf("node %s is %+v; %s has its name", id, n, other)
		}
		nodes[name{n.In, n.Name}] = id
		if n.In != "" && lab.Nodes[n.In].Kind != Machine {
			t.Errorf("%+v is in %+v", n, lab.Nodes[n.In])
		}
	}
	for _, n := range lab.Nodes {
		for _, ipv6 := range []bool{false, true} {
			if list, err := ReadRules(n.Rules(ipv6)); err != nil || !slices.Equal(list.Texts(), n.Rules(ipv6)) {
				t.Errorf("%s has rules that cannot be: %v: %q", n.Name, err, n.Rules(ipv6))
			}
		}
	}
	for id, i := range lab.Interfaces {
		if other, taken := interfaces[name{i.Node, i.Name}]; taken || i.ID != id {
			t.Errorf("interface %s is %+v; %s has its name", id, i, other)
		}
		interfaces[name{i.Node, i.Name}] = id
		if _, ok := lab.Nodes[i.Node]; !ok {
			t.Errorf("%+v is in a node that is not there", i)
		}
		if i.Kind == Loopback {
			loopbacks[i.Node]++
		}
	}
	for id, c := range lab.Cables {
		if c.ID != id || c.Ends[0] == c.Ends[1] {
			t.Errorf("cable %s is %+v", id, c)
		}
		for _, end := range c.Ends {
			ends[end]++
			if lab.Interfaces[end].Kind != Veth {
				t.Errorf("%+v ends in %+v", c, lab.Interfaces[end])
			}
		}
	}
	for id := range lab.Nodes {
		if loopbacks[id] != 1 {
			t.Errorf("%s has %d loopback interfaces", id, loopbacks[id])
		}
	}
	for id, i := range lab.Interfaces {
		if i.Kind == Veth && ends[id] != 1 {
			t.Errorf("%+v is an end of %d cables", i, ends[id])
		}
	}
	for id := range lab.Places {
		if _, ok := lab.Nodes[id]; !ok {
			t.Errorf("%s has a place, and is not there", id)
		}
	}
}
