package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/coreos/go-iptables/iptables"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// programTime bounds a run of iptables(8) and the like. Ten thousand rules take a second.
const programTime = 30 * time.Second

// firewallPrograms are the programs that change and show firewall rules: the same that a machine's shell runs, for a machine
// has the real one's /usr and /etc/alternatives. They are looked up when the first is needed.
type firewallPrograms struct {
	family [2]*firewallProgram // IPv4, IPv6
	lock   *os.File            // iptables-legacy's, which else would wait for the real machine's
}

type firewallProgram struct {
	single *iptables.IPTables // nil where it is iptables-legacy
	legacy bool
}

func familyIndex(ipv6 bool) int {
	if ipv6 {
		return 1
	}
	return 0
}

// name is "iptables" or "ip6tables", with what is put behind it.
func programName(ipv6 bool, suffix string) string {
	if ipv6 {
		return "ip6tables" + suffix
	}
	return "iptables" + suffix
}

// of is the program of a family. The problem is "not-supported" where it is not installed.
func (p *firewallPrograms) of(ipv6 bool) (*firewallProgram, error) {
	at := familyIndex(ipv6)
	if p.family[at] != nil {
		return p.family[at], nil
	}
	name := programName(ipv6, "")
	version, err := exec.Command(name, "--version").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, labengine.Problemf(labengine.CodeNotSupported, "%s is not installed", name).
			WithHint("`vethlab doctor` says what to install")
	}
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", name, err)
	}
	found := &firewallProgram{legacy: !strings.Contains(string(version), "nf_tables")} // before 1.8 there was no other
	if !found.legacy {
		protocol := iptables.ProtocolIPv4
		if ipv6 {
			protocol = iptables.ProtocolIPv6
		}
		if found.single, err = iptables.New(iptables.IPFamily(protocol)); err != nil {
			return nil, err
		}
	}
	p.family[at] = found
	return found, nil
}

func (p *firewallPrograms) close() {
	if p.lock != nil {
		p.lock.Close()
	}
}

// environment is what the programs need. The lock is a file of the lab's own that has no name anywhere.
func (p *firewallPrograms) environment() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "LANG=C"}
	if p.lock == nil {
		fd, err := unix.MemfdCreate("xtables.lock", unix.MFD_CLOEXEC)
		if err != nil {
			return env
		}
		p.lock = os.NewFile(uintptr(fd), "xtables.lock")
	}
	return append(env, fmt.Sprintf("XTABLES_LOCKFILE=/proc/%d/fd/%d", os.Getpid(), p.lock.Fd()))
}

// programError is a program that did not do what it was asked for, with what it said.
type programError struct {
	name   string
	output string
	err    error
}

func (e *programError) Error() string { return e.name + ": " + e.err.Error() + ": " + e.output }
func (e *programError) Unwrap() error { return e.err }

// run runs a program in the namespace that the calling thread is in: a child has its parent thread's. The caller is on an
// entrance.
func (p *firewallPrograms) run(input string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), programTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = p.environment()
	if input != "" {
		cmd.Stdin = strings.NewReader(input)
	}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.String(), &programError{name, strings.TrimSpace(said.String()), err}
	}
	return out.String(), nil
}
