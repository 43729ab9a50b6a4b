package document

import (
	"fmt"
	"slices"
	"strings"

	"vethlab/labengine"
)

// cable is an entry of the list of cables.
type cable struct {
	at   position // of its ends
	ends [2]end
	mtu  int // bytes; 0 where it does not stand for the whole cable
}

// end is one end of a cable: `red:veth-red 192.168.15.1/24 mtu 1400 mac 02:00:5e:10:00:01 down`. A LAN's end may be the
// LAN's name alone.
type end struct {
	labengine.End
	at       position // of its interface's name, or of the LAN's
	mtu      int      // bytes; 0 where the end does not say
	mtuAt    position
	noMaster bool
	impairAt position
	vlansAt  position
	portAt   position
	unnamed  bool // it is a LAN's, and has the name that came next
}

const exampleCable = "[red:eth0 192.168.15.1/24, blue:eth0 192.168.15.2/24]"

// cables reads the cables. Ends without a name get one when all names are known.
func (r *reader) cables(v value) error {
	items, err := r.items(v, "the cables are a list", "begin each with `- "+exampleCable+"`")
	if err != nil {
		return err
	}
	if len(items) > MaxCables {
		return r.problem(items[MaxCables].at, "", "the lab has %d cables; up to %d are made", len(items), MaxCables)
	}
	r.cabled = make([]cable, len(items))
	for i, item := range items {
		if r.cabled[i], err = r.cable(item); err != nil {
			return err
		}
	}
	ports := newPorts(func(lan labengine.ID, name string) bool { _, taken := r.names[lan][name]; return taken })
	for i := range r.cabled {
		for e := range r.cabled[i].ends {
			end := &r.cabled[i].ends[e]
			if end.unnamed = end.Name == ""; !end.unnamed {
				continue
			}
			end.Name = ports.next(end.Node)
			if err := r.declare(end.Node, end.Name, end.at); err != nil {
				return err
			}
			end.ID = r.names[end.Node][end.Name].id
		}
	}
	return nil
}

// ports gives names to the ends at a LAN that have none: port1, port2, … in the order of the file, those aside that
// something has.
type ports struct {
	taken func(lan labengine.ID, name string) bool
	last  map[labengine.ID]int
}

func newPorts(taken func(lan labengine.ID, name string) bool) ports {
	return ports{taken, map[labengine.ID]int{}}
}

func (p ports) next(lan labengine.ID) string {
	for {
		p.last[lan]++
		if name := fmt.Sprintf("port%d", p.last[lan]); !p.taken(lan, name) {
			return name
		}
	}
}

// cable reads a list of two ends, or a mapping with that list and what both ends share.
func (r *reader) cable(v value) (c cable, err error) {
	ends := v
	if v.form == mapping && len(v.pairs) > 0 && slices.Contains(cableShape.keys, v.pairs[0].key.text) {
		fields, err := r.fields(v, cableShape)
		if err != nil {
			return c, err
		}
		if ends = fields["ends"]; ends.form == nothing {
			return c, r.problem(v.at, "write it as {ends: "+exampleCable+", mtu: 1400}", "this cable has no ends")
		}
		if mtu, ok := fields["mtu"]; ok {
			if c.mtu, err = r.mtu(mtu, mtu.text, mtu.at); err != nil {
				return c, err
			}
		}
	}
	if ends.form != list {
		return c, r.problem(ends.at, "write it as "+exampleCable, "a cable is a list of its two ends")
	}
	if len(ends.list) != 2 {
		return c, r.problem(ends.at, "write it as "+exampleCable, "a cable has two ends; this one has %d", len(ends.list))
	}
	c.at = ends.at
	for i, item := range ends.list {
		if c.ends[i], err = r.end(item); err != nil {
			return c, err
		}
		if c.mtu != 0 && c.ends[i].mtu != 0 {
			return c, r.problem(c.ends[i].mtuAt, "remove one of them", "the MTU stands here and for the whole cable")
		}
	}
	return c, nil
}

// cableEdits are the edits that make the cables.
func (r *reader) cableEdits() []labengine.Edit {
	var edits []labengine.Edit
	for _, c := range r.cabled {
		a, b := c.ends[0], c.ends[1]
		add := labengine.AddCable{ID: cableID(a.ID, b.ID), A: a.End, B: b.End, MTU: c.mtu}
		if a.mtu == b.mtu && a.mtu != 0 {
			add.MTU = a.mtu
		}
		r.where[add.ID] = c.at
		edits = append(edits, labengine.Edit{AddCable: &add})
		for _, e := range c.ends {
			change := labengine.UpdateInterface{ID: e.ID}
			if e.mtu != 0 && a.mtu != b.mtu {
				change.MTU = &e.mtu
			}
			if e.noMaster {
				change.Master = new(labengine.ID)
			}
			if change.MTU != nil || change.Master != nil {
				edits = append(edits, labengine.Edit{UpdateInterface: &change})
			}
		}
	}
	return edits
}

// word is a part of an end's text, and where it begins in it.
type word struct {
	text   string
	offset int
}

// words splits at spaces and tabs alone: other spaces can be part of a name.
func words(text string) []word {
	var all []word
	for at := 0; at < len(text); {
		length := strings.IndexAny(text[at:], " \t")
		if length < 0 {
			length = len(text) - at
		}
		if length > 0 {
			all = append(all, word{text[at : at+length], at})
		}
		at += length + 1
	}
	return all
}

func (r *reader) end(v value) (e end, err error) {
	const hint = "write it as red:eth0 192.168.15.1/24"
	if v.form == mapping && len(v.pairs) == 1 && v.pairs[0].value.form == scalar {
		key := v.pairs[0].key
		return e, r.problem(key.at, "without a space after the colon: "+key.text+":"+v.pairs[0].value.text, "an end of a cable is text")
	}
	if v.form != scalar {
		return e, r.problem(v.at, hint, "an end of a cable is text; this is %s", v.form)
	}
	parts := words(v.text)
	if len(parts) == 0 {
		return e, r.problem(v.at, hint, "an end of a cable names a node and an interface")
	}
	label, name, hasName := strings.Cut(parts[0].text, ":")
	e.at = r.within(v, parts[0].offset)
	t, known := r.labels.find(label)
	switch {
	case !known && hasName:
		return e, r.because(e.at, r.labels.problem(label))
	case !hasName && t.bridge:
		return e, r.problem(e.at, "write it as "+label+":veth-red-br", "`%s` is a bridge: the end is an interface of its node, and has a name", abridge(label))
	case !hasName && t.kind != labengine.LAN:
		return e, r.problem(e.at, hint, "an end of a cable names a node and an interface; %q has no colon", abridge(parts[0].text))
	}
	if e.Node = t.node; t.bridge {
		e.Master = t.id
	}
	if hasName {
		e.at = r.within(v, parts[0].offset+len(label)+1)
		if err := labengine.CheckInterfaceName(name); err != nil {
			return e, r.because(e.at, err)
		}
		if err := r.declare(e.Node, name, e.at); err != nil {
			return e, err
		}
		e.Name, e.ID = name, r.names[e.Node][name].id
	}
	return e, r.settingsOfEnd(&e, v, parts[1:])
}

// examples are of the words of an end that a value follows.
var examples = map[string]string{
	"mtu": "mtu 1400", "mac": "mac 02:00:5e:10:00:01", "master": "master v-net-0",
	"tag": "tag 10", "trunks": "trunks 10,20", "vlan_mode": "vlan_mode native-untagged",
}

// settingsOfEnd reads the words after node:interface.
func (r *reader) settingsOfEnd(e *end, v value, parts []word) (err error) {
	seen := map[string]bool{}
	for i := 0; i < len(parts); i++ {
		key, at := parts[i].text, r.within(v, parts[i].offset)
		if length := vlanLength(textsOf(parts[i:])); length > 0 {
			e.VLANs = strings.TrimSpace(e.VLANs + " " + strings.Join(textsOf(parts[i:i+length]), " "))
			e.vlansAt = at
			i += length - 1
			continue
		}
		if seen[key] && !strings.ContainsAny(key, ".:") {
			return r.problem(at, "remove one of them", "`%s` is here twice", abridge(key))
		}
		seen[key] = true
		if key == "alias" { // all that follows is
			if i+1 == len(parts) {
				return r.problem(at, "write it last, as alias the way out", "`alias` is followed by its text")
			}
			e.Alias, at = strings.TrimSpace(v.text[parts[i+1].offset:]), r.within(v, parts[i+1].offset)
			if err := labengine.CheckAlias(e.Alias); err != nil {
				return r.because(at, err)
			}
			break
		}
		if rest := textsOf(parts[i:]); impairLength(rest) > 0 {
			length := impairLength(rest)
			e.Impair = strings.TrimSpace(e.Impair + " " + strings.Join(rest[:length], " "))
			if _, err := labengine.ParseImpairment(strings.Join(rest[:length], " ")); err != nil && key != "reorder" {
				return r.because(at, err)
			}
			e.impairAt = at
			i += length - 1
			continue
		}
		argument, argumentAt := "", at
		if _, takes := examples[key]; takes {
			if i++; i == len(parts) {
				return r.problem(at, "write it as "+examples[key], "`%s` is followed by its value", key)
			}
			argument, argumentAt = parts[i].text, r.within(v, parts[i].offset)
		}
		switch key {
		case "down":
			e.Down = true
		case "mtu":
			e.mtuAt = at
			e.mtu, err = r.mtu(v, argument, argumentAt)
		case "mac":
			if e.MAC, err = labengine.CanonicalMAC(argument); err != nil {
				err = r.because(argumentAt, err)
			}
		case "tag", "trunks", "vlan_mode":
			e.portAt = at
			e.Port = strings.TrimSpace(e.Port + " " + key + " " + argument)
		case "master", "nomaster":
			if e.Master != "" || seen["master"] && seen["nomaster"] {
				return r.problem(at, "remove one of them", "the end says twice which bridge it is on")
			}
			if e.noMaster = key == "nomaster"; !e.noMaster {
				e.Master, err = r.bridgeIn(e.Node, argument, argumentAt)
			}
		default:
			if !strings.ContainsAny(key, ".:") {
				return r.problem(at, "after node:interface stand addresses, `mtu 1400`, `mac 02:00:5e:10:00:01`, `vid 10 pvid untagged`, `tag 10`, `rate 1mbit` and the like, `down`, and last `alias` with text",
					"%q is no word for an end of a cable", abridge(key))
			}
			e.Addresses, err = r.address(e.Addresses, key, at, e.label())
		}
		if err != nil {
			return err
		}
	}
	if e.VLANs, err = labengine.CanonicalVLANs(e.VLANs); err != nil {
		return r.because(e.vlansAt, err)
	}
	if e.Port, err = labengine.CanonicalSwitchPort(e.Port); err != nil {
		return r.because(e.portAt, err)
	}
	if e.Impair, err = labengine.CanonicalImpairment(e.Impair); err != nil {
		return r.because(e.impairAt, err)
	}
	return nil
}

func textsOf(parts []word) []string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.text
	}
	return texts
}

// label is what errors call the end.
func (e *end) label() string {
	if e.Name == "" {
		return "this end"
	}
	return e.Name
}
