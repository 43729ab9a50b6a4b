package kernel

import (
	"errors"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

const sysctlFolder = "/proc/sys/" // proc_sys(5); what is below net is the reading thread's namespace's

// setSysctl writes one setting of a namespace.
func (w *World) setSysctl(n *Netns, name, value string) error {
	err := w.enter.in(n.File, func() error {
		return os.WriteFile(sysctlFolder+labengine.SysctlPath(name), []byte(value), 0)
	})
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// mostLinks is how many links a namespace has whose own settings are followed: of each, ten files have to be read.
const mostLinks = 32

// Sysctls reads what of a namespace's settings differs from a fresh one's: of those that are watched, of its links', if they are
// asked for and not too many, and of the ones that are named besides, whatever they are. Each is as a document has it.
func (w *World) Sysctls(n *Netns, besides []string, links bool) ([]string, error) {
	type setting struct{ name, ofDefault string }
	ofLinks := map[string]setting{} // by path
	if links && len(n.Links) <= mostLinks {
		for _, link := range n.Links {
			for name, ofDefault := range labengine.LinkSysctls(link.Name) {
				ofLinks[labengine.SysctlPath(name)] = setting{name, ofDefault}
			}
		}
	}
	names := labengine.WatchedSysctls()
	for _, text := range besides {
		name, _, _ := strings.Cut(text, "=")
		if ofDefault, followed := labengine.LinkSysctlDefault(name); followed {
			ofLinks[labengine.SysctlPath(name)] = setting{name, ofDefault} // as it is spelt
		} else if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var list []string
	err := w.enter.in(n.File, func() error {
		buffer := make([]byte, 256)
		for _, name := range names {
			value, err := readSysctl(name, buffer)
			if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EACCES) {
				continue // a module is not loaded, or a link has gone
			}
			if err != nil {
				return err
			}
			if fresh, known := labengine.FreshSysctl(name); !known || value != fresh {
				list = append(list, name+"="+value)
			}
		}
		defaults := map[string]string{}
		for _, s := range ofLinks {
			fresh, known := defaults[s.ofDefault]
			if !known {
				fresh, _ = readSysctl(s.ofDefault, buffer)
				defaults[s.ofDefault] = fresh
			}
			value, err := readSysctl(s.name, buffer)
			if text := s.name + "=" + value; err == nil && (value != fresh || slices.Contains(besides, text)) {
				list = append(list, text)
			}
		}
		return nil
	})
	slices.Sort(list)
	return list, err
}

func readSysctl(name string, buffer []byte) (string, error) {
	fd, err := unix.Open(sysctlFolder+labengine.SysctlPath(name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, buffer)
	if err != nil {
		return "", err
	}
	return strings.Join(strings.Fields(string(buffer[:n])), " "), nil
}
