package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"vethlab/labengine"
	"vethlab/labengine/live"
	"vethlab/labengine/sandbox"
	"vethlab/server"
)

// asRootToo runs the body as who we are and, where that is root, again as somebody who is not.
func asRootToo(t *testing.T, body func(t *testing.T)) {
	t.Helper()
	if os.Getenv("VETHLAB_TEST_WITHIN") == "" {
		body(t)
	}
	if os.Geteuid() == 0 {
		within(t, "", func(t *testing.T, _ string) { body(t) })
	}
}

// shell runs a script in the lab's first machine as `vethlab run` does, whatever the server does.
func shell(t *testing.T, lab *sandbox.Process, script string) string {
	t.Helper()
	conn, err := lab.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	files := make([]*os.File, 2)
	for i := range files {
		if files[i], err = os.CreateTemp(t.TempDir(), ""); err != nil {
			t.Fatal(err)
		}
		defer files[i].Close()
	}
	status, err := live.Exec(conn.(*net.UnixConn), live.ExecRequest{Argv: []string{"sh", "-ec", script}}, files[0], files[1], files[1])
	out := read(t, files[1].Name())
	if err != nil || status != 0 {
		t.Fatalf("%s: status %d, %v\n%s", script, status, err, out)
	}
	return out
}

// terminal is a page's terminal.
type terminal struct {
	t      testing.TB
	ws     *websocket.Conn
	offset int64 // bytes of output before this connection's
	output []byte
}

// terminalIn opens the terminal with a token, or attaches to it where it is open, after so many bytes of output.
func (s *served) terminalIn(lab, token string, offset int64) *terminal {
	s.t.Helper()
	t := &terminal{t: s.t, ws: s.dial(fmt.Sprintf("%s/terminal?node=host&id=%s&offset=%d", lab, token, offset)), offset: offset}
	var hello labengine.TerminalHello
	if err := t.ws.ReadJSON(&hello); err != nil || string(hello.ID) != token || hello.Offset != offset {
		s.t.Fatalf("hello: %+v, %v", hello, err)
	}
	return t
}

// enter types a line and waits until the terminal shows the text.
func (t *terminal) enter(line, until string) {
	t.t.Helper()
	from := len(t.output)
	if err := t.ws.WriteMessage(websocket.BinaryMessage, []byte(line+"\r")); err != nil {
		t.t.Fatal(err)
	}
	for !bytes.Contains(t.output[from:], []byte(until)) {
		kind, data, err := t.ws.ReadMessage()
		if err != nil || kind != websocket.BinaryMessage {
			t.t.Fatalf("%q, %v; before it %q", data, err, t.output)
		}
		t.output = append(t.output, data...)
	}
}

// TestLabOutlivesItsServer has the server killed with -9 while people draw and type.
func TestLabOutlivesItsServer(t *testing.T) {
	t.Parallel()
	asRootToo(t, func(t *testing.T) {
		state := t.TempDir()
		s := serveIn(t, state)
		lab := s.newLab()
		s.must("POST", lab+"/start", "", nil)
		process := s.process(lab)
		term := s.terminalIn(lab, "token", 0)
		term.enter("answer=$((6*7)); echo answer is $answer", "answer is 42")
		ws := s.dial(lab + "/ws")
		if r := edit(t, ws, "acknowledged", addNamespace("green")); r.Problem != nil {
			t.Fatal(r.Problem)
		}
		before := descendants(process.Pid())

		s.kill()
		shell(t, process, "ip netns add meanwhile")

		s = serveIn(t, state)
		if again := s.process(lab); again.Pid() != process.Pid() {
			t.Errorf("the lab was process %d and is %d", process.Pid(), again.Pid())
		}
		ws = s.dial(lab + "/ws")
		if r := edit(t, ws, "after", addNamespace("after")); r.Problem != nil {
			t.Fatal(r.Problem)
		}
		now := s.lab(lab)
		names := map[string]bool{}
		for _, n := range now.Lab.Nodes {
			names[n.Name] = true
		}
		for _, name := range []string{"host", "red", "blue", "green", "meanwhile", "after"} {
			if !names[name] {
				t.Errorf("%s is gone", name)
			}
		}
		if now.State != labengine.Running || now.Problem != nil {
			t.Errorf("the lab is %s: %v", now.State, now.Problem)
		}
		again := s.terminalIn(lab, "token", int64(len(term.output)))
		again.enter("echo and still $answer", "and still 42")
		if after := descendants(process.Pid()); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("processes of the lab before %v, after %v", before, after)
		}
		if out := shell(t, process, "ip netns list | cut -d' ' -f1 | sort | xargs"); out != "after blue green meanwhile red\n" {
			t.Errorf("namespaces: %s", out)
		}
	})
}

// TestNothingIsLeft has the server and its labs killed with -9, and then one lab process alone.
func TestNothingIsLeft(t *testing.T) {
	asRootToo(t, func(t *testing.T) {
		state := t.TempDir()
		host := hostState(t)
		s := serveIn(t, state)
		lab, other := s.newLab(), s.newLab()
		s.must("POST", lab+"/start", "", nil)
		s.must("POST", other+"/start", "", nil)
		s.terminalIn(lab, "token", 0).enter("(setsid sleep 1000 &); ip link add name v0 type veth; iptables -A INPUT -j ACCEPT; echo do''ne", "done")
		edit(t, s.dial(lab+"/ws"), "acknowledged", addNamespace("green"))
		kill := func(path string) {
			t.Helper()
			process := s.process(path)
			left := footprintOf(t, process.Pid())
			if len(left.processes) < 2 || len(left.namespaces) < 14 {
				t.Errorf("a lab has the processes %v, in %d namespaces", left.processes, len(left.namespaces))
			}
			if err := process.Kill(t.Context()); err != nil {
				t.Fatal(err)
			}
			left.checkGone(t)
		}
		s.kill()
		kill(lab)
		kill(other)
		if now := hostState(t); now != host {
			t.Errorf("the host was\n%sand is\n%s", host, now)
		}

		// What is left in the state folder is used, or removed.
		stray := filepath.Join(state, "labs", "stray")
		if err := os.Mkdir(stray, 0o700); err != nil {
			t.Fatal(err)
		}
		s = serveIn(t, state)
		if _, err := os.Stat(stray); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the folder of no lab is left: %v", err)
		}
		for _, path := range []string{lab, other} {
			socket := filepath.Join(state, "labs", filepath.Base(path), "lab.sock")
			if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the socket of a lab that was killed is left: %v", err)
			}
			if now := s.lab(path); now.State != labengine.Dead || now.Problem == nil || now.Problem.Hint != "start the lab again" {
				t.Errorf("a lab that was killed is %s: %+v", now.State, now.Problem)
			}
		}
		s.must("POST", lab+"/start", "", nil)
		if now := s.lab(lab); now.State != labengine.Running || !strings.Contains(now.Document, "green") {
			t.Errorf("started again, it is %s:\n%s", now.State, now.Document)
		}

		// The server sees its labs end.
		ws := s.dial(lab + "/ws")
		kill(lab)
		for {
			var m labengine.Message
			if err := ws.ReadJSON(&m); err != nil {
				t.Fatal(err)
			}
			if m.Status != nil && m.Status.State == labengine.Dead {
				break
			}
		}
		s.must("POST", lab+"/start", "", nil)
		left := footprintOf(t, s.process(lab).Pid())
		var stopped server.LabSummary
		s.must("POST", lab+"/stop", "", &stopped)
		left.checkGone(t)
		if stopped.State != labengine.Stopped {
			t.Errorf("stopped, it is %s", stopped.State)
		}
		s.must("DELETE", lab, "", nil)
		s.must("DELETE", other, "", nil)
		if folders, err := os.ReadDir(filepath.Join(state, "labs")); err != nil || len(folders) != 0 {
			t.Errorf("folders of labs that were deleted: %v, %v", folders, err)
		}
		if now := hostState(t); now != host {
			t.Errorf("the host was\n%sand is\n%s", host, now)
		}
	})
}
