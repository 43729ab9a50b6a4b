package server

import (
	"context"
	"errors"
	"sync"

	"vethlab/labengine"
)

// rooms are the labs that are open. A room stays for as long as somebody holds it or the lab is in the kernel.
type rooms struct {
	mu     sync.Mutex // guards the fields below, and the holders of each entry
	open   map[labengine.ID]*entry
	closed bool
}

type entry struct {
	room    *room
	err     error
	ready   chan struct{} // closed once room or err is set
	holders int
}

var errServerClosed = labengine.Problemf(labengine.CodeInternal, "the server is ending").
	WithHint("try again when it has been started again")

// acquire opens a lab, or finds it open. It stays so until release.
func (s *Server) acquire(ctx context.Context, id labengine.ID) (*room, error) {
	s.rooms.mu.Lock()
	if s.rooms.closed {
		s.rooms.mu.Unlock()
		return nil, errServerClosed
	}
	e, ok := s.rooms.open[id]
	if !ok {
		e = &entry{ready: make(chan struct{})}
		s.rooms.open[id] = e
	}
	e.holders++
	s.rooms.mu.Unlock()
	if !ok {
		var saved *savedLab
		if saved, e.err = s.store.loadLab(context.WithoutCancel(ctx), id); e.err == nil {
			e.room = s.newRoom(saved, func() { s.closeUnused(id, e) }, func() { s.forget(id, e) })
		}
		close(e.ready)
	}
	<-e.ready
	if e.err != nil {
		s.rooms.mu.Lock()
		if s.rooms.open[id] == e {
			delete(s.rooms.open, id)
		}
		s.rooms.mu.Unlock()
		return nil, e.err
	}
	return e.room, nil
}

// release gives back what acquire gave.
func (s *Server) release(r *room) {
	s.rooms.mu.Lock()
	if e, ok := s.rooms.open[r.id]; ok && e.room == r {
		e.holders--
	}
	s.rooms.mu.Unlock()
	r.mail.post(r.unused)
}

// closeUnused closes a room that nobody holds and that has nothing to do. It is called by the room's goroutine.
func (s *Server) closeUnused(id labengine.ID, e *entry) {
	if !e.room.idle() {
		return
	}
	s.rooms.mu.Lock()
	defer s.rooms.mu.Unlock()
	if e.holders == 0 && s.rooms.open[id] == e {
		delete(s.rooms.open, id)
		e.room.end(1000, "")
	}
}

// forget takes a room from the list, whoever holds it. It is called by the room's goroutine, before the room ends.
func (s *Server) forget(id labengine.ID, e *entry) {
	s.rooms.mu.Lock()
	defer s.rooms.mu.Unlock()
	if s.rooms.open[id] == e {
		delete(s.rooms.open, id)
	}
}

// all are the rooms that are open now.
func (s *Server) all() []*room {
	s.rooms.mu.Lock()
	entries := make([]*entry, 0, len(s.rooms.open))
	for _, e := range s.rooms.open {
		entries = append(entries, e)
	}
	s.rooms.mu.Unlock()
	var all []*room
	for _, e := range entries {
		if <-e.ready; e.room != nil {
			all = append(all, e.room)
		}
	}
	return all
}

// in runs f in the goroutine of a lab's room, and waits for it.
func (s *Server) in(ctx context.Context, id labengine.ID, f func(*room)) error {
	r, err := s.acquire(ctx, id)
	if err != nil {
		return err
	}
	defer s.release(r)
	if err := r.mail.call(ctx, func() { f(r) }); errors.Is(err, errRoomClosed) {
		return noSuchLab(id)
	} else if err != nil {
		return err
	}
	return nil
}

// await runs f in the goroutine of a lab's room, and waits until f, or whoever f leaves it to, calls done.
func (s *Server) await(ctx context.Context, id labengine.ID, f func(r *room, done func(error))) error {
	r, err := s.acquire(ctx, id)
	if err != nil {
		return err
	}
	defer s.release(r)
	result := make(chan error, 1)
	if !r.mail.post(func() { f(r, func(err error) { result <- err }) }) {
		return noSuchLab(id)
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-r.mail.ended:
		select {
		case err := <-result:
			return err
		default:
			return noSuchLab(id)
		}
	}
}
