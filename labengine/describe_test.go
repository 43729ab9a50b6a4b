package labengine

import "testing"

// TestDescribe says what a change is as people see it: what comes with a node is not told beside it.
func TestDescribe(t *testing.T) {
	before := redAndBlue(t)
	for _, c := range []struct {
		name  string
		edits []Edit
		want  string
	}{
		{"a LAN's own switch", []Edit{{AddNode: &AddNode{ID: "l", Name: "office", Kind: LAN}}}, "Add LAN office"},
		{"two LANs", []Edit{
			{AddNode: &AddNode{ID: "l", Name: "office", Kind: LAN}}, {AddNode: &AddNode{ID: "k", Name: "lab", Kind: LAN}},
		}, "Add LANs office and lab"},
		{"what is called as its kind is", []Edit{{AddNode: &AddNode{ID: "i", Name: "internet", Kind: Internet}}}, "Add internet"},
		{"an internet by another name", []Edit{{AddNode: &AddNode{ID: "i", Name: "world", Kind: Internet}}}, "Add internet world"},
		{"namespaces", []Edit{
			{AddNode: &AddNode{ID: "g", Name: "green", Kind: Namespace, In: "h"}},
			{AddNode: &AddNode{ID: "y", Name: "yellow", Kind: Namespace, In: "h"}},
		}, "Add namespaces green and yellow"},
		{"a bridge in a machine", []Edit{
			{AddInterface: &AddInterface{ID: "br", Node: "h", Name: "v-net-0", Kind: Bridge}},
		}, "Add bridge v-net-0 of host"},
		{"a rule", []Edit{{AddIPRule: &AddIPRule{Node: "r", Rule: "lookup 5 pref 7"}}}, "Rule table 5 priority 7 in red"},
		{"a rule of each namespace", []Edit{{AddIPRule: &AddIPRule{Node: "r", Rule: "del lookup main pref 32766"}}},
			"Take the rule table main priority 32766 from red"},
	} {
		t.Run(c.name, func(t *testing.T) {
			after, err := before.Edit(c.edits)
			if err != nil {
				t.Fatal(err)
			}
			if got := Describe(before, after); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
