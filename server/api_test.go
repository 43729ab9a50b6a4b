package server

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"vethlab/labengine"
	"vethlab/labengine/document"
)

func TestLabsOverHTTP(t *testing.T) {
	ts := serve(t)
	var examples []Example
	ts.call("GET", "/api/examples", "", &examples)
	if want := []Example{{Name: "red-and-blue", Title: "Red and blue", Document: redAndBlue}}; cmp.Diff(want, examples) != "" {
		t.Error(cmp.Diff(want, examples))
	}
	made := ts.request("POST", "/api/labs", redAndBlue, "Content-Type", "application/yaml")
	at := made.Header.Get("Location")
	if made.StatusCode != 201 || !strings.HasPrefix(at, "/api/labs/") {
		t.Fatalf("%s, at %q", made.Status, at)
	}
	var lab Lab
	ts.call("GET", at, "", &lab)
	if lab.Document != redAndBlue || lab.State != labengine.Stopped || len(lab.Lab.Cables) != 1 {
		t.Errorf("%+v", lab)
	}
	yaml := ts.request("GET", at, "", "Accept", "application/yaml")
	if _, text := body(t, yaml, nil); text != redAndBlue || yaml.Header.Get("Content-Type") != "application/yaml" {
		t.Errorf("as YAML:\n%s", text)
	}
	exported := ts.request("GET", at+"/export?to=sh", "")
	if _, script := body(t, exported, nil); !strings.Contains(script, "ip netns add red") {
		t.Errorf("as a script:\n%s", script)
	}
	if as := exported.Header.Get("Content-Disposition"); as != `attachment; filename="Red and blue.sh"` {
		t.Errorf("saved as %s", as)
	}
	wantProblem(t, ts.request("GET", at+"/export?to=tarot", ""), 400, labengine.CodeBadRequest)

	ts.call("PUT", at, `{"name":"Other"}`, &lab, "Content-Type", "application/json")
	if lab.Name != "Other" || !strings.Contains(lab.Document, "name: Other\n") {
		t.Errorf("renamed: %s\n%s", lab.Name, lab.Document)
	}
	red := func(l Lab) labengine.ID {
		host, _ := l.Lab.NodeNamed("", "host")
		red, _ := l.Lab.NodeNamed(host.ID, "red")
		return red.ID
	}
	var replaced Lab
	ts.call("PUT", at, strings.Replace(redAndBlue, "192.168.15.2/24", "192.168.15.22/24", 1)+"# mine\n", &replaced, "Content-Type", "application/yaml")
	if red(replaced) != red(lab) || !strings.Contains(replaced.Document, "# mine") || !strings.Contains(replaced.Document, "192.168.15.22") || replaced.Seq != 2 {
		t.Errorf("replaced: %+v", replaced)
	}
	p := ts.look(lab.ID)
	if r := p.ask(labengine.Request{ID: "u", Undo: &labengine.Undo{}}); r.Problem != nil {
		t.Errorf("undo of a replacement: %v", r.Problem)
	}
	var all []LabSummary
	ts.call("GET", "/api/labs", "", &all)
	if len(all) != 1 || all[0].Name != "Other" || all[0].Seq != 3 {
		t.Errorf("all labs: %+v", all)
	}
	ts.call("POST", at+"/start", "", nil)
	wantProblem(t, ts.request("PUT", at, redAndBlue, "Content-Type", "application/yaml"), 409, labengine.CodeExists)
	if r := ts.request("POST", at+"/stop", "", "Prefer", "respond-async"); r.StatusCode != 202 {
		t.Errorf("stop, not waited for: %s", r.Status)
	}
}

func TestReplacingKeepsIDs(t *testing.T) {
	ts := serve(t)
	id := ts.newLab(`{"example":"red-and-blue"}`)
	p := ts.look(id)
	s := p.snapshot()
	name := "crimson"
	var red labengine.ID
	for _, n := range s.Lab.Nodes {
		if n.Name == "red" {
			red = n.ID
		}
	}
	p.ask(labengine.Request{ID: "r", Op: &labengine.Op{ID: "r", Edits: []labengine.Edit{
		{UpdateNode: &labengine.UpdateNode{ID: red, Name: &name}}, {Place: &labengine.PlaceNode{ID: red, X: 5, Y: 6}},
	}}})
	var lab Lab
	file := strings.ReplaceAll(redAndBlue, "{name: red,", "{name: crimson, kind: namespace, in: host}\n  - {name: red,")
	ts.call("PUT", "/api/labs/"+string(id), file, &lab, "Content-Type", "application/yaml")
	if n := lab.Lab.Nodes[red]; n.Name != "crimson" || lab.Lab.Places[red].X != 5 {
		t.Errorf("what was red and is crimson: %+v, %+v", n, lab.Lab.Places)
	}
	for id, n := range lab.Lab.Nodes {
		if n.ID != id || n.Name == "red" && id == red {
			t.Errorf("node %s: %+v", id, n)
		}
		if lo := lab.Lab.Interfaces[labengine.LoopbackID(id)]; lo.Node != id || lo.ID != labengine.LoopbackID(id) {
			t.Errorf("lo of %s: %+v", id, lo)
		}
	}
	for id, c := range lab.Lab.Cables {
		if c.ID != id || lab.Lab.Interfaces[c.Ends[0]].ID == "" || lab.Lab.Interfaces[c.Ends[1]].ID == "" {
			t.Errorf("cable %s: %+v", id, c)
		}
	}
}

func TestBadRequests(t *testing.T) {
	ts := serve(t)
	post := func(body, kind string) *http.Response {
		return ts.request("POST", "/api/labs", body, "Content-Type", kind)
	}
	p := wantProblem(t, post("vethlab: 1\nname: x\nnoodles: []\n", "application/yaml"), 422, labengine.CodeBadFile)
	if !strings.Contains(p.Detail+p.Hint, "noodles") {
		t.Errorf("an unknown key: %+v", p)
	}
	wantProblem(t, post(`{"document":"[1,2"}`, "application/json"), 422, labengine.CodeBadFile)
	wantProblem(t, post(`{"nmae":"x"}`, "application/json"), 400, labengine.CodeBadRequest)
	wantProblem(t, post(`{"name":7}`, "application/json"), 400, labengine.CodeBadRequest)
	wantProblem(t, post(`{"name":"a\nb"}`, "application/json"), 422, labengine.CodeBadName)
	wantProblem(t, post(`{"example":"red-and-bleu"}`, "application/json"), 404, labengine.CodeGone)
	wantProblem(t, post(`{"example":"red-and-blue","document":"vethlab: 1"}`, "application/json"), 400, labengine.CodeBadRequest)
	wantProblem(t, post("", "application/yaml"), 400, labengine.CodeBadRequest)
	wantProblem(t, post("x", "image/png"), 400, labengine.CodeBadRequest)
	wantProblem(t, post(strings.Repeat("# long\n", 200_000), "application/yaml"), 413, labengine.CodeTooLarge)
	wantProblem(t, ts.request("GET", "/api/nothing", ""), 404, labengine.CodeGone)
	wantProblem(t, ts.request("GET", "/api/labs/nothing", ""), 404, labengine.CodeGone)
	wantProblem(t, ts.request("GET", "/api/labs/nothing/ws", ""), 404, labengine.CodeGone)
	wantProblem(t, ts.request("POST", "/api/labs/nothing/start", ""), 404, labengine.CodeGone)
	wantProblem(t, ts.request("PATCH", "/api/labs", ""), 405, labengine.CodeBadRequest)
	one := "/api/labs/" + string(ts.newLab(`{}`))
	wantProblem(t, ts.request("GET", one+"/ws", ""), 400, labengine.CodeBadRequest)
	var before, after Lab
	ts.call("GET", one, "", &before)
	p = wantProblem(t, ts.request("PUT", one, "vethlab: 1\nname: x\ncables:\n  - [a:b, c:d]\n", "Content-Type", "application/yaml"), 422, labengine.CodeBadFile)
	if !strings.Contains(p.Detail, "document:4:6: ") {
		t.Errorf("a cable to nothing: %+v", p)
	}
	wantProblem(t, ts.request("PUT", one, "{}"), 400, labengine.CodeBadRequest)
	wantProblem(t, ts.request("PUT", one, `{"name":"a\nb"}`), 422, labengine.CodeBadName)
	ts.call("GET", one, "", &after)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("a refused file has changed the lab: %s", diff)
	}
	var all []LabSummary
	if ts.call("GET", "/api/labs", "", &all); len(all) != 1 {
		t.Errorf("refused labs are there: %+v", all)
	}
}

func TestPageAndItsHeaders(t *testing.T) {
	ts := serve(t)
	for path, cache := range map[string]string{
		"/": "no-cache", "/labs/abc": "no-cache", "/favicon.svg": "no-cache",
		"/assets/app-1234.js": "public, max-age=31536000, immutable", "/assets/sub/deep.css": "public, max-age=31536000, immutable",
	} {
		r := ts.request("GET", path, "")
		if r.StatusCode != 200 || r.Header.Get("Cache-Control") != cache {
			t.Errorf("%s: %s, %s", path, r.Status, r.Header.Get("Cache-Control"))
		}
		if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'self'") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: %s", path, csp)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, r.Header)
		}
	}
	for _, path := range []string{"/assets", "/assets/gone.js", "/assets/../../etc/passwd"} {
		wantProblem(t, ts.request("GET", path, ""), 404, labengine.CodeGone)
	}
	if status, text := body(t, ts.request("GET", "/healthz", "", "Authorization", ""), nil); status != 200 || text != "ok\n" {
		t.Errorf("healthz: %d %s", status, text)
	}
	ts.newLab(`{}`)
	_, text := body(t, ts.request("GET", "/metrics", ""), nil)
	for _, want := range []string{`vethlab_labs{state="stopped"} 1`, "vethlab_clients 0", `vethlab_http_seconds_count{method="POST",route="/api/labs",status="201"} 1`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestSchemaOfFiles(t *testing.T) {
	ts := serve(t)
	response := ts.request("GET", "/api/schema.json", "")
	status, text := body(t, response, nil)
	if kind := response.Header.Get("Content-Type"); status != 200 || kind != "application/schema+json" || text != string(document.Schema()) {
		t.Errorf("%d %s\n%s", status, kind, text)
	}
}

// TestEveryRouteIsDescribed holds the router and the description to each other, both ways.
func TestEveryRouteIsDescribed(t *testing.T) {
	ts := serve(t)
	var described struct {
		OpenAPI    string `json:"openapi"`
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]json.RawMessage }
	}
	response := ts.request("GET", "/api/openapi.json", "")
	_, text := body(t, response, nil)
	if err := json.Unmarshal([]byte(text), &described); err != nil || described.OpenAPI != "3.1.0" {
		t.Fatal(described.OpenAPI, err)
	}
	var have, want []string
	for path, operations := range described.Paths {
		for method := range operations {
			have = append(have, strings.ToUpper(method)+" "+path)
		}
	}
	page := []string{"GET /", "GET /labs/{id}", "GET /*"} // not for scripts
	err := chi.Walk(ts.handler.(chi.Routes), func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if route := method + " " + path; path != "/api/*" && !slices.Contains(page, route) {
			want = append(want, route)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(have)
	slices.Sort(want)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("routes (-) and their description (+):\n%s", diff)
	}
	for _, m := range regexp.MustCompile(`#/components/schemas/(\w+)`).FindAllStringSubmatch(text, -1) {
		if described.Components.Schemas[m[1]] == nil {
			t.Errorf("no schema %s", m[1])
		}
	}
	for _, name := range []string{"Request", "Message", "Lab", "WholeLab", "ProblemDetails", "Change"} {
		if len(described.Components.Schemas[name]) < 20 {
			t.Errorf("schema %s is %s", name, described.Components.Schemas[name])
		}
	}
}

// TestServerKnowsNothingOfTheKernel holds DESIGN §4: the server goes on working, and is tested, where there is none. Of the
// engine it has what is pure, and the client of lab processes.
func TestServerKnowsNothingOfTheKernel(t *testing.T) {
	engine := []string{
		"vethlab/labengine", "vethlab/labengine/advise", "vethlab/labengine/client", "vethlab/labengine/document",
		"vethlab/labengine/plan", "vethlab/labengine/topology",
	}
	out, err := exec.Command("go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, p := range strings.Fields(string(out)) {
		switch {
		case strings.HasPrefix(p, "vethlab/labengine"):
			if !slices.Contains(engine, p) {
				t.Errorf("the server imports %s", p)
			}
		case strings.Contains(p, "netlink") || strings.Contains(p, "vishvananda") || strings.Contains(p, "mdlayher") || strings.Contains(p, "go-iptables"):
			t.Errorf("the server imports %s", p)
		}
	}
	out, err = exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, ".", "../labengine/client").CombinedOutput()
	if err != nil || strings.Contains(string(out), "golang.org/x/sys") { // SQLite and Prometheus use it, for files and /proc
		t.Errorf("the server makes system calls of its own: %v\n%s", err, out)
	}
}
