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
	first := ""
	for _, n := range flat.NodesInOrder() {
		if n.Kind == labengine.Machine {
			first = n.Name
			break
		}
	}
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	fmt.Fprintf(&b, "# %s\n", strings.ReplaceAll(lab.Name, "\n", " "))
	fmt.Fprintf(&b, "# The shell that runs this is %s. To try it where it can leave nothing behind:\n", first)
	b.WriteString("#   unshare --user --map-root-user --net --mount sh -c 'mount -t tmpfs none /run; sh THIS-FILE; exec bash'\n")
	b.WriteString("set -e\n")
	b.WriteString(Diff(labengine.NewLab(""), flat).Script())
	return b.String()
}

// flatten makes each machine but the first a namespace of the first, and leaves out what is not saved.
func flatten(lab labengine.Lab) labengine.Lab {
	flat := Saved(lab)
	var first labengine.ID
	for _, n := range flat.NodesInOrder() {
		switch {
		case n.Kind != labengine.Machine:
			if n.In != first {
				n.Name = flat.Nodes[n.In].Name + "-" + n.Name
			}
		case first == "":
			first = n.ID
			continue
		}
		flat.Nodes[n.ID] = n
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

// Saved is the part of a lab that a file has words for.
func Saved(lab labengine.Lab) labengine.Lab {
	saved := lab.Clone()
	for id, n := range saved.Nodes {
		if n.Held != "" {
			delete(saved.Nodes, id)
		}
	}
	cabled := map[labengine.ID]bool{}
	for _, c := range saved.Cables {
		cabled[c.Ends[0]], cabled[c.Ends[1]] = true, true
	}
	for id, i := range saved.Interfaces {
		if _, ok := saved.Nodes[i.Node]; !ok || !i.Saved() || i.Kind == labengine.Veth && !cabled[id] {
			delete(saved.Interfaces, id)
		}
	}
	for id, c := range saved.Cables {
		_, a := saved.Interfaces[c.Ends[0]]
		_, b := saved.Interfaces[c.Ends[1]]
		if !a || !b {
			delete(saved.Cables, id)
			delete(saved.Interfaces, c.Ends[0])
			delete(saved.Interfaces, c.Ends[1])
		}
	}
	return saved
}
