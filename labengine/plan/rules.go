package plan

import (
	"slices"

	"vethlab/labengine"
)

// ChangeRules changes a namespace's firewall rules of one family, iptables(8). Its rules happen in this order, and together
// as far as the kernel can: a thousand rules are one step.
type ChangeRules struct {
	At    Spot
	IPv6  bool
	Rules []labengine.Rule
}

// Commands implements [Step].
func (s ChangeRules) Commands() []labengine.Command {
	lines := make([]string, len(s.Rules))
	for i := range s.Rules {
		lines[i] = s.Line(i)
	}
	return in(s.At.Machine, lines...)
}

// Line is one of the rules as typed in the machine's shell.
func (s ChangeRules) Line(i int) string {
	program := "iptables"
	if s.IPv6 {
		program = "ip6tables"
	}
	return s.At.run(program + " " + s.Rules[i].String())
}

// rules changes the rules of each node from what they are to what they are to be.
func (d *differ) rules() {
	for _, n := range d.nodes {
		for _, ipv6 := range []bool{false, true} {
			var have []string
			if d.keepsNode(n.ID) {
				have = d.have.Nodes[n.ID].Rules(ipv6)
			}
			want := n.Rules(ipv6)
			if slices.Equal(have, want) {
				continue
			}
			if changes := ruleChanges(readRules(have), readRules(want)); len(changes) > 0 {
				d.do(ChangeRules{At: SpotOf(d.want, n.ID), IPv6: ipv6, Rules: changes})
			}
		}
	}
}

// ruleset is a list of rules by what they are about.
type ruleset struct {
	own      []chainName // in the order of the list
	policies []labengine.Rule
	chains   map[chainName][]placed
	order    []chainName // of chains that have rules
}

type chainName struct{ table, chain string }

// placed is a rule with its place in the list.
type placed struct {
	labengine.Rule
	key   string
	place int
}

func readRules(list []string) ruleset {
	s := ruleset{chains: map[chainName][]placed{}}
	for place, text := range list {
		r, err := labengine.ParseRule(text)
		if err != nil {
			continue // no lab has it
		}
		name := chainName{r.Table, r.Chain}
		switch r.Verb {
		case "-N":
			s.own = append(s.own, name)
		case "-P":
			s.policies = append(s.policies, r)
		case "-A":
			if s.chains[name] == nil {
				s.order = append(s.order, name)
			}
			s.chains[name] = append(s.chains[name], placed{r, r.Key(), place})
		}
	}
	return s
}

// policy is what a list says of a built-in chain; the kernel begins with ACCEPT.
func (s ruleset) policy(of labengine.Rule) string {
	for _, p := range s.policies {
		if p.Table == of.Table && p.Chain == of.Chain {
			return p.Args[0]
		}
	}
	return "ACCEPT"
}

// ruleChanges makes chains before rules lead to them, and deletes chains when none does any more. Rules at a chain's end are
// added in the order in which the author wrote them.
func ruleChanges(have, want ruleset) []labengine.Rule {
	var changes []labengine.Rule
	for _, name := range want.own {
		if !slices.Contains(have.own, name) {
			changes = append(changes, labengine.Rule{Table: name.table, Verb: "-N", Chain: name.chain})
		}
	}
	for _, p := range want.policies {
		if have.policy(p) != want.policy(p) {
			changes = append(changes, p)
		}
	}
	for _, p := range have.policies {
		again := func(w labengine.Rule) bool { return w.Table == p.Table && w.Chain == p.Chain }
		if p.Args[0] != "ACCEPT" && !slices.ContainsFunc(want.policies, again) {
			p.Args = []string{"ACCEPT"}
			changes = append(changes, p)
		}
	}
	chains := slices.Clone(have.order)
	for _, name := range want.order {
		if have.chains[name] == nil {
			chains = append(chains, name)
		}
	}
	var added []placed
	for _, name := range chains {
		edits, more := chainChanges(name, have.chains[name], want.chains[name])
		changes = append(changes, edits...)
		added = append(added, more...)
	}
	slices.SortStableFunc(added, func(a, b placed) int { return a.place - b.place })
	for _, a := range added {
		changes = append(changes, a.Rule)
	}
	for _, name := range have.own {
		if !slices.Contains(want.own, name) {
			changes = append(changes, labengine.Rule{Table: name.table, Verb: "-X", Chain: name.chain})
		}
	}
	return changes
}

// The ways of changing a chain differ in what they cost where it is long: iptables-restore(8) takes 15 ms to find one of ten
// thousand rules by its words, and 1 ms by its number.
const (
	manyEdits   = 50  // from here on, rules are deleted by number
	tooManyEdit = 500 // from here on, the chain is emptied and written anew
)

// chainChanges keeps what both lists have, deletes and inserts in between, and gives the rules to be added at the end apart.
func chainChanges(name chainName, have, want []placed) (edits []labengine.Rule, added []placed) {
	pairs := labengine.Align(keys(have), keys(want))
	deleted, inserted := len(have)-len(pairs), len(want)-len(pairs)
	last := [2]int{-1, -1}
	if len(pairs) > 0 {
		last = pairs[len(pairs)-1]
	}
	between := inserted - (len(want) - 1 - last[1]) // not at the end
	flush := labengine.Rule{Table: name.table, Verb: "-F", Chain: name.chain}
	switch {
	case deleted > 1 && len(want) == 0:
		return []labengine.Rule{flush}, nil
	case deleted+between > tooManyEdit:
		return []labengine.Rule{flush}, want
	case deleted == 1 && inserted == 1:
		if place, ok := onlyDifference(have, want); ok {
			replaced := want[place].Rule
			replaced.Verb, replaced.Number = "-R", place+1
			return []labengine.Rule{replaced}, nil
		}
	}
	now := keys(have)
	place := 0 // in now, from 0
	nextHave, nextWant := 0, 0
	deleteNext := func() {
		r := have[nextHave].Rule
		r.Verb = "-D"
		if deleted > manyEdits || slices.Index(now, have[nextHave].key) != place {
			r.Args, r.Number = nil, place+1
		}
		edits = append(edits, r)
		now = slices.Delete(now, place, place+1)
		nextHave++
	}
	for _, p := range pairs {
		for nextHave < p[0] {
			deleteNext()
		}
		for ; nextWant < p[1]; nextWant++ {
			r := want[nextWant].Rule
			r.Verb, r.Number = "-I", place+1
			edits = append(edits, r)
			now = slices.Insert(now, place, want[nextWant].key)
			place++
		}
		nextHave, nextWant, place = p[0]+1, p[1]+1, place+1
	}
	for nextHave < len(have) {
		deleteNext()
	}
	return edits, want[nextWant:]
}

// onlyDifference is the one place in which two lists of the same length differ.
func onlyDifference(have, want []placed) (place int, ok bool) {
	for i := range have {
		if have[i].key != want[i].key {
			if ok {
				return 0, false
			}
			place, ok = i, true
		}
	}
	return place, ok
}

func keys(list []placed) []string {
	keys := make([]string, len(list))
	for i, p := range list {
		keys[i] = p.key
	}
	return keys
}
