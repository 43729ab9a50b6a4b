package kernel

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/plan"
)

// ipv6Hint says of a refused step that it needs IPv6 where that is switched off, and how to switch it on; "" where that is
// not why.
func (w *World) ipv6Hint(step plan.Step, err error) string {
	if !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EHOSTUNREACH) && !errors.Is(err, unix.ENETUNREACH) && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return ""
	}
	var at plan.Spot
	links := []string{"all"}
	switch s := step.(type) {
	case plan.AddAddress:
		if !strings.Contains(s.Address, ":") {
			return ""
		}
		at, links = s.At, append(links, s.Dev)
	case plan.AddRoute:
		r, bad := labengine.ParseRoute(s.Route)
		if bad != nil || !r.IPv6 {
			return ""
		}
		at = s.At
		for _, way := range r.Ways() {
			if way.Dev != "" {
				links = append(links, way.Dev)
			}
		}
	}
	n, ok := w.Of(at.Node)
	if !ok {
		return ""
	}
	off := ""
	if w.enter.in(n.File, func() error {
		buffer := make([]byte, 16)
		for _, link := range links {
			name := "net/ipv6/conf/" + link + "/disable_ipv6"
			switch value, err := readSysctl(name, buffer); {
			case errors.Is(err, unix.ENOENT):
			case err != nil:
				return err
			case value == "1" && off == "":
				off = name
			}
		}
		return nil
	}) != nil || off == "" {
		return ""
	}
	if strings.Count(off, ".") == 0 {
		off = strings.ReplaceAll(off, "/", ".")
	}
	on := plan.SetSysctl{At: at, Name: off, Value: "0"}.Commands()[0].Line
	return off + " is 1, which switches IPv6 off there: `" + on + "` switches it on"
}
