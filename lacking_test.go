package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"vethlab/labengine"
	"vethlab/labengine/sandbox"
)

// lacking is a system on which no lab can be made, and the words for it: `run`, `serve` and `doctor` say what is missing
// and how to mend it.
type lacking struct {
	prepare string // makes the system such, in namespaces of its own
	finding string // what the doctor answers with "no" to
	code    labengine.Code
	says    []string
}

func TestLackingBwrap(t *testing.T) {
	lacking{
		prepare: `for bwrap in /usr/local/sbin/bwrap /usr/local/bin/bwrap /usr/sbin/bwrap /usr/bin/bwrap /sbin/bwrap /bin/bwrap; do
			[ ! -e $bwrap ] || mount --bind /dev/null $bwrap
		done`,
		finding: "a machine", code: labengine.CodeNotSupported,
		says: []string{"bwrap is not installed", "install the package bubblewrap"},
	}.check(t)
}

func TestLackingUserNamespaces(t *testing.T) {
	lacking{
		prepare: "echo 0 >/proc/sys/user/max_user_namespaces",
		finding: "user namespaces", code: labengine.CodeNotSupported,
		says: []string{"start the lab process: the kernel refuses namespaces: no space left on device", "user namespaces are switched off", "sysctl -w user.max_user_namespaces="},
	}.check(t)
}

// TestLackingIptables: without the program, rules are refused, and all else works.
func TestLackingIptables(t *testing.T) {
	prepare := `mount -t tmpfs none $dir && mkdir $dir/upper $dir/work $dir/state
		mount -t overlay none -o lowerdir=/usr/sbin,upperdir=$dir/upper,workdir=$dir/work /usr/sbin
		rm -f /usr/sbin/*tables* /usr/local/sbin/*tables*`
	within(t, prepare, func(t *testing.T, dir string) {
		d, r := examined(t)
		if f := d["iptables"]; r.status != 0 || f.answer != "no" || !strings.Contains(f.mend, "apt-get install iptables") {
			t.Errorf("doctor: %+v, status %d", f, r.status)
		}
		s := serveIn(t, filepath.Join(dir, "state"))
		lab := s.newLab()
		s.must("POST", lab+"/start", "", nil)
		before := s.lab(lab)
		ws := s.dial(lab + "/ws")
		rules := labengine.Edit{Iptables: &labengine.Iptables{Node: "host", Commands: []string{"-P FORWARD DROP"}}}
		p := edit(t, ws, "rules", addNamespace("green"), rules).Problem
		if p == nil || p.Code != labengine.CodeNotSupported || p.Message != "iptables is not installed" || !strings.Contains(p.Hint, "vethlab doctor") {
			t.Errorf("a rule: %v", p)
		}
		if after := s.lab(lab); after.State != labengine.Running || after.Document != before.Document {
			t.Errorf("the lab is %s, and has\n%s\nnot\n%s", after.State, after.Document, before.Document)
		}
		if r := edit(t, ws, "drawn", addNamespace("green")); r.Problem != nil {
			t.Errorf("without rules: %v", r.Problem)
		}
	})
}

// TestLackingOVS: who has no Open vSwitch has all else, and is told what to install.
func TestLackingOVS(t *testing.T) {
	within(t, "mount --bind /dev/null $(command -v ovs-vsctl)", func(t *testing.T, _ string) {
		r := vethlab(t, "run", "examples/ovs.yaml", "red", "true")
		if r.status != 1 || !strings.Contains(r.stderr, "Open vSwitch is not installed (package openvswitch-switch)") {
			t.Errorf("run: %+v", r)
		}
		if d, _ := examined(t); d["ovs"].answer != "no" || !strings.Contains(d["ovs"].mend, "openvswitch-switch") {
			t.Errorf("doctor: %+v", d["ovs"])
		}
		s := serveIn(t, t.TempDir())
		lab := s.newLab()
		if p := s.ask("POST", lab+"/start", "", nil); p != nil {
			t.Fatal(p)
		}
		ws := s.dial(lab + "/ws")
		bridge := labengine.Edit{AddInterface: &labengine.AddInterface{ID: "ovs", Node: "host", Name: "br0", Kind: labengine.OVS}}
		if r := edit(t, ws, "ovs", bridge); r.Problem == nil || r.Problem.Code != labengine.CodeNotSupported || r.Problem.Hint == "" {
			t.Errorf("a gesture: %+v", r.Problem)
		}
		if r := edit(t, ws, "drawn", addNamespace("green")); r.Problem != nil {
			t.Error(r.Problem)
		}
	})
}

func (l lacking) check(t *testing.T) {
	within(t, l.prepare, func(t *testing.T, _ string) {
		says := func(who, text string) {
			t.Helper()
			for _, words := range l.says {
				if !strings.Contains(text, words) {
					t.Errorf("%s does not say %q: %s", who, words, text)
				}
			}
		}
		r := vethlab(t, "run", redAndBlue, "red", "true")
		if r.status != 1 || r.stdout != "" || !strings.HasPrefix(r.stderr, "vethlab: ") || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("run: %+v", r)
		}
		says("run", r.stderr)

		d, r := examined(t)
		if f := d[l.finding]; r.status != 1 || f.answer != "no" || f.mend == "" {
			t.Errorf("doctor: %+v, status %d", f, r.status)
		}
		says("doctor", d[l.finding].detail+"; "+d[l.finding].mend)

		s := serveIn(t, t.TempDir()) // labs can be drawn all the same
		lab := s.newLab()
		p := s.ask("POST", lab+"/start", "", nil)
		if p == nil || p.Code != l.code || p.Hint == "" {
			t.Fatalf("start: %+v", p)
		}
		says("start", p.Message+"; "+p.Hint)
		if _, err := sandbox.Find(filepath.Join(s.state, "labs", filepath.Base(lab))); !errors.Is(err, sandbox.ErrNotRunning) {
			t.Errorf("its process is left: %v", err)
		}
		now := s.lab(lab)
		if now.State != labengine.Stopped || now.Problem == nil || now.Problem.Message != p.Message {
			t.Errorf("the lab is %s: %+v", now.State, now.Problem)
		}
		if r := edit(t, s.dial(lab+"/ws"), "drawn", addNamespace("green")); r.Problem != nil {
			t.Error(r.Problem)
		}
	})
}
