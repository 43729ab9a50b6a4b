package sandbox

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// The roles in which Reexec runs this binary, as its second argument after "machine".
const (
	roleSetup     = "setup"
	roleInit      = "init"
	roleContainer = "container"
)

// A machine's init keeps the process's first thread for its main goroutine, which never enters another namespace: in
// /proc, that thread stands for the whole process, and the machine's mounts are read there. Only a lock during
// initialization is sure to get it; later the goroutine may have moved to another thread.
func init() {
	if isPart() {
		runtime.LockOSThread()
	}
}

// isPart says whether this process was started for a part of a machine.
func isPart() bool { return len(os.Args) == 3 && os.Args[1] == "machine" }

// Reexec runs the part of a machine that this process was started for, and then does not return. It returns at once
// in a process that was started for anything else. main calls it before everything else: a machine's init then
// carries nothing of the program around it but its code.
func Reexec() {
	if !isPart() {
		return
	}
	var err error
	switch os.Args[2] {
	case roleSetup:
		err = machineSetup()
	case roleInit:
		err = machineInit()
	case roleContainer:
		err = containerSetup()
	default:
		return
	}
	// Not os.Exit: it has the race detector wait a second in each process, and nothing here waits for an exit.
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	syscall.Exit(0)
}
