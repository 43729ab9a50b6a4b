package kernel

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// read takes in all that a namespace has: links, addresses and neighbours. Routes are read when they are asked for.
func (w *World) read(n *Netns) error {
	before := n.Links
	for index := range n.Links {
		w.dirty[linkKey{n.Key, index}] = true
	}
	n.Links, n.names, n.Neigh = map[int]*Link{}, map[string]int{}, map[neighKey]labengine.Neighbour{}
	links, err := n.ask(unix.RTM_GETLINK, unix.NLM_F_DUMP, unix.RTM_NEWLINK, nl.NewIfInfomsg(unix.AF_UNSPEC))
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	for _, body := range links {
		w.takeLink(n, body)
	}
	for index, was := range before {
		if l, ok := n.Links[index]; ok && l.Kind == was.Kind {
			l.ID, l.Doomed = was.ID, was.Doomed
		}
	}
	addresses, err := n.ask(unix.RTM_GETADDR, unix.NLM_F_DUMP, unix.RTM_NEWADDR, nl.NewIfInfomsg(unix.AF_UNSPEC))
	if err != nil {
		return fmt.Errorf("read addresses: %w", err)
	}
	for _, body := range addresses {
		w.takeAddress(n, body, true)
	}
	neighbours, err := n.ask(unix.RTM_GETNEIGH, unix.NLM_F_DUMP, unix.RTM_NEWNEIGH, nl.NewIfInfomsg(unix.AF_UNSPEC))
	if err != nil {
		return fmt.Errorf("read neighbours: %w", err)
	}
	for _, body := range neighbours {
		w.takeNeighbour(n, body, true)
	}
	w.markRoutes(n)
	w.markNeighbours(n)
	return nil
}

func (w *World) readAll() error {
	for _, n := range w.byKey {
		if err := w.read(n); err != nil {
			return err
		}
	}
	return nil
}

// Routes reads the main table, IPv4 first, as ip-route(8) shows it.
func (n *Netns) Routes() ([]labengine.Route, error) {
	list := []labengine.Route{}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := n.ask(unix.RTM_GETROUTE, unix.NLM_F_DUMP, unix.RTM_NEWROUTE, nl.NewIfInfomsg(family))
		if err != nil {
			return nil, fmt.Errorf("read routes: %w", err)
		}
		for _, body := range routes {
			if r, ok := n.route(body); ok {
				list = append(list, r)
			}
		}
	}
	return list, nil
}

var routeTypes = map[uint8]string{
	unix.RTN_BLACKHOLE: "blackhole", unix.RTN_UNREACHABLE: "unreachable", unix.RTN_PROHIBIT: "prohibit",
	unix.RTN_THROW: "throw",
}

// route reads struct rtmsg, rtnetlink(7), of the main table.
func (n *Netns) route(body []byte) (labengine.Route, bool) {
	if len(body) < unix.SizeofRtMsg {
		return labengine.Route{}, false
	}
	family, bits, table, proto, scope, kind := body[0], body[1], uint32(body[4]), body[5], body[6], body[7]
	flags := native.Uint32(body[8:])
	r := labengine.Route{To: "default", Kernel: proto == unix.RTPROT_KERNEL}
	var metric uint32
	for t, v := range attributes(body, unix.SizeofRtMsg) {
		switch t {
		case unix.RTA_TABLE:
			table = native.Uint32(v)
		case unix.RTA_DST:
			if ip, ok := netip.AddrFromSlice(v); ok {
				r.To = netip.PrefixFrom(ip, int(bits)).String()
			}
		case unix.RTA_GATEWAY:
			r.Via = address(v)
		case unix.RTA_OIF:
			if l, ok := n.Links[int(native.Uint32(v))]; ok {
				r.Dev = l.Name
			}
		case unix.RTA_PREFSRC:
			r.Source = address(v)
		case unix.RTA_PRIORITY:
			metric = native.Uint32(v)
		}
	}
	typed, special := routeTypes[kind]
	ordinary := kind == unix.RTN_UNICAST
	if table != unix.RT_TABLE_MAIN || !ordinary && !special || flags&unix.RTM_F_CLONED != 0 {
		return labengine.Route{}, false
	}
	words := []string{}
	add := func(ok bool, w ...string) {
		if ok {
			words = append(words, w...)
		}
	}
	to := strings.TrimSuffix(r.To, "/32")
	if family == unix.AF_INET6 {
		to = strings.TrimSuffix(r.To, "/128")
	}
	add(special, typed)
	add(true, to)
	add(r.Via != "", "via", r.Via)
	add(r.Dev != "", "dev", r.Dev)
	add(r.Kernel, "proto", "kernel")
	add(family == unix.AF_INET && scope == unix.RT_SCOPE_LINK, "scope", "link")
	add(r.Source != "", "src", r.Source)
	add(metric != 0, "metric", fmt.Sprint(metric))
	r.Text = strings.Join(words, " ")
	return r, true
}

func address(v []byte) string {
	ip, _ := netip.AddrFromSlice(v)
	return ip.String()
}

// LinkRef names a link that is or was there.
type LinkRef struct {
	Netns uint64 // cookie
	Index int
}

// Moved says of a link that has gone whether it went to another namespace. It holds until links are taken again.
func (w *World) Moved(ref LinkRef) bool { return w.moved[linkKey{ref.Netns, ref.Index}] }

// TakeLinks lists the links that have changed, appeared or gone since the call before.
func (w *World) TakeLinks() []LinkRef {
	if len(w.dirty) == 0 {
		clear(w.moved)
		return nil
	}
	list := make([]LinkRef, 0, len(w.dirty))
	for k := range w.dirty {
		list = append(list, LinkRef{k.netns, k.index})
	}
	clear(w.dirty)
	return list
}

// TakeTables lists the namespaces whose routes or neighbours have changed since the call before, at most so many.
func (w *World) TakeTables(most int) (routes, neighbours []*Netns, more bool) {
	for n, d := range w.dirtyIn {
		if most == 0 {
			return routes, neighbours, true
		}
		most--
		if d.routes {
			routes = append(routes, n)
		}
		if d.neighbours {
			neighbours = append(neighbours, n)
		}
		delete(w.dirtyIn, n)
	}
	return routes, neighbours, false
}
