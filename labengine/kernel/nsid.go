package kernel

import (
	"errors"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// The attributes of RTM_NEWNSID and RTM_GETNSID, uapi/linux/net_namespace.h.
const (
	netnsaNsid       = 1
	netnsaFd         = 3
	netnsaTargetNsid = 4
)

// rtgenmsg is struct rtgenmsg in uapi/linux/rtnetlink.h, padded as netlink wants it.
type rtgenmsg struct{}

func (rtgenmsg) Len() int          { return 4 }
func (rtgenmsg) Serialize() []byte { return make([]byte, 4) }

// newNsid asks for a number of the kernel's choice for a namespace, which the answer has.
func newNsid(of *Netns) message {
	auto := int32(-1)
	return message{kind: unix.RTM_NEWNSID, flags: unix.NLM_F_ECHO, data: []nl.NetlinkRequestData{
		rtgenmsg{}, fdOf(of), nl.NewRtAttr(netnsaNsid, nl.Uint32Attr(uint32(auto))),
	}}
}

func fdOf(n *Netns) *nl.RtAttr { return nl.NewRtAttr(netnsaFd, nl.Uint32Attr(uint32(n.File.Fd()))) }

// giveNsid gives other a number in n, or finds the one that it has.
func (n *Netns) giveNsid(other *Netns) (int32, error) {
	answers, err := n.socket.exchange(newNsid(other))
	switch {
	case errors.Is(err, unix.EEXIST), err == nil && len(answers) == 0: // an old kernel echoes nothing
		return n.getNsid(fdOf(other))
	case err != nil:
		return -1, err
	}
	return nsidIn(answers[0])
}

// numbersAtOnce bounds the requests of one call, so that their answers fit the socket's buffer.
const numbersAtOnce = 64

// number gives namespaces that have just been opened numbers in the root. Those that it cannot give any get theirs when they
// are followed, or it is said then why not. It may be called from any goroutine.
func (w *World) number(list []*Netns) {
	w.numbering.Lock()
	defer w.numbering.Unlock()
	for some := range slices.Chunk(list, numbersAtOnce) {
		batch := make([]message, len(some))
		for i, n := range some {
			batch[i] = newNsid(n)
		}
		answers, err := w.root.socket.exchange(batch...)
		if err != nil || len(answers) != len(some) {
			return
		}
		for i, n := range some {
			n.nsid, _ = nsidIn(answers[i])
		}
	}
}

// pair is a veth between two namespaces, made where no events are heard.
type pair struct {
	at   [2]*Netns
	name [2]string // of its ends
}

// introduce has the namespaces of a pair know each other by the numbers that its ends, read by now, have for them: no
// other namespace can be at the other end.
func (p pair) introduce() {
	for e := range p.at {
		l, ok := p.at[e].LinkNamed(p.name[e])
		if ok && l.Kind == labengine.Veth && l.PeerNsid >= 0 {
			p.at[e].peers[l.PeerNsid] = p.at[1-e]
		}
	}
}

// translateNsid is the number in the namespace numbered target of the namespace numbered nsid, both numbers being n's.
func (n *Netns) translateNsid(nsid, target int32) (int32, error) {
	return n.getNsid(nl.NewRtAttr(netnsaNsid, nl.Uint32Attr(uint32(nsid))),
		nl.NewRtAttr(netnsaTargetNsid, nl.Uint32Attr(uint32(target))))
}

func (n *Netns) getNsid(which ...nl.NetlinkRequestData) (int32, error) {
	answers, err := n.ask(unix.RTM_GETNSID, 0, append([]nl.NetlinkRequestData{rtgenmsg{}}, which...)...)
	if err != nil {
		return -1, err
	}
	if len(answers) == 0 {
		return -1, syscall.ENOENT
	}
	return nsidIn(answers[0])
}

// nsidIn is the number that an answer gives.
func nsidIn(answer []byte) (int32, error) {
	for t, value := range attributes(answer, 4) {
		if t == netnsaNsid && len(value) == 4 {
			if id := int32(native.Uint32(value)); id >= 0 {
				return id, nil
			}
		}
	}
	return -1, syscall.ENOENT
}

// namespaceIn is the namespace that has a number in n. The answer is kept: numbers are not used again while both live.
func (w *World) namespaceIn(n *Netns, nsid int32) (*Netns, bool) {
	if at, ok := n.peers[nsid]; ok && w.byKey[at.Key] == at {
		return at, true
	}
	if n.rootID < 0 {
		id, err := n.giveNsid(w.root)
		if err != nil {
			return nil, false
		}
		n.rootID = id
	}
	id, err := n.translateNsid(nsid, n.rootID)
	if err != nil {
		return nil, false
	}
	at, ok := w.byNsid[id]
	if ok {
		n.peers[nsid] = at
	}
	return at, ok
}
