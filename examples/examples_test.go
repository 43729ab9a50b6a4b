package examples

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/document"
	"vethlab/labengine/plan"
)

func TestExamplesParse(t *testing.T) {
	files, err := FS.ReadDir(".")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	if len(List()) != len(files) {
		t.Errorf("%d files, %d examples", len(files), len(List()))
	}
	for _, f := range files {
		text, err := FS.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		lab, err := document.Parse(f.Name(), text)
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(document.Format(lab, text), text) {
			t.Errorf("%s changes when it is written", f.Name())
		}
	}
}

// TestMachinesFirst: a lab whose machines are made before the rest is planned is made by the same steps.
func TestMachinesFirst(t *testing.T) {
	for _, e := range List() {
		lab := parse(t, e.Name+".yaml")
		whole := plan.Diff(labengine.NewLab(""), lab)
		parts := append(plan.Diff(labengine.NewLab(""), lab.Machines()), plan.Diff(lab.Machines(), lab)...)
		if !reflect.DeepEqual(whole, parts) {
			t.Errorf("%s: %s\n---\n%s", e.Name, whole.Script(), parts.Script())
		}
	}
}

// TestBridge has what the example's text says.
func TestBridge(t *testing.T) {
	lab := parse(t, "bridge.yaml")
	bridge, ok := lab.InterfaceNamed("host", "v-net-0")
	if !ok || bridge.Kind != labengine.Bridge || !slices.Equal(bridge.Addresses, []string{"192.168.15.5/24"}) {
		t.Errorf("v-net-0 is %+v", bridge)
	}
	if ports := lab.PortsOf(bridge.ID); len(ports) != 4 {
		t.Errorf("its ports are %+v", ports)
	}
	for i, name := range []string{"red", "blue", "green", "yellow"} {
		checkHost(t, lab, name, fmt.Sprintf("192.168.15.%d/24", i+1))
	}
}

func TestLAN(t *testing.T) {
	lab := parse(t, "lan.yaml")
	checkHost(t, lab, "red", "192.168.15.1/24")
	checkHost(t, lab, "blue", "192.168.15.2/24")
	host, _ := lab.FindNode("host")
	neighbour, _ := lab.FindNode("neighbour")
	office, _ := lab.FindNode("office")
	if !slices.Equal(host.Sysctls, []string{"net.ipv4.ip_forward=1"}) {
		t.Errorf("host's settings are %q", host.Sysctls)
	}
	if !slices.Equal(neighbour.Routes, []string{"192.168.15.0/24 via 192.168.1.2"}) {
		t.Errorf("neighbour's routes are %q", neighbour.Routes)
	}
	if ports := lab.PortsOf(labengine.SwitchID(office.ID)); office.Kind != labengine.LAN || len(ports) != 2 {
		t.Errorf("office is %+v, its ports are %+v", office, ports)
	}
}

// checkHost checks a namespace that has one cable, to v-net-0, and leaves everything else to host.
func checkHost(t *testing.T, lab labengine.Lab, name, address string) {
	t.Helper()
	n, err := lab.FindNode(name)
	if err != nil {
		t.Fatal(err)
	}
	i, _ := lab.InterfaceNamed(n.ID, "veth-"+name)
	port, _ := lab.InterfaceNamed(n.In, "veth-"+name+"-br")
	if !slices.Equal(i.Addresses, []string{address}) || lab.Interfaces[port.Master].Name != "v-net-0" || len(port.Addresses) != 0 {
		t.Errorf("%s has %+v, and is at %+v", name, i, port)
	}
	if !slices.Equal(n.Routes, []string{"default via 192.168.15.5"}) {
		t.Errorf("%s has the routes %q", name, n.Routes)
	}
}

func parse(t *testing.T, name string) labengine.Lab {
	t.Helper()
	text, err := FS.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lab, err := document.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

// TestRedAndBlue has what the first lesson and the README say of it.
func TestRedAndBlue(t *testing.T) {
	lab := parse(t, "red-and-blue.yaml")
	for id, address := range map[string]string{"veth-red": "192.168.15.1/24", "veth-blue": "192.168.15.2/24"} {
		found := false
		for _, i := range lab.Interfaces {
			found = found || i.Name == id && len(i.Addresses) == 1 && i.Addresses[0] == address && i.Up
		}
		if !found {
			t.Errorf("%s does not have %s", id, address)
		}
	}
	if len(lab.Places) != 3 {
		t.Errorf("%d nodes have a place", len(lab.Places))
	}
}

func TestOVS(t *testing.T) {
	lab := parse(t, "ovs.yaml")
	bridge, ok := lab.InterfaceNamed("host", "br0")
	if !ok || bridge.Kind != labengine.OVS {
		t.Errorf("br0 is %+v", bridge)
	}
	var ports []string
	for _, p := range lab.PortsOf(bridge.ID) {
		ports = append(ports, p.Name+" "+p.Port)
	}
	want := []string{"veth-blue-br tag 10", "veth-green-br tag 20", "veth-red-br tag 10", "veth-yellow-br trunks 10,20"}
	if !slices.Equal(ports, want) {
		t.Errorf("its ports are %q", ports)
	}
}
