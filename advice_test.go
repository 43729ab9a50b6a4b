package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"vethlab/labengine"
	"vethlab/server"
)

// awaitAdvice is the next list of advice that a page is told, the one in its snapshot included.
func awaitAdvice(t *testing.T, ws *websocket.Conn) []labengine.Advice {
	t.Helper()
	for {
		var m labengine.Message
		switch err := ws.ReadJSON(&m); {
		case err != nil:
			t.Fatalf("before there was advice: %v", err)
		case m.Reply != nil && m.Reply.Problem != nil:
			t.Fatalf("%s: %v", m.Reply.Request, m.Reply.Problem)
		case m.Advice != nil:
			return m.Advice.Advice
		case m.Snapshot != nil && m.Snapshot.Advice != nil:
			return m.Snapshot.Advice
		}
	}
}

// TestAdviceHolds: what is said of a lab is so in the kernel; and the fix mends it there, typed or pressed.
func TestAdviceHolds(t *testing.T) {
	t.Parallel()
	s := serveIn(t, filepath.Join(t.TempDir(), "state"))
	lan := read(t, filepath.Join("examples", "lan.yaml"))
	document := strings.Replace(lan, ", routes: [192.168.15.0/24 via 192.168.1.2]", "", 1)
	if document == lan {
		t.Fatal("the example has no way back that could be taken away")
	}
	body, err := json.Marshal(server.NewLab{Document: document})
	if err != nil {
		t.Fatal(err)
	}
	var made server.LabSummary
	s.must("POST", "/api/labs", string(body), &made)
	lab := "/api/labs/" + string(made.ID)
	s.must("POST", lab+"/start", "", nil)
	process := s.process(lab)
	ws := s.dial(lab + "/ws")

	const ping = "ip netns exec red ping -c1 -W1 192.168.1.3 >/dev/null && echo answered || echo silence"
	said := awaitAdvice(t, ws)
	if len(said) != 1 || said[0].Code != labengine.AdviceNoReturnRoute || len(said[0].Fix.Commands) != 1 {
		t.Fatalf("advice: %+v", said)
	}
	if got := shell(t, process, ping); got != "silence\n" {
		t.Fatalf("what has no way back: %s", got)
	}
	fix := labengine.Request{ID: "fix", Op: &labengine.Op{ID: "fix", Edits: said[0].Fix.Edits}}
	if err := ws.WriteJSON(fix); err != nil { // what is told then may come before the reply
		t.Fatal(err)
	}
	if left := awaitAdvice(t, ws); len(left) != 0 {
		t.Errorf("after the fix: %+v", left)
	}
	if got := shell(t, process, ping); got != "answered\n" {
		t.Errorf("after the fix: %s", got)
	}

	shell(t, process, "sysctl -qw net.ipv4.ip_forward=0")
	said = awaitAdvice(t, ws)
	if len(said) != 1 || said[0].Code != labengine.AdviceForwardingOff {
		t.Fatalf("typed: %+v", said)
	}
	for _, c := range said[0].Fix.Commands {
		if c.Machine != "host" {
			t.Fatalf("the fix is typed in host, not in %s", c.Machine)
		}
		shell(t, process, c.Line)
	}
	if left := awaitAdvice(t, ws); len(left) != 0 {
		t.Errorf("after the fix was typed: %+v", left)
	}
	if got := shell(t, process, ping); got != "answered\n" {
		t.Errorf("after the fix was typed: %s", got)
	}
}
