package live_test

import "vethlab/labengine"

// What hands and terminals do in a random walk with Open vSwitch.

func (w *walker) addOVS(lab labengine.Lab) {
	machine, _ := pick(w, ids(lab.Nodes, func(n labengine.Node) bool { return n.Kind == labengine.Machine }))
	name := w.name("s")
	w.edit(labengine.Edit{AddInterface: &labengine.AddInterface{
		ID: labengine.ID(name), Node: machine, Name: name, Kind: labengine.OVS, Addresses: []string{w.randomAddress()},
	}})
}

func (w *walker) anyOVS(lab labengine.Lab) (labengine.Interface, bool) {
	id, ok := pick(w, ids(lab.Interfaces, func(i labengine.Interface) bool { return i.Kind == labengine.OVS }))
	return lab.Interfaces[id], ok
}

var switchOptions = []string{"", "mcast_snooping_enable true", "stp_enable true", "rstp_enable true fail_mode secure"}

// setOVS renames an OVS bridge, gives it another MAC or other options, or deletes it.
func (w *walker) setOVS(lab labengine.Lab) {
	i, ok := w.anyOVS(lab)
	if !ok {
		return
	}
	switch w.rand.IntN(4) {
	case 0:
		w.edit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: i.ID, Name: new(w.name("s"))}})
	case 2:
		options, _ := pick(w, switchOptions)
		w.edit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: i.ID, Options: &options}})
	case 1:
		w.edit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: i.ID, MAC: new("02:00:00:00:00:77")}})
	default:
		w.edit(labengine.Edit{Delete: &labengine.Delete{ID: i.ID}})
	}
}

func (w *walker) anyOVSPort(lab labengine.Lab) (labengine.Interface, bool) {
	id, ok := pick(w, ids(lab.Interfaces, func(i labengine.Interface) bool { return lab.Interfaces[i.Master].Kind == labengine.OVS }))
	return lab.Interfaces[id], ok
}

var switchPorts = []string{"", "tag 10", "tag 20 vlan_mode native-untagged", "trunks 10,20"}

func (w *walker) setPort(lab labengine.Lab) {
	if i, ok := w.anyOVSPort(lab); ok {
		port, _ := pick(w, switchPorts)
		w.edit(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: i.ID, Port: &port}})
	}
}

// typeOVS makes an OVS bridge, or deletes one of host's.
func (w *walker) typeOVS(lab labengine.Lab) {
	i, ok := w.anyOVS(lab)
	if ok && i.Node == "host" && w.rand.IntN(3) == 0 {
		w.typed("ovs-vsctl del-br %s", i.Name)
		return
	}
	if ok && i.Node == "host" && w.rand.IntN(2) == 0 {
		w.typed("ovs-vsctl set bridge %s %s", i.Name, []string{"stp_enable=true", "stp_enable=false", "fail_mode=secure", "rstp_enable=true"}[w.rand.IntN(4)])
		return
	}
	name := w.name("y")
	w.typed("ovs-vsctl add-br %s -- set bridge %s datapath_type=netdev", name, name)
}

func (w *walker) typeSetPort(lab labengine.Lab) {
	i, ok := w.anyOVSPort(lab)
	if !ok || i.Node != "host" {
		return
	}
	columns, _ := pick(w, []string{"tag=30", "trunks=5,6", "vlan_mode=native-tagged tag=7"})
	w.typed("ovs-vsctl set port %s %s", i.Name, columns)
}
