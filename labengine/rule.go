package labengine

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Rule is what iptables(8) and ip6tables(8) take: a command, the chain that it is about, and what the rule says.
type Rule struct {
	Table  string   // "filter", "nat", "mangle", "raw" or "security"
	Verb   string   // "-A", "-I", "-R", "-D", "-P", "-N", "-X" or "-F"
	Chain  string   // of -F, "" is every chain of the table
	Number int      // of -I, -R and -D: the place in the chain, from 1; 0 is not said
	Args   []string // matches and target, or the policy of -P
}

// builtinChains are the chains that each table has without anybody's doing, in the order in which a packet meets them.
var builtinChains = map[string][]string{
	"filter":   {"INPUT", "FORWARD", "OUTPUT"},
	"nat":      {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"},
	"mangle":   {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"},
	"raw":      {"PREROUTING", "OUTPUT"},
	"security": {"INPUT", "FORWARD", "OUTPUT"},
}

// RuleTables are the tables of iptables(8).
var RuleTables = []string{"filter", "nat", "mangle", "raw", "security"}

// BuiltinChain says whether a table has this chain without anybody's doing.
func BuiltinChain(table, chain string) bool { return slices.Contains(builtinChains[table], chain) }

// The bounds of what a rule may be, in bytes: iptables-restore(8) reads parameters of at most 1,024 and lines of 10,240.
const (
	maxRule     = 4000
	maxRuleWord = 1000
	maxChain    = 28 // XT_EXTENSION_MAXNAMELEN in uapi/linux/netfilter/x_tables.h, and a final zero
)

const exampleRule = "write it as -A FORWARD -i eth0 -j ACCEPT, or -t nat -A POSTROUTING -o eth0 -j MASQUERADE"

func badRule(hint, format string, args ...any) *Problem {
	return Problemf(CodeBadValue, format, args...).About("", "rule").WithHint(hint)
}

// verbs are the commands that change rules, by the ways in which they are written.
var verbs = map[string]string{
	"-A": "-A", "--append": "-A", "-I": "-I", "--insert": "-I", "-R": "-R", "--replace": "-R", "-D": "-D", "--delete": "-D",
	"-P": "-P", "--policy": "-P", "-N": "-N", "--new-chain": "-N", "-X": "-X", "--delete-chain": "-X", "-F": "-F", "--flush": "-F",
}

// foreign are words of iptables(8) that are no part of a rule, with what to do instead.
var foreign = map[string]string{
	"-L": "the inspector lists the rules", "--list": "the Firewall tab lists the rules",
	"-S": "the inspector lists the rules", "--list-rules": "the Firewall tab lists the rules",
	"-Z": "type it in a terminal", "--zero": "type it in a terminal",
	"-C": "the inspector lists the rules", "--check": "the Firewall tab lists the rules",
	"-E": "make a chain of the new name, and delete the old one", "--rename-chain": "make a chain anew, and delete the old one",
	"-h": "", "--help": "", "-V": "", "--version": "", "-4": "IPv6 has a list of its own", "--ipv4": "IPv6 has a list of its own",
	"-6": "IPv6 has a list of its own", "--ipv6": "IPv6 has a list of its own", "-c": "the kernel counts by itself",
	"--set-counters": "the kernel counts by itself", "-w": "leave it out", "--wait": "leave it out",
	"-n": "leave it out", "-v": "leave it out", "-x": "leave it out", "--line-numbers": "leave it out",
}

// ParseRule reads a rule as iptables(8) takes it, without the program's name, in words as sh(1) splits them. What the words
// mean beyond command, table and chain is iptables' to say. The problem is a "bad-value".
func ParseRule(text string) (Rule, error) {
	r := Rule{Table: "filter"}
	words, err := ShellWords(text)
	if err != nil {
		return r, err
	}
	if len(text) > maxRule {
		return r, badRule("", "a rule has at most %d bytes; this one has %d", maxRule, len(text))
	}
	if len(words) == 0 {
		return r, badRule(exampleRule, "a rule says what to match and what to do")
	}
	if words[0] == "iptables" || words[0] == "ip6tables" || words[0] == "sudo" {
		return r, badRule("leave "+words[0]+" out", "a rule is written without the program's name")
	}
	var rest []string
	for at := 0; at < len(words); at++ {
		word := words[at]
		if err := checkRuleWord(word); err != nil {
			return r, err
		}
		table, isTable := strings.CutPrefix(word, "--table=")
		if word == "-t" || word == "--table" {
			if at++; at == len(words) {
				return r, badRule("", "`%s` is followed by a table", word)
			}
			table, isTable = words[at], true
		}
		if isTable {
			if _, there := builtinChains[table]; !there {
				hint := "the tables are " + list(RuleTables[:3]) + ", raw and security"
				if near := Nearest(table, RuleTables); near != "" {
					hint = "did you mean " + near + "?"
				}
				return r, badRule(hint, "there is no table %s", shown(table))
			}
			r.Table = table
			continue
		}
		verb, isVerb := verbs[word]
		if !isVerb {
			rest = append(rest, word)
			continue
		}
		if r.Verb != "" {
			return r, badRule("make two rules of it", "`%s` and `%s` are two commands", r.Verb, word)
		}
		r.Verb = verb
		if at+1 < len(words) && !strings.HasPrefix(words[at+1], "-") {
			at++
			r.Chain = words[at]
			if err := checkRuleWord(r.Chain); err != nil {
				return r, err
			}
		}
		if number, ok := chainNumber(words, at+1); ok && (verb == "-I" || verb == "-R" || verb == "-D") {
			at++
			r.Number = number
		}
	}
	r.Args = rest
	return r, r.check()
}

func chainNumber(words []string, at int) (int, bool) {
	if at >= len(words) {
		return 0, false
	}
	n, err := strconv.Atoi(words[at])
	return n, err == nil && n > 0 && words[at][0] != '+'
}

// check refuses a rule whose shape cannot be.
func (r Rule) check() error {
	if r.Verb == "" {
		hint := exampleRule
		for _, word := range r.Args {
			if instead, is := foreign[word]; is && instead != "" {
				hint = instead
			}
		}
		return badRule(hint, "a rule needs a command: -A, -I, -R, -D, -P, -N, -X or -F")
	}
	if len(r.Args) > 0 && r.Verb != "-P" && r.Args[0] != "!" && !strings.HasPrefix(r.Args[0], "-") {
		return badRule(exampleRule, "a rule has no word %s here", shown(r.Args[0])) // as iptables says: Bad argument
	}
	for i, word := range r.Args {
		if instead, is := foreign[word]; is {
			return badRule(instead, "`%s` does not belong into a rule here", word)
		}
		if i+1 == len(r.Args) || !isAddressOption(word) {
			continue
		}
		if strings.Contains(r.Args[i+1], ",") {
			return badRule("write one rule for each", "iptables makes several rules of %s", shown(r.Args[i+1]))
		}
		if strings.Trim(r.Args[i+1], "0123456789abcdefABCDEF.:/!") != "" {
			return badRule("write its address: a name would be looked up once, when the rule is made", "%s is not an address",
				shown(r.Args[i+1]))
		}
	}
	if r.Chain != "" || r.Verb != "-F" {
		if err := checkChain(r.Chain); err != nil {
			return err
		}
	}
	builtin := BuiltinChain(r.Table, r.Chain)
	switch r.Verb {
	case "-P":
		switch {
		case !builtin:
			return badRule(strings.Join(builtinChains[r.Table], ", ")+" have one", "%s has no policy: it is no built-in chain of table %s",
				shown(r.Chain), r.Table)
		case len(r.Args) != 1 || r.Args[0] != "ACCEPT" && r.Args[0] != "DROP":
			return badRule("write it as -P "+r.Chain+" DROP", "a policy is ACCEPT or DROP")
		}
	case "-N", "-X":
		switch {
		case len(r.Args) > 0:
			return badRule("", "`%s` takes a chain's name and no more", r.Verb)
		case builtin:
			return badRule("choose another name", "table %s has %s by itself", r.Table, shown(r.Chain))
		}
	case "-F":
		if len(r.Args) > 0 {
			return badRule("", "`-F` takes a chain's name and no more")
		}
	case "-R":
		if r.Number == 0 {
			return badRule("write it as -R FORWARD 1 …", "`-R` takes a chain and the rule's number")
		}
	case "-D":
		if (r.Number == 0) == (len(r.Args) == 0) {
			return badRule("write it as -D FORWARD 1", "`-D` takes a chain, and the rule's number or the rule itself")
		}
	}
	return nil
}

func isAddressOption(word string) bool {
	return slices.Contains([]string{"-s", "--source", "--src", "-d", "--destination", "--dst"}, word)
}

func checkChain(name string) error {
	switch {
	case name == "":
		return badRule(exampleRule, "a rule names its chain")
	case len(name) > maxChain:
		return badRule("choose a shorter one", "%s is %d bytes; a chain's name has at most %d", shown(name), len(name), maxChain)
	case strings.ContainsAny(name[:1], "-!"):
		return badRule("", "%s is no name for a chain", shown(name))
	case strings.ContainsAny(name, " \t\"'\\:"):
		return badRule("", "%s has a space, a colon or a quote in it: it is no name for a chain", shown(name))
	case slices.Contains([]string{"ACCEPT", "DROP", "RETURN", "QUEUE"}, name):
		return badRule("choose another name", "%s is what happens to a packet, not a chain", shown(name))
	}
	return nil
}

// checkRuleWord refuses what would have iptables(8) do something else than change a rule: `--modprobe` names a program to
// run. getopt(3) takes it abbreviated, and -M behind other letters.
func checkRuleWord(word string) error {
	if len(word) > maxRuleWord {
		return badRule("", "a word of a rule has at most %d bytes; %s has %d", maxRuleWord, shown(word), len(word))
	}
	const takesValue = "ACDRILSFZNXEPopsdjimgtcwWh" // the letters behind which the rest of a word is a value
	long, _, _ := strings.Cut(word, "=")
	modprobe := len(long) > 2 && strings.HasPrefix("--modprobe", long)
	if len(word) > 1 && word[0] == '-' && word[1] != '-' {
		for _, letter := range word[1:] {
			if modprobe = letter == 'M'; modprobe || strings.ContainsRune(takesValue, letter) {
				break
			}
		}
	}
	if modprobe {
		return badRule("leave it out", "%s is no part of a rule: it names a program to run", shown(word))
	}
	return nil
}

// String is the rule as it is typed behind iptables, in sh(1).
func (r Rule) String() string {
	words := make([]string, 0, len(r.Args)+5)
	if r.Table != "filter" {
		words = append(words, "-t", r.Table)
	}
	words = append(words, r.Verb)
	if r.Chain != "" {
		words = append(words, ruleWord(r.Chain))
	}
	if r.Number > 0 {
		words = append(words, strconv.Itoa(r.Number))
	}
	for _, w := range r.Args {
		words = append(words, ruleWord(w))
	}
	return strings.Join(words, " ")
}

// Key is the same for rules that say the same in the same words, however those are written.
func (r Rule) Key() string {
	return r.Table + "\x00" + r.Verb + "\x00" + r.Chain + "\x00" + strings.Join(r.Args, "\x00")
}

// JumpsTo says whether the rule leads to a chain.
func (r Rule) JumpsTo(chain string) bool {
	for i, w := range r.Args {
		if (w == "-j" || w == "-g" || w == "--jump" || w == "--goto") && i+1 < len(r.Args) && r.Args[i+1] == chain ||
			w == "-j"+chain || w == "-g"+chain || w == "--jump="+chain || w == "--goto="+chain {
			return true
		}
	}
	return false
}

// ruleWord writes a word so that sh(1) reads it as it is, and as iptables-save(8) does where that is the same.
func ruleWord(word string) string {
	if word == "!" || word != "" && strings.Trim(word, plainInShell) == "" {
		return word
	}
	if !strings.ContainsAny(word, "\"\\$`!'") {
		return `"` + word + `"`
	}
	return ShellQuote(word)
}

const plainInShell = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@,+="

// ShellQuote writes a word so that sh(1) reads it as it is.
func ShellQuote(word string) string {
	if word != "" && strings.Trim(word, plainInShell) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// ShellWords splits a line as sh(1) does. What sh would do more than split is refused: the line is to mean the same there.
// The problem is a "bad-value".
func ShellWords(line string) ([]string, error) {
	if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return nil, badRule("", "a rule is one line of text; this one has a line's end or a character that cannot be typed in it")
	}
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote == '\'' && c != '\'', quote == 0 && c > 0x7f:
			word.WriteByte(c)
			inWord = true
		case quote == 0 && (c == ' ' || c == '\t'):
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		case c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, inWord = c, true
		case c == '\\':
			if i+1 == len(line) {
				return nil, badRule("", "a rule does not end with a backslash")
			}
			if i++; quote == '"' && !strings.ContainsRune("\"\\$`", rune(line[i])) {
				word.WriteByte('\\')
			}
			word.WriteByte(line[i])
			inWord = true
		case c == '$' || c == '`' || quote == 0 && (strings.IndexByte(";&|<>()", c) >= 0 || c == '#' && !inWord):
			return nil, badRule("put it into single quotes", "a shell would do something with the %q in this rule", c)
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, badRule("", "a quote is opened and not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
