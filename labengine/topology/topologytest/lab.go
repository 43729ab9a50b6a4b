// Package topologytest reads labs as tests of pure packages write them: one line for each thing, in the words of ip(8), and
// IDs that can be read.
//
//	host, neighbour: machine
//	office: lan
//	red, blue: namespace in host
//	host:v-net-0 bridge 192.168.15.5/24
//	red:veth-red 192.168.15.1/24 -- host:veth-red-br on v-net-0
//	host:eth0 192.168.1.2/24 -- office
//	host:eth0.10 vlan over eth0 id 10 10.0.0.1/24
//	red:lo up
//	red: route default via 192.168.15.5
//	red: rule from 192.168.15.0/24 table 100
//	host: sysctl net.ipv4.ip_forward=1
//	host: iptables -P FORWARD DROP
//
// A node's ID is its name, an interface's is `node:name`, and a cable's is its ends', joined by `--`. An end at a LAN needs
// no name. After an interface come, in any order, its addresses and `down`, `mtu N`, `on BRIDGE`, and a kind's options; `cut`
// and `loss P%` of what it sends; of a port of Open vSwitch, `tag N` and `trunks N,M`; and of a bridge's, `vid N [pvid] [untagged]`.
package topologytest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"vethlab/labengine"
)

// Lab reads a lab, by the edits that a hand would make.
func Lab(t testing.TB, text string) labengine.Lab {
	t.Helper()
	edits := Edits(t, text)
	if len(edits) == 0 {
		return labengine.NewLab("test")
	}
	lab, err := labengine.NewLab("test").Edit(edits)
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

// Edits reads what a lab is made by.
func Edits(t testing.TB, text string) []labengine.Edit {
	t.Helper()
	r := reader{lans: map[string]int{}}
	for number, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := r.line(line); err != nil {
			t.Fatalf("line %d, %q: %v", number+1, line, err)
		}
	}
	return r.edits
}

type reader struct {
	edits []labengine.Edit
	lans  map[string]int // ports so far
}

func (r *reader) add(edits ...labengine.Edit) { r.edits = append(r.edits, edits...) }

func (r *reader) line(line string) error {
	if a, b, ok := strings.Cut(line, " -- "); ok {
		return r.cable(a, b)
	}
	names, rest, ok := strings.Cut(line, ": ")
	if !ok {
		return r.iface(line)
	}
	verb, value, _ := strings.Cut(rest, " ")
	for _, name := range strings.Split(names, ", ") {
		id := labengine.ID(name)
		switch verb {
		case "machine", "lan", "internet":
			r.add(labengine.Edit{AddNode: &labengine.AddNode{ID: id, Name: name, Kind: labengine.Kind(verb)}})
			if verb == "lan" {
				r.lans[name] = 0
			}
		case "namespace", "container":
			in, ok := strings.CutPrefix(value, "in ")
			if !ok {
				return fmt.Errorf("a %s is in a machine", verb)
			}
			r.add(labengine.Edit{AddNode: &labengine.AddNode{ID: id, Name: name, Kind: labengine.Kind(verb), In: labengine.ID(in)}})
		case "route":
			r.add(labengine.Edit{AddRoute: &labengine.AddRoute{Node: id, Route: value}})
		case "rule":
			r.add(labengine.Edit{AddIPRule: &labengine.AddIPRule{Node: id, Rule: value}})
		case "iptables", "ip6tables":
			r.add(labengine.Edit{Iptables: &labengine.Iptables{Node: id, IPv6: verb == "ip6tables", Commands: []string{value}}})
		case "sysctl":
			name, value, _ := strings.Cut(value, "=")
			r.add(labengine.Edit{SetSysctl: &labengine.SetSysctl{Node: id, Name: name, Value: value}})
		default:
			return fmt.Errorf("there is no %q", verb)
		}
	}
	return nil
}

// words are what is said of an interface.
type words struct {
	node, name, kind   string
	addresses, options []string
	impair, port       []string
	vlans              []string
	down, up           bool
	mtu                int
	master, parent     string
}

func (r *reader) parse(text string) (w words, err error) {
	fields := strings.Fields(text)
	w.node, w.name, _ = strings.Cut(fields[0], ":")
	if _, isLAN := r.lans[w.node]; isLAN && w.name == "" {
		r.lans[w.node]++
		w.name = fmt.Sprint("p", r.lans[w.node])
	}
	known := map[string]bool{}
	for at := 1; at < len(fields); at++ {
		word := fields[at]
		value := func() string {
			if at++; at < len(fields) {
				return fields[at]
			}
			err = fmt.Errorf("%s is followed by its value", word)
			return ""
		}
		options, isKind := labengine.LinkOptions(word)
		switch {
		case known[word]:
			w.options = append(w.options, word, value())
		case isKind:
			w.kind = word
			for _, o := range options {
				known[o.Name] = true
			}
		case word == "down":
			w.down = true
		case word == "up":
			w.up = true
		case word == "mtu":
			w.mtu, err = strconv.Atoi(value())
		case word == "cut":
			w.impair = append(w.impair, word)
		case word == "loss":
			w.impair = append(w.impair, word, value())
		case word == "tag" || word == "trunks":
			w.port = append(w.port, word, value())
		case word == "vid":
			w.vlans = append(w.vlans, word, value())
		case word == "pvid" || word == "untagged":
			w.vlans = append(w.vlans, word)
		case word == "on":
			w.master = w.node + ":" + value()
		case word == "over":
			w.parent = w.node + ":" + value()
		default:
			w.addresses = append(w.addresses, word)
		}
		if err != nil {
			return w, err
		}
	}
	return w, nil
}

func (w words) id() labengine.ID { return labengine.ID(w.node + ":" + w.name) }

func (r *reader) cable(a, b string) error {
	var ends [2]labengine.End
	var id labengine.ID
	var mtus []labengine.Edit
	for e, text := range [2]string{a, b} {
		w, err := r.parse(text)
		if err != nil {
			return err
		}
		ends[e] = labengine.End{
			ID: w.id(), Node: labengine.ID(w.node), Name: w.name, Addresses: w.addresses, Down: w.down, Master: labengine.ID(w.master),
			Impair: strings.Join(w.impair, " "), Port: strings.Join(w.port, " "), VLANs: strings.Join(w.vlans, " "),
		}
		if id += w.id(); e == 0 {
			id += "--"
		}
		if w.mtu != 0 {
			mtus = append(mtus, labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: w.id(), MTU: &w.mtu}})
		}
	}
	r.add(labengine.Edit{AddCable: &labengine.AddCable{ID: id, A: ends[0], B: ends[1]}})
	r.add(mtus...)
	return nil
}

// iface makes an interface, or says more of one that is there: lo.
func (r *reader) iface(line string) error {
	w, err := r.parse(line)
	if err != nil || w.name == "" {
		return fmt.Errorf("neither a node nor an interface: %v", err)
	}
	if w.kind != "" {
		r.add(labengine.Edit{AddInterface: &labengine.AddInterface{
			ID: w.id(), Node: labengine.ID(w.node), Name: w.name, Kind: w.kind, Parent: labengine.ID(w.parent),
			Options: strings.Join(w.options, " "), Addresses: w.addresses, MTU: w.mtu, Down: w.down, Master: labengine.ID(w.master),
			Port: strings.Join(w.port, " "), VLANs: strings.Join(w.vlans, " "),
		}})
		return nil
	}
	id := w.id()
	if w.name == "lo" {
		id = labengine.LoopbackID(labengine.ID(w.node))
	}
	for _, a := range w.addresses {
		r.add(labengine.Edit{AddAddress: &labengine.AddAddress{Interface: id, Address: a}})
	}
	if w.up || w.down {
		r.add(labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: id, Up: &w.up}})
	}
	return nil
}
