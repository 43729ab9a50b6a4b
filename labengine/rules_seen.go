package labengine

import (
	"slices"
	"strconv"
	"strings"
)

// ParseSavedRules reads what iptables-save(8) -c prints: tables with their chains, policies and rules, and what those have
// counted. Lines that are none of these are passed over.
func ParseSavedRules(out string) ([]FirewallTable, []Counter) {
	var tables []FirewallTable
	var counted [][]Counter    // by chain, of all tables: its own, and those of its rules
	first := 0                 // of the last table's chains, in counted
	chains := map[string]int{} // of the last table
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "*"):
			tables = append(tables, FirewallTable{Name: line[1:], Chains: []FirewallChain{}})
			clear(chains)
			first = len(counted)
		case len(tables) == 0:
		case strings.HasPrefix(line, ":"): // :FORWARD DROP [0:0]
			fields := strings.Fields(line[1:])
			if len(fields) < 2 {
				continue
			}
			chain := FirewallChain{Name: fields[0], Rules: []FirewallRule{}}
			var own Counter
			if fields[1] != "-" {
				chain.Policy = fields[1]
				own = parseCounter(strings.Join(fields[2:], ""))
			}
			counted = append(counted, []Counter{own})
			table := &tables[len(tables)-1]
			chains[chain.Name] = len(table.Chains)
			table.Chains = append(table.Chains, chain)
		case strings.HasPrefix(line, "[") || strings.HasPrefix(line, "-A "):
			counter, rest := "", line
			if line[0] == '[' {
				counter, rest, _ = strings.Cut(line, " ")
			}
			words := savedWords(rest)
			if len(words) < 2 || words[0] != "-A" {
				continue
			}
			at, known := chains[words[1]]
			if !known {
				continue
			}
			rule := FirewallRule{Text: Rule{Table: "filter", Verb: "-A", Chain: words[1], Args: words[2:]}.String()}
			chain := &tables[len(tables)-1].Chains[at]
			chain.Rules = append(chain.Rules, rule)
			counted[first+at] = append(counted[first+at], parseCounter(counter))
		}
	}
	return tables, inPlaces(counted)
}

// parseCounter reads "[3:252]": packets and bytes.
func parseCounter(text string) Counter {
	var c Counter
	packets, bytes, _ := strings.Cut(strings.Trim(text, "[]"), ":")
	c.Packets, _ = strconv.ParseUint(packets, 10, 64)
	c.Bytes, _ = strconv.ParseUint(bytes, 10, 64)
	return c
}

// inPlaces are the counters that are not zero, with their places.
func inPlaces(counted [][]Counter) []Counter {
	var list []Counter
	at := 0
	for _, chain := range counted {
		for _, c := range chain {
			if c.Packets != 0 || c.Bytes != 0 {
				c.At = at
				list = append(list, c)
			}
			at++
		}
	}
	return list
}

// Places is how many places counters have in tables.
func Places(tables []FirewallTable) int {
	places := 0
	for _, t := range tables {
		for _, c := range t.Chains {
			places += 1 + len(c.Rules)
		}
	}
	return places
}

// savedWords splits a line as iptables-restore(8) does: in double quotes, a backslash stands before what is meant itself.
func savedWords(line string) []string {
	var words []string
	var word strings.Builder
	inWord, quoted := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
		case c == '"':
			quoted, inWord = !quoted, true
		case c == ' ' && !quoted:
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words
}

// RestoredWord is a word as iptables-restore(8) reads it.
func RestoredWord(word string) string {
	if word != "" && strings.Trim(word, plainInShell+"!") == "" {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

// Twins are what iptables(8) makes of rules that it does not print as their authors have written them, by what those have
// written; by [Rule.Key] both. They are learnt when a rule has been added.
type Twins map[string]string

// seenRule is a rule of the kernel's on its way into a list.
type seenRule struct {
	rule  *FirewallRule
	text  string // for the list
	key   string
	taken bool
}

// RulesSeen says what a document has for the rules that the kernel has: those authored before that are still there keep their
// text, others are as iptables(8) prints them. Where learn says that rules have just been added, a rule whose twin is not known
// is the one that stands in its place. The tables are told what their rules' authors have written.
func RulesSeen(authored []string, tables []FirewallTable, twins Twins, learn bool) []string {
	s := seeing{
		chains: map[tableChain][]seenRule{}, policies: map[tableChain]string{}, own: map[tableChain]bool{}, stale: map[string]bool{},
	}
	s.read(tables)
	entries := make([]ruleEntry, 0, len(authored))
	byChain := map[tableChain][]int{}
	for _, text := range authored {
		if r, err := ParseRule(text); err == nil {
			if r.Verb == "-A" {
				name := tableChain{r.Table, r.Chain}
				byChain[name] = append(byChain[name], len(entries))
			}
			entries = append(entries, ruleEntry{r, text})
		}
	}
	matched := make([]int, len(entries)) // the rule's place in the kernel's chain, from 1
	for name, places := range byChain {
		s.match(s.chains[name], entries, places, matched, twins, learn)
	}
	var list []string
	next := map[tableChain]int{} // the first of a chain's rules that is not in the list yet
	for i, e := range entries {
		name := tableChain{e.Table, e.Chain}
		if s.stale[e.Table] { // what is there cannot be told
			list = append(list, e.text)
			continue
		}
		switch e.Verb {
		case "-P":
			if policy, used := s.policies[name]; used && policy != e.Args[0] || !used && e.Args[0] != "ACCEPT" {
				continue
			}
			list = append(list, e.text)
			delete(s.policies, name)
		case "-N":
			if s.own[name] {
				list = append(list, e.text)
				delete(s.own, name)
			}
		case "-A":
			if matched[i] == 0 {
				continue
			}
			rules := s.chains[name]
			for at := next[name]; at < matched[i]-1; at++ {
				list = append(list, rules[at].text)
			}
			rule := rules[matched[i]-1]
			if rule.text != e.text {
				rule.rule.Authored = e.text
			}
			list = append(list, e.text)
			next[name] = matched[i]
		}
	}
	list = s.heads(list)
	for _, name := range s.order {
		for _, rule := range s.chains[name][next[name]:] {
			list = append(list, rule.text)
		}
	}
	return list
}

// seeing is the kernel's rules by chain.
type seeing struct {
	chains   map[tableChain][]seenRule
	order    []tableChain
	policies map[tableChain]string
	own      map[tableChain]bool
	stale    map[string]bool // tables that cannot be read
}

func (s *seeing) read(tables []FirewallTable) {
	for _, t := range tables {
		if s.stale[t.Name] = s.stale[t.Name] || t.Stale; t.Other || t.Stale {
			continue
		}
		for c := range t.Chains {
			chain := &t.Chains[c]
			name := tableChain{t.Name, chain.Name}
			s.order = append(s.order, name)
			if chain.Policy == "" {
				s.own[name] = true
			} else {
				s.policies[name] = chain.Policy
			}
			rules := make([]seenRule, 0, len(chain.Rules))
			for r := range chain.Rules {
				rule, err := ParseRule(chain.Rules[r].Text)
				if err != nil {
					continue // nothing that a document could say: shown, and not saved
				}
				rule.Table = t.Name
				rules = append(rules, seenRule{rule: &chain.Rules[r], text: rule.String(), key: rule.Key()})
			}
			s.chains[name] = rules
		}
	}
}

// match finds the rules of one chain that have authors.
func (s *seeing) match(rules []seenRule, entries []ruleEntry, places []int, matched []int, twins Twins, learn bool) {
	authored, printed := make([]string, len(places)), make([]string, len(rules))
	fresh := make([]bool, len(places)) // just added: how it is printed is still to be learnt
	for i, place := range places {
		key := entries[place].Key()
		twin, known := twins[key]
		if !known {
			twin, fresh[i] = key, learn
		}
		authored[i] = twin
	}
	for i, r := range rules {
		printed[i] = r.key
	}
	nextAuthored, nextPrinted := 0, 0
	for _, p := range append(Align(authored, printed), [2]int{len(authored), len(printed)}) {
		for i := nextAuthored; i < p[0]; i++ { // not printed as it was written
			if !fresh[i] {
				continue
			}
			for at := nextPrinted; at < p[1]; at++ {
				if sameTarget(entries[places[i]].Rule, rules[at].text) {
					twins[entries[places[i]].Key()] = printed[at]
					matched[places[i]] = at + 1
					nextPrinted = at + 1
					break
				}
			}
		}
		if p[0] < len(authored) {
			matched[places[p[0]]] = p[1] + 1
		}
		nextAuthored, nextPrinted = p[0]+1, p[1]+1
	}
}

// sameTarget says whether two rules do the same with a packet, whatever packets they are for.
func sameTarget(r Rule, text string) bool {
	other, err := ParseRule(text)
	return err == nil && r.target() == other.target()
}

func (r Rule) target() string {
	for i, w := range r.Args {
		for _, option := range []string{"-j", "--jump", "-g", "--goto"} {
			if w == option && i+1 < len(r.Args) {
				return r.Args[i+1]
			}
			if value, ok := strings.CutPrefix(w, option); ok && value != "" {
				return strings.TrimPrefix(value, "=")
			}
		}
	}
	return ""
}

// heads adds the policies and chains that have no author, each before the first rule of its table.
func (s *seeing) heads(list []string) []string {
	for _, name := range s.order {
		head := Rule{Table: name.table, Verb: "-N", Chain: name.chain}
		if policy, ok := s.policies[name]; ok && policy != "ACCEPT" {
			head.Verb, head.Args = "-P", []string{policy}
		} else if !s.own[name] {
			continue
		}
		at := slices.IndexFunc(list, func(text string) bool {
			r, err := ParseRule(text)
			return err == nil && r.Verb == "-A" && r.Table == name.table
		})
		if at < 0 {
			at = len(list)
		}
		list = slices.Insert(list, at, head.String())
	}
	return list
}
