package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"

	"vethlab/labengine"
)

// fillDisk takes all room that is left on a folder's disk; free gives it back.
func fillDisk(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "full")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

// awaitStatus reads a page's websocket until the lab runs with a problem, or without one.
func awaitStatus(t *testing.T, ws *websocket.Conn, problem labengine.Code) {
	t.Helper()
	for {
		var m labengine.Message
		if err := ws.ReadJSON(&m); err != nil {
			t.Fatalf("before the lab runs with the problem %q: %v", problem, err)
		}
		if m.Status == nil || m.Status.State != labengine.Running {
			continue
		}
		if p := m.Status.Problem; p == nil && problem == "" || p != nil && p.Code == problem {
			return
		}
	}
}

// TestRunningLabOnAFullDisk: the kernel has what the disk has not, and keeps it through kill -9 of the server until there
// is room. How rooms deal with a full disk is tested in package server, to the last branch; here all is real.
func TestRunningLabOnAFullDisk(t *testing.T) {
	within(t, `mount -t tmpfs -o size=2m none "$dir"`, func(t *testing.T, state string) {
		s := serveIn(t, state)
		lab := s.newLab()
		s.must("POST", lab+"/start", "", nil)
		process := s.process(lab)
		ws := s.dial(lab + "/ws")
		free := fillDisk(t, state)

		drawn := 0
		var refusal labengine.Reply
		for refusal.Problem == nil && drawn < 1000 {
			drawn++
			refusal = edit(t, ws, labengine.ID(fmt.Sprint("op", drawn)), addNamespace(fmt.Sprint("n", drawn)))
		}
		if p := refusal.Problem; p == nil || p.Code != labengine.CodeDiskFull || p.Hint == "" {
			t.Fatalf("after %d ops: %+v", drawn, refusal)
		}
		if next := edit(t, ws, "next", addNamespace("next")); next.Problem == nil || next.Problem.Code != labengine.CodeDiskFull {
			t.Errorf("the next op: %+v", next)
		}
		shell(t, process, "ip netns add typed")
		names := strings.Fields(shell(t, process, "ls /run/netns"))
		if len(names) != 3+drawn || strings.Contains(fmt.Sprint(names), "next") {
			t.Errorf("%d ops were carried out, one refused; the kernel has %v", drawn, names)
		}

		s.kill()
		s = serveIn(t, state)
		ws = s.dial(lab + "/ws")
		awaitStatus(t, ws, labengine.CodeDiskFull)
		free()
		awaitStatus(t, ws, "")
		if r := edit(t, ws, "room", addNamespace("room")); r.Problem != nil {
			t.Errorf("with room again: %+v", r.Problem)
		}
		s.must("POST", lab+"/stop", "", nil)
		s.kill()
		document := serveIn(t, state).lab(lab).Document
		for _, name := range append(names, "room") {
			if !strings.Contains(document, "name: "+name+",") {
				t.Errorf("%s is lost:\n%s", name, document)
			}
		}
	})
}
