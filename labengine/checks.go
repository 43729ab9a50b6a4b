package labengine

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// checkNewID refuses an ID that something has, and one that could be read as a path or fill a log.
func (l *draft) checkNewID(id ID) error {
	if id == "" || len(id) > 120 || strings.ContainsFunc(string(id), func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Problemf(CodeBadRequest, "%q cannot be an id: 1 to 120 characters without spaces", id)
	}
	_, node := l.Nodes[id]
	_, iface := l.Interfaces[id]
	_, cable := l.Cables[id]
	if node || iface || cable {
		return Problemf(CodeExists, "the lab has something with id %s already", id).About(id, "id")
	}
	return nil
}

// checkIsMachine refuses a place for a node of the kind that is no machine.
func (l *draft) checkIsMachine(id ID, kind Kind) error {
	n, ok := l.Nodes[id]
	switch {
	case id == "":
		return Problemf(CodeBadRequest, "a %s is in a machine; this one names none", kind).WithHint("drop it into a machine's box")
	case !ok:
		return goneNode(id)
	case n.Kind != Machine:
		return Problemf(CodeBadRequest, "`%s` is a %s; a %s is in a machine", n.Name, n.Kind, kind).About(id, "in")
	}
	return nil
}

func (l *draft) checkNodeName(n Node) error {
	if err := CheckNodeName(n.Kind, n.Name); err != nil {
		return about(err, n.ID)
	}
	if other, ok := l.nodeNamedOther(n); ok {
		where := "the lab"
		if n.In != "" {
			where = l.Nodes[n.In].Name
		}
		return Problemf(CodeExists, "%s already has a %s `%s`", where, other.Kind, n.Name).About(n.ID, "name").
			WithHint("`" + l.freeNodeName(n) + "` is free")
	}
	return nil
}

func (l *draft) nodeNamedOther(n Node) (Node, bool) {
	id, ok := l.index().nodes[nodeName{n.In, n.Name}]
	return l.Nodes[id], ok && id != n.ID
}

func (l *draft) freeNodeName(n Node) string {
	for count := 2; ; count++ {
		name := fmt.Sprintf("%s-%d", n.Name, count)
		if _, taken := l.NodeNamed(n.In, name); !taken {
			return name
		}
	}
}

func (l *draft) checkInterfaceName(i Interface) error {
	if err := CheckInterfaceName(i.Name); err != nil {
		return about(err, i.ID)
	}
	if l.Nodes[i.Node].Kind == Internet && i.Name == UplinkName {
		return Problemf(CodeBadName, "`%s` is what leads from here into the world; nothing else is called so", i.Name).About(i.ID, "name")
	}
	if id, ok := l.index().interfaces[interfaceName{i.Node, i.Name}]; ok && id != i.ID {
		return Problemf(CodeExists, "%s already has an interface `%s`", l.Label(i.Node), i.Name).About(i.ID, "name").
			WithHint("`" + l.freeInterfaceName(i) + "` is free")
	}
	return nil
}

func (l *draft) freeInterfaceName(i Interface) string {
	for count := 2; ; count++ {
		suffix := fmt.Sprint(count)
		name := cut(i.Name, maxInterfaceName-len(suffix)) + suffix
		if _, taken := l.InterfaceNamed(i.Node, name); !taken {
			return name
		}
	}
}

// cut is a name's first letters, in so many bytes at most.
func cut(name string, bytes int) string {
	if len(name) <= bytes {
		return name
	}
	for bytes > 0 && !utf8.RuneStart(name[bytes]) {
		bytes--
	}
	return name[:bytes]
}

func goneNode(id ID) error {
	return Problemf(CodeNoSuchNode, "this node is gone").About(id, "")
}

// about says which object a problem of a value is about.
func about(err error, on ID) error {
	if p, ok := err.(*Problem); ok && p.On == "" {
		p.On = on
	}
	return err
}
