package probe

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// ARP asks once who has an IPv4 address, RFC 826, out of one interface of a network namespace, and waits for the answer.
// The interface needs no IPv4 address: without one, the sender is 0.0.0.0 as in a probe of RFC 5227 §2.1.1. The kernel's
// own ARP table is neither asked nor changed.
//
// Errors are of type [*labengine.Problem]: CodeBadAddress, CodeBadRequest for a timeout that is none, CodeNotSupported
// for an interface without hardware address, CodeGone when ctx ends, and CodeRefused both by the kernel, as ENETDOWN
// for an interface that is down, and if nobody has answered.
func ARP(ctx context.Context, ns *os.File, ifindex int, ifname string, to netip.Addr, timeout time.Duration) (mac net.HardwareAddr, rtt time.Duration, err error) {
	if to = to.Unmap(); !to.Is4() {
		return nil, 0, labengine.Problemf(labengine.CodeBadAddress, "`%s` is not an IPv4 address", to).About("", "to").
			WithHint("write it as 192.168.15.2")
	}
	if timeout <= 0 {
		return nil, 0, labengine.Problemf(labengine.CodeBadRequest, "an ARP probe waits longer than %v", timeout).About("", "timeout")
	}
	var conn *packet.Conn
	var sender netip.Addr
	err = within(ns, func() (err error) {
		sender = source(ifname, to)
		conn, err = packet.Listen(&net.Interface{Index: ifindex, Name: ifname}, packet.Raw, unix.ETH_P_ARP, nil)
		return err
	})
	if err != nil {
		return nil, 0, refused("a packet socket on "+ifname, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, 0, refused(ifname, err)
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		conn.SetDeadline(time.Unix(1, 0)) // fails if it is closed, and then nobody waits
	})
	defer func() {
		if !stop() {
			<-done
		}
	}()
	mac, rtt, err = ask(conn, sender, to)
	switch {
	case err == nil:
		return mac, rtt, nil
	case ctx.Err() != nil:
		p := labengine.Problemf(labengine.CodeGone, "the ARP probe was cancelled")
		p.Err = ctx.Err()
		return nil, 0, p
	case errors.Is(err, arp.ErrInvalidHardwareAddr):
		return nil, 0, labengine.Problemf(labengine.CodeNotSupported, "%s has no hardware address to ask from", ifname)
	case errors.Is(err, os.ErrDeadlineExceeded):
		p := labengine.Problemf(labengine.CodeRefused, "nobody on %s has answered for %s within %v", ifname, to, timeout)
		p.Err = err
		return nil, 0, p
	}
	p := refused(ifname, err)
	if errors.Is(err, unix.ENETDOWN) {
		p.Hint = "bring " + ifname + " up"
	}
	return nil, 0, p
}

// ask sends the request and reads until its answer.
func ask(conn *packet.Conn, sender, to netip.Addr) (net.HardwareAddr, time.Duration, error) {
	own := conn.LocalAddr().(*packet.Addr).HardwareAddr
	request, err := arp.NewPacket(arp.OperationRequest, own, sender, make(net.HardwareAddr, len(own)), to)
	if err != nil {
		return nil, 0, err
	}
	payload, err := request.MarshalBinary()
	if err != nil {
		return nil, 0, err
	}
	frame, err := (&ethernet.Frame{
		Destination: ethernet.Broadcast, Source: own, EtherType: ethernet.EtherTypeARP, Payload: payload,
	}).MarshalBinary()
	if err != nil {
		return nil, 0, err
	}
	sent := time.Now()
	if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: ethernet.Broadcast}); err != nil {
		return nil, 0, err
	}
	buffer := make([]byte, 2048)
	for {
		n, _, err := conn.ReadFrom(buffer)
		if err != nil {
			return nil, 0, err
		}
		if mac, ok := owner(buffer[:n], own, to); ok {
			return mac, time.Since(sent), nil
		}
	}
}

// owner reads a frame: whether it tells own who has the address.
func owner(b []byte, own net.HardwareAddr, to netip.Addr) (mac net.HardwareAddr, ok bool) {
	var frame ethernet.Frame
	if frame.UnmarshalBinary(b) != nil || frame.EtherType != ethernet.EtherTypeARP {
		return nil, false
	}
	var reply arp.Packet
	if reply.UnmarshalBinary(frame.Payload) != nil || reply.Operation != arp.OperationReply {
		return nil, false
	}
	return reply.SenderHardwareAddr, reply.SenderIP == to && len(reply.SenderHardwareAddr) == len(own) &&
		bytes.Equal(reply.TargetHardwareAddr, own)
}

// source is the address that the kernel would ask from, as arping(8) finds it, if the interface has one at all: else,
// and where it is the very address asked for, it is 0.0.0.0.
func source(ifname string, to netip.Addr) netip.Addr {
	none := netip.IPv4Unspecified()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return none
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq(ifname)
	if err != nil || unix.IoctlIfreq(fd, unix.SIOCGIFADDR, ifr) != nil {
		return none // asked first: to an interface without an address, the kernel lends one of another's
	}
	own, err := ifr.Inet4Addr()
	if err != nil {
		return none
	}
	from := netip.AddrFrom4([4]byte(own))
	if unix.BindToDevice(fd, ifname) == nil && unix.Connect(fd, &unix.SockaddrInet4{Port: 9, Addr: to.As4()}) == nil {
		if local, err := unix.Getsockname(fd); err == nil {
			from = netip.AddrFrom4(local.(*unix.SockaddrInet4).Addr)
		}
	}
	if from == to {
		return none
	}
	return from
}
