package live_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/gorilla/websocket"

	"vethlab/labengine"
	"vethlab/labengine/client"
	"vethlab/labengine/live/labtest"
)

// openTerminal opens a terminal in a node, and waits for its prompt.
func openTerminal(t *testing.T, lab *labtest.Lab, node labengine.ID) *websocket.Conn {
	t.Helper()
	ws, err := client.New(lab.Process.Dial).Terminal(t.Context(), url.Values{"id": {"t-" + string(node)}, "node": {string(node)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	for {
		kind, _, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if kind == websocket.BinaryMessage {
			return ws
		}
	}
}

// gestures that take the namespace red away from where it is.
func gestures(red labengine.ID) map[string]labengine.Edit {
	other := labengine.ID("other")
	return map[string]labengine.Edit{
		"deleted": {Delete: &labengine.Delete{ID: red}},
		"moved":   {UpdateNode: &labengine.UpdateNode{ID: red, In: &other}},
	}
}

func isHeld(n labengine.Node) bool { return n.Held != "" }

// TestTerminalEndsWithItsNode: a shell of the lab's own keeps no namespace that a hand takes away.
func TestTerminalEndsWithItsNode(t *testing.T) {
	for how, gesture := range gestures("host/red") {
		t.Run(how, func(t *testing.T) {
			lab := labtest.Start(t, redAndBlue)
			lab.MustEdit(labengine.Edit{AddNode: &labengine.AddNode{ID: "other", Name: "other", Kind: labengine.Machine}})
			ws := openTerminal(t, lab, "host/red")
			stays := openTerminal(t, lab, "host/blue")
			before := lab.State().Lab
			lab.MustEdit(gesture)
			for {
				if kind, _, err := ws.ReadMessage(); err != nil {
					t.Fatal(err)
				} else if kind == websocket.TextMessage {
					break // its end
				}
			}
			lab.Shell("host", "ip netns add later")
			s := lab.Until("what comes later", func(s labtest.State) bool { _, err := s.Lab.FindNode("later"); return err == nil })
			if slices.ContainsFunc(s.Lab.NodesInOrder(), isHeld) {
				t.Errorf("a process keeps a namespace: %v", s.Lab.NodesInOrder())
			}
			if err := stays.WriteMessage(websocket.BinaryMessage, []byte("exit\n")); err != nil {
				t.Errorf("another's terminal: %v", err)
			}
			for range 2 { // what came later, and the gesture
				if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil {
					t.Fatal(r.Problem)
				}
			}
			if p := labengine.Compare(before, lab.State().Lab); !p.Empty() {
				t.Errorf("undone, it differs: %+v", p)
			}
			lab.MustRun("red", "ping", "-c1", "-W1", "192.168.15.2")
		})
	}
}

// TestUndoOfWhatAProcessHolds: where a process keeps the namespace that a hand has taken away, one undo brings back what was there,
// and the file says nothing of what only the process keeps.
func TestUndoOfWhatAProcessHolds(t *testing.T) {
	for how, gesture := range gestures("host/red") {
		t.Run(how, func(t *testing.T) {
			lab := labtest.Start(t, redAndBlue)
			lab.MustEdit(labengine.Edit{AddNode: &labengine.AddNode{ID: "other", Name: "other", Kind: labengine.Machine}})
			before := lab.State().Lab
			lab.Shell("red", "sleep 60 >/dev/null 2>&1 &")
			lab.MustEdit(gesture)
			held := lab.Until("what the process keeps", func(s labtest.State) bool { return slices.ContainsFunc(s.Lab.NodesInOrder(), isHeld) })
			for _, n := range held.Lab.NodesInOrder() {
				if held.Lab.Interfaces[labengine.LoopbackID(n.ID)].Name != "lo" {
					t.Errorf("%s has no lo", n.Name)
				}
			}
			if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil {
				t.Fatal(r.Problem)
			}
			if p := labengine.Compare(before.Saved(), lab.State().Lab.Saved()); !p.Empty() {
				t.Errorf("undone, it differs: %+v", p)
			}
			lab.MustRun("red", "ping", "-c1", "-W1", "192.168.15.2")
		})
	}
}
