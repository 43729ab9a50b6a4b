package packet

import (
	"net/netip"
	"strconv"
)

// text grows a line without fmt, which would cost more than the decoding.
type text []byte

func (t text) add(s string) text { return append(t, s...) }

func (t text) int(n int) text { return strconv.AppendInt(t, int64(n), 10) }

func (t text) uint(n uint64) text { return strconv.AppendUint(t, n, 10) }

func (t text) ip(a netip.Addr) text { return a.AppendTo(t) }

// hexdigits writes n with at least that many digits.
func (t text) hexdigits(n uint64, digits int) text {
	const hex = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		if shift < digits*4 || n>>shift != 0 {
			t = append(t, hex[n>>shift&15])
		}
	}
	return t
}

// hex is hexdigits with 0x before it.
func (t text) hex(n uint64, digits int) text { return t.add("0x").hexdigits(n, digits) }

func (t text) mac(m []byte) text {
	for i, b := range m {
		if i > 0 {
			t = append(t, ':')
		}
		t = t.hexdigits(uint64(b), 2)
	}
	return t
}

// safe adds a stranger's bytes: what is not printable ASCII becomes a dot, and they end after max.
func (t text) safe(b []byte, max int) text {
	for i, c := range b {
		if i == max {
			return t.add("…")
		}
		if c < 0x20 || c > 0x7e {
			c = '.'
		}
		t = append(t, c)
	}
	return t
}

func mac(m []byte) string {
	var room [17]byte
	return string(text(room[:0]).mac(m))
}
