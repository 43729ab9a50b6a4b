package labengine

import (
	"slices"
	"strings"
)

// revertList takes back from a list what a change did to it, entry by entry, and leaves what has come since. What comes back
// stands behind the entry that it stood behind: the order of addresses and of rules means something.
func revertList(now, was, became []string) []string {
	stays, stayed := make([]bool, len(became)), make([]bool, len(was))
	for _, p := range Align(was, became) {
		stayed[p[0]], stays[p[1]] = true, true
	}
	now = slices.Clone(now)
	for _, p := range slices.Backward(Align(became, now)) {
		if !stays[p[0]] { // the change brought it
			now = slices.Delete(now, p[1], p[1]+1)
			stays[p[0]] = true
		}
	}
	for i, s := range stays { // that came from elsewhere in the list, or has moved since
		if at := slices.Index(now, became[i]); !s && at >= 0 && count(now, became[i]) > count(was, became[i]) {
			now = slices.Delete(now, at, at+1)
		}
	}
	chains := make([]ruleChain, len(was))
	for i, text := range was {
		chains[i] = chainOf(text)
	}
	for i, text := range was {
		if !stayed[i] && count(now, text) < count(was, text) && !slotTaken(now, text) {
			now = slices.Insert(now, placeFor(now, was, chains, i), text)
		}
	}
	return now
}

func count(list []string, text string) int {
	n := 0
	for _, t := range list {
		if t == text {
			n++
		}
	}
	return n
}

// slotTaken says whether a list has another value for what can have but one: a setting, or a chain's policy.
func slotTaken(list []string, text string) bool {
	slot := slotOf(text)
	return slot != "" && slices.ContainsFunc(list, func(t string) bool { return slotOf(t) == slot })
}

func slotOf(text string) string {
	if name, _, isSetting := strings.Cut(text, "="); isSetting && strings.HasPrefix(text, "net") {
		return name
	}
	if r, err := ParseRule(text); err == nil && r.Verb == "-P" {
		return r.Table + " " + r.Chain
	}
	return ""
}

// placeFor is where an entry that comes back belongs: behind the nearest one of its chain that stood before it and is still
// there, else before the nearest one that stood behind it. Lists that have no chains are one.
func placeFor(now, was []string, chains []ruleChain, at int) int {
	for i := at - 1; i >= 0; i-- {
		if place := slices.Index(now, was[i]); place >= 0 && chains[i] == chains[at] {
			return place + 1
		}
	}
	for i := at + 1; i < len(was); i++ {
		if place := slices.Index(now, was[i]); place >= 0 && chains[i] == chains[at] {
			return place
		}
	}
	if chains[at].verb == "-N" { // before the rules that may lead to it
		return 0
	}
	return len(now)
}

// ruleChain is what entries of a list have in common whose order means something.
type ruleChain struct{ verb, table, chain string }

func chainOf(text string) ruleChain {
	r, err := ParseRule(text)
	if err != nil {
		return ruleChain{}
	}
	if r.Verb == "-N" {
		r.Chain = ""
	}
	return ruleChain{r.Verb, r.Table, r.Chain}
}

// settleRules drops from a node's rules what hangs on chains that it had and has no longer: their rules, and those that
// lead to one of them.
func (n Node) settleRules(had Node) Node {
	for _, ipv6 := range []bool{false, true} {
		if slices.Equal(n.Rules(ipv6), had.Rules(ipv6)) {
			continue
		}
		gone := ownChains(had.Rules(ipv6))
		own := ownChains(n.Rules(ipv6))
		for chain := range own {
			delete(gone, chain)
		}
		n = n.WithRules(ipv6, slices.DeleteFunc(slices.Clone(n.Rules(ipv6)), func(text string) bool {
			r, err := ParseRule(text)
			if err != nil || r.Verb != "-A" {
				return err != nil
			}
			for chain := range gone {
				if chain.table == r.Table && r.JumpsTo(chain.chain) {
					return true
				}
			}
			return !BuiltinChain(r.Table, r.Chain) && !own[tableChain{r.Table, r.Chain}]
		}))
	}
	return n
}

func ownChains(rules []string) map[tableChain]bool {
	own := map[tableChain]bool{}
	for _, text := range rules {
		if r, err := ParseRule(text); err == nil && r.Verb == "-N" {
			own[tableChain{r.Table, r.Chain}] = true
		}
	}
	return own
}
