// Package live is a running lab: the lab process's one goroutine that changes it, what it sees of the kernel, and the
// socket over which the server talks to it.
//
// Whatever changes the lab is done by that goroutine, one thing after the other: requests come to it as calls, the
// kernel's events as wake-ups. It takes in the kernel's events before it carries out a request, so that each plan starts
// from what is there.
package live

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/capture"
	"vethlab/labengine/kernel"
	"vethlab/labengine/plan"
	"vethlab/labengine/sandbox"
	"vethlab/labengine/service"
)

// How often the processes of a lab are looked through for namespaces without a name: at once and often after somebody
// typed something, seldom otherwise.
const (
	lookSoon   = 40 * time.Millisecond
	lookBusy   = 3 * time.Second // for so long after a terminal's last output it is done each lookSoon
	lookSeldom = 3 * time.Second
)

// tablesAtOnce bounds the namespaces whose routes and neighbours are read in one go, so that requests do not wait for
// the tables of a large lab.
const tablesAtOnce = 32

// alone is how long a lab goes on that no server asks for.
const alone = 24 * time.Hour

// Lab is a running lab. Its fields belong to the goroutine of run, but for those that say otherwise.
type Lab struct {
	box     *sandbox.Lab
	log     *slog.Logger
	version string
	calls   chan func()   // what the goroutine of run is to do
	wake    chan struct{} // the kernel has told something
	names   chan struct{} // the names of namespaces may have changed
	ended   chan struct{} // run has returned

	world      *kernel.World
	journal    *labengine.Journal
	machines   map[labengine.ID]*machine
	lans       map[labengine.ID]bool
	containers map[labengine.ID]*container
	internets  map[labengine.ID]*internet
	services   map[labengine.ID]map[string]*service.Server // by node and words
	bound      map[kernel.LinkRef]labengine.ID             // which interface a link is
	refs       map[labengine.ID]kernel.LinkRef             // and the other way round
	cabled     map[labengine.ID]labengine.ID               // the cable that an interface is an end of
	moving     map[labengine.ID]time.Time                  // interfaces on their way to another namespace, since when
	status     labengine.Status
	begun      bool
	tap        *capture.Tap
	where      atomic.Pointer[interfaces] // which interface a captured link is; read by the tap
	watching   bool

	hub       hub
	terminals terminals
	probes    probes
	looked    time.Time    // when /proc was looked through last
	settings  time.Time    // when the settings of all namespaces were read last
	counted   time.Time    // when the packets that internets drop were counted last
	typed     atomic.Int64 // when a terminal last printed something, ns since 1970
}

// Run serves a lab process until ctx ends, or until no server has asked for the lab for a day.
func Run(ctx context.Context, box *sandbox.Lab, version string, log *slog.Logger) error {
	world, err := kernel.NewWorld()
	if err != nil {
		return err
	}
	l := &Lab{
		box: box, log: log, version: version, world: world,
		calls: make(chan func()), wake: make(chan struct{}), names: make(chan struct{}, 1), ended: make(chan struct{}),
		machines: map[labengine.ID]*machine{}, lans: map[labengine.ID]bool{},
		containers: map[labengine.ID]*container{}, internets: map[labengine.ID]*internet{},
		services: map[labengine.ID]map[string]*service.Server{}, bound: map[kernel.LinkRef]labengine.ID{},
		refs: map[labengine.ID]kernel.LinkRef{}, cabled: map[labengine.ID]labengine.ID{},
		moving:  map[labengine.ID]time.Time{},
		journal: labengine.NewJournal(labengine.NewLab(""), 0, nil),
		status:  labengine.Status{State: labengine.Starting, Since: time.Now().UnixMilli()},
	}
	l.where.Store(&interfaces{})
	l.hub.init()
	l.terminals.init()
	l.probes.init()
	l.tap = l.newTap()
	defer l.tap.Close()
	stopServing := l.serve()
	defer stopServing()
	defer close(l.ended)
	return l.run(ctx)
}

// run is the goroutine that changes the lab.
func (l *Lab) run(ctx context.Context) error {
	taken := make(chan struct{})
	defer close(taken)
	go func() { // tells run that there are events, and waits until it has taken them
		for l.world.Wait() == nil {
			select {
			case l.wake <- struct{}{}:
			case <-taken:
				return
			}
			select {
			case <-l.wake:
			case <-taken:
				return
			}
		}
	}()
	look := time.NewTimer(lookSeldom)
	tables := time.NewTimer(time.Hour)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case call := <-l.calls:
			call()
		case <-l.wake:
			l.observe()
			l.wake <- struct{}{}
		case <-l.names:
			l.observe()
		case <-look.C:
			l.observe()
			if l.hub.lonely(alone) {
				return errors.New("nobody has asked for this lab for a day")
			}
		case <-tables.C:
		}
		wait := lookSeldom
		if time.Since(time.Unix(0, l.typed.Load())) < lookBusy || len(l.moving) > 0 {
			wait = lookSoon
		} else if len(l.internets) > 0 && l.watching {
			wait = countOften
		}
		look.Reset(wait)
		if l.takeTables() {
			tables.Reset(time.Millisecond)
		}
	}
}

// do has the lab's goroutine call f, and waits for it. It returns false, and f is not called, when the lab has ended.
func (l *Lab) do(f func()) bool {
	done := make(chan struct{})
	select {
	case l.calls <- func() { f(); close(done) }:
		<-done
		return true
	case <-l.ended:
		return false
	}
}

// observe takes in what the kernel has told, and what has appeared in /proc and /run/netns, and commits it as a change
// that nobody in particular has made.
func (l *Lab) observe() {
	if !l.begun {
		return
	}
	if err := l.world.Drain(); err != nil {
		l.log.Error("netlink events", "error", err)
		return
	}
	l.touchSettings()
	l.countDropped()
	l.commitSeen(l.reconcile(l.journal.Lab))
}

// How often the settings of namespaces are read while somebody types; the kernel tells of few changes of them. Large labs
// are read as seldom as /proc.
const (
	settingsSoon = 200 * time.Millisecond
	settingsMany = 64 // namespaces
)

// touchSettings has settings read again where it is time to.
func (l *Lab) touchSettings() {
	every := lookSeldom
	if time.Since(time.Unix(0, l.typed.Load())) < lookBusy && len(l.journal.Lab.Nodes) <= settingsMany {
		every = settingsSoon
	}
	if time.Since(l.settings) < every {
		return
	}
	l.settings = time.Now()
	for n := range l.world.All {
		l.world.TouchSysctls(n)
	}
}

// commitSeen records and tells what the kernel did by itself.
func (l *Lab) commitSeen(seen seen) {
	if !seen.patch.Empty() {
		before, after := l.journal.Lab.Around(seen.patch)
		commands := plan.Diff(before, after).Commands()
		for i := range commands {
			commands[i].Derived = true
		}
		c := labengine.Change{
			At: time.Now(), Origin: labengine.FromTerminal, Sentence: labengine.Describe(before, after), Commands: commands,
		}
		if c, ok := l.journal.CommitPatch(c, seen.patch); ok {
			l.committed(c)
		}
	}
	l.sendLive(seen.live)
}

// committed tells everyone of a change.
func (l *Lab) committed(c labengine.Change) {
	for id, cable := range c.Before.Cables {
		if cable != nil && c.Patch.Cables[id] == nil {
			for _, end := range cable.Ends {
				if l.cabled[end] == id {
					delete(l.cabled, end)
				}
			}
		}
	}
	for id, cable := range c.Patch.Cables {
		if cable != nil {
			l.cabled[cable.Ends[0]], l.cabled[cable.Ends[1]] = id, id
		}
	}
	if len(c.Patch.Interfaces)+len(c.Patch.Cables) > 0 {
		l.publishInterfaces()
	}
	for id, n := range c.Patch.Nodes {
		for _, s := range l.services[id] {
			if n != nil {
				s.SetName(n.Name)
			}
		}
	}
	l.hub.broadcast(labengine.Message{Change: &c})
}

func (l *Lab) sendLive(live labengine.Live) {
	if len(live.Links)+len(live.Nodes) > 0 {
		l.hub.broadcast(labengine.Message{Live: &live})
	}
}

// takeTables reads what has changed of routes, neighbours and settings, of a few namespaces at a time: the pages see the
// tables, and the document follows them. It says whether more wait.
func (l *Lab) takeTables() bool {
	if !l.begun {
		return false
	}
	b := l.newBinder(l.journal.Lab)
	more := b.tables(tablesAtOnce, func(*kernel.Netns) bool { return true })
	l.commitSeen(b.seen)
	return more
}

// tables takes in what has changed of the tables of some namespaces.
func (b *binder) tables(most int, of func(*kernel.Netns) bool) (more bool) {
	changed, more := b.lab.world.TakeTables(most, of)
	for n, t := range changed {
		if n.Node == "" {
			continue
		}
		node, ok := b.node(n.Node)
		if !ok {
			continue
		}
		if t.Routes || t.Neighbours {
			routes, err := b.lab.routes(n)
			if err != nil {
				continue // it is just ending
			}
			b.state(n, routes)
			node.Routes = labengine.RoutesSeen(b.authored(node.ID).Routes, routes)
		}
		if t.Sysctls && node.Kind != labengine.LAN && node.Kind != labengine.Internet { // nobody can type them there
			if settings, err := b.lab.world.Sysctls(n, b.authored(node.ID).Sysctls); err == nil {
				node.Sysctls = settings
			}
		}
		b.patch.Nodes[node.ID] = &node
	}
	return more
}

// node is what is known of a node so far.
func (b *binder) node(id labengine.ID) (labengine.Node, bool) {
	if n, touched := b.patch.Nodes[id]; touched {
		if n == nil {
			return labengine.Node{}, false
		}
		return *n, true
	}
	if n, ok := b.lab.journal.Lab.Nodes[id]; ok {
		return b.asked(n), true
	}
	n, ok := b.hint.Nodes[id]
	return n, ok
}

// asked is a node with what the kernel does not tell of as the hint has it.
func (b *binder) asked(n labengine.Node) labengine.Node {
	want, ok := b.hint.Nodes[n.ID]
	if !ok {
		return n
	}
	n.In, n.Order, n.Command, n.Services = want.In, want.Order, want.Command, want.Services
	if n.Kind != labengine.Namespace {
		n.Name = want.Name
	}
	return n
}

// authored is a node as it is wanted, whose text is kept where the kernel has what it says.
func (b *binder) authored(id labengine.ID) labengine.Node {
	if n, ok := b.hint.Nodes[id]; ok {
		return n
	}
	return b.lab.journal.Lab.Nodes[id]
}

// state is for the pages: all of a node's tables.
func (b *binder) state(n *kernel.Netns, routes []labengine.Route) {
	state := &labengine.NodeState{Routes: routes, Neighbours: n.NeighbourTable()}
	if m, ok := b.lab.machines[n.Node]; ok {
		state.Pid = m.box.Pid()
	}
	if c, ok := b.lab.containers[n.Node]; ok {
		state.Container = c.state()
	}
	if in, ok := b.lab.internets[n.Node]; ok {
		state.Dropped = in.dropped
		state.Neighbours = slices.DeleteFunc(state.Neighbours, func(n labengine.Neighbour) bool { return n.Dev == labengine.UplinkName })
	}
	if b.live.Nodes == nil {
		b.live.Nodes = map[labengine.ID]*labengine.NodeState{}
	}
	b.live.Nodes[n.Node] = state
}

// setStatus tells everyone how the lab is.
func (l *Lab) setStatus(s labengine.Status) {
	if s.State != l.status.State {
		s.Since = time.Now().UnixMilli()
	} else {
		s.Since = l.status.Since
	}
	l.status = s
	l.hub.broadcast(labengine.Message{Status: &s})
}

// snapshot is all that a page needs to show the lab.
func (l *Lab) snapshot() labengine.Snapshot {
	live := labengine.Live{Links: map[labengine.ID]*labengine.Link{}, Nodes: map[labengine.ID]*labengine.NodeState{}}
	for n := range l.world.All {
		for _, link := range n.Links {
			if link.ID != "" {
				state := link.State()
				live.Links[link.ID] = &state
			}
		}
	}
	b := l.newBinder(l.journal.Lab)
	for n := range l.world.All {
		if n.Node == "" {
			continue
		}
		if routes, err := l.routes(n); err == nil {
			b.state(n, routes)
		}
	}
	live.Nodes = b.live.Nodes
	return labengine.Snapshot{
		Lab: l.journal.Lab.Clone(), Live: live, Status: l.status, Seq: l.journal.Seq, Changes: l.journal.Changes,
		Terminals: l.terminals.list(),
	}
}
