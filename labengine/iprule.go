package labengine

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// IPRule is an entry of the routing policy database, as ip-rule(8) has it. What is empty is not said.
type IPRule struct {
	Text           string // "from 192.168.15.0/24 table 100 priority 1000"
	Absent         bool   // one of [OwnIPRules] that has been taken away: "del table main priority 32766"
	Not            bool
	From           string // CIDR notation, with bits behind the prefix if they were said; "" is all
	To             string
	Iif            string // the interface that the packet came by; "lo" for the node's own
	Oif            string // the interface that a socket is bound to
	Mark           string // "0x1", or with a mask "0x1/0xff"
	TOS            string // "0x10"
	UIDs           string // of who sends, "1000-1999"
	IPProto        string // "tcp", or a number
	SPort          string // "80", or "8000-8999"
	DPort          string
	Action         string // "" is to look the table up; "goto", "nop", "blackhole", "unreachable", "prohibit"
	Table          string // a number; "" is main
	Goto           string // the priority where it goes on
	SuppressPrefix string // what the table says is passed over if its prefix is no longer than so many bits
	SuppressGroup  string // or its interface is of this group
	Realm          string // "4", or "5/6" with that of sources first; IPv4 only
	Protocol       string // who made it, "static"; "" is unspec, whoever types `ip rule add`
	Priority       string // 0..4294967295, less is first; "" is the kernel's choice
	IPv6           bool
}

// OwnIPRules are the rules that each namespace has from the beginning, ip-rule(8).
func OwnIPRules(ipv6 bool) []IPRule {
	own := []IPRule{{Table: "255", Priority: "0"}, {Priority: "32766"}, {Table: "253", Priority: "32767"}}
	if ipv6 { // has no table default
		own = own[:2]
	}
	for i := range own {
		own[i].IPv6 = ipv6
	}
	return own
}

// IsOwn says whether the rule is like one of [OwnIPRules], whether the kernel made it or somebody who brought it back.
func (r IPRule) IsOwn() bool {
	if r.Protocol == "kernel" {
		r.Protocol = ""
	}
	r.Text, r.Absent = "", false
	return slices.Contains(OwnIPRules(r.IPv6), r)
}

// IPProtocols are the protocols above IP that are called by name; the others by their number.
var IPProtocols = map[uint8]string{1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 51: "ah", 58: "ipv6-icmp", 132: "sctp"}

// ruleTables are the tables with a name that is in iproute2 itself.
var ruleTables = map[string]string{"main": "", "254": "", "local": "255", "default": "253"}

const exampleIPRule = "write it as from 192.168.15.0/24 table 100, or fwmark 0x1 table 100 priority 1000"

// ipRuleWords are the words that a value follows; otherIPRuleWords those that ip-rule(8) takes for the same.
var (
	ipRuleWords = []string{
		"from", "to", "iif", "oif", "fwmark", "tos", "uidrange", "ipproto", "sport", "dport", "table", "goto", "suppress_prefixlength",
		"suppress_ifgroup", "realms", "protocol", "priority",
	}
	otherIPRuleWords = map[string]string{
		"lookup": "table", "pref": "priority", "preference": "priority", "order": "priority", "dsfield": "tos", "dev": "iif",
		"realm": "realms", "proto": "protocol", "sup_pl": "suppress_prefixlength", "sup_group": "suppress_ifgroup",
	}
	ipRuleActions = []string{"nop", "blackhole", "unreachable", "prohibit"}
)

func badIPRule(hint, format string, args ...any) error {
	return Problemf(CodeBadValue, format, args...).About("", "rule").WithHint(hint)
}

// ParseIPRule reads a rule as `ip rule add` takes it, or refuses what the kernel would; behind `del`, one of [OwnIPRules] as
// `ip rule` takes it. The problem is a "bad-value".
func ParseIPRule(text string) (IPRule, error) {
	var p ipRuleParser
	words := strings.Fields(text)
	if len(words) > 0 && (words[0] == "del" || words[0] == "delete") {
		p.Absent, words = true, words[1:]
	}
	if err := p.parse(words); err != nil {
		return IPRule{}, err
	}
	if err := p.finish(); err != nil {
		return IPRule{}, err
	}
	p.Text = p.String()
	return p.IPRule, nil
}

type ipRuleParser struct {
	IPRule
	familyKnown bool // some prefix has told
	looksUp     bool // a table is said
}

func (p *ipRuleParser) parse(words []string) error {
	seen := map[string]bool{}
	for at := 0; at < len(words); at++ {
		word := words[at]
		if other, ok := otherIPRuleWords[word]; ok {
			word = other
		}
		if seen[word] {
			return badIPRule("remove one of them", "`%s` is there twice", word)
		}
		seen[word] = true
		if word == "not" {
			p.Not = true
			continue
		}
		if slices.Contains(ipRuleActions, word) {
			if p.Action != "" {
				return badIPRule("leave one of them out", "a rule does one thing, not %s and %s", p.Action, word)
			}
			p.Action = word
			continue
		}
		if !slices.Contains(ipRuleWords, word) {
			hint := exampleIPRule
			if near := Nearest(word, ipRuleWords); near != "" {
				hint = "did you mean " + near + "?"
			}
			return badIPRule(hint, "a rule has no word %s here", shown(word))
		}
		if at++; at == len(words) {
			return badIPRule("", "`%s` is followed by its value", word)
		}
		if err := p.set(word, words[at]); err != nil {
			return err
		}
	}
	return nil
}

func (p *ipRuleParser) set(word, value string) (err error) {
	switch word {
	case "from":
		p.From, err = p.prefix(value)
	case "to":
		p.To, err = p.prefix(value)
	case "iif":
		p.Iif, err = value, checkRuleInterface(value)
	case "oif":
		p.Oif, err = value, checkRuleInterface(value)
	case "fwmark":
		p.Mark, err = canonicalMark(value)
	case "tos":
		n, bad := strconv.ParseUint(strings.TrimPrefix(value, "0x"), 16, 8) // hexadecimal either way, as ip-rule(8) takes it
		if bad != nil || n&3 != 0 {                                         // INET_ECN_MASK
			return badIPRule("", "a tos is a hexadecimal number from 0 to 0xfc whose last two bits are 0; this is %s", shown(value))
		}
		if n != 0 {
			p.TOS = fmt.Sprintf("0x%x", n)
		}
	case "uidrange":
		first, last, ok := numberRange(value, 0, maxNumber-1)
		if !ok || !strings.Contains(value, "-") {
			return badIPRule("", "a uidrange is two numbers of users with a dash between, as 1000-1999; this is %s", shown(value))
		}
		p.UIDs = fmt.Sprintf("%d-%d", first, last)
	case "ipproto":
		p.IPProto, err = numberOrName(value, IPProtocols)
		if err != nil || p.IPProto == "0" {
			return badIPRule("", "an ipproto is tcp, udp, icmp, ipv6-icmp, sctp, or a number from 1 to 255; this is %s", shown(value))
		}
	case "sport":
		p.SPort, err = canonicalPorts(value)
	case "dport":
		p.DPort, err = canonicalPorts(value)
	case "table":
		p.looksUp = true
		p.Table, err = canonicalRuleTable(value)
	case "goto":
		if p.Action != "" {
			return badIPRule("leave one of them out", "a rule does one thing, not %s and goto", p.Action)
		}
		p.Action = "goto"
		p.Goto, err = canonicalNumber(word, value, 1, maxNumber)
	case "suppress_prefixlength":
		p.SuppressPrefix, err = canonicalNumber(word, value, 0, 1<<31-1)
	case "suppress_ifgroup":
		if value == "default" {
			value = "0"
		}
		p.SuppressGroup, err = canonicalNumber(word, value, 0, 1<<31-1)
	case "realms":
		if p.Realm, err = canonicalRealm(value); err != nil {
			return badIPRule("", "a realm is a number from 0 to 65535, or two with a slash between; this is %s", shown(value))
		}
	case "protocol":
		if p.Protocol, err = numberOrName(value, RouteProtocols); err != nil {
			return badIPRule("", "a protocol is a name such as static, or a number from 0 to 255; this is %s", shown(value))
		}
		if p.Protocol == "unspec" {
			p.Protocol = ""
		}
	case "priority":
		p.Priority, err = canonicalNumber(word, value, 0, maxNumber)
	}
	return err
}

// finish checks the whole.
func (p *ipRuleParser) finish() error {
	switch {
	case !p.looksUp && p.Action == "":
		return badIPRule(exampleIPRule, "a rule says which table to look up (`table`)")
	case p.looksUp && p.Action != "":
		return badIPRule("leave one of them out", "a rule that is %s looks no table up", p.Action)
	case p.IPv6 && p.Realm != "":
		return badIPRule("", "IPv6 rules have no realms")
	case p.Absent && !p.IsOwn():
		return badIPRule("write it as del table main priority 32766", "behind `del` is one of the rules that each namespace has from the beginning")
	}
	if tos, _ := strconv.ParseUint(p.TOS, 0, 8); tos > 0x1c && !p.IPv6 { // IPTOS_TOS_MASK, fib4_rule_configure in net/ipv4/fib_rules.c
		return badIPRule("", "of IPv4, the kernel looks at three bits of the tos: 0x4 to 0x1c; this is %s", p.TOS)
	}
	if p.Goto != "" && p.Priority != "" {
		from, _ := strconv.ParseUint(p.Priority, 10, 32)
		if to, _ := strconv.ParseUint(p.Goto, 10, 32); to <= from {
			return badIPRule("", "`goto` leads forwards, to a priority above %d; this is %s", from, p.Goto)
		}
	}
	return nil
}

// prefix is CIDR notation; "" for all. A route's destination has no bits behind its prefix; of a rule, the kernel keeps them, and
// knows it by them.
func (p *ipRuleParser) prefix(text string) (string, error) {
	if text == "all" || text == "any" || text == "default" {
		return "", nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return "", badIPRule(exampleIPRule, "%s is no network", shown(text))
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	six := prefix.Addr().Is6()
	if p.familyKnown && p.IPv6 != six {
		return "", badIPRule("", "%s is of another family than the rest of the rule", shown(text))
	}
	p.IPv6, p.familyKnown = six, true
	if prefix.Bits() == 0 {
		return "", nil
	}
	return prefix.String(), nil
}

// checkRuleInterface refuses what ip-rule(8) refuses: a rule may wait for an interface that no link can be called.
func checkRuleInterface(name string) error {
	if name == "all" || name == "default" || CheckInterfaceName(strings.NewReplacer(":", "_", "%", "_").Replace(name)) == nil {
		return nil
	}
	return CheckInterfaceName(name)
}

const maxNumber = 1<<32 - 1

func canonicalNumber(word, text string, least, most uint64) (string, error) {
	n, err := strconv.ParseUint(text, 0, 32)
	if err != nil || n < least || n > most {
		return "", badIPRule("", "`%s` is followed by a number from %d to %d; this is %s", word, least, most, shown(text))
	}
	return strconv.FormatUint(n, 10), nil
}

// numberRange reads "7", or "7-9".
func numberRange(text string, least, most uint64) (first, last uint64, ok bool) {
	from, to, both := strings.Cut(text, "-")
	if !both {
		to = from
	}
	first, err := strconv.ParseUint(from, 10, 32)
	if err != nil {
		return 0, 0, false
	}
	last, err = strconv.ParseUint(to, 10, 32)
	return first, last, err == nil && least <= first && first <= last && last <= most
}

// canonicalPorts is "80", or "8000-8999". The last port is beyond what fib_rule_port_range_valid in net/fib_rules.h takes.
func canonicalPorts(text string) (string, error) {
	first, last, ok := numberRange(text, 1, 65534)
	switch {
	case !ok:
		return "", badIPRule("", "a port is a number from 1 to 65534, or two with a dash between; this is %s", shown(text))
	case first == last:
		return strconv.FormatUint(first, 10), nil
	}
	return fmt.Sprintf("%d-%d", first, last), nil
}

// canonicalRuleTable is a table's number, as text; "" for main.
func canonicalRuleTable(text string) (string, error) {
	if table, named := ruleTables[text]; named {
		return table, nil
	}
	n, err := strconv.ParseUint(text, 0, 32)
	if err != nil || n == 0 {
		return "", badIPRule("", "a table is main, local, default, or a number from 1 to 4294967295; this is %s", shown(text))
	}
	if table, named := ruleTables[strconv.FormatUint(n, 10)]; named {
		return table, nil
	}
	return strconv.FormatUint(n, 10), nil
}

// canonicalMark is "" for a mark that says nothing: the kernel compares no bits of 0 unless a mask says which.
func canonicalMark(text string) (string, error) {
	number, mask, masked := strings.Cut(text, "/")
	n, err := strconv.ParseUint(number, 0, 32)
	m := uint64(maxNumber)
	if masked && err == nil {
		m, err = strconv.ParseUint(mask, 0, 32)
	}
	if err != nil {
		return "", badIPRule("", "a mark is a number of 32 bits, with a mask behind a slash if need be; this is %s", shown(text))
	}
	if n == 0 && !masked {
		m = 0
	}
	return IPRuleMark(uint32(n), uint32(m)), nil
}

// IPRuleMark is a mark and the bits of it that are compared, as a rule says them.
func IPRuleMark(mark, mask uint32) string {
	switch {
	case mark == 0 && mask == 0:
		return ""
	case mark != 0 && mask == maxNumber:
		return fmt.Sprintf("0x%x", mark)
	}
	return fmt.Sprintf("0x%x/0x%x", mark, mask)
}

// String is the rule as `ip rule add` takes it, or with `del` as `ip rule` does.
func (r IPRule) String() string {
	var words []string
	say := func(word, value string) {
		if value != "" {
			words = append(words, word, value)
		}
	}
	if r.Absent {
		words = append(words, "del")
	}
	if r.Not {
		words = append(words, "not")
	}
	if r.IPv6 && !strings.Contains(r.From+r.To, ":") { // else nothing would tell the family
		say("from", "::/0")
	}
	say("from", shortPrefix(r.From))
	say("to", shortPrefix(r.To))
	say("iif", r.Iif)
	say("oif", r.Oif)
	say("fwmark", r.Mark)
	say("tos", r.TOS)
	say("uidrange", r.UIDs)
	say("ipproto", r.IPProto)
	say("sport", r.SPort)
	say("dport", r.DPort)
	switch {
	case r.Action == "goto":
		say("goto", r.Goto)
	case r.Action != "":
		words = append(words, r.Action)
	default:
		table := r.Table
		for name, number := range ruleTables {
			if name != "254" && number == table {
				table = name
			}
		}
		say("table", table)
	}
	say("suppress_prefixlength", r.SuppressPrefix)
	say("suppress_ifgroup", r.SuppressGroup)
	say("realms", r.Realm)
	say("protocol", r.Protocol)
	say("priority", r.Priority)
	return strings.Join(words, " ")
}

// Command is the rule behind `ip rule`, or `ip -6 rule`, to add it to what is there or to take it away.
func (r IPRule) Command(added bool) string {
	verb := "add "
	if added == r.Absent {
		verb = "del "
	}
	r.Absent = false
	return verb + r.String()
}

// Covers says whether the kernel's rule is what the authored one asks for; a priority that is not said may be any.
func (r IPRule) Covers(kernel IPRule) bool {
	if r.Priority == "" {
		kernel.Priority = ""
	}
	r.Text, kernel.Text = "", ""
	return r == kernel
}

// IPRulesSeen says what a document has for the rules that the kernel has, as [RoutesSeen] does for routes. A rule whose priority
// is said is found first: another one would take it for the one that it may be.
func IPRulesSeen(authored []string, kernel []IPRule) []string {
	taken, found := make([]bool, len(kernel)), make([]bool, len(authored))
	for _, said := range []bool{true, false} {
		for i, text := range authored {
			r, err := ParseIPRule(text)
			if err != nil || (r.Priority != "") != said {
				continue
			}
			for k, rule := range kernel {
				if !taken[k] && r.Covers(rule) {
					taken[k], found[i] = true, true
					break
				}
			}
		}
	}
	var seen []string
	for i, text := range authored {
		if found[i] {
			seen = append(seen, text)
		}
	}
	for k, rule := range kernel {
		if !taken[k] {
			seen = append(seen, rule.String())
		}
	}
	return seen
}
