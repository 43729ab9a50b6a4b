package ovsdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vethlab/labengine"
)

// selected is what ovsdb-server 3.1 answers, of a bridge with a port of each sort.
const selected = `[{"rows":[
	{"name":"br1","datapath_type":"","ports":["uuid","c1"],"stp_enable":false,"rstp_enable":false,"mcast_snooping_enable":false,"fail_mode":["set",[]]},
	{"name":"br0","datapath_type":"netdev","stp_enable":true,"rstp_enable":false,"mcast_snooping_enable":true,"fail_mode":"secure","ports":["set",[["uuid","a1"],["uuid","a2"],["uuid","gone"],["uuid","a3"]]]}]},
{"rows":[
	{"_uuid":["uuid","a1"],"name":"br0","tag":["set",[]],"trunks":["set",[]],"vlan_mode":["set",[]],"interfaces":["uuid","i1"]},
	{"_uuid":["uuid","a3"],"name":"veth-red-br","tag":10,"trunks":["set",[]],"vlan_mode":["set",[]]},
	{"_uuid":["uuid","a2"],"name":"trunk","tag":["set",[]],"trunks":["set",[20,10]],"vlan_mode":"native-tagged","interfaces":["uuid","i5"]},
	{"_uuid":["uuid","c1"],"name":"br1","tag":["set",[]],"trunks":7,"vlan_mode":["set",[]],"interfaces":["set",[["uuid","i4"],["uuid","i3"],["uuid","i2"]]]}]},
{"rows":[
	{"_uuid":["uuid","i1"],"name":"br0","type":"internal","options":["map",[]]},
	{"_uuid":["uuid","i2"],"name":"eth1","type":"","options":["map",[]]},
	{"_uuid":["uuid","i3"],"name":"eth0","type":"","options":["map",[]]},
	{"_uuid":["uuid","i5"],"name":"trunk","type":"vxlan","options":["map",[["remote_ip","10.0.0.2"],["key","42"]]]}]}]`

func TestParse(t *testing.T) {
	got, err := parse([]byte(selected))
	if err != nil {
		t.Fatal(err)
	}
	want := []Bridge{
		{Name: "br0", Datapath: "netdev", Options: "stp_enable true mcast_snooping_enable true fail_mode secure", Ports: []Port{
			{"br0", labengine.SwitchPort{Tag: -1, Trunks: []int{}}, []Interface{{"br0", "internal", pairs{}}}},
			{"trunk", labengine.SwitchPort{Tag: -1, Trunks: []int{10, 20}, Mode: "native-tagged"},
				[]Interface{{"trunk", "vxlan", pairs{"remote_ip": "10.0.0.2", "key": "42"}}}},
			{"veth-red-br", labengine.SwitchPort{Tag: 10, Trunks: []int{}}, nil},
		}},
		{Name: "br1", Ports: []Port{
			{"br1", labengine.SwitchPort{Tag: -1, Trunks: []int{7}}, []Interface{{"eth0", "", pairs{}}, {"eth1", "", pairs{}}}},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var others []string
	for _, b := range got {
		for _, p := range b.Ports {
			kind, options := p.Other()
			others = append(others, fmt.Sprintf("%s %s %s %t", p.Name, kind, options, p.IsInternal()))
		}
	}
	if diff := cmp.Diff([]string{
		"br0   true", "trunk vxlan key=42 remote_ip=10.0.0.2 false", "veth-red-br   false", "br1 bond eth0 eth1 false",
	}, others); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(selected))
	f.Add([]byte(`[{"error":"no such table"}]`))
	f.Add([]byte(`[{"rows":[{"ports":["set",[["map",[]]]]}]},{"rows":[]}]`)) // a value of another type
	f.Add([]byte(`[{},{}]`))
	f.Add([]byte(`[{},{},{"rows":[{"options":["map",[["a","b"],["a"]]]}]}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		bridges, err := parse(data)
		if err != nil {
			return
		}
		for _, b := range bridges {
			for _, p := range b.Ports {
				_ = p.VLANs.String()
			}
		}
	})
}

// TestConnection has a server that asks whether we are there, says what nobody has asked for, and goes.
func TestConnection(t *testing.T) {
	ours, theirs := net.Pipe()
	changed := make(chan struct{}, 1)
	go func() {
		decoder, encoder := json.NewDecoder(theirs), json.NewEncoder(theirs)
		var m struct {
			ID     any
			Method string
		}
		decoder.Decode(&m)
		encoder.Encode(map[string]any{"id": "echo", "method": "echo", "params": []any{}})
		watch := m.ID
		if err := decoder.Decode(&m); err != nil || m.ID != "echo" {
			t.Errorf("the echo's id is %v, %v", m.ID, err)
		}
		encoder.Encode(map[string]any{"id": 77, "result": "for nobody", "error": nil})
		encoder.Encode(map[string]any{"id": watch, "result": map[string]any{}, "error": nil})
		encoder.Encode(map[string]any{"id": nil, "method": "update", "params": []any{nil, map[string]any{}}})
		decoder.Decode(&m) // the transaction
		encoder.Encode(map[string]any{"id": m.ID, "result": nil, "error": map[string]any{"error": "not owner"}})
		decoder.Decode(&m)
		theirs.Close()
	}()
	c, err := Watch(context.Background(), ours, func() { changed <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	<-changed
	if _, err := c.Bridges(context.Background()); err == nil {
		t.Error("an error of the server is none")
	}
	if _, err := c.Bridges(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("after the server's end: %v", err)
	}
	<-c.Done()
	c.Close()
}

func TestParseTables(t *testing.T) {
	names := parsePorts("netdev@ovs-netdev: hit:1 missed:5\n  br0:\n    br0 65534/2: (tap)\n    veth-red-br 2/3: (system)\n  br1:\n    other 2/9: (system)\n", "br0")
	fdb := parseFDB(" port  VLAN  MAC                Age\nLOCAL     0  d6:cc:e1:5f:a2:8e    0\n    2    10  f6:cc:4b:a3:eb:ad    7\n    9     0  02:00:00:00:00:01  static\n", names)
	if diff := cmp.Diff([]labengine.SwitchEntry{
		{Port: "9", MAC: "02:00:00:00:00:01", Age: "static"}, {Port: "br0", MAC: "d6:cc:e1:5f:a2:8e", Age: "0"},
		{Port: "veth-red-br", VLAN: 10, MAC: "f6:cc:4b:a3:eb:ad", Age: "7"},
	}, fdb); diff != "" {
		t.Error(diff)
	}
	flows := parseFlows(`duration=0s, n_packets=6, n_bytes=460, priority=0,actions=NORMAL
table_id=1, duration=0s, n_packets=0, n_bytes=0, priority=5,in_port=1,actions=resubmit(,2),output:2
table_id=254, duration=0s, n_packets=0, n_bytes=0, priority=2,recirc_id=0,actions=drop
`)
	if diff := cmp.Diff([]labengine.SwitchFlow{
		{Packets: 6, Bytes: 460, Text: "priority=0 actions=NORMAL"},
		{Table: 1, Text: "priority=5,in_port=1 actions=resubmit(,2),output:2"},
	}, flows); diff != "" {
		t.Error(diff)
	}
}
