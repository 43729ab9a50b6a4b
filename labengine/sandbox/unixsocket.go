package sandbox

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// openIn opens a path as the machine's processes see it, and nothing outside of the machine, whatever links somebody has put
// there: openat2(2).
func (m *Machine) openIn(path string, flags uint64) (*os.File, error) {
	root, err := os.Open(fmt.Sprintf("/proc/%d/root", m.pid))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	fd, err := unix.Openat2(int(root.Fd()), path, &unix.OpenHow{
		Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, failed("open "+path+" in "+m.name, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// ReadFile reads the beginning of a file of the machine, by its path there. What it says is not to be trusted.
func (m *Machine) ReadFile(path string, most int) (string, error) {
	f, err := m.openIn(path, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data := make([]byte, most)
	n, err := f.Read(data)
	return string(data[:n]), err
}

// DialUnix connects to a socket of the machine, unix(7), by its path there. Who answers is not to be trusted.
func (m *Machine) DialUnix(ctx context.Context, path string) (net.Conn, error) {
	f, err := m.openIn(path, unix.O_PATH)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return new(net.Dialer).DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
}

// ListenUnix makes a socket at a path of the machine, whose folder is there, and listens. It takes the place of what is there
// at once: at each moment somebody can connect to one of the two. The socket's file stays when the listener is closed.
func (m *Machine) ListenUnix(path string) (net.Listener, error) {
	dir, err := m.openIn(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	name := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	at := name + ".new"
	if err := unix.Unlink(at); err != nil && err != unix.ENOENT {
		return nil, failed("remove "+path+".new in "+m.name, err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: at})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err := unix.Rename(at, name); err != nil {
		l.Close()
		return nil, failed("rename "+path+".new in "+m.name, err)
	}
	return l, nil
}
