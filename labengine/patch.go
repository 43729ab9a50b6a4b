package labengine

import (
	"maps"
	"reflect"
	"slices"
)

// Patch is the difference between two labs: for each thing that differs, what it is afterwards, and nil where it is gone.
type Patch struct {
	Name       *string           `json:"name,omitempty"`
	Quiet      *bool             `json:"quiet,omitempty"`
	Nodes      map[ID]*Node      `json:"nodes,omitempty"`
	Interfaces map[ID]*Interface `json:"interfaces,omitempty"`
	Cables     map[ID]*Cable     `json:"cables,omitempty"`
	Places     map[ID]*Place     `json:"places,omitempty"`
}

// Empty says whether the patch changes nothing.
func (p Patch) Empty() bool {
	return p.Name == nil && p.Quiet == nil && len(p.Nodes)+len(p.Interfaces)+len(p.Cables)+len(p.Places) == 0
}

// Compare is the patch that makes have into want.
func Compare(have, want Lab) Patch {
	var p Patch
	if have.Name != want.Name {
		p.Name = &want.Name
	}
	if have.Quiet != want.Quiet {
		p.Quiet = &want.Quiet
	}
	p.Nodes = compare(have.Nodes, want.Nodes, sameNode)
	p.Interfaces = compare(have.Interfaces, want.Interfaces, sameInterface)
	p.Cables = compare(have.Cables, want.Cables, func(a, b Cable) bool { return a == b })
	p.Places = compare(have.Places, want.Places, func(a, b Place) bool { return a == b })
	return p
}

func sameNode(a, b Node) bool {
	return slices.Equal(a.Routes, b.Routes) && slices.Equal(a.IPRules, b.IPRules) && slices.Equal(a.Neighbours, b.Neighbours) &&
		slices.Equal(a.Sysctls, b.Sysctls) && slices.Equal(a.Iptables, b.Iptables) && slices.Equal(a.Ip6tables, b.Ip6tables) && slices.Equal(a.Services, b.Services) && a.ID == b.ID && a.Name == b.Name &&
		a.Kind == b.Kind && a.In == b.In && a.Order == b.Order && a.Held == b.Held && a.Command == b.Command
}

func sameInterface(a, b Interface) bool {
	return slices.Equal(a.Addresses, b.Addresses) && a.ID == b.ID && a.Node == b.Node && a.Name == b.Name &&
		a.Kind == b.Kind && a.Up == b.Up && a.MTU == b.MTU && a.MAC == b.MAC && a.Master == b.Master && a.Parent == b.Parent &&
		a.Options == b.Options && a.Alias == b.Alias && a.VLANs == b.VLANs && a.Impair == b.Impair &&
		a.Port == b.Port
}

func compare[V any](have, want map[ID]V, same func(a, b V) bool) map[ID]*V {
	var changed map[ID]*V
	set := func(id ID, v *V) {
		if changed == nil {
			changed = map[ID]*V{}
		}
		changed[id] = v
	}
	stay := 0
	for id, w := range want {
		h, ok := have[id]
		if ok {
			stay++
		}
		if !ok || !same(h, w) {
			w := w // else each value, and most are the same, would be on the heap
			set(id, &w)
		}
	}
	if stay == len(have) {
		return changed
	}
	for id := range have {
		if _, ok := want[id]; !ok {
			set(id, nil)
		}
	}
	return changed
}

// Apply makes the lab what the patch says. The lab's maps are written to: see [Lab.Clone].
func (l *Lab) Apply(p Patch) {
	if p.Name != nil {
		l.Name = *p.Name
	}
	if p.Quiet != nil {
		l.Quiet = *p.Quiet
	}
	apply(&l.Nodes, p.Nodes)
	apply(&l.Interfaces, p.Interfaces)
	apply(&l.Cables, p.Cables)
	apply(&l.Places, p.Places)
}

func apply[V any](to *map[ID]V, changed map[ID]*V) {
	if *to == nil {
		*to = map[ID]V{}
	}
	for id, v := range changed {
		if v == nil {
			delete(*to, id)
		} else {
			(*to)[id] = *v
		}
	}
}

// Before is what the things that a patch touches are in the lab now: applying it afterwards takes the patch back.
func (l Lab) Before(p Patch) Patch {
	var b Patch
	if p.Name != nil {
		b.Name = &l.Name
	}
	if p.Quiet != nil {
		b.Quiet = &l.Quiet
	}
	b.Nodes = before(l.Nodes, p.Nodes)
	b.Interfaces = before(l.Interfaces, p.Interfaces)
	b.Cables = before(l.Cables, p.Cables)
	b.Places = before(l.Places, p.Places)
	return b
}

func before[V any](now map[ID]V, touched map[ID]*V) map[ID]*V {
	if len(touched) == 0 {
		return nil
	}
	was := make(map[ID]*V, len(touched))
	for id := range touched {
		if v, ok := now[id]; ok {
			was[id] = &v
		} else {
			was[id] = nil
		}
	}
	return was
}

// Prune drops from a patch what it would leave as it is.
func (l Lab) Prune(p Patch) Patch {
	pruned := Patch{
		Nodes:      prune(l.Nodes, p.Nodes, sameNode),
		Interfaces: prune(l.Interfaces, p.Interfaces, sameInterface),
		Cables:     prune(l.Cables, p.Cables, func(a, b Cable) bool { return a == b }),
		Places:     prune(l.Places, p.Places, func(a, b Place) bool { return a == b }),
	}
	if p.Name != nil && *p.Name != l.Name {
		pruned.Name = p.Name
	}
	if p.Quiet != nil && *p.Quiet != l.Quiet {
		pruned.Quiet = p.Quiet
	}
	return pruned
}

func prune[V any](now map[ID]V, changed map[ID]*V, same func(a, b V) bool) map[ID]*V {
	var kept map[ID]*V
	for id, v := range changed {
		is, there := now[id]
		if v == nil && !there || v != nil && there && same(is, *v) {
			continue
		}
		if kept == nil {
			kept = map[ID]*V{}
		}
		kept[id] = v
	}
	return kept
}

// Then is the one patch that does what p and then q do.
func (p Patch) Then(q Patch) Patch {
	if q.Name != nil {
		p.Name = q.Name
	}
	if q.Quiet != nil {
		p.Quiet = q.Quiet
	}
	p.Nodes, p.Interfaces = then(p.Nodes, q.Nodes), then(p.Interfaces, q.Interfaces)
	p.Cables, p.Places = then(p.Cables, q.Cables), then(p.Places, q.Places)
	return p
}

func then[V any](p, q map[ID]*V) map[ID]*V {
	if len(q) == 0 {
		return p
	}
	both := maps.Clone(p)
	if both == nil {
		both = map[ID]*V{}
	}
	maps.Copy(both, q)
	return both
}

// Revert is the lab with one change taken back: each value that the change set, and that nobody has set since, is what it
// was before. Things that have gone since stay gone, and things that others hung on what the change made go with it.
func (l Lab) Revert(before, after Patch) Lab {
	had := l.Nodes
	l = l.Clone()
	if after.Name != nil && l.Name == *after.Name {
		l.Name = *before.Name
	}
	if after.Quiet != nil && l.Quiet == *after.Quiet {
		l.Quiet = *before.Quiet
	}
	revert(l.Nodes, before.Nodes, after.Nodes)
	revert(l.Interfaces, before.Interfaces, after.Interfaces)
	revert(l.Cables, before.Cables, after.Cables)
	revert(l.Places, before.Places, after.Places)
	for id := range before.Nodes {
		if n, ok := l.Nodes[id]; ok {
			l.Nodes[id] = n.settleRules(had[id])
		}
	}
	l.dropDangling()
	return l
}

func revert[V any](now map[ID]V, before, after map[ID]*V) {
	for id, was := range before {
		is, there := now[id]
		became := after[id]
		switch {
		case was == nil: // the change made it
			delete(now, id)
		case became == nil: // the change took it away
			if !there {
				now[id] = *was
			}
		case there:
			revertFields(reflect.ValueOf(&is).Elem(), reflect.ValueOf(*was), reflect.ValueOf(*became))
			now[id] = is
		}
	}
}

// revertFields puts back each field of a struct that the change set and that is still as the change left it. Lists are
// taken back entry by entry.
func revertFields(is, was, became reflect.Value) {
	for f := range is.NumField() {
		from, to, now := was.Field(f), became.Field(f), is.Field(f)
		if reflect.DeepEqual(from.Interface(), to.Interface()) || from.Kind() == reflect.Slice && from.Len()+to.Len() == 0 {
			continue
		}
		if reflect.DeepEqual(now.Interface(), to.Interface()) {
			now.Set(from)
		} else if list, ok := now.Interface().([]string); ok {
			now.Set(reflect.ValueOf(revertList(list, from.Interface().([]string), to.Interface().([]string))))
		}
	}
}

// dropDangling removes what hangs on things that are not there: namespaces of a gone machine, interfaces of a gone node,
// cables of a gone interface and, a veth having two ends, the other end. Ports of a gone bridge are ports no longer.
func (l *Lab) dropDangling() {
	for id, n := range l.Nodes {
		if n.In != "" {
			if _, ok := l.Nodes[n.In]; !ok {
				delete(l.Nodes, id)
			}
		}
	}
	for id, i := range l.Interfaces {
		if _, ok := l.Nodes[i.Node]; !ok {
			delete(l.Interfaces, id)
		}
	}
	for l.dropOrphans() { // an interface goes with the one below it, and that may be one on top of another
	}
	for id, c := range l.Cables {
		_, a := l.Interfaces[c.Ends[0]]
		_, b := l.Interfaces[c.Ends[1]]
		if !a || !b {
			delete(l.Interfaces, c.Ends[0])
			delete(l.Interfaces, c.Ends[1])
			delete(l.Cables, id)
		}
	}
	for l.dropOrphans() {
	}
	for id, i := range l.Interfaces {
		if bridge, ok := l.Interfaces[i.Master]; i.Master != "" && (!ok || bridge.Node != i.Node) {
			i.Master, i.VLANs, i.Port = "", "", "" // its ports outlive a bridge
			l.Interfaces[id] = i
		}
	}
	for id := range l.Places {
		_, node := l.Nodes[id]
		_, iface := l.Interfaces[id]
		if !node && !iface {
			delete(l.Places, id)
		}
	}
}

// dropOrphans removes interfaces whose parent is not there. It says whether there were some.
func (l *Lab) dropOrphans() bool {
	some := false
	for id, i := range l.Interfaces {
		if _, ok := l.Interfaces[i.Parent]; i.Parent != "" && !ok {
			delete(l.Interfaces, id)
			some = true
		}
	}
	return some
}
