package sandbox

import "sync"

// scrollbackSize is how many bytes of a terminal's output are kept: about 3000 lines.
const scrollbackSize = 256 << 10

// scrollback keeps the end of a stream. Places in it are offsets from the stream's beginning. Its memory grows with
// what was written, up to scrollbackSize.
type scrollback struct {
	mu     sync.Mutex // guards what follows
	more   *sync.Cond // something was written, or somebody closed something
	buf    []byte     // the byte at offset o stands at o % len(buf)
	end    int64      // one past the last byte
	closed bool
}

func newScrollback() *scrollback {
	s := &scrollback{}
	s.more = sync.NewCond(&s.mu)
	return s
}

// start is the first offset that is still there. The caller holds mu.
func (s *scrollback) start() int64 { return max(0, s.end-int64(len(s.buf))) }

func (s *scrollback) write(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grow(len(p))
	if over := len(p) - len(s.buf); over > 0 {
		s.end += int64(over)
		p = p[over:]
	}
	for len(p) > 0 {
		n := copy(s.buf[s.end%int64(len(s.buf)):], p)
		s.end += int64(n)
		p = p[n:]
	}
	s.more.Broadcast()
}

// grow makes room for n more bytes without losing any, while that is allowed. The caller holds mu.
func (s *scrollback) grow(n int) {
	size := max(len(s.buf), 4<<10)
	for int64(size) < s.end+int64(n) && size < scrollbackSize {
		size *= 2
	}
	if size == len(s.buf) {
		return
	}
	old, off := s.buf, s.start()
	s.buf = make([]byte, size)
	for off < s.end {
		i := int(off % int64(len(old)))
		part := old[i : i+int(min(int64(len(old)-i), s.end-off))]
		n := copy(s.buf[off%int64(size):], part)
		off += int64(n)
	}
}

// at gives what stands at an offset, up to where the ring wraps. The caller holds mu.
func (s *scrollback) at(off int64) []byte {
	if off >= s.end {
		return nil
	}
	i := int(off % int64(len(s.buf)))
	n := min(int64(len(s.buf)-i), s.end-off)
	return s.buf[i : i+int(n)]
}

func (s *scrollback) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.more.Broadcast()
}
