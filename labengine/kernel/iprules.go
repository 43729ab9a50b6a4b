package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/plan"
)

// fibRuleHeader is struct fib_rule_hdr, uapi/linux/fib_rules.h.
type fibRuleHeader struct {
	family, toBits, fromBits, tos, table, action byte
	flags                                        uint32
}

const sizeofFibRuleHeader = 12

func (fibRuleHeader) Len() int { return sizeofFibRuleHeader }
func (h fibRuleHeader) Serialize() []byte {
	b := []byte{h.family, h.toBits, h.fromBits, h.tos, h.table, 0, 0, h.action}
	return native.AppendUint32(b, h.flags)
}

// FIB_RULE_INVERT, what the kernel says of a rule besides, and the masks of ports, uapi/linux/fib_rules.h.
const (
	fibRuleInvert = 0x2
	fibRuleStates = 0x1 | 0x4 | 0x8 | 0x10 // permanent, unresolved, and without a device of that name

	fraSPortMask = 28
	fraDPortMask = 29
)

// ruleActions are the actions of rules that a document has words for, FR_ACT_*.
var ruleActions = map[byte]string{1: "", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}

// IPRules reads the routing policy, IPv4 first: without the rules that each namespace has from the beginning, but with those of
// them that have gone, and without what a document has no words for.
func (n *Netns) IPRules() ([]labengine.IPRule, error) {
	var list []labengine.IPRule
	for _, ipv6 := range []bool{false, true} {
		rules, err := n.askRules(ipv6)
		if errors.Is(err, unix.EAFNOSUPPORT) { // a kernel without IPv6
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read rules: %w", err)
		}
		own := labengine.OwnIPRules(ipv6)
		for _, body := range rules {
			r, ok := takeIPRule(body)
			if !ok {
				continue
			}
			like := func(o labengine.IPRule) bool { return r.Priority == o.Priority && r.IsOwn() }
			if at := slices.IndexFunc(own, like); at >= 0 {
				own = slices.Delete(own, at, at+1)
			} else if !slices.Contains(list, r) { // two may differ in what neither makes use of
				list = append(list, r)
			}
		}
		for _, r := range own {
			r.Absent = true
			r.Text = r.String()
			list = append(list, r)
		}
	}
	return list, nil
}

func (n *Netns) askRules(ipv6 bool) ([][]byte, error) {
	h := fibRuleHeader{family: unix.AF_INET}
	if ipv6 {
		h.family = unix.AF_INET6
	}
	return n.ask(unix.RTM_GETRULE, unix.NLM_F_DUMP, h)
}

// takeIPRule reads struct fib_rule_hdr and what follows. ok is false for a rule that a document has no words for: without what is
// not understood it would be another rule.
func takeIPRule(body []byte) (r labengine.IPRule, ok bool) {
	if len(body) < sizeofFibRuleHeader {
		return r, false
	}
	toBits, fromBits, tos, table, action, flags := body[1], body[2], body[3], uint32(body[4]), body[7], native.Uint32(body[8:])
	r.IPv6, r.Not, r.Priority = body[0] == unix.AF_INET6, flags&fibRuleInvert != 0, "0"
	if tos != 0 {
		r.TOS = fmt.Sprintf("0x%x", tos)
	}
	var mark, mask uint32
	understood := flags&^(fibRuleInvert|fibRuleStates) == 0
	decimal := func(v []byte) string { return strconv.FormatUint(uint64(native.Uint32(v)), 10) }
	for t, v := range attributes(body, sizeofFibRuleHeader) {
		switch t {
		case unix.FRA_TABLE:
			table = native.Uint32(v)
		case unix.FRA_PRIORITY:
			r.Priority = decimal(v)
		case unix.FRA_SRC:
			r.From = fmt.Sprintf("%s/%d", address(v), fromBits)
		case unix.FRA_DST:
			r.To = fmt.Sprintf("%s/%d", address(v), toBits)
		case unix.FRA_IIFNAME:
			r.Iif = text(v)
		case unix.FRA_OIFNAME:
			r.Oif = text(v)
		case unix.FRA_FWMARK:
			mark = native.Uint32(v)
		case unix.FRA_FWMASK:
			mask = native.Uint32(v)
		case unix.FRA_FLOW:
			r.Realm = realm(v)
		case unix.FRA_GOTO:
			r.Goto = decimal(v)
		case unix.FRA_SUPPRESS_PREFIXLEN:
			if native.Uint32(v) != 0xffffffff { // -1 is none
				r.SuppressPrefix = decimal(v)
			}
		case unix.FRA_SUPPRESS_IFGROUP:
			r.SuppressGroup = decimal(v)
		case unix.FRA_UID_RANGE:
			r.UIDs = decimal(v) + "-" + decimal(v[4:])
		case unix.FRA_IP_PROTO:
			r.IPProto = strconv.Itoa(int(v[0]))
		case unix.FRA_SPORT_RANGE:
			r.SPort = ports(v)
		case unix.FRA_DPORT_RANGE:
			r.DPort = ports(v)
		case unix.FRA_PROTOCOL:
			if v[0] != unix.RTPROT_UNSPEC {
				r.Protocol = number(v[0], labengine.RouteProtocols)
			}
		case fraSPortMask, fraDPortMask:
			understood = understood && native.Uint16(v) == 0xffff // all of a single port
		case unix.FRA_PAD:
		default:
			understood = false
		}
	}
	if r.Action, ok = ruleActions[action]; !ok || !understood {
		return r, false
	}
	r.Mark = labengine.IPRuleMark(mark, mask)
	if table != unix.RT_TABLE_MAIN {
		r.Table = strconv.FormatUint(uint64(table), 10)
	}
	if r.IsOwn() { // most are, in a large lab
		return r, true
	}
	if len(strings.Fields(r.Iif)) > 1 || len(strings.Fields(r.Oif)) > 1 { // which ip-rule(8) would not send
		return r, false
	}
	r, err := labengine.ParseIPRule(r.String()) // written as everywhere, and none that a document would be refused for
	return r, err == nil
}

// ports is struct fib_rule_port_range.
func ports(v []byte) string { return fmt.Sprintf("%d-%d", native.Uint16(v), native.Uint16(v[2:])) }

// ipRule adds or takes away a rule of the routing policy.
func (a *applier) ipRule(at plan.Spot, text string, added bool) error {
	n, err := a.await(at.Node)
	if err != nil {
		return err
	}
	r, err := labengine.ParseIPRule(text)
	if err != nil {
		return err
	}
	if added == r.Absent {
		err := a.deleteIPRule(at, n, r)
		if errors.Is(err, unix.ENOENT) { // it has gone already
			return nil
		}
		return err
	}
	back := r.Absent
	r.Absent = false
	err = a.addIPRule(at, n, r)
	if back && errors.Is(err, unix.EEXIST) { // somebody was quicker
		return nil
	}
	return err
}

func (a *applier) addIPRule(at plan.Spot, n *Netns, r labengine.IPRule) error {
	err := n.do(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, ipRuleRequest(r)...)
	if r.UIDs == "" || !errors.Is(err, unix.EPERM) {
		return err
	}
	// Users count in the user namespace that the network namespace belongs to, a machine's: the kernel takes their numbers from
	// whoever is in it alone.
	argv := []string{"ip", "rule"}
	if r.IPv6 {
		argv = []string{"ip", "-6", "rule"}
	}
	return a.machines.Run(a.ctx, at.Machine, n.File, append(argv, strings.Fields(r.Command(true))...))
}

// ipRuleRequest is what ip-rule(8) sends to add a rule.
func ipRuleRequest(r labengine.IPRule) []nl.NetlinkRequestData {
	h := &fibRuleHeader{family: unix.AF_INET}
	if r.IPv6 {
		h.family = unix.AF_INET6
	}
	if r.Not {
		h.flags |= fibRuleInvert
	}
	for number, name := range ruleActions {
		if name == r.Action {
			h.action = number
		}
	}
	data := []nl.NetlinkRequestData{h}
	add := func(t int, v []byte) { data = append(data, nl.NewRtAttr(t, v)) }
	number := func(t int, text string) { // was checked when it was read
		if n, err := strconv.ParseUint(text, 0, 32); err == nil {
			add(t, nl.Uint32Attr(uint32(n)))
		}
	}
	prefix := func(t int, text string, bits *byte) {
		if p, err := netip.ParsePrefix(text); err == nil {
			*bits = byte(p.Bits())
			add(t, p.Addr().AsSlice())
		}
	}
	ports := func(t int, text string) {
		if text == "" {
			return
		}
		first, last, both := strings.Cut(text, "-")
		if !both {
			last = first
		}
		f, _ := strconv.ParseUint(first, 10, 16)
		l, _ := strconv.ParseUint(last, 10, 16)
		add(t, native.AppendUint16(native.AppendUint16(nil, uint16(f)), uint16(l)))
	}
	prefix(unix.FRA_SRC, r.From, &h.fromBits)
	prefix(unix.FRA_DST, r.To, &h.toBits)
	if r.Iif != "" {
		add(unix.FRA_IIFNAME, nl.ZeroTerminated(r.Iif))
	}
	if r.Oif != "" {
		add(unix.FRA_OIFNAME, nl.ZeroTerminated(r.Oif))
	}
	mark, mask, _ := strings.Cut(r.Mark, "/")
	number(unix.FRA_FWMARK, mark)
	number(unix.FRA_FWMASK, mask)
	if tos, err := strconv.ParseUint(r.TOS, 0, 8); err == nil {
		h.tos = byte(tos)
	}
	if first, last, said := strings.Cut(r.UIDs, "-"); said {
		f, _ := strconv.ParseUint(first, 10, 32)
		l, _ := strconv.ParseUint(last, 10, 32)
		add(unix.FRA_UID_RANGE, native.AppendUint32(nl.Uint32Attr(uint32(f)), uint32(l)))
	}
	if r.IPProto != "" {
		add(unix.FRA_IP_PROTO, []byte{numbered(r.IPProto, labengine.IPProtocols)})
	}
	ports(unix.FRA_SPORT_RANGE, r.SPort)
	ports(unix.FRA_DPORT_RANGE, r.DPort)
	if r.Action == "" {
		table, err := strconv.ParseUint(r.Table, 10, 32)
		if err != nil {
			table = unix.RT_TABLE_MAIN
		}
		if h.table = byte(table); table > 0xff {
			h.table = unix.RT_TABLE_UNSPEC
			add(unix.FRA_TABLE, nl.Uint32Attr(uint32(table)))
		}
	}
	number(unix.FRA_GOTO, r.Goto)
	number(unix.FRA_SUPPRESS_PREFIXLEN, r.SuppressPrefix)
	number(unix.FRA_SUPPRESS_IFGROUP, r.SuppressGroup)
	if r.Realm != "" {
		add(unix.FRA_FLOW, flowAttr(r.Realm))
	}
	if r.Protocol != "" {
		add(unix.FRA_PROTOCOL, []byte{numbered(r.Protocol, labengine.RouteProtocols)})
	}
	number(unix.FRA_PRIORITY, r.Priority)
	return data
}

// deleteIPRule takes one rule away. The kernel would take the first one that has what is said, and perhaps more: where another of
// this priority would go in its place, all of this priority go, and the others come back in their order.
func (a *applier) deleteIPRule(at plan.Spot, n *Netns, r labengine.IPRule) error {
	bodies, err := n.askRules(r.IPv6)
	if err != nil {
		return err
	}
	var rules []fibRule
	for _, body := range bodies {
		if rule, ok := newFIBRule(body); ok {
			rules = append(rules, rule)
		}
	}
	target := slices.IndexFunc(rules, func(rule fibRule) bool { return rule.known && ruleIs(r, rule.IPRule) })
	if target < 0 {
		return unix.ENOENT
	}
	same := func(rule fibRule) bool { return rule.priority == rules[target].priority }
	first := slices.IndexFunc(rules, same)
	if !slices.ContainsFunc(rules[first:target], rules[target].takes) {
		return rules[target].remove(n)
	}
	last := target
	for last+1 < len(rules) && same(rules[last+1]) {
		last++
	}
	for _, rule := range rules[first : last+1] {
		if err := rule.remove(n); err != nil {
			return err
		}
	}
	for i := first; i <= last; i++ {
		switch rule := rules[i]; {
		case i == target:
		case rule.known && rule.UIDs != "":
			err = errors.Join(err, a.addIPRule(at, n, rule.IPRule))
		default:
			err = errors.Join(err, n.do(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, rule))
		}
	}
	return err
}

// ruleIs says whether the kernel's rule is the one that is meant; of those that each namespace has from the beginning, whoever
// made it.
func ruleIs(r, kernel labengine.IPRule) bool {
	return r.Covers(kernel) || r.Absent && kernel.IsOwn() && kernel.Priority == r.Priority
}

// fibRule is a rule as the kernel lists it, to be sent back.
type fibRule struct {
	labengine.IPRule
	known    bool // to documents
	priority uint32
	body     []byte
}

func newFIBRule(body []byte) (r fibRule, ok bool) {
	if len(body) < sizeofFibRuleHeader {
		return r, false
	}
	r.IPRule, r.known = takeIPRule(body)
	h := slices.Clone(body[:sizeofFibRuleHeader])
	native.PutUint32(h[8:], native.Uint32(h[8:])&^fibRuleStates)
	r.body = h
	for t, v := range attributes(body, sizeofFibRuleHeader) {
		if t == unix.FRA_PRIORITY {
			r.priority = native.Uint32(v)
			continue
		}
		if t != unix.FRA_PAD {
			r.body = append(r.body, nl.NewRtAttr(int(t), v).Serialize()...)
		}
	}
	r.body = append(r.body, nl.NewRtAttr(unix.FRA_PRIORITY, nl.Uint32Attr(r.priority)).Serialize()...) // which 0 would not be said
	return r, true
}

func (r fibRule) Len() int          { return len(r.body) }
func (r fibRule) Serialize() []byte { return r.body }

// remove takes the first rule away that has what this one has; users aside, whose numbers the kernel does not take from here.
func (r fibRule) remove(n *Netns) error {
	body := slices.Clone(r.body[:sizeofFibRuleHeader])
	for t, v := range attributes(r.body, sizeofFibRuleHeader) {
		if t != unix.FRA_UID_RANGE {
			body = append(body, nl.NewRtAttr(int(t), v).Serialize()...)
		}
	}
	return n.do(unix.RTM_DELRULE, 0, fibRule{body: body})
}

// takes says whether the kernel, asked to take this rule away, would be content with the other one: rule_find in
// net/core/fib_rules.c. It compares neither flags nor where `goto` leads.
func (r fibRule) takes(other fibRule) bool {
	for i, b := range r.body[:8] {
		if b != 0 && b != other.body[i] {
			return false
		}
	}
	has := map[uint16][]byte{}
	for t, v := range attributes(other.body, sizeofFibRuleHeader) {
		has[t] = v
	}
	for t, v := range attributes(r.body, sizeofFibRuleHeader) {
		said := t != unix.FRA_UID_RANGE && t != unix.FRA_GOTO && !(t == unix.FRA_PROTOCOL && v[0] == 0) &&
			!(t == unix.FRA_SUPPRESS_PREFIXLEN && native.Uint32(v) == 0xffffffff)
		if said && !bytes.Equal(v, has[t]) {
			return false
		}
	}
	return true
}
