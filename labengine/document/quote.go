package document

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// scalarOf is text as a scalar, without quotes where it is plain in the sense of the function and no word of YAML's own.
func scalarOf(text string, isPlain func(string) bool) value {
	return value{form: scalar, text: text, plain: isPlain(text) && !isYAMLWord(text)}
}

// plain is a scalar that needs no quotes.
func plain(text string) value { return value{form: scalar, text: text, plain: true} }

// texts are scalars, plain where the function says so.
func texts(list []string, isPlain func(string) bool) []value {
	values := make([]value, len(list))
	for i, text := range list {
		values[i] = scalarOf(text, isPlain)
	}
	return values
}

// ordered is a mapping of what is stated, in the shape's order.
func ordered(stated map[string]value, s shape) value {
	v := value{form: mapping}
	for _, key := range s.keys {
		if item, ok := stated[key]; ok {
			v.pairs = append(v.pairs, pair{key: scalarOf(key, isWord), value: item})
		}
	}
	return v
}

// flow is a value on one line.
func flow(v value) string {
	var parts []string
	switch v.form {
	case scalar:
		if v.plain {
			return v.text
		}
		return doubleQuoted(v.text)
	case list:
		for _, item := range v.list {
			parts = append(parts, flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case mapping:
		for _, p := range v.pairs {
			parts = append(parts, flow(p.key)+": "+flow(p.value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return ""
}

// block is a mapping as lines that are indented so, with each value on its key's line where that is not too long, or else
// on lines of its own, as deep as levels says.
func block(v value, indent string, levels int) string {
	var b strings.Builder
	for _, p := range v.pairs {
		key := indent + flow(p.key) + ":"
		line := key + " " + flow(p.value)
		if levels == 0 || utf8.RuneCountInString(line) <= maxLine*3/4 || p.value.form == scalar {
			b.WriteString(line + "\n")
			continue
		}
		b.WriteString(key + "\n" + block(value{form: mapping, pairs: p.value.pairs}, indent+"  ", 0))
		for _, item := range p.value.list {
			b.WriteString(indent + "  - " + flow(item) + "\n")
		}
	}
	return b.String()
}

// quoted is text as YAML, in double quotes unless it is plain as [scalarOf] has it.
func quoted(text string, isPlain func(string) bool) string { return flow(scalarOf(text, isPlain)) }

func doubleQuoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// isYAMLWord says that plain text would be something else than text to somebody who reads YAML.
func isYAMLWord(text string) bool {
	switch strings.ToLower(text) {
	case "", "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		return true
	}
	return false
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// isWord says that a name is plain text anywhere in YAML.
func isWord(text string) bool {
	return only(text, func(r rune) bool { return isLetter(r) || r >= '0' && r <= '9' || strings.ContainsRune("_-./", r) })
}

// isEnd says the same of an end of a cable or an address. More than one colon, as in IPv6, is not plain for everyone who
// reads YAML.
func isEnd(text string) bool {
	return strings.Count(text, ":") <= 1 && !strings.Contains(text+" ", ": ") && only(strings.Replace(text, ":", "_", 1), func(r rune) bool {
		return isLetter(r) || r >= '0' && r <= '9' || strings.ContainsRune("_-./ ", r)
	}) || isIPv4(text)
}

// isRoute says the same of words as commands take them: a route, or a link's options.
func isRoute(text string) bool {
	return strings.Contains(text, " ") && strings.ContainsFunc(text, isLetter) && only("x"+text, func(r rune) bool {
		return isLetter(r) || r >= '0' && r <= '9' || strings.ContainsRune("_-./ ", r)
	}) && text[0] != '-' && text[0] != '.' && text[0] != '/'
}

// isPlain says that text is plain as one of the things that a file has.
func isPlain(text string) bool {
	return scalarOf(text, func(text string) bool {
		return isWord(text) || isEnd(text) || isRoute(text) || isNumber(text) || isTitle(text)
	}).plain
}

// isNumber says that text is a whole number in the way that everyone writes it.
func isNumber(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == "" && (digits == "0" && text == digits || digits[0] != '0')
}

// isIPv4 says that an address in CIDR notation is one of IPv4, which is plain though it begins with a digit.
func isIPv4(text string) bool {
	return strings.Count(text, ".") == 3 && strings.Trim(text, "0123456789./") == ""
}

// isTitle says that a line is plain text as the value of a key.
func isTitle(text string) bool {
	return !strings.HasSuffix(text, " ") && only(text, func(r rune) bool {
		return unicode.IsLetter(r) || r >= '0' && r <= '9' || strings.ContainsRune("_-./ ,()'+", r)
	})
}

// only says that text begins with a letter and has nothing but such characters.
func only(text string, such func(rune) bool) bool {
	first, _ := utf8.DecodeRuneInString(text)
	return isLetter(first) && strings.IndexFunc(text, func(r rune) bool { return !such(r) }) < 0
}
