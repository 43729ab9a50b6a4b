package main

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"vethlab/labengine"
)

// BenchmarkStart starts and stops a lab of a machine with so many namespaces, each cabled to it, beside the same made by
// the kernel's floor (bench/nsfloor.c) and by ip -batch, in turn.
//
//	go test -run - -bench Start -benchtime 3x .
//
// "x-floor" is (start - empty) / floor, empty being the start of a lab with nothing but its machine: what the namespaces
// and cables cost, over what they cost the kernel. The floor, too, leaves the making of the machine's namespace out. It is
// the median of the rounds' own ratios.
func BenchmarkStart(b *testing.B) {
	floor := buildFloor(b)
	for _, quiet := range []bool{true, false} {
		for _, n := range []int{10, 100, 1000} {
			if testing.Short() && n > 10 {
				continue // seconds each: `make bench` has them
			}
			name := map[bool]string{true: "quiet", false: "defaults"}[quiet]
			b.Run(fmt.Sprintf("%s/namespaces=%d", name, n), func(b *testing.B) {
				var r startRounds
				for range b.N {
					r.add(b, floor, n, quiet)
				}
				r.report(b)
				starts.record(fmt.Sprintf("%s %4d", name, n), r)
			})
		}
	}
}

// startRounds is what each round of a size took, in ms and KB of the kernel's memory for each namespace.
type startRounds struct {
	floor, empty, start, stop, batch, batchStop, ratio, batchRatio rounds
	floorKB, labKB, batchKB                                        rounds
}

// add measures each of the three once.
func (r *startRounds) add(b *testing.B, floor string, n int, quiet bool) {
	b.Helper()
	quit := settled(b, n)
	f := runFloor(b, floor, n, quiet)
	quit()

	empty := startAndStop(b, 0, quiet)
	quit = settled(b, n)
	lab := startAndStop(b, n, quiet)
	quit()

	quit = settled(b, n)
	batch := runBatch(b, n)
	quit()

	r.floor, r.floorKB = append(r.floor, f.start), append(r.floorKB, f.kb)
	r.empty, r.start, r.stop, r.labKB = append(r.empty, empty.start), append(r.start, lab.start), append(r.stop, lab.stop), append(r.labKB, lab.kb)
	r.batch, r.batchStop, r.batchKB = append(r.batch, batch.start), append(r.batchStop, batch.stop), append(r.batchKB, batch.kb)
	r.ratio = append(r.ratio, (lab.start-empty.start)/f.start)
	r.batchRatio = append(r.batchRatio, batch.start/f.start)
}

func (r *startRounds) report(b *testing.B) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(r.start.median(), "start-ms")
	b.ReportMetric(r.stop.median(), "stop-ms")
	b.ReportMetric(r.floor.median(), "floor-ms")
	b.ReportMetric(r.batch.median(), "ip-batch-ms")
	b.ReportMetric(r.ratio.median(), "x-floor")
	b.ReportMetric(r.labKB.median(), "KB/namespace")
}

// started is one start and stop.
type started struct {
	start, stop float64 // ms
	kb          float64 // of the kernel's memory for each namespace, while it is up
}

// star is a machine with n namespaces, each cabled to it.
func star(n int, quiet bool) labengine.Lab {
	lab := labengine.NewLab("star")
	lab.Quiet = quiet
	edits := []labengine.Edit{{AddNode: &labengine.AddNode{ID: "host", Name: "host", Kind: labengine.Machine}}}
	for i := range n {
		id := labengine.ID(fmt.Sprintf("n%d", i))
		edits = append(edits,
			labengine.Edit{AddNode: &labengine.AddNode{ID: id, Name: string(id), Kind: labengine.Namespace, In: "host"}},
			labengine.Edit{AddCable: &labengine.AddCable{
				ID: id + "c", A: labengine.End{ID: id + "h", Node: "host", Name: fmt.Sprintf("h%d", i)},
				B: labengine.End{ID: id + "e", Node: id, Name: "eth0", Addresses: []string{fmt.Sprintf("10.0.%d.%d/16", (i+256)/256, i%256)}},
			}})
	}
	lab, err := lab.Edit(edits)
	if err != nil {
		panic(err) // the names are ours
	}
	return lab
}

// startAndStop starts a star as `vethlab run` does, from nothing to the snapshot, and ends it.
func startAndStop(b *testing.B, n int, quiet bool) (s started) {
	b.Helper()
	lab := star(n, quiet)
	before := kernelMemory(b)
	begun := time.Now()
	running, err := startLab(context.Background(), lab)
	if err != nil {
		b.Fatal(err)
	}
	s.start = ms(begun)
	if n > 0 {
		s.kb = (kernelMemory(b) - before) / float64(n)
	}
	begun = time.Now()
	if err := running.close(); err != nil {
		b.Fatal(err)
	}
	s.stop = ms(begun)
	return s
}

func ms(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }

// rounds are measurements of the same thing.
type rounds []float64

func (r rounds) median() float64 {
	sorted := slices.Sorted(slices.Values(r))
	return sorted[len(sorted)/2]
}

// String is the median, and what is around it.
func (r rounds) String() string {
	digits := 0
	if r.median() < 10 {
		digits = 2
	}
	return fmt.Sprintf("%.*f [%.*f..%.*f]", digits, r.median(), digits, slices.Min(r), digits, slices.Max(r))
}
