package live

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/kernel"
	"vethlab/labengine/plan"
)

// begin makes the lab in the kernel. What a file has no words for is left out, and the journal says so.
func (l *Lab) begin(b labengine.Begin) error {
	l.journal = labengine.NewJournal(b.Lab, b.Seq, b.Changes)
	total := 0
	for _, n := range b.Lab.Nodes {
		if n.Kind == labengine.Namespace && n.Held == "" {
			total++
		}
	}
	l.setStatus(labengine.Status{State: labengine.Starting, Total: total})
	machines := b.Lab.Machines()
	var want labengine.Lab
	var steps plan.Plan
	var ahead sync.WaitGroup // what is done on the side, while this goroutine waits for something else
	defer ahead.Wait()
	ahead.Go(func() { l.world.MakeRoom(len(b.Lab.Nodes)) })
	ahead.Go(func() {
		want = b.Lab.Saved()
		steps = plan.Diff(machines, want)
	})
	err := l.world.Apply(context.Background(), plan.Diff(labengine.NewLab(""), machines), l, nil)
	ahead.Wait()
	if err == nil {
		err = l.world.Apply(context.Background(), steps, l, func(made int) {
			l.setStatus(labengine.Status{State: labengine.Starting, Done: made, Total: total})
		})
	}
	if err == nil {
		for _, m := range l.machines {
			ahead.Go(m.watch.Ahead)
		}
		err = l.world.Listen()
		ahead.Wait()
	}
	l.added(steps)
	if err != nil {
		p := problem(err)
		l.setStatus(labengine.Status{State: labengine.Dead, Problem: p})
		return p
	}
	for n := range l.world.All {
		l.addToTap(n)
	}
	for id, c := range want.Cables {
		l.cabled[c.Ends[0]], l.cabled[c.Ends[1]] = id, id
	}
	seen := l.reconcile(wanted{doc: want})
	for id := range b.Lab.Nodes {
		if _, ok := want.Nodes[id]; !ok {
			seen.patch.Nodes[id] = nil
		}
	}
	for id := range b.Lab.Interfaces {
		if _, ok := l.refs[id]; !ok {
			seen.patch.Interfaces[id] = nil
		}
	}
	for id := range b.Lab.Cables {
		if seen.patch.Cables[id] == nil {
			seen.patch.Cables[id] = nil
		}
	}
	l.begun = true
	seen.live = labengine.Live{} // what follows says it all
	l.commitSeen(seen)
	l.setStatus(labengine.Status{State: labengine.Running})
	return nil
}

// op carries out a gesture. One that has been carried out already is not carried out again.
func (l *Lab) op(author string, op labengine.Op) (labengine.Change, error) {
	if c, done := l.journal.Done(op.ID); done {
		return c, nil
	}
	l.lookWell()
	patch, err := l.journal.EditPatch(op.Edits)
	if err != nil {
		return labengine.Change{}, err
	}
	return l.change(labengine.Change{Op: op.ID, Author: author, Origin: labengine.FromCanvas}, patch)
}

// lookWell is observe, and takes in rules that have just been typed: where a rule is to go depends on them.
func (l *Lab) lookWell() {
	l.observe()
	b := l.newBinder(l.asItIs())
	most := tablesAtOnce
	b.rulesOf(func(*kernel.Netns) bool { most--; return most >= 0 })
	l.commitSeen(b.seen)
}

// undo takes back the author's newest change, or nobody's.
func (l *Lab) undo(author string) (labengine.Change, error) {
	l.lookWell()
	want, taken, err := l.journal.Undo(author)
	if err != nil {
		return labengine.Change{}, err
	}
	return l.change(labengine.Change{
		Author: author, Origin: labengine.FromUndo, Takes: taken.Seq, Sentence: "Undo: " + taken.Sentence,
	}, labengine.Compare(l.journal.Lab, want))
}

// redo brings back what the author's newest undo took.
func (l *Lab) redo(author string) (labengine.Change, error) {
	l.lookWell()
	want, brought, err := l.journal.Redo(author)
	if err != nil {
		return labengine.Change{}, err
	}
	return l.change(labengine.Change{
		Author: author, Origin: labengine.FromRedo, Takes: brought.Seq, Sentence: "Redo: " + brought.Sentence,
	}, labengine.Compare(l.journal.Lab, want))
}

// restore makes the lab again what it was right after a change.
func (l *Lab) restore(author string, seq int64) (labengine.Change, error) {
	l.observe()
	want, err := l.journal.Restore(seq)
	if err != nil {
		return labengine.Change{}, err
	}
	return l.change(labengine.Change{
		Author: author, Origin: labengine.FromRestore, Sentence: labengine.RestoreSentence(seq),
	}, labengine.Compare(l.journal.Lab, want))
}

// change makes the lab what the patch makes of the document: it plans, applies, and records what then is. When a step is refused,
// what was done for the change is taken back in the same way.
func (l *Lab) change(c labengine.Change, patch labengine.Patch) (labengine.Change, error) {
	before, after := l.journal.Lab.Around(patch)
	if err := checkPossible(before, after); err != nil {
		return c, err
	}
	steps := plan.Diff(before, after)
	if err := l.apply(steps); err != nil {
		l.rollBack(patch, steps)
		return c, problem(err)
	}
	l.added(steps)
	for id, n := range patch.Nodes {
		if n != nil {
			if netns, ok := l.world.Of(id); ok {
				l.addToTap(netns)
			}
		}
	}
	observed := l.reconcileTables(wanted{l.journal.Lab, patch}, before, after) // and what the kernel did on its own for what was done
	own, others := split(observed.patch, patch, before, after)
	c.At, c.Commands = time.Now(), steps.Commands()
	if c.Sentence == "" {
		c.Sentence = labengine.Describe(before, after)
	}
	c, changed := l.journal.CommitPatch(c, documentOnly(patch).Then(own))
	if !changed && c.Takes != 0 { // taken back by other means already: the entry is marked all the same
		c = l.journal.Commit(c, l.journal.Lab)
		changed = true
	}
	if changed {
		l.committed(c)
	}
	l.commitSeen(seen{patch: others, live: observed.live})
	return c, nil
}

// apply carries out the steps of what somebody has asked for.
func (l *Lab) apply(steps plan.Plan) error {
	refuses := l.refuseAt >= 0 && l.refuseAt < len(steps)
	if refuses {
		steps = steps[:l.refuseAt]
	}
	err := l.world.Apply(context.Background(), steps, l, nil)
	if err == nil && refuses {
		return &labengine.Problem{Code: labengine.CodeInternal, Message: "a test has this step refused", Errno: "EIO"}
	}
	return err
}

// checkPossible refuses what no step could do.
func checkPossible(before, after labengine.Lab) error {
	for id, n := range before.Nodes {
		if _, stays := after.Nodes[id]; !stays && n.Held != "" {
			if _, machineStays := after.Nodes[n.In]; machineStays {
				return labengine.Problemf(labengine.CodeBadRequest, "%s is there because %s is in it", n.Name, n.Held).
					About(id, "").WithHint("end that process, and the namespace goes")
			}
		}
	}
	for id, n := range after.Nodes {
		if _, was := before.Nodes[id]; !was && n.Held != "" {
			return labengine.Problemf(labengine.CodeBadRequest, "%s was there because %s was in it, and cannot be brought back", n.Name, n.Held)
		}
	}
	return nil
}

// rollBack makes the lab again what the document says, in what the patch or its steps touch, and in what went along.
func (l *Lab) rollBack(patch labengine.Patch, steps plan.Plan) {
	if err := l.world.Drain(); err != nil {
		l.Log.Error("netlink events", "error", err)
		return
	}
	for id, n := range patch.Nodes {
		if netns, ok := l.world.Of(id); ok && n != nil { // how far it got is for the kernel to say
			l.world.Touch(netns)
			for _, ipv6 := range []bool{false, true} {
				if len(n.Rules(ipv6))+len(l.journal.Lab.Nodes[id].Rules(ipv6)) > 0 {
					l.world.MarkRules(netns, ipv6)
				}
			}
		}
	}
	want := l.journal.Lab.Clone()
	want.Apply(patch)
	b := l.newBinder(wanted{l.journal.Lab, patch})
	b.undecided = true
	b.withTables(l.journal.Lab, want)
	half := b.seen
	for id, n := range patch.Nodes { // made, and not yet seen by name
		if _, had := l.journal.Lab.Nodes[id]; n != nil && !had {
			if _, ok := l.world.Of(id); ok {
				half.patch.Nodes[id] = tablesOf(*n, half.patch.Nodes[id], l.journal.Lab.Nodes[id])
			}
		}
	}
	for id := range patch.Nodes { // called something else by now, or not yet
		n, had := l.journal.Lab.Nodes[id]
		if seen := half.patch.Nodes[id]; seen != nil {
			n = *seen
		}
		if name, ok := l.calledNow(id); ok && had {
			n.Name = name
			half.patch.Nodes[id] = &n
		}
	}
	for id := range patch.Nodes { // deleted, and no longer anybody's
		if _, had := l.journal.Lab.Nodes[id]; had {
			if _, ok := l.world.Of(id); !ok {
				half.patch.Nodes[id] = nil
			}
		}
	}
	own, others := split(half.patch, patch)
	l.claim(&own, &others, steps, patch)
	lowered := l.unfollow(others)
	l.commitSeen(seen{patch: others, live: half.live})
	before := l.journal.Lab.Clone()
	now := before.Clone()
	now.Apply(l.onlyPresent(own))
	for id, mtu := range lowered {
		i := now.Interfaces[id]
		i.MTU = mtu
		now.Interfaces[id] = i
	}
	from, to := now.Around(labengine.Compare(now, before))
	back := plan.Diff(from, to)
	if err := l.world.Apply(context.Background(), back, l, nil); err != nil {
		l.Log.Error("roll back", "error", err)
	}
	l.added(back)
	left := l.reconcileTables(l.asItIs(), from, to)
	for id, was := range before.Nodes { // names and what else was asked for are again what they were
		if own.Nodes[id] != nil {
			own.Nodes[id] = &was
		}
	}
	l.commitSeen(seen{patch: l.onlyPresent(own.Then(left.patch)), live: left.live})
}

// claim moves from others' what steps of ours have done besides what was meant: what was made anew, and links, routes and
// neighbours around it that have gone, as the kernel takes them away along with something.
func (l *Lab) claim(own, others *labengine.Patch, steps plan.Plan, meant labengine.Patch) {
	near, _ := l.journal.Lab.Around(meant)
	touched := steps.Interfaces()
	for id, i := range others.Interfaces {
		if _, isNear := near.Interfaces[id]; touched[id] || isNear && i == nil {
			own.Interfaces[id] = i
			delete(others.Interfaces, id)
		}
	}
	for id, c := range others.Cables {
		was, had := near.Cables[id]
		if had && (c == nil || touched[was.Ends[0]] || touched[was.Ends[1]]) {
			own.Cables[id] = c
			delete(others.Cables, id)
		}
	}
	for id, n := range others.Nodes { // a link that goes down takes its routes along
		was, had := near.Nodes[id]
		if n == nil || !had {
			continue
		}
		routes, neighbours := missing(was.Routes, n.Routes), missing(was.Neighbours, n.Neighbours)
		if len(routes)+len(neighbours) > 0 {
			ours, theirs := was, *n
			ours.Routes, ours.Neighbours = missing(was.Routes, routes), missing(was.Neighbours, neighbours)
			theirs.Routes, theirs.Neighbours = slices.Concat(n.Routes, routes), slices.Concat(n.Neighbours, neighbours)
			own.Nodes[id], others.Nodes[id] = &ours, &theirs
		}
	}
}

// missing is what of a list is not in another one.
func missing(list, from []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(entry string) bool { return slices.Contains(from, entry) })
}

// unfollow takes out of a patch that others have made what is of our own making: where a port is half changed, its bridge
// has followed it in MTU and MAC, and what is on top of a link in a lower MTU. A bridge follows back by itself, and is read
// again; the others do not: they are given with the MTU that they have now.
func (l *Lab) unfollow(others labengine.Patch) (lowered map[labengine.ID]int) {
	lowered = map[labengine.ID]int{}
	for id, i := range others.Interfaces {
		was, had := l.journal.Lab.Interfaces[id]
		if i == nil || !had || !labengine.HasPorts(was.Kind) && was.Parent == "" {
			continue
		}
		still := *i
		still.MTU = was.MTU
		if labengine.HasPorts(was.Kind) {
			still.MAC = was.MAC
		} else if i.MTU < was.MTU {
			lowered[id] = i.MTU
		}
		others.Interfaces[id] = &still
		if n, ok := l.world.Of(still.Node); ok {
			l.world.Touch(n)
		}
	}
	return lowered
}

// tablesOf is a node with the tables that it was seen to have, or had before if nothing of them was seen.
func tablesOf(n labengine.Node, seen *labengine.Node, before labengine.Node) *labengine.Node {
	if seen == nil {
		seen = &before
	}
	n.Routes, n.Neighbours, n.Sysctls = seen.Routes, seen.Neighbours, seen.Sysctls
	n.Iptables, n.Ip6tables = seen.Iptables, seen.Ip6tables
	return &n
}

// calledNow is the name that a machine or a container has: the kernel does not tell of it.
func (l *Lab) calledNow(node labengine.ID) (string, bool) {
	if m, ok := l.machines[node]; ok {
		return m.name, true
	}
	if c, ok := l.containers[node]; ok {
		return c.box.Name(), true
	}
	return "", false
}

// onlyPresent makes a patch say of what the kernel does not have that it is gone.
func (l *Lab) onlyPresent(p labengine.Patch) labengine.Patch {
	for id, n := range p.Nodes {
		if _, ok := l.world.Of(id); n != nil && !ok {
			p.Nodes[id] = nil
		}
	}
	for id := range p.Interfaces {
		if _, ok := l.refs[id]; !ok {
			p.Interfaces[id] = nil
		}
	}
	for id, c := range p.Cables {
		if c == nil {
			continue
		}
		_, a := l.refs[c.Ends[0]]
		_, b := l.refs[c.Ends[1]]
		if !a || !b {
			p.Cables[id] = nil
		}
	}
	return p
}

// reconcileTables is reconcile, with the tables of the nodes that are in one of the labs.
func (l *Lab) reconcileTables(want wanted, of ...labengine.Lab) seen {
	b := l.newBinder(want)
	b.withTables(of...)
	return b.seen
}

func (b *binder) withTables(of ...labengine.Lab) {
	b.reconcile()
	most := 0
	for _, lab := range of {
		most += len(lab.Nodes)
	}
	isOf := func(n *kernel.Netns) bool {
		return slices.ContainsFunc(of, func(lab labengine.Lab) bool { _, is := lab.Nodes[n.Node]; return is })
	}
	b.tables(most, isOf)
	b.rulesOf(isOf)
}

// split parts what was observed into what a change meant to touch, with what that hangs on, and what others did meanwhile.
func split(observed, meant labengine.Patch, near ...labengine.Lab) (own, others labengine.Patch) {
	own.Nodes, others.Nodes = splitMap(observed.Nodes, func(id labengine.ID) bool {
		_, is := meant.Nodes[id]
		return is || slices.ContainsFunc(near, func(l labengine.Lab) bool { _, is := l.Nodes[id]; return is })
	})
	own.Interfaces, others.Interfaces = splitMap(observed.Interfaces, func(id labengine.ID) bool {
		_, is := meant.Interfaces[id]
		return is || slices.ContainsFunc(near, func(l labengine.Lab) bool { _, is := l.Interfaces[id]; return is })
	})
	own.Cables, others.Cables = splitMap(observed.Cables, func(id labengine.ID) bool {
		_, is := meant.Cables[id]
		return is || slices.ContainsFunc(near, func(l labengine.Lab) bool { _, is := l.Cables[id]; return is })
	})
	return own, others
}

func splitMap[V any](observed map[labengine.ID]*V, isOwn func(labengine.ID) bool) (own, others map[labengine.ID]*V) {
	own, others = map[labengine.ID]*V{}, map[labengine.ID]*V{}
	for id, v := range observed {
		if isOwn(id) {
			own[id] = v
		} else {
			others[id] = v
		}
	}
	return own, others
}

// documentOnly is the part of a patch that the kernel does not tell of: names and order of nodes that were asked for, and
// what is on the canvas alone.
func documentOnly(p labengine.Patch) labengine.Patch {
	p.Interfaces, p.Cables = nil, nil
	return p
}

// problem is an error as the page gets it.
func problem(err error) *labengine.Problem {
	var p *labengine.Problem
	if errors.As(err, &p) {
		return p
	}
	return &labengine.Problem{Code: labengine.CodeInternal, Message: err.Error(), Err: err}
}
