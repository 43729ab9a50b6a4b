package document

import (
	"slices"
	"strings"

	"vethlab/labengine"
)

// shape is what a mapping may have: the keys in the order in which they are written, and what has them, for errors.
type shape struct {
	of    string
	keys  []string
	hints map[string]string // for keys that belong elsewhere
}

// The keys of the file.
var (
	topShape       = shape{of: "a lab", keys: []string{"vethlab", "name", "quiet", "nodes", "cables", "canvas"}}
	cableShape     = shape{of: "a cable", keys: []string{"ends", "mtu"}}
	canvasShape    = shape{of: "the canvas", keys: []string{"positions"}}
	loopbackShape  = shape{of: "lo", keys: []string{"addresses", "mtu", "up", "alias"}, hints: map[string]string{"mac": "the kernel keeps lo's"}}
	interfaceShape = shape{of: "an interface", keys: []string{
		"kind", "parent", "options", "addresses", "master", "vlans", "port", "mtu", "mac", "up", "alias",
	}}
)

// The kinds of node that are interfaces to the engine: switches in a node.
const (
	bridgeKind labengine.Kind = labengine.Bridge
	ovsKind    labengine.Kind = labengine.OVS
)

func isBridge(kind labengine.Kind) bool { return labengine.HasPorts(string(kind)) }

// nodeShapes are what nodes may have, by kind.
var nodeShapes = map[labengine.Kind]shape{
	labengine.Machine: {
		of: "a machine", keys: []string{"name", "kind", "sysctls", "routes", "neighbours", "rules", "iptables", "ip6tables", "services", "interfaces"},
		hints: notAnInterface,
	},
	labengine.Namespace: {
		of:    "a namespace",
		keys:  []string{"name", "kind", "in", "sysctls", "routes", "neighbours", "rules", "iptables", "ip6tables", "services", "interfaces"},
		hints: notAnInterface,
	},
	labengine.Container: {
		of: "a container", keys: []string{
			"name", "kind", "in", "command", "sysctls", "routes", "neighbours", "rules", "iptables", "ip6tables", "services", "interfaces",
		}, hints: notAnInterface,
	},
	labengine.Internet: {of: "an internet", keys: []string{"name", "kind", "sysctls", "routes", "interfaces"}},
	bridgeKind: {
		of: "a bridge", keys: []string{"name", "kind", "in", "addresses", "options", "vlans", "mtu", "mac", "up", "alias"},
		hints: map[string]string{"routes": notABridge, "sysctls": notABridge, "interfaces": "`master: BRIDGE` makes an interface its port"},
	},
	ovsKind: {
		of: "an OVS bridge", keys: []string{"name", "kind", "in", "addresses", "options", "mtu", "mac", "up", "alias"},
		hints: map[string]string{"routes": notABridge, "sysctls": notABridge, "interfaces": "`master: BRIDGE` makes an interface its port"},
	},
	labengine.LAN: {
		of:   "a lan",
		keys: []string{"name", "kind", "addresses", "options", "vlans", "mtu", "mac", "up", "alias", "sysctls", "routes", "interfaces"},
	},
}

const (
	ofInterfaces = "its interfaces have that: at the ends of cables, or under `interfaces`"
	notABridge   = "the node that the bridge is in has that"
)

var notAnInterface = map[string]string{
	"addresses": ofInterfaces, "mtu": ofInterfaces, "mac": ofInterfaces, "up": ofInterfaces, "alias": ofInterfaces, "options": ofInterfaces,
	"master": ofInterfaces, "vlans": ofInterfaces, "parent": ofInterfaces,
}

// nodeShape is what some node may have.
var nodeShape = shape{of: "a node", keys: []string{
	"name", "kind", "in", "command", "addresses", "options", "vlans", "mtu", "mac", "up", "alias", "sysctls", "routes", "neighbours", "rules", "iptables",
	"ip6tables", "services", "interfaces",
}}

var (
	// nodeKinds are the kinds of node that a file has.
	nodeKinds = []string{
		string(labengine.Machine), string(labengine.Namespace), string(labengine.Container), string(bridgeKind),
		string(ovsKind), string(labengine.LAN), string(labengine.Internet),
	}
	// interfaceKinds are the kinds of interface that stand under a node.
	interfaceKinds = []string{labengine.Dummy, labengine.Tun, labengine.VLAN, labengine.VXLAN, labengine.MACVLAN, labengine.Bridge, labengine.OVS}
)

const (
	hintNodeKinds      = "the kinds are machine, namespace, container, bridge, ovs, lan and internet"
	hintInterfaceKinds = "the kinds are dummy, tun, vlan, vxlan, macvlan, bridge and ovs"
)

// fields reads a mapping with keys that are known, each at most once.
func (f *file) fields(v value, s shape) (map[string]value, error) {
	if v.form != mapping {
		return nil, f.expected(v, s.of+" is a mapping")
	}
	found := make(map[string]value, len(v.pairs))
	for _, p := range v.pairs {
		if !slices.Contains(s.keys, p.key.text) {
			hint, misplaced := s.hints[p.key.text]
			if !misplaced {
				hint = didYouMean(p.key.text, s)
			}
			return nil, f.problem(p.key.at, hint, "%s has no key `%s`", s.of, p.key.text)
		}
		if _, twice := found[p.key.text]; twice {
			return nil, f.problem(p.key.at, "remove one of them", "%s has `%s` twice", s.of, p.key.text)
		}
		found[p.key.text] = p.value
	}
	return found, nil
}

// didYouMean names the nearest key, or all of them.
func didYouMean(word string, s shape) string {
	if near := labengine.Nearest(strings.ToLower(word), s.keys); near != "" {
		return "did you mean " + near + "?"
	}
	if len(s.keys) == 1 {
		return s.of + " has " + s.keys[0]
	}
	return s.of + " has " + strings.Join(s.keys[:len(s.keys)-1], ", ") + " and " + s.keys[len(s.keys)-1]
}
