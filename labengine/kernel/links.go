package kernel

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/plan"
)

// link finds a link by its name. The world has taken in what the step before did, and what went by itself.
func (a *applier) link(at plan.Spot, name string) (*Netns, *Link, error) {
	n, err := a.await(at.Node)
	if err != nil {
		return nil, nil, err
	}
	l, err := a.find(n, name)
	return n, l, err
}

// find is the link of a name, which a step that waits to be sent may be about to make.
func (a *applier) find(n *Netns, name string) (*Link, error) {
	if _, known := n.LinkNamed(name); !known {
		if err := a.flush(); err != nil {
			return nil, err
		}
	}
	l, ok := a.w.find(n, name)
	if !ok {
		return nil, unix.ENODEV
	}
	return l, nil
}

// find is the link of a name. A world that does not listen asks for the number of one that it does not know, which is all
// that a step needs.
func (w *World) find(n *Netns, name string) (*Link, bool) {
	l, ok := n.LinkNamed(name)
	if ok || w.listens {
		return l, ok
	}
	index, err := n.socket.index(name)
	if err != nil {
		return nil, false
	}
	l = &Link{Index: index, Name: name, pvid: -1}
	n.Links[index], n.names[name] = l, index
	return l, true
}

// deleteLink removes a link, unless it has gone by itself: with its peer's namespace, say.
func (a *applier) deleteLink(s plan.DeleteLink) error {
	err := a.onLink(s.At, s.Name, unix.RTM_DELLINK, nil)
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// onLink sends a link message about one link.
func (a *applier) onLink(at plan.Spot, name string, kind int, change func(*nl.IfInfomsg), data ...nl.NetlinkRequestData) error {
	n, l, err := a.link(at, name)
	if err != nil {
		return err
	}
	return n.onLink(l.Index, kind, change, data...)
}

func (n *Netns) onLink(index, kind int, change func(*nl.IfInfomsg), data ...nl.NetlinkRequestData) error {
	return n.send(linkMessage(index, kind, change, data...))
}

func linkMessage(index, kind int, change func(*nl.IfInfomsg), data ...nl.NetlinkRequestData) message {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	if change != nil {
		change(msg)
	}
	return message{kind: kind, data: append([]nl.NetlinkRequestData{msg}, data...)}
}

// comesUpWithin is how many steps are looked through for what happens first to a link that is about to be made.
const comesUpWithin = 4

// comesUp says whether the first thing that happens to a link is that it is set up.
func (a *applier) comesUp(next plan.Plan, id labengine.ID) bool {
	for _, step := range next[:min(len(next), comesUpWithin)] {
		switch s := step.(type) {
		case plan.AddAddress:
			if s.Interface == id {
				return false
			}
		case plan.SetLink:
			if s.Interface == id {
				return s.Up != nil && *s.Up && s.MTU == nil && s.MAC == nil && s.Alias == nil
			}
		default:
			return false
		}
	}
	return false
}

func (a *applier) setLink(s plan.SetLink) error {
	if a.up[s.Interface] {
		delete(a.up, s.Interface)
		return nil
	}
	var data []nl.NetlinkRequestData
	if s.MTU != nil {
		data = append(data, nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(*s.MTU))))
	}
	if s.MAC != nil {
		mac, err := net.ParseMAC(*s.MAC)
		if err != nil {
			return err
		}
		data = append(data, nl.NewRtAttr(unix.IFLA_ADDRESS, mac))
	}
	if s.Alias != nil {
		data = append(data, nl.NewRtAttr(unix.IFLA_IFALIAS, []byte(*s.Alias)))
	}
	err := a.sendTo(s, s.At, s.Name, linkMessage(0, unix.RTM_NEWLINK, func(m *nl.IfInfomsg) {
		if s.Up != nil {
			m.Change = unix.IFF_UP
			if *s.Up {
				m.Flags = unix.IFF_UP
			}
		}
	}, data...))
	if err != nil || !a.w.listens {
		return err
	}
	n, _ := a.w.Of(s.At.Node)
	if s.Up != nil && *s.Up {
		a.opened = append(a.opened, opened{n, s.Name})
	}
	if s.Alias != nil {
		return a.w.LookAtLinksDown(n)
	}
	return nil
}

func (a *applier) moveLink(s plan.MoveLink) error {
	to, err := a.await(s.To.Node)
	if err != nil {
		return err
	}
	data := []nl.NetlinkRequestData{nl.NewRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(to.File.Fd())))}
	if s.NewName != s.Name {
		data = append(data, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(s.NewName)))
	}
	return a.onLink(s.At, s.Name, unix.RTM_NEWLINK, nil, data...)
}

// addVeth makes both ends where they belong in one request, with the first end's namespace as the one that is asked. That
// end can be set up in the same request: each takes the lock under which the kernel makes all links.
func (a *applier) addVeth(s plan.AddVeth, up bool) error {
	var at [2]*Netns
	for i, end := range s.Ends {
		var err error
		if at[i], err = a.await(end.At.Node); err != nil {
			return err
		}
	}
	first, err := vethEnd(s.Ends[0], s.Quiet)
	if err != nil {
		return err
	}
	second, err := vethEnd(s.Ends[1], s.Quiet)
	if err != nil {
		return err
	}
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(labengine.Veth))
	peer := info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(nl.VETH_INFO_PEER, nil)
	nl.NewIfInfomsgChild(peer, unix.AF_UNSPEC)
	for _, attr := range second {
		peer.AddChild(attr)
	}
	if at[1] != at[0] {
		peer.AddRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(at[1].File.Fd())))
	}
	head := nl.NewIfInfomsg(unix.AF_UNSPEC)
	if up {
		head.Flags, head.Change = unix.IFF_UP, unix.IFF_UP
	}
	data := []nl.NetlinkRequestData{head}
	for _, attr := range first {
		data = append(data, attr)
	}
	for i, end := range s.Ends {
		if err := a.w.awaitEnd(at[i], end.Name); err != nil {
			return err
		}
	}
	if s.Master != "" {
		master, err := a.find(at[0], s.Master)
		if err != nil {
			return err
		}
		data = append(data, nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(master.Index))))
	}
	err = a.send(s, at[0], message{kind: unix.RTM_NEWLINK, flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL, data: append(data, info)})
	if err != nil {
		return err
	}
	if up {
		if a.up == nil {
			a.up = map[labengine.ID]bool{}
		}
		a.up[s.Ends[0].Interface] = true
	}
	a.opened = append(a.opened, opened{at[0], s.Ends[0].Name})
	if !a.w.listens && at[0] != at[1] {
		a.w.pairs = append(a.w.pairs, pair{at: at, name: [2]string{s.Ends[0].Name, s.Ends[1].Name}})
	}
	if !s.Quiet {
		return nil
	}
	for i, end := range s.Ends {
		if err := a.send(s, at[i], noLinkLocal(end.Name)); err != nil {
			return err
		}
	}
	return nil
}

// noLinkLocal has the kernel make no IPv6 link-local address for a link; where there is no IPv6, it makes none anyway.
func noLinkLocal(name string) message {
	none := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	none.AddRtAttr(unix.AF_INET6, nil).AddRtAttr(unix.IFLA_INET6_ADDR_GEN_MODE, []byte{addrGenModeNone})
	m := linkMessage(0, unix.RTM_NEWLINK, nil, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)), none)
	m.tolerates = unix.EAFNOSUPPORT
	return m
}

func (a *applier) setMaster(s plan.SetMaster) error {
	index := 0
	if s.Master != "" {
		_, master, err := a.link(s.At, s.Master)
		if err != nil {
			return err
		}
		index = master.Index
	}
	return a.onLink(s.At, s.Name, unix.RTM_NEWLINK, nil, nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(index))))
}

// endWait bounds the wait for a link whose other end has gone with its namespace: the kernel cleans namespaces up one
// after the other, at about a millisecond each.
const endWait = 5 * time.Second

// awaitEnd waits until a doomed link has given its name free.
func (w *World) awaitEnd(n *Netns, name string) error {
	for deadline := time.Now().Add(endWait); ; {
		l, ok := n.LinkNamed(name)
		if !ok || !l.Doomed || time.Now().After(deadline) {
			return nil // if it is still there, the kernel says so
		}
		w.events.waitFor(100 * time.Millisecond)
		if err := w.Drain(); err != nil {
			return err
		}
	}
}

func vethEnd(e plan.VethEnd, quiet bool) ([]*nl.RtAttr, error) {
	attrs := []*nl.RtAttr{
		nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(e.Name)),
		nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(e.MTU))),
	}
	if e.MAC != "" {
		mac, err := net.ParseMAC(e.MAC)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_ADDRESS, mac))
	}
	if quiet {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_NUM_TX_QUEUES, nl.Uint32Attr(1)),
			nl.NewRtAttr(unix.IFLA_NUM_RX_QUEUES, nl.Uint32Attr(1)))
	}
	return attrs, nil
}

// addLink makes a link that is no cable's. One on top of another is made where that is, and put where it belongs.
func (a *applier) addLink(s plan.AddLink) error {
	n, err := a.await(s.At.Node)
	if err != nil {
		return err
	}
	values, err := labengine.ParseOptions(s.Kind, s.Options)
	if err != nil {
		return err
	}
	if s.Quiet && s.Kind == labengine.Bridge {
		values["mcast_snooping"] = "0"
	}
	if s.Kind == labengine.Tun {
		return a.addTun(n, s, values)
	}
	data := []nl.NetlinkRequestData{nl.NewIfInfomsg(unix.AF_UNSPEC), nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(s.Name))}
	var below []*nl.RtAttr // of IFLA_INFO_DATA
	in := n
	if s.Parent != "" {
		at, parent, err := a.link(s.ParentAt, s.Parent)
		if err != nil {
			return err
		}
		index := nl.Uint32Attr(uint32(parent.Index))
		if s.Kind == labengine.VXLAN {
			below = append(below, nl.NewRtAttr(nl.IFLA_VXLAN_LINK, index))
		} else {
			data = append(data, nl.NewRtAttr(unix.IFLA_LINK, index))
		}
		if in = at; at != n {
			data = append(data, nl.NewRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(n.File.Fd()))))
		}
	}
	if mac, err := net.ParseMAC(s.MAC); err == nil {
		data = append(data, nl.NewRtAttr(unix.IFLA_ADDRESS, mac))
	}
	if s.MTU != 0 && s.MTU != labengine.DefaultMTU(s.Kind) {
		data = append(data, nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(s.MTU))))
	}
	data = append(data, linkInfo(s.Kind, values, below...))
	if err := in.do(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, data...); err != nil || !s.Quiet {
		return err
	}
	return n.send(noLinkLocal(s.Name))
}

// ifaddrmsg is struct ifaddrmsg in uapi/linux/if_addr.h.
type ifaddrmsg struct{ unix.IfAddrmsg }

func (m ifaddrmsg) Len() int { return unix.SizeofIfAddrmsg }
func (m ifaddrmsg) Serialize() []byte {
	b := make([]byte, unix.SizeofIfAddrmsg)
	b[0], b[1], b[2], b[3] = m.Family, m.Prefixlen, m.Flags, m.Scope
	native.PutUint32(b[4:], m.Index)
	return b
}

func (a *applier) address(step plan.Step, at plan.Spot, dev, text string, kind, flags int) error {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return err
	}
	ip := prefix.Addr()
	msg := ifaddrmsg{unix.IfAddrmsg{Family: unix.AF_INET6, Prefixlen: uint8(prefix.Bits())}}
	if ip.Is4() {
		msg.Family = unix.AF_INET
	}
	switch { // as ip-address(8) chooses it
	case ip.IsLoopback():
		msg.Scope = unix.RT_SCOPE_HOST
	case ip.Is6() && ip.IsLinkLocalUnicast():
		msg.Scope = unix.RT_SCOPE_LINK
	}
	return a.sendTo(step, at, dev, message{kind: kind, flags: flags, data: []nl.NetlinkRequestData{
		msg, nl.NewRtAttr(unix.IFA_LOCAL, ip.AsSlice()), nl.NewRtAttr(unix.IFA_ADDRESS, ip.AsSlice()),
	}})
}
