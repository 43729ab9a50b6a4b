// Package examples holds labs that come with vethlab, for people to open and change.
package examples

import (
	"embed"
	"path"
	"strings"

	"vethlab/labengine/document"
)

// FS has the examples' files.
//
//go:embed *.yaml
var FS embed.FS

// Example is a lab that comes with vethlab.
type Example struct {
	Name     string // of the file, without .yaml
	Title    string // the lab's name
	Document []byte
}

// List is the examples, by name.
func List() []Example {
	files, _ := FS.ReadDir(".") // of what is embedded
	var all []Example
	for _, f := range files {
		text, _ := FS.ReadFile(f.Name())
		lab, err := document.Parse(f.Name(), text)
		if err != nil { // a test sees to it that there is none
			continue
		}
		all = append(all, Example{strings.TrimSuffix(f.Name(), path.Ext(f.Name())), lab.Name, text})
	}
	return all
}
