package document

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// errNoSplice says that a change cannot be made without touching what it is not about.
var errNoSplice = errors.New("this cannot be changed in place")

// splices are changes of a file's text, at places in it as it was: what none of them is about stays, byte for byte.
type splices struct {
	source []byte
	text   string // as normalize makes it, with an end of line behind the last one
	json   bool   // and is to stay JSON
	all    []splice
}

// splice puts text in the place of some bytes.
type splice struct {
	from, to int
	text     string
}

func newSplices(f *file, source []byte) *splices {
	text := f.text
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return &splices{source: source, text: text, json: json.Valid([]byte(text))}
}

func (s *splices) put(from, to int, text string) { s.all = append(s.all, splice{from, to, text}) }

// apply is the source after the splices. Ends of lines are those of the source; what is put in has the first one's.
func (s *splices) apply() ([]byte, error) {
	slices.SortStableFunc(s.all, func(a, b splice) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(min(a.to-a.from, 1), min(b.to-b.from, 1)))
	})
	ends, eol, ended := lineEnds(s.source)
	var out bytes.Buffer
	at, line := 0, 0
	if bytes.HasPrefix(s.source, []byte("\ufeff")) {
		out.WriteString("\ufeff")
	}
	copyTo := func(to int, keep bool) {
		for at < to {
			next := strings.IndexByte(s.text[at:to], '\n')
			if next < 0 {
				if keep {
					out.WriteString(s.text[at:to])
				}
				at = to
				return
			}
			if keep {
				out.WriteString(s.text[at : at+next])
				out.WriteString(ends[line])
			}
			at += next + 1
			line++
		}
	}
	for _, splice := range s.all {
		if splice.from < at || splice.to < splice.from {
			return nil, errNoSplice
		}
		copyTo(splice.from, true)
		out.WriteString(strings.ReplaceAll(splice.text, "\n", eol))
		copyTo(splice.to, false)
	}
	copyTo(len(s.text), true)
	if !ended {
		return bytes.TrimSuffix(out.Bytes(), []byte(eol)), nil
	}
	return out.Bytes(), nil
}

// lineEnds are the ends of the source's lines, and the one to use for new lines. The last line gets one where it has none.
func lineEnds(source []byte) (ends []string, eol string, ended bool) {
	for i := 0; i < len(source); i++ {
		switch {
		case source[i] == '\n':
			ends = append(ends, "\n")
		case source[i] == '\r' && i+1 < len(source) && source[i+1] == '\n':
			ends = append(ends, "\r\n")
			i++
		case source[i] == '\r':
			ends = append(ends, "\r")
		}
	}
	if eol = "\n"; len(ends) > 0 {
		eol = ends[0]
	}
	if ended = bytes.HasSuffix(source, []byte("\n")) || bytes.HasSuffix(source, []byte("\r")); !ended {
		ends = append(ends, eol)
	}
	return ends, eol, ended
}

func (s *splices) lineStart(at int) int { return strings.LastIndexByte(s.text[:at], '\n') + 1 }

// nextLine is where the line after the one at a place begins.
func (s *splices) nextLine(at int) int { return at + strings.IndexByte(s.text[at:], '\n') + 1 }

// indent is what is between the start of a line and a place in it, as spaces.
func (s *splices) indent(at int) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, s.text[s.lineStart(at):at])
}

// isAlone says whether nothing but spaces is before a place in its line.
func (s *splices) isAlone(at int) bool {
	return strings.Trim(s.text[s.lineStart(at):at], " \t") == ""
}

// inline is a value in the style that the file has for values on one line.
func (s *splices) inline(v value) string {
	if s.json {
		return asJSON(v)
	}
	return flow(v)
}

// set puts another scalar in the place of one, with quotes as that one had, unless it had them for its text alone. Of nothing,
// it is put behind the colon.
func (s *splices) set(v, now value) {
	text := s.inline(now)
	if v.start == v.end {
		s.put(v.start, v.start, " "+text)
		return
	}
	switch old := s.text[v.start:v.end]; {
	case old[0] == '"' && (!now.plain || isPlain(v.text)):
		text = doubleQuoted(now.text)
	case old[0] == '\'' && strings.IndexFunc(now.text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0:
		text = "'" + strings.ReplaceAll(now.text, "'", "''") + "'"
	}
	if text != s.text[v.start:v.end] {
		s.put(v.start, v.end, text)
	}
}

// insertion is a new item of a list, or a new pair of a mapping, behind one that stays; -1 is before the first.
type insertion struct {
	after int
	key   string // of a pair
	value value
	lines string // of a pair in a mapping without braces, where it is to be on lines of its own
	width int    // of an item in braces: up to where its first pair is filled up with spaces, as those of others are
}

// extent is where an item or a pair is.
type extent struct {
	start, end int
	deep       bool // its value is a list or a mapping without brackets
}

func extents(v value) []extent {
	var all []extent
	for _, item := range v.list {
		start := item.start
		if !v.flow {
			start = item.dash
		}
		all = append(all, extent{start, item.end, item.form > scalar && !item.flow})
	}
	for _, p := range v.pairs {
		all = append(all, extent{p.key.start, p.value.end, p.value.form > scalar && !p.value.flow})
	}
	return all
}

// change takes items out of a list or a mapping, and puts new ones in. colon is where the key's colon is, of which it is the
// value.
func (s *splices) change(v value, colon int, keep []bool, insertions []insertion) error {
	if len(insertions) == 0 && !slices.Contains(keep, false) {
		return nil
	}
	if v.flow {
		return s.changeFlow(v, extents(v), keep, insertions)
	}
	return s.changeBlock(v, colon, extents(v), keep, insertions)
}

// changeBlock changes a list or a mapping without brackets, which has something in it. Comments between the items stay.
func (s *splices) changeBlock(v value, colon int, items []extent, keep []bool, insertions []insertion) error {
	indent, neighbour := s.indent(items[0].start), 0
	for i, item := range items {
		if s.isAlone(item.start) {
			indent, neighbour = s.indent(item.start), i
			break
		}
	}
	for i, item := range items {
		if keep[i] {
			continue
		}
		if s.isAlone(item.start) {
			s.put(s.lineStart(item.start), s.tail(item), "")
			continue
		}
		// The first pair stands behind a dash. What comes after it can move up, if no comment is between them.
		if i+1 == len(items) || !keep[i+1] || strings.Contains(s.text[item.end:items[i+1].start], "#") {
			return errNoSplice
		}
		s.put(item.start, items[i+1].start, "")
	}
	for _, in := range insertions {
		at := 0
		switch {
		case in.after >= 0:
			at = s.tail(items[in.after])
		case colon >= 0:
			at = s.nextLine(colon)
		default:
			return errNoSplice
		}
		if v.form == mapping {
			if in.lines == "" {
				in.lines = s.lines(in.key, in.value, indent)
			}
			s.put(at, at, in.lines)
			continue
		}
		near := neighbour
		if in.after >= 0 {
			near = in.after
		}
		s.put(at, at, s.item(in, indent, v.list[near]))
	}
	if len(insertions) > 0 || slices.Contains(keep, true) {
		return nil
	}
	if colon < 0 {
		return errNoSplice
	}
	s.put(colon+1, colon+1, map[form]string{list: " []", mapping: " {}"}[v.form])
	return nil
}

// lines is a pair of a mapping without brackets.
func (s *splices) lines(key string, v value, indent string) string {
	return block(value{form: mapping, pairs: []pair{{key: scalarOf(key, isEnd), value: v}}}, indent, 2)
}

// item is an item of a list without brackets, in the manner of a neighbour.
func (s *splices) item(in insertion, indent string, neighbour value) string {
	v, gap := in.value, " "
	if between := s.text[neighbour.dash+1 : max(neighbour.start, neighbour.dash+1)]; between != "" && strings.Trim(between, " ") == "" {
		gap = between
	}
	if v.form == mapping && neighbour.form == mapping && !neighbour.flow {
		inner := indent + " " + strings.Repeat(" ", len(gap))
		return indent + "-" + gap + strings.TrimPrefix(block(v, inner, 2), inner)
	}
	return indent + "-" + gap + s.aligned(in) + "\n"
}

// aligned is a new item on one line, with its second key below those of others.
func (s *splices) aligned(in insertion) string {
	text := s.inline(in.value)
	if in.width == 0 || s.json || len(in.value.pairs) < 2 {
		return text
	}
	first := strings.TrimSuffix(flow(value{form: mapping, pairs: in.value.pairs[:1]}), "}") + ","
	return fmt.Sprintf("%-*s ", in.width-1, first) + strings.TrimLeft(strings.TrimPrefix(text, first), " ")
}

// tail is where the line after an item begins. Comments behind an item that has lines of its own, and as far in as those, are
// part of it.
func (s *splices) tail(e extent) int {
	at := s.nextLine(e.end)
	column := len(s.indent(e.start))
	for e.deep && at < len(s.text) {
		line := s.text[at:s.nextLine(at)]
		text := strings.TrimLeft(line, " \t")
		if !strings.HasPrefix(text, "#") || len(line)-len(text) <= column {
			break
		}
		at += len(line)
	}
	return at
}

// changeFlow changes a list or a mapping in brackets.
func (s *splices) changeFlow(v value, items []extent, keep []bool, insertions []insertion) error {
	texts := map[int][]string{} // by what they come after
	for _, in := range insertions {
		text := s.aligned(in)
		if v.form == mapping {
			text = s.inline(scalarOf(in.key, isEnd)) + ": " + text
		}
		texts[in.after] = append(texts[in.after], text)
	}
	if len(items) == 0 {
		at := v.start + 1
		if inner := s.text[at : v.end-1]; strings.Trim(inner, " ") == "" {
			at += len(inner) / 2
		}
		s.put(at, at, strings.Join(texts[-1], ", "))
		return nil
	}
	f := flowList{splices: s, items: items, keep: keep, comma: make([]int, len(items)), gone: make([]bool, len(items))}
	skipper := file{text: s.text}
	for i, item := range items {
		if f.comma[i] = skipper.skip(item.end); !skipper.is(f.comma[i], ',') {
			f.comma[i] = -1
		}
	}
	for i := 0; i < len(items); i++ {
		if last := i; !keep[i] {
			for last+1 < len(items) && !keep[last+1] {
				last++
			}
			f.remove(i, last)
			i = last
		}
	}
	for _, after := range slices.Sorted(maps.Keys(texts)) {
		f.insert(after, texts[after])
	}
	return nil
}

// flowList is a list or a mapping in brackets that is changed.
type flowList struct {
	*splices
	items []extent
	keep  []bool
	comma []int  // behind each item; -1 where there is none
	gone  []bool // commas that are taken out
}

// behind is where an item ends, with its comma.
func (f *flowList) behind(i int) int {
	if f.comma[i] >= 0 {
		return f.comma[i] + 1
	}
	return f.items[i].end
}

// hasLines says whether an item has its lines to itself, but for comments.
func (f *flowList) hasLines(i int) bool {
	rest := strings.TrimLeft(f.text[f.behind(i):f.nextLine(f.behind(i))], " \t")
	return f.isAlone(f.items[i].start) && (rest == "\n" || rest[0] == '#') &&
		!strings.Contains(f.text[f.items[i].end:f.behind(i)], "#")
}

// remove takes out a run of items, before and after which there are none or some that stay.
func (f *flowList) remove(first, last int) {
	lines, end := true, last == len(f.items)-1
	for i := first; i <= last; i++ {
		lines = lines && f.hasLines(i)
	}
	if lines {
		for i := first; i <= last; i++ {
			f.put(f.lineStart(f.items[i].start), f.nextLine(f.behind(i)), "")
		}
		if end && f.comma[last] < 0 && first > 0 {
			f.put(f.comma[first-1], f.comma[first-1]+1, "")
			f.gone[first-1] = true
		}
		return
	}
	from, to := f.items[first].start, f.behind(last)
	switch {
	case first > 0 && (end || !strings.Contains(f.text[f.items[first-1].end:from], "\n")):
		from, to = f.items[first-1].end, f.items[last].end
	case !end:
		to = f.items[last+1].start
	}
	if !f.isCommented(from, to, first, last) {
		f.put(from, to, "")
		return
	}
	for i := first; i <= last; i++ { // comments are between them: only they themselves go
		from, to := f.items[i].start, f.behind(i)
		if rest := strings.TrimLeft(f.text[to:], " \t"); rest[0] != '#' {
			to = len(f.text) - len(rest)
		} else if f.text[from-1] == ' ' {
			from = len(strings.TrimRight(f.text[:from], " \t")) // but for the ones before the comment
		}
		f.put(from, to, "")
	}
	if end && f.comma[last] < 0 && first > 0 {
		f.put(f.comma[first-1], f.comma[first-1]+1, "")
		f.gone[first-1] = true
	}
}

// isCommented says whether there are comments before, between or behind a run of items, from one place to another.
func (f *flowList) isCommented(from, to, first, last int) bool {
	at := from
	for i := first; i <= last; i++ {
		if at < f.items[i].start && strings.Contains(f.text[at:f.items[i].start], "#") {
			return true
		}
		at = f.items[i].end
	}
	return at < to && strings.Contains(f.text[at:to], "#")
}

// insert puts items behind one that stays, or before all others.
func (f *flowList) insert(after int, texts []string) {
	first := slices.Index(f.keep, true)
	switch {
	case after < 0 && first < 0 && f.hasLines(0): // in the place of those that go
		at, indent := f.lineStart(f.items[0].start), f.indent(f.items[0].start)
		f.put(at, at, indent+strings.Join(texts, ",\n"+indent)+"\n")
	case after < 0 && first < 0:
		f.put(f.items[0].start, f.items[0].start, strings.Join(texts, ", "))
	case after < 0 && f.hasLines(first):
		at, indent := f.lineStart(f.items[first].start), f.indent(f.items[first].start)
		f.put(at, at, indent+strings.Join(texts, ",\n"+indent)+",\n")
	case after < 0:
		f.put(f.items[first].start, f.items[first].start, strings.Join(texts, ", ")+", ")
	case f.hasLines(after):
		at, indent, end := f.nextLine(f.behind(after)), f.indent(f.items[after].start), ""
		if f.comma[after] >= 0 && !f.gone[after] {
			end = ","
		} else {
			f.put(f.items[after].end, f.items[after].end, ",")
		}
		f.put(at, at, indent+strings.Join(texts, ",\n"+indent)+end+"\n")
	default:
		f.put(f.items[after].end, f.items[after].end, ", "+strings.Join(texts, ", "))
	}
}

// asJSON is a value as JSON, but for characters that nobody sees.
func asJSON(v value) string {
	var parts []string
	switch v.form {
	case scalar:
		if v.plain && json.Valid([]byte(v.text)) {
			return v.text
		}
		return doubleQuoted(v.text)
	case list:
		for _, item := range v.list {
			parts = append(parts, asJSON(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case mapping:
		for _, p := range v.pairs {
			parts = append(parts, doubleQuoted(p.key.text)+": "+asJSON(p.value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return "null"
}
