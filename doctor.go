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
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"vethlab/labengine"
	"vethlab/labengine/live"
	"vethlab/labengine/sandbox"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Try what labs need, and say what is missing and what mends it",
		Long: `Try what labs need, in a lab that is gone again afterwards, and print a line for each: ok, no, or ? where it
could not be found out. The exit status is 1 where labs cannot work at all.`,
		Args: cobra.NoArgs,
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

// print writes a line for each finding, and says whether something essential is missing.
func (d *doctor) print(w io.Writer) (bad bool) {
	for _, f := range d.findings {
		mark := [...]string{yes: "ok", no: "no", couldNotTell: "?"}[f.answer]
		fmt.Fprintf(w, "%-3s %-20s %s\n", mark, f.what, f.detail)
		if f.answer != yes && f.mend != "" {
			fmt.Fprintf(w, "    %-20s -> %s\n", "", f.mend)
		}
		bad = bad || f.essential && f.answer == no
	}
	return bad
}

// examine tries everything. What happens in a lab is tried in a real one.
func examine(ctx context.Context) *doctor {
	d := &doctor{}
	d.program("bwrap", "bubblewrap", "machines", true)
	d.program("ip", "iproute2", "what people type in a terminal", true)
	lab, err := startLab(ctx, oneMachine("doctor"))
	d.namespaces(err)
	if err == nil {
		d.inLab(lab)
		if err := lab.close(); err != nil {
			d.add(finding{answer: no, what: "end of a lab", detail: err.Error()})
		}
	}
	d.program("ovs-vswitchd", "openvswitch-switch", "nodes of kind ovs", false)
	d.add(finding{what: "limits", detail: sandbox.Limits()})
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

// namespaces says whether a lab could be made, and if not, what the kernel's settings have to do with it.
func (d *doctor) namespaces(err error) {
	f := finding{what: "a lab", detail: "user, pid, mount, net, uts, ipc and cgroup namespaces, and a machine in them", essential: true}
	var missing *sandbox.MissingProgramError
	switch {
	case err == nil:
	case errors.As(err, &missing):
		f.answer, f.detail, f.mend = no, err.Error(), "apt-get install "+missing.Package
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EUSERS):
		f.answer, f.detail, f.mend = no, err.Error(), userNamespaceMend()
	default:
		f.answer, f.detail, f.mend = no, err.Error(), userNamespaceMend()
	}
	d.add(f)
}

// userNamespaceMend is the setting of this system that keeps ordinary users from making user namespaces.
func userNamespaceMend() string {
	for _, s := range []struct{ file, bad, mend string }{
		{"/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
		{"/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=65536"},
	} {
		if data, err := os.ReadFile(s.file); err == nil && strings.TrimSpace(string(data)) == s.bad {
			return s.mend
		}
	}
	return ""
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
	{"tun", "interfaces of kind tun", "ip tuntap add name doc0 mode tun && ip tuntap del name doc0 mode tun", []string{"No such file", "No such device"}, "modprobe tun (CONFIG_TUN)"},
	{"netem", "delay and loss on cables", "tc qdisc add dev lo root netem delay 1ms && tc qdisc del dev lo root", []string{"not found", "qdisc kind is unknown"}, "modprobe sch_netem (CONFIG_NET_SCH_NETEM); rate limits need it not"},
	{"tbf", "rate limits on cables", "tc qdisc add dev lo root tbf rate 1mbit burst 10kb latency 50ms && tc qdisc del dev lo root", []string{"not found", "qdisc kind is unknown"}, "modprobe sch_tbf (CONFIG_NET_SCH_TBF)"},
}

var unknownKind = []string{"Unknown device type", "not supported"}

func (d *doctor) inLab(lab *startedLab) {
	for _, t := range trials {
		out, status, err := lab.output(t.command)
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
func (s *startedLab) output(command string) (string, int, error) {
	conn, err := s.dial(context.Background())
	if err != nil {
		return "", 0, err
	}
	defer conn.Close()
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
	for _, l := range []struct {
		what, file string
		enough     int
		use, mend  string
	}{
		{"gc_thresh3", "/proc/sys/net/ipv4/neigh/default/gc_thresh3", 8192,
			"ARP entries of all labs together", "sysctl -w net.ipv4.neigh.default.gc_thresh3=65536, for labs of more than about %d nodes"},
		{"inotify instances", "/proc/sys/fs/inotify/max_user_instances", 128,
			"programs in labs that watch files", "sysctl -w fs.inotify.max_user_instances=1024"},
		{"pid_max", "/proc/sys/kernel/pid_max", 32768,
			"processes of all labs together", "sysctl -w kernel.pid_max=4194304"},
		{"max_net_namespaces", "/proc/sys/user/max_net_namespaces", 4096,
			"network namespaces of one user", "sysctl -w user.max_net_namespaces=65536"},
	} {
		data, err := os.ReadFile(l.file)
		value, parseErr := strconv.Atoi(strings.TrimSpace(string(data)))
		f := finding{what: l.what, detail: fmt.Sprintf("%d, %s", value, l.use)}
		switch {
		case err != nil || parseErr != nil:
			f.answer, f.detail = couldNotTell, l.use+"; "+fmt.Sprint(errors.Join(err, parseErr))
		case value < l.enough:
			f.answer, f.mend = no, strings.ReplaceAll(l.mend, "%d", strconv.Itoa(value/2))
		}
		d.add(f)
	}
	var open syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &open); err == nil {
		f := finding{what: "open files", detail: fmt.Sprintf("%d, a large lab needs about three for each namespace", open.Max)}
		if open.Max < 8192 {
			f.answer, f.mend = no, "ulimit -Hn 65536 (LimitNOFILE= in systemd)"
		}
		d.add(f)
	}
}
