package server

import (
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"vethlab/labengine/document"
)

// openapi answers with the description of all routes, OpenAPI 3.1.
func (s *Server) openapi(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, describeRoutes(s.routes(), s.config.Version))
}

// schema answers with the form of a lab's file.
func (s *Server) schema(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", typeSchema)
	w.Header().Set("Cache-Control", "no-cache") // the next version has another
	w.Write(document.Schema())
}

type object = map[string]any

// describeRoutes is an OpenAPI document, made of the list of routes and of the Go types that they name.
func describeRoutes(routes []route, version string) object {
	schemas := schemas{}
	problem := object{"description": "What went wrong, where, and what to do about it (RFC 9457).", "content": object{
		"application/problem+json": object{"schema": schemas.of(reflect.TypeFor[problemJSON]())},
	}}
	paths := object{}
	for _, r := range routes {
		operation := object{
			"summary":   r.summary,
			"responses": object{strconv.Itoa(r.status): describeAnswer(schemas, r), "default": problem},
		}
		if r.description != "" {
			operation["description"] = r.description
		}
		if r.open {
			operation["security"] = []object{}
		}
		if parameters := describeParameters(r); len(parameters) > 0 {
			operation["parameters"] = parameters
		}
		if r.body != nil && r.status == http.StatusSwitchingProtocols {
			operation["x-websocket-messages"] = describeContent(schemas, r.body)
		} else if r.body != nil {
			operation["requestBody"] = object{"content": describeContent(schemas, r.body)}
		}
		item, ok := paths[r.pattern].(object)
		if !ok {
			item = object{}
			paths[r.pattern] = item
		}
		item[strings.ToLower(r.method)] = operation
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "vethlab", "version": version,
			"description": "Linux networks, drawn in the browser and real in the kernel.",
		},
		"security": []object{{"session": []string{}}, {"bearer": []string{}}},
		"paths":    paths,
		"components": object{
			"schemas": object(schemas),
			"securitySchemes": object{
				"session": object{
					"type": "apiKey", "in": "cookie", "name": "vethlab-PORT",
					"description": "Set by /login; PORT is that of the URL. Requests that change something and websockets need an Origin of this server too.",
				},
				"bearer": object{
					"type": "http", "scheme": "bearer",
					"description": "VETHLAB_TOKEN where that was set when the server started, else the file `token` in its state folder.",
				},
			},
		},
	}
}

func describeAnswer(schemas schemas, r route) object {
	answer := object{"description": http.StatusText(r.status)}
	if r.answer != nil {
		answer["content"] = describeContent(schemas, r.answer)
	}
	return answer
}

func describeContent(schemas schemas, types map[string]any) object {
	content := object{}
	for media, example := range types {
		schema := object{"type": "string"}
		if example != nil {
			schema = schemas.of(reflect.TypeOf(example))
		}
		content[media] = object{"schema": schema}
	}
	return content
}

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

func describeParameters(r route) []object {
	var all []object
	for _, m := range pathParameter.FindAllStringSubmatch(r.pattern, -1) {
		all = append(all, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, q := range r.query {
		all = append(all, object{
			"name": q.name, "in": "query", "required": q.required, "description": q.description,
			"schema": object{"type": "string"},
		})
	}
	return all
}

// schemas are JSON Schemas of Go types, by their names.
type schemas object

// of is the schema of a type as encoding/json writes it; structs are put aside by name, and referred to.
func (s schemas) of(t reflect.Type) object {
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "contentEncoding": "base64"}
		}
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		values := s.of
		if t.Elem().Kind() == reflect.Pointer { // null says that it has gone
			return object{"type": "object", "additionalProperties": object{"anyOf": []object{values(t.Elem()), {"type": "null"}}}}
		}
		return object{"type": "object", "additionalProperties": values(t.Elem())}
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return object{"type": "string", "format": "date-time"}
		}
		return s.ofStruct(t)
	}
	return object{}
}

func (s schemas) ofStruct(t reflect.Type) object {
	name := strings.ToUpper(t.Name()[:1]) + strings.TrimSuffix(t.Name()[1:], "JSON")
	if t == reflect.TypeFor[Lab]() {
		name = "WholeLab" // labengine.Lab is the lab itself
	}
	if t == reflect.TypeFor[problemJSON]() {
		name = "ProblemDetails"
	}
	reference := object{"$ref": "#/components/schemas/" + name}
	if _, known := s[name]; known {
		return reference
	}
	s[name] = object{} // a type that names itself ends here
	properties, required := object{}, []string{}
	s.fields(t, properties, &required)
	schema := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	s[name] = schema
	return reference
}

func (s schemas) fields(t reflect.Type, properties object, required *[]string) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case f.Anonymous && name == "":
			s.fields(f.Type, properties, required)
		default:
			properties[name] = s.of(f.Type)
			if !strings.Contains(options, "omitempty") {
				*required = append(*required, name)
			}
		}
	}
}
