package sandbox

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// machineRoot is where bwrap builds the machine's files; the machine's init makes it the root. What stands beside it
// (the lab's /proc, the real machine's /sys) is there because the kernel lets a user namespace mount its own proc and
// sysfs only while it sees another one whole; it goes away with the old root.
const machineRoot = "/m"

// searchPath is PATH in labs and machines.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// The descriptors that bwrap inherits, in the order of exec.Cmd.ExtraFiles.
const (
	fdAgent   = 3
	fdExe     = 4
	fdSeccomp = 5
	fdVsctl   = 6
)

// vsctl stands in for ovs-vsctl(8) in machines, and calls it.
//
//go:embed vsctl.sh
var vsctl []byte

const vsctlPath = "/usr/bin/ovs-vsctl"

// devices that a machine has, where the real one has them.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty", "net/tun"}

// boundEtc are the files and folders of the real /etc that a machine sees as they are, read-only: programs in /usr
// are lost without them, and nobody edits them in a lesson.
var boundEtc = []string{"alternatives", "ld.so.cache", "protocols", "services", "ethertypes", "ssl/certs"}

// bwrapArgs gives the arguments that make a machine's files and run our setup among them.
func bwrapArgs() []string {
	args := []string{
		"--size", strconv.Itoa(machineFiles), "--tmpfs", machineRoot,
		"--ro-bind", "/usr", machineRoot + "/usr",
		"--symlink", machineRoot[1:] + "/usr", "/usr", // for a setup that is not linked statically
	}
	for _, dir := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		path := "/" + dir
		switch info, err := os.Lstat(path); {
		case err != nil:
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				continue
			}
			args = append(args, "--symlink", target, path, "--symlink", target, machineRoot+path)
		case info.IsDir():
			args = append(args, "--ro-bind", path, machineRoot+path, "--symlink", machineRoot[1:]+path, path)
		}
	}
	if hasVsctl() {
		args = append(args, "--ro-bind", vsctlPath, machineRoot+"/.ovs/ovs-vsctl",
			"--perms", "0755", "--ro-bind-data", strconv.Itoa(fdVsctl), machineRoot+vsctlPath)
	}
	for _, name := range devices {
		if path := filepath.Join("/dev", name); exists(path) {
			args = append(args, "--dev-bind", path, machineRoot+path)
		}
	}
	for _, name := range boundEtc {
		if path := filepath.Join("/etc", name); exists(path) {
			args = append(args, "--ro-bind", path, machineRoot+path)
		}
	}
	return append(args,
		"--bind", "/proc", "/proc", "--bind", "/sys", "/sys",
		"--seccomp", strconv.Itoa(fdSeccomp),
		"--", fmt.Sprintf("/proc/self/fd/%d", fdExe), "machine", roleSetup)
}

func hasVsctl() bool {
	info, err := os.Lstat(vsctlPath)
	return err == nil && info.Mode().IsRegular()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// findBwrap looks once: what is installed does not go away under a running lab.
var findBwrap = sync.OnceValues(func() (string, error) {
	for _, dir := range filepath.SplitList(os.Getenv("PATH") + ":" + searchPath) {
		path, err := exec.LookPath(filepath.Join(dir, "bwrap"))
		if err == nil && filepath.IsAbs(path) {
			return path, nil
		}
	}
	return "", &MissingProgramError{Program: "bwrap", Package: "bubblewrap"}
})

// bwrapRun is one bwrap at work: it ends once the machine's init is on its own.
type bwrapRun struct {
	cmd    *exec.Cmd
	stderr *os.File // a memfd: what bwrap, the setup and the init say until the machine is ready
}

// startBwrap runs bwrap with the agent's end of the socket pair, which it leaves to the caller to close.
func (l *Lab) startBwrap(agentEnd *os.File) (*bwrapRun, error) {
	path, err := findBwrap()
	if err != nil {
		return nil, err
	}
	filter, err := seccompFilter(l.SingleID())
	if err != nil {
		return nil, err
	}
	seccomp, err := memfd("seccomp", filter)
	if err != nil {
		return nil, err
	}
	defer seccomp.Close()
	script, err := memfd("vsctl", vsctl)
	if err != nil {
		return nil, err
	}
	defer script.Close()
	stderr, err := memfd("stderr", nil)
	if err != nil {
		return nil, err
	}
	b := &bwrapRun{stderr: stderr, cmd: &exec.Cmd{
		Path: path, Args: append([]string{"bwrap"}, bwrapArgs()...), Dir: "/",
		// One thread's worth of runtime for the setup: it lives a millisecond.
		Env:        []string{"PATH=" + searchPath, "GOMAXPROCS=1", "GOGC=off"},
		Stderr:     stderr,
		ExtraFiles: []*os.File{agentEnd, l.exe, seccomp, script},
		// A group of its own, for kill. The init is in none of it: it has a session.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}}
	if err := b.cmd.Start(); err != nil {
		stderr.Close()
		return nil, failed("run bwrap", err)
	}
	return b, nil
}

func memfd(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, failed("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(content); err != nil {
		f.Close()
		return nil, failed("write "+name, err)
	}
	if _, err := f.Seek(0, 0); err != nil {
		f.Close()
		return nil, failed("seek "+name, err)
	}
	return f, nil
}

// said gives what was written to stderr, for an error.
func (b *bwrapRun) said() error {
	buf := make([]byte, 2000)
	n, _ := b.stderr.ReadAt(buf, 0)
	if n == 0 {
		return nil
	}
	return errors.New(printable(strings.TrimSpace(string(buf[:n])), len(buf)))
}

// kill ends bwrap with the child that it has from its beginning on: left alone, that waits for bwrap for ever.
func (b *bwrapRun) kill() { unix.Kill(-b.cmd.Process.Pid, unix.SIGKILL) }
