package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"vethlab/labengine"
)

// maxRequestID bounds a request's ID, in bytes: it is kept while the request is carried out, and sent back.
const maxRequestID = 120

// decodeRequest reads one websocket message from a page. Where it cannot, the problem is a "bad-request" that says
// where; the request then has the ID that the message carried, if it carried one.
func decodeRequest(data []byte) (labengine.Request, *labengine.Problem) {
	var r labengine.Request
	if err := decodeStrict(data, &r); err != nil {
		var only struct {
			ID labengine.ID `json:"id"`
		}
		if json.Unmarshal(data, &only) != nil || len(only.ID) > maxRequestID {
			only.ID = ""
		}
		return labengine.Request{ID: only.ID}, badJSON("a request", err)
	}
	r.Author = ""
	bad := func(format string, args ...any) (labengine.Request, *labengine.Problem) {
		id := r.ID
		if len(id) > maxRequestID {
			id = ""
		}
		return labengine.Request{ID: id}, labengine.Problemf(labengine.CodeBadRequest, format, args...)
	}
	switch {
	case r.ID == "" || len(r.ID) > maxRequestID:
		return bad("a request needs an id of 1 to %d bytes", maxRequestID)
	case r.Begin != nil || r.Resume != nil || r.Watch != nil:
		return bad("begin, resume and watch are between the server and the lab")
	}
	set := 0
	for _, is := range [...]bool{
		r.Op != nil, r.Undo != nil, r.Redo != nil, r.Restore != nil, r.Ping != nil, r.ARP != nil, r.Cancel != nil, r.Close != nil,
	} {
		if is {
			set++
		}
	}
	switch {
	case set != 1:
		return bad("a request asks for exactly one thing; this one asks for %d", set)
	case r.Op != nil && (r.Op.ID == "" || len(r.Op.ID) > maxRequestID):
		return bad("an op needs an id of 1 to %d bytes, made by whoever makes the op", maxRequestID)
	}
	return r, nil
}

// decodeStrict decodes one JSON value and nothing after it, with no field that the type has not.
func decodeStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the JSON value")
	}
	return nil
}

// badJSON says in words what is wrong with JSON that did not decode, and where.
func badJSON(what string, err error) *labengine.Problem {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	p := labengine.Problemf(labengine.CodeBadRequest, "%s could not be read: %s", what, strings.TrimPrefix(err.Error(), "json: "))
	switch {
	case errors.Is(err, io.EOF):
		p.Message = what + " is empty"
	case errors.Is(err, io.ErrUnexpectedEOF):
		p.Message = what + " ends before its JSON does"
	case errors.As(err, &syntax):
		p.Message = fmt.Sprintf("%s is not JSON: %v, at byte %d", what, syntax, syntax.Offset)
	case errors.As(err, &kind):
		value := strings.NewReplacer("a array", "a list", "a object", "an object").Replace("a " + kind.Value)
		p.Message = fmt.Sprintf("%s has %s where %s belongs", what, value, jsonKind(kind.Type.String()))
		p.Field = kind.Field
	}
	p.Err = err
	return p.WithHint("GET /api/openapi.json describes what is understood")
}

// jsonKind is what JSON calls a Go type.
func jsonKind(goType string) string {
	switch {
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case strings.Contains(goType, "int") || strings.Contains(goType, "float"):
		return "a number"
	case strings.HasSuffix(goType, "bool"):
		return "true or false"
	case strings.HasSuffix(goType, "string") || strings.HasSuffix(goType, ".ID") || strings.HasSuffix(goType, ".Kind"):
		return "a text"
	}
	return "an object"
}
