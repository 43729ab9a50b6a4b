package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/live"
	"vethlab/labengine/sandbox"
)

// BenchmarkEvents is the time from a kernel event in the running lab of red and blue to a page: through the lab process,
// its socket, the server and a websocket on loopback.
//
//	go test -run - -bench Events -benchtime 3x .
//
// An address or an ARP entry is stamped right before the netlink request that adds it, in the namespace; a frame by the
// kernel, when it arrives at the cable's end. All are stamped again when the message has been read, before it is parsed.
func BenchmarkEvents(b *testing.B) {
	v := openViewer(b)
	samples, idle := 100, 4*time.Second // for so long programs that start are looked at closely
	if testing.Short() {
		samples, idle = 10, 0
	}
	for _, kind := range []string{"address", "neighbour"} {
		b.Run(kind, func(b *testing.B) {
			var all rounds
			for range b.N {
				all = append(all, v.emitted(b, kind, samples, idle)...)
			}
			reportLatency(b, kind, all)
		})
	}
	b.Run("frame", func(b *testing.B) {
		var all rounds
		for range b.N {
			all = append(all, v.pinged(b, samples)...)
		}
		reportLatency(b, "frame", all)
	})
}

func reportLatency(b *testing.B, kind string, all rounds) {
	b.ReportMetric(0, "ns/op")
	for _, p := range []int{50, 99} {
		b.ReportMetric(all.percentile(p), fmt.Sprintf("ms-p%d", p))
	}
	latency.record(kind, all)
}

// percentile is what so many of a hundred are no more than.
func (r rounds) percentile(p int) float64 {
	sorted := slices.Sorted(slices.Values(r))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

// viewer is a websocket that looks at a running lab as a page does, and remembers when it heard of what.
type viewer struct {
	ws      *websocket.Conn
	process *sandbox.Process

	mu       sync.Mutex // guards what follows
	lab      labengine.Lab
	heard    map[string]time.Duration // addresses, by CLOCK_MONOTONIC
	frames   rounds                   // ms from the kernel's timestamp on
	finished chan *labengine.Reply
	running  chan struct{}
	failed   chan error // why no more is heard
}

// openViewer starts a server, the example of red and blue in it, and a viewer of it.
func openViewer(b *testing.B) *viewer {
	b.Helper()
	s := serveIn(b, b.TempDir())
	lab := s.newLab()
	s.must("POST", lab+"/start", "", nil)
	v := &viewer{
		ws: s.dial(lab + "/ws"), process: s.process(lab),
		heard: map[string]time.Duration{}, finished: make(chan *labengine.Reply, 1), running: make(chan struct{}),
		failed: make(chan error, 1),
	}
	done := make(chan struct{})
	b.Cleanup(func() { v.ws.Close(); <-done })
	go func() {
		defer close(done)
		v.read()
	}()
	v.ws.SetReadDeadline(time.Time{}) // a test's patience ends sooner
	select {
	case <-v.running:
	case err := <-v.failed:
		b.Fatal(err)
	}
	return v
}

func (v *viewer) read() {
	for {
		_, data, err := v.ws.ReadMessage()
		if err != nil {
			v.failed <- err
			return
		}
		at, wall := monotonic(), time.Now().UnixNano()
		var m labengine.Message
		if json.Unmarshal(data, &m) == nil {
			v.take(m, at, wall)
		}
	}
}

func (v *viewer) take(m labengine.Message, at time.Duration, wall int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	hear := func(what string) {
		if _, ok := v.heard[what]; !ok {
			v.heard[what] = at
		}
	}
	switch {
	case m.Snapshot != nil && v.lab.Nodes == nil:
		v.lab = m.Snapshot.Lab
		close(v.running)
	case m.Change != nil:
		for _, i := range m.Change.Patch.Interfaces {
			if i != nil {
				for _, a := range i.Addresses {
					hear(a)
				}
			}
		}
	case m.Live != nil:
		for _, n := range m.Live.Nodes {
			if n != nil {
				for _, entry := range n.Neighbours {
					hear(entry.IP)
				}
			}
		}
	case m.Frames != nil:
		for _, f := range m.Frames.Frames {
			if f.Protocol == "ICMP" {
				v.frames = append(v.frames, float64(wall-f.At)/1e6)
			}
		}
	case m.Reply != nil:
		v.finished <- m.Reply
	}
}

// emitted has [emit] run in red, and is the ms that each of its events took.
func (v *viewer) emitted(b *testing.B, kind string, count int, idle time.Duration) (took rounds) {
	b.Helper()
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		b.Fatal(err)
	}
	defer self.Close()
	out, in, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	conn, err := v.process.Dial(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	// The machine has other files than we do: it gets this program as stdin.
	run := live.ExecRequest{Node: "red", Argv: []string{
		"sh", "-c", `exec /proc/self/fd/0 emit "$@"`, "sh", kind, "veth-red", strconv.Itoa(count), idle.String(),
	}}
	ended := make(chan error, 1)
	go func() {
		defer in.Close()
		_, err := live.Exec(conn.(*net.UnixConn), run, self, in, os.Stderr)
		ended <- err
	}()
	sent := map[string]time.Duration{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var what string
		var at int64
		if _, err := fmt.Sscan(lines.Text(), &what, &at); err != nil {
			b.Fatalf("emit said %q", lines.Text())
		}
		sent[what] = time.Duration(at)
	}
	if err := <-ended; err != nil || len(sent) != count {
		b.Fatalf("emit sent %d of %d: %v", len(sent), count, err)
	}
	time.Sleep(100 * time.Millisecond)
	select {
	case err := <-v.failed:
		b.Fatal(err)
	default:
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for what, at := range sent {
		heard, ok := v.heard[what]
		if !ok { // it was gone before anybody saw it: it would have taken longer than that
			heard = at + emitGap
		}
		took = append(took, float64((heard-at).Microseconds())/1000)
	}
	clear(v.heard)
	return took
}

// pinged has red ping blue, and is the ms that each frame took.
func (v *viewer) pinged(b *testing.B, count int) rounds {
	b.Helper()
	v.mu.Lock()
	v.frames = nil
	red, err := v.lab.FindNode("red")
	v.mu.Unlock()
	if err != nil {
		b.Fatal(err)
	}
	err = v.ws.WriteJSON(labengine.Request{ID: "ping", Ping: &labengine.Ping{
		From: red.ID, To: "192.168.15.2", Count: count, Interval: 37, // no multiple of the tick
	}})
	if err != nil {
		b.Fatal(err)
	}
	select {
	case reply := <-v.finished:
		if reply.Problem != nil {
			b.Fatal(reply.Problem)
		}
	case err := <-v.failed:
		b.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.frames) == 0 {
		b.Fatal("no frames were shown")
	}
	return v.frames
}

// emitGap is between two events of [emit], so that each meets a lab that has nothing else to do.
const emitGap = 15 * time.Millisecond

// emit adds addresses or neighbours to a device of its namespace, one after the other, and prints each with the time at
// which the kernel was asked. It is run in a lab by [viewer.emitted].
func emit(args []string, out io.Writer) error {
	if len(args) != 4 {
		return errors.New("emit KIND DEVICE COUNT WAIT")
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	wait, err := time.ParseDuration(args[3])
	if err != nil {
		return err
	}
	kernel, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	device, err := kernel.LinkByName(args[1])
	if err != nil {
		return err
	}
	time.Sleep(wait)
	for i := range count {
		ip := net.IPv4(10, 77, byte(i/200), byte(i%200+1))
		text := ip.String()
		add, remove := func() error { return nil }, func() error { return nil }
		switch args[0] {
		case "address":
			address := &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: net.CIDRMask(32, 32)}}
			text += "/32"
			add, remove = func() error { return kernel.AddrAdd(device, address) }, func() error { return kernel.AddrDel(device, address) }
		case "neighbour":
			entry := &netlink.Neigh{
				LinkIndex: device.Attrs().Index, IP: ip, HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, byte(i)}, State: netlink.NUD_STALE,
			}
			add, remove = func() error { return kernel.NeighAdd(entry) }, func() error { return kernel.NeighDel(entry) }
		}
		at := monotonic()
		if err := add(); err != nil {
			return err
		}
		fmt.Fprintln(out, text, int64(at))
		time.Sleep(emitGap)
		if err := remove(); err != nil {
			return err
		}
		time.Sleep(emitGap)
	}
	return nil
}

// monotonic is CLOCK_MONOTONIC, which all processes of the machine share.
func monotonic() time.Duration {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return time.Duration(t.Nano())
}
