package live_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/live/labtest"
	"vethlab/labengine/plan"
)

// docker is host with a bridge, the container web on it, and red beside it.
func docker(t *testing.T, command string) labengine.Lab {
	t.Helper()
	lab, err := labengine.NewLab("docker by hand").Edit([]labengine.Edit{
		{AddNode: &labengine.AddNode{ID: "host", Name: "host", Kind: labengine.Machine}},
		{AddNode: &labengine.AddNode{ID: "web", Name: "web", Kind: labengine.Container, In: "host", Command: command}},
		{AddNode: &labengine.AddNode{ID: "red", Name: "red", Kind: labengine.Namespace, In: "host"}},
		{AddInterface: &labengine.AddInterface{
			ID: "docker0", Node: "host", Name: "docker0", Kind: labengine.Bridge, Addresses: []string{"172.17.0.1/16"},
		}},
		{AddCable: &labengine.AddCable{
			ID: "cweb", A: labengine.End{ID: "web:eth0", Node: "web", Name: "eth0", Addresses: []string{"172.17.0.2/16"}},
			B: labengine.End{ID: "host:vethweb", Node: "host", Name: "vethweb", Master: "docker0"},
		}},
		{AddCable: &labengine.AddCable{
			ID: "cred", A: labengine.End{ID: "red:eth0", Node: "red", Name: "eth0", Addresses: []string{"172.17.0.3/16"}},
			B: labengine.End{ID: "host:vethred", Node: "host", Name: "vethred", Master: "docker0"},
		}},
		{AddRoute: &labengine.AddRoute{Node: "web", Route: "default via 172.17.0.1"}},
		{SetSysctl: &labengine.SetSysctl{Node: "web", Name: "net.ipv4.conf.all.rp_filter", Value: "1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

func mustUndo(t *testing.T, lab *labtest.Lab, what string) {
	t.Helper()
	if r := lab.Ask(labengine.Request{Undo: &labengine.Undo{}}); r.Problem != nil {
		t.Fatalf("undo of %s: %v", what, r.Problem)
	}
}

func TestContainer(t *testing.T) {
	lab := labtest.StartLab(t, docker(t, "exec busybox httpd -f -p 80 -h /etc"))
	lab.CheckKernel()
	lab.CheckScript()
	if got := lab.Shell("web", "hostname; ps -e -o comm="); got != "web\ninit\nbusybox\nsh\nps\n" {
		t.Errorf("in web: %q", got)
	}
	if got := lab.Shell("host", "hostname; ip netns list | cut -d' ' -f1"); got != "host\nred\n" {
		t.Errorf("in host: %q", got)
	}
	lab.MustRun("red", "ping", "-c1", "-W3", "172.17.0.2")
	if got := lab.Shell("red", "curl -sS --retry 5 --retry-connrefused --retry-delay 1 http://172.17.0.2/hostname"); got != "web\n" {
		t.Errorf("web serves %q", got)
	}
	state := lab.Until("web's numbers", func(s labtest.State) bool {
		return s.Nodes["web"] != nil && s.Nodes["web"].Container != nil && s.Nodes["web"].Container.Command != nil
	}).Nodes["web"].Container
	if state.Init.Inner != 1 || state.Command.Inner < 2 || state.Command.Line != "exec busybox httpd -f -p 80 -h /etc" {
		t.Errorf("web is %+v, %+v", state.Init, state.Command)
	}
	for _, p := range []labengine.Process{state.Init, *state.Command} {
		want := fmt.Sprintf("%d\t%d\n", p.Pid, p.Inner)
		if got := lab.Shell("host", fmt.Sprintf("grep NSpid /proc/%d/status", p.Pid)); got != "NSpid:\t"+want {
			t.Errorf("NSpid: %q, not %q", got, want)
		}
	}
	if got := strings.TrimSpace(lab.Shell("host", "cat /run/containers/web.pid")); got != strconv.Itoa(state.Init.Pid) {
		t.Errorf("web.pid is %s", got)
	}
	lab.Shell("host", fmt.Sprintf("kill %d", state.Command.Pid))
	lab.Until("the command's end", func(s labtest.State) bool {
		return s.Nodes["web"].Container.Command == nil && s.Nodes["web"].Container.Ended == "exit status 143"
	})
	reply := lab.Ask(labengine.Request{Ping: &labengine.Ping{From: "web", To: "172.17.0.3", Count: 1}})
	if reply.Problem != nil || !strings.Contains(reply.Text, "1 received") {
		t.Errorf("ping from web: %s %v", reply.Text, reply.Problem)
	}
}

// TestContainerIsItsCommand: the number that the pages show is that of the program, not of a shell beside it.
func TestContainerIsItsCommand(t *testing.T) {
	lab := labtest.StartLab(t, docker(t, "sleep 1234"))
	state := lab.Until("the command", func(s labtest.State) bool {
		return s.Nodes["web"] != nil && s.Nodes["web"].Container != nil && s.Nodes["web"].Container.Command != nil
	}).Nodes["web"].Container.Command
	read := fmt.Sprintf("until [ $(cat /proc/%d/comm) = sleep ]; do sleep 0.02; done; ps -o args= -p %d", state.Pid, state.Pid)
	if got := strings.TrimSpace(lab.Shell("host", read)); got != state.Line {
		t.Errorf("%d is shown as %q, and ps prints %q", state.Pid, state.Line, got)
	}
}

func TestContainerThatCannotStartItsCommand(t *testing.T) {
	lab := labtest.StartLab(t, docker(t, "nginx --no-such"))
	lab.Until("the command's end", func(s labtest.State) bool {
		return s.Nodes["web"] != nil && s.Nodes["web"].Container != nil && s.Nodes["web"].Container.Ended == "exit status 127"
	})
	if got := lab.Shell("host", "cat /run/containers/web.log"); !strings.Contains(got, "nginx: command not found") {
		t.Errorf("the log says %q", got)
	}
	lab.CheckKernel()
}

func TestContainerEdits(t *testing.T) {
	lab := labtest.StartLab(t, docker(t, "sleep 1234"))
	before := lab.State().Lab
	far, name, command := labengine.ID("far"), "api", "sleep 4321"
	node := labengine.ID("web")
	for _, c := range []struct {
		what  string
		edits []labengine.Edit
		check func()
	}{
		{"a rename", []labengine.Edit{{UpdateNode: &labengine.UpdateNode{ID: "web", Name: &name}}}, func() {
			if got := lab.Shell("api", "hostname; cat /etc/hostname"); got != "api\napi\n" {
				t.Errorf("renamed: %q", got)
			}
			lab.Shell("host", "pgrep -fx 'sleep 1234'; nsenter -t $(cat /run/containers/api.pid) -n ip link show eth0")
		}},
		{"another command", []labengine.Edit{{UpdateNode: &labengine.UpdateNode{ID: "web", Command: &command}}}, func() {
			lab.Shell("host", "! pgrep -fx 'sleep 1234'; pgrep -fx 'sleep 4321'")
			lab.MustRun("red", "ping", "-c1", "-W3", "172.17.0.2")
		}},
		{"a deletion", []labengine.Edit{{Delete: &labengine.Delete{ID: "web"}}}, func() {
			lab.Shell("host", "! pgrep -fx 'sleep 1234'; sleep 0.1; test -z \"$(ls /run/containers/*.pid 2>/dev/null)\"; ! ip link show vethweb; ! ls /proc/*/ns/net | xargs -n1 readlink | sort -u | sed 1,2d | grep .")
		}},
		{"a deletion of its machine", []labengine.Edit{{Delete: &labengine.Delete{ID: "host"}}}, func() {}},
		{"a move", []labengine.Edit{
			{AddNode: &labengine.AddNode{ID: "far", Name: "far", Kind: labengine.Machine}},
			{UpdateNode: &labengine.UpdateNode{ID: "web", In: &far}},
		}, func() {
			lab.Shell("host", "! pgrep -fx 'sleep 1234'")
			lab.Shell("far", "pgrep -fx 'sleep 1234'; test -e /run/containers/web.pid")
			lab.MustRun("red", "ping", "-c1", "-W3", "172.17.0.2")
		}},
		{"a link that moves", []labengine.Edit{{UpdateInterface: &labengine.UpdateInterface{ID: "host:vethred", Node: &node, Name: &name}}}, func() {
			lab.Shell("web", "ip link show api")
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
		lab.MustRun("red", "ping", "-c1", "-W3", "172.17.0.2")
		lab.Shell("host", "pgrep -fx 'sleep 1234'")
	}
}

func TestContainerKilledFromItsMachine(t *testing.T) {
	lab := labtest.StartLab(t, docker(t, "sleep 1234"))
	before := lab.State().Lab
	lab.Shell("host", "kill -9 $(cat /run/containers/web.pid)")
	lab.Until("the container's end", func(s labtest.State) bool {
		_, ok := s.Lab.Nodes["web"]
		_, cable := s.Lab.Cables["cweb"]
		return !ok && !cable && s.Nodes["web"] == nil
	})
	lab.CheckKernel()
	lab.Shell("host", "! pgrep -fx 'sleep 1234'; ! test -e /run/containers/web.pid")
	mustUndo(t, lab, "the kill")
	lab.CheckKernel()
	if p := labengine.Compare(before, lab.State().Lab); !p.Empty() {
		t.Errorf("undo of the kill leaves %+v", p)
	}
	lab.MustRun("red", "ping", "-c1", "-W3", "172.17.0.2")
	lab.Shell("host", "pgrep -fx 'sleep 1234'")
}

// TestContainersBesideOthers: what is made by hand in a terminal stays what it is, in a machine and in a container.
func TestContainersBesideOthers(t *testing.T) {
	lab := labtest.StartLab(t, docker(t, ""))
	lab.Shell("host", "unshare --net --pid --mount --uts --ipc --fork --mount-proc sleep 60 </dev/null >/dev/null 2>&1 &")
	held := func(s labtest.State) bool {
		for _, n := range s.Lab.Nodes {
			if strings.HasPrefix(n.Held, "unshare (") {
				return true
			}
		}
		return false
	}
	lab.Until("a held namespace", held)
	lab.Shell("host", "pkill -9 -fx 'sleep 60'")
	lab.Until("its end", func(s labtest.State) bool { return !held(s) })
	lab.Shell("web", "ip netns add inner; ip -n inner link set lo up; ip link add d0 type bridge; ip link set d0 up; ip netns del inner")
	lab.Shell("host", "ip netns attach web2 $(cat /run/containers/web.pid)")
	lab.Until("what was typed in it", func(s labtest.State) bool { _, ok := s.Lab.InterfaceNamed("web", "d0"); return ok })
	if n := lab.State().Lab.Nodes["web"]; n.Kind != labengine.Container || n.Name != "web" {
		t.Errorf("web has become %+v", n)
	}
	lab.Shell("host", "ip netns del web2; ip netns add web")
	lab.Until("two names", func(s labtest.State) bool {
		n, ok := s.Lab.NodeNamed("host", "web")
		return ok && n.Kind == labengine.Namespace && s.Lab.Nodes["web"].Name == "web-2"
	})
	lab.Shell("host", "test $(nsenter -t $(cat /run/containers/web-2.pid) -u hostname) = web-2")
	lab.MustRun("red", "ping", "-c1", "-W3", "172.17.0.2")
	lab.CheckKernel()
}

// TestHostnamesOfContainers: names that hostname(1) refuses are hostnames in the lab and by the commands that it shows alike.
func TestHostnamesOfContainers(t *testing.T) {
	lab := labtest.StartLab(t, docker(t, ""))
	for _, name := range []string{"my_app", "c.1-2_3", ".hidden", "web-", "web.example"} {
		lab.MustEdit(labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: "web", Name: &name}})
		if got := lab.Shell(name, "hostname"); got != name+"\n" {
			t.Errorf("%s is called %q", name, got)
		}
		byHand := name + "2"
		for _, c := range (plan.RenameContainer{At: plan.Spot{Machine: "host", Pid: "$$"}, From: name, To: byHand}).Commands()[:1] {
			if got := lab.Shell("host", "unshare --uts sh -ec '"+c.Line+"; hostname'"); got != byHand+"\n" {
				t.Errorf("%s: %q", c.Line, got)
			}
		}
	}
}

// TestFailedChangeKeepsNames: what is taken back because a later step was refused is taken back in the document too.
func TestFailedChangeKeepsNames(t *testing.T) {
	lab := labtest.StartLab(t, docker(t, ""))
	before := lab.State().Lab
	name, other := "api", "rouge"
	p := lab.Edit(
		labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: "web", Name: &name}},
		labengine.Edit{UpdateNode: &labengine.UpdateNode{ID: "red", Name: &other}},
		labengine.Edit{AddRoute: &labengine.AddRoute{Node: "red", Route: "10.9.0.0/16 via 9.9.9.9"}})
	if p == nil || p.Code != labengine.CodeRefused {
		t.Fatalf("the kernel's answer: %v", p)
	}
	lab.CheckKernel()
	if p := labengine.Compare(before, lab.State().Lab); !p.Empty() {
		t.Errorf("what was refused leaves %+v", p.Nodes)
	}
	if n := len(lab.State().Changes); n != 0 {
		t.Errorf("%d changes of nothing", n)
	}
	lab.Shell("web", "test $(hostname) = web")
}
