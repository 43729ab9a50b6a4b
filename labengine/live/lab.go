// Package live is a running lab: the lab process's one goroutine that changes it, what it sees of the kernel, and the
// socket over which the server talks to it.
//
// Whatever changes the lab is done by that goroutine, one thing after the other: requests come to it as calls, the
// kernel's events as wake-ups. It takes in the kernel's events before it carries out a request, so that each plan starts
// from what is there.
package live

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"runtime/debug"
	"slices"
	"sync"
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

// Config is what a running lab is told from outside.
type Config struct {
	Version string // of the program, for pages
	Log     *slog.Logger

	// Refuse is for tests; nil refuses nothing. It says which step of what a request asks for is refused, as the kernel may
	// refuse any: the steps before it have been carried out by then. A negative one, and one behind the last, is none.
	Refuse func(labengine.Request) (step int)
}

// Lab is a running lab. Its fields belong to the goroutine of run, but for those that say otherwise.
type Lab struct {
	Config
	box   *sandbox.Lab
	calls chan func()   // what the goroutine of run is to do
	names chan struct{} // the names of namespaces may have changed
	ended chan struct{} // run has returned

	world      *kernel.World
	journal    *labengine.Journal
	machines   map[labengine.ID]*machine
	lans       map[labengine.ID]bool
	containers map[labengine.ID]*container
	nameless   bool // some namespace has no name, or could not be opened by it
	internets  map[labengine.ID]*internet
	services   map[labengine.ID]map[string]*service.Server // by node and words
	bound      map[kernel.LinkRef]labengine.ID             // which interface a link is
	refs       map[labengine.ID]kernel.LinkRef             // and the other way round
	cabled     map[labengine.ID]labengine.ID               // the cable that an interface is an end of
	moving     map[labengine.ID]time.Time                  // interfaces on their way to another namespace, since when
	halves     map[kernel.LinkRef]time.Time                // what waits to be whole, see isHalf, since when
	coming     map[uint64]time.Time                        // namespaces that may be about to get a name, see isOnItsWay, since when
	status     labengine.Status
	trying     sync.WaitGroup
	features   map[string]labengine.Feature // nil until they have been tried
	begun      bool
	refuseAt   int // which step of what is asked for is refused; see Config
	tap        *capture.Tap
	ends       ends // which interface a captured link is; read by the tap
	watching   bool

	firewalls map[labengine.ID]*firewall            // of the nodes that have or had rules
	tracked   map[labengine.ID]*labengine.Conntrack // of those, what was seen last
	states    map[labengine.ID]labengine.NodeState  // as pages know them
	inhabited map[uint64]bool                       // namespaces that processes are in, by inode
	occupied  bool                                  // there are processes besides the machines' inits
	inspector inspector

	hub          hub
	terminals    terminals
	probes       probes
	looked       time.Time    // when /proc was looked through last
	settings     time.Time    // when settings were read last
	nextSettings int          // which namespace's turn it is
	counted      time.Time    // when the packets that internets drop were counted last
	typed        atomic.Int64 // when a terminal last printed something, ns since 1970
}

// startHeap bounds what a lab process takes for its start, in bytes, until it collects garbage.
const startHeap = 256 << 20

// Run serves a lab process until ctx ends, or until no server has asked for the lab for a day.
func Run(ctx context.Context, box *sandbox.Lab, config Config) error {
	// Each collection looks through all that the program has, a millisecond or two of a start that takes a hundred.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(startHeap)
	box.StartAhead() // there is hardly a lab without a machine
	defer box.EndAhead()
	world, err := kernel.NewWorld()
	if err != nil {
		return err
	}
	l := &Lab{
		Config: config, box: box, world: world,
		calls: make(chan func()), names: make(chan struct{}, 1), ended: make(chan struct{}),
		machines: map[labengine.ID]*machine{}, lans: map[labengine.ID]bool{},
		containers: map[labengine.ID]*container{}, internets: map[labengine.ID]*internet{},
		services: map[labengine.ID]map[string]*service.Server{}, bound: map[kernel.LinkRef]labengine.ID{},
		refs: map[labengine.ID]kernel.LinkRef{}, cabled: map[labengine.ID]labengine.ID{},
		moving: map[labengine.ID]time.Time{}, halves: map[kernel.LinkRef]time.Time{}, coming: map[uint64]time.Time{},
		firewalls: map[labengine.ID]*firewall{}, tracked: map[labengine.ID]*labengine.Conntrack{}, states: map[labengine.ID]labengine.NodeState{},
		journal: labengine.NewJournal(labengine.NewLab(""), 0, nil),
		status:  labengine.Status{State: labengine.Starting, Since: time.Now().UnixMilli()},
	}
	l.ends.refs, l.ends.ids = map[labengine.ID]kernel.LinkRef{}, map[kernel.LinkRef]labengine.ID{}
	l.hub.init()
	l.terminals.init()
	l.probes.init()
	l.tap = l.newTap()
	defer l.tap.Close()
	defer l.trying.Wait()
	if err := l.startInspector(); err != nil {
		return err
	}
	defer l.inspector.stop()
	stopServing := l.serve()
	defer stopServing()
	defer close(l.ended)
	return l.run(ctx)
}

// run is the goroutine that changes the lab.
func (l *Lab) run(ctx context.Context) error {
	taken := make(chan struct{})
	defer close(taken)
	links, rules := make(chan struct{}), make(chan struct{})
	tell := func(wake chan struct{}, wait func() error) { // says that there are events, and waits until they are taken
		for wait() == nil {
			for range 2 {
				select {
				case wake <- struct{}{}:
				case <-taken:
					return
				}
			}
		}
	}
	go tell(links, l.world.Wait)
	go tell(rules, l.world.WaitRules)
	look := time.NewTimer(lookSeldom)
	tables := time.NewTimer(time.Hour)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case call := <-l.calls:
			call()
		case <-links:
			l.observe()
			<-links
		case <-rules:
			l.drain()
			<-rules
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
		if time.Since(time.Unix(0, l.typed.Load())) < lookBusy || len(l.moving)+len(l.halves)+len(l.coming) > 0 {
			wait = lookSoon
		} else if len(l.internets) > 0 && l.watching {
			wait = countOften
		}
		look.Reset(wait)
		more := l.takeRules(rulesAtOnce)
		if l.takeTables() {
			more = time.Millisecond
		}
		if more > 0 {
			tables.Reset(more)
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
	if !l.drain() {
		return
	}
	l.touchSettings()
	l.countDropped()
	l.commitSeen(l.reconcile(l.asItIs()))
}

// drain takes in what the kernel has told.
func (l *Lab) drain() bool {
	err := l.world.Drain()
	if err != nil {
		l.Log.Error("netlink events", "error", err)
	}
	return err == nil
}

// How often the settings of namespaces, and of their links that are down, are read while somebody types; the kernel tells of few changes of them. They are
// twenty files each: of a large lab, so many namespaces are read in turn each time that /proc is, and those that processes
// are in.
const (
	settingsSoon = 200 * time.Millisecond
	settingsMany = 64 // namespaces
)

// touchSettings has settings read again where it is time to. Where nobody is, nobody changes them.
func (l *Lab) touchSettings() {
	busy := time.Since(time.Unix(0, l.typed.Load())) < lookBusy
	every := lookSeldom
	if busy && len(l.journal.Lab.Nodes) <= settingsMany {
		every = settingsSoon
	}
	if time.Since(l.settings) < every || !busy && !l.occupied {
		return
	}
	l.settings = time.Now()
	all := slices.SortedFunc(l.world.All, func(a, b *kernel.Netns) int { return cmp.Compare(a.Key, b.Key) })
	for i, n := range all {
		inTurn := (i+len(all)-l.nextSettings%len(all))%len(all) < settingsMany
		if inTurn || l.inhabited[n.Inode] {
			l.world.TouchSysctls(n, true)
			if err := l.world.LookAtLinksDown(n); err != nil {
				l.Log.Error("links that are down", "error", err)
			}
		}
	}
	l.nextSettings += settingsMany
	if every == settingsSoon {
		l.world.TouchLegacy()
	}
}

// commitSeen records and tells what the kernel did by itself.
func (l *Lab) commitSeen(seen seen) {
	if patch := l.journal.Lab.Prune(seen.patch); !patch.Empty() {
		before, after := l.journal.Lab.Around(patch)
		commands := plan.Diff(before, after).Commands()
		for i := range commands {
			commands[i].Derived = true
		}
		c := labengine.Change{
			At: time.Now(), Origin: labengine.FromTerminal, Sentence: labengine.Describe(before, after), Commands: commands,
		}
		if c, ok := l.journal.CommitPatch(c, patch); ok {
			l.committed(c)
		}
	}
	l.sendLive(seen.live)
}

// committed tells everyone of a change.
func (l *Lab) committed(c labengine.Change) {
	for id, n := range c.Patch.Nodes {
		if n == nil {
			delete(l.states, id)
			delete(l.firewalls, id)
			delete(l.tracked, id)
		}
	}
	for id, cable := range c.Before.Cables {
		if cable != nil && c.Patch.Cables[id] == nil {
			for _, end := range cable.Ends {
				if l.cabled[end] == id {
					delete(l.cabled, end)
					l.showEnd(end)
				}
			}
		}
	}
	for id, cable := range c.Patch.Cables {
		if cable != nil {
			for _, end := range cable.Ends {
				l.cabled[end] = id
				l.showEnd(end)
			}
		}
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
	if len(live.Links)+len(live.Nodes)+len(live.Firewalls)+len(live.Counters)+len(live.Conntrack) > 0 {
		l.hub.broadcast(labengine.Message{Live: &live})
	}
}

// takeTables reads what has changed of routes, neighbours and settings, of a few namespaces at a time: the pages see the
// tables, and the document follows them. It says whether more wait.
func (l *Lab) takeTables() bool {
	if !l.begun {
		return false
	}
	b := l.newBinder(l.asItIs())
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
			if f := b.lab.firewalls[node.ID]; f != nil && f.netns != n.Key { // the node was made anew
				*f = *newFirewall(n.Key)
				delete(b.lab.states, node.ID)
				b.forgetRules(node.ID)
			}
			b.state(n, func(s *labengine.NodeState) { s.Neighbours = n.NeighbourTable() })
			if node.Kind != labengine.LAN && node.Kind != labengine.Internet { // nobody can type them there
				node.Neighbours = labengine.NeighboursSeen(b.authored(node.ID).Neighbours, n.NeighbourTable())
			}
		}
		if t.Routes {
			routes, err := b.lab.routes(n)
			if err != nil {
				continue // it is just ending
			}
			b.state(n, func(s *labengine.NodeState) { s.Routes = routes })
			node.Routes = labengine.RoutesSeen(b.authored(node.ID).Routes, routes)
			if rules, err := n.IPRules(); err == nil {
				node.IPRules = labengine.IPRulesSeen(b.authored(node.ID).IPRules, rules)
			}
		}
		if t.Sysctls && node.Kind != labengine.LAN && node.Kind != labengine.Internet { // nobody can type them there
			if settings, err := b.lab.world.Sysctls(n, b.authored(node.ID).Sysctls, t.LinkSysctls); err == nil {
				node.Sysctls = settings
			}
		}
		b.patch.Nodes[node.ID] = &node
	}
	return more
}

// node is what is known of a node so far: what it is called and where it is, who wants something knows best.
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
	return b.want.node(id)
}

// asked is a node with what the kernel does not tell of as it is wanted.
func (b *binder) asked(n labengine.Node) labengine.Node {
	want, ok := b.want.node(n.ID)
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
	if n, ok := b.want.node(id); ok {
		return n
	}
	return b.lab.journal.Lab.Nodes[id]
}

// state changes what pages know of a node's tables.
func (b *binder) state(n *kernel.Netns, change func(*labengine.NodeState)) {
	state, known := b.lab.states[n.Node]
	if !known {
		state = labengine.NodeState{Routes: []labengine.Route{}, Neighbours: []labengine.Neighbour{}}
	}
	if m, ok := b.lab.machines[n.Node]; ok {
		state.Pid = m.box.Pid()
	}
	if c, ok := b.lab.containers[n.Node]; ok {
		state.Container = c.state()
	}
	change(&state)
	if in, ok := b.lab.internets[n.Node]; ok {
		state.Dropped = in.dropped
		state.Neighbours = slices.DeleteFunc(state.Neighbours, func(n labengine.Neighbour) bool { return n.Dev == labengine.UplinkName })
	}
	b.lab.states[n.Node] = state
	put(&b.live.Nodes, n.Node, &state)
}

// started is what is left for when the lab has been made.
func (l *Lab) started() {
	l.finishNamespaces() // before anything else is done in them
	for _, m := range l.machines {
		m.watch.Start()
	}
	l.trying.Go(func() {
		l.tryFeatures()
		debug.SetMemoryLimit(math.MaxInt64)
		debug.SetGCPercent(100)
		debug.FreeOSMemory()
	})
}

// tryFeatures finds out what the kernel has, and tells it. That takes some 40 ms, and a lab that is being made would wait as
// long: the kernel makes and deletes one link at a time.
func (l *Lab) tryFeatures() {
	scratch, err := sandbox.NewNetNS()
	if err != nil {
		l.Log.Error("a namespace to try features in", "error", err)
		return
	}
	features := kernel.Features(scratch)
	features[labengine.OVS] = ovsFeature()
	l.do(func() {
		l.features = features
		l.hub.broadcast(labengine.Message{Features: &labengine.Features{Features: features}})
	})
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

// live is what is known of the kernel. Tables that have not been read since they changed come after it.
func (l *Lab) live() *labengine.Live {
	live := &labengine.Live{Links: map[labengine.ID]*labengine.Link{}, Nodes: map[labengine.ID]*labengine.NodeState{}}
	for id, state := range l.states {
		live.Nodes[id] = &state
	}
	for id, f := range l.firewalls {
		if seen := f.shown(); seen != nil {
			put(&live.Firewalls, id, seen)
		}
		if count := f.counted(); count != nil {
			put(&live.Counters, id, count)
		}
	}
	live.Conntrack = maps.Clone(l.tracked)
	for n := range l.world.All {
		for _, link := range n.Links {
			if link.ID != "" {
				state := link.State()
				live.Links[link.ID] = &state
			}
		}
	}
	return live
}

// snapshot is all that a page needs to show the lab.
func (l *Lab) snapshot() labengine.Snapshot {
	return labengine.Snapshot{
		Lab: l.journal.Lab.Clone(), Live: *l.live(), Status: l.status, Seq: l.journal.Seq, Changes: l.journal.Changes,
		Terminals: l.terminals.list(), Features: l.features,
	}
}
