package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// exported is a lab with all that a file has words for.
const exported = `vethlab: 1
name: All that there is
nodes:
  - {name: host, kind: machine}
  - {name: red, kind: namespace, in: host}
  - {name: "b&w$'", kind: namespace, in: host}
  - {name: other, kind: machine}
cables:
  - ["red:veth-red 192.168.15.1/24 192.168.15.11/24 2001:db8::1/64", "b&w$':veth-blue 192.168.15.2/24 mtu 1400"]
  - ["host:to-red 10.0.0.1/30 mac 02:00:00:00:00:07", "red:eth0 10.0.0.2/30 down"]
  - ["host:a down", "host:b down"]
  - ["host:eth0 10.1.0.1/16", "other:eth0 10.1.0.2/16 mtu 9000"]
`

// dump prints what ip(8) shows of the namespace it runs in, and of each that has a name in it.
const dump = `
	show='ip -j -d addr; echo; ip -j route; echo; ip -j -6 route'
	echo "NETNS "; eval "$show"
	for n in $(ls /run/netns); do echo "NETNS $n"; ip netns exec "$n" sh -c "$show"; done`

// parseDump is what dump printed, by namespace, without what differs each time a lab is made.
func parseDump(t *testing.T, text string) map[string][]any {
	t.Helper()
	all := map[string][]any{}
	for _, part := range strings.Split(text, "NETNS ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		d := json.NewDecoder(strings.NewReader(rest))
		for d.More() {
			var list []map[string]any
			if err := d.Decode(&list); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, rest)
			}
			for _, entry := range list {
				if entry["dst"] != "fe80::/64" {
					all[name] = append(all[name], lasting(entry))
				}
			}
		}
	}
	return all
}

// lasting is an entry of ip's without numbers, times and what the kernel finds out, or makes, by itself and in its time.
func lasting(entry map[string]any) map[string]any {
	for _, key := range []string{"ifindex", "link_index", "link_netnsid", "operstate", "tentative", "valid_life_time", "preferred_life_time"} {
		delete(entry, key)
	}
	if flags, ok := entry["flags"].([]any); ok {
		entry["flags"] = slices.DeleteFunc(flags, func(f any) bool {
			return slices.Contains([]any{"LOWER_UP", "NO-CARRIER", "M-DOWN", "linkdown"}, f)
		})
	}
	if addresses, ok := entry["addr_info"].([]any); ok {
		entry["addr_info"] = slices.DeleteFunc(addresses, func(a any) bool {
			address := lasting(a.(map[string]any))
			return strings.HasPrefix(address["local"].(string), "fe80:")
		})
	}
	return entry
}

// TestExportedScriptMakesTheSameLab: who types what the script has gets the lab that vethlab makes, as ip -j shows it.
func TestExportedScriptMakesTheSameLab(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, script := filepath.Join(dir, "lab.yaml"), filepath.Join(dir, "lab.sh")
	write(t, file, exported)
	if r := vethlab(t, "export", file, "--to", "sh", "-o", script); r != (result{}) {
		t.Fatalf("%+v", r)
	}
	if r := vethlab(t, "export", file); r.stdout != read(t, script) || r.status != 0 {
		t.Errorf("printed:\n%s", r.stdout)
	}

	ours := vethlab(t, "run", file, "host", "sh", "-ec", dump)
	other := vethlab(t, "run", file, "other", "sh", "-ec", dump)
	if ours.status != 0 || other.status != 0 {
		t.Fatalf("%+v\n%+v", ours, other)
	}
	want := parseDump(t, ours.stdout)
	want["other"] = parseDump(t, other.stdout)[""] // the first machine is the shell's, the others are namespaces in it

	byHand := exec.Command("unshare", "--user", "--map-root-user", "--net", "--mount", "--uts", "sh", "-ec",
		"mount -t tmpfs none /run; "+script+" >&2;"+dump)
	r := finish(t, byHand)
	if r.status != 0 {
		t.Fatalf("by hand: %+v\n%s", r, read(t, script))
	}
	got := parseDump(t, r.stdout)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("vethlab (-) and the script (+):\n%s\n%s", diff, read(t, script))
	}
}

func TestExportRefuses(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	write(t, bad, "vethlab: 1\nname: Bad\nnodes: 7\n")
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{redAndBlue, "--to", "tarot"}, `cannot export to "tarot"; the formats are: sh`},
		{[]string{bad}, bad + ":3:8: "},
		{[]string{redAndBlue, "-o", bad + "/in/it"}, bad + "/in/it: not a directory"},
	} {
		r := vethlab(t, append([]string{"export"}, test.args...)...)
		if r.status != 1 || r.stdout != "" || !strings.HasPrefix(r.stderr, "vethlab: ") || !strings.Contains(r.stderr, test.says) {
			t.Errorf("%v: %+v", test.args, r)
		}
	}
	if _, err := os.Stat(bad); err != nil {
		t.Error(err)
	}
}
