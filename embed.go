package main

import (
	"embed"
	"io/fs"
)

// The built page. `make build` puts it there; without it, the server says so in place of the page.
//
//go:embed all:web/dist
var built embed.FS

// page is the built page, or nil where the binary was built without one.
func page() fs.FS {
	dist, err := fs.Sub(built, "web/dist")
	if err != nil {
		return nil
	}
	if _, err := fs.Stat(dist, "index.html"); err != nil {
		return nil
	}
	return dist
}
