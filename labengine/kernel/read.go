package kernel

import (
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// read takes in all that a namespace has: links, addresses and neighbours. Routes are read when they are asked for.
func (w *World) read(n *Netns) error {
	before := n.Links
	for index := range n.Links {
		w.dirty[linkKey{n.Key, index}] = true
	}
	n.Links, n.names, n.Neigh = map[int]*Link{}, map[string]int{}, map[neighKey]labengine.Neighbour{}
	links, err := n.ask(unix.RTM_GETLINK, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_UNSPEC))
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	for _, body := range links {
		w.takeLink(n, body)
	}
	for index, was := range before {
		if l, ok := n.Links[index]; ok && l.Kind == was.Kind {
			l.ID, l.Doomed, l.Impair = was.ID, was.Doomed, was.Impair
		}
	}
	addresses, err := n.ask(unix.RTM_GETADDR, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_UNSPEC))
	if err != nil {
		return fmt.Errorf("read addresses: %w", err)
	}
	for _, body := range addresses {
		w.takeAddress(n, body, true)
	}
	neighbours, err := n.ask(unix.RTM_GETNEIGH, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_UNSPEC))
	if err != nil {
		return fmt.Errorf("read neighbours: %w", err)
	}
	for _, body := range neighbours {
		w.takeNeighbour(n, body, true)
	}
	w.markRoutes(n)
	w.markNeighbours(n)
	return nil
}

func (w *World) readAll() error {
	for _, n := range w.byKey {
		err := w.read(n)
		if err == nil {
			err = w.ReadQdiscs(n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// LinkRef names a link that is or was there.
type LinkRef struct {
	Netns uint64 // cookie
	Index int
}

// Moved says of a link that has gone whether it went to another namespace. It holds until links are taken again.
func (w *World) Moved(ref LinkRef) bool { return w.moved[linkKey{ref.Netns, ref.Index}] }

// TakeLinks lists the links that have changed, appeared or gone since the call before.
func (w *World) TakeLinks() []LinkRef {
	if len(w.dirty) == 0 {
		clear(w.moved)
		return nil
	}
	list := make([]LinkRef, 0, len(w.dirty))
	for k := range w.dirty {
		list = append(list, LinkRef{k.netns, k.index})
	}
	clear(w.dirty)
	return list
}

// Tables says which of a namespace's tables have changed.
type Tables struct{ Routes, Neighbours, Sysctls bool }

// TakeTables lists the namespaces whose tables have changed since they were listed, of those that are asked for, at most so
// many. It says whether there are more.
func (w *World) TakeTables(most int, of func(*Netns) bool) (changed map[*Netns]Tables, more bool) {
	changed = map[*Netns]Tables{}
	for n, d := range w.dirtyIn {
		if !of(n) {
			continue
		}
		if len(changed) == most {
			return changed, true
		}
		changed[n] = Tables{d.routes, d.neighbours, d.sysctls}
		delete(w.dirtyIn, n)
	}
	return changed, false
}

// TouchSysctls has a namespace's settings looked at again: the kernel tells of few changes of them.
func (w *World) TouchSysctls(n *Netns) {
	d := w.dirtyIn[n]
	d.sysctls = true
	w.dirtyIn[n] = d
}
