package document

import (
	"bytes"
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"vethlab/labengine"
)

// write is the text of a lab: the same for labs that are the same.
func (s *saved) write() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "vethlab: %s\n", Version)
	if s.Name != Unnamed {
		fmt.Fprintf(&b, "name: %s\n", quoted(s.Name, isTitle))
	}
	if s.Quiet {
		b.WriteString("quiet: true\n")
	}
	s.writeNodes(&b)
	s.writeCables(&b)
	s.writePlaces(&b)
	return b.Bytes()
}

// maxAligned is the width up to which the names of nodes are written in a column, and maxLine that up to which a node is
// written in one line; both in characters.
const (
	maxAligned = 24
	maxLine    = 120
)

func (s *saved) writeNodes(b *bytes.Buffer) {
	entries := s.entries()
	if len(entries) == 0 {
		b.WriteString("nodes: []\n")
		return
	}
	b.WriteString("nodes:\n")
	width := 0
	for _, id := range entries {
		if w := utf8.RuneCountInString(quoted(s.nameOf(id), isWord)); w <= maxAligned {
			width = max(width, w)
		}
	}
	for _, id := range entries {
		v := s.entry(id)
		name := quoted(s.nameOf(id), isWord)
		line := fmt.Sprintf("  - {name: %-*s %s\n", width+1, name+",", strings.TrimPrefix(flow(value{form: mapping, pairs: v.pairs[1:]}), "{"))
		if utf8.RuneCountInString(line) > maxLine {
			line = "  - " + strings.TrimPrefix(block(v, "    ", 2), "    ")
		}
		b.WriteString(line)
	}
}

// entries lists the nodes with the bridges: those of a machine after the last of what is in it, those of a namespace after
// that.
func (s *saved) entries() []labengine.ID {
	last := map[labengine.ID]labengine.ID{} // of the nodes of a machine
	for _, n := range s.nodes {
		last[n.ID] = n.ID
	}
	for _, n := range s.nodes {
		if n.In != "" {
			last[n.In] = n.ID
		}
	}
	for _, n := range s.nodes { // a machine may stand behind its namespaces
		if in := last[n.ID]; s.Nodes[in].Order < n.Order {
			last[n.ID] = n.ID
		}
	}
	var all []labengine.ID
	add := func(bridges []labengine.Interface) {
		for _, i := range bridges {
			all = append(all, i.ID)
		}
	}
	for _, n := range s.nodes {
		all = append(all, n.ID)
		if n.In != "" {
			add(s.bridges[n.ID])
		}
		if machine := cmp.Or(n.In, n.ID); last[machine] == n.ID {
			add(s.bridges[machine])
		}
	}
	return all
}

// nameOf is the name of a node or bridge.
func (s *saved) nameOf(id labengine.ID) string {
	if i, ok := s.Interfaces[id]; ok {
		return i.Name
	}
	return s.Nodes[id].Name
}

// entry is a node or bridge as an entry of the list of nodes.
func (s *saved) entry(id labengine.ID) value {
	t := s.labels.byID[id]
	stated := map[string]value{"name": scalarOf(s.nameOf(id), isWord), "kind": scalarOf(string(t.kind), isWord)}
	switch t.kind {
	case bridgeKind, ovsKind:
		stated["in"] = scalarOf(s.labels.of(t.node), isWord)
		s.settingsOf(stated, s.Interfaces[id])
	case labengine.LAN:
		s.settingsOf(stated, s.Interfaces[labengine.SwitchID(id)])
	case labengine.Namespace, labengine.Container:
		stated["in"] = scalarOf(s.Nodes[s.Nodes[id].In].Name, isWord)
	}
	if !isBridge(t.kind) {
		s.ofNode(stated, s.Nodes[id])
	}
	return ordered(stated, nodeShapes[t.kind])
}

// ofNode states a node's settings, routes and interfaces.
func (s *saved) ofNode(stated map[string]value, n labengine.Node) {
	var sysctls, interfaces []pair
	for _, text := range n.Sysctls {
		name, setting, _ := strings.Cut(text, "=")
		sysctls = append(sysctls, pair{key: scalarOf(name, isWord), value: scalarOf(setting, func(text string) bool { return isWord(text) || isNumber(text) })})
	}
	if len(sysctls) > 0 {
		stated["sysctls"] = value{form: mapping, pairs: sysctls}
	}
	if len(n.Routes) > 0 {
		stated["routes"] = value{form: list, list: texts(n.Routes, isRoute)}
	}
	if n.Command != "" {
		stated["command"] = scalarOf(n.Command, isRoute)
	}
	for _, l := range textLists {
		if said := *l.of(&n); len(said) > 0 {
			stated[l.key] = value{form: list, list: texts(said, isWords)}
		}
	}
	if lo := s.interfaceOf(s.Interfaces[labengine.LoopbackID(n.ID)]); len(lo.pairs) > 0 {
		interfaces = append(interfaces, pair{key: scalarOf("lo", isWord), value: lo})
	}
	for _, i := range s.inside[n.ID] {
		interfaces = append(interfaces, pair{key: scalarOf(i.Name, isWord), value: s.interfaceOf(i)})
	}
	if len(interfaces) > 0 {
		stated["interfaces"] = value{form: mapping, pairs: interfaces}
	}
}

// interfaceOf is an interface as it stands under its node.
func (s *saved) interfaceOf(i labengine.Interface) value {
	stated := map[string]value{}
	s.settingsOf(stated, i)
	if i.Kind == labengine.Loopback {
		return ordered(stated, loopbackShape)
	}
	stated["kind"] = scalarOf(i.Kind, isWord)
	if i.Parent != "" {
		stated["parent"] = scalarOf(s.parentName(i), isEnd)
	}
	if i.Master != "" {
		stated["master"] = scalarOf(s.Interfaces[i.Master].Name, isWord)
	}
	if i.Port != "" {
		stated["port"] = scalarOf(i.Port, isRoute)
	}
	return ordered(stated, interfaceShape)
}

// parentName is what an interface's `parent` says.
func (s *saved) parentName(i labengine.Interface) string {
	parent := s.Interfaces[i.Parent]
	if parent.Node == i.Node {
		return parent.Name
	}
	return s.labels.of(parent.Node) + ":" + parent.Name
}

// settingsOf states what an interface has that a fresh one has not.
func (s *saved) settingsOf(stated map[string]value, i labengine.Interface) {
	if i.Options != "" {
		stated["options"] = scalarOf(i.Options, isRoute)
	}
	if i.VLANs != "" {
		stated["vlans"] = scalarOf(i.VLANs, isRoute)
	}
	if i.Alias != "" {
		stated["alias"] = scalarOf(i.Alias, isEnd)
	}
	if len(i.Addresses) > 0 {
		stated["addresses"] = value{form: list, list: texts(i.Addresses, isEnd)}
	}
	if i.MTU != s.freshMTU(i) {
		stated["mtu"] = plain(strconv.Itoa(i.MTU))
	}
	if i.HasMAC() && i.MAC != s.MACFor(i.Node, i.Name) {
		stated["mac"] = value{form: scalar, text: i.MAC}
	}
	if i.Up != s.freshUp(i) {
		stated["up"] = plain(strconv.FormatBool(i.Up))
	}
}

func (s *saved) freshMTU(i labengine.Interface) int {
	if i.Parent != "" {
		return chosenMTU(i.Kind, s.Interfaces[i.Parent].MTU)
	}
	return labengine.DefaultMTU(i.Kind)
}

func (s *saved) freshUp(i labengine.Interface) bool {
	return i.Kind != labengine.Loopback || s.Nodes[i.Node].Kind == labengine.Machine
}

func (s *saved) writeCables(b *bytes.Buffer) {
	if len(s.cables) > 0 {
		b.WriteString("cables:\n")
	}
	unnamed := s.unnamedPorts()
	for _, c := range s.cables {
		fmt.Fprintf(b, "  - %s\n", flow(s.cable(c, unnamed)))
	}
}

// unnamedPorts finds the ends at LANs that have the name that they would get anyway.
func (s *saved) unnamedPorts() map[labengine.ID]bool {
	unnamed := map[labengine.ID]bool{}
	for _, c := range s.cables {
		for _, end := range c.Ends {
			unnamed[end] = s.isAtLAN(s.Interfaces[end])
		}
	}
	s.settlePorts(unnamed, s.cables)
	return unnamed
}

// isAtLAN says whether a cable's end is plugged into a LAN, rather than into a bridge that is in it.
func (s *saved) isAtLAN(i labengine.Interface) bool {
	_, entry := s.labels.byID[i.Master]
	return s.Nodes[i.Node].Kind == labengine.LAN && !entry
}

// settlePorts gives those of the unnamed ends a name that would get another one, the cables being in this order.
func (s *saved) settlePorts(unnamed map[labengine.ID]bool, cables []labengine.Cable) {
	for wrong := true; wrong; {
		wrong = false
		taken := map[labengine.ID]map[string]bool{}
		for id, i := range s.Interfaces {
			if s.Nodes[i.Node].Kind == labengine.LAN && !unnamed[id] {
				if taken[i.Node] == nil {
					taken[i.Node] = map[string]bool{}
				}
				taken[i.Node][i.Name] = true
			}
		}
		ports := newPorts(func(lan labengine.ID, name string) bool { return taken[lan][name] })
		for _, c := range cables {
			for _, end := range c.Ends {
				if i := s.Interfaces[end]; unnamed[end] && ports.next(i.Node) != i.Name {
					unnamed[end], wrong = false, true
				}
			}
		}
	}
}

// cable is a cable as an entry of the list of cables.
func (s *saved) cable(c labengine.Cable, unnamed map[labengine.ID]bool) value {
	a, b := s.Interfaces[c.Ends[0]], s.Interfaces[c.Ends[1]]
	shared := a.MTU == b.MTU
	ends := value{form: list}
	for _, i := range []labengine.Interface{a, b} {
		text := s.end(i, unnamed[i.ID], !shared)
		ends.list = append(ends.list, scalarOf(text, isEnd))
	}
	if !shared || a.MTU == labengine.DefaultMTU(labengine.Veth) {
		return ends
	}
	return value{form: mapping, pairs: []pair{
		{key: plain("ends"), value: ends}, {key: plain("mtu"), value: plain(strconv.Itoa(a.MTU))},
	}}
}

// end is the text of a cable's end.
func (s *saved) end(i labengine.Interface, unnamed, withMTU bool) string {
	label, master := s.plug(i)
	first := label + ":" + i.Name
	if unnamed {
		first = label
	}
	parts := append([]string{first}, i.Addresses...)
	if master != "" {
		parts = append(parts, master)
	}
	if i.Port != "" {
		parts = append(parts, i.Port)
	}
	if withMTU && i.MTU != labengine.DefaultMTU(labengine.Veth) {
		parts = append(parts, "mtu", strconv.Itoa(i.MTU))
	}
	if i.MAC != s.MACFor(i.Node, i.Name) {
		parts = append(parts, "mac", i.MAC)
	}
	if i.VLANs != "" {
		parts = append(parts, i.VLANs)
	}
	if i.Impair != "" {
		parts = append(parts, i.Impair)
	}
	if !i.Up {
		parts = append(parts, "down")
	}
	if i.Alias != "" { // last, for all that follows is
		parts = append(parts, "alias", i.Alias)
	}
	return strings.Join(parts, " ")
}

// plug is the label of what a cable's end is plugged into, a node or a bridge, and what is left to say of its bridge.
func (s *saved) plug(i labengine.Interface) (label, master string) {
	lan := s.Nodes[i.Node].Kind == labengine.LAN
	_, entry := s.labels.byID[i.Master]
	switch {
	case entry:
		return s.labels.of(i.Master), ""
	case lan && i.Master == "":
		master = "nomaster"
	case i.Master != "" && !(lan && i.Master == labengine.SwitchID(i.Node)):
		master = "master " + s.Interfaces[i.Master].Name
	}
	return s.labels.of(i.Node), master
}

func (s *saved) writePlaces(b *bytes.Buffer) {
	for i, id := range s.placed() {
		if i == 0 {
			b.WriteString("canvas:\n  positions:\n")
		}
		p := s.Places[id]
		fmt.Fprintf(b, "    %s: [%s, %s]\n", quoted(s.placeLabel(id), isEnd), pixels(p.X), pixels(p.Y))
	}
}

// placed lists what has a place on the canvas.
func (s *saved) placed() []labengine.ID {
	var placed []labengine.ID
	add := func(id labengine.ID) {
		if _, ok := s.Places[id]; ok {
			placed = append(placed, id)
		}
	}
	for _, id := range s.entries() {
		if add(id); s.labels.byID[id].bridge {
			continue
		}
		for _, i := range s.inside[id] {
			add(i.ID)
		}
		add(labengine.SwitchID(id))
	}
	return placed
}

// placeLabel is what a node or bridge is called under positions.
func (s *saved) placeLabel(id labengine.ID) string {
	if _, entry := s.labels.byID[id]; entry {
		return s.labels.of(id)
	}
	i := s.Interfaces[id]
	return s.labels.of(i.Node) + ":" + i.Name
}

func pixels(x float64) string { return strconv.FormatFloat(toPixel(x), 'f', -1, 64) }
