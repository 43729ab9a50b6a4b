package live_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/document"
	"vethlab/labengine/live/labtest"
)

// twoAlike has two namespaces without anything in them.
const twoAlike = `vethlab: 1
nodes:
  - {name: host, kind: machine}
  - {name: red, kind: namespace, in: host}
  - {name: blue, kind: namespace, in: host}
`

// everyIPRule is one of each thing that a document says of rules, as people type them.
var everyIPRule = []string{
	"rule add ipproto tcp dport 80 lookup 100 pref 5", "rule add lookup 100 pref 5", "rule add ipproto tcp dport 443 lookup 100 pref 5",
	"rule add table main suppress_prefixlength 0", "rule add suppress_ifgroup 3 lookup 3 pref 40", "rule add sup_group default lookup 4",
	"rule add tos 10 lookup 7", "rule add dsfield 0x1c lookup 7 pref 41", "rule add uidrange 0-0 lookup 9", "rule add goto 32766 pref 7",
	"rule add nop pref 8", "rule add prio 0 lookup 100", "rule add prio 40000 lookup 100", "rule add prio 4294967295 lookup 100",
	"rule add lookup main pref 32766", "rule add from 10.0.0.1/8 lookup local pref 9", "rule add lookup default pref 10",
	"rule add sport 100-200 dport 65534 ipproto udp lookup 4294967295 pref 11", "rule add ipproto 200 lookup 5 pref 12",
	"rule add ipproto icmp lookup 5 pref 13", "rule add fwmark 0 lookup 3 pref 14", "rule add fwmark 0/0xffffffff lookup 3 pref 15",
	"rule add fwmark 1/0 lookup 3 pref 16", "rule add fwmark 0x3/0xff lookup 3 pref 17", "rule add realms 3/4 lookup 3 pref 18",
	"rule add not from 10.1.0.0/16 to 10.2.0.1 iif lo oif eth7 prohibit pref 19", "rule add blackhole pref 20",
	"rule add lookup 6 proto static pref 21", "rule add lookup 6 protocol kernel pref 22", "rule add unreachable pref 23",
	"-6 rule add from all lookup 7", "-6 rule add to ::ffff:1.2.3.4 lookup 7 pref 30", "-6 rule add goto 4000 tos 0xfc pref 31",
	"-6 rule add from fd00::1/64 ipproto ipv6-icmp lookup 7", "-6 rule add uidrange 0-0 unreachable pref 32",
}

// rulesOf are the rules of a namespace as ip(8) shows them.
func rulesOf(lab *labtest.Lab, netns string) string {
	return lab.Shell("host", fmt.Sprintf("ip -n %s rule; ip -n %s -6 rule", netns, netns))
}

// untilIPRules waits until a namespace has so many rules.
func untilIPRules(lab *labtest.Lab, node labengine.ID, count int) []string {
	return lab.Until(fmt.Sprintf("%d rules", count), func(s labtest.State) bool {
		return len(s.Lab.Nodes[node].IPRules) == count
	}).Lab.Nodes[node].IPRules
}

// TestEveryIPRule types rules in blue, draws in red what the document then has, and holds the two to each other.
func TestEveryIPRule(t *testing.T) {
	lab := labtest.Start(t, twoAlike)
	red, blue := nodeNamed(t, lab.State().Lab, "red").ID, nodeNamed(t, lab.State().Lab, "blue").ID
	fresh := rulesOf(lab, "blue")
	for _, typed := range everyIPRule {
		lab.Shell("host", "ip -n blue "+typed)
	}
	texts := untilIPRules(lab, blue, len(everyIPRule))
	for _, text := range texts {
		lab.MustEdit(labengine.Edit{AddIPRule: &labengine.AddIPRule{Node: red, Rule: text}})
	}
	if r, b := rulesOf(lab, "red"), rulesOf(lab, "blue"); r != b {
		t.Errorf("drawn:\n%s\ntyped:\n%s", r, b)
	}
	if got := lab.State().Lab.Nodes[red].IPRules; !slices.Equal(got, texts) {
		t.Errorf("drawn rules are\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(texts, "\n"))
	}
	lab.CheckKernel()
	lab.CheckScript()
	for i, text := range texts {
		lab.MustEdit(labengine.Edit{DeleteIPRule: &labengine.DeleteIPRule{Node: red, Rule: text}})
		if got := lab.State().Lab.Nodes[red].IPRules; !slices.Equal(got, texts[i+1:]) {
			t.Fatalf("without %s, rules are\n%s", text, strings.Join(got, "\n"))
		}
	}
	if got := rulesOf(lab, "red"); got != fresh {
		t.Errorf("left of what was drawn:\n%s", got)
	}
	for range texts {
		mustUndo(t, lab, "a deletion")
	}
	lab.CheckKernel()
	if r, b := rulesOf(lab, "red"), rulesOf(lab, "blue"); r != b {
		t.Errorf("brought back:\n%s\ntyped:\n%s", r, b)
	}
}

// TestTypedIPRules types rules at random, as far as ip(8) and the kernel take them: the document has each, can be started anew
// with them, and drawn they are the same rules.
func TestTypedIPRules(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := ruleTyper{rand.New(rand.NewPCG(seed, 0))}
			lab := labtest.Start(t, twoAlike)
			red, blue := nodeNamed(t, lab.State().Lab, "red").ID, nodeNamed(t, lab.State().Lab, "blue").ID
			var script strings.Builder
			for range 100 {
				fmt.Fprintf(&script, "ip -n blue %s 2>/dev/null || true\n", w.rule())
			}
			lab.Shell("host", script.String())
			typed := rulesOf(lab, "blue")
			lab.CheckKernel()
			texts := lab.State().Lab.Nodes[blue].IPRules
			if own := 5; len(texts) != strings.Count(typed, "\n")-own || len(texts) < 30 {
				t.Fatalf("the document has %d rules of\n%s", len(texts), typed)
			}
			for _, text := range texts {
				r, err := labengine.ParseIPRule(text)
				if err != nil || r.Text != text {
					t.Errorf("`%s` is read as `%s`: %v", text, r.Text, err)
				}
				lab.MustEdit(labengine.Edit{AddIPRule: &labengine.AddIPRule{Node: red, Rule: text}})
			}
			if r := rulesOf(lab, "red"); r != typed {
				t.Errorf("drawn:\n%s\ntyped:\n%s", r, typed)
			}
			lab.CheckScript()
			left := slices.Clone(texts)
			for len(left) > len(texts)/2 { // the one that is meant goes, and no other that has what it has
				at := w.IntN(len(left))
				lab.MustEdit(labengine.Edit{DeleteIPRule: &labengine.DeleteIPRule{Node: red, Rule: left[at]}})
				left = slices.Delete(left, at, at+1)
				if got := lab.State().Lab.Nodes[red].IPRules; !slices.Equal(got, left) {
					t.Fatalf("left are\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(left, "\n"))
				}
			}
			lab.CheckKernel()
			for range len(texts) - len(left) {
				mustUndo(t, lab, "a deletion")
			}
			if r := rulesOf(lab, "red"); r != typed {
				t.Errorf("brought back:\n%s\ntyped:\n%s", r, typed)
			}
			again := labtest.Start(t, string(document.Format(lab.State().Lab, nil)))
			for _, node := range []string{"red", "blue"} {
				if got := nodeNamed(t, again.State().Lab, node).IPRules; !slices.Equal(got, texts) {
					t.Errorf("in %s of the lab that was started anew are\n%s\nnot\n%s", node, strings.Join(got, "\n"), strings.Join(texts, "\n"))
				}
				if r := rulesOf(again, node); r != typed {
					t.Errorf("%s of the lab that was started anew:\n%s\ntyped:\n%s", node, r, typed)
				}
			}
		})
	}
}

// ruleTyper types rules, most of which the kernel takes.
type ruleTyper struct{ *rand.Rand }

func (w ruleTyper) one(of ...string) string { return of[w.IntN(len(of))] }

func (w ruleTyper) rule() string {
	priority := w.one("", "pref 0", "priority 7", "order 100", "preference 32765", "pref 32766", "pref 32767", "pref 40000", "pref 4294967295")
	selectors := []string{
		"tos 0x10", "dsfield 4", "fwmark 0", "fwmark 7", "fwmark 0x10/0xff", "fwmark 0/0xffffffff", "fwmark 4294967295", "fwmark 5/0",
		"iif lo", "iif no-such", "dev a%b", "oif eth0", "uidrange 0-0", "ipproto tcp", "ipproto udp", "ipproto icmp", "ipproto gre", "ipproto 255",
		"sport 1", "sport 1024-65534", "dport 80", "dport 8000-8999", "not", "realms 4", "realms 5/6", "suppress_prefixlength 0",
		"sup_pl 128", "suppress_ifgroup default", "suppress_ifgroup 77", "protocol static", "proto bird", "proto 77", "protocol kernel",
		"protocol boot",
	}
	v4 := []string{"from 10.0.0.0/8", "from 10.1.2.3", "from 10.1.2.3/9", "from 0/0", "to 192.168.0.0/16", "to 1.2.3.4", "from 128.0.0.0/1", "to any"}
	v6 := []string{"from fd00::/8", "from fd00::1", "to fd00::9/7", "from ::ffff:10.0.0.1", "to ::/0", "from ::1", "to ::ffff:0:0/96"}
	words := []string{"rule add"}
	if w.IntN(3) == 0 {
		words[0], selectors = "-6 rule add", append(selectors, v6...)
	} else {
		selectors = append(selectors, v4...)
	}
	for range w.IntN(5) {
		words = append(words, w.one(selectors...))
	}
	words = append(words, w.one("table main", "lookup local", "lookup default", "lookup 1", "table 100", "lookup 256", "table 4294967295",
		"goto 50", "goto 32767", "goto 4294967295", "nop", "blackhole", "unreachable", "prohibit"))
	return strings.Join(append(words, priority), " ")
}

// TestOwnIPRules takes away rules that each namespace has from the beginning.
func TestOwnIPRules(t *testing.T) {
	lab := labtest.Start(t, twoAlike)
	red := nodeNamed(t, lab.State().Lab, "red").ID
	fresh := rulesOf(lab, "red")
	until := func(want ...string) {
		t.Helper()
		lab.Until(strings.Join(want, "; "), func(s labtest.State) bool { return slices.Equal(s.Lab.Nodes[red].IPRules, want) })
		lab.CheckKernel()
		lab.CheckScript()
	}
	lab.Shell("host", "ip -n red rule add lookup 100 pref 7; ip -n red rule flush; ip -n red -6 rule flush")
	until("del table main priority 32766", "del table default priority 32767", "del from ::/0 table main priority 32766")
	again := labtest.Start(t, string(document.Format(lab.State().Lab, nil)))
	again.CheckKernel()
	if a, r := rulesOf(again, "red"), rulesOf(lab, "red"); a != r {
		t.Errorf("started anew:\n%s\nbefore:\n%s", a, r)
	}
	mustUndo(t, lab, "what was flushed")
	until()
	if got := rulesOf(lab, "red"); got != fresh {
		t.Errorf("brought back:\n%s", got)
	}
	if r := lab.Ask(labengine.Request{Redo: &labengine.Redo{}}); r.Problem != nil {
		t.Fatal(r.Problem)
	}
	until("del table main priority 32766", "del table default priority 32767", "del from ::/0 table main priority 32766")
	lab.Shell("host", "for f in -4 -6; do ip $f -n red rule add lookup main pref 32766; done; ip -n red rule add lookup default pref 32767")
	until()
	lab.Shell("host", "ip -n red rule add pref 100 lookup local; ip -n red rule del pref 0") // local addresses come later
	until("table local priority 100", "del table local priority 0")
	lab.MustEdit(labengine.Edit{DeleteIPRule: &labengine.DeleteIPRule{Node: red, Rule: "del table local priority 0"}})
	until("table local priority 100")
}

// TestUnknownIPRules types rules that a document has no words for: what is done to others leaves them alone.
func TestUnknownIPRules(t *testing.T) {
	lab := labtest.Start(t, twoAlike)
	red := nodeNamed(t, lab.State().Lab, "red").ID
	lab.Shell("host", `ip -n red rule add tun_id 5 lookup 7 pref 5
		ip -n red rule add l3mdev pref 5
		ip -n red rule add throw pref 6`)
	before := rulesOf(lab, "red")
	lab.Shell("host", "ip -n red rule add lookup 7 pref 5")
	if got := untilIPRules(lab, red, 1)[0]; got != "table 7 priority 5" {
		t.Errorf("the one rule is `%s`", got)
	}
	with := rulesOf(lab, "red")
	mustUndo(t, lab, "the rule")
	if got := rulesOf(lab, "red"); got != before {
		t.Errorf("undone:\n%s\nbefore:\n%s", got, before)
	}
	lab.MustEdit(labengine.Edit{AddIPRule: &labengine.AddIPRule{Node: red, Rule: "table 7 priority 5"}})
	if got := rulesOf(lab, "red"); got != with {
		t.Errorf("drawn:\n%s\ntyped:\n%s", got, with)
	}
}

// TestIPRulesOfUsers: the kernel takes users' numbers from whoever is in the machine alone.
func TestIPRulesOfUsers(t *testing.T) {
	lab := labtest.Start(t, `vethlab: 1
nodes:
  - {name: host, kind: machine, rules: [uidrange 0-0 table 5]}
  - {name: web, kind: container, in: host, rules: [uidrange 0-0 table 5]}
`)
	for _, node := range []string{"host", "web"} {
		id := nodeNamed(t, lab.State().Lab, node).ID
		lab.MustEdit(labengine.Edit{AddIPRule: &labengine.AddIPRule{Node: id, Rule: "from ::/0 uidrange 0-0 dport 80 table 6"}})
		lab.MustEdit(labengine.Edit{DeleteIPRule: &labengine.DeleteIPRule{Node: id, Rule: "uidrange 0-0 table 5"}})
		p := lab.Edit(labengine.Edit{AddIPRule: &labengine.AddIPRule{Node: id, Rule: "uidrange 0-4294967294 table 7"}})
		if p == nil || p.Code != labengine.CodeRefused || p.Message != "Error: Invalid uid range." {
			t.Errorf("users that the machine does not have: %v", p)
		}
	}
	lab.CheckKernel()
}
