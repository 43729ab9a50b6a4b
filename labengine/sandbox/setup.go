package sandbox

import (
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// machineSetup runs inside bwrap's files, still in the lab's user namespace. It starts the machine's init in a child
// of that namespace, and ends. Because the mounts were made before and above, nobody in the machine can unmount them
// or make them writable: mount_namespaces(7), "Restrictions on mount namespaces".
func machineSetup() error {
	// Whatever else bwrap passed on stops here.
	if err := unix.CloseRange(fdAgent, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return failed("close_range", err)
	}
	pid, fd, err := cloneInit()
	if err != nil {
		err = noNamespaces("make the machine's namespaces", err)
		sendRaw(fdAgent, setupReport{Error: err.Error()})
		return err
	}
	return sendRaw(fdAgent, setupReport{Pid: pid}, fd)
}

func cloneInit() (pid, fd int, err error) {
	ids, err := mappedIDs()
	if err != nil {
		return 0, 0, err
	}
	null, err := os.OpenFile(machineRoot+"/dev/null", os.O_RDWR, 0)
	if err != nil {
		return 0, 0, err
	}
	attr := &syscall.ProcAttr{
		Dir: "/",
		// What an init has no more use for it gives back when it has nothing to do: see agentIdle.
		Env:   []string{"PATH=" + searchPath, "GOMAXPROCS=2", "GOGC=off", "GOMEMLIMIT=24MiB", "GODEBUG=asyncpreemptoff=1"},
		Files: []uintptr{null.Fd(), null.Fd(), 2, fdAgent},
		Sys: &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS |
				unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWCGROUP,
			// Once the ids are mapped: files in /proc/net belong to whoever is root when the namespace is made.
			Unshareflags: unix.CLONE_NEWNET,
			UidMappings:  sameIDs(ids), GidMappings: sameIDs(ids),
			GidMappingsEnableSetgroups: ids > 1,
			Setsid:                     true,
			PidFD:                      &fd,
		},
	}
	// ps shows what the process calls itself: to its learner, this is the machine's init.
	pid, err = syscall.ForkExec("/proc/self/exe", []string{"init", "machine", roleInit}, attr)
	return pid, fd, err
}
