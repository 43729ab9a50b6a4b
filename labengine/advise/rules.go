package advise

import (
	"net/netip"
	"slices"
	"strings"

	"vethlab/labengine"
	"vethlab/labengine/topology"
)

// rules are a node's firewall rules of one family, as far as they can be understood. What is not understood may match, and
// may do anything: who asks gets "perhaps".
type rules struct {
	chains   map[chainOf][]rule
	policies map[chainOf]string
	unknown  bool // there are rules that the document has no word for
}

type rulesOf struct {
	node *topology.Node
	ipv6 bool
}

type chainOf struct{ table, chain string }

// rule is a rule of a chain.
type rule struct {
	text        string
	parsed      labengine.Rule
	number      int // in its chain, from 1
	in, out     name
	source      subnet
	destination subnet
	states      name // of conntrack, with commas between
	other       bool // there are matches that are not understood here
	target      string
	isGoto      bool
	to          string // of DNAT: an address, a port, both, or several
}

// name is a match on an interface or on states; its text is empty where there is none.
type name struct {
	text string
	not  bool
}

// subnet is a match on an address; it is not valid where there is no such match.
type subnet struct {
	netip.Prefix
	not bool
}

// packet is one that is passed on, as far as it is known: the rest could be anything.
type packet struct {
	in, out     string       // interfaces; "" in front of or behind the hooks that have none
	source      netip.Prefix // whence it could come; not valid is anywhere
	destination netip.Prefix
	state       string // "NEW" or "ESTABLISHED"
}

// answer is yes, no or perhaps.
type answer int

const (
	no answer = iota
	perhaps
	yes
)

func (a answer) and(b answer) answer { return min(a, b) }

func (a answer) unless(not bool) answer {
	if not {
		return yes - a
	}
	return a
}

// rulesIn reads a node's rules of a family, once.
func (a *adviser) rulesIn(node *topology.Node, ipv6 bool) *rules {
	key := rulesOf{node, ipv6}
	if r, ok := a.rules[key]; ok {
		return r
	}
	texts, firewall := node.Rules(ipv6), node.Firewall()
	if len(texts) == 0 && firewall == nil { // most nodes
		return noRules
	}
	r := readRules(texts)
	if firewall != nil {
		tables := firewall.IPv4
		if ipv6 {
			tables = firewall.IPv6
		}
		other := func(t labengine.FirewallTable) bool { return t.Other }
		r.unknown = r.unknown || firewall.Native != "" || slices.ContainsFunc(tables, other)
	}
	a.rules[key] = r
	return r
}

var noRules = &rules{}

func readRules(texts []string) *rules {
	r := &rules{chains: map[chainOf][]rule{}, policies: map[chainOf]string{}}
	for _, text := range texts {
		parsed, err := labengine.ParseRule(text)
		if err != nil {
			r.unknown = true
			continue
		}
		chain := chainOf{parsed.Table, parsed.Chain}
		switch parsed.Verb {
		case "-P":
			r.policies[chain] = parsed.Args[0]
		case "-A":
			added := readRule(parsed)
			added.text, added.number = text, len(r.chains[chain])+1
			r.chains[chain] = append(r.chains[chain], added)
		case "-N":
		default:
			r.unknown = true
		}
	}
	return r
}

// longNames are the options that are understood, by the short ones.
var longNames = map[string]string{
	"--source": "-s", "--src": "-s", "--destination": "-d", "--dst": "-d", "--in-interface": "-i", "--out-interface": "-o",
	"--protocol": "-p", "--proto": "-p", "--match": "-m", "--jump": "-j", "--goto": "-g", "--state": "--ctstate",
}

// harmless are options that match nothing: those of targets and comments. Their values are words of their own.
var harmless = []string{
	"--comment", "--to-source", "--to-ports", "--to", "--reject-with", "--log-prefix", "--log-level",
	"--set-mark", "--set-xmark", "--set-mss",
}

// harmlessAlone are such options without a value.
var harmlessAlone = []string{"--random", "--random-fully", "--persistent", "--clamp-mss-to-pmtu"}

func readRule(parsed labengine.Rule) rule {
	r := rule{parsed: parsed}
	words := parsed.Args
	not := false
	for at := 0; at < len(words); at++ {
		option, value, attached := splitOption(words[at])
		next := func() string {
			if at++; !attached && at < len(words) {
				return words[at]
			}
			at--
			return value
		}
		switch {
		case option == "!":
			not = true
			continue
		case option == "-i":
			r.in = name{next(), not}
		case option == "-o":
			r.out = name{next(), not}
		case option == "-s":
			r.source = r.readSubnet(next(), not)
		case option == "-d":
			r.destination = r.readSubnet(next(), not)
		case option == "-p":
			if protocol := next(); protocol != "all" && protocol != "0" {
				r.other = true
			}
		case option == "--ctstate":
			r.states = name{next(), not}
		case option == "-j" || option == "-g":
			r.target, r.isGoto = next(), option == "-g"
		case option == "--to-destination":
			r.to = next()
		case option == "-m" || slices.Contains(harmless, option):
			next()
		case slices.Contains(harmlessAlone, option):
		default:
			r.other = true
		}
		not = false
	}
	return r
}

// splitOption is an option by its short name, and its value where that is part of the same word.
func splitOption(word string) (option, value string, attached bool) {
	switch {
	case strings.HasPrefix(word, "--"):
		option, value, attached = strings.Cut(word, "=")
	case len(word) > 2 && word[0] == '-' && strings.IndexByte("sdiopmjg", word[1]) >= 0:
		option, value, attached = word[:2], word[2:], true
	default:
		option = word
	}
	if short, ok := longNames[option]; ok {
		option = short
	}
	return option, value, attached
}

// readSubnet reads an address or a subnet. What is written in another way could be any.
func (r *rule) readSubnet(text string, not bool) subnet {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil {
			r.other = true
			return subnet{}
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	return subnet{p.Masked(), not}
}

func (n name) matches(iface string) answer {
	switch prefix, wild := strings.CutSuffix(n.text, "+"); {
	case n.text == "":
		return yes
	case wild && strings.HasPrefix(iface, prefix) || iface == n.text:
		return yes.unless(n.not)
	}
	return no.unless(n.not)
}

func (n name) matchesState(state string) answer {
	if n.text == "" {
		return yes
	}
	states := strings.Split(n.text, ",")
	switch {
	case slices.Contains(states, state):
		return yes.unless(n.not)
	case slices.Contains(states, "SNAT") || slices.Contains(states, "DNAT"):
		return perhaps
	}
	return no.unless(n.not)
}

func (m subnet) matches(p netip.Prefix) answer {
	switch {
	case !m.IsValid():
		return yes
	case !p.IsValid():
		return perhaps
	case m.Bits() <= p.Bits() && m.Contains(p.Addr()):
		return yes.unless(m.not)
	case m.Overlaps(p):
		return perhaps
	}
	return no.unless(m.not)
}

func (r *rule) matches(p packet) answer {
	found := r.in.matches(p.in).and(r.out.matches(p.out)).and(r.states.matchesState(p.state)).
		and(r.source.matches(p.source)).and(r.destination.matches(p.destination))
	if r.other {
		found = found.and(perhaps)
	}
	return found
}

// fate is what may happen to a packet in a chain: any of these.
type fate struct {
	accepted, dropped bool // by a rule
	policy            bool // by the policy, which is to drop
	translated        bool
	returned          bool // it comes to the end of the chain
}

func (f *fate) or(g fate) {
	f.accepted = f.accepted || g.accepted
	f.dropped = f.dropped || g.dropped
	f.policy = f.policy || g.policy
	f.translated = f.translated || g.translated
	f.returned = f.returned || g.returned
}

// maxDepth is how deep chains lead to chains: deeper, anything may happen. The kernel's own limit is 16 for nftables.
const maxDepth = 16

// fateIn is what may happen to a packet in a built-in chain.
func (r *rules) fateIn(chain chainOf, p packet) fate {
	f := r.walk(chain, p, 0)
	if f.returned {
		f.returned = false
		f.policy = r.policies[chain] == "DROP"
		f.accepted = f.accepted || !f.policy
	}
	return f
}

func (r *rules) walk(chain chainOf, p packet, depth int) (f fate) {
	if depth > maxDepth {
		return fate{accepted: true, dropped: true, translated: true, returned: true}
	}
	for i := range r.chains[chain] {
		rule := &r.chains[chain][i]
		matched := rule.matches(p)
		if matched == no {
			continue
		}
		ends := true
		switch rule.target {
		case "ACCEPT":
			f.accepted = true
		case "DROP", "REJECT", "TARPIT":
			f.dropped = true
		case "RETURN":
			f.returned = true
		case "MASQUERADE", "SNAT", "DNAT", "REDIRECT", "NETMAP":
			f.accepted, f.translated = true, true
		case "QUEUE", "NFQUEUE": // to a program
			f.accepted, f.dropped = true, true
		default:
			to := chainOf{chain.table, rule.target}
			if _, there := r.chains[to]; !there { // of a target that lets the packet go on: LOG, MARK, TCPMSS
				ends = false
				break
			}
			inner := r.walk(to, p, depth+1)
			ends = !inner.returned || rule.isGoto
			inner.returned = inner.returned && rule.isGoto
			f.or(inner)
		}
		if ends && matched == yes {
			return f
		}
	}
	f.returned = true
	return f
}

var (
	forward     = chainOf{"filter", "FORWARD"}
	postrouting = chainOf{"nat", "POSTROUTING"}
)

// mayTranslate says whether a node could give what it passes on another source address, or should if its rules matched: then
// the answers come to it.
func (a *adviser) mayTranslate(node *topology.Node, p packet) bool {
	r := a.rulesIn(node, p.source.Addr().Is6())
	p.in = ""
	return r.unknown || a.misses[node] || len(r.chains[postrouting]) > 0 && r.fateIn(postrouting, p).translated
}

// mayPass says whether a node's FORWARD chain could let a packet pass.
func (a *adviser) mayPass(node *topology.Node, p packet) bool {
	r := a.rulesIn(node, p.source.Addr().Is6())
	return r.unknown || r.fateIn(forward, p).accepted
}
