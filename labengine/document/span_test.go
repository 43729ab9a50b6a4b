package document

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestLocate checks that each value of the good files is found where it is.
func TestLocate(t *testing.T) {
	files, _ := filepath.Glob("testdata/good/*.yaml")
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := newFile(path, readFile(t, path))
			if err != nil {
				t.Fatal(err)
			}
			root, err := f.tree()
			if err == nil {
				err = f.locate(&root)
			}
			if err != nil {
				t.Fatal(err)
			}
			var look func(v value)
			look = func(v value) {
				if text := strings.Join(strings.Fields(f.text[v.start:v.end]), " "); v.form == scalar && v.plain && text != strings.Join(strings.Fields(v.text), " ") {
					t.Errorf("%q is found at %q", v.text, text)
				}
				for _, item := range v.list {
					look(item)
				}
				for _, p := range v.pairs {
					look(p.key)
					look(p.value)
				}
			}
			look(root)
		})
	}
}
