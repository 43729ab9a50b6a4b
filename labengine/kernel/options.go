package kernel

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// optionAttr is the attribute of IFLA_INFO_DATA that an option is, and how it is encoded.
type optionAttr struct {
	attr  uint16
	attr6 uint16 // of an IPv6 address
	width int    // bytes of a number: 1, 2, 4; 0 is an address
	big   bool   // network byte order
	words map[string]uint64
}

// optionAttrs are the attributes by kind of link and by the option's name in ip-link(8), uapi/linux/if_link.h.
var optionAttrs = map[string]map[string]optionAttr{
	labengine.Bridge: {
		"stp_state":         {attr: nl.IFLA_BR_STP_STATE, width: 4},
		"forward_delay":     {attr: nl.IFLA_BR_FORWARD_DELAY, width: 4},
		"ageing_time":       {attr: nl.IFLA_BR_AGEING_TIME, width: 4},
		"priority":          {attr: nl.IFLA_BR_PRIORITY, width: 2},
		"mcast_snooping":    {attr: nl.IFLA_BR_MCAST_SNOOPING, width: 1},
		"vlan_filtering":    {attr: nl.IFLA_BR_VLAN_FILTERING, width: 1},
		"vlan_default_pvid": {attr: nl.IFLA_BR_VLAN_DEFAULT_PVID, width: 2},
	},
	labengine.VLAN: {
		"protocol": {attr: nl.IFLA_VLAN_PROTOCOL, width: 2, big: true, words: map[string]uint64{
			"802.1Q": unix.ETH_P_8021Q, "802.1ad": unix.ETH_P_8021AD,
		}},
		"id": {attr: nl.IFLA_VLAN_ID, width: 2},
	},
	labengine.VXLAN: {
		"id":      {attr: nl.IFLA_VXLAN_ID, width: 4},
		"remote":  {attr: nl.IFLA_VXLAN_GROUP, attr6: nl.IFLA_VXLAN_GROUP6},
		"local":   {attr: nl.IFLA_VXLAN_LOCAL, attr6: nl.IFLA_VXLAN_LOCAL6},
		"dstport": {attr: nl.IFLA_VXLAN_PORT, width: 2, big: true},
		"ttl":     {attr: nl.IFLA_VXLAN_TTL, width: 1},
	},
	labengine.Tun: { // IFLA_TUN_* of uapi/linux/if_link.h; they are only read
		"mode": {attr: 3, width: 1, words: map[string]uint64{"tun": 1, "tap": 2}}, // IFF_TUN, IFF_TAP
		"pi":   {attr: 4, width: 1}, "vnet_hdr": {attr: 5, width: 1}, "multi_queue": {attr: 7, width: 1},
	},
	labengine.MACVLAN: {
		"mode": {attr: nl.IFLA_MACVLAN_MODE, width: 4, words: map[string]uint64{
			"private": 1, "vepa": 2, "bridge": 4, "passthru": 8, "source": 16, // MACVLAN_MODE_*
		}},
	},
}

// vxlanFlags are what makes a vxlan another one than the document has words for, as ip-link(8) says it.
var vxlanFlags = map[uint16]struct {
	value byte
	text  string
}{
	nl.IFLA_VXLAN_LEARNING:  {0, "nolearning"},
	nl.IFLA_VXLAN_FLOWBASED: {1, "external"},
	nl.IFLA_VXLAN_PROXY:     {1, "proxy"},
	nl.IFLA_VXLAN_RSC:       {1, "rsc"},
	nl.IFLA_VXLAN_L2MISS:    {1, "l2miss"},
	nl.IFLA_VXLAN_L3MISS:    {1, "l3miss"},
}

func (o optionAttr) encode(value string) *nl.RtAttr {
	if o.width == 0 {
		address, err := netip.ParseAddr(value)
		if err != nil {
			return nil // "any"
		}
		if address.Is6() {
			return nl.NewRtAttr(int(o.attr6), address.AsSlice())
		}
		return nl.NewRtAttr(int(o.attr), address.AsSlice())
	}
	n, ok := o.words[value]
	if !ok {
		n, _ = strconv.ParseUint(value, 10, 32)
	}
	data := make([]byte, o.width)
	for i := range data {
		shift := 8 * i
		if o.big {
			shift = 8 * (o.width - 1 - i)
		}
		data[i] = byte(n >> shift)
	}
	return nl.NewRtAttr(int(o.attr), data)
}

func (o optionAttr) decode(data []byte) string {
	if o.width == 0 {
		address, _ := netip.AddrFromSlice(data)
		return address.String()
	}
	var n uint64
	for i, b := range data {
		if o.big {
			n = n<<8 | uint64(b)
		} else {
			n |= uint64(b) << (8 * i)
		}
	}
	for word, number := range o.words {
		if number == n {
			return word
		}
	}
	return strconv.FormatUint(n, 10)
}

// linkInfo is IFLA_LINKINFO for a kind with these options.
func linkInfo(kind string, options map[string]string, more ...*nl.RtAttr) *nl.RtAttr {
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(kind))
	if len(options)+len(more) > 0 {
		data := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
		for name, value := range options {
			if attr := optionAttrs[kind][name].encode(value); attr != nil {
				data.AddChild(attr)
			}
		}
		for _, attr := range more {
			data.AddChild(attr)
		}
	}
	return info
}

// takeInfo reads IFLA_LINKINFO: the kind, and its options where the document has words for them. was is what is known of the
// link, if anything is.
func (l *Link) takeInfo(info []byte, was *Link) {
	var data []byte
	topologyChanges := false
	for t, v := range attributes(info, 0) {
		switch t {
		case nl.IFLA_INFO_KIND:
			l.Kind = text(v)
		case nl.IFLA_INFO_DATA:
			data = v
		}
	}
	attrs, known := optionAttrs[l.Kind]
	if !known {
		return
	}
	values := map[string]string{}
	var unsaid []string
	for t, v := range attributes(data, 0) {
		if word, ok := vxlanFlags[t]; ok && l.Kind == labengine.VXLAN && len(v) == 1 && v[0] == word.value {
			unsaid = append(unsaid, word.text)
		}
		for name, o := range attrs {
			if t == o.attr && (o.width == 0 || len(v) == o.width) || o.attr6 != 0 && t == o.attr6 {
				values[name] = o.decode(v)
			}
		}
		if l.Kind == labengine.Bridge && t == nl.IFLA_BR_VLAN_DEFAULT_PVID && len(v) == 2 {
			l.pvid = int(native.Uint16(v))
		}
		if l.Kind == labengine.Bridge && t == nl.IFLA_BR_TOPOLOGY_CHANGE && len(v) == 1 {
			topologyChanges = v[0] != 0
		}
		if l.Kind == labengine.VXLAN && t == nl.IFLA_VXLAN_LINK && len(v) == 4 {
			l.Peer = int(native.Uint32(v)) // IFLA_LINK, where there is one, says the same
		}
	}
	if topologyChanges {
		l.agesAsSet(values, was)
	}
	l.Options = labengine.WriteOptions(l.Kind, values)
	if _, err := labengine.ParseOptions(l.Kind, l.Options); err != nil {
		unsaid = append(unsaid, l.Options)
	}
	if len(unsaid) > 0 { // the document has no word for such a link
		l.Kind, l.Options = l.Kind+" "+strings.Join(unsaid, " "), ""
	}
}

// agesAsSet puts back the ageing_time that a bridge was given: for a while after STP has seen the topology change, the bridge
// forgets sooner, and that time is all that the kernel tells of: __br_set_topology_change in net/bridge/br_stp.c.
func (l *Link) agesAsSet(values map[string]string, was *Link) {
	delay, err := strconv.Atoi(values["forward_delay"])
	if err != nil || values["ageing_time"] != strconv.Itoa(2*delay) {
		return
	}
	delete(values, "ageing_time")
	if was == nil {
		return
	}
	if set, err := labengine.ParseOptions(l.Kind, was.Options); err == nil && set["ageing_time"] != "" {
		values["ageing_time"] = set["ageing_time"]
	}
}
