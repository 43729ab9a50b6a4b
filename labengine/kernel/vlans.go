package kernel

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/plan"
)

// VLANs of bridge ports, in the messages of AF_BRIDGE. What is sent was compared with what bridge(8) sends, byte by byte; what
// is read was written after br_fill_ifinfo in net/bridge/br_netlink.c, and has not met a kernel with
// CONFIG_BRIDGE_VLAN_FILTERING yet.

// Flags of struct bridge_vlan_info and of IFLA_BRIDGE_FLAGS, uapi/linux/if_bridge.h.
const (
	vlanPVID       = 1 << 1
	vlanUntagged   = 1 << 2
	vlanRangeBegin = 1 << 3
	vlanRangeEnd   = 1 << 4

	bridgeFlagsSelf = 2
)

// Attributes of IFLA_AF_SPEC in AF_BRIDGE, uapi/linux/if_bridge.h.
const (
	iflaBridgeFlags    = 0
	iflaBridgeVLANInfo = 2
)

// withVLANs is IFLA_EXT_MASK with RTEXT_FILTER_BRVLAN_COMPRESSED, uapi/linux/rtnetlink.h: neighbours come as ranges.
func withVLANs() *nl.RtAttr { return nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(1<<2)) }

// vlanSpec is IFLA_AF_SPEC with these VLANs of a port, or of a bridge itself.
func vlanSpec(self bool, list []labengine.PortVLAN) *nl.RtAttr {
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	if self {
		spec.AddRtAttr(iflaBridgeFlags, nl.Uint16Attr(bridgeFlagsSelf))
	}
	info := func(id int, flags uint16) {
		value := binary.NativeEndian.AppendUint16(nil, flags)
		spec.AddRtAttr(iflaBridgeVLANInfo, binary.NativeEndian.AppendUint16(value, uint16(id)))
	}
	for _, v := range list {
		var flags uint16
		if v.PVID {
			flags |= vlanPVID
		}
		if v.Untagged {
			flags |= vlanUntagged
		}
		if v.First == v.Last {
			info(v.First, flags)
			continue
		}
		info(v.First, flags|vlanRangeBegin)
		info(v.Last, flags|vlanRangeEnd)
	}
	return spec
}

// readVLANSpec is the same the other way round.
func readVLANSpec(spec []byte) []labengine.PortVLAN {
	var list []labengine.PortVLAN
	first := 0 // of a range that has begun
	for t, v := range attributes(spec, 0) {
		if t != iflaBridgeVLANInfo || len(v) != 4 {
			continue
		}
		flags, id := native.Uint16(v), int(native.Uint16(v[2:]))
		if flags&vlanRangeBegin != 0 {
			first = id
			continue
		}
		if flags&vlanRangeEnd == 0 || first == 0 {
			first = id
		}
		list = append(list, labengine.PortVLAN{First: first, Last: id, PVID: flags&vlanPVID != 0, Untagged: flags&vlanUntagged != 0})
		first = 0
	}
	return list
}

// setVLANs adds VLANs before it takes others away, so that frames without a tag have one all the time. A kernel whose bridges
// know no VLANs says yes to taking them away: where there are none to add, those are added once more that go.
func (a *applier) setVLANs(s plan.SetVLANs) error {
	n, l, err := a.link(s.At, s.Name)
	if err != nil {
		return err
	}
	send := func(kind int, list []labengine.PortVLAN) error {
		msg := nl.NewIfInfomsg(unix.AF_BRIDGE)
		msg.Index = int32(l.Index)
		return n.do(kind, 0, msg, vlanSpec(s.Self, list))
	}
	add := s.Add
	if len(add) == 0 {
		add = s.Remove
	}
	if err := send(unix.RTM_SETLINK, add); err != nil || len(s.Remove) == 0 {
		return err
	}
	return send(unix.RTM_DELLINK, s.Remove)
}

// markVLANs has a namespace's VLANs read before its links are looked at again.
func (w *World) markVLANs(n *Netns) { w.dirtyVLANs[n] = true }

// readVLANs reads in which VLANs the bridges of a namespace and their ports are, if a bridge there knows any.
func (w *World) readVLANs(n *Netns) error {
	knows := false
	for _, l := range n.Links {
		knows = knows || l.pvid >= 0
	}
	if !knows {
		return nil
	}
	answers, err := n.ask(unix.RTM_GETLINK, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_BRIDGE), withVLANs())
	if err != nil {
		return fmt.Errorf("read VLANs of bridges: %w", err)
	}
	found := map[int][]labengine.PortVLAN{}
	for _, body := range answers {
		if len(body) < unix.SizeofIfInfomsg {
			continue
		}
		for t, v := range attributes(body, unix.SizeofIfInfomsg) {
			if t == unix.IFLA_AF_SPEC {
				found[indexOf(body)] = readVLANSpec(v)
			}
		}
	}
	for index, l := range n.Links {
		if now := found[index]; !slices.Equal(now, l.vlans) {
			l.vlans = now
			w.dirty[linkKey{n.Key, index}] = true
		}
	}
	return nil
}

// VLANsOf are a link's VLANs as a document has them: "" where its bridge gives it those by itself, or knows none.
func (n *Netns) VLANsOf(l *Link) string {
	bridge := l
	if l.Kind != labengine.Bridge {
		bridge = n.Links[l.Master]
	}
	if bridge == nil || bridge.pvid < 0 || slices.Equal(l.vlans, labengine.DefaultVLANs(bridge.pvid)) {
		return ""
	}
	return labengine.WriteVLANs(l.vlans)
}
