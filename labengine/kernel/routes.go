package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/plan"
)

// routeTypes are the types of route that have a name in a document, uapi/linux/rtnetlink.h.
var routeTypes = map[uint8]string{
	unix.RTN_UNICAST: "", unix.RTN_BLACKHOLE: "blackhole", unix.RTN_UNREACHABLE: "unreachable",
	unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw",
}

// routePrefs are the preferences of routers, ICMPV6_ROUTER_PREF_* in uapi/linux/icmpv6.h.
var routePrefs = map[uint8]string{0: "", 1: "high", 3: "low"}

// Routes reads all tables but the one that the kernel keeps for itself, IPv4 first.
func (n *Netns) Routes() ([]labengine.Route, error) {
	list := []labengine.Route{}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := n.ask(unix.RTM_GETROUTE, unix.NLM_F_DUMP, nl.NewIfInfomsg(family))
		if err != nil {
			return nil, fmt.Errorf("read routes: %w", err)
		}
		for _, body := range routes {
			if r, ok := n.takeRoute(body); ok {
				list = append(list, r)
			}
		}
	}
	return list, nil
}

// isOfTableLocal says whether a struct rtmsg is of the table whose routes are of no interest. What does not fit into its field
// says RT_TABLE_COMPAT there.
func isOfTableLocal(body []byte) bool {
	return len(body) >= unix.SizeofRtMsg && body[4] == unix.RT_TABLE_LOCAL
}

// takeRoute reads struct rtmsg, rtnetlink(7). ok is false for routes of no interest: those of table local, and copies that
// the kernel keeps for a destination.
func (n *Netns) takeRoute(body []byte) (r labengine.Route, ok bool) {
	if len(body) < unix.SizeofRtMsg {
		return r, false
	}
	family, bits, fromBits, tos, table, proto, scope, kind := body[0], body[1], body[2], body[3], uint32(body[4]), body[5], body[6], body[7]
	flags := native.Uint32(body[8:])
	r = labengine.Route{To: "default", IPv6: family == unix.AF_INET6}
	if r.Kernel = proto == unix.RTPROT_KERNEL || proto == unix.RTPROT_RA; !r.Kernel && proto != unix.RTPROT_BOOT {
		r.Protocol = number(proto, labengine.RouteProtocols)
	}
	if tos != 0 && !r.IPv6 {
		r.TOS = fmt.Sprintf("0x%x", tos)
	}
	for t, v := range attributes(body, unix.SizeofRtMsg) {
		switch t {
		case unix.RTA_TABLE:
			table = native.Uint32(v)
		case unix.RTA_DST:
			if ip, valid := netip.AddrFromSlice(v); valid {
				r.To = netip.PrefixFrom(ip, int(bits)).String()
			}
		case unix.RTA_SRC:
			if ip, valid := netip.AddrFromSlice(v); valid && r.IPv6 {
				r.From = netip.PrefixFrom(ip, int(fromBits)).String()
			}
		case unix.RTA_GATEWAY:
			r.Via = address(v)
		case unix.RTA_VIA:
			r.Via = address(v[min(2, len(v)):]) // behind the family
		case unix.RTA_FLOW:
			r.Realm = realm(v)
		case unix.RTA_PREF:
			r.Pref = routePrefs[v[0]]
		case unix.RTA_MULTIPATH:
			r.Hops = n.takeHops(v)
		case unix.RTA_OIF:
			if l, found := n.Links[int(native.Uint32(v))]; found {
				r.Dev = l.Name
			}
		case unix.RTA_PREFSRC:
			r.Source = address(v)
		case unix.RTA_PRIORITY:
			r.Metric = native.Uint32(v)
		case unix.RTA_METRICS:
			r.Metrics = metricsText(v)
		}
	}
	if r.Type, ok = routeTypes[kind]; !ok || table == unix.RT_TABLE_LOCAL || flags&unix.RTM_F_CLONED != 0 {
		return r, false
	}
	if table != unix.RT_TABLE_MAIN {
		r.Table = strconv.FormatUint(uint64(table), 10)
	}
	r.Onlink = flags&unix.RTNH_F_ONLINK != 0
	if r.Type != "" {
		r.Dev = "" // IPv6 says lo
	}
	if r.IPv6 && r.Metric == 1024 { // IP6_RT_PRIO_USER, the kernel's own
		r.Metric = 0
	}
	implied := uint8(unix.RT_SCOPE_UNIVERSE)
	if r.Via == "" && r.Type == "" && len(r.Hops) == 0 {
		implied = unix.RT_SCOPE_LINK
	}
	if !r.IPv6 && scope != implied || r.Kernel && !r.IPv6 {
		r.Scope = number(scope, labengine.RouteScopes) // ip-route(8) says it of the kernel's own always
	}
	r.Text = r.String()
	return r, true
}

func address(v []byte) string {
	ip, _ := netip.AddrFromSlice(v)
	return ip.String()
}

// number is a number's name, or itself.
func number(n uint8, names map[uint8]string) string {
	if name, ok := names[n]; ok {
		return name
	}
	return strconv.Itoa(int(n))
}

// realm reads RTA_FLOW: the realm of the destination and, in the upper half, that of the source.
func realm(v []byte) string {
	if len(v) != 4 {
		return ""
	}
	flow := native.Uint32(v)
	if flow>>16 == 0 {
		return strconv.FormatUint(uint64(flow), 10)
	}
	return fmt.Sprintf("%d/%d", flow>>16, flow&0xffff)
}

// takeHops reads RTA_MULTIPATH, a list of struct rtnexthop.
func (n *Netns) takeHops(v []byte) []labengine.Hop {
	var hops []labengine.Hop
	for len(v) >= unix.SizeofRtNexthop {
		length := int(native.Uint16(v))
		if length < unix.SizeofRtNexthop || length > len(v) {
			break
		}
		h := labengine.Hop{Onlink: v[2]&unix.RTNH_F_ONLINK != 0}
		if v[3] > 0 { // one less than the weight
			h.Weight = int(v[3]) + 1
		}
		if l, found := n.Links[int(native.Uint32(v[4:]))]; found {
			h.Dev = l.Name
		}
		for t, value := range attributes(v[:length], unix.SizeofRtNexthop) {
			switch t {
			case unix.RTA_GATEWAY:
				h.Via = address(value)
			case unix.RTA_VIA:
				h.Via = address(value[min(2, len(value)):])
			case unix.RTA_FLOW:
				h.Realm = realm(value)
			}
		}
		hops = append(hops, h)
		v = v[min(align(length), len(v)):]
	}
	return hops
}

// metricsText reads RTA_METRICS; RTAX_LOCK has a bit for each that is locked.
func metricsText(v []byte) string {
	var locked uint32
	var list []labengine.RouteMetric
	for t, value := range attributes(v, 0) {
		switch {
		case t == unix.RTAX_CC_ALGO:
			list = append(list, labengine.RouteMetric{Number: t, Text: text(value)})
		case len(value) != 4:
		case t == unix.RTAX_LOCK:
			locked = native.Uint32(value)
		default:
			list = append(list, labengine.RouteMetric{Number: t, Value: native.Uint32(value)})
		}
	}
	for i, m := range list {
		list[i].Lock = locked&(1<<m.Number) != 0
	}
	return labengine.WriteRouteMetrics(list)
}

// metricsAttr is the same the other way round; nil where a route has none.
func metricsAttr(said string) (*nl.RtAttr, error) {
	list, err := labengine.ParseRouteMetrics(said)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	metrics := nl.NewRtAttr(unix.RTA_METRICS, nil)
	var locked uint32
	for _, m := range list {
		value := nl.Uint32Attr(m.Value)
		if m.Text != "" {
			value = nl.ZeroTerminated(m.Text)
		}
		if metrics.AddRtAttr(int(m.Number), value); m.Lock {
			locked |= 1 << m.Number
		}
	}
	if locked != 0 {
		metrics.AddRtAttr(unix.RTAX_LOCK, nl.Uint32Attr(locked))
	}
	return metrics, nil
}

// route adds or takes away a route that is written as ip-route(8) takes it.
func (a *applier) route(at plan.Spot, text string, kind, flags int) error {
	n, err := a.await(at.Node)
	if err != nil {
		return err
	}
	r, err := labengine.ParseRoute(text)
	if err != nil {
		return err
	}
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{
		Family: unix.AF_INET, Table: unix.RT_TABLE_MAIN, Protocol: unix.RTPROT_BOOT, Scope: unix.RT_SCOPE_UNIVERSE,
	}}
	if r.IPv6 {
		msg.Family = unix.AF_INET6
	}
	for number, name := range routeTypes {
		if name == r.Type {
			msg.Type = number
		}
	}
	if r.Via == "" && r.Type == "" && !r.IPv6 && len(r.Hops) == 0 {
		msg.Scope = unix.RT_SCOPE_LINK
	}
	if r.Scope != "" {
		msg.Scope = numbered(r.Scope, labengine.RouteScopes)
	}
	if r.Protocol != "" {
		msg.Protocol = numbered(r.Protocol, labengine.RouteProtocols)
	}
	if kind == unix.RTM_DELROUTE { // as ip-route(8) does: whoever made it, in whatever scope
		msg.Scope = unix.RT_SCOPE_NOWHERE
		if r.Protocol == "" {
			msg.Protocol = unix.RTPROT_UNSPEC
		}
	}
	if r.Onlink {
		msg.Flags |= unix.RTNH_F_ONLINK
	}
	data := []nl.NetlinkRequestData{msg}
	add := func(t int, v []byte) { data = append(data, nl.NewRtAttr(t, v)) }
	if p, err := netip.ParsePrefix(r.To); err == nil {
		msg.Dst_len = uint8(p.Bits())
		if p.Bits() > 0 {
			add(unix.RTA_DST, p.Addr().AsSlice())
		}
	}
	if p, err := netip.ParsePrefix(r.From); err == nil {
		msg.Src_len = uint8(p.Bits())
		add(unix.RTA_SRC, p.Addr().AsSlice())
	}
	if tos, err := strconv.ParseUint(r.TOS, 0, 8); err == nil {
		msg.Tos = uint8(tos)
	}
	if gateway := gatewayAttr(r.Via, r.IPv6); gateway != nil {
		data = append(data, gateway)
	}
	if ip, err := netip.ParseAddr(r.Source); err == nil {
		add(unix.RTA_PREFSRC, ip.AsSlice())
	}
	if r.Dev != "" {
		l, ok := a.w.find(n, r.Dev)
		if !ok {
			return unix.ENODEV
		}
		add(unix.RTA_OIF, nl.Uint32Attr(uint32(l.Index)))
	}
	if r.Metric != 0 {
		add(unix.RTA_PRIORITY, nl.Uint32Attr(r.Metric))
	}
	if table, err := strconv.ParseUint(r.Table, 10, 32); err == nil {
		msg.Table = uint8(min(table, unix.RT_TABLE_COMPAT))
		add(unix.RTA_TABLE, nl.Uint32Attr(uint32(table)))
	}
	if r.Realm != "" {
		add(unix.RTA_FLOW, flowAttr(r.Realm))
	}
	for number, name := range routePrefs {
		if r.Pref != "" && name == r.Pref {
			add(unix.RTA_PREF, []byte{number})
		}
	}
	metrics, err := metricsAttr(r.Metrics)
	if err != nil {
		return err
	}
	if metrics != nil {
		data = append(data, metrics)
	}
	if len(r.Hops) > 0 {
		hops, err := a.hops(n, r)
		if err != nil {
			return err
		}
		add(unix.RTA_MULTIPATH, hops)
	}
	return n.do(kind, flags, data...)
}

// hops is RTA_MULTIPATH of a route.
func (a *applier) hops(n *Netns, r labengine.Route) ([]byte, error) {
	var list []byte
	for _, h := range r.Hops {
		hop := nl.RtNexthop{RtNexthop: unix.RtNexthop{Hops: uint8(max(h.Weight, 1) - 1)}}
		if h.Onlink {
			hop.Flags |= unix.RTNH_F_ONLINK
		}
		if h.Dev != "" {
			l, ok := a.w.find(n, h.Dev)
			if !ok {
				return nil, unix.ENODEV
			}
			hop.Ifindex = int32(l.Index)
		}
		if gateway := gatewayAttr(h.Via, r.IPv6); gateway != nil {
			hop.Children = append(hop.Children, gateway)
		}
		if h.Realm != "" {
			hop.Children = append(hop.Children, nl.NewRtAttr(unix.RTA_FLOW, flowAttr(h.Realm)))
		}
		list = append(list, hop.Serialize()...)
	}
	return list, nil
}

// gatewayAttr is RTA_GATEWAY, or RTA_VIA of a gateway of the other family; nil where there is none.
func gatewayAttr(gateway string, ipv6 bool) *nl.RtAttr {
	ip, err := netip.ParseAddr(gateway)
	switch {
	case err != nil:
		return nil
	case ip.Is6() != ipv6:
		return nl.NewRtAttr(unix.RTA_VIA, append(binary.NativeEndian.AppendUint16(nil, unix.AF_INET6), ip.AsSlice()...))
	}
	return nl.NewRtAttr(unix.RTA_GATEWAY, ip.AsSlice())
}

func flowAttr(realm string) []byte {
	from, to, both := strings.Cut(realm, "/")
	if !both {
		from, to = "0", from
	}
	f, _ := strconv.ParseUint(from, 10, 16) // checked when it was read
	t, _ := strconv.ParseUint(to, 10, 16)
	return nl.Uint32Attr(uint32(f<<16 | t))
}

// numbered is the number of a name, or the number that is said.
func numbered(said string, names map[uint8]string) uint8 {
	for n, name := range names {
		if name == said {
			return n
		}
	}
	n, _ := strconv.ParseUint(said, 10, 8) // checked when it was read
	return uint8(n)
}
