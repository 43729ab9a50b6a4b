package plan_test

import (
	"testing"

	"vethlab/labengine"
)

func withRules(l labengine.Lab, node labengine.ID, rules ...string) labengine.Lab {
	l = l.Clone()
	n := l.Nodes[node]
	n.IPRules = rules
	l.Nodes[node] = n
	return l
}

func TestPlanIPRules(t *testing.T) {
	bare := lab(t, "red", "")
	check(t, bare, withRules(bare, "host/red", "ipproto tcp dport 80 table 100", "from ::/0 goto 9 priority 0", "del table main priority 32766", "del from ::/0 table main priority 32766"), `
		ip -n red rule add ipproto tcp dport 80 table 100
		ip -6 -n red rule add from ::/0 goto 9 priority 0
		ip -n red rule del table main priority 32766
		ip -6 -n red rule del from ::/0 table main priority 32766
`)
	check(t, withRules(bare, "host/red", "iif $x table 5", "del table main priority 32766"), bare, `
		ip -n red rule del iif '$x' table 5
		ip -n red rule add table main priority 32766
`)
	check(t, withRules(bare, "host", "table 5", "nop priority 7", "table 6 priority 8"), withRules(bare, "host", "nop priority 7", "table 6 priority 8"), `
		ip rule del table 5
`)
}

// Rules of one priority are asked in the order in which they were added.
func TestPlanOrderOfIPRules(t *testing.T) {
	bare := lab(t, "", "")
	rules := func(list ...string) labengine.Lab { return withRules(bare, "host", list...) }
	check(t, rules("table 2 priority 7", "table 3 priority 7", "table 9 priority 8"),
		rules("table 2 priority 7", "dport 80 table 1 priority 7", "table 3 priority 7", "table 9 priority 8"), `
		ip rule del table 3 priority 7
		ip rule add dport 80 table 1 priority 7
		ip rule add table 3 priority 7
`)
	check(t, rules("table 1 priority 7", "table 2 priority 7", "from ::/0 table 2 priority 7"),
		rules("table 2 priority 7", "from ::/0 table 2 priority 7"), `
		ip rule del table 1 priority 7
`)
	check(t, rules("table 1", "table 2"), rules("table 2", "table 1"), "")
	check(t, rules("table 1 priority 7", "table 2 priority 7"), rules("table 2 priority 7", "table 1 priority 7"), `
		ip rule del table 1 priority 7
		ip rule add table 1 priority 7
`)
}
