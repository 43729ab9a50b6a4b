package kernel

import (
	"net"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/plan"
)

// ndmsg is struct ndmsg, uapi/linux/neighbour.h.
type ndmsg struct {
	family uint8
	index  int
	state  uint16
}

func (m ndmsg) Len() int { return unix.SizeofNdMsg }
func (m ndmsg) Serialize() []byte {
	b := make([]byte, unix.SizeofNdMsg)
	b[0] = m.family
	native.PutUint32(b[4:], uint32(m.index))
	native.PutUint16(b[8:], m.state)
	return b
}

// neighbour sends a message about a permanent entry.
func (a *applier) neighbour(at plan.Spot, text string, kind, flags int) error {
	p, err := labengine.ParseNeighbour(text)
	if err != nil {
		return err
	}
	n, l, err := a.link(at, p.Dev)
	if err != nil {
		return err
	}
	ip, err := netip.ParseAddr(p.IP)
	if err != nil {
		return err
	}
	mac, err := net.ParseMAC(p.MAC)
	if err != nil {
		return err
	}
	msg := ndmsg{family: unix.AF_INET6, index: l.Index, state: unix.NUD_PERMANENT}
	if ip.Is4() {
		msg.family = unix.AF_INET
	}
	return n.do(kind, flags, msg, nl.NewRtAttr(unix.NDA_DST, ip.AsSlice()), nl.NewRtAttr(unix.NDA_LLADDR, mac))
}
