// Package probe asks the network from inside a network namespace: who answers an ICMP echo request, and who has an IPv4
// address. Neither needs a process in the namespace: a thread enters it to open the socket, and goes back at once.
package probe

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// Ping sends ICMP echo requests, RFC 792 and RFC 4443, from a network namespace, as ping(8) does. It calls report from
// the calling goroutine, once for each request sent, in the order in which they are answered or given up; the event's
// Request is left to the caller. Why there was no answer is told apart: there is no route; nobody has answered ARP or NDP
// for the next hop; somebody has refused it, and who; and silence, which is a "timeout".
//
// The summary is ping's. When ctx ends, so does the ping at once, without an event for requests still under way, with
// its summary and no error. Else errors are of type [*labengine.Problem]: CodeBadAddress, CodeBadRequest for a limit
// of [labengine.Ping] that is not kept, CodeRefused by the kernel.
func Ping(ctx context.Context, ns *os.File, p labengine.Ping, report func(labengine.ProbeEvent)) (summary string, err error) {
	to, err := netip.ParseAddr(p.To)
	if err != nil {
		return "", labengine.Problemf(labengine.CodeBadAddress, "`%s` is not an address", p.To).
			About(p.From, "to").WithHint("write it as 192.168.15.2 or fd00::2")
	}
	if p.Count < 1 || p.Count > 100 {
		return "", labengine.Problemf(labengine.CodeBadRequest, "a ping sends 1 to 100 requests, not %d", p.Count).About(p.From, "count")
	}
	interval, err := milliseconds(p, "interval", p.Interval)
	if err != nil {
		return "", err
	}
	timeout, err := milliseconds(p, "timeout", p.Timeout)
	if err != nil {
		return "", err
	}
	socket, err := openEcho(ns, to.Unmap())
	if err != nil {
		return "", err
	}
	defer socket.close()
	cancelled, err := newSignal(ctx)
	if err != nil {
		return "", err
	}
	defer cancelled.close()
	r := &run{echo: socket, hops: hops{ns: ns}, report: report}
	defer r.hops.close()
	err = r.loop(ctx, cancelled, p.Count, interval, timeout)
	return r.summary(), err
}

// milliseconds holds a span to the limits of [labengine.Ping].
func milliseconds(p labengine.Ping, field string, ms int) (time.Duration, error) {
	switch {
	case ms == 0:
		return time.Second, nil
	case ms < 10 || ms > 10000:
		return 0, labengine.Problemf(labengine.CodeBadRequest, "a ping's %s is 10 to 10000 ms, not %d", field, ms).About(p.From, field)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// run is a ping under way.
type run struct {
	echo     *echo
	hops     hops
	report   func(labengine.ProbeEvent)
	waiting  []request // oldest first
	sent     int
	received int
	min, max time.Duration
	sum      time.Duration
}

// request is an echo request that nobody has answered yet.
type request struct {
	seq int
	at  time.Time // by both clocks: the kernel's stamps are of the wall's
}

func (r *run) loop(ctx context.Context, cancelled *signal, count int, interval, timeout time.Duration) error {
	next := time.Now()
	for ctx.Err() == nil {
		now := time.Now() // before collecting, so that what came in time counts however late it is looked at
		r.collect()
		for len(r.waiting) > 0 && now.Sub(r.waiting[0].at) >= timeout {
			r.finish(answer{seq: r.waiting[0].seq, err: timedOut})
		}
		if r.sent < count && !now.Before(next) {
			r.send()
			next = now.Add(interval)
			continue
		}
		if r.sent == count && len(r.waiting) == 0 {
			return nil
		}
		until := next
		if len(r.waiting) > 0 {
			if deadline := r.waiting[0].at.Add(timeout); r.sent == count || deadline.Before(next) {
				until = deadline
			}
		}
		if err := cancelled.or(r.echo.fd, time.Until(until)); err != nil {
			return err
		}
	}
	return nil
}

// sendTries is how often a send is tried: one that fails may have been told the error of an earlier request.
const sendTries = 3

func (r *run) send() {
	r.sent++
	seq := r.sent
	var err error
	for range sendTries {
		r.failures()
		at := time.Now()
		if err = r.echo.send(seq); err == nil {
			r.waiting = append(r.waiting, request{seq, at})
			return
		}
	}
	r.report(labengine.ProbeEvent{Seq: seq, Error: r.why(sendWords(err))})
}

const timedOut = "timeout"

// why says more of an error that may be for want of a neighbour.
func (r *run) why(err string) string {
	if err != timedOut && err != hostUnreachable {
		return err
	}
	switch unanswered := r.hops.unanswered(r.echo.to, r.echo.zoneID()); {
	case unanswered == "":
		return err
	case err == timedOut:
		return unanswered
	default:
		return err + ": " + unanswered
	}
}

// collect reports what has come in.
func (r *run) collect() {
	r.failures()
	for {
		a, ok, err := r.echo.receive()
		switch {
		case err != nil: // the error of a request, told once here and in full in the queue of errors
			r.failures()
		case !ok:
			return
		default:
			r.finish(a)
		}
	}
}

// failures reports what the queue of errors holds.
func (r *run) failures() {
	for {
		a, ok := r.echo.failure()
		if !ok {
			return
		}
		r.finish(a)
	}
}

// finish reports how a request ended, once: what comes later, or twice, comes to nobody.
func (r *run) finish(a answer) {
	i := slices.IndexFunc(r.waiting, func(q request) bool { return q.seq == a.seq })
	if i < 0 {
		return
	}
	sent := r.waiting[i].at
	r.waiting = slices.Delete(r.waiting, i, i+1)
	e := labengine.ProbeEvent{Seq: a.seq, TTL: a.ttl, Error: r.why(a.err)}
	if a.from.IsValid() {
		e.From = a.from.String()
	}
	if a.err == "" {
		rtt := roundTrip(sent, a.at, time.Now())
		e.RTT = milli(rtt)
		if r.received++; r.received == 1 || rtt < r.min {
			r.min = rtt
		}
		r.max = max(r.max, rtt)
		r.sum += rtt
	}
	r.report(e)
}

// roundTrip is how long an answer took: by the kernel's stamp, unless the wall's clock was set meanwhile.
func roundTrip(sent, stamped, now time.Time) time.Duration {
	elapsed := now.Sub(sent) // monotonic
	if !stamped.IsZero() {
		if d := stamped.Sub(sent); d >= 0 && d <= elapsed {
			return d
		}
	}
	return elapsed
}

// summary is the last lines of ping(8), in one.
func (r *run) summary() string {
	if r.sent == 0 {
		return "0 packets transmitted, 0 received"
	}
	text := fmt.Sprintf("%d packets transmitted, %d received, %d%% packet loss", r.sent, r.received, (r.sent-r.received)*100/r.sent)
	if r.received > 0 {
		text += fmt.Sprintf(", rtt min/avg/max %.3f/%.3f/%.3f ms", milli(r.min), milli(r.sum/time.Duration(r.received)), milli(r.max))
	}
	return text
}

// milli is in ms, to the microsecond.
func milli(d time.Duration) float64 { return float64(d.Round(time.Microsecond).Microseconds()) / 1000 }

// signal turns the end of a context into a descriptor that poll(2) can wait for.
type signal struct {
	fd   int
	stop func() bool
	sent chan struct{} // closed once the descriptor has been written to
}

func newSignal(ctx context.Context) (*signal, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, refused("eventfd", err)
	}
	s := &signal{fd: fd, sent: make(chan struct{})}
	s.stop = context.AfterFunc(ctx, func() {
		defer close(s.sent)
		unix.Write(s.fd, binary.NativeEndian.AppendUint64(nil, 1)) // a fresh eventfd(2) has room for it
	})
	return s, nil
}

func (s *signal) close() {
	if !s.stop() {
		<-s.sent
	}
	unix.Close(s.fd)
}

// or waits until the descriptor has something to read or an error, the context has ended, or the time is over.
func (s *signal) or(fd int, wait time.Duration) error {
	timeout := unix.NsecToTimespec(int64(max(wait, 0)))
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(s.fd), Events: unix.POLLIN}}
	if _, err := unix.Ppoll(fds, &timeout, nil); err != nil && err != unix.EINTR {
		return refused("ppoll", err)
	}
	return nil
}
