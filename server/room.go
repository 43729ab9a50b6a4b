package server

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/client"
)

// room is a lab that is open: somebody looks at it, or it is in the kernel. One goroutine, that of its mailbox, does
// everything to it; all fields below the line belong to that goroutine.
//
// Who numbers changes: while the lab is in the kernel, its lab process does, and the room follows; otherwise the room.
//
// What is told when: a change that a hand asked for is told to the pages, and acknowledged to who asked, once it is on
// disk. One from a terminal is told at once, unless it comes right behind one that is not on disk yet: pages get changes
// in their order.
//
// Where the disk refuses a change: that of a stopped lab has not happened, and the room goes back to what is on disk.
// One of a running lab has happened, in the kernel. It is told; who asked for it gets the problem for a reply; everyone is
// told that the lab goes on unsaved; new ops are refused; and the room tries again each retryEvery until the disk takes it.
type room struct {
	id      labengine.ID
	dir     string // the lab's folder
	store   *store
	labs    Labs
	log     *slog.Logger
	metrics *metrics
	version string
	entries int // ARPEntries of the server's Config
	mail    *mailbox
	ctx     context.Context // ends with the room
	cancel  context.CancelFunc
	tasks   sync.WaitGroup // goroutines that the room has started
	unused  func()         // tells the registry that the room may have nothing more to do
	forget  func()         // takes the room from the registry

	// ----------------------------------------------------------------

	journal    *labengine.Journal
	source     []byte
	created    int64 // ms since 1970
	updated    int64 // ms since 1970
	deleted    bool
	checkpoint int64 // the change as of which the lab is saved whole
	saved      int64 // the newest change on disk
	unsaved    *labengine.Problem
	keeping    int  // writes of other things than changes that are under way
	lagging    bool // the disk has another state than the status
	writing    int  // counts the attempts to write; what an earlier one reports is passed over
	unstored   []labengine.Change
	inKernel   bool // the lab process has made some of what is unstored
	tells      []outgoing
	acks       []outgoing
	afterSaved []func()

	status    labengine.Status
	live      labengine.Live
	terminals []labengine.Terminal
	features  map[string]labengine.Feature // what the kernel has, as the lab process found when it last ran
	advising  advising
	viewers   map[*viewer]bool

	running   *running // nil while no lab process is
	requests  map[labengine.ID]asked
	requestNo int
	held      []func()      // requests that came while the lab starts or stops
	waiters   []func(error) // who waits for the start or stop to be over
}

// retryEvery is how long a room waits before it tries again to save what the disk refused.
const retryEvery = time.Second

// maxHeld bounds the requests that wait for a lab to start or stop; more are refused.
const maxHeld = 1024

// outgoing is something to be sent once the change with a number is on disk.
type outgoing struct {
	seq    int64
	wait   bool
	send   func()
	refuse func(*labengine.Problem) // instead, where the disk does not take the change
}

// asked is a request that a lab process has not answered yet.
type asked struct {
	viewer  *viewer      // nil where it came over HTTP
	id      labengine.ID // as the page knows it
	no      int
	request labengine.Request // as the lab process knows it
	reply   func(labengine.Reply)
}

func (s *Server) newRoom(saved *savedLab, unused, forget func()) *room {
	ctx, cancel := context.WithCancel(s.ctx)
	r := &room{
		id: saved.ID, dir: s.labDir(saved.ID), store: s.store, labs: s.config.Labs, metrics: s.metrics,
		version: s.config.Version, log: s.config.Log.With("lab", saved.ID), mail: newMailbox(), ctx: ctx, cancel: cancel,
		entries: s.config.ARPEntries, unused: unused, forget: forget, viewers: map[*viewer]bool{}, requests: map[labengine.ID]asked{},
	}
	r.adoptSaved(saved)
	r.status = labengine.Status{State: saved.State, Since: saved.since, Problem: saved.Problem}
	go r.mail.run()
	return r
}

func (r *room) adoptSaved(saved *savedLab) {
	r.journal, r.source = saved.journal, saved.source
	r.created, r.updated = saved.Created, saved.Updated
	r.checkpoint, r.saved = saved.checkpoint, saved.Seq
	r.unstored, r.inKernel, r.unsaved = nil, false, nil
	r.advise()
}

// end closes the room. A running lab goes on without it. Called by the room's goroutine.
func (r *room) end(code int, reason string) {
	for v := range r.viewers {
		v.end(code, reason)
	}
	if r.running != nil {
		r.running.cancel()
	}
	switch {
	case r.deleted:
	case r.unsaved != nil: // a last attempt
		r.retry()
	case len(r.unstored) == 0 && r.journal.Seq > r.checkpoint:
		r.submitCheckpoint()
	}
	if !r.deleted && r.lagging {
		r.saveStatus()
	}
	for _, w := range r.waiters {
		w(errRoomClosed)
	}
	r.waiters = nil
	r.cancel()
	r.mail.close()
}

// wait returns once all that the room has started has ended.
func (r *room) wait() {
	<-r.mail.ended
	r.tasks.Wait()
}

// idle says that nothing would be lost if the room were closed.
func (r *room) idle() bool {
	return r.running == nil && len(r.unstored) == 0 && r.keeping == 0 && !r.lagging && len(r.held) == 0 &&
		len(r.viewers) == 0 && (r.status.State == labengine.Stopped || r.status.State == labengine.Dead)
}

// ---- telling

func (r *room) broadcast(data []byte) {
	for v := range r.viewers {
		v.send(data)
	}
	r.metrics.messages.Add(float64(len(r.viewers)))
}

func (r *room) broadcastMessage(m labengine.Message) {
	if len(r.viewers) > 0 {
		r.broadcast(encode(m))
	}
}

func (r *room) broadcastStatus() {
	status := r.currentStatus()
	r.broadcastMessage(labengine.Message{Status: &status})
}

func (r *room) broadcastSnapshot() {
	if len(r.viewers) == 0 {
		return
	}
	data := encode(r.snapshot())
	for v := range r.viewers {
		v.knows = r.journal.Seq
	}
	r.broadcast(data)
}

// currentStatus is the status as pages are told it: with who looks, and with what keeps changes from the disk.
func (r *room) currentStatus() labengine.Status {
	status := r.status
	status.Viewers = len(r.viewers)
	if r.unsaved != nil {
		status.Problem = r.unsaved
	}
	return status
}

func (r *room) snapshot() labengine.Message {
	changes := r.journal.Changes
	if len(changes) > historyLength {
		changes = changes[len(changes)-historyLength:]
	}
	if changes == nil {
		changes = []labengine.Change{}
	}
	terminals := r.terminals
	if terminals == nil {
		terminals = []labengine.Terminal{}
	}
	return labengine.Message{Snapshot: &labengine.Snapshot{
		ID: r.id, Lab: r.journal.Lab, Live: r.live, Status: r.currentStatus(), Seq: r.journal.Seq,
		Changes: changes, Terminals: terminals, Features: r.features, Advice: r.advising.list,
	}}
}

// join lets a viewer see the lab: hello, snapshot, and from then on whatever happens.
func (r *room) join(v *viewer) {
	v.sendMessage(labengine.Message{Hello: &labengine.Hello{
		Protocol: labengine.Protocol, Version: r.version, Author: v.author,
	}})
	r.viewers[v] = true
	v.knows = r.journal.Seq
	v.sendMessage(r.snapshot())
	if len(r.viewers) == 1 {
		r.watch()
	}
	if r.advising.stale {
		r.advise()
	}
	r.broadcastStatus()
}

func (r *room) leave(v *viewer) {
	if !r.viewers[v] {
		return
	}
	delete(r.viewers, v)
	r.cancelProbesOf(v)
	if len(r.viewers) == 0 {
		r.watch()
	}
	r.broadcastStatus()
	r.unused()
}

// flush sends what waited for the disk and need not any longer: changes, then the replies to who asked for them. While the
// disk takes nothing, nobody waits for it.
func (r *room) flush() {
	for len(r.tells) > 0 && (!r.tells[0].wait || r.tells[0].seq <= r.saved || r.unsaved != nil && r.inKernel) {
		r.tells[0].send()
		r.tells = r.tells[1:]
	}
	for len(r.acks) > 0 && (r.acks[0].seq <= r.saved || r.unsaved != nil) {
		ack := r.acks[0]
		r.acks = r.acks[1:]
		if ack.seq <= r.saved {
			ack.send()
		} else {
			ack.refuse(r.unsaved)
		}
	}
}

// tell sends a change to all who have not got it in their snapshot.
func (r *room) tell(c labengine.Change, data []byte) {
	r.tells = append(r.tells, outgoing{seq: c.Seq, wait: c.Origin != labengine.FromTerminal, send: func() {
		if data == nil && len(r.viewers) > 0 {
			data = encode(labengine.Message{Change: &c})
		}
		for v := range r.viewers {
			if v.knows < c.Seq {
				v.send(data)
				r.metrics.messages.Inc()
			}
		}
	}})
}

// acknowledge replies once the change is on disk, or with the problem where the disk does not take it.
func (r *room) acknowledge(reply labengine.Reply, send func(labengine.Reply)) {
	r.acks = append(r.acks, outgoing{
		seq:    reply.Seq,
		send:   func() { send(reply) },
		refuse: func(p *labengine.Problem) { send(labengine.Reply{Request: reply.Request, Problem: p}) },
	})
}

// ---- saving

// persist has a change written that the journal has just recorded, and what else is on disk with it or not at all.
func (r *room) persist(c labengine.Change, with ...func(*sql.Tx) error) {
	r.unstored = append(r.unstored, c)
	r.updated = c.At.UnixMilli()
	if r.unsaved != nil {
		return // the next attempt takes it along
	}
	writes := append([]func(*sql.Tx) error{appendChange(r.id, r.journal.Lab.Name, c)}, with...)
	if c.Seq-r.checkpoint >= checkpointEvery {
		r.checkpoint = c.Seq
		writes = append(writes, saveCheckpoint(r.id, r.journal.Lab, c.Seq))
	}
	r.submit(c.Seq, func(tx *sql.Tx) error {
		for _, write := range writes {
			if err := write(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *room) submit(seq int64, do func(*sql.Tx) error) {
	attempt := r.writing
	r.store.submit(do, func(err error) {
		r.mail.post(func() {
			switch {
			case attempt != r.writing:
			case err == nil:
				r.wereSaved(seq)
			default:
				r.wereNotSaved(err)
			}
		})
	})
}

func (r *room) wereSaved(seq int64) {
	r.saved = max(r.saved, seq)
	for len(r.unstored) > 0 && r.unstored[0].Seq <= seq {
		r.unstored = r.unstored[1:]
	}
	if r.unsaved != nil {
		r.log.Info("saved what the disk had refused", "seq", seq)
		r.unsaved = nil
		r.broadcastStatus()
		if len(r.unstored) > 0 {
			r.retry()
		}
	}
	if len(r.unstored) == 0 {
		r.inKernel = false
	}
	r.flush()
	r.whenSaved(nil)
	r.unused()
}

// whenSaved runs do, and what waits already, if nothing waits for the disk; else do waits for that.
func (r *room) whenSaved(do func()) {
	if do != nil {
		r.afterSaved = append(r.afterSaved, do)
	}
	for len(r.unstored) == 0 && len(r.afterSaved) > 0 {
		next := r.afterSaved[0]
		r.afterSaved = r.afterSaved[1:]
		next()
	}
}

// wereNotSaved takes back what has not happened but on paper, and otherwise tries again later.
func (r *room) wereNotSaved(err error) {
	r.writing++
	p := problemOf(r.log, err)
	if !r.inKernel {
		r.takeBack(p)
		return
	}
	first := r.unsaved == nil
	unsaved := *p
	unsaved.Message = "the lab goes on unsaved: " + p.Message
	if p.Code == labengine.CodeDiskFull {
		unsaved.Hint = "free some space there: what was done is then saved by itself"
	}
	r.unsaved = &unsaved
	if first {
		r.log.Error("the lab goes on unsaved", "err", err, "changes", len(r.unstored))
		r.broadcastStatus()
	}
	r.flush()
	r.later(retryEvery, r.retry)
}

// later has f done after a while, if the room is still open then.
func (r *room) later(wait time.Duration, f func()) {
	r.tasks.Add(1)
	go func() {
		defer r.tasks.Done()
		select {
		case <-time.After(wait):
			r.mail.post(f)
		case <-r.ctx.Done():
		}
	}()
}

func (r *room) retry() {
	r.checkpoint = r.journal.Seq
	r.submit(r.journal.Seq, adoptChanges(r.id, r.journal.Lab, r.journal.Seq, r.unstored))
}

// takeBack goes back to what is on disk: what is not there was never acknowledged.
func (r *room) takeBack(p *labengine.Problem) {
	saved, err := r.store.loadLab(r.ctx, r.id)
	if err != nil {
		r.log.Error("cannot read the lab back", "err", err)
		r.forget()
		r.end(1011, "the lab cannot be read from disk: "+problemOf(r.log, err).Message) // RFC 6455 §7.4.1: internal error
		return
	}
	acks := r.acks
	r.tells, r.acks = nil, nil
	r.adoptSaved(saved)
	r.broadcastSnapshot()
	for _, a := range acks {
		if a.seq <= r.saved {
			a.send()
		} else {
			a.refuse(p)
		}
	}
	r.whenSaved(nil)
	r.unused()
}

func (r *room) submitCheckpoint() {
	r.checkpoint = r.journal.Seq
	r.keep("the lab whole", saveCheckpoint(r.id, r.journal.Lab, r.journal.Seq), func(error) {})
}

// keep writes something that can be worked out again, or that the lab can do without. The room stays open until then:
// who opens it next reads it from disk.
func (r *room) keep(what string, do func(*sql.Tx) error, then func(error)) {
	r.keeping++
	r.store.submit(do, func(err error) {
		if err != nil {
			r.log.Warn("cannot save "+what+"; its changes are saved on their own", "err", err)
		}
		r.mail.post(func() {
			r.keeping--
			then(err)
			r.unused()
		})
	})
}

// setStatus tells everyone and the disk how the lab is. The disk may lag: a restarted server looks for the lab process
// itself.
func (r *room) setStatus(state labengine.State, p *labengine.Problem) {
	r.status = labengine.Status{State: state, Since: nowMillis(), Problem: p}
	r.saveStatus()
	r.broadcastStatus()
}

// saveStatus has the disk take the lab's state, now or as soon as it can.
func (r *room) saveStatus() {
	state, since := r.status.State, r.status.Since
	r.keep("the lab's state", saveState(r.id, r.status), func(err error) {
		if r.status.State != state || r.status.Since != since {
			return // a newer one is on its way
		}
		if r.lagging = err != nil; r.lagging {
			r.later(retryEvery, func() {
				if r.lagging {
					r.saveStatus()
				}
			})
		}
	})
}

// dropUnsaved takes from a lab that is not in the kernel what its file has no words for.
func (r *room) dropUnsaved() {
	after := r.journal.Lab.Saved()
	if labengine.Compare(r.journal.Lab, after).Empty() {
		return
	}
	r.record(labengine.Change{
		Origin: labengine.FromTerminal, Sentence: "The lab stopped; what its file has no word for went with it",
	}, after)
}

// record makes a change of a lab that is not in the kernel; with is written in the same transaction.
func (r *room) record(c labengine.Change, after labengine.Lab, with ...func(*sql.Tx) error) labengine.Change {
	c.At = time.Now().UTC().Round(0)
	c = r.journal.Commit(c, after)
	r.tell(c, nil)
	r.persist(c, with...)
	r.flush()
	r.advise()
	return c
}

// client of the lab process that runs the lab, or nil.
func (r *room) client() *client.Client {
	if r.running == nil || r.status.State != labengine.Running {
		return nil
	}
	return r.running.client
}
