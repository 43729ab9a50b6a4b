package server

import (
	"crypto/rand"
	"strings"

	"vethlab/labengine"
)

// newID makes an ID for a lab or for a thing in one: 60 random bits in lower case, short enough for a URL.
func newID() labengine.ID { return labengine.ID(strings.ToLower(rand.Text()[:12])) }

// keepIDs is the lab read from a file, in which everything that have has under the same name is known by have's IDs, and
// is drawn where it was if the file does not say where. A lab's IDs are for as long as the things live; a file has none.
func keepIDs(have, read labengine.Lab) labengine.Lab {
	ids := map[labengine.ID]labengine.ID{} // from those read
	taken := map[labengine.ID]bool{}
	for _, n := range read.NodesInOrder() { // machines first: what they are called decides about what is in them
		if n.In == "" {
			if was, ok := have.NodeNamed("", n.Name); ok && was.Kind == n.Kind {
				ids[n.ID] = was.ID
			}
		}
	}
	for _, n := range read.NodesInOrder() {
		if n.In != "" && ids[n.In] != "" {
			if was, ok := have.NodeNamed(ids[n.In], n.Name); ok && was.Kind == n.Kind {
				ids[n.ID] = was.ID
			}
		}
	}
	for _, i := range read.Interfaces {
		if node := ids[i.Node]; node != "" {
			if was, ok := have.InterfaceNamed(node, i.Name); ok && was.Kind == i.Kind {
				ids[i.ID] = was.ID
			}
		}
	}
	for _, c := range read.Cables {
		a, b := ids[c.Ends[0]], ids[c.Ends[1]]
		if was, ok := have.CableOf(a); ok && a != "" && b != "" && (was.Ends[0] == b || was.Ends[1] == b) {
			ids[c.ID] = was.ID
		}
	}
	for _, id := range ids {
		taken[id] = true
	}
	known := func(id labengine.ID) labengine.ID {
		if kept, ok := ids[id]; ok {
			return kept
		}
		kept := id
		for taken[kept] {
			kept = newID()
		}
		ids[id], taken[kept] = kept, true
		return kept
	}
	lab := labengine.NewLab(read.Name)
	lab.Quiet = read.Quiet
	for id, n := range read.Nodes {
		n.ID = known(id)
		if n.In != "" {
			n.In = known(n.In)
		}
		lab.Nodes[n.ID] = n
		if place, ok := read.Places[id]; ok {
			lab.Places[n.ID] = place
		} else if place, ok := have.Places[n.ID]; ok {
			lab.Places[n.ID] = place
		}
		for _, of := range []func(labengine.ID) labengine.ID{labengine.LoopbackID, labengine.SwitchID} { // IDs that follow from another
			if _, ok := ids[of(id)]; !ok {
				ids[of(id)] = of(n.ID)
				taken[of(n.ID)] = true
			}
		}
	}
	for id, i := range read.Interfaces {
		i.ID, i.Node = known(id), known(i.Node)
		if i.Master != "" {
			i.Master = known(i.Master)
		}
		if i.Parent != "" {
			i.Parent = known(i.Parent)
		}
		lab.Interfaces[i.ID] = i
		if i.Kind != labengine.Bridge {
			continue
		}
		if place, ok := read.Places[id]; ok {
			lab.Places[i.ID] = place
		} else if place, ok := have.Places[i.ID]; ok {
			lab.Places[i.ID] = place
		}
	}
	for id, c := range read.Cables {
		c.ID = known(id)
		c.Ends = [2]labengine.ID{known(c.Ends[0]), known(c.Ends[1])}
		lab.Cables[c.ID] = c
	}
	return lab
}
