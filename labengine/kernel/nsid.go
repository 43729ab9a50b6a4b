package kernel

import (
	"errors"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
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

// giveNsid gives other a number in n, or finds the one that it has.
func (n *Netns) giveNsid(other *Netns) (int32, error) {
	fd := nl.NewRtAttr(netnsaFd, nl.Uint32Attr(uint32(other.File.Fd())))
	auto := int32(-1)
	err := n.do(unix.RTM_NEWNSID, 0, rtgenmsg{}, fd, nl.NewRtAttr(netnsaNsid, nl.Uint32Attr(uint32(auto))))
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	return n.getNsid(fd)
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
	for _, a := range answers {
		for t, value := range attributes(a, 4) {
			if t == netnsaNsid && len(value) == 4 {
				if id := int32(native.Uint32(value)); id >= 0 {
					return id, nil
				}
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
