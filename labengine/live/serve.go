package live

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/segmentio/encoding/json"

	"vethlab/labengine"
)

// outboxSize bounds the messages that wait for one connection. Policy: a server that reads none for so long is cut off;
// it connects again, and asks for what it has missed with Resume.
const outboxSize = 4096

// maxRequest bounds one request, in bytes: a Begin holds a whole lab with its changes.
const maxRequest = 256 << 20

var upgrader = websocket.Upgrader{ // only the server can reach the socket: it is in a folder of its own, mode 0700
	CheckOrigin: func(*http.Request) bool { return true }, ReadBufferSize: 32 << 10, WriteBufferSize: 32 << 10,
}

// serve answers on the lab's socket until the returned function is called, which waits for all connections to end.
func (l *Lab) serve() (stop func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", l.serveControl)
	mux.HandleFunc("GET /terminal", l.serveTerminal)
	mux.HandleFunc("GET /exec", l.serveExec)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l.box.Listener()); !errors.Is(err, http.ErrServerClosed) {
			l.Log.Error("serve", "error", err)
		}
	}()
	return func() {
		server.Close()
		l.hub.closeAll()
		l.terminals.closeAll()
		<-done
	}
}

// refuse answers a request that cannot become a websocket with the problem as JSON.
func refuse(w http.ResponseWriter, err error) {
	p := problem(err)
	status := http.StatusBadRequest
	switch p.Code {
	case labengine.CodeNoSuchNode, labengine.CodeGone:
		status = http.StatusNotFound
	case labengine.CodeInternal:
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(p)
}

// hub is everyone who is connected to the lab process: the server, as a rule alone.
type hub struct {
	mu    sync.Mutex // guards what follows
	conns map[*conn]bool
	since time.Time // since when there is none
}

// conn is one control connection. Messages go out in the order of send.
type conn struct {
	ws     *websocket.Conn
	outbox chan []byte
	ctx    context.Context // ends when the connection is of no use any more
	end    context.CancelFunc
}

func (h *hub) init() { h.conns, h.since = map[*conn]bool{}, time.Now() }

func (h *hub) broadcast(m labengine.Message) {
	h.mu.Lock()
	conns := make([]*conn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	h.mu.Unlock()
	if len(conns) == 0 {
		return
	}
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // the types of wire.go can all be encoded
	}
	for _, c := range conns {
		c.sendRaw(data)
	}
	runtime.Gosched() // who writes it goes first: what this goroutine does next may take longer than the way to the page
}

func (h *hub) add(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns[c] = true
}

func (h *hub) remove(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if delete(h.conns, c); len(h.conns) == 0 {
		h.since = time.Now()
	}
}

// lonely says whether nobody has been connected for so long.
func (h *hub) lonely(long time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns) == 0 && time.Since(h.since) > long
}

func (h *hub) closeAll() {
	h.mu.Lock()
	conns := make([]*conn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	h.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
}

func (c *conn) send(m labengine.Message) {
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // the types of wire.go can all be encoded
	}
	c.sendRaw(data)
}

func (c *conn) sendRaw(data []byte) {
	select {
	case c.outbox <- data:
	case <-c.ctx.Done():
	default:
		c.close()
	}
}

func (c *conn) close() {
	c.end()
	c.ws.Close()
}

func (c *conn) write() {
	for {
		select {
		case <-c.ctx.Done():
			return
		case data := <-c.outbox:
			c.ws.SetWriteDeadline(time.Now().Add(10 * time.Second))
			if c.ws.WriteMessage(websocket.TextMessage, data) != nil {
				c.close()
				return
			}
		}
	}
}

// serveControl is the server's connection: hello first, then what the first request asks for, then everything.
func (l *Lab) serveControl(w http.ResponseWriter, r *http.Request) {
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	ws.SetReadLimit(maxRequest)
	c := &conn{ws: ws, outbox: make(chan []byte, outboxSize)}
	c.ctx, c.end = context.WithCancel(context.Background())
	c.send(labengine.Message{Hello: &labengine.Hello{Protocol: labengine.Protocol, Version: l.Version}})
	var writing sync.WaitGroup
	writing.Go(c.write)
	defer writing.Wait()
	defer c.close()
	defer l.hub.remove(c)
	for {
		_, data, err := ws.ReadMessage()
		if err != nil {
			return
		}
		var request labengine.Request
		if err := json.Unmarshal(data, &request); err != nil {
			c.send(labengine.Message{Reply: &labengine.Reply{
				Problem: labengine.Problemf(labengine.CodeBadRequest, "not a request: %v", err),
			}})
			continue
		}
		l.handle(c, request)
	}
}

// handle carries out one request and replies, at once or, for probes, when they end.
func (l *Lab) handle(c *conn, r labengine.Request) {
	reply := func(change labengine.Change, text string, err error) {
		out := &labengine.Reply{Request: r.ID, Seq: change.Seq, Text: text}
		if err != nil {
			out.Problem = problem(err)
		}
		c.send(labengine.Message{Reply: out})
	}
	change := func(carryOut func() (labengine.Change, error)) {
		l.do(func() {
			l.refuseAt = -1
			if l.Refuse != nil {
				l.refuseAt = l.Refuse(r)
			}
			c, err := carryOut()
			text := ""
			if r.Op == nil { // of one's own gesture one knows
				text = c.Sentence
			}
			reply(c, text, err)
		})
	}
	switch {
	case r.Begin != nil:
		l.do(func() {
			l.hub.add(c)
			if l.begun {
				reply(labengine.Change{}, "", labengine.Problemf(labengine.CodeExists, "this lab has begun already"))
				return
			}
			err := l.begin(*r.Begin)
			l.box.EndAhead()
			if err == nil {
				if len(l.journal.Lab.Nodes) <= tablesAtOnce { // else it would be few of them
					l.finishNamespaces()
					l.takeTables()
				}
				l.hub.broadcast(labengine.Message{Live: l.live()})
			}
			reply(labengine.Change{}, "", err)
			if err == nil {
				l.started()
			}
		})
	case r.Resume != nil:
		l.do(func() {
			l.observe()
			l.takeTables()
			for _, change := range l.journal.Changes {
				if change.Seq > r.Resume.After {
					c.send(labengine.Message{Change: &change})
				}
			}
			snapshot := l.snapshot()
			c.send(labengine.Message{Snapshot: &snapshot})
			l.hub.add(c)
			reply(labengine.Change{}, "", nil)
		})
	case r.Watch != nil:
		l.do(func() { l.watch(r.Watch.Frames); reply(labengine.Change{}, "", nil) })
	case r.Op != nil:
		change(func() (labengine.Change, error) { return l.op(r.Author, *r.Op) })
	case r.Undo != nil:
		change(func() (labengine.Change, error) { return l.undo(r.Author) })
	case r.Redo != nil:
		change(func() (labengine.Change, error) { return l.redo(r.Author) })
	case r.Restore != nil:
		change(func() (labengine.Change, error) { return l.restore(r.Author, r.Restore.Seq) })
	case r.Ping != nil:
		l.probe(c, r, func(ctx context.Context, report func(labengine.ProbeEvent)) (string, error) {
			return l.ping(ctx, *r.Ping, report)
		})
	case r.ARP != nil:
		l.probe(c, r, func(ctx context.Context, report func(labengine.ProbeEvent)) (string, error) {
			return l.arp(ctx, *r.ARP, report)
		})
	case r.Cancel != nil:
		l.probes.cancel(r.Cancel.Request)
		reply(labengine.Change{}, "", nil)
	case r.Close != nil:
		reply(labengine.Change{}, "", l.terminals.close(r.Close.Terminal))
	default:
		reply(labengine.Change{}, "", labengine.Problemf(labengine.CodeBadRequest, "the request asks for nothing that this lab knows"))
	}
}
