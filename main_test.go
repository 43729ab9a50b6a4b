package main

import (
	"os"
	"testing"
)

// TestMain is also the lab process and the machines' init: labs are started from the test binary, by the code that ships.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "lab" || os.Args[1] == "machine") {
		main()
		return
	}
	os.Exit(m.Run())
}
