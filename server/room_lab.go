package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/client"
)

// running is a lab in the kernel, as a room knows it. Its fields but the process belong to the room's goroutine.
type running struct {
	process  Process
	client   *client.Client
	conn     *client.Conn  // nil while there is no connection
	synced   bool          // since this connection has said all that there is
	watched  bool          // it was told to capture, maybe by an earlier server
	deaf     chan struct{} // closed when it has replied that it no longer does
	stopping bool
	reason   *labengine.Problem // what the lab process said before it ended
	cancel   context.CancelFunc // ends the goroutine that follows it, and the connection
	followed chan struct{}      // closed when that goroutine has ended
}

const (
	connectWait   = 10 * time.Second // for a lab process to answer
	reconnectTime = 5 * time.Second  // how long a lab process that lives is tried to be reached again
	killWait      = 30 * time.Second // for a lab process to be gone
	unwatchWait   = 2 * time.Second  // for a lab process to end its capture, before it is ended anyhow
)

// start brings the lab into the kernel, and calls done when it is there or cannot be.
func (r *room) start(done func(error)) {
	switch r.status.State {
	case labengine.Running:
		done(nil)
		return
	case labengine.Starting:
		r.waiters = append(r.waiters, done)
		return
	case labengine.Stopping:
		r.held = append(r.held, func() { r.start(done) })
		return
	}
	switch {
	case r.deleted:
		done(noSuchLab(r.id))
		return
	case r.unsaved != nil:
		done(r.unsaved)
		return
	}
	r.dropUnsaved()
	r.waiters = append(r.waiters, done)
	r.setStatus(labengine.Starting, nil)
	r.whenSaved(func() { // what is in the kernel can no longer be taken back
		ctx, cancel := context.WithCancel(r.ctx)
		l := &running{cancel: cancel, followed: make(chan struct{})}
		r.running = l
		status := r.status
		r.tasks.Add(1)
		go func() {
			defer r.tasks.Done()
			defer close(l.followed)
			r.launch(ctx, l, status)
		}()
	})
}

// launch starts a lab process and follows it to its end. It is a goroutine of its own.
func (r *room) launch(ctx context.Context, l *running, status labengine.Status) {
	err := r.store.write(ctx, saveState(r.id, status)) // on disk before it is so: a restarted server looks for it
	if err == nil {
		var process Process
		if process, err = r.labs.Start(ctx, r.dir); err == nil {
			r.mail.call(r.ctx, func() { l.process, l.client = process, client.New(process.Dial) })
		}
	}
	if r.ctx.Err() != nil {
		return // the next start finds the lab process, and the state that says it was starting
	}
	if err != nil {
		r.mail.post(func() { r.ended(l, err) })
		return
	}
	connectCtx, cancel := context.WithTimeout(ctx, connectWait)
	conn, err := l.client.Connect(connectCtx)
	cancel()
	if err != nil {
		r.kill(l)
		r.mail.post(func() { r.ended(l, err) })
		return
	}
	r.mail.call(r.ctx, func() {
		changes := r.journal.Changes
		r.connected(l, conn, labengine.Request{ID: "begin", Begin: &labengine.Begin{
			Protocol: labengine.Protocol, Lab: r.journal.Lab, Seq: r.journal.Seq,
			Changes: changes[max(0, len(changes)-historyLength):],
		}})
	})
	r.follow(ctx, l, conn)
}

// resume goes on with a lab process that outlived an earlier server.
func (r *room) resume(process Process) {
	ctx, cancel := context.WithCancel(r.ctx)
	l := &running{process: process, client: client.New(process.Dial), cancel: cancel, followed: make(chan struct{})}
	r.running = l
	r.tasks.Add(1)
	go func() {
		defer r.tasks.Done()
		defer close(l.followed)
		r.follow(ctx, l, nil)
	}()
}

// follow hands the room what the lab process says, over one connection after another, until the process ends.
func (r *room) follow(ctx context.Context, l *running, conn *client.Conn) {
	for {
		var lost error
		if conn == nil {
			conn, lost = r.reconnect(ctx, l)
		}
		if conn != nil {
			lost = r.receive(ctx, l, conn)
			conn.Close()
			conn = nil
			r.mail.post(func() { r.disconnected(l) })
		}
		if ctx.Err() != nil {
			return
		}
		select {
		case <-l.process.Done():
			r.mail.post(func() { r.ended(l, nil) })
			return
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond): // a process that ends closes its sockets a moment before
		}
		var p *labengine.Problem
		if lost != nil && (errors.Is(lost, errUnreachable) || errors.As(lost, &p)) {
			r.kill(l)
			r.mail.post(func() { r.ended(l, lost) })
			return
		}
	}
}

// receive hands the room each message of one connection, until it ends.
func (r *room) receive(ctx context.Context, l *running, conn *client.Conn) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	for {
		m, err := conn.Receive()
		if err != nil {
			return nil
		}
		var refused error
		if err := r.mail.call(ctx, func() { refused = r.heard(l, conn, m) }); err != nil || refused != nil {
			return errors.Join(err, refused)
		}
	}
}

var errUnreachable = errors.New("the lab's process does not answer any longer")

// reconnect reaches a lab process that is there already, within reconnectTime.
func (r *room) reconnect(ctx context.Context, l *running) (*client.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, reconnectTime)
	defer cancel()
	wait := 10 * time.Millisecond
	for {
		conn, err := l.client.Connect(ctx)
		if err == nil {
			err = r.mail.call(ctx, func() {
				r.connected(l, conn, labengine.Request{ID: "resume", Resume: &labengine.Resume{
					Protocol: labengine.Protocol, After: r.journal.Seq,
				}})
			})
			if err != nil {
				conn.Close()
				return nil, err
			}
			return conn, nil
		}
		if errors.Is(err, &labengine.Problem{Code: labengine.CodeNotSupported}) {
			return nil, err
		}
		select {
		case <-l.process.Done():
			return nil, nil
		case <-ctx.Done():
			return nil, errUnreachable
		case <-time.After(wait):
			wait = min(2*wait, time.Second)
		}
	}
}

// connected sends the first request of a new connection.
func (r *room) connected(l *running, conn *client.Conn, first labengine.Request) {
	l.conn, l.synced = conn, false
	l.watched = l.watched || first.Resume != nil
	conn.Send(first)
}

// disconnected keeps the ops that were not answered, to be asked again: a lab process knows an op that it has done. What
// else was asked is not known to have been done.
func (r *room) disconnected(l *running) {
	l.conn, l.synced = nil, false
	if r.running == l {
		r.unanswered(func(a asked) bool { return a.request.Op == nil },
			labengine.Problemf(labengine.CodeNotRunning, "the connection to the lab broke before it answered").
				WithHint("look whether it was done, and do it again if not"))
	}
}

// watch turns the capture of frames on while somebody looks, and off: a lab that was found may capture for an earlier server.
func (r *room) watch() {
	if r.status.State == labengine.Running && r.running != nil && r.running.conn != nil {
		r.running.watched = r.running.watched || len(r.viewers) > 0
		r.running.conn.Send(labengine.Request{ID: "watch", Watch: &labengine.Watch{Frames: len(r.viewers) > 0}})
	}
}

// unwatch has a lab that has been watched end its capture before it is ended itself: of a process that ends, the kernel closes
// one packet socket after the other, some 25 ms each.
func (l *running) unwatch() {
	if l.watched && l.conn != nil {
		l.deaf = make(chan struct{})
		l.conn.Send(labengine.Request{ID: "unwatch", Watch: &labengine.Watch{}})
	}
}

// kill ends a lab process. It is not called by the room's goroutine.
func (r *room) kill(l *running) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), killWait)
	defer cancel()
	return l.process.Kill(ctx)
}

// heard is one message from the lab process. An error ends the connection.
func (r *room) heard(l *running, conn *client.Conn, m client.Message) error {
	if r.running != l || l.conn != conn {
		return nil
	}
	switch {
	case m.Change != nil:
		return r.heardChange(l, *m.Change, m.Raw)
	case m.Live != nil:
		r.mergeLive(*m.Live)
		if !l.synced {
			break
		}
		r.broadcast(m.Raw)
		if len(m.Live.Nodes) > 0 {
			r.advise()
		}
	case m.Frames != nil:
		r.metrics.frames.Add(float64(len(m.Frames.Frames) * len(r.viewers)))
		r.broadcast(m.Raw)
	case m.Probe != nil:
		if a, ok := r.requests[m.Probe.Request]; ok && a.viewer != nil {
			m.Probe.Request = a.id
			a.viewer.sendMessage(m.Message)
		}
	case m.Reply != nil:
		if m.Reply.Problem != nil && (m.Reply.Request == "begin" || m.Reply.Request == "resume") {
			l.reason = m.Reply.Problem
			return m.Reply.Problem // the lab cannot be made; its process is ended
		}
		if m.Reply.Request == "unwatch" && l.deaf != nil {
			close(l.deaf)
			l.deaf = nil
			break
		}
		if m.Reply.Request == "begin" {
			r.inStep(l, nil)
			break
		}
		r.answered(*m.Reply)
	case m.Terminals != nil:
		r.terminals = m.Terminals.Terminals
		r.broadcast(m.Raw)
	case m.Features != nil:
		r.features = m.Features.Features
		r.broadcast(m.Raw)
	case m.Status != nil:
		r.heardStatus(l, *m.Status)
	case m.Snapshot != nil:
		r.heardSnapshot(l, *m.Snapshot)
	}
	return nil
}

var errGap = errors.New("the lab process left out a change")

// heardChange follows the lab process, which numbers the changes of a running lab. After a gap the connection is made
// anew, and what the snapshot then says holds.
func (r *room) heardChange(l *running, c labengine.Change, raw []byte) error {
	if c.Seq <= r.journal.Seq {
		return nil
	}
	if c.Seq != r.journal.Seq+1 {
		if !l.synced {
			return nil
		}
		r.log.Error("a gap in the changes of a lab", "have", r.journal.Seq, "got", c.Seq)
		return errGap
	}
	r.journal.Replay(c)
	r.inKernel = true
	r.tell(c, raw)
	r.persist(c)
	r.flush()
	r.advise()
	return nil
}

func (r *room) heardStatus(l *running, status labengine.Status) {
	switch status.State {
	case labengine.Starting:
		if r.status.State == labengine.Starting {
			r.status.Done, r.status.Total = status.Done, status.Total
			r.broadcastStatus()
		}
	case labengine.Running:
		if r.status.State == labengine.Running {
			r.status.Problem = status.Problem
			r.broadcastStatus()
		}
	default:
		if status.Problem != nil {
			l.reason = status.Problem
		}
	}
}

// heardSnapshot is all of a lab that was found running. It comes once on each connection.
func (r *room) heardSnapshot(l *running, s labengine.Snapshot) {
	if s.Seq != r.journal.Seq || !labengine.Compare(r.journal.Lab, s.Lab).Empty() {
		r.log.Warn("the lab process has another lab than the server; its own holds", "have", r.journal.Seq, "got", s.Seq)
		r.adopt(s)
	}
	r.live, r.terminals = s.Live, s.Terminals
	if s.Features != nil { // else what was found when the lab last ran holds for the moment
		r.features = s.Features
	}
	r.inStep(l, s.Status.Problem)
}

// inStep goes on once the lab process has said all that there is of the running lab.
func (r *room) inStep(l *running, problem *labengine.Problem) {
	l.synced = true
	r.advise()
	if r.status.State == labengine.Starting || problem != nil || r.status.Problem != nil {
		r.setStatus(labengine.Running, problem)
	}
	if r.status.State != labengine.Running {
		return // it is being stopped
	}
	r.broadcastSnapshot()
	r.watch()
	r.askAgain(l)
	r.settled(nil)
}

// adopt takes the lab process's lab, which is the kernel's, for the lab.
func (r *room) adopt(s labengine.Snapshot) {
	lab := s.Lab.Clone()
	r.journal = labengine.NewJournal(lab, s.Seq, s.Changes)
	r.tells = nil // the snapshot says it all
	r.writing++   // of the attempts before this one none matters
	r.unstored, r.inKernel = slices.Clone(s.Changes), true
	r.checkpoint = s.Seq
	r.submit(s.Seq, adoptChanges(r.id, lab, s.Seq, s.Changes))
}

// mergeLive keeps what the kernel says up to date, for the snapshots of those who come later.
func (r *room) mergeLive(changed labengine.Live) {
	r.live.Links = merge(r.live.Links, changed.Links)
	r.live.Nodes = merge(r.live.Nodes, changed.Nodes)
	r.live.Firewalls = merge(r.live.Firewalls, changed.Firewalls)
	r.live.Counters = merge(r.live.Counters, changed.Counters)
	r.live.Conntrack = merge(r.live.Conntrack, changed.Conntrack)
}

func merge[V any](into, changed map[labengine.ID]*V) map[labengine.ID]*V {
	if into == nil && len(changed) > 0 {
		into = map[labengine.ID]*V{}
	}
	for id, v := range changed {
		if v == nil {
			delete(into, id)
		} else {
			into[id] = v
		}
	}
	return into
}

// stop takes the lab out of the kernel, and calls done when it is gone.
func (r *room) stop(done func(error)) {
	l := r.running
	switch {
	case r.status.State == labengine.Stopped || r.status.State == labengine.Dead:
		done(nil)
		return
	case r.status.State == labengine.Stopping:
		r.waiters = append(r.waiters, done)
		return
	case l == nil: // it waits for the disk before it starts
		r.held = append(r.held, func() { r.stop(done) })
		return
	}
	if r.status.State == labengine.Starting {
		r.settled(labengine.Problemf(labengine.CodeNotRunning, "the lab was stopped while it started"))
	}
	r.waiters = append(r.waiters, done)
	l.stopping = true
	r.setStatus(labengine.Stopping, nil)
	if l.conn == nil && l.process == nil {
		l.cancel() // what starts it gives up
	}
	r.tasks.Add(1)
	go func() {
		defer r.tasks.Done()
		r.finish(l)
	}()
}

// finish ends a lab process and waits until all that it said has been heard.
func (r *room) finish(l *running) {
	var process Process
	var deaf chan struct{}
	r.mail.call(r.ctx, func() {
		if l.conn != nil {
			process = l.process
			l.unwatch()
			deaf = l.deaf
		}
	})
	if process == nil { // it is being launched, or cannot be reached: whoever does that ends first
		l.cancel()
		<-l.followed
		process = l.process
	}
	var err error
	if process != nil {
		if deaf != nil {
			select {
			case <-deaf:
			case <-process.Done():
			case <-time.After(unwatchWait):
			}
		}
		err = r.kill(l)
	}
	r.mail.post(func() {
		if err != nil && r.running == l {
			l.stopping = false
			r.setStatus(labengine.Running, labengine.Problemf(labengine.CodeInternal, "the lab could not be stopped: %v", err))
			r.settled(err)
			return
		}
		select {
		case <-l.followed:
			r.ended(l, nil)
		default: // follow calls ended
		}
	})
}

// ended is the end of a lab process, asked for or not, or of the attempt to start one.
func (r *room) ended(l *running, err error) {
	if r.running != l {
		return
	}
	r.running = nil
	l.cancel()
	r.live, r.terminals = labengine.Live{}, nil
	r.advise()
	state, problem := labengine.Stopped, (*labengine.Problem)(nil)
	if !l.stopping {
		problem = l.reason
		if problem == nil && err != nil {
			problem = problemOf(r.log, err)
		}
		if r.status.State != labengine.Starting || problem == nil {
			state = labengine.Dead
		}
		if problem == nil {
			how := ""
			if l.process != nil && l.process.Err() != nil {
				how = fmt.Sprintf(" (%v)", l.process.Err())
			}
			problem = labengine.Problemf(labengine.CodeNotRunning, "the lab's process ended%s; the drawing is safe", how).
				WithHint("start the lab again")
		}
	}
	r.unanswered(func(asked) bool { return true },
		labengine.Problemf(labengine.CodeNotRunning, "the lab ended before it answered").WithHint("start the lab first"))
	r.dropUnsaved()
	if r.unsaved == nil && r.journal.Seq > r.checkpoint {
		r.submitCheckpoint()
	}
	r.setStatus(state, problem)
	r.broadcastSnapshot()
	if problem != nil {
		r.settled(problem)
	} else {
		r.settled(nil)
	}
	r.unused()
}

// settled tells who waited that the lab is started or stopped, or why not, and does what waited for that.
func (r *room) settled(err error) {
	waiters, held := r.waiters, r.held
	r.waiters, r.held = nil, nil
	for _, done := range waiters {
		done(err)
	}
	for _, do := range held {
		do()
	}
}
