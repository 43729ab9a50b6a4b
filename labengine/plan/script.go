package plan

import (
	"fmt"
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
	b.WriteString("#   unshare --user --map-root-user --net --mount sh -c 'mount -t tmpfs none /run; sh THIS-FILE; exec bash'\n")
	b.WriteString("set -e\n")
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

// flatten makes each machine but the first, and each LAN, a namespace of the first, and leaves out what is not saved.
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
		n.Kind, n.In = labengine.Namespace, first
		for base, count := n.Name, 2; names[n.Name]; count++ {
			n.Name = fmt.Sprintf("%s-%d", base, count)
		}
		names[n.Name] = true
		flat.Nodes[n.ID] = n
	}
	return flat
}
