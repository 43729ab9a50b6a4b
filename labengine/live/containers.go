package live

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"vethlab/labengine"
	"vethlab/labengine/sandbox"
)

// container is a container of the lab, with what was started in it.
type container struct {
	box     *sandbox.Container
	machine labengine.ID
	line    string        // what it was to start
	main    *sandbox.Exec // that; nil where it was to start nothing
}

func (c *container) ended() bool { return isClosed(c.box.Done()) }

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// AddContainer implements [kernel.Machines].
func (l *Lab) AddContainer(ctx context.Context, node labengine.ID, machine, name, command string) (*os.File, error) {
	at, m, err := l.machineNamed(machine)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	box, err := m.box.NewContainer(ctx, name)
	if err != nil {
		return nil, err
	}
	c := &container{box: box, machine: at, line: command}
	netns, err := copyFile(box.NetNS())
	if err == nil && command != "" {
		// bash(1) becomes a simple command itself, so that its number is the command's; sh(1) would stay beside it.
		c.main, err = m.box.Exec(ctx, sandbox.Command{
			Argv: []string{"bash", "-c", command}, Dir: "/", Container: box, Log: "/run/containers/" + name + ".log",
		})
	}
	if err != nil {
		box.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	l.containers[node] = c
	go func() {
		<-box.Done()
		l.lookForNames()
	}()
	if c.main != nil {
		go func() {
			<-c.main.Done()
			l.do(func() { l.touchState(node) })
		}()
	}
	return netns, nil
}

// touchState has the pages told anew how a node is.
func (l *Lab) touchState(node labengine.ID) {
	if n, ok := l.world.Of(node); ok {
		l.world.TouchTables(n)
	}
}

// DeleteContainer implements [kernel.Machines].
func (l *Lab) DeleteContainer(ctx context.Context, node labengine.ID) error {
	c, ok := l.containers[node]
	if !ok {
		return syscall.ENOENT
	}
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	if err := c.box.Close(ctx); err != nil {
		return err
	}
	l.letGo(node)
	return nil
}

// RenameContainer implements [kernel.Machines].
func (l *Lab) RenameContainer(ctx context.Context, node labengine.ID, name string) error {
	c, ok := l.containers[node]
	if !ok {
		return syscall.ENOENT
	}
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	return c.box.Rename(ctx, name)
}

// containersEnded lets go of containers whose init has ended.
func (b *binder) containersEnded() {
	l := b.lab
	for id, c := range l.containers {
		if !c.ended() {
			continue
		}
		if n, ok := l.world.Of(id); ok {
			b.forget(n)
		}
		l.letGo(id)
		b.patch.Nodes[id] = nil
	}
}

// state is for the pages: the numbers of what runs in a container, and how its command ended.
func (c *container) state() *labengine.ContainerState {
	process := func(pid int, line string) *labengine.Process {
		outer, inner, ok := c.box.Pids(pid)
		if !ok {
			return nil
		}
		return &labengine.Process{Pid: outer, Inner: inner, Line: line}
	}
	init := process(c.box.Pid(), "init")
	if init == nil {
		return nil // it is just ending
	}
	state := &labengine.ContainerState{Init: *init}
	switch {
	case c.main == nil:
	case isClosed(c.main.Done()):
		status, _ := c.main.Wait()
		state.Ended = fmt.Sprintf("exit status %d", status)
	default:
		state.Command = process(c.main.Pid(), c.line)
	}
	return state
}
