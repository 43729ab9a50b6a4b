package document

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"vethlab/labengine"
)

// walker makes edits of every kind at random, most of them possible.
type walker struct {
	*rand.Rand
	made int
}

func newWalker(seed uint64) *walker { return &walker{Rand: rand.New(rand.NewPCG(seed, 0))} }

func (w *walker) id() labengine.ID { w.made++; return labengine.ID(fmt.Sprintf("id%d", w.made)) }

func oneOf[V any](w *walker, from ...V) V { return from[w.IntN(len(from))] }

func anyOf[V any](w *walker, from map[labengine.ID]V) labengine.ID {
	if len(from) == 0 {
		return "gone"
	}
	return oneOf(w, slices.Sorted(maps.Keys(from))...)
}

func (w *walker) name() string {
	return oneOf(w, "red", "blue", "host", "v-net-0", "port1", "port2", "port3", "eth0.10", "007", "true", "größe")
}

func (w *walker) address() string {
	return oneOf(w, "10.0.0.1/24", "10.0.0.2/24", "192.168.15.1/24", "2001:db8::1/64", "fd00::2/64")
}

func (w *walker) addresses() []string {
	return oneOf(w, nil, nil, []string{"10.0.0.1/24"}, []string{"fd00::1/64", "10.2.0.1/16"})
}

func (w *walker) mac() string { return oneOf(w, "", "", "02:00:00:00:00:01", "02:00:00:00:00:02") }

func (w *walker) place() *labengine.Place {
	return &labengine.Place{X: float64(w.IntN(1000)) / 4, Y: float64(w.IntN(9) - 4)}
}

func (w *walker) end(lab labengine.Lab) labengine.End {
	end := labengine.End{
		ID: w.id(), Node: anyOf(w, lab.Nodes), Name: w.name(), Addresses: w.addresses(), MAC: w.mac(), Down: w.IntN(4) == 0,
	}
	if bridge := lab.Interfaces[anyOf(w, lab.Interfaces)]; labengine.HasPorts(bridge.Kind) {
		end.Node, end.Master = bridge.Node, bridge.ID
		if bridge.Kind == labengine.OVS {
			end.Port = w.port()
		}
	}
	return end
}

func (w *walker) port() string {
	return oneOf(w, "", "tag 10", "trunks 10,20", "vlan_mode native-untagged tag 5", "tag 0")
}

func (w *walker) edit(lab labengine.Lab) labengine.Edit {
	switch w.IntN(20) {
	case 0:
		return labengine.Edit{AddNode: &labengine.AddNode{ID: w.id(), Name: w.name(), Kind: oneOf(w, labengine.Machine, labengine.LAN)}}
	case 1, 2:
		return labengine.Edit{AddNode: &labengine.AddNode{
			ID: w.id(), Name: w.name(), Kind: labengine.Namespace, In: anyOf(w, lab.Nodes), Place: w.place(),
		}}
	case 3, 4, 5:
		return labengine.Edit{AddCable: &labengine.AddCable{ID: w.id(), A: w.end(lab), B: w.end(lab), MTU: oneOf(w, 0, 0, 1400)}}
	case 6, 7, 8:
		kind := oneOf(w, interfaceKinds...)
		add := labengine.AddInterface{
			ID: w.id(), Node: anyOf(w, lab.Nodes), Name: w.name(), Kind: kind, Addresses: w.addresses(), MAC: w.mac(),
			Down: w.IntN(4) == 0, MTU: oneOf(w, 0, 0, 1400),
		}
		if labengine.MayHaveParent(kind) && w.IntN(4) != 0 {
			add.Parent = anyOf(w, lab.Interfaces)
		}
		if i := lab.Interfaces[anyOf(w, lab.Interfaces)]; labengine.HasPorts(i.Kind) && !labengine.HasPorts(kind) {
			add.Node, add.Master = i.Node, i.ID
			if i.Kind == labengine.OVS {
				add.Port = w.port()
			}
		}
		add.Options = map[string][]string{
			labengine.Bridge: {"", "stp_state 1", "stp_state 1 ageing_time 100"}, labengine.Dummy: {"", "", ""}, labengine.OVS: {"", "", ""},
			labengine.Tun:  {"", "mode tap", "mode tap multi_queue 1 vnet_hdr 1"},
			labengine.VLAN: {"id 10", "id 20", "protocol 802.1ad id 5"}, labengine.MACVLAN: {"", "mode bridge", "mode private"},
			labengine.VXLAN: {"id 7", "id 8 remote 10.0.0.1", "id 9 remote 2001:db8::5"},
		}[kind][w.IntN(3)]
		if labengine.HasPorts(kind) {
			add.Place = w.place()
		}
		return labengine.Edit{AddInterface: &add}
	case 9:
		change := labengine.UpdateNode{ID: anyOf(w, lab.Nodes)}
		if w.IntN(2) == 0 {
			change.Name = new(w.name())
		} else {
			change.In = new(anyOf(w, lab.Nodes))
		}
		return labengine.Edit{UpdateNode: &change}
	case 10, 11:
		change := labengine.UpdateInterface{ID: anyOf(w, lab.Interfaces)}
		switch w.IntN(10) {
		case 7:
			change.VLANs = new(oneOf(w, "", "none", "10 pvid untagged", "10 pvid untagged, 20, 30-40"))
		case 0:
			change.Name = new(w.name())
		case 1:
			change.Node = new(anyOf(w, lab.Nodes))
		case 2:
			change.Up = new(w.IntN(2) == 0)
		case 3:
			change.MAC = new("02:00:00:00:00:07")
		case 4:
			change.Master = new(oneOf(w, "", anyOf(w, lab.Interfaces)))
		case 5:
			change.Port = new(w.port())
		case 6:
			change.Options = new(oneOf(w, "", "stp_state 1", "id 10"))
		case 8:
			change.Alias = new(oneOf(w, "", "up", "the way out", "down: 5 # \"x\"  alias é", "on", "alias alias", "'"))
		default:
			change.MTU = new(oneOf(w, 1400, 1500, 9000))
		}
		return labengine.Edit{UpdateInterface: &change}
	case 12:
		return labengine.Edit{AddAddress: &labengine.AddAddress{Interface: anyOf(w, lab.Interfaces), Address: w.address()}}
	case 13:
		return labengine.Edit{DeleteAddress: &labengine.DeleteAddress{Interface: anyOf(w, lab.Interfaces), Address: w.address()}}
	case 14:
		return labengine.Edit{AddRoute: &labengine.AddRoute{Node: anyOf(w, lab.Nodes), Route: oneOf(w,
			"default via 10.0.0.2", "10.3.0.0/16 via 10.0.0.2 dev red metric 5", "2001:db8:1::/48 via fd00::9", "unreachable 10.9.0.0/16",
			"10.4.0.0/16 nexthop via 10.0.0.2 weight 2 nexthop via inet6 2001:db8::1", "10.4.0.0/16 proto static realm 4 mtu lock 1400 nexthop via 10.0.0.2 nexthop dev red")}}
	case 15:
		n := lab.Nodes[anyOf(w, lab.Nodes)]
		if len(n.Routes) > 0 {
			return labengine.Edit{DeleteRoute: &labengine.DeleteRoute{Node: n.ID, Route: oneOf(w, n.Routes...)}}
		}
		return labengine.Edit{UpdateLab: &labengine.UpdateLab{Name: new(w.name() + ": a lab"), Quiet: new(w.IntN(2) == 0)}}
	case 16:
		return labengine.Edit{SetSysctl: &labengine.SetSysctl{
			Node: anyOf(w, lab.Nodes), Name: oneOf(w, "net.ipv4.ip_forward", "net.core.somaxconn", "net/ipv4/conf/eth0.10/rp_filter"),
			Value: oneOf(w, "0", "1", "7 8", "x: y"),
		}}
	case 17, 18:
		place := w.place()
		return labengine.Edit{Place: &labengine.PlaceNode{
			ID: oneOf(w, anyOf(w, lab.Nodes), anyOf(w, lab.Interfaces)), X: place.X, Y: place.Y,
		}}
	default:
		return labengine.Edit{Delete: &labengine.Delete{
			ID: oneOf(w, anyOf(w, lab.Nodes), anyOf(w, lab.Cables), anyOf(w, lab.Interfaces), anyOf(w, lab.Interfaces)),
		}}
	}
}

// step is the lab after an edit that is possible.
func (w *walker) step(lab labengine.Lab) labengine.Lab {
	for {
		if after, err := lab.Edit([]labengine.Edit{w.edit(lab)}); err == nil {
			return after
		}
	}
}

// byName is a lab without IDs: what it has, by what it is called.
func byName(lab labengine.Lab) map[string]any {
	all := map[string]any{"lab": fmt.Sprintf("%q %t", lab.Name, lab.Quiet)}
	path := func(id labengine.ID) string {
		n := lab.Nodes[id]
		return lab.Nodes[n.In].Name + "/" + n.Name
	}
	name := func(id labengine.ID) string {
		if i, ok := lab.Interfaces[id]; ok {
			return path(i.Node) + ":" + i.Name
		}
		return ""
	}
	for order, n := range lab.NodesInOrder() {
		at := path(n.ID)
		n.ID, n.In, n.Order = "", "", order
		all[at] = n
	}
	for id, i := range lab.Interfaces {
		i.ID, i.Node, i.Master, i.Parent = "", "", labengine.ID(name(i.Master)), labengine.ID(name(i.Parent))
		all[name(id)] = i
	}
	var cables []string
	for _, c := range lab.CablesInOrder() {
		cables = append(cables, name(c.Ends[0])+"--"+name(c.Ends[1]))
	}
	all["cables"] = cables
	for id, p := range lab.Places {
		if _, ok := lab.Nodes[id]; ok {
			all["place of "+path(id)] = p
		} else {
			all["place of "+name(id)] = p
		}
	}
	return all
}

// TestEveryLabIsReadAsItWasWritten has labs that hands made at random.
func TestEveryLabIsReadAsItWasWritten(t *testing.T) {
	for seed := range uint64(15) {
		w := newWalker(seed)
		lab := labengine.NewLab("random")
		for range 60 {
			lab = w.step(lab)
			text := Format(lab, nil)
			read, err := Parse("lab.yaml", text)
			if err != nil {
				t.Fatalf("seed %d: %v\n\nin\n%s", seed, err, text)
			}
			if diff := cmp.Diff(byName(lab.Saved()), byName(read), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("seed %d: %s\n\nin\n%s", seed, diff, text)
			}
		}
	}
}
