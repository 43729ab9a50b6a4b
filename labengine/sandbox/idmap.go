package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// idBase is the first of the user and group ids that labs started by root run under. It is far above what
	// distributions, LDAP and subuid ranges hand out, and below the 31-bit ids that some tools stop at.
	idBase = 0x60000000
	// idsPerLab is one lab's share: all ids that files and programs in a machine commonly name, nobody (65534)
	// among them.
	idsPerLab = 65536
	// maxSlots bounds how many labs root can run at once: idBase+maxSlots*idsPerLab stays under 1<<31-1.
	maxSlots = 4096
)

// idDir holds one file for each slot of ids; a running lab holds a lock on its own.
var idDir = "/run/vethlab/ids"

// idSlot is a share of user ids that no other lab has. Its lock is an open file: the lab process inherits it, so that
// the slot is free again when that process ends, however it ends.
type idSlot struct {
	n    int
	file *os.File
}

func (s *idSlot) base() int { return idBase + s.n*idsPerLab }

// takeIDSlot finds a slot that nobody holds. flock(2)
func takeIDSlot() (*idSlot, error) {
	if err := os.MkdirAll(idDir, 0o755); err != nil {
		return nil, failed("make the folder for id slots", err)
	}
	for n := range maxSlots {
		name := filepath.Join(idDir, strconv.Itoa(n))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, failed("open the id slot", err)
		}
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
		case nil:
			return &idSlot{n: n, file: f}, nil
		case unix.EWOULDBLOCK:
			f.Close()
		default:
			f.Close()
			return nil, failed("flock "+name, err)
		}
	}
	return nil, failedHint("find ids for the lab", unix.EUSERS, fmt.Sprintf("%d labs are running", maxSlots))
}

// isRoot says whether we are root, with ids to give away. The root of a user namespace mostly is not: rootless
// containers have 65,536 ids, and `unshare --map-root-user` one.
func isRoot() bool {
	if os.Geteuid() != 0 {
		return false
	}
	for _, file := range []string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		text, err := os.ReadFile(file)
		if err != nil || !hasIDs(string(text), idBase, maxSlots*idsPerLab) {
			return false
		}
	}
	return true
}

// hasIDs says whether a uid_map or gid_map has all of these ids, in one line: user_namespaces(7).
func hasIDs(idMap string, first, count int) bool {
	for line := range strings.Lines(idMap) {
		var inside, outside, n int
		if _, err := fmt.Sscan(line, &inside, &outside, &n); err == nil && inside <= first && first+count <= inside+n {
			return true
		}
	}
	return false
}

// mapIDs fills in which ids the lab has: root's labs a range of their own, anybody else's the one id of that user.
func mapIDs(attr *syscall.SysProcAttr) (*idSlot, error) {
	if !isRoot() {
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
		return nil, nil
	}
	slot, err := takeIDSlot()
	if err != nil {
		return nil, err
	}
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: slot.base(), Size: idsPerLab}}
	attr.UidMappings, attr.GidMappings = ids, ids
	attr.GidMappingsEnableSetgroups = true
	// Root's own id is not in the map: without this the child would lose its capabilities at exec.
	attr.Credential = &syscall.Credential{Uid: 0, Gid: 0}
	return slot, nil
}

// mappedIDs tells how many user ids the calling process's namespace has. user_namespaces(7)
func mappedIDs() (int, error) {
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return 0, err
	}
	sum := 0
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			return 0, fmt.Errorf("uid_map: %q", line)
		}
		n, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			return 0, fmt.Errorf("uid_map: %w", err)
		}
		sum += int(n)
	}
	return sum, nil
}

// sameIDs maps the first n ids of a namespace to the same in a child.
func sameIDs(n int) []syscall.SysProcIDMap {
	return []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: n}}
}
