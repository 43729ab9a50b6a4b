package kernel

import (
	"errors"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/plan"
)

// refused says which step did not work, in the kernel's words, and what to do about it.
func (w *World) refused(step plan.Step, err error) error {
	var known *labengine.Problem
	if errors.As(err, &known) {
		return err
	}
	said := words(err)
	switch s := step.(type) {
	case plan.SetSysctl:
		said = sysctlWords(s.Name, err)
	case plan.AddLink:
		if s.Kind == labengine.Tun {
			said = strings.TrimPrefix(said, routingWords) // a system call
		}
	case plan.AddContainer, plan.DeleteContainer, plan.RenameContainer, plan.AddService, plan.DeleteService:
		said = strings.TrimPrefix(said, routingWords) // no netlink request
	}
	p := labengine.Problemf(labengine.CodeRefused, "%s", said)
	p.Err = err
	if commands := step.Commands(); len(commands) > 0 {
		p.Command = commands[0].Line
	}
	if _, machine := step.(plan.AddMachine); machine {
		p.Command = "" // its one command is the least of it
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		p.Errno = unix.ErrnoName(errno)
	}
	p.On, p.Hint = hint(step, errno)
	if off := w.ipv6Hint(step, err); off != "" {
		p.Hint = off
	}
	return p
}

const routingWords = "RTNETLINK answers: "

// words is an error as ip(8) prints it: strerror(3), and what the kernel adds of its own.
func words(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	text := errno.Error()
	if _, own, found := strings.Cut(err.Error(), text+": "); found {
		return "Error: " + own
	}
	return routingWords + strings.ToUpper(text[:1]) + text[1:]
}

// sysctlWords is an error as sysctl(8) of procps prints it.
func sysctlWords(name string, err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	switch errno {
	case unix.ENOENT:
		return "sysctl: cannot stat " + sysctlFolder + labengine.SysctlPath(name) + ": No such file or directory"
	case unix.EACCES:
		return `sysctl: permission denied on key "` + name + `"`
	}
	return `sysctl: setting key "` + name + `": ` + strings.TrimPrefix(words(errno), routingWords)
}

// hint is what the user can do, and the object that the step is about.
func hint(step plan.Step, errno syscall.Errno) (labengine.ID, string) {
	var on labengine.ID
	var name string
	switch s := step.(type) {
	case plan.AddVeth:
		on, name = s.Ends[0].Interface, s.Ends[0].Name+" or "+s.Ends[1].Name
	case plan.AddLink:
		on, name = s.Interface, s.Name
	case plan.SetLink:
		on, name = s.Interface, s.Name
	case plan.RenameLink:
		on, name = s.Interface, s.From
	case plan.MoveLink:
		on, name = s.Interface, s.Name
	case plan.SetVLANs:
		on, name = s.Interface, s.Name
		if errno == unix.EOPNOTSUPP {
			return on, "this kernel's bridges know no VLANs (CONFIG_BRIDGE_VLAN_FILTERING): use interfaces of kind vlan, or Open vSwitch"
		}
	case plan.DeleteLink:
		on, name = s.Interface, s.Name
	case plan.AddAddress:
		on, name = s.Interface, s.Address
	case plan.DeleteAddress:
		on, name = s.Interface, s.Address
	case plan.SetMaster:
		on, name = s.Interface, s.Name
	case plan.SetOptions:
		on, name = s.Interface, s.Name
	case plan.SetImpairment:
		on, name = s.Interface, s.Name
	case plan.SetSysctl:
		on, name = s.At.Node, s.Name
		switch errno {
		case unix.ENOENT:
			return on, "this kernel has no such setting there: its name is mistyped, its interface is not there, or its module is not loaded"
		case unix.EPERM, unix.EACCES:
			return on, "it can only be read, or it is one of the whole computer and not of a namespace"
		}
	case plan.AddRoute:
		on, name = s.At.Node, s.Route
		if hint := gatewayHint(s.Route, errno); hint != "" {
			return on, hint
		}
		if errno == unix.ENODEV || errno == unix.ENOENT {
			return on, "one of the interfaces that it names is not there: `ip -br link` there lists them"
		}
		if errno == unix.EEXIST {
			return on, "another route leads there with this metric: give this one another metric, or take that one away"
		}
	case plan.AddIPRule:
		on, name = s.At.Node, s.Rule
	case plan.AddNeighbour:
		on, name = s.At.Node, s.Neighbour
	case plan.AddNamespace:
		on, name = s.At.Node, s.At.Netns
	case plan.DeleteNamespace:
		on, name = s.At.Node, s.At.Netns
	case plan.AddMachine:
		on, name = s.Node, s.Name
	case plan.AddContainer:
		on, name = s.At.Node, s.Name
	case plan.DeleteContainer:
		on, name = s.At.Node, s.Name
	case plan.RenameContainer:
		on, name = s.At.Node, s.From
	case plan.AddService:
		on, name = s.At.Node, s.Service
	}
	if s, ok := step.(plan.AddLink); ok && s.Kind == labengine.Tun {
		if hint := tunHint(errno, name); hint != "" {
			return on, hint
		}
	}
	switch errno {
	case unix.EADDRINUSE:
		return on, "another program listens on this port already: `ss -lntup` in " + serviceNode(step) + " shows which"
	case unix.EEXIST:
		return on, name + " is there already: choose another name or address"
	case unix.ENODEV, unix.ENOENT:
		return on, name + " has gone meanwhile, perhaps by a command in a terminal: look at the canvas and try again"
	case unix.EBUSY:
		return on, busyHint(step, name)
	case unix.EADDRNOTAVAIL:
		return on, name + " cannot be given to or taken from this interface: it may be gone, down, or have IPv6 switched off"
	case unix.EPERM, unix.EACCES:
		return on, "this system does not allow it: `vethlab doctor` says what is missing"
	case unix.ENOSPC, unix.ENOMEM, unix.ENOBUFS, unix.EMFILE, unix.ENFILE:
		return on, "a limit of this system is reached: `vethlab doctor` says which"
	case unix.EINVAL, unix.ERANGE:
		return on, "the kernel does not take this value for " + name
	}
	return on, ""
}

// gatewayHint is about what the kernel answers where it finds no way to a route's gateway: rules are asked too, and EACCES is
// the answer of one, FR_ACT_PROHIBIT in net/ipv4/fib_rules.c.
func gatewayHint(route string, errno syscall.Errno) string {
	if !strings.Contains(route, "via ") {
		return ""
	}
	switch errno {
	case unix.EACCES:
		return "the kernel looks for the way to its gateway and meets a rule of type prohibit: `ip rule` there lists it"
	case unix.ENETUNREACH, unix.EHOSTUNREACH:
		return "its gateway is on no network of an interface that is up there, or a rule of type unreachable is for it"
	case unix.EINVAL:
		return "the kernel does not take this value for " + route + ": a gateway is one host's address, and no rule of type blackhole is for it"
	}
	return ""
}

// busyHint is about EBUSY. One at a time takes what arrives at a link: netdev_rx_handler_register in net/core/dev.c.
func busyHint(step plan.Step, name string) string {
	switch s := step.(type) {
	case plan.AddLink:
		if s.Parent != "" {
			return s.Parent + " is a port of a bridge, which takes all that arrives there: put " + name + " on the bridge, or take the port out of it"
		}
	case plan.SetMaster:
		return "something else takes all that arrives at " + name + ", as a macvlan on it does: only one at a time can"
	case plan.RenameLink:
		return "take " + name + " down first: before Linux 6.2 a link that is up keeps its name"
	case plan.SetLink, plan.MoveLink:
		return "take " + name + " down first: the kernel does not change this of a link that is up"
	}
	return "something else uses " + name + " just now: try again"
}

// tunHint is about what [tunDevice] answers.
func tunHint(errno syscall.Errno, name string) string {
	switch errno {
	case unix.EBUSY:
		return name + " is there already: choose another name"
	case unix.ENOENT, unix.ENODEV, unix.ENXIO:
		return "this system has no " + tunDevice + ": `modprobe tun` on the real machine makes it"
	case unix.EACCES:
		return tunDevice + " is not for this user: `chmod 666 " + tunDevice + "` on the real machine opens it"
	}
	return ""
}

func serviceNode(step plan.Step) string {
	if s, ok := step.(plan.AddService); ok {
		return s.Name
	}
	return "the node"
}
