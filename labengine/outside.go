package labengine

import (
	"fmt"
	"net/netip"
)

// PublicHost is somebody on the internet that a lab has: an address that answers ping, HTTP on port 80 and, of a resolver,
// DNS on port 53.
type PublicHost struct {
	Name      string       `json:"name"` // as DNS has it, without the final dot
	Addresses []netip.Addr `json:"addresses"`
	Resolver  bool         `json:"resolver"`
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

// PublicRouters are the routers to the hosts, in the order in which traceroute(8) meets them. The addresses are those of
// the side that faces the lab; the edge's is that of its uplink. They are of RFC 2544's network, which hardly anybody draws:
// where a lab has an address of theirs, its internet cannot answer.
var PublicRouters = []PublicHost{
	{"edge.isp.example", addresses("198.18.0.1", "2001:db8:100:1::1"), false},
	{"core1.isp.example", addresses("198.18.0.2", "2001:db8:100:1::2"), false},
	{"core2.transit.example", addresses("198.18.0.6", "2001:db8:100:2::2"), false},
	{"hosts.transit.example", addresses("198.18.0.10", "2001:db8:100:3::2"), false},
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

// The nodes of a [Backbone].
const (
	BackboneEdge  = "edge"
	BackboneHosts = "hosts"
)

// Backbone is what an internet is in the kernel: its edge, into which cables are plugged, two more routers, and the
// namespace that has all public addresses on its lo. The edge forwards only what it knows a way back to: reverse path
// filtering, RFC 3704, drops IPv4 packets from anybody that is not in the networks of its cables or behind a route of its
// own. To IPv6 packets from such the answers find no way.
func Backbone() Lab {
	lab := NewLab("backbone") // not quiet: a router asks for IPv6 neighbours from its link-local address
	ids := []ID{BackboneEdge, "core1", "core2", BackboneHosts}
	for at, id := range ids {
		n := Node{ID: id, Name: string(id), Kind: Internet, Order: at, Sysctls: []string{
			"net.ipv4.icmp_ratemask=0", "net.ipv6.icmp.ratelimit=0", // traceroute(8) sends more at once than the kernel answers
			"net.ipv6.conf.default.accept_dad=0", // nobody else has these addresses
		}}
		if id != BackboneHosts {
			n.Sysctls = append(n.Sysctls, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
		}
		if id == BackboneEdge {
			n.Sysctls = append(n.Sysctls, "net.ipv4.conf.default.rp_filter=1")
		}
		lo := Interface{ID: LoopbackID(id), Node: id, Name: "lo", Kind: Loopback, MTU: DefaultMTU(Loopback)}
		if id == BackboneHosts {
			lo.Up = true
			for _, a := range PublicAddresses() {
				lo.Addresses = append(lo.Addresses, netip.PrefixFrom(a, a.BitLen()).String())
			}
		}
		lab.Nodes[id], lab.Interfaces[lo.ID] = n, lo
	}
	for at := range len(ids) - 1 {
		near, far := ids[at], ids[at+1]
		end := func(node ID, name string, host int) ID {
			i := Interface{ID: node + ID(":"+name), Node: node, Name: name, Kind: Veth, Up: true, MTU: DefaultMTU(Veth), Addresses: []string{
				fmt.Sprintf("198.18.0.%d/30", 4*at+host), fmt.Sprintf("2001:db8:100:%d::%d/64", at+1, host),
			}}
			lab.Interfaces[i.ID] = i
			return i.ID
		}
		outward := "eth1"
		if near == BackboneEdge {
			outward = UplinkName
		}
		id := ID(fmt.Sprintf("link%d", at))
		lab.Cables[id] = Cable{ID: id, Ends: [2]ID{end(near, outward, 1), end(far, "eth0", 2)}, Order: at}
		back, six := fmt.Sprintf("default via 198.18.0.%d", 4*at+1), fmt.Sprintf("default via 2001:db8:100:%d::1", at+1)
		n := lab.Nodes[far]
		n.Routes = append(n.Routes, back, six)
		lab.Nodes[far] = n
	}
	for at := range len(ids) - 1 {
		n := lab.Nodes[ids[at]]
		via := func(to netip.Prefix) {
			hop := fmt.Sprintf("198.18.0.%d", 4*at+2)
			if to.Addr().Is6() {
				hop = fmt.Sprintf("2001:db8:100:%d::2", at+1)
			}
			n.Routes = append(n.Routes, fmt.Sprintf("%s via %s", to, hop))
		}
		for _, a := range PublicAddresses() {
			via(netip.PrefixFrom(a, a.BitLen()))
		}
		for link := at + 1; link < len(ids)-1; link++ {
			via(netip.MustParsePrefix(fmt.Sprintf("198.18.0.%d/30", 4*link)))
			via(netip.MustParsePrefix(fmt.Sprintf("2001:db8:100:%d::/64", link+1)))
		}
		lab.Nodes[ids[at]] = n
	}
	return lab
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
