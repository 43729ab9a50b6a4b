package sandbox

import (
	"path/filepath"
	"strings"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// exec starts a program on the calling, locked thread: what a thread forks is in the thread's network namespace, and
// has the machine's mounts, seccomp filter and no_new_privs from the agent.
func (a *agent) exec(req *request, fds []int) {
	var err error
	if req.Exec != nil && req.Exec.Box && len(fds) > 0 {
		err = inContainer(fds[0], func() error { return a.tryExec(req, fds) })
	} else {
		err = a.tryExec(req, fds)
	}
	if err != nil {
		a.done(req.ID, err)
	}
}

func (a *agent) tryExec(req *request, fds []int) error {
	e := req.Exec
	want := 0
	if e != nil && (e.NetNS || e.Box) {
		want++
	}
	if e != nil && e.TTY == nil {
		want += 3
	}
	if e == nil || len(e.Argv) == 0 || len(fds) != want {
		return failed("exec", unix.EINVAL)
	}
	path, err := lookPath(e)
	if err != nil {
		return failed("exec "+e.Argv[0], err)
	}
	if e.Box {
		fds = fds[1:]
	} else if e.NetNS {
		if err := unix.Setns(fds[0], unix.CLONE_NEWNET); err != nil {
			return failed("enter the network namespace", err)
		}
		fds = fds[1:]
	}
	attr := &syscall.ProcAttr{Dir: e.Dir, Env: e.Env, Sys: &syscall.SysProcAttr{Setsid: true}}
	passUp := make([]int, 1, 2)
	if e.TTY == nil {
		for _, fd := range fds {
			attr.Files = append(attr.Files, uintptr(fd))
		}
		if e.Log != "" {
			log, err := unix.Open(e.Log, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
			if err != nil {
				return failed("open "+e.Log, err)
			}
			defer unix.Close(log)
			attr.Files[1], attr.Files[2] = uintptr(log), uintptr(log)
		}
	} else {
		master, slave, err := pty.Open()
		if err != nil {
			return failed("open a terminal", errnoOf(err))
		}
		defer master.Close()
		defer slave.Close()
		if err := pty.Setsize(master, &pty.Winsize{Cols: e.TTY.Cols, Rows: e.TTY.Rows}); err != nil {
			return failed("set the terminal's size", errnoOf(err))
		}
		attr.Files = []uintptr{slave.Fd(), slave.Fd(), slave.Fd()}
		attr.Sys.Setctty = true
		passUp = append(passUp, int(master.Fd()))
	}

	a.mu.Lock()
	defer a.mu.Unlock()
	pid, err := syscall.ForkExec(path, e.Argv, attr)
	if err != nil {
		return failed("exec "+e.Argv[0], err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		unix.Kill(pid, unix.SIGKILL)
		return failed("pidfd_open", err)
	}
	defer unix.Close(fd)
	a.children[pid] = req.ID
	passUp[0] = fd
	return a.send(&reply{ID: req.ID, Done: true}, passUp...)
}

// lookPath finds the program as execvp(3) does, in the PATH of the environment that it is to have.
func lookPath(e *execRequest) (string, error) {
	name := e.Argv[0]
	if strings.Contains(name, "/") {
		return name, nil
	}
	dirs := searchPath
	for _, kv := range e.Env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			dirs = v
		}
	}
	var found error = unix.ENOENT
	for _, dir := range filepath.SplitList(dirs) {
		path := filepath.Join(dir, name)
		var st unix.Stat_t
		if unix.Stat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			continue
		}
		if err := unix.Access(path, unix.X_OK); err != nil {
			found = err
			continue
		}
		return path, nil
	}
	return "", found
}
