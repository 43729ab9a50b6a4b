package live

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/kernel"
)

// seen is what the kernel has that the document has not: the patch that makes the document follow, and the state of
// links that have changed.
type seen struct {
	patch labengine.Patch
	live  labengine.Live
}

// newID makes an ID for something that appeared by itself.
func newID(prefix string) labengine.ID {
	var random [6]byte
	rand.Read(random[:])
	return labengine.ID(prefix + hex.EncodeToString(random[:]))
}

// reconcile finds out which node, interface and cable the changed parts of the world are, and what they are now. What
// has no ID yet gets the one that is wanted for a thing of that name in that place, else a new one.
func (l *Lab) reconcile(want wanted) seen {
	b := l.newBinder(want)
	b.reconcile()
	return b.seen
}

// asItIs wants the document as it is.
func (l *Lab) asItIs() wanted { return wanted{doc: l.journal.Lab} }

func (l *Lab) newBinder(want wanted) *binder {
	b := &binder{lab: l, want: want, seen: seen{live: labengine.Live{Links: map[labengine.ID]*labengine.Link{}}}}
	b.patch.Nodes, b.patch.Interfaces = map[labengine.ID]*labengine.Node{}, map[labengine.ID]*labengine.Interface{}
	b.patch.Cables = map[labengine.ID]*labengine.Cable{}
	return b
}

func (b *binder) reconcile() {
	l := b.lab
	b.namespaces()
	l.takeSwitches()
	for ref := range l.halves {
		l.world.TouchLink(ref)
	}
	for {
		dirty := l.world.TakeLinks()
		if len(dirty) == 0 {
			break
		}
		b.links(dirty)
	}
	b.lost()
	b.settleCables()
}

// moveWait is how long an interface that has left its namespace for another may take to appear there. One that does not
// is in a namespace that nobody here can see.
const moveWait = 100 * time.Millisecond

// lost gives up interfaces that have not appeared anywhere again. Their other ends stay, without a cable.
func (b *binder) lost() {
	l := b.lab
	for id, since := range l.moving {
		if _, back := l.refs[id]; back {
			delete(l.moving, id)
			continue
		}
		if time.Since(since) < moveWait {
			continue
		}
		delete(l.moving, id)
		b.patch.Interfaces[id] = nil
		b.live.Links[id] = nil
		if cable, ok := l.cabled[id]; ok {
			b.patch.Cables[cable] = nil
		}
	}
}

// settleCables sees to it that an interface is the end of one cable at most, and a cable's ends are there.
func (b *binder) settleCables() {
	for id, i := range b.patch.Interfaces {
		if cable, ok := b.lab.cabled[id]; ok && i == nil {
			b.patch.Cables[cable] = nil
		}
	}
	for id, c := range b.patch.Cables {
		if c == nil {
			continue
		}
		for _, end := range c.Ends {
			if old, ok := b.lab.cabled[end]; ok && old != id {
				b.patch.Cables[old] = nil
			}
			if i, touched := b.patch.Interfaces[end]; touched && i == nil {
				b.patch.Cables[id] = nil
			}
		}
	}
}

type binder struct {
	seen
	lab       *Lab
	want      wanted
	undecided bool                             // how much of what is wanted has been carried out is not known
	names     map[place]labengine.ID           // of the interfaces that the patch has; made when first asked for
	ends      map[labengine.ID]labengine.Cable // the patch's cables, and new ones, by their ends; likewise
	order     int                              // of the last cable
}

type place struct {
	node labengine.ID
	name string
}

// links takes in links that have changed. Those that have gone are let go of first, for one may have moved.
func (b *binder) links(dirty []kernel.LinkRef) {
	l := b.lab
	var changed []*kernel.Link
	var in []*kernel.Netns
	var fresh []int
	for _, ref := range dirty {
		n, ok := l.world.ByKey(ref.Netns)
		var link *kernel.Link
		if ok && n.Node != "" {
			link = n.Links[ref.Index]
		}
		if link != nil && l.isUplink(n, link) {
			continue
		}
		id, known := l.bound[ref]
		if known && (link == nil || link.ID == "") { // gone, or another one has its number now
			b.unbind(ref, id)
			known = false
		}
		if link == nil {
			delete(l.halves, ref)
		} else if !known && l.isHalf(n, link) {
			continue
		}
		if link != nil && !link.Doomed {
			if !known {
				fresh = append(fresh, len(changed))
			}
			changed, in = append(changed, link), append(in, n)
		}
	}
	for _, at := range fresh {
		if !changed[at].Doomed { // meanwhile
			b.bind(in[at], changed[at])
		}
	}
	for at, link := range changed {
		b.take(in[at], link)
	}
	for at, link := range changed {
		b.cable(in[at], link)
	}
}

// isHalf says whether a link waits for what makes it whole: a veth for its other end, where that is still to come into the same
// namespace, as the kernel tells of the two one after the other; a tap in a machine where Open vSwitch runs for its database, which
// may know it. It is taken in with that, or where it stays alone for long.
func (l *Lab) isHalf(n *kernel.Netns, link *kernel.Link) bool {
	ref := kernel.LinkRef{Netns: n.Key, Index: link.Index}
	lacks := false
	switch link.Kind {
	case labengine.Veth:
		_, _, whole := l.world.PeerOf(n, link)
		lacks = !whole && link.PeerNsid < 0
	case labengine.Tun:
		m := l.machines[n.Node]
		lacks = link.Options == "mode tap" && m != nil && m.ovs != nil && m.ovs.awake.Load()
	}
	if !lacks || link.Doomed {
		delete(l.halves, ref)
		return false
	}
	since, seen := l.halves[ref]
	if !seen {
		since = time.Now()
		l.halves[ref] = since
	}
	if time.Since(since) < moveWait {
		return true
	}
	delete(l.halves, ref)
	return false
}

// unbind lets go of an interface that is no longer there. A veth takes its other end with it, which the kernel may tell
// of only later; unless it went to another namespace.
func (b *binder) unbind(ref kernel.LinkRef, id labengine.ID) {
	l := b.lab
	delete(l.bound, ref)
	if l.refs[id] != ref {
		return // its node is in another namespace by now, and so is it
	}
	delete(l.refs, id)
	l.showEnd(id)
	cable, cabled := l.cabled[id]
	if cabled && l.world.Moved(ref) {
		l.moving[id] = time.Now()
		return
	}
	b.patch.Interfaces[id] = nil
	b.live.Links[id] = nil
	if !cabled {
		return
	}
	b.patch.Cables[cable] = nil
	ends := l.journal.Lab.Cables[cable].Ends
	other := ends[0]
	if other == id {
		other = ends[1]
	}
	otherRef, ok := l.refs[other]
	if !ok {
		return
	}
	if n, ok := l.world.ByKey(otherRef.Netns); ok {
		if link := n.Links[otherRef.Index]; link != nil && link.ID == other { // not another one that has its number now
			link.Doomed = true
		}
	}
	delete(l.bound, otherRef)
	delete(l.refs, other)
	l.showEnd(other)
	b.patch.Interfaces[other] = nil
	b.live.Links[other] = nil
}

// bind finds out which interface a new link is.
func (b *binder) bind(n *kernel.Netns, link *kernel.Link) {
	ref := kernel.LinkRef{Netns: n.Key, Index: link.Index}
	id := b.moved(n, link)
	if id == "" {
		id = b.wantedAt(n, link)
	}
	if id == "" && link.Kind == labengine.Loopback {
		id = labengine.LoopbackID(n.Node)
	}
	if id == "" {
		id = newID("i")
	}
	link.ID = id
	b.lab.bound[ref], b.lab.refs[id] = id, ref
	b.lab.showEnd(id)
}

// moved is the interface that a veth was before it came here: its other end still knows, unless that has moved as well.
func (b *binder) moved(n *kernel.Netns, link *kernel.Link) labengine.ID {
	at, peer, ok := b.lab.world.PeerOf(n, link)
	if !ok {
		return ""
	}
	if peer.ID == "" {
		return b.movedWithPeer(link)
	}
	cable, ok := b.lab.journal.Lab.Cables[b.lab.cabled[peer.ID]]
	if !ok {
		return ""
	}
	other := cable.Ends[0]
	if other == peer.ID {
		other = cable.Ends[1]
	}
	if _, taken := b.lab.refs[other]; taken || at == nil {
		return ""
	}
	return other
}

// movedWithPeer is the one interface on its way that has a link's MAC, which no move changes.
func (b *binder) movedWithPeer(link *kernel.Link) labengine.ID {
	var found labengine.ID
	for id := range b.lab.moving {
		i, ok := b.lab.journal.Lab.Interfaces[id]
		if _, taken := b.lab.refs[id]; taken || !ok || i.Kind != link.Kind || i.MAC != link.MAC {
			continue
		}
		if found != "" {
			return ""
		}
		found = id
	}
	return found
}

// wantedAt is the interface that is wanted in this place, and that no link is.
func (b *binder) wantedAt(n *kernel.Netns, link *kernel.Link) labengine.ID {
	if b.names == nil {
		b.names = map[place]labengine.ID{}
		for id, i := range b.want.patch.Interfaces {
			if i != nil {
				b.names[place{i.Node, i.Name}] = id
			}
		}
	}
	at := place{n.Node, link.Name}
	id, ok := b.names[at]
	if !ok {
		id = b.lab.journal.InterfaceAt(n.Node, link.Name)
	}
	i, ok := b.want.iface(id)
	if _, taken := b.lab.refs[id]; !ok || taken || i.Kind != link.Kind || at != (place{i.Node, i.Name}) {
		return ""
	}
	return id
}

// take records what an interface is now.
func (b *binder) take(n *kernel.Netns, link *kernel.Link) {
	if link.Doomed {
		return
	}
	authored, _ := b.want.iface(link.ID)
	i := &labengine.Interface{
		ID: link.ID, Node: n.Node, Name: link.Name, Kind: link.Kind, Up: link.Up(), MTU: link.MTU, MAC: link.MAC,
		Addresses: labengine.AddressesSeen(authored.Addresses, link.AddressesText()), Options: link.Options, VLANs: n.VLANsOf(link), Alias: link.Alias, Impair: link.Impair, Port: link.Port,
	}
	if b.want.quiet() && link.Kind == labengine.Bridge {
		i.Options = quietOptions(link.Options, authored.Options)
	}
	if master, ok := n.Links[link.Master]; ok {
		i.Master = master.ID
	}
	if parent, ok := b.lab.world.ParentOf(n, link); ok {
		i.Parent = parent.ID
	}
	b.patch.Interfaces[link.ID] = i
	state := link.State()
	b.live.Links[link.ID] = &state
}

// quietOptions are the options that a bridge of a quiet lab has besides those that it has because the lab is quiet; what is
// authored says so itself.
func quietOptions(seen, authored string) string {
	is, _ := labengine.ParseOptions(labengine.Bridge, seen)
	wanted, _ := labengine.ParseOptions(labengine.Bridge, authored)
	if _, says := wanted["mcast_snooping"]; !says && is["mcast_snooping"] == "0" {
		delete(is, "mcast_snooping")
	}
	return labengine.WriteOptions(labengine.Bridge, is)
}

// cable records the cable that a veth is an end of, once both ends are known.
func (b *binder) cable(n *kernel.Netns, link *kernel.Link) {
	at, peer, ok := b.lab.world.PeerOf(n, link)
	if !ok || peer.ID == "" || link.Doomed {
		return
	}
	lab := b.lab
	if id, ok := lab.cabled[link.ID]; ok && lab.cabled[peer.ID] == id {
		if c, ok := lab.journal.Lab.Cables[id]; ok && joins(c, link.ID, peer.ID) {
			b.patch.Cables[id] = &c
			return
		}
	}
	if b.ends == nil {
		b.ends = map[labengine.ID]labengine.Cable{}
		for _, c := range b.want.patch.Cables {
			if c != nil {
				b.ends[c.Ends[0]], b.ends[c.Ends[1]] = *c, *c
			}
		}
	}
	c, ok := b.ends[link.ID]
	if !ok || !joins(c, link.ID, peer.ID) {
		c = labengine.Cable{ID: newID("c"), Ends: b.inOrder(n, link, at, peer), Order: b.nextOrder()}
		b.ends[link.ID], b.ends[peer.ID] = c, c
	}
	b.patch.Cables[c.ID] = &c
}

// nextOrder is behind that of all cables.
func (b *binder) nextOrder() int {
	if b.order == 0 {
		for _, c := range b.want.doc.Cables {
			b.order = max(b.order, c.Order)
		}
		for _, c := range b.want.patch.Cables {
			if c != nil {
				b.order = max(b.order, c.Order)
			}
		}
	}
	b.order++
	return b.order
}

// inOrder puts a new cable's ends in order: that of their nodes in the document, and within a node the one that was named
// first, for the kernel makes a veth's peer before it.
func (b *binder) inOrder(n *kernel.Netns, link *kernel.Link, at *kernel.Netns, peer *kernel.Link) [2]labengine.ID {
	here, _ := b.node(n.Node)
	there, _ := b.node(at.Node)
	if cmp.Or(cmp.Compare(here.Order, there.Order), cmp.Compare(peer.Index, link.Index)) < 0 {
		return [2]labengine.ID{link.ID, peer.ID}
	}
	return [2]labengine.ID{peer.ID, link.ID}
}

func joins(c labengine.Cable, a, b labengine.ID) bool {
	return c.Ends == [2]labengine.ID{a, b} || c.Ends == [2]labengine.ID{b, a}
}
