package kernel

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-iptables/iptables"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
	"vethlab/labengine/plan"
)

// changeRules carries out a step. A single rule is iptables' affair, more of them iptables-restore's: all of a table's at
// once, or none.
func (a *applier) changeRules(s plan.ChangeRules) error {
	n, err := a.await(s.At.Node)
	if err != nil {
		return err
	}
	program, err := a.w.programs.of(s.IPv6)
	if err != nil {
		return err
	}
	defer a.w.MarkRules(n, s.IPv6) // also where it was refused: a part may be there
	isOwners := slices.ContainsFunc(s.Rules, matchesOwner)
	if len(s.Rules) == 1 && !program.legacy && !isOwners {
		err := a.w.enter.in(n.File, func() error { return changeRule(program.single, s.Rules[0]) })
		return rulesProblem(s, 0, err)
	}
	text, lines := restoreInput(s.Rules)
	return a.w.enter.in(n.File, func() error {
		args := []string{"--noflush"}
		if program.legacy {
			args = append(args, "--wait", "5")
		}
		name := programName(s.IPv6, "-restore")
		if isOwners {
			owner, err := unix.IoctlRetInt(int(n.File.Fd()), unix.NS_GET_USERNS)
			if err != nil {
				return err
			}
			defer unix.Close(owner)
			args = append([]string{"--preserve-credentials", fmt.Sprintf("--user=/proc/%d/fd/%d", os.Getpid(), owner), name}, args...)
			name = "nsenter"
		}
		_, err := a.w.programs.run(text, name, args...)
		return rulesProblem(s, refusedRule(err, s.Rules, lines), err)
	})
}

// matchesOwner says whether a rule names a user: the kernel takes it only from who is in the user namespace that the network
// namespace belongs to (owner_check in net/netfilter/xt_owner.c).
func matchesOwner(r labengine.Rule) bool {
	return slices.Contains(r.Args, "owner") && slices.ContainsFunc(r.Args, func(word string) bool {
		return strings.HasPrefix(word, "--uid-owner") || strings.HasPrefix(word, "--gid-owner")
	})
}

func changeRule(ipt *iptables.IPTables, r labengine.Rule) error {
	switch r.Verb {
	case "-A":
		return ipt.Append(r.Table, r.Chain, r.Args...)
	case "-I":
		return ipt.Insert(r.Table, r.Chain, max(r.Number, 1), r.Args...)
	case "-R":
		return ipt.Replace(r.Table, r.Chain, r.Number, r.Args...)
	case "-D":
		if r.Number > 0 {
			return ipt.DeleteById(r.Table, r.Chain, r.Number)
		}
		return ipt.Delete(r.Table, r.Chain, r.Args...)
	case "-P":
		return ipt.ChangePolicy(r.Table, r.Chain, strings.Join(r.Args, " "))
	case "-N":
		return ipt.NewChain(r.Table, r.Chain)
	case "-X":
		return ipt.DeleteChain(r.Table, r.Chain)
	case "-F":
		return ipt.ClearChain(r.Table, r.Chain)
	}
	return fmt.Errorf("no such command: %s", r.Verb)
}

// commitWeight bounds what goes to the kernel at once, in bytes as ruleWeight guesses them: a message to it is at most
// net.core.wmem_max long, 212,992 as a rule, which only the real root may exceed.
const commitWeight = 120 << 10

// ruleWeight guesses how many bytes a rule is for the kernel. Most matches have 40 to 300; u32 has 2,000.
func ruleWeight(r labengine.Rule) int {
	weight := 300
	for _, w := range r.Args {
		weight += len(w)
		switch w {
		case "-m", "--match", "-j", "--jump", "-p", "--protocol":
			weight += 200
		case "u32", "bpf", "policy":
			weight += 2000
		}
	}
	return weight
}

// restoreInput is rules as iptables-restore(8) reads them, by table and in parts that the kernel takes, and which rule each
// line is, from 1; -1 where it is none.
func restoreInput(rules []labengine.Rule) (text string, lines []int) {
	var b strings.Builder
	lines = append(lines, -1)
	line := func(rule int, text string) {
		b.WriteString(text)
		b.WriteByte('\n')
		lines = append(lines, rule)
	}
	for _, table := range labengine.RuleTables {
		weight, open := 0, false
		for i, r := range rules {
			if r.Table != table {
				continue
			}
			if open && weight > commitWeight {
				line(-1, "COMMIT")
				open = false
			}
			if !open {
				line(-1, "*"+table)
				weight, open = 0, true
			}
			weight += ruleWeight(r)
			line(i, restoreLine(r))
		}
		if open {
			line(-1, "COMMIT")
		}
	}
	return b.String(), lines
}

func restoreLine(r labengine.Rule) string {
	words := []string{r.Verb, r.Chain}
	if r.Number > 0 {
		words = append(words, strconv.Itoa(r.Number))
	}
	for _, w := range r.Args {
		words = append(words, labengine.RestoredWord(w))
	}
	return strings.Join(words, " ")
}

// What iptables-restore(8) says of where it is: a line or, of what turns out at the end, a chain.
var (
	lineSaid  = regexp.MustCompile(`line:? (\d+)`)
	chainSaid = regexp.MustCompile(`Chain '([^']+)' does not exist`)
)

// refusedRule is which rule iptables-restore(8) did not take; 0 where it does not say.
func refusedRule(err error, rules []labengine.Rule, lines []int) int {
	var said *programError
	if !errors.As(err, &said) {
		return 0
	}
	if found := lineSaid.FindStringSubmatch(said.output); found != nil {
		if at, _ := strconv.Atoi(found[1]); at < len(lines) && lines[at] >= 0 {
			return lines[at]
		}
	}
	if found := chainSaid.FindStringSubmatch(said.output); found != nil {
		return max(0, slices.IndexFunc(rules, func(r labengine.Rule) bool { return r.JumpsTo(found[1]) }))
	}
	return 0
}

// rulesProblem says what iptables(8) has against a rule, in its words.
func rulesProblem(s plan.ChangeRules, at int, err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	var said *programError
	var single *iptables.Error
	switch {
	case errors.As(err, &said):
		if text = said.output; text == "" {
			text = said.err.Error()
		}
	case errors.As(err, &single):
		_, text, _ = strings.Cut(text, fmt.Sprintf("exit status %d: ", single.ExitStatus()))
	}
	p := labengine.Problemf(labengine.CodeRefused, "%s", iptablesWords(text)).About(s.At.Node, "rule")
	p.Command, p.Err = s.Line(at), err
	p.Hint = rulesHint(text, s.Rules[at])
	return p
}

// whoSays is what iptables(8) puts before its words: its name and version, or the line that it was given.
var whoSays = regexp.MustCompile(`^(?:ip6?tables[a-z-]*(?: v[0-9.]+ \([a-z_]+\))?:)?\s*(?:line \d+(?: failed)?(?::|\.?$))?\s*`)

// iptablesWords is what iptables(8) says without its version, its advice to read the manual and the restored line's number.
func iptablesWords(text string) string {
	var words []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Try `") || strings.HasPrefix(line, "Error occurred at line") ||
			strings.Contains(line, "-legacy tables present") {
			continue
		}
		if line = line[len(whoSays.FindString(line)):]; line != "" {
			words = append(words, line)
		}
	}
	if len(words) == 0 {
		return "the kernel does not take this rule"
	}
	return strings.Join(words, "; ")
}

// rulesHint is what to do about what iptables(8) says most.
func rulesHint(said string, r labengine.Rule) string {
	source := slices.ContainsFunc([]string{"MASQUERADE", "SNAT"}, r.JumpsTo)
	destination := slices.ContainsFunc([]string{"DNAT", "REDIRECT"}, r.JumpsTo)
	switch {
	case strings.Contains(said, `unknown option "--dport"`), strings.Contains(said, `unknown option "--sport"`):
		return "a port belongs to a protocol: write -p tcp or -p udp before it"
	case strings.Contains(said, "Couldn't load match"), strings.Contains(said, "Couldn't load target"):
		return "this system has no such extension of iptables, or its name is mistyped"
	case strings.Contains(said, "Parsing nftables rule failed"), strings.Contains(said, "use 'nft' tool"):
		return "a command of nft has put something there that iptables cannot read: take it away with nft"
	case strings.Contains(said, "does not exist") && r.Verb != "-D":
		return "make the chain first"
	case strings.Contains(said, "Too many links"), strings.Contains(said, "Too many levels of symbolic links"): // EMLINK, ELOOP
		return "these chains jump to each other in a circle, or too deep: 16 is the most"
	case strings.Contains(said, "Message too long"):
		return "the kernel does not take so much at once: split it"
	case (source || destination) && r.Table != "nat":
		return "addresses are translated in table nat: write -t nat before it"
	case source && r.Chain != "POSTROUTING" && labengine.BuiltinChain(r.Table, r.Chain):
		return "a source is translated in POSTROUTING"
	case destination && r.Chain != "PREROUTING" && r.Chain != "OUTPUT" && labengine.BuiltinChain(r.Table, r.Chain):
		return "a destination is translated in PREROUTING, or in OUTPUT for what the machine itself sends"
	case strings.Contains(said, "RULE_"):
		return "the kernel does not take this in " + r.Chain + " of table " + r.Table + ", or has no such extension"
	}
	return ""
}

// SavedRules are what iptables-save(8) shows of a namespace, and what it cannot.
type SavedRules struct {
	Tables     []labengine.FirewallTable
	Counters   []labengine.Counter // of the tables
	Unreadable []string            // tables in which nft(8) has put what iptables has no words for
	Native     bool                // nft(8) has been in a table of iptables' names
}

// Rules reads the rules of a namespace.
func (w *World) Rules(n *Netns, ipv6 bool) (saved SavedRules, err error) {
	program, err := w.programs.of(ipv6)
	if err != nil {
		return saved, err
	}
	err = w.enter.in(n.File, func() (err error) {
		saved, err = w.programs.readRules(program, ipv6)
		return err
	})
	return saved, err
}

// tableSaid is what iptables-save(8) says of a table that it does not print.
var tableSaid = regexp.MustCompile("(?m)^# Table `([a-z]+)' is incompatible")

// readRules reads the rules of the namespace that the calling thread is in.
func (p *firewallPrograms) readRules(program *firewallProgram, ipv6 bool) (saved SavedRules, err error) {
	legacy := legacyTables(ipv6)
	if !program.legacy || legacy {
		out, err := p.run("", programName(ipv6, "-save"), "-c")
		if err != nil {
			return saved, err
		}
		saved.Tables, saved.Counters = labengine.ParseSavedRules(out)
		saved.Native = strings.Contains(out, "use 'nft' tool")
		for _, said := range tableSaid.FindAllStringSubmatch(out, -1) {
			saved.Unreadable = append(saved.Unreadable, said[1])
		}
		for i := range saved.Tables {
			saved.Tables[i].Legacy = program.legacy
		}
	}
	if legacy && !program.legacy {
		if out, err := p.run("", programName(ipv6, "-legacy-save"), "-c"); err == nil {
			tables, counters := labengine.ParseSavedRules(out)
			before := labengine.Places(saved.Tables)
			for _, c := range counters {
				c.At += before
				saved.Counters = append(saved.Counters, c)
			}
			for _, t := range tables {
				t.Legacy, t.Other = true, true
				saved.Tables = append(saved.Tables, t)
			}
		}
	}
	return saved, nil
}
