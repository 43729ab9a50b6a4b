package kernel

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// ownTables begins the names of the tables that vethlab makes for itself: nobody is shown them.
const ownTables = "vethlab"

// freshGeneration is the number of the rules of a namespace in which nobody has changed any: nf_tables_init_net in
// net/netfilter/nf_tables_api.c.
const freshGeneration = 1

// takeRules marks what an event of nfnetlink tells of: struct nfgenmsg in uapi/linux/netfilter/nfnetlink.h, and a table's
// name in attribute 1 whatever it is that has changed.
func (w *World) takeRules(n *Netns, kind uint16, body []byte) {
	if kind>>8 != unix.NFNL_SUBSYS_NFTABLES || kind&0xff == unix.NFT_MSG_NEWGEN || len(body) < 4 {
		return
	}
	table := ""
	for t, v := range attributes(body, 4) {
		if t == unix.NFTA_TABLE_NAME {
			table = strings.TrimRight(string(v), "\x00")
		}
	}
	if strings.HasPrefix(table, ownTables) {
		return
	}
	family := body[0]
	if (family == unix.NFPROTO_IPV4 || family == unix.NFPROTO_IPV6) && slices.Contains(labengine.RuleTables, table) {
		w.MarkRules(n, family == unix.NFPROTO_IPV6)
		return
	}
	d := w.dirtyRules[n]
	d.Native = true
	w.dirtyRules[n] = d
}

// MarkRules has the rules of a family looked at again.
func (w *World) MarkRules(n *Netns, ipv6 bool) {
	d := w.dirtyRules[n]
	if ipv6 {
		d.IPv6 = true
	} else {
		d.IPv4 = true
	}
	w.dirtyRules[n] = d
}

// RulesChanged says which of a namespace's rules may have changed.
type RulesChanged struct{ IPv4, IPv6, Native bool }

// TakeRules is which of a namespace's rules may have changed since it was asked.
func (w *World) TakeRules(n *Netns) RulesChanged {
	d := w.dirtyRules[n]
	delete(w.dirtyRules, n)
	return d
}

// AgainRules has them looked at once more.
func (w *World) AgainRules(n *Netns, again RulesChanged) {
	d := w.dirtyRules[n]
	w.dirtyRules[n] = RulesChanged{d.IPv4 || again.IPv4, d.IPv6 || again.IPv6, d.Native || again.Native}
}

// ChangedRules yields the namespaces whose rules may have changed.
func (w *World) ChangedRules(yield func(*Netns) bool) {
	for n := range w.dirtyRules {
		if !yield(n) {
			return
		}
	}
}

// CheckRules has the rules of a namespace looked at if there have ever been some: of one that somebody else has made, the
// kernel has told nothing until it was followed. Without rules it costs two requests, and no program.
func (w *World) CheckRules(n *Netns) {
	generation := uint32(freshGeneration)
	var legacy [2]bool
	err := w.enter.in(n.File, func() (err error) {
		generation, err = rulesGeneration()
		legacy = [2]bool{legacyTables(false), legacyTables(true)}
		return err
	})
	if err == nil && generation != freshGeneration {
		w.dirtyRules[n] = RulesChanged{true, true, true}
	}
	w.touchLegacy(n, legacy)
}

// TouchLegacy has rules of iptables-legacy looked at again where there are such: the kernel tells of none.
func (w *World) TouchLegacy() {
	_, err := os.Stat("/proc/self/net/ip_tables_names")
	_, err6 := os.Stat("/proc/self/net/ip6_tables_names")
	if err != nil && err6 != nil {
		return // the kernel has none
	}
	for _, n := range w.byKey {
		var legacy [2]bool
		w.enter.in(n.File, func() error {
			legacy = [2]bool{legacyTables(false), legacyTables(true)}
			return nil
		})
		w.touchLegacy(n, legacy)
	}
}

func (w *World) touchLegacy(n *Netns, legacy [2]bool) {
	for i, there := range legacy {
		if there {
			w.MarkRules(n, i == 1)
		}
	}
}

// legacyTables says whether the calling thread's namespace has tables of iptables-legacy.
func legacyTables(ipv6 bool) bool {
	name := "/proc/thread-self/net/ip_tables_names"
	if ipv6 {
		name = "/proc/thread-self/net/ip6_tables_names"
	}
	text, err := os.ReadFile(name)
	return err == nil && len(text) > 0
}

// rulesGeneration is how often the rules of the calling thread's namespace have changed.
func rulesGeneration() (uint32, error) {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN, 0)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	answers, err := req.Execute(unix.NETLINK_NETFILTER, unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWGEN)
	if err != nil {
		return 0, err
	}
	for _, body := range answers {
		for t, v := range attributes(body, 4) {
			if t == unix.NFTA_GEN_ID && len(v) == 4 {
				return binary.BigEndian.Uint32(v), nil
			}
		}
	}
	return 0, errors.New("no generation of rules")
}

// NativeRules are the tables of a namespace that iptables knows nothing of, as nft(8) lists them, and how many they are.
// Besides those of other names and families, mixed asks for the ones of iptables' names too.
func (w *World) NativeRules(n *Netns, mixed bool) (text string, tables int, err error) {
	err = w.enter.in(n.File, func() error {
		out, err := w.programs.run("", "nft", "list", "ruleset")
		text, tables = nativeTables(out, mixed)
		return err
	})
	return text, tables, err
}

// nativeTables picks from what nft(8) lists. A table begins with its name at the line's start, and ends with its brace.
func nativeTables(out string, mixed bool) (text string, tables int) {
	var b, one strings.Builder
	inside, keep := false, false
	for line := range strings.Lines(out) {
		if words := strings.Fields(line); !inside && len(words) >= 3 && words[0] == "table" {
			family, name := words[1], words[2]
			iptables := (family == "ip" || family == "ip6") && slices.Contains(labengine.RuleTables, name)
			inside, keep = true, !strings.HasPrefix(name, ownTables) && (!iptables || mixed)
			one.Reset()
		}
		if !inside {
			continue
		}
		one.WriteString(line)
		if strings.HasPrefix(line, "}") {
			if inside = false; keep {
				b.WriteString(one.String())
				tables++
			}
		}
	}
	return b.String(), tables
}
