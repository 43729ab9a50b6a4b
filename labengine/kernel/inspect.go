package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// Inspector reads what the kernel does not tell of and what changes all the time: counters of rules, tracked connections,
// sockets. It has a thread of its own, so that nobody who changes the lab waits for it. It is used by one goroutine.
type Inspector struct {
	home     *os.File
	enter    *entrance
	programs firewallPrograms
	owners   map[uint32]owner // of sockets, by inode
}

// NewInspector is ready to look into the namespaces of a lab. The calling process is to be in the lab's own.
func NewInspector() (*Inspector, error) {
	home, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	return &Inspector{home: home, enter: newEntrance(home), owners: map[uint32]owner{}}, nil
}

// Close ends the thread.
func (i *Inspector) Close() {
	i.enter.close()
	i.home.Close()
	i.programs.close()
}

// Rules reads what iptables-save(8) shows of a namespace.
func (i *Inspector) Rules(netns *os.File, ipv6 bool) (saved SavedRules, err error) {
	program, err := i.programs.of(ipv6)
	if err != nil {
		return saved, err
	}
	err = i.enter.in(netns, func() (err error) {
		saved, err = i.programs.readRules(program, ipv6)
		return err
	})
	return saved, err
}

// maxFlows bounds the tracked connections that pages are shown.
const maxFlows = 500

// Conntrack reads a namespace's tracked connections: nil where there are none, as where nothing is tracked.
func (i *Inspector) Conntrack(netns *os.File) (*labengine.Conntrack, error) {
	var c *labengine.Conntrack
	err := i.enter.in(netns, func() error {
		text, err := readSysctl("net.netfilter.nf_conntrack_count", make([]byte, 32))
		if count, _ := strconv.Atoi(text); err == nil && count > 0 {
			c = &labengine.Conntrack{Count: count, Flows: []labengine.Flow{}}
			err = dumpFlows(func(f labengine.Flow) bool { c.Flows = append(c.Flows, f); return len(c.Flows) < maxFlows })
			c.Count = max(c.Count, len(c.Flows))
			return err
		}
		return nil // the kernel has no conntrack, or it has nothing to do
	})
	return c, err
}

// dumpFlows lists what the calling thread's namespace tracks, until take says that it is enough.
func dumpFlows(take func(labengine.Flow) bool) error {
	const ctGet = unix.NFNL_SUBSYS_CTNETLINK<<8 | nl.IPCTNL_MSG_CT_GET
	req := nl.NewNetlinkRequest(ctGet, unix.NLM_F_DUMP)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	return req.ExecuteIter(unix.NETLINK_NETFILTER, 0, func(body []byte) bool { return take(parseFlow(body)) })
}

// The attributes of a tracked connection: enum ctattr_type and the like in uapi/linux/netfilter/nfnetlink_conntrack.h.
const (
	ctaTupleOrig, ctaTupleReply, ctaStatus, ctaProtoinfo = 1, 2, 3, 4
	ctaTimeout, ctaMark, ctaCountersOrig, ctaCountersRep = 7, 8, 9, 10

	ctaTupleIP, ctaTupleProto                            = 1, 2
	ctaProtoNum, ctaProtoSrcPort, ctaProtoDstPort        = 1, 2, 3
	ctaICMPID, ctaICMPType, ctaICMPCode                  = 4, 5, 6
	ctaICMPv6ID, ctaICMPv6Type, ctaICMPv6Code            = 7, 8, 9
	ctaProtoinfoTCP, ctaTCPState                         = 1, 1
	ctaPackets, ctaBytes                                 = 1, 2
	ipsSeenReply, ipsAssured                      uint32 = 1 << 1, 1 << 2 // uapi/linux/netfilter/nf_conntrack_common.h
)

// tcpStates are as conntrack(8) names them: enum tcp_conntrack in uapi/linux/netfilter/nf_conntrack_tcp.h.
var tcpStates = []string{
	"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2",
}

// protocols are the ones that have a name in conntrack(8), by number; and IGMP, which every bridge with an address sends.
var protocols = map[uint8]string{
	unix.IPPROTO_ICMP: "icmp", unix.IPPROTO_TCP: "tcp", unix.IPPROTO_UDP: "udp", unix.IPPROTO_ICMPV6: "icmpv6",
	unix.IPPROTO_IGMP: "igmp", unix.IPPROTO_GRE: "gre",
	unix.IPPROTO_SCTP: "sctp", unix.IPPROTO_UDPLITE: "udplite", unix.IPPROTO_DCCP: "dccp",
}

func parseFlow(body []byte) labengine.Flow {
	var f labengine.Flow
	var status uint32
	for t, v := range attributes(body, 4) {
		switch t {
		case ctaTupleOrig:
			f.Original, f.Protocol = parseTuple(v, f.Original)
		case ctaTupleReply:
			f.Reply, _ = parseTuple(v, f.Reply)
		case ctaStatus:
			status = bigUint32(v)
		case ctaProtoinfo:
			for t, v := range attributes(v, 0) {
				for tcp, state := range attributes(v, 0) {
					if t == ctaProtoinfoTCP && tcp == ctaTCPState && len(state) > 0 && int(state[0]) < len(tcpStates) {
						f.State = tcpStates[state[0]]
					}
				}
			}
		case ctaTimeout:
			f.Timeout = int(bigUint32(v))
		case ctaMark:
			f.Mark = bigUint32(v)
		case ctaCountersOrig:
			f.Original.Packets, f.Original.Bytes = parseFlowCounters(v)
		case ctaCountersRep:
			f.Reply.Packets, f.Reply.Bytes = parseFlowCounters(v)
		}
	}
	f.Unseen, f.Assured = status&ipsSeenReply == 0, status&ipsAssured != 0
	return f
}

// parseTuple fills in where packets come from and go to, and gives the protocol.
func parseTuple(body []byte, ends labengine.FlowEnds) (labengine.FlowEnds, string) {
	protocol := ""
	icmp := map[uint16]int{}
	for t, v := range attributes(body, 0) {
		for t2, v := range attributes(v, 0) {
			switch {
			case t == ctaTupleIP && t2%2 == 1: // CTA_IP_V4_SRC, CTA_IP_V6_SRC
				ends.From = address(v)
			case t == ctaTupleIP:
				ends.To = address(v)
			case t2 == ctaProtoNum && len(v) > 0:
				if protocol = protocols[v[0]]; protocol == "" {
					protocol = strconv.Itoa(int(v[0]))
				}
			case t2 == ctaProtoSrcPort:
				ends.FromPort = bigUint16(v)
			case t2 == ctaProtoDstPort:
				ends.ToPort = bigUint16(v)
			case t2 == ctaICMPID || t2 == ctaICMPv6ID:
				icmp[ctaICMPID] = bigUint16(v)
			case (t2 == ctaICMPType || t2 == ctaICMPv6Type) && len(v) > 0:
				icmp[ctaICMPType] = int(v[0])
			case (t2 == ctaICMPCode || t2 == ctaICMPv6Code) && len(v) > 0:
				icmp[ctaICMPCode] = int(v[0])
			}
		}
	}
	if len(icmp) > 0 {
		ends.ICMP = fmt.Sprintf("type=%d code=%d id=%d", icmp[ctaICMPType], icmp[ctaICMPCode], icmp[ctaICMPID])
	}
	return ends, protocol
}

func parseFlowCounters(body []byte) (packets, bytes uint64) {
	for t, v := range attributes(body, 0) {
		if len(v) == 8 && t == ctaPackets {
			packets = binary.BigEndian.Uint64(v)
		} else if len(v) == 8 && t == ctaBytes {
			bytes = binary.BigEndian.Uint64(v)
		}
	}
	return packets, bytes
}

func bigUint16(v []byte) int {
	if len(v) != 2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(v))
}

func bigUint32(v []byte) uint32 {
	if len(v) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(v)
}

// waitingSocket is a socket with the number that its file has in /proc/PID/fd.
type waitingSocket struct {
	labengine.Socket
	index int // of the interface that it is bound to, 0 for none
	inode uint32
}

// Sockets lists the sockets of a namespace that wait for others: TCP's that listen, and UDP's that are connected to nobody.
// device names an interface; the inode is the namespace's own in nsfs.
func (i *Inspector) Sockets(netns *os.File, inode uint64, device func(index int) string) ([]labengine.Socket, error) {
	var found []waitingSocket
	err := i.enter.in(netns, func() error {
		for _, kind := range []struct {
			protocol uint8
			name     string
			state    uint
		}{{unix.IPPROTO_TCP, "tcp", tcpListen}, {unix.IPPROTO_UDP, "udp", tcpClose}} {
			for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
				if err := dumpSockets(family, kind.protocol, kind.state, func(s waitingSocket) {
					s.Protocol = kind.name
					found = append(found, s)
				}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	i.findOwners(inode, found)
	var list []labengine.Socket
	for _, s := range found {
		s.Process = i.owners[s.inode].name
		if s.index != 0 {
			s.Dev = device(s.index)
		}
		list = append(list, s.Socket)
	}
	return list, nil
}

// The states of a socket, include/net/tcp_states.h: UDP's that are connected to nobody are closed.
const (
	tcpClose  = 7
	tcpListen = 10
)

// inetDiagRequest is struct inet_diag_req_v2 in uapi/linux/inet_diag.h: all sockets in some states.
type inetDiagRequest struct {
	family, protocol uint8
	states           uint32
}

const sizeofInetDiagRequest = 56

func (inetDiagRequest) Len() int { return sizeofInetDiagRequest }
func (r inetDiagRequest) Serialize() []byte {
	b := make([]byte, sizeofInetDiagRequest)
	b[0], b[1] = r.family, r.protocol
	native.PutUint32(b[4:], r.states)
	return b
}

// dumpSockets lists sockets of the calling thread's namespace, sock_diag(7).
func dumpSockets(family, protocol uint8, state uint, take func(waitingSocket)) error {
	req := nl.NewNetlinkRequest(unix.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
	req.AddData(inetDiagRequest{family, protocol, 1 << state})
	return req.ExecuteIter(unix.NETLINK_SOCK_DIAG, 0, func(b []byte) bool {
		const sizeofInetDiagMsg = 72 // struct inet_diag_msg
		if len(b) < sizeofInetDiagMsg {
			return true
		}
		ip, _ := netip.AddrFromSlice(b[8:12])
		if b[0] == unix.AF_INET6 {
			ip, _ = netip.AddrFromSlice(b[8:24])
		}
		take(waitingSocket{
			Socket: labengine.Socket{Address: ip.String(), Port: int(binary.BigEndian.Uint16(b[4:]))},
			index:  int(native.Uint32(b[40:])), inode: native.Uint32(b[68:]),
		})
		return true
	})
}

// owner is the process that has a socket, as people read it, and its number here.
type owner struct {
	name string
	pid  int
}

// findOwners looks for the processes of a namespace whose sockets are not known yet.
func (i *Inspector) findOwners(netns uint64, sockets []waitingSocket) {
	missing := map[uint32]bool{}
	for _, s := range sockets {
		known, ok := i.owners[s.inode]
		if ok {
			if _, err := os.Stat(fmt.Sprintf("/proc/%d", known.pid)); err == nil {
				continue
			}
			delete(i.owners, s.inode)
		}
		if s.inode != 0 {
			missing[s.inode] = true
		}
	}
	if len(missing) == 0 {
		return
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	if len(i.owners) > 10_000 {
		clear(i.owners)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == 1 {
			continue
		}
		link, err := os.Readlink("/proc/" + e.Name() + "/ns/net")
		if inode, isNet := netInode(link); err != nil || !isNet || inode != netns {
			continue
		}
		fds, _ := os.ReadDir("/proc/" + e.Name() + "/fd")
		for _, fd := range fds {
			link, err := os.Readlink("/proc/" + e.Name() + "/fd/" + fd.Name())
			number, isSocket := strings.CutPrefix(link, "socket:[")
			if err != nil || !isSocket {
				continue
			}
			inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 32)
			if err != nil || !missing[uint32(inode)] {
				continue
			}
			inner, comm := identity(pid)
			i.owners[uint32(inode)] = owner{Holder{Inner: inner, Comm: comm}.String(), pid}
			delete(missing, uint32(inode))
		}
	}
}
