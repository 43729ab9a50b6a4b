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

	rules     [2]kernel.SavedRules
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
			rules, err := k.Rules(o.file, family == ipv6Family)
			o.rules[family], o.family[family] = rules, err == nil
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
	b := l.newBinder(l.asItIs())
	for _, o := range looks {
		n, ok := l.world.Of(o.node)
		if !ok || n.Key != o.netns {
			continue // meanwhile gone
		}
		f := l.firewalls[o.node]
		for family, read := range o.family {
			if !read || f == nil {
				continue
			}
			ipv6 := family == ipv6Family
			if !sameRules(readable(f.tables(ipv6)), o.rules[family].Tables) {
				l.world.MarkRules(n, ipv6) // of iptables-legacy, the kernel does not tell
			} else if now := o.rules[family].Counters; !slices.Equal(f.counters(ipv6), now) {
				f.set(ipv6, f.tables(ipv6), now)
				put(&b.live.Counters, o.node, f.counted())
			}
		}
		if o.hasFlows && !reflect.DeepEqual(l.tracked[o.node], o.tracked) {
			if l.tracked[o.node] = o.tracked; o.tracked == nil {
				delete(l.tracked, o.node)
			}
			put(&b.live.Conntrack, o.node, o.tracked)
		}
		if o.hasSocket && !slices.Equal(l.states[o.node].Sockets, o.sockets) {
			b.state(n, func(s *labengine.NodeState) { s.Sockets = o.sockets })
		}
		if o.ovs != nil && !reflect.DeepEqual(l.states[o.node].Switches, o.switches) {
			b.state(n, func(s *labengine.NodeState) { s.Switches = o.switches })
		}
	}
	l.sendLive(b.live)
}

// readable are the tables that can be read; those that cannot come after them.
func readable(tables []labengine.FirewallTable) []labengine.FirewallTable {
	if at := slices.IndexFunc(tables, func(t labengine.FirewallTable) bool { return t.Stale }); at >= 0 {
		return tables[:at]
	}
	return tables
}

// sameRules says whether rules that have been read are those that are known, whatever their authors have written.
func sameRules(known, read []labengine.FirewallTable) bool {
	return slices.EqualFunc(known, read, func(k, r labengine.FirewallTable) bool {
		return k.Name == r.Name && k.Other == r.Other && slices.EqualFunc(k.Chains, r.Chains, func(k, r labengine.FirewallChain) bool {
			return k.Name == r.Name && k.Policy == r.Policy && slices.EqualFunc(k.Rules, r.Rules, func(k, r labengine.FirewallRule) bool {
				return k.Text == r.Text
			})
		})
	})
}
