package labengine

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"
)

// history drives a journal as a lab process does.
type history struct {
	*testing.T
	*Journal
	now time.Time
	ops int
}

func newHistory(t *testing.T, lab Lab) *history {
	return &history{T: t, Journal: NewJournal(lab, 0, nil), now: time.Unix(1_000_000, 0)}
}

// do commits edits as an op of somebody's, a minute after what was before.
func (h *history) do(author string, edits ...Edit) Change {
	h.Helper()
	after, err := h.Journal.Lab.Edit(edits)
	if err != nil {
		h.Fatal(err)
	}
	h.ops++
	return h.commit(Change{Op: ID(fmt.Sprintf("op%d", h.ops)), Author: author, Origin: FromCanvas}, after, time.Minute)
}

// typed commits edits as something that a terminal did.
func (h *history) typed(after time.Duration, edits ...Edit) Change {
	h.Helper()
	lab, err := h.Journal.Lab.Edit(edits)
	if err != nil {
		h.Fatal(err)
	}
	return h.commit(Change{Origin: FromTerminal}, lab, after)
}

func (h *history) commit(c Change, lab Lab, after time.Duration) Change {
	h.now = h.now.Add(after)
	c.At = h.now
	return h.Commit(c, lab)
}

func (h *history) undo(author string) error {
	lab, taken, err := h.Undo(author)
	if err == nil {
		h.commit(Change{Author: author, Origin: FromUndo, Takes: taken.Seq}, lab, time.Minute)
	}
	return err
}

func (h *history) redo(author string) error {
	lab, taken, err := h.Redo(author)
	if err == nil {
		h.commit(Change{Author: author, Origin: FromRedo, Takes: taken.Seq}, lab, time.Minute)
	}
	return err
}

func (h *history) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *history) mustNot(err error) {
	h.Helper()
	if !errors.Is(err, &Problem{Code: CodeNothingToUndo}) {
		h.Fatalf("got %v, want %s", err, CodeNothingToUndo)
	}
}

func renamed(id ID, name string) Edit { return Edit{UpdateNode: &UpdateNode{ID: id, Name: &name}} }

func TestUndoAndRedo(t *testing.T) {
	start := redAndBlue(t)
	h := newHistory(t, start.Clone())
	h.mustNot(h.undo("ada"))
	h.mustNot(h.redo("ada"))

	h.do("ada", renamed("r", "rouge"))
	one := h.Lab.Clone()
	h.do("ada", Edit{Delete: &Delete{"b"}})
	two := h.Lab.Clone()

	h.must(h.undo("ada"))
	same(t, "undo takes the newest", one, h.Lab)
	h.must(h.redo("ada"))
	same(t, "redo brings it back", two, h.Lab)
	h.mustNot(h.redo("ada"))
	h.must(h.undo("ada"))
	h.must(h.undo("ada"))
	same(t, "undo goes on after a redo", start, h.Lab)
	h.mustNot(h.undo("ada"))
	h.must(h.redo("ada"))
	same(t, "redo brings the older back first", one, h.Lab)
	h.must(h.redo("ada"))
	same(t, "and then the newer", two, h.Lab)
	h.mustNot(h.redo("ada"))

	h.must(h.undo("ada"))
	h.do("ada", renamed("o", "third"))
	h.mustNot(h.redo("ada")) // a change of one's own ends it
	h.must(h.undo("ada"))
	same(t, "undo of what came instead", one, h.Lab)
	h.must(h.redo("ada"))
	h.mustNot(h.redo("ada"))
}

func TestUndoIsOfOnesOwnAndNobodys(t *testing.T) {
	h := newHistory(t, redAndBlue(t))
	h.do("ada", renamed("r", "rouge"))
	h.do("bob", renamed("b", "bleu"))
	h.typed(time.Minute, renamed("o", "third"))

	h.must(h.undo("ada"))
	if h.Lab.Nodes["o"].Name != "other" || h.Lab.Nodes["b"].Name != "bleu" {
		t.Error("ada's first undo is of what was typed, which is nobody's")
	}
	h.must(h.undo("ada"))
	if h.Lab.Nodes["r"].Name != "red" || h.Lab.Nodes["b"].Name != "bleu" {
		t.Error("ada's second undo is of her own change")
	}
	h.mustNot(h.undo("ada"))
	h.mustNot(h.redo("bob"))
	h.must(h.undo("bob"))
	if h.Lab.Nodes["b"].Name != "blue" {
		t.Error("bob's undo is of his")
	}
	h.must(h.redo("ada"))
	h.must(h.redo("ada"))
	h.must(h.redo("bob"))
	if h.Lab.Nodes["r"].Name != "rouge" || h.Lab.Nodes["b"].Name != "bleu" || h.Lab.Nodes["o"].Name != "third" {
		t.Errorf("after all redos: %v", h.Lab.Nodes)
	}
}

func TestTerminalChangesJoin(t *testing.T) {
	start := redAndBlue(t)
	h := newHistory(t, start.Clone())
	h.typed(time.Minute, renamed("r", "r1"))
	h.typed(100*time.Millisecond, renamed("r", "r2"))
	h.typed(100*time.Millisecond, renamed("b", "b1"))
	middle := h.Lab.Clone()
	h.typed(time.Second, renamed("b", "b2"))
	end := h.Lab.Clone()

	h.must(h.undo("ada"))
	same(t, "a command of its own", middle, h.Lab)
	h.must(h.undo("ada"))
	same(t, "three changes that were one command", start, h.Lab)
	h.mustNot(h.undo("ada"))
	h.must(h.redo("ada"))
	same(t, "the one command again", middle, h.Lab)
	h.must(h.redo("ada"))
	same(t, "and the other", end, h.Lab)
}

func TestCanvasChangesDoNotJoin(t *testing.T) {
	h := newHistory(t, redAndBlue(t))
	h.typed(time.Minute, renamed("r", "r1"))
	after, err := h.Lab.Edit([]Edit{renamed("b", "b1")})
	h.must(err)
	if c := h.commit(Change{Author: "ada", Origin: FromCanvas}, after, time.Millisecond); c.Joins {
		t.Error("a gesture joins a command")
	}
	if c := h.typed(time.Millisecond, renamed("r", "r2")); c.Joins {
		t.Error("a command joins a gesture")
	}
}

func TestOpsAreKnownAgain(t *testing.T) {
	h := newHistory(t, redAndBlue(t))
	c := h.do("ada", renamed("r", "rouge"))
	if got, ok := h.Done(c.Op); !ok || got.Seq != c.Seq {
		t.Errorf("got %+v", got)
	}
	if _, ok := h.Done("another"); ok {
		t.Error("an op is known that never was")
	}
	again := NewJournal(h.Lab, h.Seq, h.Changes)
	if got, ok := again.Done(c.Op); !ok || got.Seq != c.Seq {
		t.Errorf("after a restart: %+v", got)
	}
}

func TestJournalIsBounded(t *testing.T) {
	h := newHistory(t, redAndBlue(t))
	first := h.do("ada", renamed("r", "rouge"))
	for i := range maxEntries * 2 {
		h.do("ada", Edit{Place: &PlaceNode{"r", float64(i + 1), 0}})
	}
	if len(h.Changes) > maxEntries*5/4 || len(h.done) > maxEntries*5/4 {
		t.Errorf("%d changes, %d ops", len(h.Changes), len(h.done))
	}
	if _, ok := h.Done(first.Op); ok {
		t.Error("the first op is still known")
	}
	for h.undo("ada") == nil {
		if len(h.Changes) > maxEntries*5/4 {
			t.Fatal("undo makes the journal grow")
		}
	}
}

// TestReplayGivesTheSameJournal sends every change to a second journal, as the lab process does to the server.
func TestReplayGivesTheSameJournal(t *testing.T) {
	w := newWalker(3)
	lab := w.lab(20)
	h, mirror := newHistory(t, lab.Clone()), NewJournal(lab.Clone(), 0, nil)
	for range 200 {
		switch w.IntN(5) {
		case 0:
			_ = h.undo("ada")
		case 1:
			_ = h.redo("ada")
		case 2:
			h.commit(Change{Origin: FromTerminal}, w.step(h.Lab), time.Duration(w.IntN(600))*time.Millisecond)
		default:
			h.commit(Change{Author: "ada", Origin: FromCanvas, Op: w.id()}, w.step(h.Lab), time.Second)
		}
		for _, c := range h.Changes {
			c.Undone = false // as it was when it was sent
			mirror.Replay(c)
		}
		same(t, "mirror", h.Lab, mirror.Lab)
	}
	if len(mirror.Changes) != len(h.Changes) || mirror.Seq != h.Seq {
		t.Errorf("%d changes, want %d", len(mirror.Changes), len(h.Changes))
	}
	for i, c := range mirror.Changes {
		if c.Undone != h.Changes[i].Undone || c.Joins != h.Changes[i].Joins {
			t.Errorf("change %d: %+v, want %+v", i, c, h.Changes[i])
		}
	}
}

// TestUndoDoesNotGiveOneNameTwice has somebody take the name of what was deleted.
func TestUndoDoesNotGiveOneNameTwice(t *testing.T) {
	h := newHistory(t, redAndBlue(t))
	h.do("ada", Edit{Delete: &Delete{"r"}})
	h.do("bob", Edit{AddNode: &AddNode{ID: "r2", Name: "red", Kind: Namespace, In: "h"}})
	now := h.Lab.Clone()
	err := h.undo("ada")
	var p *Problem
	if !errors.As(err, &p) || p.Code != CodeExists || p.On != "r2" || p.Message != "something else in host is called `red` by now" {
		t.Errorf("got %v", err)
	}
	same(t, "nothing is half undone", now, h.Lab)
	h.do("bob", renamed("r2", "rouge"))
	h.must(h.undo("ada"))
	if len(h.Lab.Cables) != 1 {
		t.Error("the cable is not back")
	}
}

func TestTerminalChangesOfTwoPeopleDoNotJoin(t *testing.T) {
	h := newHistory(t, redAndBlue(t))
	for i, author := range []string{"ada", "bob", "bob", ""} {
		lab, err := h.Lab.Edit([]Edit{renamed("r", fmt.Sprintf("r%d", i))})
		h.must(err)
		c := h.commit(Change{Author: author, Origin: FromTerminal}, lab, time.Millisecond)
		if c.Joins != (i == 2) {
			t.Errorf("change %d joins: %t", i, c.Joins)
		}
	}
}

// TestUndoAllThenRedoAll walks at random, then back to the start, then forth to the end.
func TestUndoAllThenRedoAll(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			w := newWalker(seed)
			start := w.lab(w.IntN(30))
			h := newHistory(t, start.Clone())
			for range 30 {
				switch w.IntN(6) {
				case 0:
					_ = h.undo("ada")
				case 1:
					_ = h.redo("ada")
				case 2:
					h.commit(Change{Origin: FromTerminal}, w.step(h.Lab), time.Duration(w.IntN(600))*time.Millisecond)
				default:
					h.commit(Change{Author: "ada", Origin: FromCanvas, Op: w.id()}, w.step(h.Lab), time.Second)
				}
				checkWhole(t, h.Lab)
			}
			// Redo to the end first, so that the end is what redo can reach.
			for h.redo("ada") == nil {
			}
			end := h.Lab.Clone()
			undone := 0
			for h.undo("ada") == nil {
				checkWhole(t, h.Lab)
				undone++
			}
			same(t, "all undone", start, h.Lab)
			redone := 0
			for h.redo("ada") == nil {
				checkWhole(t, h.Lab)
				redone++
			}
			same(t, "all redone", end, h.Lab)
			if undone != redone {
				t.Errorf("%d undone, %d redone", undone, redone)
			}
		})
	}
}

// TestTwoAuthorsAtRandom checks that whatever two people undo, the lab stays whole.
func TestTwoAuthorsAtRandom(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			w := newWalker(seed)
			h := newHistory(t, w.lab(20))
			authors := []string{"ada", "bob"}
			for range 60 {
				author := authors[w.IntN(2)]
				switch w.IntN(6) {
				case 0:
					_ = h.undo(author)
				case 1:
					_ = h.redo(author)
				case 2, 3:
					if p, err := h.EditPatch([]Edit{w.edit(h.Lab)}); err == nil {
						h.CommitPatch(Change{Author: author, Origin: FromCanvas, Op: w.id(), At: h.now}, p)
					}
				default:
					h.commit(Change{Author: author, Origin: FromCanvas, Op: w.id()}, w.step(h.Lab), time.Second)
				}
				if checkWhole(t, h.Lab); t.Failed() {
					return
				}
				if got, want := h.index(), namesIn(h.Lab); !reflect.DeepEqual(got, want) {
					t.Fatalf("the names are %v, and not %v", got, want)
				}
			}
		})
	}
}

func TestRestoreAnyRevision(t *testing.T) {
	h := newHistory(t, NewLab("lab"))
	revisions := []Lab{h.Lab.Clone()}
	w := newWalker(7)
	for len(revisions) < 60 {
		after, err := h.Lab.Edit([]Edit{w.edit(h.Lab)})
		if err != nil || Compare(h.Lab, after).Empty() {
			continue
		}
		h.commit(Change{Origin: FromCanvas}, after, time.Minute)
		revisions = append(revisions, h.Lab.Clone())
	}
	for seq, want := range revisions {
		got, err := h.Restore(int64(seq))
		if err != nil {
			t.Fatal(err)
		}
		if p := Compare(want, got); !p.Empty() {
			t.Errorf("revision %d differs by %+v", seq, p)
		}
	}
	for seq, code := range map[int64]Code{-1: CodeBadRequest, h.Seq + 1: CodeBadRequest} {
		if _, err := h.Restore(seq); !errors.Is(err, &Problem{Code: code}) {
			t.Errorf("revision %d: %v", seq, err)
		}
	}
}
