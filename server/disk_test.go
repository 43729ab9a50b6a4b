package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"vethlab/labengine"
)

// onTinyDisk runs the calling test again in user and mount namespaces of its own, in which the state folder is a disk of
// a megabyte that nobody else has.
func onTinyDisk(t *testing.T, body func(t *testing.T, state string)) {
	t.Helper()
	if state := os.Getenv("VETHLAB_TINY_DISK"); state != "" {
		if err := syscall.Mount("none", state, "tmpfs", 0, "size=1m"); err != nil {
			t.Fatalf("mount a tmpfs: %v", err)
		}
		body(t, state)
		return
	}
	again := exec.Command("/proc/self/exe", "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v", "-test.timeout=60s")
	// The race detector has a process wait a second at its end.
	again.Env = append(os.Environ(), "VETHLAB_TINY_DISK="+t.TempDir(), "GORACE=atexit_sleep_ms=0")
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	out, err := again.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("on a tiny disk: %v\n%s", err, out)
	} else if testing.Verbose() {
		t.Logf("on a tiny disk:\n%s", out)
	}
}

// fillDisk takes all room that is left on a folder's disk, but for what some changes take; free gives it back.
func fillDisk(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "full")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err == nil {
		err = f.Truncate(size - 64<<10)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

func isDiskFull(p *labengine.Problem) bool {
	return p != nil && p.Code == labengine.CodeDiskFull && p.Hint != ""
}

// drawUntilRefused adds namespaces until the disk takes no more, and gives how many were acknowledged.
func (p *page) drawUntilRefused(t *testing.T, host labengine.ID, prefix string) (drawn int, refusal labengine.Reply) {
	t.Helper()
	for drawn = range 2000 {
		r := p.ask(addNamespace(labengine.ID(fmt.Sprint(prefix, drawn)), host, fmt.Sprint(prefix, drawn)))
		if r.Problem != nil {
			return drawn, r
		}
	}
	t.Fatal("the disk was never full")
	return 0, labengine.Reply{}
}

func TestFullDiskWhileStopped(t *testing.T) {
	onTinyDisk(t, func(t *testing.T, state string) {
		labs := &tinyLabs{running: map[string]*tinyLab{}}
		ts := serveIn(t, state, labs)
		id := ts.newLab(`{"example":"red-and-blue"}`)
		p := ts.look(id)
		host := machineOf(p.snapshot().Lab)
		free := fillDisk(t, state)

		drawn, r := p.drawUntilRefused(t, host, "a")
		t.Logf("%d changes fitted", drawn)
		if !isDiskFull(r.Problem) {
			t.Errorf("refused with %+v", r.Problem)
		}
		var now Lab
		ts.call("GET", "/api/labs/"+string(id), "", &now)
		if int(now.Seq) != drawn || len(now.Lab.Nodes) != 3+drawn {
			t.Errorf("%d were acknowledged, %d are there", drawn, now.Seq)
		}
		wantProblem(t, ts.request("POST", "/api/labs", `{"example":"red-and-blue"}`), 507, labengine.CodeDiskFull)
		wantProblem(t, ts.request("PUT", "/api/labs/"+string(id), `{"name":"full"}`), 507, labengine.CodeDiskFull)
		wantProblem(t, ts.request("PUT", "/api/labs/"+string(id), "# full\n"+redAndBlue, "Content-Type", "application/yaml"), 507, labengine.CodeDiskFull)
		wantProblem(t, ts.request("POST", "/api/labs/"+string(id)+"/start", ""), 507, labengine.CodeDiskFull)
		wantProblem(t, ts.request("DELETE", "/api/labs/"+string(id), ""), 507, labengine.CodeDiskFull)
		if folders, err := os.ReadDir(filepath.Join(state, "labs")); err != nil || len(folders) != 1 {
			t.Errorf("folders of labs: %v, %v", folders, err)
		}
		if len(labs.running) != 0 {
			t.Error("a lab process was left")
		}

		free()
		if r := p.ask(addNamespace("room", host, "room")); r.Problem != nil || int(r.Seq) != drawn+1 {
			t.Errorf("with room again: %+v", r)
		}
		p.ws.Close()
		ts.close()
		ts = serveIn(t, state, labs)
		p = ts.look(id)
		s := p.snapshot()
		if int(s.Seq) != drawn+1 || len(s.Lab.Nodes) != 3+drawn+1 || s.Lab.Nodes["n-room"].Name != "room" {
			t.Errorf("after a restart: %d changes, %d nodes; %d were acknowledged", s.Seq, len(s.Lab.Nodes), drawn+1)
		}

		// A lab is stopped although the disk cannot take it; once it can, it does, at the latest when the server ends.
		ts.call("POST", "/api/labs/"+string(id)+"/start", "", nil)
		free = fillDisk(t, state)
		drawn, _ = p.drawUntilRefused(t, host, "b")
		ts.call("POST", "/api/labs/"+string(id)+"/stop", "", nil)
		free()
		p.ws.Close()
		ts.close()
		ts = serveIn(t, state, labs)
		s = ts.look(id).snapshot()
		if s.Status.State != labengine.Stopped || s.Lab.Nodes[labengine.ID(fmt.Sprint("n-b", drawn))].ID == "" {
			t.Errorf("stopped while the disk was full, after a restart: %+v, with %d nodes", s.Status, len(s.Lab.Nodes))
		}
	})
}

func TestFullDiskWhileRunning(t *testing.T) {
	onTinyDisk(t, func(t *testing.T, state string) {
		labs := &tinyLabs{running: map[string]*tinyLab{}}
		ts := serveIn(t, state, labs)
		id := ts.newLab(`{"example":"red-and-blue"}`)
		ts.call("POST", "/api/labs/"+string(id)+"/start", "", nil)
		p, other := ts.look(id), ts.look(id)
		host := machineOf(p.snapshot().Lab)
		free := fillDisk(t, state)

		drawn, r := p.drawUntilRefused(t, host, "a")
		t.Logf("%d changes fitted", drawn)
		if !isDiskFull(r.Problem) {
			t.Errorf("the op that did not fit: %+v", r)
		}
		// It has happened, in the kernel: everyone is told of it, and of what is wrong.
		for told, warned := false, false; !told || !warned; {
			m := other.next()
			told = told || m.Change != nil && m.Change.Seq == int64(drawn+1)
			warned = warned || m.Status != nil && m.Status.State == labengine.Running && isDiskFull(m.Status.Problem)
		}
		labs.only(t).inTerminal("typed")
		if c := other.change(); c.Patch.Nodes["k-typed"] == nil {
			t.Errorf("what was typed is told as %+v", c)
		}
		if r := p.ask(addNamespace("more", host, "more")); !isDiskFull(r.Problem) {
			t.Errorf("the next op: %+v", r)
		}
		wantProblem(t, ts.request("PUT", "/api/labs/"+string(id), `{"name":"full"}`), 507, labengine.CodeDiskFull)

		// The server may end meanwhile: the lab process knows what is not on disk. So may then the lab.
		p.ws.Close()
		other.ws.Close()
		ts.close()
		ts = serveIn(t, state, labs)
		p = ts.look(id)
		until(p, func(m labengine.Message) (bool, bool) {
			return true, m.Status != nil && m.Status.State == labengine.Running && isDiskFull(m.Status.Problem)
		})
		labs.only(t).Kill(t.Context())
		if s := p.status(labengine.Dead); !isDiskFull(s.Problem) {
			t.Errorf("when the lab has died too: %+v", s)
		}
		if r := p.ask(addNamespace("dead", host, "dead")); !isDiskFull(r.Problem) {
			t.Errorf("an op then: %+v", r)
		}
		wantProblem(t, ts.request("POST", "/api/labs/"+string(id)+"/start", ""), 507, labengine.CodeDiskFull)

		free()
		until(p, func(m labengine.Message) (bool, bool) {
			return true, m.Status != nil && m.Status.State == labengine.Dead && !isDiskFull(m.Status.Problem)
		})
		if r := p.ask(addNamespace("room", host, "room")); r.Problem != nil {
			t.Errorf("with room again: %+v", r)
		}
		p.ws.Close()
		ts.close()
		ts = serveIn(t, state, labs)
		s := ts.look(id).snapshot()
		for _, node := range []labengine.ID{"n-room", labengine.ID(fmt.Sprint("n-a", drawn))} {
			if s.Lab.Nodes[node].ID == "" {
				t.Errorf("after a restart %s is gone; there are %d changes and %d nodes", node, s.Seq, len(s.Lab.Nodes))
			}
		}
	})
}
