package live_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vethlab/labengine"
	"vethlab/labengine/live/labtest"
)

// masquerade is how red and blue get out through host in the lesson's picture.
const masquerade = "-t nat -A POSTROUTING -s 192.168.15.0/24 ! -o v-net-0 -j MASQUERADE"

// rules changes the rules of a node, as a hand that draws does.
func rules(node labengine.ID, commands ...string) labengine.Edit {
	return labengine.Edit{Iptables: &labengine.Iptables{Node: node, Commands: commands}}
}

// hasRules says whether a node has just these rules.
func hasRules(node labengine.ID, rules ...string) func(labtest.State) bool {
	return func(s labtest.State) bool { return slices.Equal(s.Lab.Nodes[node].Iptables, rules) }
}

func checkRules(t *testing.T, lab *labtest.Lab, node labengine.ID, want ...string) {
	t.Helper()
	lab.CheckKernel()
	if got := lab.State().Lab.Nodes[node].Iptables; !slices.Equal(got, want) {
		t.Errorf("%s has\n  %s\nnot\n  %s", node, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func undo(t *testing.T, lab *labtest.Lab) {
	t.Helper()
	if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil {
		t.Fatalf("undo: %v", r.Problem)
	}
}

func redo(t *testing.T, lab *labtest.Lab) {
	t.Helper()
	if r := lab.Ask(labengine.Request{Redo: &labengine.Redo{}}); r.Problem != nil {
		t.Fatalf("redo: %v", r.Problem)
	}
}

// masked is the bridged picture with NAT: the neighbour knows no way back to red and blue.
func masked(t *testing.T) labengine.Lab {
	t.Helper()
	lab, err := bridged(t).Edit([]labengine.Edit{
		{DeleteRoute: &labengine.DeleteRoute{Node: "neighbour", Route: "192.168.15.0/24 via 192.168.1.2"}},
		rules("host", masquerade),
	})
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

// serve has a node answer at a TCP port, once, and write down who asks.
func serve(lab *labtest.Lab, node string, port int) {
	lab.Shell(node, fmt.Sprintf(`
		rm -f /tmp/asked
		timeout 20 nc -lvn %d </dev/null >/tmp/asked 2>&1 &
		until ss -Hlnt sport = :%d | grep -q .; do sleep 0.02; done`, port, port))
}

func TestMasqueradeAndPortForward(t *testing.T) {
	lab := labtest.StartLab(t, masked(t))
	checkRules(t, lab, "host", masquerade)
	serve(lab, "neighbour", 7000)
	lab.MustRun("blue", "nc", "-zw5", "192.168.1.3", "7000")
	if asked := lab.Shell("neighbour", "until grep -q 'received on' /tmp/asked; do sleep 0.02; done; cat /tmp/asked"); !strings.Contains(asked, "received on 192.168.1.2 ") {
		t.Errorf("the neighbour was asked by %s", asked)
	}
	if out, status := lab.Run("neighbour", "nc", "-zw1", "192.168.1.2", "80"); status == 0 {
		t.Errorf("the neighbour reaches port 80 before it is forwarded: %s", out)
	}
	lab.Shell("blue", "mkdir -p /run/www; echo hello from blue > /run/www/index.html; busybox httpd -p 80 -h /run/www")
	forward := "-t nat -A PREROUTING -d 192.168.1.2 -p tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80"
	lab.MustEdit(rules("host", forward))
	if out := lab.MustRun("neighbour", "curl", "-sS", "-m5", "http://192.168.1.2/"); !strings.Contains(out, "hello from blue") {
		t.Errorf("the neighbour gets %s", out)
	}
	checkRules(t, lab, "host", masquerade, forward) // and not as iptables prints it, with -m tcp and /32
	printed := lab.Until("the printed rule", func(s labtest.State) bool {
		return s.Firewalls["host"] != nil && len(s.Firewalls["host"].IPv4) > 0
	}).Firewalls["host"].IPv4[0].Chains[0].Rules[0]
	if printed.Authored != forward || !strings.Contains(printed.Text, "-d 192.168.1.2/32 -p tcp -m tcp --dport 80") {
		t.Errorf("the rule is shown as %+v", printed)
	}
	change := lab.State().Changes[len(lab.State().Changes)-1]
	if len(change.Commands) != 1 || change.Commands[0].Line != "iptables "+forward {
		t.Errorf("the gesture's commands are %v", change.Commands)
	}
	undo(t, lab)
	checkRules(t, lab, "host", masquerade)
	redo(t, lab)
	checkRules(t, lab, "host", masquerade, forward)
	lab.MustRun("neighbour", "curl", "-sS", "-m5", "http://192.168.1.2/")

	lab.MustEdit(rules("host", "-P FORWARD DROP"))
	if _, status := lab.Run("blue", "nc", "-zw1", "192.168.1.3", "7001"); status == 0 {
		t.Error("blue gets through a FORWARD chain that drops all")
	}
	if _, status := lab.Run("neighbour", "curl", "-sS", "-m1", "http://192.168.1.2/"); status == 0 {
		t.Error("the neighbour gets through a FORWARD chain that drops all")
	}
	lab.MustEdit(rules("host", "-A FORWARD -d 192.168.15.2 -p tcp --dport 80 -j ACCEPT",
		"-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"))
	lab.MustRun("neighbour", "curl", "-sS", "-m5", "http://192.168.1.2/")
	lab.CheckKernel()
}

// dockers are the rules that dockerd makes, as a learner writes them by hand.
var dockers = []string{
	"-P FORWARD DROP", "-N DOCKER",
	"-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
	"-A FORWARD -o docker0 -j DOCKER",
	"-A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
	"-A FORWARD -i docker0 -o docker0 -j ACCEPT",
	"-t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
	"-t nat -N DOCKER",
	"-t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
	"-t nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
	"-t nat -A DOCKER -i docker0 -j RETURN",
	"-t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
	"-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT",
}

func TestOwnChains(t *testing.T) {
	lab := labtest.Start(t, hostAlone)
	lab.MustEdit(rules("host", dockers...))
	checkRules(t, lab, "host", dockers...)
	lab.CheckScript()
	if p := lab.Edit(rules("host", "-X DOCKER")); p == nil || !strings.Contains(p.Hint, "-F DOCKER") {
		t.Errorf("deleting a chain with rules: %v", p)
	}
	lab.MustEdit(rules("host", "-F", "-X DOCKER", "-P FORWARD ACCEPT", "-t nat -F", "-t nat -X DOCKER"))
	checkRules(t, lab, "host", "-P FORWARD ACCEPT")
	undo(t, lab)
	checkRules(t, lab, "host", dockers...)
	undo(t, lab)
	checkRules(t, lab, "host")
	redo(t, lab)
	checkRules(t, lab, "host", dockers...)

	lab.MustEdit(labengine.Edit{AddNode: &labengine.AddNode{ID: "m", Name: "other", Kind: labengine.Machine}})
	lab.Shell("other", "iptables "+strings.Join(dockers, "; iptables "))
	lab.Until("what was typed", func(s labtest.State) bool { return len(s.Lab.Nodes["m"].Iptables) == len(dockers) })
	lab.CheckKernel()
}

func TestTypedRulesReachTheDocument(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	lab.MustEdit(rules("host", "-A INPUT -p tcp --dport 22 -j ACCEPT", "-A INPUT -j DROP"))
	typed := func(node labengine.ID, command string, want ...string) {
		t.Helper()
		lab.Shell("host", command)
		began := time.Now()
		lab.Until(command, hasRules(node, want...))
		if took := time.Since(began); took > 2*time.Second { // a few ms; what is looked for takes 3 s
			t.Errorf("%s was seen after %s", command, took)
		}
	}
	ssh, drop := "-A INPUT -p tcp --dport 22 -j ACCEPT", "-A INPUT -j DROP"
	typed("host", "iptables -I INPUT 2 -i lo -j ACCEPT", ssh, "-A INPUT -i lo -j ACCEPT", drop)
	typed("host", "iptables -D INPUT 3", ssh, "-A INPUT -i lo -j ACCEPT")
	typed("host", "iptables -P OUTPUT DROP", "-P OUTPUT DROP", ssh, "-A INPUT -i lo -j ACCEPT")
	typed("host", `iptables -A INPUT -m comment --comment "it's \"mine\"" -j LOG --log-prefix "in: "`,
		"-P OUTPUT DROP", ssh, "-A INPUT -i lo -j ACCEPT", `-A INPUT -m comment --comment 'it'\''s "mine"' -j LOG --log-prefix "in: "`)
	lab.CheckKernel()
	lab.CheckScript()
	for !hasRules("host", ssh, drop)(lab.State()) { // commands that follow each other closely are one entry
		undo(t, lab)
		lab.CheckKernel()
	}

	typed("host/red", "ip netns exec red iptables "+masquerade, masquerade)
	typed("host/red", `printf '%s\n' '*filter' ':FORWARD DROP [0:0]' ':mine - [0:0]' '-A FORWARD -j mine' '-A mine -j RETURN' COMMIT |
		ip netns exec red iptables-restore`, masquerade, "-P FORWARD DROP", "-N mine", "-A FORWARD -j mine", "-A mine -j RETURN")
	typed("host/red", "ip netns exec red nft add rule ip filter FORWARD ip saddr 10.0.0.1 counter drop",
		masquerade, "-P FORWARD DROP", "-N mine", "-A FORWARD -j mine", "-A mine -j RETURN", "-A FORWARD -s 10.0.0.1/32 -j DROP")
	typed("host/red", "ip netns exec red iptables -F", masquerade, "-P FORWARD DROP", "-N mine")
	for len(lab.State().Lab.Nodes["host/red"].Iptables) > 0 {
		undo(t, lab)
		lab.CheckKernel()
	}

	lab.Shell("host", "ip6tables -A INPUT -p icmpv6 -j ACCEPT")
	lab.Until("a rule of IPv6", func(s labtest.State) bool { return len(s.Lab.Nodes["host"].Ip6tables) == 1 })
	lab.CheckKernel()
	lab.CheckScript()
	undo(t, lab)
	lab.CheckKernel()
}

func TestRulesOfNamespacesThatAreTyped(t *testing.T) {
	lab := labtest.Start(t, hostAlone)
	lab.Shell("host", "ip netns add green; ip netns exec green iptables -A INPUT -j DROP")
	lab.Until("green, with its rule", func(s labtest.State) bool {
		green, err := s.Lab.FindNode("green")
		return err == nil && slices.Equal(green.Iptables, []string{"-A INPUT -j DROP"})
	})
	lab.Shell("host", "unshare -n sh -c 'iptables -P INPUT DROP; exec sleep 60' >/dev/null 2>&1 &")
	held := lab.Until("a held namespace with a policy", func(s labtest.State) bool {
		return slices.ContainsFunc(s.Lab.NodesInOrder(), func(n labengine.Node) bool { return n.Held != "" && len(n.Iptables) == 1 })
	})
	for id, n := range held.Lab.Nodes {
		if n.Held != "" {
			lab.MustEdit(rules(id, "-A INPUT -i lo -j ACCEPT"))
			change := lab.State().Changes[len(lab.State().Changes)-1]
			if !strings.HasPrefix(change.Commands[0].Line, "nsenter -t ") {
				t.Errorf("the commands are %v", change.Commands)
			}
		}
	}
	lab.CheckKernel()
}

func TestRefusedRuleLeavesNothing(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	lab.MustEdit(rules("host", "-A FORWARD -j ACCEPT"))
	for _, c := range []struct{ rule, says, hint string }{
		{"-A FORWARD -m nosuch -j ACCEPT", "Couldn't load match `nosuch'", "no such extension"},
		{"-A FORWARD --dport 80 -j ACCEPT", `unknown option "--dport"`, "-p tcp"},
		{"-A FORWARD -j MASQUERADE", "Invalid argument", "-t nat"},
		{"-A FORWARD -j NOSUCH", "NOSUCH", "make the chain first"},
		{"-t nat -P POSTROUTING DROP", "not intended for filtering", ""},
	} {
		for _, commands := range [][]string{{c.rule}, {"-N mine", "-A mine -j LOG", "-I FORWARD -j mine", c.rule, "-A FORWARD -j LOG"}} {
			before := lab.State().Lab
			p := lab.Edit(append([]labengine.Edit{{AddNode: &labengine.AddNode{ID: "g", Name: "green", Kind: labengine.Namespace, In: "host"}}},
				rules("host", commands...))...)
			if p == nil || p.Code != labengine.CodeRefused || !strings.Contains(p.Message, c.says) || !strings.Contains(p.Hint, c.hint) ||
				p.Command != "iptables "+c.rule {
				t.Errorf("%q: %+v", commands, p)
			}
			if p != nil && (strings.Contains(p.Message, "Try `") || strings.Contains(p.Message, "iptables v")) {
				t.Errorf("%q: too many words: %s", commands, p.Message)
			}
			lab.CheckKernel()
			if diff := labengine.Compare(before, lab.State().Lab); !diff.Empty() {
				t.Errorf("%q leaves %+v", commands, diff)
			}
		}
	}
	p := lab.Edit(rules("host", "-A FORWARD -j LOG --modprobe=/bin/false"))
	if p == nil || p.Code != labengine.CodeBadValue {
		t.Errorf("a program to run: %v", p)
	}
}

func TestOrderOfRulesThroughUndo(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	rule := func(n int) string { return fmt.Sprintf("-A INPUT -s 10.0.0.%d -j DROP", n) }
	lab.MustEdit(rules("host/red", rule(1), rule(2), rule(3), rule(2)))
	lab.MustEdit(rules("host/red", "-I INPUT 2 -s 10.0.0.9 -j DROP"))
	lab.MustEdit(rules("host/red", "-D INPUT 5", "-I INPUT 1 -s 10.0.0.2 -j DROP")) // the second of two moves up
	checkRules(t, lab, "host/red", rule(2), rule(1), rule(9), rule(2), rule(3))
	lab.MustEdit(rules("host/red", "-R INPUT 3 -s 10.0.0.8 -j DROP"))
	if last := lab.State().Changes[len(lab.State().Changes)-1]; last.Commands[0].Line != "ip netns exec red iptables -R INPUT 3 -s 10.0.0.8 -j DROP" {
		t.Errorf("replacing is %v", last.Commands)
	}
	lab.MustEdit(rules("host/red", "-D INPUT 1"))
	all := [][]string{
		{rule(1), rule(8), rule(2), rule(3)}, {rule(2), rule(1), rule(8), rule(2), rule(3)}, {rule(2), rule(1), rule(9), rule(2), rule(3)},
		{rule(1), rule(9), rule(2), rule(3), rule(2)}, {rule(1), rule(2), rule(3), rule(2)}, {},
	}
	for at, want := range all {
		if at > 0 {
			undo(t, lab)
		}
		checkRules(t, lab, "host/red", want...)
	}
	for at := range slices.Backward(all[:len(all)-1]) {
		redo(t, lab)
		checkRules(t, lab, "host/red", all[at]...)
	}
	lab.MustEdit(labengine.Edit{Delete: &labengine.Delete{ID: "host/red"}})
	undo(t, lab)
	checkRules(t, lab, "host/red", all[0]...)
	lab.Shell("host", "ip netns del red")
	lab.Until("no red", func(s labtest.State) bool { _, there := s.Lab.Nodes["host/red"]; return !there })
	undo(t, lab)
	checkRules(t, lab, "host/red", all[0]...)

	far := labengine.ID("far")
	lab.MustEdit(labengine.Edit{AddNode: &labengine.AddNode{ID: far, Name: "far", Kind: labengine.Machine}},
		labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: "host/red", In: &far}})
	checkRules(t, lab, "host/red", all[0]...) // made anew there
	undo(t, lab)
	checkRules(t, lab, "host/red", all[0]...)

	lab.Shell("host", "ip netns exec red iptables -I INPUT -j LOG") // of another hand, in between
	lab.Until("LOG", func(s labtest.State) bool { return len(s.Lab.Nodes["host/red"].Iptables) == 5 })
	lab.MustEdit(rules("host/red", "-D INPUT 3"))
	lab.Shell("host", "ip netns exec red iptables -A INPUT -i lo -j ACCEPT")
	lab.Until("lo", func(s labtest.State) bool { return len(s.Lab.Nodes["host/red"].Iptables) == 5 })
	undo(t, lab)
	undo(t, lab)
	checkRules(t, lab, "host/red", append([]string{"-A INPUT -j LOG"}, all[0]...)...)
}

func TestThousandsOfRules(t *testing.T) {
	many := func(count int) []string {
		list := []string{"-P INPUT DROP", "-N mine"}
		for n := range count {
			list = append(list, fmt.Sprintf("-A INPUT -s 10.%d.%d.1 -p tcp --dport %d -m comment --comment 'rule %d' -j ACCEPT", n/250, n%250, n+1, n))
		}
		return append(list, "-t nat -A POSTROUTING -j MASQUERADE", "-A FORWARD -j mine")
	}
	start, err := labengine.NewLab("many").Edit([]labengine.Edit{
		{AddNode: &labengine.AddNode{ID: "host", Name: "host", Kind: labengine.Machine}}, rules("host", many(1000)...),
	})
	if err != nil {
		t.Fatal(err)
	}
	lab := labtest.StartLab(t, start)
	checkRules(t, lab, "host", many(1000)...)

	lab.MustEdit(labengine.Edit{AddNode: &labengine.AddNode{ID: "far", Name: "far", Kind: labengine.Machine}})
	began := time.Now()
	lab.MustEdit(rules("far", many(10_000)...))
	t.Log("10,000 rules take", time.Since(began))
	checkRules(t, lab, "far", many(10_000)...)
	began = time.Now()
	if p := lab.Edit(rules("far", "-R INPUT 5000 -j DROP", "-D INPUT 3000", "-A INPUT -j NOSUCH")); p == nil {
		t.Error("a rule that leads nowhere was taken")
	}
	lab.MustEdit(rules("far", "-R INPUT 5000 -j DROP", "-D INPUT 3000", "-I INPUT 1 -j LOG"))
	lab.CheckKernel()
	undo(t, lab)
	checkRules(t, lab, "far", many(10_000)...)
	t.Log("changing them takes", time.Since(began))
	refused := many(2000)
	refused[1500] = "-A INPUT -m nosuch -j ACCEPT"
	lab.MustEdit(labengine.Edit{AddNode: &labengine.AddNode{ID: "third", Name: "third", Kind: labengine.Machine}})
	if p := lab.Edit(rules("third", refused...)); p == nil || p.Command != "iptables "+refused[1500] {
		t.Errorf("one of many is refused: %v", p)
	}
	checkRules(t, lab, "third")
}

// placeOf is where counters have a rule, from 1, or a chain's policy, 0.
func placeOf(tables []labengine.FirewallTable, table, chain string, rule int) int {
	place := 0
	for _, t := range tables {
		for _, c := range t.Chains {
			if t.Name == table && c.Name == chain {
				return place + rule
			}
			place += 1 + len(c.Rules)
		}
	}
	return -1
}

func TestCountersFlowsAndSockets(t *testing.T) {
	lab := labtest.StartLab(t, masked(t))
	lab.MustEdit(rules("host", "-A FORWARD -p tcp --dport 7000 -j ACCEPT"))
	lab.MustRun("blue", "busybox", "httpd", "-p", "192.168.15.2:80")
	lab.Until("blue's server", func(s labtest.State) bool {
		return s.Nodes["blue"] != nil && slices.ContainsFunc(s.Nodes["blue"].Sockets, func(s labengine.Socket) bool {
			return s.Protocol == "tcp" && s.Address == "192.168.15.2" && s.Port == 80 && strings.HasPrefix(s.Process, "busybox (")
		})
	})
	lab.Ask(labengine.Request{Watch: &labengine.Watch{Frames: true}})
	serve(lab, "neighbour", 7000)
	lab.MustRun("blue", "nc", "-zw5", "192.168.1.3", "7000")
	state := lab.Until("counters and the flow", func(s labtest.State) bool {
		host, counters, tracked := s.Firewalls["host"], s.Counters["host"], s.Conntrack["host"]
		return host != nil && counters != nil && tracked != nil && len(tracked.Flows) > 0 &&
			slices.ContainsFunc(counters.IPv4, func(c labengine.Counter) bool {
				return c.At == placeOf(host.IPv4, "filter", "FORWARD", 1) && c.Packets > 0 && c.Bytes > 0
			})
	})
	found := slices.ContainsFunc(state.Conntrack["host"].Flows, func(f labengine.Flow) bool {
		return f.Protocol == "tcp" && f.State != "" && f.Timeout > 0 && f.Assured && !f.Unseen &&
			f.Original.From == "192.168.15.2" && f.Original.To == "192.168.1.3" && f.Original.ToPort == 7000 &&
			f.Reply.From == "192.168.1.3" && f.Reply.To == "192.168.1.2" && f.Reply.FromPort == 7000
	})
	if !found {
		t.Errorf("the flows are %+v", state.Conntrack["host"])
	}
	if state.Firewalls["red"] != nil || state.Counters["red"] != nil || state.Conntrack["red"] != nil {
		t.Errorf("red has a firewall: %+v", state.Firewalls["red"])
	}
	lab.MustRun("blue", "ping", "-c1", "-W3", "192.168.1.3")
	lab.Until("a flow of ICMP", func(s labtest.State) bool {
		return slices.ContainsFunc(s.Conntrack["host"].Flows, func(f labengine.Flow) bool {
			return f.Protocol == "icmp" && strings.HasPrefix(f.Original.ICMP, "type=8 code=0 id=")
		})
	})
	lab.Shell("blue", "pkill -x busybox")
	lab.Until("no server in blue", func(s labtest.State) bool { return len(s.Nodes["blue"].Sockets) == 0 })
	lab.CheckKernel()
}

// TestCountersDoNotSendRulesAgain: what ticks each second is small, however many rules there are.
func TestCountersDoNotSendRulesAgain(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	many := []string{"-A INPUT -i lo -j ACCEPT"}
	for n := range 10_000 {
		many = append(many, fmt.Sprintf("-A INPUT -s 10.%d.%d.1 -p tcp --dport %d -m comment --comment 'rule %d' -j ACCEPT", n/250, n%250, n+1, n))
	}
	lab.MustEdit(rules("host", many...))
	lab.Ask(labengine.Request{Watch: &labengine.Watch{Frames: true}})
	packets := func(s labtest.State) uint64 {
		if s.Firewalls["host"] == nil || s.Counters["host"] == nil {
			return 0
		}
		place := placeOf(s.Firewalls["host"].IPv4, "filter", "INPUT", 1)
		for _, c := range s.Counters["host"].IPv4 {
			if c.At == place {
				return c.Packets
			}
		}
		return 0
	}
	lab.MustRun("host", "ping", "-c1", "127.0.0.1")
	first := lab.Until("the ping in the counters", func(s labtest.State) bool { return packets(s) >= 2 })
	lab.MustRun("host", "ping", "-c1", "127.0.0.1")
	second := lab.Until("another ping", func(s labtest.State) bool { return packets(s) >= 4 })
	if first.Firewalls["host"] != second.Firewalls["host"] {
		t.Error("the rules were sent again with what they have counted")
	}
	bytes := func(live labengine.Live) int {
		text, err := json.Marshal(labengine.Message{Live: &live})
		if err != nil {
			t.Fatal(err)
		}
		return len(text)
	}
	whole := bytes(labengine.Live{Firewalls: second.Firewalls, Nodes: second.Nodes})
	tick := bytes(labengine.Live{Counters: second.Counters, Conntrack: second.Conntrack})
	t.Logf("10,000 rules are %d bytes, their counters %d", whole, tick)
	if tick > 10_000 {
		t.Errorf("a tick of counters is %d bytes", tick)
	}
}

func TestNativeTablesAreShown(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	lab.MustEdit(rules("host", "-A INPUT -i lo -j ACCEPT"))
	lab.Shell("host", `nft add table inet mine; nft 'add chain inet mine in { type filter hook input priority 0; policy drop; }'
		nft add rule inet mine in tcp dport 22 accept; nft add table ip vethlab-probe`)
	lab.Until("the table", func(s labtest.State) bool {
		f := s.Firewalls["host"]
		return f != nil && f.Tables == 1 && strings.Contains(f.Native, "tcp dport 22 accept") && !strings.Contains(f.Native, "vethlab") &&
			!strings.Contains(f.Native, "table ip filter")
	})
	lab.Shell("host", `nft add table ip nat; nft 'add chain ip nat prerouting { type nat hook prerouting priority dstnat; }'`)
	lab.Until("the table of iptables' name", func(s labtest.State) bool {
		return strings.Contains(s.Firewalls["host"].Native, "table ip nat")
	})
	lab.CheckKernel()
	lab.Shell("host", "nft add rule ip filter INPUT ct state established accept")
	lab.Until("a table that iptables cannot read", func(s labtest.State) bool {
		f := s.Firewalls["host"]
		return strings.Contains(f.Native, "ct state established accept") &&
			slices.ContainsFunc(f.IPv4, func(t labengine.FirewallTable) bool { return t.Name == "filter" && t.Stale })
	})
	lab.MustEdit(rules("host", "-A INPUT -j LOG"))
	if got := lab.State().Lab.Nodes["host"].Iptables; !slices.Equal(got, []string{"-A INPUT -i lo -j ACCEPT", "-A INPUT -j LOG"}) {
		t.Errorf("the document's rules are %q", got)
	}
	if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem == nil || !strings.Contains(r.Problem.Hint, "with nft") {
		t.Errorf("undo among what cannot be read: %v", r.Problem)
	}
	lab.Shell("host", "nft delete rule ip filter INPUT handle $(nft -a list chain ip filter INPUT | sed -n 's/.*established accept # handle //p')")
	lab.Until("all readable again", func(s labtest.State) bool {
		return !slices.ContainsFunc(s.Firewalls["host"].IPv4, func(t labengine.FirewallTable) bool { return t.Stale })
	})
	lab.Shell("host", "nft delete table ip nat; nft delete table inet mine")
	lab.Until("no such tables", func(s labtest.State) bool {
		f := s.Firewalls["host"]
		return f != nil && f.Tables == 0 && f.Native == ""
	})
	undo(t, lab)
	checkRules(t, lab, "host", "-A INPUT -i lo -j ACCEPT")
}

func TestLegacyRulesAreShown(t *testing.T) {
	lab := labtest.Start(t, redAndBlue)
	if out, status := lab.Run("host", "iptables-legacy", "-A", "INPUT", "-i", "lo", "-j", "ACCEPT"); status != 0 {
		t.Skipf("no iptables-legacy here: %s", out)
	}
	lab.Until("the legacy rule", func(s labtest.State) bool {
		host := s.Firewalls["host"]
		return host != nil && slices.ContainsFunc(host.IPv4, func(t labengine.FirewallTable) bool {
			return t.Legacy && t.Other && t.Name == "filter" && len(t.Chains[0].Rules) == 1
		})
	})
	checkRules(t, lab, "host")
}
