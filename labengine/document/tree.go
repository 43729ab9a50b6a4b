package document

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// value is a node of the YAML tree: the part of YAML that a lab needs, which is text, lists and mappings.
type value struct {
	at    position
	form  form
	text  string // of a scalar, as it is written: 007 stays 007
	plain bool   // a scalar without quotes
	list  []value
	pairs []pair

	// Where it is in the file's text, in bytes; see locate.
	start, end int
	flow       bool // a list in [] or a mapping in {}
	dash       int  // of an item of a list without brackets
}

type pair struct {
	key, value value
	colon      int // in the file's text, in bytes; see locate
}

type form int

const (
	nothing form = iota // a key without a value
	scalar
	list
	mapping
)

func (f form) String() string { return [...]string{"nothing", "text", "a list", "a mapping"}[f] }

// The bounds within which a file is handed to the YAML parser, which recurses, and takes time quadratic in the entries
// of one mapping.
const (
	maxTokens  = 400_000
	maxKeys    = 60_000
	maxEntries = 6_000 // of one block mapping
	maxFlow    = 16    // brackets in one another
	maxIndent  = 64    // characters
	maxDashes  = 4     // on one line
)

// tree reads the file's YAML.
func (f *file) tree() (root value, err error) {
	defer func() {
		// The library reads bytes from outside; if some of them make it panic, one file is bad and no lab is lost.
		if r := recover(); r != nil {
			root, err = value{}, f.whole("the file cannot be read as YAML (%v)", r)
		}
	}()
	tokens := lexer.Tokenize(f.protectColons())
	if err := f.checkTokens(tokens); err != nil {
		return value{}, err
	}
	// Duplicate keys are found by fields, which knows better what to say of them.
	parsed, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	var syntax interface {
		error
		GetToken() *token.Token
		GetMessage() string
	}
	switch {
	case errors.As(err, &syntax):
		return value{}, f.syntax(tokenPosition(syntax.GetToken()), f.restoreColons(syntax.GetMessage()))
	case err != nil:
		return value{}, f.whole("%v", err)
	}
	for _, doc := range parsed.Docs {
		if doc.Body == nil {
			continue
		}
		body, err := f.convert(doc.Body)
		if err != nil {
			return value{}, err
		}
		if root.form != nothing {
			return value{}, f.problem(body.at, "put it into a file of its own", "a file holds one lab; a second document begins here")
		}
		root = body
	}
	return root, nil
}

// protectColons puts another character in the place of each colon that is part of a word: in YAML a colon separates key and
// value only before a space, a bracket or a comma, or after a quote. The parser thinks otherwise within braces, and makes
// a mapping of `{ends: [red:eth0, …]}`.
func (f *file) protectColons() string {
	stand := '\ue03a' // private use: in no name that somebody types
	for strings.ContainsRune(f.text, stand) {
		stand++
	}
	f.colon = string(stand)
	var b strings.Builder
	before := '\n'
	for i, r := range f.text {
		if r == ':' && before != '"' && before != '\'' && i+1 < len(f.text) && !strings.ContainsRune(" \t\n,[]{}", rune(f.text[i+1])) {
			b.WriteRune(stand)
		} else {
			b.WriteRune(r)
		}
		before = r
	}
	return b.String()
}

func (f *file) restoreColons(text string) string { return strings.ReplaceAll(text, f.colon, ":") }

// syntax makes a problem of what the YAML parser found, with a hint for what people get wrong most.
func (f *file) syntax(at position, message string) error {
	hint := ""
	if at.line <= len(f.lines) {
		line := f.lines[at.line-1]
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		switch {
		case strings.Contains(indent, "\t"):
			message, hint = "a tab cannot indent a line of YAML", "indent it with spaces"
		case strings.HasPrefix(message, "mapping value is not allowed"):
			hint = "put text that has `: ` in it in double quotes"
		}
	}
	return f.problem(at, hint, "%s", message)
}

func tokenPosition(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{t.Position.Line, t.Position.Column}
}

// unusedYAML is what YAML has and a lab does not need.
var unusedYAML = map[token.Type]string{
	token.AnchorType: "anchors (&)", token.AliasType: "aliases (*)", token.TagType: "tags (!)",
	token.MergeKeyType: "merge keys (<<)", token.MappingKeyType: "`? ` keys", token.DirectiveType: "directives (%)",
	token.DocumentEndType: "document ends (...)",
}

// checkTokens refuses what would make the parser recurse deeply or take long, and what a lab does not need.
func (f *file) checkTokens(tokens token.Tokens) error {
	var keys, flow, dashes, line int
	entries := map[int]int{} // keys of the open block mappings, by column
	leave := func(column int) {
		for deeper := range entries {
			if deeper > column {
				delete(entries, deeper)
			}
		}
	}
	if len(tokens) > maxTokens {
		return f.whole("the file has %d words and signs; up to %d are read", len(tokens), maxTokens)
	}
	for i, t := range tokens {
		at := tokenPosition(t)
		if at.line != line {
			line, dashes = at.line, 0
		}
		if what, ok := unusedYAML[t.Type]; ok {
			return f.problem(at, "put it in quotes if it is part of a name", "a lab's file has no %s", what)
		}
		column := at.column
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType:
			dashes++
			leave(column)
		case token.MappingValueType:
			if keys++; keys > maxKeys {
				return f.problem(at, "", "the file has more than %d keys", maxKeys)
			}
			if flow > 0 || i == 0 {
				continue
			}
			column = tokens[i-1].Position.Column
			leave(column)
			if entries[column]++; entries[column] > maxEntries {
				return f.problem(at, "", "this mapping has more than %d keys", maxEntries)
			}
		default:
			continue
		}
		if flow > maxFlow || dashes > maxDashes || flow == 0 && column > maxIndent && t.Type != token.SequenceEndType &&
			t.Type != token.MappingEndType {
			return f.problem(at, "", "a lab's file is not nested so deeply")
		}
	}
	return nil
}

// convert reads one node of the parser's tree.
func (f *file) convert(n ast.Node) (value, error) {
	v := value{at: tokenPosition(n.GetToken())}
	var err error
	switch n := n.(type) {
	case *ast.NullNode:
		v.text = n.GetToken().Value
	case *ast.StringNode:
		v.form, v.text = scalar, f.restoreColons(n.Value)
		v.plain = n.GetToken().Type == token.StringType
	case *ast.LiteralNode:
		v.form, v.text = scalar, f.restoreColons(n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		v.form, v.text, v.plain = scalar, n.GetToken().Value, true
	case *ast.SequenceNode:
		v.form, v.list = list, make([]value, len(n.Values))
		for i, item := range n.Values {
			if v.list[i], err = f.convert(item); err != nil {
				return v, err
			}
		}
	case *ast.MappingNode:
		v.form = mapping
		err = f.convertPairs(&v, n.Values, n.IsFlowStyle)
	case *ast.MappingValueNode:
		v.form = mapping
		err = f.convertPairs(&v, []*ast.MappingValueNode{n}, false)
	default:
		return v, f.problem(v.at, "", "a lab's file has no %s", n.Type())
	}
	return v, err
}

func (f *file) convertPairs(v *value, values []*ast.MappingValueNode, flow bool) error {
	for _, each := range values {
		key, err := f.convert(each.Key)
		if err != nil {
			return err
		}
		if key.form == nothing { // `null: 1`
			key.form = scalar
		}
		if key.form != scalar {
			return f.problem(key.at, "", "a key is text; this is %s", key.form)
		}
		item := value{at: key.at}
		if each.Value != nil {
			if item, err = f.convert(each.Value); err != nil {
				return err
			}
		}
		v.pairs = append(v.pairs, pair{key: key, value: item})
	}
	if !flow && len(v.pairs) > 0 { // the parser says where the colon is
		v.at = v.pairs[0].key.at
	}
	return nil
}

// get is the value of a mapping's key; the first one where the key is there twice.
func (v value) get(key string) (value, bool) {
	for _, p := range v.pairs {
		if p.key.text == key {
			return p.value, true
		}
	}
	return value{}, false
}

// expected says that a value has another form than it should.
func (f *file) expected(v value, what string) error {
	is := v.form.String()
	if v.form == scalar {
		is = fmt.Sprintf("the text %q", abridge(v.text))
	}
	return f.problem(v.at, "", "%s; this is %s", what, is)
}
