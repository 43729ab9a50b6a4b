package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// orphanGrace is how long a process must have been dead before the reaper takes it for an orphan. Whoever started a
// child (os/exec, anywhere in the lab process) waits for it, and takes milliseconds; waiting for all children at once
// would steal theirs.
const orphanGrace = time.Second

// reaper collects the orphans that end up with PID 1.
type reaper struct {
	stop    chan struct{}
	running sync.WaitGroup
}

func startReaper() *reaper {
	r := &reaper{stop: make(chan struct{})}
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	r.running.Go(func() {
		defer signal.Stop(died)
		r.run(died)
	})
	return r
}

func (r *reaper) run(died <-chan os.Signal) {
	seen := map[int]time.Time{} // dead children, by number, and since when
	timer := time.NewTimer(orphanGrace)
	defer timer.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-died:
		case <-timer.C:
		}
		now := time.Now()
		still := map[int]time.Time{}
		for _, pid := range deadChildren() {
			since, ok := seen[pid]
			switch {
			case !ok:
				still[pid] = now
			case now.Sub(since) < orphanGrace:
				still[pid] = since
			default:
				var status unix.WaitStatus
				unix.Wait4(pid, &status, unix.WNOHANG, nil)
			}
		}
		seen = still
		if len(seen) > 0 {
			timer.Reset(orphanGrace)
		}
	}
}

// deadChildren lists the children of this process that nobody has waited for.
func deadChildren() []int {
	if !anyDeadChild() {
		return nil
	}
	// An orphan belongs to some thread of its new parent; which one is the kernel's choice.
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil
	}
	var dead []int
	for _, task := range tasks {
		list, err := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		if err != nil {
			continue
		}
		for _, field := range bytes.Fields(list) {
			if pid, err := strconv.Atoi(string(field)); err == nil && isZombie(pid) {
				dead = append(dead, pid)
			}
		}
	}
	return dead
}

// anyDeadChild peeks. waitid(2), WNOWAIT
func anyDeadChild() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo != 0
}

func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// The program's name stands in parentheses and may hold anything, parentheses too. proc_pid_stat(5)
	i := bytes.LastIndexByte(stat, ')')
	return i >= 0 && len(stat) > i+2 && stat[i+2] == 'Z'
}

func (r *reaper) close() {
	close(r.stop)
	r.running.Wait()
}
