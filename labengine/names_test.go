package labengine

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// nameCase is a case that the page is held to as well: see testdata/names.json.
type nameCase struct {
	Fn    string `json:"fn"`
	Input string `json:"input"`
	OK    bool   `json:"ok"`
	Value string `json:"value"` // as it is kept
	Code  Code   `json:"code"`
}

func (c nameCase) check(t *testing.T) (string, error) {
	switch fn, argument, _ := strings.Cut(c.Fn, ":"); fn {
	case "interfaceName":
		return c.Input, CheckInterfaceName(c.Input)
	case "nodeName":
		return c.Input, CheckNodeName(Kind(argument), c.Input)
	case "address":
		return CanonicalAddress(c.Input)
	case "mac":
		return CanonicalMAC(c.Input)
	case "mtu":
		mtu, err := strconv.Atoi(c.Input)
		if err != nil {
			t.Fatal(err)
		}
		return c.Input, CheckMTU(mtu)
	default:
		t.Fatalf("no function %q", c.Fn)
		return "", nil
	}
}

func nameCases(t testing.TB) []nameCase {
	text, err := os.ReadFile("testdata/names.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []nameCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestNames(t *testing.T) {
	for _, c := range nameCases(t) {
		value, err := c.check(t)
		switch {
		case c.OK && err != nil:
			t.Errorf("%s(%q): %v", c.Fn, c.Input, err)
		case c.OK && value != c.Value:
			t.Errorf("%s(%q) is %q, want %q", c.Fn, c.Input, value, c.Value)
		case !c.OK && !errors.Is(err, &Problem{Code: c.Code}):
			t.Errorf("%s(%q): %v, want a problem %s", c.Fn, c.Input, err, c.Code)
		}
	}
}

// TestNameProblemsPointAtTheirField is for the page, which shows a problem where the value is typed.
func TestNameProblemsPointAtTheirField(t *testing.T) {
	fields := map[string]string{"interfaceName": "name", "nodeName": "name", "address": "address", "mac": "mac", "mtu": "mtu"}
	for _, c := range nameCases(t) {
		_, err := c.check(t)
		var p *Problem
		if !errors.As(err, &p) {
			continue
		}
		fn, _, _ := strings.Cut(c.Fn, ":")
		if p.Field != fields[fn] || !utf8.ValidString(p.Message) || strings.ContainsAny(p.Message, "\x1b\n") {
			t.Errorf("%s(%q): %+v", c.Fn, c.Input, p)
		}
	}
}

func TestInvalidUTF8IsNoName(t *testing.T) {
	for _, name := range []string{"\xff", "eth\xc3", "\xed\xa0\x80"} {
		if CheckInterfaceName(name) == nil || CheckNodeName(Namespace, name) == nil || CheckNodeName(Machine, name) == nil {
			t.Errorf("%q is taken for a name", name)
		}
	}
}

func TestDerivedMACs(t *testing.T) {
	seen := map[string]bool{}
	for _, args := range [][3]string{{"host", "", "eth0"}, {"host", "red", "eth0"}, {"host", "red", "eth1"}, {"hostred", "", "eth0"}} {
		mac := DeriveMAC(args[0], args[1], args[2])
		if canonical, err := CanonicalMAC(mac); err != nil || canonical != mac || seen[mac] {
			t.Errorf("%v: %q (%v)", args, mac, err)
		}
		if mac != DeriveMAC(args[0], args[1], args[2]) {
			t.Errorf("%v gets another MAC the second time", args)
		}
		seen[mac] = true
	}
	// Kept for good: a lab saved without MACs has the same ones in the next version.
	if got := DeriveMAC("host", "red", "veth-red"); got != "f6:cc:4b:a3:eb:ad" {
		t.Errorf("the MAC of red's veth-red is %s", got)
	}
}

func TestCanonicalIsStable(t *testing.T) {
	for _, c := range nameCases(t) {
		if value, err := c.check(t); err == nil {
			again := nameCase{Fn: c.Fn, Input: value}
			if twice, err := again.check(t); err != nil || twice != value {
				t.Errorf("%s(%q) is %q, and that is %q (%v)", c.Fn, c.Input, value, twice, err)
			}
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"red", "blue", "host", "namespace", "machine"}
	for word, want := range map[string]string{
		"bleu": "blue", "hots": "host", "rde": "red", "namspace": "namespace", "machien": "machine", "mashin": "machine",
		"rot": "", "": "", "r": "", "routes": "", "red": "red", "x": "",
	} {
		if got := Nearest(word, words); got != want {
			t.Errorf("Nearest(%q) is %q, want %q", word, got, want)
		}
	}
	if Nearest("a", nil) != "" {
		t.Error("something is nearest to nothing")
	}
}

func TestProblem(t *testing.T) {
	cause := errors.New("cause")
	p := Problemf(CodeRefused, "File exists").About("i", "name").WithHint("choose another name")
	p.Command, p.Errno, p.Err = "ip link add name x type bridge", "EEXIST", cause
	if got, want := p.Error(), "`ip link add name x type bridge`: File exists (EEXIST); choose another name"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(p, cause) || !errors.Is(p, &Problem{Code: CodeRefused}) || errors.Is(p, &Problem{Code: CodeExists}) {
		t.Error("errors.Is goes by something else than the code and the cause")
	}
	if got := Problemf(CodeBadFile, "a:1:1: no\n\n 1 | x\n   | ^").WithHint("write y").Error(); !strings.HasSuffix(got, "| ^\nwrite y") {
		t.Errorf("the hint is not on a line of its own: %q", got)
	}
	text, err := json.Marshal(p)
	if err != nil || strings.Contains(string(text), "cause") {
		t.Errorf("%s (%v)", text, err)
	}
}

func TestGoldenCasesAreMany(t *testing.T) {
	var inputs []string
	for _, c := range nameCases(t) {
		inputs = append(inputs, c.Fn+" "+c.Input)
	}
	slices.Sort(inputs)
	if unique := slices.Compact(slices.Clone(inputs)); len(unique) != len(inputs) || len(inputs) < 60 {
		t.Errorf("%d cases, %d of them different", len(inputs), len(unique))
	}
}
