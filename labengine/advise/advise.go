// Package advise finds what is legal in a lab and surely not meant: an address that is there twice, a way without a way
// back. It is pure, and says nothing where it is not sure: what is half drawn is not nagged about.
package advise

import (
	"fmt"
	"net/netip"
	"strings"

	"vethlab/labengine"
	"vethlab/labengine/topology"
)

// Advise lists what is surely not meant in a lab, the same for the same lab: what is wrong with addresses and links first,
// then with routes, then with rules. Of a running lab, live says what the document has no word for.
//
// What keeps a packet from going on hides what would keep it later: where a node does not forward, nobody is told of a
// missing way back.
func Advise(lab labengine.Lab, live labengine.Live) []labengine.Advice {
	a := newAdviser(lab, live)
	for _, look := range looks {
		look(a)
	}
	a.commands()
	return a.said
}

// looks are the things looked for, in the order in which they are said.
var looks = []func(*adviser){
	(*adviser).portAddresses,
	(*adviser).hostPrefixes,
	(*adviser).subnetAddresses,
	(*adviser).addressesTwice,
	(*adviser).subnetsTwice,
	(*adviser).differentSubnets,
	(*adviser).vlansApart,
	(*adviser).interfacesDown,
	(*adviser).loopbacksDown,
	(*adviser).mtuMismatches,
	(*adviser).bridgeLoops,
	(*adviser).gatewaysNotConnected,
	(*adviser).gatewaysAbsent,
	(*adviser).forwardingOff,
	(*adviser).noWayOn,
	(*adviser).forwardDrops,
	(*adviser).natMatchesNothing,
	(*adviser).noReturnRoutes,
}

// adviser is a look at one lab.
type adviser struct {
	*topology.Network
	said []labengine.Advice

	wide     [2]map[*topology.Node]bool   // nodes with addresses on two segments or more: IPv4, IPv6
	uses     map[*topology.Node][]use     // by the gateway
	gateways []*topology.Node             // the keys of uses, in the order of nodes
	routed   map[*topology.Interface]bool // that a written route leads out of
	rules    map[rulesOf]*rules
	misses   map[*topology.Node]bool // has a rule for source addresses of which it is said that it matches nothing
	expected map[addressAt]bool      // that somebody takes for a gateway there
}

type addressAt struct {
	segment *topology.Segment
	address netip.Addr
}

// use is a node's route through another node, the gateway.
type use struct {
	node  *topology.Node
	route *topology.Route
	at    *topology.Interface // of the gateway, where it takes in what is sent through it
}

func newAdviser(lab labengine.Lab, live labengine.Live) *adviser {
	a := &adviser{
		Network:  topology.New(lab, live),
		wide:     [2]map[*topology.Node]bool{{}, {}},
		uses:     map[*topology.Node][]use{},
		routed:   map[*topology.Interface]bool{},
		rules:    map[rulesOf]*rules{},
		misses:   map[*topology.Node]bool{},
		expected: map[addressAt]bool{},
	}
	for _, node := range a.Nodes {
		for f, ipv6 := range families {
			if isWide(node, ipv6) {
				a.wide[f][node] = true
			}
		}
		for _, r := range node.Routes {
			if r.Out != nil && !r.Kernel {
				a.routed[r.Out] = true
			}
			if !r.Gateway.IsValid() || r.Out == nil || r.Out.Segment == nil {
				continue
			}
			a.expected[addressAt{r.Out.Segment, r.Gateway}] = true
			for _, at := range a.hop(r) {
				a.uses[at.Node] = append(a.uses[at.Node], use{node, r, at})
			}
		}
	}
	for _, node := range a.Nodes {
		if len(a.uses[node]) > 0 {
			a.gateways = append(a.gateways, node)
		}
	}
	return a
}

// families are IPv4 and IPv6, by whether it is IPv6.
var families = [2]bool{false, true}

func family(ipv6 bool) int {
	if ipv6 {
		return 1
	}
	return 0
}

// hop is who takes in what is sent through a route's gateway.
func (a *adviser) hop(r *topology.Route) []*topology.Interface {
	if !r.Usable {
		return nil
	}
	return a.Hop(r.Out, r.Gateway)
}

// routes says whether a node is one that others would send through.
func (a *adviser) routes(n *topology.Node, ipv6 bool) bool {
	return a.wide[family(ipv6)][n] || n.Forwards(ipv6)
}

// isWide says whether a node has addresses on two segments or more.
func isWide(n *topology.Node, ipv6 bool) bool {
	var first *topology.Segment
	for _, i := range n.Interfaces {
		if i.Segment == nil || i.IsPort() || i.Kind == labengine.Dummy || !i.HasFamily(ipv6) {
			continue
		}
		if first != nil && first != i.Segment {
			return true
		}
		first = i.Segment
	}
	return false
}

// say adds an advice.
func (a *adviser) say(code labengine.AdviceCode, on []labengine.ID, fix *labengine.Fix, format string, args ...any) {
	a.said = append(a.said, labengine.Advice{Code: code, On: on, Message: fmt.Sprintf(format, args...), Fix: fix})
}

// fix is edits with a label; nil without edits.
func fix(edits []labengine.Edit, format string, args ...any) *labengine.Fix {
	if len(edits) == 0 {
		return nil
	}
	return &labengine.Fix{Label: fmt.Sprintf(format, args...), Edits: edits}
}

// list is "red", "red and blue" or "red, blue and 3 more".
func list(names []string) string {
	switch n := len(names); {
	case n < 3:
		return strings.Join(names, " and ")
	case n == 3:
		return names[0] + ", " + names[1] + " and " + names[2]
	default:
		return fmt.Sprintf("%s, %s and %d more", names[0], names[1], n-2)
	}
}

// choose is one word for one, and another for more.
func choose(count int, one, more string) string {
	if count == 1 {
		return one
	}
	return more
}

func labels(nodes []*topology.Node) []string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Label
	}
	return names
}

func called(interfaces []*topology.Interface) []string {
	names := make([]string, len(interfaces))
	for at, i := range interfaces {
		names[at] = i.String()
	}
	return names
}

func nodeIDs(nodes []*topology.Node) []labengine.ID {
	ids := make([]labengine.ID, len(nodes))
	for i, n := range nodes {
		ids[i] = n.ID
	}
	return ids
}

func interfaceIDs(interfaces []*topology.Interface) []labengine.ID {
	ids := make([]labengine.ID, len(interfaces))
	for at, i := range interfaces {
		ids[at] = i.ID
	}
	return ids
}

func addAddress(i *topology.Interface, p netip.Prefix) labengine.Edit {
	return labengine.Edit{AddAddress: &labengine.AddAddress{Interface: i.ID, Address: p.String()}}
}

func deleteAddress(i *topology.Interface, p netip.Prefix) labengine.Edit {
	return labengine.Edit{DeleteAddress: &labengine.DeleteAddress{Interface: i.ID, Address: p.String()}}
}

func addRoute(n *topology.Node, route string) labengine.Edit {
	return labengine.Edit{AddRoute: &labengine.AddRoute{Node: n.ID, Route: route}}
}

func deleteRoute(n *topology.Node, route string) labengine.Edit {
	return labengine.Edit{DeleteRoute: &labengine.DeleteRoute{Node: n.ID, Route: route}}
}
