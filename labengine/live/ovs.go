package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/kernel"
	"vethlab/labengine/ovsdb"
	"vethlab/labengine/plan"
	"vethlab/labengine/sandbox"
)

// How long Open vSwitch may take for what it is asked, and how long it goes on without a bridge before it is ended: whoever
// types the command that takes the last one away waits for an answer.
const (
	ovsWait = 10 * time.Second
	ovsIdle = 2 * time.Second
)

const ovsSocket = plan.OVSFolder + "/db.sock"

// ovsInstalled says whether machines have Open vSwitch's programs: their /usr is the real one.
var ovsInstalled = sync.OnceValue(func() bool {
	for _, program := range []string{"ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-appctl"} {
		if _, err := exec.LookPath(program); err != nil {
			return false
		}
	}
	return true
})

// ovsFeature says whether there can be OVS bridges.
func ovsFeature() labengine.Feature {
	if !ovsInstalled() {
		return labengine.Feature{Answer: labengine.Lacking, Reason: "Open vSwitch is not installed (package openvswitch-switch)"}
	}
	tun, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return labengine.Feature{Answer: labengine.Lacking, Reason: "Open vSwitch needs /dev/net/tun: " + err.Error()}
	}
	tun.Close()
	return labengine.Feature{Answer: labengine.Present}
}

// openVSwitch is a machine's Open vSwitch. While there is no bridge, nothing of it runs but a socket where its database would
// answer: whoever connects to that starts it. Its fields belong to its goroutine, but for those that say otherwise.
type openVSwitch struct {
	box   *sandbox.Machine
	seen  func() // tells the lab that there are other bridges now
	calls chan func()
	ended chan struct{} // its goroutine has returned

	runs     bool
	asleep   net.Listener  // at the database's socket while nothing runs
	visitors chan net.Conn // of asleep
	db       *ovsdb.Conn
	changed  chan struct{}   // the database has changed, or its connection has ended
	forced   map[string]bool // bridges that have been given their datapath, or had it
	proxies  sync.WaitGroup

	bridges atomic.Pointer[[]ovsdb.Bridge] // the newest that is known; read by the lab
	awake   atomic.Bool                    // it runs, or is just starting; read by the lab
}

// switches is what the lab's goroutine has taken in of a machine's Open vSwitch.
type switches struct {
	known   []ovsdb.Bridge
	offload map[string]bool // ports whose other ends still compute checksums themselves, as far as is known
}

func startOVS(box *sandbox.Machine, seen func()) *openVSwitch {
	o := &openVSwitch{
		box: box, seen: seen, calls: make(chan func()), ended: make(chan struct{}), visitors: make(chan net.Conn),
		changed: make(chan struct{}, 1), forced: map[string]bool{},
	}
	o.bridges.Store(&[]ovsdb.Bridge{})
	go o.run()
	return o
}

// run is the goroutine that starts and ends Open vSwitch.
func (o *openVSwitch) run() {
	defer close(o.ended)
	o.sleep()
	idle := time.NewTimer(time.Hour)
	for {
		select {
		case <-o.box.Done():
			if o.asleep != nil {
				o.asleep.Close()
			}
			if o.db != nil {
				o.db.Close()
			}
			o.proxies.Wait()
			return
		case call := <-o.calls:
			call()
		case conn := <-o.visitors:
			o.visit(conn)
			idle.Reset(ovsIdle)
		case <-o.changed:
			if o.read() == nil && len(*o.bridges.Load()) == 0 {
				idle.Reset(ovsIdle)
			}
		case <-idle.C:
			o.stop()
		}
	}
}

// do has the goroutine call f, and waits for it. The error is [sandbox.ErrMachineGone] where the machine has ended.
func (o *openVSwitch) do(f func() error) error {
	result := make(chan error, 1)
	select {
	case o.calls <- func() { result <- f() }:
		return <-result
	case <-o.ended:
		return sandbox.ErrMachineGone
	}
}

// sleep listens where the database would, until somebody comes.
func (o *openVSwitch) sleep() {
	o.awake.Store(false)
	listener, err := o.box.ListenUnix(ovsSocket)
	if err != nil {
		return // who types ovs-vsctl then sees that nobody is there
	}
	o.asleep = listener
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		select {
		case o.visitors <- conn:
		case <-o.ended:
			conn.Close()
		}
	}()
}

// visit starts Open vSwitch for somebody who wants its database, and joins them to it.
func (o *openVSwitch) visit(conn net.Conn) {
	if o.start() != nil {
		conn.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), ovsWait)
	defer cancel()
	db, err := o.box.DialUnix(ctx, ovsSocket)
	if err != nil {
		conn.Close()
		return
	}
	for _, way := range [][2]net.Conn{{conn, db}, {db, conn}} {
		o.proxies.Go(func() {
			io.Copy(way[0], way[1])
			way[0].Close()
			way[1].Close()
		})
	}
}

// start has Open vSwitch run.
func (o *openVSwitch) start() error {
	if o.runs {
		return nil
	}
	if o.asleep != nil {
		o.asleep.Close()
		o.asleep = nil
	}
	o.awake.Store(true)
	var lines []string
	for _, c := range (plan.StartOVS{}).Commands() {
		lines = append(lines, c.Line)
	}
	out, status, err := o.output("sh", "-c", strings.Join(lines, " && "))
	if err == nil && status != 0 {
		err = errors.New(strings.TrimSpace(out))
	}
	if err == nil {
		err = o.connect()
	}
	if err != nil {
		o.sleep()
		return fmt.Errorf("start Open vSwitch: %w", err)
	}
	o.runs = true
	return nil
}

func (o *openVSwitch) connect() error {
	ctx, cancel := context.WithTimeout(context.Background(), ovsWait)
	defer cancel()
	conn, err := o.box.DialUnix(ctx, ovsSocket)
	if err != nil {
		return err
	}
	if o.db, err = ovsdb.Watch(ctx, conn, o.soon); err != nil {
		return err
	}
	o.proxies.Go(func() {
		<-o.db.Done()
		o.soon()
	})
	return o.read()
}

// soon has the goroutine read the database. It does not wait.
func (o *openVSwitch) soon() {
	select {
	case o.changed <- struct{}{}:
	default:
	}
}

// read takes in which bridges there are. Bridges that somebody has made with the kernel's datapath, which is the default and
// not to be had in a lab, get the other one.
func (o *openVSwitch) read() error {
	if o.db == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), ovsWait)
	defer cancel()
	bridges, err := o.db.Bridges(ctx)
	if err != nil { // somebody has ended it
		o.db.Close()
		o.db, o.runs, bridges = nil, false, nil
		o.sleep()
	}
	if before := *o.bridges.Load(); !reflect.DeepEqual(before, bridges) && len(before)+len(bridges) > 0 {
		o.bridges.Store(&bridges)
		o.seen()
	}
	forced := map[string]bool{}
	for _, b := range bridges {
		if forced[b.Name] = true; b.Datapath == "" && !o.forced[b.Name] {
			o.output("ovs-vsctl", "--no-wait", "set", "bridge", b.Name, "datapath_type=netdev")
		}
	}
	o.forced = forced
	return err
}

// stop ends Open vSwitch, unless somebody has made another bridge meanwhile.
func (o *openVSwitch) stop() error {
	if o.read(); !o.runs || len(*o.bridges.Load()) > 0 {
		return nil
	}
	switchd := (plan.StopOVS{}).Commands()[0].Line // which answers before it has ended
	_, _, err := o.output("sh", "-c", "p=$(cat "+plan.OVSFolder+"/ovs-vswitchd.pid); "+switchd+"; while kill -0 $p; do sleep 0.01; done")
	// Whoever comes from now on finds our socket, in the place of the database's, which would be taken away if it ended by itself.
	o.sleep()
	o.output("sh", "-c", "kill -9 $(cat "+plan.OVSFolder+"/ovsdb-server.pid)")
	select {
	case <-o.db.Done():
	case <-time.After(ovsWait):
	}
	o.db.Close()
	o.db, o.runs = nil, false
	return err
}

// tables reads what the bridges have learnt and by which rules they go. Any goroutine may call it.
func (o *openVSwitch) tables() ([]labengine.SwitchTable, error) {
	bridges := *o.bridges.Load()
	if len(bridges) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), inspectBudget)
	defer cancel()
	text, err := o.box.ReadFile(plan.OVSFolder+"/ovs-vswitchd.pid", 16)
	if err != nil {
		return nil, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return nil, err
	}
	conn, err := o.box.DialUnix(ctx, fmt.Sprintf("%s/ovs-vswitchd.%d.ctl", plan.OVSFolder, pid))
	if err != nil {
		return nil, err
	}
	control := ovsdb.NewControl(ctx, conn)
	defer control.Close()
	var all []labengine.SwitchTable
	for _, b := range bridges {
		t, err := control.Table(b.Name)
		if err != nil {
			return nil, err
		}
		for _, p := range b.Ports {
			if kind, options := p.Other(); kind != "" {
				t.Others = append(t.Others, labengine.OtherPort{Name: p.Name, Kind: kind, Options: options})
			}
		}
		all = append(all, t)
	}
	return all, nil
}

// maxOutput bounds what is read of what a program prints, in bytes.
const maxOutput = 1 << 20

// output runs a program in the machine, and gives what it printed.
func (o *openVSwitch) output(argv ...string) (string, int, error) {
	return output(o.box, sandbox.Command{Argv: argv, Dir: "/"})
}

func output(box *sandbox.Machine, command sandbox.Command) (string, int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), ovsWait)
	defer cancel()
	r, w, err := os.Pipe()
	if err != nil {
		return "", 0, err
	}
	defer r.Close()
	command.Stdout, command.Stderr = w, w
	e, err := box.Exec(ctx, command)
	w.Close()
	if err != nil {
		return "", 0, err
	}
	stop := context.AfterFunc(ctx, func() { e.Signal(9) })
	defer stop()
	printed := make(chan []byte, 1)
	go func() {
		data, _ := io.ReadAll(io.LimitReader(r, maxOutput))
		printed <- data
	}()
	status, err := e.Wait()
	r.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // a child of its may hold the pipe for good
	return string(bytes.ToValidUTF8(<-printed, nil)), status, err
}

// ovsOf is the Open vSwitch of a machine. The problem is "not-supported" where there can be none.
func (l *Lab) ovsOf(node labengine.ID) (*machine, error) {
	m, ok := l.machines[node]
	if !ok {
		return nil, sandbox.ErrMachineGone
	}
	if f := ovsFeature(); m.ovs == nil || f.Answer != labengine.Present {
		return nil, labengine.Problemf(labengine.CodeNotSupported, "%s", f.Reason).About(node, "").
			WithHint("`vethlab doctor` says what mends it; then start the lab anew")
	}
	return m, nil
}

// StartOVS implements [kernel.Machines].
func (l *Lab) StartOVS(_ context.Context, node labengine.ID) error {
	m, err := l.ovsOf(node)
	if err != nil {
		return err
	}
	return m.ovs.do(m.ovs.start)
}

// StopOVS implements [kernel.Machines].
func (l *Lab) StopOVS(_ context.Context, node labengine.ID) error {
	m, err := l.ovsOf(node)
	if err != nil {
		return err
	}
	err = m.ovs.do(m.ovs.stop)
	l.takeSwitches()
	return err
}

// ChangeOVS implements [kernel.Machines].
func (l *Lab) ChangeOVS(_ context.Context, node labengine.ID, changes []plan.OVSChange) error {
	m, err := l.ovsOf(node)
	if err != nil {
		return err
	}
	err = m.ovs.do(func() error {
		if err := m.ovs.start(); err != nil {
			return err
		}
		err := m.ovs.vsctl(m.ovs.stale(changes))
		if err == nil {
			err = m.ovs.vsctl(changes)
		}
		if rerr := m.ovs.read(); err == nil {
			err = rerr
		}
		return err
	})
	l.takeSwitches()
	return err
}

// stale takes away ports that are there although they are to be made: their links have been deleted, and Open vSwitch keeps
// the port, with a socket at the link that was.
func (o *openVSwitch) stale(changes []plan.OVSChange) []plan.OVSChange {
	known := map[string]string{}
	for _, b := range *o.bridges.Load() {
		for _, p := range b.Ports {
			known[p.Name] = b.Name
		}
	}
	var all []plan.OVSChange
	for _, c := range changes {
		if bridge, is := known[c.Args[len(c.Args)-1]]; is && c.Args[0] == "add-port" {
			all = append(all, plan.OVSChange{Args: []string{"del-port", bridge, c.Args[2]}})
		}
	}
	return all
}

// vsctl has ovs-vsctl(8) make changes in one transaction. What is to go may have gone already.
func (o *openVSwitch) vsctl(changes []plan.OVSChange) error {
	if len(changes) == 0 {
		return nil
	}
	argv := []string{"ovs-vsctl", fmt.Sprintf("--timeout=%d", int(ovsWait.Seconds()))}
	for _, c := range changes {
		argv = append(argv, "--")
		if c.Args[0] == "del-port" || c.Args[0] == "del-br" {
			argv = append(argv, "--if-exists")
		}
		argv = append(argv, c.Args...)
	}
	out, status, err := o.output(argv...)
	if err == nil && (status != 0 || strings.Contains(out, "Error detected")) { // then it says so, and ends with status 0
		first, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
		err = errors.New(strings.TrimPrefix(first, "ovs-vsctl: "))
	}
	return err
}

// takeSwitches takes in what the machines' Open vSwitches have.
func (l *Lab) takeSwitches() {
	for id, m := range l.machines {
		if m.ovs == nil {
			continue
		}
		n, ok := l.world.Of(id)
		if !ok {
			continue
		}
		bridges := *m.ovs.bridges.Load()
		if !reflect.DeepEqual(bridges, m.switches.known) && len(bridges)+len(m.switches.known) > 0 {
			m.switches.take(bridges)
			l.world.SetSwitches(n, switchesOf(bridges))
		}
		for name := range m.switches.offload {
			link, ok := n.LinkNamed(name)
			if !ok {
				continue // it has not come yet
			}
			if at, peer, ok := l.world.PeerOf(n, link); ok {
				l.world.SetOffload(at, peer.Name, false)
			}
			delete(m.switches.offload, name)
		}
	}
}

// take takes in other bridges.
func (s *switches) take(bridges []ovsdb.Bridge) {
	had := map[string]bool{}
	for _, b := range s.known {
		for _, p := range b.Ports {
			had[p.Name] = true
		}
	}
	s.known, s.offload = bridges, map[string]bool{}
	for _, b := range bridges {
		for _, p := range b.Ports {
			if !had[p.Name] && p.Name != b.Name {
				s.offload[p.Name] = true
			}
		}
	}
}

func switchesOf(bridges []ovsdb.Bridge) kernel.Switches {
	all := kernel.Switches{}
	for _, b := range bridges {
		for _, p := range b.Ports {
			all[p.Name] = kernel.SwitchPort{Bridge: b.Name, Port: p.VLANs.String(), Internal: p.IsInternal()}
		}
		own := all[b.Name]
		own.Bridge, own.Options = b.Name, b.Options
		all[b.Name] = own
	}
	return all
}
