package examples

import (
	"bytes"
	"testing"

	"vethlab/labengine/document"
)

func TestExamplesParse(t *testing.T) {
	files, err := FS.ReadDir(".")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	if len(List()) != len(files) {
		t.Errorf("%d files, %d examples", len(files), len(List()))
	}
	for _, f := range files {
		text, err := FS.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		lab, err := document.Parse(f.Name(), text)
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(document.Format(lab, text), text) {
			t.Errorf("%s changes when it is written", f.Name())
		}
	}
}

// TestRedAndBlue has what the first lesson and the README say of it.
func TestRedAndBlue(t *testing.T) {
	text, err := FS.ReadFile("red-and-blue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := document.Parse("red-and-blue.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	for id, address := range map[string]string{"veth-red": "192.168.15.1/24", "veth-blue": "192.168.15.2/24"} {
		found := false
		for _, i := range lab.Interfaces {
			found = found || i.Name == id && len(i.Addresses) == 1 && i.Addresses[0] == address && i.Up
		}
		if !found {
			t.Errorf("%s does not have %s", id, address)
		}
	}
	if len(lab.Places) != 3 {
		t.Errorf("%d nodes have a place", len(lab.Places))
	}
}
