package kernel

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// socket is an rtnetlink(7) socket for requests in one namespace. One goroutine at a time uses it.
//
// The package nl encodes what is asked; it is not what asks, because it makes 64 KiB anew for each answer and one call
// for each request: of a lab of 1,000 namespaces, that was half a gigabyte.
type socket struct {
	fd  int
	seq uint32
}

// answerWait bounds the wait for an answer, which the kernel has ready when the request returns.
var answerWait = unix.Timeval{Sec: 60}

// newSocket opens a socket in the namespace of the calling thread.
func newSocket() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &answerWait),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)) // an answer does not repeat what was asked
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &socket{fd: fd}, nil
}

func (s *socket) close() { unix.Close(s.fd) }

// index is the number of the link of a name, SIOCGIFINDEX in netdevice(7): a fiftieth of what asking for the link costs.
func (s *socket) index(name string) (int, error) {
	request, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(s.fd, unix.SIOCGIFINDEX, request)
	}
	if err != nil {
		return 0, err
	}
	return int(request.Uint32()), nil
}

// message is one request. Its data begin with the struct that its kind has first.
type message struct {
	kind, flags int
	data        []nl.NetlinkRequestData
	index       int        // of the link that it is about, where data do not say; 0 is none
	link        string     // the link's name, where its index is to be found when the message is sent
	tolerates   unix.Errno // a refusal that is none; 0 is no such
}

// indexAt is where the structs that messages about a link begin with, ifinfomsg and ifaddrmsg, have its index.
const indexAt = 4

// append encodes the message. Each is to be answered: a dump ends with NLMSG_DONE, all else with NLMSG_ERROR.
func (m message) append(to []byte, seq uint32) []byte {
	flags := m.flags | unix.NLM_F_REQUEST
	if m.flags&unix.NLM_F_DUMP != unix.NLM_F_DUMP {
		flags |= unix.NLM_F_ACK
	}
	at := len(to)
	to = native.AppendUint32(to, 0) // the length
	to = native.AppendUint16(to, uint16(m.kind))
	to = native.AppendUint16(to, uint16(flags))
	to = native.AppendUint32(to, seq)
	to = native.AppendUint32(to, 0) // the kernel sees who asks
	for _, d := range m.data {
		to = append(to, d.Serialize()...)
	}
	native.PutUint32(to[at:], uint32(len(to)-at))
	if m.index != 0 {
		native.PutUint32(to[at+unix.SizeofNlMsghdr+indexAt:], uint32(m.index))
	}
	return to // all that Serialize gives is aligned
}

// answerBuffers hold one datagram each: the kernel fills up to 32 KiB of a dump into one, NLMSG_GOODSIZE aside.
var answerBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// errInterrupted says that things changed while they were listed: NLM_F_DUMP_INTR.
var errInterrupted = errors.New("changed while it was read")

// refusedMessage is the first message of a call that was refused, and why.
type refusedMessage struct {
	at int
	error
}

func (r refusedMessage) Unwrap() error { return r.error }

// exchange sends messages in one call, and gives the bodies of what was answered. The kernel carries out those behind one
// that it refuses, too. The error is a [refusedMessage]: its errno, with the kernel's own words behind it if it has any.
func (s *socket) exchange(messages ...message) ([][]byte, error) {
	return s.carryOut(s.prepare(messages...))
}

// request is messages for one call, encoded.
type request struct {
	messages []message
	bytes    []byte
	at       []int  // where in bytes each message begins
	first    uint32 // its sequence number
	unseen   bool   // by Go's scheduler, while the kernel carries it out
}

// write has the kernel carry it out. Where that is most of what is done at all, the scheduler had better not see it: it looks
// every 20 µs whether a call is still going on and its processor of use to others (sysmon in runtime/proc.go).
func (r request) write(fd int) error {
	if !r.unseen {
		_, err := unix.Write(fd, r.bytes)
		return err
	}
	_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(r.bytes))), uintptr(len(r.bytes)))
	if errno != 0 {
		return errno
	}
	return nil
}

func (s *socket) prepare(messages ...message) request {
	r := request{messages: messages, bytes: make([]byte, 0, 256*len(messages)), first: s.seq + 1}
	for _, m := range messages {
		s.seq++
		r.at = append(r.at, len(r.bytes))
		r.bytes = m.append(r.bytes, s.seq)
	}
	return r
}

// carryOut is exchange of what was prepared. It may be called from another goroutine than prepare.
func (s *socket) carryOut(r request) ([][]byte, error) {
	messages, first := r.messages, r.first
	for i, m := range messages {
		if m.link == "" {
			continue
		}
		index, err := s.index(m.link)
		if err != nil {
			return nil, refusedMessage{i, err}
		}
		native.PutUint32(r.bytes[r.at[i]+unix.SizeofNlMsghdr+indexAt:], uint32(index))
	}
	if err := ignoringEINTR(func() error { return r.write(s.fd) }); err != nil {
		return nil, err
	}
	buffer := answerBuffers.Get().(*[64 << 10]byte)
	defer answerBuffers.Put(buffer)
	var answers [][]byte
	var refused error
	refusedAt := first + uint32(len(messages))
	for pending := len(messages); pending > 0; {
		n := 0
		if err := ignoringEINTR(func() (err error) { n, err = unix.Read(s.fd, buffer[:]); return err }); err != nil {
			return nil, err
		}
		var kept []byte // the bodies of answers in this datagram, with room for all
		for h, body := range netlinkMessages(buffer[:n]) {
			if h.seq-first >= uint32(len(messages)) {
				continue // the end of an exchange that was given up
			}
			var err error
			switch h.kind {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				pending--
				err = h.refusal(body)
			default:
				if kept == nil {
					kept = make([]byte, 0, n)
				}
				at := len(kept)
				kept = append(kept, body...)
				answers = append(answers, kept[at:])
			}
			if err == nil && h.flags&unix.NLM_F_DUMP_INTR != 0 {
				err = errInterrupted
			}
			at := h.seq - first
			if tolerated := messages[at].tolerates; tolerated != 0 && errors.Is(err, tolerated) {
				err = nil
			}
			if err != nil && h.seq < refusedAt {
				refused, refusedAt = refusedMessage{int(at), err}, h.seq
			}
		}
	}
	return answers, refused
}

func ignoringEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// refusal reads struct nlmsgerr, netlink(7): nil where it says that all went well.
func (h header) refusal(body []byte) error {
	if len(body) < 4 {
		return nil // NLMSG_DONE of an old kernel
	}
	errno := int32(native.Uint32(body))
	if errno == 0 {
		return nil
	}
	err := error(unix.Errno(-errno))
	const echoed = 4 + unix.SizeofNlMsghdr // of the request, its header alone: NETLINK_CAP_ACK
	if h.kind != unix.NLMSG_ERROR || h.flags&unix.NLM_F_ACK_TLVS == 0 || len(body) < echoed {
		return err
	}
	for t, v := range attributes(body, echoed) {
		if t == unix.NLMSGERR_ATTR_MSG {
			err = fmt.Errorf("%w: %s", err, text(v))
		}
	}
	return err
}

// do sends one request and waits until it is carried out.
func (n *Netns) do(kind, flags int, data ...nl.NetlinkRequestData) error {
	return n.send(message{kind: kind, flags: flags, data: data})
}

func (n *Netns) send(m message) error {
	_, err := n.socket.exchange(m)
	return err
}

// ask sends one request and gives the bodies of what it was answered with.
func (n *Netns) ask(kind, flags int, data ...nl.NetlinkRequestData) ([][]byte, error) {
	for {
		answers, err := n.socket.exchange(message{kind: kind, flags: flags, data: data})
		if !errors.Is(err, errInterrupted) {
			return answers, err
		}
	}
}
