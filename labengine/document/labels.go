package document

import (
	"slices"
	"strings"

	"vethlab/labengine"
)

// thing is a node, or a bridge, which is a node to a file and an interface to the engine.
type thing struct {
	id     labengine.ID
	node   labengine.ID // that a bridge is in; of a node, itself
	kind   labengine.Kind
	path   string // "host/red/br0": its name, behind the names of what it is in
	bridge bool
}

// labels are the nodes and bridges of a lab by what a file calls them: their name, or as much of their path as tells them
// apart. Whose whole path it is has a label first: a machine is called by its bare name.
type labels struct {
	byID   map[labengine.ID]thing
	byPath map[string]labengine.ID
	called map[string][]labengine.ID // by each end of their paths, in the order of the file
}

func newLabels() labels {
	return labels{byID: map[labengine.ID]thing{}, byPath: map[string]labengine.ID{}, called: map[string][]labengine.ID{}}
}

func (l labels) add(t thing) {
	l.byID[t.id], l.byPath[t.path] = t, t.id
	for label := t.path; ; {
		l.called[label] = append(l.called[label], t.id)
		_, rest, more := strings.Cut(label, "/")
		if !more {
			return
		}
		label = rest
	}
}

// find is what a label says.
func (l labels) find(label string) (thing, bool) {
	if id, ok := l.byPath[label]; ok {
		return l.byID[id], true
	}
	if found := l.called[label]; len(found) == 1 {
		return l.byID[found[0]], true
	}
	return thing{}, false
}

// of is the shortest label of a thing.
func (l labels) of(id labengine.ID) string { return l.ofLength(id, 1) }

// ofLength is the label of a thing with so many names, or more where those would be ambiguous.
func (l labels) ofLength(id labengine.ID, names int) string {
	path := l.byID[id].path
	parts := strings.Split(path, "/")
	for ; names < len(parts); names++ {
		label := strings.Join(parts[len(parts)-names:], "/")
		if t, ok := l.find(label); ok && t.id == id {
			return label
		}
	}
	return path
}

// problem says why find found nothing.
func (l labels) problem(label string) *labengine.Problem {
	if found := l.called[label]; len(found) > 1 {
		where := "several machines"
		if slices.ContainsFunc(found, func(id labengine.ID) bool { return l.byID[id].bridge }) {
			where = "several nodes"
		}
		return labengine.Problemf(labengine.CodeAmbiguous, "%q is in %s", abridge(label), where).
			WithHint("write it as " + l.of(found[0]) + " or " + l.of(found[1]))
	}
	p := labengine.Problemf(labengine.CodeNoSuchNode, "there is no node %q", abridge(label))
	if near := labengine.Nearest(label, l.all()); near != "" {
		p.Hint = "did you mean " + near + "?"
	}
	return p
}

// all lists the shortest labels, sorted.
func (l labels) all() []string {
	var all []string
	for id := range l.byID {
		all = append(all, l.of(id))
	}
	slices.Sort(all)
	return all
}
