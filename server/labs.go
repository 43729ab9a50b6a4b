package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"vethlab/labengine"
	"vethlab/labengine/document"
	"vethlab/labengine/plan"
)

// maxDocument bounds a document, in bytes.
const maxDocument = 1 << 20

// Session is who is signed in.
type Session struct {
	Author   string `json:"author"`
	Version  string `json:"version"`
	Protocol int    `json:"protocol"`
}

// Example is a lab to begin with.
type Example struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Document string `json:"document"`
}

// NewLab says what a new lab is to be: a document, an example, or neither.
type NewLab struct {
	Name     string `json:"name,omitempty"`
	Example  string `json:"example,omitempty"`
	Document string `json:"document,omitempty"` // as the file has it
}

// LabUpdate is what PUT changes. What is empty stays.
type LabUpdate struct {
	Name     string `json:"name,omitempty"`
	Document string `json:"document,omitempty"` // as the file has it
}

// Lab is one lab, whole.
type Lab struct {
	LabSummary
	Document string        `json:"document"` // as the file has it
	Lab      labengine.Lab `json:"lab"`
}

type loginForm struct {
	Token string `json:"token"`
	Next  string `json:"next,omitempty"`
}

// readExamples reads the examples, which are part of the program: one that cannot be read is a mistake in it.
func readExamples(files fs.FS) ([]Example, error) {
	examples := []Example{}
	sizes := map[string]int{}
	if files == nil {
		return examples, nil
	}
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		source, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		lab, err := document.Parse(name, source)
		if err != nil {
			return nil, fmt.Errorf("example %s: %w", name, err)
		}
		sizes[lab.Name] = len(lab.Nodes)
		examples = append(examples, Example{
			Name: strings.TrimSuffix(path.Base(name), ".yaml"), Title: lab.Name, Document: string(source),
		})
	}
	slices.SortStableFunc(examples, func(a, b Example) int { return sizes[a.Title] - sizes[b.Title] }) // the simple ones first
	return examples, nil
}

// fail answers with what went wrong.
func (s *Server) fail(w http.ResponseWriter, err error) {
	writeProblem(w, problemOf(s.config.Log, err))
}

func (s *Server) session(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, Session{Author: authorOf(r), Version: s.config.Version, Protocol: labengine.Protocol})
}

func (s *Server) listExamples(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, s.examples)
}

func (s *Server) listLabs(w http.ResponseWriter, r *http.Request) {
	labs, err := s.store.listLabs(r.Context())
	if err != nil {
		s.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, labs)
}

// readBody reads a document as YAML, or a value as JSON; which of the two it was is said by the media type.
func readBody(w http.ResponseWriter, r *http.Request, into any) (yaml []byte, err error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	limit := int64(maxDocument)
	if kind == typeJSON {
		limit *= 2 // quoting makes it longer
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, labengine.Problemf(labengine.CodeTooLarge, "a document may have %d KiB; this one has more", limit>>10)
	case err != nil:
		return nil, labengine.Problemf(labengine.CodeBadRequest, "the request ended early: %v", err)
	}
	switch kind {
	case typeYAML, "application/x-yaml", "text/yaml", "text/x-yaml":
		if len(data) == 0 {
			return nil, labengine.Problemf(labengine.CodeBadRequest, "the request has no document")
		}
		return data, nil
	case typeJSON, "":
		if len(data) == 0 {
			return nil, nil
		}
		if err := decodeStrict(data, into); err != nil {
			return nil, badJSON("the request", err)
		}
		return nil, nil
	}
	return nil, labengine.Problemf(labengine.CodeBadRequest, "what %q is, is not known here", kind).
		WithHint("send application/json, or a document as application/yaml")
}

func (s *Server) createLab(w http.ResponseWriter, r *http.Request) {
	var want NewLab
	source, err := readBody(w, r, &want)
	if err != nil {
		s.fail(w, err)
		return
	}
	if source == nil && want.Document != "" {
		source = []byte(want.Document)
	}
	lab, source, err := s.newLab(want, source)
	if err != nil {
		s.fail(w, err)
		return
	}
	id := newID()
	if err := os.MkdirAll(s.labDir(id), 0o700); err != nil {
		s.fail(w, diskError(err))
		return
	}
	if err := s.store.write(r.Context(), createLab(id, lab, source)); err != nil {
		os.RemoveAll(s.labDir(id))
		s.fail(w, err)
		return
	}
	now := nowMillis()
	w.Header().Set("Location", "/api/labs/"+string(id))
	writeJSON(w, http.StatusCreated, LabSummary{ID: id, Name: lab.Name, State: labengine.Stopped, Created: now, Updated: now})
}

// newLab is the lab that someone wants, with the file that it comes from.
func (s *Server) newLab(want NewLab, source []byte) (labengine.Lab, []byte, error) {
	file := "document"
	if want.Example != "" {
		if source != nil {
			return labengine.Lab{}, nil, labengine.Problemf(labengine.CodeBadRequest, "a lab is made of an example or of a document, not of both")
		}
		var names []string
		for _, e := range s.examples {
			names = append(names, e.Name)
			if e.Name == want.Example {
				source, file = []byte(e.Document), e.Name+".yaml"
			}
		}
		if source == nil {
			p := labengine.Problemf(labengine.CodeGone, "there is no example %q", want.Example).About("", "example")
			if near := labengine.Nearest(want.Example, names); near != "" {
				p.Hint = "did you mean " + near + "?"
			}
			return labengine.Lab{}, nil, p
		}
	}
	lab := labengine.NewLab("New lab")
	var err error
	if source != nil {
		lab, err = document.Parse(file, source)
	} else {
		lab, err = lab.Edit([]labengine.Edit{{AddNode: &labengine.AddNode{ID: newID(), Name: "host", Kind: labengine.Machine, Place: &labengine.Place{}}}})
	}
	if err == nil && want.Name != "" {
		lab, err = lab.Edit([]labengine.Edit{{UpdateLab: &labengine.UpdateLab{Name: &want.Name}}})
	}
	return lab, source, err
}

func labID(r *http.Request) labengine.ID { return labengine.ID(chi.URLParam(r, "id")) }

// summary is the room's lab as a list shows it. It is called by the room's goroutine.
func (r *room) summary() LabSummary {
	status := r.currentStatus()
	return LabSummary{
		ID: r.id, Name: r.journal.Lab.Name, State: status.State, Problem: status.Problem, Seq: r.journal.Seq,
		Created: r.created, Updated: r.updated,
	}
}

// readLab is a lab as it is now, and the file that it came from.
func (s *Server) readLab(ctx context.Context, id labengine.ID) (Lab, error) {
	var lab Lab
	var source []byte
	err := s.in(ctx, id, func(r *room) {
		lab = Lab{LabSummary: r.summary(), Lab: r.journal.Lab.Clone()}
		source = r.source
	})
	if err != nil {
		return Lab{}, err
	}
	lab.Document = string(document.Format(lab.Lab, source))
	return lab, nil
}

func (s *Server) getLab(w http.ResponseWriter, r *http.Request) {
	lab, err := s.readLab(r.Context(), labID(r))
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Vary", "Accept")
	if wantsYAML(r.Header.Get("Accept")) {
		writeDocument(w, lab)
		return
	}
	writeJSON(w, http.StatusOK, lab)
}

func writeDocument(w http.ResponseWriter, lab Lab) {
	w.Header().Set("Content-Type", typeYAML)
	w.Header().Set("Cache-Control", "no-store")
	io.WriteString(w, lab.Document)
}

// wantsYAML says whether the first media type that an Accept header names and that is offered is YAML's.
func wantsYAML(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		switch kind, _, _ := mime.ParseMediaType(strings.TrimSpace(part)); kind {
		case typeYAML, "application/x-yaml", "text/yaml":
			return true
		case typeJSON, "*/*", "application/*":
			return false
		}
	}
	return false
}

func (s *Server) putLab(w http.ResponseWriter, r *http.Request) {
	var want LabUpdate
	source, err := readBody(w, r, &want)
	if err != nil {
		s.fail(w, err)
		return
	}
	if source == nil && want.Document != "" {
		source = []byte(want.Document)
	}
	if source == nil && want.Name == "" {
		s.fail(w, labengine.Problemf(labengine.CodeBadRequest, "the request has neither a document nor a name"))
		return
	}
	id, author := labID(r), authorOf(r)
	if source != nil {
		lab, _, err := s.newLab(NewLab{Name: want.Name}, source)
		if err == nil {
			err = s.await(r.Context(), id, func(r *room, done func(error)) {
				r.replace(author, lab, source, func(reply labengine.Reply) { done(problemIn(reply)) })
			})
		}
		if err != nil {
			s.fail(w, err)
			return
		}
	} else if err := s.do(r.Context(), id, author, labengine.Edit{UpdateLab: &labengine.UpdateLab{Name: &want.Name}}); err != nil {
		s.fail(w, err)
		return
	}
	lab, err := s.readLab(r.Context(), id)
	if err != nil {
		s.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, lab)
}

func problemIn(reply labengine.Reply) error {
	if reply.Problem != nil {
		return reply.Problem
	}
	return nil
}

// do carries out an edit that came over HTTP.
func (s *Server) do(ctx context.Context, id labengine.ID, author string, edit labengine.Edit) error {
	request := labengine.Request{Author: author, Op: &labengine.Op{ID: newID(), Edits: []labengine.Edit{edit}}}
	return s.await(ctx, id, func(r *room, done func(error)) {
		r.request(nil, request, labengine.FromAPI, func(reply labengine.Reply) { done(problemIn(reply)) })
	})
}

// deleteLab stops the lab, takes it from the store, and then its folder: a folder that is left is removed at the next
// start.
func (s *Server) deleteLab(w http.ResponseWriter, r *http.Request) {
	id := labID(r)
	err := s.await(r.Context(), id, func(r *room, done func(error)) { r.stop(done) })
	if err == nil {
		err = s.await(r.Context(), id, func(r *room, done func(error)) {
			if r.running != nil {
				done(labengine.Problemf(labengine.CodeExists, "somebody has started the lab again").WithHint("delete it again"))
				return
			}
			r.deleted = true // and is not started any longer
			s.store.submit(deleteLab(id), func(err error) {
				ok := r.mail.post(func() {
					r.deleted = err == nil
					if r.deleted {
						r.forget()
						r.end(closeLabDeleted, "the lab was deleted")
					}
					done(err)
				})
				if !ok {
					done(err)
				}
			})
		})
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	s.removeFolder(context.WithoutCancel(r.Context()), id)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) startLab(w http.ResponseWriter, r *http.Request) {
	s.switchLab(w, r, func(r *room, done func(error)) { r.start(done) })
}

func (s *Server) stopLab(w http.ResponseWriter, r *http.Request) {
	s.switchLab(w, r, func(r *room, done func(error)) { r.stop(done) })
}

// switchLab starts or stops a lab, and answers with how it is then.
func (s *Server) switchLab(w http.ResponseWriter, r *http.Request, how func(*room, func(error))) {
	id, status := labID(r), http.StatusOK
	var err error
	if strings.Contains(strings.ToLower(r.Header.Get("Prefer")), "respond-async") {
		status = http.StatusAccepted
		w.Header().Set("Preference-Applied", "respond-async")
		err = s.in(r.Context(), id, func(r *room) { how(r, func(error) {}) })
	} else {
		err = s.await(r.Context(), id, how)
	}
	var summary LabSummary
	if err == nil {
		err = s.in(r.Context(), id, func(r *room) { summary = r.summary() })
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	writeJSON(w, status, summary)
}

func (s *Server) exportLab(w http.ResponseWriter, r *http.Request) {
	lab, err := s.readLab(r.Context(), labID(r))
	if err != nil {
		s.fail(w, err)
		return
	}
	to := r.URL.Query().Get("to")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": lab.Name + "." + to}))
	switch to {
	case "sh":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		io.WriteString(w, plan.Script(lab.Lab))
	case "yaml":
		writeDocument(w, lab)
	default:
		w.Header().Del("Content-Disposition")
		s.fail(w, labengine.Problemf(labengine.CodeBadRequest, "there is no format %q", to).About("", "to").
			WithHint("the formats are sh and yaml"))
	}
}
