package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vethlab/labengine/document"
	"vethlab/labengine/sandbox"
)

func TestRunPassesOnStatusAndOutput(t *testing.T) {
	for _, test := range []struct {
		name, stdin string
		command     []string
		want        result
	}{
		{"good", "", []string{"red", "true"}, result{"", "", 0}},
		{"status", "", []string{"red", "sh", "-c", "echo out; echo err >&2; exit 7"}, result{"out\n", "err\n", 7}},
		{"signal", "", []string{"host", "sh", "-c", "kill -9 $$"}, result{"", "", 137}},
		{"no such command", "", []string{"red", "nonesuch", "-x"}, result{"", "vethlab: nonesuch: command not found\n", 127}},
		{"input", "typed", []string{"host/red", "cat"}, result{"typed", "", 0}},
		{"flags are the command's", "", []string{"host", "echo", "--save", "-h"}, result{"--save -h\n", "", 0}},
		{"where", "", []string{"red", "sh", "-c", "hostname; ip addr show dev veth-red | grep -o 192.168.15.1/24; ping -qc1 -W5 192.168.15.2 >/dev/null && echo answered"},
			result{"host\n192.168.15.1/24\nanswered\n", "", 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, append([]string{"run", redAndBlue}, test.command...)...)
			cmd.Stdin = strings.NewReader(test.stdin)
			if got := finish(t, cmd); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
	t.Run("not a program", func(t *testing.T) {
		t.Parallel()
		if r := vethlab(t, "run", redAndBlue, "host", "/etc/hostname"); r.status != 126 || !strings.Contains(r.stderr, "permission denied") {
			t.Errorf("%+v", r)
		}
	})
}

func TestRunReadsStandardInput(t *testing.T) {
	t.Parallel()
	lab, err := os.Open(redAndBlue)
	if err != nil {
		t.Fatal(err)
	}
	defer lab.Close()
	cmd := command(t, "run", "-", "blue", "ip", "-br", "-4", "addr", "show", "dev", "veth-blue")
	cmd.Stdin = lab
	if r := finish(t, cmd); r.status != 0 || !strings.Contains(r.stdout, "192.168.15.2/24") {
		t.Errorf("%+v", r)
	}
}

func TestRunRefuses(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	write(t, bad, "vethlab: 1\nname: Bad\nnodes:\n  - {name: host, kind: machine}\n  - {name: red, knid: namespace, in: host}\n")
	for _, test := range []struct {
		name string
		args []string
		says []string
	}{
		{"a node that is not there", []string{redAndBlue, "rde", "true"}, []string{`there is no node "rde"; did you mean red?`}},
		{"a bad file", []string{bad}, []string{bad + ":5:17: ", "a node has no key `knid`", "  - {name: red, knid: namespace, in: host}", "did you mean kind?"}},
		{"no file", []string{bad + ".gone"}, []string{bad + ".gone: no such file or directory"}},
		{"a folder", []string{"examples"}, []string{"examples: is a directory"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := vethlab(t, append([]string{"run"}, test.args...)...)
			if r.status != 1 || r.stdout != "" || !strings.HasPrefix(r.stderr, "vethlab: ") {
				t.Errorf("%+v", r)
			}
			for _, says := range test.says {
				if !strings.Contains(r.stderr, says) {
					t.Errorf("does not say %q:\n%s", says, r.stderr)
				}
			}
		})
	}
}

// typed is what TestRunSaves types in redAndBlue.
const typed = `
	ip netns add green
	ip link add name to-green address 02:00:00:00:00:01 type veth peer name eth0 address 02:00:00:00:00:02 netns green
	ip addr add 10.1.0.1/24 dev to-green
	ip link set dev to-green up mtu 1400
	ip -n red addr add 2001:db8::1/64 dev veth-red
	ip -n blue addr del 192.168.15.2/24 dev veth-blue
	ip -n blue link set dev veth-blue down`

// afterTyping is the lab that this gives.
const afterTyping = `vethlab: 1
name: Red and blue
nodes:
  - {name: host, kind: machine}
  - {name: red, kind: namespace, in: host}
  - {name: blue, kind: namespace, in: host}
  - {name: green, kind: namespace, in: host}
cables:
  - ["red:veth-red 192.168.15.1/24 2001:db8::1/64", blue:veth-blue down]
  - ["host:to-green 10.1.0.1/24 mtu 1400 mac 02:00:00:00:00:01", "green:eth0 mac 02:00:00:00:00:02 down"]
canvas:
  positions:
    host: [80, 80]
    red: [40, 80]
    blue: [400, 80]
`

func TestRunSaves(t *testing.T) {
	before, err := os.ReadFile(redAndBlue)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "saved.yaml")
	t.Run("unchanged", func(t *testing.T) {
		out := file + "-unchanged"
		if r := vethlab(t, "run", redAndBlue, "--save", out, "red", "sh", "-c", "exit 7"); r.status != 7 || r.stderr != "" {
			t.Errorf("%+v", r)
		}
		if after := read(t, out); after != string(before) {
			t.Errorf("an unchanged lab is saved as\n%s", after)
		}
	})
	t.Run("typed", func(t *testing.T) {
		if r := vethlab(t, "run", "--save", file, redAndBlue, "host", "sh", "-ec", typed); r != (result{}) {
			t.Errorf("%+v", r)
		}
		want, err := document.Parse("want.yaml", []byte(afterTyping))
		if err != nil {
			t.Fatal(err)
		}
		saved := read(t, file)
		got, err := document.Parse(file, []byte(saved))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("saved, %v:\n%s\n%s", err, saved, diff)
		}
		if r := vethlab(t, "run", "--save", file+"-again", file, "host", "true"); r != (result{}) {
			t.Errorf("%+v", r)
		}
		if again := read(t, file+"-again"); again != saved {
			t.Errorf("what was saved makes another lab:\n%s", again)
		}
	})
	t.Run("nowhere", func(t *testing.T) {
		r := vethlab(t, "run", "--save", filepath.Join(file, "in", "a", "file"), redAndBlue, "red", "echo", "made for nothing")
		if r.status != 1 || r.stdout != "" || !strings.HasPrefix(r.stderr, "vethlab: the lab could not be saved as "+file) {
			t.Errorf("%+v", r)
		}
	})
}

// TestRunTakesItsLabWithIt: by Ctrl+C and hanging up, and where it is killed and can do nothing about it.
func TestRunTakesItsLabWithIt(t *testing.T) {
	for _, test := range []struct {
		signal syscall.Signal
		status int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 130}, {syscall.SIGHUP, 130}, {syscall.SIGKILL, -1}} {
		t.Run(test.signal.String(), func(t *testing.T) {
			t.Parallel()
			cmd := command(t, "run", redAndBlue, "red", "sh", "-c", "echo ready; exec sleep 1000")
			dir := t.TempDir()
			cmd.Env = append(cmd.Env, "TMPDIR="+dir)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
				t.Fatalf("%q, %v", line, err)
			}
			folders, _ := filepath.Glob(filepath.Join(dir, "vethlab-*"))
			if len(folders) != 1 {
				t.Fatalf("the lab's folder: %v", folders)
			}
			lab, err := sandbox.Find(folders[0])
			if err != nil {
				t.Fatal(err)
			}
			defer lab.Release()
			left := footprintOf(t, lab.Pid())
			if len(left.processes) < 3 {
				t.Errorf("a lab has the processes %v", left.processes)
			}
			signalTo(t, cmd, test.signal)
			cmd.Wait()
			if status := cmd.ProcessState.ExitCode(); status != test.status {
				t.Errorf("exit status %d", status)
			}
			await(t, "the end of the lab", lab.Done())
			left.checkGone(t)
			if folders, _ := filepath.Glob(filepath.Join(dir, "vethlab-*")); len(folders) != 0 && test.signal != syscall.SIGKILL {
				t.Errorf("left: %v", folders)
			}
		})
	}
}

// TestRunTheTeachingPicture makes the example with a NAT on the way out and one on the way in, and uses both.
func TestRunTheTeachingPicture(t *testing.T) {
	for _, test := range []struct {
		name string
		node string
		line string
		want []string
	}{
		{"out", "red", "ping -c1 -W5 8.8.8.8", []string{"1 received"}},
		{"hops", "blue", "traceroute -n -w5 -q1 8.8.8.8", []string{"192.168.15.5", "192.168.1.1", "8.8.8.8"}},
		{"names", "red", "dig +time=5 example.com; dig +time=5 nonesuch.example", []string{"ANSWER: 1", "NXDOMAIN"}},
		{"in", "neighbour", "curl -sm5 http://192.168.1.2:8080", []string{"This is web.", "You are 192.168.1.3"}},
		{"masqueraded", "red", "curl -sm5 http://8.8.8.8", []string{"You are 192.168.1.2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := vethlab(t, "run", "examples/nat.yaml", test.node, "sh", "-c", test.line)
			for _, words := range test.want {
				if !strings.Contains(r.stdout, words) {
					t.Errorf("no %q in %+v", words, r)
				}
			}
		})
	}
}
