package live

import (
	"errors"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/kernel"
	"vethlab/labengine/plan"
)

// rulesAtOnce bounds the namespaces whose rules are read in one go: each takes a program's run, some 3 ms.
const rulesAtOnce = 4

// A namespace's rules are read at once when the kernel tells of a change, and then not for a while: a script of a hundred
// lines is a hundred changes. Where reading takes long, as with thousands of rules, the while is longer.
const (
	rulesPause      = 50 * time.Millisecond
	rulesPauseTimes = 5 // what the last reading took
	rulesRetry      = time.Second
)

// What there are two of is indexed by the family.
const ipv4Family, ipv6Family = 0, 1

// firewall is what is known of a node's rules.
type firewall struct {
	netns uint64 // the cookie of its namespace
	seen  labengine.Firewall
	count labengine.Counters
	twins [2]labengine.Twins
	fresh [2]bool   // rules have been added since they were read
	mixed [2]bool   // nft has made a table of iptables' names
	next  time.Time // when it may be read again
}

func newFirewall(netns uint64) *firewall {
	return &firewall{netns: netns, twins: [2]labengine.Twins{{}, {}}}
}

// takeRules reads the rules that have changed, of a few namespaces. It says how long to wait until more can be read; 0 is
// until the kernel tells of more.
func (l *Lab) takeRules(most int) (wait time.Duration) {
	if !l.begun {
		return 0
	}
	var due []*kernel.Netns
	now := time.Now()
	for n := range l.world.ChangedRules {
		if n.Node == "" {
			continue // until it is a node
		}
		later := time.Duration(0)
		if f := l.firewalls[n.Node]; f != nil {
			later = f.next.Sub(now)
		}
		if later <= 0 && len(due) < most {
			due = append(due, n)
		} else if later = max(later, time.Millisecond); wait == 0 || later < wait {
			wait = later
		}
	}
	if len(due) == 0 {
		return wait
	}
	b := l.newBinder(l.asItIs())
	for _, n := range due {
		b.rules(n)
	}
	l.commitSeen(b.seen)
	return wait
}

// rulesOf reads the rules that have changed of some namespaces, however long ago they were read.
func (b *binder) rulesOf(of func(*kernel.Netns) bool) {
	var due []*kernel.Netns
	for n := range b.lab.world.ChangedRules {
		if n.Node != "" && of(n) {
			due = append(due, n)
		}
	}
	for _, n := range due {
		b.rules(n)
	}
}

// rules takes in what has changed of a namespace's rules.
func (b *binder) rules(n *kernel.Netns) {
	l := b.lab
	changed := l.world.TakeRules(n)
	node, ok := b.node(n.Node)
	if !ok || node.Kind == labengine.LAN { // nobody can have rules there
		return
	}
	f := l.firewallOf(n)
	began, failed := time.Now(), false
	for family, is := range [2]bool{changed.IPv4, changed.IPv6} {
		if !is {
			continue
		}
		ipv6 := family == ipv6Family
		saved, err := l.world.Rules(n, ipv6)
		if err != nil {
			failed = failed || l.rulesFailed(node, err)
			continue
		}
		tables := append(saved.Tables, f.lastKnown(ipv6, saved.Unreadable)...)
		authored := b.authored(node.ID)
		if b.undecided {
			authored = l.journal.Lab.Nodes[node.ID]
		}
		node = node.WithRules(ipv6, labengine.RulesSeen(authored.Rules(ipv6), tables, f.twins[family], f.fresh[family]))
		f.fresh[family] = false
		f.set(ipv6, tables, saved.Counters)
		changed.Native = changed.Native || saved.Native || f.mixed[family]
		f.mixed[family] = saved.Native
	}
	if changed.Native {
		text, tables, err := l.world.NativeRules(n, f.mixed[0] || f.mixed[1])
		if err != nil {
			failed = failed || l.rulesFailed(node, err)
		} else {
			f.seen.Native, f.seen.Tables = text, tables
		}
	}
	f.next = time.Now().Add(max(rulesPause, rulesPauseTimes*time.Since(began)))
	if failed {
		l.world.AgainRules(n, changed)
		f.next = time.Now().Add(rulesRetry)
	}
	b.patch.Nodes[node.ID] = &node
	put(&b.live.Firewalls, node.ID, f.shown())
	put(&b.live.Counters, node.ID, f.counted())
}

// firewallOf is what is known of the rules of a namespace that is a node.
func (l *Lab) firewallOf(n *kernel.Netns) *firewall {
	f := l.firewalls[n.Node]
	if f == nil || f.netns != n.Key {
		f = newFirewall(n.Key)
		l.firewalls[n.Node] = f
	}
	return f
}

// added notes which rules a plan has added, to learn how they are printed.
func (l *Lab) added(steps plan.Plan) {
	for _, step := range steps {
		if s, ok := step.(plan.ChangeRules); ok {
			if n, ok := l.world.Of(s.At.Node); ok {
				family := ipv4Family
				if s.IPv6 {
					family = ipv6Family
				}
				l.firewallOf(n).fresh[family] = true
			}
		}
	}
}

// rulesFailed logs what stands in the way of reading rules, and says whether that may pass: a program that is not installed
// will not come.
func (l *Lab) rulesFailed(node labengine.Node, err error) bool {
	if errors.Is(err, &labengine.Problem{Code: labengine.CodeNotSupported}) {
		return false
	}
	l.Log.Warn("read firewall rules", "node", node.Name, "error", err)
	return true
}

// lastKnown are tables as they were read last, of those that cannot be read any more: the document keeps their rules.
func (f *firewall) lastKnown(ipv6 bool, names []string) []labengine.FirewallTable {
	var list []labengine.FirewallTable
	for _, name := range names {
		t := labengine.FirewallTable{Name: name, Chains: []labengine.FirewallChain{}}
		for _, known := range f.tables(ipv6) {
			if known.Name == name && !known.Other {
				t = known
			}
		}
		t.Stale = true
		list = append(list, t)
	}
	return list
}

func (f *firewall) set(ipv6 bool, tables []labengine.FirewallTable, counters []labengine.Counter) {
	if ipv6 {
		f.seen.IPv6, f.count.IPv6 = tables, counters
	} else {
		f.seen.IPv4, f.count.IPv4 = tables, counters
	}
}

func (f *firewall) counters(ipv6 bool) []labengine.Counter {
	if ipv6 {
		return f.count.IPv6
	}
	return f.count.IPv4
}

func (f *firewall) tables(ipv6 bool) []labengine.FirewallTable {
	if ipv6 {
		return f.seen.IPv6
	}
	return f.seen.IPv4
}

// shown is a copy for pages; nil where there is nothing.
func (f *firewall) shown() *labengine.Firewall {
	if len(f.seen.IPv4)+len(f.seen.IPv6) == 0 && f.seen.Native == "" {
		return nil
	}
	seen := f.seen
	return &seen
}

// counted is a copy for pages; nil where there is nothing.
func (f *firewall) counted() *labengine.Counters {
	if len(f.count.IPv4)+len(f.count.IPv6) == 0 {
		return nil
	}
	count := f.count
	return &count
}

// put says in a message what a node has now.
func put[V any](into *map[labengine.ID]*V, id labengine.ID, value *V) {
	if *into == nil {
		*into = map[labengine.ID]*V{}
	}
	(*into)[id] = value
}

// forgetRules tells pages that a node has neither rules nor tracked connections.
func (b *binder) forgetRules(node labengine.ID) {
	delete(b.lab.tracked, node)
	put(&b.live.Firewalls, node, nil)
	put(&b.live.Counters, node, nil)
	put(&b.live.Conntrack, node, nil)
}
