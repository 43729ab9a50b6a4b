package labengine

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// wiringCase is a text and what it is in the one way in which the document writes it, or why it is refused. The page is held
// to the same cases: see testdata/wiring.json.
type wiringCase struct {
	Text    string   `json:"text"`
	Is      string   `json:"is"`
	Problem *Problem `json:"problem"`
}

// TestWiringWords reads routes, impairments, rules, services, VLANs and what ports of OVS bridges do with them.
func TestWiringWords(t *testing.T) {
	text, err := os.ReadFile("testdata/wiring.json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string][]wiringCase
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	read := map[string]func(string) (string, error){
		"routes":      func(text string) (string, error) { r, err := ParseRoute(text); return r.Text, err },
		"impairments": CanonicalImpairment,
		"rules":       func(text string) (string, error) { r, err := ParseRule(text); return r.String(), err },
		"services":    func(text string) (string, error) { s, err := ParseService(text); return s.Text, err },
		"vlans":       CanonicalVLANs,
		"switchPorts": CanonicalSwitchPort,
	}
	for what, cases := range file {
		for _, c := range cases {
			t.Run(what+"/"+c.Text, func(t *testing.T) {
				is, err := read[what](c.Text)
				var p *Problem
				if errors.As(err, &p); c.Problem == nil && (err != nil || is != c.Is) {
					t.Errorf("is %q, %v", is, err)
				}
				if diff := cmp.Diff(c.Problem, p, cmpopts.IgnoreFields(Problem{}, "Err")); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}
