package document

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"vethlab/labengine"
)

// saved is what a file keeps of a lab, by node.
type saved struct {
	nodes      []labengine.Node
	labels     map[labengine.ID]string
	interfaces map[labengine.ID]labengine.Interface // with names that can be said
	cables     []labengine.Cable
}

func savedOf(lab labengine.Lab) saved {
	s := saved{labels: map[labengine.ID]string{}, interfaces: map[labengine.ID]labengine.Interface{}}
	called := map[string]int{}
	for _, n := range lab.NodesInOrder() {
		machine, inMachine := lab.Nodes[n.In]
		known := n.Kind == labengine.Machine && n.In == "" || n.Kind == labengine.Namespace && inMachine && machine.Held == ""
		if known && n.Held == "" && labengine.CheckNodeName(n.Kind, n.Name) == nil {
			s.nodes = append(s.nodes, n)
			called[n.Name]++
		}
	}
	for _, n := range s.nodes {
		s.labels[n.ID] = n.Name
		if called[n.Name] > 1 && n.In != "" {
			s.labels[n.ID] = lab.Nodes[n.In].Name + "/" + n.Name
		}
	}
	for id, i := range lab.Interfaces {
		if _, ok := s.labels[i.Node]; ok && i.Saved() && labengine.CheckInterfaceName(i.Name) == nil {
			s.interfaces[id] = i
		}
	}
	for _, c := range lab.CablesInOrder() {
		_, a := s.interfaces[c.Ends[0]]
		_, b := s.interfaces[c.Ends[1]]
		if a && b {
			s.cables = append(s.cables, c)
		}
	}
	return s
}

// write is the text of a lab: the same for labs that are the same.
func write(lab labengine.Lab) []byte {
	s := savedOf(lab)
	var b bytes.Buffer
	fmt.Fprintf(&b, "vethlab: %s\n", Version)
	if name := strings.TrimSpace(strings.ToValidUTF8(lab.Name, "\ufffd")); name != "" && name != Unnamed {
		fmt.Fprintf(&b, "name: %s\n", quoted(name, isTitle))
	}
	if lab.Quiet {
		b.WriteString("quiet: true\n")
	}
	s.writeNodes(&b, lab)
	s.writeCables(&b, lab)
	s.writePlaces(&b, lab)
	return b.Bytes()
}

// maxAligned is the width up to which the names of nodes are written in a column, in characters.
const maxAligned = 24

func (s saved) writeNodes(b *bytes.Buffer, lab labengine.Lab) {
	if len(s.nodes) == 0 {
		b.WriteString("nodes: []\n")
		return
	}
	b.WriteString("nodes:\n")
	width := 0
	for _, n := range s.nodes {
		if w := utf8.RuneCountInString(quoted(n.Name, isWord)); w <= maxAligned {
			width = max(width, w)
		}
	}
	for _, n := range s.nodes {
		fmt.Fprintf(b, "  - {name: %-*s kind: %s", width+1, quoted(n.Name, isWord)+",", n.Kind)
		if n.In != "" {
			fmt.Fprintf(b, ", in: %s", quoted(lab.Nodes[n.In].Name, isWord))
		}
		if lo := s.loopback(n, lab); lo != "" {
			fmt.Fprintf(b, ", interfaces: {lo: {%s}}", lo)
		}
		b.WriteString("}\n")
	}
}

// loopback is what a node's lo has that a fresh node's has not.
func (s saved) loopback(n labengine.Node, lab labengine.Lab) string {
	lo, ok := lab.Interfaces[labengine.LoopbackID(n.ID)]
	if !ok {
		return ""
	}
	var parts []string
	if lo.Up != (n.Kind == labengine.Machine) {
		parts = append(parts, fmt.Sprintf("up: %t", lo.Up))
	}
	if lo.MTU != labengine.DefaultMTU(labengine.Loopback) && labengine.CheckMTU(lo.MTU) == nil {
		parts = append(parts, fmt.Sprintf("mtu: %d", lo.MTU))
	}
	if addresses := sayable(lo.Addresses); len(addresses) > 0 {
		for i, a := range addresses {
			addresses[i] = quoted(a, isEnd)
		}
		parts = append(parts, "addresses: ["+strings.Join(addresses, ", ")+"]")
	}
	return strings.Join(parts, ", ")
}

func (s saved) writeCables(b *bytes.Buffer, lab labengine.Lab) {
	if len(s.cables) > 0 {
		b.WriteString("cables:\n")
	}
	for _, c := range s.cables {
		ends := [2]labengine.Interface{s.interfaces[c.Ends[0]], s.interfaces[c.Ends[1]]}
		shared := ends[0].MTU == ends[1].MTU
		var text [2]string
		for i, end := range ends {
			text[i] = quoted(s.end(end, lab, !shared), isEnd)
		}
		pair := "[" + text[0] + ", " + text[1] + "]"
		if mtu := ends[0].MTU; shared && statesMTU(mtu) {
			fmt.Fprintf(b, "  - {ends: %s, mtu: %d}\n", pair, mtu)
		} else {
			fmt.Fprintf(b, "  - %s\n", pair)
		}
	}
}

// end is the text of a cable's end.
func (s saved) end(i labengine.Interface, lab labengine.Lab, withMTU bool) string {
	parts := []string{s.labels[i.Node] + ":" + i.Name}
	parts = append(parts, sayable(i.Addresses)...)
	if withMTU && statesMTU(i.MTU) {
		parts = append(parts, "mtu", strconv.Itoa(i.MTU))
	}
	if mac, err := labengine.CanonicalMAC(i.MAC); err == nil && mac != lab.MACFor(i.Node, i.Name) {
		parts = append(parts, "mac", mac)
	}
	if !i.Up {
		parts = append(parts, "down")
	}
	return strings.Join(parts, " ")
}

// statesMTU says whether a cable's MTU is worth a word, and would be read.
func statesMTU(mtu int) bool {
	return mtu != labengine.DefaultMTU(labengine.Veth) && labengine.CheckMTU(mtu) == nil
}

// sayable is the addresses as a file has them.
func sayable(addresses []string) []string {
	var said []string
	for _, a := range addresses {
		if a, err := labengine.CanonicalAddress(a); err == nil && !slices.Contains(said, a) {
			said = append(said, a)
		}
	}
	return said
}

func (s saved) writePlaces(b *bytes.Buffer, lab labengine.Lab) {
	first := true
	for _, n := range s.nodes {
		p, ok := lab.Places[n.ID]
		if !ok || !(math.Abs(p.X) <= maxPlace && math.Abs(p.Y) <= maxPlace) {
			continue
		}
		if first {
			b.WriteString("canvas:\n  positions:\n")
			first = false
		}
		fmt.Fprintf(b, "    %s: [%s, %s]\n", quoted(s.labels[n.ID], isWord), pixels(p.X), pixels(p.Y))
	}
}

// pixels is a coordinate to a hundredth of a pixel.
func pixels(x float64) string {
	x = cmp.Or(math.Round(x*100)/100, 0) // and no -0
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// quoted is text as YAML, in double quotes unless it is plain in the sense of the function and no word of YAML's own.
func quoted(text string, plain func(string) bool) string {
	switch strings.ToLower(text) {
	case "", "true", "false", "yes", "no", "on", "off", "null", "y", "n":
	default:
		if plain(text) {
			return text
		}
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// isWord says that a name is plain text anywhere in YAML.
func isWord(text string) bool {
	return only(text, func(r rune) bool { return isLetter(r) || r >= '0' && r <= '9' || strings.ContainsRune("_-./", r) })
}

// isEnd says the same of an end of a cable or an address. More than one colon, as in IPv6, is not plain for everyone who
// reads YAML.
func isEnd(text string) bool {
	return strings.Count(text, ":") <= 1 && !strings.HasSuffix(text, ":") && only(strings.Replace(text, ":", "_", 1), func(r rune) bool {
		return isLetter(r) || r >= '0' && r <= '9' || strings.ContainsRune("_-./ ", r)
	}) || isIPv4(text)
}

// isIPv4 says that an address in CIDR notation is one of IPv4, which is plain though it begins with a digit.
func isIPv4(text string) bool {
	return strings.Count(text, ".") == 3 && strings.Trim(text, "0123456789./") == ""
}

// isTitle says that a line is plain text as the value of a key.
func isTitle(text string) bool {
	return !strings.HasSuffix(text, " ") && only(text, func(r rune) bool {
		return unicode.IsLetter(r) || r >= '0' && r <= '9' || strings.ContainsRune("_-./ ,()'+", r)
	})
}

// only says that text begins with a letter and has nothing but such characters.
func only(text string, such func(rune) bool) bool {
	first, _ := utf8.DecodeRuneInString(text)
	return isLetter(first) && strings.IndexFunc(text, func(r rune) bool { return !such(r) }) < 0
}
