package labengine

import (
	"net/netip"
	"slices"
	"strings"
)

// SameSubnet says whether two addresses of an interface, in CIDR notation, are of one subnet of IPv4: the kernel takes the first for
// the primary one, and drops the others with it (inet_insert_ifa and __inet_del_ifa in net/ipv4/devinet.c).
func SameSubnet(a, b string) bool {
	p, err := netip.ParsePrefix(a)
	q, qerr := netip.ParsePrefix(b)
	return err == nil && qerr == nil && p.Addr().Is4() && p.Masked() == q.Masked()
}

// SameAddresses says whether the kernel makes no difference between two lists of an interface's addresses, in CIDR notation: IPv4's
// of one subnet are in the same order, and the subnets are. The order in which it lists those of IPv6 is its own.
func SameAddresses(a, b []string) bool {
	return slices.Equal(a, b) || len(a) == len(b) && slices.Equal(bySubnet(a), bySubnet(b))
}

// AddressesSeen says what a document has for the addresses that an interface has: those authored before that it still has keep
// their order, and others follow, where that makes no difference to the kernel.
func AddressesSeen(authored, kernel []string) []string {
	if len(authored) == 0 || slices.Equal(authored, kernel) {
		return kernel
	}
	seen := []string{}
	for _, list := range [2][]string{authored, kernel} {
		for _, a := range list {
			if slices.Contains(kernel, a) && !slices.Contains(seen, a) {
				seen = append(seen, a)
			}
		}
	}
	if SameAddresses(seen, kernel) {
		return seen
	}
	return kernel
}

// bySubnet are addresses of IPv4, each subnet's behind its first one, then those of IPv6 as text has them.
func bySubnet(addresses []string) []string {
	var sorted, ipv6 []string
	for at, a := range addresses {
		if p, err := netip.ParsePrefix(a); err == nil && !p.Addr().Is4() {
			ipv6 = append(ipv6, a)
			continue
		}
		if slices.ContainsFunc(addresses[:at], func(b string) bool { return SameSubnet(a, b) }) {
			continue // stands behind the first one
		}
		sorted = append(sorted, a)
		for _, b := range addresses[at+1:] {
			if SameSubnet(a, b) {
				sorted = append(sorted, b)
			}
		}
	}
	slices.Sort(ipv6)
	return append(sorted, ipv6...)
}

// isIPv6 says whether an address in CIDR notation is one of IPv6.
func isIPv6(address string) bool { return strings.Contains(address, ":") }
