package kernel

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/plan"
)

// ipRule adds or takes away a rule of the routing policy.
func (a *applier) ipRule(at plan.Spot, text string, added bool) error {
	n, err := a.await(at.Node)
	if err != nil {
		return err
	}
	want, err := labengine.ParseIPRule(text)
	if err != nil {
		return err
	}
	rule := netlink.NewRule()
	rule.Family = unix.AF_INET
	if want.IPv6 {
		rule.Family = unix.AF_INET6
	}
	rule.Invert, rule.IifName, rule.OifName, rule.Table = want.Not, want.Iif, want.Oif, unix.RT_TABLE_MAIN
	if want.Priority != 0 {
		rule.Priority = want.Priority
	}
	if want.From != "" {
		_, rule.Src, _ = net.ParseCIDR(want.From)
	}
	if want.To != "" {
		_, rule.Dst, _ = net.ParseCIDR(want.To)
	}
	if table, err := strconv.Atoi(want.Table); err == nil {
		rule.Table = table
	}
	if want.Mark != "" {
		mark, mask, masked := strings.Cut(want.Mark, "/")
		n, _ := strconv.ParseUint(mark, 0, 32)
		rule.Mark = uint32(n)
		bits := uint32(0xffffffff)
		if masked {
			m, _ := strconv.ParseUint(mask, 0, 32)
			bits = uint32(m)
		}
		rule.Mask = &bits
	}
	for number, name := range routeTypes {
		if name == want.Action && name != "" {
			rule.Type, rule.Table = number, -1
		}
	}
	return a.w.enter.in(n.File, func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		if added {
			return h.RuleAdd(rule)
		}
		return h.RuleDel(rule)
	})
}

// The rules that each namespace has, and their tables, ip-rule(8).
var ownRules = map[uint32]uint32{0: unix.RT_TABLE_LOCAL, 32766: unix.RT_TABLE_MAIN, 32767: unix.RT_TABLE_DEFAULT}

// IPRules reads the routing policy, without the rules that each namespace has, IPv4 first.
func (n *Netns) IPRules() ([]labengine.IPRule, error) {
	var list []labengine.IPRule
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		answers, err := n.ask(unix.RTM_GETRULE, unix.NLM_F_DUMP, fibRuleHeader{family})
		if err != nil {
			return nil, fmt.Errorf("read rules: %w", err)
		}
		for _, body := range answers {
			if r, ok := takeIPRule(body); ok {
				list = append(list, r)
			}
		}
	}
	return list, nil
}

// fibRuleHeader is struct fib_rule_hdr, uapi/linux/fib_rules.h.
type fibRuleHeader struct{ family uint8 }

const sizeofFibRuleHeader = 12

func (fibRuleHeader) Len() int { return sizeofFibRuleHeader }
func (h fibRuleHeader) Serialize() []byte {
	b := make([]byte, sizeofFibRuleHeader)
	b[0] = h.family
	return b
}

// FIB_RULE_INVERT and the actions of rules, uapi/linux/fib_rules.h.
const (
	fibRuleInvert  = 0x2
	frActToTable   = 1
	frActBlackhole = 6
	frActUnreach   = 7
	frActProhibit  = 8
)

func takeIPRule(body []byte) (r labengine.IPRule, ok bool) {
	if len(body) < sizeofFibRuleHeader {
		return r, false
	}
	toBits, fromBits, table, action := body[1], body[2], uint32(body[4]), body[7]
	r.IPv6 = body[0] == unix.AF_INET6
	r.Not = native.Uint32(body[8:])&fibRuleInvert != 0
	var priority, mark, mask uint32
	for t, v := range attributes(body, sizeofFibRuleHeader) {
		switch t {
		case unix.FRA_TABLE:
			table = native.Uint32(v)
		case unix.FRA_PRIORITY:
			priority = native.Uint32(v)
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
		}
	}
	if own, is := ownRules[priority]; is && own == table {
		return r, false
	}
	switch action {
	case frActToTable:
		if table != unix.RT_TABLE_MAIN {
			r.Table = strconv.FormatUint(uint64(table), 10)
		}
	case frActBlackhole:
		r.Action = "blackhole"
	case frActUnreach:
		r.Action = "unreachable"
	case frActProhibit:
		r.Action = "prohibit"
	default:
		return r, false
	}
	if mask != 0 {
		r.Mark = fmt.Sprintf("0x%x", mark)
		if mask != 0xffffffff {
			r.Mark += fmt.Sprintf("/0x%x", mask)
		}
	}
	r.Priority = int(priority)
	r.Text = r.String()
	return r, true
}
