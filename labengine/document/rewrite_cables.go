package document

import (
	"slices"
	"strconv"
	"strings"

	"vethlab/labengine"
)

// findUnnamed finds the ends at LANs whose name the file leaves out, and can go on to: those that had none, new ones, and
// those that had one for a reason that is gone.
func (w *rewriter) findUnnamed() {
	named := map[labengine.ID]bool{}
	was, is := w.was.unnamedPorts(), w.want.unnamedPorts()
	for _, c := range w.file.cabled {
		for _, e := range c.ends {
			end := w.same[e.ID]
			named[end] = !e.unnamed && (was[e.ID] || !is[end])
		}
	}
	w.unnamed = map[labengine.ID]bool{}
	for _, c := range w.want.cables {
		for _, end := range c.Ends {
			w.unnamed[end] = w.want.isAtLAN(w.want.Interfaces[end]) && !named[end]
		}
	}
	w.want.settlePorts(w.unnamed, w.want.cables)
}

// cables changes the list of cables.
func (w *rewriter) cables(top *mappingChange) error {
	at := map[labengine.ID]int{} // of those that stay
	for i, c := range w.file.cabled {
		if id, stays := w.same[cableID(c.ends[0].ID, c.ends[1].ID)]; stays {
			at[id] = i
		}
	}
	i := top.index("cables")
	if i < 0 || len(top.v.pairs[i].value.list) == 0 {
		var items []value
		for _, c := range w.want.cables {
			items = append(items, w.want.cable(c, w.unnamed))
		}
		return top.section("cables", value{form: list, list: items})
	}
	p := top.v.pairs[i]
	var wanted []labengine.ID
	for _, c := range w.want.cables {
		wanted = append(wanted, c.ID)
	}
	if err := w.order(wanted, at); err != nil {
		return err
	}
	keep := make([]bool, len(p.value.list))
	var insertions []insertion
	after := -1
	for _, c := range w.want.cables {
		i, stays := at[c.ID]
		if !stays {
			insertions = append(insertions, insertion{after: after, value: w.want.cable(c, w.unnamed)})
			continue
		}
		after, keep[i] = i, true
		if err := w.cable(p.value.list[i], w.file.cabled[i], c); err != nil {
			return err
		}
	}
	return top.inside(i, keep, insertions)
}

// cable changes an entry of the list of cables.
func (w *rewriter) cable(v value, was cable, is labengine.Cable) error {
	ends, m := v, (*mappingChange)(nil)
	if v.form == mapping {
		m = w.mapping(v, -1, cableShape)
		ends, _ = v.get("ends")
	}
	a, b := w.want.Interfaces[is.Ends[0]], w.want.Interfaces[is.Ends[1]]
	differed := w.was.Interfaces[was.ends[0].ID].MTU != w.was.Interfaces[was.ends[1].ID].MTU
	shared := a.MTU == b.MTU && (was.mtu != 0 || m != nil && differed)
	if was.mtu != 0 && !shared {
		m.keep[m.index("mtu")] = false
	} else if shared {
		m.scalar("mtu", plain(strconv.Itoa(a.MTU)), was.mtu != a.MTU, a.MTU == labengine.DefaultMTU(labengine.Veth))
	}
	for e, i := range []labengine.Interface{a, b} {
		old := ends.list[e]
		text := w.end(old.text, was.ends[e], i, !shared)
		if text == old.text {
			continue
		}
		now := scalarOf(text, isEnd)
		if old.plain && !isEnd(old.text) && isEnd(strings.ReplaceAll(text, ":", "-")) {
			now.plain = true // as somebody has it who does not mind IPv6 without quotes
		}
		w.set(old, now)
	}
	if m == nil {
		return nil
	}
	return m.done()
}

// endText is the text of a cable's end, word by word, with what is between them.
type endText struct {
	gaps, words []string
	rest        string // with an alias and what stands before it
}

func newEndText(text string) *endText {
	t := &endText{}
	at := 0
	for i, w := range words(text) {
		if _, takes := examples[t.last()]; i > 0 && w.text == "alias" && !takes {
			break
		}
		t.gaps, t.words = append(t.gaps, text[at:w.offset]), append(t.words, w.text)
		at = w.offset + len(w.text)
	}
	t.rest = text[at:]
	return t
}

func (t *endText) String() string {
	var b strings.Builder
	for i, w := range t.words {
		b.WriteString(t.gaps[i] + w)
	}
	return b.String() + t.rest
}

func (t *endText) last() string {
	if len(t.words) < 2 {
		return ""
	}
	return t.words[len(t.words)-1]
}

func (t *endText) insert(at int, words ...string) {
	for i, w := range words {
		t.gaps, t.words = slices.Insert(t.gaps, at+i, " "), slices.Insert(t.words, at+i, w)
	}
}

func (t *endText) remove(at, count int) {
	t.gaps, t.words = slices.Delete(t.gaps, at, at+count), slices.Delete(t.words, at, at+count)
}

// index is where a key word is. What follows another key word is none.
func (t *endText) index(key string) int {
	for i := 1; i < len(t.words); i++ {
		if t.words[i] == key {
			return i
		}
		if _, takes := examples[t.words[i]]; takes {
			i++
		}
	}
	return -1
}

// say has a key word followed by another value, or takes it away.
func (t *endText) say(key, value string) {
	switch i := t.index(key); {
	case i < 0 && value != "":
		t.insert(len(t.words), key, value)
	case i >= 0 && value == "":
		t.remove(i, 2)
	case i >= 0:
		t.words[i+1] = value
	}
}

// flag has a key word there, or not.
func (t *endText) flag(key string, on bool) {
	if i := t.index(key); i < 0 && on {
		t.insert(len(t.words), key)
	} else if i >= 0 && !on {
		t.remove(i, 1)
	}
}

// end is the text of an end that has changed: what is still so stays as it is written.
func (w *rewriter) end(text string, said end, is labengine.Interface, withMTU bool) string {
	t, was := newEndText(text), w.was.Interfaces[said.ID]
	label, _, _ := strings.Cut(t.words[0], ":")
	lan := w.want.Nodes[is.Node].Kind == labengine.LAN
	plugged, master := w.want.plug(is)
	thing, _ := w.want.labels.find(plugged)
	if t.index("master") >= 0 && is.Master != "" && !(lan && is.Master == labengine.SwitchID(is.Node)) {
		thing, master = w.want.labels.byID[is.Node], "master "+w.want.Interfaces[is.Master].Name
	}
	before, _ := w.file.labels.find(label)
	t.words[0] = w.label(label, before.id, thing.id)
	if !w.unnamed[is.ID] {
		t.words[0] += ":" + is.Name
	}
	w.addresses(t, was.Addresses, is.Addresses)
	bridge, _ := strings.CutPrefix(master, "master ")
	if bridge == master {
		bridge = ""
	}
	t.say("master", bridge)
	t.flag("nomaster", master == "nomaster")
	if was.Port != is.Port {
		port, _ := labengine.ParseSwitchPort(is.Port)
		for _, word := range labengine.SwitchPortWords {
			t.say(word, port.Column(word))
		}
	}
	fresh := labengine.DefaultMTU(labengine.Veth)
	switch stated := said.mtu != 0; {
	case !withMTU || stated && is.MTU == fresh && said.mtu != fresh:
		t.say("mtu", "")
	case !stated && is.MTU != fresh || stated && said.mtu != is.MTU:
		t.say("mtu", strconv.Itoa(is.MTU))
	}
	derived, derivedBefore := w.want.MACFor(is.Node, is.Name), w.was.MACFor(was.Node, was.Name)
	switch stated := said.MAC != ""; {
	case stated && is.MAC == derived && said.MAC != derivedBefore:
		t.say("mac", "")
	case !stated && is.MAC != derived || stated && said.MAC != is.MAC:
		t.say("mac", is.MAC)
	}
	if was.VLANs != is.VLANs {
		t.replace(vlanLength, is.VLANs)
	}
	if was.Impair != is.Impair {
		t.impair(is.Impair)
	}
	t.flag("down", !is.Up)
	if was.Alias != is.Alias {
		if t.rest = ""; is.Alias != "" {
			t.rest = " alias " + is.Alias
		}
	}
	return t.String()
}

// addresses changes the addresses of an end.
func (w *rewriter) addresses(t *endText, was, is []string) {
	if slices.Equal(was, is) {
		return
	}
	var at []int // of the words that are addresses
	for i := 1; i < len(t.words); i++ {
		if _, takes := examples[t.words[i]]; takes {
			i++
		} else if strings.ContainsAny(t.words[i], ".:") {
			at = append(at, i)
		}
	}
	steps := align(was, is)
	after := 0 // the word after which the next one goes
	moved := 0 // how far the words are from where they were
	for _, step := range steps {
		switch {
		case step.from >= 0 && step.to >= 0:
			if after = at[step.from] + moved; was[step.from] != is[step.to] {
				t.words[after] = is[step.to]
			}
		case step.from >= 0:
			t.remove(at[step.from]+moved, 1)
			moved--
		default:
			t.insert(after+1, is[step.to])
			after++
			moved++
		}
	}
}

// canvas changes where things are drawn.
func (w *rewriter) canvas(top *mappingChange) error {
	now := value{form: mapping}
	for _, id := range w.want.placed() {
		p := w.want.Places[id]
		now.pairs = append(now.pairs, pair{
			key:   scalarOf(w.want.placeLabel(id), isEnd),
			value: value{form: list, list: []value{plain(pixels(p.X)), plain(pixels(p.Y))}},
		})
	}
	i := top.index("canvas")
	if i < 0 || len(top.v.pairs[i].value.pairs) == 0 {
		if len(now.pairs) == 0 {
			return nil
		}
		return top.section("canvas", value{form: mapping, pairs: []pair{{key: plain("positions"), value: now}}})
	}
	canvas := w.mapping(top.v.pairs[i].value, top.v.pairs[i].colon, canvasShape)
	if i := canvas.index("positions"); i < 0 || len(canvas.v.pairs[i].value.pairs) == 0 {
		if err := canvas.section("positions", now); err != nil {
			return err
		}
		return canvas.done()
	}
	at := canvas.index("positions")
	p := canvas.v.pairs[at]
	keep, places := make([]bool, len(p.value.pairs)), map[string]int{} // by their labels in a new file
	for j, old := range p.value.pairs {
		was, err := w.file.drawn(old.key)
		if err != nil {
			return err
		}
		id, stays := w.same[was]
		is, drawn := w.want.Places[id]
		if keep[j] = stays && drawn; !keep[j] {
			continue
		}
		places[w.want.placeLabel(id)] = j
		said := w.want.placeLabel(id)
		if _, entry := w.want.labels.byID[id]; entry && !strings.Contains(old.key.text, ":") {
			said = w.label(old.key.text, was, id)
		}
		if said != old.key.text {
			w.set(old.key, scalarOf(said, isEnd))
		}
		if p := w.was.Places[was]; p.X != is.X {
			w.set(old.value.list[0], plain(pixels(is.X)))
		}
		if p := w.was.Places[was]; p.Y != is.Y {
			w.set(old.value.list[1], plain(pixels(is.Y)))
		}
	}
	if len(now.pairs) == 0 && top.isOurs(i) {
		top.keep[i] = false
		return nil
	}
	return w.change(p.value, p.colon, keep, newPairs(p.value.pairs, keep, now.pairs, places))
}
