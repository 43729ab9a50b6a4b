package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// addWindow is how many batches of names the agent has at hand, so that it makes namespaces while the caller wires
// those that are there. It bounds the descriptors under way as well.
const addWindow = 2

// undoWait bounds how long a failed AddNamespaces waits for the agent to end what it had begun.
const undoWait = 5 * time.Second

// AddNamespaces makes network namespaces of the machine, named and pinned as `ip netns add` does, and calls made for
// each as soon as it is there, in order, while the next ones are being made. The namespace passed is the callee's to
// close. They belong to the machine's root, who may do anything in them, and start with Baseline's settings, lo down; but for
// those of bridges, which they have once FinishNamespaces returns or the machine starts a program.
//
// An error of made ends the call and is returned. After an error, the namespaces that made was called for stay, the
// others are gone. A name that is taken gives EEXIST.
func (m *Machine) AddNamespaces(ctx context.Context, names []string, made func(i int, ns *os.File) error) error {
	var batches []*addCall
	next := 0
	var err error
	for next < len(names) && err == nil || len(batches) > 0 {
		for len(batches) < addWindow && next < len(names) && err == nil {
			n := min(addBatch, len(names)-next)
			b := &addCall{
				first: next, names: names[next : next+n],
				c:   &call{replies: make(chan answer, addBatch+1)},
				req: &request{Op: opAdd, Names: names[next : next+n]},
			}
			if err = m.begin(b.req, b.c); err == nil {
				batches = append(batches, b)
				next += n
			}
		}
		if len(batches) == 0 {
			break
		}
		b := batches[0]
		batches = batches[1:]
		if err == nil {
			err = m.collect(ctx, b, made)
		}
		if err != nil {
			m.undo(ctx, b)
		}
	}
	return err
}

// FinishNamespaces gives the namespaces that AddNamespaces has made so far what they lack of Baseline's settings. That costs
// a fifth of making them, and nothing depends on it until there is a bridge in one, or somebody who can look.
func (m *Machine) FinishNamespaces(ctx context.Context) error {
	_, err := m.ask(ctx, &request{Op: opFinish})
	return err
}

// addCall is one batch on its way.
type addCall struct {
	first int
	names []string
	c     *call
	req   *request
	seen  int // how many the agent has passed up
	told  int // how many of them the caller was told of
	ended bool
}

func (m *Machine) collect(ctx context.Context, b *addCall, made func(int, *os.File) error) error {
	for {
		a, err := b.c.next(ctx)
		if err != nil {
			return err
		}
		if a.Done {
			b.ended = true
			closeFDs(a.fds)
			if err := a.err(); err != nil {
				return err
			}
			if b.told != len(b.names) {
				return m.distrust("fewer namespaces than it said")
			}
			return nil
		}
		if a.Index != b.seen || len(a.fds) == 0 || len(a.fds) > len(b.names)-b.seen {
			closeFDs(a.fds)
			return m.distrust("namespaces out of order")
		}
		b.seen += len(a.fds)
		if err := m.tell(b, a.fds, made); err != nil {
			return err
		}
	}
}

// tell hands namespaces to the caller. After an error it closes those that are left.
func (m *Machine) tell(b *addCall, fds []int, made func(int, *os.File) error) error {
	for i, fd := range fds {
		ns, err := netnsFile(fd, b.names[b.told])
		if err != nil {
			closeFDs(fds[i+1:])
			return m.distrust(err.Error())
		}
		b.told++
		if err := made(b.first+b.told-1, ns); err != nil {
			closeFDs(fds[i+1:])
			return err
		}
	}
	return nil
}

// undo waits for the end of a batch, and deletes what nobody was told of.
func (m *Machine) undo(ctx context.Context, b *addCall) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoWait)
	defer cancel()
	for !b.ended {
		a, err := b.c.next(ctx)
		if err != nil {
			m.forget(b.req.ID)
			b.c.drain()
			return
		}
		closeFDs(a.fds)
		b.ended = a.Done
		b.seen = min(b.seen+len(a.fds), len(b.names))
	}
	if b.seen > b.told {
		m.DeleteNamespaces(ctx, b.names[b.told:b.seen])
	}
}

// distrust ends a machine whose agent says what ours never says: its learner has taken it over.
func (m *Machine) distrust(what string) error {
	m.end()
	return fmt.Errorf("%w: its agent broke the protocol: %s", ErrMachineGone, what)
}

// netnsFile takes a descriptor from an agent, and makes sure that it is a network namespace.
func netnsFile(fd int, name string) (*os.File, error) {
	err := checkNetNS(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "netns "+printable(name, 255)), nil
}

func checkNetNS(fd int) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return err
	}
	if fs.Type != unix.NSFS_MAGIC {
		return errors.New("not a namespace")
	}
	kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err != nil {
		return err
	}
	if kind != unix.CLONE_NEWNET {
		return errors.New("not a network namespace")
	}
	return nil
}

// DeleteNamespace takes a name away as `ip netns del` does. The namespace itself goes once nothing else holds it: a
// process in it, an open descriptor. A name that is not there gives ENOENT.
func (m *Machine) DeleteNamespace(ctx context.Context, name string) error {
	return m.DeleteNamespaces(ctx, []string{name})
}

// DeleteNamespaces takes many names away. It goes on after a name that fails, and returns the first error.
func (m *Machine) DeleteNamespaces(ctx context.Context, names []string) error {
	var first error
	for len(names) > 0 {
		n := min(addBatch, len(names))
		if _, err := m.ask(ctx, &request{Op: opDelete, Names: names[:n]}); err != nil {
			if first == nil {
				first = err
			}
			if errors.Is(err, ErrMachineGone) || ctx.Err() != nil {
				break
			}
		}
		names = names[n:]
	}
	return first
}

// RenameNamespace gives a namespace another name: the namespace, and all that runs in it, stays the same. A name that
// is taken gives EEXIST, one that is not there ENOENT.
func (m *Machine) RenameNamespace(ctx context.Context, from, to string) error {
	_, err := m.ask(ctx, &request{Op: opRename, Names: []string{from, to}})
	return err
}
