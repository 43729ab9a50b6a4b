package live_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"vethlab/labengine"
	"vethlab/labengine/live/labtest"
)

// seeds of the walks that `make test` does, those that once found something among them. VETHLAB_SEED=N walks one of one's
// own.
var seeds = []uint64{4, 21, 46, 57, 101, 102, seedContainers, seedContainers + 1, seedOVS, seedOVS + 1}

// seedsOr are the seeds, or one's own.
func seedsOr(seeds ...uint64) []uint64 {
	if own, err := strconv.ParseUint(os.Getenv("VETHLAB_SEED"), 10, 64); err == nil {
		return []uint64{own}
	}
	return seeds
}

// seedContainers is the least seed of walks that draw containers and services too.
const seedContainers = 1000

// seedOVS is the least seed of walks that draw and type Open vSwitch bridges too.
const seedOVS = 2000

// TestRandomWalk does what hands and terminals do, in any order: after each step the document and the kernel are the
// same lab, after undoing everything and doing it again too, and the exported script makes that lab by hand.
func TestRandomWalk(t *testing.T) {
	const steps = 40
	for _, seed := range seedsOr(seeds...) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			w := newWalker(t, seed, 0)
			w.walk(steps)
			w.CheckScript()
			w.undoAll()
			w.CheckKernel()
		})
	}
}

// TestRefusedAtEachStep does what hands do, and has each step of each gesture, undo and redo refused before it is carried
// out: the steps before it are taken back, and the document and the kernel are the lab that was there before.
func TestRefusedAtEachStep(t *testing.T) {
	const steps = 30
	for _, seed := range seedsOr(1, 2, seedContainers+2, seedOVS+2) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			w := newWalker(t, seed, 1)
			w.refusing = true
			w.walk(steps)
			t.Logf("%d steps were refused", w.refused)
			w.CheckScript()
			if w.refused == 0 {
				t.Error("no step was refused")
			}
		})
	}
}

// TestTypedMeanwhile is a walk on which somebody types while each gesture is carried out. Who is first is left to chance;
// whatever comes of it, the document and the kernel are the same lab then.
func TestTypedMeanwhile(t *testing.T) {
	const steps = 40
	for _, seed := range seedsOr(1, 2, seedContainers+3, seedOVS+3) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			w := newWalker(t, seed, 2)
			w.meanwhile = true
			w.walk(steps)
			w.CheckScript()
		})
	}
}

type walker struct {
	*labtest.Lab
	t                    *testing.T
	rand                 *rand.Rand
	made, asked, refused int // things made so far, gestures, and steps that were refused

	containers bool // some nodes are containers, and some offer services
	ovs        bool // some bridges are Open vSwitch's
	refusing   bool // each step of what is asked for is refused once
	meanwhile  bool // somebody types while what is asked for is carried out

	note  bool // what would be typed is noted instead
	noted string
}

// newWalker starts a lab to walk in. Walks of several kinds that begin with the same seed are different walks.
func newWalker(t *testing.T, seed, kind uint64) *walker {
	t.Helper()
	return &walker{
		Lab: labtest.Start(t, redAndBlue), t: t, rand: rand.New(rand.NewPCG(seed, kind)),
		containers: seed >= seedContainers && seed < seedOVS, ovs: seed >= seedOVS,
	}
}

// walk takes so many steps. After each, the document and the kernel are the same lab.
func (w *walker) walk(steps int) {
	w.t.Helper()
	for range steps {
		w.step()
		w.CheckKernel()
	}
}

// send asks for something in the way of this walk.
func (w *walker) send(r labengine.Request) labengine.Reply {
	w.t.Helper()
	if w.meanwhile {
		var typing sync.WaitGroup
		command := w.command(w.State().Lab)
		typing.Go(func() { w.typed("%s", command) })
		defer typing.Wait()
		return w.Ask(r)
	}
	for step := 0; w.refusing; step++ {
		before := w.State().Lab
		reply, refused := w.AskRefusing(r, step)
		if !refused {
			return reply
		}
		w.refused++
		w.CheckKernel()
		if diff := cmp.Diff(withoutChance(before), withoutChance(w.State().Lab), cmpopts.EquateEmpty()); diff != "" {
			asked, _ := json.Marshal(r)
			w.t.Fatalf("step %d of %s was refused, and the lab is another: %s", step, asked, diff)
		}
	}
	return w.Ask(r)
}

// withoutChance is the lab without what the kernel cannot be made to have again: the MAC of a bridge without ports, which
// it makes up for a new one and which is none once the last port has gone; and an MTU of a vxlan that its parent has no room
// for, which stays where the parent's is lowered later.
func withoutChance(lab labengine.Lab) labengine.Lab {
	lab = lab.Clone()
	for id, i := range lab.Interfaces {
		if i.Kind == labengine.Bridge && len(lab.PortsOf(id)) == 0 {
			i.MAC = ""
		}
		if i.Kind == labengine.VXLAN && i.Parent != "" {
			i.MTU = min(i.MTU, lab.Interfaces[i.Parent].MTU-labengine.VXLANHeadroom)
		}
		lab.Interfaces[id] = i
	}
	return lab
}

// command is one that is typed in a terminal, whatever comes of it.
func (w *walker) command(lab labengine.Lab) string {
	types := []func(labengine.Lab){
		w.typeBridge, w.typePort, w.typePort, w.typeRoute, w.typeImpair,
		w.typeNamespace, w.typeVeth, w.typeSet, w.typeSet, w.typeAddress, w.typeMove, w.typeDelete, w.typeRule,
	}
	if w.ovs {
		types = append(types, w.typeOVS, w.typeSetPort, w.typePort)
	}
	w.noted = "true"
	w.note = true
	types[w.rand.IntN(len(types))](lab)
	w.note = false
	return w.noted
}

func (w *walker) step() {
	lab := w.State().Lab
	steps := []func(labengine.Lab){
		w.addNode, w.addNode, w.addCable, w.addCable, w.addCable, w.delete, w.rename, w.set, w.set, w.address, w.address, w.replug,
		w.moveNode, w.undo, w.undo, w.redo, w.rule, w.rule, w.rule,
		w.addBridge, w.addOnTop, w.addTun, w.addPort, w.addPort, w.impair, w.alias, w.route, w.route, w.sysctl,
		w.typeBridge, w.typeTun, w.typePort, w.typePort, w.typeRoute, w.typeRoute, w.typeSysctl, w.typeImpair, w.typeAlias,
		w.typeNamespace, w.typeVeth, w.typeVeth, w.typeSet, w.typeSet, w.typeAddress, w.typeMove, w.typeDelete, w.typeRule, w.typeRule,
	}
	if w.containers {
		steps = append(steps, w.service, w.service, w.neighbour, w.neighbour, w.typeNeighbour)
	}
	if w.ovs {
		steps = append(steps, w.addOVS, w.addOVS, w.addPort, w.addPort, w.addPort, w.setPort, w.setPort, w.setOVS, w.typePort,
			w.typeOVS, w.typeSetPort, w.typeSetPort)
	}
	steps[w.rand.IntN(len(steps))](lab)
}

// service has a node offer something, or no longer.
func (w *walker) service(lab labengine.Lab) {
	n := w.anyNode(lab)
	if s, has := pick(w, n.Services); has && w.rand.IntN(2) == 0 {
		w.edit(labengine.Edit{DeleteService: &labengine.DeleteService{Node: n.ID, Service: s}})
		return
	}
	what := []string{"http", "echo udp", "echo tcp", "dns"}[w.rand.IntN(4)]
	w.edit(labengine.Edit{AddService: &labengine.AddService{Node: n.ID, Service: fmt.Sprintf("%s %d", what, 80+w.rand.IntN(3))}})
}

// ids lists the keys of a map in an order that the seed alone decides.
func ids[V any](m map[labengine.ID]V, keep func(V) bool) []labengine.ID {
	var list []labengine.ID
	for id, v := range m {
		if keep(v) {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

func pick[T any](w *walker, list []T) (one T, ok bool) {
	if len(list) == 0 {
		return one, false
	}
	return list[w.rand.IntN(len(list))], true
}

func (w *walker) name(prefix string) string {
	w.made++
	return fmt.Sprintf("%s%d", prefix, w.made)
}

func (w *walker) anyNode(lab labengine.Lab) labengine.Node {
	id, _ := pick(w, ids(lab.Nodes, func(labengine.Node) bool { return true }))
	return lab.Nodes[id]
}

func (w *walker) anyVeth(lab labengine.Lab) (labengine.Interface, bool) {
	id, ok := pick(w, ids(lab.Interfaces, func(i labengine.Interface) bool { return i.Kind == labengine.Veth }))
	return lab.Interfaces[id], ok
}

func (w *walker) randomAddress() string {
	if w.rand.IntN(4) == 0 {
		return fmt.Sprintf("2001:db8:%x::%x/64", w.rand.IntN(3), 1+w.rand.IntN(200))
	}
	return fmt.Sprintf("10.0.%d.%d/%d", w.rand.IntN(3), 1+w.rand.IntN(200), 24+8*w.rand.IntN(2))
}

// edit sends a gesture. It may be refused, for a terminal has been quicker or the kernel does not take it; then nothing
// may have changed, which the check after the step sees.
func (w *walker) edit(e ...labengine.Edit) {
	w.asked++
	op := labengine.Op{ID: labengine.ID(fmt.Sprintf("w%d", w.asked)), Edits: e}
	reply := w.send(labengine.Request{Op: &op})
	if data, err := json.Marshal(e); err == nil {
		w.t.Logf("draw %s: %v", data, reply.Problem)
	}
}

func (w *walker) addNode(lab labengine.Lab) {
	if w.rand.IntN(8) == 0 {
		name := w.name("l")
		w.edit(labengine.Edit{AddNode: &labengine.AddNode{ID: labengine.ID(name), Name: name, Kind: labengine.LAN}})
		return
	}
	if w.rand.IntN(6) == 0 {
		name := w.name("m")
		w.edit(labengine.Edit{AddNode: &labengine.AddNode{ID: labengine.ID(name), Name: name, Kind: labengine.Machine}})
		return
	}
	machine, _ := pick(w, ids(lab.Nodes, func(n labengine.Node) bool { return n.Kind == labengine.Machine }))
	name := w.name("n")
	if w.containers && w.rand.IntN(2) == 0 {
		add := &labengine.AddNode{ID: labengine.ID(name), Name: name, Kind: labengine.Container, In: machine}
		if w.rand.IntN(2) == 0 {
			add.Command = "sleep 1000"
		}
		w.edit(labengine.Edit{AddNode: add})
		return
	}
	w.edit(labengine.Edit{AddNode: &labengine.AddNode{ID: labengine.ID(name), Name: name, Kind: labengine.Namespace, In: machine}})
}

func (w *walker) addCable(lab labengine.Lab) {
	name := w.name("c")
	a, b := w.anyNode(lab), w.anyNode(lab)
	w.edit(labengine.Edit{AddCable: &labengine.AddCable{
		ID: labengine.ID(name), MTU: 1280 + w.rand.IntN(2)*220,
		A: labengine.End{ID: labengine.ID(name + "a"), Node: a.ID, Name: name + "a", Addresses: []string{w.randomAddress()}},
		B: labengine.End{ID: labengine.ID(name + "b"), Node: b.ID, Name: name + "b", Down: w.rand.IntN(3) == 0},
	}})
}

func (w *walker) delete(lab labengine.Lab) {
	all := append(ids(lab.Cables, func(labengine.Cable) bool { return true }),
		ids(lab.Nodes, func(n labengine.Node) bool { return n.ID != "host" })...)
	if id, ok := pick(w, all); ok {
		w.edit(labengine.Edit{Delete: &labengine.Delete{ID: id}})
	}
}

func (w *walker) rename(lab labengine.Lab) {
	name := w.name("r")
	if i, ok := w.anyVeth(lab); ok && w.rand.IntN(2) == 0 {
		w.edit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: i.ID, Name: &name}})
		return
	}
	if n := w.anyNode(lab); n.ID != "host" {
		w.edit(labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: n.ID, Name: &name}})
	}
}

func (w *walker) moveNode(lab labengine.Lab) {
	machine, _ := pick(w, ids(lab.Nodes, func(n labengine.Node) bool { return n.Kind == labengine.Machine }))
	if id, ok := pick(w, ids(lab.Nodes, func(n labengine.Node) bool { return n.In != "" })); ok {
		w.edit(labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: id, In: &machine}})
	}
}

func (w *walker) set(lab labengine.Lab) {
	if i, ok := w.anyVeth(lab); ok {
		up, mtu, mac := w.rand.IntN(2) == 0, 1280+w.rand.IntN(300), fmt.Sprintf("02:00:00:00:00:%02x", w.rand.IntN(256))
		w.edit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: i.ID, Up: &up, MTU: &mtu, MAC: &mac}})
	}
}

func (w *walker) address(lab labengine.Lab) {
	i, ok := w.anyVeth(lab)
	if !ok {
		return
	}
	if a, has := pick(w, i.Addresses); has && w.rand.IntN(3) == 0 {
		w.edit(labengine.Edit{DeleteAddress: &labengine.DeleteAddress{Interface: i.ID, Address: a}})
		return
	}
	w.edit(labengine.Edit{AddAddress: &labengine.AddAddress{Interface: i.ID, Address: w.randomAddress()}})
}

func (w *walker) replug(lab labengine.Lab) {
	if i, ok := w.anyVeth(lab); ok {
		to := w.anyNode(lab).ID
		w.edit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: i.ID, Node: &to}})
	}
}

// randomRule is a command of iptables; most of them are possible.
func (w *walker) randomRule(have []string) string {
	chain := []string{"INPUT", "FORWARD", "OUTPUT", "own1", "own2"}[w.rand.IntN(5)]
	match := fmt.Sprintf("-s 10.0.0.%d -j %s", w.rand.IntN(4), []string{"ACCEPT", "DROP", "own1", "own2", "LOG", "NONE"}[w.rand.IntN(6)])
	switch w.rand.IntN(12) {
	case 0:
		return "-P " + chain + " " + []string{"DROP", "ACCEPT"}[w.rand.IntN(2)]
	case 1, 2:
		return "-N own" + fmt.Sprint(1+w.rand.IntN(2))
	case 3:
		return "-X " + chain
	case 4:
		return "-F " + chain
	case 5:
		return "-t nat -A POSTROUTING -s 10.0.0.0/24 -j MASQUERADE"
	case 6:
		return fmt.Sprintf("-I %s %d %s", chain, 1+w.rand.IntN(3), match)
	case 7:
		return fmt.Sprintf("-R %s %d %s", chain, 1+w.rand.IntN(3), match)
	case 8, 9:
		if text, ok := pick(w, have); ok {
			return strings.Replace(text, "-A ", "-D ", 1)
		}
		return fmt.Sprintf("-D %s %d", chain, 1+w.rand.IntN(3))
	default:
		return "-A " + chain + " " + match
	}
}

func (w *walker) rule(lab labengine.Lab) {
	n := w.anyNode(lab)
	e := labengine.Iptables{Node: n.ID, IPv6: w.rand.IntN(6) == 0}
	for range 1 + w.rand.IntN(3) {
		command := w.randomRule(n.Rules(e.IPv6))
		if e.IPv6 {
			command = strings.ReplaceAll(command, "10.0.0.", "2001:db8::")
		}
		e.Commands = append(e.Commands, command)
	}
	w.edit(labengine.Edit{Iptables: &e})
}

func (w *walker) typeRule(lab labengine.Lab) {
	n := w.hosts(lab)
	netns := ""
	if n.In != "" {
		netns = "ip netns exec " + n.Name + " "
	}
	switch w.rand.IntN(8) {
	case 0:
		w.typed("%siptables-save > /tmp/rules; %siptables -F; %siptables-restore < /tmp/rules", netns, netns, netns)
	case 1:
		w.typed("%snft add rule ip filter INPUT ip daddr 10.0.0.9 counter drop", netns)
	case 2:
		w.typed("%siptables -F", netns)
	default:
		w.typed("%siptables %s; %siptables %s", netns, w.randomRule(n.Iptables), netns, w.randomRule(n.Iptables))
	}
}

func (w *walker) undo(labengine.Lab) { w.ask("undo", labengine.Request{Undo: &labengine.Undo{}}) }
func (w *walker) redo(labengine.Lab) { w.ask("redo", labengine.Request{Redo: &labengine.Redo{}}) }

func (w *walker) ask(what string, r labengine.Request) {
	reply := w.send(r)
	w.t.Logf("%s: %s %v", what, reply.Text, reply.Problem)
}

// typed runs a command in host's terminal. It may fail, as commands do.
func (w *walker) typed(format string, args ...any) {
	command := fmt.Sprintf(format, args...)
	if w.note {
		w.noted = command
		return
	}
	out, status := w.Run("host", "sh", "-c", command)
	w.t.Logf("type %s: %d %s", command, status, out)
}

func (w *walker) ip(lab labengine.Lab, node labengine.ID) string {
	switch n := lab.Nodes[node]; n.Kind {
	case labengine.Container:
		return "nsenter -t " + pidOf(n) + " -n ip"
	case labengine.Namespace:
		return "ip -n " + n.Name
	}
	return "ip"
}

// netns is how ip-link(8) calls a node's namespace in host's terminal.
func netns(n labengine.Node) string {
	switch n.Kind {
	case labengine.Container:
		return pidOf(n)
	case labengine.Namespace:
		return n.Name
	}
	return "1"
}

func pidOf(container labengine.Node) string {
	return "$(cat /run/containers/" + container.Name + ".pid)"
}

// hosts picks a node that host's terminal can reach.
func (w *walker) hosts(lab labengine.Lab) labengine.Node {
	id, _ := pick(w, ids(lab.Nodes, func(n labengine.Node) bool { return n.ID == "host" || n.In == "host" }))
	return lab.Nodes[id]
}

func (w *walker) hostsVeth(lab labengine.Lab) (labengine.Interface, bool) {
	id, ok := pick(w, ids(lab.Interfaces, func(i labengine.Interface) bool {
		n := lab.Nodes[i.Node]
		return i.Kind == labengine.Veth && (n.ID == "host" || n.In == "host")
	}))
	return lab.Interfaces[id], ok
}

func (w *walker) typeNamespace(labengine.Lab) { w.typed("ip netns add %s", w.name("t")) }

func (w *walker) typeVeth(lab labengine.Lab) {
	name, peer := w.name("v"), w.hosts(lab)
	w.typed("ip link add %sa type veth peer name %sb netns %s; ip link set %sa up", name, name, netns(peer), name)
}

func (w *walker) typeSet(lab labengine.Lab) {
	if i, ok := w.hostsVeth(lab); ok {
		what := []string{"up", "down", fmt.Sprint("mtu ", 1300+w.rand.IntN(200)), "name " + w.name("x")}
		w.typed("%s link set dev %s %s", w.ip(lab, i.Node), i.Name, what[w.rand.IntN(len(what))])
	}
}

func (w *walker) typeAddress(lab labengine.Lab) {
	if i, ok := w.hostsVeth(lab); ok {
		if a, has := pick(w, i.Addresses); has && w.rand.IntN(3) == 0 {
			w.typed("%s addr del %s dev %s", w.ip(lab, i.Node), a, i.Name)
			return
		}
		w.typed("%s addr add %s dev %s", w.ip(lab, i.Node), w.randomAddress(), i.Name)
	}
}

func (w *walker) typeMove(lab labengine.Lab) {
	i, ok := w.hostsVeth(lab)
	to := w.hosts(lab)
	if ok && to.ID != i.Node {
		w.typed("%s link set dev %s netns %s", w.ip(lab, i.Node), i.Name, netns(to))
	}
}

func (w *walker) typeDelete(lab labengine.Lab) {
	if i, ok := w.hostsVeth(lab); ok && w.rand.IntN(2) == 0 {
		w.typed("%s link del dev %s", w.ip(lab, i.Node), i.Name)
		return
	}
	switch n := w.hosts(lab); n.Kind {
	case labengine.Container:
		w.typed("kill -9 %s", pidOf(n))
	case labengine.Namespace:
		w.typed("ip netns del %s", n.Name)
	}
}

// undoAll takes everything back. What the kernel does not take back is the end of it: a machine's processes, say.
func (w *walker) undoAll() {
	w.t.Helper()
	for range 200 {
		r := w.Ask(labengine.Request{Undo: &labengine.Undo{}})
		if r.Problem != nil && r.Problem.Code == labengine.CodeNothingToUndo {
			return
		}
		if r.Problem != nil {
			if strings.Contains(r.Problem.Message, "cannot be brought back") {
				return
			}
			w.t.Fatalf("undo: %v", r.Problem)
		}
		w.CheckKernel()
	}
	w.t.Fatal("undoing does not come to an end")
}
