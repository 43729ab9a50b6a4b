package labengine

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Service is something that a node offers without a process of its own: the lab answers, on sockets in the node's
// namespace. HTTP says who called and with which headers; echo sends back what comes, RFC 862; DNS answers for the names
// that it is given, and for no other.
type Service struct {
	Text     string // as a document has it
	Protocol string // "http", "echo" or "dns"
	Network  string // of echo: "tcp" or "udp"
	Port     int
	Names    []NameAddress // of dns
}

// NameAddress is a name of a DNS service with one of its addresses.
type NameAddress struct {
	Name    string // in lower case, without the final dot
	Address netip.Addr
}

const exampleService = "write it as http 80, echo tcp 7, echo udp 7, or dns 53 web.lan=192.168.15.2"

// maxServiceNames bounds the names of one DNS service.
const maxServiceNames = 100

// ParseService reads "http 80", "echo tcp 7", "echo udp 7" or "dns 53 web.lan=192.168.15.2 db.lan=2001:db8::2".
// The problem is a "bad-value".
func ParseService(text string) (Service, error) {
	bad := func(hint, format string, args ...any) (Service, error) {
		return Service{}, Problemf(CodeBadValue, format, args...).About("", "service").WithHint(hint)
	}
	words := strings.Fields(text)
	if len(words) == 0 {
		return bad(exampleService, "a service is said in words")
	}
	s := Service{Protocol: strings.ToLower(words[0])}
	words = words[1:]
	switch s.Protocol {
	case "http", "dns":
	case "echo":
		if len(words) == 0 || words[0] != "tcp" && words[0] != "udp" {
			return bad(exampleService, "echo is over tcp or udp")
		}
		s.Network, words = words[0], words[1:]
	default:
		hint := exampleService
		if near := Nearest(s.Protocol, []string{"http", "echo", "dns"}); near != "" {
			hint = "did you mean " + near + "?"
		}
		return bad(hint, "there is no service %s", shown(s.Protocol))
	}
	if len(words) == 0 {
		return bad(exampleService, "a service has a port")
	}
	port, err := strconv.Atoi(words[0])
	if err != nil || port < 1 || port > 65535 {
		return bad(exampleService, "a port is a number from 1 to 65535; this is %s", shown(words[0]))
	}
	s.Port, words = port, words[1:]
	if s.Protocol != "dns" && len(words) > 0 {
		return bad(exampleService, "after the port of %s nothing follows; this is %s", s.Protocol, shown(words[0]))
	}
	if len(words) > maxServiceNames {
		return bad("", "a DNS service has at most %d names", maxServiceNames)
	}
	for _, word := range words {
		name, text, _ := strings.Cut(word, "=")
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" || address.Is4In6() {
			return bad(exampleService, "%s gives a name no address", shown(word))
		}
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if !isDomainName(name) {
			return bad(exampleService, "%s is no name that DNS knows: letters, digits and dashes with dots between, at most 253", shown(name))
		}
		s.Names = append(s.Names, NameAddress{name, address})
	}
	s.Text = s.String()
	return s, nil
}

// isDomainName says whether a name has labels of 1 to 63 letters, digits, dashes and underscores, RFC 1035 §2.3.1.
func isDomainName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// String is the service as a document has it.
func (s Service) String() string {
	words := []string{s.Protocol}
	if s.Network != "" {
		words = append(words, s.Network)
	}
	words = append(words, strconv.Itoa(s.Port))
	for _, n := range s.Names {
		words = append(words, n.Name+"="+n.Address.String())
	}
	return strings.Join(words, " ")
}

// Sockets are the transport protocols that the service listens on: "tcp", "udp".
func (s Service) Sockets() []string {
	switch s.Protocol {
	case "http":
		return []string{"tcp"}
	case "dns":
		return []string{"udp", "tcp"}
	default:
		return []string{s.Network}
	}
}

// Collides says whether two services of one node would want the same socket.
func (s Service) Collides(other Service) bool {
	return s.Port == other.Port && slices.ContainsFunc(s.Sockets(), func(n string) bool { return slices.Contains(other.Sockets(), n) })
}

func (e *AddService) apply(l *draft) error {
	n, ok := l.Nodes[e.Node]
	switch {
	case !ok:
		return goneNode(e.Node)
	case n.Kind == LAN:
		return Problemf(CodeBadRequest, "%s is a switch: nothing answers in it", n.Name).About(n.ID, "service").
			WithHint("let a machine that is plugged into it offer the service")
	case n.Kind == Internet:
		return Problemf(CodeBadRequest, "%s has services of its own, behind its edge", n.Name).About(n.ID, "service").
			WithHint("let a machine offer the service")
	}
	service, err := ParseService(e.Service)
	if err != nil {
		return about(err, n.ID)
	}
	for _, text := range n.Services {
		if other, err := ParseService(text); err == nil && service.Collides(other) {
			return Problemf(CodeExists, "%s offers `%s` on port %d already", l.Label(n.ID), text, service.Port).About(n.ID, "service")
		}
	}
	n.Services = append(slices.Clone(n.Services), service.Text)
	l.setNode(n)
	return nil
}

func (e *DeleteService) apply(l *draft) error {
	n, ok := l.Nodes[e.Node]
	if !ok {
		return goneNode(e.Node)
	}
	at := slices.Index(n.Services, e.Service)
	if at < 0 {
		return Problemf(CodeGone, "%s has no service `%s`", l.Label(n.ID), e.Service).About(n.ID, "service")
	}
	if n.Services = slices.Delete(slices.Clone(n.Services), at, at+1); len(n.Services) == 0 {
		n.Services = nil
	}
	l.setNode(n)
	return nil
}

// maxCommand bounds a container's command, in bytes.
const maxCommand = 2000

// setCommand gives a container its command. The problem is a "bad-value".
func (n *Node) setCommand(line string) error {
	line = strings.TrimSpace(line)
	switch {
	case line != "" && n.Kind != Container:
		return Problemf(CodeBadRequest, "`%s` is a %s; only a container has a command", n.Name, n.Kind).About(n.ID, "command")
	case len(line) > maxCommand:
		return Problemf(CodeBadValue, "the command has %d bytes; up to %d are taken", len(line), maxCommand).About(n.ID, "command").
			WithHint("put it into a script")
	case strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f || r == 0xfffd }):
		return Problemf(CodeBadValue, "a command is one line").About(n.ID, "command").WithHint("separate commands by a semicolon")
	}
	n.Command = line
	return nil
}
