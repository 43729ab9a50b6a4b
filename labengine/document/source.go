package document

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"vethlab/labengine"
)

// position is a place in a file: both count from 1, the column in characters.
type position struct{ line, column int }

// file is a source with what errors need to show where they are.
type file struct {
	name  string
	text  string // as normalize makes it
	lines []string
	colon string // stands in the parser's input for colons that are part of a word

	starts []int   // of lines, in bytes into the text; see offset
	runes  [][]int // of lines: where their characters begin; empty where each is one byte
}

// newFile refuses what is no text of a reasonable size.
func newFile(name string, source []byte) (*file, error) {
	f := &file{name: name}
	if name == "" {
		f.name = "the file"
	}
	if len(source) > MaxBytes {
		return nil, f.whole("the file has %d bytes; up to %d are read", len(source), MaxBytes)
	}
	f.text = normalize(source)
	f.lines = strings.Split(f.text, "\n")
	at := position{1, 0}
	for i, r := range f.text {
		at.column++
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(f.text[i:], "\ufffd"):
			return nil, f.problem(at, "save it as UTF-8", "this byte is not text in UTF-8")
		case r == '\n':
			at = position{at.line + 1, 0}
		case r < ' ' && r != '\t' || r == 0x7f:
			return nil, f.problem(at, "in double quotes it is written as an escape", "the file contains the control character %U", r)
		}
	}
	return f, nil
}

// normalize gives the source lines that end in one way, and no byte order mark.
func normalize(source []byte) string {
	text := strings.TrimPrefix(string(source), "\ufeff")
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

// whole makes a problem of the file as a whole.
func (f *file) whole(format string, args ...any) *labengine.Problem {
	return labengine.Problemf(labengine.CodeBadFile, "%s: %s", f.name, fmt.Sprintf(format, args...))
}

// problem makes a problem that shows its line, with a caret under the place.
func (f *file) problem(at position, hint string, format string, args ...any) *labengine.Problem {
	p := labengine.Problemf(labengine.CodeBadFile, "%s:%d:%d: %s%s", f.name, at.line, at.column,
		fmt.Sprintf(format, args...), f.excerpt(at))
	return p.WithHint(hint)
}

// because makes a problem of one that a rule found, in the rule's words and with its hint.
func (f *file) because(at position, cause error) error {
	rule, ok := errors.AsType[*labengine.Problem](cause)
	if !ok {
		return f.problem(at, "", "%v", cause)
	}
	p := f.problem(at, rule.Hint, "%s", rule.Message)
	p.Field, p.Err = rule.Field, rule
	return p
}

// excerptWidth is how much of a long line an error shows, in characters.
const excerptWidth = 120

// excerpt shows a line with a caret under one of its characters.
func (f *file) excerpt(at position) string {
	if at.line < 1 || at.line > len(f.lines) {
		return ""
	}
	line := []rune(f.lines[at.line-1])
	column := min(max(at.column, 1), len(line)+1)
	from, before := 0, ""
	if column > excerptWidth*3/4 {
		from, before = column-excerptWidth/2, "…"
	}
	for i, r := range line {
		if unicode.IsControl(r) && r != '\t' {
			line[i] = utf8.RuneError
		}
	}
	to, after := len(line), ""
	if to > from+excerptWidth {
		to, after = from+excerptWidth, "…"
	}
	pad := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, before+string(line[from:column-1]))
	number := fmt.Sprintf("%4d | ", at.line)
	return "\n\n" + number + before + string(line[from:to]) + after +
		"\n" + strings.Repeat(" ", len(number)-2) + "| " + pad + "^"
}

// within is the position of a part of a scalar's text, offset bytes into it; the scalar's own where the source does not
// have the text as it stands.
func (f *file) within(v value, offset int) position {
	start, ok := f.offset(v.at)
	if !ok {
		return v.at
	}
	line, quote := f.lines[v.at.line-1], 0
	rest := line[start-f.starts[v.at.line-1]:]
	if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
		rest, quote = rest[1:], 1
	}
	if !strings.HasPrefix(rest, v.text) {
		return v.at
	}
	return position{v.at.line, v.at.column + quote + utf8.RuneCountInString(v.text[:offset])}
}

// offset is where a position is in the text, in bytes; false where the line has no such character. A file may be one long
// line with thousands of things in it, so that lines with characters of several bytes are only counted through once.
func (f *file) offset(at position) (int, bool) {
	if f.starts == nil {
		f.starts, f.runes = make([]int, len(f.lines)), make([][]int, len(f.lines))
		for i, start := 0, 0; i < len(f.lines); i++ {
			f.starts[i] = start
			start += len(f.lines[i]) + 1
		}
	}
	if at.line < 1 || at.line > len(f.lines) || at.column < 1 {
		return 0, false
	}
	line := f.lines[at.line-1]
	if f.runes[at.line-1] == nil {
		runes := []int{}
		if utf8.RuneCountInString(line) != len(line) {
			for i := range line {
				runes = append(runes, i)
			}
		}
		f.runes[at.line-1] = runes
	}
	column := at.column - 1
	if runes := f.runes[at.line-1]; len(runes) > 0 {
		if column >= len(runes) {
			return 0, false
		}
		column = runes[column]
	}
	return f.starts[at.line-1] + column, column < len(line)
}
