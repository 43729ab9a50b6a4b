package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// buildFloor compiles the floor; the benchmark needs gcc.
func buildFloor(b *testing.B) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "nsfloor")
	if out, err := exec.Command("gcc", "-O2", "-pthread", "-o", binary, "bench/nsfloor.c").CombinedOutput(); err != nil {
		b.Fatalf("compile bench/nsfloor.c: %v\n%s", err, out)
	}
	return binary
}

// runFloor is the floor: namespaces pinned by name, veths with both ends in place, addresses, up; one thread makes
// namespaces, another links. Quiet, both ends are without IPv6 link-local addresses and have one queue.
// Options are nsfloor's own, beside those.
func runFloor(b *testing.B, shape shape, binary string, n int, quiet bool, options ...string) started {
	b.Helper()
	cost := []string{"nq=0", "v6gen=0", "snoop=1"}
	if quiet {
		cost = []string{"nq=1", "v6gen=2", "snoop=0"}
	}
	args := append([]string{binary, fmt.Sprintf("n=%d", n), "reps=1", "wait=1", "group=1", "pipe=1", "td=ns", "bind=/run/netns"}, cost...)
	return runUnshared(b, n, `mkdir -p /run/netns; exec "$@"`, slices.Concat(args, shape.floor, options)...)
}

// runBatch is the same made by ip(8): one batch for the namespaces, one for the links, one for each node; and one that
// deletes the namespaces.
func runBatch(b *testing.B, shape shape, n int) started {
	b.Helper()
	return runUnshared(b, n, `
		n=$1 port="$2"
		now() { date +%s%N; }
		passed() { echo "$1 $((($2 - $3) / 10000))" | sed 's/..$/.&/'; }
		begun=$(now)
		i=0; while [ $i -lt $n ]; do echo "netns add n$i"; i=$((i+1)); done | ip -batch -
		[ -z "$port" ] || printf 'link add name br0 type bridge\nlink set dev br0 up\naddr add 10.0.0.1/16 dev br0\n' | ip -batch -
		i=0; while [ $i -lt $n ]; do echo "link add name h$i$port type veth peer name eth0 netns n$i"; i=$((i+1)); done | ip -batch -
		i=0; while [ $i -lt $n ]; do echo "link set dev h$i up"; i=$((i+1)); done | ip -batch -
		i=0; while [ $i -lt $n ]; do
			printf 'addr add 10.0.%d.%d/16 dev eth0\nlink set dev eth0 up\n' $(((i+256)/256)) $((i%256)) | ip -n n$i -batch -
			i=$((i+1))
		done
		passed up $(now) $begun
		cat > /dev/null
		begun=$(now)
		i=0; while [ $i -lt $n ]; do echo "netns del n$i"; i=$((i+1)); done | ip -batch -
		passed down $(now) $begun`, strconv.Itoa(n), shape.port)
}

// runMininet is the same made by Mininet, with its Linux bridge: http://mininet.org. It wants to be root, and sets limits of
// the whole machine where it can; here it cannot.
func runMininet(b *testing.B, n int) started {
	b.Helper()
	return runIn(b, n, []string{"--net", "--mount", "--propagation", "private"}, `
		mount -t sysfs none /sys
		mount --bind /proc/sys /proc/sys
		mount -o remount,bind,ro /proc/sys
		exec /usr/bin/python3 -c '
import sys, time
from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from mininet.topo import SingleSwitchTopo
begun = time.time()
net = Mininet(topo=SingleSwitchTopo(int(sys.argv[1])), switch=LinuxBridge, controller=None)
net.start()
print("up %.1f" % ((time.time() - begun) * 1000), flush=True)
sys.stdin.read()
begun = time.time()
net.stop()
print("down %.1f" % ((time.time() - begun) * 1000), flush=True)
' "$1"`, strconv.Itoa(n))
}

// mininetInstalled says whether there is a Mininet to measure.
func mininetInstalled() bool { return os.Getuid() == 0 && exists("/usr/bin/mn") }

// runUnshared runs a shell script in user, network and mount namespaces of its own, with an empty /run. The script prints
// "up MS", waits until its stdin ends, and may print "down MS".
func runUnshared(b *testing.B, n int, script string, args ...string) started {
	b.Helper()
	return runIn(b, n, []string{"--user", "--map-root-user", "--net", "--mount", "--propagation", "private"}, script, args...)
}

// runIn is runUnshared in the namespaces that unshare(1) makes for these options.
func runIn(b *testing.B, n int, namespaces []string, script string, args ...string) (s started) {
	b.Helper()
	argv := slices.Concat(namespaces, []string{"sh", "-ec", "mount -t tmpfs none /run; " + script, "sh"}, args)
	cmd := exec.Command("unshare", argv...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	before := kernelMemory(b)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	up := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) != 2 {
			continue // the floor's own table
		}
		ms, err := strconv.ParseFloat(fields[1], 64)
		switch {
		case err == nil && fields[0] == "up":
			up, s.start = true, ms
			s.kb = (kernelMemory(b) - before) / float64(n)
			in.Close()
		case err == nil && fields[0] == "more":
			s.more = append(s.more, ms)
		case err == nil && fields[0] == "reached":
			s.reached = ms
		case err == nil && fields[0] == "down":
			s.stop = ms
		}
	}
	io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil || !up {
		b.Fatalf("%s: %v\n%s", script, err, errs.Bytes())
	}
	return s
}

// settle waits until the kernel has cleaned up so many namespaces: the next round is not to pay for this one. It takes a
// millisecond for each, and nothing tells when it is over: what slabinfo(5) counts stays, as processors keep freed objects.
func settle(n int) { time.Sleep(100*time.Millisecond + time.Duration(n)*2*time.Millisecond) }

// slabs is slabinfo(5); empty where an ordinary user may not look.
func slabs() string {
	data, _ := os.ReadFile("/proc/slabinfo")
	return string(data)
}

// kernelMemory is what the kernel uses for objects of its own, in KB: the slab objects in use where slabinfo(5) may be
// read, else all slabs, free objects included; and the memory that each processor has of its own.
func kernelMemory(b *testing.B) float64 {
	b.Helper()
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		b.Fatal(err)
	}
	field := map[string]float64{}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 {
			field[fields[0]], _ = strconv.ParseFloat(fields[1], 64)
		}
	}
	inUse := 0.0
	for line := range strings.Lines(slabs()) {
		if fields := strings.Fields(line); len(fields) > 3 {
			objects, _ := strconv.ParseFloat(fields[1], 64)
			size, _ := strconv.ParseFloat(fields[3], 64)
			inUse += objects * size / 1024
		}
	}
	if inUse == 0 {
		inUse = field["Slab:"]
	}
	return inUse + field["Percpu:"]
}
