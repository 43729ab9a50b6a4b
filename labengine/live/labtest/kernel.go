package labtest

import (
	"encoding/json"
	"fmt"
	"iter"
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
	Master    string
	Alias     string
	Port      string // what a port of an OVS bridge does with VLANs
	Options   string // a vlan's id, a bridge's stp_state and the like
	Queue     string // what an impairment is in the kernel: "tbf", "netem", "blackhole"
	Routes    string // of a namespace: sorted, without those that the kernel makes itself
	IPRules   string // of a namespace: sorted, those of the routing policy
	IP6Rules  string
	Permanent string // of a namespace: sorted, the permanent entries of ARP and NDP tables
	Sysctls   string // of a namespace: those that a test looks at
	Iptables  string // of a namespace: as iptables-save prints them, without what a fresh one has
	Ip6tables string
}

// ipLink is a link as `ip -json -details address` prints it.
type ipLink struct {
	Ifname   string   `json:"ifname"`
	Flags    []string `json:"flags"`
	MTU      int      `json:"mtu"`
	Address  string   `json:"address"`
	Alias    string   `json:"ifalias"`
	LinkType string   `json:"link_type"`
	Master   string   `json:"master"`
	Qdisc    string   `json:"qdisc"`
	LinkInfo struct {
		Kind string         `json:"info_kind"`
		Data map[string]any `json:"info_data"`
	} `json:"linkinfo"`
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

// kernel is what ip(8) shows in all named namespaces and containers, by "machine/namespace:interface"; a namespace alone has "".
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

// lookedAt are the settings that are compared: those that a plain namespace has as a lab's has.
const lookedAt = "net.ipv4.ip_forward net.ipv4.conf.all.rp_filter net.ipv6.conf.all.forwarding " +
	"net.ipv6.conf.all.disable_ipv6 net.ipv6.conf.default.disable_ipv6"

// dumpAll prints what ip(8) and sysctl(8) show of each namespace of a machine.
const dumpAll = `
	dump='
		ip -j -d addr 2>/dev/null
		echo ROUTES
		ip -o -4 route show table all
		ip -o -6 route show table all
		echo RULES
		ip -d -4 rule
		echo RULES6
		ip -d -6 rule
		echo NEIGHBOURS
		ip neigh show nud permanent
		echo SYSCTLS
		sysctl -e ` + lookedAt + `
		echo IPTABLES
		iptables-save
		echo IP6TABLES
		ip6tables-save'
	echo "NETNS "
	sh -ec "$dump"
	echo OVS
	if kill -0 "$(cat /run/openvswitch/ovs-vswitchd.pid 2>/dev/null)" 2>/dev/null; then
		for b in $(ovs-vsctl list-br); do
			echo "$b $b" $(ovs-vsctl get bridge $b stp_enable rstp_enable mcast_snooping_enable fail_mode)
			for p in $(ovs-vsctl list-ports $b); do
				echo "$p $b" $(ovs-vsctl get port $p tag trunks vlan_mode | tr -d " ")
			done
		done
	fi
	for n in $(ls /run/netns); do
		echo "NETNS $n"
		ip netns exec "$n" sh -ec "$dump"
	done
	for f in /run/containers/*.pid; do
		# one that has just ended leaves its number for a moment
		if pid=$(cat $f 2>/dev/null) && nsenter -t $pid -n true 2>/dev/null; then
			echo "NETNS $(basename $f .pid)"
			nsenter -t $pid -n sh -ec "$dump"
		fi
	done`

func (l *Lab) parseDump(machine, out string, all map[string]link) {
	l.t.Helper()
	for _, part := range strings.Split(out, "NETNS ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		where := machine
		if name != "" {
			where += "/" + name
		}
		text, rest, _ := strings.Cut(text, "ROUTES\n")
		routes, rest, _ := strings.Cut(rest, "RULES\n")
		rules, rest, _ := strings.Cut(rest, "RULES6\n")
		rules6, rest, _ := strings.Cut(rest, "NEIGHBOURS\n")
		neighbours, rest, _ := strings.Cut(rest, "SYSCTLS\n")
		sysctls, rest, _ := strings.Cut(rest, "IPTABLES\n")
		iptables, rest, _ := strings.Cut(rest, "IP6TABLES\n")
		ip6tables, switches, _ := strings.Cut(rest, "OVS\n")
		var links []ipLink
		if err := json.Unmarshal([]byte(text), &links); err != nil {
			l.t.Fatalf("%s: %v\n%s", where, err, text)
		}
		all[where] = link{
			Routes: routesOf(routes), IPRules: ipRulesOf(rules, false), IP6Rules: ipRulesOf(rules6, true),
			Permanent: permanentOf(neighbours), Sysctls: sysctlsOf(sysctls), Iptables: savedRules(iptables), Ip6tables: savedRules(ip6tables),
		}
		for _, i := range links {
			if i.Ifname != "ovs-netdev" { // the datapath's own, which does nothing
				all[where+":"+i.Ifname] = i.link()
			}
		}
		l.ovsPorts(where, switches, all)
	}
}

// ovsPorts gives ports of OVS bridges their masters, of which ip(8) knows nothing. A port without a link is none here.
func (l *Lab) ovsPorts(where, out string, all map[string]link) {
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		port, known := all[where+":"+words[0]]
		if !known {
			continue
		}
		if words[0] == words[1] { // a bridge's own: that it is a tap is Open vSwitch's affair
			values := map[string]string{}
			for at, name := range []string{"stp_enable", "rstp_enable", "mcast_snooping_enable", "fail_mode"} {
				if value := words[2+at]; value != "[]" {
					values[name] = value
				}
			}
			port.Options = labengine.WriteOptions(labengine.OVS, values)
			all[where+":"+words[0]] = port
			continue
		}
		var text []string
		for column, value := range words[2:] {
			if value = strings.Trim(value, "[]"); value != "" {
				text = append(text, labengine.SwitchPortWords[column], value)
			}
		}
		canonical, err := labengine.CanonicalSwitchPort(strings.Join(text, " "))
		if err != nil {
			l.t.Fatalf("%s: %v", where, err)
		}
		port.Master, port.Port = words[1], canonical
		all[where+":"+words[0]] = port
	}
}

// permanentOf are the entries of ip(8)'s output as a document has them: it puts the interface first.
func permanentOf(out string) string {
	var list []string
	for line := range strings.Lines(out) {
		words := strings.Fields(line) // 10.0.0.9 dev eth0 lladdr 02:… PERMANENT
		if len(words) >= 5 && words[3] == "lladdr" {
			list = append(list, words[0]+" lladdr "+words[4]+" dev "+words[2])
		}
	}
	return sortedLines(strings.Join(list, "\n"))
}

// routesOf are the routes of ip(8)'s output that a document has.
func routesOf(out string) string {
	var list []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, "table local") || strings.Contains(line, "proto kernel") || strings.HasPrefix(line, "multicast") ||
			strings.HasPrefix(line, "local") || strings.HasPrefix(line, "anycast") {
			continue
		}
		for _, word := range []string{"linkdown", "dead", "dev lo ", "\\"} {
			line = strings.ReplaceAll(line, word, "")
		}
		r, err := labengine.ParseRoute(typable(line))
		if err != nil {
			list = append(list, err.Error())
			continue
		}
		list = append(list, compared(r))
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

// typable is a route that ip(8) prints as ip(8) takes it: of IPv4, a scope that is not said is global, and a default route
// through an IPv6 gateway would be taken for IPv6's.
func typable(line string) string {
	has := func(word string) bool { return slices.Contains(strings.Fields(line), word) }
	switch {
	case has("inet6"):
		return strings.Replace(line, "default ", "0.0.0.0/0 ", 1)
	case strings.Contains(line, ":") || has("via") || has("nexthop") || has("scope") || !has("dev"):
		return line
	}
	return line + " scope global"
}

// compared is a route as it is compared: of one through a gateway, the kernel may choose among several interfaces.
func compared(r labengine.Route) string {
	if r.Via != "" && !r.Onlink && !strings.HasPrefix(r.Via, "fe80:") {
		r.Dev = ""
	}
	for i, h := range r.Hops {
		if h.Via != "" && !h.Onlink && !strings.HasPrefix(h.Via, "fe80:") {
			r.Hops[i].Dev = ""
		}
	}
	return r.String()
}

func sysctlsOf(out string) string {
	var list []string
	for line := range strings.Lines(out) {
		if name, value, err := labengine.ParseSysctl(line); err == nil {
			if fresh, _ := labengine.FreshSysctl(name); fresh != value && slices.Contains(strings.Fields(lookedAt), name) {
				list = append(list, name+"="+value)
			}
		}
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

func (i ipLink) link() link {
	found := link{Up: slices.Contains(i.Flags, "UP"), MTU: i.MTU, MAC: i.Address}
	if i.LinkType == "loopback" || i.Address == "00:00:00:00:00:00" {
		found.MAC = ""
	}
	var addresses []string
	for _, a := range i.AddrInfo {
		text := fmt.Sprintf("%s/%d", a.Local, a.Prefixlen)
		kernelMade := strings.HasPrefix(a.Protocol, "kernel") || strings.HasPrefix(a.Local, "fe80:") && strings.Contains(a.Local, "ff:fe") ||
			i.LinkType == "loopback" && (text == "127.0.0.1/8" || text == "::1/128")
		if !kernelMade {
			addresses = append(addresses, text)
		}
	}
	found.Addresses = addressesText(addresses)
	found.Master, found.Alias, found.Options = i.Master, i.Alias, i.options()
	if i.Qdisc == "tbf" || i.Qdisc == "netem" || i.Qdisc == "blackhole" {
		found.Queue = i.Qdisc
	}
	return found
}

// options are those that the document has words for, as it writes them.
func (i ipLink) options() string {
	options, _ := labengine.LinkOptions(i.LinkInfo.Kind)
	values := map[string]string{}
	for _, o := range options {
		name := o.Name
		switch { // ip(8) says it otherwise in JSON
		case name == "dstport":
			name = "port"
		case name == "mode" && i.LinkInfo.Kind == labengine.Tun:
			name = "type"
		case name == "remote" || name == "local":
			for _, other := range []string{name + "6", strings.Replace(name, "remote", "group", 1), strings.Replace(name, "remote", "group6", 1)} {
				if v, ok := i.LinkInfo.Data[other]; ok {
					values[o.Name] = fmt.Sprint(v)
				}
			}
		}
		switch v := i.LinkInfo.Data[name].(type) {
		case float64:
			values[o.Name] = fmt.Sprint(int(v))
		case bool:
			values[o.Name] = map[bool]string{true: "1", false: "0"}[v]
		case string:
			values[o.Name] = v
		}
	}
	return labengine.WriteOptions(i.LinkInfo.Kind, values)
}

// addressesText is a list as the kernel could have it: IPv4's first ones of each subnet, then the others; IPv6's in any order.
func addressesText(list []string) string {
	var first, others, six []string
	for at, a := range list {
		switch {
		case !netip.MustParsePrefix(a).Addr().Is4():
			six = append(six, a)
		case slices.ContainsFunc(list[:at], func(b string) bool { return labengine.SameSubnet(a, b) }):
			others = append(others, a)
		default:
			first = append(first, a)
		}
	}
	slices.Sort(six)
	return strings.Join(slices.Concat(first, others, six), " ")
}

// document is the same of the mirror.
func (l *Lab) document() map[string]link {
	s := l.State()
	return documentOf(s.Lab, s.Firewalls)
}

func documentOf(lab labengine.Lab, firewalls map[labengine.ID]*labengine.Firewall) map[string]link {
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
		if n.Kind == labengine.LAN || n.Kind == labengine.Internet {
			continue // in no machine whose shell could show it
		}
		all[where(n)] = link{
			Routes: routesText(n), IPRules: ipRulesText(n, false), IP6Rules: ipRulesText(n, true), Permanent: sortedLines(strings.Join(n.Neighbours, "\n")), Sysctls: sysctlsOf(strings.Join(n.Sysctls, "\n")),
			Iptables: rulesText(n, false, firewalls[n.ID]), Ip6tables: rulesText(n, true, firewalls[n.ID]),
		}
		for _, i := range lab.InterfacesOf(n.ID) {
			all[where(n)+":"+i.Name] = link{
				Up: i.Up, MTU: i.MTU, MAC: i.MAC, Addresses: addressesText(i.Addresses), Master: lab.Interfaces[i.Master].Name,
				Port:  i.Port,
				Alias: i.Alias, Options: i.Options, Queue: queueOf(i.Impair),
			}
		}
	}
	return all
}

func queueOf(impair string) string {
	i, err := labengine.ParseImpairment(impair)
	switch {
	case err != nil || i == labengine.Impairment{}:
		return ""
	case i.Cut:
		return "blackhole"
	case i.NeedsNetem():
		return "netem"
	}
	return "tbf"
}

// routesText is a node's routes.
func routesText(n labengine.Node) string {
	var list []string
	for _, text := range n.Routes {
		r, err := labengine.ParseRoute(text)
		if err != nil {
			return err.Error()
		}
		list = append(list, compared(r))
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

// savedRules is what iptables-save prints, by table and chain, without what a fresh namespace has.
func savedRules(out string) string {
	var b strings.Builder
	tables, _ := labengine.ParseSavedRules(out)
	for _, t := range tables {
		for _, c := range t.Chains {
			writeChain(&b, t.Name, c.Name, c.Policy, func(yield func(string) bool) {
				for _, r := range c.Rules {
					if !yield(r.Text) {
						return
					}
				}
			})
		}
	}
	return sortedLines(b.String())
}

func writeChain(b *strings.Builder, table, chain, policy string, rules iter.Seq[string]) {
	if policy == "" {
		fmt.Fprintf(b, "%s -N %s\n", table, chain)
	} else if policy != "ACCEPT" {
		fmt.Fprintf(b, "%s -P %s %s\n", table, chain, policy)
	}
	number := 0
	for text := range rules {
		number++
		fmt.Fprintf(b, "%s %s %03d %s\n", table, chain, number, text)
	}
}

func sortedLines(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// rulesText is the same of a document: each rule as the lab says that the kernel prints it.
func rulesText(n labengine.Node, ipv6 bool, firewall *labengine.Firewall) string {
	twins := map[string]string{} // by table and authored text
	if firewall != nil {
		tables := firewall.IPv4
		if ipv6 {
			tables = firewall.IPv6
		}
		for _, t := range tables {
			for _, c := range t.Chains {
				for _, r := range c.Rules {
					twins[r.Authored] = r.Text
				}
			}
		}
	}
	type chain struct{ table, name string }
	policies, rules, chains := map[chain]string{}, map[chain][]string{}, map[chain]bool{}
	for _, text := range n.Rules(ipv6) {
		r, err := labengine.ParseRule(text)
		if err != nil {
			return err.Error()
		}
		at := chain{r.Table, r.Chain}
		chains[at] = true
		switch r.Verb {
		case "-P":
			policies[at] = r.Args[0]
		case "-A":
			printed, ok := twins[text]
			if !ok {
				r.Table = "filter" // which is not said
				printed = r.String()
			}
			rules[at] = append(rules[at], printed)
		}
	}
	var b strings.Builder
	for at := range chains {
		policy := policies[at]
		if policy == "" && labengine.BuiltinChain(at.table, at.name) {
			policy = "ACCEPT"
		}
		writeChain(&b, at.table, at.name, policy, slices.Values(rules[at]))
	}
	return sortedLines(b.String())
}

func differ(kernel, document map[string]link) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(kernel)) {
		d, ok := document[name]
		k := kernel[name]
		if d.MAC == "" { // whatever the kernel chooses: a bridge without ports, as a terminal makes it
			k.MAC = ""
		}
		if !ok {
			fmt.Fprintf(&b, "\n  the document has no %s", name)
		} else if d != k {
			fmt.Fprintf(&b, "\n  %s: kernel %+v, document %+v", name, k, d)
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
	lab := l.State().Lab.Saved()
	machines := 0
	first := ""
	for _, n := range lab.NodesInOrder() {
		switch n.Kind {
		case labengine.Machine:
			machines++
			first = n.Name
		case labengine.LAN:
			machines = 2 // the script has a namespace for it, which no machine has
		}
	}
	if machines != 1 {
		return
	}
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-ec",
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
	if problem := differ(kernel, documentOf(lab, l.State().Firewalls)); problem != "" {
		l.t.Errorf("the script makes another lab: %s\n%s", problem, plan.Script(lab))
	}
}
