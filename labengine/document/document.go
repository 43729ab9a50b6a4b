// Package document reads and writes a lab as a file: YAML, in the words that people type already.
//
//	vethlab: 1
//	name: Two namespaces on a bridge
//	nodes:
//	  - {name: host, kind: machine, sysctls: {net.ipv4.ip_forward: 1}, interfaces: {d0: {kind: dummy}}}
//	  - {name: red,  kind: namespace, in: host, routes: [default via 192.168.15.5]}
//	  - {name: blue, kind: namespace, in: host, interfaces: {lo: {up: true}}}
//	  - {name: v-net-0, kind: bridge, in: host, addresses: [192.168.15.5/24], options: stp_state 1}
//	  - {name: office, kind: lan}
//	cables:
//	  - [red:veth-red 192.168.15.1/24, v-net-0:veth-red-br]
//	  - [blue:veth-blue 192.168.15.2/24, v-net-0:veth-blue-br]
//	  - [host:eth0 192.168.1.2/24, office]
//	canvas:
//	  positions:
//	    host: [120, 80]
//
// A bridge is a node to the file and an interface to the engine; an end of a cable on a bridge is an interface of the node
// that the bridge is in. An end is `node:interface`, then in any order its addresses, `mtu N`, `mac XX:…`, `master BRIDGE`
// and `down`; an end at a LAN may leave its name out, and is then port1, port2, … in the order of the file. Nodes and
// bridges are called by their names, or by as much of their path as tells them apart: `host/red`, `red/br0`. What a file
// does not state is as a fresh namespace has it; what [Format] would only repeat it leaves out. Keys are the same in every
// place, and unknown ones are refused, so that later versions can add some.
package document

import (
	"bytes"
	"cmp"
	"errors"
	"strings"

	"vethlab/labengine"
)

// Version of the format, the value of the file's first key.
const Version = "1"

// The sizes up to which a file is read.
const (
	MaxBytes  = 1 << 20
	MaxNodes  = 5_000
	MaxCables = 10_000
)

// Unnamed is the name of a lab whose file gives none.
const Unnamed = "Unnamed lab"

// Parse reads a file. Its name is for errors: each is a [labengine.Problem] "bad-file" whose message has the line and
// shows it. The IDs of what is in the lab are derived from names, and so the same each time.
func Parse(name string, source []byte) (labengine.Lab, error) {
	r, _, err := read(name, source)
	if err != nil {
		return labengine.Lab{}, err
	}
	return r.lab, nil
}

func read(name string, source []byte) (*reader, value, error) {
	f, err := newFile(name, source)
	if err != nil {
		return nil, value{}, err
	}
	root, err := f.tree()
	if err != nil {
		return nil, value{}, err
	}
	r := newReader(f)
	return r, root, r.read(root)
}

// Format writes a lab. Of source only what says something else than the lab is changed: comments, spaces and the order of
// everything else stay byte for byte. Where that cannot be, a file is written anew below the source's leading comment. What
// the lab has and a file does not save is left out: namespaces that a process holds, interfaces for which there are no words,
// cables with an end on one of them.
func Format(lab labengine.Lab, source []byte) []byte {
	want := savedOf(lab)
	text := want.write()
	if len(source) == 0 {
		return text
	}
	r, root, err := read("", source)
	if err != nil {
		return text
	}
	was := savedOf(r.lab)
	if bytes.Equal(was.write(), text) {
		return source
	}
	if changed, err := inPlace(r, root, source, was, want, text); err == nil {
		return changed
	}
	text = append(leadingComment(source), text...)
	if _, eol, _ := lineEnds(source); eol != "\n" {
		text = bytes.ReplaceAll(text, []byte("\n"), []byte(eol))
	}
	return text
}

// inPlace is the source, changed where it says something else than the wanted lab, whose own file would be text.
func inPlace(r *reader, root value, source []byte, was, want *saved, text []byte) ([]byte, error) {
	if err := r.locate(&root); err != nil {
		return nil, err
	}
	var problems []error
	for _, how := range []manner{{}, {byID: true}, {moves: true}} {
		changed, err := rewrite(r, root, source, was, want, how)
		if err == nil {
			var again labengine.Lab
			if again, err = Parse("", changed); err == nil && bytes.Equal(savedOf(again).write(), text) {
				return changed, nil
			}
		}
		problems = append(problems, cmp.Or(err, errNoSplice))
	}
	return nil, errors.Join(problems...)
}

// Same says whether two labs are the same once saved: IDs, and what a file leaves out, do not count.
func Same(a, b labengine.Lab) bool { return bytes.Equal(savedOf(a).write(), savedOf(b).write()) }

// leadingComment is the comment at the start of a file, up to the first line that is none.
func leadingComment(source []byte) []byte {
	var comment []byte
	for line := range strings.Lines(normalize(source)) {
		if text := strings.TrimSpace(line); text != "" && text[0] != '#' {
			break
		}
		comment = append(comment, line...)
	}
	if len(bytes.TrimSpace(comment)) == 0 {
		return nil
	}
	return comment
}
