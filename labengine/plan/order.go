package plan

import (
	"cmp"
	"fmt"
	"slices"

	"vethlab/labengine"
)

// inOrder lists interfaces by node and name, so that plans are the same each time.
func inOrder(interfaces map[labengine.ID]labengine.Interface, only func(*labengine.Interface) bool) []labengine.Interface {
	return labengine.InOrder(interfaces, only, byPlace)
}

func byPlace(a, b *labengine.Interface) int {
	return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
}

// lowerFirst puts what is on top of another interface behind the rest: its MTU can be no more than that of the one below.
func lowerFirst(list []labengine.Interface) []labengine.Interface {
	depth := map[labengine.ID]int{}
	parents := map[labengine.ID]labengine.ID{}
	for _, i := range list {
		parents[i.ID] = i.Parent
	}
	for _, i := range list {
		for at := i.Parent; at != "" && depth[i.ID] < len(list); at = parents[at] {
			depth[i.ID]++
		}
	}
	if len(depth) == 0 {
		return list
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b labengine.Interface) int { return depth[a.ID] - depth[b.ID] })
	return list
}

type rename struct {
	id       labengine.ID
	from, to string
	scope    labengine.ID // names are unique in it
}

// orderRenames puts renames in an order in which no name is taken when it is given; rings are opened by a name of ours.
func orderRenames(renames []rename) []rename {
	type key struct {
		scope labengine.ID
		name  string
	}
	taken := map[key]bool{}
	for _, r := range renames {
		taken[key{r.scope, r.from}] = true
	}
	var ordered []rename
	for len(renames) > 0 {
		var waiting []rename
		for _, r := range renames {
			if taken[key{r.scope, r.to}] {
				waiting = append(waiting, r)
				continue
			}
			delete(taken, key{r.scope, r.from})
			ordered = append(ordered, r)
		}
		if len(waiting) == len(renames) {
			r := &waiting[0]
			step := rename{id: r.id, from: r.from, to: fmt.Sprintf("renaming%d", len(ordered)), scope: r.scope}
			delete(taken, key{r.scope, r.from})
			r.from = step.to
			ordered = append(ordered, step)
		}
		renames = waiting
	}
	return ordered
}

// bridgeMTUs states the MTU of bridges that have another one than the least of their ports: the kernel chooses that when a
// port comes, until it is told otherwise.
func (d *differ) bridgeMTUs() {
	type ports struct {
		least int
		fresh bool // the kernel has chosen anew
	}
	of := map[labengine.ID]*ports{}
	for _, i := range d.want.Interfaces {
		if i.Master == "" {
			continue
		}
		p := of[i.Master]
		if p == nil {
			p = &ports{least: i.MTU, fresh: !d.keepsInterface(i.Master)}
			of[i.Master] = p
		}
		was := d.have.Interfaces[i.ID]
		p.least = min(p.least, i.MTU)
		p.fresh = p.fresh || !d.keepsInterface(i.ID) || was.MTU != i.MTU || was.Master != i.Master
	}
	for _, bridge := range d.interfaces {
		p := of[bridge.ID]
		switch {
		case p == nil || !p.fresh || p.least == bridge.MTU:
		case bridge.Kind == labengine.OVS:
			d.setOVS(bridge, false, true, bridge.Options)
		default:
			d.do(SetLink{At: SpotOf(d.want, bridge.Node), Interface: bridge.ID, Name: bridge.Name, MTU: &bridge.MTU})
		}
	}
}
