package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"vethlab/labengine"
	"vethlab/labengine/document"
)

// requestSeeds are messages of each kind, good and bad, to the lab of redAndBlue. What once went wrong is kept here too,
// under a name that says what it was.
var requestSeeds = []struct{ name, message string }{
	{"a namespace", `{"id":"1","op":{"id":"o","edits":[{"addNode":{"id":"g","name":"green","kind":"namespace","in":"host"}}]}}`},
	{"a machine, twice in one op", `{"id":"1","op":{"id":"o","edits":[{"addNode":{"id":"m","name":"m","kind":"machine"}},{"addNode":{"id":"m","name":"m","kind":"machine"}}]}}`},
	{"a cable with all it can have", `{"id":"1","op":{"id":"o","edits":[{"addCable":{"id":"c","a":{"id":"x","node":"host/red","name":"eth0","addresses":["10.0.0.1/24","2001:db8::1/64"],"mac":"02:00:00:00:00:01"},"b":{"id":"y","node":"host/blue","name":"eth0"},"mtu":9000}}]}}`},
	{"a cable from a node to itself", `{"id":"1","op":{"id":"o","edits":[{"addCable":{"id":"c","a":{"id":"x","node":"host","name":"a"},"b":{"id":"y","node":"host","name":"b"}}}]}}`},
	{"a cable to nothing", `{"id":"1","op":{"id":"o","edits":[{"addCable":{"id":"c","a":{"id":"x","node":"host","name":"a"},"b":{"id":"y","node":"gone","name":"b"}}}]}}`},
	{"a new name", `{"id":"1","op":{"id":"o","edits":[{"updateNode":{"id":"host/red","name":"crimson"}}]}}`},
	{"a name that the kernel has", `{"id":"1","op":{"id":"o","edits":[{"updateInterface":{"id":"host/red:veth-red","name":"all"}}]}}`},
	{"an interface of many values", `{"id":"1","op":{"id":"o","edits":[{"updateInterface":{"id":"host/red:veth-red","up":false,"mtu":68,"mac":"02:00:00:00:00:02"}}]}}`},
	{"an address and its end", `{"id":"1","op":{"id":"o","edits":[{"addAddress":{"interface":"host/red:veth-red","address":"10.0.0.1"}},{"deleteAddress":{"interface":"host/red:veth-red","address":"10.0.0.1/32"}}]}}`},
	{"the deletion of all", `{"id":"1","op":{"id":"o","edits":[{"delete":{"id":"host"}}]}}`},
	{"a place out of this world", `{"id":"1","op":{"id":"o","edits":[{"place":{"id":"host","x":1e308,"y":-1e308}}]}}`},
	{"another name for the lab", `{"id":"1","op":{"id":"o","edits":[{"updateLab":{"name":"\u2028 \u0000","quiet":true}}]}}`},
	{"names that YAML knows", namespacesNamed("null", "~", "yes", "1e3", "0x10", "2001-01-01", "<<", "?", "|", "=", ">", "}")},
	{"names with marks", namespacesNamed("a#b", "#a", "'", "\"", "\\", "[a", "{a", "!a", "&a", "*a", "%a", "@a", "`", "a,b", "a]", "'a'")},
	{"names of other letters", namespacesNamed("ü", "😀", "赤", "a\u0301")},
	{"interfaces with marks", `{"id":"1","op":{"id":"o","edits":[{"updateInterface":{"id":"host/red:veth-red","name":"a,b]#"}},{"updateInterface":{"id":"host/blue:veth-blue","name":"'{\\\""}}]}}`},
	{"undo", `{"id":"1","undo":{}}`},
	{"redo", `{"id":"1","redo":{}}`},
	{"a ping", `{"id":"1","ping":{"from":"host/red","to":"192.168.15.2","count":3}}`},
	{"an ARP probe", `{"id":"1","arp":{"from":"host/red:veth-red","to":"192.168.15.2"}}`},
	{"a cancel of nothing", `{"id":"1","cancel":{"request":"0"}}`},
	{"the end of no terminal", `{"id":"1","close":{"terminal":"t"}}`},
	{"what only the server asks", `{"id":"1","begin":{"protocol":1,"lab":{"nodes":{}},"seq":0}}`},
	{"nothing at all", ``},
	{"null", `null`},
	{"a list", `[{"id":"1","undo":{}}]`},
	{"two values", `{"id":"1","undo":{}}{"id":"2","undo":{}}`},
	{"a key twice", `{"id":"1","id":"2","undo":{},"undo":null}`},
	{"keys in capitals", `{"ID":"1","UNDO":{}}`},
	{"not UTF-8", "{\"id\":\"\xff\",\"op\":{\"id\":\"\xfe\",\"edits\":[{\"addNode\":{\"id\":\"\xfd\",\"name\":\"\xfc\",\"kind\":\"machine\"}}]}}"},
	{"very deep", `{"id":"1","op":` + strings.Repeat("[", 500)},
	{"an ID that is too long", `{"id":"` + strings.Repeat("x", maxRequestID+1) + `","undo":{}}`},
}

// namespacesNamed is an op that adds namespaces of these names; host of redAndBlue has them.
func namespacesNamed(names ...string) string {
	op := labengine.Op{ID: "o"}
	for i, name := range names {
		op.Edits = append(op.Edits, labengine.Edit{AddNode: &labengine.AddNode{
			ID: labengine.ID(fmt.Sprint("g", i)), Name: name, Kind: labengine.Namespace, In: "host",
		}})
	}
	data, err := json.Marshal(labengine.Request{ID: "1", Op: &op})
	if err != nil {
		panic(err) // the names are ours
	}
	return string(data)
}

// FuzzRequest sends what a page could send to the room of a stopped lab, through the real handler: each message is
// answered exactly once, and where the websocket ends after that, it ends with a reason. A change that was acknowledged
// is on disk, and leaves a lab that can be written to a file and read from it.
func FuzzRequest(f *testing.F) {
	for _, seed := range requestSeeds {
		f.Add([]byte(seed.message), true)
	}
	f.Add([]byte{0}, false)
	shared := serveWith(f, f.TempDir(), &tinyLabs{running: map[string]*tinyLab{}}, nil)
	var fresh labengine.ID // a lab that nothing has changed yet
	f.Fuzz(func(t *testing.T, message []byte, text bool) {
		ts := &testServer{Server: shared.Server, t: t, http: shared.http, labs: shared.labs}
		if fresh == "" {
			fresh = ts.newLab(`{"example":"red-and-blue"}`)
		}
		id := fresh
		p := ts.look(id)
		p.snapshot()
		kind := websocket.BinaryMessage
		if text {
			kind = websocket.TextMessage
		}
		if err := p.ws.WriteMessage(kind, message); err != nil {
			t.Fatal(err)
		}
		reply, closed := p.only()
		if closed != nil {
			if reply.Problem == nil || closed.Text == "" || closed.Code == websocket.CloseAbnormalClosure {
				t.Errorf("the websocket ended with %v, after %+v", closed, reply)
			}
			return
		}
		if reply.Problem != nil {
			if reply.Problem.Code == "" || reply.Problem.Code == labengine.CodeInternal || reply.Problem.Message == "" || reply.Seq != 0 {
				t.Errorf("refused with %+v", reply)
			}
			return
		}
		fresh = ""
		saved, err := ts.store.loadLab(t.Context(), id)
		if err != nil || saved.Seq != reply.Seq {
			t.Fatalf("acknowledged is %d; on disk: %v", reply.Seq, err)
		}
		ts.checkWritable(saved.journal.Lab)
	})
}

// only is the reply to the one request that was sent, or the end of the websocket after it. The test fails where there are
// more replies, or none.
func (p *page) only() (reply labengine.Reply, closed *websocket.CloseError) {
	p.t.Helper()
	const fence = "a fence that no message knows" // answered at once: its second answer comes after any other
	ask := labengine.Request{ID: fence, Cancel: &labengine.Cancel{Request: "nothing"}}
	p.send(ask)
	for replies, fences := 0, 0; fences < 2; {
		p.ws.SetReadDeadline(time.Now().Add(10 * time.Second))
		var m labengine.Message
		err := p.ws.ReadJSON(&m)
		switch {
		case errors.As(err, &closed) && replies == 1:
			return reply, closed
		case err != nil:
			p.t.Fatalf("answered %d times, the websocket ended with %v", replies, err)
		case m.Reply == nil:
		case m.Reply.Request == fence:
			fences++
		default:
			replies++
			reply = *m.Reply
		}
		switch {
		case replies > 1:
			p.t.Fatalf("answered a second time: %+v", reply)
		case replies+fences == 2 && m.Reply != nil:
			p.send(ask)
		}
	}
	return reply, nil
}

// checkWritable fails the test where a lab, written to a file and read from it, is another.
func (ts *testServer) checkWritable(lab labengine.Lab) {
	ts.t.Helper()
	file := document.Format(lab, nil)
	again, err := document.Parse("written.yaml", file)
	if err != nil {
		ts.t.Fatalf("the lab cannot be read from its own file: %v\n%s", err, file)
	}
	if rewritten := document.Format(again, file); !bytes.Equal(file, rewritten) {
		ts.t.Errorf("the lab as a file, and that file written again:\n%s\n%s", file, rewritten)
	}
	count := func(l labengine.Lab) string {
		return fmt.Sprint(len(l.Nodes), " nodes, ", len(l.Interfaces), " interfaces, ", len(l.Cables), " cables")
	}
	if count(lab) != count(again) {
		data, _ := json.Marshal(lab)
		ts.t.Errorf("the lab has %s, its file %s\n%s\n%s", count(lab), count(again), data, file)
	}
}
