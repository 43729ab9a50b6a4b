package labengine

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Permanent is an entry of a node's ARP or NDP table that somebody has written: it is not asked for, and does not grow old.
type Permanent struct {
	Text string // "192.168.15.2 lladdr 02:00:00:00:00:02 dev veth-red"
	IP   string
	MAC  string
	Dev  string // the interface
}

const exampleNeighbour = "write it as 192.168.15.2 lladdr 02:00:00:00:00:02 dev eth0"

// ParseNeighbour reads a permanent entry as `ip neigh add` takes it. The problem is a "bad-value".
func ParseNeighbour(text string) (Permanent, error) {
	bad := func(hint, format string, args ...any) (Permanent, error) {
		return Permanent{}, Problemf(CodeBadValue, format, args...).About("", "neighbour").WithHint(hint)
	}
	var p Permanent
	words := strings.Fields(text)
	for at := 0; at < len(words); at++ {
		word := words[at]
		switch {
		case word == "to" && at+1 < len(words):
			continue
		case !slices.Contains([]string{"lladdr", "dev", "nud"}, word):
			ip, err := netip.ParseAddr(word)
			if err != nil || ip.Zone() != "" || ip.IsMulticast() || ip.IsUnspecified() || ip.Is4In6() {
				return bad(exampleNeighbour, "%s is no address of a neighbour", shown(word))
			}
			if p.IP != "" {
				return bad("one entry, one address", "`%s` is a second address", word)
			}
			p.IP = ip.String()
			continue
		case at+1 == len(words):
			return bad("", "`%s` is followed by its value", word)
		}
		at++
		switch value := words[at]; word {
		case "lladdr":
			mac, err := CanonicalMAC(value)
			if err != nil {
				return Permanent{}, err
			}
			p.MAC = mac
		case "dev":
			if err := CheckInterfaceName(value); err != nil {
				return Permanent{}, err
			}
			p.Dev = value
		case "nud":
			if value != "permanent" {
				return bad("other entries come and go by themselves", "an entry that a lab keeps is permanent; this is %s", shown(value))
			}
		}
	}
	switch {
	case p.IP == "":
		return bad(exampleNeighbour, "an entry begins with an address")
	case p.MAC == "":
		return bad(exampleNeighbour, "`%s` has no `lladdr`", p.IP)
	case p.Dev == "":
		return bad(exampleNeighbour, "`%s` has no `dev`", p.IP)
	}
	p.Text = p.String()
	return p, nil
}

// String is the entry as ip-neighbour(8) takes it.
func (p Permanent) String() string { return p.IP + " lladdr " + p.MAC + " dev " + p.Dev }

// permanentIn are the entries of a list that can be read.
func permanentIn(texts []string) []Permanent {
	var list []Permanent
	for _, text := range texts {
		if p, err := ParseNeighbour(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// NeighboursSeen are the permanent entries that a node has, in the order in which they are written; others follow by address.
func NeighboursSeen(authored []string, kernel []Neighbour) []string {
	var list []string
	for _, k := range kernel {
		if k.State == "PERMANENT" && k.MAC != "" {
			list = append(list, Permanent{IP: k.IP, MAC: k.MAC, Dev: k.Dev}.String())
		}
	}
	place := func(text string) int {
		if at := slices.Index(authored, text); at >= 0 {
			return at
		}
		return len(authored)
	}
	slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
	return list
}

// RenameInNeighbours is entries after an interface has got another name.
func RenameInNeighbours(texts []string, from, to string) []string {
	renamed := slices.Clone(texts)
	for i, text := range texts {
		if p, err := ParseNeighbour(text); err == nil && p.Dev == from {
			p.Dev = to
			renamed[i] = p.String()
		}
	}
	return renamed
}

// KeepsNeighbours says whether the kernel keeps the permanent entries of a link: it drops them with the link, when that goes
// down, and when its MAC is another. neigh_ifdown and neigh_changeaddr in net/core/neighbour.c
func KeepsNeighbours(was, is Interface) bool {
	return was.Node == is.Node && (is.Up || !was.Up) && was.MAC == is.MAC
}

// dropNeighbours takes from the nodes whose interfaces have changed the permanent entries that the kernel drops.
func (l *draft) dropNeighbours(before Lab) {
	for id, n := range l.Nodes {
		if len(n.Neighbours) == 0 {
			continue
		}
		gone := func(text string) bool {
			p, err := ParseNeighbour(text)
			is, has := l.InterfaceNamed(id, p.Dev)
			was, had := before.Interfaces[is.ID]
			return err != nil || !has || had && !KeepsNeighbours(was, is)
		}
		if left := dropped(n.Neighbours, gone); len(left) < len(n.Neighbours) {
			n.Neighbours = left
			l.setNode(n)
		}
	}
}

// dropLostNeighbours takes from nodes the entries that they do not have now and whose interface is not there.
func (l *Lab) dropLostNeighbours(now Lab) {
	for id, n := range l.Nodes {
		lost := func(text string) bool {
			p, err := ParseNeighbour(text)
			_, has := l.InterfaceNamed(id, p.Dev)
			return err != nil || !has && !slices.Contains(now.Nodes[id].Neighbours, text)
		}
		if slices.Equal(n.Neighbours, now.Nodes[id].Neighbours) {
			continue
		}
		if left := dropped(n.Neighbours, lost); len(left) < len(n.Neighbours) {
			n.Neighbours = left
			l.Nodes[id] = n
		}
	}
}

func (e *AddNeighbour) apply(l *draft) error {
	n, ok := l.Nodes[e.Node]
	if !ok {
		return goneNode(e.Node)
	}
	if n.Kind == Internet || n.Kind == LAN {
		return Problemf(CodeBadRequest, "nobody can write into the tables of %s", n.Name).About(n.ID, "neighbour")
	}
	p, err := ParseNeighbour(e.Neighbour)
	if err != nil {
		return about(err, e.Node)
	}
	for _, other := range permanentIn(n.Neighbours) {
		if other.IP == p.IP && other.Dev == p.Dev {
			return Problemf(CodeExists, "%s has an entry for %s already: `%s`", l.Label(n.ID), p.IP, other.Text).About(n.ID, "neighbour")
		}
	}
	i, ok := l.InterfaceNamed(n.ID, p.Dev)
	if !ok {
		return Problemf(CodeNoSuchInterface, "%s has no interface `%s`", l.Label(n.ID), p.Dev).About(n.ID, "neighbour")
	}
	if i.Kind == Loopback || !i.HasMAC() {
		return Problemf(CodeBadValue, "`%s` asks for no neighbours", i.Name).About(n.ID, "neighbour")
	}
	n.Neighbours = append(slices.Clone(n.Neighbours), p.Text)
	l.setNode(n)
	return nil
}

func (e *DeleteNeighbour) apply(l *draft) error {
	n, ok := l.Nodes[e.Node]
	if !ok {
		return goneNode(e.Node)
	}
	if !slices.Contains(n.Neighbours, e.Neighbour) {
		return Problemf(CodeGone, "%s has no entry `%s`", l.Label(n.ID), e.Neighbour).About(n.ID, "neighbour")
	}
	n.Neighbours = without(n.Neighbours, e.Neighbour)
	l.setNode(n)
	return nil
}
