package main

import (
	"os/exec"
	"testing"
)

// TestSchemaIsNotStale runs the program as `make gen` does: types have another package path inside a test.
func TestSchemaIsNotStale(t *testing.T) {
	if out, err := exec.Command("go", "run", ".", "--check").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
