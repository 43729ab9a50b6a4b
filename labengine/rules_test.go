package labengine

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRule(t *testing.T) {
	for text, want := range map[string]string{
		"-A FORWARD -j ACCEPT": "-A FORWARD -j ACCEPT",
		"-t nat -A POSTROUTING -s 192.168.15.0/24 ! -o v-net-0 -j MASQUERADE": "-t nat -A POSTROUTING -s 192.168.15.0/24 ! -o v-net-0 -j MASQUERADE",
		"-A PREROUTING -j DNAT --to-destination [2001:db8::1]:80 -t nat":      `-t nat -A PREROUTING -j DNAT --to-destination "[2001:db8::1]:80"`,
		"--table=mangle --append FORWARD -j MARK --set-mark 1":                "-t mangle -A FORWARD -j MARK --set-mark 1",
		"-t filter -P FORWARD DROP":                                           "-P FORWARD DROP",
		"-N DOCKER":                                                           "-N DOCKER",
		"-I FORWARD 3 -j DROP":                                                "-I FORWARD 3 -j DROP",
		"-I FORWARD -j DROP":                                                  "-I FORWARD -j DROP",
		`-A INPUT -m comment --comment "say \"hi\""  -j DROP`:                 `-A INPUT -m comment --comment 'say "hi"' -j DROP`,
		`-A INPUT -m comment --comment 'it'\''s' -j DROP`:                     `-A INPUT -m comment --comment 'it'\''s' -j DROP`,
		`-A INPUT -m comment --comment two\ words -j DROP`:                    `-A INPUT -m comment --comment "two words" -j DROP`,
		"-F":           "-F",
		"-D FORWARD 2": "-D FORWARD 2",
		"-A INPUT -m statistic --mode random --probability 0.5 -j DROP": "-A INPUT -m statistic --mode random --probability 0.5 -j DROP",
	} {
		r, err := ParseRule(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if r.String() != want {
			t.Errorf("%s is written %s", text, r)
		} else if again, err := ParseRule(r.String()); err != nil || !cmp.Equal(r, again) {
			t.Errorf("%s is read back as %+v, not %+v (%v)", r, again, r, err)
		}
	}
}

func TestRulesThatCannotBe(t *testing.T) {
	for text, says := range map[string]string{
		"":                                         "what to match",
		"iptables -A INPUT -j DROP":                "leave iptables out",
		"-A INPUT -j DROP\n-A INPUT -j LOG":        "line's end",
		"-A INPUT\x00-j DROP":                      "cannot be typed",
		"-A INPUT \xff -j DROP":                    "cannot be typed",
		"-A INPUT -j DROP; reboot":                 "a shell would",
		"-A INPUT -j $TARGET":                      "a shell would",
		`-A INPUT --comment "a`:                    "not closed",
		`-A INPUT --comment a\`:                    "backslash",
		"-j DROP":                                  "needs a command",
		"-L FORWARD":                               "the inspector lists",
		"-t natt -A INPUT -j DROP":                 "did you mean nat?",
		"-A INPUT -A FORWARD -j DROP":              "two commands",
		"-A":                                       "names its chain",
		"-N INPUT":                                 "by itself",
		"-N a-name-that-is-too-long-for-it-all":    "at most 28",
		"-P DOCKER DROP":                           "no policy",
		"-P INPUT REJECT":                          "ACCEPT or DROP",
		"-R INPUT -j DROP":                         "rule's number",
		"-D INPUT":                                 "rule's number or the rule itself",
		"-A INPUT -s web.example -j DROP":          "not an address",
		"-A INPUT -s 10.0.0.1,10.0.0.2 -j DROP":    "one rule for each",
		"-A INPUT -j " + strings.Repeat("x", 2000): "at most 1000",
		"-A INPUT --modprobe=/tmp/evil -j DROP":    "a program to run",
		"-A INPUT --modp /tmp/evil -j DROP":        "a program to run",
		"-A INPUT -M/tmp/evil -j DROP":             "a program to run",
		"-A INPUT -nvM /tmp/evil -j DROP":          "a program to run",
		`-A INPUT --comment "-M" -j DROP`:          "a program to run",
		"--mo=/tmp/evil -A INPUT":                  "a program to run",
		"-A -M -j DROP":                            "a program to run",
	} {
		_, err := ParseRule(text)
		var p *Problem
		if !errors.As(err, &p) || p.Code != CodeBadValue || !strings.Contains(p.Error(), says) {
			t.Errorf("%q: %v; want something with %q", text, err, says)
		}
	}
}

func TestChangeRules(t *testing.T) {
	start := []string{"-N DOCKER", "-A FORWARD -j DOCKER", "-A INPUT -j a", "-A FORWARD -j b", "-A DOCKER -j RETURN", "-A FORWARD -j c"}
	for name, c := range map[string]struct {
		commands []string
		want     []string
		problem  string
	}{
		"append":             {[]string{"-A  FORWARD -j d"}, append(start[:6:6], "-A  FORWARD -j d"), ""},
		"insert":             {[]string{"-I FORWARD -j d"}, []string{start[0], "-A FORWARD -j d", start[1], start[2], start[3], start[4], start[5]}, ""},
		"insert 3":           {[]string{"-I FORWARD 3 -j d"}, []string{start[0], start[1], start[2], start[3], start[4], "-A FORWARD -j d", start[5]}, ""},
		"insert last":        {[]string{"-I FORWARD 4 -j d"}, append(start[:6:6], "-A FORWARD -j d"), ""},
		"insert too far":     {[]string{"-I FORWARD 5 -j d"}, nil, "no place 5"},
		"replace":            {[]string{"-R FORWARD 2 -j d"}, []string{start[0], start[1], start[2], "-A FORWARD -j d", start[4], start[5]}, ""},
		"move":               {[]string{"-D FORWARD 3", "-I FORWARD 1 -j c"}, []string{start[0], start[5], start[1], start[2], start[3], start[4]}, ""},
		"delete":             {[]string{"-D FORWARD -j b"}, []string{start[0], start[1], start[2], start[4], start[5]}, ""},
		"delete what is not": {[]string{"-D FORWARD -j z"}, nil, "has no rule"},
		"policy":             {[]string{"-P FORWARD DROP", "-P FORWARD ACCEPT"}, append(start[:6:6], "-P FORWARD ACCEPT"), ""},
		"again":              {[]string{"-N DOCKER"}, nil, "already"},
		"no such chain":      {[]string{"-A DOCKR -j c"}, nil, "did you mean DOCKER?"},
		"of another table":   {[]string{"-t nat -A DOCKER -j c"}, nil, "has no chain"},
		"a chain with rules": {[]string{"-X DOCKER"}, nil, "has 1 rules"},
		"one that is led to": {[]string{"-F DOCKER", "-X DOCKER"}, nil, "leads to"},
		"a chain":            {[]string{"-F DOCKER", "-D FORWARD 1", "-X DOCKER"}, []string{start[2], start[3], start[5]}, ""},
		"flush":              {[]string{"-F"}, start[:1], ""},
	} {
		rules, err := ReadRules(start)
		for _, command := range c.commands {
			if err == nil {
				err = rules.Change(command, "")
			}
		}
		switch {
		case err != nil && (c.problem == "" || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%s: %v", name, err)
		case err == nil && c.problem != "":
			t.Errorf("%s: no problem, and %q", name, rules.Texts())
		case err == nil:
			if diff := cmp.Diff(c.want, rules.Texts()); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}

func TestEditOfRulesThatHaveChanged(t *testing.T) {
	lab := redAndBlue(t)
	edit := func(e Iptables) (err error) {
		e.Node = "h"
		after, err := lab.Edit([]Edit{{Iptables: &e}})
		if err == nil {
			lab = after
		}
		return err
	}
	if err := edit(Iptables{Commands: []string{"-A INPUT -j DROP", "-A INPUT -j ACCEPT"}}); err != nil {
		t.Fatal(err)
	}
	if err := edit(Iptables{Commands: []string{"-D INPUT 1"}, Was: "-A INPUT -j ACCEPT"}); !errors.Is(err, &Problem{Code: CodeGone}) {
		t.Errorf("deleting another rule than the one that was meant: %v", err)
	}
	if err := edit(Iptables{Commands: []string{"-D INPUT 1"}, Was: "-A INPUT -j  DROP"}); err != nil {
		t.Error(err)
	}
	if err := edit(Iptables{IPv6: true, Commands: []string{"-A INPUT -p icmpv6 -j ACCEPT"}}); err != nil {
		t.Error(err)
	}
	n := lab.Nodes["h"]
	if len(n.Iptables) != 1 || len(n.Ip6tables) != 1 {
		t.Errorf("%q %q", n.Iptables, n.Ip6tables)
	}
}

func TestRevertOfRules(t *testing.T) {
	for name, c := range map[string]struct{ was, became, now, want string }{
		"an insertion, others since":  {"a b", "a x b", "y a x b z", "y a b z"},
		"a deletion, others since":    {"a b c", "a c", "a y c z", "a b y c z"},
		"a deletion at the start":     {"a b", "b", "y b", "y a b"},
		"a deletion of all":           {"a b c", "", "y", "y a b c"},
		"one of two of the same":      {"a b a", "a b", "a b y", "a b a y"},
		"the first of two":            {"a b a", "b a", "b a y", "a b a y"},
		"a second of the same":        {"a b", "a b a", "a b a y", "a b y"},
		"a move":                      {"a b c", "c a b", "c a b y", "a b c y"},
		"a replacement":               {"a b c", "a x c", "a x c y", "a b c y"},
		"what somebody has made anew": {"a b", "a", "a y b", "a y b"},
		"what is gone already":        {"a", "a x", "a y", "a y"},
	} {
		rules := func(text string) []string {
			var list []string
			for _, word := range strings.Fields(text) {
				list = append(list, "-A INPUT -j "+word)
			}
			return list
		}
		if diff := cmp.Diff(rules(c.want), revertList(rules(c.now), rules(c.was), rules(c.became))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	policy := revertList([]string{"-P INPUT ACCEPT", "x"}, []string{"-P INPUT DROP"}, []string{})
	if diff := cmp.Diff([]string{"-P INPUT ACCEPT", "x"}, policy); diff != "" {
		t.Errorf("a policy that has been set since: %s", diff)
	}
}

func TestUndoOfAChainTakesWhatHangsOnIt(t *testing.T) {
	had := Node{Iptables: []string{"-N DOCKER", "-A FORWARD -j DOCKER", "-A DOCKER -j ACCEPT", "-A FORWARD -j DROP"}}
	n := Node{Iptables: slicesWithout(had.Iptables, "-N DOCKER")}
	if diff := cmp.Diff([]string{"-A FORWARD -j DROP"}, n.settleRules(had).Iptables); diff != "" {
		t.Error(diff)
	}
}

func slicesWithout(list []string, text string) []string {
	var kept []string
	for _, t := range list {
		if t != text {
			kept = append(kept, t)
		}
	}
	return kept
}

func FuzzParseRule(f *testing.F) {
	for _, seed := range []string{"-A INPUT -j DROP", `-t nat -A X -m comment --comment "a \" b" -j Y`, "-I FORWARD 3 ! -s 1.2.3.4", "-A INPUT '' -j \\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRule(text)
		if err != nil {
			return
		}
		again, err := ParseRule(r.String())
		if err != nil || !cmp.Equal(r, again) {
			t.Errorf("%q is written %q and read back as %+v, not %+v (%v)", text, r, again, r, err)
		}
	})
}
