package live_test

import (
	"fmt"
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/live/labtest"
)

// BenchmarkOVSPorts wires ports of a running lab: all in one gesture, which is one transaction, and one by one, as gestures
// and as commands in a terminal.
func BenchmarkOVSPorts(b *testing.B) {
	for _, ports := range []int{10, 100} {
		var text strings.Builder
		text.WriteString("vethlab: 1\nquiet: true\nnodes:\n  - {name: host, kind: machine}\n  - {name: br0, kind: ovs, in: host}\n")
		for i := range ports {
			fmt.Fprintf(&text, "  - {name: n%d, kind: namespace, in: host}\n", i)
		}
		text.WriteString("cables:\n")
		for i := range ports {
			fmt.Fprintf(&text, "  - [n%d:eth0, host:p%d]\n", i, i)
		}
		plug := func(master string) []labengine.Edit {
			var edits []labengine.Edit
			for i := range ports {
				id := labengine.ID(fmt.Sprintf("host:p%d", i))
				edits = append(edits, labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: id, Master: new(labengine.ID(master))}})
			}
			return edits
		}
		for name, wire := range map[string]func(lab *labtest.Lab){
			"one-transaction": func(lab *labtest.Lab) { lab.MustEdit(plug("host:br0")...) },
			"gestures": func(lab *labtest.Lab) {
				for _, e := range plug("host:br0") {
					lab.MustEdit(e)
				}
			},
			"typed": func(lab *labtest.Lab) {
				lab.Shell("host", fmt.Sprintf("for i in $(seq 0 %d); do ovs-vsctl add-port br0 p$i; done", ports-1))
			},
		} {
			b.Run(fmt.Sprintf("ports=%d/%s", ports, name), func(b *testing.B) {
				lab := labtest.Start(b, text.String())
				b.ResetTimer()
				for range b.N {
					wire(lab)
					b.StopTimer()
					lab.Until("all ports", func(s labtest.State) bool { return len(s.Lab.PortsOf("host:br0")) == ports })
					lab.MustEdit(plug("")...)
					b.StartTimer()
				}
			})
		}
	}
}
