package sandbox

import (
	"errors"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// agent is a machine's init at work for the lab process. It starts all its children itself, so whatever else dies in
// the machine is an orphan.
type agent struct {
	sock     int
	buf, oob []byte // the receiver's

	home     int // the machine's root network namespace
	maker    *nsThread
	starter  *nsThread
	baseline baselineCache
	unready  []string    // where namespaces are pinned that lack the last of the baseline; the maker's
	missing  atomic.Bool // there are such

	sending sync.Mutex // held while a message is sent

	mu         sync.Mutex // guards what follows; held from fork to the report of it, so that no exit is reported before
	children   map[int]uint64
	containers map[int]string // their names, by the number of the init
}

func newAgent() *agent {
	unix.CloseOnExec(fdAgent)
	return &agent{
		sock: fdAgent, buf: make([]byte, maxRequest), oob: make([]byte, unix.CmsgSpace(4*maxFDs)),
		baseline: baselineCache{proc: procFS}, children: map[int]uint64{}, containers: map[int]string{},
	}
}

// ignoreSignals keeps whatever a learner sends to PID 1 from ending it. The kernel drops SIGKILL, SIGSTOP and what
// has no handler; Go's runtime has handlers for the rest, which must not do what they do by default. SIG_IGN would be
// inherited by shells; what whoever started the server ignored (nohup(1), a CI runner) goes back to its default here.
func ignoreSignals() {
	signal.Notify(make(chan os.Signal, 1)) // never read: once full, the rest is dropped
	for sig := 1; sig <= lastSignal; sig++ {
		var have, byDefault sigaction
		if rtSigaction(sig, nil, &have) == nil && have.handler == sigIgnore {
			rtSigaction(sig, &byDefault, nil) // os/signal knows no way back for signals that it has no handler for
		}
	}
}

const (
	lastSignal = 64 // _NSIG, uapi/asm-generic/signal.h
	sigIgnore  = 1  // SIG_IGN, uapi/asm-generic/signal-defs.h
)

// sigaction is struct sigaction of the kernel, rt_sigaction(2); all zero it is SIG_DFL.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

func rtSigaction(sig int, set, old *sigaction) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(set)),
		uintptr(unsafe.Pointer(old)), unsafe.Sizeof(set.mask), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func (a *agent) start() error {
	var err error
	if a.home, err = unix.Open("/proc/self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return failed("open our network namespace", err)
	}
	a.maker, a.starter = newNSThread(a.home), newNSThread(a.home)
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	go func() {
		for range died {
			a.reap()
		}
	}()
	return nil
}

func (a *agent) recv(req *request) ([]int, error) { return recvRaw(a.sock, a.buf, a.oob, req) }

func (a *agent) send(r *reply, fds ...int) error {
	a.sending.Lock()
	defer a.sending.Unlock()
	return sendRaw(a.sock, r, fds...)
}

// agentIdle is how long without a request until the agent gives memory back.
const agentIdle = 2 * time.Second

// serve answers requests until the lab process is gone, which takes everything with it anyway.
func (a *agent) serve() {
	idle := time.AfterFunc(agentIdle, debug.FreeOSMemory)
	for {
		var req request
		fds, err := a.recv(&req)
		if err != nil {
			return
		}
		idle.Reset(agentIdle)
		switch req.Op {
		case opAdd:
			a.maker.run(func() { a.add(&req) })
		case opDelete:
			a.maker.run(func() { a.done(req.ID, deleteNamespaces(req.Names)) })
		case opRename:
			a.maker.run(func() { a.done(req.ID, renameNamespace(req.Names)) })
		case opFinish:
			a.maker.run(func() { a.done(req.ID, a.finish()) })
		case opContainer:
			a.finishFirst()
			a.starter.run(func() { a.addContainer(&req) })
		case opRenameContainer:
			a.starter.run(func() {
				a.renameContainer(&req, fds)
				closeFDs(fds)
			})
			continue
		case opExec:
			a.finishFirst()
			a.starter.run(func() {
				a.exec(&req, fds)
				closeFDs(fds)
			})
			continue
		default:
			a.done(req.ID, failed("agent: "+string(req.Op), unix.ENOSYS))
		}
		closeFDs(fds)
	}
}

// finishFirst has what the starter is asked for next wait until no program can see that a namespace lacks something.
func (a *agent) finishFirst() {
	if !a.missing.Load() {
		return
	}
	finished := make(chan struct{})
	a.maker.run(func() {
		defer close(finished)
		a.finish()
	})
	a.starter.run(func() { <-finished })
}

func (a *agent) done(id uint64, err error) {
	r := &reply{ID: id, Done: true}
	r.setErr(err)
	a.send(r)
}

// reap collects the dead, and reports those that the lab process asked for.
func (a *agent) reap() {
	for {
		a.mu.Lock()
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		id, ours := a.children[pid]
		delete(a.children, pid)
		a.containerEnded(pid)
		a.mu.Unlock()
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if ours {
			exit := int(status)
			a.send(&reply{ID: id, Exit: &exit})
		}
	}
}

// nsThread is an OS thread that works in other network namespaces and comes home after each piece of work. One that
// cannot come home is thrown away with its thread, and another takes its place.
type nsThread struct{ work chan func() }

func newNSThread(home int) *nsThread {
	t := &nsThread{work: make(chan func(), 64)}
	go t.loop(home)
	return t
}

func (t *nsThread) loop(home int) {
	runtime.LockOSThread()
	for f := range t.work {
		f()
		if err := unix.Setns(home, unix.CLONE_NEWNET); err != nil {
			go t.loop(home)
			return // locked: the runtime ends the thread
		}
	}
}

func (t *nsThread) run(f func()) { t.work <- f }

// errnoOf finds the errno in an error of package os or syscall.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return unix.EIO
}
