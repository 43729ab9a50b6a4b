package labengine

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// same compares labs; an interface without addresses may say so in two ways.
func same(t *testing.T, what string, want, got Lab) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

// TestPatchLaws holds Compare, Apply, Before, Then and Revert to what they promise, on labs made at random.
func TestPatchLaws(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			w := newWalker(seed)
			a := w.lab(5 + w.IntN(40))
			b := a
			for range 1 + w.IntN(8) {
				b = w.step(b)
			}
			c := w.step(b)
			checkWhole(t, a)
			checkWhole(t, b)

			p, q := Compare(a, b), Compare(b, c)
			same(t, "applying a comparison gives the second lab", b, applied(a, p))
			same(t, "applying what was before takes the patch back", a, applied(b, a.Before(p)))
			same(t, "applying it twice is applying it once", b, applied(b, p))
			same(t, "one patch for two", c, applied(a, p.Then(q)))
			same(t, "a patch survives the wire", b, applied(a, overWire(t, p)))
			same(t, "reverting at once is taking back", a, b.Revert(a.Before(p), p))
			if !Compare(a, a.Clone()).Empty() || p.Empty() != (len(cmp.Diff(a, b, cmpopts.EquateEmpty())) == 0) {
				t.Error("Empty is not about differences")
			}
			around, then := a.Around(p)
			if diff := cmp.Diff(p, Compare(around, then), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the part around a patch does not change as the whole does: %s", diff)
			}
			other := NewLab("other")
			same(t, "from nothing", b, applied(other, Compare(other, b)))
			same(t, "to nothing", other, applied(b, Compare(b, other)))
		})
	}
}

func applied(lab Lab, p Patch) Lab {
	lab = lab.Clone()
	lab.Apply(p)
	return lab
}

func overWire(t *testing.T, p Patch) Patch {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var q Patch
	if err := json.Unmarshal(text, &q); err != nil {
		t.Fatal(err)
	}
	return q
}

// TestRevertLeavesLaterChanges takes an older change back, after others that it does not touch.
func TestRevertLeavesLaterChanges(t *testing.T) {
	edit := func(lab Lab, edits ...Edit) Lab {
		t.Helper()
		after, err := lab.Edit(edits)
		if err != nil {
			t.Fatal(err)
		}
		return after
	}
	start := redAndBlue(t)
	addAddress := func(a string) Edit { return Edit{AddAddress: &AddAddress{"vr", a}} }
	mtu := func(n int) Edit { return Edit{UpdateInterface: &UpdateInterface{ID: "vr", MTU: &n}} }
	rename := func(name string) Edit { return Edit{UpdateNode: &UpdateNode{ID: "r", Name: &name}} }
	add := Edit{AddNode: &AddNode{ID: "n", Name: "new", Kind: Namespace, In: "h"}}
	cable := Edit{AddCable: &AddCable{ID: "d", A: End{ID: "x", Node: "n", Name: "x"}, B: End{ID: "y", Node: "o", Name: "y"}}}
	for name, test := range map[string]struct{ change, later, want []Edit }{
		"another field":            {[]Edit{mtu(1400)}, []Edit{rename("rouge")}, []Edit{rename("rouge")}},
		"another field of it":      {[]Edit{mtu(1400)}, []Edit{addAddress("10.0.0.1/8")}, []Edit{addAddress("10.0.0.1/8")}},
		"the same field":           {[]Edit{mtu(1400)}, []Edit{mtu(1300)}, []Edit{mtu(1300)}},
		"an address between":       {[]Edit{addAddress("10.0.0.1/8")}, []Edit{addAddress("10.0.0.2/8")}, []Edit{addAddress("10.0.0.2/8")}},
		"the name, kept":           {[]Edit{rename("rouge")}, []Edit{rename("rot")}, []Edit{rename("rot")}},
		"what hangs on it":         {[]Edit{add}, []Edit{cable, mtu(1400)}, []Edit{mtu(1400)}},
		"what is gone stays gone":  {[]Edit{mtu(1400)}, []Edit{{Delete: &Delete{"c"}}}, []Edit{{Delete: &Delete{"c"}}}},
		"a cable between the gone": {[]Edit{{Delete: &Delete{"c"}}}, []Edit{{Delete: &Delete{"b"}}}, []Edit{{Delete: &Delete{"b"}}}},
		"in a machine that is gone": {
			[]Edit{{Delete: &Delete{"r"}}}, []Edit{{Delete: &Delete{"h"}}}, []Edit{{Delete: &Delete{"h"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			changed := edit(start, test.change...)
			p := Compare(start, changed)
			before := start.Before(p)
			now := edit(changed, test.later...)
			got := now.Revert(before, p)
			same(t, "reverted", edit(start, test.want...), got)
			checkWhole(t, got)
		})
	}
}
