package labengine

import (
	"slices"
	"strconv"
	"strings"
)

// SwitchPort is what a port of an Open vSwitch bridge does with VLANs: the columns of the same names of table Port,
// ovs-vswitchd.conf.db(5).
type SwitchPort struct {
	Tag    int    // 0..4094: of frames that come without one; -1 is none
	Trunks []int  // 0..4094, ascending: those that it lets through; none is all
	Mode   string // one of [VLANModes]; "" is "access" with a tag, and "trunk" without
}

// VLANModes are the values of vlan_mode.
var VLANModes = []string{"access", "trunk", "native-tagged", "native-untagged", "dot1q-tunnel"}

// SwitchPortWords are the words of a port's text, each followed by its value.
var SwitchPortWords = []string{"tag", "trunks", "vlan_mode"}

// ParseSwitchPort reads "tag 10", "trunks 10,20", "vlan_mode native-untagged tag 10". The problem is a "bad-value".
func ParseSwitchPort(text string) (SwitchPort, error) {
	port := SwitchPort{Tag: -1}
	bad := func(hint, format string, args ...any) (SwitchPort, error) {
		return SwitchPort{Tag: -1}, Problemf(CodeBadValue, format, args...).About("", "port").WithHint(hint)
	}
	vlan := func(word string) (int, bool) {
		n, err := strconv.Atoi(word)
		return n, err == nil && n >= 0 && n <= maxVLAN
	}
	words := strings.Fields(text)
	seen := map[string]bool{}
	for at := 0; at < len(words); at += 2 {
		word := words[at]
		switch {
		case !slices.Contains(SwitchPortWords, word):
			return bad("write it as `tag 10` or `trunks 10,20`", "a port of an OVS bridge has no %s", shown(word))
		case seen[word]:
			return bad("remove one of them", "`%s` is there twice", word)
		case at+1 == len(words):
			return bad("", "`%s` is followed by its value", word)
		}
		seen[word] = true
		value, ok := words[at+1], false
		switch word {
		case "tag":
			if port.Tag, ok = vlan(value); !ok {
				return bad("", "`tag` is a VLAN's number from 0 to %d; this is %s", maxVLAN, shown(value))
			}
		case "trunks":
			for part := range strings.SplitSeq(value, ",") {
				n, ok := vlan(part)
				if !ok {
					return bad("write it as trunks 10,20", "`trunks` are VLANs' numbers from 0 to %d with commas between; this is %s", maxVLAN, shown(value))
				}
				port.Trunks = append(port.Trunks, n)
			}
			slices.Sort(port.Trunks)
			port.Trunks = slices.Compact(port.Trunks)
		default:
			if port.Mode = value; !slices.Contains(VLANModes, value) {
				return bad("", "`vlan_mode` is %s; this is %s", strings.Join(VLANModes, " or "), shown(value))
			}
		}
	}
	return port, nil
}

// String is the port's text, "" for one that lets everything through.
func (p SwitchPort) String() string {
	var words []string
	for _, column := range SwitchPortWords {
		if v := p.Column(column); v != "" {
			words = append(words, column, v)
		}
	}
	return strings.Join(words, " ")
}

// Column is the value of a column as ovs-vsctl(8) takes it; "" is none.
func (p SwitchPort) Column(name string) string {
	switch name {
	case "tag":
		if p.Tag >= 0 {
			return strconv.Itoa(p.Tag)
		}
		return ""
	case "trunks":
		var list []string
		for _, n := range p.Trunks {
			list = append(list, strconv.Itoa(n))
		}
		return strings.Join(list, ",")
	}
	return p.Mode
}

// CanonicalSwitchPort checks a port's text and writes it in one way. The problem is a "bad-value".
func CanonicalSwitchPort(text string) (string, error) {
	port, err := ParseSwitchPort(text)
	return port.String(), err
}

// HasPorts says whether interfaces of this kind are switches.
func HasPorts(kind string) bool { return kind == Bridge || kind == OVS }
