package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// MachineConfig describes a machine to make.
type MachineConfig struct {
	// Name is the hostname, 1 to 64 bytes (HOST_NAME_MAX).
	Name string
	// Nameservers go to /etc/resolv.conf. With none, a look-up fails at once instead of waiting for a timeout.
	Nameservers []netip.Addr
}

// Machine is a computer of the lab: namespaces and files of its own, an init, and a root who owns them. Its methods
// may be called by many goroutines at once.
type Machine struct {
	lab   *Lab
	name  string
	pid   int
	pidfd *pidfd
	netns *os.File
	agent *agentConn
	done  chan struct{}

	mu    sync.Mutex // guards what follows
	last  uint64     // the last request's number
	calls map[uint64]*call
	gone  bool // the agent's connection has ended: no call is answered any more

	running sync.WaitGroup // the agent's reader and the watcher
}

// call is a request that waits for replies.
type call struct {
	replies chan answer // has room for all that the request may get: the reader never waits for a caller
	exit    chan int    // for programs: has room for the wait(2) status, which comes after Done
}

type answer struct {
	reply
	fds []int
}

// NewMachine makes a machine and returns when its init is ready for requests: /proc, /sys and /dev/pts are its own,
// lo is up, forwarding is off. It fails with a *MissingProgramError where bwrap is not installed.
func (l *Lab) NewMachine(ctx context.Context, c MachineConfig) (*Machine, error) {
	if c.Name == "" || len(c.Name) > 64 || printable(c.Name, 64) != c.Name {
		return nil, failed(fmt.Sprintf("hostname %q", c.Name), unix.EINVAL)
	}
	e := l.takeAhead()
	if e == nil {
		var err error
		if e, err = l.newEmbryo(); err != nil {
			return nil, err
		}
	}
	b := e.bwrap
	defer b.stderr.Close()
	m := &Machine{lab: l, name: c.Name, agent: e.agent, done: make(chan struct{}), calls: map[uint64]*call{}}
	err := m.boot(ctx, b, c)
	if err != nil {
		m.Close(context.WithoutCancel(ctx))
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if said := b.said(); said != nil && !strings.Contains(err.Error(), said.Error()) {
			err = fmt.Errorf("%w: %w", err, said)
		}
		return nil, fmt.Errorf("make the machine %s: %w", c.Name, err)
	}
	l.mu.Lock()
	l.machines[m] = true
	l.mu.Unlock()
	return m, nil
}

// embryo is what every machine is before it has a name: bwrap at work, and after it an init that waits for its configuration.
type embryo struct {
	agent *agentConn
	bwrap *bwrapRun
}

func (l *Lab) newEmbryo() (*embryo, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, failed("socketpair", err)
	}
	agentEnd := os.NewFile(uintptr(ends[1]), "agent")
	defer agentEnd.Close()
	conn, err := newAgentConn(ends[0])
	if err != nil {
		return nil, err
	}
	b, err := l.startBwrap(agentEnd)
	if err != nil {
		conn.close()
		return nil, err
	}
	return &embryo{conn, b}, nil
}

// StartAhead begins a machine before it is asked for: the next NewMachine goes on with it, and takes half the time. Where it
// cannot, that NewMachine says why.
func (l *Lab) StartAhead() {
	e, err := l.newEmbryo()
	if err != nil {
		return
	}
	l.mu.Lock()
	l.ahead, e = e, l.ahead
	l.mu.Unlock()
	e.end()
}

// EndAhead ends what StartAhead has begun, where no machine has been made of it.
func (l *Lab) EndAhead() { l.takeAhead().end() }

func (l *Lab) takeAhead() *embryo {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.ahead
	l.ahead = nil
	return e
}

// end ends an embryo. Its init, if there is one by now, ends with its connection, and is the reaper's.
func (e *embryo) end() {
	if e == nil {
		return
	}
	e.bwrap.kill()
	e.bwrap.cmd.Wait()
	e.bwrap.stderr.Close()
	e.agent.close()
}

// boot brings the machine from bwrap's start to the init's first answer.
func (m *Machine) boot(ctx context.Context, b *bwrapRun, c MachineConfig) error {
	stop := context.AfterFunc(ctx, func() {
		m.agent.close()
		b.kill()
	})
	defer stop()
	var report setupReport
	fds, err := m.agent.recv(&report)
	exit := b.cmd.Wait() // from here on, the init is our child
	switch {
	case err == nil && report.Error != "":
		closeFDs(fds)
		err = errors.New(report.Error)
	case err == nil && len(fds) != 1:
		closeFDs(fds)
		err = errors.New("the setup sent no pidfd")
	case err != nil && exit != nil:
		err = fmt.Errorf("bwrap: %w", exit)
	}
	if err != nil {
		close(m.done)
		return err
	}
	if m.pidfd, err = newPidfd(fds[0]); err != nil {
		close(m.done)
		return err
	}
	m.pid = report.Pid
	m.running.Go(m.watch)
	m.running.Go(m.read)

	config := &machineConfig{Hostname: c.Name, IDs: m.lab.ids, Files: etcFiles(c)}
	if _, err := m.ask(ctx, &request{Op: opConfig, Config: config}); err != nil {
		return err
	}
	m.netns, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", m.pid))
	return failed("open the machine's network namespace", err)
}

// watch waits for the init's end and reaps it.
func (m *Machine) watch() {
	if m.pidfd.wait() == nil {
		var status unix.WaitStatus
		for {
			if _, err := unix.Wait4(m.pid, &status, 0, nil); err != unix.EINTR {
				break
			}
		}
	}
	m.agent.close()
	m.lab.mu.Lock()
	delete(m.lab.machines, m)
	m.lab.mu.Unlock()
	close(m.done)
}

// read hands replies to their callers until the connection ends. A machine whose agent says what no agent says is
// ended: somebody has taken the agent over.
func (m *Machine) read() {
	for {
		var r reply
		fds, err := m.agent.recv(&r)
		if err != nil {
			break
		}
		m.deliver(answer{r, fds})
	}
	m.pidfd.signal(unix.SIGKILL)
	m.mu.Lock()
	m.gone = true
	calls := m.calls
	m.calls = nil
	m.mu.Unlock()
	for _, c := range calls {
		close(c.replies)
		if c.exit != nil {
			close(c.exit)
		}
	}
}

func (m *Machine) deliver(a answer) {
	m.mu.Lock()
	c := m.calls[a.ID]
	if c != nil && (a.Exit != nil || a.Done && (c.exit == nil || a.err() != nil)) {
		delete(m.calls, a.ID) // its last
	}
	m.mu.Unlock()
	switch {
	case c == nil: // a request that was given up, or never made
		closeFDs(a.fds)
	case a.Exit != nil:
		closeFDs(a.fds)
		if c.exit != nil {
			c.exit <- *a.Exit // the only one: the call is forgotten
		}
	default:
		select {
		case c.replies <- a:
		default: // more than was asked for
			closeFDs(a.fds)
		}
	}
}

// begin sends a request. replies is how many messages it may be answered with.
func (m *Machine) begin(req *request, c *call, files ...*os.File) error {
	m.mu.Lock()
	if m.gone {
		m.mu.Unlock()
		return ErrMachineGone
	}
	m.last++
	req.ID = m.last
	m.calls[req.ID] = c
	m.mu.Unlock()
	if err := m.agent.send(req, files...); err != nil {
		m.forget(req.ID)
		var e *Error
		if errors.As(err, &e) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrMachineGone, err)
	}
	return nil
}

// forget makes the reader drop whatever still comes for a request.
func (m *Machine) forget(id uint64) {
	m.mu.Lock()
	delete(m.calls, id)
	m.mu.Unlock()
}

func (c *call) next(ctx context.Context) (answer, error) {
	select {
	case a, ok := <-c.replies:
		if !ok {
			return a, ErrMachineGone
		}
		return a, nil
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
}

// drain closes descriptors that came too late.
func (c *call) drain() {
	for {
		select {
		case a, ok := <-c.replies:
			if !ok {
				return
			}
			closeFDs(a.fds)
		default:
			return
		}
	}
}

// ask sends a request that has one answer, without descriptors of interest.
func (m *Machine) ask(ctx context.Context, req *request) (answer, error) {
	c := &call{replies: make(chan answer, 1)}
	if err := m.begin(req, c); err != nil {
		return answer{}, err
	}
	a, err := c.next(ctx)
	if err != nil {
		m.forget(req.ID)
		c.drain()
		return a, err
	}
	closeFDs(a.fds)
	return a, a.err()
}

// Name is the machine's hostname, as it was made; its root may have changed it since.
func (m *Machine) Name() string { return m.name }

// Pid is the number of the machine's init, as the lab process counts. /proc/PID/root is the machine's root folder.
func (m *Machine) Pid() int { return m.pid }

// NetNS is the machine's root network namespace. It is open until the machine is closed; dup it to keep it longer.
func (m *Machine) NetNS() *os.File { return m.netns }

// Done is closed when the machine's init has ended, and all its processes with it.
func (m *Machine) Done() <-chan struct{} { return m.done }

// end begins the machine's end.
func (m *Machine) end() {
	if m.pidfd != nil {
		m.pidfd.signal(unix.SIGKILL)
	}
}

// Close ends the machine and all its processes, and waits until they are gone. Calls that wait for it return
// ErrMachineGone.
func (m *Machine) Close(ctx context.Context) error {
	m.end()
	select {
	case <-m.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	m.agent.close()
	m.running.Wait()
	if m.pidfd != nil {
		m.pidfd.close()
	}
	if m.netns != nil {
		m.netns.Close()
	}
	return nil
}

// copiedEtc are files of the real /etc that people edit in a lesson: each machine has a copy.
var copiedEtc = []string{"iproute2/*", "iproute2/*.d/*"}

const maxCopied = 8 << 10 // bytes of one file

// etcFiles gives the files of a machine's /etc that depend on the lab process's view of things.
func etcFiles(c MachineConfig) map[string]string {
	files := map[string]string{}
	for _, pattern := range copiedEtc {
		names, _ := filepath.Glob(filepath.Join("/etc", pattern))
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil || !info.Mode().IsRegular() || info.Size() > maxCopied {
				continue
			}
			if text, err := os.ReadFile(name); err == nil {
				files[name] = string(text)
			}
		}
	}
	files["/etc/hostname"] = c.Name + "\n"
	files["/etc/hosts"] = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n127.0.1.1\t" + c.Name + "\n"
	files["/etc/resolv.conf"] = resolvConf(c.Nameservers)
	return files
}

// resolvConf is /etc/resolv.conf, resolv.conf(5). A server that does not answer is soon given up.
func resolvConf(servers []netip.Addr) string {
	if len(servers) == 0 {
		return "# No name server in this lab. To use one: nameserver 192.0.2.1\n"
	}
	var b strings.Builder
	for _, ns := range servers {
		fmt.Fprintf(&b, "nameserver %s\n", ns)
	}
	b.WriteString("options timeout:2 attempts:2\n")
	return b.String()
}

// SetNameservers has the machine ask other servers for names, unless somebody has written its /etc/resolv.conf anew.
func (m *Machine) SetNameservers(ctx context.Context, from, to []netip.Addr) error {
	const script = `[ "$(cat /etc/resolv.conf)" != "$FROM" ] || printf %s "$TO" > /etc/resolv.conf`
	e, err := m.Exec(ctx, Command{Argv: []string{"sh", "-c", script}, Env: []string{
		"FROM=" + strings.TrimSuffix(resolvConf(from), "\n"), "TO=" + resolvConf(to),
	}})
	if err != nil {
		return err
	}
	_, err = e.Wait()
	return err
}
