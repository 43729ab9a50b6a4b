package advise

import (
	"net/netip"

	"vethlab/labengine"
	"vethlab/labengine/topology"
)

// subnetAddresses finds hosts that have a subnet's own address or its broadcast address. Of the first, RFC 1122 §3.2.1.3 says that
// it is nobody's, and of the second that it is everybody's.
func (a *adviser) subnetAddresses() {
	for _, node := range a.Nodes {
		if node.Kind == labengine.LAN {
			continue
		}
		for _, i := range node.Interfaces {
			for _, p := range i.Prefixes {
				if !p.Addr().Is4() || p.Bits() > 30 || i.IsPort() { // in a /31 both are hosts: RFC 3021
					continue
				}
				what := ""
				switch p.Addr() {
				case p.Masked().Addr():
					what = "which names the subnet itself: it is no host's"
				case broadcastOf(p):
					what = "the subnet's broadcast address: what is sent to it is for everybody, and nobody's to answer"
				default:
					continue
				}
				var edits []labengine.Edit
				free := a.freeBeside(i, p)
				if free.IsValid() {
					edits = []labengine.Edit{deleteAddress(i, p), addAddress(i, free)}
				}
				a.say(labengine.AdviceSubnetAddress, []labengine.ID{i.ID}, fix(edits, "Make it %s", free), "%s has %s, %s", i, p, what)
			}
		}
	}
}

// broadcastOf is the last address of an IPv4 subnet.
func broadcastOf(p netip.Prefix) netip.Addr {
	bytes := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(bytes)
}

// freeBeside is the first of a subnet's hosts that nobody is. It is not valid where there is none among the first 256.
func (a *adviser) freeBeside(i *topology.Interface, p netip.Prefix) netip.Prefix {
	at := p.Masked().Addr()
	for range 256 {
		at = at.Next()
		if !p.Contains(at) || at == broadcastOf(p) {
			break
		}
		if len(a.Owners(at)) == 0 && !a.expected[addressAt{i.Segment, at}] {
			return netip.PrefixFrom(at, p.Bits())
		}
	}
	return netip.Prefix{}
}
