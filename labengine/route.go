package labengine

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Route is an entry of a routing table, as ip-route(8) has it. What is empty or 0 is not said.
type Route struct {
	Text     string `json:"text"`               // "default via 192.168.15.5 dev veth-red", as ip-route(8) prints it
	Type     string `json:"type,omitempty"`     // "" is unicast; "blackhole", "unreachable", "prohibit", "throw"
	To       string `json:"to"`                 // CIDR notation, or "default"
	From     string `json:"from,omitempty"`     // the sources that it is for, CIDR notation; IPv6 only
	TOS      string `json:"tos,omitempty"`      // the type of service that it is for, "0x10"; IPv4 only
	Via      string `json:"via,omitempty"`      // the gateway's address; of IPv4 routes, it may be IPv6's
	Dev      string `json:"dev,omitempty"`      // the interface's name
	Hops     []Hop  `json:"hops,omitempty"`     // of a route with several ways, which then has no gateway and interface of its own
	Source   string `json:"source,omitempty"`   // the address that packets leave with, unless they have one
	Metric   uint32 `json:"metric,omitempty"`   // less is better; 0 is the kernel's own: 0 for IPv4, 1024 for IPv6
	Table    string `json:"table,omitempty"`    // a number or a name of ip-route(8); "" is main
	Protocol string `json:"protocol,omitempty"` // who made it, "static"; "" is boot, whoever types `ip route add`
	Scope    string `json:"scope,omitempty"`    // "link", "host", "site"; "" is what the rest implies
	Realm    string `json:"realm,omitempty"`    // "4", or "5/6" with that of sources first; IPv4 only
	Pref     string `json:"pref,omitempty"`     // of a router, "low" or "high", RFC 4191; IPv6 only
	Onlink   bool   `json:"onlink,omitempty"`   // the gateway is taken to be on the link
	Metrics  string `json:"metrics,omitempty"`  // "mtu 1400 advmss lock 1360"; see [ParseRouteMetrics]
	Kernel   bool   `json:"kernel,omitempty"`   // made by the kernel itself, proto kernel
	IPv6     bool   `json:"ipv6,omitempty"`
}

// Hop is one of the ways of a route that has several.
type Hop struct {
	Via    string `json:"via,omitempty"`
	Dev    string `json:"dev,omitempty"`
	Weight int    `json:"weight,omitempty"` // 2..256, its share of the flows; 0 is 1
	Realm  string `json:"realm,omitempty"`
	Onlink bool   `json:"onlink,omitempty"`
}

// Ways are a route's hops, or the one way that it has; none of a route that leads nowhere.
func (r Route) Ways() []Hop {
	switch {
	case len(r.Hops) > 0:
		return r.Hops
	case r.Type != "":
		return nil
	}
	return []Hop{{Via: r.Via, Dev: r.Dev, Realm: r.Realm, Onlink: r.Onlink}}
}

// String is the route as `ip route add` takes it.
func (r Route) String() string {
	var words []string
	add := func(said bool, w ...string) {
		if said {
			words = append(words, w...)
		}
	}
	via := func(gateway string) []string {
		if !r.IPv6 && strings.Contains(gateway, ":") {
			return []string{"via", "inet6", gateway}
		}
		return []string{"via", gateway}
	}
	realm := func(realms string) []string {
		if strings.Contains(realms, "/") {
			return []string{"realms", realms}
		}
		return []string{"realm", realms}
	}
	add(r.Type != "", r.Type)
	add(true, r.shortDestination())
	add(r.From != "", "from", shortPrefix(r.From))
	add(r.TOS != "", "tos", r.TOS)
	add(r.Via != "", via(r.Via)...)
	add(r.Dev != "", "dev", r.Dev)
	add(r.Kernel, "proto", "kernel")
	add(r.Protocol != "", "proto", r.Protocol)
	add(r.Scope != "", "scope", r.Scope)
	add(r.Source != "", "src", r.Source)
	add(r.Metric != 0, "metric", strconv.FormatUint(uint64(r.Metric), 10))
	add(r.Table != "", "table", r.Table)
	add(r.Onlink, "onlink")
	add(r.Realm != "", realm(r.Realm)...)
	add(r.Metrics != "", r.Metrics)
	add(r.Pref != "", "pref", r.Pref)
	for _, h := range r.Hops {
		add(true, "nexthop")
		add(h.Via != "", via(h.Via)...)
		add(h.Realm != "", realm(h.Realm)...)
		add(h.Dev != "", "dev", h.Dev)
		add(h.Weight > 1, "weight", strconv.Itoa(h.Weight))
		add(h.Onlink, "onlink")
	}
	return strings.Join(words, " ")
}

// shortDestination is where it leads to, said so that ip-route(8) takes it for the right family.
func (r Route) shortDestination() string {
	gateway := r.Via
	if len(r.Hops) > 0 {
		gateway = r.Hops[0].Via
	}
	switch to := shortPrefix(r.To); {
	case !r.IPv6 && to == "default" && strings.Contains(gateway, ":"):
		return "0.0.0.0/0"
	case !r.IPv6 || to != "default" && to != "::/0":
		return to
	case gateway == "" && r.Source == "" && r.From == "":
		return "::/0" // else nothing says that it is IPv6
	}
	return "default"
}

// shortPrefix is a prefix as ip(8) prints it: an address alone where it is one host's.
func shortPrefix(prefix string) string {
	if strings.Contains(prefix, ":") {
		return strings.TrimSuffix(prefix, "/128")
	}
	return strings.TrimSuffix(prefix, "/32")
}

// Covers says whether the kernel's route is what the authored one asks for: what the author left open, such as the
// interface, may be anything.
func (r Route) Covers(kernel Route) bool {
	open := func(authored, is string) bool { return authored == "" || authored == is }
	sameWay := func(h, k Hop) bool {
		return h.Via == k.Via && open(h.Dev, k.Dev) && max(h.Weight, 1) == max(k.Weight, 1) && h.Realm == k.Realm && h.Onlink == k.Onlink
	}
	return r.Type == kernel.Type && r.destination() == kernel.destination() && r.IPv6 == kernel.IPv6 && r.From == kernel.From &&
		r.TOS == kernel.TOS && slices.EqualFunc(r.Ways(), kernel.Ways(), sameWay) && open(r.Source, kernel.Source) &&
		r.Metric == kernel.Metric && r.Table == kernel.Table && open(r.Protocol, kernel.Protocol) && r.Scope == kernel.Scope &&
		r.Pref == kernel.Pref && r.Metrics == kernel.Metrics && (r.Type == "" || r.Realm == kernel.Realm)
}

func (r Route) destination() string {
	if r.To == "::/0" {
		return "default"
	}
	return r.To
}

// RoutesSeen says what a document has for the routes that the kernel has: those authored before that still hold keep their
// text and their order, others follow as ip-route(8) prints them. What the kernel makes itself is left out.
func RoutesSeen(authored []string, kernel []Route) []string {
	taken := make([]bool, len(kernel))
	var seen []string
	for _, text := range authored {
		r, err := ParseRoute(text)
		if err != nil {
			continue
		}
		for i, k := range kernel {
			if !taken[i] && !k.Kernel && r.Covers(k) {
				taken[i] = true
				seen = append(seen, text)
				break
			}
		}
	}
	for i, k := range kernel {
		if !taken[i] && !k.Kernel {
			seen = append(seen, k.String())
		}
	}
	return seen
}

// RenameInRoutes is routes after an interface has got another name: the kernel knows it by its index.
func RenameInRoutes(routes []string, from, to string) []string {
	renamed := slices.Clone(routes)
	for i, text := range routes {
		if r, err := ParseRoute(text); err == nil && r.Rename(from, to) {
			renamed[i] = r.String()
		}
	}
	return renamed
}

// Rename has a route follow an interface's new name, and says whether it leads out of that interface.
func (r *Route) Rename(from, to string) (renamed bool) {
	if r.Dev == from {
		r.Dev, renamed = to, true
	}
	r.Hops = slices.Clone(r.Hops)
	for i, h := range r.Hops {
		if h.Dev == from {
			r.Hops[i].Dev, renamed = to, true
		}
	}
	return renamed
}

// HopLink is the interface, of those of a node, that one way of a route leads out of: the one that it names, or the one with
// its gateway's network. ok is false where there is none.
func HopLink(h Hop, interfaces []Interface) (i Interface, ok bool) {
	gateway, err := netip.ParseAddr(h.Via)
	for _, i := range interfaces {
		if h.Dev != "" {
			if i.Name == h.Dev {
				return i, true
			}
			continue
		}
		for _, a := range i.Addresses {
			if p, perr := netip.ParsePrefix(a); err == nil && perr == nil && p.Contains(gateway) {
				return i, true
			}
		}
	}
	return Interface{}, false
}

// dropRoutes takes from the nodes whose interfaces have changed the routes that the kernel drops with a link that goes, is
// taken down or loses an address. A route with several ways outlives one that is down, and not one whose link goes.
func (l *draft) dropRoutes(before Lab) {
	changed := map[ID]bool{}
	for id := range compare(before.Interfaces, l.Interfaces, sameInterface) {
		changed[before.Interfaces[id].Node], changed[l.Interfaces[id].Node] = true, true
	}
	for id := range changed {
		n, ok := l.Nodes[id]
		if !ok || len(n.Routes) == 0 {
			continue
		}
		had, has := before.InterfacesOf(id), l.InterfacesOf(id)
		gone := func(text string) bool {
			r, err := ParseRoute(text)
			if err != nil || r.Type != "" {
				return false
			}
			up, worked, lost := false, false, false
			for _, way := range r.Ways() {
				was, had := HopLink(way, had)
				is, has := HopLink(way, has)
				up, worked = up || has && is.Up, worked || had && was.Up
				lost = lost || had && !has
			}
			return worked && (lost || !up) // else it never worked: whoever wrote it knows why
		}
		if left := dropped(n.Routes, gone); len(left) < len(n.Routes) {
			n.Routes = left
			l.setNode(n)
		}
	}
}

// dropLostRoutes takes from nodes the routes that they do not have now and of whose interfaces one is not there or none
// is up: what such a route needs has been changed since, and the kernel would refuse it.
func (l *Lab) dropLostRoutes(now Lab) {
	for id, n := range l.Nodes {
		lost := func(text string) bool {
			r, err := ParseRoute(text)
			if err != nil || r.Type != "" || slices.Contains(now.Nodes[id].Routes, text) {
				return err != nil
			}
			up := false
			for _, way := range r.Ways() {
				i, ok := HopLink(way, l.InterfacesOf(id))
				if !ok {
					return true
				}
				up = up || i.Up
			}
			return !up
		}
		if slices.Equal(n.Routes, now.Nodes[id].Routes) {
			continue
		}
		if left := dropped(n.Routes, lost); len(left) < len(n.Routes) {
			n.Routes = left
			l.Nodes[id] = n
		}
	}
}
