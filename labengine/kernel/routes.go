package kernel

import (
	"fmt"
	"net/netip"
	"strconv"

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

var scopes = map[uint8]string{
	unix.RT_SCOPE_UNIVERSE: "global", unix.RT_SCOPE_LINK: "link", unix.RT_SCOPE_HOST: "host",
}

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

// takeRoute reads struct rtmsg, rtnetlink(7). ok is false for routes of no interest: those of table local, and copies that
// the kernel keeps for a destination.
func (n *Netns) takeRoute(body []byte) (r labengine.Route, ok bool) {
	if len(body) < unix.SizeofRtMsg {
		return r, false
	}
	family, bits, table, proto, scope, kind := body[0], body[1], uint32(body[4]), body[5], body[6], body[7]
	flags := native.Uint32(body[8:])
	r = labengine.Route{To: "default", IPv6: family == unix.AF_INET6}
	r.Kernel = proto == unix.RTPROT_KERNEL || proto == unix.RTPROT_RA
	for t, v := range attributes(body, unix.SizeofRtMsg) {
		switch t {
		case unix.RTA_TABLE:
			table = native.Uint32(v)
		case unix.RTA_DST:
			if ip, valid := netip.AddrFromSlice(v); valid {
				r.To = netip.PrefixFrom(ip, int(bits)).String()
			}
		case unix.RTA_GATEWAY:
			r.Via = address(v)
		case unix.RTA_OIF:
			if l, found := n.Links[int(native.Uint32(v))]; found {
				r.Dev = l.Name
			}
		case unix.RTA_PREFSRC:
			r.Source = address(v)
		case unix.RTA_PRIORITY:
			r.Metric = int(native.Uint32(v))
		case unix.RTA_METRICS:
			for t, v := range attributes(v, 0) {
				if t == unix.RTAX_MTU && len(v) == 4 {
					r.MTU = int(native.Uint32(v))
				}
			}
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
	if r.Via == "" && r.Type == "" {
		implied = unix.RT_SCOPE_LINK
	}
	if !r.IPv6 && scope != implied || r.Kernel && !r.IPv6 {
		r.Scope = scopes[scope] // ip-route(8) says it of the kernel's own always
	}
	r.Text = r.String()
	return r, true
}

func address(v []byte) string {
	ip, _ := netip.AddrFromSlice(v)
	return ip.String()
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
	if r.Via == "" && r.Type == "" && !r.IPv6 {
		msg.Scope = unix.RT_SCOPE_LINK
	}
	for number, name := range scopes {
		if name == r.Scope {
			msg.Scope = number
		}
	}
	if kind == unix.RTM_DELROUTE { // as ip-route(8) does: whoever made it, in whatever scope
		msg.Protocol, msg.Scope = unix.RTPROT_UNSPEC, unix.RT_SCOPE_NOWHERE
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
	if ip, err := netip.ParseAddr(r.Via); err == nil {
		add(unix.RTA_GATEWAY, ip.AsSlice())
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
		add(unix.RTA_PRIORITY, nl.Uint32Attr(uint32(r.Metric)))
	}
	if table, err := strconv.ParseUint(r.Table, 10, 32); err == nil {
		msg.Table = uint8(min(table, unix.RT_TABLE_COMPAT))
		add(unix.RTA_TABLE, nl.Uint32Attr(uint32(table)))
	}
	if r.MTU != 0 {
		metrics := nl.NewRtAttr(unix.RTA_METRICS, nil)
		metrics.AddRtAttr(unix.RTAX_MTU, nl.Uint32Attr(uint32(r.MTU)))
		data = append(data, metrics)
	}
	return n.do(kind, flags, data...)
}
