package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Lab is the lab process, seen from inside.
type Lab struct {
	listener net.Listener
	ids      int      // how many user ids the lab has: 1, or 65,536
	exe      *os.File // our own binary, an O_PATH descriptor: it may lie where the lab's ids cannot go
	reaper   *reaper

	mu       sync.Mutex // guards what follows
	machines map[*Machine]bool
	ahead    *embryo // for the next machine; nil is none
}

// Init makes the calling process a lab process. It must have been started by Start, and calls Init before anything
// else. Where Init fails, Start fails with the same words.
func Init() (*Lab, error) {
	if os.Getenv(labEnv) == "" || os.Getpid() != 1 {
		return nil, errors.New("this is not a lab process: labs are started by `vethlab serve` and `vethlab run`")
	}
	os.Unsetenv(labEnv)
	for _, fd := range []int{fdListener, fdReady, fdSlot, fdNetDevices} {
		unix.CloseOnExec(fd) // the last two may be closed, or something else of ours: right in each case
	}
	ready := os.NewFile(fdReady, "ready")
	defer ready.Close()
	l, err := initLab()
	if err != nil {
		fmt.Fprint(ready, err)
		return nil, err
	}
	if _, err := ready.WriteString("ok"); err != nil {
		l.Close()
		return nil, fmt.Errorf("the lab's starter has gone: %w", err)
	}
	return l, nil
}

func initLab() (*Lab, error) {
	unix.Umask(0o022)
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, failed("mount --make-rprivate /", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return nil, failedHint("mount -t proc proc /proc", err,
			"inside a container, run it with an unmasked /proc: docker run --security-opt systempaths=unconfined")
	}
	if err := mountNetDevices(); err != nil {
		return nil, err
	}
	if err := setLimits(); err != nil {
		return nil, err
	}
	setOOMScore(oomLab)
	// ps and top show what the last exec was given, which is "exe".
	if err := os.WriteFile("/proc/self/comm", []byte("vethlab-lab"), 0); err != nil {
		return nil, failed("name the lab process", err)
	}
	ids, err := mappedIDs()
	if err != nil {
		return nil, failed("read the lab's ids", err)
	}
	exe, err := os.OpenFile("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, failed("open our own program", err)
	}
	listener, err := listen(fdListener)
	if err != nil {
		exe.Close()
		return nil, err
	}
	return &Lab{
		listener: listener, ids: ids, exe: exe, reaper: startReaper(), machines: map[*Machine]bool{},
	}, nil
}

// listen starts to listen here, and not where the socket was made: so SO_PEERCRED names the lab process.
func listen(fd int) (net.Listener, error) {
	if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
		return nil, failed("listen on the lab's socket", err)
	}
	f := os.NewFile(uintptr(fd), sockName)
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, failed("listen on the lab's socket", err)
	}
	return l, nil
}

// Listener is where the server connects. Its socket's file is outside the lab's reach and stays after Close; Find and
// Start remove it.
func (l *Lab) Listener() net.Listener { return l.listener }

// SingleID tells whether the lab has one user id only, as an ordinary user's labs have: files in its machines cannot
// belong to anybody but root there.
func (l *Lab) SingleID() bool { return l.ids == 1 }

// Close ends all machines and waits for them. A lab process that just exits leaves as little behind.
func (l *Lab) Close() error {
	l.listener.Close()
	l.mu.Lock()
	machines := make([]*Machine, 0, len(l.machines))
	for m := range l.machines {
		machines = append(machines, m)
	}
	l.mu.Unlock()
	for _, m := range machines {
		m.end()
	}
	for _, m := range machines {
		<-m.Done()
	}
	l.reaper.close()
	return l.exe.Close()
}
