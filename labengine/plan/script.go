package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"vethlab/labengine"
)

// Script is the lab as a shell script for sh(1): run in a new network namespace, it makes the same lab there. That
// namespace is the first machine; each further machine becomes a namespace in it.
func Script(lab labengine.Lab) string {
	flat := flatten(lab)
	first := firstMachine(flat).Name
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	fmt.Fprintf(&b, "# %s\n", strings.ReplaceAll(lab.Name, "\n", " "))
	fmt.Fprintf(&b, "# The shell that runs this is %s. To try it where it can leave nothing behind:\n", first)
	processes := "" // of containers, services and Open vSwitch, which are to end with the shell
	if hasProcesses(flat) {
		processes = " --pid --fork --mount-proc"
	}
	fmt.Fprintf(&b, "#   unshare --user --map-root-user --net --mount%s sh -c 'mount -t tmpfs none /run; sh THIS-FILE; exec bash'\n", processes)
	b.WriteString(standIns(lab))
	b.WriteString("set -e\n")
	if hasKind(flat, labengine.Container) {
		b.WriteString("mkdir -p " + containerFolder + "\n")
	}
	b.WriteString(Diff(labengine.NewLab(""), flat).Script())
	return b.String()
}

// firstMachine is the machine that the shell which runs a script is.
func firstMachine(lab labengine.Lab) labengine.Node {
	for _, n := range lab.NodesInOrder() {
		if n.Kind == labengine.Machine {
			return n
		}
	}
	return labengine.Node{}
}

func hasKind(lab labengine.Lab, kind labengine.Kind) bool {
	for _, n := range lab.Nodes {
		if n.Kind == kind {
			return true
		}
	}
	return false
}

func hasProcesses(lab labengine.Lab) bool {
	for _, n := range lab.Nodes {
		if n.Kind == labengine.Container {
			return true
		}
	}
	return hasServices(lab) || hasOVS(lab)
}

func hasServices(lab labengine.Lab) bool {
	for _, n := range lab.Nodes {
		if len(n.Services) > 0 {
			return true
		}
	}
	return false
}

func hasOVS(lab labengine.Lab) bool {
	for _, i := range lab.Interfaces {
		if i.Kind == labengine.OVS {
			return true
		}
	}
	return false
}

// standIns says in comments what a script has something else for than the lab.
func standIns(lab labengine.Lab) string {
	var b strings.Builder
	for _, n := range lab.NodesInOrder() {
		if n.Kind == labengine.Internet {
			fmt.Fprintf(&b, "# %s stands in for the world: one namespace, with the public addresses on its lo, so that they are one hop away\n"+
				"# and not four. It has no way back to addresses that are not its neighbours', as in the lab.\n", n.Name)
		}
	}
	if hasServices(flatten(lab)) {
		b.WriteString("# What the lab answers itself, small programs answer here: HTTP with a fixed page, not with who called.\n")
	}
	return b.String()
}

// standForWorld makes the internet, by now a namespace, all of what is behind it: its addresses are on lo.
func standForWorld(flat labengine.Lab, n *labengine.Node) {
	lo := flat.Interfaces[labengine.LoopbackID(n.ID)]
	lo.Up, lo.Addresses = true, nil
	for _, a := range labengine.PublicAddresses() {
		lo.Addresses = append(lo.Addresses, netip.PrefixFrom(a, a.BitLen()).String())
	}
	flat.Interfaces[lo.ID] = lo
	dns := labengine.Service{Protocol: "dns", Port: 53}
	for _, h := range labengine.PublicHosts {
		for _, a := range h.Addresses {
			dns.Names = append(dns.Names, labengine.NameAddress{Name: h.Name, Address: a})
		}
	}
	n.Services = []string{"http 80", dns.String()}
}

// flatten makes each machine but the first, each LAN and the internet a namespace of the first, and leaves out what is not
// saved.
func flatten(lab labengine.Lab) labengine.Lab {
	flat := lab.Saved()
	first := firstMachine(flat).ID
	if first == "" { // the shell is one all the same
		first = "shell"
		flat.Nodes[first] = labengine.Node{ID: first, Name: "shell", Kind: labengine.Machine, Order: -1}
	}
	for _, n := range flat.NodesInOrder() {
		if n.In != "" && n.In != first {
			n.Name = flat.Nodes[n.In].Name + "-" + n.Name
			flat.Nodes[n.ID] = n
		}
	}
	names := map[string]bool{}
	for _, n := range flat.NodesInOrder() {
		if n.ID == first {
			continue
		}
		if n.Kind == labengine.Internet {
			standForWorld(flat, &n)
		}
		if n.In = first; n.Kind != labengine.Container {
			n.Kind = labengine.Namespace
		}
		for base, count := n.Name, 2; names[n.Name]; count++ {
			n.Name = fmt.Sprintf("%s-%d", base, count)
		}
		names[n.Name] = true
		flat.Nodes[n.ID] = n
	}
	for id, n := range flat.Nodes {
		n.Sysctls = slices.Concat(pastRules(flat, n), n.Sysctls)
		flat.Nodes[id] = n
	}
	return flat
}

// pastRules are settings that a lab begins with and the shell's namespaces may not: what a bridge forwards passes no firewall.
func pastRules(flat labengine.Lab, n labengine.Node) []string {
	hasBridge := slices.ContainsFunc(flat.InterfacesOf(n.ID), func(i labengine.Interface) bool { return i.Kind == labengine.Bridge })
	if !hasBridge || len(n.Iptables)+len(n.Ip6tables) == 0 {
		return nil
	}
	var past []string
	for _, name := range []string{"net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"} {
		if !slices.ContainsFunc(n.Sysctls, func(s string) bool { return strings.HasPrefix(s, name+"=") }) {
			past = append(past, name+"=0")
		}
	}
	return past
}
