package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"vethlab/labengine"
	"vethlab/labengine/client"
)

// upgrader makes websockets. Their Origin has been checked already, for every one: see checkOrigin.
var upgrader = websocket.Upgrader{
	HandshakeTimeout: 10 * time.Second,
	ReadBufferSize:   4 << 10,
	WriteBufferPool:  &sync.Pool{},
	WriteBufferSize:  16 << 10,
	CheckOrigin:      func(*http.Request) bool { return true },
	Error: func(w http.ResponseWriter, _ *http.Request, _ int, reason error) {
		writeProblem(w, labengine.Problemf(labengine.CodeBadRequest, "this is a websocket: %v", reason).
			WithHint("ask with Upgrade: websocket, RFC 6455"))
	},
}

// enter counts a websocket that Close waits for; false says that the server is ending.
func (s *Server) enter() bool {
	s.rooms.mu.Lock()
	defer s.rooms.mu.Unlock()
	if !s.rooms.closed {
		s.sockets.Add(1)
	}
	return !s.rooms.closed
}

// watchLab is the websocket of one page that looks at a lab.
func (s *Server) watchLab(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		s.fail(w, errServerClosed)
		return
	}
	defer s.sockets.Done()
	room, err := s.acquire(r.Context(), labID(r))
	if err != nil {
		s.fail(w, err)
		return
	}
	defer s.release(room)
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // answered by the upgrader
	}
	s.metrics.clients.Inc()
	defer s.metrics.clients.Dec()
	v := newViewer(ws, authorOf(r))
	defer v.close()
	stop := context.AfterFunc(s.ctx, func() { ws.NetConn().Close() })
	defer stop()
	if room.mail.call(s.ctx, func() { room.join(v) }) != nil {
		v.end(closeLabDeleted, "the lab was deleted")
	}
	v.read(func(request labengine.Request) {
		if room.mail.call(s.ctx, func() { room.requestFrom(v, request) }) != nil {
			v.refuse(request.ID, labengine.Problemf(labengine.CodeGone, "the lab was closed"))
		}
	})
	room.mail.call(s.ctx, func() { room.leave(v) })
}

// terminal joins a page's websocket with one of the lab process, which holds the shell and its scrollback.
func (s *Server) terminal(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		s.fail(w, errServerClosed)
		return
	}
	defer s.sockets.Done()
	var lab *client.Client
	var state labengine.State
	err := s.in(r.Context(), labID(r), func(r *room) { lab, state = r.client(), r.status.State })
	if err != nil {
		s.fail(w, err)
		return
	}
	page, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer page.Close()
	if lab == nil {
		endTerminal(page, labengine.Problemf(labengine.CodeNotRunning, "the lab is %s", state).WithHint("start the lab first"))
		return
	}
	query := url.Values{"author": {authorOf(r)}}
	for _, name := range []string{"id", "node", "offset", "cols", "rows"} {
		if v := r.URL.Query().Get(name); v != "" {
			query.Set(name, v)
		}
	}
	shell, err := lab.Terminal(s.ctx, query)
	if err != nil {
		endTerminal(page, problemOf(s.config.Log, err))
		return
	}
	defer shell.Close()
	stop := context.AfterFunc(s.ctx, func() { page.NetConn().Close(); shell.NetConn().Close() })
	defer stop()
	join(page, shell)
}

// endTerminal says on a page's terminal why there is none. A browser shows nothing of a refused handshake.
func endTerminal(page *websocket.Conn, p *labengine.Problem) {
	end, _ := json.Marshal(labengine.TerminalEnd{Status: -1, Reason: p.Error()})
	deadline := time.Now().Add(farewellWait)
	page.SetWriteDeadline(deadline)
	if page.WriteMessage(websocket.TextMessage, end) != nil {
		return
	}
	farewell(page, websocket.CloseNormalClosure, "")
}

// farewell closes a websocket from this side and waits for the other's answer, so that what was sent last arrives.
func farewell(ws *websocket.Conn, code int, reason string) {
	deadline := time.Now().Add(farewellWait)
	if ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), deadline) != nil {
		return
	}
	ws.SetReadDeadline(deadline)
	for {
		if _, _, err := ws.NextReader(); err != nil {
			return
		}
	}
}

// join passes messages on both ways until one side ends. Each side is read no faster than the other takes it: a page that
// takes nothing for pageWriteWait is cut off, and comes back with the offset up to which it has read.
func join(page, shell *websocket.Conn) {
	var keys sync.WaitGroup
	page.SetReadDeadline(time.Now().Add(pagePongWait))
	page.SetPongHandler(func(string) error { return page.SetReadDeadline(time.Now().Add(pagePongWait)) })
	done := make(chan struct{})
	keys.Go(func() {
		if errors.Is(pass(shell, page), errTooLarge) {
			farewell(page, websocket.CloseMessageTooBig, errTooLarge.Error())
		}
		shell.Close() // the page has gone; the shell goes on without it
	})
	keys.Go(func() {
		ping := time.NewTicker(pagePing)
		defer ping.Stop()
		for {
			select {
			case <-ping.C:
				page.WriteControl(websocket.PingMessage, nil, time.Now().Add(pageWriteWait))
			case <-done:
				return
			}
		}
	})
	pass(page, shell)
	close(done)
	page.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(farewellWait))
	page.NetConn().SetReadDeadline(time.Now().Add(farewellWait)) // until the page has answered the close
	keys.Wait()
}

// errTooLarge is also the reason that a page is told.
var errTooLarge = fmt.Errorf("a message may have %d KiB; paste less at once", maxRequest>>10)

// pass hands on what one websocket says to another, until either ends or says too much at once.
func pass(to, from *websocket.Conn) error {
	for {
		kind, reader, err := from.NextReader()
		if err != nil {
			return err
		}
		data, err := io.ReadAll(io.LimitReader(reader, maxRequest+1))
		if err != nil {
			return err
		}
		if len(data) > maxRequest {
			return errTooLarge
		}
		to.SetWriteDeadline(time.Now().Add(pageWriteWait))
		if err := to.WriteMessage(kind, data); err != nil {
			return err
		}
	}
}
