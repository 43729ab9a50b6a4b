package main

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// diagnosis is what the doctor says, by what it is about.
type diagnosis map[string]struct{ answer, detail, mend string }

// examined is what `vethlab doctor` prints.
func examined(t *testing.T) (diagnosis, result) {
	t.Helper()
	r := vethlab(t, "doctor")
	d := diagnosis{}
	line := regexp.MustCompile(`^(ok |no |\?  ) (\S.{18}\S?) *(.*)$`)
	what := ""
	for text := range strings.Lines(r.stdout) {
		text = strings.TrimSuffix(text, "\n")
		if mend, ok := strings.CutPrefix(strings.TrimLeft(text, " "), "-> "); ok {
			f := d[what]
			f.mend = mend
			d[what] = f
			continue
		}
		m := line.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("not a line of the doctor's: %q\n%s", text, r.stdout)
		}
		what = strings.TrimSpace(m[2])
		d[what] = struct{ answer, detail, mend string }{strings.TrimSpace(m[1]), m[3], ""}
	}
	return d, r
}

// TestDoctorIsHonest holds what the doctor says of the kernel against the same tried by hand.
func TestDoctorIsHonest(t *testing.T) {
	t.Parallel()
	d, r := examined(t)
	if r.status != 0 || r.stderr != "" {
		t.Errorf("%+v", r)
	}
	for _, what := range []string{
		"bwrap", "ip", "user namespaces", "a machine", "iptables", "nft", "tcpdump", "ping", "bridge", "vlan", "vxlan", "macvlan",
		"dummy", "tun", "ovs", "netem", "tbf", "cgroups", "gc_thresh3", "inotify instances", "pid_max",
		"max_net_namespaces", "open files", "processes",
	} {
		f, ok := d[what]
		if !ok || f.detail == "" || f.answer != "ok" && f.mend == "" || f.answer == "ok" && f.mend != "" {
			t.Errorf("of %s it says %+v", what, f)
		}
	}
	for what, command := range map[string]string{
		"iptables": "iptables -t nat -L",
		"nft":      "nft add table x",
		"bridge":   "ip link add name x type bridge",
		"vlan":     "ip link add name v type veth && ip link add link v name x type vlan id 2",
		"vxlan":    "ip link add name x type vxlan id 2 dstport 4789",
		"macvlan":  "ip link add name v type veth && ip link add link v name x type macvlan",
		"dummy":    "ip link add name x type dummy",
		"netem":    "tc qdisc add dev lo root netem delay 2ms",
		"tbf":      "tc qdisc add dev lo root tbf rate 2mbit burst 10kb latency 50ms",
	} {
		want := "ok"
		cmd := exec.Command("unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", "mount -t tmpfs none /run; "+command)
		if out, err := cmd.CombinedOutput(); err != nil {
			want = "no"
			t.Logf("%s: %s", command, bytes.TrimSpace(out))
		}
		if d[what].answer != want {
			t.Errorf("%s: the doctor says %+v, by hand it is %s", what, d[what], want)
		}
	}
}

func TestDoctorHasThreeAnswers(t *testing.T) {
	for _, test := range []struct {
		essential answer
		bad       bool
		want      string
	}{
		{yes, false, "ok  one                  for all\nno  two                  for some\n                         -> mend it\n"},
		{no, true, "no  one                  for all\nno  two                  for some\n                         -> mend it\n"},
		{couldNotTell, true, "?   one                  for all\nno  two                  for some\n                         -> mend it\n"},
	} {
		d := doctor{}
		d.add(finding{answer: test.essential, what: "one", detail: "for all", essential: true})
		d.add(finding{answer: no, what: "two", detail: "for some", mend: "mend it"})
		var out strings.Builder
		if bad := d.print(&out); bad != test.bad {
			t.Errorf("%d: bad is %t", test.essential, bad)
		}
		if diff := cmp.Diff(test.want, out.String()); diff != "" {
			t.Errorf("%d: %s", test.essential, diff)
		}
	}
}
