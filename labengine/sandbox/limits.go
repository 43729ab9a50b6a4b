package sandbox

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// What one lab may use. The kernel counts the namespaces in the lab's user namespace and all below it.
const (
	maxProcesses = 8192 // of all machines together; a fork bomb ends here
	maxNetNS     = 5000 // a lab of 1000 nodes, made again before the kernel has taken the first away, twice over
	maxUserNS    = 256  // one for each machine, and some to try out
	maxOtherNS   = 2048 // of each kind: mount (each `ip netns exec` has one), pid, uts, ipc, cgroup, time

	// machineFiles bounds what a machine's own files take, in bytes of memory.
	machineFiles = 128 << 20
)

// setLimits bounds the lab. The calling process is PID 1 of its namespaces and hands all of this down.
func setLimits() error {
	for name, max := range map[string]int{
		"user": maxUserNS, "net": maxNetNS, "mnt": maxOtherNS, "pid": maxOtherNS,
		"uts": maxOtherNS, "ipc": maxOtherNS, "cgroup": maxOtherNS, "time": maxOtherNS,
	} {
		path := "/proc/sys/user/max_" + name + "_namespaces"
		if err := os.WriteFile(path, fmt.Append(nil, max), 0); err != nil && !os.IsNotExist(err) {
			return failed("write "+path, err)
		}
	}
	// Since Linux 5.14 the kernel counts a user's processes by user namespace, so this bounds the lab and not what
	// else its user does.
	limits := []struct {
		resource int
		soft     uint64
	}{{unix.RLIMIT_NPROC, maxProcesses}, {unix.RLIMIT_CORE, 0}, {unix.RLIMIT_NOFILE, 1 << 20}}
	for _, l := range limits {
		var have unix.Rlimit
		if err := unix.Getrlimit(l.resource, &have); err != nil {
			return failed("getrlimit", err)
		}
		want := min(l.soft, have.Max)
		lim := unix.Rlimit{Cur: want, Max: want}
		if l.resource == unix.RLIMIT_NOFILE {
			lim.Max = have.Max
		}
		if err := unix.Setrlimit(l.resource, &lim); err != nil {
			return failed("setrlimit", err)
		}
	}
	return nil
}

// Out of memory, the kernel should end what a learner started, before the lab, before the server.
const (
	oomLab     = 200
	oomMachine = 600
)

func setOOMScore(score int) {
	// Best effort: a kernel without it has no way to choose, and the lab works.
	os.WriteFile("/proc/self/oom_score_adj", fmt.Append(nil, score), 0)
}

// Limits says in one line for `vethlab doctor` what bounds the labs that this process starts, and whether a cgroup for
// each lab is part of it.
func Limits() (text string, cgroups bool) {
	rest := fmt.Sprintf("at most %d processes and %d network namespaces in a lab, %d MiB of files in a machine",
		maxProcesses, maxNetNS, machineFiles>>20)
	dir, controllers, err := labCgroupParent()
	if err != nil {
		return fmt.Sprintf("rlimits only (%v): %s", err, rest), false
	}
	return fmt.Sprintf("a cgroup for each lab in %s (%s): %s", dir, controllers, rest), true
}
