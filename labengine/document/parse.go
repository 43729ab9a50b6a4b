package document

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"vethlab/labengine"
)

// reader makes a lab of a file. Values are checked one by one, by the rules of package labengine, for the sake of exact
// positions; the lab is then made by its edits, which have the last word.
type reader struct {
	*file
	lab     labengine.Lab
	edits   []labengine.Edit
	where   map[labengine.ID]position // of what the edits make
	fieldAt map[field]position
	entries []node // of the list of nodes
	labels  labels
	names   map[labengine.ID]map[string]named // interfaces, by node
	bridges map[labengine.ID]bool             // interfaces that can have ports
	links   []link
	cabled  []cable
}

// field is one value of a thing, as problems name it.
type field struct {
	of   labengine.ID
	name string
}

func newReader(f *file) *reader {
	return &reader{
		file: f, lab: labengine.NewLab(Unnamed), where: map[labengine.ID]position{}, fieldAt: map[field]position{},
		labels: newLabels(), names: map[labengine.ID]map[string]named{}, bridges: map[labengine.ID]bool{},
	}
}

func (r *reader) read(root value) error {
	if root.form == nothing {
		return r.problem(position{1, 1}, "begin it with `vethlab: 1`", "there is no lab in the file")
	}
	if root.form != mapping {
		return r.expected(root, "a lab is a mapping that begins with `vethlab: 1`")
	}
	top, err := r.version(root)
	if err != nil {
		return err
	}
	if err := r.settingsOfLab(top); err != nil {
		return err
	}
	if err := r.nodes(top["nodes"]); err != nil {
		return err
	}
	for _, n := range r.entries {
		if err := r.entriesOfNode(n); err != nil {
			return err
		}
		if err := r.sysctls(n); err != nil {
			return err
		}
	}
	if err := r.cables(top["cables"]); err != nil {
		return err
	}
	if err := r.resolve(); err != nil {
		return err
	}
	if err := r.makeLinks(r.cableEdits()); err != nil {
		return err
	}
	for _, n := range r.entries {
		if err := r.routes(n); err != nil {
			return err
		}
		if !isBridge(n.kind) && n.kind != labengine.LAN {
			if err := r.lists(n); err != nil {
				return err
			}
		}
	}
	return r.canvas(top["canvas"])
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

func (r *reader) settingsOfLab(top map[string]value) error {
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

// hintsOfFields say how a value is written, where a rule does not.
var hintsOfFields = map[string]string{
	"parent":  "a vlan and a macvlan have a `parent`, and a vxlan may have one: another interface than lo",
	"options": "options are written as ip-link(8) takes them: `options: id 10`",
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
	if p, ok := errors.AsType[*labengine.Problem](err); ok {
		if p.Hint == "" {
			p.Hint = hintsOfFields[p.Field]
		}
		for _, at := range []position{r.fieldAt[field{p.On, p.Field}], r.where[p.On]} {
			if at != (position{}) {
				return r.because(at, err)
			}
		}
	}
	return r.whole("%v", err)
}

// canvas reads where nodes and bridges are drawn.
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
		id, err := r.drawn(p.key)
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

// drawn is what a key under positions names: a node or a bridge, or by node:interface a bridge that is no entry.
func (r *reader) drawn(key value) (labengine.ID, error) {
	label, name, isInterface := strings.Cut(key.text, ":")
	t, err := r.called(label, key.at)
	if err != nil || !isInterface {
		return t.id, err
	}
	id, err := r.interfaceIn(t.node, name, r.within(key, len(label)+1))
	if err == nil && !r.bridges[id] {
		return "", r.problem(key.at, "leave it out, or name "+label, "positions are those of nodes and bridges; `%s` is neither", abridge(name))
	}
	return id, err
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

// called is the node or bridge that a label says.
func (r *reader) called(label string, at position) (thing, error) {
	t, ok := r.labels.find(label)
	if !ok {
		return t, r.because(at, r.labels.problem(label))
	}
	return t, nil
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

// abridge keeps what an error repeats of a file short.
func abridge(text string) string {
	if r := []rune(text); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return text
}
