package labengine_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"vethlab/labengine"
)

// kernel is a shell in a user and a network namespace of its own, whose ip asks the kernel what it thinks of names.
type kernel struct {
	ask    io.WriteCloser
	answer *bufio.Reader
}

func startKernel(t testing.TB) *kernel {
	t.Helper()
	cmd := exec.Command("unshare", "-Urn", "sh")
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	ask, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ask.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("unshare -Urn sh: %v (these tests need user namespaces)", err)
		}
	})
	return &kernel{ask, bufio.NewReader(answer)}
}

// allows says whether a bridge with this name can be made, and in which words not.
func (k *kernel) allows(t testing.TB, name string) (bool, string) {
	t.Helper()
	quoted := "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	// The name is looked up afterwards: `eth%d` makes a device too, and calls it something else.
	// Each name gets a namespace of its own, since taking a bridge away takes 40 ms.
	fmt.Fprintf(k.ask, `unshare -n sh -c '
said=$(ip link add name "$1" type bridge 2>&1) && test -e "/proc/sys/net/ipv4/conf/$1/forwarding" && echo yes || echo "no $said"
' sh %s
echo
`, quoted)
	var lines []string
	for {
		line, err := k.answer.ReadString('\n')
		if err != nil {
			t.Fatalf("asking about %q: %v", name, err)
		}
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		lines = append(lines, line)
	}
	return lines[0] == "yes", strings.Join(lines, " ")
}

// compare holds CheckInterfaceName to the kernel. It may refuse more only where nobody could type the name.
func (k *kernel) compare(t *testing.T, name string) {
	t.Helper()
	if strings.ContainsRune(name, 0) {
		return // ends a string
	}
	err := labengine.CheckInterfaceName(name)
	allowed, said := k.allows(t, name)
	untypable := strings.IndexFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) >= 0
	if allowed == (err == nil) || allowed && untypable {
		return
	}
	t.Errorf("%q: the kernel says %q, CheckInterfaceName says %v", name, said, err)
}

func TestInterfaceNamesAsTheKernelHasThem(t *testing.T) {
	t.Parallel() // it waits for the kernel most of the time
	text, err := os.ReadFile("testdata/names.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ Fn, Input string }
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	k := startKernel(t)
	for _, c := range cases {
		if c.Fn == "interfaceName" {
			k.compare(t, c.Input)
		}
	}
}

func TestRandomInterfaceNamesAsTheKernelHasThem(t *testing.T) {
	t.Parallel() // it waits for the kernel most of the time
	const seed = 20
	random := rand.New(rand.NewPCG(seed, 0))
	letters := []rune("ab01.-_@%/: \t\\'\"#,;$`~*?![]{}()<>|&^+=\u00a0\u0085àéö日本\u2003𝛼\x01\x7f")
	k := startKernel(t)
	for range 100 {
		name := make([]rune, 1+random.IntN(9))
		for i := range name {
			if random.IntN(3) > 0 {
				name[i] = 'a' + random.Int32N(26)
			} else {
				name[i] = letters[random.IntN(len(letters))]
			}
		}
		k.compare(t, string(name))
	}
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
}

func FuzzInterfaceName(f *testing.F) {
	for _, seed := range []string{"eth0", "all", "a b", "a%d", "voilà", "..", "a:b", "exactly15bytes_", "\xc3"} {
		f.Add(seed)
	}
	k := startKernel(f)
	f.Fuzz(func(t *testing.T, name string) { k.compare(t, name) })
}
