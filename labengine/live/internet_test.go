package live_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/live/labtest"
	"vethlab/labengine/plan"
)

// homeRouter is the picture with which NAT is taught: blue in host, host on the office LAN, and the LAN's gateway
// 192.168.1.1 at the edge of the internet.
func homeRouter(t *testing.T) labengine.Lab {
	t.Helper()
	end := func(node, name string, addresses ...string) labengine.End {
		return labengine.End{ID: labengine.ID(node + ":" + name), Node: labengine.ID(node), Name: name, Addresses: addresses}
	}
	lab, err := labengine.NewLab("home").Edit([]labengine.Edit{
		{AddNode: &labengine.AddNode{ID: "host", Name: "host", Kind: labengine.Machine}},
		{AddNode: &labengine.AddNode{ID: "blue", Name: "blue", Kind: labengine.Namespace, In: "host"}},
		{AddNode: &labengine.AddNode{ID: "office", Name: "office", Kind: labengine.LAN}},
		{AddNode: &labengine.AddNode{ID: "internet", Name: "internet", Kind: labengine.Internet}},
		{AddCable: &labengine.AddCable{
			ID: "cblue", A: end("blue", "veth-blue", "192.168.15.2/24", "fd15::2/64"), B: end("host", "veth-host", "192.168.15.5/24", "fd15::5/64"),
		}},
		{AddCable: &labengine.AddCable{ID: "chost", A: end("host", "eth0", "192.168.1.2/24", "2001:db8:1::2/64"), B: end("office", "p1")}},
		{AddCable: &labengine.AddCable{ID: "cwan", A: end("office", "p2"), B: end("internet", "lan", "192.168.1.1/24", "2001:db8:1::1/64")}},
		{AddRoute: &labengine.AddRoute{Node: "blue", Route: "default via 192.168.15.5"}},
		{AddRoute: &labengine.AddRoute{Node: "blue", Route: "default via fd15::5"}},
		{AddRoute: &labengine.AddRoute{Node: "host", Route: "default via 192.168.1.1"}},
		{AddRoute: &labengine.AddRoute{Node: "host", Route: "default via 2001:db8:1::1"}},
		{SetSysctl: &labengine.SetSysctl{Node: "host", Name: "net.ipv4.ip_forward", Value: "1"}},
		{SetSysctl: &labengine.SetSysctl{Node: "host", Name: "net.ipv6.conf.all.forwarding", Value: "1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

func TestInternetFromBehindItsEdge(t *testing.T) {
	lab := labtest.StartLab(t, homeRouter(t))
	lab.CheckKernel()
	if out := lab.MustRun("host", "ping", "-nc1", "-W3", "8.8.8.8"); !strings.Contains(out, "ttl=61") {
		t.Errorf("8.8.8.8 is not three routers away: %s", out)
	}
	lab.Shell("host", "while ip -6 addr | grep tentative; do sleep 0.1; done")
	lab.MustRun("host", "ping", "-nc1", "-W3", "2001:4860:4860::8888")
	trace := strings.Fields(lab.Shell("host", "traceroute -n -q1 -w2 1.1.1.1 | tail -n +2 | awk '{print $2}'"))
	if got := strings.Join(trace, " "); got != "192.168.1.1 198.18.0.2 198.18.0.6 1.1.1.1" {
		t.Errorf("traceroute: %s", got)
	}
	trace6 := strings.Fields(lab.Shell("host", "traceroute -6 -n -q1 -w2 2606:4700:4700::1111 | tail -n +2 | awk '{print $2}'"))
	if got := strings.Join(trace6, " "); got != "2001:db8:1::1 2001:db8:100:1::2 2001:db8:100:2::2 2606:4700:4700::1111" {
		t.Errorf("traceroute -6: %s", got)
	}
	for query, want := range map[string]string{
		"@8.8.8.8 example.com":               "203.0.113.80\n",
		"@8.8.4.4 +tcp www.example.com AAAA": "2001:db8:113::80\n",
		"@1.1.1.1 ONE.one.one.one":           "1.1.1.1\n1.0.0.1\n",
		"@2620:fe::fe dns.google":            "8.8.8.8\n8.8.4.4\n",
		"@9.9.9.9 -x 203.0.113.80":           "example.com.\n",
		"@9.9.9.9 -x 2606:4700:4700::1111":   "one.one.one.one.\n",
		"-x 198.18.0.2":                      "core1.isp.example.\n", // by /etc/resolv.conf
	} {
		if got := lab.Shell("host", "dig +short +tries=2 +time=2 "+query); got != want {
			t.Errorf("dig %s: %q", query, got)
		}
	}
	if got := lab.Shell("host", "dig nowhere.example.com | grep -o 'status: [A-Z]*'"); got != "status: NXDOMAIN\n" {
		t.Errorf("a name that is not there: %s", got)
	}
	page := lab.Shell("host", "curl -sS -4 -H 'X-Lesson: nat' http://example.com/some?thing")
	for _, want := range []string{"This is example.com.\n", "You are 192.168.1.2, port ", "GET /some?thing HTTP/1.1\n", "Host: example.com\n", "X-Lesson: nat\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in %q", want, page)
		}
	}
	if out, status := lab.Run("host", "ping", "-nc1", "-W2", "4.4.4.4"); status == 0 || !strings.Contains(out, "From 192.168.1.1") {
		t.Errorf("an address that nobody has: %s", out)
	}
	if out, status := lab.Run("internet", "true"); status == 0 || !strings.Contains(out, "nothing else runs in it") {
		t.Errorf("a command in the internet: %d %s", status, out)
	}
	reply := lab.Ask(labengine.Request{Ping: &labengine.Ping{From: "internet", To: "192.168.1.2", Count: 1}})
	if !strings.Contains(reply.Text, "1 received") {
		t.Errorf("ping from the edge: %s %v", reply.Text, reply.Problem)
	}
	state := lab.State()
	if n := state.Nodes["internet"]; n == nil || len(n.Routes) == 0 {
		t.Errorf("the edge's tables are %+v", n)
	} else if text := fmt.Sprintf("%+v", n); strings.Contains(text, labengine.UplinkName) {
		t.Errorf("the edge shows its uplink: %s", text)
	}
	for _, i := range state.Lab.InterfacesOf("internet") {
		if i.Name != "lo" && i.Name != "lan" {
			t.Errorf("the internet has %+v", i)
		}
	}
}

func TestNoWayBackWithoutNAT(t *testing.T) {
	lab := labtest.StartLab(t, homeRouter(t))
	dropped := func(s labtest.State) uint64 {
		if n := s.Nodes["internet"]; n != nil {
			return n.Dropped
		}
		return 0
	}
	if _, status := lab.Run("blue", "ping", "-nc1", "-W1", "8.8.8.8"); status == 0 {
		t.Error("the internet knows a way to 192.168.15.2")
	}
	lab.Shell("blue", "while ip -6 addr | grep tentative; do sleep 0.1; done")
	one := dropped(lab.Until("a dropped packet", func(s labtest.State) bool { return dropped(s) > 0 }))
	if _, status := lab.Run("blue", "ping", "-nc1", "-W1", "2001:4860:4860::8888"); status == 0 {
		t.Error("the internet knows a way to fd15::2")
	}
	lab.Until("another, of IPv6", func(s labtest.State) bool { return dropped(s) > one })

	lab.Shell("host", "iptables -t nat -A POSTROUTING -s 192.168.15.0/24 ! -d 192.168.15.0/24 -j MASQUERADE")
	if out := lab.MustRun("blue", "ping", "-nc1", "-W3", "8.8.8.8"); !strings.Contains(out, "ttl=60") {
		t.Errorf("four routers away: %s", out)
	}
	if page := lab.Shell("blue", "curl -sS http://203.0.113.80/"); !strings.Contains(page, "You are 192.168.1.2, port ") {
		t.Errorf("SNAT is not seen: %s", page)
	}
	if got := lab.Shell("blue", "dig +short example.org"); got != "203.0.113.81\n" {
		t.Errorf("dig: %q", got)
	}
	lab.Shell("host", "iptables -t nat -F POSTROUTING")
	lab.MustEdit(labengine.Edit{AddRoute: &labengine.AddRoute{Node: "internet", Route: "192.168.15.0/24 via 192.168.1.2"}})
	lab.MustRun("blue", "ping", "-nc1", "-W3", "8.8.8.8")
	if got := lab.State().Lab.Nodes["internet"].Routes; len(got) != 1 {
		t.Errorf("the edge's routes in the document: %v", got)
	}
	mustUndo(t, lab, "a route")
	if _, status := lab.Run("blue", "ping", "-nc1", "-W1", "8.8.8.8"); status == 0 {
		t.Error("the internet still knows a way to 192.168.15.2")
	}
}

func TestInternetComesAndGoes(t *testing.T) {
	lab := labtest.StartLab(t, homeRouter(t))
	before := lab.State().Lab
	name := "world"
	lab.MustEdit(labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: "internet", Name: &name}})
	mustUndo(t, lab, "a rename")
	lab.MustEdit(labengine.Edit{Delete: &labengine.Delete{ID: "internet"}})
	lab.CheckKernel()
	if got := lab.Shell("host", "grep -c ^nameserver /etc/resolv.conf || true"); got != "0\n" {
		t.Errorf("name servers without an internet: %s", got)
	}
	lab.Shell("host", "! ping -nc1 -W1 8.8.8.8")
	mustUndo(t, lab, "a deletion")
	lab.CheckKernel()
	if p := labengine.Compare(before, lab.State().Lab); !p.Empty() {
		t.Errorf("undo leaves %+v", p)
	}
	if got := lab.Shell("host", "grep ^nameserver /etc/resolv.conf"); got != "nameserver 8.8.8.8\n" {
		t.Errorf("name servers: %s", got)
	}
	lab.MustRun("host", "ping", "-4", "-nc1", "-W3", "example.com")
	lab.MustEdit(labengine.Edit{AddNode: &labengine.AddNode{ID: "other", Name: "other", Kind: labengine.Internet}},
		labengine.Edit{UpdateInterface: &labengine.UpdateInterface{ID: "office:p2", Up: new(bool)}})
	mustUndo(t, lab, "another internet")
	lab.MustRun("host", "ping", "-4", "-nc1", "-W3", "example.com")
}

// TestInternetsScript: what stands in for the world in the script answers too.
func TestInternetsScript(t *testing.T) {
	script := plan.Script(homeRouter(t))
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-ec", `
		mount -t tmpfs none /run; mkdir -p /run/netns; cat > /run/script; sh /run/script
		ping -nc1 -W3 8.8.8.8
		ip netns exec internet ss -lntu
		for i in 1 2 3 4 5; do curl -sS http://203.0.113.80/ && break; sleep 0.2; done
		for i in 1 2 3 4 5; do dig +short +tries=1 @8.8.8.8 example.com && break; sleep 0.2; done
		! ip netns exec blue ping -nc1 -W1 8.8.8.8`)
	cmd.Stdin = strings.NewReader(script)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "internet\n") || !strings.Contains(string(out), "203.0.113.80") {
		t.Errorf("%v\n%s\n%s", err, out, script)
	}
}
