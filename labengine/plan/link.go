package plan

import (
	"fmt"
	"net/netip"
	"strings"

	"vethlab/labengine"
)

// Commands implements [Step].
func (s AddLink) Commands() []labengine.Command {
	if s.Kind == labengine.Tun {
		return s.tunCommands()
	}
	line := s.At.ip() + " link add"
	netns := ""
	if s.Parent != "" {
		if s.ParentAt != s.At { // made where the link below is, and put where it belongs
			line, netns = s.ParentAt.ip()+" link add", s.At.netns(s.ParentAt)
		}
		if s.Kind != labengine.VXLAN {
			line += " link " + quote(s.Parent)
		}
	}
	line += " name " + quote(s.Name)
	if s.MAC != "" {
		line += " address " + s.MAC
	}
	if s.MTU != 0 && s.MTU != labengine.DefaultMTU(s.Kind) {
		line += fmt.Sprintf(" mtu %d", s.MTU)
	}
	line += netns + " type " + s.Kind
	if s.Options != "" {
		line += " " + s.optionWords()
	}
	if s.Kind == labengine.VXLAN && s.Parent != "" {
		line += " dev " + quote(s.Parent)
	}
	if s.Quiet && s.Kind == labengine.Bridge {
		line += " mcast_snooping 0"
	}
	commands := in(s.At.Machine, line)
	if s.Quiet {
		commands = append(commands, in(s.At.Machine, s.At.ip()+" link set dev "+quote(s.Name)+" addrgenmode none")...)
	}
	return commands
}

// optionWords are the options as ip-link(8) takes them: of a vxlan it has a word of its own for a group.
func (s AddLink) optionWords() string {
	values, err := labengine.ParseOptions(s.Kind, s.Options)
	if group, aerr := netip.ParseAddr(values["remote"]); err == nil && aerr == nil && s.Kind == labengine.VXLAN && group.IsMulticast() {
		return strings.Replace(s.Options, "remote ", "group ", 1)
	}
	return s.Options
}

// tunCommands are ip-tuntap(8)'s, and what that does not say of the link.
func (s AddLink) tunCommands() []labengine.Command {
	line := s.At.ip() + " tuntap add dev " + quote(s.Name) + " mode "
	values, err := labengine.ParseOptions(s.Kind, s.Options)
	if mode := values["mode"]; err == nil && mode != "" {
		line += mode
	} else {
		line += "tun"
	}
	for _, word := range []string{"pi", "vnet_hdr", "multi_queue"} {
		if values[word] == "1" {
			line += " " + word
		}
	}
	commands := in(s.At.Machine, line)
	set := SetLink{At: s.At, Interface: s.Interface, Name: s.Name}
	if s.MTU != 0 && s.MTU != labengine.DefaultMTU(s.Kind) {
		set.MTU = &s.MTU
	}
	if s.MAC != "" {
		set.MAC = &s.MAC
	}
	if set.MTU != nil || set.MAC != nil {
		commands = append(commands, set.Commands()...)
	}
	if s.Quiet {
		commands = append(commands, in(s.At.Machine, s.At.ip()+" link set dev "+quote(s.Name)+" addrgenmode none")...)
	}
	return commands
}
