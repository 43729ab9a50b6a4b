package capture

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"vethlab/labengine"
)

// BenchmarkDrain is what the reader spends per frame of a full ring. The frames are sent before; only the reading is
// timed.
func BenchmarkDrain(b *testing.B) {
	red, blue := cable(b)
	s, frame := newSender(b, red), bulk(red, blue, 64)
	tap := NewTap(Config{
		Interface: func(uint64, int) labengine.ID { return "blue" },
		Send:      func(labengine.Frames) {},
	})
	defer tap.Close()
	for name, take := range map[string]func(Captured){
		"ring": func(Captured) {},
		"tap":  func(c Captured) { tap.admit("blue", c) },
	} {
		b.Run(name, func(b *testing.B) {
			const frames = 1000
			ring, err := Open(blue.ns, maxRing)
			if err != nil {
				b.Fatal(err)
			}
			defer ring.Close()
			var spent time.Duration
			for b.Loop() {
				for range frames {
					s.send(b, frame)
				}
				n, begin := 0, time.Now()
				ring.Run(func(c Captured) {
					take(c)
					n++
				}, func() {
					if n >= frames {
						spent += time.Since(begin)
						ring.Stop()
					}
				})
				ring.bell.SetReadDeadline(time.Time{})
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N*frames), "ns/frame")
		})
	}
}

// BenchmarkLoneFrame is the time from the kernel's timestamp of a frame on an idle cable to the reader, and to Send.
func BenchmarkLoneFrame(b *testing.B) {
	red, blue := cable(b)
	s, frame := newSender(b, red), bulk(red, blue, 64)
	report := func(b *testing.B, all []time.Duration) {
		slices.Sort(all)
		for _, p := range []int{50, 99} {
			b.ReportMetric(float64(all[len(all)*p/100].Microseconds()), fmt.Sprintf("µs-p%d", p))
		}
	}
	b.Run("ring", func(b *testing.B) {
		seen := make(chan time.Duration, 1)
		start(b, blue.ns, maxRing, func(c Captured) { seen <- time.Duration(time.Now().UnixNano() - c.At) })
		var all []time.Duration
		for b.Loop() {
			s.send(b, frame)
			all = append(all, await(b, seen))
			time.Sleep(time.Millisecond)
		}
		report(b, all)
	})
	b.Run("tap", func(b *testing.B) {
		seen := make(chan time.Duration, 1)
		tap := NewTap(Config{
			Interface: func(uint64, int) labengine.ID { return "blue" },
			Send: func(f labengine.Frames) {
				if len(f.Frames) > 0 {
					seen <- time.Duration(time.Now().UnixNano() - f.Frames[0].At)
				}
			},
		})
		b.Cleanup(tap.Close)
		if err := tap.Add(blueKey, again(b, blue.ns)); err != nil {
			b.Fatal(err)
		}
		if err := tap.Start(); err != nil {
			b.Fatal(err)
		}
		var all []time.Duration
		for b.Loop() {
			s.send(b, frame)
			all = append(all, await(b, seen))
			time.Sleep(window/maxBulk + tick) // else it is thinned
		}
		report(b, all)
	})
}

// BenchmarkFlood sends as fast as one core can, and says what the tap missed.
func BenchmarkFlood(b *testing.B) {
	red, blue := cable(b)
	s, frame := newSender(b, red), bulk(red, blue, 64)
	for _, watched := range []bool{false, true} {
		b.Run(fmt.Sprintf("watched=%v", watched), func(b *testing.B) {
			var missed uint64
			tap := NewTap(Config{
				Interface: func(uint64, int) labengine.ID { return "blue" },
				Send:      func(f labengine.Frames) { missed += f.Missed },
			})
			if watched {
				if err := tap.Add(blueKey, again(b, blue.ns)); err != nil {
					b.Fatal(err)
				}
				if err := tap.Start(); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				s.send(b, frame)
			}
			b.StopTimer()
			time.Sleep(2 * tick)
			tap.Close()
			b.ReportMetric(100*float64(missed)/float64(b.N), "%missed")
		})
	}
}
