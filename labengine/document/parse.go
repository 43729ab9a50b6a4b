package document

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"vethlab/labengine"
)

// The keys of the file.
var (
	topShape       = shape{"a lab", []string{"vethlab", "name", "quiet", "nodes", "cables", "canvas"}}
	nodeShape      = shape{"a node", []string{"name", "kind", "in", "interfaces"}}
	interfaceShape = shape{"an interface", []string{"up", "mtu", "addresses"}}
	cableShape     = shape{"a cable", []string{"ends", "mtu"}}
	canvasShape    = shape{"the canvas", []string{"positions"}}
)

// laterKinds are kinds of node that the design has and this version of the format has not.
var laterKinds = []string{"container", "bridge", "ovs", "lan", "internet"}

// reader makes a lab of a file. Values are checked one by one, by the rules of package labengine, for the sake of exact
// positions; the lab is then made by its edits, which have the last word.
type reader struct {
	*file
	lab    labengine.Lab
	edits  []labengine.Edit
	where  map[labengine.ID]position // of what the edits make
	labels map[string][]labengine.ID // nodes by name and by machine/name
	kinds  map[string]labengine.Kind // by name; of nodes with the same name, a machine's
	names  map[labengine.ID]map[string]position
}

func (f *file) lab(root value) (labengine.Lab, error) {
	r := &reader{
		file: f, lab: labengine.NewLab(Unnamed), where: map[labengine.ID]position{},
		labels: map[string][]labengine.ID{}, kinds: map[string]labengine.Kind{}, names: map[labengine.ID]map[string]position{},
	}
	if root.form == nothing {
		return r.lab, f.problem(position{1, 1}, "begin it with `vethlab: 1`", "there is no lab in the file")
	}
	if root.form != mapping {
		return r.lab, f.expected(root, "a lab is a mapping that begins with `vethlab: 1`")
	}
	top, err := r.version(root)
	if err == nil {
		err = r.settings(top)
	}
	if err == nil {
		err = r.nodes(top["nodes"])
	}
	if err == nil {
		err = r.cables(top["cables"])
	}
	if err == nil {
		err = r.canvas(top["canvas"])
	}
	return r.lab, err
}

// version checks that the file is in this format before it looks at the keys, which another version may have others of.
func (r *reader) version(root value) (map[string]value, error) {
	at := slices.IndexFunc(root.pairs, func(p pair) bool { return p.key.text == "vethlab" })
	if at < 0 {
		_, err := r.fields(root, topShape) // "did you mean vethlab?" says more
		if err == nil {
			err = r.problem(root.at, "begin it with `vethlab: 1`", "the file does not say that it is a lab")
		}
		return nil, err
	}
	v := root.pairs[at].value
	if v.form != scalar {
		return nil, r.expected(v, "the version of the format is a number, as in `vethlab: 1`")
	}
	if v.text != Version {
		return nil, r.problem(v.at, "a newer vethlab may read it; this one reads `vethlab: 1`",
			"version %q of the format is not known here", abridge(v.text))
	}
	return r.fields(root, topShape)
}

func (r *reader) settings(top map[string]value) error {
	change := labengine.UpdateLab{}
	if v, ok := top["name"]; ok {
		name, err := r.text(v, "the lab's name")
		if err != nil {
			return err
		}
		change.Name = &name
	}
	if v, ok := top["quiet"]; ok {
		quiet, err := r.bool(v, "quiet")
		if err != nil {
			return err
		}
		change.Quiet = &quiet
	}
	lab, err := r.lab.Edit([]labengine.Edit{{UpdateLab: &change}})
	if err != nil {
		return r.because(top["name"].at, err)
	}
	r.lab = lab
	return nil
}

// edit carries out the edits that have been collected.
func (r *reader) edit() error {
	if len(r.edits) == 0 {
		return nil
	}
	lab, err := r.lab.Edit(r.edits)
	r.edits = nil
	if err == nil {
		r.lab = lab
		return nil
	}
	var p *labengine.Problem
	if errors.As(err, &p) && r.where[p.On] != (position{}) {
		return r.because(r.where[p.On], err)
	}
	return r.whole("%v", err)
}

// node is an entry of the list of nodes.
type node struct {
	id         labengine.ID
	name       string
	kind       labengine.Kind
	in         string
	at         position // of its name
	inAt       position
	interfaces value
}

func (r *reader) nodes(v value) error {
	items, err := r.items(v, "the nodes are a list", "begin each with `- {name: …, kind: …}`")
	if err != nil {
		return err
	}
	if len(items) > MaxNodes {
		return r.problem(items[MaxNodes].at, "", "the lab has %d nodes; up to %d are made", len(items), MaxNodes)
	}
	nodes := make([]node, len(items))
	for i, item := range items {
		if nodes[i], err = r.node(item); err != nil {
			return err
		}
		if r.kinds[nodes[i].name] != labengine.Machine {
			r.kinds[nodes[i].name] = nodes[i].kind
		}
	}
	// A namespace may stand before its machine.
	for _, kind := range []labengine.Kind{labengine.Machine, labengine.Namespace} {
		for i := range nodes {
			if nodes[i].kind == kind {
				if err := r.addNode(&nodes[i]); err != nil {
					return err
				}
			}
		}
	}
	if err := r.edit(); err != nil {
		return err
	}
	for i, n := range nodes {
		made := r.lab.Nodes[n.id]
		made.Order = i + 1
		r.lab.Nodes[n.id] = made
		if err := r.settingsOfInterfaces(n); err != nil {
			return err
		}
	}
	return r.edit()
}

func (r *reader) node(v value) (n node, err error) {
	fields, err := r.fields(v, nodeShape)
	if err != nil {
		return n, err
	}
	name, ok := fields["name"]
	if !ok {
		return n, r.problem(v.at, "write {name: red, kind: namespace, in: host}", "this node has no name")
	}
	n.at, n.interfaces = name.at, fields["interfaces"]
	if n.name, err = r.text(name, "a node's name"); err != nil {
		return n, err
	}
	kind, ok := fields["kind"]
	if !ok {
		return n, r.problem(v.at, "the kinds are machine and namespace", "node `%s` has no kind", n.name)
	}
	text, err := r.text(kind, "a node's kind")
	if err != nil {
		return n, err
	}
	n.kind = labengine.Kind(text)
	switch n.kind {
	case labengine.Machine, labengine.Namespace:
	default:
		if contains(laterKinds, text) {
			return n, r.problem(kind.at, "the kinds are machine and namespace", "this vethlab does not make nodes of kind %s yet", text)
		}
		hint := "the kinds are machine and namespace"
		if near := labengine.Nearest(strings.ToLower(text), []string{"machine", "namespace"}); near != "" {
			hint = "did you mean " + near + "?"
		}
		return n, r.problem(kind.at, hint, "there is no kind of node %q", abridge(text))
	}
	in, ok := fields["in"]
	switch {
	case ok && n.kind == labengine.Machine:
		return n, r.problem(in.at, "leave `in` out, or make it a namespace", "machine `%s` cannot be inside another node", n.name)
	case !ok && n.kind == labengine.Namespace:
		return n, r.problem(v.at, "add the machine's name, as in `in: host`", "namespace `%s` is in no machine", n.name)
	case ok:
		n.inAt = in.at
		if n.in, err = r.text(in, "the machine that a namespace is in"); err != nil {
			return n, err
		}
	}
	if err := labengine.CheckNodeName(n.kind, n.name); err != nil {
		return n, r.because(n.at, err)
	}
	return n, nil
}

// addNode adds the edit that makes the node.
func (r *reader) addNode(n *node) error {
	add := labengine.AddNode{Name: n.name, Kind: n.kind}
	label := n.name
	if n.kind == labengine.Namespace {
		if r.kinds[n.in] != labengine.Machine {
			return r.noMachine(n)
		}
		add.In, label = nodeID("", n.in), n.in+"/"+n.name
	}
	n.id = nodeID(n.in, n.name)
	if first, taken := r.where[n.id]; taken {
		where := "the lab"
		if n.in != "" {
			where = n.in
		}
		p := r.problem(n.at, "give one of them another name", "%s has a node `%s` already, from line %d", where, n.name, first.line)
		p.Err = &labengine.Problem{Code: labengine.CodeExists}
		return p
	}
	add.ID, r.where[n.id] = n.id, n.at
	r.edits = append(r.edits, labengine.Edit{AddNode: &add})
	r.labels[label] = append(r.labels[label], n.id)
	// A machine is called by its bare name, whatever else has that name.
	if label != n.name && (len(r.labels[n.name]) == 0 || r.labels[n.name][0] != nodeID("", n.name)) {
		r.labels[n.name] = append(r.labels[n.name], n.id)
	}
	r.names[n.id] = map[string]position{"lo": n.at}
	return nil
}

func (r *reader) noMachine(n *node) error {
	if r.kinds[n.in] == labengine.Namespace {
		return r.problem(n.inAt, "name the machine that both are in", "`%s` is a namespace; a namespace is in a machine", n.in)
	}
	var machines []string
	for name, kind := range r.kinds {
		if kind == labengine.Machine {
			machines = append(machines, name)
		}
	}
	slices.Sort(machines)
	hint := "add a node {name: " + abridge(n.in) + ", kind: machine}"
	if near := labengine.Nearest(n.in, machines); near != "" {
		hint = "did you mean " + near + "?"
	}
	p := r.problem(n.inAt, hint, "there is no machine `%s` for namespace `%s`", abridge(n.in), n.name)
	p.Err = &labengine.Problem{Code: labengine.CodeNoSuchNode}
	return p
}

// settingsOfInterfaces reads what a node states of interfaces that no cable makes: of lo.
func (r *reader) settingsOfInterfaces(n node) error {
	if n.interfaces.form == nothing {
		return nil
	}
	if n.interfaces.form != mapping {
		return r.expected(n.interfaces, "a node's interfaces are a mapping, as in {lo: {up: true}}")
	}
	seen := false
	for _, p := range n.interfaces.pairs {
		if p.key.text != "lo" {
			return r.problem(p.key.at, "what is special about a cable's interface stands at the cable's end: "+n.name+":eth0 mtu 1400 down",
				"only lo is set here; `%s` would be made by a cable", abridge(p.key.text))
		}
		if seen {
			return r.problem(p.key.at, "remove one of them", "interface `lo` is here twice")
		}
		seen = true
		if err := r.loopback(labengine.LoopbackID(n.id), p.value); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) loopback(id labengine.ID, v value) error {
	fields, err := r.fields(v, interfaceShape)
	if err != nil {
		return err
	}
	r.where[id] = v.at
	change := labengine.UpdateInterface{ID: id}
	if v, ok := fields["up"]; ok {
		up, err := r.bool(v, "up")
		if err != nil {
			return err
		}
		change.Up = &up
	}
	if v, ok := fields["mtu"]; ok {
		mtu, err := r.mtu(v, v.text, v.at)
		if err != nil && v.text != strconv.Itoa(labengine.DefaultMTU(labengine.Loopback)) {
			return err
		}
		if err != nil {
			mtu = labengine.DefaultMTU(labengine.Loopback)
		}
		change.MTU = &mtu
	}
	r.edits = append(r.edits, labengine.Edit{UpdateInterface: &change})
	items, err := r.items(fields["addresses"], "the addresses are a list, as in [10.0.0.1/32]", "")
	if err != nil {
		return err
	}
	var has []string
	for _, item := range items {
		text, err := r.text(item, "an address")
		if err != nil {
			return err
		}
		if has, err = r.address(has, text, item.at, "lo"); err != nil {
			return err
		}
		r.edits = append(r.edits, labengine.Edit{AddAddress: &labengine.AddAddress{Interface: id, Address: text}})
	}
	return nil
}

// address checks an address, and that the interface does not have it.
func (r *reader) address(has []string, text string, at position, of string) ([]string, error) {
	address, err := labengine.CanonicalAddress(text)
	if err != nil {
		return nil, r.because(at, err)
	}
	if slices.Contains(has, address) {
		p := r.problem(at, "remove one of them", "%s has %s twice", of, address)
		p.Err = &labengine.Problem{Code: labengine.CodeExists}
		return nil, p
	}
	return append(has, address), nil
}

func (r *reader) mtu(v value, text string, at position) (int, error) {
	if v.form != scalar {
		return 0, r.expected(v, "an MTU is a number of bytes")
	}
	mtu, err := strconv.Atoi(text)
	if err != nil {
		return 0, r.problem(at, "write it as `mtu: 1400`", "an MTU is a number of bytes; this is %q", abridge(text))
	}
	if err := labengine.CheckMTU(mtu); err != nil {
		return 0, r.because(at, err)
	}
	return mtu, nil
}

// canvas reads where nodes are drawn.
func (r *reader) canvas(v value) error {
	if v.form == nothing {
		return nil
	}
	fields, err := r.fields(v, canvasShape)
	if err != nil {
		return err
	}
	positions := fields["positions"]
	if positions.form == nothing {
		return nil
	}
	if positions.form != mapping {
		return r.expected(positions, "positions are a mapping, as in {red: [120, 80]}")
	}
	seen := map[labengine.ID]bool{}
	for _, p := range positions.pairs {
		id, err := r.nodeCalled(p.key.text, p.key.at)
		if err != nil {
			return err
		}
		if seen[id] {
			return r.problem(p.key.at, "remove one of them", "`%s` has two positions", p.key.text)
		}
		seen[id] = true
		place, err := r.place(p.value)
		if err != nil {
			return err
		}
		r.edits = append(r.edits, labengine.Edit{Place: &labengine.PlaceNode{ID: id, X: place.X, Y: place.Y}})
	}
	return r.edit()
}

// maxPlace bounds a coordinate, in CSS pixels from the origin.
const maxPlace = 1_000_000

func (r *reader) place(v value) (labengine.Place, error) {
	if v.form != list || len(v.list) != 2 {
		return labengine.Place{}, r.problem(v.at, "write it as [120, 80]", "a position is a list of two numbers, in pixels")
	}
	var xy [2]float64
	for i, item := range v.list {
		n, err := strconv.ParseFloat(item.text, 64)
		if item.form != scalar || err != nil || math.IsNaN(n) || math.Abs(n) > maxPlace {
			return labengine.Place{}, r.problem(item.at, "", "a coordinate is a number of pixels, up to %d either way", maxPlace)
		}
		xy[i] = n
	}
	return labengine.Place{X: xy[0], Y: xy[1]}, nil
}

// nodeCalled is the node with this label.
func (r *reader) nodeCalled(label string, at position) (labengine.ID, error) {
	found := r.labels[label]
	if len(found) == 1 {
		return found[0], nil
	}
	n, err := r.lab.FindNode(label) // which knows how to say it
	if err != nil {
		return "", r.because(at, err)
	}
	return n.ID, nil
}

// text is a scalar that is not empty.
func (r *reader) text(v value, what string) (string, error) {
	if v.form != scalar {
		return "", r.expected(v, what+" is text")
	}
	return v.text, nil
}

func (r *reader) bool(v value, what string) (bool, error) {
	if v.form == scalar && v.plain && (v.text == "true" || v.text == "false") {
		return v.text == "true", nil
	}
	return false, r.expected(v, "`"+what+"` is true or false")
}

// items is a list's values; of nothing, none.
func (r *reader) items(v value, what, hint string) ([]value, error) {
	if v.form == nothing {
		return nil, nil
	}
	if v.form != list {
		err := r.expected(v, what)
		if p, ok := errors.AsType[*labengine.Problem](err); ok && p.Hint == "" {
			p.Hint = hint
		}
		return nil, err
	}
	return v.list, nil
}

func contains(keys []string, key string) bool { return slices.Contains(keys, key) }

// didYouMean names the nearest word, or all of them.
func didYouMean(word string, s shape) string {
	if near := labengine.Nearest(strings.ToLower(word), s.keys); near != "" {
		return "did you mean " + near + "?"
	}
	if len(s.keys) == 1 {
		return s.of + " has " + s.keys[0]
	}
	return s.of + " has " + strings.Join(s.keys[:len(s.keys)-1], ", ") + " and " + s.keys[len(s.keys)-1]
}

// abridge keeps what an error repeats of a file short.
func abridge(text string) string {
	if r := []rune(text); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return text
}
