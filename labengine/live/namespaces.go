package live

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/kernel"
	"vethlab/labengine/sandbox"
)

// namespaces finds out which namespaces have come, gone, or got another name, in all machines. Most events are about none
// of that, or about names that have come: then it costs the same however many namespaces there are.
func (b *binder) namespaces() {
	l := b.lab
	inits := map[int]bool{}
	byInit := map[int]labengine.ID{}
	names := map[labengine.ID]map[string]uint64{} // by machine, then name
	come := map[uint64][]nameIn{}                 // by nsfs inode
	all := l.nameless                             // whether all have to be looked at
	for id, m := range l.machines {
		if m.ended() {
			b.machineEnded(id)
			all = true
			continue
		}
		inits[m.box.Pid()] = true
		byInit[m.box.Pid()] = id
		named, err := m.watch.Named()
		if err != nil {
			continue // it is just ending
		}
		names[id] = named.Inodes
		for _, name := range named.Come {
			inode := named.Inodes[name]
			come[inode] = append(come[inode], nameIn{name, id})
		}
		all = all || named.Gone
	}
	b.containersEnded()
	looking := l.looking()
	if len(inits) == 0 {
		return
	}
	if !all && !looking {
		b.come(come)
		return
	}
	named := map[uint64]nameIn{} // by nsfs inode
	for id, inodes := range names {
		for _, name := range slices.Sorted(maps.Keys(inodes)) {
			inode := inodes[name]
			known, taken := named[inode]
			current := l.currentName(inode)
			if !taken || known.name != current && name == current { // of several names, the one that is known stays
				named[inode] = nameIn{name, id}
			}
		}
	}
	var holders map[uint64]kernel.Holder
	if looking || l.someNameless(named) {
		holders, l.occupied = kernel.Holders(inits)
		l.inhabited = make(map[uint64]bool, len(holders))
		for inode := range holders {
			l.inhabited[inode] = true
		}
	}
	l.nameless = false
	for _, inode := range slices.Sorted(maps.Keys(named)) { // as they were made
		b.named(inode, named[inode])
	}
	for inode, h := range holders {
		if _, ok := named[inode]; !ok {
			b.held(inode, h, byInit[h.Init])
		}
	}
	maps.DeleteFunc(l.coming, func(inode uint64, _ time.Time) bool {
		_, isNamed := named[inode]
		_, isHeld := holders[inode]
		_, isKnown := l.world.ByInode(inode)
		return isNamed || !isHeld || isKnown
	})
	var gone []*kernel.Netns
	for n := range l.world.All {
		_, hasName := named[n.Inode]
		_, isHeld := holders[n.Inode]
		if !hasName && !isHeld && !l.isRoot(n.Node) && (holders != nil || n.Node == "") {
			gone = append(gone, n)
		}
	}
	for _, n := range gone {
		b.forget(n)
	}
	l.nameless = l.nameless || l.someNameless(named)
}

type nameIn struct {
	name    string
	machine labengine.ID
}

// come takes in names that namespaces have got, where none has lost one: one that has a name already keeps it.
func (b *binder) come(names map[uint64][]nameIn) {
	for _, inode := range slices.Sorted(maps.Keys(names)) { // as they were made
		if n, ok := b.lab.world.ByInode(inode); ok {
			if node := b.lab.journal.Lab.Nodes[n.Node]; node.Kind == labengine.Namespace && node.Held == "" {
				continue
			}
		}
		in := slices.MinFunc(names[inode], func(a, b nameIn) int { return cmp.Compare(a.name, b.name) })
		b.named(inode, in)
	}
}

// someNameless says whether a namespace has no name: then a process keeps it, or it is just ending.
func (l *Lab) someNameless(named map[uint64]nameIn) bool {
	for n := range l.world.All {
		if _, ok := named[n.Inode]; !ok && !l.isRoot(n.Node) {
			return true
		}
	}
	return false
}

// isRoot says whether a node's namespace needs no name: a machine's own, a container's, a LAN's and an internet's.
func (l *Lab) isRoot(node labengine.ID) bool {
	return l.machines[node] != nil || l.containers[node] != nil || l.lans[node] || l.internets[node] != nil
}

// currentName is the name that the document has for the namespace with this inode.
func (l *Lab) currentName(inode uint64) string {
	if n, ok := l.world.ByInode(inode); ok {
		return l.journal.Lab.Nodes[n.Node].Name
	}
	return ""
}

// named takes in a namespace that has a name.
func (b *binder) named(inode uint64, in nameIn) {
	l := b.lab
	n, ok := l.world.ByInode(inode)
	if !ok {
		file, err := kernel.OpenNamed(l.machines[in.machine].box.Pid(), in.name)
		if err != nil {
			l.nameless = true
			return // gone again
		}
		if n, err = l.world.Add(file); err != nil {
			l.Log.Error("follow a namespace", "name", in.name, "error", err)
			l.nameless = true // looked at again
			return
		}
	}
	if n.Node == "" {
		b.giveWay(in)
		b.bindNode(n, in, "")
		return
	}
	node, ok := b.node(n.Node)
	if ok && node.Kind == labengine.Namespace && (node.Name != in.name || node.In != in.machine || node.Held != "") {
		b.giveWay(in)
		node.Name, node.In, node.Held = in.name, in.machine, ""
		b.patch.Nodes[node.ID] = &node
	}
}

// giveWay renames a container whose name somebody has given to a namespace: within a machine each has its own, and a
// namespace's is the kernel's.
func (b *binder) giveWay(in nameIn) {
	l := b.lab
	for id, c := range l.containers {
		node, ok := b.node(id)
		if !ok || c.machine != in.machine || node.Name != in.name {
			continue
		}
		taken := func(name string) bool {
			_, known := l.journal.Lab.NodeNamed(in.machine, name)
			return known
		}
		name := ""
		for count := 2; name == "" || taken(name); count++ {
			suffix := fmt.Sprintf("-%d", count)
			name = in.name[:min(len(in.name), 63-len(suffix))] + suffix
		}
		if err := l.RenameContainer(context.Background(), id, name); err != nil {
			l.Log.Error("rename a container", "name", in.name, "error", err)
			continue
		}
		node.Name = name
		b.patch.Nodes[id] = &node
	}
}

// held takes in a namespace that has no name and that a process is in.
func (b *binder) held(inode uint64, h kernel.Holder, machine labengine.ID) {
	l := b.lab
	n, ok := l.world.ByInode(inode)
	if !ok && l.isOnItsWay(inode) {
		return
	}
	if !ok {
		file, err := kernel.OpenHeld(h.Pid)
		if err != nil {
			return
		}
		if n, err = l.world.Add(file); err != nil {
			l.Log.Error("follow a namespace", "held by", h, "error", err)
			return
		}
	}
	if l.isRoot(n.Node) {
		return
	}
	if n.Node == "" {
		b.bindNode(n, nameIn{fmt.Sprintf("%s-%d", h.Comm, h.Inner), machine}, h.String())
		return
	}
	if node, ok := l.journal.Lab.Nodes[n.Node]; ok && node.Held != h.String() {
		node = b.asked(node)
		node.Held = h.String()
		b.patch.Nodes[node.ID] = &node
	}
}

// nameWait is how long a program that makes a namespace may be in it before it has given it a name, as `ip netns add` does.
const nameWait = 50 * time.Millisecond

// isOnItsWay says whether a namespace has been seen so lately that it may be about to get a name.
func (l *Lab) isOnItsWay(inode uint64) bool {
	since, seen := l.coming[inode]
	if !seen {
		since = time.Now()
		l.coming[inode] = since
	}
	return time.Since(since) < nameWait
}

// bindNode finds out which node a namespace is: the wanted one of that name, if that is not another one already, else a new one.
func (b *binder) bindNode(n *kernel.Netns, in nameIn, held string) {
	l := b.lab
	node, ok := b.want.nodeNamed(in.machine, in.name)
	if _, taken := l.world.Of(node.ID); !ok || taken {
		node = labengine.Node{ID: newID("n"), Name: in.name, Kind: labengine.Namespace, In: in.machine, Order: 1}
		for _, other := range l.journal.Lab.Nodes {
			node.Order = max(node.Order, other.Order+1)
		}
		for _, other := range b.patch.Nodes {
			if other != nil {
				node.Order = max(node.Order, other.Order+1)
			}
		}
		if err := l.world.In(n, sandbox.BaselineSeen); err != nil {
			l.Log.Error("settings of a new namespace", "name", in.name, "error", err)
		}
		l.world.CheckRules(n)
	}
	node.Held = held
	b.bindTo(n, node)
}

func (b *binder) bindTo(n *kernel.Netns, node labengine.Node) {
	b.lab.world.Bind(n, node.ID)
	b.lab.world.Touch(n)
	b.patch.Nodes[node.ID] = &node
	b.lab.addToTap(n)
}

// forget lets go of a namespace that nobody can reach any more.
func (b *binder) forget(n *kernel.Netns) {
	if n.Node != "" {
		b.lab.letGo(n.Node)
		b.patch.Nodes[n.Node] = nil
		put(&b.live.Nodes, n.Node, nil)
		b.forgetRules(n.Node)
	}
	b.lab.tap.Remove(n.Key)
	b.lab.world.Remove(n)
}

// machineEnded lets go of a machine and all that was in it.
func (b *binder) machineEnded(id labengine.ID) {
	l := b.lab
	delete(l.machines, id)
	for n := range l.world.All {
		if node, ok := l.journal.Lab.Nodes[n.Node]; ok && (node.ID == id || node.In == id) {
			b.forget(n)
		}
	}
	b.patch.Nodes[id] = nil
}
