package live_test

import (
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/live/labtest"
)

// TestTun draws and types tun interfaces. Nobody is attached to one that was just made: it has no carrier, and works once a
// program is.
func TestTun(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	red := nodeNamed(t, lab.State().Lab, "red").ID
	add := func(name, options string, more ...labengine.Edit) *labengine.Problem {
		return lab.Edit(append([]labengine.Edit{{AddInterface: &labengine.AddInterface{
			ID: labengine.ID(name), Node: red, Name: name, Kind: labengine.Tun, Options: options, MTU: 1400, Addresses: []string{"10.8.0.1/24"},
		}}}, more...)...)
	}
	for name, options := range map[string]string{"tun0": "", "tap0": "mode tap", "tap1": "mode tap multi_queue 1 vnet_hdr 1 pi 1"} {
		if p := add(name, options); p != nil {
			if f := featuresOf(lab)["tun"]; f.Answer != labengine.Present && strings.Contains(p.Hint, "/dev/net/tun") {
				t.Logf("not on this system: %v, %v", p, f)
				lab.CheckKernel()
				return
			}
			t.Fatalf("%s %s: %v", name, options, p)
		}
		lab.CheckKernel()
	}
	out := lab.Shell("host", "ip -n red tuntap | sort")
	const want = "tap0: tap persist\ntap1: tap pi multi_queue vnet_hdr persist filter\ntun0: tun persist\n"
	if out != want {
		t.Errorf("ip tuntap: %q", out)
	}
	tun0 := lab.State().Lab.Interfaces["tun0"]
	if tun0.MAC != "" || tun0.MTU != 1400 || !tun0.Up {
		t.Errorf("tun0 is %+v", tun0)
	}
	for _, e := range []labengine.Edit{
		{UpdateInterface: &labengine.UpdateInterface{ID: "tun0", MAC: new("02:00:00:00:00:01")}},
		{UpdateInterface: &labengine.UpdateInterface{ID: "tun0", Options: new("mode tap")}},
		{AddInterface: &labengine.AddInterface{ID: "tun9", Node: red, Name: "tun9", Kind: labengine.Tun, MAC: "02:00:00:00:00:01"}},
	} {
		if p := lab.Edit(e); p == nil || p.Code == labengine.CodeRefused {
			t.Errorf("%+v: %v", e, p)
		}
	}

	// A tap is a port of a bridge as any other; what carries packets is none.
	lab.MustEdit(labengine.Edit{AddInterface: &labengine.AddInterface{ID: "br0", Node: red, Name: "br0", Kind: labengine.Bridge}})
	lab.MustEdit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: "tap0", Master: new(labengine.ID("br0"))}})
	if p := lab.Edit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: "tun0", Master: new(labengine.ID("br0"))}}); p == nil {
		t.Error("tun0 is a port of a bridge")
	}
	lab.CheckKernel()
	lab.CheckScript()

	lab.Shell("host", "ip tuntap add dev typed mode tap; ip link set typed netns red name moved; ip tuntap add dev tun5 mode tun; ip link set dev tun5 up")
	state := lab.Until("what was typed", func(s labtest.State) bool {
		moved, ok := s.Lab.InterfaceNamed(red, "moved")
		tun5, is := s.Lab.InterfaceNamed("host", "tun5")
		return ok && is && moved.Options == "mode tap" && tun5.Up
	})
	lab.CheckKernel()
	tun5, _ := state.Lab.InterfaceNamed("host", "tun5")
	if tun5.Kind != labengine.Tun || !tun5.Saved() {
		t.Errorf("tun5 is %+v", tun5)
	}

	lab.MustEdit(labengine.Edit{Delete: &labengine.Delete{ID: red}})
	mustUndo(t, lab, "the deletion of red")
	lab.CheckKernel()
	if out := lab.Shell("host", "ip -n red tuntap | sort"); !strings.HasSuffix(out, want[strings.Index(want, "tap1"):]) {
		t.Errorf("ip tuntap after an undo: %q", out)
	}

	lab.Shell("host", "ip -n blue tuntap add dev taken mode tun")
	blue := nodeNamed(t, state.Lab, "blue").ID
	lab.Until("the typed one", func(s labtest.State) bool { _, ok := s.Lab.InterfaceNamed(blue, "taken"); return ok })
	p := lab.Edit(labengine.Edit{AddInterface: &labengine.AddInterface{ID: "again", Node: blue, Name: "taken", Kind: labengine.Tun}})
	if p == nil || p.Code != labengine.CodeExists {
		t.Errorf("a name that is taken: %v", p)
	}
}
