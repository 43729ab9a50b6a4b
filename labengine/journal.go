package labengine

import (
	"fmt"
	"slices"
	"time"
)

// joinWithin is how close changes from a terminal must follow each other to be one entry of the history: one command
// often changes several things.
const joinWithin = 300 * time.Millisecond

// maxEntries bounds the changes that a journal keeps for undo and for the history list; older ones are on disk.
const maxEntries = 2000

// Journal is a lab and the changes that led to it. It is used by one goroutine at a time.
type Journal struct {
	Lab     Lab
	Seq     int64 // of the newest change
	Changes []Change
	done    map[ID]int64 // ops carried out, by ID
	names   *names       // the lab's; nil until somebody asks
}

// NewJournal goes on from a lab with the changes that led to it, oldest first; seq is that of the newest.
func NewJournal(lab Lab, seq int64, changes []Change) *Journal {
	j := &Journal{Lab: lab, Seq: seq, Changes: changes, done: map[ID]int64{}}
	for _, c := range changes {
		if c.Op != "" {
			j.done[c.Op] = c.Seq
		}
	}
	return j
}

// Done says whether the op has been carried out, and as which change.
func (j *Journal) Done(op ID) (Change, bool) {
	seq, ok := j.done[op]
	if !ok {
		return Change{}, false
	}
	c, ok := j.Find(seq)
	return c, ok
}

// Find is the change with this number.
func (j *Journal) Find(seq int64) (Change, bool) {
	at, ok := slices.BinarySearchFunc(j.Changes, seq, func(c Change, seq int64) int { return int(c.Seq - seq) })
	if !ok {
		return Change{}, false
	}
	return j.Changes[at], true
}

// Commit records that the lab is now after: it fills in the change's number, patch and what was before, and applies it.
// Changes from a terminal that follow each other closely become one entry.
func (j *Journal) Commit(c Change, after Lab) Change {
	j.Seq++
	c.Seq, c.Patch = j.Seq, Compare(j.Lab, after)
	c.Before = j.Lab.Before(c.Patch)
	j.apply(c.Patch)
	j.record(&c)
	return c
}

// CommitPatch is Commit for a caller that knows what has changed: what the patch leaves as it is, is dropped from it.
// ok is false, and nothing is recorded, where nothing is left.
func (j *Journal) CommitPatch(c Change, p Patch) (_ Change, ok bool) {
	p = j.Lab.Prune(p)
	if p.Empty() {
		return c, false
	}
	j.Seq++
	c.Seq, c.Patch, c.Before = j.Seq, p, j.Lab.Before(p)
	j.apply(p)
	j.record(&c)
	return c, true
}

// Replay applies a change that was committed elsewhere: by the lab process, or before a restart. Changes that are known
// already are passed over.
func (j *Journal) Replay(c Change) bool {
	if c.Seq <= j.Seq {
		return false
	}
	j.Seq = c.Seq
	j.apply(c.Patch)
	j.record(&c)
	return true
}

func (j *Journal) apply(p Patch) {
	if j.names == nil {
		j.Lab.Apply(p)
		return
	}
	before := j.Lab.Before(p)
	j.Lab.Apply(p)
	if j.names.follow(before, p) {
		j.names.findLast(j.Lab)
	}
}

func (j *Journal) index() *names {
	if j.names == nil {
		j.names = namesIn(j.Lab)
	}
	return j.names
}

// InterfaceAt is the interface that has a name in a node; empty where there is none.
func (j *Journal) InterfaceAt(node ID, name string) ID {
	return j.index().interfaces[interfaceName{node, name}]
}

func (j *Journal) record(c *Change) {
	if len(j.Changes) > 0 && c.Origin == FromTerminal {
		last := j.Changes[len(j.Changes)-1]
		c.Joins = last.Origin == FromTerminal && last.Author == c.Author && !last.Undone && c.At.Sub(last.At) < joinWithin
	}
	if c.Takes != 0 {
		for i := range j.entry(c.Takes) {
			j.Changes[i].Undone = c.Origin == FromUndo
		}
	}
	j.Changes = append(j.Changes, *c)
	if c.Op != "" {
		j.done[c.Op] = c.Seq
	}
	if len(j.Changes) > maxEntries+maxEntries/4 {
		for _, old := range j.Changes[:len(j.Changes)-maxEntries] {
			delete(j.done, old.Op)
		}
		j.Changes = slices.Clone(j.Changes[len(j.Changes)-maxEntries:])
	}
}

// entry yields the index of each change that is undone together with the one numbered seq, the first of them.
func (j *Journal) entry(seq int64) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		at, ok := slices.BinarySearchFunc(j.Changes, seq, func(c Change, seq int64) int { return int(c.Seq - seq) })
		if !ok || !yield(at) {
			return
		}
		for at++; at < len(j.Changes) && j.Changes[at].Joins; at++ {
			if !yield(at) {
				return
			}
		}
	}
}

// Undo is the lab without the newest change that is the author's or nobody's, and that change. What only a process keeps alive
// can neither be taken away nor brought back: a change of nothing else is passed over.
// The problem is "nothing-to-undo", or "exists" where something else has by now a name that would come back.
func (j *Journal) Undo(author string) (Lab, Change, error) {
	for i := len(j.Changes) - 1; i >= 0; i-- {
		c := j.Changes[i]
		if c.Undone || c.Joins || c.Origin == FromUndo || c.Origin == FromRedo || !mine(c, author) {
			continue
		}
		before, after := j.span(c.Seq)
		reverted, err := j.revert(before, after)
		if err == nil && j.wentByItself(before, after) && Compare(j.Lab, reverted).Empty() {
			continue
		}
		return reverted, c, err
	}
	return j.Lab, Change{}, Problemf(CodeNothingToUndo, "there is nothing to undo")
}

// Redo is the lab with the change again that the author took back last, and that change. A change that the author has
// made since then ends it. Problems as of [Journal.Undo].
func (j *Journal) Redo(author string) (Lab, Change, error) {
	for i := len(j.Changes) - 1; i >= 0; i-- {
		c := j.Changes[i]
		switch {
		case !mine(c, author) || c.Origin == FromRedo:
			continue
		case c.Origin != FromUndo:
			if c.Undone {
				continue
			}
			return j.Lab, Change{}, Problemf(CodeNothingToUndo, "there is nothing to redo")
		}
		undone, ok := j.Find(c.Takes)
		if !ok || !undone.Undone {
			continue
		}
		reverted, err := j.revert(c.Before, c.Patch)
		return reverted, undone, err
	}
	return j.Lab, Change{}, Problemf(CodeNothingToUndo, "there is nothing to redo")
}

// Restore is the lab as it was right after the change numbered seq, as far as can be: what only a process keeps alive, and
// what a document has no word for, stays as it is now.
// The problem is "gone" where the journal does not reach back so far, and "bad-request" where there is no such change yet.
func (j *Journal) Restore(seq int64) (Lab, error) {
	switch {
	case seq < 0 || seq > j.Seq:
		return j.Lab, Problemf(CodeBadRequest, "there is no revision %d: the newest is %d", seq, j.Seq)
	case seq < j.Seq && (len(j.Changes) == 0 || seq < j.Changes[0].Seq-1):
		return j.Lab, Problemf(CodeGone, "revision %d is older than what is kept for restoring", seq)
	}
	lab := j.Lab.Clone()
	for i := len(j.Changes) - 1; i >= 0 && j.Changes[i].Seq > seq; i-- {
		lab.Apply(j.Changes[i].Before)
	}
	return lab.asFarAsPossible(j.Lab), nil
}

// RestoreSentence says in a few words what a restore does.
func RestoreSentence(seq int64) string { return fmt.Sprintf("Restore revision %d", seq) }

// wentByItself says whether a change is about what a process keeps alive, or kept: its namespace, and what was in that.
func (j *Journal) wentByItself(before, after Patch) bool {
	for _, p := range [2]Patch{before, after} {
		for _, n := range p.Nodes {
			if n != nil && n.Held != "" {
				return true
			}
		}
		for _, i := range p.Interfaces {
			if i == nil {
				continue
			}
			if _, is := j.Lab.Nodes[i.Node]; !is {
				return true
			}
		}
	}
	return false
}

// keepHeld leaves what only a process keeps alive as it is now.
func (l *Lab) keepHeld(now Lab) {
	for id, n := range l.Nodes {
		if _, is := now.Nodes[id]; n.Held != "" && !is {
			delete(l.Nodes, id)
			l.dropDangling()
		}
	}
	for id, n := range now.Nodes {
		if _, was := l.Nodes[id]; n.Held != "" && !was {
			l.Nodes[id] = n
			l.Interfaces[LoopbackID(id)] = now.Interfaces[LoopbackID(id)]
		}
	}
}

// asFarAsPossible is the lab without what cannot be made, and with what cannot be taken away, from now.
func (l Lab) asFarAsPossible(now Lab) Lab {
	l.keepHeld(now)
	for id, i := range l.Interfaces {
		if _, is := now.Interfaces[id]; !i.Saved() && !is {
			delete(l.Interfaces, id)
		}
	}
	for id, i := range now.Interfaces {
		if _, was := l.Interfaces[id]; !i.Saved() && !was {
			l.Interfaces[id] = i
		}
	}
	l.dropDangling()
	return l
}

// revert is the lab with a change taken back, unless two things would then have one name.
func (j *Journal) revert(before, after Patch) (Lab, error) {
	lab := j.Lab.Revert(before, after)
	lab.keepHeld(j.Lab)
	lab.dropLostRoutes(j.Lab)
	lab.dropLostNeighbours(j.Lab)
	p := Compare(j.Lab, lab)
	nodes, interfaces := map[nodeName]ID{}, map[interfaceName]ID{} // of what comes back, or gets its old name back
	for id, n := range p.Nodes {
		if n != nil {
			nodes[nodeName{n.In, n.Name}] = id
		}
	}
	for id, i := range p.Interfaces {
		if i != nil {
			interfaces[interfaceName{i.Node, i.Name}] = id
		}
	}
	taken := func(name string, where ID, by ID) error {
		in := "the lab"
		if where != "" {
			in = lab.Label(where)
		}
		return Problemf(CodeExists, "something else in %s is called `%s` by now", in, name).About(by, "name").
			WithHint("give that another name first")
	}
	for id, n := range lab.Nodes {
		if back, ok := nodes[nodeName{n.In, n.Name}]; ok && back != id {
			return j.Lab, taken(n.Name, n.In, id)
		}
	}
	for id, i := range lab.Interfaces {
		if back, ok := interfaces[interfaceName{i.Node, i.Name}]; ok && back != id {
			return j.Lab, taken(i.Name, i.Node, id)
		}
	}
	return lab, nil
}

// span is the patch that the changes of one entry make together, and what was before it.
func (j *Journal) span(seq int64) (before, after Patch) {
	for i := range j.entry(seq) {
		c := j.Changes[i]
		after = after.Then(c.Patch)
		before = c.Before.Then(before) // what an earlier change says of a thing holds
	}
	return before, after
}

func mine(c Change, author string) bool { return c.Author == author || c.Author == "" }
