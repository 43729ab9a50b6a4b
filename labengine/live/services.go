package live

import (
	"vethlab/labengine"
	"vethlab/labengine/kernel"
	"vethlab/labengine/service"
)

// AddService implements [kernel.Machines].
func (l *Lab) AddService(n *kernel.Netns, name, text string) error {
	if l.services[n.Node][text] != nil {
		return nil
	}
	what, err := labengine.ParseService(text)
	if err != nil {
		return err
	}
	s, err := service.Start(l.in(n), what, name)
	if err != nil {
		return err
	}
	if l.services[n.Node] == nil {
		l.services[n.Node] = map[string]*service.Server{}
	}
	l.services[n.Node][text] = s
	return nil
}

// DeleteService implements [kernel.Machines].
func (l *Lab) DeleteService(node labengine.ID, text string) error {
	if s := l.services[node][text]; s != nil {
		s.Close()
		delete(l.services[node], text)
	}
	return nil
}

// in is where the sockets of a node's services are opened.
func (l *Lab) in(n *kernel.Netns) service.In {
	return func(open func() error) error { return l.world.In(n, open) }
}
