package labtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/plan"
)

// link is what is compared of an interface: what a document says of it, as text.
type link struct {
	Up        bool
	MTU       int
	MAC       string
	Addresses string // IPv4 in order, then IPv6 sorted: the kernel lists those newest first
}

// ipLink is a link as `ip -json -details address` prints it.
type ipLink struct {
	Ifname   string   `json:"ifname"`
	Flags    []string `json:"flags"`
	MTU      int      `json:"mtu"`
	Address  string   `json:"address"`
	LinkType string   `json:"link_type"`
	AddrInfo []struct {
		Local     string `json:"local"`
		Prefixlen int    `json:"prefixlen"`
		Protocol  string `json:"protocol"`
	} `json:"addr_info"`
}

// CheckKernel fails the test where the document, as the messages tell it, and the kernel, as ip(8) shows it, are not the
// same lab. The document gets a moment to follow.
func (l *Lab) CheckKernel() {
	l.t.Helper()
	deadline := time.Now().Add(3 * time.Second)
	for {
		kernel := l.kernel()
		document := l.document()
		problem := differ(kernel, document)
		if problem == "" {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("kernel and document differ: %s\n%s", problem, l.Log())
		}
		seq := len(l.State().Changes)
		l.changedWithin(seq, 50*time.Millisecond)
	}
}

// changedWithin waits for another change, at most so long.
func (l *Lab) changedWithin(changes int, long time.Duration) {
	expired := false
	timer := time.AfterFunc(long, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		expired = true
		l.changed.Broadcast()
	})
	defer timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.state.Changes) == changes && !expired && l.failed == nil {
		l.changed.Wait()
	}
}

// kernel is what ip(8) shows in all named namespaces, by "machine/namespace:interface"; a namespace alone has "".
func (l *Lab) kernel() map[string]link {
	all := map[string]link{}
	for _, m := range l.State().Lab.NodesInOrder() {
		if m.Kind != labengine.Machine {
			continue
		}
		l.parseDump(m.Name, l.Shell(m.Name, dumpAll), all)
	}
	return all
}

// dumpAll prints what ip(8) shows of each namespace of a machine.
const dumpAll = `
	echo "NETNS "; ip -j -d addr
	for n in $(ls /run/netns); do echo "NETNS $n"; ip -n "$n" -j -d addr; done`

func (l *Lab) parseDump(machine, out string, all map[string]link) {
	l.t.Helper()
	for _, part := range strings.Split(out, "NETNS ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		where := machine
		if name != "" {
			where += "/" + name
		}
		var links []ipLink
		if err := json.Unmarshal([]byte(text), &links); err != nil {
			l.t.Fatalf("%s: %v\n%s", where, err, text)
		}
		all[where] = link{}
		for _, i := range links {
			all[where+":"+i.Ifname] = i.link()
		}
	}
}

func (i ipLink) link() link {
	found := link{Up: slices.Contains(i.Flags, "UP"), MTU: i.MTU, MAC: i.Address}
	if i.LinkType == "loopback" {
		found.MAC = ""
	}
	var addresses []string
	for _, a := range i.AddrInfo {
		text := fmt.Sprintf("%s/%d", a.Local, a.Prefixlen)
		kernelMade := strings.HasPrefix(a.Protocol, "kernel") || strings.HasPrefix(a.Local, "fe80:") && a.Prefixlen == 64 ||
			i.LinkType == "loopback" && (text == "127.0.0.1/8" || text == "::1/128")
		if !kernelMade {
			addresses = append(addresses, text)
		}
	}
	found.Addresses = addressesText(addresses)
	return found
}

func addressesText(list []string) string {
	var four, six []string
	for _, a := range list {
		if netip.MustParsePrefix(a).Addr().Is4() {
			four = append(four, a)
		} else {
			six = append(six, a)
		}
	}
	slices.Sort(six)
	return strings.Join(append(four, six...), " ")
}

// document is the same of the mirror.
func (l *Lab) document() map[string]link { return documentOf(l.State().Lab) }

func documentOf(lab labengine.Lab) map[string]link {
	all := map[string]link{}
	where := func(n labengine.Node) string {
		if n.In == "" {
			return n.Name
		}
		return lab.Nodes[n.In].Name + "/" + n.Name
	}
	for _, n := range lab.Nodes {
		if n.Held != "" {
			continue
		}
		all[where(n)] = link{}
		for _, i := range lab.InterfacesOf(n.ID) {
			all[where(n)+":"+i.Name] = link{Up: i.Up, MTU: i.MTU, MAC: i.MAC, Addresses: addressesText(i.Addresses)}
		}
	}
	return all
}

func differ(kernel, document map[string]link) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(kernel)) {
		if d, ok := document[name]; !ok {
			fmt.Fprintf(&b, "\n  the document has no %s", name)
		} else if d != kernel[name] {
			fmt.Fprintf(&b, "\n  %s: kernel %+v, document %+v", name, kernel[name], d)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(document)) {
		if _, ok := kernel[name]; !ok {
			fmt.Fprintf(&b, "\n  the kernel has no %s", name)
		}
	}
	return b.String()
}

// CheckScript fails the test where the exported script, run by hand in a plain shell in namespaces of its own, does not
// make the lab that the document says. Labs of several machines become one machine's there, and are not compared.
func (l *Lab) CheckScript() {
	l.t.Helper()
	lab := plan.Saved(l.State().Lab)
	machines := 0
	first := ""
	for _, n := range lab.NodesInOrder() {
		if n.Kind == labengine.Machine {
			machines++
			first = n.Name
		}
	}
	if machines != 1 {
		return
	}
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-ec",
		"mount -t tmpfs none /run; mkdir -p /run/netns; cat > /run/script; sh /run/script;"+dumpAll)
	cmd.Stdin = strings.NewReader(plan.Script(lab))
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		l.t.Fatalf("the script failed: %v\n%s\n%s", err, errs.String(), plan.Script(lab))
	}
	kernel := map[string]link{}
	l.parseDump(first, string(out), kernel)
	if problem := differ(kernel, documentOf(lab)); problem != "" {
		l.t.Errorf("the script makes another lab: %s\n%s", problem, plan.Script(lab))
	}
}
