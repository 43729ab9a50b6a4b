package server

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"vethlab/labengine"
)

func TestDrawingWhileStopped(t *testing.T) {
	ts := serve(t)
	id := ts.newLab(`{"name":"mine"}`)
	p := ts.look(id)
	if hello := p.next().Hello; hello == nil || hello.Author != "script" || hello.Protocol != labengine.Protocol {
		t.Fatalf("hello: %+v", hello)
	}
	s := p.snapshot()
	if s.ID != id || s.Lab.Name != "mine" || s.Status.State != labengine.Stopped {
		t.Fatalf("snapshot: %+v", s)
	}
	host := machineOf(s.Lab)

	p.send(addNamespace("red", host, "red"))
	c := p.change()
	if c.Seq != 1 || c.Op != "red" || c.Author != "script" || c.Sentence == "" || c.Patch.Nodes["n-red"] == nil {
		t.Errorf("change: %+v", c)
	}
	if r := p.reply("r-red"); r.Problem != nil || r.Seq != 1 {
		t.Errorf("reply: %+v", r)
	}
	if r := p.ask(addNamespace("red", host, "red")); r.Problem != nil || r.Seq != 1 {
		t.Errorf("the same op again is answered with %+v", r)
	}
	if r := p.ask(addNamespace("other", host, "red")); !errors.Is(r.Problem, &labengine.Problem{Code: labengine.CodeExists}) {
		t.Errorf("a second red is answered with %+v", r)
	}
	if r := p.ask(labengine.Request{ID: "u", Undo: &labengine.Undo{}}); r.Problem != nil || r.Seq != 2 || r.Text == "" {
		t.Errorf("undo: %+v", r)
	}
	if r := p.ask(labengine.Request{ID: "u2", Undo: &labengine.Undo{}}); !errors.Is(r.Problem, &labengine.Problem{Code: labengine.CodeNothingToUndo}) {
		t.Errorf("undo of nothing: %+v", r)
	}
	if r := p.ask(labengine.Request{ID: "re", Redo: &labengine.Redo{}}); r.Problem != nil || r.Seq != 3 {
		t.Errorf("redo: %+v", r)
	}
	if r := p.ask(labengine.Request{ID: "ping", Ping: &labengine.Ping{From: "n-red", To: "10.0.0.1", Count: 1}}); !errors.Is(r.Problem, &labengine.Problem{Code: labengine.CodeNotRunning}) ||
		r.Problem.Hint != "start the lab first" {
		t.Errorf("ping: %+v", r)
	}
	if _, ok := ts.look(id).snapshot().Lab.Nodes["n-red"]; !ok {
		t.Error("red is not there after redo")
	}
}

func TestTwoPagesSeeTheSame(t *testing.T) {
	ts := serve(t)
	id := ts.newLab(`{"example":"red-and-blue"}`)
	a, b := ts.look(id), ts.look(id)
	host := machineOf(a.snapshot().Lab)
	b.snapshot()
	var theirs, ours []int64
	for i := range 20 {
		from := a
		if i%2 == 1 {
			from = b
		}
		from.send(addNamespace(labengine.ID(fmt.Sprint("op", i)), host, fmt.Sprint("ns", i)))
	}
	for range 20 {
		ours, theirs = append(ours, a.change().Seq), append(theirs, b.change().Seq)
	}
	if diff := cmp.Diff(ours, theirs); diff != "" || ours[0] != 1 || ours[19] != 20 {
		t.Errorf("the pages saw changes in another order: %s", diff)
	}
}

// TestOpsThatComeTooLate: two people draw the same, or one draws on what the other has deleted, stopped and running alike.
func TestOpsThatComeTooLate(t *testing.T) {
	ts := serve(t)
	id := ts.newLab(`{"example":"red-and-blue"}`)
	a, b := ts.look(id), ts.look(id)
	lab := a.snapshot().Lab
	host := machineOf(lab)
	red, _ := lab.NodeNamed(host, "red")
	veth, _ := lab.InterfaceNamed(red.ID, "veth-red")
	edit := func(op labengine.ID, e labengine.Edit) labengine.Request {
		return labengine.Request{ID: "r-" + op, Op: &labengine.Op{ID: op, Edits: []labengine.Edit{e}}}
	}
	name := "crimson"
	for _, state := range []labengine.ID{"stopped", "running"} {
		if state == "running" {
			ts.call("POST", "/api/labs/"+string(id)+"/start", "", nil)
		}
		seq := b.ask(addNamespace(state, host, string(state))).Seq
		if r := a.ask(addNamespace(state+"-2", host, string(state))); !errors.Is(r.Problem, &labengine.Problem{Code: labengine.CodeExists}) || r.Problem.Hint == "" {
			t.Errorf("%s: a second namespace of that name: %+v", state, r)
		}
		if r := a.ask(edit(state+"-address", labengine.Edit{AddAddress: &labengine.AddAddress{Interface: veth.ID, Address: "192.168.15.1/24"}})); !errors.Is(r.Problem, &labengine.Problem{Code: labengine.CodeExists}) ||
			r.Problem.On != veth.ID || r.Problem.Field != "address" {
			t.Errorf("%s: an address that is there: %+v", state, r.Problem)
		}
		gone := "n-" + state
		if r := b.ask(edit(state+"-delete", labengine.Edit{Delete: &labengine.Delete{ID: gone}})); r.Problem != nil || r.Seq != seq+1 {
			t.Fatalf("%s: delete: %+v", state, r)
		}
		for _, e := range []labengine.Edit{
			{UpdateNode: &labengine.UpdateNode{ID: gone, Name: &name}},
			{Delete: &labengine.Delete{ID: gone}},
			{Place: &labengine.PlaceNode{ID: gone, X: 1, Y: 1}},
			{AddCable: &labengine.AddCable{ID: "c", A: labengine.End{ID: "x", Node: red.ID, Name: "x"}, B: labengine.End{ID: "y", Node: gone, Name: "y"}}},
		} {
			r := a.ask(edit(state+"-late", e))
			if r.Problem == nil || r.Problem.Code != labengine.CodeNoSuchNode && r.Problem.Code != labengine.CodeGone || r.Problem.On != gone || r.Seq != 0 {
				t.Errorf("%s: an op for what is gone: %+v", state, r)
			}
		}
		if now := ts.look(id).snapshot(); now.Seq != seq+1 || len(now.Lab.Cables) != 1 || len(now.Lab.Nodes) != 3 {
			t.Errorf("%s: refused ops have left %+v", state, now.Lab)
		}
	}
}

func TestLabsSurviveARestart(t *testing.T) {
	state, labs := t.TempDir(), &tinyLabs{running: map[string]*tinyLab{}}
	ts := serveIn(t, state, labs)
	id := ts.newLab(`{"example":"red-and-blue"}`)
	p := ts.look(id)
	host := machineOf(p.snapshot().Lab)
	for i := range 3*checkpointEvery/2 + 7 {
		if r := p.ask(addNamespace(labengine.ID(fmt.Sprint("op", i)), host, fmt.Sprint("ns", i))); r.Problem != nil {
			t.Fatal(r.Problem)
		}
	}
	p.ask(labengine.Request{ID: "u", Undo: &labengine.Undo{}})
	var before, after Lab
	ts.call("GET", "/api/labs/"+string(id), "", &before)
	ts.close()

	ts = serveIn(t, state, labs)
	ts.call("GET", "/api/labs/"+string(id), "", &after)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	p = ts.look(id)
	if s := p.snapshot(); len(s.Changes) != int(s.Seq) || !s.Changes[s.Seq-2].Undone {
		t.Error("the history is not what it was")
	}
	if r := p.ask(addNamespace("op0", host, "again")); r.Problem != nil || r.Seq != 1 {
		t.Errorf("an op from before the restart is answered with %+v", r)
	}
	if r := p.ask(labengine.Request{ID: "re", Redo: &labengine.Redo{}}); r.Problem != nil {
		t.Errorf("redo after the restart: %v", r.Problem)
	}
}

func TestRunningLab(t *testing.T) {
	ts := serve(t)
	id := ts.newLab(`{"example":"red-and-blue"}`)
	a, b := ts.look(id), ts.look(id)
	host := machineOf(a.snapshot().Lab)
	b.snapshot()

	var started LabSummary
	ts.call("POST", "/api/labs/"+string(id)+"/start", "", &started)
	if started.State != labengine.Running {
		t.Fatalf("started: %+v", started)
	}
	if s := a.status(labengine.Starting); s.Problem != nil {
		t.Errorf("starting: %+v", s)
	}
	if s := a.snapshot(); s.Status.State != labengine.Running || s.Live.Nodes[host] == nil || s.Live.Nodes[host].Pid != 2 {
		t.Errorf("snapshot of the running lab: %+v", s.Status)
	}
	b.snapshot()

	lab := ts.labs.only(t)
	if r := a.ask(addNamespace("green", host, "green")); r.Problem != nil || r.Seq != 1 {
		t.Errorf("op: %+v", r)
	}
	lab.inTerminal("typed")
	if c := b.change(); c.Op != "green" || c.Author != "script" {
		t.Errorf("change from the canvas: %+v", c)
	}
	if c := b.change(); c.Origin != labengine.FromTerminal || c.Patch.Nodes["k-typed"] == nil {
		t.Errorf("change from the terminal: %+v", c)
	}

	// Both pages call their request by the same name; each gets its own answers.
	a.send(labengine.Request{ID: "same", Ping: &labengine.Ping{From: host, To: "10.0.0.1", Count: 1}})
	event := until(a, func(m labengine.Message) (*labengine.ProbeEvent, bool) { return m.Probe, m.Probe != nil })
	if r := a.reply("same"); event.Request != "same" || r.Text == "" {
		t.Errorf("ping: %+v, %+v", event, r)
	}
	if r := b.ask(labengine.Request{ID: "same", Op: addNamespace("green", host, "green").Op}); r.Problem != nil || r.Seq != 1 {
		t.Errorf("the same op from another page: %+v", r)
	}

	var stopped LabSummary
	ts.call("POST", "/api/labs/"+string(id)+"/stop", "", &stopped)
	if stopped.State != labengine.Stopped || stopped.Seq != 2 {
		t.Errorf("stopped: %+v", stopped)
	}
	a.status(labengine.Stopped)
	if r := a.ask(labengine.Request{ID: "u", Undo: &labengine.Undo{}}); r.Problem != nil {
		t.Errorf("undo, stopped, of what was typed: %v", r.Problem)
	}
	var whole Lab
	ts.call("GET", "/api/labs/"+string(id), "", &whole)
	if _, ok := whole.Lab.Nodes["k-typed"]; ok {
		t.Error("what was typed is still there")
	}
	if !strings.Contains(whole.Document, "green") {
		t.Errorf("the document has no green:\n%s", whole.Document)
	}
}

func TestLabProcessThatDies(t *testing.T) {
	ts := serve(t)
	id := ts.newLab(`{"example":"red-and-blue"}`)
	p := ts.look(id)
	host := machineOf(p.snapshot().Lab)
	ts.call("POST", "/api/labs/"+string(id)+"/start", "", nil)
	lab := ts.labs.only(t)
	p.ask(addNamespace("green", host, "green"))
	lab.mu.Lock()
	swallowed := make(chan bool, 10)
	lab.swallow = swallowed
	lab.mu.Unlock()
	p.send(labengine.Request{ID: "never", Ping: &labengine.Ping{From: host, To: "10.0.0.1", Count: 1}})
	<-swallowed
	lab.Kill(t.Context())
	if r := p.reply("never"); !errors.Is(r.Problem, &labengine.Problem{Code: labengine.CodeNotRunning}) {
		t.Errorf("the ping is answered with %+v", r)
	}
	if s := p.status(labengine.Dead); s.Problem == nil || s.Problem.Hint == "" {
		t.Errorf("dead: %+v", s)
	}
	if r := p.ask(addNamespace("yellow", host, "yellow")); r.Problem != nil || r.Seq != 2 {
		t.Errorf("drawing goes on: %+v", r)
	}
	ts.call("POST", "/api/labs/"+string(id)+"/start", "", nil)
	var whole Lab
	ts.call("GET", "/api/labs/"+string(id), "", &whole)
	if whole.State != labengine.Running || whole.Lab.Nodes["n-green"].Name != "green" || whole.Problem != nil {
		t.Errorf("started again: %+v", whole.LabSummary)
	}
}

func TestBrokenConnectionToALab(t *testing.T) {
	ts := serve(t)
	id := ts.newLab(`{"example":"red-and-blue"}`)
	p := ts.look(id)
	host := machineOf(p.snapshot().Lab)
	ts.call("POST", "/api/labs/"+string(id)+"/start", "", nil)
	lab := ts.labs.only(t)
	lab.mu.Lock()
	swallowed := make(chan bool, 10)
	lab.swallow = swallowed
	lab.mu.Unlock()
	p.send(addNamespace("lost", host, "lost")) // read by the lab, and not answered
	<-swallowed
	lab.dropConnections()
	lab.mu.Lock()
	lab.swallow = nil
	lab.mu.Unlock()
	if r := p.reply("r-lost"); r.Problem != nil || r.Seq != 1 {
		t.Errorf("the op is answered with %+v", r)
	}
}

func TestLabThatCannotBeMade(t *testing.T) {
	ts := serve(t)
	id := ts.newLab(`{"name":"cannot be made"}`)
	p := wantProblem(t, ts.request("POST", "/api/labs/"+string(id)+"/start", ""), 409, labengine.CodeRefused)
	if p.On != "red" || p.Field != "name" {
		t.Errorf("problem: %+v", p)
	}
	if s := ts.look(id).snapshot(); s.Status.State != labengine.Stopped || s.Status.Problem == nil {
		t.Errorf("status: %+v", s.Status)
	}
	ts.labs.refuse = labengine.Problemf(labengine.CodeNotSupported, "bwrap is missing").WithHint("apt-get install bubblewrap")
	id = ts.newLab(`{}`)
	wantProblem(t, ts.request("POST", "/api/labs/"+string(id)+"/start", ""), 501, labengine.CodeNotSupported)
}

func TestLabThatOutlivesTheServer(t *testing.T) {
	state, labs := t.TempDir(), &tinyLabs{running: map[string]*tinyLab{}}
	ts := serveIn(t, state, labs)
	id, dead := ts.newLab(`{"example":"red-and-blue"}`), ts.newLab(`{}`)
	ts.call("POST", "/api/labs/"+string(id)+"/start", "", nil)
	ts.call("POST", "/api/labs/"+string(dead)+"/start", "", nil)
	p := ts.look(id)
	p.snapshot()
	ts.close()
	if _, _, err := p.ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Logf("the page was left with %v", err) // it may have had a status to read first
	}
	lab := labs.running[ts.labDir(id)]
	lab.inTerminal("meanwhile")
	labs.running[ts.labDir(dead)].Kill(t.Context())

	ts = serveIn(t, state, labs)
	p = ts.look(id)
	s := until(p, func(m labengine.Message) (*labengine.Snapshot, bool) {
		return m.Snapshot, m.Snapshot != nil && m.Snapshot.Live.Nodes != nil
	})
	if s.Seq != 1 || s.Lab.Nodes["k-meanwhile"].Name != "meanwhile" || s.Status.State != labengine.Running {
		t.Errorf("after the restart: %+v", s)
	}
	if s := ts.look(dead).snapshot(); s.Status.State != labengine.Dead || s.Status.Problem == nil {
		t.Errorf("the lab that died meanwhile: %+v", s.Status)
	}
	if err := ts.StopLabs(t.Context()); err != nil {
		t.Error(err)
	}
	p.status(labengine.Stopped)
}

func TestWatchingFollowsThePages(t *testing.T) {
	state, labs := t.TempDir(), &tinyLabs{running: map[string]*tinyLab{}}
	ts := serveIn(t, state, labs)
	id := ts.newLab(`{}`)
	ts.call("POST", "/api/labs/"+string(id)+"/start", "", nil)
	lab := labs.only(t)
	watched := func(want bool) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			lab.mu.Lock()
			is := lab.watched
			lab.mu.Unlock()
			if is == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("watched is %t", is)
			}
		}
	}
	watched(false)
	p := ts.look(id)
	watched(true)
	p.ws.Close()
	watched(false)
	ts.look(id)
	watched(true)
	ts.close()
	lab.mu.Lock()
	lab.watched = true // as a server leaves it that is killed
	lab.mu.Unlock()
	ts = serveIn(t, state, labs)
	watched(false) // nobody looks in at the new server
	ts.look(id)
	watched(true)
	ts.call("POST", "/api/labs/"+string(id)+"/stop", "", nil)
	watched(false) // before it was ended: the kernel would take long over what it captures with
}

func TestTerminalIsPassedOn(t *testing.T) {
	ts := serve(t)
	id := ts.newLab(`{}`)
	path := "/api/labs/" + string(id) + "/terminal?id=t1&node=host&cols=80&rows=24&author=somebody"
	ws, _, err := ts.dial(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var end labengine.TerminalEnd
	if err := ws.ReadJSON(&end); err != nil || !strings.Contains(end.Reason, "start the lab first") {
		t.Errorf("a terminal of a stopped lab: %+v, %v", end, err)
	}
	ws.Close()

	ts.call("POST", "/api/labs/"+string(id)+"/start", "", nil)
	if ws, _, err = ts.dial(path, nil); err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	var hello labengine.TerminalHello
	if err := ws.ReadJSON(&hello); err != nil || hello.ID != "t1" {
		t.Fatalf("hello: %+v, %v", hello, err)
	}
	ws.WriteMessage(websocket.BinaryMessage, []byte("exit\r"))
	if kind, data, err := ws.ReadMessage(); err != nil || kind != websocket.BinaryMessage || string(data) != "script:exit\r" {
		t.Errorf("output: %q, %v", data, err)
	}
	if err := ws.ReadJSON(&end); err != nil || end.Reason != "exited" {
		t.Errorf("end: %+v, %v", end, err)
	}
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("after the end: %v", err)
	}

	pasted, _, err := ts.dial(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer pasted.Close()
	pasted.WriteMessage(websocket.BinaryMessage, make([]byte, 3*maxRequest))
	pasted.ReadMessage() // hello
	var closed *websocket.CloseError
	if _, _, err := pasted.ReadMessage(); !errors.As(err, &closed) || closed.Code != websocket.CloseMessageTooBig || closed.Text == "" {
		t.Errorf("after too much at once: %v", err)
	}
}

func TestDeletedLab(t *testing.T) {
	ts := serve(t)
	id := ts.newLab(`{}`)
	ts.call("POST", "/api/labs/"+string(id)+"/start", "", nil)
	p := ts.look(id)
	if r := ts.request("DELETE", "/api/labs/"+string(id), ""); r.StatusCode != http.StatusNoContent {
		t.Fatal(r.Status)
	}
	for {
		if _, _, err := p.ws.ReadMessage(); err != nil {
			if !websocket.IsCloseError(err, closeLabDeleted) {
				t.Errorf("the page was left with %v", err)
			}
			break
		}
	}
	wantProblem(t, ts.request("GET", "/api/labs/"+string(id), ""), 404, labengine.CodeGone)
	if len(ts.labs.running) != 0 {
		t.Error("its process is still there")
	}
	wantProblem(t, ts.request("DELETE", "/api/labs/"+string(id), ""), 404, labengine.CodeGone)
}

func TestMalformedMessagesAreAnsweredInWords(t *testing.T) {
	ts := serve(t)
	p := ts.look(ts.newLab(`{}`))
	for sent, want := range map[string]string{
		`{"id":"a"`:                               "a request ends before its JSON does",
		`{"id":"b","opp":{}}`:                     `unknown field "opp"`,
		`{"id":"c","ping":{"count":"many"}}`:      "a string where a number belongs",
		`{"id":"d"}`:                              "exactly one thing; this one asks for 0",
		`{"id":"e","undo":{},"redo":{}}`:          "exactly one thing; this one asks for 2",
		`{"undo":{}}`:                             "needs an id",
		`{"id":"f","watch":{"frames":true}}`:      "between the server and the lab",
		`{"id":"g","op":{"edits":[]}}`:            "an op needs an id",
		`{"id":"h","op":{"id":"o","edits":[]}}`:   "the op has no edits",
		`{"id":"i","undo":{}} {"id":"j"}`:         "something after the JSON value",
		``:                                        "a request is empty",
		`{"id":"k","op":{"id":"o","edits":[{}]}}`: "exactly one thing; this one does 0",
	} {
		p.ws.WriteMessage(websocket.TextMessage, []byte(sent))
		r := until(p, func(m labengine.Message) (*labengine.Reply, bool) { return m.Reply, m.Reply != nil })
		if r.Problem == nil || r.Problem.Code != labengine.CodeBadRequest || !strings.Contains(r.Problem.Error(), want) {
			t.Errorf("%s is answered with %+v", sent, r.Problem)
		}
	}
	p.ws.WriteMessage(websocket.BinaryMessage, []byte{1})
	if r := p.reply(""); r.Problem == nil {
		t.Error("a binary message is taken")
	}
	long := []byte(`{"id":"long","undo":{}` + strings.Repeat(" ", maxRequest-23) + "}")
	p.ws.WriteMessage(websocket.TextMessage, long)
	if r := p.reply("long"); r.Problem == nil || r.Problem.Code != labengine.CodeNothingToUndo {
		t.Errorf("a message of %d bytes is answered with %+v", len(long), r)
	}
	p.ws.WriteMessage(websocket.TextMessage, append(long, ' '))
	if r := p.reply(""); r.Problem == nil || r.Problem.Code != labengine.CodeTooLarge {
		t.Errorf("an oversized message is answered with %+v", r)
	}
	_, _, err := p.ws.ReadMessage()
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != websocket.CloseMessageTooBig || closed.Text == "" {
		t.Errorf("and then the websocket ends with %v", err)
	}
}

func TestSlowPageIsCutOff(t *testing.T) {
	ts := serve(t)
	id := ts.newLab(`{}`)
	ts.call("POST", "/api/labs/"+string(id)+"/start", "", nil)
	slow, quick := ts.look(id), ts.look(id)
	quick.snapshot()
	lab := ts.labs.only(t)
	data := make([]byte, 256<<10)
	for i := range 300 { // 100 MB as JSON: more than the queue and the sockets hold
		lab.mu.Lock()
		lab.say(labengine.Message{Frames: &labengine.Frames{Frames: []labengine.Frame{{No: uint64(i + 1), Data: data}}}})
		lab.mu.Unlock()
		for last := uint64(0); last <= uint64(i); {
			last = until(quick, func(m labengine.Message) (*labengine.Frames, bool) { return m.Frames, m.Frames != nil }).Frames[0].No
		}
	}
	frames := 0
	for {
		slow.ws.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, _, err := slow.ws.ReadMessage(); err != nil {
			break
		}
		frames++
	}
	if frames >= 300 {
		t.Error("the slow page got everything")
	}
	if again := ts.look(id).snapshot(); again.Status.State != labengine.Running {
		t.Errorf("when it comes back: %+v", again.Status)
	}
}
