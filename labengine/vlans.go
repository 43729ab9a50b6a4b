package labengine

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// PortVLAN is a VLAN, or several with the same rules, of a bridge's port or of the bridge itself, as bridge(8) has it.
type PortVLAN struct {
	First, Last int  // VLAN ids, 1..4094: 0 is no VLAN and 4095 is reserved, IEEE 802.1Q
	PVID        bool // frames without a tag that come in are of it
	Untagged    bool // its frames leave without a tag
}

// noVLANs says that a port is in no VLAN, not even in that which it would be in by itself.
const noVLANs = "vid none"

const maxVLAN = 4094

// ParseVLANs reads VLANs as bridge(8) takes them: "vid 10 pvid untagged vid 20 vid 30-40", or shorter with commas, "10 pvid
// untagged, 20, 30-40". "none" is none at all. They come sorted, and neighbours with the same rules as one range. The problem
// is a "bad-value".
func ParseVLANs(text string) ([]PortVLAN, error) {
	bad := func(format string, args ...any) ([]PortVLAN, error) {
		return nil, Problemf(CodeBadValue, format, args...).About("", "vlans").WithHint("write them as vid 10 pvid untagged vid 20 vid 30-40")
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return isSpace(r) || r == ',' })
	if strings.TrimPrefix(strings.Join(words, " "), "vid ") == "none" {
		return nil, nil
	}
	var list []PortVLAN
	for at := 0; at < len(words); {
		if words[at] == "vid" {
			at++
		}
		if at == len(words) {
			return bad("`vid` is followed by a VLAN's number")
		}
		first, last, isRange := strings.Cut(words[at], "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, lastErr := strconv.Atoi(last)
		if err != nil || lastErr != nil || from < 1 || to > maxVLAN || from > to {
			return bad("a VLAN id is a number from 1 to %d, or two with a dash between; this is %s", maxVLAN, shown(words[at]))
		}
		v := PortVLAN{First: from, Last: to}
		for at++; at < len(words) && (words[at] == "pvid" || words[at] == "untagged"); at++ {
			v.PVID, v.Untagged = v.PVID || words[at] == "pvid", v.Untagged || words[at] == "untagged"
		}
		if v.PVID && isRange {
			return bad("one VLAN is the pvid; this is %s", shown(first+"-"+last))
		}
		list = append(list, v)
	}
	if len(list) == 0 {
		return bad("no VLAN is said; `none` says that there is none")
	}
	slices.SortStableFunc(list, func(a, b PortVLAN) int { return cmp.Compare(a.First, b.First) })
	pvids := 0
	for i, v := range list {
		if i > 0 && v.First <= list[i-1].Last {
			return bad("VLAN %d is there twice", v.First)
		}
		if v.PVID {
			pvids++
		}
	}
	if pvids > 1 {
		return bad("a port has one pvid; there are %d", pvids)
	}
	return joinVLANs(list), nil
}

// joinVLANs makes one range of neighbours with the same rules.
func joinVLANs(list []PortVLAN) []PortVLAN {
	var joined []PortVLAN
	for _, v := range list {
		if n := len(joined); n > 0 && !v.PVID && joined[n-1].Last+1 == v.First && !joined[n-1].PVID && joined[n-1].Untagged == v.Untagged {
			joined[n-1].Last = v.Last
			continue
		}
		joined = append(joined, v)
	}
	return joined
}

// WriteVLANs is VLANs as bridge(8) takes them.
func WriteVLANs(list []PortVLAN) string {
	if len(list) == 0 {
		return noVLANs
	}
	var words []string
	for _, v := range list {
		words = append(words, v.String())
	}
	return strings.Join(words, " ")
}

// String is the VLAN as bridge(8) takes it.
func (v PortVLAN) String() string {
	text := "vid " + strconv.Itoa(v.First)
	if v.Last > v.First {
		text += "-" + strconv.Itoa(v.Last)
	}
	if v.PVID {
		text += " pvid"
	}
	if v.Untagged {
		text += " untagged"
	}
	return text
}

// CanonicalVLANs checks VLANs and writes them in one way; "" is what a port is in by itself. The problem is a "bad-value".
func CanonicalVLANs(text string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", nil
	}
	list, err := ParseVLANs(text)
	if err != nil {
		return "", err
	}
	return WriteVLANs(list), nil
}

// DefaultVLANs are those that a bridge puts its ports and itself into, its vlan_default_pvid being so; 0 is none.
func DefaultVLANs(pvid int) []PortVLAN {
	if pvid == 0 {
		return nil
	}
	return []PortVLAN{{First: pvid, Last: pvid, PVID: true, Untagged: true}}
}

// VLANsIn are an interface's VLANs where it is a port of this bridge, or the bridge itself.
func (i Interface) VLANsIn(bridge Interface) []PortVLAN {
	if list, err := ParseVLANs(i.VLANs); err == nil && i.VLANs != "" {
		return list
	}
	pvid := 1
	if options, err := ParseOptions(Bridge, bridge.Options); err == nil && options["vlan_default_pvid"] != "" {
		pvid, _ = strconv.Atoi(options["vlan_default_pvid"]) // a number, by now
	}
	return DefaultVLANs(pvid)
}

// ChangeVLANs says which VLANs have to be added, or given other rules, and which taken away, to make have into want.
func ChangeVLANs(have, want []PortVLAN) (add, remove []PortVLAN) {
	single := func(list []PortVLAN) map[int]PortVLAN {
		each := map[int]PortVLAN{}
		for _, v := range list {
			for id := v.First; id <= v.Last; id++ {
				each[id] = PortVLAN{First: id, Last: id, PVID: v.PVID, Untagged: v.Untagged}
			}
		}
		return each
	}
	had, has := single(have), single(want)
	for id := 1; id <= maxVLAN; id++ {
		was, before := had[id]
		is, after := has[id]
		switch {
		case after && (!before || was != is):
			add = append(add, is)
		case before && !after:
			remove = append(remove, was)
		}
	}
	return joinVLANs(add), joinVLANs(remove)
}

// checkVLANs refuses VLANs of what can be in none, and writes them in one way. It is for an interface whose master is known.
func (l *draft) checkVLANs(i *Interface) error {
	var err error
	if i.VLANs, err = CanonicalVLANs(i.VLANs); err != nil {
		return about(err, i.ID)
	}
	if i.VLANs != "" && i.Kind != Bridge && l.Interfaces[i.Master].Kind != Bridge {
		return Problemf(CodeBadRequest, "`%s` is no port of a bridge: only those, and bridges, are in VLANs like these", i.Name).
			About(i.ID, "vlans").WithHint("make it a port first, or put an interface of kind vlan on it")
	}
	return nil
}
