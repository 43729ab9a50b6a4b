package live

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/kernel"
	"vethlab/labengine/plan"
	"vethlab/labengine/sandbox"
	"vethlab/labengine/service"
)

// internet is the world outside, as the lab has it: the namespaces of [labengine.Backbone], of which the edge alone is a
// node, and what its hosts offer.
type internet struct {
	files   []*os.File // keep the namespaces
	hosts   *service.Server
	dropped uint64 // packets, as counted last
}

func (in *internet) close() {
	if in.hosts != nil {
		in.hosts.Close()
	}
	for _, f := range in.files {
		f.Close()
	}
}

// How often packets that were dropped are counted while somebody watches; the kernel does not tell of them.
const (
	countOften  = time.Second
	countBefore = 200 * time.Millisecond // at the earliest so long after the last time
)

// addInternet makes an internet and gives its edge. It is made by a plan, in a world of its own: what is behind the edge
// is no part of the lab's.
func (l *Lab) addInternet(ctx context.Context, node labengine.ID) (*os.File, error) {
	world, err := kernel.NewWorld()
	if err != nil {
		return nil, err
	}
	defer world.Close()
	backbone := labengine.Backbone()
	if _, err := os.Stat("/proc/sys/net/ipv6"); err != nil {
		backbone = withoutIPv6(backbone)
	}
	in := &internet{}
	err = world.Apply(ctx, plan.Diff(labengine.NewLab(""), backbone), backboneMaker{l, in}, nil)
	var edge *os.File
	if err == nil {
		err = errors.New("the internet has no edge")
		if n, ok := world.Of(labengine.BackboneEdge); ok {
			edge, err = copyFile(n.File)
		}
	}
	if err == nil {
		hosts, _ := world.Of(labengine.BackboneHosts)
		in.hosts, err = service.StartWorld(func(open func() error) error { return world.In(hosts, open) })
	}
	if err != nil {
		if edge != nil {
			edge.Close()
		}
		in.close()
		return nil, fmt.Errorf("make the internet: %w", err)
	}
	l.internets[node] = in
	l.setResolvers(ctx)
	return edge, nil
}

// backboneMaker makes the namespaces of a backbone, and nothing else.
type backboneMaker struct {
	*Lab // for what no backbone has
	in   *internet
}

// AddMachine implements [kernel.Machines].
func (m backboneMaker) AddMachine(context.Context, labengine.ID, string, labengine.Kind) (*os.File, error) {
	file, err := sandbox.NewNetNS()
	if err != nil {
		return nil, err
	}
	kept, err := copyFile(file)
	if err != nil {
		file.Close()
		return nil, err
	}
	m.in.files = append(m.in.files, kept)
	return file, nil
}

// withoutIPv6 is for kernels that have none.
func withoutIPv6(lab labengine.Lab) labengine.Lab {
	is6 := func(text string) bool { return strings.Contains(text, ":") || strings.Contains(text, "ipv6") }
	for id, n := range lab.Nodes {
		n.Routes, n.Sysctls = slices.DeleteFunc(n.Routes, is6), slices.DeleteFunc(n.Sysctls, is6)
		lab.Nodes[id] = n
	}
	for id, i := range lab.Interfaces {
		i.Addresses = slices.DeleteFunc(i.Addresses, is6)
		lab.Interfaces[id] = i
	}
	return lab
}

// isUplink says whether a link is the one that leads from an internet's edge into the world, and no part of the document.
func (l *Lab) isUplink(n *kernel.Netns, link *kernel.Link) bool {
	return link.Name == labengine.UplinkName && l.internets[n.Node] != nil
}

// routes are those of a namespace that are not the lab's own secret.
func (l *Lab) routes(n *kernel.Netns) ([]labengine.Route, error) {
	routes, err := n.Routes()
	if l.internets[n.Node] != nil {
		routes = slices.DeleteFunc(routes, func(r labengine.Route) bool { return r.Dev == labengine.UplinkName })
	}
	return routes, err
}

// countDropped has the pages told how many packets the internets have dropped.
func (l *Lab) countDropped() {
	if len(l.internets) == 0 || time.Since(l.counted) < countBefore {
		return
	}
	l.counted = time.Now()
	for id, in := range l.internets {
		n, ok := l.world.Of(id)
		if !ok {
			continue
		}
		if dropped, err := l.world.Dropped(n); err == nil && dropped != in.dropped {
			in.dropped = dropped
			l.world.TouchTables(n)
		}
	}
}

// resolvers are whom machines ask for names.
func (l *Lab) resolvers() []netip.Addr {
	if len(l.internets) > 0 || !l.begun && l.journal.Lab.HasInternet() {
		return []netip.Addr{labengine.Resolver}
	}
	return nil
}

// setResolvers tells machines that are there whom to ask for names: an internet has come or gone.
func (l *Lab) setResolvers(ctx context.Context) {
	resolvers := l.resolvers()
	for _, m := range l.machines {
		if m.ended() || slices.Equal(m.resolvers, resolvers) {
			continue
		}
		err := m.box.SetNameservers(ctx, m.resolvers, resolvers)
		if err != nil && !errors.Is(err, sandbox.ErrMachineGone) && !errors.Is(err, syscall.ENOENT) {
			l.Log.Error("name servers", "machine", m.name, "error", err)
		}
		m.resolvers = resolvers
	}
}
