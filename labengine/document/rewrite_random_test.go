package document

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vethlab/labengine"
)

// oddFiles are files as nobody would write them, with comments everywhere. A comment that says "keep" is part of nothing
// that can be taken out.
func oddFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, pattern := range []string{"testdata/odd/*.yaml", "testdata/good/*.yaml", "../../examples/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range paths {
			files[path] = readFile(t, path)
		}
	}
	return files
}

// kept are the comments of a file that say "keep".
func kept(source []byte) []string {
	var comments []string
	for line := range strings.Lines(normalize(source)) {
		if i := strings.Index(line, "# keep"); i >= 0 {
			comments = append(comments, strings.TrimSpace(line[i:]))
		}
	}
	return comments
}

// checkChanged checks a file that has been changed to say another lab.
func checkChanged(t *testing.T, lab labengine.Lab, source, changed []byte) {
	t.Helper()
	read, err := Parse("changed.yaml", changed)
	if err != nil {
		t.Fatalf("%v\n\nin\n%s", err, changed)
	}
	if !Same(lab, read) {
		t.Fatalf("got\n%s\nwant\n%s\nin\n%s", Format(read, nil), Format(lab, nil), changed)
	}
	if was, is := kept(source), kept(changed); !slices.Equal(was, is) {
		t.Fatalf("comments were %q, and are %q, in\n%s", was, is, changed)
	}
	if was, is := bytes.Count(source, []byte("\r\n")) > 0, bytes.Count(changed, []byte("\n")) == bytes.Count(changed, []byte("\r\n")); was && !is {
		t.Fatalf("ends of lines have changed in %q", changed)
	}
	if json.Valid(source) && !json.Valid(changed) {
		t.Fatalf("no JSON any more:\n%s", changed)
	}
}

// whyNot says why a file is written anew.
func whyNot(lab labengine.Lab, source []byte) error {
	want := savedOf(lab)
	r, root, err := read("", source)
	if err != nil {
		return err
	}
	was := savedOf(r.lab)
	text := want.write()
	if bytes.Equal(was.write(), text) {
		return nil
	}
	_, err = inPlace(r, root, source, was, want, text)
	return err
}

// TestFilesAreChangedInPlace has labs changed at random, and their odd files after them.
func TestFilesAreChangedInPlace(t *testing.T) {
	for path, source := range oddFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			for seed := range uint64(2) {
				w := newWalker(seed)
				lab, err := Parse(path, source)
				if err != nil {
					t.Fatal(err)
				}
				now := source
				for range 15 {
					before := lab
					lab = w.step(lab)
					for _, from := range [][]byte{source, now} {
						if err := whyNot(lab, from); err != nil {
							t.Fatalf("seed %d: written anew for %q: %v\n\n%s", seed, labengine.Describe(before, lab), err, from)
						}
						now = Format(lab, from)
						checkChanged(t, lab, source, now)
					}
				}
			}
		})
	}
}

// FuzzFormat has any file that can be read changed by edits at random.
func FuzzFormat(f *testing.F) {
	for _, source := range oddFiles(f) {
		f.Add(source, uint64(1))
	}
	f.Fuzz(func(t *testing.T, source []byte, seed uint64) {
		lab, err := Parse("lab.yaml", source)
		if err != nil || len(source) > 10_000 {
			return
		}
		w := newWalker(seed)
		for range 3 {
			lab = w.step(lab)
		}
		if read, err := Parse("changed.yaml", Format(lab, source)); err != nil || !Same(lab, read) {
			t.Errorf("got\n%s\nwhich is another lab, or none: %v", Format(lab, source), err)
		}
	})
}

// TestUndoneEditsLeaveNoTrace has values set, and things added, one edit after the other and each in the file that the one
// before has left, and then everything taken back.
func TestUndoneEditsLeaveNoTrace(t *testing.T) {
	for _, path := range []string{
		"testdata/good/red-and-blue.yaml", "testdata/good/everything.yaml", "testdata/good/json.yaml", "testdata/odd/pretty.json.yaml",
		"../../examples/bridge.yaml", "../../examples/lan.yaml", "../../examples/red-and-blue.yaml",
	} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			source := readFile(t, path)
			first, err := Parse(path, source)
			if err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(10) {
				w := newWalker(seed)
				lab, now := first, source
				for range 8 {
					lab = w.stepWithout(lab, first)
					now = Format(lab, now)
				}
				if diff := cmp.Diff(string(source), string(Format(first, now))); diff != "" {
					t.Errorf("seed %d: %s\n\nafter\n%s", seed, diff, now)
				}
			}
		})
	}
}

func emptied(had, has []string) bool { return len(had) > 0 && len(has) == 0 }

// stepWithout is a step by which nothing that a lab has goes, moves or gets another name, and no list of it gets empty.
func (w *walker) stepWithout(lab, first labengine.Lab) labengine.Lab {
	for {
		after := w.step(lab)
		lost := false
		for id, n := range first.Nodes {
			is := after.Nodes[id]
			lost = lost || is.Name != n.Name || is.In != n.In || emptied(n.Routes, is.Routes) || emptied(n.Sysctls, is.Sysctls)
		}
		for id, i := range first.Interfaces {
			is := after.Interfaces[id]
			lost = lost || is.Name != i.Name || is.Node != i.Node || is.Master != i.Master || emptied(i.Addresses, is.Addresses)
		}
		labels := savedOf(after).labels
		for id := range savedOf(first).labels.byID { // a namespace with a bridge's name would have it stand elsewhere
			_, entry := labels.byID[id]
			lost = lost || !entry
		}
		if !lost {
			return after
		}
	}
}
