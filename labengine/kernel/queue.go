package kernel

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"

	"vethlab/labengine/plan"
)

// queue is what waits to be sent. While a lab is made nobody else is in it to come between, and the kernel makes and changes
// links under one lock, which a goroutine of the queue's own keeps busy. It sends things in the order of their steps: a cable
// whose one end is up for long before the other costs the kernel an RCU grace period under that lock, dev_deactivate_many in
// net/sched/sch_generic.c.
type queue struct {
	batch   // what is being put together
	batches chan batch
	pending sync.WaitGroup // what was given to the sender
	sender  sync.WaitGroup

	mu     sync.Mutex   // guards what follows
	failed *refusedStep // nothing is sent any more
}

type refusedStep struct {
	plan.Step
	err error
}

// batch is requests in one namespace, for one call.
type batch struct {
	of       *Netns
	messages []message
	steps    []plan.Step // each message's
	makes    bool        // a link
	request  request
}

// queued bounds the messages of one call, so that their answers fit the socket's buffer.
const queued = 32

// queuedBatches bounds what waits for the sender. Policy: the applier waits.
const queuedBatches = 1024

// waits says whether a step's requests may wait; before any other step they are sent.
func waits(step plan.Step) bool {
	switch step.(type) {
	case plan.AddVeth, plan.AddAddress, plan.SetLink, plan.AddNamespace:
		return true
	}
	return false
}

// send sends a step's request: at once, or while a lab is made, later, and then the error is a later step's to return.
func (a *applier) send(step plan.Step, n *Netns, m message) error {
	if a.w.listens {
		return n.send(m)
	}
	q := &a.queue
	if q.of != n || len(q.messages) == queued || q.makes && m.link != "" { // the link has to be there to be found
		q.putAside()
	}
	q.of, q.messages, q.steps = n, append(q.messages, m), append(q.steps, step)
	q.makes = q.makes || m.kind == unix.RTM_NEWLINK && m.flags&unix.NLM_F_CREATE != 0
	return a.refusedLater()
}

// sendTo is send for a request about the link of a name, which may be about to be made.
func (a *applier) sendTo(step plan.Step, at plan.Spot, name string, m message) error {
	n, err := a.await(at.Node)
	if err != nil {
		return err
	}
	if !a.w.listens {
		m.link = name
	} else if l, ok := n.LinkNamed(name); ok {
		m.index = l.Index
	} else {
		return unix.ENODEV
	}
	return a.send(step, n, m)
}

// putAside gives what has been put together to the sender, and has another batch begin.
func (q *queue) putAside() {
	b := q.batch
	q.batch = batch{}
	if len(b.messages) == 0 {
		return
	}
	if q.batches == nil {
		q.batches = make(chan batch, queuedBatches)
		q.sender.Go(q.sendAll)
	}
	b.request = b.of.socket.prepare(b.messages...)
	b.request.unseen = true
	q.pending.Add(1)
	q.batches <- b
}

// sendAll is the sender.
func (q *queue) sendAll() {
	for b := range q.batches {
		if q.refused() == nil {
			if failed := b.send(); failed != nil {
				q.mu.Lock()
				q.failed = failed
				q.mu.Unlock()
			}
		}
		q.pending.Done()
	}
}

func (q *queue) refused() *refusedStep {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.failed
}

// refusedLater is the problem of the first step that was refused since it was put into the queue.
func (a *applier) refusedLater() error {
	if failed := a.queue.refused(); failed != nil {
		return a.w.refused(failed.Step, failed.err)
	}
	return nil
}

// flush returns when all that waited has been sent.
func (a *applier) flush() error {
	a.queue.putAside()
	a.queue.pending.Wait()
	return a.refusedLater()
}

// close ends the sender, with what it was given.
func (q *queue) close() {
	q.pending.Wait()
	if q.batches != nil {
		close(q.batches)
	}
	q.sender.Wait()
	q.batches = nil
}

// send gives the first step that is refused.
func (b batch) send() *refusedStep {
	_, err := b.of.socket.carryOut(b.request)
	if err == nil {
		return nil
	}
	step := b.steps[0]
	var refused refusedMessage
	if errors.As(err, &refused) {
		step = b.steps[refused.at]
	}
	return &refusedStep{step, err}
}
