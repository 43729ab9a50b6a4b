package labengine

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// LinkOption is a word of ip-link(8) that belongs to one kind of link, with the values that it takes.
type LinkOption struct {
	Name     string
	Type     OptionType
	Min, Max int      // of a number
	Words    []string // of a choice
	Default  string   // what the kernel does without the word; "" where the word is needed
	Fixed    bool     // the kernel does not change it while the link lives
}

// OptionType is what a link's option looks like.
type OptionType string

// The types of option.
const (
	NumberOption  OptionType = "number"
	ChoiceOption  OptionType = "choice"
	AddressOption OptionType = "address" // of IPv4 or IPv6
)

// linkOptions are the kinds of link that the document makes besides cables, with their options in the order in which they
// are written. Sources: ip-link(8), net/bridge/br_netlink.c, net/8021q/vlan_netlink.c, drivers/net/vxlan/vxlan_core.c,
// ip-tuntap(8), which has bare words where a tun has 1 here, and of an OVS bridge the columns of ovs-vswitchd.conf.db(5).
var linkOptions = map[string][]LinkOption{
	Dummy: {},
	OVS: {
		{Name: "stp_enable", Type: ChoiceOption, Words: []string{"true", "false"}, Default: "false"},
		{Name: "rstp_enable", Type: ChoiceOption, Words: []string{"true", "false"}, Default: "false"},
		{Name: "mcast_snooping_enable", Type: ChoiceOption, Words: []string{"true", "false"}, Default: "false"},
		{Name: "fail_mode", Type: ChoiceOption, Words: []string{"standalone", "secure"}, Default: "standalone"}, // without a controller
	},
	Bridge: {
		{Name: "stp_state", Type: NumberOption, Min: 0, Max: 1, Default: "0"},
		{Name: "forward_delay", Type: NumberOption, Min: 200, Max: 3000, Default: "1500"}, // hundredths of a second
		{Name: "ageing_time", Type: NumberOption, Min: 0, Max: 100_000_000, Default: "30000"},
		{Name: "priority", Type: NumberOption, Min: 0, Max: 65535, Default: "32768"},
		{Name: "mcast_snooping", Type: NumberOption, Min: 0, Max: 1, Default: "1"},
		{Name: "vlan_filtering", Type: NumberOption, Min: 0, Max: 1, Default: "0"},
		{Name: "vlan_default_pvid", Type: NumberOption, Min: 0, Max: 4094, Default: "1"},
	},
	VLAN: {
		{Name: "protocol", Type: ChoiceOption, Words: []string{"802.1Q", "802.1ad"}, Default: "802.1Q", Fixed: true},
		{Name: "id", Type: NumberOption, Min: 0, Max: 4094, Fixed: true},
	},
	VXLAN: {
		{Name: "id", Type: NumberOption, Min: 0, Max: 1<<24 - 1, Fixed: true},
		{Name: "remote", Type: AddressOption, Default: "any", Fixed: true},
		{Name: "local", Type: AddressOption, Default: "any", Fixed: true},
		{Name: "dstport", Type: NumberOption, Min: 1, Max: 65535, Default: "8472", Fixed: true}, // ip(8)'s and the kernel's own default
		{Name: "ttl", Type: NumberOption, Min: 0, Max: 255, Default: "0", Fixed: true},
	},
	Tun: {
		{Name: "mode", Type: ChoiceOption, Words: []string{"tun", "tap"}, Default: "tun", Fixed: true},
		{Name: "pi", Type: NumberOption, Min: 0, Max: 1, Default: "0", Fixed: true},
		{Name: "vnet_hdr", Type: NumberOption, Min: 0, Max: 1, Default: "0", Fixed: true},
		{Name: "multi_queue", Type: NumberOption, Min: 0, Max: 1, Default: "0", Fixed: true},
	},
	MACVLAN: {
		{Name: "mode", Type: ChoiceOption, Words: []string{"private", "vepa", "bridge", "passthru"}, Default: "vepa", Fixed: true},
	},
}

// LinkOptions are the options of a kind of link; false where the document does not make such links.
func LinkOptions(kind string) ([]LinkOption, bool) {
	options, ok := linkOptions[kind]
	return options, ok
}

// NeedsParent says whether links of this kind are made on top of another one.
func NeedsParent(kind string) bool { return kind == VLAN || kind == MACVLAN }

// MayHaveParent says whether links of this kind can be.
func MayHaveParent(kind string) bool { return NeedsParent(kind) || kind == VXLAN }

// ParseOptions reads a kind's options as ip-link(8) takes them, "stp_state 1 ageing_time 30000", by name. Defaults are not
// filled in. The problem is a "bad-value".
func ParseOptions(kind, text string) (map[string]string, error) {
	bad := func(hint, format string, args ...any) error {
		return Problemf(CodeBadValue, format, args...).About("", "options").WithHint(hint)
	}
	options := linkOptions[kind]
	values := map[string]string{}
	words := strings.Fields(text)
	for at := 0; at < len(words); at += 2 {
		word := words[at]
		i := slices.IndexFunc(options, func(o LinkOption) bool { return o.Name == word })
		if i < 0 {
			return nil, bad(optionNames(kind), "a %s has no option %s", kind, shown(word))
		}
		if _, twice := values[word]; twice {
			return nil, bad("remove one of them", "`%s` is there twice", word)
		}
		if at+1 == len(words) {
			return nil, bad("", "`%s` is followed by its value", word)
		}
		value, err := options[i].canonical(words[at+1])
		if err != nil {
			return nil, err
		}
		values[word] = value
	}
	for _, o := range options {
		if _, given := values[o.Name]; !given && o.Default == "" {
			return nil, bad("", "a %s needs `%s`", kind, o.Name)
		}
	}
	return values, nil
}

func optionNames(kind string) string {
	var names []string
	for _, o := range linkOptions[kind] {
		names = append(names, o.Name)
	}
	if len(names) == 0 {
		return ""
	}
	return "a " + kind + " has " + strings.Join(names, ", ")
}

func (o LinkOption) canonical(text string) (string, error) {
	bad := func(format string, args ...any) error {
		return Problemf(CodeBadValue, format, args...).About("", "options")
	}
	switch o.Type {
	case NumberOption:
		n, err := strconv.Atoi(text)
		if err != nil || n < o.Min || n > o.Max {
			return "", bad("`%s` is a number from %d to %d; this is %s", o.Name, o.Min, o.Max, shown(text))
		}
		return strconv.Itoa(n), nil
	case ChoiceOption:
		for _, w := range o.Words {
			if strings.EqualFold(w, text) {
				return w, nil
			}
		}
		return "", bad("`%s` is %s; this is %s", o.Name, strings.Join(o.Words, " or "), shown(text))
	default:
		if text == o.Default {
			return text, nil
		}
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return "", bad("`%s` is an address; this is %s", o.Name, shown(text))
		}
		return address.String(), nil
	}
}

// WriteOptions is options as ip-link(8) takes them, in a fixed order and without what the kernel does anyway.
func WriteOptions(kind string, values map[string]string) string {
	var words []string
	for _, o := range linkOptions[kind] {
		if v, ok := values[o.Name]; ok && v != o.Default {
			words = append(words, o.Name, v)
		}
	}
	return strings.Join(words, " ")
}

// groupOf is the group of machines that a vxlan sends to; false where it is one machine.
func groupOf(kind, options string) (netip.Addr, bool) {
	values, err := ParseOptions(kind, options)
	if err != nil || kind != VXLAN {
		return netip.Addr{}, false
	}
	remote, err := netip.ParseAddr(values["remote"])
	return remote, err == nil && remote.IsMulticast()
}

// CanonicalOptions checks a kind's options and writes them in one way. The problem is a "bad-value".
func CanonicalOptions(kind, text string) (string, error) {
	values, err := ParseOptions(kind, text)
	if err != nil {
		return "", err
	}
	return WriteOptions(kind, values), nil
}
