package capture

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vethlab/labengine"
)

func command(words ...string) error {
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(words, " "), err, out)
	}
	return nil
}

// screen is what a page would have got.
type screen struct {
	mu       sync.Mutex
	messages []labengine.Frames
	changed  chan struct{}
}

func (s *screen) send(f labengine.Frames) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, f)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *screen) frames() (all []labengine.Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		all = append(all, m.Frames...)
	}
	return all
}

// until waits for a message that makes it true.
func (s *screen) until(t testing.TB, what string, true func() bool) {
	t.Helper()
	late := time.After(20 * time.Second)
	for !true() {
		select {
		case <-s.changed:
		case <-late:
			t.Fatalf("20 s without %s", what)
		}
	}
}

const redKey, blueKey = 1, 2

// watch taps both ends of a cable; a page calls them "red" and "blue".
func watch(t testing.TB, red, blue end) (*Tap, *screen) {
	t.Helper()
	s := &screen{changed: make(chan struct{}, 1)}
	tap := NewTap(Config{
		Interface: func(netns uint64, ifindex int) labengine.ID {
			switch {
			case netns == redKey && ifindex == red.index:
				return "red"
			case netns == blueKey && ifindex == blue.index:
				return "blue"
			}
			return ""
		},
		Send: s.send,
	})
	t.Cleanup(tap.Close)
	for key, e := range map[uint64]end{redKey: red, blueKey: blue} {
		if err := tap.Add(key, again(t, e.ns)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tap.Start(); err != nil {
		t.Fatal(err)
	}
	return tap, s
}

// again is another file for the same namespace: a tap takes over what it is given.
func again(t testing.TB, ns *os.File) *os.File {
	t.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", ns.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPingIsFourFrames(t *testing.T) {
	leaveNothing(t)
	red, blue := cable(t)
	tap, screen := watch(t, red, blue)
	run(t, red.ns, "ping -n -c1 -W5 192.168.15.2")
	screen.until(t, "four frames", func() bool { return len(screen.frames()) >= 4 })
	newSender(t, red).send(t, bulk(red, blue, 60)) // a fifth would have come before this one
	screen.until(t, "the last frame", func() bool { return len(screen.frames()) >= 5 })
	tap.Close()

	frames := screen.frames()
	var got []string
	for _, f := range frames {
		got = append(got, fmt.Sprintf("%d %s %s %s > %s %d B reply=%v", f.No, f.To, f.Protocol, f.Source, f.Target, f.Length, f.Reply))
	}
	want := []string{
		"1 blue ARP 192.168.15.1 > 192.168.15.2 42 B reply=false",
		"2 red ARP 192.168.15.2 > 192.168.15.1 42 B reply=true",
		"3 blue ICMP 192.168.15.1 > 192.168.15.2 98 B reply=false",
		"4 red ICMP 192.168.15.2 > 192.168.15.1 98 B reply=true",
		"5 blue 0x88b5 02:00:00:00:00:01 > 02:00:00:00:00:02 60 B reply=false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !slices.IsSortedFunc(frames, func(a, b labengine.Frame) int {
		if a.At < b.At {
			return -1
		}
		return 1
	}) {
		t.Errorf("timestamps do not increase: %+v", frames)
	}
}

// A ping shows through a flood, the flood is counted, and the end of it is told.
func TestFloodIsThinned(t *testing.T) {
	leaveNothing(t)
	red, blue := cable(t)
	_, screen := watch(t, red, blue)
	stop, sending := make(chan struct{}), make(chan int)
	s, frame := newSender(t, red), bulk(red, blue, 1000)
	begin := time.Now()
	go func() {
		sent := 0
		for tick := time.NewTicker(time.Millisecond); ; sent += 50 {
			select {
			case <-stop:
				tick.Stop()
				sending <- sent
				return
			case <-tick.C:
				for range 50 {
					s.send(t, frame)
				}
			}
		}
	}()
	run(t, red.ns, "ping -n -c3 -i0.3 -W5 192.168.15.2")
	count := func() (busy, over int) {
		screen.mu.Lock()
		defer screen.mu.Unlock()
		for _, m := range screen.messages {
			for _, r := range m.Rates {
				switch {
				case r.To != "blue":
				case r.Packets == 0:
					over++
				default:
					busy++
				}
			}
		}
		return busy, over
	}
	screen.until(t, "two rates", func() bool { busy, _ := count(); return busy >= 2 })
	close(stop)
	sent := <-sending
	screen.until(t, "word of the end", func() bool { _, over := count(); return over > 0 })
	windows := int(time.Since(begin)/window) + 2

	pings, singly := 0, 0
	for _, f := range screen.frames() {
		switch f.Protocol {
		case "ICMP":
			pings++
		case "0x88b5":
			singly++
		}
	}
	if pings != 6 {
		t.Errorf("%d of 6 ICMP frames shown", pings)
	}
	if singly == 0 || singly > windows*maxBulk {
		t.Errorf("%d frames of the flood shown singly in %d windows", singly, windows)
	}
	packets, bits, shown := 0.0, 0.0, 0
	screen.mu.Lock()
	defer screen.mu.Unlock()
	for i, m := range screen.messages {
		for _, r := range m.Rates {
			if r.To == "blue" {
				packets, bits, shown = packets+r.Packets*rateTime.Seconds(), bits+r.Bits*rateTime.Seconds(), shown+r.Shown
			}
		}
		if m.Frames == nil {
			t.Errorf("message %d has null for frames", i)
		}
	}
	const others = 16 // ARP and ICMP
	if int(packets) < sent || int(packets) > sent+others {
		t.Errorf("%.0f packets counted of %d", packets, sent)
	}
	if bits < float64(sent*8000) {
		t.Errorf("%.0f bits counted of %d", bits, sent*8000)
	}
	if shown < singly || shown > singly+others {
		t.Errorf("%d frames counted as shown, %d were", shown, singly)
	}
}

func TestNothingIsCapturedWhileNobodyLooks(t *testing.T) {
	leaveNothing(t)
	red, blue := cable(t)
	tap, screen := watch(t, red, blue)
	tap.Stop()
	files := openFiles(t)
	s := newSender(t, red)
	s.send(t, bulk(red, blue, 60))
	if err := tap.Start(); err != nil {
		t.Fatal(err)
	}
	if now := openFiles(t); now != files+5 { // two files for each of two rings, and the sender
		t.Errorf("%d files while it runs, %d while it did not", now, files)
	}
	s.send(t, bulk(red, blue, 61))
	screen.until(t, "a frame", func() bool { return len(screen.frames()) > 0 })
	if f := screen.frames(); len(f) != 1 || f[0].Length != 61 {
		t.Errorf("want the second frame alone: %+v", f)
	}
	tap.Remove(blueKey)
	s.send(t, bulk(red, blue, 62))
	newSender(t, blue).send(t, bulk(blue, red, 63))
	screen.until(t, "another frame", func() bool { return len(screen.frames()) > 1 })
	if f := screen.frames(); len(f) != 2 || f[1].Length != 63 {
		t.Errorf("want none of the namespace that was removed: %+v", f)
	}
}

func TestDue(t *testing.T) {
	now := time.Unix(1000, 0)
	frames := func(ages ...time.Duration) (all []labengine.Frame) {
		for _, age := range ages {
			all = append(all, labengine.Frame{At: now.Add(-age).UnixNano()})
		}
		return all
	}
	for _, c := range []struct {
		name   string
		frames []labengine.Frame
		want   int
	}{
		{"none", nil, 0},
		{"one that another ring's may still precede", frames(hold - 1), 0},
		{"one that has waited", frames(hold), 1},
		{"some of each", frames(time.Second, hold+1, hold, hold-1, 0), 3},
		{"the clock was set back", frames(time.Second, 0, -time.Hour), 3},
	} {
		if got := due(c.frames, now); got != c.want {
			t.Errorf("%s: %d due, want %d", c.name, got, c.want)
		}
	}
}
