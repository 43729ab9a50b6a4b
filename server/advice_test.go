package server

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vethlab/labengine"
)

// noWayBack is a lab in which red's packets reach neighbour, and no answer reaches red.
const noWayBack = `vethlab: 1
name: No way back
nodes:
  - {name: host, kind: machine, sysctls: {net.ipv4.ip_forward: 1}}
  - {name: red, kind: namespace, in: host, routes: [default via 192.168.15.5]}
  - {name: neighbour, kind: machine}
cables:
  - [red:veth-red 192.168.15.1/24, host:veth-red-h 192.168.15.5/24]
  - [host:eth0 192.168.1.2/24, neighbour:eth0 192.168.1.3/24]
`

func (ts *testServer) newLabOf(document string) labengine.ID {
	ts.t.Helper()
	body, err := json.Marshal(NewLab{Document: document})
	if err != nil {
		ts.t.Fatal(err)
	}
	return ts.newLab(string(body))
}

// advice is the next list that the page is told.
func (p *page) advice() []labengine.Advice {
	p.t.Helper()
	return until(p, func(m labengine.Message) (*labengine.AdviceList, bool) { return m.Advice, m.Advice != nil }).Advice
}

// asksAndIsTold sends a request, and gives the list that the page is told then: before the reply, where the disk is slow.
func (p *page) asksAndIsTold(r labengine.Request) []labengine.Advice {
	p.t.Helper()
	p.send(r)
	var told *labengine.AdviceList
	for replied := false; told == nil || !replied; {
		switch m := p.next(); {
		case m.Advice != nil:
			told = m.Advice
		case m.Reply != nil && m.Reply.Problem != nil:
			p.t.Fatalf("%s: %v", r.ID, m.Reply.Problem)
		case m.Reply != nil:
			replied = true
		}
	}
	return told.Advice
}

func codes(said []labengine.Advice) []labengine.AdviceCode {
	codes := make([]labengine.AdviceCode, len(said))
	for i, a := range said {
		codes[i] = a.Code
	}
	return codes
}

func wantCodes(t *testing.T, said []labengine.Advice, want ...labengine.AdviceCode) {
	t.Helper()
	if diff := cmp.Diff(append([]labengine.AdviceCode{}, want...), codes(said)); diff != "" {
		t.Errorf("advice: %s", diff)
	}
}

func TestAdvice(t *testing.T) {
	ts := serve(t)
	id := ts.newLabOf(noWayBack)
	a := ts.look(id)
	said := a.advice()
	wantCodes(t, said, labengine.AdviceNoReturnRoute)
	want := []labengine.Command{{Machine: "neighbour", Line: "ip route add 192.168.15.0/24 via 192.168.1.2"}}
	if diff := cmp.Diff(want, said[0].Fix.Commands); diff != "" {
		t.Errorf("the commands of the fix: %s", diff)
	}
	b := ts.look(id)
	if diff := cmp.Diff(said, b.snapshot().Advice); diff != "" {
		t.Errorf("a page that comes later is told: %s", diff)
	}

	fix := labengine.Request{ID: "fix", Op: &labengine.Op{ID: "fix", Edits: said[0].Fix.Edits}}
	wantCodes(t, a.asksAndIsTold(fix))
	wantCodes(t, b.advice())
	undo := labengine.Request{ID: "undo", Undo: &labengine.Undo{}}
	wantCodes(t, a.asksAndIsTold(undo), labengine.AdviceNoReturnRoute)
	wantCodes(t, b.advice(), labengine.AdviceNoReturnRoute)
}

// TestAdviceOfARunningLab: whoever changes the lab, and a lab process that has another one.
func TestAdviceOfARunningLab(t *testing.T) {
	ts := serve(t)
	id := ts.newLabOf(noWayBack)
	ts.call("POST", "/api/labs/"+string(id)+"/start", "", nil)
	page := ts.look(id)
	said := page.advice()
	wantCodes(t, said, labengine.AdviceNoReturnRoute)
	fix := labengine.Request{ID: "fix", Op: &labengine.Op{ID: "fix", Edits: said[0].Fix.Edits}}
	wantCodes(t, page.asksAndIsTold(fix))

	lab := ts.labs.only(t)
	lab.changes(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: "host/red:veth-red", Up: new(bool)}})
	wantCodes(t, page.advice(), labengine.AdviceInterfaceDown)

	lab.mu.Lock()
	lab.say(labengine.Message{Live: &labengine.Live{Nodes: map[labengine.ID]*labengine.NodeState{
		"host/red": {Sockets: []labengine.Socket{{Protocol: "tcp", Address: "127.0.0.1", Port: 80}}},
	}}})
	lab.mu.Unlock()
	wantCodes(t, page.advice(), labengine.AdviceInterfaceDown, labengine.AdviceLoopbackDown)

	lab.die()
	wantCodes(t, page.advice(), labengine.AdviceInterfaceDown) // what a process waited for is gone with it
}

// TestAdviceIsSaidOnce: a burst of changes is one look, and what is the same as before is not sent again.
func TestAdviceIsSaidOnce(t *testing.T) {
	ts := serve(t)
	id := ts.newLabOf(noWayBack)
	page := ts.look(id)
	wantCodes(t, page.advice(), labengine.AdviceNoReturnRoute)
	const burst = 100
	for i := range burst {
		page.send(addNamespace(labengine.ID(fmt.Sprint("op", i)), "host", fmt.Sprint("n", i)))
	}
	down := labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: "host/red:veth-red", Up: new(bool)}}
	page.send(labengine.Request{ID: "down", Op: &labengine.Op{ID: "down", Edits: []labengine.Edit{down}}})
	changes := 0
	said := until(page, func(m labengine.Message) (*labengine.AdviceList, bool) {
		if m.Change != nil {
			changes++
		}
		return m.Advice, m.Advice != nil
	})
	wantCodes(t, said.Advice, labengine.AdviceInterfaceDown)
	if changes != burst+1 {
		t.Errorf("told after %d changes of %d", changes, burst+1)
	}
}

// TestCrowded: a lab whose nodes may not fit into the computer's ARP table is told so, and what makes room.
func TestCrowded(t *testing.T) {
	lab, err := labengine.NewLab("crowd").Edit([]labengine.Edit{
		{AddNode: &labengine.AddNode{ID: "host", Name: "host", Kind: labengine.Machine}},
		{AddNode: &labengine.AddNode{ID: "red", Name: "red", Kind: labengine.Namespace, In: "host"}},
		{AddNode: &labengine.AddNode{ID: "mute", Name: "mute", Kind: labengine.Namespace, In: "host"}},
		{AddCable: &labengine.AddCable{
			ID: "c", A: labengine.End{ID: "h", Node: "host", Name: "h", Addresses: []string{"10.0.0.1/24", "10.0.1.1/24"}},
			B: labengine.End{ID: "r", Node: "red", Name: "r", Addresses: []string{"10.0.0.2/24", "2001:db8::2/64"}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, entries := range []int{0, 4, 5, 1024} {
		if got := crowded(lab, entries); got != nil {
			t.Errorf("of %d entries it is said that %s", entries, got[0].Message)
		}
	}
	want := []labengine.Advice{{
		Code: labengine.AdviceARPTableSmall, On: []labengine.ID{"host"},
		Message: "2 nodes may need 4 ARP entries, and the computer that this lab runs on has 3 for all its labs: " +
			"type `sysctl -w net.ipv4.neigh.default.gc_thresh3=8` there, or some will not reach each other",
	}}
	if diff := cmp.Diff(want, crowded(lab, 3)); diff != "" {
		t.Error(diff)
	}
}
