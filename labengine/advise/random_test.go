package advise_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vethlab/labengine"
	"vethlab/labengine/advise"
	"vethlab/labengine/topology/topologytest"
)

// walker makes edits at random, most of them possible.
type walker struct {
	*rand.Rand
	lab  labengine.Lab
	made int
}

func (w *walker) id() labengine.ID { w.made++; return labengine.ID(fmt.Sprintf("id%d", w.made)) }

func (w *walker) one(of ...string) string { return of[w.IntN(len(of))] }

func (w *walker) address() string {
	return w.one(fmt.Sprintf("10.0.%d.%d/%s", w.IntN(3), 1+w.IntN(4), w.one("24", "24", "24", "32", "16", "30")),
		fmt.Sprintf("2001:db8:%d::%d/64", w.IntN(2), 1+w.IntN(3)))
}

func pick[V any](w *walker, from map[labengine.ID]V) labengine.ID {
	ids := make([]labengine.ID, 0, len(from))
	for id := range from {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return "gone"
	}
	slices.Sort(ids)
	return ids[w.IntN(len(ids))]
}

func (w *walker) edit() labengine.Edit {
	end := func() labengine.End {
		e := labengine.End{ID: w.id(), Node: pick(w, w.lab.Nodes), Name: fmt.Sprint("e", w.made), Down: w.IntN(6) == 0}
		for range w.IntN(3) {
			e.Addresses = append(e.Addresses, w.address())
		}
		for _, i := range w.lab.InterfacesOf(e.Node) {
			if i.Kind == labengine.Bridge && w.IntN(2) == 0 {
				e.Master = i.ID
			}
		}
		return e
	}
	up, mtu := w.IntN(3) > 0, []int{1400, 1500}[w.IntN(2)]
	switch w.IntN(14) {
	case 0:
		kind := []labengine.Kind{labengine.Machine, labengine.LAN, labengine.Internet}[min(2, w.IntN(9)/3)]
		return labengine.Edit{AddNode: &labengine.AddNode{ID: w.id(), Name: fmt.Sprint("m", w.made), Kind: kind}}
	case 1, 2:
		return labengine.Edit{AddNode: &labengine.AddNode{
			ID: w.id(), Name: fmt.Sprint("n", w.made), Kind: labengine.Namespace, In: pick(w, w.lab.Nodes),
		}}
	case 3, 4, 5:
		return labengine.Edit{AddCable: &labengine.AddCable{ID: w.id(), A: end(), B: end()}}
	case 6:
		kind := w.one(labengine.Bridge, labengine.Bridge, labengine.VLAN, labengine.MACVLAN, labengine.VXLAN, labengine.Dummy)
		add := &labengine.AddInterface{ID: w.id(), Node: pick(w, w.lab.Nodes), Name: fmt.Sprint("i", w.made), Kind: kind, Addresses: []string{w.address()}}
		if labengine.NeedsParent(kind) {
			add.Parent = pick(w, w.lab.Interfaces)
		}
		switch kind {
		case labengine.VLAN:
			add.Options = "id 10"
		case labengine.VXLAN:
			add.Options = fmt.Sprintf("id 42 remote 10.0.0.%d", 1+w.IntN(4))
		}
		return labengine.Edit{AddInterface: add}
	case 7:
		return labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: pick(w, w.lab.Interfaces), Up: &up}}
	case 8:
		return labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: pick(w, w.lab.Interfaces), MTU: &mtu}}
	case 9, 10:
		to := w.one("default", "default", "10.0.1.0/24", "10.0.2.0/24", "10.0.0.0/16", "10.0.0.1")
		return labengine.Edit{AddRoute: &labengine.AddRoute{
			Node: pick(w, w.lab.Nodes), Route: fmt.Sprintf("%s via 10.0.%d.%d%s", to, w.IntN(3), 1+w.IntN(5), w.one("", "", "", " metric 9", " table 7")),
		}}
	case 11:
		return labengine.Edit{SetSysctl: &labengine.SetSysctl{
			Node: pick(w, w.lab.Nodes), Name: w.one("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.bridge.bridge-nf-call-iptables"), Value: "1",
		}}
	case 12:
		return labengine.Edit{AddAddress: &labengine.AddAddress{Interface: pick(w, w.lab.Interfaces), Address: w.address()}}
	default:
		return labengine.Edit{Iptables: &labengine.Iptables{Node: pick(w, w.lab.Nodes), Commands: []string{w.one(
			"-P FORWARD DROP", "-A FORWARD -s 10.0.0.0/16 -j ACCEPT", "-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT",
			"-t nat -A POSTROUTING -s 10.0.1.0/24 -j MASQUERADE", "-t nat -A POSTROUTING -o e7 -j MASQUERADE",
			"-t nat -A PREROUTING -d 10.0.0.9 -j DNAT --to-destination 10.0.1.1", "-t nat -A POSTROUTING -s 10.7.0.0/16 -j MASQUERADE",
		)}}}
	}
}

// randomLab is one made at random or, half of the time, the healthy picture after a few accidents.
func randomLab(t *testing.T, seed uint64) labengine.Lab {
	w := &walker{Rand: rand.New(rand.NewPCG(seed, 0)), lab: labengine.NewLab("random")}
	edits, edit := 20+w.IntN(120), w.edit
	if seed%2 == 0 {
		w.lab, edits = topologytest.Lab(t, bridged), 1+w.IntN(4)
		edit = func() labengine.Edit {
			if w.IntN(2) == 0 {
				return w.edit()
			}
			return w.accident()
		}
	}
	for range edits {
		if after, err := w.lab.Edit([]labengine.Edit{edit()}); err == nil {
			w.lab = after
		}
	}
	return w.lab
}

// accident takes something away.
func (w *walker) accident() labengine.Edit {
	node, iface := w.lab.Nodes[pick(w, w.lab.Nodes)], w.lab.Interfaces[pick(w, w.lab.Interfaces)]
	down := false
	switch {
	case len(node.Routes) > 0:
		return labengine.Edit{DeleteRoute: &labengine.DeleteRoute{Node: node.ID, Route: node.Routes[0]}}
	case len(node.Sysctls) > 0:
		return labengine.Edit{SetSysctl: &labengine.SetSysctl{Node: node.ID, Name: "net.ipv4.ip_forward"}}
	case len(iface.Addresses) > 0 && w.IntN(2) == 0:
		return labengine.Edit{DeleteAddress: &labengine.DeleteAddress{Interface: iface.ID, Address: iface.Addresses[0]}}
	case iface.Kind == labengine.Veth && w.IntN(4) == 0:
		return labengine.Edit{Delete: &labengine.Delete{ID: iface.ID}}
	}
	return labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: iface.ID, Up: &down}}
}

// TestAdviseOnRandomLabs: whatever the lab, the advice is the same for the same lab, and each fix can be done and makes its
// advice needless. What comes up instead is fixed as well, and at last nothing that has a fix is left.
func TestAdviseOnRandomLabs(t *testing.T) {
	seen := map[labengine.AdviceCode]int{}
	for seed := range uint64(120) {
		lab := randomLab(t, seed)
		again := advise.Advise(lab.Clone(), labengine.Live{})
		for round := 0; ; round++ {
			said := advise.Advise(lab, labengine.Live{})
			if diff := cmp.Diff(said, again); round == 0 && diff != "" {
				t.Fatalf("seed %d: not the same twice: %s", seed, diff)
			}
			for _, a := range said {
				seen[a.Code]++
				if round == 0 {
					checkFix(t, seed, lab, a)
				}
			}
			at := slices.IndexFunc(said, func(a labengine.Advice) bool { return a.Fix != nil })
			if at < 0 || t.Failed() {
				break
			}
			if round == 200 {
				t.Fatalf("seed %d: the fixes do not come to an end: %q", seed, lines(said))
			}
			checkFix(t, seed, lab, said[at])
			lab, _ = lab.Edit(said[at].Fix.Edits)
		}
	}
	t.Log(seen)
	if len(seen) < 14 {
		t.Errorf("only %d codes came up: %v", len(seen), seen)
	}
}

func checkFix(t *testing.T, seed uint64, lab labengine.Lab, a labengine.Advice) {
	t.Helper()
	if a.Fix == nil {
		return
	}
	after, err := lab.Edit(a.Fix.Edits)
	if err != nil {
		t.Errorf("seed %d: the fix of %q cannot be: %v", seed, a.Message, err)
		return
	}
	for _, b := range advise.Advise(after, labengine.Live{}) {
		if b.Code == a.Code && b.Message == a.Message && slices.Equal(a.On, b.On) {
			t.Errorf("seed %d: the fix %q leaves %q", seed, a.Fix.Label, a.Message)
		}
	}
}
