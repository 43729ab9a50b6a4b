package labengine

import "net/netip"

// PublicHost is somebody on the internet that a lab has: an address that answers ping, HTTP on port 80 and, of a resolver,
// DNS on port 53.
type PublicHost struct {
	Name      string // as DNS has it, without the final dot
	Addresses []netip.Addr
	Resolver  bool
}

// PublicHosts are all that the lab's internet has. The famous resolvers are at the addresses that people know by heart;
// the rest is at those that RFC 5737 and RFC 3849 keep for examples.
var PublicHosts = []PublicHost{
	{"dns.google", addresses("8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"), true},
	{"one.one.one.one", addresses("1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001"), true},
	{"dns.quad9.net", addresses("9.9.9.9", "2620:fe::fe"), true},
	{"example.com", addresses("203.0.113.80", "2001:db8:113::80"), false},
	{"www.example.com", addresses("203.0.113.80", "2001:db8:113::80"), false},
	{"example.org", addresses("203.0.113.81", "2001:db8:113::81"), false},
	{"www.example.org", addresses("203.0.113.81", "2001:db8:113::81"), false},
	{"client.example.net", addresses("203.0.113.10", "2001:db8:113::10"), false},
}

// PublicRouters are the routers between the edge and the hosts, in the order in which traceroute(8) meets them. The
// addresses are those of the side that faces the lab; the edge's is that of its uplink.
var PublicRouters = []PublicHost{
	{"edge.isp.example", addresses("198.51.100.1", "2001:db8:100:1::1"), false},
	{"core1.isp.example", addresses("198.51.100.2", "2001:db8:100:1::2"), false},
	{"core2.transit.example", addresses("198.51.100.6", "2001:db8:100:2::2"), false},
}

// Resolver is whom machines ask for names where the lab has an internet: the address that people know by heart.
var Resolver = netip.MustParseAddr("8.8.8.8")

// UplinkName is the interface of the internet's edge that leads into the world. It is no part of a document.
const UplinkName = "uplink"

func addresses(texts ...string) []netip.Addr {
	list := make([]netip.Addr, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParseAddr(text)
	}
	return list
}

// PublicAddresses are the addresses of [PublicHosts], each once.
func PublicAddresses() []netip.Addr {
	var list []netip.Addr
	seen := map[netip.Addr]bool{}
	for _, h := range PublicHosts {
		for _, a := range h.Addresses {
			if !seen[a] {
				seen[a], list = true, append(list, a)
			}
		}
	}
	return list
}

// HasInternet says whether the lab has an internet, so that names can be asked for.
func (l Lab) HasInternet() bool {
	for _, n := range l.Nodes {
		if n.Kind == Internet {
			return true
		}
	}
	return false
}
