package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"vethlab/labengine"
)

// problemJSON is an error as HTTP carries it, RFC 9457. The extension members are those of a [labengine.Problem].
type problemJSON struct {
	Type    string         `json:"type"`
	Title   string         `json:"title"`
	Status  int            `json:"status"`
	Detail  string         `json:"detail"`
	Code    labengine.Code `json:"code"`
	Hint    string         `json:"hint,omitempty"`
	On      labengine.ID   `json:"on,omitempty"`
	Field   string         `json:"field,omitempty"`
	Command string         `json:"command,omitempty"`
	Errno   string         `json:"errno,omitempty"`
}

// httpStatus is the status code that a problem is sent with.
func httpStatus(code labengine.Code) int {
	switch code {
	case labengine.CodeBadRequest:
		return http.StatusBadRequest
	case labengine.CodeUnauthorized:
		return http.StatusUnauthorized
	case labengine.CodeForbidden:
		return http.StatusForbidden
	case labengine.CodeNoSuchNode, labengine.CodeNoSuchInterface, labengine.CodeNoSuchCable, labengine.CodeGone:
		return http.StatusNotFound
	case labengine.CodeExists, labengine.CodeNotRunning, labengine.CodeNothingToUndo, labengine.CodeRefused:
		return http.StatusConflict
	case labengine.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case labengine.CodeBadName, labengine.CodeBadAddress, labengine.CodeBadValue, labengine.CodeBadFile, labengine.CodeAmbiguous:
		return http.StatusUnprocessableEntity
	case labengine.CodeNotSupported:
		return http.StatusNotImplemented
	case labengine.CodeDiskFull:
		return http.StatusInsufficientStorage
	}
	return http.StatusInternalServerError
}

// problemOf is the problem that an error is, or an internal one that stands for it. What an internal error says goes to
// the log, with its words, and to the user: who runs vethlab is who looks at it.
func problemOf(log *slog.Logger, err error) *labengine.Problem {
	var p *labengine.Problem
	if errors.As(err, &p) {
		return p
	}
	p = labengine.Problemf(labengine.CodeInternal, "%v", err)
	p.Err = err
	if errors.Is(err, context.Canceled) {
		p.Message = "the request was given up"
		return p
	}
	log.Error("something failed that should not", "err", err)
	return p.WithHint("the server's log has more")
}

// writeProblem is the one place where HTTP errors are written.
func writeProblem(w http.ResponseWriter, p *labengine.Problem) {
	writeProblemStatus(w, httpStatus(p.Code), p)
}

func writeProblemStatus(w http.ResponseWriter, status int, p *labengine.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(problemJSON{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: p.Message, Code: p.Code,
		Hint: p.Hint, On: p.On, Field: p.Field, Command: p.Command, Errno: p.Errno,
	})
}

// writeJSON is the one place where HTTP answers in JSON are written.
func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
