package labengine

import (
	"iter"
	"slices"
	"strings"
)

// freshSysctls are the settings that a lab follows, with what a fresh namespace has; see the baseline in package sandbox.
// None that the kernel changes along with another one is among them.
var freshSysctls = map[string]string{
	"net.ipv4.ip_forward":                 "0",
	"net.ipv4.icmp_echo_ignore_all":       "0",
	"net.ipv4.conf.all.rp_filter":         "0",
	"net.ipv4.conf.default.rp_filter":     "0",
	"net.ipv4.conf.all.proxy_arp":         "0",
	"net.ipv4.conf.all.arp_ignore":        "0",
	"net.ipv4.conf.all.arp_announce":      "0",
	"net.ipv4.conf.all.arp_filter":        "0",
	"net.ipv4.conf.all.arp_accept":        "0",
	"net.ipv4.conf.all.accept_local":      "0",
	"net.ipv4.conf.all.route_localnet":    "0",
	"net.ipv4.conf.all.log_martians":      "0",
	"net.ipv6.conf.all.forwarding":        "0",
	"net.ipv6.conf.all.disable_ipv6":      "0",
	"net.ipv6.conf.default.disable_ipv6":  "0",
	"net.ipv6.conf.all.accept_ra":         "1",
	"net.bridge.bridge-nf-call-iptables":  "0",
	"net.bridge.bridge-nf-call-ip6tables": "0",
	"net.bridge.bridge-nf-call-arptables": "0",
}

// linkSysctls are the settings of single links that a lab follows, below net. None is among them that the kernel changes along with
// that of all links; each link has what net.….conf.default has until it is given its own.
var linkSysctls = map[string][]string{
	"ipv4": {
		"accept_local", "arp_accept", "arp_announce", "arp_filter", "arp_ignore", "log_martians", "proxy_arp", "route_localnet", "rp_filter",
	},
	"ipv6": {"disable_ipv6"},
}

// LinkSysctls yields the settings that a lab follows of a link, and what they are called for links to come.
func LinkSysctls(link string) iter.Seq2[string, string] {
	return func(yield func(name, ofDefault string) bool) {
		for _, family := range [2]string{"ipv4", "ipv6"} {
			for _, setting := range linkSysctls[family] {
				name := "net." + family + ".conf." + link + "." + setting
				if strings.Contains(link, ".") {
					name = "net/" + family + "/conf/" + link + "/" + setting
				}
				if !yield(name, "net."+family+".conf.default."+setting) {
					return
				}
			}
		}
	}
}

// LinkSysctlDefault is what a link's setting is called for links to come; false where it is none that a lab follows.
func LinkSysctlDefault(name string) (ofDefault string, ok bool) {
	link, _ := SysctlLink(name)
	for followed, ofDefault := range LinkSysctls(link) {
		if SysctlPath(followed) == SysctlPath(name) {
			return ofDefault, true
		}
	}
	return "", false
}

// FreshLinkSysctl is what a link has that is not given its own: what a namespace's settings say of links to come, or what a fresh
// namespace has. False where the setting is none that a lab follows.
func FreshLinkSysctl(name string, settings []string) (string, bool) {
	ofDefault, ok := LinkSysctlDefault(name)
	if !ok {
		return "", false
	}
	for _, s := range settings {
		if value, said := strings.CutPrefix(s, ofDefault+"="); said {
			return value, true
		}
	}
	return "0", true
}

// WatchedSysctls are the settings that a lab follows, by name.
func WatchedSysctls() []string {
	var names []string
	for name := range freshSysctls {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// FreshSysctl is what a fresh namespace has; false where that is not known here.
func FreshSysctl(name string) (string, bool) { v, ok := freshSysctls[name]; return v, ok }

// ParseSysctl reads "net.ipv4.ip_forward=1" as sysctl(8) takes it, spaces around the sign or not.
// The problem is a "bad-value".
func ParseSysctl(text string) (name, value string, err error) {
	bad := func(hint, format string, args ...any) (string, string, error) {
		return "", "", Problemf(CodeBadValue, format, args...).About("", "sysctl").WithHint(hint)
	}
	name, value, found := strings.Cut(text, "=")
	name, value = strings.TrimSpace(name), strings.Join(strings.Fields(value), " ")
	switch {
	case !found || value == "":
		return bad("write it as net.ipv4.ip_forward=1", "%s gives no value", shown(text))
	case !strings.HasPrefix(name, "net.") && !strings.HasPrefix(name, "net/"):
		return bad("", "%s is not a setting of a network namespace: those begin with net.", shown(name))
	case strings.Contains(name, "..") || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\'' }):
		return bad("", "%s is no name of a setting", shown(name))
	case len(name) > 120 || len(value) > 120 || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\'' }):
		return bad("", "%s is no value of a setting", shown(value))
	}
	return name, value, nil
}

// setSysctl is the list with a setting; where the value is what a fresh namespace has, without it. The list is sorted.
func setSysctl(list []string, name, value string) []string {
	fresh, known := freshSysctls[name]
	list = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return strings.HasPrefix(s, name+"=") })
	if value != "" && !(known && fresh == value) {
		list = append(list, name+"="+value)
		slices.Sort(list)
	}
	return list
}

// SysctlLink is the link that a setting is about: eth0 of net.ipv4.conf.eth0.rp_filter.
func SysctlLink(name string) (link string, ok bool) {
	parts := strings.Split(SysctlPath(name), "/")
	if len(parts) > 3 && (parts[2] == "conf" || parts[2] == "neigh") && parts[3] != "all" && parts[3] != "default" {
		return parts[3], true
	}
	return "", false
}

// SysctlPath is a setting's file under /proc/sys, proc_sys_net(5). A name with a slash is taken as it is: only so can it
// name an interface with a dot.
func SysctlPath(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	return strings.ReplaceAll(name, ".", "/")
}
