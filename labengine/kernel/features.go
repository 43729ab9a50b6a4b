package kernel

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// featureTrial tries one thing in a scratch namespace, where a and b are the ends of a cable.
type featureTrial struct {
	name    string
	lacking string // what to say where the kernel has no such thing
	try     func(h *netlink.Handle, a netlink.Link) error
}

func attrs(name string, parent netlink.Link) netlink.LinkAttrs {
	la := netlink.NewLinkAttrs()
	la.Name = name
	if parent != nil {
		la.ParentIndex = parent.Attrs().Index
	}
	return la
}

var featureTrials = []featureTrial{
	{"bridge", "this kernel has no bridges (CONFIG_BRIDGE)", func(h *netlink.Handle, _ netlink.Link) error {
		return h.LinkAdd(&netlink.Bridge{LinkAttrs: attrs("t1", nil)})
	}},
	{"vlan_filtering", "this kernel's bridges know no VLANs (CONFIG_BRIDGE_VLAN_FILTERING)", func(h *netlink.Handle, _ netlink.Link) error {
		on := true
		return h.LinkAdd(&netlink.Bridge{LinkAttrs: attrs("t2", nil), VlanFiltering: &on})
	}},
	{"dummy", "this kernel has no dummy interfaces (CONFIG_DUMMY)", func(h *netlink.Handle, _ netlink.Link) error {
		return h.LinkAdd(&netlink.Dummy{LinkAttrs: attrs("t3", nil)})
	}},
	{"vlan", "this kernel has no VLAN interfaces (CONFIG_VLAN_8021Q)", func(h *netlink.Handle, a netlink.Link) error {
		return h.LinkAdd(&netlink.Vlan{LinkAttrs: attrs("t4", a), VlanId: 5})
	}},
	{"vxlan", "this kernel has no VXLAN (CONFIG_VXLAN)", func(h *netlink.Handle, _ netlink.Link) error {
		return h.LinkAdd(&netlink.Vxlan{LinkAttrs: attrs("t5", nil), VxlanId: 5, Port: 4789})
	}},
	{"macvlan", "this kernel has no macvlan (CONFIG_MACVLAN)", func(h *netlink.Handle, a netlink.Link) error {
		return h.LinkAdd(&netlink.Macvlan{LinkAttrs: attrs("t6", a), Mode: netlink.MACVLAN_MODE_BRIDGE})
	}},
	{"tun", "this system has no /dev/net/tun (CONFIG_TUN): `modprobe tun` on the real machine makes it", func(*netlink.Handle, netlink.Link) error {
		err := makeTun("t7", tunFlags(nil))
		if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
			err = unix.ENOENT // the file without its driver
		}
		return err
	}},
	{"tbf", "this kernel has no tbf (CONFIG_NET_SCH_TBF): rates are off", func(h *netlink.Handle, a netlink.Link) error {
		return h.QdiscReplace(qdiscFor(a.Attrs().Index, labengine.Impairment{Rate: 1e6}))
	}},
	{"netem", "this kernel has no netem (CONFIG_NET_SCH_NETEM): delay and loss are off. Rate works.", func(h *netlink.Handle, a netlink.Link) error {
		return h.QdiscReplace(qdiscFor(a.Attrs().Index, labengine.Impairment{Loss: 1}))
	}},
}

// Features tries what kernels may lack, in a namespace that it takes over and that goes with it. It takes some
// milliseconds, and may be called from any goroutine.
func Features(scratch *os.File) map[string]labengine.Feature {
	result := make(chan map[string]labengine.Feature)
	go func() {
		defer scratch.Close()
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Setns(int(scratch.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- noAnswers(err)
			return
		}
		result <- tryAll()
	}()
	return <-result
}

func noAnswers(err error) map[string]labengine.Feature {
	features := map[string]labengine.Feature{}
	for _, t := range featureTrials {
		features[t.name] = labengine.Feature{Answer: labengine.NotKnown, Reason: err.Error()}
	}
	return features
}

func tryAll() map[string]labengine.Feature {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return noAnswers(err)
	}
	defer h.Close()
	if err := h.LinkAdd(&netlink.Veth{LinkAttrs: attrs("a", nil), PeerName: "b"}); err != nil {
		return noAnswers(err)
	}
	a, err := h.LinkByName("a")
	if err != nil {
		return noAnswers(err)
	}
	features := map[string]labengine.Feature{}
	for _, t := range featureTrials {
		err := t.try(h, a)
		var errno syscall.Errno
		switch {
		case err == nil:
			features[t.name] = labengine.Feature{Answer: labengine.Present}
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPROTONOSUPPORT):
			features[t.name] = labengine.Feature{Answer: labengine.Lacking, Reason: t.lacking}
		case errors.As(err, &errno):
			features[t.name] = labengine.Feature{Answer: labengine.NotKnown, Reason: unix.ErrnoName(errno)}
		default:
			features[t.name] = labengine.Feature{Answer: labengine.NotKnown, Reason: err.Error()}
		}
	}
	return features
}
