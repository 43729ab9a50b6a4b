package sandbox

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// machineInit is PID 1 of a machine: it makes the machine's own mounts, and then serves the lab process as its agent.
func machineInit() error {
	if unix.Gettid() != unix.Getpid() { // see init in reexec.go
		return failed("run on the first thread", unix.EBUSY)
	}
	ignoreSignals()
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return failed("prctl PR_SET_DUMPABLE", err)
	}
	// ps and top show a thread's name, which exec took from the path: "exe".
	if err := os.WriteFile("/proc/self/comm", []byte("init"), 0); err != nil {
		return failed("name the init", err)
	}
	a := newAgent()
	var req request
	if _, err := a.recv(&req); err != nil {
		return failed("receive the machine's configuration", err)
	}
	if req.Op != opConfig || req.Config == nil {
		return failed("receive the machine's configuration", unix.EPROTO)
	}
	err := a.bootMachine(req.Config)
	if err == nil {
		err = a.start()
	}
	r := reply{ID: req.ID, Done: true}
	r.setErr(err)
	if serr := a.send(&r); err == nil {
		err = serr
	}
	if err != nil {
		return err
	}
	// Until now stderr was the lab process's: nobody in the machine has any business there.
	if err := unix.Dup3(0, 2, 0); err != nil {
		return failed("dup", err)
	}
	req, r = request{}, reply{} // the files in it need not be kept
	a.serve()
	return nil
}

func (a *agent) bootMachine(c *machineConfig) error {
	unix.Umask(0)
	if err := mountTree(c); err != nil {
		return err
	}
	unix.Umask(0o022)
	if err := writeFiles(c); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(c.Hostname)); err != nil {
		return failed("hostname "+c.Hostname, err)
	}
	if err := shareRunNetns(); err != nil {
		return err
	}
	if err := loopbackUp(); err != nil {
		return failed("ip link set dev lo up", err)
	}
	setOOMScore(oomMachine)
	// What programs expect to find: more is there for who asks (ulimit -n).
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) == nil {
		lim.Cur = min(4096, lim.Max)
		unix.Setrlimit(unix.RLIMIT_NOFILE, &lim)
	}
	if err := a.baseline.apply(); err != nil {
		return err
	}
	return a.baseline.finish()
}

type mount struct {
	source, target, fstype string
	flags                  uintptr
	data                   string
}

func (m mount) do() error {
	err := unix.Mount(m.source, m.target, m.fstype, m.flags, m.data)
	return failed(strings.TrimSpace(fmt.Sprintf("mount -t %s %s %s", m.fstype, m.source, m.target)), err)
}

// mountTree turns what bwrap built at machineRoot into the machine's root, with a /proc, /sys and /dev/pts of its own,
// and drops the rest.
func mountTree(c *machineConfig) error {
	if err := (mount{"", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""}).do(); err != nil {
		return err
	}
	// pivot_root takes a mount that may be moved: a copy may, what bwrap mounted may not.
	if err := (mount{machineRoot, machineRoot, "", unix.MS_BIND | unix.MS_REC, ""}).do(); err != nil {
		return err
	}
	if err := os.Chdir(machineRoot); err != nil {
		return err
	}
	for _, d := range folders {
		if err := os.MkdirAll(d.path, d.mode); err != nil {
			return err
		}
		if err := os.Chmod(d.path, d.mode); err != nil {
			return err
		}
	}
	for link, target := range links {
		if err := os.Symlink(target, link); err != nil && !os.IsExist(err) {
			return err
		}
	}
	ptsOptions := "newinstance,ptmxmode=0666,mode=0620"
	if c.IDs > 1 {
		ptsOptions += ",gid=5" // tty
	}
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	for _, m := range []mount{
		{"proc", "proc", "proc", quiet, ""},
		{"devpts", "dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, ptsOptions},
	} {
		if err := m.do(); err != nil {
			return err
		}
	}
	// Writable, so that a bridge's files in /sys/class/net can be; all else there belongs to the real root. Where
	// the real /sys is read-only, as in many containers, so must ours be.
	sys := mount{"sysfs", "sys", "sysfs", quiet, ""}
	if err := sys.do(); err != nil {
		sys.flags |= unix.MS_RDONLY
		if err := sys.do(); err != nil {
			return err
		}
	}
	// `ip netns exec` unmounts /sys and mounts another one, which the kernel allows while a whole one is in sight.
	if err := (mount{"sys", ".sys", "", unix.MS_BIND, ""}).do(); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return failed("pivot_root", err)
	}
	// Both roots are at "." now, the old one on top: pivot_root(2).
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return failed("umount the old root", err)
	}
	return os.Chdir("/")
}

// folders and links are made relative to the machine's root, in this order.
var folders = []struct {
	path string
	mode os.FileMode
}{
	{".", 0o755}, {"etc", 0o755}, {"etc/ssl", 0o755}, {"proc", 0o555}, {"sys", 0o555}, {".sys", 0o555},
	{"dev", 0o755}, {"dev/net", 0o755}, {"dev/pts", 0o755}, {"dev/shm", 0o777 | os.ModeSticky},
	{"run", 0o755}, {"run/netns", 0o755}, {"run/containers", 0o755},
	{"run/openvswitch", 0o755}, {"run/lock", 0o777 | os.ModeSticky}, {"tmp", 0o777 | os.ModeSticky},
	{"root", 0o700}, {"home", 0o755}, {"mnt", 0o755}, {"opt", 0o755}, {"srv", 0o755},
	{"var", 0o755}, {"var/lib", 0o755}, {"var/lib/misc", 0o755}, {"var/log", 0o755}, {"var/cache", 0o755},
	{"var/spool", 0o755}, {"var/tmp", 0o777 | os.ModeSticky},
}

var links = map[string]string{
	"var/run": "/run", "var/lock": "/run/lock",
	"dev/ptmx": "pts/ptmx", "dev/fd": "/proc/self/fd",
	"dev/stdin": "/proc/self/fd/0", "dev/stdout": "/proc/self/fd/1", "dev/stderr": "/proc/self/fd/2",
	"etc/mtab": "/proc/self/mounts", "etc/os-release": "/usr/lib/os-release",
}

func writeFiles(c *machineConfig) error {
	for _, files := range []map[string]string{fixedFiles, c.Files} {
		for _, path := range slices.Sorted(maps.Keys(files)) {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(path, []byte(files[path]), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

const netnsDir = "/run/netns"

// shareRunNetns makes /run/netns a shared mount, as `ip netns add` does the first time: names made and removed there
// are so in the private mounts of `ip netns exec` as well. ip-netns(8)
func shareRunNetns() error {
	if err := (mount{netnsDir, netnsDir, "", unix.MS_BIND | unix.MS_REC, ""}).do(); err != nil {
		return err
	}
	return mount{"", netnsDir, "", unix.MS_SHARED | unix.MS_REC, ""}.do()
}

// loopbackUp works on the calling thread's network namespace.
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, ifr); err != nil {
		return err
	}
	ifr.SetUint16(ifr.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr)
}
