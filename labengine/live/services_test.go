package live_test

import (
	"os/exec"
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/live/labtest"
	"vethlab/labengine/plan"
)

// withServices is the bridged picture with a web server in blue, echo in red and names in host.
func withServices(t *testing.T) labengine.Lab {
	t.Helper()
	lab, err := bridged(t).Edit([]labengine.Edit{
		{AddNode: &labengine.AddNode{ID: "box", Name: "box", Kind: labengine.Container, In: "host"}},
		{AddService: &labengine.AddService{Node: "blue", Service: "http 80"}},
		{AddService: &labengine.AddService{Node: "red", Service: "echo tcp 7"}},
		{AddService: &labengine.AddService{Node: "red", Service: "echo udp 7"}},
		{AddService: &labengine.AddService{Node: "host", Service: "dns 53 blue.lan=192.168.15.2"}},
		{AddService: &labengine.AddService{Node: "box", Service: "http 8080"}},
		{UpdateInterface: &labengine.UpdateInterface{ID: "box.lo", Up: new(true)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

func TestServices(t *testing.T) {
	lab := labtest.StartLab(t, withServices(t))
	lab.CheckKernel()
	if page := lab.Shell("red", "curl -sS http://192.168.15.2/"); !strings.Contains(page, "This is blue.\nYou are 192.168.15.1, port ") {
		t.Errorf("blue answers %q", page)
	}
	if got := lab.Shell("blue", "ss -Hlnt | awk '{print $4}'"); got != "*:80\n" {
		t.Errorf("blue listens on %q", got)
	}
	if got := lab.Shell("blue", "echo hello | nc -q1 -w3 192.168.15.1 7"); got != "hello\n" {
		t.Errorf("echo: %q", got)
	}
	if got := lab.Shell("blue", "echo hello | nc -u -w1 192.168.15.1 7"); got != "hello\n" {
		t.Errorf("echo over UDP: %q", got)
	}
	// host has several addresses: the answer comes from the one that was asked
	for _, at := range []string{"192.168.15.5", "192.168.1.2"} {
		if got := lab.Shell("red", "dig +short +time=2 +tries=2 @"+at+" blue.lan"); got != "192.168.15.2\n" {
			t.Errorf("dig at %s: %q", at, got)
		}
	}
	if page := lab.Shell("box", "curl -sS http://127.0.0.1:8080/"); !strings.Contains(page, "This is box.\n") {
		t.Errorf("box answers %q", page)
	}

	lab.Shell("host", "iptables -t nat -A PREROUTING -d 192.168.1.2 -p tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80")
	page := lab.Shell("neighbour", "curl -sS -H 'X-From: outside' http://192.168.1.2/")
	for _, want := range []string{"This is blue.\n", "You are 192.168.1.3, port ", "You called 192.168.15.2:80.\n", "Host: 192.168.1.2\n", "X-From: outside\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q through DNAT: %q", want, page)
		}
	}
}

func TestServiceEdits(t *testing.T) {
	lab := labtest.StartLab(t, withServices(t))
	before := lab.State().Lab
	far, name := labengine.ID("neighbour"), "rouge"
	for _, c := range []struct {
		what  string
		edits []labengine.Edit
		check func()
	}{
		{"a service", []labengine.Edit{{AddService: &labengine.AddService{Node: "blue", Service: "http 8080"}}}, func() {
			lab.Shell("red", "curl -sS http://192.168.15.2:8080/ && curl -sS http://192.168.15.2/")
		}},
		{"the end of one", []labengine.Edit{{DeleteService: &labengine.DeleteService{Node: "blue", Service: "http 80"}}}, func() {
			lab.Shell("red", "! curl -sS http://192.168.15.2/")
		}},
		{"one in the place of another", []labengine.Edit{
			{DeleteService: &labengine.DeleteService{Node: "blue", Service: "http 80"}},
			{AddService: &labengine.AddService{Node: "blue", Service: "echo tcp 80"}},
		}, func() {
			if got := lab.Shell("red", "echo hello | nc -q1 -w3 192.168.15.2 80"); got != "hello\n" {
				t.Errorf("echo: %q", got)
			}
		}},
		{"another name", []labengine.Edit{{UpdateNode: &labengine.UpdateNode{ID: "blue", Name: &name}}}, func() {
			if page := lab.Shell("red", "curl -sS http://192.168.15.2/"); !strings.Contains(page, "This is rouge.\n") {
				t.Errorf("after a rename: %q", page)
			}
		}},
		{"a name and a service", []labengine.Edit{
			{UpdateNode: &labengine.UpdateNode{ID: "red", Name: &name}},
			{AddService: &labengine.AddService{Node: "red", Service: "http 80"}},
		}, func() {
			if n := lab.State().Lab.Nodes["red"]; n.Name != "rouge" || len(n.Services) != 3 {
				t.Errorf("red is %+v", n)
			}
		}},
		{"a deletion", []labengine.Edit{{Delete: &labengine.Delete{ID: "blue"}}}, func() {
			lab.Shell("host", "! ip netns list | grep blue")
		}},
		{"a deletion of the machine", []labengine.Edit{{Delete: &labengine.Delete{ID: "host"}}}, func() {}},
		{"a move", []labengine.Edit{{UpdateNode: &labengine.UpdateNode{ID: "blue", In: &far}}}, func() {
			if got := lab.Shell("blue", "ss -Hlnt | awk '{print $4}'"); got != "*:80\n" {
				t.Errorf("blue listens on %q", got)
			}
		}},
	} {
		lab.MustEdit(c.edits...)
		lab.CheckKernel()
		c.check()
		mustUndo(t, lab, c.what)
		lab.CheckKernel()
		if p := labengine.Compare(before, lab.State().Lab); !p.Empty() {
			t.Errorf("undo of %s leaves %+v", c.what, p)
		}
		if page := lab.Shell("red", "curl -sS http://192.168.15.2/"); !strings.Contains(page, "This is blue.\n") {
			t.Errorf("after undo of %s: %q", c.what, page)
		}
	}
}

func TestServiceOnATakenPort(t *testing.T) {
	lab := labtest.StartLab(t, withServices(t))
	before := lab.State().Lab
	lab.Shell("blue", "busybox httpd -p 8080 -h /etc")
	p := lab.Edit(
		labengine.Edit{AddService: &labengine.AddService{Node: "red", Service: "http 80"}},
		labengine.Edit{AddService: &labengine.AddService{Node: "blue", Service: "http 8080"}})
	if p == nil || p.Code != labengine.CodeRefused || p.Errno != "EADDRINUSE" || p.Message != "Address already in use" || p.On != "blue" {
		t.Errorf("the kernel's answer: %+v", p)
	}
	lab.CheckKernel()
	if p := labengine.Compare(before, lab.State().Lab); !p.Empty() {
		t.Errorf("what was refused leaves %+v", p)
	}
	lab.Shell("blue", "! curl -sS http://192.168.15.1/; pkill busybox")
	lab.Shell("red", "curl -sS http://192.168.15.2/")
	lab.MustEdit(labengine.Edit{AddService: &labengine.AddService{Node: "blue", Service: "http 8080"}})
	if out, status := lab.Run("blue", "timeout", "1", "busybox", "httpd", "-f", "-p", "8080"); status == 0 || !strings.Contains(out, "in use") {
		t.Errorf("a second server on the port: %d %s", status, out)
	}
}

// TestServicesEndWithWhatIsDeletedByHand: nothing of a service keeps a namespace whose name is gone.
func TestServicesEndWithWhatIsDeletedByHand(t *testing.T) {
	lab := labtest.StartLab(t, withServices(t))
	lab.Shell("red", "nc 192.168.15.2 80 </dev/zero >/dev/null 2>&1 &")
	lab.Shell("host", "ip netns del blue; kill -9 $(cat /run/containers/box.pid)")
	lab.Until("the end of both", func(s labtest.State) bool {
		_, blue := s.Lab.Nodes["blue"]
		_, box := s.Lab.Nodes["box"]
		return !blue && !box
	})
	// the veth goes when the kernel ends blue's namespace, which an open socket would keep
	lab.Shell("host", "for i in 1 2 3 4 5 6 7 8 9; do ip link show veth-blue-br || exit 0; sleep 0.2; done; exit 1")
	lab.CheckKernel()
}

// TestServicesScript: what stands in for services in the script answers on the same ports.
func TestServicesScript(t *testing.T) {
	script := plan.Script(withServices(t))
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-ec", `
		mount -t tmpfs none /run; mkdir -p /run/netns; cat > /run/script; sh /run/script
		retry() { for i in 1 2 3 4 5 6 7 8 9; do "$@" && return; sleep 0.2; done; return 1; }
		retry curl -sS http://192.168.15.2/
		retry dig +short +tries=1 @192.168.15.5 blue.lan
		retry sh -c 'echo tcp-hello | nc -q1 -w1 192.168.15.1 7 | grep hello'
		retry sh -c 'echo udp-hello | nc -u -w1 192.168.15.1 7 | grep hello'
		retry nsenter -t $(cat /run/containers/box.pid) -n curl -sS http://127.0.0.1:8080/`)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	for _, want := range []string{"blue\n", "192.168.15.2\n", "tcp-hello\n", "udp-hello\n", "box\n"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("no %q: %v\n%s\n%s", want, err, out, script)
		}
	}
}
