package plan

import (
	"slices"
	"strings"

	"vethlab/labengine"
)

// sysctls sets what differs: first what concerns a namespace or the links that it will have, later what concerns one link.
func (d *differ) sysctls(ofLinks bool) {
	for _, n := range d.nodes {
		var have []string
		if d.keepsNode(n.ID) {
			have = d.have.Nodes[n.ID].Sysctls
		}
		at := SpotOf(d.want, n.ID)
		for _, s := range n.Sysctls {
			if name, value, _ := strings.Cut(s, "="); isOfLink(name) == ofLinks && !slices.Contains(have, s) {
				d.do(SetSysctl{At: at, Name: name, Value: value})
			}
		}
		for _, s := range have {
			name, _, _ := strings.Cut(s, "=")
			fresh, known := labengine.FreshSysctl(name)
			again := slices.ContainsFunc(n.Sysctls, func(s string) bool { return strings.HasPrefix(s, name+"=") })
			if isOfLink(name) == ofLinks && known && !again {
				d.do(SetSysctl{At: at, Name: name, Value: fresh})
			}
		}
	}
}

// isOfLink says whether a setting is one link's: net.ipv4.conf.eth0.rp_filter.
func isOfLink(name string) bool {
	parts := strings.Split(labengine.SysctlPath(name), "/")
	return len(parts) > 3 && (parts[2] == "conf" || parts[2] == "neigh") && parts[3] != "all" && parts[3] != "default"
}

// routes adds and takes away routes, links and addresses being what they are to be. The kernel drops routes with their
// link, when it goes down, and with addresses: those are put back where they are still wanted.
func (d *differ) routes() {
	for _, n := range d.nodes {
		var have, lost []string
		if d.keepsNode(n.ID) {
			have, lost = d.routesLeft(n.ID)
		}
		at := SpotOf(d.want, n.ID)
		d.ipRules(at, n)
		for _, text := range have {
			if !slices.Contains(n.Routes, text) {
				d.do(DeleteRoute{At: at, Route: text})
			}
		}
		for _, text := range n.Routes {
			switch {
			case slices.Contains(have, text):
			case slices.Contains(lost, text):
				d.addRoute(n.ID, AddRoute{At: at, Route: text, Replace: true})
			default:
				d.addRoute(n.ID, AddRoute{At: at, Route: text})
			}
		}
	}
}

// addRoute adds a route. The kernel takes one with several ways only while all of their links are up, and keeps it when some
// are taken down: those are up for a moment, which costs them their IPv6 addresses.
func (d *differ) addRoute(node labengine.ID, s AddRoute) {
	var down []labengine.Interface
	up := false
	if r, err := labengine.ParseRoute(s.Route); err == nil && len(r.Hops) > 0 {
		links := d.want.InterfacesOf(node)
		for _, way := range r.Hops {
			i, ok := labengine.HopLink(way, links)
			up = up || ok && i.Up
			if ok && !i.Up && !slices.ContainsFunc(down, func(other labengine.Interface) bool { return other.ID == i.ID }) {
				down = append(down, i)
			}
		}
	}
	if !up {
		down = nil
	}
	for _, i := range down {
		d.do(SetLink{At: s.At, Interface: i.ID, Name: i.Name, Up: new(true)})
	}
	d.do(s)
	for _, i := range down {
		d.do(SetLink{At: s.At, Interface: i.ID, Name: i.Name, Up: new(false)})
		for _, a := range i.Addresses {
			if strings.Contains(a, ":") {
				d.do(AddAddress{At: s.At, Interface: i.ID, Dev: i.Name, Address: a})
			}
		}
	}
}

// ipRules takes rules of the routing policy away and adds others; they outlive links. Rules of one priority are asked in the
// order in which they were added: those behind one that comes or moves are added anew.
func (d *differ) ipRules(at Spot, n labengine.Node) {
	var have []string
	if d.keepsNode(n.ID) {
		have = d.have.Nodes[n.ID].IPRules
	}
	if len(have)+len(n.IPRules) == 0 {
		return
	}
	inOrder := map[ruleRank][]string{} // what is wanted of each rank, and not found yet
	for _, text := range n.IPRules {
		inOrder[rank(text)] = append(inOrder[rank(text)], text)
	}
	stays := map[string]bool{}
	for _, text := range have {
		of := rank(text)
		switch left := inOrder[of]; {
		case !slices.Contains(n.IPRules, text):
		case of.priority == "":
			stays[text] = true
		case len(left) > 0 && left[0] == text:
			stays[text], inOrder[of] = true, left[1:]
		}
	}
	for _, text := range have {
		if !stays[text] {
			d.do(DeleteIPRule{At: at, Rule: text})
		}
	}
	for _, text := range n.IPRules {
		if !stays[text] {
			d.do(AddIPRule{At: at, Rule: text})
		}
	}
}

// ruleRank is what rules have in common whose order means something.
type ruleRank struct {
	ipv6     bool
	priority string // "" is the kernel's choice, which is another one for each
}

func rank(text string) ruleRank {
	r, err := labengine.ParseIPRule(text)
	if err != nil || r.Absent {
		return ruleRank{}
	}
	return ruleRank{r.IPv6, r.Priority}
}

// neighbours writes permanent entries and takes others away, links being what they are to be. The kernel drops them with
// their link, when that goes down and when its MAC changes: those are put back where they are still wanted.
func (d *differ) neighbours() {
	for _, n := range d.nodes {
		var have []string
		if d.keepsNode(n.ID) {
			have = d.neighboursLeft(n.ID)
		}
		at := SpotOf(d.want, n.ID)
		for _, text := range have {
			if !slices.Contains(n.Neighbours, text) {
				d.do(DeleteNeighbour{At: at, Neighbour: text})
			}
		}
		for _, text := range n.Neighbours {
			if !slices.Contains(have, text) {
				d.do(AddNeighbour{At: at, Neighbour: text})
			}
		}
	}
}

// neighboursLeft are the entries that a node that stays still has once its links have changed, by their new names.
func (d *differ) neighboursLeft(node labengine.ID) []string {
	var left []string
	for _, text := range d.have.Nodes[node].Neighbours {
		p, err := labengine.ParseNeighbour(text)
		was, had := d.have.InterfaceNamed(node, p.Dev)
		is := d.want.Interfaces[was.ID]
		if err != nil || had && (!d.keepsInterface(was.ID) || !labengine.KeepsNeighbours(was, is)) {
			continue
		}
		if had {
			p.Dev = is.Name
		}
		left = append(left, p.String())
	}
	return left
}

// routesLeft are the routes that a node that stays still has once its links and addresses have changed, by their links' new
// names, and those that the kernel will have dropped, or may have.
func (d *differ) routesLeft(node labengine.ID) (left, lost []string) {
	routes := d.have.Nodes[node].Routes
	if len(routes) == 0 {
		return nil, nil
	}
	links := d.have.InterfacesOf(node)
	for _, text := range routes {
		r, err := labengine.ParseRoute(text)
		if err != nil {
			continue
		}
		dropped, stays := false, true // any of its ways; all of them, where they shall be
		for _, way := range r.Ways() {
			i, known := labengine.HopLink(way, links)
			is := d.want.Interfaces[i.ID]
			if known && is.Name != i.Name && way.Dev != "" && r.Rename(way.Dev, is.Name) {
				text = r.String()
			}
			dropped, stays = dropped || known && d.drops(i, is), stays && (!known || is.Up)
		}
		if dropped && (stays || len(r.Hops) == 0) { // of several ways, those that are down stay
			lost = append(lost, text)
		} else {
			left = append(left, text)
		}
	}
	return left, lost
}

// drops says whether the kernel may drop routes through a link for what happens to it.
func (d *differ) drops(was, is labengine.Interface) bool {
	if !d.keepsInterface(was.ID) || was.Node != is.Node || was.Up && !is.Up {
		return true
	}
	return slices.ContainsFunc(was.Addresses, func(a string) bool { return !slices.Contains(is.Addresses, a) })
}

// changedOptions are the options of a link that has others: those that differ, and the defaults of those that are no longer
// said.
func changedOptions(kind, was, is string) string {
	have, _ := labengine.ParseOptions(kind, was)
	want, _ := labengine.ParseOptions(kind, is)
	options, _ := labengine.LinkOptions(kind)
	var words []string
	for _, o := range options {
		value, said := want[o.Name]
		if !said {
			value = o.Default
		}
		had, hadSaid := have[o.Name]
		if !hadSaid {
			had = o.Default
		}
		if value != had {
			words = append(words, o.Name, value)
		}
	}
	return strings.Join(words, " ")
}
