package labengine

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxInterfaceName is IFNAMSIZ-1 in uapi/linux/if.h: 15 bytes and a final zero.
const maxInterfaceName = 15

// CheckInterfaceName refuses what the kernel's dev_valid_name (net/core/dev.c) and the names of sysctl folders refuse.
// The problem is a "bad-name".
func CheckInterfaceName(name string) error {
	bad := func(format string, args ...any) error {
		return Problemf(CodeBadName, format, args...).About("", "name")
	}
	switch {
	case name == "":
		return bad("an interface needs a name")
	case len(name) > maxInterfaceName:
		return bad("%s is %d bytes; the kernel allows %d (IFNAMSIZ)", shown(name), len(name), maxInterfaceName)
	case name == "." || name == "..":
		return bad("%s cannot name an interface", shown(name))
	case name == "all" || name == "default":
		return bad("%s is taken: the kernel keeps a sysctl folder of that name", shown(name))
	}
	for _, r := range name {
		switch {
		case r == '/' || r == ':':
			return bad("%s contains %q, which the kernel does not allow in an interface's name", shown(name), r)
		case r == '%':
			return bad("%s contains %%, which the kernel takes as a pattern for counting up", shown(name))
		case isSpace(r):
			return bad("%s contains a space, which the kernel does not allow in an interface's name", shown(name))
		case strings.IndexByte(string(r), noBreakSpace) >= 0:
			return bad("%s contains %q, one of whose bytes (0xa0) the kernel takes for a space", shown(name), r)
		case r < 0x20 || r == 0x7f || r == 0xfffd:
			return bad("%s contains a character that cannot be typed", shown(name))
		}
	}
	return nil
}

// CheckNodeName refuses what ip-netns(8) refuses for a namespace and hostname(7) for a machine or a container. A LAN, which is
// a namespace out of everyone's reach, is called like one.
// The problem is a "bad-name".
func CheckNodeName(kind Kind, name string) error {
	host := kind == Machine || kind == Container
	bad := func(format string, args ...any) error {
		return Problemf(CodeBadName, format, args...).About("", "name")
	}
	switch {
	case name == "":
		return bad("a %s needs a name", kind)
	case strings.HasPrefix(name, "-"):
		return bad("%s starts with a dash, which commands take for an option", shown(name))
	case host && len(name) > 63:
		return bad("%s is %d bytes; a hostname's label has at most 63 (RFC 1035)", shown(name), len(name))
	case len(name) > 255:
		return bad("%s is %d bytes; a file name has at most 255 (NAME_MAX)", shown(name), len(name))
	case (name == "." || name == "..") && kind == Namespace:
		return bad("%s cannot name a namespace: /run/netns/%s is a folder", shown(name), name)
	case name == "." || name == "..":
		return bad("%s cannot name a %s", shown(name), kind)
	}
	for _, r := range name {
		switch {
		case host && !isHostname(r):
			return bad("%s contains %q; a hostname has letters, digits and dashes", shown(name), r)
		case r == '/' && kind == Namespace:
			return bad("%s contains a slash; the name is a file in /run/netns", shown(name))
		case r == '/':
			return bad("%s contains a slash, which separates a machine from what is in it", shown(name))
		case r == ':':
			return bad("%s contains a colon, which separates node and interface", shown(name))
		case unicode.IsSpace(r) || r < 0x20 || r == 0x7f || r == 0xfffd:
			return bad("%s contains a space or a character that cannot be typed", shown(name))
		}
	}
	return nil
}

// noBreakSpace is a space to the kernel's isspace (lib/ctype.c), which looks at bytes and takes them for Latin-1; as a byte
// it is part of many UTF-8 characters.
const noBreakSpace = 0xa0

func isSpace(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

// shown is a name as a message has it: in backquotes, or escaped where it could play tricks on a terminal; not endless.
func shown(name string) string {
	if r := []rune(name); len(r) > 80 {
		name = string(r[:79]) + "…"
	}
	if strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
		return strconv.Quote(name)
	}
	return "`" + name + "`"
}

func isHostname(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_'
}

// CanonicalAddress checks an interface's address and writes it as the kernel prints it: "192.168.15.1/24",
// "2001:db8::1/64". An address without a prefix length gets the full one, as ip-address(8) does.
// The problem is a "bad-address".
func CanonicalAddress(text string) (string, error) {
	bad := func(hint string, format string, args ...any) error {
		return Problemf(CodeBadAddress, format, args...).About("", "address").WithHint(hint)
	}
	const example = "write it as 192.168.15.1/24 or 2001:db8::1/64"
	text = strings.TrimSpace(text)
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		address, addrErr := netip.ParseAddr(text)
		if addrErr != nil {
			return "", bad(example, "%s is not an address", shown(text))
		}
		if address.Zone() != "" {
			return "", bad(example, "%s names a zone; an interface's address has none", shown(text))
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	switch address := prefix.Addr(); {
	case address.Is4In6():
		return "", bad(example, "%s is an IPv4 address in IPv6 clothes", shown(text))
	case address.IsMulticast():
		return "", bad("", "%s is a multicast address; an interface joins such a group, and has none as its own", shown(text))
	case address.IsUnspecified() && address.Is6():
		return "", bad("", "%s is the unspecified address", shown(text))
	}
	return prefix.String(), nil
}

// CanonicalMAC checks a hardware address and writes it as the kernel prints it. The problem is a "bad-value".
func CanonicalMAC(text string) (string, error) {
	mac, err := net.ParseMAC(strings.TrimSpace(text))
	bad := func(format string, args ...any) error {
		return Problemf(CodeBadValue, format, args...).About("", "mac").WithHint("write it as 02:00:5e:10:00:01")
	}
	switch {
	case err != nil || len(mac) != 6:
		return "", bad("%s is not a MAC address of six bytes", shown(text))
	case mac[0]&1 == 1:
		return "", bad("%s is a group address (its first byte is odd); an interface cannot have it", shown(text))
	case mac.String() == "00:00:00:00:00:00":
		return "", bad("the all-zero address cannot be an interface's")
	}
	return mac.String(), nil
}

// CheckMTU refuses what a veth refuses. bytes: 68..65535, ETH_MIN_MTU and ETH_MAX_MTU in uapi/linux/if_ether.h.
// The problem is a "bad-value".
func CheckMTU(bytes int) error {
	if bytes < 68 || bytes > 65535 {
		return Problemf(CodeBadValue, "an MTU of %d bytes is outside 68..65535", bytes).About("", "mtu")
	}
	return nil
}

// maxAlias is IFALIASZ-1 in uapi/linux/if.h, in bytes.
const maxAlias = 255

// CheckAlias refuses an alias that the kernel does not take, or that no file and no terminal shows as it is.
// The problem is a "bad-value".
func CheckAlias(alias string) error {
	bad := func(format string, args ...any) error {
		return Problemf(CodeBadValue, format, args...).About("", "alias")
	}
	switch {
	case len(alias) > maxAlias:
		return bad("the alias is %d bytes; the kernel allows %d (IFALIASZ)", len(alias), maxAlias)
	case strings.TrimSpace(alias) != alias:
		return bad("the alias begins or ends with a space")
	case !utf8.ValidString(alias) || strings.ContainsFunc(alias, unicode.IsControl):
		return bad("the alias contains a character that cannot be typed")
	}
	return nil
}

// AliasSeen is an alias that the kernel has as a document has it.
func AliasSeen(alias string) string {
	alias = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(alias, ""))
	return strings.TrimSpace(alias)
}

// DeriveMAC is the hardware address of an interface for which none was chosen: the same each time for the same machine,
// namespace ("" for the machine's own) and name, so that a namespace made again is known to its neighbours.
// It is locally administered and unicast (IEEE 802, the second-least bit of the first byte set, the least one clear).
func DeriveMAC(machine, namespace, name string) string {
	sum := sha256.Sum256([]byte(machine + "\x00" + namespace + "\x00" + name))
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", sum[0]&^1|2, sum[1], sum[2], sum[3], sum[4], sum[5])
}

// MACFor is DeriveMAC for an interface with this name in a node of the lab.
func (l Lab) MACFor(node ID, name string) string {
	n := l.Nodes[node]
	if n.In == "" {
		return DeriveMAC(n.Name, "", name)
	}
	return DeriveMAC(l.Nodes[n.In].Name, n.Name, name)
}
