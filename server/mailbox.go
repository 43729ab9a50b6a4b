package server

import (
	"context"
	"errors"
	"sync"
)

// mailbox is what others want the goroutine of a room to do, in order. It has no bound of its own: each sender that has
// much to say waits with [mailbox.call] until its last wish was carried out, so there is at most one of each; what is
// posted without waiting (writes that ended, processes that ended) is as bounded as what it answers.
type mailbox struct {
	mu     sync.Mutex // guards queue and closed
	queue  []func()
	closed bool
	signal chan struct{} // holds one token while the queue may have something
	ended  chan struct{} // closed once nothing more is carried out
}

var errRoomClosed = errors.New("the lab was closed")

func newMailbox() *mailbox {
	return &mailbox{signal: make(chan struct{}, 1), ended: make(chan struct{})}
}

// post queues f and returns at once; false says that it will not be carried out.
func (m *mailbox) post(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.queue = append(m.queue, f)
	select {
	case m.signal <- struct{}{}:
	default:
	}
	return true
}

// call has f carried out and waits for it. After an error f may yet be carried out.
func (m *mailbox) call(ctx context.Context, f func()) error {
	done := make(chan struct{})
	if !m.post(func() { defer close(done); f() }) {
		return errRoomClosed
	}
	select {
	case <-done:
		return nil
	case <-m.ended:
		select {
		case <-done:
			return nil
		default:
			return errRoomClosed
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run carries out what is posted, until close.
func (m *mailbox) run() {
	defer close(m.ended)
	for range m.signal {
		for {
			m.mu.Lock()
			queue, closed := m.queue, m.closed
			m.queue = nil
			m.mu.Unlock()
			if closed {
				return
			}
			if len(queue) == 0 {
				break
			}
			for _, f := range queue {
				f()
			}
		}
	}
}

// close ends run after what it carries out now; what it has taken from the queue already is still done.
func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	select {
	case m.signal <- struct{}{}:
	default:
	}
}
