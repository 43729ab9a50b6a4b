package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Container is a part of a machine that is like a machine of its own: network, pid, mount, uts and ipc namespaces, and an
// init that is PID 1 in there. Its user and cgroup namespaces are the machine's, and so are its files, but for /proc, /sys,
// /run/netns, /etc/hostname and /etc/hosts.
type Container struct {
	m     *Machine
	name  string
	pid   int
	inner []int // the init's numbers: the lab process's, the machine's, its own
	pidfd *pidfd
	netns *os.File
	done  chan struct{}
}

// NewContainer makes a container, and returns when its init has nothing left to do. It is not limited in number but by the
// lab's limits. The name is its hostname, 1 to 64 bytes (HOST_NAME_MAX); the machine's /run/containers/NAME.pid has the
// init's number.
func (m *Machine) NewContainer(ctx context.Context, name string) (*Container, error) {
	if printable(name, 64) != name {
		return nil, failed(fmt.Sprintf("container %q", name), unix.EINVAL)
	}
	k := &call{replies: make(chan answer, 1)}
	req := &request{Op: opContainer, Names: []string{name}}
	if err := m.begin(req, k); err != nil {
		return nil, err
	}
	a, err := k.next(ctx)
	if err != nil {
		m.forget(req.ID)
		if ctx.Err() != nil {
			m.running.Go(k.killLate)
		}
		return nil, err
	}
	if err := a.err(); err != nil {
		closeFDs(a.fds)
		return nil, err
	}
	if len(a.fds) != 1 {
		closeFDs(a.fds)
		return nil, m.distrust("a container without a pidfd")
	}
	c := &Container{m: m, name: name, done: make(chan struct{})}
	if c.pidfd, err = newPidfd(a.fds[0]); err != nil {
		return nil, m.distrust(err.Error())
	}
	if err := c.look(); err != nil {
		c.pidfd.signal(unix.SIGKILL)
		c.pidfd.close()
		return nil, err
	}
	m.running.Go(func() {
		c.pidfd.wait()
		c.pidfd.close()
		c.netns.Close()
		close(c.done)
	})
	return c, nil
}

// look finds out what the init's numbers and its network namespace are, by ourselves: the agent may say anything.
func (c *Container) look() error {
	var err error
	if c.pid, err = c.pidfd.pid(); err != nil {
		return c.m.distrust(err.Error())
	}
	if c.pid <= 0 {
		return failed("find the container's init", unix.ESRCH)
	}
	if c.inner, err = pidsOf(c.pid); err != nil {
		return err
	}
	c.netns, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", c.pid))
	return failed("open the container's network namespace", err)
}

// pidsOf gives all the numbers that a process has, from our pid namespace inwards: NSpid in proc_pid_status(5).
func pidsOf(pid int) ([]int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range bytes.Lines(status) {
		list, ok := bytes.CutPrefix(line, []byte("NSpid:"))
		if !ok {
			continue
		}
		for _, field := range bytes.Fields(list) {
			n, err := strconv.Atoi(string(field))
			if err != nil {
				return nil, err
			}
			pids = append(pids, n)
		}
	}
	return pids, nil
}

// Pids gives the numbers of a process of the container: the machine's, and the container's own. ok is false where it has
// ended, or is none.
func (c *Container) Pids(pid int) (machine, inner int, ok bool) {
	pids, err := pidsOf(pid)
	if err != nil || len(pids) < 3 {
		return 0, 0, false
	}
	return pids[1], pids[len(pids)-1], true
}

// Pid is the number of the container's init, as the lab process counts.
func (c *Container) Pid() int { return c.pid }

// Name is the container's hostname, as it was made or renamed; its root may have changed it since.
func (c *Container) Name() string { return c.name }

// NetNS is the container's network namespace. It is open until the container ends; dup it to keep it longer.
func (c *Container) NetNS() *os.File { return c.netns }

// Done is closed when the container's init has ended, and all its processes with it.
func (c *Container) Done() <-chan struct{} { return c.done }

// Close ends the container and all its processes, and waits until they are gone.
func (c *Container) Close(ctx context.Context) error {
	if err := c.pidfd.signal(unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, os.ErrClosed) {
		return err
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Rename gives the container another hostname, also in its /etc/hostname and /etc/hosts.
func (c *Container) Rename(ctx context.Context, name string) error {
	if printable(name, 64) != name {
		return failed(fmt.Sprintf("container %q", name), unix.EINVAL)
	}
	k := &call{replies: make(chan answer, 1)}
	req := &request{Op: opRenameContainer, Names: []string{c.name, name}}
	if err := c.m.begin(req, k, c.pidfd.f); err != nil {
		return err
	}
	a, err := k.next(ctx)
	if err != nil {
		c.m.forget(req.ID)
		k.drain()
		return err
	}
	closeFDs(a.fds)
	if err := a.err(); err != nil {
		return err
	}
	c.name = name
	return nil
}
