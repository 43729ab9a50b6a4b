// Package kernel is the real Linux: it carries out the steps of a plan in network namespaces, and says what the kernel
// has in them. [World] follows every namespace of a lab through one netlink socket, rtnetlink(7).
//
// A World is used by one goroutine, the one that changes the lab; only [World.Wait] may be called from another.
package kernel

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// World is what the kernel has in all namespaces of a lab.
//
// It begins deaf: while a lab is made, nobody else is in it, and what the kernel would tell of each link would cost as much
// as the links. Until [World.Listen], a World knows of a namespace what it was asked for.
type World struct {
	root       *Netns // the lab process's own namespace: the socket for events is in it, nsids count in it
	events     *eventSocket
	byKey      map[uint64]*Netns
	byInode    map[uint64]*Netns
	byNsid     map[int32]*Netns
	byNode     map[labengine.ID]*Netns
	dirty      map[linkKey]bool
	dirtyIn    map[*Netns]dirtiness
	enter      *entrance
	dirtyVLANs map[*Netns]bool
	moved      map[linkKey]bool // links that went to another namespace, among the dirty ones
	numbering  sync.Mutex       // who has it may use root's socket
	listens    bool
	pairs      []pair          // veths between namespaces that were made before Listen
	impaired   map[*Netns]bool // where links were impaired before Listen

	ruleEvents *eventSocket
	dirtyRules map[*Netns]RulesChanged
	programs   firewallPrograms
}

type linkKey struct {
	netns uint64
	index int
}

type dirtiness struct{ routes, neighbours, sysctls, linkSysctls bool }

// Netns is a network namespace that the world follows.
type Netns struct {
	Key   uint64        // its cookie, SO_NETNS_COOKIE: never used twice while the machine runs
	Inode uint64        // of its file in nsfs, as /proc/PID/ns/net shows it while the namespace lives
	Node  labengine.ID  // the node that it is, once that is known
	File  *os.File      // keeps it, and names it to the kernel
	Links map[int]*Link // by ifindex
	Neigh map[neighKey]labengine.Neighbour

	names  map[string]int // ifindex by name
	nsid   int32          // its number in the world's root
	rootID int32          // the root's number in it; -1 while it has none
	peers  map[int32]*Netns
	socket *socket
	unread bool // neighbours are still to be read

	switches Switches
}

// Link is a network device as the kernel has it.
type Link struct {
	Index     int
	Name      string
	Kind      string // "veth", "loopback", "bridge", …; "ether" where the kernel says no more
	Flags     uint32 // IFF_UP, IFF_LOWER_UP, … in uapi/linux/if.h
	MTU       int    // bytes
	MAC       string
	Peer      int    // ifindex of the other end of a veth, or of the link below a vlan and the like, in its namespace
	PeerNsid  int32  // that namespace's number in this one; -1 is this one
	Master    int    // ifindex of the bridge that it is a port of
	Port      string // of an OVS bridge's port, what it does with VLANs, as a document has it
	Options   string // its kind's own, as a document has them
	Alias     string // as a document has it
	Impair    string // what happens to what it sends, as a document has it
	OperState uint8  // RFC 2863, IF_OPER_UP and so on in uapi/linux/if.h
	Addresses []Address
	ID        labengine.ID         // the interface that it is, once that is known
	pvid      int                  // of a bridge, vlan_default_pvid; -1 where the kernel's bridges know no VLANs, and of other links
	vlans     []labengine.PortVLAN // of a bridge and its ports
	Doomed    bool                 // its other end has gone, and the kernel is about to take it away

	raw rawLink
}

// same says whether nothing of the link itself, its addresses aside, differs.
func (l *Link) same(m *Link) bool {
	return l.Name == m.Name && l.Kind == m.Kind && l.Flags == m.Flags && l.MTU == m.MTU && l.MAC == m.MAC &&
		l.Peer == m.Peer && l.PeerNsid == m.PeerNsid && l.OperState == m.OperState && l.Master == m.Master && l.Options == m.Options &&
		l.Alias == m.Alias && l.pvid == m.pvid && l.Port == m.Port && l.raw == m.raw
}

// Address is an address of a link.
type Address struct {
	Prefix    netip.Prefix
	Peer      netip.Prefix // the other end's, of a point-to-point link
	Scope     uint8        // RT_SCOPE_UNIVERSE and so on in uapi/linux/rtnetlink.h
	Secondary bool
	Kernel    bool // made by the kernel itself
}

type neighKey struct {
	ip    netip.Addr
	index int
}

// NewWorld follows the namespace of the calling process, which is to be a lab's own, and none else yet.
func NewWorld() (*World, error) {
	self, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	w := &World{
		byKey: map[uint64]*Netns{}, byInode: map[uint64]*Netns{}, byNsid: map[int32]*Netns{}, byNode: map[labengine.ID]*Netns{},
		dirty: map[linkKey]bool{}, dirtyIn: map[*Netns]dirtiness{}, moved: map[linkKey]bool{}, dirtyVLANs: map[*Netns]bool{},
		dirtyRules: map[*Netns]RulesChanged{}, impaired: map[*Netns]bool{},
	}
	w.enter = newEntrance(self)
	if w.root, err = w.open(self); err != nil {
		w.enter.close()
		return nil, err
	}
	if w.events, err = newEventSocket(unix.NETLINK_ROUTE); err == nil {
		if w.ruleEvents, err = newEventSocket(unix.NETLINK_NETFILTER); err != nil {
			w.events.close()
		}
	}
	if err != nil {
		w.root.close()
		w.enter.close()
		return nil, fmt.Errorf("socket for netlink events: %w", err)
	}
	return w, nil
}

// descriptorsEach is how many descriptors a namespace takes in a lab: its file, a netlink socket, the file that the capture
// has, and for as long as somebody watches its ring and what wakes its reader.
const descriptorsEach = 5

// MakeRoom has the kernel make room for the descriptors of so many namespaces. It may be called from any goroutine, and is
// worth it while there is something else to wait for: the table of descriptors grows by doubling, and each time a process
// with threads waits for an RCU grace period, some 20 ms: expand_fdtable in fs/file.c.
func (w *World) MakeRoom(namespaces int) {
	const others = 64
	fd, err := unix.FcntlInt(w.root.File.Fd(), unix.F_DUPFD_CLOEXEC, others+descriptorsEach*namespaces)
	if err == nil { // else there may be no more than RLIMIT_NOFILE
		unix.Close(fd)
	}
}

// Close lets go of every namespace.
func (w *World) Close() {
	w.events.close()
	w.ruleEvents.close()
	w.programs.close()
	for _, n := range w.byKey {
		n.close()
	}
	w.root.close()
	w.enter.close()
}

// Add follows a namespace from now on, and takes over its file. A namespace that is followed already is returned as it is.
func (w *World) Add(file *os.File) (*Netns, error) {
	n, err := w.open(file)
	if err != nil {
		return nil, err
	}
	if known, ok := w.byKey[n.Key]; ok {
		n.close()
		return known, nil
	}
	return n, w.follow(n)
}

// follow takes in a namespace that has been opened, and closes it where that fails.
func (w *World) follow(n *Netns) (err error) {
	if n.nsid < 0 {
		w.numbering.Lock()
		n.nsid, err = w.root.giveNsid(n)
		w.numbering.Unlock()
		if err != nil {
			n.close()
			return fmt.Errorf("nsid for a namespace: %w", err)
		}
	}
	w.byKey[n.Key], w.byInode[n.Inode], w.byNsid[n.nsid] = n, n, n
	if w.listens {
		if err = w.read(n); err != nil {
			w.Remove(n)
		}
	}
	return err
}

// Listen follows what happens in the namespaces from now on, having read what is in them.
func (w *World) Listen() error {
	err := w.events.listen(routeGroups...)
	if err == nil {
		err = w.ruleEvents.listen(unix.NFNLGRP_NFTABLES)
	}
	if err != nil {
		return fmt.Errorf("netlink events: %w", err)
	}
	w.listens = true
	if err := w.readAll(func(n *Netns) bool { return w.impaired[n] }); err != nil {
		return err
	}
	for _, p := range w.pairs {
		p.introduce()
	}
	w.pairs, w.impaired = nil, nil
	for _, n := range w.byKey {
		for _, l := range n.Links {
			if l.Flags&unix.IFF_LOWER_UP != 0 {
				w.settle(n, l)
			}
		}
	}
	return w.Drain()
}

// settle has the kernel put a veth that is up into service, if its carrier has just come. It does that later, on a worker of its
// own, and what the link sends until then is lost; unless it is asked for that link, since Linux 6.8: rtnl_getlink in
// net/core/rtnetlink.c.
func (w *World) settle(n *Netns, l *Link) {
	if l.Kind == labengine.Veth && l.Up() && l.OperState != operUp {
		w.refresh(n, l.Index)
	}
}

// operUp is IF_OPER_UP, uapi/linux/if.h.
const operUp = 6

// Remove lets go of a namespace: without a name and without processes the kernel then ends it.
func (w *World) Remove(n *Netns) {
	delete(w.byKey, n.Key)
	delete(w.byInode, n.Inode)
	delete(w.byNsid, n.nsid)
	if w.byNode[n.Node] == n {
		delete(w.byNode, n.Node)
	}
	for index := range n.Links {
		w.dirty[linkKey{n.Key, index}] = true
	}
	delete(w.dirtyIn, n)
	delete(w.dirtyVLANs, n)
	delete(w.dirtyRules, n)
	n.close()
}

// Bind says which node a namespace is.
func (w *World) Bind(n *Netns, node labengine.ID) {
	n.Node = node
	w.byNode[node] = n
}

// Touch has all links of a namespace looked at again.
func (w *World) Touch(n *Netns) {
	for index := range n.Links {
		w.dirty[linkKey{n.Key, index}] = true
	}
	w.markVLANs(n)
	w.markRoutes(n)
	w.markNeighbours(n)
	w.TouchSysctls(n, false)
}

// TouchLink has one link of a namespace looked at again.
func (w *World) TouchLink(ref LinkRef) { w.dirty[linkKey{ref.Netns, ref.Index}] = true }

// TouchTables has the tables of a namespace looked at again.
func (w *World) TouchTables(n *Netns) { w.markRoutes(n) }

// In calls f on a thread that is in the namespace, and waits for it.
func (w *World) In(n *Netns, f func() error) error { return w.enter.in(n.File, f) }

// Unbind makes a namespace nobody's: its name is gone, and it stays only for as long as a process is in it.
func (w *World) Unbind(node labengine.ID) {
	if n, ok := w.byNode[node]; ok {
		n.Node = ""
		for _, link := range n.Links {
			link.ID = ""
		}
		delete(w.byNode, node)
	}
}

// Of is the namespace of a node.
func (w *World) Of(node labengine.ID) (*Netns, bool) { n, ok := w.byNode[node]; return n, ok }

// ByKey is the namespace with this cookie.
func (w *World) ByKey(key uint64) (*Netns, bool) { n, ok := w.byKey[key]; return n, ok }

// ByInode is the namespace whose nsfs file has this inode number.
func (w *World) ByInode(inode uint64) (*Netns, bool) { n, ok := w.byInode[inode]; return n, ok }

// All yields every namespace that is followed, in no order.
func (w *World) All(yield func(*Netns) bool) {
	for _, n := range w.byKey {
		if !yield(n) {
			return
		}
	}
}

// LinkNamed is the link of this name.
func (n *Netns) LinkNamed(name string) (*Link, bool) {
	l, ok := n.Links[n.names[name]]
	return l, ok
}

// PeerOf is the other end of a veth: its namespace and link. ok is false where that namespace is not followed. The kernel
// does not tell when a link's other end moves: where the two do not agree, they are read again.
func (w *World) PeerOf(n *Netns, l *Link) (at *Netns, peer *Link, ok bool) {
	if l.Kind != labengine.Veth {
		return nil, nil, false
	}
	for range 3 {
		at, peer, ok = w.peerOf(n, l)
		if ok && peer.Peer == l.Index {
			return at, peer, true
		}
		had := [2]int{l.Peer, int(l.PeerNsid)}
		if ok {
			w.refresh(at, peer.Index)
		} else {
			w.refresh(n, l.Index)
		}
		if n.Links[l.Index] != l || !ok && had == [2]int{l.Peer, int(l.PeerNsid)} {
			return nil, nil, false
		}
	}
	return nil, nil, false
}

// ParentOf is the link below a vlan, macvlan or vxlan. ok is false where there is none, or its namespace is not followed.
func (w *World) ParentOf(n *Netns, l *Link) (parent *Link, ok bool) {
	if !labengine.MayHaveParent(l.Kind) || l.Peer == 0 {
		return nil, false
	}
	at := n
	if l.PeerNsid >= 0 {
		if at, ok = w.namespaceIn(n, l.PeerNsid); !ok {
			return nil, false
		}
	}
	parent, ok = at.Links[l.Peer]
	return parent, ok
}

func (w *World) peerOf(n *Netns, l *Link) (at *Netns, peer *Link, ok bool) {
	if l.Peer == 0 {
		return nil, nil, false
	}
	at = n
	if l.PeerNsid >= 0 {
		if at, ok = w.namespaceIn(n, l.PeerNsid); !ok {
			return nil, nil, false
		}
	}
	peer, ok = at.Links[l.Peer]
	return at, peer, ok && peer.Kind == labengine.Veth
}

// refresh reads one link again. Of one that has gone, the events tell.
func (w *World) refresh(n *Netns, index int) {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	answers, err := n.ask(unix.RTM_GETLINK, 0, msg)
	if err != nil {
		return
	}
	for _, body := range answers {
		w.takeLink(n, body)
	}
}

func (w *World) open(file *os.File) (*Netns, error) {
	list, errs := w.openAll([]*os.File{file})
	return list[0], errs[0]
}

// openAll opens namespaces that are not followed yet, and closes the files of those where that fails. It may be called from
// any goroutine.
func (w *World) openAll(files []*os.File) ([]*Netns, []error) {
	list := make([]*Netns, len(files))
	sockets, errs := w.enter.open(files)
	for i, socket := range sockets {
		if errs[i] != nil {
			files[i].Close()
			errs[i] = fmt.Errorf("netlink socket in a namespace: %w", errs[i])
			continue
		}
		list[i], errs[i] = newNetns(files[i], socket)
	}
	return list, errs
}

func newNetns(file *os.File, socket *socket) (*Netns, error) {
	n := &Netns{
		File: file, Links: map[int]*Link{}, Neigh: map[neighKey]labengine.Neighbour{}, names: map[string]int{},
		nsid: -1, rootID: -1, peers: map[int32]*Netns{}, socket: socket,
	}
	var stat unix.Stat_t
	err := unix.Fstat(int(file.Fd()), &stat)
	if err != nil {
		n.close()
		return nil, err
	}
	n.Inode = stat.Ino
	if n.Key, err = unix.GetsockoptUint64(socket.fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE); err != nil {
		n.close()
		return nil, fmt.Errorf("SO_NETNS_COOKIE: %w", err)
	}
	return n, nil
}

func (n *Netns) close() {
	n.socket.close()
	n.File.Close()
}

// AddressesText lists the addresses that the kernel does not make itself, as a document has them. It has no word for those of
// a point-to-point link.
func (l *Link) AddressesText() []string {
	list := []string{}
	for _, a := range l.Addresses {
		if !a.Kernel && !a.Peer.IsValid() {
			list = append(list, a.Prefix.String())
		}
	}
	return list
}

// Up says whether the link is administratively up.
func (l *Link) Up() bool { return l.Flags&unix.IFF_UP != 0 }

// State is the link's state as pages show it.
func (l *Link) State() labengine.Link {
	state := labengine.Link{
		Index: l.Index, Carrier: l.Flags&unix.IFF_LOWER_UP != 0, OperState: operState(l.OperState),
		Addresses: make([]labengine.Address, len(l.Addresses)),
	}
	for i, a := range l.Addresses {
		state.Addresses[i] = labengine.Address{Address: a.Prefix.String(), Scope: scope(a.Scope), Kernel: a.Kernel}
		if a.Peer.IsValid() {
			state.Addresses[i].Address, state.Addresses[i].Peer = a.Prefix.Addr().String(), a.Peer.String()
		}
	}
	return state
}

// NeighbourTable is the ARP and NDP table as ip-neighbour(8) shows it, by device and address.
func (n *Netns) NeighbourTable() []labengine.Neighbour {
	list := make([]labengine.Neighbour, 0, len(n.Neigh))
	keys := make([]neighKey, 0, len(n.Neigh))
	for k := range n.Neigh {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b neighKey) int {
		if a.index != b.index {
			return a.index - b.index
		}
		return a.ip.Compare(b.ip)
	})
	for _, k := range keys {
		if l, ok := n.Links[k.index]; ok {
			neighbour := n.Neigh[k]
			neighbour.Dev = l.Name
			list = append(list, neighbour)
		}
	}
	return list
}
