package labtest

import (
	"slices"
	"strings"

	"vethlab/labengine"
)

// ipRulesOf are the rules of ip(8)'s output for one family that a document has: their priorities aside, which a document may leave
// to the kernel.
func ipRulesOf(out string, ipv6 bool) string {
	own := labengine.OwnIPRules(ipv6)
	var list []string
	for line := range strings.Lines(out) {
		r, err := labengine.ParseIPRule(typableRule(line, ipv6))
		if err != nil {
			list = append(list, err.Error())
			continue
		}
		isOwn := func(o labengine.IPRule) bool { return r.IsOwn() && r.Priority == o.Priority }
		if at := slices.IndexFunc(own, isOwn); at >= 0 {
			own = slices.Delete(own, at, at+1)
			continue
		}
		list = append(list, comparedRule(r))
	}
	for _, r := range own {
		r.Absent = true
		list = append(list, comparedRule(r))
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

// typableRule is a rule that `ip -d rule` prints as it takes it.
func typableRule(line string, ipv6 bool) string {
	priority, words, _ := strings.Cut(strings.TrimSpace(line), ":\t")
	for _, r := range [][2]string{
		{"[detached] ", ""}, {" [unresolved]", ""}, {"ipproto ipproto-", "ipproto "}, {"fwmark 0 ", "fwmark 0/0xffffffff "},
		{" proto unspec", ""},
	} {
		words = strings.ReplaceAll(words, r[0], r[1])
	}
	if ipv6 {
		words = strings.Replace(words, "from all", "from ::/0", 1)
	}
	return words + " priority " + priority
}

func comparedRule(r labengine.IPRule) string {
	if r.Action != "" { // ip(8) does not show it there
		r.SuppressPrefix, r.SuppressGroup = "", ""
	}
	if !r.Absent {
		r.Priority = ""
	}
	return r.String()
}

// ipRulesText is a node's rules.
func ipRulesText(n labengine.Node, ipv6 bool) string {
	var list []string
	for _, text := range n.IPRules {
		r, err := labengine.ParseIPRule(text)
		if err != nil {
			return err.Error()
		}
		if r.IPv6 == ipv6 {
			list = append(list, comparedRule(r))
		}
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}
