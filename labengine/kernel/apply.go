package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/plan"
)

// Machines makes and ends machines and containers, names namespaces in machines, and answers for services. Packages
// sandbox and service have them.
type Machines interface {
	// AddMachine makes a machine, or of a LAN just the namespace, and gives its network namespace; of an internet, that of
	// its edge.
	AddMachine(ctx context.Context, node labengine.ID, name string, kind labengine.Kind) (netns *os.File, err error)
	DeleteMachine(ctx context.Context, node labengine.ID) error
	RenameMachine(ctx context.Context, node labengine.ID, name string) error
	// AddNamespaces makes namespaces in the named machine and hands each over as soon as it is there, on a goroutine of
	// its own; done is called once, after the last.
	AddNamespaces(ctx context.Context, machine string, names []string, made func(i int, netns *os.File), done func(error))
	// FinishNamespaces gives the namespaces that were made in the named machine the rest of their settings: those of bridges.
	FinishNamespaces(ctx context.Context, machine string) error
	DeleteNamespace(ctx context.Context, machine, name string) error
	RenameNamespace(ctx context.Context, machine, from, to string) error
	// AddContainer makes a container in the named machine, and gives its network namespace.
	AddContainer(ctx context.Context, node labengine.ID, machine, name, command string) (netns *os.File, err error)
	DeleteContainer(ctx context.Context, node labengine.ID) error
	RenameContainer(ctx context.Context, node labengine.ID, name string) error
	// AddService answers on a port of the namespace of the node with this name; a service that is there stays as it is.
	AddService(n *Netns, name, service string) error
	// StartOVS has Open vSwitch run in the machine that this node is, StopOVS ends it, and ChangeOVS has ovs-vsctl(8)
	// make all of the changes, or none.
	StartOVS(ctx context.Context, machine labengine.ID) error
	StopOVS(ctx context.Context, machine labengine.ID) error
	ChangeOVS(ctx context.Context, machine labengine.ID, changes []plan.OVSChange) error
	// DeleteService ends a service, if it is there.
	DeleteService(node labengine.ID, service string) error
	// Run runs a program in a network namespace of the named machine. The error says what it printed.
	Run(ctx context.Context, machine string, netns *os.File, argv []string) error
}

// addrGenModeNone is IN6_ADDR_GEN_MODE_NONE, uapi/linux/if_link.h: no IPv6 link-local address.
const addrGenModeNone = 1

// Apply carries out a plan. It stops at the first step that is refused, with a [labengine.Problem] that has the step's
// command, the kernel's words and errno, and what to do; what was done until then stays, and is in the world. Where the world
// does not listen yet, [Machines.FinishNamespaces] is left to the caller, but for what a step depends on.
func (w *World) Apply(ctx context.Context, p plan.Plan, machines Machines, progress func(namespaces int)) error {
	a := &applier{w: w, ctx: ctx, machines: machines, progress: progress}
	defer a.leave()
	for i, step := range p {
		var err error
		if w.listens {
			err = w.Drain() // before each step: a link of some name may just have gone, and another come
		}
		if err == nil && !waits(step) {
			err = a.flush()
		}
		if err == nil && needsSettings(step) {
			err = a.finishSettings()
		}
		if err == nil {
			err = a.step(p, i)
		}
		if err != nil {
			return w.refused(step, err)
		}
	}
	if err := a.flush(); err != nil {
		return err
	}
	if err := a.finish(); err != nil {
		return err
	}
	if !w.listens { // what follows is then Listen's, and the caller's
		return nil
	}
	if err := a.finishSettings(); err != nil {
		return err
	}
	err := w.Drain()
	a.settle()
	return err
}

type applier struct {
	w        *World
	ctx      context.Context
	machines Machines
	progress func(int)

	up       map[labengine.ID]bool // interfaces that were made up, before their step
	coming   map[labengine.ID]bool // namespaces that have been asked for, and have not come yet
	arrivals chan arrival
	running  int             // requests for namespaces under way
	bare     map[string]bool // machines whose new namespaces lack settings
	made     int
	queue    queue
	opened   []opened
}

// opened is a link that has been set up, or made.
type opened struct {
	in   *Netns
	name string
}

// settle has both ends of what was set up in service: the one that was set up first is so only now.
func (a *applier) settle() {
	for _, o := range a.opened {
		l, ok := o.in.LinkNamed(o.name)
		if !ok {
			continue
		}
		a.w.settle(o.in, l)
		if at, peer, ok := a.w.PeerOf(o.in, l); ok {
			a.w.settle(at, peer)
		}
	}
}

// arrival is a namespace that has come, or with done set, the end of a request for several.
type arrival struct {
	step  plan.Step
	node  labengine.ID
	netns *Netns // opened where it came, so that the applier need not wait for that
	done  bool
	err   error
}

func (a *applier) step(p plan.Plan, i int) error {
	switch s := p[i].(type) {
	case plan.AddMachine:
		file, err := a.machines.AddMachine(a.ctx, s.Node, s.Name, s.Kind)
		if err != nil {
			return err
		}
		n, err := a.w.Add(file)
		if err == nil {
			a.w.Bind(n, s.Node)
		}
		return err
	case plan.DeleteMachine:
		return a.deleteMachine(s)
	case plan.RenameMachine:
		return a.machines.RenameMachine(a.ctx, s.Node, s.To)
	case plan.AddNamespace:
		a.request(p, i)
		return nil
	case plan.DeleteNamespace:
		return a.deleteNamespace(s)
	case plan.RenameNamespace:
		return a.machines.RenameNamespace(a.ctx, s.At.Machine, s.At.Netns, s.To)
	case plan.AddContainer:
		return a.addContainer(s)
	case plan.DeleteContainer:
		return a.deleteContainer(s)
	case plan.RenameContainer:
		return a.machines.RenameContainer(a.ctx, s.At.Node, s.To)
	case plan.AddVeth:
		return a.addVeth(s, a.comesUp(p[i+1:], s.Ends[0].Interface))
	case plan.AddLink:
		return a.addLink(s)
	case plan.DeleteLink:
		return a.deleteLink(s)
	case plan.MoveLink:
		return a.moveLink(s)
	case plan.RenameLink:
		return a.onLink(s.At, s.From, unix.RTM_NEWLINK, nil, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(s.To)))
	case plan.SetLink:
		return a.setLink(s)
	case plan.SetImpairment:
		return a.setImpairment(s)
	case plan.SetMaster:
		return a.setMaster(s)
	case plan.SetVLANs:
		return a.setVLANs(s)
	case plan.SetOptions:
		values, err := labengine.ParseOptions(s.Kind, s.Options)
		if err != nil {
			return err
		}
		return a.onLink(s.At, s.Name, unix.RTM_NEWLINK, nil, linkInfo(s.Kind, values))
	case plan.AddRoute:
		flags := unix.NLM_F_CREATE | unix.NLM_F_EXCL
		if s.Replace {
			flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
		}
		return a.route(s.At, s.Route, unix.RTM_NEWROUTE, flags)
	case plan.DeleteRoute:
		err := a.route(s.At, s.Route, unix.RTM_DELROUTE, 0)
		if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV) { // it went by itself, with its link or an address
			return nil
		}
		return err
	case plan.AddIPRule:
		return a.ipRule(s.At, s.Rule, true)
	case plan.DeleteIPRule:
		return a.ipRule(s.At, s.Rule, false)
	case plan.AddNeighbour:
		return a.neighbour(s.At, s.Neighbour, unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	case plan.DeleteNeighbour:
		err := a.neighbour(s.At, s.Neighbour, unix.RTM_DELNEIGH, 0)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) { // it has gone already
			return nil
		}
		return err
	case plan.SetSysctl:
		n, err := a.await(s.At.Node)
		if err != nil {
			return err
		}
		return a.w.setSysctl(n, s.Name, s.Value)
	case plan.AddService:
		n, err := a.await(s.At.Node)
		if err != nil {
			return err
		}
		return a.machines.AddService(n, s.Name, s.Service)
	case plan.DeleteService:
		return a.machines.DeleteService(s.At.Node, s.Service)
	case plan.StartOVS:
		return a.machines.StartOVS(a.ctx, s.At.Node)
	case plan.StopOVS:
		return a.machines.StopOVS(a.ctx, s.At.Node)
	case plan.ChangeOVS:
		return a.machines.ChangeOVS(a.ctx, s.At.Node, s.Changes)
	case plan.SetOffload:
		return a.setOffload(s)
	case plan.ChangeRules:
		return a.changeRules(s)
	case plan.AddAddress:
		return a.address(s, s.At, s.Dev, s.Address, unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	case plan.DeleteAddress:
		return a.address(s, s.At, s.Dev, s.Address, unix.RTM_DELADDR, 0)
	}
	return fmt.Errorf("no such step: %T", p[i])
}

// request asks for all namespaces that the plan makes from step i on in one machine, so that they come while links are
// made. The steps of those that are asked for already have nothing left to do.
func (a *applier) request(p plan.Plan, i int) {
	first := p[i].(plan.AddNamespace)
	if a.coming == nil {
		a.coming, a.bare = map[labengine.ID]bool{}, map[string]bool{}
		a.arrivals = make(chan arrival, 64)
	}
	if a.coming[first.At.Node] {
		return
	}
	if _, here := a.w.Of(first.At.Node); here {
		return
	}
	var names []string
	var steps []plan.AddNamespace
	for _, step := range p[i:] {
		s, ok := step.(plan.AddNamespace)
		if !ok {
			break
		}
		if s.At.Machine == first.At.Machine {
			names, steps = append(names, s.At.Netns), append(steps, s)
			a.coming[s.At.Node] = true
		}
	}
	a.running++
	a.bare[first.At.Machine] = true
	files := make(chan *os.File, len(names))
	end := make(chan error, 1)
	go a.machines.AddNamespaces(a.ctx, first.At.Machine, names,
		func(_ int, file *os.File) { files <- file },
		func(err error) { end <- err; close(files) })
	go func() {
		arrived := a.w.openComing(files, func(i int, netns *Netns, err error) {
			a.arrivals <- arrival{step: steps[i], node: steps[i].At.Node, netns: netns, err: err}
		})
		a.arrivals <- arrival{step: steps[min(arrived, len(steps)-1)], done: true, err: <-end}
	}()
}

// openComing opens namespaces as they come, those together that have come by then, and says how many there were.
func (w *World) openComing(files <-chan *os.File, opened func(i int, n *Netns, err error)) int {
	i := 0
	for file := range files {
		some := []*os.File{file}
		for more := len(files); more > 0; more-- {
			some = append(some, <-files)
		}
		list, errs := w.openAll(some)
		w.number(slices.DeleteFunc(slices.Clone(list), func(n *Netns) bool { return n == nil }))
		for k := range list {
			opened(i, list[k], errs[k])
			i++
		}
	}
	return i
}

// await takes in namespaces until the one of this node has come.
func (a *applier) await(node labengine.ID) (*Netns, error) {
	for {
		if n, ok := a.w.Of(node); ok {
			return n, nil
		}
		if a.running == 0 {
			return nil, unix.ENOENT
		}
		a.queue.putAside() // it can be sent meanwhile
		if err := a.arrive(<-a.arrivals); err != nil {
			return nil, err
		}
	}
}

func (a *applier) arrive(n arrival) error {
	if n.done {
		a.running--
		if n.err != nil {
			return a.w.refused(n.step, n.err)
		}
		return nil
	}
	delete(a.coming, n.node)
	err := n.err
	if err == nil {
		err = a.w.follow(n.netns)
	}
	if err != nil {
		return a.w.refused(n.step, err)
	}
	a.w.Bind(n.netns, n.node)
	if a.made++; a.progress != nil && a.made%50 == 0 {
		a.progress(a.made)
	}
	return nil
}

// leave has nothing under way, and nothing half made.
func (a *applier) leave() {
	a.queue.close()
	a.finish()
	if a.w.listens {
		a.finishSettings()
	}
}

// finish waits for namespaces that are still to come, so that none is left unseen.
func (a *applier) finish() error {
	var first error
	for a.running > 0 {
		if err := a.arrive(<-a.arrivals); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// needsSettings says whether a step depends on the settings of the namespace that it is in.
func needsSettings(step plan.Step) bool {
	switch s := step.(type) {
	case plan.SetSysctl:
		return true
	case plan.AddLink:
		return s.Kind == labengine.Bridge
	}
	return false
}

// finishSettings has all namespaces that have come, and those that were asked for with them, have all of their settings.
func (a *applier) finishSettings() error {
	if len(a.bare) == 0 {
		return nil
	}
	if err := a.finish(); err != nil {
		return err
	}
	for machine := range a.bare {
		if err := a.machines.FinishNamespaces(a.ctx, machine); err != nil {
			return err
		}
	}
	clear(a.bare)
	return nil
}

func (a *applier) deleteMachine(s plan.DeleteMachine) error {
	if err := a.machines.DeleteMachine(a.ctx, s.Node); err != nil {
		return err
	}
	if n, ok := a.w.Of(s.Node); ok {
		a.w.Remove(n)
	}
	return nil
}

func (a *applier) deleteNamespace(s plan.DeleteNamespace) error {
	if err := a.machines.DeleteNamespace(a.ctx, s.At.Machine, s.At.Netns); err != nil {
		return err
	}
	a.w.Unbind(s.At.Node)
	return nil
}

func (a *applier) addContainer(s plan.AddContainer) error {
	file, err := a.machines.AddContainer(a.ctx, s.At.Node, s.At.Machine, s.Name, s.Command)
	if err != nil {
		return err
	}
	n, err := a.w.Add(file)
	if err == nil {
		a.w.Bind(n, s.At.Node)
	}
	return err
}

func (a *applier) deleteContainer(s plan.DeleteContainer) error {
	if err := a.machines.DeleteContainer(a.ctx, s.At.Node); err != nil {
		return err
	}
	if n, ok := a.w.Of(s.At.Node); ok {
		a.w.Remove(n)
	}
	return nil
}
