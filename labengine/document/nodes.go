package document

import (
	"slices"
	"strings"

	"vethlab/labengine"
)

// node is an entry of the list of nodes.
type node struct {
	id     labengine.ID // of a bridge, the interface's
	name   string
	kind   labengine.Kind
	in     string
	at     position // of its name
	inAt   position
	fields map[string]value
}

func (r *reader) nodes(v value) error {
	items, err := r.items(v, "the nodes are a list", "begin each with `- {name: …, kind: …}`")
	if err != nil {
		return err
	}
	if len(items) > MaxNodes {
		return r.problem(items[MaxNodes].at, "", "the lab has %d nodes; up to %d are made", len(items), MaxNodes)
	}
	r.entries = make([]node, len(items))
	for i, item := range items {
		if r.entries[i], err = r.node(item); err != nil {
			return err
		}
	}
	// What is in a node may stand before it.
	for _, kinds := range [][]labengine.Kind{
		{labengine.Machine, labengine.LAN, labengine.Internet}, {labengine.Namespace, labengine.Container},
	} {
		for i := range r.entries {
			if slices.Contains(kinds, r.entries[i].kind) {
				if err := r.addNode(&r.entries[i]); err != nil {
					return err
				}
			}
		}
	}
	if err := r.edit(); err != nil {
		return err
	}
	order := 0
	for i := range r.entries {
		n := &r.entries[i]
		if isBridge(n.kind) {
			if err := r.addBridge(n); err != nil {
				return err
			}
			continue
		}
		order++
		made := r.lab.Nodes[n.id]
		made.Order = order
		r.lab.Nodes[n.id] = made
	}
	return nil
}

func (r *reader) node(v value) (n node, err error) {
	if n.kind, err = r.nodeKind(v); err != nil {
		return n, err
	}
	in, isIn := v.get("in")
	name, _ := v.get("name")
	if isIn && !isBridge(n.kind) && !n.kind.IsInside() {
		return n, r.problem(in.at, "leave `in` out, or make it a namespace", "%s `%s` cannot be inside another node", n.kind, abridge(name.text))
	}
	if n.fields, err = r.fields(v, nodeShapes[n.kind]); err != nil {
		return n, err
	}
	n.at = name.at
	if n.name, err = r.text(name, "a node's name"); err != nil {
		return n, err
	}
	switch {
	case isIn:
		n.inAt = in.at
		if n.in, err = r.text(in, "what a node is in"); err != nil {
			return n, err
		}
	case n.kind.IsInside():
		return n, r.problem(v.at, "add the machine's name, as in `in: host`", "%s `%s` is in no machine", n.kind, abridge(n.name))
	case n.kind == ovsKind:
		return n, r.problem(v.at, "add the machine's name, as in `in: host`", "OVS bridge `%s` is in no machine", abridge(n.name))
	case isBridge(n.kind):
		return n, r.problem(v.at, "add the name of its machine or namespace, as in `in: host`", "bridge `%s` is in no node", abridge(n.name))
	}
	check := labengine.CheckNodeName
	if isBridge(n.kind) {
		check = func(_ labengine.Kind, name string) error { return labengine.CheckInterfaceName(name) }
	}
	if err := check(n.kind, n.name); err != nil {
		return n, r.because(n.at, err)
	}
	return n, nil
}

// nodeKind is a node's kind, which says what else it may have; it must have a name, too.
func (r *reader) nodeKind(v value) (labengine.Kind, error) {
	kind, ok := v.get("kind")
	_, known := nodeShapes[labengine.Kind(kind.text)]
	if !ok || !known {
		if _, err := r.fields(v, nodeShape); err != nil { // "did you mean kind?" says more
			return "", err
		}
	}
	name, named := v.get("name")
	switch {
	case !named:
		return "", r.problem(v.at, "write {name: red, kind: namespace, in: host}", "this node has no name")
	case !ok && name.form != scalar:
		return "", r.expected(name, "a node's name is text")
	case !ok:
		return "", r.problem(v.at, hintNodeKinds, "node `%s` has no kind", abridge(name.text))
	case kind.form != scalar:
		return "", r.expected(kind, "a node's kind is text")
	case known:
		return labengine.Kind(kind.text), nil
	}
	hint := hintNodeKinds
	if near := labengine.Nearest(strings.ToLower(kind.text), nodeKinds); near != "" {
		hint = "did you mean " + near + "?"
	}
	return "", r.problem(kind.at, hint, "there is no kind of node %q", abridge(kind.text))
}

// addNode adds the edit that makes a node.
func (r *reader) addNode(n *node) error {
	add := labengine.AddNode{Name: n.name, Kind: n.kind}
	if v, ok := n.fields["command"]; ok {
		var err error
		if add.Command, err = r.text(v, "a container's command"); err != nil {
			return err
		}
	}
	path := n.name
	if n.kind.IsInside() {
		machine, ok := r.labels.byPath[n.in]
		if !ok || r.labels.byID[machine].kind != labengine.Machine {
			return r.noMachine(n)
		}
		add.In, path = machine, n.in+"/"+n.name
	}
	n.id = nodeID(n.in, n.name)
	if err := r.enlist(n, path, n.id); err != nil {
		return err
	}
	add.ID = n.id
	r.edits = append(r.edits, labengine.Edit{AddNode: &add})
	r.names[n.id] = map[string]named{"lo": {labengine.LoopbackID(n.id), n.at}}
	if n.kind == labengine.LAN {
		r.names[n.id][labengine.SwitchName] = named{labengine.SwitchID(n.id), n.at}
		r.bridges[labengine.SwitchID(n.id)] = true
	}
	return nil
}

// addBridge takes in an entry that is an interface of another one, which is made with the interfaces.
func (r *reader) addBridge(n *node) error {
	in, err := r.called(n.in, n.inAt)
	if err != nil {
		return err
	}
	if in.bridge {
		return r.problem(n.inAt, "name the node that both are in, and join them with a cable", "`%s` is a bridge; the kernel has no bridge in a bridge", abridge(n.in))
	}
	n.id = r.interfaceID(in.id, n.name)
	if err := r.enlist(n, in.path+"/"+n.name, in.id); err != nil {
		return err
	}
	return r.declare(in.id, n.name, n.at)
}

// enlist gives an entry its label. Its path has to be its own.
func (r *reader) enlist(n *node, path string, in labengine.ID) error {
	if first, taken := r.labels.byPath[path]; taken {
		where := "the lab"
		if i := strings.LastIndexByte(path, '/'); i >= 0 {
			where = path[:i]
		}
		p := r.problem(n.at, "give one of them another name", "%s has a node `%s` already, from line %d", where, n.name, r.where[first].line)
		p.Err = &labengine.Problem{Code: labengine.CodeExists}
		return p
	}
	r.where[n.id] = n.at
	r.labels.add(thing{id: n.id, node: in, kind: n.kind, path: path, bridge: isBridge(n.kind)})
	return nil
}

func (r *reader) noMachine(n *node) error {
	var machines []string
	for _, other := range r.entries {
		switch {
		case other.kind == labengine.Machine:
			machines = append(machines, other.name)
		case other.name == n.in:
			hint := "name the machine that it is to be in"
			if other.in != "" {
				hint = "name the machine that both are in"
			}
			return r.problem(n.inAt, hint, "`%s` is a %s; a %s is in a machine", n.in, other.kind, n.kind)
		}
	}
	slices.Sort(machines)
	hint := "add a node {name: " + abridge(n.in) + ", kind: machine}"
	if near := labengine.Nearest(n.in, machines); near != "" {
		hint = "did you mean " + near + "?"
	}
	p := r.problem(n.inAt, hint, "there is no machine `%s` for %s `%s`", abridge(n.in), n.kind, n.name)
	p.Err = &labengine.Problem{Code: labengine.CodeNoSuchNode}
	return p
}

// sysctls reads a node's settings.
func (r *reader) sysctls(n node) error {
	v := n.fields["sysctls"]
	if v.form == nothing {
		return nil
	}
	if v.form != mapping {
		return r.expected(v, "the sysctls are a mapping, as in {net.ipv4.ip_forward: 1}")
	}
	if len(v.pairs) > maxSettings {
		return r.problem(v.pairs[maxSettings].key.at, "", "a node has up to %d settings here", maxSettings)
	}
	seen := map[string]bool{}
	for _, p := range v.pairs {
		name := p.key.text
		if seen[name] {
			return r.problem(p.key.at, "remove one of them", "`%s` is here twice", abridge(name))
		}
		seen[name] = true
		if read, _, err := labengine.ParseSysctl(name + "=0"); err != nil {
			return r.because(p.key.at, err)
		} else if read != name {
			return r.problem(p.key.at, "write it as net.ipv4.ip_forward: 1", "`%s` is no name of a setting", abridge(name))
		}
		value := p.value.text
		switch {
		case p.value.form > scalar:
			return r.expected(p.value, "the value of a setting is text")
		case p.value.form == nothing || value == "":
			return r.problem(p.key.at, "write it as net.ipv4.ip_forward: 1", "`%s` has no value", name)
		}
		if _, _, err := labengine.ParseSysctl(name + "=" + value); err != nil {
			return r.because(p.value.at, err)
		}
		r.edits = append(r.edits, labengine.Edit{SetSysctl: &labengine.SetSysctl{Node: n.id, Name: name, Value: value}})
	}
	return nil
}

// routes reads a node's routes. They are set when all else is: an edit of an interface takes those away that the kernel
// would.
func (r *reader) routes(n node) error {
	items, err := r.items(n.fields["routes"], "the routes are a list, as in [default via 192.168.15.5]", "")
	if err != nil || len(items) == 0 {
		return err
	}
	if len(items) > maxRoutes {
		return r.problem(items[maxRoutes].at, "", "a node has up to %d routes here", maxRoutes)
	}
	lines := map[string]int{}
	var routes []string
	for _, item := range items {
		text, err := r.text(item, "a route")
		if err != nil {
			return err
		}
		route, err := labengine.ParseRoute(text)
		if err != nil {
			return r.because(item.at, err)
		}
		if line, twice := lines[route.Text]; twice {
			p := r.problem(item.at, "remove one of them", "%s has the route `%s` already, from line %d", n.name, route.Text, line)
			p.Err = &labengine.Problem{Code: labengine.CodeExists}
			return p
		}
		lines[route.Text] = item.at.line
		routes = append(routes, route.Text)
	}
	made := r.lab.Nodes[n.id]
	made.Routes = routes
	r.lab.Nodes[n.id] = made
	return nil
}
