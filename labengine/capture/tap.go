package capture

import (
	"cmp"
	"os"
	"slices"
	"sync"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/packet"
)

// The times of a tap.
const (
	tick = 16 * time.Millisecond // at most one message in this time: a page draws no faster
	hold = 4 * time.Millisecond  // a frame waits so long for earlier ones from other rings: two cores that are busy
	// run another ring's reader so late at worst
	window   = 500 * time.Millisecond // frames are thinned out per cable and direction in windows of this length
	rateTime = 250 * time.Millisecond // busy cables are counted in steps of this length
)

// How many frames of a cable and direction are sent singly in each window; the rest is counted.
const (
	maxBulk      = 4  // 8 a second
	maxImportant = 60 // ARP, ND, ICMP, DHCP, and the TCP segments that open and close connections
)

// The memory of a lab's rings, in bytes. A large lab gets smaller ones: 1,000 namespaces have 64 MiB.
const (
	allRings = 32 << 20
	maxRing  = 512 << 10
	minRing  = blockSize
)

// Config is what a tap needs to know.
type Config struct {
	// Interface is which interface a link of a namespace is; "" for one that no cable ends at, whose frames are passed
	// over. It is called by several goroutines at once, and must not block.
	Interface func(netns uint64, ifindex int) labengine.ID
	// Send takes the frames of one message, in the order in which they arrived. It is called by one goroutine at a time.
	Send func(labengine.Frames)
}

// Tap is the stream of frames of a lab. Nothing is captured before Start and after Stop. One goroutine at a time may call
// its methods.
type Tap struct {
	config Config

	spaces map[uint64]*space // of the goroutine that calls the methods

	mu      sync.Mutex // guards what follows; never held while a ring is opened or closed
	running bool
	flows   map[labengine.ID]*flow
	pending []labengine.Frame
	counted uint64 // frames numbered so far
	missed  uint64
	sent    time.Time
	timer   *time.Timer // set while something is pending
	rates   *time.Timer // set while something is counted

	sending sync.Mutex // held while Send runs
}

// space is a namespace of the lab, with its ring while the tap runs.
type space struct {
	netns *os.File
	ring  *Ring
	done  chan struct{} // closed when the ring's goroutine has ended
}

// flow is what crosses a cable in one direction.
type flow struct {
	windowStart     int64 // ns since 1970
	bulk, important int   // sent singly in this window
	packets, bits   uint64
	shown           int
	told            bool // the last rate that was sent was not zero
}

// NewTap makes a tap that has no namespaces yet, and does not run.
func NewTap(c Config) *Tap {
	return &Tap{config: c, spaces: map[uint64]*space{}, flows: map[labengine.ID]*flow{}}
}

// Add takes in a namespace, and takes over its file. One that it has already is passed over. An error is that of a ring
// that could not be opened, and wraps its errno; Start tries again.
func (t *Tap) Add(netns uint64, file *os.File) error {
	if _, ok := t.spaces[netns]; ok {
		return file.Close()
	}
	s := &space{netns: file}
	t.spaces[netns] = s
	if t.isRunning() {
		return t.open(netns, s)
	}
	return nil
}

// Remove lets go of a namespace, and returns when its ring is closed.
func (t *Tap) Remove(netns uint64) {
	if s, ok := t.spaces[netns]; ok {
		delete(t.spaces, netns)
		s.close()
		s.netns.Close()
	}
}

// Start captures from now on. The first error is returned, and the namespaces without one are captured.
func (t *Tap) Start() error {
	t.run(true)
	var mu sync.Mutex // guards first
	var first error
	t.each(func(key uint64, s *space) {
		err := t.open(key, s)
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = err
		}
	})
	return first
}

// ringsAtOnce is how many rings are opened or closed side by side. Each waits for RCU grace periods, packet_set_ring and
// packet_release in net/packet/af_packet.c, some 25 ms; those that wait together wait once.
const ringsAtOnce = 128

// each calls f for all namespaces, side by side, and returns when it has been called for all.
func (t *Tap) each(f func(key uint64, s *space)) {
	var calls sync.WaitGroup
	places := make(chan struct{}, ringsAtOnce)
	for key, s := range t.spaces {
		places <- struct{}{}
		calls.Go(func() {
			f(key, s)
			<-places
		})
	}
	calls.Wait()
}

// Stop ends the capture, and returns when all rings are closed. What has not been sent is dropped. A Send that is under
// way goes on.
func (t *Tap) Stop() {
	t.run(false)
	for _, s := range t.spaces {
		if s.ring != nil {
			s.ring.Stop() // all first, so that they end side by side
		}
	}
	t.each(func(_ uint64, s *space) { s.close() })
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending, t.missed = nil, 0
	clear(t.flows)
	for _, timer := range []**time.Timer{&t.timer, &t.rates} {
		if *timer != nil {
			(*timer).Stop()
			*timer = nil
		}
	}
}

func (t *Tap) run(running bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = running
}

func (t *Tap) isRunning() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.running
}

// Close stops the tap and lets go of every namespace. No Send runs when it returns; so Send must not call it.
func (t *Tap) Close() {
	t.Stop()
	for key := range t.spaces {
		t.Remove(key)
	}
	t.sending.Lock() // a last Send has ended
	defer t.sending.Unlock()
}

// open makes the ring of a namespace and reads it.
func (t *Tap) open(key uint64, s *space) error {
	if s.ring != nil {
		return nil
	}
	ring, err := Open(s.netns, min(maxRing, max(minRing, allRings/len(t.spaces))))
	if err != nil {
		return err
	}
	s.ring, s.done = ring, make(chan struct{})
	go func() {
		defer close(s.done)
		t.read(key, ring)
	}()
	return nil
}

func (s *space) close() {
	if s.ring == nil {
		return
	}
	s.ring.Stop()
	<-s.done
	s.ring.Close()
	s.ring = nil
}

// read takes a ring's frames until it is stopped.
func (t *Tap) read(key uint64, ring *Ring) {
	var decoder packet.Decoder
	var batch []labengine.Frame
	var missed uint64
	ring.Run(func(c Captured) {
		id := t.config.Interface(key, c.Ifindex)
		if id == "" || !t.admit(id, c) {
			return
		}
		s := decoder.Decode(c.Data, c.Length)
		batch = append(batch, labengine.Frame{
			At: c.At, To: id, Length: c.Length, Protocol: s.Protocol, Source: s.Source, Target: s.Target,
			Info: s.Info, Brief: s.Brief, Reply: s.Reply, Flags: s.Flags, Data: slices.Clone(c.Data),
		})
	}, func() {
		missed = ring.Missed()
		if len(batch) > 0 || missed > 0 {
			t.take(batch, missed)
			batch = nil
		}
	})
}

// admit counts a frame, and says whether it is sent singly.
func (t *Tap) admit(id labengine.ID, c Captured) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, ok := t.flows[id]
	if !ok {
		f = &flow{}
		t.flows[id] = f
	}
	// a clock that is set back starts a window too
	if since := c.At - f.windowStart; since >= int64(window) || since <= -int64(window) {
		f.windowStart, f.bulk, f.important = c.At, 0, 0
	}
	f.packets++
	f.bits += uint64(c.Length) * 8
	if t.rates == nil && t.running {
		t.rates = time.AfterFunc(rateTime, t.sendRates)
	}
	singly := false
	if packet.Important(c.Data) {
		f.important++
		singly = f.important <= maxImportant
	} else {
		f.bulk++
		singly = f.bulk <= maxBulk
	}
	if singly {
		f.shown++
	}
	return singly
}

// take queues frames, and has them sent: as soon as earlier ones from other rings must have come, and a tick after the
// message before.
func (t *Tap) take(frames []labengine.Frame, missed uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.running {
		return
	}
	t.pending = append(t.pending, frames...)
	t.missed += missed
	if t.timer == nil {
		t.timer = time.AfterFunc(max(hold, time.Until(t.sent.Add(tick))), t.send)
	}
}

func (t *Tap) send() {
	t.sending.Lock()
	defer t.sending.Unlock()
	t.mu.Lock()
	now := time.Now()
	t.timer, t.sent = nil, now
	slices.SortStableFunc(t.pending, func(a, b labengine.Frame) int { return cmp.Compare(a.At, b.At) })
	due := due(t.pending, now)
	m := labengine.Frames{Frames: t.pending[:due:due], Missed: t.missed}
	t.pending, t.missed = t.pending[due:], 0
	if len(t.pending) > 0 {
		t.timer = time.AfterFunc(tick, t.send)
	}
	for i := range m.Frames {
		t.counted++
		m.Frames[i].No = t.counted
	}
	t.mu.Unlock()
	if m.Frames == nil {
		m.Frames = []labengine.Frame{}
	}
	if len(m.Frames) > 0 || m.Missed > 0 {
		t.config.Send(m)
	}
}

// due is how many of the sorted frames have waited long enough for earlier ones from other rings. One from the future says
// that the clock was set back: then all are due.
func due(frames []labengine.Frame, now time.Time) int {
	if n := len(frames); n == 0 || frames[n-1].At > now.UnixNano() {
		return n
	}
	limit := now.Add(-hold).UnixNano()
	n, _ := slices.BinarySearchFunc(frames, limit+1, func(f labengine.Frame, at int64) int { return cmp.Compare(f.At, at) })
	return n
}

// sendRates tells of cables on which more has crossed than was sent singly, and once more when that is over.
func (t *Tap) sendRates() {
	t.sending.Lock()
	defer t.sending.Unlock()
	t.mu.Lock()
	t.rates = nil
	var m labengine.Frames
	again := false
	for id, f := range t.flows {
		busy := f.packets > uint64(f.shown)
		if busy || f.told {
			m.Rates = append(m.Rates, labengine.Rate{
				To: id, Packets: float64(f.packets) / rateTime.Seconds(), Bits: float64(f.bits) / rateTime.Seconds(), Shown: f.shown,
			})
		}
		f.told = busy
		again = again || f.packets > 0 || busy
		f.packets, f.bits, f.shown = 0, 0, 0
	}
	if again && t.running {
		t.rates = time.AfterFunc(rateTime, t.sendRates)
	}
	t.mu.Unlock()
	if len(m.Rates) > 0 {
		slices.SortFunc(m.Rates, func(a, b labengine.Rate) int { return cmp.Compare(a.To, b.To) })
		m.Frames = []labengine.Frame{}
		t.config.Send(m)
	}
}
