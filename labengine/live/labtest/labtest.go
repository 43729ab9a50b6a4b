// Package labtest makes labs for tests: the real lab process, started from the test binary, with a mirror of what it
// says. A test that cannot have namespaces fails.
//
// The test binary calls [Main] in its TestMain, which is also the lab process and the machines' init, so that the very
// code that ships is what is tested.
package labtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/client"
	"vethlab/labengine/document"
	"vethlab/labengine/live"
	"vethlab/labengine/sandbox"
)

// patience is how long a test waits for what has to happen: far longer than it takes on a slow machine.
const patience = 15 * time.Second

// Main runs the tests, or the part of a lab that this process was started for.
func Main(m *testing.M) {
	sandbox.Reexec()
	if len(os.Args) > 1 && os.Args[1] == "lab" {
		box, err := sandbox.Init()
		if err == nil {
			log := slog.New(slog.NewTextHandler(os.Stderr, nil))
			err = live.Run(context.Background(), box, live.Config{Version: "test", Log: log, Refuse: refuse})
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// refuse says which step of a request is refused: its ID ends with the number.
func refuse(r labengine.Request) int {
	_, number, found := strings.Cut(string(r.ID), refuseMark)
	step, err := strconv.Atoi(number)
	if !found || err != nil {
		return -1
	}
	return step
}

const refuseMark = " refuse "

// AskRefusing is Ask, for a request one of whose steps, counted from 0, is refused with EIO once those before it have been
// carried out. It says whether there was such a step.
func (l *Lab) AskRefusing(r labengine.Request, step int) (reply labengine.Reply, refused bool) {
	l.t.Helper()
	r.ID = labengine.ID(fmt.Sprintf("r%d%s%d", l.ids.Add(1), refuseMark, step))
	reply = l.Ask(r)
	return reply, reply.Problem != nil && reply.Problem.Errno == "EIO"
}

// Lab is a running lab, and a mirror of it that follows its messages.
type Lab struct {
	t       testing.TB
	Process *sandbox.Process
	Conn    *client.Conn
	ids     atomic.Int64

	mu      sync.Mutex // guards what follows
	changed *sync.Cond
	state   State
	replies map[labengine.ID]*labengine.Reply
	failed  error // why the connection ended
}

// State is what the messages so far have said.
type State struct {
	Lab labengine.Lab
	labengine.Live
	Changes  []labengine.Change
	Status   labengine.Status
	Frames   []labengine.Frame
	Probes   []labengine.ProbeEvent
	Features map[string]labengine.Feature
}

// Start makes the lab of a document, and ends it with the test.
func Start(t testing.TB, text string) *Lab {
	t.Helper()
	lab, err := document.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return StartLab(t, lab)
}

// StartLab is Start for a lab that is no document.
func StartLab(t testing.TB, lab labengine.Lab) *Lab {
	t.Helper()
	l := Launch(t)
	l.mu.Lock()
	l.state.Lab = lab
	l.mu.Unlock()
	reply := l.Ask(labengine.Request{Begin: &labengine.Begin{Protocol: labengine.Protocol, Lab: lab}})
	if reply.Problem != nil {
		t.Fatalf("begin: %v\n%s", reply.Problem, l.Log())
	}
	return l
}

// Launch starts a lab process that has not begun, and ends it with the test.
func Launch(t testing.TB) *Lab {
	t.Helper()
	dir, err := os.MkdirTemp("", "labtest-") // a short path: t.TempDir has the test's name in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	process, err := sandbox.Start(ctx, sandbox.Launch{Dir: dir, Args: []string{"lab"}})
	if err != nil {
		t.Fatalf("start a lab process: %v", err)
	}
	l := &Lab{t: t, Process: process, replies: map[labengine.ID]*labengine.Reply{}}
	l.changed = sync.NewCond(&l.mu)
	l.connect(ctx)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if t.Failed() {
			l.logChanges()
			t.Logf("the lab's log:\n%s", l.Log())
		}
		if err := process.Kill(ctx); err != nil {
			t.Errorf("end the lab: %v", err)
		}
		l.Conn.Close()
	})
	return l
}

func (l *Lab) connect(ctx context.Context) {
	l.t.Helper()
	conn, err := client.New(l.Process.Dial).Connect(ctx)
	if err != nil {
		l.t.Fatalf("connect to the lab process: %v\n%s", err, l.Log())
	}
	l.Conn = conn
	go func() {
		for {
			m, err := conn.Receive()
			l.take(m.Message, err)
			if err != nil {
				return
			}
		}
	}()
}

// Log is what the lab process has logged.
func (l *Lab) Log() string {
	data, _ := os.ReadFile(filepath.Join(l.Process.Dir(), "lab.log"))
	return string(data)
}

func (l *Lab) take(m labengine.Message, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.changed.Broadcast()
	s := &l.state
	switch {
	case err != nil:
		l.failed = err
	case m.Snapshot != nil:
		s.Lab, s.Changes, s.Status, s.Features = m.Snapshot.Lab, m.Snapshot.Changes, m.Snapshot.Status, m.Snapshot.Features
		s.Live = m.Snapshot.Live
	case m.Change != nil:
		s.Lab = s.Lab.Clone()
		s.Lab.Apply(m.Change.Patch)
		s.Changes = append(s.Changes, *m.Change)
	case m.Live != nil:
		follow(&s.Links, m.Live.Links)
		follow(&s.Nodes, m.Live.Nodes)
		follow(&s.Firewalls, m.Live.Firewalls)
		follow(&s.Counters, m.Live.Counters)
		follow(&s.Conntrack, m.Live.Conntrack)
	case m.Features != nil:
		s.Features = m.Features.Features
	case m.Status != nil:
		s.Status = *m.Status
	case m.Frames != nil:
		s.Frames = append(s.Frames, m.Frames.Frames...)
	case m.Probe != nil:
		s.Probes = append(s.Probes, *m.Probe)
	case m.Reply != nil:
		l.replies[m.Reply.Request] = m.Reply
	}
}

func follow[V any](to *map[labengine.ID]*V, changed map[labengine.ID]*V) {
	fresh := make(map[labengine.ID]*V, len(*to)+len(changed))
	for id, v := range *to {
		fresh[id] = v
	}
	for id, v := range changed {
		if fresh[id] = v; v == nil {
			delete(fresh, id)
		}
	}
	*to = fresh
}

// Until waits for a state in which the condition holds, and gives it. The test fails where none comes.
func (l *Lab) Until(what string, holds func(State) bool) State {
	l.t.Helper()
	expired := false
	timer := time.AfterFunc(patience, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		expired = true
		l.changed.Broadcast()
	})
	defer timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !holds(l.state) {
		if expired || l.failed != nil {
			text, _ := json.MarshalIndent(l.state.Lab, "", " ")
			l.t.Fatalf("never came: %s (%v); the lab is\n%s", what, l.failed, text)
		}
		l.changed.Wait()
	}
	return l.state
}

// State is what is known now.
func (l *Lab) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Ask sends a request, with an ID of its own unless it has one, and waits for the reply.
func (l *Lab) Ask(r labengine.Request) labengine.Reply {
	l.t.Helper()
	if r.ID == "" {
		r.ID = labengine.ID(fmt.Sprintf("r%d", l.ids.Add(1)))
	}
	if r.Author == "" {
		r.Author = "test"
	}
	if err := l.Conn.Send(r); err != nil {
		l.t.Fatal(err)
	}
	var reply labengine.Reply
	l.Until("the reply to "+string(r.ID), func(State) bool {
		got, ok := l.replies[r.ID]
		if ok {
			reply = *got
		}
		return ok
	})
	return reply
}

// Edit sends one gesture and gives its problem, nil where it was carried out.
func (l *Lab) Edit(edits ...labengine.Edit) *labengine.Problem {
	l.t.Helper()
	op := labengine.Op{ID: labengine.ID(fmt.Sprintf("op%d", l.ids.Add(1))), Edits: edits}
	return l.Ask(labengine.Request{Op: &op}).Problem
}

// MustEdit is Edit for a gesture that has to work.
func (l *Lab) MustEdit(edits ...labengine.Edit) {
	l.t.Helper()
	if p := l.Edit(edits...); p != nil {
		l.t.Fatal(p)
	}
}

// Run runs a program in a node, and gives its output and exit status.
func (l *Lab) Run(node string, argv ...string) (string, int) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := l.Process.Dial(ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	defer conn.Close()
	r, w, err := os.Pipe()
	if err != nil {
		l.t.Fatal(err)
	}
	output := make(chan string)
	go func() {
		data, _ := io.ReadAll(r)
		r.Close()
		output <- string(data)
	}()
	null, err := os.Open(os.DevNull)
	if err != nil {
		l.t.Fatal(err)
	}
	defer null.Close()
	status, err := live.Exec(conn.(*net.UnixConn), live.ExecRequest{Node: node, Argv: argv}, null, w, w)
	w.Close()
	text := <-output
	if err != nil {
		text += err.Error()
	}
	return text, status
}

// MustRun is Run for a program that has to end with status 0.
func (l *Lab) MustRun(node string, argv ...string) string {
	l.t.Helper()
	out, status := l.Run(node, argv...)
	if status != 0 {
		l.t.Fatalf("%s: %s: status %d\n%s", node, strings.Join(argv, " "), status, out)
	}
	return out
}

// Shell runs a script in a node's shell, which has to end with status 0.
func (l *Lab) Shell(node, script string) string {
	l.t.Helper()
	return l.MustRun(node, "sh", "-ec", script)
}

// logChanges shows the end of the history, for whoever looks into a test that failed.
func (l *Lab) logChanges() {
	changes := l.State().Changes
	for _, c := range changes[max(0, len(changes)-20):] {
		patch, _ := json.Marshal(c.Patch)
		l.t.Logf("%d %s %q, takes %d, joins %v: %s", c.Seq, c.Origin, c.Sentence, c.Takes, c.Joins, patch)
	}
}
