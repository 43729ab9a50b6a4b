package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"vethlab/labengine"
	"vethlab/labengine/sandbox"
	"vethlab/server"
)

// served is `vethlab serve` as a process of its own.
type served struct {
	t      testing.TB
	cmd    *exec.Cmd
	state  string
	url    string // as it was printed
	base   string
	token  string
	stdout *bufio.Reader
	stderr syncBuffer
}

// syncBuffer is a buffer that a process writes to while a test reads it.
type syncBuffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// serveIn starts a server on a port of the kernel's choice, with a state folder. It and its labs end with the test.
func serveIn(t testing.TB, state string) *served {
	t.Helper()
	return serveAs(t, state, command(t))
}

// serveAs is serveIn for a command that is vethlab.
func serveAs(t testing.TB, state string, vethlab *exec.Cmd) *served {
	t.Helper()
	vethlab.Args = append(vethlab.Args, "serve", "--listen", "127.0.0.1:0", "--state", state)
	s := &served{t: t, state: state, cmd: vethlab}
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			s.kill()
		}
		killLabs(t, state)
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.stderr.String())
		}
	})
	s.stdout = bufio.NewReader(out)
	if s.url, err = s.stdout.ReadString('\n'); err != nil {
		t.Fatalf("the server printed %q: %v\n%s", s.url, err, s.stderr.String())
	}
	s.url = strings.TrimSpace(s.url)
	s.base, _, _ = strings.Cut(s.url, "/login")
	s.token = strings.TrimSpace(read(t, filepath.Join(state, "token")))
	return s
}

// killLabs ends the labs that a server has left.
func killLabs(t testing.TB, state string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	folders, _ := filepath.Glob(filepath.Join(state, "labs", "*"))
	for _, dir := range folders {
		if lab, err := sandbox.Find(dir); err == nil {
			if err := lab.Kill(ctx); err != nil {
				t.Error(err)
			}
			lab.Release()
		}
	}
}

// kill is kill -9.
func (s *served) kill() {
	s.t.Helper()
	signalTo(s.t, s.cmd, syscall.SIGKILL)
	s.cmd.Wait()
}

// end waits for the end of the server, and gives what it printed after its URL and its exit status.
func (s *served) end() (string, int) {
	s.t.Helper()
	rest, err := io.ReadAll(s.stdout)
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd.Wait()
	return string(rest), s.cmd.ProcessState.ExitCode()
}

// ask is a request with the token for scripts. Its answer is decoded into out if it succeeds, and is else returned as
// the problem that it is.
func (s *served) ask(method, path, body string, out any) *labengine.Problem {
	s.t.Helper()
	r, err := http.NewRequest(method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: patience}
	answer, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if answer.StatusCode/100 != 2 {
		var p struct {
			labengine.Problem
			Detail string
		}
		if err := json.Unmarshal(data, &p); err != nil || p.Code == "" {
			s.t.Fatalf("%s %s: %s\n%s", method, path, answer.Status, data)
		}
		p.Message = p.Detail
		return &p.Problem
	}
	if out != nil {
		if err := json.Unmarshal(data, out); err != nil {
			s.t.Fatalf("%s %s: %v\n%s", method, path, err, data)
		}
	}
	return nil
}

// must is ask for what has to succeed.
func (s *served) must(method, path, body string, out any) {
	s.t.Helper()
	if p := s.ask(method, path, body, out); p != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, path, p, s.stderr.String())
	}
}

// newLab makes the lab redAndBlue, and gives its path in the API.
func (s *served) newLab() string {
	s.t.Helper()
	var lab server.LabSummary
	s.must("POST", "/api/labs", `{"example":"red-and-blue"}`, &lab)
	return "/api/labs/" + string(lab.ID)
}

func (s *served) lab(path string) server.Lab {
	s.t.Helper()
	var lab server.Lab
	s.must("GET", path, "", &lab)
	return lab
}

// process is the lab's process, found in its folder.
func (s *served) process(path string) *sandbox.Process {
	s.t.Helper()
	lab, err := sandbox.Find(filepath.Join(s.state, "labs", filepath.Base(path)))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(lab.Release)
	return lab
}

// dial opens one of a lab's websockets.
func (s *served) dial(path string) *websocket.Conn {
	s.t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial(strings.Replace(s.base, "http", "ws", 1)+path, http.Header{"Authorization": {"Bearer " + s.token}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { ws.Close() })
	ws.SetReadDeadline(time.Now().Add(patience))
	return ws
}

// edit sends a gesture over a page's websocket, and gives the reply.
func edit(t *testing.T, ws *websocket.Conn, id labengine.ID, edits ...labengine.Edit) labengine.Reply {
	t.Helper()
	if err := ws.WriteJSON(labengine.Request{ID: id, Op: &labengine.Op{ID: id, Edits: edits}}); err != nil {
		t.Fatal(err)
	}
	for {
		var m labengine.Message
		if err := ws.ReadJSON(&m); err != nil {
			t.Fatal(err)
		}
		if m.Reply != nil && m.Reply.Request == id {
			return *m.Reply
		}
	}
}

func addNamespace(name string) labengine.Edit {
	return labengine.Edit{AddNode: &labengine.AddNode{ID: labengine.ID(name), Name: name, Kind: labengine.Namespace, In: "host"}}
}

func TestServePrintsOneURL(t *testing.T) {
	t.Parallel()
	s := serveIn(t, filepath.Join(t.TempDir(), "new", "state"))
	if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/login\?token=[\w-]{43}$`).MatchString(s.url) {
		t.Errorf("printed: %s", s.url)
	}
	jar, _ := cookiejar.New(nil)
	browser := http.Client{Jar: jar, Timeout: patience}
	for _, url := range []string{s.url, s.base + "/api/session"} {
		answer, err := browser.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", url, answer.Status)
		}
	}
	info, err := os.Stat(s.state)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the state folder: %v, %v", info.Mode(), err)
	}
	signalTo(t, s.cmd, syscall.SIGTERM)
	if rest, status := s.end(); rest != "" || status != 0 {
		t.Errorf("ended with status %d, and then printed %q", status, rest)
	}
}

func TestServeRefuses(t *testing.T) {
	within(t, `mount -t tmpfs -o ro none "$dir"`, func(t *testing.T, readOnly string) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		used := serveIn(t, t.TempDir())
		file := filepath.Join(t.TempDir(), "file")
		write(t, file, "")
		broken := t.TempDir()
		write(t, filepath.Join(broken, "vethlab.db"), strings.Repeat("not a database\n", 100))
		for _, test := range []struct {
			name, listen, state string
			says                []string
		}{
			{"an address in use", taken.Addr().String(), t.TempDir(), []string{taken.Addr().String() + " is in use", "--listen"}},
			{"an address of somebody else's", "192.0.2.1:0", t.TempDir(), []string{"192.0.2.1:0", "cannot assign requested address", "--listen"}},
			{"no address", "loopback", t.TempDir(), []string{"loopback", "missing port", "--listen"}},
			{"a folder in use", "127.0.0.1:0", used.state, []string{"another vethlab works in " + used.state, "--state"}},
			{"a file for a folder", "127.0.0.1:0", file, []string{"make the state folder", file, "not a directory", "--state"}},
			{"a folder in a file", "127.0.0.1:0", file + "/state", []string{"make the state folder", file, "not a directory", "--state"}},
			{"a disk that is read-only", "127.0.0.1:0", readOnly + "/state", []string{"make the state folder", readOnly + "/state", "read-only file system", "--state"}},
			{"a database that is none", "127.0.0.1:0", broken, []string{broken + "/vethlab.db", "file is not a database"}},
		} {
			t.Run(test.name, func(t *testing.T) {
				r := vethlab(t, "serve", "--listen", test.listen, "--state", test.state)
				if r.status != 1 || r.stdout != "" || !strings.HasPrefix(r.stderr, "vethlab: ") || strings.Count(r.stderr, "\n") != 1 {
					t.Errorf("%+v", r)
				}
				for _, says := range test.says {
					if !strings.Contains(r.stderr, says) {
						t.Errorf("does not say %q: %s", says, r.stderr)
					}
				}
			})
		}
		var labs []server.LabSummary
		used.must("GET", "/api/labs", "", &labs) // undisturbed
	})
}

// TestEndingTheServer: SIGTERM leaves labs running, Ctrl+C asks once and then stops them.
func TestEndingTheServer(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	s := serveIn(t, state)
	lab := s.newLab()
	s.must("POST", lab+"/start", "", nil)
	process := s.process(lab)
	signalTo(t, s.cmd, syscall.SIGTERM)
	if rest, status := s.end(); rest != "" || status != 0 {
		t.Errorf("SIGTERM: status %d, %q", status, rest)
	}
	select {
	case <-process.Done():
		t.Fatal("SIGTERM has ended the lab")
	default:
	}

	s = serveIn(t, state)
	if now := s.lab(lab); now.State != labengine.Running || s.process(lab).Pid() != process.Pid() {
		t.Errorf("after SIGTERM the lab is %s", now.State)
	}
	left := footprintOf(t, process.Pid())
	signalTo(t, s.cmd, syscall.SIGINT)
	asked := func() bool { return strings.Contains(s.stderr.String(), "Press Ctrl+C again") }
	for deadline := time.Now().Add(patience); !asked(); time.Sleep(time.Millisecond) { // its stderr is a pipe of os/exec's
		if time.Now().After(deadline) {
			t.Fatal("Ctrl+C asks nothing")
		}
	}
	signalTo(t, s.cmd, syscall.SIGINT)
	if rest, status := s.end(); rest != "" || status != 0 {
		t.Errorf("Ctrl+C: status %d, %q", status, rest)
	}
	await(t, "the end of the lab", process.Done())
	left.checkGone(t)
	if now := serveIn(t, state).lab(lab); now.State != labengine.Stopped || now.Problem != nil {
		t.Errorf("after Ctrl+C the lab is %s: %v", now.State, now.Problem)
	}
}
