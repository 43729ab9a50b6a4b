// Package server is vethlab's HTTP side: the page, the API, who may use it, the rooms in which labs are drawn, and the
// store that keeps them. It sees a running lab as its lab process tells it (package labengine/client), and nothing of
// the kernel.
//
// One goroutine per open lab changes it (see room); one goroutine writes to the database (see store).
package server

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"vethlab/labengine"
)

// Config is what a server is made of.
type Config struct {
	State    string       // the state folder; it is made if it is not there
	Labs     Labs         // starts and finds lab processes
	Page     fs.FS        // the built page: index.html and what it loads; nil is a server without a page
	Examples fs.FS        // the example labs, *.yaml
	Version  string       // of the program
	Token    string       // the bearer token for scripts; "" is the one in the state folder's file `token`
	Log      *slog.Logger // nil discards

	ARPEntries int // that this computer has for all its network namespaces together, arp(7); 0 is not known
}

// ErrNotRunning says that a folder has no lab process.
var ErrNotRunning = errors.New("no lab process is running there")

// Labs starts and finds lab processes. Each lab has a folder of its own.
type Labs interface {
	// Start starts a lab process in a folder, which is there. It gives up when the context ends; the process does not
	// end with the context.
	Start(ctx context.Context, dir string) (Process, error)
	// Find finds the lab process in a folder that an earlier server started. The error is [ErrNotRunning] where there is
	// none.
	Find(dir string) (Process, error)
}

// Process is a lab process.
type Process interface {
	Dial(ctx context.Context) (net.Conn, error)
	Done() <-chan struct{} // closed once it has ended
	Err() error            // how, as far as that is known
	Kill(ctx context.Context) error
	Pid() int
}

// Server is the HTTP side of vethlab.
type Server struct {
	config   Config
	ctx      context.Context // ends with the server
	cancel   context.CancelFunc
	lock     *os.File
	store    *store
	metrics  *metrics
	bearer   string
	examples []Example
	handler  http.Handler
	rooms    rooms
	sockets  sync.WaitGroup // websocket handlers
}

// New opens the state folder, takes up the labs that outlived an earlier server, and removes what labs left behind that
// are gone. The context ends the opening, not the server.
func New(ctx context.Context, config Config) (*Server, error) {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{config: config, rooms: rooms{open: map[labengine.ID]*entry{}}}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.open(ctx); err != nil {
		s.cancel()
		if s.store != nil {
			s.store.close()
		}
		if s.lock != nil {
			s.lock.Close()
		}
		return nil, err
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) error {
	err := os.MkdirAll(filepath.Join(s.config.State, "labs"), 0o700)
	if err != nil {
		return unusable("make the state folder", err)
	}
	if s.lock, err = lockState(s.config.State); err != nil {
		return err
	}
	if s.store, err = openStore(ctx, s.config.State); err != nil {
		return err
	}
	if s.bearer, err = bearerToken(s.config); err != nil {
		return err
	}
	if s.examples, err = readExamples(s.config.Examples); err != nil {
		return err
	}
	s.metrics = newMetrics(s.store)
	s.handler = s.router()
	return s.takeUp(ctx)
}

// lockState makes sure that no other server works in the folder: two would both follow its labs. The kernel takes the
// lock back when the process ends, however it ends.
func lockState(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unusable("lock the state folder", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, labengine.Problemf(labengine.CodeExists, "another vethlab works in %s", dir).
				WithHint("use that one, end it, or give this one another folder with --state")
		}
		return nil, unusable("lock the state folder", err)
	}
	return f, nil
}

// unusable says why a state folder cannot be used, and what to do about it.
func unusable(step string, err error) error {
	full := &labengine.Problem{Code: labengine.CodeDiskFull}
	if known := diskError(err); errors.Is(known, full) {
		return fmt.Errorf("%s: %w", step, known)
	}
	p := labengine.Problemf(labengine.CodeRefused, "%s: %v", step, err).
		WithHint("name a folder with --state that whoever runs vethlab may write to")
	p.Err = err
	return p
}

// bearerToken is what scripts sign in with: the configured one, or that of the file `token`, made at the first start.
func bearerToken(config Config) (string, error) {
	if config.Token != "" {
		return config.Token, nil
	}
	path := filepath.Join(config.State, "token")
	data, err := os.ReadFile(path)
	if token := strings.TrimSpace(string(data)); err == nil && token != "" {
		return token, os.Chmod(path, 0o600)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", unusable("read the token for scripts", err)
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	token := base64.RawURLEncoding.EncodeToString(secret)
	temp := path + ".new"
	if err := os.WriteFile(temp, []byte(token+"\n"), 0o600); err != nil {
		return "", unusable("write the token for scripts", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return "", unusable("write the token for scripts", err)
	}
	return token, nil
}

// takeUp goes on with labs that outlived an earlier server, and removes the folders of labs that are no more.
func (s *Server) takeUp(ctx context.Context) error {
	labs, err := s.store.listLabs(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, l := range labs {
		known[string(l.ID)] = true
		if l.State == labengine.Starting || l.State == labengine.Running || l.State == labengine.Stopping {
			if err := s.takeUpLab(ctx, l); err != nil {
				return fmt.Errorf("take up lab %s: %w", l.ID, err)
			}
		}
	}
	folders, err := os.ReadDir(filepath.Join(s.config.State, "labs"))
	if err != nil {
		return err
	}
	for _, f := range folders {
		if !known[f.Name()] {
			s.removeFolder(ctx, labengine.ID(f.Name()))
		}
	}
	return nil
}

func (s *Server) takeUpLab(ctx context.Context, l LabSummary) error {
	process, err := s.config.Labs.Find(s.labDir(l.ID))
	switch {
	case err == nil && l.State == labengine.Running:
		r, err := s.acquire(ctx, l.ID)
		if err != nil {
			return err
		}
		defer s.release(r)
		s.config.Log.Info("found a lab that went on", "lab", l.ID, "pid", process.Pid())
		return r.mail.call(ctx, func() { r.resume(process) })
	case err == nil:
		killCtx, cancel := context.WithTimeout(ctx, killWait)
		defer cancel()
		if err := process.Kill(killCtx); err != nil {
			return err
		}
	case !errors.Is(err, ErrNotRunning):
		return err
	}
	status := labengine.Status{State: labengine.Stopped, Since: nowMillis()}
	switch l.State {
	case labengine.Running:
		status.State = labengine.Dead
		status.Problem = labengine.Problemf(labengine.CodeNotRunning, "the lab's process ended while the server was away; the drawing is safe").
			WithHint("start the lab again")
	case labengine.Starting:
		status.Problem = labengine.Problemf(labengine.CodeNotRunning, "the server ended while the lab was being started").
			WithHint("start the lab again")
	}
	return s.store.write(ctx, saveState(l.ID, status))
}

// removeFolder removes what a lab has left: its process, if there is one, and its folder.
func (s *Server) removeFolder(ctx context.Context, id labengine.ID) {
	dir := s.labDir(id)
	if process, err := s.config.Labs.Find(dir); err == nil {
		ctx, cancel := context.WithTimeout(ctx, killWait)
		defer cancel()
		if err := process.Kill(ctx); err != nil {
			s.config.Log.Error("cannot end a lab that is no more", "lab", id, "err", err)
			return
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		s.config.Log.Error("cannot remove the folder of a lab that is no more", "dir", dir, "err", err)
	}
}

func (s *Server) labDir(id labengine.ID) string {
	return filepath.Join(s.config.State, "labs", string(id))
}

// Handler answers all of the server's HTTP requests.
func (s *Server) Handler() http.Handler { return s.handler }

// LoginURL is a URL under base that signs in whoever opens it first, within 15 minutes.
func (s *Server) LoginURL(base string) string {
	at := strings.TrimSuffix(base, "/") + "/login"
	token, err := s.store.mintLoginToken(s.ctx)
	if err != nil {
		s.config.Log.Error("cannot make a login token; sign in with the token for scripts", "err", err)
		return at
	}
	return at + "?token=" + url.QueryEscape(token)
}

// StopLabs stops all labs, and returns when they have stopped or the context has ended.
func (s *Server) StopLabs(ctx context.Context) error {
	var stopping sync.WaitGroup
	all := s.all()
	errs := make([]error, len(all))
	for i, r := range all {
		stopping.Go(func() {
			errs[i] = s.await(ctx, r.id, func(r *room, done func(error)) { r.stop(done) })
		})
	}
	stopping.Wait()
	return errors.Join(errs...)
}

// Close ends all connections and closes the state folder. Labs that run go on, and the next server finds them. After
// the context's end connections are broken off.
func (s *Server) Close(ctx context.Context) error {
	s.rooms.mu.Lock()
	s.rooms.closed = true
	s.rooms.mu.Unlock()
	all := s.all()
	for _, r := range all {
		r.mail.post(func() { r.end(1001, "the server is ending") }) // RFC 6455 §7.4.1: going away
	}
	for _, r := range all {
		r.wait()
	}
	closed := make(chan struct{})
	go func() { s.sockets.Wait(); close(closed) }()
	select {
	case <-closed:
	case <-ctx.Done():
	}
	s.cancel() // breaks off what is left
	<-closed
	return errors.Join(s.store.close(), s.lock.Close())
}
