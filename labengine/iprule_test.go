package labengine

import (
	"slices"
	"testing"
)

func TestIPRules(t *testing.T) {
	for text, want := range map[string]string{
		"from 192.168.15.0/24 lookup 100 pref 7":     "from 192.168.15.0/24 table 100 priority 7",
		"from all to 10.0.0.1/32 table main":         "to 10.0.0.1 table main",
		"not fwmark 1/0xffffffff table 5":            "not fwmark 0x1 table 5",
		"from 2001:db8::/32 prohibit":                "from 2001:db8::/32 prohibit",
		"ipproto 6 dport 80-80 lookup 100":           "ipproto tcp dport 80 table 100",
		"sport 1024-65534 ipproto 200 table 254":     "ipproto 200 sport 1024-65534 table main",
		"table main sup_pl 0 pref 0":                 "table main suppress_prefixlength 0 priority 0",
		"table 255 sup_group default pref 0x10":      "table local suppress_ifgroup 0 priority 16",
		"tos 10 uidrange 0-99 table 253":             "tos 0x10 uidrange 0-99 table default",
		"dsfield 0x0 order 4294967295 goto 7":        "",
		"dsfield 0x0 order 6 goto 7":                 "goto 7 priority 6",
		"nop dev a%b oif all proto static":           "iif a%b oif all nop protocol static",
		"protocol 0 realm 0/4 unreachable":           "unreachable realms 4",
		"fwmark 0 table 5":                           "table 5",
		"fwmark 0/0xffffffff table 5":                "fwmark 0x0/0xffffffff table 5",
		"fwmark 5/0 table 5":                         "fwmark 0x5/0x0 table 5",
		"from 10.1.2.3/8 table 5":                    "from 10.1.2.3/8 table 5",
		"from 0.0.0.0/0 table 5":                     "table 5",
		"from ::/0 table 5":                          "from ::/0 table 5",
		"to ::/0 tos fc table 5":                     "from ::/0 tos 0xfc table 5",
		"to ::ffff:1.2.3.4 table 5":                  "to ::ffff:1.2.3.4 table 5",
		"del pref 32766 lookup main":                 "del table main priority 32766",
		"delete table local from ::/0 pref 0":        "del from ::/0 table local priority 0",
		"del table main priority 32767":              "",
		"del from ::/0 table default priority 32767": "",
		"del from 10.0.0.0/8 table 5":                "",
		"del":                                        "",
		"from 10.0.0.0/8":                            "",
		"table 5 blackhole":                          "",
		"goto 5 nop":                                 "",
		"nop goto 5":                                 "",
		"nop blackhole":                              "",
		"form 10.0.0.0/8 table 5":                    "",
		"table 0":                                    "",
		"table 5 priority 4294967296":                "",
		"table 5 lookup 5":                           "",
		"goto 5 priority 5":                          "",
		"tos 0x20 table 5":                           "", // of IPv4
		"tos 3 table 5":                              "",
		"dport 65535 table 5":                        "",
		"dport 80- table 5":                          "",
		"sport 9-8 table 5":                          "",
		"uidrange 5 table 5":                         "",
		"ipproto 0 table 5":                          "",
		"iif a/b table 5":                            "",
		"from ::/0 realms 4 table 5":                 "",
		"from 0.0.0.0/0 to ::1 table 5":              "",
		"from 10.0.0.0/8 to 2001:db8::/32 table 5":   "",
		"table": "", "": "",
	} {
		r, err := ParseIPRule(text)
		if (err == nil) != (want != "") || r.Text != want {
			t.Errorf("%s: %q, %v", text, r.Text, err)
		}
		if again, err := ParseIPRule(want); want != "" && (err != nil || again != r) {
			t.Errorf("%s: %+v is read again as %+v, %v", text, r, again, err)
		}
	}
}

func TestIPRuleCommands(t *testing.T) {
	for text, want := range map[string][2]string{
		"table 5 pref 0":         {"add table 5 priority 0", "del table 5 priority 0"},
		"del table local pref 0": {"del table local priority 0", "add table local priority 0"},
	} {
		r, err := ParseIPRule(text)
		if got := [2]string{r.Command(true), r.Command(false)}; err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

func TestIPRulesSeen(t *testing.T) {
	rules := func(texts ...string) (list []IPRule) {
		for _, text := range texts {
			r, err := ParseIPRule(text)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, r)
		}
		return list
	}
	for _, c := range []struct{ authored, kernel, want []string }{
		{[]string{"lookup 5"}, []string{"table 5 priority 32765"}, []string{"lookup 5"}},
		{[]string{"lookup 5"}, []string{"table 5 priority 1", "table 5 priority 2"}, []string{"lookup 5", "table 5 priority 2"}},
		{[]string{"lookup 5", "lookup 5 pref 1"}, []string{"table 5 priority 1", "table 5 priority 2"}, []string{"lookup 5", "lookup 5 pref 1"}},
		{[]string{"lookup 5"}, []string{"table 5 dport 80 priority 1"}, []string{"dport 80 table 5 priority 1"}},
		{[]string{"lookup 5"}, []string{"from ::/0 table 5 priority 1"}, []string{"from ::/0 table 5 priority 1"}},
		{[]string{"table 5 pref 0"}, []string{"table 5 priority 40000"}, []string{"table 5 priority 40000"}},
	} {
		if got := IPRulesSeen(c.authored, rules(c.kernel...)); !slices.Equal(got, c.want) {
			t.Errorf("%q, %q: %q", c.authored, c.kernel, got)
		}
	}
}

// FuzzParseIPRule: what is read is written so that it is read as the same.
func FuzzParseIPRule(f *testing.F) {
	f.Add("not from 10.0.0.1/8 iif lo oif eth0 fwmark 1/3 tos 4 uidrange 0-9 ipproto tcp sport 1-2 dport 80 table 5 realms 1/2 protocol static pref 0")
	f.Add("from ::/0 goto 9 suppress_prefixlength 0 suppress_ifgroup 3 priority 0")
	f.Add("del table main pref 32766")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseIPRule(text)
		if err != nil {
			return
		}
		if again, err := ParseIPRule(r.Text); err != nil || again != r {
			t.Errorf("%q is %+v, and %q is %+v, %v", text, r, r.Text, again, err)
		}
	})
}
