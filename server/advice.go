package server

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/advise"
)

// Advice is worked out by a goroutine of its own, on a copy of the lab: whoever changes the lab never waits for it. A lab
// that changes all the time is looked at all the time, but no more than a share of a core goes into that, however large it is.
const (
	adviseAfter = 200 * time.Millisecond // from a change on: one command in a terminal often makes several
	adviseRest  = 20                     // times as long as the last look took, before the next one
)

// advising is what pages have been told is surely not meant in the lab, and how that is kept up to date.
type advising struct {
	list  []labengine.Advice
	sent  []byte // the same, as a message; nil before the first
	stale bool   // the lab has changed since it was last looked at
	busy  bool   // it is being looked at, or will be in a moment
}

// advise has the lab looked at again in a moment, if somebody is there to be told.
func (r *room) advise() {
	r.advising.stale = true
	if r.advising.busy || len(r.viewers) == 0 {
		return
	}
	r.advising.busy = true
	r.later(adviseAfter, r.look)
}

func (r *room) look() {
	lab, live, entries := r.journal.Lab.Clone(), labengine.Live{Nodes: maps.Clone(r.live.Nodes)}, r.entries
	r.advising.stale = false
	r.tasks.Go(func() {
		begun := time.Now()
		list := slices.Concat(crowded(lab, entries), advise.Advise(lab, live))
		message := encode(labengine.Message{Advice: &labengine.AdviceList{Advice: list}})
		rest := adviseRest * time.Since(begun)
		r.mail.post(func() {
			r.advised(list, message)
			r.later(rest, r.rested)
		})
	})
}

// crowded is the advice on a lab whose nodes do not fit into the ARP table of the computer, which has so many entries for all
// network namespaces together, arp(7): two nodes that talk take one each. 0 entries are not known, and enough.
func crowded(lab labengine.Lab, entries int) []labengine.Advice {
	nodes := map[labengine.ID]bool{}
	for _, i := range lab.Interfaces {
		for _, a := range i.Addresses {
			prefix, err := netip.ParsePrefix(a)
			nodes[i.Node] = nodes[i.Node] || err == nil && prefix.Addr().Is4() && i.Kind != labengine.Loopback
		}
	}
	maps.DeleteFunc(nodes, func(_ labengine.ID, has bool) bool { return !has })
	need := 2 * len(nodes)
	if entries == 0 || need <= entries {
		return nil
	}
	enough := 1
	for enough < 2*need {
		enough *= 2
	}
	a := labengine.Advice{Code: labengine.AdviceARPTableSmall, Message: fmt.Sprintf(
		"%d nodes may need %d ARP entries, and the computer that this lab runs on has %d for all its labs: type `sysctl -w net.ipv4.neigh.default.gc_thresh3=%d` there, or some will not reach each other",
		len(nodes), need, entries, enough)}
	for _, n := range lab.NodesInOrder() {
		if n.Kind == labengine.Machine {
			a.On = []labengine.ID{n.ID}
			break
		}
	}
	return []labengine.Advice{a}
}

// advised tells pages what has been found, once they have been told of the changes that it is about.
func (r *room) advised(list []labengine.Advice, message []byte) {
	r.tells = append(r.tells, outgoing{send: func() {
		if bytes.Equal(message, r.advising.sent) || len(list) == 0 && r.advising.sent == nil {
			return
		}
		r.advising.list, r.advising.sent = list, message
		r.broadcast(message)
	}})
	r.flush()
}

func (r *room) rested() {
	r.advising.busy = false
	if r.advising.stale {
		r.advise()
	}
}
