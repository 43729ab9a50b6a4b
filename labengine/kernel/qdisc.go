package kernel

import (
	"errors"
	"math"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/plan"
)

// setImpairment gives a link the queueing discipline that does what is asked for: netem, tbf where a rate is all, or
// blackhole, which lets nothing through.
func (a *applier) setImpairment(s plan.SetImpairment) error {
	n, l, err := a.link(s.At, s.Name)
	if err != nil {
		return err
	}
	want, err := labengine.ParseImpairment(s.Impair)
	if err != nil {
		return err
	}
	if !a.w.listens {
		a.w.impaired[n] = true
	}
	err = a.w.enter.in(n.File, func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		if (want == labengine.Impairment{}) {
			err := h.QdiscDel(&netlink.GenericQdisc{QdiscAttrs: rootOf(l.Index), QdiscType: "noqueue"})
			if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) { // there is none
				return nil
			}
			return err
		}
		return h.QdiscReplace(qdiscFor(l.Index, want))
	})
	if errors.Is(err, unix.ENOENT) && want.NeedsNetem() {
		return labengine.Problemf(labengine.CodeNotSupported,
			"this kernel has no netem (CONFIG_NET_SCH_NETEM): delay, loss and what else is not a rate are off").
			About(s.Interface, "impair").WithHint("`rate` and `cut` work")
	}
	return err
}

func rootOf(index int) netlink.QdiscAttrs {
	return netlink.QdiscAttrs{LinkIndex: index, Parent: netlink.HANDLE_ROOT}
}

func qdiscFor(index int, i labengine.Impairment) netlink.Qdisc {
	switch {
	case i.Cut:
		return &netlink.GenericQdisc{QdiscAttrs: rootOf(index), QdiscType: "blackhole"}
	case i.NeedsNetem():
		return netlink.NewNetem(rootOf(index), netlink.NetemQdiscAttrs{
			Latency: uint32(i.Delay.Microseconds()), Jitter: uint32(i.Jitter.Microseconds()), Loss: float32(i.Loss),
			Duplicate: float32(i.Duplicate), CorruptProb: float32(i.Corrupt), ReorderProb: float32(i.Reorder), Rate64: i.Rate / 8,
		})
	}
	rate := i.Rate / 8
	return &netlink.Tbf{
		QdiscAttrs: rootOf(index), Rate: rate, Buffer: netlink.Xmittime(rate, i.Burst()),
		Limit: uint32(float64(rate)*labengine.RateLatency.Seconds()) + i.Burst(),
	}
}

// sizeofTcmsg is struct tcmsg, uapi/linux/rtnetlink.h.
const sizeofTcmsg = 20

// takeQdisc records a root queueing discipline that came or went. Others than those of an impairment are none.
func (w *World) takeQdisc(n *Netns, body []byte, added bool) {
	if len(body) < sizeofTcmsg || native.Uint32(body[12:]) != netlink.HANDLE_ROOT {
		return
	}
	l, ok := n.Links[int(int32(native.Uint32(body[4:])))]
	if !ok {
		return
	}
	impair := ""
	if added {
		impair = readImpairment(body)
	}
	if l.Impair != impair {
		l.Impair = impair
		w.dirty[linkKey{n.Key, l.Index}] = true
	}
}

func readImpairment(body []byte) string {
	kind, options := "", []byte(nil)
	for t, v := range attributes(body, sizeofTcmsg) {
		switch t {
		case unix.TCA_KIND:
			kind = text(v)
		case unix.TCA_OPTIONS:
			options = v
		}
	}
	switch kind {
	case "blackhole":
		return "cut"
	case "tbf":
		return readTbf(options).String()
	case "netem":
		return readNetem(options).String()
	}
	return ""
}

// The attributes of tbf and netem, uapi/linux/pkt_sched.h.
const (
	tcaTbfParms     = 1
	tcaTbfRate64    = 4
	tcaNetemReorder = 3
	tcaNetemCorrupt = 4
	tcaNetemRate    = 6
	tcaNetemRate64  = 8
	tcaNetemLatency = 10 // ns
	tcaNetemJitter  = 11 // ns
	sizeofNetemQopt = 24 // struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter
)

func readTbf(options []byte) (i labengine.Impairment) {
	for t, v := range attributes(options, 0) {
		switch {
		case t == tcaTbfParms && len(v) >= 12: // struct tc_tbf_qopt begins with struct tc_ratespec, which ends with the rate
			i.Rate = max(i.Rate, 8*uint64(native.Uint32(v[8:])))
		case t == tcaTbfRate64 && len(v) == 8:
			i.Rate = 8 * native.Uint64(v)
		}
	}
	return i
}

func readNetem(options []byte) (i labengine.Impairment) {
	if len(options) < sizeofNetemQopt {
		return i
	}
	share := func(v []byte) float64 { // of 2^32-1
		return math.Round(float64(native.Uint32(v))/math.MaxUint32*100_000) / 1000
	}
	i.Loss, i.Duplicate = share(options[8:]), share(options[16:])
	for t, v := range attributes(options, sizeofNetemQopt) {
		switch {
		case t == tcaNetemReorder && len(v) >= 4:
			i.Reorder = share(v)
		case t == tcaNetemCorrupt && len(v) >= 4:
			i.Corrupt = share(v)
		case t == tcaNetemRate && len(v) >= 4:
			i.Rate = max(i.Rate, 8*uint64(native.Uint32(v)))
		case t == tcaNetemRate64 && len(v) == 8:
			i.Rate = 8 * native.Uint64(v)
		case t == tcaNetemLatency && len(v) == 8:
			i.Delay = time.Duration(native.Uint64(v)).Round(time.Microsecond)
		case t == tcaNetemJitter && len(v) == 8:
			i.Jitter = time.Duration(native.Uint64(v)).Round(time.Microsecond)
		}
	}
	return i
}

// tcmsg is an empty struct tcmsg.
type tcmsg struct{}

func (tcmsg) Len() int          { return sizeofTcmsg }
func (tcmsg) Serialize() []byte { return make([]byte, sizeofTcmsg) }
