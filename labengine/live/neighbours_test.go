package live_test

import (
	"slices"
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/live/labtest"
)

// TestPermanentNeighbours draws and types permanent entries of ARP and NDP tables. The kernel drops them with their link, when
// it goes down and when its MAC changes; taking that back brings them back.
func TestPermanentNeighbours(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	const four, six = "192.168.15.9 lladdr 02:00:00:00:00:09 dev veth-red", "2001:db8::9 lladdr 02:00:00:00:00:0a dev veth-red"
	red := nodeNamed(t, lab.State().Lab, "red").ID
	link, _ := lab.State().Lab.InterfaceNamed(red, "veth-red")
	cable, _ := lab.State().Lab.CableOf(link.ID)
	has := func(what string, want ...string) {
		t.Helper()
		lab.Until(what, func(s labtest.State) bool { return slices.Equal(s.Lab.Nodes[red].Neighbours, want) })
		lab.CheckKernel()
	}

	lab.MustEdit(labengine.Edit{AddNeighbour: &labengine.AddNeighbour{Node: red, Neighbour: "192.168.15.9 dev veth-red lladdr 02:00:00:00:00:09"}})
	has("the drawn entry", four)
	lab.CheckScript()
	lab.Shell("host", "ip -n red neigh add 2001:db8::9 lladdr 02:00:00:00:00:0a dev veth-red")
	has("the typed entry", four, six)
	lab.CheckScript()

	down, mac, name := false, "02:00:00:00:00:01", "eth7"
	for _, c := range []struct {
		what string
		edit labengine.Edit
		left []string
	}{
		{"down", labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: link.ID, Up: &down}}, nil},
		{"another MAC", labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: link.ID, MAC: &mac}}, nil},
		{"deleted", labengine.Edit{Delete: &labengine.Delete{ID: cable.ID}}, nil},
		{"deleted with its node", labengine.Edit{Delete: &labengine.Delete{ID: red}}, nil},
		{"another name", labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: link.ID, Name: &name}}, []string{
			strings.ReplaceAll(four, "veth-red", name), strings.ReplaceAll(six, "veth-red", name),
		}},
		{"taken away", labengine.Edit{DeleteNeighbour: &labengine.DeleteNeighbour{Node: red, Neighbour: four}}, []string{six}},
	} {
		lab.MustEdit(c.edit)
		has(c.what, c.left...)
		mustUndo(t, lab, c.what)
		has(c.what+", taken back", four, six)
	}
	lab.Shell("host", "ip -n red link set veth-red down")
	has("down by hand")
	mustUndo(t, lab, "down by hand")
	has("down by hand, taken back", four, six)
	lab.Shell("host", "ip -n red neigh del 192.168.15.9 dev veth-red")
	has("deleted by hand", six)

	for text, says := range map[string]string{
		"192.168.15.9 dev veth-red":                                       "has no `lladdr`",
		"192.168.15.9 lladdr 02:00:00:00:00:09":                           "has no `dev`",
		"192.168.15.9 lladdr 02:00:00:00:00:09 dev veth-green":            "has no interface `veth-green`",
		"192.168.15.9 lladdr 02:00:00:00:00:09 dev lo":                    "asks for no neighbours",
		"192.168.15.9 lladdr 02:00:00:00:00:09 dev veth-red nud stale":    "is permanent",
		"224.0.0.1 lladdr 02:00:00:00:00:09 dev veth-red":                 "no address of a neighbour",
		"2001:db8::9 lladdr 02:00:00:00:00:0b dev veth-red":               "an entry for 2001:db8::9 already",
		"192.168.15.9 192.168.15.8 lladdr 02:00:00:00:00:09 dev veth-red": "a second address",
		"192.168.15.9 lladdr 03:00:00:00:00:09 dev veth-red":              "group",
	} {
		p := lab.Edit(labengine.Edit{AddNeighbour: &labengine.AddNeighbour{Node: red, Neighbour: text}})
		if p == nil || !strings.Contains(p.Message+p.Hint, says) {
			t.Errorf("%s: %v", text, p)
		}
	}
	has("nothing of that", six)
}
