package document

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"vethlab/labengine"
)

// rewriter makes the splices by which a file comes to say another lab: only what is said differently is touched.
type rewriter struct {
	*splices
	manner
	file      *reader // as it was
	root      value
	was, want *saved
	same      map[labengine.ID]labengine.ID // what is in the file, as the wanted lab calls it
	unnamed   map[labengine.ID]bool         // ends at LANs that have no name in the file
}

// manner is how a file is changed, where there is a choice.
type manner struct {
	byID  bool // what has got another name goes before what has got the name of something else
	moves bool // what is out of order is taken out and put in anew, with the loss of the comments in it
}

// rewrite is the source, changed to say the wanted lab. It fails where that cannot be told in the source's own way.
func rewrite(r *reader, root value, source []byte, was, want *saved, how manner) ([]byte, error) {
	w := &rewriter{
		splices: newSplices(r.file, source), manner: how,
		file: r, root: root, was: was, want: want, same: match(was, want, how.byID),
	}
	want.sort(w.under())
	w.findUnnamed()
	top := w.mapping(root, -1, topShape)
	top.scalar("name", scalarOf(want.Name, w.isTitle), was.Name != want.Name, want.Name == Unnamed)
	top.scalar("quiet", plain(strconv.FormatBool(want.Quiet)), was.Quiet != want.Quiet, !want.Quiet)
	for _, change := range []func(*mappingChange) error{w.nodes, w.cables, w.canvas} {
		if err := change(top); err != nil {
			return nil, err
		}
	}
	if err := top.done(); err != nil {
		return nil, err
	}
	return w.apply()
}

// isTitle is the file's own idea of a plain title: within braces, a comma ends it.
func (w *rewriter) isTitle(text string) bool {
	return isTitle(text) && !(w.root.flow && strings.Contains(text, ","))
}

// under finds the bridges that stand under their node in the file, and can stay there.
func (w *rewriter) under() map[labengine.ID]bool {
	under := map[labengine.ID]bool{}
	for _, n := range w.file.entries {
		for _, p := range n.fields["interfaces"].pairs {
			id := w.file.names[n.id][p.key.text].id
			if is, ok := w.want.Interfaces[w.same[id]]; ok && labengine.HasPorts(is.Kind) && is.Node == w.same[n.id] {
				under[is.ID] = true
			}
		}
	}
	return under
}

// nodes changes the list of nodes.
func (w *rewriter) nodes(top *mappingChange) error {
	at := map[labengine.ID]int{} // of those that stay
	for i, n := range w.file.entries {
		id, stays := w.same[n.id]
		if t, entry := w.want.labels.byID[id]; stays && entry && t.kind == n.kind {
			at[id] = i
		}
	}
	i := top.index("nodes")
	entries := w.want.entries()
	if err := w.order(nodesOf(entries, w.want.labels), at); err != nil {
		return err
	}
	if i < 0 || len(top.v.pairs[i].value.list) == 0 {
		var items []value
		for _, id := range entries {
			items = append(items, w.want.entry(id))
		}
		return top.section("nodes", value{form: list, list: items})
	}
	p := top.v.pairs[i]
	keep := make([]bool, len(p.value.list))
	for id, i := range at {
		keep[i] = true
		if err := w.node(p.value.list[i], w.file.entries[i], id); err != nil {
			return err
		}
	}
	insertions := w.newNodes(entries, at)
	if len(insertions) > 0 {
		width := w.secondColumn(p.value.list)
		for i := range insertions {
			insertions[i].width = width
		}
	}
	return w.change(p.value, p.colon, keep, insertions)
}

// secondColumn is where the second keys of items in braces are, in characters from the start of the item, where somebody has
// put all of them below each other; else 0.
func (w *rewriter) secondColumn(items []value) int {
	column, names := 0, map[int]bool{}
	for _, item := range items {
		if !item.flow || len(item.pairs) < 2 {
			continue
		}
		first, second := item.pairs[0], item.pairs[1]
		if at := utf8.RuneCountInString(w.text[item.start:second.key.start]); column == 0 || at == column {
			column = at
			names[first.value.end-item.start] = true
		} else {
			return 0
		}
	}
	if len(names) < 2 {
		return 0
	}
	return column
}

// nodesOf are those of the entries that are not bridges, whose order is nobody's concern.
func nodesOf(entries []labengine.ID, l labels) []labengine.ID {
	return slices.DeleteFunc(slices.Clone(entries), func(id labengine.ID) bool { return l.byID[id].bridge })
}

// order checks that what stays is in the order that it is to be in. What is not can only be put in anew.
func (w *rewriter) order(wanted []labengine.ID, at map[labengine.ID]int) error {
	var stays []labengine.ID
	var places []int
	for _, id := range wanted {
		if place, ok := at[id]; ok {
			stays, places = append(stays, id), append(places, place)
		}
	}
	for i, ascends := range ascending(places) {
		if ascends {
			continue
		}
		if !w.moves {
			return errNoSplice
		}
		delete(at, stays[i])
	}
	return nil
}

// newNodes says where the new nodes and bridges go: the nodes so that their order is right, the bridges where a new file
// would have them.
func (w *rewriter) newNodes(entries []labengine.ID, at map[labengine.ID]int) []insertion {
	next := make([]int, len(entries)+1) // where the next node is that stays
	next[len(entries)] = len(w.file.entries)
	for i, id := range slices.Backward(entries) {
		next[i] = next[i+1]
		if place, stays := at[id]; stays && !w.want.labels.byID[id].bridge {
			next[i] = place
		}
	}
	var insertions []insertion
	after, afterNode := -1, -1
	for i, id := range entries {
		bridge := w.want.labels.byID[id].bridge
		if place, stays := at[id]; stays {
			if after = place; !bridge {
				afterNode = place
			}
			continue
		}
		in := insertion{after: after, value: w.want.entry(id)}
		if !bridge && (after < afterNode || after >= next[i]) {
			in.after = afterNode
		}
		insertions = append(insertions, in)
	}
	return insertions
}

// node changes an entry of the list of nodes.
func (w *rewriter) node(v value, n node, id labengine.ID) error {
	m := w.mapping(v, -1, nodeShapes[n.kind])
	m.scalar("name", scalarOf(w.want.nameOf(id), isWord), n.name != w.want.nameOf(id), false)
	switch n.kind {
	case labengine.Namespace, labengine.Container:
		machine := w.want.Nodes[w.want.Nodes[id].In].Name
		m.scalar("in", scalarOf(machine, isWord), n.in != machine, false)
	case bridgeKind, ovsKind:
		node := w.want.Interfaces[id].Node
		label := w.label(n.in, w.was.Interfaces[n.id].Node, node)
		m.scalar("in", scalarOf(label, isWord), n.in != label, false)
		if err := m.settings(w.was.Interfaces[n.id], w.want.Interfaces[id]); err != nil {
			return err
		}
	case labengine.LAN:
		was, is := w.was.Interfaces[labengine.SwitchID(n.id)], w.want.Interfaces[labengine.SwitchID(id)]
		if err := m.settings(was, is); err != nil {
			return err
		}
	}
	if !isBridge(n.kind) {
		was, is := w.was.Nodes[n.id], w.want.Nodes[id]
		if err := m.sysctls(was.Sysctls, is); err != nil {
			return err
		}
		if err := m.texts("routes", was.Routes, is.Routes, isRoute); err != nil {
			return err
		}
		command := value{}
		if is.Command != "" {
			command = scalarOf(is.Command, isRoute)
		}
		m.scalar("command", command, was.Command != is.Command, is.Command == "")
		for _, l := range textLists {
			if err := m.texts(l.key, *l.of(&was), *l.of(&is), isWords); err != nil {
				return err
			}
		}
		if err := m.interfaces(n, id); err != nil {
			return err
		}
	}
	return m.done()
}

// label is what a thing is called where the file has called was by a label: the same, if that still says it and was not longer
// than need be for a reason that is gone.
func (w *rewriter) label(old string, was, id labengine.ID) string {
	if old == w.file.labels.of(was) {
		return w.want.labels.of(id)
	}
	if t, ok := w.want.labels.find(old); ok && t.id == id {
		return old
	}
	return w.want.labels.ofLength(id, strings.Count(old, "/")+1)
}

// settings changes what a mapping says of an interface.
func (m *mappingChange) settings(was, is labengine.Interface) error {
	options := value{}
	if is.Options != "" {
		options = scalarOf(is.Options, isRoute)
	}
	m.scalar("options", options, was.Options != is.Options, is.Options == "")
	m.scalar("vlans", scalarOf(is.VLANs, isRoute), was.VLANs != is.VLANs, is.VLANs == "")
	m.scalar("alias", scalarOf(is.Alias, isEnd), was.Alias != is.Alias, is.Alias == "")
	m.scalar("mtu", plain(strconv.Itoa(is.MTU)), was.MTU != is.MTU, is.MTU == m.want.freshMTU(is))
	if is.HasMAC() {
		fresh, before := is.MAC == m.want.MACFor(is.Node, is.Name), was.MAC == m.was.MACFor(was.Node, was.Name)
		m.scalar("mac", value{form: scalar, text: is.MAC}, was.MAC != is.MAC || fresh != before, fresh)
	}
	m.scalar("up", plain(strconv.FormatBool(is.Up)), was.Up != is.Up, is.Up == m.want.freshUp(is))
	return m.texts("addresses", was.Addresses, is.Addresses, isEnd)
}

// sysctls changes a node's settings.
func (m *mappingChange) sysctls(was []string, n labengine.Node) error {
	if slices.Equal(was, n.Sysctls) {
		return nil
	}
	stated := map[string]value{}
	m.want.ofNode(stated, labengine.Node{Sysctls: n.Sysctls})
	now := stated["sysctls"]
	i := m.index("sysctls")
	if i < 0 || len(m.v.pairs[i].value.pairs) == 0 {
		return m.fill("sysctls", now)
	}
	p := m.v.pairs[i]
	keep, places := make([]bool, len(p.value.pairs)), map[string]int{}
	for j, old := range p.value.pairs {
		name := old.key.text
		setting, said := now.get(name)
		places[name], keep[j] = j, true
		switch fresh, known := labengine.FreshSysctl(name); {
		case said && setting.text != strings.Join(strings.Fields(old.value.text), " "):
			m.set(old.value, setting)
		case said:
		case !slices.ContainsFunc(was, func(s string) bool { return strings.HasPrefix(s, name+"=") }): // as it is anyway
		case known && !m.mapping(p.value, p.colon, shape{}).isOurs(j):
			m.set(old.value, scalarOf(fresh, isNumber))
		default:
			keep[j] = false
		}
	}
	return m.inside(i, keep, newPairs(p.value.pairs, keep, now.pairs, places))
}

// interfaces changes the interfaces that stand under their node.
func (m *mappingChange) interfaces(n node, id labengine.ID) error {
	stated := map[string]value{}
	m.want.ofNode(stated, labengine.Node{ID: id})
	now := stated["interfaces"]
	i := m.index("interfaces")
	if i < 0 || len(m.v.pairs[i].value.pairs) == 0 {
		return m.fill("interfaces", now)
	}
	p := m.v.pairs[i]
	keep, places := make([]bool, len(p.value.pairs)), map[string]int{} // by their new names
	for j, old := range p.value.pairs {
		was := m.was.Interfaces[m.file.names[n.id][old.key.text].id]
		is, stays := m.want.Interfaces[m.same[was.ID]]
		_, said := now.get(is.Name)
		fresh := is.Kind == labengine.Loopback && !said && !sameSettings(was, is) && m.mapping(p.value, p.colon, shape{}).isOurs(j)
		if keep[j] = stays && is.Node == id && !fresh; !keep[j] {
			continue
		}
		places[is.Name] = j
		if is.Name != old.key.text {
			m.set(old.key, scalarOf(is.Name, isWord))
		}
		if err := m.rewriter.link(old.value, was, is); err != nil {
			return err
		}
	}
	return m.inside(i, keep, newPairs(p.value.pairs, keep, now.pairs, places))
}

func sameSettings(a, b labengine.Interface) bool {
	return a.Up == b.Up && a.MTU == b.MTU && a.Alias == b.Alias && slices.Equal(a.Addresses, b.Addresses)
}

// link changes an interface that stands under its node.
func (w *rewriter) link(v value, was, is labengine.Interface) error {
	if is.Kind == labengine.Loopback {
		m := w.mapping(v, -1, loopbackShape)
		if err := m.settings(was, is); err != nil {
			return err
		}
		return m.done()
	}
	m := w.mapping(v, -1, interfaceShape)
	parent, _ := v.get("parent")
	now := w.parent(parent.text, is)
	m.scalar("parent", now, now.text != parent.text, is.Parent == "")
	master := value{}
	if is.Master != "" {
		master = scalarOf(w.want.Interfaces[is.Master].Name, isWord)
	}
	old, _ := v.get("master")
	m.scalar("master", master, master.text != old.text, is.Master == "")
	m.scalar("port", scalarOf(is.Port, isRoute), is.Port != was.Port, is.Port == "")
	if err := m.settings(was, is); err != nil {
		return err
	}
	return m.done()
}

// parent is what an interface's `parent` says: what it said, if that is still so.
func (w *rewriter) parent(old string, i labengine.Interface) value {
	parent, ok := w.want.Interfaces[i.Parent]
	if !ok {
		return value{}
	}
	label, name, other := strings.Cut(old, ":")
	if t, ok := w.want.labels.find(label); other && ok && t.id == parent.Node && name == parent.Name {
		return scalarOf(old, isEnd)
	}
	return scalarOf(w.want.parentName(i), isEnd)
}
