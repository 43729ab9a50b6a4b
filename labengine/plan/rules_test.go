package plan_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"vethlab/labengine"
	"vethlab/labengine/plan"
)

func TestChangesOfRules(t *testing.T) {
	with := func(node labengine.ID, rules ...string) labengine.Lab {
		l := lab(t, "red", "")
		l.Nodes[node] = l.Nodes[node].WithRules(false, rules)
		return l
	}
	const red = "host/red"
	for _, c := range []struct {
		have, want labengine.Lab
		script     string
	}{
		{with("host"), with("host", "-t nat -A POSTROUTING -s 192.168.15.0/24 ! -o v-net-0 -j MASQUERADE"), `
			iptables -t nat -A POSTROUTING -s 192.168.15.0/24 ! -o v-net-0 -j MASQUERADE
		`},
		{with(red), with(red, "-A FORWARD -j DOCKER", `-A INPUT -m comment --comment "it's" -j DROP`, "-P FORWARD DROP", "-N DOCKER", "-A DOCKER -j RETURN"), `
			ip netns exec red iptables -N DOCKER
			ip netns exec red iptables -P FORWARD DROP
			ip netns exec red iptables -A FORWARD -j DOCKER
			ip netns exec red iptables -A INPUT -m comment --comment 'it'\''s' -j DROP
			ip netns exec red iptables -A DOCKER -j RETURN
		`},
		{with("host", "-N A", "-N B", "-A A -j B", "-A B -j LOG", "-A B -j DROP", "-A INPUT -j A", "-P INPUT DROP"), with("host"), `
			iptables -P INPUT ACCEPT
			iptables -D A -j B
			iptables -F B
			iptables -D INPUT -j A
			iptables -X A
			iptables -X B
		`},
		{with("host", "-A INPUT -j a", "-A INPUT -j b", "-A INPUT -j c"), with("host", "-A INPUT -j x", "-A INPUT -j a", "-A INPUT -j c", "-A INPUT -j d"), `
			iptables -I INPUT 1 -j x
			iptables -D INPUT -j b
			iptables -A INPUT -j d
		`},
		{with("host", "-A INPUT -j a", "-A INPUT -j b", "-A INPUT -j a"), with("host", "-A INPUT -j a", "-A INPUT -j b"), `
			iptables -D INPUT 3
		`},
		{with("host", "-A INPUT -j a", "-A INPUT -j b"), with("host", "-A INPUT -j a", "-A INPUT -j c"), `
			iptables -R INPUT 2 -j c
		`},
		{with("host", "-A INPUT -j a", "-t filter -A INPUT -j b"), with("host", "-A INPUT --jump a", "-A INPUT -j b"), `
			iptables -R INPUT 1 --jump a
		`},
		{with("host", "-A INPUT -j 'a'", "-t filter -A INPUT -j b", "-P INPUT ACCEPT"), with("host", "-A INPUT -j a", "-A INPUT -j b"), ``},
	} {
		check(t, c.have, c.want, c.script)
	}
	want := lab(t, "red", "")
	want.Nodes[red] = want.Nodes[red].WithRules(true, []string{"-A INPUT -p icmpv6 -j ACCEPT"})
	check(t, lab(t, "red", ""), want, `
		ip netns exec red ip6tables -A INPUT -p icmpv6 -j ACCEPT
	`)
}

// TestChangesMakeTheWantedRules carries plans out on a list, as iptables does in the kernel.
func TestChangesMakeTheWantedRules(t *testing.T) {
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 0))
		many := 6
		if seed%40 == 0 {
			many = 1500 // chains that are emptied and written anew
		}
		rules := func() []string {
			var texts []string
			own := random.IntN(3)
			for n := range own {
				texts = append(texts, fmt.Sprintf("-N own%d", n))
			}
			if random.IntN(2) == 0 {
				texts = append(texts, "-P FORWARD DROP")
			}
			chains := []string{"INPUT", "FORWARD", "own0", "own1"}[:2+own]
			for range random.IntN(many) {
				texts = append(texts, fmt.Sprintf("-A %s -s 10.0.0.%d -j DROP", chains[random.IntN(len(chains))], random.IntN(many)))
			}
			return texts
		}
		have, want := lab(t, "", ""), lab(t, "", "")
		have.Nodes["host"] = have.Nodes["host"].WithRules(false, rules())
		want.Nodes["host"] = want.Nodes["host"].WithRules(false, rules())
		list, err := labengine.ReadRules(have.Nodes["host"].Iptables)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range plan.Diff(have, want) {
			for _, r := range step.(plan.ChangeRules).Rules {
				if err := list.Change(r.String(), ""); err != nil {
					t.Fatalf("seed %d: %s: %v", seed, r, err)
				}
			}
		}
		if diff := cmp.Diff(byChain(want.Nodes["host"].Iptables), byChain(list.Texts()), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
	}
}

// byChain is a list of rules in which only a chain's order counts, without policies that are the kernel's own.
func byChain(texts []string) []string {
	list := slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return strings.HasSuffix(text, " ACCEPT") })
	slices.SortStableFunc(list, func(a, b string) int {
		words := func(text string) string { return strings.Join(strings.Fields(text)[:2], " ") }
		return strings.Compare(words(a), words(b))
	})
	return list
}
