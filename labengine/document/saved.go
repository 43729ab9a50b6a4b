package document

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"vethlab/labengine"
)

// saved is what a file keeps of a lab: everything in it is as it will be read again, but for the IDs.
type saved struct {
	labengine.Lab
	nodes   []labengine.Node
	cables  []labengine.Cable
	labels  labels
	things  []thing                                // the nodes, those that others are in first
	bridges map[labengine.ID][]labengine.Interface // that are entries of the list of nodes, by the node that they are in
	inside  map[labengine.ID][]labengine.Interface // that stand under their node
}

// savedOf leaves out what a file has no words for, and what hangs on that.
func savedOf(lab labengine.Lab) *saved {
	s := &saved{Lab: labengine.NewLab(savedName(lab.Name))}
	s.Quiet = lab.Quiet
	lab = lab.Saved()
	s.keepNodes(lab)
	s.keepInterfaces(lab)
	s.sort(nil)
	for id, p := range lab.Places {
		if t, ok := s.labels.byID[id]; !ok || t.bridge {
			if i, ok := s.Interfaces[id]; !ok || !labengine.HasPorts(i.Kind) {
				continue
			}
		}
		if math.Abs(p.X) <= maxPlace && math.Abs(p.Y) <= maxPlace {
			s.Places[id] = labengine.Place{X: toPixel(p.X), Y: toPixel(p.Y)}
		}
	}
	return s
}

func savedName(name string) string {
	name = strings.TrimSpace(strings.ToValidUTF8(name, "\ufffd"))
	return cmp.Or(name, Unnamed)
}

// toPixel is a coordinate to a hundredth of a pixel.
func toPixel(x float64) float64 { return cmp.Or(math.Round(x*100)/100, 0) } // and no -0

func (s *saved) keepNodes(lab labengine.Lab) {
	s.labels = newLabels()
	for _, namespaces := range []bool{false, true} { // what they are in comes first
		for _, n := range lab.NodesInOrder() {
			if n.Kind.IsInside() != namespaces || labengine.CheckNodeName(n.Kind, n.Name) != nil {
				continue
			}
			path := n.Name
			if namespaces {
				machine, ok := s.labels.byID[n.In]
				if !ok || machine.kind != labengine.Machine {
					continue
				}
				path = machine.path + "/" + n.Name
			} else if n.In != "" || nodeShapes[n.Kind].of == "" {
				continue
			}
			if _, taken := s.labels.byPath[path]; taken {
				continue
			}
			n.Routes, n.Sysctls = savedRoutes(n.Routes), savedSysctls(n.Sysctls)
			n = savedLists(n)
			s.Nodes[n.ID] = n
			s.things = append(s.things, thing{id: n.ID, node: n.ID, kind: n.Kind, path: path})
			s.labels.add(s.things[len(s.things)-1])
		}
	}
	s.nodes = s.NodesInOrder()
}

func savedRoutes(routes []string) []string {
	var kept []string
	for _, text := range routes {
		if r, err := labengine.ParseRoute(text); err == nil && !slices.Contains(kept, r.Text) {
			kept = append(kept, r.Text)
		}
	}
	return kept
}

func savedSysctls(sysctls []string) []string {
	var kept []string
	for _, text := range sysctls {
		name, value, err := labengine.ParseSysctl(text)
		if fresh, _ := labengine.FreshSysctl(name); err == nil && strings.ToValidUTF8(text, "") == text && fresh != value {
			kept = append(kept, name+"="+value)
		}
	}
	slices.Sort(kept)
	return slices.Compact(kept)
}

// keepInterfaces takes over the interfaces that can be said, with what they hang on.
func (s *saved) keepInterfaces(lab labengine.Lab) {
	peers := map[labengine.ID]labengine.ID{}
	for _, c := range lab.Cables {
		peers[c.Ends[0]], peers[c.Ends[1]] = c.Ends[1], c.Ends[0]
	}
	type name struct {
		node labengine.ID
		name string
	}
	taken := map[name]labengine.ID{}
	known := map[labengine.ID]bool{} // whether it is kept; false, too, while that is found out
	var keep func(id labengine.ID) bool
	sayable := func(id labengine.ID) bool {
		i, ok := lab.Interfaces[id]
		_, node := s.Nodes[i.Node]
		holder := taken[name{i.Node, i.Name}]
		return ok && node && (holder == "" || holder == id) && labengine.CheckInterfaceName(i.Name) == nil
	}
	keep = func(id labengine.ID) bool {
		if kept, seen := known[id]; seen {
			return kept
		}
		known[id] = false
		if !sayable(id) {
			return false
		}
		i := lab.Interfaces[id]
		i.Addresses = savedAddresses(i.Addresses)
		chosen := labengine.DefaultMTU(i.Kind)
		switch i.Kind {
		case labengine.Loopback:
			if id != labengine.LoopbackID(i.Node) {
				return false
			}
			i.MAC, i.Master, i.Parent, i.Options = "", "", "", ""
		case labengine.Veth:
			peer := peers[id]
			if peer == "" || peer == id || lab.Interfaces[peer].Kind != labengine.Veth || !sayable(peer) {
				return false
			}
			i.Parent, i.Options = "", ""
		default:
			options, err := labengine.CanonicalOptions(i.Kind, i.Options)
			if err != nil || labengine.NeedsParent(i.Kind) && i.Parent == "" {
				return false
			}
			if i.Options = options; i.Parent != "" {
				if !labengine.MayHaveParent(i.Kind) || !keep(i.Parent) || s.Interfaces[i.Parent].Kind == labengine.Loopback {
					return false
				}
				chosen = chosenMTU(i.Kind, s.Interfaces[i.Parent].MTU)
			}
		}
		if labengine.CheckMTU(i.MTU) != nil {
			i.MTU = chosen
		}
		if i.HasMAC() {
			mac, err := labengine.CanonicalMAC(i.MAC)
			if i.MAC = mac; err != nil {
				i.MAC = s.MACFor(i.Node, i.Name)
			}
		}
		bridge := lab.Interfaces[i.Master]
		if labengine.HasPorts(i.Kind) || !labengine.HasPorts(bridge.Kind) || bridge.Node != i.Node || !keep(i.Master) {
			i.Master = ""
		}
		if vlans, err := labengine.CanonicalVLANs(i.VLANs); err != nil || i.Kind != labengine.Bridge && (i.Master == "" || bridge.Kind != labengine.Bridge) {
			i.VLANs = ""
		} else {
			i.VLANs = vlans
		}
		if port, err := labengine.CanonicalSwitchPort(i.Port); err != nil || i.Master == "" || bridge.Kind != labengine.OVS {
			i.Port = ""
		} else {
			i.Port = port
		}
		s.Interfaces[id], known[id], taken[name{i.Node, i.Name}] = i, true, id
		return true
	}
	byNode := interfacesByNode(lab)
	for _, n := range s.nodes { // in an order that is always the same
		for _, i := range byNode[n.ID] {
			keep(i.ID)
		}
	}
	for _, c := range lab.CablesInOrder() {
		if known[c.Ends[0]] && known[c.Ends[1]] {
			s.Cables[c.ID] = c
			s.cables = append(s.cables, c)
		}
	}
}

// interfacesByNode lists the interfaces of each node by name.
func interfacesByNode(lab labengine.Lab) map[labengine.ID][]labengine.Interface {
	byNode := map[labengine.ID][]labengine.Interface{}
	for _, i := range lab.Interfaces {
		byNode[i.Node] = append(byNode[i.Node], i)
	}
	for _, list := range byNode {
		slices.SortFunc(list, func(a, b labengine.Interface) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
		})
	}
	return byNode
}

// chosenMTU is what a link on top of another one gets where nothing is said.
func chosenMTU(kind string, parent int) int {
	if kind == labengine.VXLAN {
		return parent - labengine.VXLANHeadroom
	}
	return parent
}

// sort finds what stands where in the file. A bridge is an entry of the list of nodes unless a namespace of the same machine
// has its name, or it is one of those that are to stand under their node.
func (s *saved) sort(under map[labengine.ID]bool) {
	s.bridges, s.inside = map[labengine.ID][]labengine.Interface{}, map[labengine.ID][]labengine.Interface{}
	s.labels = newLabels()
	for _, t := range s.things {
		s.labels.add(t)
	}
	byNode := interfacesByNode(s.Lab)
	for _, n := range s.nodes {
		for _, i := range byNode[n.ID] {
			if i.Kind == labengine.Loopback || i.Kind == labengine.Veth || i.ID == labengine.SwitchID(n.ID) {
				continue
			}
			path := s.labels.byID[n.ID].path + "/" + i.Name
			if _, taken := s.labels.byPath[path]; taken || !labengine.HasPorts(i.Kind) || under[i.ID] {
				s.inside[n.ID] = append(s.inside[n.ID], i)
				continue
			}
			s.bridges[n.ID] = append(s.bridges[n.ID], i)
			s.labels.add(thing{id: i.ID, node: n.ID, kind: labengine.Kind(i.Kind), path: path, bridge: true})
		}
	}
}

// savedAddresses is addresses as a file has them.
func savedAddresses(addresses []string) []string {
	said := []string{}
	for _, a := range addresses {
		if a, err := labengine.CanonicalAddress(a); err == nil && !slices.Contains(said, a) {
			said = append(said, a)
		}
	}
	return said
}
