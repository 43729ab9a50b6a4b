package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// benchInLab runs a benchmark in a lab process, and passes on what it measured.
func benchInLab(b *testing.B, body func(b *testing.B, l *Lab)) {
	if theLab != nil {
		body(b, theLab)
		return
	}
	p := startLab(b, "-test.run=^$", "-test.bench=^"+regexp.QuoteMeta(b.Name())+"$",
		fmt.Sprintf("-test.benchtime=%dx", b.N))
	<-p.Done()
	p.Release()
	log, err := os.ReadFile(filepath.Join(p.Dir(), logName))
	if err != nil || p.Err() != nil {
		b.Fatalf("%v, %v\n%s", err, p.Err(), log)
	}
	for line := range bytes.Lines(log) {
		if fields := strings.Fields(string(line)); len(fields) >= 4 && strings.HasPrefix(fields[0], "Benchmark") {
			for i := 2; i+1 < len(fields); i += 2 {
				var v float64
				fmt.Sscan(fields[i], &v)
				b.ReportMetric(v, fields[i+1])
			}
		}
	}
}

func BenchmarkNewMachine(b *testing.B) {
	benchInLab(b, func(b *testing.B, l *Lab) {
		for b.Loop() {
			m, err := l.NewMachine(context.Background(), MachineConfig{Name: "host"})
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			m.Close(context.Background())
			b.StartTimer()
		}
	})
}

func BenchmarkAddNamespaces(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			benchInLab(b, func(b *testing.B, l *Lab) {
				m := newMachine(b, l, "host")
				list := names(n)
				for b.Loop() {
					add(b, m, list...)
					b.StopTimer()
					if err := m.DeleteNamespaces(context.Background(), list); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/ns")
			})
		})
	}
}

// BenchmarkIdle measures what a lab with one machine takes when nothing happens: proportional set sizes, in bytes.
func BenchmarkIdle(b *testing.B) {
	p := startLab(b, "-test.run=^TestServeForever$")
	awaitServed(b, p)
	for b.Loop() { // ends by resetting the metrics: they come after it
	}
	time.Sleep(agentIdle + time.Second) // idle is what is measured
	for _, pid := range append(childrenOf(p.Pid()), p.Pid()) {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			b.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var kb float64
			if _, err := fmt.Sscanf(string(line), "Pss: %f kB", &kb); err == nil {
				b.ReportMetric(kb*1024, strings.TrimSpace(string(comm))+"-PSS-B")
			}
		}
	}
}
