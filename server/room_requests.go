package server

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strconv"

	"vethlab/labengine"
)

// requestFrom carries out what a page asks, or passes it on.
func (r *room) requestFrom(v *viewer, request labengine.Request) {
	if !r.viewers[v] {
		return // it was cut off meanwhile
	}
	r.request(v, request, labengine.FromCanvas, func(reply labengine.Reply) {
		reply.Request = request.ID
		v.sendMessage(labengine.Message{Reply: &reply})
	})
}

// request carries out a request with an author, and replies exactly once. The viewer is nil where it came over HTTP.
func (r *room) request(v *viewer, request labengine.Request, origin labengine.Origin, reply func(labengine.Reply)) {
	refuse := func(err error) {
		r.metrics.count(request, err)
		reply(labengine.Reply{Problem: problemOf(r.log, err)})
	}
	if r.status.State == labengine.Starting || r.status.State == labengine.Stopping {
		if len(r.held) >= maxHeld {
			refuse(labengine.Problemf(labengine.CodeNotRunning, "the lab is %s, and much waits for it already", r.status.State).
				WithHint("do it again in a moment"))
			return
		}
		r.held = append(r.held, func() { r.request(v, request, origin, reply) })
		return
	}
	changes := request.Op != nil || request.Undo != nil || request.Redo != nil || request.Restore != nil
	if request.Op != nil {
		if c, done := r.journal.Done(request.Op.ID); done {
			r.acknowledge(labengine.Reply{Seq: c.Seq}, reply)
			r.flush()
			return
		}
	}
	if changes && r.unsaved != nil {
		refuse(r.unsaved)
		return
	}
	if r.status.State == labengine.Running && r.running != nil {
		r.forward(v, request, reply)
		return
	}
	if !changes {
		refuse(labengine.Problemf(labengine.CodeNotRunning, "the lab is %s", r.status.State).WithHint("start the lab first"))
		return
	}
	if err := r.carryOut(request, origin, reply); err != nil {
		refuse(err)
	}
}

// carryOut does an op, undo or redo to a lab that is not in the kernel.
func (r *room) carryOut(request labengine.Request, origin labengine.Origin, reply func(labengine.Reply)) error {
	var after labengine.Lab
	var err error
	c := labengine.Change{Author: request.Author, Origin: origin}
	text := ""
	switch {
	case request.Op != nil:
		c.Op = request.Op.ID
		after, err = r.journal.Lab.Edit(request.Op.Edits)
	case request.Restore != nil:
		after, err = r.journal.Restore(request.Restore.Seq)
		c.Origin, c.Sentence = labengine.FromRestore, labengine.RestoreSentence(request.Restore.Seq)
	case request.Undo != nil:
		var taken labengine.Change
		after, taken, err = r.journal.Undo(request.Author)
		c.Origin, c.Takes, text = labengine.FromUndo, taken.Seq, taken.Sentence
	default:
		var taken labengine.Change
		after, taken, err = r.journal.Redo(request.Author)
		c.Origin, c.Takes, text = labengine.FromRedo, taken.Seq, taken.Sentence
	}
	if err != nil {
		return err
	}
	if c.Sentence == "" {
		c.Sentence = labengine.Describe(r.journal.Lab, after)
	}
	r.metrics.count(request, nil)
	c = r.record(c, after)
	r.acknowledge(labengine.Reply{Seq: c.Seq, Text: text}, reply)
	r.flush()
	return nil
}

// replace makes the lab what a file says. It is for labs that are not in the kernel.
func (r *room) replace(author string, lab labengine.Lab, source []byte, reply func(labengine.Reply)) {
	refuse := func(p *labengine.Problem) { reply(labengine.Reply{Problem: p}) }
	switch r.status.State {
	case labengine.Stopped, labengine.Dead:
	default:
		refuse(labengine.Problemf(labengine.CodeExists, "the lab is %s; a file replaces one that is stopped", r.status.State).
			WithHint("stop the lab, or change the running one with ops"))
		return
	}
	if r.unsaved != nil {
		refuse(r.unsaved)
		return
	}
	c := r.record(labengine.Change{
		Author: author, Origin: labengine.FromAPI, Sentence: "Replaced by a file",
	}, keepIDs(r.journal.Lab, lab), saveSource(r.id, source))
	r.source = source
	r.acknowledge(labengine.Reply{Seq: c.Seq}, reply)
	r.flush()
}

// forward passes a request on to the lab process, under an ID that no other page has.
func (r *room) forward(v *viewer, request labengine.Request, reply func(labengine.Reply)) {
	pageID := request.ID
	if v != nil {
		if _, twice := v.asked[pageID]; twice {
			reply(labengine.Reply{Problem: labengine.Problemf(labengine.CodeBadRequest, "request %s is being carried out already", pageID).
				WithHint("give each request an id of its own")})
			return
		}
	}
	if request.Cancel != nil {
		var ok bool
		if v != nil {
			request.Cancel.Request, ok = v.asked[request.Cancel.Request]
		}
		if !ok {
			reply(labengine.Reply{Problem: labengine.Problemf(labengine.CodeGone, "what this would cancel has ended already")})
			return
		}
	}
	r.requestNo++
	request.ID = labengine.ID("p" + strconv.Itoa(r.requestNo))
	err := net.ErrClosed
	if r.running.conn != nil {
		err = r.running.conn.Send(request)
	} else if request.Op != nil {
		err = nil // askAgain sends it
	}
	if err != nil {
		r.metrics.count(request, err)
		reply(labengine.Reply{Problem: labengine.Problemf(labengine.CodeNotRunning, "the lab cannot be reached now: %v", err).
			WithHint("do it again in a moment")})
		return
	}
	if v != nil {
		v.asked[pageID] = request.ID
	}
	r.requests[request.ID] = asked{viewer: v, id: pageID, no: r.requestNo, request: request, reply: func(answer labengine.Reply) {
		if answer.Problem != nil {
			r.metrics.count(request, answer.Problem)
		} else {
			r.metrics.count(request, nil)
		}
		reply(answer)
	}}
}

// answered ends a request that a lab process has replied to.
func (r *room) answered(reply labengine.Reply) {
	a, ok := r.requests[reply.Request]
	if !ok {
		return // a cancel or a watch that the room itself has sent
	}
	delete(r.requests, reply.Request)
	if a.viewer != nil {
		delete(a.viewer.asked, a.id)
	}
	if reply.Problem != nil || reply.Seq <= r.saved {
		a.reply(reply)
		return
	}
	r.acknowledge(reply, a.reply)
	r.flush()
}

// unanswered replies to those requests of a kind that the lab process will not reply to.
func (r *room) unanswered(which func(asked) bool, p *labengine.Problem) {
	for id, a := range r.requests {
		if !which(a) {
			continue
		}
		if a.viewer != nil {
			delete(a.viewer.asked, a.id)
		}
		delete(r.requests, id)
		a.reply(labengine.Reply{Problem: p})
	}
}

// askAgain sends over a new connection, in their order, what was not answered over the one before.
func (r *room) askAgain(l *running) {
	again := slices.SortedFunc(maps.Values(r.requests), func(a, b asked) int { return cmp.Compare(a.no, b.no) })
	for _, a := range again {
		l.conn.Send(a.request)
	}
}

// cancelProbesOf ends the pings of a page that has gone.
func (r *room) cancelProbesOf(v *viewer) {
	for id, a := range r.requests {
		if a.viewer == v && a.request.Ping != nil && r.running != nil && r.running.conn != nil {
			r.running.conn.Send(labengine.Request{ID: "cancel-" + id, Cancel: &labengine.Cancel{Request: id}})
		}
	}
}
