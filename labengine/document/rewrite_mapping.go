package document

import (
	"cmp"
	"slices"
	"strings"
)

// mappingChange collects what changes in a mapping.
type mappingChange struct {
	*rewriter
	v          value
	colon      int
	shape      shape
	keep       []bool
	insertions []insertion
}

func (w *rewriter) mapping(v value, colon int, s shape) *mappingChange {
	m := &mappingChange{rewriter: w, v: v, colon: colon, shape: s, keep: make([]bool, len(v.pairs))}
	for i := range m.keep {
		m.keep[i] = true
	}
	return m
}

func (m *mappingChange) index(key string) int {
	return slices.IndexFunc(m.v.pairs, func(p pair) bool { return p.key.text == key })
}

// scalar has a key say another value. changed says that the value is another than before; fresh that it need not be said,
// and it is not, if it can be said again just so.
func (m *mappingChange) scalar(key string, now value, changed, fresh bool) {
	switch i := m.index(key); {
	case i < 0 && !fresh:
		m.add(key, now, "")
	case i >= 0 && changed && (now.form == nothing || fresh && m.isOurs(i)):
		m.keep[i] = false
	case i >= 0 && changed:
		m.set(m.v.pairs[i].value, now)
	}
}

// isOurs says whether a key is written as add would write it, where it would. Then it can go, and come back, and nothing that
// somebody else has written is lost.
func (m *mappingChange) isOurs(i int) bool {
	p := m.v.pairs[i]
	all := slices.Repeat([]bool{true}, len(m.keep))
	if all[i] = false; len(m.shape.keys) > 0 && m.place(p.key.text, all) != i-1 {
		return false
	}
	v := canonical(p.value)
	if m.v.flow {
		text := m.inline(scalarOf(p.key.text, isEnd)) + ": " + m.inline(v)
		switch {
		case i > 0 && m.isAlone(p.key.start):
			return m.text[m.v.pairs[i-1].value.end:p.value.end] == ",\n"+m.indent(m.v.pairs[i-1].key.start)+text
		case i > 0:
			return m.text[m.v.pairs[i-1].value.end:p.value.end] == ", "+text
		case len(m.v.pairs) > 1:
			return m.text[p.key.start:m.v.pairs[1].key.start] == text+", "
		}
		return m.text[p.key.start:p.value.end] == text
	}
	if !m.isAlone(p.key.start) {
		return false
	}
	indent := m.indent(p.key.start)
	lines := m.text[m.lineStart(p.key.start):m.tail(extents(m.v)[i])]
	return lines == m.lines(p.key.text, v, indent) || lines == indent+p.key.text+":\n"+m.sectionLines(v, indent)
}

// place is the index of the key that a new one goes behind: the last of those that are kept and come before it in a new file.
func (m *mappingChange) place(key string, keep []bool) int {
	rank := func(key string) int { return slices.Index(m.shape.keys, key) }
	after := -1
	for j, p := range m.v.pairs {
		if keep[j] && (rank(p.key.text) < rank(key) || after < 0 && !m.v.flow && m.colon < 0) {
			after = j
		}
	}
	return after
}

// canonical is a value as we would write it; quotes that are left out where we would not are taken for ours.
func canonical(v value) value {
	switch v.form {
	case scalar:
		v.plain = v.plain || scalarOf(v.text, func(text string) bool { return isEnd(text) || isRoute(text) || isNumber(text) }).plain
	case list:
		v.list = slices.Clone(v.list)
		for i := range v.list {
			v.list[i] = canonical(v.list[i])
		}
	case mapping:
		v.pairs = slices.Clone(v.pairs)
		for i := range v.pairs {
			v.pairs[i].key, v.pairs[i].value = canonical(v.pairs[i].key), canonical(v.pairs[i].value)
		}
	}
	return v
}

// add puts a new key behind those that come before it in a new file.
func (m *mappingChange) add(key string, v value, lines string) {
	m.insertions = append(m.insertions, insertion{key: key, value: v, lines: lines})
}

// texts has a key's list say other texts.
func (m *mappingChange) texts(key string, was, is []string, isPlain func(string) bool) error {
	if slices.Equal(was, is) {
		return nil
	}
	now := value{form: list, list: texts(is, isPlain)}
	i := m.index(key)
	if i < 0 {
		m.add(key, now, "")
		return nil
	}
	p := m.v.pairs[i]
	if p.value.form == nothing {
		m.set(p.value, now)
		return nil
	}
	if len(p.value.list) != len(was) {
		return errNoSplice
	}
	keep := make([]bool, len(was))
	var insertions []insertion
	for _, step := range align(was, is) {
		if step.from >= 0 {
			keep[step.from] = step.to >= 0
		}
		switch {
		case step.from >= 0 && step.to >= 0 && was[step.from] != is[step.to]:
			m.set(p.value.list[step.from], now.list[step.to])
		case step.from < 0:
			insertions = append(insertions, insertion{after: lastKept(keep), value: now.list[step.to]})
		}
	}
	return m.inside(i, keep, insertions)
}

// inside changes what is in the list or mapping that is a key's value. Where nothing is left, the key goes, if it can come
// back just so.
func (m *mappingChange) inside(i int, keep []bool, insertions []insertion) error {
	p := m.v.pairs[i]
	if len(insertions) == 0 && !slices.Contains(keep, true) && m.isOurs(i) {
		m.keep[i] = false
		return nil
	}
	return m.change(p.value, p.colon, keep, insertions)
}

func lastKept(keep []bool) int {
	for i, kept := range slices.Backward(keep) {
		if kept {
			return i
		}
	}
	return -1
}

// done carries out what changes about the mapping's keys.
func (m *mappingChange) done() error {
	rank := func(key string) int { return slices.Index(m.shape.keys, key) }
	for i := range m.insertions {
		m.insertions[i].after = m.place(m.insertions[i].key, m.keep)
	}
	slices.SortStableFunc(m.insertions, func(a, b insertion) int { return cmp.Compare(rank(a.key), rank(b.key)) })
	return m.change(m.v, m.colon, m.keep, m.insertions)
}

// newPairs are those that a mapping whose keys are names does not have yet. Each goes behind the one that is before it in a
// new file, and behind what a new file would not have at all.
func newPairs(old []pair, keep []bool, pairs []pair, places map[string]int) []insertion {
	after := -1
	for j, p := range old {
		if !keep[j] || slices.ContainsFunc(pairs, func(other pair) bool { return other.key.text == p.key.text }) {
			break
		}
		after = j
	}
	var insertions []insertion
	for _, p := range pairs {
		if j, there := places[p.key.text]; !there {
			insertions = append(insertions, insertion{after: after, key: p.key.text, value: p.value})
		} else if keep[j] {
			after = j
		}
	}
	return insertions
}

// fill gives a value to a key that is not there, or has none.
func (m *mappingChange) fill(key string, now value) error {
	i := m.index(key)
	switch {
	case len(now.pairs)+len(now.list) == 0:
	case i < 0:
		m.add(key, now, "")
	case m.v.pairs[i].value.form == nothing:
		m.set(m.v.pairs[i].value, now)
	default: // {} or []
		old := m.v.pairs[i].value
		if strings.Contains(m.text[old.start:old.end], "#") {
			return errNoSplice
		}
		m.put(old.start, old.end, m.inline(now))
	}
	return nil
}

// section puts a list or a mapping, which the file does not have or in which nothing is, on lines of its own.
func (m *mappingChange) section(key string, now value) error {
	if len(now.list)+len(now.pairs) == 0 {
		return nil
	}
	i := m.index(key)
	if m.v.flow {
		return m.fill(key, now)
	}
	indent := ""
	if len(m.v.pairs) > 0 {
		indent = m.indent(m.v.pairs[0].key.start)
	}
	lines := m.sectionLines(now, indent)
	if i < 0 {
		m.add(key, now, indent+key+":\n"+lines)
		return nil
	}
	old := m.v.pairs[i]
	if old.value.end > old.value.start {
		if strings.Contains(m.text[old.value.start:old.value.end], "#") {
			return errNoSplice
		}
		m.put(old.colon+1, old.value.end, "")
	}
	at := m.nextLine(max(old.colon, old.value.end-1))
	m.put(at, at, lines)
	return nil
}

// sectionLines are the lines of a list or a mapping below a key that is indented so.
func (m *mappingChange) sectionLines(now value, indent string) string {
	deeper := indent + "  "
	for _, p := range m.v.pairs { // as others are in this file
		if items := p.value.list; len(items) > 0 && !p.value.flow && m.isAlone(items[0].dash) {
			deeper = m.indent(items[0].dash)
		}
	}
	var b strings.Builder
	for _, item := range now.list {
		b.WriteString(deeper + "- " + flow(item) + "\n")
	}
	for _, p := range now.pairs {
		if p.value.form == mapping {
			b.WriteString(indent + "  " + flow(p.key) + ":\n" + m.sectionLines(p.value, indent+"  "))
		} else {
			b.WriteString(indent + "  " + flow(p.key) + ": " + flow(p.value) + "\n")
		}
	}
	return b.String()
}
