package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// namesIn lists the network namespaces that have a name, by name, with their nsfs inodes. mountinfo is that of a machine's
// init, proc_pid_mountinfo(5).
func namesIn(mountinfo []byte) map[string]uint64 {
	named := map[string]uint64{}
	for line := range bytes.Lines(mountinfo) {
		fields := strings.Fields(string(line))
		if len(fields) < 10 {
			continue
		}
		name, ok := strings.CutPrefix(unescape(fields[4]), "/run/netns/")
		if inode, isNet := netInode(fields[3]); ok && isNet && !strings.Contains(name, "/") {
			named[name] = inode // the last mount on a name is the one that is seen
		}
	}
	return named
}

// OpenNamed opens the namespace that has a name in the machine with this init.
func OpenNamed(pid int, name string) (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/%d/root/run/netns/%s", pid, name))
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

// Holder is a process that is in a network namespace.
type Holder struct {
	Pid   int    // as the caller sees it
	Inner int    // as its machine sees it
	Init  int    // the ancestor that is one of the machines' inits
	Comm  string // its name, proc_pid_comm(5)
}

// String is the holder as people read it: "bash (57)".
func (h Holder) String() string { return fmt.Sprintf("%s (%d)", h.Comm, h.Inner) }

// Holders looks through /proc for the network namespaces that processes of machines are in, by nsfs inode: for each the
// process that has been there longest. inits are the machines' inits; others says whether there is any process besides.
func Holders(inits map[int]bool) (found map[uint64]Holder, others bool) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, true
	}
	parents := map[int]int{}
	found = map[uint64]Holder{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == 1 {
			continue
		}
		others = others || !inits[pid]
		link, err := os.Readlink("/proc/" + e.Name() + "/ns/net")
		if err != nil {
			continue // it has ended
		}
		inode, _ := netInode(link)
		if known, ok := found[inode]; ok && known.Pid < pid {
			continue
		}
		init := ancestor(pid, inits, parents)
		if init == 0 {
			continue
		}
		inner, comm := identity(pid)
		found[inode] = Holder{Pid: pid, Inner: inner, Init: init, Comm: comm}
	}
	return found, others
}

// ancestor is the one of inits that a process descends from, or 0.
func ancestor(pid int, inits map[int]bool, parents map[int]int) int {
	for range 4096 {
		if inits[pid] {
			return pid
		}
		if pid <= 1 {
			return 0
		}
		parent, ok := parents[pid]
		if !ok {
			parent = parentOf(pid)
			parents[pid] = parent
		}
		pid = parent
	}
	return 0
}

func parentOf(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	rest := stat[bytes.LastIndexByte(stat, ')')+1:]
	fields := strings.Fields(string(rest))
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

// identity is a process's number in its machine and its name.
func identity(pid int) (inner int, comm string) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return pid, "?"
	}
	inner = pid
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch key {
		case "Name":
			comm = strings.TrimSpace(value)
		case "NSpid": // here, in the machine, further in
			if fields := strings.Fields(value); len(fields) > 1 {
				inner, _ = strconv.Atoi(fields[1])
			}
		}
	}
	return inner, comm
}

// OpenHeld opens the namespace that a process is in.
func OpenHeld(pid int) (*os.File, error) { return os.Open(fmt.Sprintf("/proc/%d/ns/net", pid)) }

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
	named   map[string]uint64 // what Named said last
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

// Named lists the network namespaces that have a name in the machine, by name, with their nsfs inodes, and says whether
// that may have changed since the call before. The map is the watch's own. One goroutine at a time may call it.
func (m *MountWatch) Named() (named map[string]uint64, changed bool, err error) {
	if m.named != nil && !m.moved() {
		return m.named, false, nil
	}
	m.named = nil
	if _, err := m.names.Seek(0, io.SeekStart); err != nil {
		return nil, true, err
	}
	data, err := io.ReadAll(m.names)
	if err != nil {
		return nil, true, err
	}
	m.named = namesIn(data)
	return m.named, true, nil
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
