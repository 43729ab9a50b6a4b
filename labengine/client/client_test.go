package client

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"vethlab/labengine"
)

// labAt serves a lab process's endpoint on a unix socket, and returns how to dial it.
func labAt(t *testing.T, handler http.Handler) func(context.Context) (net.Conn, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lab.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: handler}
	go srv.Serve(listener)
	t.Cleanup(func() { srv.Close() })
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
}

func speaking(protocol int, then func(*websocket.Conn)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/terminal" {
			w.WriteHeader(http.StatusNotFound)
			json.NewEncoder(w).Encode(labengine.Problemf(labengine.CodeNoSuchNode, "no node %s", r.URL.Query().Get("node")))
			return
		}
		var up websocket.Upgrader
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		ws.WriteJSON(labengine.Message{Hello: &labengine.Hello{Protocol: protocol, Version: "test"}})
		then(ws)
	})
}

func echoReplies(ws *websocket.Conn) {
	for {
		var r labengine.Request
		if ws.ReadJSON(&r) != nil {
			return
		}
		ws.WriteJSON(labengine.Message{Reply: &labengine.Reply{Request: r.ID}})
	}
}

func TestRequestsAreAnsweredInOrder(t *testing.T) {
	conn, err := New(labAt(t, speaking(labengine.Protocol, echoReplies))).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.Hello().Version != "test" {
		t.Errorf("hello: %+v", conn.Hello())
	}
	for _, id := range []labengine.ID{"a", "b", "c"} {
		if err := conn.Send(labengine.Request{ID: id, Undo: &labengine.Undo{}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []labengine.ID{"a", "b", "c"} {
		m, err := conn.Receive()
		if err != nil || m.Reply == nil || m.Reply.Request != id || len(m.Raw) == 0 {
			t.Fatalf("want a reply to %s, got %+v, %v", id, m, err)
		}
	}
}

func TestAnotherProtocolIsRefusedInWords(t *testing.T) {
	_, err := New(labAt(t, speaking(labengine.Protocol+1, echoReplies))).Connect(t.Context())
	if !errors.Is(err, &labengine.Problem{Code: labengine.CodeNotSupported}) {
		t.Fatalf("got %v", err)
	}
}

func TestRefusedTerminalIsAProblem(t *testing.T) {
	_, err := New(labAt(t, speaking(labengine.Protocol, echoReplies))).Terminal(t.Context(), url.Values{"node": {"red"}})
	if !errors.Is(err, &labengine.Problem{Code: labengine.CodeNoSuchNode}) {
		t.Fatalf("got %v", err)
	}
}

func TestEndOfTheLabEndsReceive(t *testing.T) {
	conn, err := New(labAt(t, speaking(labengine.Protocol, func(ws *websocket.Conn) {}))).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Receive(); err == nil {
		t.Fatal("Receive returned a message of a lab that is gone")
	}
	conn.Close()
	if err := conn.Send(labengine.Request{}); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("Send after Close: %v", err)
	}
}

func TestSilentLabDoesNotHoldConnect(t *testing.T) {
	mute := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var up websocket.Upgrader
		if ws, err := up.Upgrade(w, r, nil); err == nil {
			ws.ReadMessage()
			ws.Close()
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := New(labAt(t, mute)).Connect(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}
