package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// ping returns what was reported, and told of it too.
func (l *lab) ping(p labengine.Ping) (events []labengine.ProbeEvent, said, summary string) {
	l.t.Helper()
	summary, err := Ping(context.Background(), l.red, p, func(e labengine.ProbeEvent) { events = append(events, e) })
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Logf("%s: %s", p.To, summary)
	return events, told(events), summary
}

// told is events as lines "seq from: error or ttl".
func told(events []labengine.ProbeEvent) string {
	var lines []string
	for _, e := range events {
		what := e.Error
		if what == "" {
			what = fmt.Sprintf("ttl %d", e.TTL)
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%d %s", e.Seq, e.From))+": "+what)
	}
	return strings.Join(lines, "\n")
}

func TestPingSaysWhatPingSays(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(*lab)
		ping    labengine.Ping
		want    string
		summary string
	}{
		{"answered", nil, labengine.Ping{To: "10.0.0.2", Count: 3, Interval: 10},
			"1 10.0.0.2: ttl 64\n2 10.0.0.2: ttl 64\n3 10.0.0.2: ttl 64", "3 packets transmitted, 3 received, 0% packet loss, rtt min/avg/max "},
		{"IPv6", nil, labengine.Ping{To: "fd00::2", Count: 2, Interval: 10},
			"1 fd00::2: ttl 64\n2 fd00::2: ttl 64", "2 packets transmitted, 2 received, 0% packet loss, rtt min/avg/max "},
		{"itself", nil, labengine.Ping{To: "10.0.0.1", Count: 1}, "1 10.0.0.1: ttl 64", "1 packets transmitted, 1 received, 0% packet loss, rtt min/avg/max "},
		{"IPv4 in IPv6", nil, labengine.Ping{To: "::ffff:10.0.0.2", Count: 1}, "1 10.0.0.2: ttl 64", "1 packets transmitted, 1 received, 0% packet loss, rtt min/avg/max "},
		{"zone", nil, labengine.Ping{To: "ff02::1%veth-red", Count: 1}, "1 fe80::", "1 packets transmitted, 1 received, 0% packet loss, rtt min/avg/max "},
		{"timeout", func(l *lab) { l.sysctl(l.blue, "ipv4/icmp_echo_ignore_all", "1") },
			labengine.Ping{To: "10.0.0.2", Count: 3, Interval: 10, Timeout: 50}, "1: timeout\n2: timeout\n3: timeout", "3 packets transmitted, 0 received, 100% packet loss"},
		{"absent, and soon tired", nil, labengine.Ping{To: "10.0.0.99", Count: 1, Timeout: 50},
			"1: nobody has answered ARP for 10.0.0.99", "1 packets transmitted, 0 received, 100% packet loss"},
		{"absent, and lo is down, as in a new namespace", func(l *lab) { l.loDown(); l.impatient() },
			labengine.Ping{To: "10.0.0.99", Count: 3, Interval: 300, Timeout: 300},
			"1: nobody has answered ARP for 10.0.0.99\n2: nobody has answered ARP for 10.0.0.99\n3: nobody has answered ARP for 10.0.0.99",
			"3 packets transmitted, 0 received, 100% packet loss"},
		{"IPv6, absent, and lo is down", (*lab).loDown,
			labengine.Ping{To: "fd00::99", Count: 1, Timeout: 500}, "1: nobody has answered NDP for fd00::99", "1 packets transmitted, 0 received, 100% packet loss"},
		{"IPv6 of one link, absent", nil,
			labengine.Ping{To: "fe80::99%veth-red", Count: 1, Timeout: 500}, "1: nobody has answered NDP for fe80::99", "1 packets transmitted, 0 received, 100% packet loss"},
		{"the gateway is absent", func(l *lab) { l.route(l.red, "192.0.2.0/24", "10.0.0.99", unix.RTN_UNICAST) },
			labengine.Ping{To: "192.0.2.1", Count: 1, Timeout: 50}, "1: nobody has answered ARP for the gateway 10.0.0.99", "1 packets transmitted, 0 received, 100% packet loss"},
		{"network unreachable", nil, labengine.Ping{To: "192.0.2.1", Count: 2, Interval: 10},
			"1: Network is unreachable\n2: Network is unreachable", "2 packets transmitted, 0 received, 100% packet loss"},
		{"IPv6 network unreachable", nil, labengine.Ping{To: "2001:db8::1", Count: 1}, "1: Network is unreachable", "1 packets transmitted, 0 received, 100% packet loss"},
		{"host unreachable", (*lab).impatient, labengine.Ping{To: "10.0.0.99", Count: 3, Interval: 10, Timeout: 3000},
			"1 10.0.0.1: Destination Host Unreachable: nobody has answered ARP for 10.0.0.99\n" +
				"2 10.0.0.1: Destination Host Unreachable: nobody has answered ARP for 10.0.0.99\n" +
				"3 10.0.0.1: Destination Host Unreachable: nobody has answered ARP for 10.0.0.99",
			"3 packets transmitted, 0 received, 100% packet loss"},
		{"IPv6 host unreachable", (*lab).impatient, labengine.Ping{To: "fd00::99", Count: 1, Timeout: 5000},
			"1 fd00::1: Destination Host Unreachable: nobody has answered NDP for fd00::99", "1 packets transmitted, 0 received, 100% packet loss"},
		{"unreachable route", func(l *lab) { l.route(l.red, "192.0.2.0/24", "", unix.RTN_UNREACHABLE) },
			labengine.Ping{To: "192.0.2.1", Count: 1}, "1: Destination Host Unreachable", "1 packets transmitted, 0 received, 100% packet loss"},
		{"prohibited behind a router", func(l *lab) {
			l.route(l.red, "192.0.2.0/24", "10.0.0.2", unix.RTN_UNICAST)
			l.route(l.blue, "192.0.2.0/24", "", unix.RTN_PROHIBIT)
			l.sysctl(l.blue, "ipv4/ip_forward", "1")
		}, labengine.Ping{To: "192.0.2.1", Count: 1}, "1 10.0.0.2: Packet filtered", "1 packets transmitted, 0 received, 100% packet loss"},
		{"time to live", func(l *lab) {
			l.route(l.red, "192.0.2.0/24", "10.0.0.2", unix.RTN_UNICAST)
			l.route(l.blue, "192.0.2.0/24", "10.1.0.3", unix.RTN_UNICAST)
			l.sysctl(l.blue, "ipv4/ip_forward", "1")
			l.sysctl(l.red, "ipv4/ip_default_ttl", "1")
		}, labengine.Ping{To: "192.0.2.1", Count: 1}, "1 10.0.0.2: Time to live exceeded", "1 packets transmitted, 0 received, 100% packet loss"},
		{"IPv6 time to live", func(l *lab) {
			l.route(l.red, "2001:db8::/64", "fd00::2", unix.RTN_UNICAST)
			l.route(l.blue, "2001:db8::/64", "fd00::3", unix.RTN_UNICAST)
			l.sysctl(l.blue, "ipv6/conf/all/forwarding", "1")
			l.sysctl(l.red, "ipv6/conf/veth-red/hop_limit", "1")
		}, labengine.Ping{To: "2001:db8::1", Count: 1}, "1 fd00::2: Time to live exceeded", "1 packets transmitted, 0 received, 100% packet loss"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			if c.prepare != nil {
				c.prepare(l)
			}
			events, said, summary := l.ping(c.ping)
			if said != c.want && (c.name != "zone" || !strings.HasPrefix(said, c.want)) {
				t.Errorf("said\n%s\nnot\n%s", said, c.want)
			}
			if !strings.HasPrefix(summary, c.summary) {
				t.Errorf("summary is %q, not %q", summary, c.summary)
			}
			for _, e := range events {
				if (e.Error == "") != (e.RTT > 0) || e.RTT > 1000 {
					t.Errorf("rtt %v ms with error %q", e.RTT, e.Error)
				}
			}
		})
	}
}

// route adds one to red or blue: by a gateway, or to nowhere.
func (l *lab) route(ns *os.File, to, via string, typ int) {
	l.t.Helper()
	h := l.redLinks
	if ns == l.blue {
		h = l.blueLinks
	}
	dst, err := netlink.ParseIPNet(to)
	if err != nil {
		l.t.Fatal(err)
	}
	r := &netlink.Route{Dst: dst, Type: typ}
	if via != "" {
		r.Gw = netip.MustParseAddr(via).AsSlice()
	}
	if err := h.RouteAdd(r); err != nil {
		l.t.Fatalf("route to %s: %v", to, err)
	}
}

// A neighbour's failure fails the send after it with EHOSTUNREACH, on behalf of the request before.
func TestPingComesBackWhenTheHostDoes(t *testing.T) {
	l := newLab(t)
	l.impatient()
	peer, err := l.blueLinks.LinkByName("veth-blue")
	if err != nil {
		t.Fatal(err)
	}
	late, err := netlink.ParseAddr("10.0.0.77/24")
	if err != nil {
		t.Fatal(err)
	}
	var events []labengine.ProbeEvent
	summary, err := Ping(context.Background(), l.red, labengine.Ping{To: "10.0.0.77", Count: 6, Interval: 200, Timeout: 2000}, func(e labengine.ProbeEvent) {
		if events = append(events, e); len(events) == 2 {
			if err := l.blueLinks.AddrAdd(peer, late); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	const absent = "10.0.0.1: Destination Host Unreachable: nobody has answered ARP for 10.0.0.77\n"
	want := "1 " + absent + "2 " + absent +
		"3 10.0.0.77: ttl 64\n4 10.0.0.77: ttl 64\n5 10.0.0.77: ttl 64\n6 10.0.0.77: ttl 64"
	if got := told(events); got != want {
		t.Errorf("said\n%s\nnot\n%s", got, want)
	}
	if !strings.HasPrefix(summary, "6 packets transmitted, 4 received, 33% packet loss, rtt") {
		t.Error(summary)
	}
}

func TestPingIsCancelledAtOnce(t *testing.T) {
	for name, silent := range map[string]bool{"between requests": false, "waiting for the answer": true} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var at time.Time
			stop := func() { at = time.Now(); cancel() }
			want := regexp.MustCompile(`^1 packets transmitted, 1 received, 0% packet loss, rtt`)
			if silent {
				l.sysctl(l.blue, "ipv4/icmp_echo_ignore_all", "1")
				want = regexp.MustCompile(`^1 packets transmitted, 0 received, 100% packet loss$`)
				fired := make(chan struct{})
				timer := time.AfterFunc(100*time.Millisecond, func() { defer close(fired); stop() })
				defer func() { timer.Stop(); <-fired }()
			}
			summary, err := Ping(ctx, l.red, labengine.Ping{To: "10.0.0.2", Count: 100, Interval: 10000, Timeout: 10000}, func(labengine.ProbeEvent) {
				stop()
			})
			took := time.Since(at)
			t.Logf("%v after cancel: %s", took, summary)
			if err != nil || !want.MatchString(summary) {
				t.Errorf("%q, %v", summary, err)
			}
			if took > time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
	t.Run("before it starts", func(t *testing.T) {
		l := newLab(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		summary, err := Ping(ctx, l.red, labengine.Ping{To: "10.0.0.2", Count: 1}, func(e labengine.ProbeEvent) { t.Error(e) })
		if err != nil || summary != "0 packets transmitted, 0 received" {
			t.Errorf("%q, %v", summary, err)
		}
	})
}

func TestPingsDoNotTakeEachOthersAnswers(t *testing.T) {
	l := newLab(t)
	var all sync.WaitGroup
	for i := range 32 {
		to := []string{"10.0.0.2", "fd00::2", "10.0.0.1"}[i%3]
		all.Go(func() {
			n := 0
			summary, err := Ping(context.Background(), l.red, labengine.Ping{To: to, Count: 20, Interval: 10, Timeout: 10000}, func(e labengine.ProbeEvent) {
				if n++; e.Seq != n || e.From != to || e.Error != "" {
					t.Errorf("event %d of %s: %+v", n, to, e)
				}
			})
			if err != nil || !strings.HasPrefix(summary, "20 packets transmitted, 20 received, 0% packet loss") {
				t.Errorf("%q, %v", summary, err)
			}
		})
	}
	all.Wait()
}

func TestPingHoldsToItsLimits(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		ping labengine.Ping
		code labengine.Code
	}{
		{labengine.Ping{To: "10.0.0.2"}, labengine.CodeBadRequest},
		{labengine.Ping{To: "10.0.0.2", Count: -1}, labengine.CodeBadRequest},
		{labengine.Ping{To: "10.0.0.2", Count: 101}, labengine.CodeBadRequest},
		{labengine.Ping{To: "10.0.0.2", Count: 1, Interval: 9}, labengine.CodeBadRequest},
		{labengine.Ping{To: "10.0.0.2", Count: 1, Interval: 10001}, labengine.CodeBadRequest},
		{labengine.Ping{To: "10.0.0.2", Count: 1, Timeout: -1}, labengine.CodeBadRequest},
		{labengine.Ping{To: "10.0.0.2", Count: 1, Timeout: 10001}, labengine.CodeBadRequest},
		{labengine.Ping{To: "", Count: 1}, labengine.CodeBadAddress},
		{labengine.Ping{To: "blue", Count: 1}, labengine.CodeBadAddress},
		{labengine.Ping{To: "10.0.0.2/24", Count: 1}, labengine.CodeBadAddress},
		{labengine.Ping{To: "fe80::1%nowhere", Count: 1}, labengine.CodeBadAddress},
	} {
		summary, err := Ping(context.Background(), l.red, c.ping, func(e labengine.ProbeEvent) { t.Error(e) })
		if !errors.Is(err, &labengine.Problem{Code: c.code}) || summary != "" {
			t.Errorf("%+v: %q, %v; want %s", c.ping, summary, err, c.code)
		}
	}
}

func TestRoundTripDoubtsTheWallClock(t *testing.T) {
	sent := time.Now()
	now := sent.Add(time.Millisecond)
	for _, c := range []struct{ stamp, want time.Duration }{
		{400 * time.Microsecond, 400 * time.Microsecond},
		{-time.Hour, time.Millisecond},
		{time.Hour, time.Millisecond},
	} {
		if got := roundTrip(sent, sent.Add(c.stamp).Round(0), now); got != c.want {
			t.Errorf("stamped after %v: %v, not %v", c.stamp, got, c.want)
		}
	}
	if got := roundTrip(sent, time.Time{}, now); got != time.Millisecond {
		t.Errorf("without stamp: %v", got)
	}
}

func (l *lab) arp(ifname, to string, timeout time.Duration) (mac string, rtt time.Duration, err error) {
	l.t.Helper()
	a, rtt, err := ARP(context.Background(), l.red, l.index(ifname), ifname, netip.MustParseAddr(to), timeout)
	l.t.Logf("%s on %s: %s, %v, %v", to, ifname, a, rtt, err)
	return a.String(), rtt, err
}

func TestARPIsAnswered(t *testing.T) {
	l := newLab(t)
	if mac, rtt, err := l.arp("veth-red", "10.0.0.2", 2*time.Second); err != nil || mac != l.blueMAC.String() || rtt <= 0 {
		t.Errorf("%s %v %v, want %s", mac, rtt, err, l.blueMAC)
	}
}

func TestARPAsksFromAnInterfaceWithoutAddress(t *testing.T) {
	l := newLab(t)
	if mac, _, err := l.arp("bare", "10.1.0.2", 2*time.Second); err != nil || mac != l.plainMAC.String() {
		t.Errorf("%s %v, want %s", mac, err, l.plainMAC)
	}
}

func TestARPAsksFromTheInterfacesAddress(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct{ ifname, to, want string }{
		{"veth-red", "10.0.0.2", "10.0.0.1"},
		{"veth-red", "203.0.113.5", "10.0.0.1"}, // no route there
		{"veth-red", "10.0.0.1", "0.0.0.0"},     // its own
		{"bare", "10.1.0.2", "0.0.0.0"},
		{"absent", "10.1.0.2", "0.0.0.0"},
	} {
		var got netip.Addr
		if err := within(l.red, func() error { got = source(c.ifname, netip.MustParseAddr(c.to)); return nil }); err != nil {
			t.Fatal(err)
		}
		if got.String() != c.want {
			t.Errorf("for %s on %s: from %s, not %s", c.to, c.ifname, got, c.want)
		}
	}
}

func TestARPSaysWhyNot(t *testing.T) {
	l := newLab(t)
	_, _, err := l.arp("veth-red", "10.0.0.99", 100*time.Millisecond)
	if want := "nobody on veth-red has answered for 10.0.0.99 within 100ms"; !errors.Is(err, &labengine.Problem{Code: labengine.CodeRefused}) || err.Error() != want {
		t.Errorf("nobody there: %v, not %s", err, want)
	}

	_, _, err = l.arp("veth-red", "fd00::2", time.Second)
	if !errors.Is(err, &labengine.Problem{Code: labengine.CodeBadAddress}) {
		t.Errorf("an IPv6 address: %v", err)
	}

	_, _, err = ARP(context.Background(), l.red, 9999, "gone", netip.MustParseAddr("10.0.0.2"), time.Second)
	if !errors.Is(err, &labengine.Problem{Code: labengine.CodeRefused}) || !errors.Is(err, unix.ENODEV) {
		t.Errorf("no such interface: %v", err)
	}

	link, linkErr := l.redLinks.LinkByName("veth-red")
	if linkErr != nil {
		t.Fatal(linkErr)
	}
	if err := l.redLinks.LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	_, _, err = l.arp("veth-red", "10.0.0.2", time.Second)
	if want := "veth-red: Network is down (ENETDOWN); bring veth-red up"; !errors.Is(err, &labengine.Problem{Code: labengine.CodeRefused}) || !errors.Is(err, unix.ENETDOWN) || err.Error() != want {
		t.Errorf("interface down: %v, not %s", err, want)
	}
}

func TestARPIsCancelledAtOnce(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	before := time.Now()
	_, _, err := ARP(ctx, l.red, l.index("veth-red"), "veth-red", netip.MustParseAddr("10.0.0.99"), 10*time.Second)
	if took := time.Since(before); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	if !errors.Is(err, &labengine.Problem{Code: labengine.CodeGone}) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// FuzzRead holds the readers of what comes from the network to not panicking, and to what they promise.
func FuzzRead(f *testing.F) {
	id := echoID{id: 7, nonce: [nonceSize]byte{1, 2, 3}}
	own := []byte{2, 0, 0, 0, 0, 1}
	to := netip.MustParseAddr("10.0.0.2")
	request, err := id.request(1)
	if err != nil {
		f.Fatal(err)
	}
	reply := append([]byte{0x45, 8: 64, 9: 1, 12: 10, 15: 2, 19: 1}, request...)
	reply[20] = 0 // echo reply
	if a, ok := id.reply(reply); !ok || a.seq != 1 || a.ttl != 64 || a.from != netip.MustParseAddr("10.0.0.2") {
		f.Fatalf("%+v %v", a, ok)
	}
	f.Add([]byte{})
	f.Add(request)
	f.Add(reply)
	f.Add(reply[:27])
	f.Add([]byte{0x4f, 19: 0}) // a header longer than the packet
	answer := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2,
		2, 0, 0, 0, 0, 2, 10, 0, 0, 2, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1}
	if mac, ok := owner(answer, own, to); !ok || mac.String() != "02:00:00:00:00:02" {
		f.Fatal(mac, ok)
	}
	f.Add(answer)
	f.Add(append(bytes.Clone(answer[:18]), 0, 4, 0, 2)) // a hardware address of no bytes
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, id := range []echoID{id, {v6: true, id: id.id, nonce: id.nonce}} {
			if a, ok := id.reply(b); ok && !bytes.Contains(b, id.nonce[:]) {
				t.Errorf("took %x for %+v", b, a)
			}
		}
		extendedError(b)
		if mac, ok := owner(b, own, to); ok && len(mac) != len(own) {
			t.Errorf("took %x for %s", b, mac)
		}
	})
}

// BenchmarkPing is one echo across a veth, with the socket made and closed.
func BenchmarkPing(b *testing.B) {
	l := newLab(b)
	b.ReportAllocs()
	var rtt float64
	for b.Loop() {
		if _, err := Ping(context.Background(), l.red, labengine.Ping{To: "10.0.0.2", Count: 1}, func(e labengine.ProbeEvent) { rtt += e.RTT }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(rtt/float64(b.N)*1000, "µs-rtt/op")
}
