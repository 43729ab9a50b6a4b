package kernel

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vethlab/labengine"
)

func TestIptablesWords(t *testing.T) {
	for said, want := range map[string]string{
		"iptables v1.8.9 (nf_tables): unknown option \"--dport\"\nTry `iptables -h' or 'iptables --help' for more information.": `unknown option "--dport"`,
		"iptables-restore v1.8.9 (nf_tables): \nline 3: RULE_APPEND failed (Invalid argument): rule in chain FORWARD":           "RULE_APPEND failed (Invalid argument): rule in chain FORWARD",
		"iptables-restore: line 3 failed: Bad rule (does a matching rule exist in that chain?).":                                "Bad rule (does a matching rule exist in that chain?).",
		"iptables-restore: line 3 failed":               "the kernel does not take this rule",
		"iptables: No chain/target/match by that name.": "No chain/target/match by that name.",
		"iptables-restore v1.8.9 (legacy): Couldn't load match `nosuch':No such file or directory\n\nError occurred at line: 3\nTry `iptables-restore -h'": "Couldn't load match `nosuch':No such file or directory",
		"ip6tables v1.8.9 (nf_tables):  RULE_APPEND failed (No such file or directory): rule in chain INPUT":                                               "RULE_APPEND failed (No such file or directory): rule in chain INPUT",
	} {
		if got := iptablesWords(said); got != want {
			t.Errorf("%q becomes %q", said, got)
		}
	}
}

func TestRestoreInput(t *testing.T) {
	var rules []labengine.Rule
	for _, text := range []string{
		"-N DOCKER", "-t nat -A POSTROUTING -j MASQUERADE", `-A FORWARD -m comment --comment 'say "hi" \ ' -j DOCKER`, "-I FORWARD 1 ! -i lo -j DROP",
	} {
		r, err := labengine.ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, r)
	}
	text, lines := restoreInput(rules)
	want := `*filter
-N DOCKER
-A FORWARD -m comment --comment "say \"hi\" \\ " -j DOCKER
-I FORWARD 1 ! -i lo -j DROP
COMMIT
*nat
-A POSTROUTING -j MASQUERADE
COMMIT
`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(lines, []int{-1, -1, 0, 2, 3, -1, -1, 1, -1}) {
		t.Errorf("the lines are %v", lines)
	}
	many, _ := restoreInput(slices.Repeat(rules[2:3], 1000))
	if commits := strings.Count(many, "COMMIT"); commits < 5 || commits > 20 {
		t.Errorf("a thousand rules go to the kernel in %d parts", commits)
	}
}

func TestNativeTables(t *testing.T) {
	const out = `# Warning: table ip nat is managed by iptables-nft, do not touch!
table ip nat {
	chain POSTROUTING {
	}
}
table inet mine {
	chain in {
	}
}
table ip vethlab-trace { # progname vethlab
	flags owner
}
table bridge filter {
}
`
	text, tables := nativeTables(out, false)
	if want := "table inet mine {\n\tchain in {\n\t}\n}\ntable bridge filter {\n}\n"; text != want || tables != 2 {
		t.Errorf("%d tables:\n%s", tables, text)
	}
	if _, tables := nativeTables(out, true); tables != 3 {
		t.Errorf("%d tables with those of iptables' names", tables)
	}
}

// TestParseFlow reads what the kernel tells of a connection from 192.168.15.2:40000 to 192.168.1.3:7000, whose source is
// translated to 192.168.1.2.
func TestParseFlow(t *testing.T) {
	body, err := hex.DecodeString(strings.Join(strings.Fields(`
		02000000
		34000180 14000180 08000100c0a80f02 08000200c0a80103 1c000280 0500010006000000 060002009c400000 060003001b580000
		34000280 14000180 08000100c0a80103 08000200c0a80102 1c000280 0500010006000000 060002001b580000 060003009c400000
		080003000000018e
		0c000480 08000180 0400 0000
		0800070000000077`), ""))
	if err != nil {
		t.Fatal(err)
	}
	want := labengine.Flow{
		Protocol: "tcp", Timeout: 0x77, Assured: true,
		Original: labengine.FlowEnds{From: "192.168.15.2", To: "192.168.1.3", FromPort: 40000, ToPort: 7000},
		Reply:    labengine.FlowEnds{From: "192.168.1.3", To: "192.168.1.2", FromPort: 7000, ToPort: 40000},
	}
	if diff := cmp.Diff(want, parseFlow(body)); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseFlow(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 8, 0, 7, 0, 0, 0, 0, 1})
	f.Fuzz(func(_ *testing.T, body []byte) { parseFlow(body) })
}
