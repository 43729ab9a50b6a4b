package document

import (
	"errors"
	"fmt"
	"strings"
)

// errNotLocated says that where a value is could not be found: it is written in a way that nobody is to change in place.
var errNotLocated = errors.New("where a value is in the source could not be found")

// locate finds where a value and all that is in it are in the text. The YAML library says where each begins; where it ends,
// and where the signs between are, the text says. What is not as expected is an error, never a guess.
func (f *file) locate(v *value) error {
	start, ok := f.offset(v.at)
	if !ok {
		return fmt.Errorf("%w: line %d", errNotLocated, v.at.line)
	}
	v.start = start
	switch v.form {
	case scalar:
		return f.locateScalar(v)
	case list:
		if v.flow = f.text[start] == '['; v.flow {
			return f.locateFlow(v)
		}
		return f.locateItems(v)
	case mapping:
		if v.flow = f.text[start] == '{'; v.flow {
			return f.locateFlow(v)
		}
		return f.locatePairs(v)
	}
	return fmt.Errorf("%w: line %d", errNotLocated, v.at.line)
}

// locateScalar finds a scalar's end.
func (f *file) locateScalar(v *value) error {
	rest := f.text[v.start:]
	length := -1
	switch {
	case rest[0] == '"':
		for i := 1; i < len(rest) && length < 0; i++ {
			switch rest[i] {
			case '\\':
				i++
			case '"':
				length = i + 1
			}
		}
	case rest[0] == '\'':
		for i := 1; i < len(rest) && length < 0; i++ {
			if rest[i] == '\'' && strings.HasPrefix(rest[i+1:], "'") {
				i++
			} else if rest[i] == '\'' {
				length = i + 1
			}
		}
	case (rest[0] == '|' || rest[0] == '>') && !v.plain:
		length = literalLength(rest)
	default:
		length = plainLength(rest, v.text)
	}
	if length <= 0 {
		return fmt.Errorf("%w: line %d", errNotLocated, v.at.line)
	}
	v.end = v.start + length
	return nil
}

// literalLength is how long text after | or > is: what follows the first line as far in as its first line.
func literalLength(rest string) int {
	length, indent := 0, 0
	at := 0
	for line := range strings.Lines(rest) {
		text := strings.TrimLeft(line, " ")
		spaces := len(line) - len(text)
		blank := strings.TrimSpace(text) == ""
		if at > 0 && !blank {
			if indent == 0 {
				indent = spaces
			}
			if spaces < indent || spaces == 0 {
				break
			}
		}
		if at += len(line); at == len(line) || !blank {
			length = at - (len(line) - len(strings.TrimRight(line, "\n")))
		}
	}
	return length
}

// plainLength is how much of the source a plain scalar's text takes; where it goes on in another line, a space is what ends
// the line and what indents the next one. -1 where the source does not have it.
func plainLength(rest, text string) int {
	at := 0
	for i := 0; i < len(text); i++ {
		if text[i] != ' ' && text[i] != '\n' || strings.HasPrefix(rest[at:], text[i:]) {
			if at == len(rest) || rest[at] != text[i] {
				return -1
			}
			at++
			continue
		}
		length := len(rest[at:]) - len(strings.TrimLeft(rest[at:], " \t\n"))
		if length == 0 {
			return -1
		}
		if at += length; strings.IndexByte(rest[at-length:at], '\n') < 0 && length > 1 {
			at -= length - 1 // as many spaces as there are
		}
	}
	return at
}

// locateFlow finds what is between brackets, and the closing one.
func (f *file) locateFlow(v *value) error {
	at := v.start + 1
	closing, count := byte(']'), len(v.list)
	if v.form == mapping {
		closing, count = '}', len(v.pairs)
	}
	for i := range count {
		if i > 0 {
			if at = f.skip(at); !f.is(at, ',') {
				return fmt.Errorf("%w: line %d", errNotLocated, v.at.line)
			}
			at++
		}
		at = f.skip(at)
		var err error
		if v.form == list {
			at, err = f.locateIn(&v.list[i], at)
		} else {
			at, err = f.locatePair(&v.pairs[i], at)
		}
		if err != nil {
			return err
		}
	}
	if at = f.skip(at); f.is(at, ',') && count > 0 {
		at = f.skip(at + 1)
	}
	if !f.is(at, closing) {
		return fmt.Errorf("%w: line %d", errNotLocated, v.at.line)
	}
	v.end = at + 1
	return nil
}

// locateItems finds the items of a list without brackets.
func (f *file) locateItems(v *value) error {
	at := v.start
	for i := range v.list {
		if at = f.skip(at); !f.is(at, '-') {
			return fmt.Errorf("%w: line %d", errNotLocated, v.at.line)
		}
		v.list[i].dash = at
		var err error
		if at, err = f.locateIn(&v.list[i], at+1); err != nil {
			return err
		}
	}
	v.end = at
	return nil
}

// locatePairs finds the pairs of a mapping without braces.
func (f *file) locatePairs(v *value) error {
	at := v.start
	for i := range v.pairs {
		var err error
		if at, err = f.locatePair(&v.pairs[i], f.skip(at)); err != nil {
			return err
		}
	}
	v.end = at
	return nil
}

// locatePair finds a pair that begins at a place, and says where it ends.
func (f *file) locatePair(p *pair, at int) (int, error) {
	if err := f.locate(&p.key); err != nil {
		return 0, err
	}
	if p.key.start != at {
		return 0, fmt.Errorf("%w: line %d", errNotLocated, p.key.at.line)
	}
	if p.colon = f.skip(p.key.end); !f.is(p.colon, ':') {
		return 0, fmt.Errorf("%w: line %d", errNotLocated, p.key.at.line)
	}
	return f.locateIn(&p.value, p.colon+1)
}

// locateIn finds a value that comes after a sign, and says where it ends. Nothing ends where the sign does, unless it is
// said.
func (f *file) locateIn(v *value, after int) (int, error) {
	at := f.skip(after)
	if v.form != nothing {
		if err := f.locate(v); err != nil {
			return 0, err
		}
		if v.start != at {
			return 0, fmt.Errorf("%w: line %d", errNotLocated, v.at.line)
		}
		return v.end, nil
	}
	v.start, v.end = after, after
	for _, null := range []string{"null", "Null", "NULL", "~"} {
		rest, said := strings.CutPrefix(f.text[min(at, len(f.text)):], null)
		if said && (rest == "" || strings.ContainsAny(rest[:1], " \t\n,]}")) {
			v.start, v.end = at, at+len(null)
		}
	}
	return v.end, nil
}

func (f *file) is(at int, sign byte) bool { return at < len(f.text) && f.text[at] == sign }

// skip is the first place from one on that is no space, end of line or comment.
func (f *file) skip(at int) int {
	for ; at < len(f.text); at++ {
		switch c := f.text[at]; {
		case c == '#' && (at == 0 || strings.IndexByte(" \t\n", f.text[at-1]) >= 0):
			end := strings.IndexByte(f.text[at:], '\n')
			if end < 0 {
				return len(f.text)
			}
			at += end
		case c != ' ' && c != '\t' && c != '\n':
			return at
		}
	}
	return at
}
