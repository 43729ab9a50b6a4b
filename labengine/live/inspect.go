package live

import (
	"os"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/kernel"
)

// How often counters, tracked connections and sockets are looked at: while somebody watches, and sockets also when a
// program in the lab has done something. A look is over after inspectBudget, and goes on with the next namespace next time;
// looks take a tenth of the time at most.
const (
	inspectEvery  = time.Second
	inspectSoon   = 250 * time.Millisecond
	inspectBudget = 100 * time.Millisecond
	inspectShare  = 10
)

// inspector looks at what the kernel does not tell of, on a goroutine of its own.
type inspector struct {
	kernel   *kernel.Inspector
	watching atomic.Bool
	kick     chan struct{} // something has happened
	quit     chan struct{}
	done     chan struct{}
}

// look is one namespace to look into, and what was seen there.
type look struct {
	node   labengine.ID
	netns  uint64 // its cookie
	inode  uint64
	file   *os.File
	links  map[int]string // names by ifindex
	family [2]bool        // whose rules have counters

	rules     [2][]labengine.FirewallTable
	tracked   *labengine.Conntrack
	sockets   []labengine.Socket
	switches  []labengine.SwitchTable
	ovs       *openVSwitch // where there are bridges to look at
	hasFlows  bool         // tracked has been read
	hasSocket bool         // sockets have been read
}

func (l *Lab) startInspector() error {
	k, err := kernel.NewInspector()
	if err != nil {
		return err
	}
	i := &l.inspector
	i.kernel, i.kick, i.quit, i.done = k, make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(i.done)
		l.inspect()
	}()
	return nil
}

func (i *inspector) stop() {
	close(i.quit)
	<-i.done
	i.kernel.Close()
}

// soon has the inspector look once more. It does not wait.
func (i *inspector) soon() {
	select {
	case i.kick <- struct{}{}:
	default:
	}
}

// inspect is the inspector's goroutine.
func (l *Lab) inspect() {
	i := &l.inspector
	timer := time.NewTimer(inspectEvery)
	var next int       // of the namespaces, where the last look ended
	var full time.Time // when all but sockets was looked at last
	again := false     // once more after something has happened: it may have taken a while
	for {
		kicked := false
		select {
		case <-i.quit:
			return
		case <-timer.C:
		case <-i.kick:
			kicked = true
		}
		watching := i.watching.Load()
		if !watching && !kicked && !again {
			continue // until a kick
		}
		again = kicked
		began := time.Now()
		all := watching && began.Sub(full) >= inspectEvery
		if all {
			full = began
		}
		next = l.lookAround(all, next)
		pause := inspectEvery
		if kicked {
			pause = inspectSoon
		}
		select { // no sooner than that, whatever happens
		case <-i.quit:
			return
		case <-time.After(max(inspectSoon, inspectShare*time.Since(began))):
		}
		timer.Reset(max(pause-time.Since(began), 0))
	}
}

// lookAround looks into the namespaces that have something to see, from the one at place start on, and gives where it ended.
func (l *Lab) lookAround(all bool, start int) (next int) {
	var looks []*look
	l.do(func() { looks = l.looks(all) })
	defer func() {
		for _, o := range looks {
			o.file.Close()
		}
	}()
	began := time.Now()
	var seen []*look
	for n := range looks {
		o := looks[(start+n)%len(looks)]
		l.lookInto(o, all)
		seen = append(seen, o)
		if time.Since(began) > inspectBudget {
			break
		}
	}
	if len(looks) == 0 {
		return 0
	}
	l.do(func() { l.inspected(seen) })
	return (start + len(seen)) % len(looks)
}

// looks lists the namespaces in which processes are or rules have been.
func (l *Lab) looks(all bool) []*look {
	var list []*look
	for n := range l.world.All {
		f := l.firewalls[n.Node]
		hasRules := f != nil && f.shown() != nil
		inhabited := l.inhabited[n.Inode] || l.machines[n.Node] != nil || len(l.states[n.Node].Sockets) > 0
		if n.Node == "" || !inhabited && !(hasRules && all) {
			continue
		}
		file, err := copyFile(n.File)
		if err != nil {
			continue
		}
		var ovs *openVSwitch
		if m := l.machines[n.Node]; m != nil && all && (len(m.switches.known) > 0 || len(l.states[n.Node].Switches) > 0) {
			ovs = m.ovs
		}
		o := &look{ovs: ovs, node: n.Node, netns: n.Key, inode: n.Inode, file: file, hasSocket: inhabited, hasFlows: hasRules && all}
		if inhabited {
			o.links = make(map[int]string, len(n.Links))
			for index, link := range n.Links {
				o.links[index] = link.Name
			}
		}
		if hasRules && all {
			o.family = [2]bool{countable(f.seen.IPv4), countable(f.seen.IPv6)}
		}
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b *look) int { return int(a.inode) - int(b.inode) })
	return list
}

// countable says whether tables have something that counts: a rule, or a policy that is not every chain's.
func countable(tables []labengine.FirewallTable) bool {
	return slices.ContainsFunc(tables, func(t labengine.FirewallTable) bool {
		return slices.ContainsFunc(t.Chains, func(c labengine.FirewallChain) bool { return len(c.Rules) > 0 || c.Policy == "DROP" })
	})
}

func (l *Lab) lookInto(o *look, all bool) {
	k := l.inspector.kernel
	for family := range o.family {
		if o.family[family] {
			tables, err := k.Rules(o.file, family == ipv6Family)
			o.rules[family], o.family[family] = tables, err == nil
		}
	}
	var err error
	if o.hasFlows {
		o.tracked, err = k.Conntrack(o.file)
		o.hasFlows = err == nil
	}
	if o.ovs != nil {
		if o.switches, err = o.ovs.tables(); err != nil {
			o.ovs = nil
		}
	}
	if o.hasSocket {
		o.sockets, err = k.Sockets(o.file, o.inode, func(index int) string { return o.links[index] })
		o.hasSocket = err == nil
	}
}

// inspected tells pages what was seen that they do not know.
func (l *Lab) inspected(looks []*look) {
	b := l.newBinder(l.journal.Lab)
	for _, o := range looks {
		n, ok := l.world.Of(o.node)
		if !ok || n.Key != o.netns {
			continue // meanwhile gone
		}
		f := l.firewalls[o.node]
		counted := false
		for family, read := range o.family {
			if !read || f == nil {
				continue
			}
			ipv6 := family == ipv6Family
			known, stale := partStale(f.tables(ipv6))
			switch sameRules(known, o.rules[family]) {
			case otherRules:
				l.world.MarkRules(n, ipv6) // of iptables-legacy, the kernel does not tell
			case otherCounters:
				f.set(ipv6, append(o.rules[family], stale...))
				counted = true
			}
		}
		state := l.states[o.node]
		tracked := o.hasFlows && !reflect.DeepEqual(state.Conntrack, o.tracked)
		sockets := o.hasSocket && !slices.Equal(state.Sockets, o.sockets)
		switches := o.ovs != nil && !reflect.DeepEqual(state.Switches, o.switches)
		if !counted && !tracked && !sockets && !switches {
			continue
		}
		b.state(n, func(s *labengine.NodeState) {
			if counted {
				s.Firewall = f.shown()
			}
			if tracked {
				s.Conntrack = o.tracked
			}
			if sockets {
				s.Sockets = o.sockets
			}
			if switches {
				s.Switches = o.switches
			}
		})
	}
	l.sendLive(b.live)
}

// partStale parts tables that can be read from those that cannot.
func partStale(tables []labengine.FirewallTable) (known, stale []labengine.FirewallTable) {
	for _, t := range tables {
		if t.Stale {
			stale = append(stale, t)
		} else {
			known = append(known, t)
		}
	}
	return known, stale
}

// comparison is how rules that have been read differ from those that are known.
type comparison int

const (
	equalRules comparison = iota
	otherCounters
	otherRules
)

// sameRules compares rules, and tells those that have been read what is known of their authors.
func sameRules(known, read []labengine.FirewallTable) comparison {
	if len(known) != len(read) {
		return otherRules
	}
	result := equalRules
	for t := range read {
		if known[t].Name != read[t].Name || known[t].Other != read[t].Other || len(known[t].Chains) != len(read[t].Chains) {
			return otherRules
		}
		for c := range read[t].Chains {
			k, r := &known[t].Chains[c], &read[t].Chains[c]
			if k.Name != r.Name || k.Policy != r.Policy || len(k.Rules) != len(r.Rules) {
				return otherRules
			}
			if k.Packets != r.Packets || k.Bytes != r.Bytes {
				result = otherCounters
			}
			for i := range r.Rules {
				if k.Rules[i].Text != r.Rules[i].Text {
					return otherRules
				}
				r.Rules[i].Authored = k.Rules[i].Authored
				if k.Rules[i] != r.Rules[i] {
					result = otherCounters
				}
			}
		}
	}
	return result
}
