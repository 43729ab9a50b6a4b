package document

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vethlab/labengine"
)

var update = flag.Bool("update", false, "write the golden files of testdata/bad")

// TestBadFilesSayWhatIsWrong compares the error of each bad file with the text next to it.
func TestBadFilesSayWhatIsWrong(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no bad files", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := Parse("lab.yaml", readFile(t, path))
			if !errors.Is(err, &labengine.Problem{Code: labengine.CodeBadFile}) {
				t.Fatalf("got %v, want a problem %s", err, labengine.CodeBadFile)
			}
			golden := strings.TrimSuffix(path, ".yaml") + ".txt"
			got := []byte(err.Error() + "\n")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(readFile(t, golden)), string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCausesAreKept checks that what a rule found can be asked for, behind the file's problem.
func TestCausesAreKept(t *testing.T) {
	for file, code := range map[string]labengine.Code{
		"machine-name": labengine.CodeBadName, "address-bad": labengine.CodeBadAddress, "mtu-small": labengine.CodeBadValue,
		"node-twice": labengine.CodeExists, "address-twice": labengine.CodeExists, "cable-to-nothing": labengine.CodeNoSuchNode,
		"namespace-in-nothing": labengine.CodeNoSuchNode, "ambiguous": labengine.CodeAmbiguous,
	} {
		_, err := Parse("lab.yaml", readFile(t, "testdata/bad/"+file+".yaml"))
		if !errors.Is(err, &labengine.Problem{Code: code}) {
			t.Errorf("%s: got %v, want its cause to be %s", file, err, code)
		}
	}
}

func TestGoodFilesRoundTrip(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no good files", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) { checkRoundTrip(t, readFile(t, path)) })
	}
}

// TestCanonicalFilesStayAsTheyAre checks the writer against files in its own style.
func TestCanonicalFilesStayAsTheyAre(t *testing.T) {
	for _, name := range []string{"red-and-blue", "everything"} {
		source := readFile(t, "testdata/good/"+name+".yaml")
		lab, err := Parse(name, source)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.TrimPrefix(string(source), string(leadingComment(source)))
		if diff := cmp.Diff(want, string(Format(lab, nil))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// checkRoundTrip holds Parse and Format to each other, for a source that parses.
func checkRoundTrip(t *testing.T, source []byte) {
	t.Helper()
	lab, err := Parse("lab.yaml", source)
	if err != nil {
		t.Fatal(err)
	}
	if got := Format(lab, source); !bytes.Equal(got, source) {
		t.Errorf("writing a file that was only read changes it:\n%s", cmp.Diff(string(source), string(got)))
	}
	text := Format(lab, nil)
	again, err := Parse("again.yaml", text)
	if err != nil {
		t.Fatalf("%v\n\nin\n%s", err, text)
	}
	if diff := cmp.Diff(rounded(lab), again); diff != "" {
		t.Errorf("the lab read from what was written differs: %s\n\n%s", diff, text)
	}
	if twice := Format(again, nil); !bytes.Equal(twice, text) {
		t.Errorf("writing is not stable: %s", cmp.Diff(string(text), string(twice)))
	}
	checkWhole(t, lab)
}

// rounded is the lab with the precision that a file keeps of positions.
func rounded(lab labengine.Lab) labengine.Lab {
	lab = lab.Clone()
	for id, p := range lab.Places {
		var r labengine.Place
		fmt.Sscan(pixels(p.X), &r.X)
		fmt.Sscan(pixels(p.Y), &r.Y)
		lab.Places[id] = r
	}
	return lab
}

// checkWhole checks what holds of every lab: keys are IDs, and references lead somewhere.
func checkWhole(t *testing.T, lab labengine.Lab) {
	t.Helper()
	for id, n := range lab.Nodes {
		if n.ID != id || n.Order < 1 || n.Order > len(lab.Nodes) {
			t.Errorf("node %q is %+v", id, n)
		}
		if lo := lab.Interfaces[labengine.LoopbackID(id)]; lo.Node != id || lo.Kind != labengine.Loopback {
			t.Errorf("the loopback interface of %q is %+v", id, lo)
		}
	}
	ends := 0
	for id, c := range lab.Cables {
		if c.ID != id || c.Order < 1 || c.Order > len(lab.Cables) || len(id) > 120 {
			t.Errorf("cable %q is %+v", id, c)
		}
		for _, end := range c.Ends {
			ends++
			if lab.Interfaces[end].Kind != labengine.Veth {
				t.Errorf("cable %q ends in %+v", id, lab.Interfaces[end])
			}
		}
	}
	for id, i := range lab.Interfaces {
		if i.Kind == labengine.Veth {
			ends--
		}
		bridge := lab.Interfaces[i.Master]
		if _, ok := lab.Nodes[i.Node]; i.ID != id || !ok || i.Master != "" && (!labengine.HasPorts(bridge.Kind) || bridge.Node != i.Node) {
			t.Errorf("interface %q is %+v", id, i)
		}
		if _, ok := lab.Interfaces[i.Parent]; i.Parent != "" && !ok {
			t.Errorf("interface %q is %+v", id, i)
		}
	}
	if ends != 0 {
		t.Errorf("%d more ends of cables than veths", ends)
	}
}

func TestIDsComeFromNames(t *testing.T) {
	lab, err := Parse("x", readFile(t, "testdata/good/red-and-blue.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []labengine.ID{"host", "host/red", "host/blue"} {
		if _, ok := lab.Nodes[id]; !ok {
			t.Errorf("no node %q", id)
		}
	}
	if _, ok := lab.Interfaces["host/red:veth-red"]; !ok {
		t.Error("no interface host/red:veth-red")
	}
	if _, ok := lab.Cables["host/red:veth-red--host/blue:veth-blue"]; !ok {
		t.Error("no cable host/red:veth-red--host/blue:veth-blue")
	}
}

// TestIDsAreUnique has names that could be taken for parts of IDs.
func TestIDsAreUnique(t *testing.T) {
	long := strings.Repeat("x", 63)
	source := fmt.Sprintf(`
vethlab: 1
nodes:
  - {name: host, kind: machine}
  - {name: host.lo, kind: machine}
  - {name: c--e, kind: machine}
  - {name: e, kind: machine}
  - {name: a~b, kind: namespace, in: host}
  - {name: %[1]s, kind: machine}
  - {name: %[2]s1, kind: namespace, in: %[1]s}
  - {name: %[2]s2, kind: namespace, in: %[1]s}
cables:
  - [host:b, c--e:d]
  - [host:b--c, e:d]
  - [%[2]s1:eth0, %[2]s2:eth0]
  - [%[2]s1:eth1, a~b:eth0]
`, long, strings.Repeat("é", 100))
	checkRoundTrip(t, []byte(source))
}

func TestFormatLeavesOutWhatIsNotSaved(t *testing.T) {
	source := readFile(t, "testdata/good/red-and-blue.yaml")
	lab, err := Parse("x", source)
	if err != nil {
		t.Fatal(err)
	}
	lab.Nodes["held"] = labengine.Node{ID: "held", Name: "red", Kind: labengine.Namespace, In: "host", Held: "bash (57)"}
	lab.Nodes["odd"] = labengine.Node{ID: "odd", Name: "a:b", Kind: labengine.Namespace, In: "host"}
	for id, i := range map[labengine.ID]labengine.Interface{
		"tunnel": {Node: "host/red", Name: "gre1", Kind: "gre"},
		"x":      {Node: "held", Name: "x", Kind: labengine.Veth, MTU: 1500},
		"y":      {Node: "host/red", Name: "y", Kind: labengine.Veth, MTU: 1500},
		"single": {Node: "host/red", Name: "single", Kind: labengine.Veth, MTU: 1500},
	} {
		i.ID = id
		lab.Interfaces[id] = i
	}
	lab.Cables["xy"] = labengine.Cable{ID: "xy", Ends: [2]labengine.ID{"x", "y"}, Order: 2}
	lab.Places["held"] = labengine.Place{X: 1}
	if diff := cmp.Diff(string(source), string(Format(lab, source))); diff != "" {
		t.Error(diff)
	}
}

func TestFormatKeepsTheLeadingComment(t *testing.T) {
	source := readFile(t, "testdata/good/red-and-blue.yaml")
	lab, err := Parse("x", source)
	if err != nil {
		t.Fatal(err)
	}
	lab.Name = "Other"
	got := Format(lab, source)
	if want := "# Two namespaces and a cable.\n# That is all.\n\nvethlab: 1\nname: Other\n"; !strings.HasPrefix(string(got), want) {
		t.Errorf("got\n%s", got)
	}
	checkRoundTrip(t, got)
}

// TestFormatWritesAnewWhatItCannotChange has a key that goes from the line of a dash, with a comment behind it.
func TestFormatWritesAnewWhatItCannotChange(t *testing.T) {
	source := strings.ReplaceAll(`# Mine.
vethlab: 1
nodes:
  - {name: host, kind: machine}
  - options: stp_state 1 # on
    name: br0
    kind: bridge
    in: host
`, "\n", "\r\n")
	lab, err := Parse("x", []byte(source))
	if err == nil {
		lab, err = lab.Edit([]labengine.Edit{change(labengine.UpdateInterface{ID: "host:br0", Options: new("")})})
	}
	if err != nil {
		t.Fatal(err)
	}
	want := "# Mine.\r\nvethlab: 1\r\nnodes:\r\n  - {name: host, kind: machine}\r\n  - {name: br0,  kind: bridge, in: host}\r\n"
	if diff := cmp.Diff(want, string(Format(lab, []byte(source)))); diff != "" {
		t.Error(diff)
	}
}

func TestLimits(t *testing.T) {
	list := func(count int, line string) string {
		var b strings.Builder
		for i := range count {
			fmt.Fprintf(&b, line, i)
		}
		return b.String()
	}
	for name, test := range map[string]struct{ source, want string }{
		"bytes":   {strings.Repeat("# comment\n", MaxBytes/10+1), "up to 1048576 are read"},
		"nodes":   {"vethlab: 1\nnodes:\n" + list(MaxNodes+1, "  - {name: m%d, kind: machine}\n"), "the lab has 5001 nodes; up to 5000 are made"},
		"keys":    {list(7000, "k%d: 1\n"), "this mapping has more than 6000 keys"},
		"flow":    {strings.Repeat("[", 100_000), "not nested so deeply"},
		"dashes":  {strings.Repeat("- ", 100_000), "not nested so deeply"},
		"indent":  {list(100, "%[1]*[1]d:\n"), "not nested so deeply"},
		"explain": {strings.Repeat("? ", 100_000), "has no `? ` keys"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("lab.yaml", []byte(test.source))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %.300v, want %q", err, test.want)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/odd/*.yaml", "testdata/bad/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, path := range files {
			f.Add(readFile(f, path))
		}
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		// A parser that does not come back would otherwise only make the fuzzer slow.
		hangs := time.AfterFunc(20*time.Second, func() { panic(fmt.Sprintf("reading takes more than 20 s: %q", source)) })
		defer hangs.Stop()
		lab, err := Parse("lab.yaml", source)
		if err == nil {
			checkRoundTrip(t, source)
			return
		}
		if !errors.Is(err, &labengine.Problem{Code: labengine.CodeBadFile}) {
			t.Errorf("%v is no bad-file", err)
		}
		if strings.Contains(err.Error(), "cannot be read as YAML (") {
			t.Errorf("the parser panics: %v", err)
		}
		_ = lab
	})
}

func BenchmarkParseAndFormat(b *testing.B) {
	for _, nodes := range []int{10, 100, 1000, 5000} {
		source := star(nodes)
		lab, err := Parse("star.yaml", source)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("parse/nodes=%d", nodes), func(b *testing.B) {
			b.SetBytes(int64(len(source)))
			for b.Loop() {
				if _, err := Parse("star.yaml", source); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("format/nodes=%d", nodes), func(b *testing.B) {
			for b.Loop() {
				Format(lab, nil)
			}
		})
		changed, err := lab.Edit([]labengine.Edit{setSysctl("host", "net.ipv4.ip_forward", "1")})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("change/nodes=%d", nodes), func(b *testing.B) {
			for b.Loop() {
				Format(changed, source)
			}
		})
	}
}

// star is the file of a machine with so many namespaces, each cabled to it.
func star(nodes int) []byte {
	var b bytes.Buffer
	b.WriteString("vethlab: 1\nname: Star\nnodes:\n  - {name: host, kind: machine}\n")
	for i := range nodes - 1 {
		fmt.Fprintf(&b, "  - {name: n%d, kind: namespace, in: host}\n", i)
	}
	b.WriteString("cables:\n")
	for i := range nodes - 1 {
		fmt.Fprintf(&b, "  - [n%d:eth0 10.%d.%d.1/24, host:v%d 10.%[2]d.%[3]d.2/24]\n", i, i/256, i%256, i)
	}
	return b.Bytes()
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
