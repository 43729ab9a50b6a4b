package kernel

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// dump is what a namespace has, routes, rules and settings aside, which are read when they are asked for.
type dump struct {
	links, addresses, neighbours, qdiscs [][]byte
	whole                                bool
}

// dump asks for it; it touches nothing of the world, so that several namespaces can be asked side by side. Of a namespace
// that has just been made here, links and addresses are all that cannot wait.
func (n *Netns) dump(whole bool) (d dump, err error) {
	d.whole = whole
	if d.links, err = n.ask(unix.RTM_GETLINK, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_UNSPEC), withoutStatistics()); err != nil {
		return d, fmt.Errorf("read links: %w", err)
	}
	if d.addresses, err = n.ask(unix.RTM_GETADDR, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_UNSPEC)); err != nil {
		return d, fmt.Errorf("read addresses: %w", err)
	}
	if !whole {
		return d, nil
	}
	if d.neighbours, err = n.neighbours(); err != nil {
		return d, err
	}
	if d.qdiscs, err = n.ask(unix.RTM_GETQDISC, unix.NLM_F_DUMP, tcmsg{}); err != nil {
		return d, fmt.Errorf("read queueing disciplines: %w", err)
	}
	return d, nil
}

func (n *Netns) neighbours() ([][]byte, error) {
	answers, err := n.ask(unix.RTM_GETNEIGH, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_UNSPEC))
	if err != nil {
		return nil, fmt.Errorf("read neighbours: %w", err)
	}
	return answers, nil
}

// withoutStatistics is IFLA_EXT_MASK with RTEXT_FILTER_SKIP_STATS, uapi/linux/rtnetlink.h: they are half of what is said.
func withoutStatistics() *nl.RtAttr { return nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(1<<3)) }

// read takes in all that a namespace has.
func (w *World) read(n *Netns) error {
	d, err := n.dump(true)
	if err != nil {
		return err
	}
	w.takeDump(n, d)
	return nil
}

func (w *World) takeDump(n *Netns, d dump) {
	before := n.Links
	for index := range n.Links {
		w.dirty[linkKey{n.Key, index}] = true
	}
	n.Links, n.names = map[int]*Link{}, map[string]int{}
	for _, body := range d.links {
		w.takeLink(n, body)
	}
	for index, was := range before {
		if l, ok := n.Links[index]; ok && l.Kind == was.Kind {
			l.ID, l.Doomed = was.ID, was.Doomed
		}
	}
	for _, body := range d.addresses {
		if body[0] == unix.AF_INET {
			w.takeAddress(n, body, true)
		}
	}
	for _, body := range slices.Backward(d.addresses) { // of IPv6 the newest are listed first
		if body[0] == unix.AF_INET6 {
			w.takeAddress(n, body, true)
		}
	}
	n.unread = true
	if d.whole {
		w.takeNeighbours(n, d.neighbours)
	}
	for _, body := range d.qdiscs {
		w.takeQdisc(n, body, true)
	}
	w.markVLANs(n)
	w.markRoutes(n)
	w.markNeighbours(n)
}

func (w *World) takeNeighbours(n *Netns, all [][]byte) {
	n.unread, n.Neigh = false, map[neighKey]labengine.Neighbour{}
	for _, body := range all {
		w.takeNeighbour(n, body, true)
	}
}

// readAll takes in what all namespaces have, of those that are asked for all. Each processor asks.
func (w *World) readAll(whole func(*Netns) bool) error {
	type answer struct {
		of   *Netns
		dump dump
		err  error
	}
	questions, answers := make(chan *Netns), make(chan answer, 16)
	var asking sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		asking.Go(func() {
			for n := range questions {
				d, err := n.dump(whole(n))
				answers <- answer{n, d, err}
			}
		})
	}
	keys := slices.Sorted(maps.Keys(w.byKey)) // as they were made: machines, whose answers are the longest, first
	all := make([]*Netns, len(keys))
	for i, key := range keys {
		all[i] = w.byKey[key]
	}
	go func() {
		for _, n := range all {
			questions <- n
		}
		close(questions)
		asking.Wait()
		close(answers)
	}()
	var first error
	for a := range answers {
		if a.err == nil {
			w.takeDump(a.of, a.dump)
		} else if first == nil {
			first = a.err
		}
	}
	return first
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
	for n := range w.dirtyVLANs {
		delete(w.dirtyVLANs, n)
		if err := w.readVLANs(n); err != nil {
			continue // it is just ending
		}
	}
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
type Tables struct{ Routes, Neighbours, Sysctls, LinkSysctls bool }

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
		if n.unread {
			if all, err := n.neighbours(); err == nil { // else it is just ending
				w.takeNeighbours(n, all)
			}
		}
		changed[n] = Tables{d.routes, d.neighbours, d.sysctls, d.linkSysctls}
		delete(w.dirtyIn, n)
	}
	return changed, false
}

// LookAtLinksDown reads again those of a namespace's links that are down: of their aliases the kernel tells nobody
// (netdev_state_change in net/core/dev.c).
func (w *World) LookAtLinksDown(n *Netns) error {
	down := func(l *Link) bool { return !l.Up() }
	if !slices.ContainsFunc(slices.Collect(maps.Values(n.Links)), down) {
		return nil
	}
	links, err := n.ask(unix.RTM_GETLINK, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_UNSPEC), withoutStatistics())
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	for _, body := range links {
		if l, known := n.Links[indexOf(body)]; known && down(l) {
			w.takeLink(n, body)
		}
	}
	return nil
}

// TouchSysctls has a namespace's settings looked at again: the kernel tells of few changes of them. Those of its links are many,
// and looked at where somebody may have typed.
func (w *World) TouchSysctls(n *Netns, typed bool) {
	d := w.dirtyIn[n]
	d.sysctls, d.linkSysctls = true, d.linkSysctls || typed
	w.dirtyIn[n] = d
}
