package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
// the median of the rounds' own ratios. "gone" is how long after the call to stop the last of 16 namespaces' links went; 0 where
// the benchmark does not run as root.
func BenchmarkStart(b *testing.B) { benchmarkStart(b, cabled) }

// BenchmarkStar is BenchmarkStart with the namespaces on one bridge of the machine. "reached" is how long it takes from
// then on until the bridge has answered to all of the floor's namespaces, and to 64 of the lab's; that it answers to all of
// those is seen before. Mininet is measured beside it, once and with the kernel's defaults, where it is installed
// and the benchmark runs as root.
//
//	go test -run - -bench Star$ -benchtime 3x .
func BenchmarkStar(b *testing.B) { benchmarkStart(b, bridged) }

func benchmarkStart(b *testing.B, shape shape) {
	floor := buildFloor(b)
	for _, quiet := range []bool{true, false} {
		for _, n := range []int{10, 100, 1000} {
			if testing.Short() && n > 10 {
				continue // seconds each: `make bench` has them
			}
			name := map[bool]string{true: "quiet", false: "defaults"}[quiet]
			b.Run(fmt.Sprintf("%s/namespaces=%d", name, n), func(b *testing.B) {
				var r startRounds
				if shape.reach != "" {
					reachAll(b, shape, n, quiet)
				}
				for range b.N {
					r.add(b, shape, floor, n, quiet)
				}
				r.report(b)
				starts.record(fmt.Sprintf("%s, %s %4d", shape.name, name, n), r)
			})
		}
	}
}

// shape is how the namespaces of a lab are joined.
type shape struct {
	name  string
	lab   func(n int, quiet bool) labengine.Lab
	floor []string // options
	port  string   // what ip-link(8) takes besides, of the machine's end of a cable
	reach string   // the address that all are to reach; "" is none
}

var (
	cabled  = shape{name: "cabled", lab: star, floor: []string{"bridge=0", "master=0", "lo=0", "verify=0"}}
	bridged = shape{name: "bridged", lab: bridgeStar, floor: []string{"bridge=1", "master=1", "lo=0", "verify=1"},
		port: " master br0", reach: "10.0.0.1"}
)

// startRounds is what each round of a size took, in ms and KB of the kernel's memory for each namespace.
type startRounds struct {
	floor, empty, start, stop, gone, batch, batchStop, ratio, batchRatio, floorReached, reached rounds
	mininet, mininetStop, floorKB, labKB, batchKB                                               rounds
}

// add measures each of the three once.
func (r *startRounds) add(b *testing.B, shape shape, floor string, n int, quiet bool) {
	b.Helper()
	f := runFloor(b, shape, floor, n, quiet)
	settle(n)
	empty := startAndStop(b, shape, 0, quiet)
	settle(0)
	lab := startAndStop(b, shape, n, quiet)
	settle(n)
	batch := runBatch(b, shape, n)
	settle(n)
	if shape.port != "" && !quiet && len(r.mininet) == 0 && mininetInstalled() { // once: it takes its time
		mininet := runMininet(b, n)
		settle(n)
		r.mininet, r.mininetStop = rounds{mininet.start}, rounds{mininet.stop}
	}

	r.floor, r.floorKB = append(r.floor, f.start), append(r.floorKB, f.kb)
	r.empty, r.start, r.labKB = append(r.empty, empty.start), append(r.start, lab.start), append(r.labKB, lab.kb)
	r.stop, r.gone = append(r.stop, lab.stop), append(r.gone, lab.gone)
	r.batch, r.batchStop, r.batchKB = append(r.batch, batch.start), append(r.batchStop, batch.stop), append(r.batchKB, batch.kb)
	r.floorReached, r.reached = append(r.floorReached, f.reached), append(r.reached, lab.reached)
	r.ratio = append(r.ratio, (lab.start-empty.start)/f.start)
	r.batchRatio = append(r.batchRatio, batch.start/f.start)
}

func (r *startRounds) report(b *testing.B) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(r.start.median(), "start-ms")
	b.ReportMetric(r.stop.median(), "stop-ms")
	b.ReportMetric(r.gone.median(), "gone-ms")
	b.ReportMetric(r.floor.median(), "floor-ms")
	b.ReportMetric(r.batch.median(), "ip-batch-ms")
	b.ReportMetric(r.ratio.median(), "x-floor")
	if len(r.mininet) > 0 {
		b.ReportMetric(r.mininet.median(), "mininet-ms")
		b.ReportMetric(r.mininetStop.median(), "mininet-stop-ms")
	}
	if r.reached.median() > 0 {
		b.ReportMetric(r.reached.median(), "reached-ms")
		b.ReportMetric(r.floorReached.median(), "floor-reached-ms")
	}
	b.ReportMetric(r.labKB.median(), "KB/namespace")
}

// started is one start and stop.
type started struct {
	start, stop float64 // ms
	gone        float64 // ms from the call to stop until the links are gone
	reached     float64 // ms from the start on
	kb          float64 // of the kernel's memory for each namespace, while it is up
	more        rounds  // ms for one namespace more
}

// star is a machine with n namespaces, each cabled to it.
func star(n int, quiet bool) labengine.Lab { return starOn(n, quiet, "") }

// bridgeStar is a machine with n namespaces, each on its one bridge.
func bridgeStar(n int, quiet bool) labengine.Lab {
	return starOn(n, quiet, "br", labengine.Edit{AddInterface: &labengine.AddInterface{
		ID: "br", Node: "host", Name: "br0", Kind: labengine.Bridge, Addresses: []string{"10.0.0.1/16"},
	}})
}

func starOn(n int, quiet bool, bridge labengine.ID, more ...labengine.Edit) labengine.Lab {
	lab := labengine.NewLab("star")
	lab.Quiet = quiet
	edits := append([]labengine.Edit{{AddNode: &labengine.AddNode{ID: "host", Name: "host", Kind: labengine.Machine}}}, more...)
	for i := range n {
		id := labengine.ID(fmt.Sprintf("n%d", i))
		edits = append(edits,
			labengine.Edit{AddNode: &labengine.AddNode{ID: id, Name: string(id), Kind: labengine.Namespace, In: "host"}},
			labengine.Edit{AddCable: &labengine.AddCable{
				ID: id + "c", A: labengine.End{ID: id + "h", Node: "host", Name: fmt.Sprintf("h%d", i), Master: bridge},
				B: labengine.End{ID: id + "e", Node: id, Name: "eth0", Addresses: []string{fmt.Sprintf("10.0.%d.%d/16", (i+256)/256, i%256)}},
			}})
	}
	lab, err := lab.Edit(edits)
	if err != nil {
		panic(err) // the names are ours
	}
	return lab
}

// startAndStop starts a lab as `vethlab run` does, from nothing to the reply, and ends it.
func startAndStop(b *testing.B, shape shape, n int, quiet bool) (s started) {
	b.Helper()
	lab := shape.lab(n, quiet)
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
	if n > 0 && shape.reach != "" {
		begun = time.Now()
		end := reach(b, running, spread(n), shape.reach)
		s.reached = ms(begun)
		end()
	}
	var watch *goneWatch
	if n > 0 {
		watch = watchGone(b, running, n)
	}
	begun = time.Now()
	if err := running.close(); err != nil {
		b.Fatal(err)
	}
	s.stop = ms(begun)
	if watch != nil {
		s.gone = watch.since(b, begun)
	}
	return s
}

// reachAll fails where the address does not answer to all namespaces of a lab.
func reachAll(b *testing.B, shape shape, n int, quiet bool) {
	b.Helper()
	lab := shape.lab(n, quiet)
	running, err := startLab(context.Background(), lab)
	if err != nil {
		b.Fatal(err)
	}
	defer settle(n)
	defer running.close()
	know(b, running, lab, shape.reach)
	for part := range slices.Chunk(numbers(n), probesAtOnce) {
		reach(b, running, part, shape.reach)()
	}
}

// probesAtOnce is how many a lab takes. As many namespaces are to reach the bridge in the time that is taken: all would not
// fit into the machine's table of neighbours, which all its namespaces share (net.ipv4.neigh.default.gc_thresh3).
const probesAtOnce = 64

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// spread is namespaces all over a lab of n.
func spread(n int) []int {
	some := numbers(min(n, probesAtOnce))
	for i := range some {
		some[i] = i * n / len(some)
	}
	return some
}

// know has the bridge and all namespaces on it know each other's MAC for good: such entries count for nothing in the table.
func know(b *testing.B, running *startedLab, lab labengine.Lab, address string) {
	b.Helper()
	var edits []labengine.Edit
	add := func(node labengine.ID, format string, args ...any) {
		edits = append(edits, labengine.Edit{AddNeighbour: &labengine.AddNeighbour{Node: node, Neighbour: fmt.Sprintf(format, args...)}})
	}
	for id, n := range lab.Nodes {
		if n.Kind != labengine.Namespace {
			continue
		}
		own, _, _ := strings.Cut(lab.Interfaces[id+"e"].Addresses[0], "/")
		add("host", "%s lladdr %s dev br0", own, lab.Interfaces[id+"e"].MAC)
		add(id, "%s lladdr %s dev eth0", address, lab.Interfaces["br"].MAC)
	}
	if err := running.conn.Send(labengine.Request{ID: "know", Op: &labengine.Op{ID: "know", Edits: edits}}); err != nil {
		b.Fatal(err)
	}
	if _, err := running.await("know"); err != nil {
		b.Fatal(err)
	}
}

// reach returns once the address has answered to these namespaces, with what waits until that has ended.
func reach(b *testing.B, lab *startedLab, namespaces []int, address string) (end func()) {
	b.Helper()
	const asked, answered = 1, 2
	state := map[labengine.ID]int{} // of requests, until their replies
	waiting := 0
	send := func(r labengine.Request) {
		if err := lab.conn.Send(r); err != nil {
			b.Fatal(err)
		}
	}
	receive := func() {
		m, err := lab.conn.Receive()
		if err != nil {
			b.Fatal(err)
		}
		if m.Reply != nil {
			if state[m.Reply.Request] == asked {
				b.Fatalf("%s cannot reach %s: %s %v", m.Reply.Request, address, m.Reply.Text, m.Reply.Problem)
			}
			delete(state, m.Reply.Request)
		}
		if m.Probe != nil && m.Probe.Error == "" && state[m.Probe.Request] == asked {
			state[m.Probe.Request] = answered
			waiting--
			send(labengine.Request{ID: m.Probe.Request + "-", Cancel: &labengine.Cancel{Request: m.Probe.Request}})
		}
	}
	for _, i := range namespaces {
		from := labengine.ID(fmt.Sprintf("n%d", i))
		state[from] = asked
		waiting++
		send(labengine.Request{ID: from, Ping: &labengine.Ping{From: from, To: address, Count: 100, Interval: 10, Timeout: 1000}})
	}
	for waiting > 0 {
		receive()
	}
	return func() {
		for len(state) > 0 {
			receive()
		}
	}
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

// BenchmarkOneMore adds a namespace with a cable to a lab that runs, from the request to the reply, beside what the same costs
// the kernel: what is added to a large lab is to cost what it costs in a small one.
func BenchmarkOneMore(b *testing.B) {
	binary := buildFloor(b)
	for _, n := range []int{10, 1000} {
		if testing.Short() && n > 10 {
			continue
		}
		b.Run(fmt.Sprintf("namespaces=%d", n), func(b *testing.B) {
			floor := runFloor(b, bridged, binary, n, true, fmt.Sprintf("more=%d", b.N)).more
			settle(n)
			running, err := startLab(context.Background(), bridgeStar(n, true))
			if err != nil {
				b.Fatal(err)
			}
			defer running.close()
			ask := func(r labengine.Request) {
				if err := running.conn.Send(r); err != nil {
					b.Fatal(err)
				}
				if _, err := running.await(r.ID); err != nil {
					b.Fatal(err)
				}
			}
			var took rounds
			for i := range b.N {
				name := fmt.Sprintf("more%d", i)
				id := labengine.ID(name)
				begun := time.Now()
				ask(labengine.Request{ID: id, Op: &labengine.Op{ID: id, Edits: []labengine.Edit{
					{AddNode: &labengine.AddNode{ID: id, Name: name, Kind: labengine.Namespace, In: "host"}},
					{AddCable: &labengine.AddCable{
						ID: id + "c", A: labengine.End{ID: id + "h", Node: "host", Name: name, Master: "br"},
						B: labengine.End{ID: id + "e", Node: id, Name: "eth0", Addresses: []string{"10.0.255.1/16"}},
					}},
				}}})
				took = append(took, ms(begun))
				ask(labengine.Request{ID: id + "-", Undo: &labengine.Undo{}})
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(took.median(), "p50-ms")
			b.ReportMetric(floor.median(), "floor-p50-ms")
		})
	}
}
