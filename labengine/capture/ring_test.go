package capture

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// start runs a ring until the test ends.
func start(t testing.TB, ns *os.File, size int, frame func(Captured)) *Ring {
	t.Helper()
	ring, err := Open(ns, size)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		ring.Run(frame, func() {})
	}()
	t.Cleanup(func() {
		ring.Stop()
		<-done
		ring.Close()
	})
	return ring
}

func TestRingSeesWhatArrivesOnce(t *testing.T) {
	leaveNothing(t)
	red, blue := cable(t)
	type seen struct {
		Captured
		where string
	}
	var mu sync.Mutex
	var all []seen
	arrived := make(chan struct{}, 16)
	note := func(where string) func(Captured) {
		return func(c Captured) {
			c.Data = bytes.Clone(c.Data)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, seen{c, where})
			arrived <- struct{}{}
		}
	}
	start(t, red.ns, 0, note("red"))
	start(t, blue.ns, 0, note("blue"))
	before := time.Now().UnixNano()
	frame := bulk(red, blue, 1000)
	newSender(t, red).send(t, frame)
	await(t, arrived)
	after := time.Now().UnixNano()
	newSender(t, blue).send(t, bulk(blue, red, 60)) // what was captured wrongly has come before this one
	await(t, arrived)
	mu.Lock()
	defer mu.Unlock()
	if len(all) != 2 || all[0].where != "blue" || all[1].where != "red" {
		t.Fatalf("want one frame at blue, then one at red: %+v", all)
	}
	c := all[0].Captured
	if c.Ifindex != blue.index || c.Length != 1000 || !bytes.Equal(c.Data, frame[:Snap]) {
		t.Errorf("at %d, %d bytes, % x", c.Ifindex, c.Length, c.Data)
	}
	if c.At < before || c.At > after {
		t.Errorf("captured at %d, sent and seen within %d..%d", c.At, before, after)
	}
	if c := all[1].Captured; c.Length != 60 || len(c.Data) != 60 {
		t.Errorf("a frame of 60 bytes: length %d, %d bytes of it", c.Length, len(c.Data))
	}
}

// The kernel takes the tag out of the frame before it is captured; people want to see it.
func TestRingPutsVLANTagBack(t *testing.T) {
	red, blue := cable(t)
	got := make(chan Captured, 4)
	start(t, blue.ns, 0, func(c Captured) {
		c.Data = bytes.Clone(c.Data)
		got <- c
	})
	for _, length := range []int{64, 1000} {
		plain := bulk(red, blue, length)
		frame := slices.Concat(plain[:12], []byte{0x81, 0x00, 0x20, 0x0a}, plain[12:])
		newSender(t, red).send(t, frame)
		if c := await(t, got); c.Length != length+4 || !bytes.Equal(c.Data, frame[:min(len(frame), Snap)]) {
			t.Errorf("length %d, want %d; data\n% x, want\n% x", c.Length, length+4, c.Data, frame[:min(len(frame), Snap)])
		}
	}
}

func TestRingIgnoresLoopback(t *testing.T) {
	red, blue := cable(t)
	got := make(chan Captured, 16)
	start(t, red.ns, 0, func(c Captured) { got <- c })
	enter(t, red.ns, func() error {
		out := command("ip", "link", "set", "dev", "lo", "up")
		return errors.Join(out, command("ping", "-n", "-c1", "127.0.0.1"))
	})
	newSender(t, blue).send(t, bulk(blue, red, 60))
	if c := await(t, got); c.Ifindex != red.index {
		t.Errorf("captured at interface %d, which is no cable's end", c.Ifindex)
	}
}

// Whatever is lost is counted: captured and missed are all that was sent.
func TestRingCountsWhatItMisses(t *testing.T) {
	leaveNothing(t)
	red, blue := cable(t)
	var captured atomic.Int64
	gate := make(chan struct{})
	first := make(chan struct{}, 1)
	ring := start(t, blue.ns, blockSize, func(Captured) {
		if captured.Add(1) == 1 {
			first <- struct{}{}
		}
		<-gate
	})
	const sent = 2000 // the ring holds 256
	s, frame := newSender(t, red), bulk(red, blue, 64)
	for range sent {
		s.send(t, frame)
	}
	await(t, first)
	close(gate)
	var missed uint64
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		missed += ring.Missed()
		if captured.Load()+int64(missed) == sent {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d captured and %d missed of %d", captured.Load(), missed, sent)
		}
	}
	if missed == 0 {
		t.Error("a ring of 256 slots that nobody read took 2,000 frames")
	}
}

// In a flood there is always a frame left; the ring still stops, and says that it is idle.
func TestRingStopsInAFlood(t *testing.T) {
	leaveNothing(t)
	red, blue := cable(t)
	stop, sending := make(chan struct{}), make(chan struct{})
	s, frame := newSender(t, red), bulk(red, blue, 64)
	go func() {
		defer close(sending)
		for {
			select {
			case <-stop:
				return
			default:
				s.send(t, frame)
			}
		}
	}()
	defer func() { close(stop); <-sending }()
	ring, err := Open(blue.ns, blockSize)
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Close()
	idle, done := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(done)
		ring.Run(func(Captured) {
			spin(20 * time.Microsecond) // slower than the sender
		}, func() {
			select {
			case idle <- struct{}{}:
			default:
			}
		})
	}()
	await(t, idle)
	await(t, idle)
	ring.Stop()
	await(t, done)
}

func TestOpenRefuses(t *testing.T) {
	leaveNothing(t)
	file, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := Open(file, 0); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a file that is no namespace: %v, want EINVAL", err)
	}
}

func spin(d time.Duration) {
	for begin := time.Now(); time.Since(begin) < d; {
	}
}

func await[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came in 20 s")
		panic("not reached")
	}
}
