package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// asProgram in its environment makes the test binary vethlab.
const asProgram = "VETHLAB_TEST_AS_PROGRAM"

// TestMain is also vethlab, its lab processes and the machines' init: all are started from the test binary, by the code
// that ships.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" || len(os.Args) > 1 && (os.Args[1] == "lab" || os.Args[1] == "machine") {
		main()
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "emit" {
		if err := emit(os.Args[2:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "emit:", err)
			os.Exit(1)
		}
		return
	}
	status := m.Run()
	printReports(os.Stdout)
	os.Exit(status)
}

func TestVersion(t *testing.T) {
	r := vethlab(t, "version")
	if fields := strings.Fields(r.stdout); r.status != 0 || len(fields) != 2 || fields[0] != "vethlab" || r.stderr != "" {
		t.Errorf("%+v", r)
	}
}

func TestCommandLine(t *testing.T) {
	if r := vethlab(t); r.status != 0 || !strings.Contains(r.stdout, "serve") || !strings.Contains(r.stdout, "doctor") || strings.Contains(r.stdout, "\n  lab ") {
		t.Errorf("without arguments: %+v", r)
	}
	for _, test := range []struct{ command, says string }{
		{"serv", "there is no command \"serv\"; `vethlab --help` lists them"},
		{"version now", "it is written so: vethlab version"},
		{"serve --lisen :1", "unknown flag: --lisen"},
		{"run", "it is written so: vethlab run LAB.yaml [--save OUT.yaml] [NODE COMMAND...]"},
		{"export", "it is written so: vethlab export LAB.yaml --to sh [-o FILE]"},
		{"lab", "labs are started by `vethlab serve` and `vethlab run`"},
	} {
		r := vethlab(t, strings.Fields(test.command)...)
		if r.status != 1 || r.stdout != "" || !strings.HasPrefix(r.stderr, "vethlab: ") || !strings.Contains(r.stderr, test.says) {
			t.Errorf("%s: %+v", test.command, r)
		}
	}
}
