package labengine

import (
	"slices"
	"strconv"
	"strings"
)

// IPRule is an entry of the routing policy database, as ip-rule(8) has it. What is empty or 0 is not said.
type IPRule struct {
	Text     string `json:"text"` // "from 192.168.15.0/24 table 100 priority 1000"
	Not      bool   `json:"not,omitempty"`
	From     string `json:"from,omitempty"` // CIDR notation; "" is all
	To       string `json:"to,omitempty"`
	Iif      string `json:"iif,omitempty"`    // the interface that the packet came by; "lo" for the node's own
	Oif      string `json:"oif,omitempty"`    // the interface that a socket is bound to
	Mark     string `json:"mark,omitempty"`   // "0x1", or with a mask "0x1/0xff"
	Table    string `json:"table,omitempty"`  // a number; "" is main
	Action   string `json:"action,omitempty"` // "" is to look the table up; "blackhole", "unreachable", "prohibit"
	Priority int    `json:"priority,omitempty"`
	IPv6     bool   `json:"ipv6,omitempty"`
}

const exampleIPRule = "write it as from 192.168.15.0/24 table 100, or fwmark 0x1 table 100 priority 1000"

// ParseIPRule reads a rule as `ip rule add` takes it. The problem is a "bad-value".
func ParseIPRule(text string) (IPRule, error) {
	bad := func(hint, format string, args ...any) (IPRule, error) {
		return IPRule{}, Problemf(CodeBadValue, format, args...).About("", "rule").WithHint(hint)
	}
	var r IPRule
	family := ""
	seen := map[string]bool{}
	words := strings.Fields(text)
	for at := 0; at < len(words); at++ {
		word := words[at]
		switch word {
		case "lookup":
			word = "table"
		case "pref", "preference", "order":
			word = "priority"
		}
		if seen[word] {
			return bad("remove one of them", "`%s` is there twice", word)
		}
		seen[word] = true
		switch word {
		case "not":
			r.Not = true
			continue
		case "blackhole", "unreachable", "prohibit":
			r.Action = word
			continue
		case "from", "to", "iif", "oif", "fwmark", "table", "priority":
		default:
			hint := exampleIPRule
			if near := Nearest(word, []string{"from", "to", "iif", "oif", "fwmark", "table", "priority"}); near != "" {
				hint = "did you mean " + near + "?"
			}
			return bad(hint, "a rule has no word %s here", shown(word))
		}
		if at++; at == len(words) {
			return bad("", "`%s` is followed by its value", word)
		}
		value := words[at]
		switch word {
		case "from", "to":
			if value == "all" {
				continue
			}
			prefix, err := canonicalDestination(value)
			if err != nil {
				return IPRule{}, about(err, "")
			}
			if prefix == "default" || prefix == "::/0" {
				continue
			}
			if family != "" && strings.Contains(family, ":") != strings.Contains(prefix, ":") {
				return bad("", "%s is of another family than the rest of the rule", shown(value))
			}
			family = prefix
			if word == "from" {
				r.From = prefix
			} else {
				r.To = prefix
			}
		case "iif", "oif":
			if err := CheckInterfaceName(value); err != nil {
				return IPRule{}, err
			}
			if word == "iif" {
				r.Iif = value
			} else {
				r.Oif = value
			}
		case "fwmark":
			mark, ok := canonicalMark(value)
			if !ok {
				return bad("", "a mark is a number of 32 bits, with a mask behind a slash if need be; this is %s", shown(value))
			}
			r.Mark = mark
		case "table":
			table, err := canonicalTable(value)
			if err != nil {
				return IPRule{}, err
			}
			r.Table = table
		case "priority":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 32765 {
				return bad("", "a priority is a number from 1 to 32765, between the kernel's own rules; this is %s", shown(value))
			}
			r.Priority = n
		}
	}
	if !seen["table"] && r.Action == "" {
		return bad(exampleIPRule, "a rule says which table to look up (`table`)")
	}
	if seen["table"] && r.Action != "" {
		return bad("leave one of them out", "a rule that is %s looks no table up", r.Action)
	}
	r.IPv6 = strings.Contains(family, ":")
	r.Text = r.String()
	return r, nil
}

func canonicalMark(text string) (string, bool) {
	number, mask, masked := strings.Cut(text, "/")
	n, err := strconv.ParseUint(number, 0, 32)
	if err != nil {
		return "", false
	}
	mark := "0x" + strconv.FormatUint(n, 16)
	if masked {
		m, err := strconv.ParseUint(mask, 0, 32)
		if err != nil {
			return "", false
		}
		if m != 0xffffffff {
			mark += "/0x" + strconv.FormatUint(m, 16)
		}
	}
	return mark, true
}

// String is the rule as `ip rule add` takes it.
func (r IPRule) String() string {
	var words []string
	add := func(said bool, w ...string) {
		if said {
			words = append(words, w...)
		}
	}
	add(r.Not, "not")
	add(r.From != "", "from", shortPrefix(r.From))
	add(r.To != "", "to", shortPrefix(r.To))
	add(r.Iif != "", "iif", r.Iif)
	add(r.Oif != "", "oif", r.Oif)
	add(r.Mark != "", "fwmark", r.Mark)
	switch {
	case r.Action != "":
		add(true, r.Action)
	case r.Table == "":
		add(true, "table", "main")
	default:
		add(true, "table", r.Table)
	}
	add(r.Priority != 0, "priority", strconv.Itoa(r.Priority))
	return strings.Join(words, " ")
}

// Covers says whether the kernel's rule is what the authored one asks for; a priority that is not said may be any.
func (r IPRule) Covers(kernel IPRule) bool {
	if r.Priority == 0 {
		kernel.Priority = 0
	}
	r.Text, kernel.Text = "", ""
	return r == kernel
}

// IPRulesSeen says what a document has for the rules that the kernel has, as [RoutesSeen] does for routes.
func IPRulesSeen(authored []string, kernel []IPRule) []string {
	taken := make([]bool, len(kernel))
	var seen []string
	for _, text := range authored {
		r, err := ParseIPRule(text)
		if err != nil {
			continue
		}
		if i := slices.IndexFunc(kernel, r.Covers); i >= 0 && !taken[i] {
			taken[i] = true
			seen = append(seen, text)
		}
	}
	for i, k := range kernel {
		if !taken[i] {
			seen = append(seen, k.String())
		}
	}
	return seen
}
