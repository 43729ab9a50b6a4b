package kernel

import (
	"golang.org/x/sys/unix"

	"vethlab/labengine/plan"
)

// tunDevice is the file through which tun interfaces are made, tun(4) and Documentation/networking/tuntap.rst.
const tunDevice = "/dev/net/tun"

// makeTun makes a tun interface that stays when nobody is attached to it, in the calling thread's network namespace. flags
// are IFF_TAP and the like. A name that is there already is EBUSY.
func makeTun(name string, flags uint16) error {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request.SetUint16(flags | unix.IFF_TUN_EXCL)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return err
	}
	return unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1)
}

// tunFlags are a tun's options as TUNSETIFF takes them.
func tunFlags(options map[string]string) uint16 {
	flags := uint16(unix.IFF_TUN)
	if options["mode"] == "tap" {
		flags = unix.IFF_TAP
	}
	if options["pi"] != "1" {
		flags |= unix.IFF_NO_PI
	}
	if options["vnet_hdr"] == "1" {
		flags |= unix.IFF_VNET_HDR
	}
	if options["multi_queue"] == "1" {
		flags |= unix.IFF_MULTI_QUEUE
	}
	return flags
}

// addTun makes a tun interface, and gives it what no flag says.
func (a *applier) addTun(n *Netns, s plan.AddLink, options map[string]string) error {
	if err := a.w.In(n, func() error { return makeTun(s.Name, tunFlags(options)) }); err != nil {
		return err
	}
	if err := a.w.Drain(); err != nil {
		return err
	}
	set := plan.SetLink{At: s.At, Name: s.Name, MTU: &s.MTU}
	if s.MAC != "" {
		set.MAC = &s.MAC
	}
	if err := a.setLink(set); err != nil || !s.Quiet {
		return err
	}
	return n.send(noLinkLocal(s.Name))
}
