package document

import (
	"strings"

	"vethlab/labengine"
)

// end is one end of a cable: `red:veth-red 192.168.15.1/24 mtu 1400 mac 02:00:5e:10:00:01 down`.
type end struct {
	labengine.End
	mtu   int // bytes; 0 where the end does not say
	mtuAt position
}

const exampleCable = "[red:eth0 192.168.15.1/24, blue:eth0 192.168.15.2/24]"

func (r *reader) cables(v value) error {
	items, err := r.items(v, "the cables are a list", "begin each with `- "+exampleCable+"`")
	if err != nil {
		return err
	}
	if len(items) > MaxCables {
		return r.problem(items[MaxCables].at, "", "the lab has %d cables; up to %d are made", len(items), MaxCables)
	}
	for _, item := range items {
		if err := r.cable(item); err != nil {
			return err
		}
	}
	return r.edit()
}

// cable reads a list of two ends, or a mapping with that list and what both ends share.
func (r *reader) cable(v value) error {
	ends, shared := v, 0
	if v.form == mapping && len(v.pairs) > 0 && contains(cableShape.keys, v.pairs[0].key.text) {
		fields, err := r.fields(v, cableShape)
		if err != nil {
			return err
		}
		if ends = fields["ends"]; ends.form == nothing {
			return r.problem(v.at, "write it as {ends: "+exampleCable+", mtu: 1400}", "this cable has no ends")
		}
		if mtu, ok := fields["mtu"]; ok {
			if shared, err = r.mtu(mtu, mtu.text, mtu.at); err != nil {
				return err
			}
		}
	}
	if ends.form != list {
		return r.problem(ends.at, "write it as "+exampleCable, "a cable is a list of its two ends")
	}
	if len(ends.list) != 2 {
		return r.problem(ends.at, "write it as "+exampleCable, "a cable has two ends; this one has %d", len(ends.list))
	}
	var two [2]end
	for i, item := range ends.list {
		var err error
		if two[i], err = r.end(item); err != nil {
			return err
		}
		if shared != 0 && two[i].mtu != 0 {
			return r.problem(two[i].mtuAt, "remove one of them", "the MTU stands here and for the whole cable")
		}
	}
	a, b := two[0], two[1]
	add := labengine.AddCable{ID: cableID(a.ID, b.ID), A: a.End, B: b.End, MTU: shared}
	if a.mtu == b.mtu && a.mtu != 0 {
		add.MTU = a.mtu
	}
	r.where[add.ID] = ends.at
	r.edits = append(r.edits, labengine.Edit{AddCable: &add})
	for _, e := range two {
		if e.mtu != 0 && a.mtu != b.mtu {
			r.edits = append(r.edits, labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: e.ID, MTU: &e.mtu}})
		}
	}
	return nil
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
	label, name, ok := strings.Cut(parts[0].text, ":")
	at := r.within(v, parts[0].offset)
	if !ok {
		return e, r.problem(at, hint, "an end of a cable names a node and an interface; %q has no colon", abridge(parts[0].text))
	}
	if e.Node, err = r.nodeCalled(label, at); err != nil {
		return e, err
	}
	at = r.within(v, parts[0].offset+len(label)+1)
	if err := labengine.CheckInterfaceName(name); err != nil {
		return e, r.because(at, err)
	}
	if first, taken := r.names[e.Node][name]; taken {
		p := r.problem(at, "give it another name", "%s has an interface `%s` already, from line %d", label, name, first.line)
		if name == "lo" {
			p = r.problem(at, "give it another name", "%s has its loopback interface `lo` already", label)
		}
		p.Err = &labengine.Problem{Code: labengine.CodeExists}
		return e, p
	}
	r.names[e.Node][name] = at
	n := r.lab.Nodes[e.Node]
	e.Name, e.ID = name, interfaceID(r.lab.Nodes[n.In].Name, n.Name, name)
	r.where[e.ID] = at
	return e, r.settingsOfEnd(&e, v, parts[1:])
}

// settingsOfEnd reads the words after node:interface.
func (r *reader) settingsOfEnd(e *end, v value, parts []word) (err error) {
	for i := 0; i < len(parts); i++ {
		at := r.within(v, parts[i].offset)
		argument := func() (string, position, error) {
			if i++; i == len(parts) {
				return "", at, r.problem(at, "", "`%s` is followed by its value", parts[i-1].text)
			}
			return parts[i].text, r.within(v, parts[i].offset), nil
		}
		twice := func(is bool) error {
			if is {
				return r.problem(at, "remove one of them", "`%s` is here twice", parts[i].text)
			}
			return nil
		}
		switch parts[i].text {
		case "down":
			if err := twice(e.Down); err != nil {
				return err
			}
			e.Down = true
		case "mtu":
			if err := twice(e.mtu != 0); err != nil {
				return err
			}
			text, where, err := argument()
			if err != nil {
				return err
			}
			if e.mtu, err = r.mtu(v, text, where); err != nil {
				return err
			}
			e.mtuAt = at
		case "mac":
			if err := twice(e.MAC != ""); err != nil {
				return err
			}
			text, where, err := argument()
			if err != nil {
				return err
			}
			if e.MAC, err = labengine.CanonicalMAC(text); err != nil {
				return r.because(where, err)
			}
		default:
			if !strings.ContainsAny(parts[i].text, ".:") {
				return r.problem(at, "after node:interface stand addresses, `mtu 1400`, `mac 02:00:5e:10:00:01` and `down`",
					"%q is no word for an end of a cable", abridge(parts[i].text))
			}
			if e.Addresses, err = r.address(e.Addresses, parts[i].text, at, e.Name); err != nil {
				return err
			}
		}
	}
	return nil
}
