package packet

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/summaries.txt as it is decoded now; read the difference before it is committed")

type sample struct {
	name   string
	length int
	data   []byte
}

// samples are frames of testdata/frames.txt: a line with a name, then length on the wire and first bytes. The first 25
// were captured on a veth between two namespaces; what such a cable does not carry was put together by hand.
func samples(t testing.TB) []sample {
	t.Helper()
	text, err := os.ReadFile("testdata/frames.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []sample
	name := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if n, ok := strings.CutPrefix(line, "# "); ok {
			name = n
			continue
		}
		s := sample{name: name}
		var digits string
		if _, err := fmt.Sscanf(line, "%d %s", &s.length, &digits); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s.data, err = hex.DecodeString(digits); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, s)
	}
	return all
}

func (s Summary) line() string {
	marks := ""
	if s.Reply {
		marks += " reply"
	}
	if s.Important {
		marks += " important"
	}
	if s.Flags != "" {
		marks += " flags=" + s.Flags
	}
	return fmt.Sprintf("%s | %s > %s | %s | %q%s", s.Protocol, s.Source, s.Target, s.Info, s.Brief, marks)
}

func TestDecode(t *testing.T) {
	var d Decoder // one for all: nothing of a frame may show in the next
	var got strings.Builder
	for _, s := range samples(t) {
		fmt.Fprintf(&got, "# %s\n%s\n", s.name, d.Decode(s.data, s.length).line())
		if diff := cmp.Diff(Decode(s.data, s.length), d.Decode(s.data, s.length)); diff != "" {
			t.Errorf("%s: a decoder that was used says something else than a new one:\n%s", s.name, diff)
		}
	}
	const golden = "testdata/summaries.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Error(diff)
	}
}

// The words that lessons and the page quote.
func TestWords(t *testing.T) {
	want := map[string]string{
		"ARP request":         "Who has 192.168.15.2? Tell 192.168.15.1",
		"ARP reply":           "192.168.15.2 is at 02:00:00:00:00:02",
		"ARP probe, RFC 5227": "Who has 192.168.15.2? (ARP Probe)",
		"VLAN 10":             "[VLAN 10] Who has 192.168.15.2? Tell 192.168.15.1",
		"host unreachable":    "Destination unreachable (Host unreachable) for 192.168.15.1 → 192.168.15.9 ICMP",
		"DNS response":        "Standard query response 0x1234 A example.com A 93.184.216.34",
	}
	for _, s := range samples(t) {
		if w, ok := want[s.name]; ok {
			if got := Decode(s.data, s.length).Info; got != w {
				t.Errorf("%s: %q, want %q", s.name, got, w)
			}
			delete(want, s.name)
		}
	}
	for name := range want {
		t.Errorf("no sample %q", name)
	}
}

// Every frame, cut off at every byte, still has a protocol, and names no address that is not there.
func TestTruncated(t *testing.T) {
	var d Decoder
	for _, s := range samples(t) {
		for n := range s.data {
			got := d.decode(s.data[:n], s.length)
			if got.Protocol == "" || n >= 14 && got.Source == "" || n < 14 && got.Source != "" {
				t.Errorf("%s cut off at %d: %s", s.name, n, got.line())
			}
		}
	}
}

func TestImportantAllocatesNothing(t *testing.T) {
	all := samples(t)
	if n := testing.AllocsPerRun(10, func() {
		for _, s := range all {
			Important(s.data)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.data, s.length)
	}
	f.Add([]byte{}, 0)   // nothing
	f.Add([]byte{1}, -1) // a length that no kernel gives
	// A DNS name whose compression pointer points at itself.
	f.Add(append(udpFrame(53, 4000), 0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1), 100)
	// VXLAN in VXLAN in VXLAN: the depth has an end.
	tunnel := append(udpFrame(4000, 4789), 8, 0, 0, 0, 0, 0, 1, 0)
	f.Add(append(append(tunnel[:len(tunnel):len(tunnel)], tunnel...), tunnel...), 400)
	f.Fuzz(func(t *testing.T, data []byte, length int) {
		var d Decoder
		s := d.decode(data, length) // a panic that Decode would recover from is a bug too
		for _, line := range []string{s.Protocol, s.Source, s.Target, s.Info, s.Brief, s.Flags} {
			if len(line) > 2000 {
				t.Errorf("a line of %d bytes", len(line))
			}
			if i := strings.IndexFunc(line, func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffd }); i >= 0 {
				t.Errorf("%q: a control character at %d", line, i)
			}
		}
		if again := d.decode(data, length); again != s {
			t.Errorf("%v, then %v", s, again)
		}
	})
}

// udpFrame is headers for an Ethernet frame with IPv4 and UDP; the lengths in it are those of a long one.
func udpFrame(src, dst uint16) []byte {
	b := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 1, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
	return append(b, byte(src>>8), byte(src), byte(dst>>8), byte(dst), 0, 200, 0, 0)
}

func BenchmarkDecode(b *testing.B) {
	for _, s := range samples(b) {
		switch s.name {
		case "ARP request", "ICMP echo request", "ACK", "DNS response", "HTTP request":
			b.Run("frame="+strings.ReplaceAll(s.name, " ", "-"), func(b *testing.B) {
				var d Decoder
				b.ReportAllocs()
				for b.Loop() {
					d.Decode(s.data, s.length)
				}
			})
		}
	}
}

func BenchmarkImportant(b *testing.B) {
	all := samples(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, s := range all {
			Important(s.data)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(all)), "ns/frame")
}
