package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vethlab/labengine"
)

// BenchmarkIdleMemory is the memory of the lab of red and blue when nothing happens: the proportional set sizes, PSS in
// proc_pid_smaps(5), of the lab process and of all processes below it. What they share with the server, which runs the same
// program, is counted by its share.
//
//	go test -run - -bench IdleMemory -benchtime 1x .
func BenchmarkIdleMemory(b *testing.B) {
	program, quiet := command(b), 5*time.Second // memory is given back when nothing has been asked for a while
	if testing.Short() {
		quiet = 0
	} else { // what ships, without what tests are made of
		program.Path = filepath.Join(b.TempDir(), "vethlab")
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program.Path, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
	s := serveAs(b, b.TempDir(), program)
	lab := s.newLab()
	s.must("POST", lab+"/start", "", nil)
	pid := s.process(lab).Pid()
	for b.Loop() { // ends by resetting the metrics: they come after it
	}
	b.ReportMetric(0, "ns/op")
	measure := func(name, unit string) {
		time.Sleep(quiet)
		m := memoryOf(b, pid)
		b.ReportMetric(m[0]+m[1]+m[2], unit)
		memories.record(name, m)
	}
	measure("nobody looks", "idle-MB")
	page := s.dial(lab + "/ws")
	defer page.Close()
	var hello labengine.Message
	if err := page.ReadJSON(&hello); err != nil {
		b.Fatal(err)
	}
	measure("a page looks", "watched-MB")
	s.terminalIn(lab, "bench", 0).enter("", "")
	measure("with a terminal", "terminal-MB")
}

// memoryOf is what a lab process, its machines' inits, and all others below it take, in MB.
func memoryOf(b *testing.B, lab int) rounds {
	b.Helper()
	m := make(rounds, 3)
	for _, pid := range append(descendants(lab), lab) {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			b.Fatal(err)
		}
		for line := range strings.Lines(string(rollup)) {
			var kb float64
			if _, err := fmt.Sscanf(line, "Pss: %f kB", &kb); err != nil {
				continue
			}
			switch {
			case pid == lab:
				m[0] += kb / 1024
			case strings.TrimSpace(string(comm)) == "init":
				m[1] += kb / 1024
			default:
				m[2] += kb / 1024
			}
		}
	}
	return m
}
