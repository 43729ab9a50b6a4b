package labengine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Describe says in a few words what happens to a lab that becomes another: "Add namespace red", "Cable red to blue".
func Describe(before, after Lab) string {
	d := describer{before: before, after: after}
	patch := Compare(before, after)
	d.nodes(patch)
	d.cables(patch)
	d.interfaces(patch)
	if patch.Name != nil {
		d.say("Call the lab %s", *patch.Name)
	}
	if patch.Quiet != nil {
		d.say("Make new cables %s", map[bool]string{true: "quiet", false: "as the kernel makes them"}[*patch.Quiet])
	}
	if len(d.said) == 0 && len(patch.Places) > 0 {
		d.places(patch)
	}
	switch n := len(d.said); {
	case n == 0:
		return "Change nothing"
	case n <= 2:
		return strings.Join(d.said, ", ")
	default:
		return fmt.Sprintf("%s and %d more", d.said[0], n-1)
	}
}

type describer struct {
	before, after Lab
	said          []string
	covered       map[ID]bool // interfaces of which enough is said
}

func (d *describer) say(format string, args ...any) {
	d.said = append(d.said, fmt.Sprintf(format, args...))
}

func (d *describer) nodes(p Patch) {
	d.covered = map[ID]bool{}
	var added, deleted []Node
	for _, id := range sortedIDs(p.Nodes) {
		was, had := d.before.Nodes[id]
		is, has := d.after.Nodes[id]
		switch {
		case !had:
			added = append(added, is)
		case !has:
			deleted = append(deleted, was)
		case was.In != is.In:
			d.say("Move %s into %s", is.Name, d.after.Nodes[is.In].Name)
		case was.Name != is.Name:
			d.say("Rename %s to %s", was.Name, is.Name)
		}
		if had && has {
			d.list(was.Routes, is.Routes, "Route %s in "+is.Name, "Take the route %s from "+is.Name)
			d.ipRules(was, is)
			d.list(was.Neighbours, is.Neighbours, "Neighbour %s in "+is.Name, "Take the neighbour %s from "+is.Name)
			d.list(was.Sysctls, is.Sysctls, "Set %s in "+is.Name, "Take back %s in "+is.Name)
			d.rules(is.Name, "iptables ", was.Iptables, is.Iptables)
			d.rules(is.Name, "ip6tables ", was.Ip6tables, is.Ip6tables)
			d.services(was, is)
			if was.Command != is.Command {
				d.say("Start %s anew with %s", is.Name, cmp.Or(is.Command, "no command"))
			}
		}
		if !had || !has {
			for _, i := range append(d.before.InterfacesOf(id), d.after.InterfacesOf(id)...) {
				own := i.Kind == Loopback || i.ID == SwitchID(id) // it comes with its node
				d.covered[i.ID] = own || !has
			}
		}
	}
	byOrder := func(a, b Node) int { return a.Order - b.Order }
	slices.SortFunc(added, byOrder)
	slices.SortFunc(deleted, byOrder)
	for _, kind := range []Kind{Machine, LAN, Internet, Namespace, Container} {
		if names := namesOf(added, kind); len(names) > 0 {
			d.say("Add %s", kindAndNames(kind, names))
		}
	}
	var names []string
	for _, n := range deleted {
		if _, machineToo := p.Nodes[n.In]; n.In == "" || !machineToo || p.Nodes[n.In] != nil {
			names = append(names, n.Name)
		}
	}
	if len(names) > 0 {
		d.say("Delete %s", list(names))
	}
}

// list says what came to a list and what went. A setting that only has another value did not go.
func (d *describer) list(was, is []string, came, went string) {
	for _, text := range is {
		if !slices.Contains(was, text) {
			d.say(came, text)
		}
	}
	for _, text := range was {
		name, _, setting := strings.Cut(text, "=")
		again := setting && slices.ContainsFunc(is, func(s string) bool { return strings.HasPrefix(s, name+"=") })
		if !slices.Contains(is, text) && !again {
			d.say(went, text)
		}
	}
}

// ipRules says which rules came and went; one that each namespace has went when `del` came.
func (d *describer) ipRules(was, is Node) {
	split := func(list []string) (rules, absent []string) {
		for _, text := range list {
			if rule, ok := strings.CutPrefix(text, "del "); ok {
				absent = append(absent, rule)
			} else {
				rules = append(rules, text)
			}
		}
		return rules, absent
	}
	came, went := "Rule %s in "+is.Name, "Take the rule %s from "+is.Name
	wasRules, wasAbsent := split(was.IPRules)
	isRules, isAbsent := split(is.IPRules)
	d.list(wasRules, isRules, came, went)
	d.list(wasAbsent, isAbsent, went, came)
}

// rules says what came to a list of rules and what went.
func (d *describer) rules(node, program string, was, is []string) {
	if slices.Equal(was, is) {
		return
	}
	stays, stayed := make([]bool, len(is)), make([]bool, len(was))
	for _, p := range Align(was, is) {
		stayed[p[0]], stays[p[1]] = true, true
	}
	policies := map[tableChain]bool{} // of which enough is said
	said := func(text string, format, fresh string) {
		r, err := ParseRule(text)
		chain := tableChain{r.Table, r.Chain}
		switch {
		case err == nil && r.Verb == "-P" && !policies[chain]:
			policy := fresh
			if policy == "" {
				policy = r.Args[0]
			}
			d.say("Set the policy of %s in %s to %s", r.Chain, node, policy)
			policies[chain] = true
		case err != nil || r.Verb != "-P":
			d.say(format, program+text, node)
		}
	}
	for i, text := range is {
		if !stays[i] {
			said(text, "Add %s in %s", "")
		}
	}
	for i, text := range was {
		if !stayed[i] {
			said(text, "Take %s from %s", "ACCEPT")
		}
	}
}

func (d *describer) services(was, is Node) {
	for _, s := range is.Services {
		if !slices.Contains(was.Services, s) {
			d.say("Offer %s in %s", s, is.Name)
		}
	}
	for _, s := range was.Services {
		if !slices.Contains(is.Services, s) {
			d.say("Stop %s in %s", s, is.Name)
		}
	}
}

func (d *describer) cables(p Patch) {
	for _, id := range sortedIDs(p.Cables) {
		was, had := d.before.Cables[id]
		is, has := d.after.Cables[id]
		ends := is.Ends
		if !has {
			ends = was.Ends
		}
		silent := d.covered[ends[0]] || d.covered[ends[1]]
		d.covered[ends[0]], d.covered[ends[1]] = true, true
		switch {
		case silent:
		case !had:
			d.say("Cable %s to %s", d.nodeOf(d.after, ends[0]), d.nodeOf(d.after, ends[1]))
		case !has:
			d.say("Delete the cable from %s to %s", d.nodeOf(d.before, ends[0]), d.nodeOf(d.before, ends[1]))
		}
	}
}

// nodeOf is what a cable's end is plugged into, as people see it: a bridge rather than the namespace that it is in.
func (d *describer) nodeOf(lab Lab, end ID) string {
	i := lab.Interfaces[end]
	if bridge, ok := lab.Interfaces[i.Master]; ok && lab.Nodes[i.Node].Kind != LAN {
		return bridge.Name
	}
	return lab.Nodes[i.Node].Name
}

func (d *describer) interfaces(p Patch) {
	for _, id := range sortedIDs(p.Interfaces) {
		if d.covered[id] {
			continue
		}
		was, had := d.before.Interfaces[id]
		is, has := d.after.Interfaces[id]
		where := func(i Interface, lab Lab) string {
			return fmt.Sprintf("%s of %s", i.Name, lab.Nodes[i.Node].Name)
		}
		switch {
		case !had:
			d.say("Add %s %s", kindWords(is.Kind), where(is, d.after))
			continue
		case !has:
			d.say("Delete %s", where(was, d.before))
			continue
		case was.Node != is.Node:
			d.say("Plug %s into %s", where(was, d.before), d.after.Nodes[is.Node].Name)
			continue
		}
		if was.Name != is.Name {
			d.say("Rename %s to %s", where(was, d.before), is.Name)
		}
		for _, a := range is.Addresses {
			if !slices.Contains(was.Addresses, a) {
				d.say("Give %s %s", where(is, d.after), a)
			}
		}
		for _, a := range was.Addresses {
			if !slices.Contains(is.Addresses, a) {
				d.say("Take %s from %s", a, where(is, d.after))
			}
		}
		if was.Up != is.Up {
			d.say("Set %s %s", where(is, d.after), map[bool]string{true: "up", false: "down"}[is.Up])
		}
		if was.MTU != is.MTU {
			d.say("Set the MTU of %s to %d", where(is, d.after), is.MTU)
		}
		if was.Master != is.Master && is.Master != "" {
			d.say("Make %s a port of %s", where(is, d.after), d.after.Interfaces[is.Master].Name)
		} else if was.Master != is.Master {
			d.say("Take %s out of %s", where(is, d.after), d.before.Interfaces[was.Master].Name)
		}
		if was.Alias != is.Alias && is.Alias != "" {
			d.say("Call %s %q", where(is, d.after), is.Alias)
		} else if was.Alias != is.Alias {
			d.say("Take the alias from %s", where(is, d.after))
		}
		if was.VLANs != is.VLANs {
			d.say("Set %s of %s", cmp.Or(is.VLANs, "the bridge's own VLAN"), where(is, d.after))
		}
		if was.Port != is.Port && is.Port != "" {
			d.say("Set %s of %s", is.Port, where(is, d.after))
		} else if was.Port != is.Port && is.Master != "" {
			d.say("Let %s take all VLANs", where(is, d.after))
		}
		if was.Impair != is.Impair {
			d.say("%s", impairSentence(is.Impair, where(is, d.after)))
		}
		if was.Options != is.Options {
			d.say("Set %s of %s", cmp.Or(is.Options, "the defaults"), where(is, d.after))
		}
		if was.MAC != is.MAC {
			d.say("Set the MAC of %s to %s", where(is, d.after), is.MAC)
		}
	}
}

// kindWords is what people call a kind of interface.
func kindWords(kind string) string {
	if kind == OVS {
		return "OVS bridge"
	}
	return kind
}

func impairSentence(impair, where string) string {
	switch impair {
	case "":
		return "Let " + where + " send as it can"
	case "cut":
		return "Cut what " + where + " sends"
	}
	return "Give what " + where + " sends " + impair
}

func (d *describer) places(p Patch) {
	var names []string
	for _, id := range sortedIDs(p.Places) {
		if n, ok := d.after.Nodes[id]; ok {
			names = append(names, n.Name)
		}
	}
	d.say("Place %s", list(names))
}

func sortedIDs[V any](m map[ID]*V) []ID {
	ids := make([]ID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func namesOf(nodes []Node, kind Kind) []string {
	var names []string
	for _, n := range nodes {
		if n.Kind == kind {
			names = append(names, n.Name)
		}
	}
	return names
}

func plural(word string, count int) string {
	if count == 1 {
		return word
	}
	return word + "s"
}

// kindAndNames is "namespaces red and blue" or "LAN office"; one that is called as its kind is, "internet", is named once.
func kindAndNames(kind Kind, names []string) string {
	if len(names) == 1 && names[0] == string(kind) {
		return names[0]
	}
	word := string(kind)
	if kind == LAN {
		word = "LAN"
	}
	return plural(word, len(names)) + " " + list(names)
}

// list is "red", "red and blue" or "red, blue and 3 more".
func list(names []string) string {
	switch n := len(names); {
	case n == 0:
		return ""
	case n == 1:
		return names[0]
	case n == 2:
		return names[0] + " and " + names[1]
	case n == 3:
		return names[0] + ", " + names[1] + " and " + names[2]
	default:
		return fmt.Sprintf("%s, %s and %d more", names[0], names[1], n-2)
	}
}
