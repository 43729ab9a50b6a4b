package document

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"vethlab/labengine"
)

// object is a part of a JSON Schema.
type object = map[string]any

// Schema is the format of the file as a JSON Schema, draft 2020-12, for editors. It is made of the shapes, kinds and options
// by which files are read. It says what can be said of a file's form; what names what, and what the kernel refuses, only
// [Parse] knows.
func Schema() []byte {
	nodes := []object{}
	for _, kind := range nodeKinds {
		nodes = append(nodes, object{"$ref": "#/$defs/" + kind})
	}
	defs := object{
		"text": object{"type": []string{"string", "number"}},
		"interfaceName": object{
			"type": []string{"string", "number"}, "maxLength": 15, "pattern": `^[^/:%\s]+$`,
			"not": object{"enum": []string{"all", "default", ".", ".."}}, "description": "A device's name, as the kernel takes it.",
		},
		"address": object{
			"type": "string", "pattern": `^[0-9a-fA-F:.]+(/[0-9]{1,3})?$`,
			"description": "An address in CIDR notation: 192.168.15.1/24, or \"2001:db8::1/64\" in quotes.",
		},
		"end": object{
			"type": []string{"string", "number"}, "pattern": `^\s*[^\s:]+(:[^\s:/%]+)?(\s+[^\s]+)*\s*$`,
			"description": "node:interface, then in any order addresses, `mtu 1400`, `mac 02:00:5e:10:00:01`, `master v-net-0`, `vid 10 pvid untagged`, " +
				"of an OVS bridge's port `tag 10` and `trunks 10,20`, `down`, and last `alias` with its text. Of a LAN, its name is enough; of a bridge, bridge:interface is a port of it.",
		},
		"ends": object{
			"type": "array", "items": object{"$ref": "#/$defs/end"}, "minItems": 2, "maxItems": 2,
			"examples": []any{[]string{"red:veth-red 192.168.15.1/24", "blue:veth-blue 192.168.15.2/24"}},
		},
		"cable": object{
			"description": "A veth pair: two ends, or what both ends share besides.",
			"oneOf": []object{
				{"$ref": "#/$defs/ends"},
				closed(cableShape, object{"ends": object{"$ref": "#/$defs/ends"}, "mtu": keySchema("mtu")}, "ends"),
			},
		},
		"place":    object{"type": "array", "items": object{"type": "number", "minimum": -maxPlace, "maximum": maxPlace}, "minItems": 2, "maxItems": 2},
		"loopback": closed(loopbackShape, keySchemas(loopbackShape, object{"mtu": mtuSchema(labengine.DefaultMTU(labengine.Loopback))})),
	}
	for _, kind := range nodeKinds {
		defs[kind] = nodeSchema(labengine.Kind(kind))
	}
	interfaces := []object{}
	for _, kind := range interfaceKinds {
		defs["interface-"+kind] = interfaceSchema(kind)
		interfaces = append(interfaces, object{"$ref": "#/$defs/interface-" + kind})
	}
	defs["interface"] = object{"oneOf": interfaces}
	schema := closed(topShape, object{
		"vethlab": object{"enum": []any{1, Version}, "description": "The version of the format."},
		"name":    object{"$ref": "#/$defs/text", "description": "The lab's name."},
		"quiet":   object{"type": "boolean", "default": false, "description": "No IPv6 link-local addresses and one queue per veth: cheaper large labs."},
		"nodes": object{
			"type": []string{"array", "null"}, "items": object{"oneOf": nodes}, "maxItems": MaxNodes,
			"description": "Machines, what is in them, and the LANs between them.",
		},
		"cables": object{"type": []string{"array", "null"}, "items": object{"$ref": "#/$defs/cable"}, "maxItems": MaxCables},
		"canvas": orNull(closed(canvasShape, object{
			"positions": object{
				"type": []string{"object", "null"}, "additionalProperties": object{"$ref": "#/$defs/place"},
				"description": "Where nodes and bridges are drawn, in pixels, from the corner of what they are in.",
			},
		})),
	}, "vethlab")
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "A vethlab lab"
	schema["$defs"] = defs
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(err) // maps, lists and text can always be written
	}
	return append(text, '\n')
}

// closed is an object with the shape's keys and no others, of which some have to be there.
func closed(s shape, properties object, required ...string) object {
	for key := range properties {
		if !slices.Contains(s.keys, key) {
			panic(s.of + " has no key " + key)
		}
	}
	for _, key := range s.keys {
		if properties[key] == nil {
			panic("nothing says what " + key + " of " + s.of + " is")
		}
	}
	schema := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

func orNull(schema object) object {
	schema["type"] = []string{"object", "null"}
	return schema
}

// nodeSchema is an entry of the list of nodes.
func nodeSchema(kind labengine.Kind) object {
	name := object{"$ref": "#/$defs/interfaceName"}
	switch kind {
	case labengine.Machine, labengine.Container:
		name = object{"type": []string{"string", "number"}, "maxLength": 63, "pattern": `^[A-Za-z0-9._][A-Za-z0-9._-]*$`}
	case labengine.Namespace, labengine.LAN, labengine.Internet:
		name = object{"type": []string{"string", "number"}, "maxLength": 255, "pattern": `^[^-/:\s][^/:\s]*$`}
	}
	required := []string{"name", "kind"}
	if kind.IsInside() || isBridge(kind) {
		required = append(required, "in")
	}
	given := object{"name": name, "kind": object{"const": kind, "description": nodeText[kind]}}
	switch kind {
	case bridgeKind, labengine.LAN:
		given["options"] = optionsSchema(labengine.Bridge)
	case ovsKind:
		given["options"] = optionsSchema(labengine.OVS)
	}
	return closed(nodeShapes[kind], keySchemas(nodeShapes[kind], given), required...)
}

var nodeText = map[labengine.Kind]string{
	labengine.Machine:   "A computer: a network, processes and a host name of its own.",
	labengine.Namespace: "A network namespace of a machine, ip-netns(8).",
	bridgeKind:          "A Linux bridge in a machine or a namespace: a switch, and an interface of what it is in.",
	ovsKind:             "An Open vSwitch bridge in a machine, with the datapath in user space: a switch, and an interface of the machine.",
	labengine.LAN:       "A switch between machines, in none of them.",
	labengine.Container: "Network, pid, mount and host name of its own in a machine, with a process of its own.",
	labengine.Internet:  "The world outside: routers, and public addresses that answer.",
}

// interfaceSchema is an interface under its node.
func interfaceSchema(kind string) object {
	options, _ := labengine.LinkOptions(kind)
	given := object{"kind": object{"const": kind}}
	required := []string{"kind"}
	keys := slices.DeleteFunc(slices.Clone(interfaceShape.keys), func(key string) bool {
		return key == "parent" && !labengine.MayHaveParent(kind) || (key == "master" || key == "port") && labengine.HasPorts(kind) ||
			key == "options" && len(options) == 0
	})
	if len(options) > 0 {
		given["options"] = optionsSchema(kind)
	}
	if labengine.NeedsParent(kind) {
		required = append(required, "parent")
	}
	if slices.ContainsFunc(options, func(o labengine.LinkOption) bool { return o.Default == "" }) {
		required = append(required, "options")
	}
	s := shape{of: interfaceShape.of, keys: keys}
	return closed(s, keySchemas(s, given), required...)
}

// optionsSchema is a kind's options in the words of ip-link(8) or, of an OVS bridge, of ovs-vswitchd.conf.db(5).
func optionsSchema(kind string) object {
	options, _ := labengine.LinkOptions(kind)
	var words, texts []string
	for _, o := range options {
		value, text := `[^\s]+`, "an address"
		switch o.Type {
		case labengine.NumberOption:
			value, text = "[0-9]+", fmt.Sprintf("%d to %d", o.Min, o.Max)
		case labengine.ChoiceOption:
			value, text = `[^\s]+`, strings.Join(o.Words, ", ")
		}
		if o.Default != "" {
			text += "; else " + o.Default
		}
		words = append(words, o.Name+`\s+`+value)
		texts = append(texts, o.Name+" ("+text+")")
	}
	source := "As ip-link(8) takes them"
	if kind == labengine.OVS {
		source = "Columns of ovs-vswitchd.conf.db(5)"
	}
	word := `(` + strings.Join(words, "|") + `)`
	return object{
		"type": "string", "pattern": `^\s*(` + word + `(\s+` + word + `)*)?\s*$`,
		"description": source + ": " + strings.Join(texts, ", ") + ".",
	}
}

func keySchemas(s shape, given object) object {
	properties := object{}
	for _, key := range s.keys {
		if properties[key] = given[key]; properties[key] == nil {
			properties[key] = keySchema(key)
		}
	}
	return properties
}

func mtuSchema(most int) object {
	return object{"type": "integer", "minimum": 68, "maximum": most, "description": "Bytes."}
}

// keySchema is what a key has in every place.
func keySchema(key string) object {
	list := func(items object, description string) object {
		return object{"type": []string{"array", "null"}, "items": items, "description": description}
	}
	switch key {
	case "in":
		return object{"$ref": "#/$defs/text", "description": "What it is in, by its name; host/red where red alone would be ambiguous."}
	case "addresses":
		return list(object{"$ref": "#/$defs/address"}, "In the order in which they are added.")
	case "mtu":
		return mtuSchema(65535)
	case "mac":
		return object{
			"type": "string", "pattern": `^([0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}|[0-9a-fA-F]{4}(\.[0-9a-fA-F]{4}){2})$`,
			"description": "Else it is derived from the names, and so the same each time.",
		}
	case "up":
		return object{"type": "boolean", "description": "Whether it is set up, as by ip link set … up."}
	case "vlans":
		const vlan = `(vid\s+)?[0-9]+(-[0-9]+)?(\s+(pvid|untagged))*`
		return object{
			"type": []string{"string", "number"}, "pattern": `^\s*((vid\s+)?none|` + vlan + `([\s,]+` + vlan + `)*)\s*$`,
			"description": "Of a bridge and its ports, as bridge(8) takes them: vid 10 pvid untagged vid 20 vid 30-40, or none. " +
				"Else what the bridge's vlan_default_pvid gives. They count where the bridge has vlan_filtering 1.",
		}
	case "alias":
		return object{"$ref": "#/$defs/text", "description": "What people note at it, as by ip link set … alias; up to 255 bytes."}
	case "parent":
		return object{"$ref": "#/$defs/text", "description": "The interface that it sends through: of the same node, or node:interface of another."}
	case "master":
		return object{"$ref": "#/$defs/text", "description": "The bridge of the same node that it is a port of."}
	case "port":
		return object{
			"type": "string", "pattern": `^\s*((tag|trunks|vlan_mode)\s+[^\s]+\s*)*$`,
			"description": "Of a port of an OVS bridge, what it does with VLANs: tag 10, trunks 10,20, vlan_mode native-untagged.",
		}
	case "routes":
		return list(object{"type": "string", "pattern": `[^\s]`}, "As ip-route(8) takes them: default via 192.168.15.5.")
	case "command":
		return object{"$ref": "#/$defs/text", "description": "What a container's init starts, one line for sh(1)."}
	case "neighbours", "rules", "iptables", "ip6tables", "services":
		for _, l := range textLists {
			if l.key == key {
				return list(object{"type": "string", "pattern": `[^\s]`}, "In order, each as in: "+l.example+".")
			}
		}
	case "sysctls":
		watched := object{}
		for _, name := range labengine.WatchedSysctls() {
			fresh, _ := labengine.FreshSysctl(name)
			watched[name] = object{"type": []string{"string", "number"}, "description": "A fresh namespace has " + fresh + "."}
		}
		return object{
			"type": []string{"object", "null"}, "properties": watched, "propertyNames": object{"pattern": `^net[./][^\s=']+$`},
			"additionalProperties": object{"$ref": "#/$defs/text"}, "description": "As sysctl(8) takes them.",
		}
	case "interfaces":
		return object{
			"type": []string{"object", "null"}, "properties": object{"lo": object{"$ref": "#/$defs/loopback"}},
			"propertyNames":        object{"$ref": "#/$defs/interfaceName"},
			"additionalProperties": object{"$ref": "#/$defs/interface"},
			"description":          "What is special about lo, and interfaces that no cable makes.",
		}
	}
	return nil
}
