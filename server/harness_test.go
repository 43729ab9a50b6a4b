package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gorilla/websocket"

	"vethlab/labengine"
)

const redAndBlue = `vethlab: 1
name: Red and blue
nodes:
  - {name: host, kind: machine}
  - {name: red, kind: namespace, in: host}
  - {name: blue, kind: namespace, in: host}
cables:
  - [red:veth-red 192.168.15.1/24, blue:veth-blue 192.168.15.2/24]
`

// testServer is a server that listens on loopback, with a lab process side of the test's own.
type testServer struct {
	*Server
	t    testing.TB
	http *httptest.Server
	labs *tinyLabs
}

func serve(t *testing.T) *testServer {
	return serveIn(t, t.TempDir(), &tinyLabs{running: map[string]*tinyLab{}})
}

func serveIn(t *testing.T, state string, labs *tinyLabs) *testServer {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() { waitForGoroutines(t, before) })
	return serveWith(t, state, labs, slog.New(slog.NewTextHandler(testLog{t}, nil)))
}

func serveWith(t testing.TB, state string, labs *tinyLabs, log *slog.Logger) *testServer {
	t.Helper()
	s, err := New(t.Context(), Config{
		State: state, Labs: labs, Version: "test", Log: log,
		Page: fstest.MapFS{
			"index.html":          {Data: []byte("<!doctype html><title>the page</title>")},
			"assets/app-1234.js":  {Data: []byte("export {}")},
			"favicon.svg":         {Data: []byte("<svg/>")},
			"assets/sub/deep.css": {Data: []byte("a{}")},
		},
		Examples: fstest.MapFS{"red-and-blue.yaml": {Data: []byte(redAndBlue)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ts := &testServer{Server: s, t: t, http: httptest.NewServer(s.Handler()), labs: labs}
	t.Cleanup(func() {
		ts.close()
		labs.killAll()
	})
	return ts
}

// close ends the server as serve does at SIGTERM: labs go on.
func (ts *testServer) close() {
	if ts.http == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := ts.Server.Close(ctx); err != nil {
		ts.t.Error(err)
	}
	ts.http.Client().CloseIdleConnections()
	http.DefaultClient.CloseIdleConnections()
	ts.http.Close()
	ts.http = nil
}

// waitForGoroutines fails the test if goroutines outlive what they belonged to.
func waitForGoroutines(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Errorf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
			return
		}
		time.Sleep(10 * time.Millisecond) // there is no event for the end of a goroutine of net/http
	}
}

// testLog writes the server's log to the test's, until the test has ended.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	if l.t.Context().Err() == nil {
		l.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

// request is one with the bearer token, unless header says otherwise.
func (ts *testServer) request(method, path, body string, header ...string) *http.Response {
	ts.t.Helper()
	r, err := http.NewRequest(method, ts.http.URL+path, strings.NewReader(body))
	if err != nil {
		ts.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+ts.bearer)
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	response, err := ts.http.Client().Do(r)
	if err != nil {
		ts.t.Fatal(err)
	}
	ts.t.Cleanup(func() { response.Body.Close() })
	return response
}

// call is a request that must succeed; its answer is decoded into out.
func (ts *testServer) call(method, path, body string, out any, header ...string) {
	ts.t.Helper()
	response := ts.request(method, path, body, header...)
	data, _ := io.ReadAll(response.Body)
	if response.StatusCode/100 != 2 {
		ts.t.Fatalf("%s %s: %s\n%s", method, path, response.Status, data)
	}
	if out != nil {
		if err := json.Unmarshal(data, out); err != nil {
			ts.t.Fatalf("%s %s: %v\n%s", method, path, err, data)
		}
	}
}

// wantProblem checks that an answer is a problem with a code, and returns it.
func wantProblem(t *testing.T, response *http.Response, status int, code labengine.Code) problemJSON {
	t.Helper()
	var p problemJSON
	data, _ := io.ReadAll(response.Body)
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatalf("not a problem: %v\n%s", err, data)
	}
	if got := response.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("the problem is sent as %s", got)
	}
	if response.StatusCode != status || p.Status != status || p.Code != code || p.Detail == "" || p.Title == "" {
		t.Errorf("want %d %s, got %s\n%s", status, code, response.Status, data)
	}
	return p
}

func (ts *testServer) newLab(body string) labengine.ID {
	ts.t.Helper()
	var lab LabSummary
	ts.call("POST", "/api/labs", body, &lab, "Content-Type", "application/json")
	return lab.ID
}

// signIn is the cookie jar of a browser that has opened the printed URL.
func (ts *testServer) signIn() *http.Client {
	ts.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		ts.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: ts.http.Client().Transport}
	response, err := browser.Get(ts.LoginURL(ts.http.URL))
	if err != nil {
		ts.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		ts.t.Fatalf("login: %s", response.Status)
	}
	return browser
}

// page is a page's websocket.
type page struct {
	t  testing.TB
	ws *websocket.Conn
}

func (ts *testServer) dial(path string, header http.Header) (*websocket.Conn, *http.Response, error) {
	if header == nil {
		header = http.Header{"Authorization": {"Bearer " + ts.bearer}}
	}
	return websocket.DefaultDialer.Dial(strings.Replace(ts.http.URL, "http", "ws", 1)+path, header)
}

func (ts *testServer) look(id labengine.ID) *page {
	ts.t.Helper()
	ws, _, err := ts.dial("/api/labs/"+string(id)+"/ws", nil)
	if err != nil {
		ts.t.Fatal(err)
	}
	p := &page{ts.t, ws}
	ts.t.Cleanup(func() { ws.Close() })
	return p
}

func (p *page) send(r labengine.Request) {
	p.t.Helper()
	if err := p.ws.WriteJSON(r); err != nil {
		p.t.Fatal(err)
	}
}

func (p *page) next() labengine.Message {
	p.t.Helper()
	p.ws.SetReadDeadline(time.Now().Add(10 * time.Second))
	var m labengine.Message
	if err := p.ws.ReadJSON(&m); err != nil {
		p.t.Fatal(err)
	}
	return m
}

// until reads messages until one is as wanted.
func until[T any](p *page, pick func(labengine.Message) (T, bool)) T {
	p.t.Helper()
	for {
		if v, ok := pick(p.next()); ok {
			return v
		}
	}
}

func (p *page) snapshot() labengine.Snapshot {
	p.t.Helper()
	return *until(p, func(m labengine.Message) (*labengine.Snapshot, bool) { return m.Snapshot, m.Snapshot != nil })
}

func (p *page) change() labengine.Change {
	p.t.Helper()
	return *until(p, func(m labengine.Message) (*labengine.Change, bool) { return m.Change, m.Change != nil })
}

func (p *page) reply(id labengine.ID) labengine.Reply {
	p.t.Helper()
	return *until(p, func(m labengine.Message) (*labengine.Reply, bool) {
		return m.Reply, m.Reply != nil && m.Reply.Request == id
	})
}

func (p *page) status(state labengine.State) labengine.Status {
	p.t.Helper()
	return *until(p, func(m labengine.Message) (*labengine.Status, bool) {
		return m.Status, m.Status != nil && m.Status.State == state
	})
}

// ask sends a request and waits for its reply.
func (p *page) ask(r labengine.Request) labengine.Reply {
	p.t.Helper()
	p.send(r)
	return p.reply(r.ID)
}

func addNamespace(op labengine.ID, in labengine.ID, name string) labengine.Request {
	return labengine.Request{ID: "r-" + op, Op: &labengine.Op{ID: op, Edits: []labengine.Edit{
		{AddNode: &labengine.AddNode{ID: "n-" + op, Name: name, Kind: labengine.Namespace, In: in}},
	}}}
}

func machineOf(lab labengine.Lab) labengine.ID {
	for _, n := range lab.Nodes {
		if n.Kind == labengine.Machine {
			return n.ID
		}
	}
	return ""
}

// tinyLabs stands in for the lab processes until package sandbox does: each lab is an HTTP endpoint on a pipe, with a
// journal, that says what a lab process says. It has no kernel.
type tinyLabs struct {
	mu      sync.Mutex
	running map[string]*tinyLab
	refuse  error // Start fails with it
}

type tinyLab struct {
	labs     *tinyLabs
	dir      string
	listener *pipeListener
	http     *http.Server
	done     chan struct{}
	once     sync.Once

	mu      sync.Mutex
	journal *labengine.Journal
	watched bool
	sockets map[*websocket.Conn]bool
	swallow chan bool // if not nil, requests are read and not answered; each is told here
}

func (l *tinyLabs) Start(_ context.Context, dir string) (Process, error) {
	if l.refuse != nil {
		return nil, l.refuse
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	lab := &tinyLab{labs: l, dir: dir, listener: newPipeListener(), done: make(chan struct{}), sockets: map[*websocket.Conn]bool{}}
	lab.http = &http.Server{Handler: lab}
	go lab.http.Serve(lab.listener)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running[dir] = lab
	return lab, nil
}

func (l *tinyLabs) Find(dir string) (Process, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lab, ok := l.running[dir]; ok {
		return lab, nil
	}
	return nil, ErrNotRunning
}

func (l *tinyLabs) only(t *testing.T) *tinyLab {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, lab := range l.running {
		return lab
	}
	t.Fatal("no lab process")
	return nil
}

func (l *tinyLabs) killAll() {
	l.mu.Lock()
	all := l.running
	l.running = map[string]*tinyLab{}
	l.mu.Unlock()
	for _, lab := range all {
		lab.die()
	}
}

func (l *tinyLab) Dial(ctx context.Context) (net.Conn, error) { return l.listener.dial(ctx) }
func (l *tinyLab) Done() <-chan struct{}                      { return l.done }
func (l *tinyLab) Err() error                                 { return nil }
func (l *tinyLab) Pid() int                                   { return 1 }

func (l *tinyLab) Kill(context.Context) error {
	l.labs.mu.Lock()
	delete(l.labs.running, l.dir)
	l.labs.mu.Unlock()
	l.die()
	return nil
}

// die ends the lab as kill -9 does.
func (l *tinyLab) die() {
	l.once.Do(func() {
		l.listener.Close()
		l.http.Close()
		l.dropConnections()
		close(l.done)
	})
}

func (l *tinyLab) dropConnections() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ws := range l.sockets {
		ws.Close()
	}
}

func (l *tinyLab) say(m labengine.Message) {
	for ws := range l.sockets {
		ws.WriteJSON(m)
	}
}

// inTerminal is a change that the kernel made: a namespace, as ip netns add makes it.
func (l *tinyLab) inTerminal(name string) {
	l.mu.Lock()
	host := machineOf(l.journal.Lab)
	l.mu.Unlock()
	l.changes(labengine.Edit{AddNode: &labengine.AddNode{
		ID: labengine.ID("k-" + name), Name: name, Kind: labengine.Namespace, In: host,
	}})
}

// changes is a change that the kernel made.
func (l *tinyLab) changes(edits ...labengine.Edit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	after, err := l.journal.Lab.Edit(edits)
	if err != nil {
		panic(err)
	}
	c := l.journal.Commit(labengine.Change{
		Origin: labengine.FromTerminal, At: time.Now(), Sentence: labengine.Describe(l.journal.Lab, after),
	}, after)
	l.say(labengine.Message{Change: &c})
}

func (l *tinyLab) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var up websocket.Upgrader
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	if r.URL.Path == "/terminal" {
		ws.WriteJSON(labengine.TerminalHello{ID: labengine.ID(r.URL.Query().Get("id"))})
		for {
			kind, data, err := ws.ReadMessage()
			if err != nil {
				return
			}
			ws.WriteMessage(kind, append([]byte(r.URL.Query().Get("author")+":"), data...))
			if bytes.Equal(data, []byte("exit\r")) {
				ws.WriteJSON(labengine.TerminalEnd{Status: 0, Reason: "exited"})
				return
			}
		}
	}
	l.mu.Lock()
	l.sockets[ws] = true
	ws.WriteJSON(labengine.Message{Hello: &labengine.Hello{Protocol: labengine.Protocol, Version: "tiny"}})
	l.mu.Unlock()
	for {
		var request labengine.Request
		if ws.ReadJSON(&request) != nil {
			l.mu.Lock()
			delete(l.sockets, ws)
			l.mu.Unlock()
			return
		}
		l.mu.Lock()
		l.handle(ws, request)
		l.mu.Unlock()
	}
}

func (l *tinyLab) handle(ws *websocket.Conn, r labengine.Request) {
	reply := labengine.Reply{Request: r.ID}
	send := func(m labengine.Message) { ws.WriteJSON(m) }
	live := func() labengine.Live {
		return labengine.Live{Nodes: map[labengine.ID]*labengine.NodeState{machineOf(l.journal.Lab): {Pid: 2}}}
	}
	c := labengine.Change{Author: r.Author, At: time.Now(), Origin: labengine.FromCanvas}
	after, err := labengine.Lab{}, error(nil)
	switch {
	case r.Begin != nil:
		l.journal = labengine.NewJournal(r.Begin.Lab, r.Begin.Seq, r.Begin.Changes)
		if l.journal.Lab.Name == "cannot be made" {
			reply.Problem = labengine.Problemf(labengine.CodeRefused, "no").About("red", "name")
			send(labengine.Message{Reply: &reply})
			return
		}
		send(labengine.Message{Status: &labengine.Status{State: labengine.Starting, Done: 1, Total: 2}})
		said := live()
		send(labengine.Message{Live: &said})
	case r.Resume != nil:
		for _, c := range l.journal.Changes {
			if c.Seq > r.Resume.After {
				send(labengine.Message{Change: &c})
			}
		}
		send(labengine.Message{Snapshot: &labengine.Snapshot{
			Lab: l.journal.Lab, Seq: l.journal.Seq, Changes: l.journal.Changes,
			Status: labengine.Status{State: labengine.Running}, Terminals: []labengine.Terminal{}, Live: live(),
		}})
	case r.Watch != nil:
		l.watched = r.Watch.Frames
	case l.swallow != nil:
		l.swallow <- true
		return
	case r.Ping != nil:
		send(labengine.Message{Probe: &labengine.ProbeEvent{Request: r.ID, Seq: 1, RTT: 0.05}})
		reply.Text = "1 sent, 1 received"
	case r.Op != nil:
		if done, ok := l.journal.Done(r.Op.ID); ok {
			reply.Seq = done.Seq
			break
		}
		c.Op = r.Op.ID
		after, err = l.journal.Lab.Edit(r.Op.Edits)
	case r.Undo != nil:
		var taken labengine.Change
		after, taken, err = l.journal.Undo(r.Author)
		c.Origin, c.Takes = labengine.FromUndo, taken.Seq
	}
	if after.Nodes != nil && err == nil {
		c = l.journal.Commit(c, after)
		l.say(labengine.Message{Change: &c})
		reply.Seq = c.Seq
	}
	if err != nil {
		errors.As(err, &reply.Problem)
	}
	send(labengine.Message{Reply: &reply})
}

// pipeListener is a listener in memory.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "lab", Net: "unix"} }

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
