package live_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"vethlab/examples"
	"vethlab/labengine/live/labtest"
)

// TestDocker holds the example of a container beside what Docker makes of the same: as it was recorded by
// testdata/docker.sh and, where this machine has a Docker daemon to start and the test runs as root, as it is made now.
func TestDocker(t *testing.T) {
	recorded, err := os.ReadFile("testdata/docker-20.10.txt")
	if err != nil {
		t.Fatal(err)
	}
	made := []string{string(recorded)}
	if _, err := exec.LookPath("dockerd"); err == nil && os.Getuid() == 0 {
		var errs strings.Builder
		cmd := exec.Command("unshare", "-n", "-m", "-p", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
			"sh", "testdata/docker.sh")
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("docker.sh: %v\n%s", err, errs.String())
		}
		made = append(made, string(out))
	}
	text, err := examples.FS.ReadFile("docker.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lab := labtest.Start(t, string(text))
	t.Run("answers", func(t *testing.T) {
		if page := lab.Shell("neighbour", "curl -sS http://192.168.1.2:8080/"); !strings.Contains(page, "This is web.\nYou are 192.168.1.3, port ") {
			t.Errorf("the forwarded port answers %q", page)
		}
		if page := lab.Shell("host", "curl -sS http://192.168.1.2:8080/"); !strings.Contains(page, "This is web.\n") {
			t.Errorf("on host, the forwarded port answers %q", page)
		}
		lab.MustRun("web", "ping", "-c1", "-W3", "8.8.8.8")
		if got := lab.Shell("web", "ps -e -o comm="); got != "init\nsleep\nsh\nps\n" {
			t.Errorf("in web: %q", got)
		}
	})
	ours := sections(lab.Shell("host", `
		echo "== host address"; ip -o address show dev docker0 scope global | awk '{print $2, $4}'
		echo "== host ports"; ip -o link show master docker0 | wc -l
		echo "== host forward"; cat /proc/sys/net/ipv4/ip_forward
		echo "== filter"; iptables -S
		echo "== nat"; iptables -t nat -S`) + lab.Shell("web", `
		echo "== web address"; ip -o address show scope global | awk '{print $2, $4}'
		echo "== web routes"; ip route | sed 's/ *$//'`))
	for _, text := range made {
		docker := sections(text)
		version := docker["version"][0]
		t.Run(version, func(t *testing.T) {
			if !strings.HasPrefix(version, "20.") {
				t.Logf("Docker %s has other chains than the example", version)
				return
			}
			for name, want := range docker {
				switch name {
				case "version":
				case "filter", "nat":
					compareRules(t, name, ours[name], want)
				default:
					if !slices.Equal(ours[name], want) {
						t.Errorf("%s: the lab has %q, Docker %q", name, ours[name], want)
					}
				}
			}
		})
	}
}

// sections are the lines behind each "== name".
func sections(text string) map[string][]string {
	all := map[string][]string{}
	name := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if heading, ok := strings.CutPrefix(line, "== "); ok {
			name = heading
			continue
		}
		all[name] = append(all[name], line)
	}
	return all
}

// compareRules: Docker has the lab's rules in the same order, and chains for isolation besides.
func compareRules(t *testing.T, table string, lab, docker []string) {
	t.Helper()
	isolation := func(rule string) bool {
		return strings.Contains(rule, "DOCKER-ISOLATION") || strings.Contains(rule, "DOCKER-USER")
	}
	if want := slices.DeleteFunc(slices.Clone(docker), isolation); !slices.Equal(lab, want) {
		t.Errorf("table %s: the lab has\n%s\nDocker has\n%s", table, strings.Join(lab, "\n"), strings.Join(want, "\n"))
	}
}
