package live

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/kernel"
	"vethlab/labengine/sandbox"
)

// machine is a machine of the lab, with the watch on the names of its namespaces.
type machine struct {
	box   *sandbox.Machine
	name  string
	watch *kernel.MountWatch

	resolvers []netip.Addr // whom it was told to ask for names

	ovs      *openVSwitch // nil where it is not installed
	switches switches
}

func (m *machine) ended() bool { return isClosed(m.box.Done()) }

// bootTime bounds the making of a machine.
const bootTime = 30 * time.Second

// AddMachine implements [kernel.Machines].
func (l *Lab) AddMachine(ctx context.Context, node labengine.ID, name string, kind labengine.Kind) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	switch kind {
	case labengine.LAN:
		netns, err := sandbox.NewSwitchNetNS()
		if err == nil {
			l.lans[node] = true
		}
		return netns, err
	case labengine.Internet:
		return l.addInternet(ctx, node)
	}
	resolvers := l.resolvers()
	box, err := l.box.NewMachine(ctx, sandbox.MachineConfig{Name: name, Nameservers: resolvers})
	var missing *sandbox.MissingProgramError
	if errors.As(err, &missing) {
		return nil, labengine.Problemf(labengine.CodeNotSupported, "%s is not installed, and machines are made with it", missing.Program).
			About(node, "").WithHint("install the package " + missing.Package + ", and try again")
	}
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Dup(int(box.NetNS().Fd()))
	if err != nil {
		box.Close(ctx)
		return nil, err
	}
	m := &machine{box: box, name: name, resolvers: resolvers}
	if m.watch, err = kernel.WatchMounts(box.Pid(), l.lookForNames); err != nil {
		syscall.Close(fd)
		box.Close(ctx)
		return nil, err
	}
	if ovsInstalled() {
		m.ovs = startOVS(box, l.lookForNames)
	}
	go func() {
		<-box.Done()
		m.watch.Close()
		l.lookForNames()
	}()
	l.machines[node] = m
	if l.begun { // else it begins when all of the lab has been made
		m.watch.Start()
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name), nil
}

// lookForNames has the lab's goroutine look for names of namespaces soon. It does not wait.
func (l *Lab) lookForNames() {
	select {
	case l.names <- struct{}{}:
	default:
	}
}

// looking says whether somebody is typing, or the time has come to look through /proc.
func (l *Lab) looking() bool {
	last := time.Unix(0, l.typed.Load())
	if time.Since(last) < lookBusy || time.Since(l.looked) >= lookSeldom || len(l.coming) > 0 {
		l.looked = time.Now()
		return true
	}
	return false
}

// DeleteMachine implements [kernel.Machines].
func (l *Lab) DeleteMachine(ctx context.Context, node labengine.ID) error {
	if l.lans[node] || l.internets[node] != nil {
		l.letGo(node)
		l.setResolvers(ctx)
		return nil
	}
	m, ok := l.machines[node]
	if !ok {
		return syscall.ENOENT
	}
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	if err := m.box.Close(ctx); err != nil {
		return err
	}
	l.letGo(node)
	delete(l.machines, node)
	for n := range l.world.All {
		if at, ok := l.journal.Lab.Nodes[n.Node]; ok && at.In == node {
			l.letGo(n.Node)
			l.world.Remove(n)
		}
	}
	return nil
}

// letGo forgets what the lab has of a node that has ended, and ends what would keep its namespace.
func (l *Lab) letGo(node labengine.ID) {
	for _, s := range l.services[node] {
		s.Close()
	}
	delete(l.services, node)
	if in := l.internets[node]; in != nil {
		in.close()
	}
	delete(l.internets, node)
	delete(l.containers, node)
	delete(l.lans, node)
	if n, ok := l.world.Of(node); ok {
		l.tap.Remove(n.Key)
	}
}

// RenameMachine implements [kernel.Machines].
func (l *Lab) RenameMachine(ctx context.Context, node labengine.ID, name string) error {
	if l.lans[node] || l.internets[node] != nil {
		return nil // the document alone knows what it is called
	}
	m, ok := l.machines[node]
	if !ok {
		return syscall.ENOENT
	}
	run, err := m.box.Exec(ctx, sandbox.Command{Argv: []string{"hostname", name}})
	if err != nil {
		return err
	}
	status, err := run.Wait()
	if err == nil && status != 0 {
		err = fmt.Errorf("hostname ended with status %d", status)
	}
	if err == nil {
		m.name = name
	}
	return err
}

func (l *Lab) machineNamed(name string) (labengine.ID, *machine, error) {
	for id, m := range l.machines {
		if m.name == name {
			return id, m, nil
		}
	}
	return "", nil, syscall.ENOENT
}

// AddNamespaces implements [kernel.Machines].
func (l *Lab) AddNamespaces(ctx context.Context, machine string, names []string, made func(int, *os.File), done func(error)) {
	_, m, err := l.machineNamed(machine)
	if err == nil {
		err = m.box.AddNamespaces(ctx, names, func(i int, ns *os.File) error { made(i, ns); return nil })
	}
	done(err)
}

// FinishNamespaces implements [kernel.Machines].
func (l *Lab) FinishNamespaces(ctx context.Context, machine string) error {
	_, m, err := l.machineNamed(machine)
	if err != nil {
		return err
	}
	return m.box.FinishNamespaces(ctx)
}

// finishNamespaces is FinishNamespaces in all machines.
func (l *Lab) finishNamespaces() {
	for _, m := range l.machines {
		err := m.box.FinishNamespaces(context.Background())
		if err != nil && !errors.Is(err, sandbox.ErrMachineGone) {
			l.Log.Error("settings of new namespaces", "machine", m.name, "error", err)
		}
	}
}

// DeleteNamespace implements [kernel.Machines]. The lab's own shells in it end: they would keep it.
func (l *Lab) DeleteNamespace(ctx context.Context, machine, name string) error {
	in, m, err := l.machineNamed(machine)
	if err != nil {
		return err
	}
	l.terminals.hangUp(func(node labengine.ID) bool {
		n := l.journal.Lab.Nodes[node]
		return n.In == in && n.Name == name
	})
	return m.box.DeleteNamespace(ctx, name)
}

// RenameNamespace implements [kernel.Machines].
func (l *Lab) RenameNamespace(ctx context.Context, machine, from, to string) error {
	_, m, err := l.machineNamed(machine)
	if err != nil {
		return err
	}
	return m.box.RenameNamespace(ctx, from, to)
}

// Run implements [kernel.Machines].
func (l *Lab) Run(_ context.Context, machine string, netns *os.File, argv []string) error {
	_, m, err := l.machineNamed(machine)
	if err != nil {
		return err
	}
	out, status, err := output(m.box, sandbox.Command{Argv: argv, Dir: "/", NetNS: netns})
	if err == nil && status != 0 {
		err = errors.New(strings.TrimSpace(out))
	}
	return err
}

// spot is where the programs of a node run: in its machine, and there in its container or network namespace.
type spot struct {
	box       *sandbox.Machine
	container *sandbox.Container
	netns     *os.File // a copy, and the caller's to close
}

// spotOf is where the programs of a node run. The problem is "no-such-node", or "gone".
func (l *Lab) spotOf(node labengine.ID) (spot, error) {
	n, ok := l.journal.Lab.Nodes[node]
	if !ok {
		return spot{}, labengine.Problemf(labengine.CodeNoSuchNode, "this node is gone").About(node, "")
	}
	switch n.Kind {
	case labengine.LAN:
		return spot{}, labengine.Problemf(labengine.CodeBadRequest, "%s is a switch: nothing runs in it", n.Name).About(node, "").
			WithHint("do it in a machine that is plugged into it")
	case labengine.Internet:
		return spot{}, labengine.Problemf(labengine.CodeBadRequest, "%s is the lab's own: nothing else runs in it", n.Name).About(node, "").
			WithHint("do it in a machine that is plugged into it")
	}
	m, ok := l.machines[l.journal.Lab.MachineOf(node).ID]
	if !ok || m.ended() {
		return spot{}, labengine.Problemf(labengine.CodeGone, "the machine of %s has ended", n.Name).About(node, "")
	}
	at := spot{box: m.box}
	if n.Kind == labengine.Container {
		c, ok := l.containers[node]
		if !ok || c.ended() {
			return spot{}, labengine.Problemf(labengine.CodeGone, "%s has ended", n.Name).About(node, "")
		}
		at.container = c.box
	}
	var err error
	at.netns, err = l.netnsCopy(n)
	return at, err
}

// netnsCopy is a copy of a node's network namespace, the caller's to close.
func (l *Lab) netnsCopy(n labengine.Node) (*os.File, error) {
	netns, ok := l.world.Of(n.ID)
	if !ok {
		return nil, labengine.Problemf(labengine.CodeGone, "%s has no namespace any more", n.Name).About(n.ID, "")
	}
	return copyFile(netns.File)
}

func copyFile(f *os.File) (*os.File, error) {
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), f.Name()), nil
}
