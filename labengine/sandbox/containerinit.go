package sandbox

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// fdContainer is the pipe on which a container's setup says what went wrong. Nothing is good news: it closes at exec.
const fdContainer = 3

// containerName is the environment's variable for the container's name, in its setup alone.
const containerName = "VETHLAB_CONTAINER"

// containerSetup is PID 1 of a container until all is as it should be there; then the waiter takes its place.
func containerSetup() error {
	unix.CloseRange(fdContainer, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	err := setUpContainer(os.Getenv(containerName))
	if err == nil {
		err = becomeWaiter(netnsDir)
	}
	var r reply
	r.setErr(err)
	sendPipe(fdContainer, &r)
	return err
}

func setUpContainer(name string) error {
	unix.Umask(0o022)
	if err := (mount{"", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""}).do(); err != nil {
		return err
	}
	if err := containerMounts(); err != nil {
		return err
	}
	if err := nameContainer(name); err != nil {
		return err
	}
	return Baseline()
}

// containerMounts gives the container a /proc, /sys and /run/netns of its own; all other files are the machine's. What was
// there is unmounted, not covered: nobody can uncover the machine's processes.
func containerMounts() error {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return err
	}
	unix.Unmount(netnsDir, unix.MNT_DETACH) // the machine's names; EINVAL where its root has unmounted them
	if err := (mount{"tmpfs", netnsDir, "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "size=256k,mode=0755"}).do(); err != nil {
		return err
	}
	// The kernel mounts a new proc or sysfs only while a whole one is in sight: the new one comes first.
	const staging = netnsDir + "/.staging"
	if err := os.Mkdir(staging, 0o700); err != nil {
		return err
	}
	defer os.Remove(staging)
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	for _, m := range []struct {
		fstype string
		old    []string
	}{{"proc", []string{"/proc"}}, {"sysfs", []string{"/sys", "/.sys"}}} {
		fresh := mount{m.fstype, staging, m.fstype, quiet, ""}
		err := fresh.do()
		if err != nil && m.fstype == "sysfs" { // where the real one is read-only
			fresh.flags |= unix.MS_RDONLY
			err = fresh.do()
		}
		if err != nil {
			return err
		}
		for _, old := range m.old {
			for unix.Unmount(old, unix.MNT_DETACH) == nil {
			}
		}
		if err := (mount{staging, m.old[0], "", unix.MS_MOVE, ""}).do(); err != nil {
			return err
		}
	}
	return mount{"/sys", "/.sys", "", unix.MS_BIND, ""}.do()
}

// hostFiles are those of a container's files that say who it is.
func hostFiles(name string) map[string]string {
	return map[string]string{
		"/etc/hostname": name + "\n",
		"/etc/hosts":    fmt.Sprintf("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n127.0.1.1\t%s\n", name),
	}
}

// nameContainer sets the hostname, and puts files of the container's own over the machine's: as far as those are there.
func nameContainer(name string) error {
	if err := unix.Sethostname([]byte(name)); err != nil {
		return failed("hostname "+name, err)
	}
	const source = netnsDir + "/.file"
	for path, text := range hostFiles(name) {
		if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
			return err
		}
		if exists(path) {
			if err := (mount{source, path, "", unix.MS_BIND, ""}).do(); err != nil {
				return err
			}
		}
		if err := os.Remove(source); err != nil {
			return err
		}
	}
	return nil
}

// renameContainer does that again in a container that is there. It runs on a thread that has entered it.
func renameContainer(name string) error {
	if err := unix.Sethostname([]byte(name)); err != nil {
		return failed("hostname "+name, err)
	}
	var own unix.Stat_t
	if err := unix.Stat(netnsDir, &own); err != nil {
		return nil // its root has taken this apart: so be it
	}
	for path, text := range hostFiles(name) {
		var st unix.Stat_t
		if unix.Stat(path, &st) != nil || st.Dev != own.Dev { // the machine's, or somebody's
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
