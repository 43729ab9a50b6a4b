package kernel

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// OpenNamed opens the namespace that has a name in the machine with this init.
func OpenNamed(pid int, name string) (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/%d/root/run/netns/%s", pid, name))
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
