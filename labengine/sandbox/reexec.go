package sandbox

import (
	"fmt"
	"os"
	"syscall"
)

// The roles in which Reexec runs this binary, as its second argument after "machine".
const (
	roleSetup     = "setup"
	roleInit      = "init"
	roleContainer = "container"
)

// Reexec runs the part of a machine that this process was started for, and then does not return. It returns at once
// in a process that was started for anything else. main calls it before everything else: a machine's init then
// carries nothing of the program around it but its code.
func Reexec() {
	if len(os.Args) != 3 || os.Args[1] != "machine" {
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
