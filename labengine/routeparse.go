package labengine

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// RouteTypes are the types of route besides unicast that the document has.
var RouteTypes = []string{"blackhole", "unreachable", "prohibit", "throw"}

// RouteProtocols are the names of who makes routes, RTPROT_* in uapi/linux/rtnetlink.h and iproute2's rt_protos.
var RouteProtocols = map[uint8]string{
	0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 8: "gated", 9: "ra", 10: "mrt", 11: "zebra", 12: "bird",
	13: "dnrouted", 14: "xorp", 15: "ntk", 16: "dhcp", 18: "keepalived", 42: "babel", 99: "openr", 186: "bgp", 187: "isis",
	188: "ospf", 189: "rip", 192: "eigrp",
}

// RouteScopes are the names of how far off destinations are, RT_SCOPE_*.
var RouteScopes = map[uint8]string{0: "global", 200: "site", 253: "link", 254: "host"}

const exampleRoute = "write it as default via 192.168.15.5, or 10.0.0.0/8 via 192.168.15.5 dev eth0 metric 100"

// routeWords are the words of a route that may be meant by one that is none; otherWords those that mean the same as another.
var (
	routeWords = []string{"via", "dev", "src", "metric", "table", "scope", "proto", "tos", "realm", "from", "pref", "onlink", "nexthop"}
	otherWords = []string{"protocol", "preference", "priority", "dsfield", "realms"}
	hopWords   = []string{"via", "dev", "weight", "onlink", "realm", "realms"}
)

func badRoute(hint, format string, args ...any) error {
	return Problemf(CodeBadValue, format, args...).About("", "route").WithHint(hint)
}

// ParseRoute reads a route as `ip route add` takes it, or refuses what the kernel would. The problem is a "bad-value".
func ParseRoute(text string) (Route, error) {
	p := routeParser{words: strings.Fields(text)}
	if len(p.words) > 0 && p.words[0] == "unicast" {
		p.words = p.words[1:]
	} else if len(p.words) > 0 && slices.Contains(RouteTypes, p.words[0]) {
		p.Type, p.words = p.words[0], p.words[1:]
	}
	if len(p.words) == 0 {
		return Route{}, badRoute(exampleRoute, "a route says where it leads to")
	}
	to, err := canonicalDestination(p.words[0])
	if err != nil {
		return Route{}, err
	}
	p.To, p.IPv6, p.familyKnown = to, strings.Contains(to, ":"), p.words[0] != "default"
	p.words = p.words[1:]
	if err := p.parse(); err != nil {
		return Route{}, err
	}
	if err := p.finish(); err != nil {
		return Route{}, err
	}
	p.Text = p.String()
	return p.Route, nil
}

// routeParser reads a route's words from the left.
type routeParser struct {
	Route
	words       []string // that are left
	familyKnown bool     // some address has told
	metrics     []RouteMetric
}

func (p *routeParser) parse() error {
	seen := map[string]bool{}
	for len(p.words) > 0 {
		word := p.words[0]
		metric, isMetric := metricNamed(word)
		if !isMetric && !slices.Contains(routeWords, word) && !slices.Contains(otherWords, word) {
			hint := exampleRoute
			if near := Nearest(word, slices.Concat(routeWords, metricNames())); near != "" {
				hint = "did you mean " + near + "?"
			}
			return badRoute(hint, "a route has no word %s here", shown(word))
		}
		if word == "nexthop" {
			return p.hops()
		}
		if seen[word] {
			return badRoute("remove one of them", "`%s` is there twice", word)
		}
		seen[word] = true
		if p.words = p.words[1:]; word == "onlink" {
			p.Onlink = true
			continue
		}
		if isMetric {
			m, used, err := metric.parse(p.words)
			if err != nil {
				return err
			}
			p.metrics, p.words = append(p.metrics, m), p.words[used:]
			continue
		}
		value, err := p.value(word)
		if err != nil {
			return err
		}
		if err := p.set(word, value); err != nil {
			return err
		}
	}
	return nil
}

// value takes the word that follows another one.
func (p *routeParser) value(word string) (string, error) {
	if len(p.words) == 0 {
		return "", badRoute("", "`%s` is followed by its value", word)
	}
	value := p.words[0]
	p.words = p.words[1:]
	return value, nil
}

func (p *routeParser) set(word, value string) (err error) {
	switch word {
	case "via":
		p.Via, err = p.gateway(value)
	case "src":
		p.Source, err = p.address(value, false)
	case "from":
		p.From, err = canonicalDestination(value)
		if err == nil && !strings.Contains(p.From, ":") {
			return badRoute("use a rule of `ip rule` for it", "only IPv6 routes say which sources they are for; this is from %s", shown(value))
		}
		if err == nil && p.familyKnown && !p.IPv6 {
			return badRoute("", "%s is of another family than the route", shown(value))
		}
		p.IPv6, p.familyKnown = true, true
	case "dev":
		p.Dev, err = value, CheckInterfaceName(value)
	case "metric", "preference", "priority":
		n, bad := strconv.ParseUint(value, 10, 32)
		if bad != nil {
			return badRoute("", "a metric is a number from 0 to 4294967295; this is %s", shown(value))
		}
		p.Metric = uint32(n)
	case "table":
		p.Table, err = canonicalTable(value)
	case "tos", "dsfield":
		n, bad := strconv.ParseUint(strings.TrimPrefix(value, "0x"), base(value), 8)
		if bad != nil || n&3 != 0 { // INET_ECN_MASK
			return badRoute("", "a tos is a number from 0 to 0xfc whose last two bits are 0; this is %s", shown(value))
		}
		if n != 0 {
			p.TOS = "0x" + strconv.FormatUint(n, 16)
		}
	case "realm", "realms":
		p.Realm, err = canonicalRealm(value)
	case "pref":
		if !slices.Contains([]string{"low", "medium", "high"}, value) {
			return badRoute("", "a pref is low, medium or high; this is %s", shown(value))
		}
		p.Pref = value
	case "scope":
		if p.Scope, err = numberOrName(value, RouteScopes); err != nil {
			return badRoute("", "a scope is link, global, site or host; this is %s", shown(value))
		}
	case "proto", "protocol":
		if p.Protocol, err = numberOrName(value, RouteProtocols); err != nil {
			return badRoute("", "a proto is a name such as static, or a number from 0 to 255; this is %s", shown(value))
		}
		if p.Protocol == "kernel" || p.Protocol == "ra" {
			return badRoute("leave it out", "routes of proto %s are made by the kernel itself", p.Protocol)
		}
	}
	return err
}

func base(number string) int {
	if strings.HasPrefix(number, "0x") {
		return 16
	}
	return 10
}

// numberOrName is the name of a number that is said by either; a number without a name stays one.
func numberOrName(text string, names map[uint8]string) (string, error) {
	for _, name := range names {
		if name == text {
			return name, nil
		}
	}
	n, err := strconv.ParseUint(text, 10, 8)
	if name, named := names[uint8(n)]; err == nil && named {
		return name, nil
	}
	return strconv.FormatUint(n, 10), err
}

// canonicalRealm is "4" or "5/6"; "" for 0.
func canonicalRealm(text string) (string, error) {
	from, to, both := strings.Cut(text, "/")
	if !both {
		from, to = "0", from
	}
	f, err := strconv.ParseUint(from, 10, 16)
	t, terr := strconv.ParseUint(to, 10, 16)
	if err != nil || terr != nil {
		return "", badRoute("", "a realm is a number from 0 to 65535, or two with a slash between; this is %s", shown(text))
	}
	switch {
	case f == 0 && t == 0:
		return "", nil
	case f == 0:
		return strconv.FormatUint(t, 10), nil
	}
	return strconv.FormatUint(f, 10) + "/" + strconv.FormatUint(t, 10), nil
}

// gateway reads what follows `via`: an address, or a family and an address of it.
func (p *routeParser) gateway(value string) (string, error) {
	family := ""
	if value == "inet" || value == "inet6" {
		family = value
		var err error
		if value, err = p.value("via"); err != nil {
			return "", err
		}
	}
	address, err := p.address(value, family != "")
	if err != nil {
		return "", err
	}
	six := strings.Contains(address, ":")
	if family != "" && six != (family == "inet6") {
		return "", badRoute("", "%s is no address of %s", shown(value), family)
	}
	if p.IPv6 && !six {
		return "", badRoute("", "an IPv6 route has no IPv4 gateway; this is %s", shown(value))
	}
	return address, nil
}

// address reads an address of the route's family, or of either.
func (p *routeParser) address(value string, either bool) (string, error) {
	a, err := netip.ParseAddr(value)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return "", badRoute("", "%s is not an address", shown(value))
	}
	if !p.familyKnown {
		p.IPv6, p.familyKnown = a.Is6(), true
	}
	if a.Is6() != p.IPv6 && !either {
		return "", badRoute("", "%s is of another family than the route", shown(value))
	}
	return a.String(), nil
}

// hops reads the ways that end a route which has several.
func (p *routeParser) hops() error {
	if p.Via != "" || p.Dev != "" || p.Onlink {
		return badRoute("say them behind each `nexthop`", "a route with `nexthop` has no gateway or interface of its own")
	}
	for len(p.words) > 0 {
		if p.words[0] != "nexthop" {
			return badRoute("", "behind `nexthop` are via, dev, weight, realm and onlink, and nothing but more of it; this is %s", shown(p.words[0]))
		}
		p.words = p.words[1:]
		h, err := p.hop()
		if err != nil {
			return err
		}
		p.Hops = append(p.Hops, h)
	}
	return nil
}

func (p *routeParser) hop() (h Hop, err error) {
	seen := map[string]bool{}
	for len(p.words) > 0 && slices.Contains(hopWords, p.words[0]) {
		word := p.words[0]
		if seen[word] {
			return h, badRoute("remove one of them", "`%s` is there twice", word)
		}
		seen[word] = true
		if p.words = p.words[1:]; word == "onlink" {
			h.Onlink = true
			continue
		}
		value, err := p.value(word)
		if err != nil {
			return h, err
		}
		switch word {
		case "via":
			h.Via, err = p.gateway(value)
		case "dev":
			h.Dev, err = value, CheckInterfaceName(value)
		case "weight":
			if h.Weight, err = strconv.Atoi(value); err != nil || h.Weight < 1 || h.Weight > 256 {
				return h, badRoute("", "a weight is a number from 1 to 256; this is %s", shown(value))
			}
			if h.Weight == 1 {
				h.Weight = 0
			}
		default:
			h.Realm, err = canonicalRealm(value)
		}
		if err != nil {
			return h, err
		}
	}
	if h.Via == "" && h.Dev == "" {
		return h, badRoute("write it as nexthop via 192.168.1.1 dev eth0 weight 2", "`nexthop` is followed by a gateway (`via`) or an interface (`dev`)")
	}
	if h.Via == "" && p.IPv6 {
		return h, badRoute("", "each `nexthop` of an IPv6 route has a gateway (`via`)")
	}
	return h, nil
}

// finish checks the whole, and writes in one way what can be said in several.
func (p *routeParser) finish() error {
	r := &p.Route
	leads := r.Via != "" || r.Dev != "" || len(r.Hops) > 0
	switch {
	case r.Type == "" && !leads:
		return badRoute(exampleRoute, "a route leads through a gateway (`via`) or out of an interface (`dev`)")
	case r.Type != "" && leads:
		return badRoute("leave `via` and `dev` out", "a %s route leads nowhere", r.Type)
	}
	implied := r.impliedScope()
	realms := r.Realm != ""
	for _, h := range r.Hops {
		realms = realms || h.Realm != ""
	}
	switch {
	case r.IPv6 && (r.TOS != "" || realms):
		return badRoute("", "IPv6 routes have no tos and no realm")
	case !r.IPv6 && r.Pref != "":
		return badRoute("use `metric`", "only IPv6 routes have a pref")
	case r.Scope == "host" && len(r.Hops) > 1:
		return badRoute("", "a route of scope host has one way only")
	}
	if len(r.Hops) == 1 { // the kernel makes no difference
		h := r.Hops[0]
		if r.Via, r.Dev, r.Onlink, r.Hops = h.Via, h.Dev, h.Onlink, nil; h.Realm != "" {
			r.Realm = h.Realm
		}
		if r.Scope == "" {
			r.Scope = implied
		}
	}
	if r.Scope == r.impliedScope() || r.IPv6 {
		r.Scope = ""
	}
	if r.IPv6 && r.Metric == 1024 {
		r.Metric = 0
	}
	if r.Protocol == "boot" {
		r.Protocol = ""
	}
	if r.Pref == "medium" {
		r.Pref = ""
	}
	r.Metrics = WriteRouteMetrics(p.metrics)
	return nil
}

// impliedScope is what ip-route(8) chooses: link for what is on the link, global otherwise.
func (r Route) impliedScope() string {
	if r.Via == "" && r.Type == "" && len(r.Hops) == 0 {
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
