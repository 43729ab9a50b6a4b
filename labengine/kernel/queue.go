package kernel

import (
	"errors"

	"golang.org/x/sys/unix"

	"vethlab/labengine/plan"
)

// queue is what waits to be sent. While a lab is made nobody else is in it to come between; and each call has to get the lock
// under which the kernel changes links, against the thread that makes namespaces. So links are made as their namespaces
// come, and what belongs to the links is done while the next are awaited, and after the last.
type queue struct {
	batch         // what is being put together
	later []batch // what makes no link, in order
}

// batch is requests in one namespace, for one call.
type batch struct {
	of       *Netns
	messages []message
	steps    []plan.Step // each message's
	makes    bool        // a link, which a later step may look for
}

// queued bounds the messages of one call, so that their answers fit the socket's buffer.
const queued = 32

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
	if q.of != n || len(q.messages) == queued {
		if err := a.putAside(); err != nil {
			return err
		}
	}
	q.of, q.messages, q.steps = n, append(q.messages, m), append(q.steps, step)
	q.makes = q.makes || m.kind == unix.RTM_NEWLINK && m.flags&unix.NLM_F_CREATE != 0
	return nil
}

// putAside has another batch begin. One that makes a link is sent.
func (a *applier) putAside() error {
	b := a.queue.batch
	a.queue.batch = batch{}
	if b.makes {
		return a.sendBatch(b)
	}
	if len(b.messages) > 0 {
		a.queue.later = append(a.queue.later, b)
	}
	return nil
}

// sendOne sends the batch that has waited longest, and says whether there was one.
func (a *applier) sendOne() (was bool, err error) {
	if len(a.queue.later) == 0 {
		return false, nil
	}
	b := a.queue.later[0]
	a.queue.later = a.queue.later[1:]
	return true, a.sendBatch(b)
}

// flush sends all that waits.
func (a *applier) flush() error {
	err := a.putAside()
	for more := true; more && err == nil; {
		more, err = a.sendOne()
	}
	return err
}

// sendBatch gives the problem of the first step that is refused.
func (a *applier) sendBatch(b batch) error {
	_, err := b.of.socket.exchange(b.messages...)
	if err == nil {
		return nil
	}
	step := b.steps[0]
	var refused refusedMessage
	if errors.As(err, &refused) {
		step = b.steps[refused.at]
	}
	return a.w.refused(step, err)
}
