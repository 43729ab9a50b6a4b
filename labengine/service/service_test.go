package service

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"vethlab/labengine"
)

func here(open func() error) error { return open() }

// start begins a service on a port of loopback that is free, and says which.
func start(t *testing.T, text string) (*Server, string) {
	t.Helper()
	before := runtime.NumGoroutine()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		l.Close()
		what, err := labengine.ParseService(strings.Replace(text, "PORT", port, 1))
		if err != nil {
			t.Fatal(err)
		}
		s, err := Start(here, what, "red")
		if err != nil {
			continue // somebody else has it by now
		}
		t.Cleanup(func() {
			s.Close()
			for range 100 {
				if runtime.NumGoroutine() <= before {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Errorf("%d goroutines more than before", runtime.NumGoroutine()-before)
		})
		return s, net.JoinHostPort("127.0.0.1", port)
	}
	t.Fatal("no port is free")
	return nil, ""
}

func TestHTTPTellsWhoCalled(t *testing.T) {
	s, at := start(t, "http PORT")
	get := func() string {
		t.Helper()
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		request, _ := http.NewRequest("POST", "http://"+at+"/a?b", strings.NewReader("body"))
		request.Header.Set("X-Forwarded-For", "10.0.0.1")
		r, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		return string(body)
	}
	text := get()
	for _, want := range []string{"This is red.\n", "You are 127.0.0.1, port ", "You called " + at, "POST /a?b HTTP/1.1\n", "Host: " + at + "\n", "X-Forwarded-For: 10.0.0.1\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	s.SetName("blue")
	if text := get(); !strings.Contains(text, "This is blue.\n") {
		t.Errorf("after a rename: %q", text)
	}
}

func TestEcho(t *testing.T) {
	_, at := start(t, "echo tcp PORT")
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "hello\n")
	if line, err := bufio.NewReader(c).ReadString('\n'); line != "hello\n" {
		t.Errorf("%q %v", line, err)
	}
	_, at = start(t, "echo udp PORT")
	u, err := net.Dial("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for _, text := range []string{"hello", strings.Repeat("x", 9000)} {
		u.SetDeadline(time.Now().Add(5 * time.Second))
		fmt.Fprint(u, text)
		buffer := make([]byte, 1<<16)
		if n, err := u.Read(buffer); string(buffer[:n]) != text {
			t.Errorf("%d bytes of %d, %v", n, len(text), err)
		}
	}
}

func TestEchoServicesDoNotTalkToEachOther(t *testing.T) {
	if a := echoUDP(7)(netip.MustParseAddrPort("10.0.0.1:7"), []byte("x")); a != nil {
		t.Errorf("answers another echo service: %q", a)
	}
}

func TestCloseEndsConnections(t *testing.T) {
	s, at := start(t, "echo tcp PORT")
	var conns []net.Conn
	for range maxConnections + 10 { // the last ones wait in the backlog
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	closed := make(chan struct{})
	go func() { s.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Fatal("Close waits for ever")
	}
	for i, c := range conns {
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("connection %d: %v", i, err)
		}
	}
	if _, err := net.Dial("tcp", at); err == nil {
		t.Error("somebody still listens")
	}
}

func isTimeout(err error) bool {
	n, ok := err.(net.Error)
	return ok && n.Timeout()
}

func TestDNS(t *testing.T) {
	_, at := start(t, "dns PORT web.lan=192.168.15.2 web.lan=2001:db8::2 db.web.lan=10.0.0.1")
	for _, network := range []string{"udp4", "tcp4"} {
		r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, at)
		}}
		list, err := r.LookupHost(t.Context(), "WEB.lan.")
		slices.Sort(list)
		if err != nil || !slices.Equal(list, []string{"192.168.15.2", "2001:db8::2"}) {
			t.Errorf("%s: %v %v", network, list, err)
		}
		for address, want := range map[string]string{"10.0.0.1": "db.web.lan.", "2001:db8::2": "web.lan."} {
			if names, err := r.LookupAddr(t.Context(), address); err != nil || !slices.Equal(names, []string{want}) {
				t.Errorf("%s: %s is %v %v", network, address, names, err)
			}
		}
		_, err = r.LookupHost(t.Context(), "nowhere.lan.")
		if e, ok := err.(*net.DNSError); !ok || !e.IsNotFound {
			t.Errorf("%s: nowhere.lan: %v", network, err)
		}
	}
}

func query(name string, t dnsmessage.Type, class dnsmessage.Class) []byte {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: t, Class: class}},
	}
	packed, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return packed
}

func TestDNSAnswers(t *testing.T) {
	var many []labengine.NameAddress
	for i := range 100 {
		many = append(many, labengine.NameAddress{Name: "many.lan", Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})})
	}
	z := newZone(append(many, labengine.NameAddress{Name: "a.b.lan", Address: netip.MustParseAddr("10.1.0.1")}))
	for name, test := range map[string]struct {
		query   []byte
		code    dnsmessage.RCode
		answers int
		cut     bool
	}{
		"there":           {query("A.b.Lan.", dnsmessage.TypeA, dnsmessage.ClassINET), dnsmessage.RCodeSuccess, 1, false},
		"any":             {query("a.b.lan.", dnsmessage.TypeALL, dnsmessage.ClassINET), dnsmessage.RCodeSuccess, 1, false},
		"no such type":    {query("a.b.lan.", dnsmessage.TypeAAAA, dnsmessage.ClassINET), dnsmessage.RCodeSuccess, 0, false},
		"a name above it": {query("b.lan.", dnsmessage.TypeA, dnsmessage.ClassINET), dnsmessage.RCodeSuccess, 0, false},
		"the root":        {query(".", dnsmessage.TypeNS, dnsmessage.ClassINET), dnsmessage.RCodeSuccess, 0, false},
		"not there":       {query("b.", dnsmessage.TypeA, dnsmessage.ClassINET), dnsmessage.RCodeNameError, 0, false},
		"reverse":         {query("1.0.1.10.in-addr.arpa.", dnsmessage.TypePTR, dnsmessage.ClassINET), dnsmessage.RCodeSuccess, 1, false},
		"reverse A":       {query("1.0.1.10.in-addr.arpa.", dnsmessage.TypeA, dnsmessage.ClassINET), dnsmessage.RCodeSuccess, 0, false},
		"too many":        {query("many.lan.", dnsmessage.TypeA, dnsmessage.ClassINET), dnsmessage.RCodeSuccess, 0, true},
		"another class":   {query("version.bind.", dnsmessage.TypeTXT, dnsmessage.ClassCHAOS), dnsmessage.RCodeRefused, 0, false},
		"no question":     {make([]byte, 12), dnsmessage.RCodeFormatError, 0, false},
	} {
		var m dnsmessage.Message
		if err := m.Unpack(z.answer(test.query, maxPlain)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.RCode != test.code || len(m.Answers) != test.answers || m.Truncated != test.cut || !m.Response || !m.RecursionAvailable {
			t.Errorf("%s: %+v", name, m)
		}
		if len(m.Answers) == 0 && !m.Truncated && (m.RCode == dnsmessage.RCodeSuccess || m.RCode == dnsmessage.RCodeNameError) && len(m.Authorities) != 1 {
			t.Errorf("%s: nothing says how long to remember that: %+v", name, m)
		}
	}
	for name, bytes := range map[string][]byte{"nothing": nil, "not all of a header": make([]byte, 11), "an answer": z.answer(query("b.", 1, 1), 512)} {
		if a := z.answer(bytes, maxPlain); a != nil {
			t.Errorf("%s is answered with %x", name, a)
		}
	}
}

// FuzzDNS reads what anybody may send.
func FuzzDNS(f *testing.F) {
	f.Add(query("web.lan.", dnsmessage.TypeA, dnsmessage.ClassINET))
	f.Add(query("1.0.0.10.in-addr.arpa.", dnsmessage.TypePTR, dnsmessage.ClassINET))
	f.Add([]byte("\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01")) // a name that points at itself
	z := newZone([]labengine.NameAddress{{Name: "web.lan", Address: netip.MustParseAddr("10.0.0.1")}})
	f.Fuzz(func(t *testing.T, data []byte) {
		a := z.answer(data, maxPlain)
		if a == nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(a); err != nil || !m.Response || len(a) > maxPlain || len(data) >= 2 && string(a[:2]) != string(data[:2]) {
			t.Errorf("%x is answered with %x: %v", data, a, err)
		}
	})
}

func TestBucket(t *testing.T) {
	b := newBucket(1000, 3)
	got := 0
	for range 10 {
		if b.take() {
			got++
		}
	}
	if got < 3 || got > 5 {
		t.Errorf("%d at once", got)
	}
	time.Sleep(20 * time.Millisecond)
	if !b.take() {
		t.Error("none came")
	}
}
