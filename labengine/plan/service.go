package plan

import (
	"fmt"
	"slices"
	"strings"

	"vethlab/labengine"
)

type (
	// AddService has the lab answer on a port of a namespace.
	AddService struct {
		At      Spot
		Name    string // of the node
		Service string // see [labengine.ParseService]
	}
	// DeleteService ends that.
	DeleteService struct {
		At      Spot
		Name    string
		Service string
	}
)

// services ends services that are not wanted any more, and then begins others: one may take another's port.
func (d *differ) services() {
	var begin Plan
	for _, n := range d.nodes {
		var have []string
		if d.keepsNode(n.ID) {
			have = d.have.Nodes[n.ID].Services
		}
		at := SpotOf(d.want, n.ID)
		for _, s := range have {
			if !slices.Contains(n.Services, s) {
				d.do(DeleteService{At: at, Name: n.Name, Service: s})
			}
		}
		for _, s := range n.Services {
			if !slices.Contains(have, s) {
				begin = append(begin, AddService{At: at, Name: n.Name, Service: s})
			}
		}
	}
	d.plan = append(d.plan, begin...)
}

// Commands implements [Step]: a small program that does nearly the same.
func (s AddService) Commands() []labengine.Command {
	service, err := labengine.ParseService(s.Service)
	if err != nil {
		return nil
	}
	switch {
	case service.Protocol == "http":
		folder := quote("/run/www/" + s.Name)
		return in(s.At.Machine, "mkdir -p "+folder, "echo "+quote(s.Name)+" > "+folder+"/index.html",
			s.At.run(fmt.Sprintf("busybox httpd -p %d -h %s", service.Port, folder)))
	case service.Protocol == "dns":
		var records strings.Builder
		for _, n := range service.Names {
			fmt.Fprintf(&records, " --host-record=%s,%s", n.Name, n.Address)
		}
		return in(s.At.Machine, s.At.run(fmt.Sprintf("dnsmasq -C /dev/null -x '' -u '' -g '' -p %d --no-resolv --no-hosts%s", service.Port, records.String())))
	case service.Network == "tcp":
		return in(s.At.Machine, s.At.run(fmt.Sprintf("busybox nc -ll -p %d -e cat", service.Port))+" &")
	default:
		echo := fmt.Sprintf(`$s = IO::Socket::INET->new(Proto => "udp", LocalPort => %d); $s->send($d) while defined $s->recv($d, 65535)`, service.Port)
		return in(s.At.Machine, s.At.run("perl -MIO::Socket::INET -e "+quote(echo))+" &")
	}
}

// Commands implements [Step]: whoever listens on the port is ended.
func (s DeleteService) Commands() []labengine.Command {
	service, err := labengine.ParseService(s.Service)
	if err != nil {
		return nil
	}
	listeners := fmt.Sprintf("ss -Hlnp --%s sport = :%d", service.Sockets()[0], service.Port)
	return in(s.At.Machine, "kill $("+s.At.run(listeners)+` | sed 's/.*pid=\([0-9]*\).*/\1/')`)
}
