package server

import (
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"vethlab/labengine"
)

// route is one way to ask the server something. The router and GET /api/openapi.json are made of the same list.
type route struct {
	method, pattern string
	serve           http.HandlerFunc
	open            bool // needs no session
	summary         string
	description     string
	query           []parameter
	body            map[string]any // the types that it takes, by media type
	answer          map[string]any // what it answers, by media type; nil is nothing
	status          int            // what it answers with when all is well
}

type parameter struct {
	name, description string
	required          bool
}

const (
	typeJSON = "application/json"
	typeYAML = "application/yaml"
	typeHTML = "text/html"
	typeText = "text/plain"

	typeSchema = "application/schema+json" // of JSON Schema, §14
)

// routes is the list. A nil type for a media type means that it is free text.
func (s *Server) routes() []route {
	answer := func(v any) map[string]any { return map[string]any{typeJSON: v} }
	return []route{{
		method: "GET", pattern: "/login", serve: s.login, open: true, status: 200,
		summary: "Sign in with a printed URL",
		query:   []parameter{{name: "token", description: "the one-time token"}, {name: "next", description: "the page to go to"}},
		answer:  map[string]any{typeHTML: nil},
	}, {
		method: "POST", pattern: "/login", serve: s.loginByForm, open: true, status: 200,
		summary: "Sign in a browser with the token for scripts",
		body:    map[string]any{"application/x-www-form-urlencoded": loginForm{}},
		answer:  map[string]any{typeHTML: nil},
	}, {
		method: "GET", pattern: "/healthz", serve: s.health, open: true, status: 200,
		summary: "Whether the server works", answer: map[string]any{typeText: nil},
	}, {
		method: "GET", pattern: "/metrics", serve: s.metrics.handler().ServeHTTP, status: 200,
		summary: "Metrics for Prometheus", answer: map[string]any{typeText: nil},
	}, {
		method: "GET", pattern: "/api/openapi.json", serve: s.openapi, status: 200,
		summary: "This description", answer: answer(map[string]any{}),
	}, {
		method: "GET", pattern: "/api/schema.json", serve: s.schema, status: 200,
		summary:     "The form of a lab's file",
		description: "A JSON Schema, draft 2020-12, for editors.",
		answer:      map[string]any{typeSchema: map[string]any{}},
	}, {
		method: "GET", pattern: "/api/session", serve: s.session, status: 200,
		summary: "Who is signed in, and to what", answer: answer(Session{}),
	}, {
		method: "GET", pattern: "/api/examples", serve: s.listExamples, status: 200,
		summary: "The examples", answer: answer([]Example{}),
	}, {
		method: "GET", pattern: "/api/labs", serve: s.listLabs, status: 200,
		summary: "All labs, the last changed first", answer: answer([]LabSummary{}),
	}, {
		method: "POST", pattern: "/api/labs", serve: s.createLab, status: 201,
		summary:     "Make a lab",
		description: "Of a document, of an example, or else one machine called host. The Location header has its path.",
		body:        map[string]any{typeJSON: NewLab{}, typeYAML: nil}, answer: answer(LabSummary{}),
	}, {
		method: "GET", pattern: "/api/labs/{id}", serve: s.getLab, status: 200,
		summary:     "One lab",
		description: "As its file with Accept: application/yaml.",
		answer:      map[string]any{typeJSON: Lab{}, typeYAML: nil},
	}, {
		method: "PUT", pattern: "/api/labs/{id}", serve: s.putLab, status: 200,
		summary:     "Replace a stopped lab by a file, or rename it",
		description: "What has the same name before and after stays the same thing.",
		body:        map[string]any{typeJSON: LabUpdate{}, typeYAML: nil}, answer: answer(Lab{}),
	}, {
		method: "DELETE", pattern: "/api/labs/{id}", serve: s.deleteLab, status: 204,
		summary: "Stop and delete a lab",
	}, {
		method: "POST", pattern: "/api/labs/{id}/start", serve: s.startLab, status: 200,
		summary:     "Start a lab",
		description: "Answers when it runs, or cannot. With Prefer: respond-async (RFC 7240) at once, with 202.",
		answer:      answer(LabSummary{}),
	}, {
		method: "POST", pattern: "/api/labs/{id}/stop", serve: s.stopLab, status: 200,
		summary:     "Stop a lab",
		description: "Answers when nothing of it is left in the kernel. With Prefer: respond-async (RFC 7240) at once, with 202.",
		answer:      answer(LabSummary{}),
	}, {
		method: "GET", pattern: "/api/labs/{id}/ws", serve: s.watchLab, status: 101,
		summary: "The lab's websocket",
		description: "Text messages: a Request each way in, a Message each way out. The first messages are hello and snapshot; " +
			"what comes after says what changes. The Reply to a request says that it was carried out, and that its change is on disk.",
		body: answer(labengine.Request{}), answer: answer(labengine.Message{}),
	}, {
		method: "GET", pattern: "/api/labs/{id}/terminal", serve: s.terminal, status: 101,
		summary: "A terminal's websocket",
		description: "The first message is a TerminalHello as text; binary messages are output, and keys the other way. " +
			"A TerminalSize as text changes the size; a TerminalEnd as text is the last message.",
		query: []parameter{
			{name: "node", description: "the node in which a new shell is started"},
			{name: "id", description: "the terminal's token, made by the page; one that is there is attached to", required: true},
			{name: "offset", description: "bytes of output that the page has already"},
			{name: "cols", description: "width in characters, 2..1000"}, {name: "rows", description: "height in characters, 2..1000"},
		},
		answer: answer(labengine.TerminalHello{}),
	}, {
		method: "GET", pattern: "/api/labs/{id}/export", serve: s.exportLab, status: 200,
		summary: "The lab in another format", answer: map[string]any{typeText: nil},
		query: []parameter{{name: "to", description: "sh: a shell script that makes the lab; yaml: its file", required: true}},
	}}
}

func (s *Server) router() http.Handler {
	noSuchRoute := func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, labengine.Problemf(labengine.CodeGone, "there is no %s", r.URL.Path).
			WithHint("GET /api/openapi.json lists what there is"))
	}
	r := chi.NewRouter()
	r.Use(s.metrics.timed, middleware.Recoverer, securityHeaders, checkHost)
	for _, one := range s.routes() {
		var handler http.Handler = one.serve
		if !one.open {
			handler = s.authenticated(handler)
		}
		r.Method(one.method, one.pattern, handler)
	}
	r.Group(func(r chi.Router) { // the page
		r.Use(middleware.Compress(5))
		r.Get("/", s.index)
		r.Get("/labs/{id}", s.index)
		r.Get("/*", func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/api/") {
				noSuchRoute(w, r)
				return
			}
			s.asset(w, r)
		})
	})
	r.NotFound(noSuchRoute)
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		writeProblemStatus(w, http.StatusMethodNotAllowed, labengine.Problemf(labengine.CodeBadRequest,
			"%s does not know the method %s", r.URL.Path, r.Method).WithHint("GET /api/openapi.json lists what there is"))
	})
	return r
}

// securityHeaders are on every answer. Nothing is loaded from elsewhere; styles may be inline, because terminals and the
// canvas set them; nobody may frame the page.
func securityHeaders(next http.Handler) http.Handler {
	const policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; " +
		"worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		next.ServeHTTP(w, r)
	})
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err := s.store.reads.PingContext(r.Context()); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write([]byte("the store cannot be read\n"))
		return
	}
	w.Write([]byte("ok\n"))
}

// index is the page. Who has not signed in gets a page that says how to.
func (s *Server) index(w http.ResponseWriter, r *http.Request) {
	author, _, err := s.caller(r)
	if err != nil || author == "" {
		s.writeSignIn(w, r, http.StatusUnauthorized, err)
		return
	}
	var page []byte
	if s.config.Page != nil {
		page, err = fs.ReadFile(s.config.Page, "index.html")
	}
	if len(page) == 0 {
		writeProblemStatus(w, http.StatusNotFound, labengine.Problemf(labengine.CodeGone, "this vethlab was built without its page: %v", err).
			WithHint("build it with `make build`; the API works without it"))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.Write(page)
}

// asset is a file that the page loads. What is in assets/ has a hash of its content in its name, and never changes.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	info, err := fs.FileInfo(nil), fs.ErrNotExist
	if s.config.Page != nil && fs.ValidPath(name) {
		info, err = fs.Stat(s.config.Page, name)
	}
	if err != nil || info.IsDir() {
		writeProblem(w, labengine.Problemf(labengine.CodeGone, "there is no %s", r.URL.Path))
		return
	}
	if strings.HasPrefix(name, "assets/") {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		w.Header().Set("Cache-Control", "no-cache")
	}
	http.ServeFileFS(w, r, s.config.Page, name)
}
