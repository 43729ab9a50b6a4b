package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/plan"
)

// Switches is what Open vSwitch has in a namespace, by the names of the ports.
type Switches map[string]SwitchPort

// SwitchPort is a port of an OVS bridge. The kernel knows nothing of that: to it, such a port has no master, and the bridge's
// own port is a tap.
type SwitchPort struct {
	Bridge   string // its name, which is that of the bridge's own port, too
	Port     string // what the port does with VLANs, as a document has it
	Options  string // of a bridge's own port: the bridge's, as a document has them
	Internal bool   // Open vSwitch has made the device: to the kernel it is a tap
}

// SetSwitches says what Open vSwitch has in a namespace.
func (w *World) SetSwitches(n *Netns, s Switches) {
	n.switches = s
	w.overlay(n)
}

// tap is the kind that the kernel has for tun and tap interfaces alike, drivers/net/tun.c.
const tap = "tun"

// overlay has all links of a namespace follow what Open vSwitch has there: bridges first, for ports name them.
func (w *World) overlay(n *Netns) {
	for _, bridges := range []bool{true, false} {
		for index, l := range n.Links {
			if p, is := n.switches[l.Name]; bridges != (is && p.Bridge == l.Name) {
				continue
			}
			fresh := *l
			fresh.Kind, fresh.Options, fresh.Master, fresh.Port = l.raw.kind, l.raw.options, l.raw.master, ""
			n.takeSwitch(&fresh, l)
			if !l.same(&fresh) {
				*l = fresh
				w.dirty[linkKey{n.Key, index}] = true
			}
		}
	}
}

// takeSwitch has a link be what Open vSwitch makes of it. A bridge's own port, or another internal one, once it is known as
// that, is one for as long as it is there: the database forgets it before it goes.
func (n *Netns) takeSwitch(l, was *Link) {
	l.raw = rawLink{l.Kind, l.Options, l.Master}
	p, ok := n.switches[l.Name]
	switch {
	case l.Kind == tap && (ok && p.Bridge == l.Name || was != nil && was.Kind == labengine.OVS):
		l.Kind, l.Options = labengine.OVS, p.Options
		if !ok {
			l.Options = was.Options
		}
	case ok && p.Bridge != l.Name && l.Master == 0:
		if bridge, ok := n.LinkNamed(p.Bridge); ok && bridge.Kind == labengine.OVS {
			l.Master, l.Port = bridge.Index, p.Port
		}
	case !ok && was != nil && was.Kind == labengine.Internal: // it is about to go
		l.Master, l.Port = was.Master, was.Port
	}
	if l.Kind == tap && (ok && p.Internal || was != nil && was.Kind == labengine.Internal) {
		l.Kind, l.Options = labengine.Internal, ""
	}
}

// rawLink is what the kernel has where Open vSwitch has something else.
type rawLink struct {
	kind, options string
	master        int
}

// ethtoolValue is struct ethtool_value in uapi/linux/ethtool.h, and ifreqData struct ifreq with a pointer, netdevice(7).
type ethtoolValue struct{ command, value uint32 }

type ifreqData struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte // the rest of the union
}

// setOffload has a link compute the checksums of what it sends, or leave that to the kernel.
func (a *applier) setOffload(s plan.SetOffload) error {
	n, err := a.await(s.At.Node)
	if err != nil {
		return err
	}
	return a.w.SetOffload(n, s.Name, s.On)
}

// SetOffload has a link compute the checksums of what it sends, or leave that to the kernel: ETHTOOL_STXCSUM, which takes
// segmentation along.
func (w *World) SetOffload(n *Netns, name string, on bool) error {
	value := ethtoolValue{command: unix.ETHTOOL_STXCSUM}
	if on {
		value.value = 1
	}
	request := ifreqData{data: unsafe.Pointer(&value)}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	return w.In(n, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
			return errno
		}
		return nil
	})
}
