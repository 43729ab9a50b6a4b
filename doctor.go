package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/live"
	"vethlab/labengine/sandbox"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Try what labs need, and say what is missing and what mends it",
		Long: `Try what labs need, in a lab that is gone again afterwards, and print a line for each: ok, no, or ? where it
could not be found out. The exit status is 1 where no lab could be made.`,
		Args: takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
			defer cancel()
			if d := examine(ctx); d.print(cmd.OutOrStdout()) {
				return exitStatus(1)
			}
			return nil
		},
	}
}

// answer is what a trial has found out.
type answer int

const (
	yes answer = iota
	no
	couldNotTell
)

// finding is one line of the doctor's.
type finding struct {
	answer    answer
	what      string
	detail    string // what it is for, or in whose words it was refused
	mend      string // what to do about it
	essential bool   // without it there are no labs
}

type doctor struct{ findings []finding }

func (d *doctor) add(f finding) { d.findings = append(d.findings, f) }

// print writes a line for each finding, and says whether labs can do without what is not there.
func (d *doctor) print(w io.Writer) (bad bool) {
	for _, f := range d.findings {
		mark := [...]string{yes: "ok", no: "no", couldNotTell: "?"}[f.answer]
		fmt.Fprintf(w, "%-3s %-20s %s\n", mark, f.what, f.detail)
		if f.answer != yes && f.mend != "" {
			fmt.Fprintf(w, "    %-20s -> %s\n", "", f.mend)
		}
		bad = bad || f.essential && f.answer != yes
	}
	return bad
}

// examine tries everything. What happens in a lab is tried in a real one.
func examine(ctx context.Context) *doctor {
	d := &doctor{}
	d.program("bwrap", "bubblewrap", "machines", true)
	d.program("ip", "iproute2", "what people type in a terminal", true)
	lab, err := startLab(ctx, oneMachine("doctor"))
	d.lab(err)
	if err == nil {
		d.inLab(ctx, lab)
		if err := lab.close(); err != nil {
			d.add(finding{answer: no, what: "end of a lab", detail: err.Error()})
		}
	}
	d.limits()
	return d
}

// oneMachine is a lab with nothing but a machine.
func oneMachine(name string) labengine.Lab {
	lab, err := labengine.NewLab(name).Edit([]labengine.Edit{{AddNode: &labengine.AddNode{
		ID: labengine.ID(name), Name: name, Kind: labengine.Machine,
	}}})
	if err != nil {
		panic(err) // the names are ours
	}
	return lab
}

// program looks for a program that a package brings.
func (d *doctor) program(name, pkg, use string, essential bool) {
	f := finding{what: name, detail: "for " + use, essential: essential}
	if _, err := exec.LookPath(name); err != nil {
		if _, err := os.Stat("/usr/sbin/" + name); err != nil {
			f.answer, f.mend = no, "apt-get install "+pkg
		}
	}
	d.add(f)
}

// lab says whether a lab could be made, and if not, what was in the way.
func (d *doctor) lab(err error) {
	namespaces := finding{what: "user namespaces", detail: "with pid, mount, net, uts, ipc and cgroup namespaces in them", essential: true}
	machine := finding{what: "a machine", detail: "with files, processes and a network of its own", essential: true}
	var p *labengine.Problem
	switch {
	case err == nil:
	case errors.Is(err, sandbox.ErrNoNamespaces) && errors.As(err, &p):
		namespaces.answer, namespaces.detail, namespaces.mend = no, p.Message, p.Hint
		machine.answer, machine.detail = couldNotTell, "needs them"
	case errors.As(err, &p): // it comes from inside the lab's namespaces
		machine.answer, machine.detail, machine.mend = no, p.Message, p.Hint
	default:
		namespaces.answer, namespaces.detail = couldNotTell, err.Error()
		machine.answer, machine.detail = couldNotTell, "needs them"
	}
	d.add(namespaces)
	d.add(machine)
}

// trial is a command that works in a machine where the kernel has something.
type trial struct {
	what, use string
	command   string
	lacking   []string // what its output says where the kernel, or the machine, lacks it
	mend      string
}

var trials = []trial{
	{"iptables", "filtering and NAT", "iptables -w -t nat -S", []string{"not found", "does not exist", "missing kernel module"}, "apt-get install iptables; modprobe ip_tables nf_tables"},
	{"nft", "tracing of packets", "nft list ruleset", []string{"not found", "not supported"}, "apt-get install nftables; modprobe nf_tables"},
	{"tcpdump", "terminals", "tcpdump --version", []string{"not found"}, "apt-get install tcpdump"},
	{"ping", "terminals", "ping -c1 -W1 127.0.0.1", []string{"not found"}, "apt-get install iputils-ping"},
	{"bridge", "nodes of kind bridge", "ip link add name doc0 type bridge && ip link del dev doc0", unknownKind, "modprobe bridge"},
	{"vlan", "interfaces of kind vlan", "ip link add link lo name doc0 type vlan id 5 && ip link del dev doc0", unknownKind, "modprobe 8021q (CONFIG_VLAN_8021Q)"},
	{"vxlan", "interfaces of kind vxlan", "ip link add name doc0 type vxlan id 5 dstport 4789 && ip link del dev doc0", unknownKind, "modprobe vxlan (CONFIG_VXLAN)"},
	{"macvlan", "interfaces of kind macvlan", "ip link add name doc0 type veth peer name doc1 && ip link add link doc0 name doc2 type macvlan && ip link del dev doc0", unknownKind, "modprobe macvlan (CONFIG_MACVLAN)"},
	{"dummy", "interfaces of kind dummy", "ip link add name doc0 type dummy && ip link del dev doc0", unknownKind, "modprobe dummy (CONFIG_DUMMY)"},
	{"tun", "interfaces of kind tun", "ip tuntap add name doc0 mode tun && ip tuntap del name doc0 mode tun", []string{"No such file", "No such device", "Permission denied"}, "modprobe tun (CONFIG_TUN); chmod 666 /dev/net/tun"},
	{"ovs", "nodes of kind ovs", "ovs-vsctl --timeout=10 add-br doc0 -- set bridge doc0 datapath_type=netdev 2>&1 | grep . && exit 1; ip link show dev doc0 && ovs-vsctl del-br doc0", []string{"not found", "Permission denied", "database connection failed", "Error detected", "does not exist"}, "apt-get install openvswitch-switch; modprobe tun (CONFIG_TUN); chmod 666 /dev/net/tun"},
	{"netem", "delay and loss on cables", "tc qdisc add dev lo root netem delay 1ms && tc qdisc del dev lo root", []string{"not found", "qdisc kind is unknown"}, "modprobe sch_netem (CONFIG_NET_SCH_NETEM); rate limits need it not"},
	{"tbf", "rate limits on cables", "tc qdisc add dev lo root tbf rate 1mbit burst 10kb latency 50ms && tc qdisc del dev lo root", []string{"not found", "qdisc kind is unknown"}, "modprobe sch_tbf (CONFIG_NET_SCH_TBF)"},
}

var unknownKind = []string{"Unknown device type", "not supported"}

func (d *doctor) inLab(ctx context.Context, lab *startedLab) {
	for _, t := range trials {
		out, status, err := lab.output(ctx, t.command)
		f := finding{what: t.what, detail: "for " + t.use}
		switch {
		case err != nil:
			f.answer, f.detail = couldNotTell, err.Error()
		case status == 0:
		default:
			f.answer, f.detail, f.mend = couldNotTell, fmt.Sprintf("for %s; %s", t.use, oneLine(out)), t.mend
			for _, words := range t.lacking {
				if strings.Contains(out, words) {
					f.answer = no
				}
			}
		}
		d.add(f)
	}
}

func oneLine(text string) string {
	return strings.Join(strings.Fields(text), " ")
}

// output runs a shell command in the lab's first machine, and gives what it printed.
func (s *startedLab) output(ctx context.Context, command string) (string, int, error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return "", 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	r, w, err := os.Pipe()
	if err != nil {
		return "", 0, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return "", 0, err
	}
	defer null.Close()
	printed := make(chan string)
	go func() {
		data, _ := io.ReadAll(r)
		r.Close()
		printed <- string(data)
	}()
	status, err := live.Exec(conn, live.ExecRequest{Argv: []string{"sh", "-c", command}}, null, w, w)
	w.Close()
	return <-printed, status, err
}

// limits reads the limits of this system that large labs meet.
func (d *doctor) limits() {
	cgroups := finding{what: "cgroups"}
	var have bool
	if cgroups.detail, have = sandbox.Limits(); !have {
		cgroups.answer = no
		cgroups.mend = "run vethlab as root, or with Delegate=yes in its systemd unit, where cgroup v2 has memory, pids and cpu"
	}
	d.add(cgroups)
	for _, l := range []struct {
		what, file string
		enough     int
		use, mend  string
	}{
		{"gc_thresh3", arpEntriesFile, 8192,
			"ARP entries of all labs together", "sysctl -w net.ipv4.neigh.default.gc_thresh3=65536, for labs of more than about %d nodes"},
		{"inotify instances", "/proc/sys/fs/inotify/max_user_instances", 128,
			"programs in labs that watch files", "sysctl -w fs.inotify.max_user_instances=1024"},
		{"pid_max", "/proc/sys/kernel/pid_max", 32768,
			"processes of all labs together", "sysctl -w kernel.pid_max=4194304"},
		{"max_net_namespaces", "/proc/sys/user/max_net_namespaces", 4096,
			"network namespaces of one user", "sysctl -w user.max_net_namespaces=65536"},
	} {
		value, err := numberIn(l.file)
		f := finding{what: l.what, detail: fmt.Sprintf("%d, %s", value, l.use)}
		switch {
		case err != nil:
			f.answer, f.detail = couldNotTell, l.use+"; "+err.Error()
		case value < l.enough:
			f.answer, f.mend = no, strings.ReplaceAll(l.mend, "%d", strconv.Itoa(value/2))
		}
		d.add(f)
	}
	for _, l := range []struct {
		what      string
		resource  int
		use, mend string
	}{
		{"open files", unix.RLIMIT_NOFILE, "a large lab needs about three for each namespace", "ulimit -Hn 65536 (LimitNOFILE= in systemd)"},
		{"processes", unix.RLIMIT_NPROC, "of one user, labs included", "ulimit -Hu 65536 (LimitNPROC= in systemd)"},
	} {
		var limit unix.Rlimit
		f := finding{what: l.what}
		switch err := unix.Getrlimit(l.resource, &limit); {
		case err != nil:
			f.answer, f.detail = couldNotTell, l.use+"; "+err.Error()
		case limit.Max == unix.RLIM_INFINITY:
			f.detail = "no limit, " + l.use
		case limit.Max < 8192:
			f.answer, f.mend = no, l.mend
			fallthrough
		default:
			f.detail = fmt.Sprintf("%d, %s", limit.Max, l.use)
		}
		d.add(f)
	}
}

// arpEntriesFile is how many ARP entries all network namespaces together may have, arp(7). Only in the computer's own network
// namespace is it there.
const arpEntriesFile = "/proc/sys/net/ipv4/neigh/default/gc_thresh3"

// arpEntries is its number; 0 where it is not there.
func arpEntries() int {
	n, err := numberIn(arpEntriesFile)
	if err != nil {
		return 0
	}
	return n
}

func numberIn(file string) (int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}
