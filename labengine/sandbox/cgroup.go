package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What a lab's cgroup allows. cgroup-v2.rst in the kernel's documentation
const (
	cgroupMemory = "4G"            // memory.max
	cgroupPids   = maxProcesses    // pids.max
	cgroupCPU    = "400000 100000" // cpu.max: µs in each period of µs; four CPUs' worth
)

var cgroupControllers = []string{"memory", "pids", "cpu"}

// cgroupRoot and selfCgroup are the kernel's files; tests point them elsewhere.
var (
	cgroupRoot = "/sys/fs/cgroup"
	selfCgroup = "/proc/self/cgroup"
)

// labCgroupParent finds the folder that holds the labs' cgroups, and makes it. That is below our own cgroup where it
// was delegated to us (systemd: Delegate=yes), else, for root, below the root of the hierarchy.
func labCgroupParent() (dir, controllers string, err error) {
	have, err := os.ReadFile(filepath.Join(cgroupRoot, "cgroup.controllers"))
	if err != nil {
		return "", "", errors.New("no cgroup v2 hierarchy")
	}
	for _, c := range cgroupControllers {
		if !slices.Contains(strings.Fields(string(have)), c) {
			return "", "", fmt.Errorf("cgroup v2 has no %s controller", c)
		}
	}
	bases := []string{}
	if own, err := ownCgroup(); err == nil {
		bases = append(bases, own)
	}
	if os.Geteuid() == 0 {
		bases = append(bases, cgroupRoot)
	}
	err = errors.New("no cgroup was delegated to this user")
	for _, base := range bases {
		dir := filepath.Join(base, "vethlab-labs")
		if e := prepareCgroup(base, dir); e != nil {
			err = e
			continue
		}
		return dir, strings.Join(cgroupControllers, ", "), nil
	}
	return "", "", err
}

// ownCgroup gives our own cgroup's folder, or that above it where prepareCgroup has moved us to a leaf.
func ownCgroup() (string, error) {
	text, err := os.ReadFile(selfCgroup)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok && path != "/" {
			return filepath.Join(cgroupRoot, strings.TrimSuffix(path, "/"+cgroupLeaf)), nil
		}
	}
	return "", errors.New("not in a cgroup of our own")
}

// cgroupLeaf is where we move ourselves: a cgroup that hands controllers on may hold no processes itself.
const cgroupLeaf = "vethlab-server"

func prepareCgroup(base, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
		return err
	}
	if err := enableControllers(base); err != nil {
		if base == cgroupRoot {
			return err
		}
		leaf := filepath.Join(base, cgroupLeaf)
		if err := os.Mkdir(leaf, 0o755); err != nil && !os.IsExist(err) {
			return err
		}
		if err := writeCgroup(leaf, "cgroup.procs", "0"); err != nil {
			return err
		}
		if err := enableControllers(base); err != nil {
			return err
		}
	}
	return enableControllers(dir)
}

func enableControllers(dir string) error {
	have, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		return err
	}
	var missing []string
	for _, c := range cgroupControllers {
		if !slices.Contains(strings.Fields(string(have)), c) {
			missing = append(missing, "+"+c)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return writeCgroup(dir, "cgroup.subtree_control", strings.Join(missing, " "))
}

func writeCgroup(dir, name, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}

// newLabCgroup makes a cgroup for one lab, to be born in (CLONE_INTO_CGROUP), and removes those of labs that have
// ended. It gives nil where there are none to be had: Limits says so, and rlimits hold instead.
func newLabCgroup() *os.File {
	parent, _, err := labCgroupParent()
	if err != nil {
		return nil
	}
	old, _ := filepath.Glob(filepath.Join(parent, "lab-*"))
	for _, dir := range old {
		// Somebody else's lab may be about to be born in a young one.
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > time.Minute {
			os.Remove(dir) // refused, EBUSY, while anything runs in it
		}
	}
	dir, err := os.MkdirTemp(parent, "lab-*")
	if err != nil {
		return nil
	}
	for name, value := range map[string]string{
		"memory.max": cgroupMemory, "pids.max": fmt.Sprint(cgroupPids), "cpu.max": cgroupCPU, "memory.oom.group": "0",
	} {
		if err := writeCgroup(dir, name, value); err != nil {
			os.Remove(dir)
			return nil
		}
	}
	f, err := os.Open(dir)
	if err != nil {
		os.Remove(dir)
		return nil
	}
	return f
}
