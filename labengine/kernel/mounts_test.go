package kernel

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// shell is a shell in user, mount and network namespaces of its own, with an empty /run.
type shell struct {
	t      *testing.T
	pid    int
	stdin  io.Writer
	answer *bufio.Reader
}

func newShell(t *testing.T) *shell {
	t.Helper()
	cmd := exec.Command("sh")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	s := &shell{t: t, pid: cmd.Process.Pid, stdin: stdin, answer: bufio.NewReader(stdout)}
	s.do("mount -t tmpfs none /run && mkdir /run/netns && mount --bind /run/netns /run/netns && mount --make-private /run/netns")
	return s
}

// do waits until the shell has carried out a command. Whether that went well is for the caller to see.
func (s *shell) do(command string) {
	s.t.Helper()
	fmt.Fprintf(s.stdin, "{ %s; } 2>/dev/null; echo\n", command)
	for {
		line, err := s.answer.ReadString('\n')
		if err != nil {
			s.t.Fatal(err)
		}
		if line == "\n" {
			return
		}
	}
}

// What listmount(2) tells is what mountinfo tells, whatever is done to the names; and each answer says what differs from the
// one before.
func TestMountsAreListedAlike(t *testing.T) {
	s := newShell(t)
	var watches [2]*MountWatch
	for i := range watches {
		var err error
		if watches[i], err = WatchMounts(s.pid, func() {}); err != nil {
			t.Fatal(err)
		}
		defer watches[i].Close()
	}
	if watches[0].list == nil {
		t.Log("this kernel has no listmount(2) for other namespaces: mountinfo is compared with itself")
	}
	watches[1].list = nil
	names := []string{"a", "b", "c", "a b", `d\e`, "ü"}
	rng := rand.New(rand.NewPCG(1, 2))
	name := func() string { return "'" + names[rng.IntN(len(names))] + "'" }
	last, changes := map[string]uint64{}, 0
	for step := range 600 {
		a, b := name(), name()
		command := []string{
			"ip netns add " + a, "ip netns add " + a, "ip netns del " + a,
			"ip netns attach " + a + " $$",
			fmt.Sprintf("touch /run/netns/%s; mount --bind /run/netns/%s /run/netns/%s", b, a, b), // a second name, or on top of another
			"mount --make-rprivate /run/netns; " + // what is shared cannot be moved
				fmt.Sprintf("touch /run/netns/%s; mount --move /run/netns/%s /run/netns/%s", b, a, b),
			"umount /run/netns/" + a,
			"touch /run/netns/" + a + "; mount --bind /proc/$$/ns/mnt /run/netns/" + a,
			"mkdir -p /run/else; mount -t tmpfs none /run/else; umount /run/else",
		}[rng.IntN(9)]
		s.do(command)
		var said [2]Names
		for i, w := range watches {
			var err error
			if said[i], err = w.Named(); err != nil {
				t.Fatal(err)
			}
		}
		listed, read := said[0], said[1]
		if !maps.Equal(listed.Inodes, read.Inodes) {
			t.Fatalf("step %d, %s: listmount says %v, mountinfo %v", step, command, listed.Inodes, read.Inodes)
		}
		for _, names := range said {
			come, gone := map[string]bool{}, false
			for name, inode := range names.Inodes {
				if last[name] != inode {
					come[name] = true
				}
			}
			for name, inode := range last {
				gone = gone || names.Inodes[name] != inode
			}
			for _, name := range names.Come {
				if !come[name] {
					t.Fatalf("step %d, %s: %q has come", step, command, name)
				}
			}
			if len(names.Come) != len(come) || names.Gone != gone {
				t.Fatalf("step %d, %s: from %v to %v, come %q, gone %v", step, command, last, names.Inodes, names.Come, names.Gone)
			}
		}
		if !maps.Equal(last, listed.Inodes) {
			changes++
		}
		last = maps.Clone(listed.Inodes)
	}
	if changes < 40 {
		t.Fatalf("%d changes: too little was tried", changes)
	}
}
