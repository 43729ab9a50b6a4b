package server

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vethlab/labengine"
	"vethlab/labengine/document"
)

// TestAFileReadAgainKeepsIDs has a file replace a lab that was made on a page, with IDs of its own: the same file changes
// nothing.
func TestAFileReadAgainKeepsIDs(t *testing.T) {
	const text = `
vethlab: 1
nodes:
  - {name: host, kind: machine, interfaces: {eth0.10: {kind: vlan, parent: eth0, options: id 10, master: br0}}}
  - {name: br0, kind: bridge, in: host}
  - {name: office, kind: lan, options: stp_state 1}
cables:
  - [host:eth0, office]
  - [br0:a, office]
canvas: {positions: {br0: [1, 2], office: [3, 4]}}
`
	read, err := document.Parse("lab.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	have := keepIDs(labengine.NewLab(""), read)
	for _, id := range []labengine.ID{"host:br0", "host:eth0.10", "office", "host:eth0--office:port1"} {
		have = rename(t, have, id, "id-"+labengine.ID(strings.NewReplacer(":", "", ".", "").Replace(string(id))))
	}
	if diff := cmp.Diff(have, keepIDs(have, read)); diff != "" {
		t.Error(diff)
	}
}

// rename is the lab with another ID for one of its things.
func rename(t *testing.T, lab labengine.Lab, from, to labengine.ID) labengine.Lab {
	t.Helper()
	is := func(id labengine.ID) labengine.ID {
		switch id {
		case from:
			return to
		case labengine.LoopbackID(from):
			return labengine.LoopbackID(to)
		case labengine.SwitchID(from):
			return labengine.SwitchID(to)
		}
		return id
	}
	other := labengine.NewLab(lab.Name)
	for _, n := range lab.Nodes {
		n.ID, n.In = is(n.ID), is(n.In)
		other.Nodes[n.ID] = n
	}
	for _, i := range lab.Interfaces {
		i.ID, i.Node, i.Master, i.Parent = is(i.ID), is(i.Node), is(i.Master), is(i.Parent)
		other.Interfaces[i.ID] = i
	}
	for _, c := range lab.Cables {
		c.ID, c.Ends = is(c.ID), [2]labengine.ID{is(c.Ends[0]), is(c.Ends[1])}
		other.Cables[c.ID] = c
	}
	for id, p := range lab.Places {
		other.Places[is(id)] = p
	}
	return other
}
