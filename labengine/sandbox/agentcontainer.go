package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// containersDir is where the machine keeps the numbers of its containers' inits, for those who type nsenter(1).
const containersDir = "/run/containers"

// containerFlags are the namespaces that a container has for itself. It shares the machine's user namespace, and its cgroup.
const containerFlags = unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

func checkContainerName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > 64 || strings.ContainsAny(name, "/\x00\n") {
		return failed(fmt.Sprintf("container %q", name), unix.EINVAL)
	}
	return nil
}

func pidFile(name string) string { return containersDir + "/" + name + ".pid" }

// addContainer runs on a locked thread that is in the machine's namespaces.
func (a *agent) addContainer(req *request) {
	fd, err := a.tryAddContainer(req)
	if err != nil {
		a.done(req.ID, err)
		return
	}
	a.send(&reply{ID: req.ID, Done: true}, fd)
	unix.Close(fd)
}

func (a *agent) tryAddContainer(req *request) (pidfd int, err error) {
	if len(req.Names) != 1 {
		return -1, failed("container", unix.EINVAL)
	}
	name := req.Names[0]
	if err := checkContainerName(name); err != nil {
		return -1, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return -1, err
	}
	defer null.Close()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return -1, failed("pipe", err)
	}
	said := os.NewFile(uintptr(pipe[0]), "container")
	defer said.Close()
	attr := &syscall.ProcAttr{
		Dir: "/",
		// One thread's worth of runtime for the setup: it lives some milliseconds.
		Env:   []string{"PATH=" + searchPath, "GOMAXPROCS=1", "GOGC=off", containerName + "=" + name},
		Files: []uintptr{null.Fd(), null.Fd(), null.Fd(), uintptr(pipe[1])},
		Sys:   &syscall.SysProcAttr{Cloneflags: containerFlags, Setsid: true, PidFD: &pidfd},
	}
	a.mu.Lock()
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"init", "machine", roleContainer}, attr)
	unix.Close(pipe[1])
	if err != nil {
		a.mu.Unlock()
		return -1, failed("make the namespaces of container "+name, err)
	}
	a.containers[pid] = name
	a.mu.Unlock()
	err = containerAnswer(said)
	if err == nil {
		err = writePidFile(name, pid)
	}
	if err != nil {
		unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
		unix.Close(pidfd)
		return -1, err
	}
	return pidfd, nil
}

// containerAnswer waits until the container is ready, or says why not.
func containerAnswer(said io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(said, maxReply))
	if err != nil {
		return failed("wait for the container", err)
	}
	if len(text) == 0 {
		return nil
	}
	var r reply
	if err := json.Unmarshal(text, &r); err != nil {
		return failed("set the container up", unix.EPROTO)
	}
	return r.err()
}

// sendPipe writes a message that is read until the end of the file.
func sendPipe(fd int, r *reply) {
	if text, err := json.Marshal(r); err == nil {
		unix.Write(fd, text)
	}
}

func writePidFile(name string, pid int) error {
	if err := os.MkdirAll(containersDir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(pidFile(name), fmt.Appendf(nil, "%d\n", pid), 0o644)
}

// containerEnded forgets a container, and its number's file unless another one has the name by now. a.mu is held.
func (a *agent) containerEnded(pid int) {
	name, ok := a.containers[pid]
	if !ok {
		return
	}
	delete(a.containers, pid)
	for _, other := range a.containers {
		if other == name {
			return
		}
	}
	unix.Unlink(pidFile(name))
}

// renameContainer gives a container another name: its hostname, and the file with its number.
func (a *agent) renameContainer(req *request, fds []int) {
	if len(req.Names) != 2 || len(fds) != 1 {
		a.done(req.ID, failed("rename a container", unix.EINVAL))
		return
	}
	from, to := req.Names[0], req.Names[1]
	if err := checkContainerName(to); err != nil {
		a.done(req.ID, err)
		return
	}
	err := inContainer(fds[0], func() error { return renameContainer(to) })
	if err == nil {
		a.mu.Lock()
		for pid, name := range a.containers {
			if name == from {
				a.containers[pid] = to
			}
		}
		err = os.Rename(pidFile(from), pidFile(to))
		if os.IsNotExist(err) { // a learner's business
			err = nil
		}
		a.mu.Unlock()
	}
	a.done(req.ID, err)
}

// inContainer calls f on a thread that has entered all of a container's namespaces but its pid namespace: what it forks is
// in that, too. The thread ends with the call.
func inContainer(pidfd int, f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		err := unix.Unshare(unix.CLONE_FS)
		if err == nil {
			err = unix.Setns(pidfd, containerFlags)
		}
		if err != nil {
			result <- failed("enter the container", err)
			return
		}
		result <- f()
	}()
	return <-result
}
