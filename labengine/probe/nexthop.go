package probe

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// hops tells what became of finding the next hop, by a route socket in a network namespace. The kernel tells a ping by an ICMP
// error to itself, which takes its way by lo: in a fresh namespace that is down, and an absent neighbour is silence.
type hops struct {
	ns     *os.File
	handle *netlink.Handle // nil until it is asked for
}

func (h *hops) close() {
	if h.handle != nil {
		h.handle.Close()
	}
}

// unanswered says who has not answered ARP, or NDP, for what goes to an address: whoever has it, or a gateway. It is "" where
// somebody has, where none is asked, and where that cannot be told.
func (h *hops) unanswered(to netip.Addr, zone uint32) string {
	if h.handle == nil {
		if err := within(h.ns, func() (err error) {
			h.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE)
			return err
		}); err != nil {
			return ""
		}
	}
	routes, err := h.handle.RouteGetWithOptions(to.AsSlice(), &netlink.RouteGetOptions{OifIndex: int(zone)})
	if err != nil || len(routes) != 1 || routes[0].Via != nil {
		return ""
	}
	next, isGateway := netip.AddrFromSlice(routes[0].Gw)
	if !isGateway {
		next = to.WithZone("")
	}
	next = next.Unmap()
	family, protocol := unix.AF_INET, "ARP"
	if next.Is6() {
		family, protocol = unix.AF_INET6, "NDP"
	}
	entries, err := h.handle.NeighList(routes[0].LinkIndex, family)
	if err != nil {
		return ""
	}
	for _, entry := range entries {
		ip, _ := netip.AddrFromSlice(entry.IP)
		if ip.Unmap() != next || entry.State&(unix.NUD_INCOMPLETE|unix.NUD_FAILED) == 0 {
			continue
		}
		if isGateway {
			return fmt.Sprintf("nobody has answered %s for the gateway %s", protocol, next)
		}
		return fmt.Sprintf("nobody has answered %s for %s", protocol, next)
	}
	return ""
}
