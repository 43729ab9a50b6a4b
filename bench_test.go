package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"vethlab/labengine"
)

// BenchmarkStart starts and stops a lab of a machine with so many namespaces, each cabled to it, beside the same made by
// the kernel's floor (bench/nsfloor.c: raw rtnetlink, no names, no addresses kept) and by ip -batch, in turn.
//
//	go test -run - -bench Start -benchtime 3x .
//
// "x-floor" is (start - empty) / floor, empty being the start of a lab with nothing but its machine: what the namespaces
// and cables cost, over what they cost the kernel. The floor, too, leaves the making of the machine's namespace out.
func BenchmarkStart(b *testing.B) {
	floor := buildFloor(b)
	for _, quiet := range []bool{true, false} {
		for _, n := range []int{10, 100, 1000} {
			if testing.Short() && n > 10 {
				continue // seconds each: `make bench` has them
			}
			name := map[bool]string{true: "quiet", false: "defaults"}[quiet]
			b.Run(fmt.Sprintf("%s/namespaces=%d", name, n), func(b *testing.B) {
				b.StopTimer()
				var start, stop, empty, floorMs, batchMs, kb []float64
				for range b.N {
					floorMs = append(floorMs, runFloor(b, floor, n, quiet))
					took, _, _ := startAndStop(b, oneMachine("host"))
					empty = append(empty, took)
					before := memAvailable(b)
					b.StartTimer()
					took, took2, used := startAndStop(b, star(n, quiet))
					b.StopTimer()
					start, stop = append(start, took), append(stop, took2)
					kb = append(kb, float64(before-used)/float64(n))
					batchMs = append(batchMs, runBatch(b, n))
				}
				s, e, f := median(start), median(empty), median(floorMs)
				b.ReportMetric(s, "start-ms")
				b.ReportMetric(e, "empty-ms")
				b.ReportMetric(f, "floor-ms")
				b.ReportMetric((s-e)/f, "x-floor")
				b.ReportMetric(median(stop), "stop-ms")
				b.ReportMetric(median(batchMs), "ip-batch-ms")
				b.ReportMetric(median(kb), "KB/node")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// star is a machine with n namespaces, each cabled to it.
func star(n int, quiet bool) labengine.Lab {
	lab := oneMachine("host")
	lab.Quiet = quiet
	edits := make([]labengine.Edit, 0, 2*n)
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

func startAndStop(b *testing.B, lab labengine.Lab) (startMs, stopMs float64, availableKB int64) {
	b.Helper()
	begun := time.Now()
	started, err := startLab(context.Background(), lab)
	if err != nil {
		b.Fatal(err)
	}
	startMs = ms(begun)
	availableKB = memAvailable(b)
	begun = time.Now()
	if err := started.close(); err != nil {
		b.Fatal(err)
	}
	stopMs = ms(begun)
	settle(b)
	return startMs, stopMs, availableKB
}

// settle waits until the kernel has cleaned up: the next round is not to pay for this one.
func settle(b *testing.B) {
	b.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if namespacesAlive(b) == 0 {
			return
		}
	}
}

// namespacesAlive is how many network namespaces the kernel is still cleaning up, as its slab counts them; 0 where an
// ordinary user may not look.
func namespacesAlive(b *testing.B) int {
	data, err := os.ReadFile("/proc/slabinfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "net_namespace" {
			n, _ := strconv.Atoi(fields[1])
			if baseline < 0 || n < baseline {
				baseline = n
			}
			return max(0, n-baseline-32) // per-CPU caches keep some
		}
	}
	return 0
}

var baseline = -1

func ms(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }

func memAvailable(b *testing.B) int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); fields[0] == "MemAvailable:" {
			kb, _ := strconv.ParseInt(fields[1], 10, 64)
			return kb
		}
	}
	return 0
}

func median(list []float64) float64 {
	sorted := append([]float64(nil), list...)
	for i := range sorted {
		for j := i; j > 0 && sorted[j] < sorted[j-1]; j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	return sorted[len(sorted)/2]
}

// buildFloor compiles the floor; the benchmark needs gcc.
func buildFloor(b *testing.B) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "nsfloor")
	if out, err := exec.Command("gcc", "-O2", "-pthread", "-o", binary, "bench/nsfloor.c").CombinedOutput(); err != nil {
		b.Fatalf("compile bench/nsfloor.c: %v\n%s", err, out)
	}
	return binary
}

// unshared runs a shell script in user, network and mount namespaces of its own, with an empty /run.
func unshared(b *testing.B, script string, args ...string) []byte {
	b.Helper()
	argv := append([]string{"--user", "--map-root-user", "--net", "--mount", "--propagation", "private", "sh", "-ec",
		"mount -t tmpfs none /run; " + script, "sh"}, args...)
	var out, errs bytes.Buffer
	cmd := exec.Command("unshare", argv...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s: %v\n%s", script, err, errs.Bytes())
	}
	return out.Bytes()
}

// runFloor is the milliseconds of the floor: namespaces pinned by name, veths with both ends in place, addresses, up.
func runFloor(b *testing.B, binary string, n int, quiet bool) float64 {
	b.Helper()
	flag := map[bool]string{true: "1", false: "0"}[quiet]
	out := unshared(b, `mkdir -p /run/netns; exec "$@"`, binary, fmt.Sprintf("n=%d", n), "reps=1", "bridge=0", "master=0",
		"nq="+flag, "v6gen="+flag, "group=1", "verify=0", "pipe=1", "td=ns", "bind=/run/netns")
	settle(b)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	fields := strings.Fields(lines[len(lines)-1]) // n rep | host ns veth addr TOTAL …
	if len(fields) < 8 {
		b.Fatalf("the floor printed %q", out)
	}
	total, err := strconv.ParseFloat(fields[7], 64)
	if err != nil {
		b.Fatalf("the floor printed %q", out)
	}
	return total
}

// runBatch is the milliseconds of the same made by ip(8): one batch for the namespaces and links, one for each node.
func runBatch(b *testing.B, n int) float64 {
	b.Helper()
	out := unshared(b, `
		n=$1
		begun=$(date +%s%N)
		i=0; while [ $i -lt $n ]; do echo "netns add n$i"; i=$((i+1)); done | ip -batch -
		i=0; while [ $i -lt $n ]; do echo "link add name h$i type veth peer name eth0 netns n$i"; i=$((i+1)); done | ip -batch -
		i=0; while [ $i -lt $n ]; do echo "link set dev h$i up"; i=$((i+1)); done | ip -batch -
		i=0; while [ $i -lt $n ]; do
			printf 'addr add 10.0.%d.%d/16 dev eth0\nlink set dev eth0 up\n' $(((i+256)/256)) $((i%256)) | ip -n n$i -batch -
			i=$((i+1))
		done
		echo $((($(date +%s%N) - begun) / 1000))`, strconv.Itoa(n))
	settle(b)
	us, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		b.Fatalf("ip -batch printed %q", out)
	}
	return us / 1000
}
