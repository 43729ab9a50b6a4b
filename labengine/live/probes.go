package live

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/kernel"
	"vethlab/labengine/probe"
)

// maxProbes bounds the pings and ARP probes that run at the same time.
const maxProbes = 64

// probes are the pings under way, by the request that started each.
type probes struct {
	mu      sync.Mutex // guards running
	running map[labengine.ID]context.CancelFunc
}

func (p *probes) init() { p.running = map[labengine.ID]context.CancelFunc{} }

func (p *probes) start(id labengine.ID) (context.Context, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.running) >= maxProbes {
		return nil, labengine.Problemf(labengine.CodeTooLarge, "%d probes are under way already", maxProbes).
			WithHint("wait for one to end")
	}
	if _, ok := p.running[id]; ok {
		return nil, labengine.Problemf(labengine.CodeExists, "a probe of this request is under way already")
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.running[id] = cancel
	return ctx, nil
}

func (p *probes) cancel(id labengine.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cancel, ok := p.running[id]; ok {
		cancel()
	}
}

func (p *probes) end(id labengine.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[id]()
	delete(p.running, id)
}

// probe runs beside the lab's goroutine, reports what it sees and replies when it ends, or when its connection does.
func (l *Lab) probe(c *conn, r labengine.Request, run func(context.Context, func(labengine.ProbeEvent)) (string, error)) {
	reply := &labengine.Reply{Request: r.ID}
	ctx, err := l.probes.start(r.ID)
	if err != nil {
		reply.Problem = problem(err)
		c.send(labengine.Message{Reply: reply})
		return
	}
	go func() {
		defer l.probes.end(r.ID)
		defer context.AfterFunc(c.ctx, func() { l.probes.cancel(r.ID) })()
		text, err := run(ctx, func(e labengine.ProbeEvent) {
			e.Request = r.ID
			c.send(labengine.Message{Probe: &e})
		})
		reply.Text = text
		if err != nil {
			reply.Problem = problem(err)
		}
		c.send(labengine.Message{Reply: reply})
	}()
}

func (l *Lab) ping(ctx context.Context, p labengine.Ping, report func(labengine.ProbeEvent)) (string, error) {
	netns, _, err := l.netnsOf(p.From, "")
	if err != nil {
		return "", err
	}
	defer netns.Close()
	return probe.Ping(ctx, netns, p, report)
}

// arpTimeout is how long an ARP probe waits: RFC 5227 §1.1 allows 2 s in all; a veth has no queue to speak of.
const arpTimeout = time.Second

func (l *Lab) arp(ctx context.Context, p labengine.ARPProbe, report func(labengine.ProbeEvent)) (string, error) {
	to, err := netip.ParseAddr(p.To)
	if err != nil || !to.Is4() {
		return "", labengine.Problemf(labengine.CodeBadAddress, "`%s` is not an IPv4 address", p.To).WithHint("write it as 192.168.15.2")
	}
	netns, link, err := l.netnsOf("", p.From)
	if err != nil {
		return "", err
	}
	defer netns.Close()
	mac, rtt, err := probe.ARP(ctx, netns, link.Index, link.Name, to, arpTimeout)
	if err != nil {
		return "", err
	}
	ms := float64(rtt.Microseconds()) / 1000
	report(labengine.ProbeEvent{Seq: 1, From: p.To, MAC: mac.String(), RTT: ms})
	return fmt.Sprintf("%s is at %s, %.3f ms", to, mac, ms), nil
}

// netnsOf is a copy of the namespace of a node, or of an interface and then its link too.
func (l *Lab) netnsOf(node, iface labengine.ID) (netns *os.File, link kernel.Link, err error) {
	err = labengine.Problemf(labengine.CodeGone, "the lab has ended")
	l.do(func() {
		if iface != "" {
			i, ok := l.journal.Lab.Interfaces[iface]
			if !ok {
				err = labengine.Problemf(labengine.CodeNoSuchInterface, "this interface is gone").About(iface, "")
				return
			}
			node = i.Node
		}
		if n := l.journal.Lab.Nodes[node]; n.Kind == labengine.Internet { // from its edge: no program runs there
			netns, err = l.netnsCopy(n)
		} else {
			var at spot
			at, err = l.spotOf(node)
			netns = at.netns
		}
		if err != nil || iface == "" {
			return
		}
		ref := l.refs[iface]
		if n, ok := l.world.ByKey(ref.Netns); ok && n.Links[ref.Index] != nil {
			link = *n.Links[ref.Index]
		}
	})
	return netns, link, err
}
