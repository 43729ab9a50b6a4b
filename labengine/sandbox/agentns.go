package sandbox

import (
	"strings"

	"golang.org/x/sys/unix"
)

// netnsPath gives where a name is pinned. The lab process has checked names by its own rules; these are the
// filesystem's, and `ip netns`'s.
func netnsPath(name string) (string, error) {
	if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsAny(name, "/\x00") {
		return "", failed("namespace "+name, unix.EINVAL)
	}
	return netnsDir + "/" + name, nil
}

// add makes namespaces one after the other, and passes them up while it makes more: the first and the last few at once, the
// others more and more at a time, as waking the lab process costs a quarter of what making one does. The first name that
// fails ends it; those before it stay.
func (a *agent) add(req *request) {
	var made []int // not passed up yet: those before i
	for i, name := range req.Names {
		fd, err := a.addNamespace(name)
		if err == nil {
			made = append(made, fd)
		}
		if left := len(req.Names) - 1 - i; len(made) == min(1+i/2, maxFDs) || len(made) > left || err != nil {
			first := i + 1 - len(made)
			if err != nil {
				first = i - len(made)
			}
			if len(made) > 0 {
				a.send(&reply{ID: req.ID, Index: first}, made...)
				closeFDs(made)
				made = made[:0]
			}
		}
		if err != nil {
			r := &reply{ID: req.ID, Index: i, Done: true}
			r.setErr(err)
			a.send(r)
			return
		}
	}
	a.done(req.ID, nil)
}

// addNamespace runs on a locked thread, and leaves it in the new namespace.
func (a *agent) addNamespace(name string) (fd int, err error) {
	path, err := netnsPath(name)
	if err != nil {
		return -1, err
	}
	// As `ip netns add` does it: an empty file, then the namespace bound over it.
	pin, err := unix.Open(path, unix.O_RDONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, failed("create "+path, err)
	}
	unix.Close(pin)
	defer func() {
		if err != nil {
			unix.Unmount(path, unix.MNT_DETACH)
			unix.Unlink(path)
		}
	}()
	// Go's scheduler does not see this call: it would look every 20 µs whether it still goes on (sysmon in runtime/proc.go).
	if _, _, errno := unix.RawSyscall(unix.SYS_UNSHARE, unix.CLONE_NEWNET, 0, 0); errno != 0 {
		return -1, failed("ip netns add "+name, errno)
	}
	if err := (mount{"/proc/thread-self/ns/net", path, "", unix.MS_BIND, ""}).do(); err != nil {
		return -1, err
	}
	if err := a.baseline.apply(); err != nil {
		return -1, err
	}
	if len(a.baseline.bridges) > 0 {
		a.unready = append(a.unready, path)
		a.missing.Store(true)
	}
	fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	return fd, failed("open the namespace "+name, err)
}

// finish gives the namespaces that lack it the rest of the baseline, on the maker's thread.
func (a *agent) finish() error {
	var first error
	for _, path := range a.unready {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			if err = unix.Setns(fd, unix.CLONE_NEWNET); err == nil {
				err = a.baseline.finish()
			}
			unix.Close(fd)
		} else if err == unix.ENOENT { // deleted by now
			continue
		}
		if err != nil && first == nil {
			first = failed("settings of "+path, err)
		}
	}
	a.unready = nil
	a.missing.Store(false)
	return first
}

// deleteNamespaces goes on after an error, and returns the first.
func deleteNamespaces(names []string) error {
	var first error
	for _, name := range names {
		if err := deleteNamespace(name); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func deleteNamespace(name string) error {
	path, err := netnsPath(name)
	if err != nil {
		return err
	}
	// EINVAL: not mounted, a name that a failed `ip netns add` left. It goes all the same.
	if err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && err != unix.EINVAL {
		return failed("umount "+path, err)
	}
	return failed("unlink "+path, unix.Unlink(path))
}

func renameNamespace(names []string) error {
	if len(names) != 2 {
		return failed("rename a namespace", unix.EINVAL)
	}
	from, err := netnsPath(names[0])
	if err != nil {
		return err
	}
	to, err := netnsPath(names[1])
	if err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(from, &fs); err != nil {
		return failed("stat "+from, err)
	}
	if fs.Type != unix.NSFS_MAGIC {
		return failed("rename "+from, unix.EINVAL)
	}
	pin, err := unix.Open(to, unix.O_RDONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if err != nil {
		return failed("create "+to, err)
	}
	unix.Close(pin)
	if err := (mount{from, to, "", unix.MS_BIND, ""}).do(); err != nil {
		unix.Unlink(to)
		return err
	}
	return deleteNamespace(names[0])
}
