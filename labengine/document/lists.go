package document

import (
	"vethlab/labengine"
)

// textList is a list of a node in another program's words: its key in the file, and what it is in the lab.
type textList struct {
	key, what, example string
	of                 func(n *labengine.Node) *[]string
	canonical          func(text string) (string, error)
}

// textLists are the lists of a node besides its routes, in the order in which they are written.
var textLists = []textList{
	{
		"neighbours", "a permanent neighbour", "192.168.15.2 lladdr 02:00:00:00:00:02 dev eth0",
		func(n *labengine.Node) *[]string { return &n.Neighbours },
		func(text string) (string, error) {
			p, err := labengine.ParseNeighbour(text)
			return p.Text, err
		},
	},
	{
		"rules", "a rule of the routing policy", "from 192.168.15.0/24 table 100",
		func(n *labengine.Node) *[]string { return &n.IPRules },
		func(text string) (string, error) {
			r, err := labengine.ParseIPRule(text)
			return r.Text, err
		},
	},
	{
		"iptables", "a rule of iptables", "-t nat -A POSTROUTING -o eth0 -j MASQUERADE",
		func(n *labengine.Node) *[]string { return &n.Iptables }, canonicalRule,
	},
	{
		"ip6tables", "a rule of ip6tables", "-A INPUT -p tcp --dport 22 -j ACCEPT",
		func(n *labengine.Node) *[]string { return &n.Ip6tables }, canonicalRule,
	},
	{
		"services", "a service", "http 80",
		func(n *labengine.Node) *[]string { return &n.Services },
		func(text string) (string, error) {
			s, err := labengine.ParseService(text)
			return s.String(), err
		},
	},
}

func canonicalRule(text string) (string, error) {
	list, err := labengine.ReadRules([]string{text})
	if err == nil && len(list.Texts()) == 1 {
		return list.Texts()[0], nil
	}
	if _, err := labengine.ParseRule(text); err != nil { // a chain that another rule makes is no matter here
		return "", err
	}
	return text, nil
}

// maxTexts bounds such a list.
const maxTexts = 20_000

// lists reads what a node states besides its routes. Rules stand as iptables(8) takes them, one after the other: what they
// come to is the list.
func (r *reader) lists(n node) error {
	made := r.lab.Nodes[n.id]
	for _, l := range textLists {
		items, err := r.items(n.fields[l.key], "`"+l.key+"` is a list, as in ["+l.example+"]", "")
		if err != nil {
			return err
		}
		if len(items) > maxTexts {
			return r.problem(items[maxTexts].at, "", "a node has up to %d `%s` here", maxTexts, l.key)
		}
		lines := map[string]int{}
		var list []string
		for _, item := range items {
			text, err := r.text(item, l.what)
			if err != nil {
				return err
			}
			if text, err = l.canonical(text); err != nil {
				return r.because(item.at, err)
			}
			if line, twice := lines[text]; twice && l.key != "iptables" && l.key != "ip6tables" {
				p := r.problem(item.at, "remove one of them", "%s has `%s` already, from line %d", n.name, text, line)
				p.Err = &labengine.Problem{Code: labengine.CodeExists}
				return p
			}
			lines[text] = item.at.line
			list = append(list, text)
		}
		if l.key == "iptables" || l.key == "ip6tables" {
			if list, err = r.ruleList(items, list); err != nil {
				return err
			}
		}
		*l.of(&made) = list
	}
	r.lab.Nodes[n.id] = made
	return nil
}

// ruleList is what rules come to. Where one of them cannot be, the error is at that one.
func (r *reader) ruleList(items []value, texts []string) ([]string, error) {
	var list labengine.RuleList
	for i, text := range texts {
		if err := list.Change(text, ""); err != nil {
			return nil, r.because(items[i].at, err)
		}
	}
	if all := list.Texts(); len(all) > 0 {
		return all, nil
	}
	return nil, nil
}

// savedLists is a node with those entries of its lists that can be said.
func savedLists(n labengine.Node) labengine.Node {
	for _, l := range textLists {
		list := l.of(&n)
		var kept []string
		var rules labengine.RuleList
		for _, text := range *list {
			said, err := l.canonical(text)
			if err == nil && (l.key == "iptables" || l.key == "ip6tables") {
				err = rules.Change(said, "")
			}
			if err == nil {
				kept = append(kept, said)
			}
		}
		*list = kept
	}
	return n
}

// isWords says that a list's entry is plain text.
func isWords(text string) bool { return isRoute(text) }
