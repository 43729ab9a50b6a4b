package labengine

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Route is an entry of a routing table, as ip-route(8) has it. What is empty or 0 is not said.
type Route struct {
	Text   string `json:"text"`             // "default via 192.168.15.5 dev veth-red", as ip-route(8) prints it
	Type   string `json:"type,omitempty"`   // "" is unicast; "blackhole", "unreachable", "prohibit", "throw"
	To     string `json:"to"`               // CIDR notation, or "default"
	Via    string `json:"via,omitempty"`    // the gateway's address
	Dev    string `json:"dev,omitempty"`    // the interface's name
	Source string `json:"source,omitempty"` // the address that packets leave with, unless they have one
	Metric int    `json:"metric,omitempty"` // less is better; 0 is the kernel's own: 0 for IPv4, 1024 for IPv6
	Table  string `json:"table,omitempty"`  // a number or a name of ip-route(8); "" is main
	Scope  string `json:"scope,omitempty"`  // "link", "host"; "" is what the rest implies
	Onlink bool   `json:"onlink,omitempty"` // the gateway is taken to be on the link
	MTU    int    `json:"mtu,omitempty"`    // bytes
	Kernel bool   `json:"kernel,omitempty"` // made by the kernel itself, proto kernel
	IPv6   bool   `json:"ipv6,omitempty"`
}

// RouteTypes are the types of route besides unicast that the document has.
var RouteTypes = []string{"blackhole", "unreachable", "prohibit", "throw"}

const exampleRoute = "write it as default via 192.168.15.5, or 10.0.0.0/8 via 192.168.15.5 dev eth0 metric 100"

// ParseRoute reads a route as `ip route add` takes it, or refuses what the kernel would. The problem is a "bad-value".
func ParseRoute(text string) (Route, error) {
	bad := func(hint, format string, args ...any) (Route, error) {
		return Route{}, Problemf(CodeBadValue, format, args...).About("", "route").WithHint(hint)
	}
	var r Route
	words := strings.Fields(text)
	if len(words) > 0 && words[0] == "unicast" {
		words = words[1:]
	} else if len(words) > 0 && slices.Contains(RouteTypes, words[0]) {
		r.Type, words = words[0], words[1:]
	}
	if len(words) == 0 {
		return bad(exampleRoute, "a route says where it leads to")
	}
	to, err := canonicalDestination(words[0])
	if err != nil {
		return Route{}, err
	}
	r.To, r.IPv6 = to, strings.Contains(to, ":")
	family := words[0] // of the first address that tells
	if r.To == "default" {
		family = ""
	}
	sameFamily := func(address string) bool {
		if family == "" {
			family = address
		}
		r.IPv6 = strings.Contains(family, ":")
		return strings.Contains(address, ":") == r.IPv6
	}
	seen := map[string]bool{}
	for at := 1; at < len(words); at++ {
		word := words[at]
		if word == "dev" || word == "via" || word == "src" || word == "metric" || word == "table" || word == "scope" ||
			word == "mtu" || word == "proto" || word == "protocol" || word == "onlink" || word == "preference" || word == "priority" {
			if seen[word] {
				return bad("remove one of them", "`%s` is there twice", word)
			}
			seen[word] = true
		} else {
			hint := exampleRoute
			if near := Nearest(word, []string{"via", "dev", "src", "metric", "table", "scope", "mtu", "onlink"}); near != "" {
				hint = "did you mean " + near + "?"
			}
			return bad(hint, "a route has no word %s here", shown(word))
		}
		if word == "onlink" {
			r.Onlink = true
			continue
		}
		if at++; at == len(words) {
			return bad("", "`%s` is followed by its value", word)
		}
		value := words[at]
		switch word {
		case "via", "src":
			if value == "inet" || value == "inet6" {
				return bad("", "a gateway of the other family is not drawn yet")
			}
			address, err := netip.ParseAddr(value)
			if err != nil || address.Zone() != "" || address.Is4In6() {
				return bad("", "%s is not an address", shown(value))
			}
			if !sameFamily(address.String()) {
				return bad("", "%s is of another family than the route", shown(value))
			}
			if word == "via" {
				r.Via = address.String()
			} else {
				r.Source = address.String()
			}
		case "dev":
			if err := CheckInterfaceName(value); err != nil {
				return Route{}, err
			}
			r.Dev = value
		case "metric", "preference", "priority":
			if r.Metric, err = strconv.Atoi(value); err != nil || r.Metric < 0 || r.Metric > 1<<31-1 {
				return bad("", "a metric is a number; this is %s", shown(value))
			}
		case "mtu":
			if r.MTU, err = strconv.Atoi(value); err != nil || CheckMTU(r.MTU) != nil {
				return bad("", "an MTU is a number of bytes, 68..65535; this is %s", shown(value))
			}
		case "table":
			if r.Table, err = canonicalTable(value); err != nil {
				return Route{}, err
			}
		case "scope":
			if !slices.Contains([]string{"link", "global", "host"}, value) {
				return bad("", "a scope is link, global or host; this is %s", shown(value))
			}
			r.Scope = value
		case "proto", "protocol":
			if value == "kernel" {
				return bad("leave it out", "routes of proto kernel are made by the kernel itself")
			}
		}
	}
	switch {
	case r.Type == "" && r.Via == "" && r.Dev == "":
		return bad(exampleRoute, "a route leads through a gateway (`via`) or out of an interface (`dev`)")
	case r.Type != "" && (r.Via != "" || r.Dev != ""):
		return bad("leave `via` and `dev` out", "a %s route leads nowhere", r.Type)
	}
	if r.Scope == r.impliedScope() || r.IPv6 {
		r.Scope = ""
	}
	if r.IPv6 && r.Metric == 1024 {
		r.Metric = 0
	}
	r.Text = r.String()
	return r, nil
}

// impliedScope is what ip-route(8) chooses: link for what is on the link, global otherwise.
func (r Route) impliedScope() string {
	if r.Via == "" && r.Type == "" {
		return "link"
	}
	return "global"
}

// canonicalDestination is "default" or CIDR notation, without bits behind the prefix.
func canonicalDestination(text string) (string, error) {
	bad := func(hint, format string, args ...any) error {
		return Problemf(CodeBadValue, format, args...).About("", "route").WithHint(hint)
	}
	if text == "default" {
		return text, nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return "", bad(exampleRoute, "%s is no destination", shown(text))
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	if prefix.Addr().Is4In6() {
		return "", bad(exampleRoute, "%s is an IPv4 address in IPv6 clothes", shown(text))
	}
	if masked := prefix.Masked(); masked != prefix {
		return "", bad("the network is "+masked.String(), "%s has bits behind its prefix: the kernel refuses it", shown(text))
	}
	if prefix.Bits() == 0 {
		if prefix.Addr().Is6() {
			return "::/0", nil
		}
		return "default", nil
	}
	return prefix.String(), nil
}

// canonicalTable is a table's number, 1..4294967295, as text; "" for main.
func canonicalTable(text string) (string, error) {
	switch text {
	case "main", "254":
		return "", nil
	case "default":
		return "253", nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 || n == 255 {
		return "", Problemf(CodeBadValue, "a table is a number from 1 to 4294967295, 255 aside; this is %s", shown(text)).About("", "route")
	}
	return strconv.FormatUint(n, 10), nil
}

// String is the route as `ip route add` takes it.
func (r Route) String() string {
	var words []string
	add := func(said bool, w ...string) {
		if said {
			words = append(words, w...)
		}
	}
	to := shortPrefix(r.To)
	if r.IPv6 {
		if to == "::/0" {
			to = "default"
		}
		if to == "default" && r.Via == "" && r.Source == "" {
			to = "::/0" // else nothing says that it is IPv6
		}
	}
	add(r.Type != "", r.Type)
	add(true, to)
	add(r.Via != "", "via", r.Via)
	add(r.Dev != "", "dev", r.Dev)
	add(r.Kernel, "proto", "kernel")
	add(r.Scope != "", "scope", r.Scope)
	add(r.Source != "", "src", r.Source)
	add(r.Metric != 0, "metric", strconv.Itoa(r.Metric))
	add(r.Table != "", "table", r.Table)
	add(r.Onlink, "onlink")
	add(r.MTU != 0, "mtu", strconv.Itoa(r.MTU))
	return strings.Join(words, " ")
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
	return r.Type == kernel.Type && r.destination() == kernel.destination() && r.IPv6 == kernel.IPv6 && r.Via == kernel.Via &&
		open(r.Dev, kernel.Dev) && open(r.Source, kernel.Source) && r.Metric == kernel.Metric && r.Table == kernel.Table &&
		r.Scope == kernel.Scope && r.Onlink == kernel.Onlink && r.MTU == kernel.MTU
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
		if r, err := ParseRoute(text); err == nil && r.Dev == from {
			r.Dev = to
			renamed[i] = r.String()
		}
	}
	return renamed
}

// RouteLink is the interface, of those of a node, that a route leads out of: the one that it names, or the one with its
// gateway's network. ok is false where there is none.
func RouteLink(r Route, interfaces []Interface) (i Interface, ok bool) {
	gateway, err := netip.ParseAddr(r.Via)
	for _, i := range interfaces {
		if r.Dev != "" {
			if i.Name == r.Dev {
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
// taken down or loses an address.
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
			if i, ok := RouteLink(r, has); ok && i.Up {
				return false
			}
			i, was := RouteLink(r, had)
			return was && i.Up // it never worked otherwise: whoever wrote it knows why
		}
		if slices.ContainsFunc(n.Routes, gone) {
			if n.Routes = slices.DeleteFunc(slices.Clone(n.Routes), gone); len(n.Routes) == 0 {
				n.Routes = nil
			}
			l.Nodes[id] = n
		}
	}
}

// dropLostRoutes takes from nodes the routes that they do not have now and that lead out of no interface which is up: what
// such a route needs has been changed since, and the kernel would refuse it.
func (l *Lab) dropLostRoutes(now Lab) {
	for id, n := range l.Nodes {
		lost := func(text string) bool {
			r, err := ParseRoute(text)
			if err != nil || r.Type != "" || slices.Contains(now.Nodes[id].Routes, text) {
				return err != nil
			}
			i, ok := RouteLink(r, l.InterfacesOf(id))
			return !ok || !i.Up
		}
		if !slices.Equal(n.Routes, now.Nodes[id].Routes) && slices.ContainsFunc(n.Routes, lost) {
			if n.Routes = slices.DeleteFunc(slices.Clone(n.Routes), lost); len(n.Routes) == 0 {
				n.Routes = nil
			}
			l.Nodes[id] = n
		}
	}
}
