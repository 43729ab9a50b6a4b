package document

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"vethlab/labengine"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("vethlab.schema.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("vethlab.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// asAny is a file as an editor reads it.
func asAny(source []byte) any {
	f, err := newFile("lab.yaml", source)
	if err != nil {
		return nil
	}
	root, err := f.tree()
	if err != nil {
		return nil
	}
	var convert func(v value) any
	convert = func(v value) any {
		switch v.form {
		case scalar:
			if number := json.Number(v.text); v.plain && isNumber(v.text) {
				return number
			} else if _, err := number.Float64(); v.plain && err == nil {
				return number
			}
			if v.plain && (v.text == "true" || v.text == "false") {
				return v.text == "true"
			}
			return v.text
		case list:
			all := []any{}
			for _, item := range v.list {
				all = append(all, convert(item))
			}
			return all
		case mapping:
			all := map[string]any{}
			for _, p := range v.pairs {
				all[p.key.text] = convert(p.value)
			}
			return all
		}
		return nil
	}
	return convert(root)
}

func TestFilesThatAreReadFitTheSchema(t *testing.T) {
	schema := compileSchema(t)
	for _, path := range slices.Sorted(maps.Keys(oddFiles(t))) {
		if err := schema.Validate(asAny(readFile(t, path))); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for seed := range uint64(5) {
		w := newWalker(seed)
		lab := labengine.NewLab("random")
		for range 40 {
			lab = w.step(lab)
			if err := schema.Validate(asAny(Format(lab, nil))); err != nil {
				t.Fatalf("seed %d: %v\n\n%s", seed, err, Format(lab, nil))
			}
		}
	}
}

// TestFilesThatAreRefusedDoNotFitTheSchema has files whose fault is one of form: an editor can see it.
func TestFilesThatAreRefusedDoNotFitTheSchema(t *testing.T) {
	schema := compileSchema(t)
	for _, name := range []string{
		"address-on-machine", "bridge-in-nothing", "bridge-key", "bridge-name", "bridge-options", "bridge-option-value", "cable-key",
		"cable-no-ends", "cable-one-end", "cable-text", "canvas-key", "interface-key", "interface-kind", "interface-name",
		"interface-option-of-dummy", "interface-parent-missing", "interface-parent-of-dummy", "interface-unknown", "interface-veth",
		"interface-vlan-without-id", "kind-unknown", "ovs-in-nothing", "lan-in", "lan-options", "lo-mac", "lo-mtu", "machine-in",
		"machine-name", "mtu-small", "no-version", "node-key", "node-text", "node-without-kind", "node-without-name", "nodes-mapping",
		"position-far", "position-text", "quiet-yes", "routes-text", "sysctl-name", "sysctl-sign", "sysctls-list", "unknown-key", "version-2",
	} {
		path := filepath.Join("testdata/bad", name+".yaml")
		if v := asAny(readFile(t, path)); v == nil || schema.Validate(v) == nil {
			t.Errorf("%s fits", name)
		}
	}
}

// TestSchemaHasAllThatIsRead checks that no kind and no option has been forgotten.
func TestSchemaHasAllThatIsRead(t *testing.T) {
	text := string(Schema())
	for _, kind := range slices.Concat(interfaceKinds, nodeKinds) {
		if !bytes.Contains(Schema(), []byte(`"const": "`+kind+`"`)) {
			t.Errorf("no kind %s", kind)
		}
		options, _ := labengine.LinkOptions(kind)
		for _, o := range options {
			if !bytes.Contains([]byte(text), []byte(o.Name+" (")) {
				t.Errorf("no option %s of %s", o.Name, kind)
			}
		}
	}
	for kind := range nodeShapes {
		if !slices.Contains(nodeKinds, string(kind)) {
			t.Errorf("%s is no kind of node", kind)
		}
	}
	for _, kind := range interfaceKinds {
		if _, made := labengine.LinkOptions(kind); !made {
			t.Errorf("%s is no kind of interface", kind)
		}
	}
}
