package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MountWatch follows the names of a machine's network namespaces, which are mounts: ip-netns(8). poll(2) on mountinfo tells
// when mounts change, each open file once.
type MountWatch struct {
	changed func()
	started sync.Once
	mounts  *os.File // the watching goroutine's
	stop    *os.File // that goroutine's end of a pipe
	quit    *os.File // the other end, which is closed to stop it
	done    chan struct{}

	names   *os.File // mountinfo again, for Named
	changes syscall.RawConn
	list    *mountList        // nil where the kernel has none
	named   map[string]uint64 // what Named said last
	ahead   map[string]uint64 // what it is to say next, where nothing has changed since
	failed  bool              // it could not say, and what has gone since is not known
}

// WatchMounts has changed called, on a goroutine of its own, whenever the mounts that process pid sees have changed, once
// Start has been called.
func WatchMounts(pid int, changed func()) (*MountWatch, error) {
	m := &MountWatch{changed: changed, done: make(chan struct{})}
	err := m.open(pid)
	if err != nil {
		m.mounts.Close() // of those that are nil this does nothing
		m.names.Close()
		return nil, err
	}
	return m, nil
}

// Start begins to call changed: at once, if mounts have changed by now. Where many names are about to be made, each would
// wake somebody.
func (m *MountWatch) Start() {
	m.started.Do(func() { go m.watch() })
}

func (m *MountWatch) watch() {
	defer close(m.done)
	polled := []unix.PollFd{{Fd: int32(m.mounts.Fd()), Events: unix.POLLPRI}, {Fd: int32(m.stop.Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(polled, -1)
		if err != nil && !errors.Is(err, unix.EINTR) || polled[1].Revents != 0 {
			return
		}
		if polled[0].Revents&(unix.POLLPRI|unix.POLLERR) != 0 {
			m.changed()
		}
	}
}

func (m *MountWatch) open(pid int) (err error) {
	name := fmt.Sprintf("/proc/%d/mountinfo", pid)
	if m.mounts, err = openUnpolled(name); err == nil {
		m.names, err = openUnpolled(name)
	}
	if err == nil {
		m.changes, err = m.names.SyscallConn()
	}
	if err == nil {
		m.list = newMountList(pid)
		m.stop, m.quit, err = os.Pipe()
	}
	return err
}

// openUnpolled opens a file that Go's own poller leaves alone: that would be told of changes in place of who asks.
func openUnpolled(name string) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Names are the network namespaces that have a name in a machine.
type Names struct {
	Inodes map[string]uint64 // of their nsfs files, by name; the watch's own
	Come   []string          // names that were not there, or were another namespace's, in the answer before
	Gone   bool              // a name of that answer is not there, or is another namespace's; or may be
}

// Named lists the names. What has changed since is said once. One goroutine at a time may call it.
func (m *MountWatch) Named() (Names, error) {
	moved := m.moved()
	if m.named != nil && !moved {
		return Names{Inodes: m.named}, nil
	}
	if m.named != nil && m.list != nil {
		if come, replaced, ok := m.list.more(m.named); ok {
			return Names{Inodes: m.named, Come: come, Gone: replaced}, nil
		}
	}
	before, inodes := m.named, m.ahead
	m.named, m.ahead = nil, nil
	var err error
	if inodes == nil || moved {
		inodes, err = m.read()
	}
	if err != nil {
		m.failed = true
		return Names{}, err
	}
	names := Names{Inodes: inodes, Gone: m.failed}
	m.named, m.failed = inodes, false
	for name, inode := range inodes {
		if before[name] != inode {
			names.Come = append(names.Come, name)
		}
	}
	for name, inode := range before {
		names.Gone = names.Gone || inodes[name] != inode
	}
	return names, nil
}

// Ahead looks at the mounts that there are, so that Named need not unless they change. It may be called from any goroutine while
// nobody calls Named.
func (m *MountWatch) Ahead() {
	m.moved()             // from now on
	m.ahead, _ = m.read() // Named says what is wrong, if it still is
}

func (m *MountWatch) read() (map[string]uint64, error) {
	if m.list != nil {
		inodes, err := m.list.read()
		if err == nil {
			return inodes, nil
		}
		m.list = nil
	}
	if _, err := m.names.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(m.names)
	return namesIn(data), err
}

// moved says whether mounts have changed since it was asked last.
func (m *MountWatch) moved() bool {
	ready := 1
	m.changes.Control(func(fd uintptr) {
		var err error
		if ready, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, 0); err != nil {
			ready = 1
		}
	})
	return ready > 0
}

// Close stops the watch and waits until changed is not called any more.
func (m *MountWatch) Close() {
	m.started.Do(func() { close(m.done) })
	m.quit.Close()
	<-m.done
	m.stop.Close()
	m.mounts.Close()
	m.names.Close()
}

// namesFolder is where ip-netns(8) has the names of network namespaces.
const namesFolder = "/run/netns/"

// nameOf is the name that a mount gives to a network namespace, by the mount's root in its filesystem and where it is mounted.
func nameOf(root, point string) (name string, inode uint64, ok bool) {
	name, inFolder := strings.CutPrefix(point, namesFolder)
	inode, isNet := netInode(root)
	return name, inode, inFolder && isNet && !strings.Contains(name, "/")
}

// namesIn lists the network namespaces that have a name, by name, with their nsfs inodes. mountinfo is that of a machine's
// init, proc_pid_mountinfo(5).
func namesIn(mountinfo []byte) map[string]uint64 {
	named := map[string]uint64{}
	for line := range bytes.Lines(mountinfo) {
		fields := strings.Fields(string(line))
		if len(fields) < 10 {
			continue
		}
		if name, inode, ok := nameOf(fields[3], unescape(fields[4])); ok {
			named[name] = inode // the last mount on a name is the one that is seen
		}
	}
	return named
}

// netInode reads "net:[4026532281]".
func netInode(link string) (uint64, bool) {
	number, ok := strings.CutPrefix(link, "net:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
	return inode, err == nil
}

// unescape undoes the octal escapes of mountinfo: \040 is a space.
func unescape(path string) string {
	if !strings.Contains(path, `\`) {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '\\' && i+3 < len(path) {
			if code, err := strconv.ParseUint(path[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(code))
				i += 3
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

// mountList lists the mounts of another mount namespace by their numbers, which are never used twice, and looks at each once:
// listmount(2) and statmount(2), for other namespaces since Linux 6.11. Mountinfo has all of a thousand mounts anew.
type mountList struct {
	ns    uint64 // the mount namespace's number
	ids   []uint64
	last  []uint64 // the numbers of those that were there when they were read last
	known map[uint64]mountedName
	stat  [statmountSize]byte
}

// mountedName is the name that a mount gives; of another mount it is empty.
type mountedName struct {
	name  string
	inode uint64
}

// Of uapi/linux/mount.h and uapi/linux/nsfs.h.
const (
	nsGetMntnsID = 0x8008b705 // NS_GET_MNTNS_ID
	lsmtRoot     = ^uint64(0) // LSMT_ROOT

	statmountMntRoot  = 0x8  // STATMOUNT_MNT_ROOT
	statmountMntPoint = 0x10 // STATMOUNT_MNT_POINT

	// Where struct statmount has mask, mnt_root, mnt_point and str.
	atMask, atMntRoot, atMntPoint, atStr = 8, 104, 108, 512

	statmountSize = atStr + 2*unix.PathMax
)

// mntIDReq is struct mnt_id_req.
type mntIDReq struct {
	size, spare   uint32
	id, param, ns uint64
}

// newMountList is nil where the kernel cannot list the mounts that process pid sees.
func newMountList(pid int) *mountList {
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if err != nil {
		return nil
	}
	defer ns.Close()
	l := &mountList{ids: make([]uint64, 256), known: map[uint64]mountedName{}}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, ns.Fd(), nsGetMntnsID, uintptr(unsafe.Pointer(&l.ns))); errno != 0 {
		return nil
	}
	if _, err := l.list(); err != nil {
		return nil
	}
	return l
}

// list gives the numbers of all mounts, ascending.
func (l *mountList) list() ([]uint64, error) {
	for {
		req := mntIDReq{size: uint32(unsafe.Sizeof(mntIDReq{})), id: lsmtRoot, ns: l.ns}
		n, _, errno := unix.Syscall6(unix.SYS_LISTMOUNT, uintptr(unsafe.Pointer(&req)),
			uintptr(unsafe.Pointer(&l.ids[0])), uintptr(len(l.ids)), 0, 0, 0)
		if errno != 0 {
			return nil, errno
		}
		if int(n) < len(l.ids) {
			return l.ids[:n], nil
		}
		l.ids = make([]uint64, 2*len(l.ids))
	}
}

// look finds out what a mount is. The error is ENOENT where it has gone.
func (l *mountList) look(id uint64) (m mountedName, err error) {
	req := mntIDReq{
		size: uint32(unsafe.Sizeof(mntIDReq{})), id: id, param: statmountMntRoot | statmountMntPoint, ns: l.ns,
	}
	_, _, errno := unix.Syscall6(unix.SYS_STATMOUNT, uintptr(unsafe.Pointer(&req)),
		uintptr(unsafe.Pointer(&l.stat[0])), uintptr(len(l.stat)), 0, 0, 0)
	if errno != 0 {
		return m, errno
	}
	if has := native.Uint64(l.stat[atMask:]); has&req.param != req.param {
		return m, unix.EOPNOTSUPP
	}
	str := func(at int) string { return text(l.stat[atStr+native.Uint32(l.stat[at:]):]) }
	if name, inode, ok := nameOf(str(atMntRoot), str(atMntPoint)); ok {
		m = mountedName{name, inode}
	}
	return m, nil
}

// read lists the network namespaces that have a name, by name, with their nsfs inodes.
func (l *mountList) read() (map[string]uint64, error) {
	ids, err := l.list()
	if err != nil {
		return nil, err
	}
	known, fresh := make(map[uint64]mountedName, len(ids)), 0
	named := make(map[string]uint64, len(ids))
	for _, id := range ids {
		m, ok := l.known[id]
		if !ok {
			fresh++
			if m, err = l.look(id); errors.Is(err, unix.ENOENT) {
				continue
			} else if err != nil {
				return nil, err
			}
		}
		known[id] = m
		if m.name != "" {
			named[m.name] = m.inode // the newest mount on a name is the one that is seen
		}
	}
	if fresh == 0 && len(known) == len(l.known) && len(known) > 0 { // one has been moved: it is looked at as if it were new
		l.known = nil
		return l.read()
	}
	l.known, l.last = known, slices.Clone(ids)
	return named, nil
}

// more puts names that have come since the mounts were read last into named, and lists them. replaced says whether one of them
// was another namespace's. ok is false where more than that may have happened: read then says what is there.
func (l *mountList) more(named map[string]uint64) (come []string, replaced, ok bool) {
	ids, err := l.list()
	had := len(l.last)
	if err != nil || len(ids) <= had || !slices.Equal(ids[:had], l.last) {
		return nil, false, false
	}
	fresh := make([]mountedName, len(ids)-had)
	for i, id := range ids[had:] {
		if fresh[i], err = l.look(id); err != nil {
			return nil, false, false
		}
	}
	for i, m := range fresh {
		l.known[ids[had+i]] = m
		if was, is := named[m.name]; m.name != "" && was != m.inode {
			come, replaced = append(come, m.name), replaced || is
			named[m.name] = m.inode
		}
	}
	l.last = append(l.last, ids[had:]...)
	return come, replaced, true
}
