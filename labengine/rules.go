package labengine

import (
	"slices"
	"strings"
)

// A node's rules are one list for each family, of "-P", "-N" and "-A" alone: a rule of another form is put where it belongs
// when it is said. The rules of a chain are in the list in the order in which a packet meets them; how chains are mixed
// means nothing, and stays as its author has it.

// Iptables changes a node's firewall rules, in the words of iptables(8): -A, -I, -R, -D, -P, -N, -X and -F, without the
// program's name.
type Iptables struct {
	Node     ID       `json:"node"`
	IPv6     bool     `json:"ipv6,omitempty"` // as ip6tables(8) does
	Commands []string `json:"commands"`
	Was      string   `json:"was,omitempty"` // the rule that the first command's number stands for; refused where it is another by now
}

func (e *Iptables) apply(l *draft) error {
	n, ok := l.Nodes[e.Node]
	switch {
	case !ok:
		return goneNode(e.Node)
	case n.Kind == LAN:
		return about(badRule("write it in a machine that is plugged into it", "%s is a switch: it has no firewall", n.Name), n.ID)
	case len(e.Commands) == 0:
		return Problemf(CodeBadRequest, "there is no rule in this edit").About(n.ID, "rule")
	}
	rules, err := ReadRules(n.Rules(e.IPv6))
	if err != nil {
		return about(err, n.ID)
	}
	for at, text := range e.Commands {
		was := ""
		if at == 0 {
			was = e.Was
		}
		if err := rules.Change(text, was); err != nil {
			return about(err, n.ID)
		}
	}
	l.setNode(n.WithRules(e.IPv6, rules.Texts()))
	return nil
}

// Rules are the node's rules of one family.
func (n Node) Rules(ipv6 bool) []string {
	if ipv6 {
		return n.Ip6tables
	}
	return n.Iptables
}

// WithRules is the node with other rules of one family.
func (n Node) WithRules(ipv6 bool, rules []string) Node {
	if len(rules) == 0 {
		rules = nil
	}
	if ipv6 {
		n.Ip6tables = rules
	} else {
		n.Iptables = rules
	}
	return n
}

// RuleList is a list of rules while it is changed. The zero value is an empty one.
type RuleList struct {
	entries []ruleEntry
	own     map[tableChain]bool // chains that an entry makes
}

type tableChain struct{ table, chain string }

type ruleEntry struct {
	Rule
	text string // its author's
}

// ReadRules reads a list of rules, each as [RuleList.Change] takes it, in order: a document's, which may say -I.
// The problem is that of the first rule that cannot be.
func ReadRules(texts []string) (*RuleList, error) {
	l := &RuleList{}
	for _, text := range texts {
		if err := l.Change(text, ""); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Texts is the list as a node has it.
func (l *RuleList) Texts() []string {
	texts := make([]string, len(l.entries))
	for i, e := range l.entries {
		texts[i] = e.text
	}
	return texts
}

// Change does to the list what iptables(8) does to the kernel's. Where was is not "", it has to be the rule that the
// command's number stands for. The problem is a "bad-value", "exists" or "gone".
func (l *RuleList) Change(text, was string) error {
	r, err := ParseRule(text)
	if err != nil {
		return err
	}
	if r.Verb != "-N" && r.Chain != "" && !l.hasChain(r.Table, r.Chain) {
		hint := "make it first: " + Rule{Table: r.Table, Verb: "-N", Chain: r.Chain}.String()
		if near := Nearest(r.Chain, l.chains(r.Table)); near != "" {
			hint = "did you mean " + near + "? Or " + hint
		}
		return badRule(hint, "table %s has no chain %s", r.Table, shown(r.Chain))
	}
	switch r.Verb {
	case "-A":
		l.insert(len(l.entries), r, strings.TrimSpace(text))
	case "-I":
		return l.insertAt(r)
	case "-R":
		at, err := l.numbered(r, was)
		if err != nil {
			return err
		}
		l.delete(at)
		r.Verb, r.Number = "-A", 0
		l.insert(at, r, r.String())
	case "-D":
		at, err := l.toDelete(r, was)
		if err != nil {
			return err
		}
		l.delete(at)
	case "-P":
		if at := l.index("-P", r.Table, r.Chain); at >= 0 {
			l.entries[at] = ruleEntry{r, strings.TrimSpace(text)}
		} else {
			l.insert(len(l.entries), r, strings.TrimSpace(text))
		}
	case "-N":
		if l.hasChain(r.Table, r.Chain) {
			return Problemf(CodeExists, "table %s has a chain %s already", r.Table, shown(r.Chain)).About("", "rule")
		}
		l.insert(len(l.entries), r, strings.TrimSpace(text))
		if l.own == nil {
			l.own = map[tableChain]bool{}
		}
		l.own[tableChain{r.Table, r.Chain}] = true
	case "-X":
		return l.deleteChain(r)
	case "-F":
		l.entries = slices.DeleteFunc(l.entries, func(e ruleEntry) bool {
			return e.Verb == "-A" && e.Table == r.Table && (r.Chain == "" || e.Chain == r.Chain)
		})
	}
	return nil
}

func (l *RuleList) insert(at int, r Rule, text string) {
	l.entries = slices.Insert(l.entries, at, ruleEntry{r, text})
}

func (l *RuleList) delete(at int) { l.entries = slices.Delete(l.entries, at, at+1) }

func (l *RuleList) hasChain(table, chain string) bool {
	return BuiltinChain(table, chain) || l.own[tableChain{table, chain}]
}

// index is where the list has a policy or a chain of its own, or -1.
func (l *RuleList) index(verb, table, chain string) int {
	return slices.IndexFunc(l.entries, func(e ruleEntry) bool {
		return e.Verb == verb && e.Table == table && e.Chain == chain
	})
}

func (l *RuleList) chains(table string) []string {
	names := slices.Clone(builtinChains[table])
	for _, e := range l.entries {
		if e.Verb == "-N" && e.Table == table {
			names = append(names, e.Chain)
		}
	}
	return names
}

// inChain lists where the rules of a chain are.
func (l *RuleList) inChain(table, chain string) []int {
	var places []int
	for i, e := range l.entries {
		if e.Verb == "-A" && e.Table == table && e.Chain == chain {
			places = append(places, i)
		}
	}
	return places
}

func (l *RuleList) insertAt(r Rule) error {
	places := l.inChain(r.Table, r.Chain)
	number := max(r.Number, 1)
	if number > len(places)+1 {
		return badRule("", "%s has %d rules: there is no place %d", r.Chain, len(places), number)
	}
	at := len(l.entries)
	if number <= len(places) {
		at = places[number-1]
	} else if len(places) > 0 {
		at = places[len(places)-1] + 1
	}
	r.Verb, r.Number = "-A", 0
	l.insert(at, r, r.String())
	return nil
}

// numbered is where the rule is that a command's number stands for.
func (l *RuleList) numbered(r Rule, was string) (int, error) {
	places := l.inChain(r.Table, r.Chain)
	if r.Number > len(places) {
		return 0, Problemf(CodeGone, "%s has no rule %d", r.Chain, r.Number).About("", "rule")
	}
	at := places[r.Number-1]
	if meant, err := ParseRule(was); was != "" && (err != nil || meant.Key() != l.entries[at].Key()) {
		return 0, Problemf(CodeGone, "rule %d of %s is `%s` by now", r.Number, r.Chain, l.entries[at].text).About("", "rule").
			WithHint("look again, and try once more")
	}
	return at, nil
}

func (l *RuleList) toDelete(r Rule, was string) (int, error) {
	if r.Number > 0 {
		return l.numbered(r, was)
	}
	meant := r
	meant.Verb = "-A"
	for _, at := range l.inChain(r.Table, r.Chain) {
		if l.entries[at].Key() == meant.Key() {
			return at, nil
		}
	}
	return 0, Problemf(CodeGone, "%s has no rule `%s`", r.Chain, meant.String()).About("", "rule")
}

func (l *RuleList) deleteChain(r Rule) error {
	if rules := len(l.inChain(r.Table, r.Chain)); rules > 0 {
		return badRule("empty it first: "+Rule{Table: r.Table, Verb: "-F", Chain: r.Chain}.String(), "%s has %d rules", r.Chain, rules)
	}
	for _, e := range l.entries {
		if e.Verb == "-A" && e.Table == r.Table && e.JumpsTo(r.Chain) {
			return badRule("delete that rule first", "`%s` leads to %s", e.text, r.Chain)
		}
	}
	l.delete(l.index("-N", r.Table, r.Chain))
	delete(l.own, tableChain{r.Table, r.Chain})
	return nil
}
