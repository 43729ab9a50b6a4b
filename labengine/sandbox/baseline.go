package sandbox

import (
	"bytes"
	"os"
	"path"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// compiledIPv4 are the values of net.ipv4.conf.*.NAME that the kernel is compiled with: ipv4_devconf and
// ipv4_devconf_dflt in net/ipv4/devinet.c. A new namespace has the real machine's instead, unless
// net.core.devconf_inherit_init_net says otherwise.
var compiledIPv4 = map[string]string{
	"accept_local": "0", "accept_redirects": "1", "arp_accept": "0", "arp_announce": "0", "arp_evict_nocarrier": "1",
	"arp_filter": "0", "arp_ignore": "0", "arp_notify": "0", "bc_forwarding": "0", "bootp_relay": "0",
	"disable_policy": "0", "disable_xfrm": "0", "drop_gratuitous_arp": "0", "drop_unicast_in_l2_multicast": "0",
	"force_igmp_version": "0", "igmpv2_unsolicited_report_interval": "10000",
	"igmpv3_unsolicited_report_interval": "1000", "ignore_routes_with_linkdown": "0", "log_martians": "0",
	"medium_id": "0", "promote_secondaries": "0", "proxy_arp": "0", "proxy_arp_pvlan": "0", "route_localnet": "0",
	"rp_filter": "0", "secure_redirects": "1", "send_redirects": "1", "shared_media": "1", "src_valid_mark": "0",
	"tag": "0",
}

// compiledElse are those of the others that a lab sets, in the order in which they are written: ip_forward resets
// some of the above.
var compiledElse = []sysctl{
	{"net/ipv4/ip_forward", "0"},
	{"net/ipv4/conf/all/accept_source_route", "0"},
	{"net/ipv4/conf/default/accept_source_route", "1"},
	{"net/ipv4/conf/lo/accept_source_route", "1"},
}

// ofBridges are not the kernel's defaults, which are 1: a bridge is no firewall until the lesson says so. They are there
// only where br_netfilter is loaded. Links do not inherit them, so that they can be set when there are links already.
var ofBridges = []sysctl{
	{"net/bridge/bridge-nf-call-arptables", "0"},
	{"net/bridge/bridge-nf-call-iptables", "0"},
	{"net/bridge/bridge-nf-call-ip6tables", "0"},
}

type sysctl struct{ name, value string }

// Baseline gives the calling thread's network namespace the settings that each namespace of a lab starts with:
// forwarding off, bridged packets past iptables, and IPv4 as the kernel is compiled, whatever the real machine has.
// The caller has locked the thread, and may set sysctls there.
func Baseline() error {
	list, bridges := differing()
	return applySysctls(procFS, append(list, bridges...))
}

// NewNetNS makes a network namespace with the baseline that is in no machine. It lives for as long as the file is open.
func NewNetNS() (*os.File, error) { return newNetNS(nil) }

// NewSwitchNetNS is NewNetNS for a switch, which has no IPv6 of its own.
func NewSwitchNetNS() (*os.File, error) {
	return newNetNS([]sysctl{{"net/ipv6/conf/all/disable_ipv6", "1"}, {"net/ipv6/conf/default/disable_ipv6", "1"}})
}

func newNetNS(settings []sysctl) (*os.File, error) {
	var file *os.File
	err := inNewNetNS(func() error {
		err := Baseline()
		if err == nil {
			err = applySysctls(procFS, settings)
		}
		if err == nil {
			file, err = os.Open("/proc/thread-self/ns/net")
		}
		return err
	})
	return file, err
}

// inNewNetNS calls f on a thread in a network namespace of its own, which end with it.
func inNewNetNS(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- failed("unshare --net", err)
			return
		}
		result <- f()
	}()
	return <-result
}

// inherited is what a fresh namespace has from the real machine that is not the baseline's.
var inherited inheritance

type inheritance struct {
	mu   sync.Mutex // guards what follows
	list []inheritedSysctl
	read time.Time
}

type inheritedSysctl struct {
	sysctl
	from string // the real machine's value
}

func (h *inheritance) get() ([]inheritedSysctl, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.read) < baselineAge {
		return h.list, nil
	}
	h.list = nil
	err := inNewNetNS(func() error {
		list, bridges := differing()
		for _, s := range append(list, bridges...) {
			if have, err := os.ReadFile("/proc/sys/" + s.name); err == nil {
				h.list = append(h.list, inheritedSysctl{s, string(bytes.TrimSpace(have))})
			}
		}
		return nil
	})
	if err == nil {
		h.read = time.Now()
	}
	return h.list, err
}

// BaselineSeen is [Baseline] for a namespace that somebody has made in a terminal: what is still as the real machine has it
// becomes the baseline's, and what its maker has set by now stays.
func BaselineSeen() error {
	inherited, err := inherited.get()
	if err != nil {
		return err
	}
	var list []sysctl
	for _, s := range inherited {
		if have, err := os.ReadFile("/proc/sys/" + s.name); err == nil && string(bytes.TrimSpace(have)) == s.from {
			list = append(list, s.sysctl)
		}
	}
	return applySysctls(procFS, list)
}

// differing gives the settings of the calling thread's network namespace that are not the baseline's, bridges' apart.
func differing() (list, bridges []sysctl) {
	differs := func(s sysctl) bool {
		have, err := os.ReadFile("/proc/sys/" + s.name)
		return err == nil && string(bytes.TrimSpace(have)) != s.value
	}
	add := func(s sysctl) {
		if differs(s) {
			list = append(list, s)
		}
	}
	for _, s := range ofBridges {
		if differs(s) {
			bridges = append(bridges, s)
		}
	}
	for _, s := range compiledElse {
		add(s)
	}
	for name, value := range compiledIPv4 {
		add(sysctl{"net/ipv4/conf/all/" + name, value})
		n := len(list)
		add(sysctl{"net/ipv4/conf/default/" + name, value})
		// lo took default's values when it was made; these two are always 1 there.
		if len(list) > n && name != "disable_policy" && name != "disable_xfrm" {
			list = append(list, sysctl{"net/ipv4/conf/lo/" + name, value})
		}
	}
	return list, bridges
}

// procFS stands for /proc where a descriptor of another procfs could be.
const procFS = -1

func applySysctls(proc int, list []sysctl) error {
	base := "sys/"
	if proc == procFS {
		base = "/proc/sys/"
	}
	folder, in := -1, "" // the settings of one folder come together: it is looked for once
	defer func() { unix.Close(folder) }()
	for _, s := range list {
		dir, name := path.Split(s.name)
		if dir != in {
			unix.Close(folder)
			var err error
			if folder, err = unix.Openat(proc, base+dir, unix.O_PATH|unix.O_CLOEXEC, 0); err == unix.ENOENT {
				in = ""
				continue
			} else if err != nil {
				return failed("open /proc/sys/"+dir, err)
			}
			in = dir
		}
		fd, err := unix.Openat(folder, name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			_, err = unix.Write(fd, []byte(s.value))
			unix.Close(fd)
		}
		if err != nil && err != unix.ENOENT {
			return failed("sysctl -w "+s.name+"="+s.value, err)
		}
	}
	return nil
}

// baselineCache saves reading some hundred files for each of a thousand namespaces: all that one machine makes
// inherit the same. It is for fresh namespaces only.
type baselineCache struct {
	list    []sysctl
	bridges []sysctl // those of them that can wait
	read    time.Time
	proc    int // a procfs of the cache's own, or procFS
	uses    int // of that
}

// baselineAge is how long the real machine's settings are taken to stay as they were.
const baselineAge = 2 * time.Second

// procUses is for how many namespaces one procfs is used: of each namespace that is looked at, it keeps folders of the same
// names in the same list, which every look-up goes through. In one for all, the thousandth costs as much as making it.
const procUses = 64

// apply gives the calling thread's namespace, which is fresh, the baseline up to what finish does.
func (c *baselineCache) apply() error {
	if time.Since(c.read) > baselineAge {
		c.list, c.bridges = differing()
		c.read = time.Now()
	}
	return c.write(c.list)
}

func (c *baselineCache) finish() error { return c.write(c.bridges) }

func (c *baselineCache) write(list []sysctl) error {
	if len(list) == 0 {
		return nil
	}
	if c.uses == procUses {
		if c.proc != procFS {
			unix.Close(c.proc)
		}
		c.proc, c.uses = newProcFS(), 0
	}
	c.uses++
	return applySysctls(c.proc, list)
}

// newProcFS is a procfs that is nowhere to be seen, or procFS where the kernel gives none: before Linux 5.2, say.
func newProcFS() int {
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return procFS
	}
	defer unix.Close(fs)
	if unix.FsconfigCreate(fs) != nil {
		return procFS
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return procFS
	}
	return mount
}
