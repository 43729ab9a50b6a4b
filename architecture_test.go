package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The packages that do what their users ask of the kernel, and no others: whoever reads one of the rest need not know what
// thread it runs on.
var kernelSide = []string{
	"vethlab/labengine/capture", "vethlab/labengine/kernel", "vethlab/labengine/probe", "vethlab/labengine/sandbox",
}

var netlinkPackages = []string{
	"github.com/vishvananda/netlink", "github.com/vishvananda/netlink/nl", "github.com/vishvananda/netns",
	"github.com/coreos/go-iptables/iptables", "github.com/google/nftables", "github.com/mdlayher/netlink",
	"github.com/mdlayher/arp", "github.com/mdlayher/packet",
}

// TestPurePackagesDoNoIO: what a lab is, how it changes, and how it reads and looks as text can be tested, fuzzed and run
// anywhere, because nothing in it, however deep, starts a program, speaks HTTP or calls the kernel.
func TestPurePackagesDoNoIO(t *testing.T) {
	forbidden := append([]string{"os/exec", "os/signal", "net/http", "log/slog", "golang.org/x/sys/unix"}, netlinkPackages...)
	for _, pure := range []string{
		"labengine", "labengine/plan", "labengine/packet", "labengine/document", "labengine/topology", "labengine/advise",
		"labengine/interop",
	} {
		pkg := "vethlab/" + pure
		if !slices.Contains(packages(t), pkg) {
			continue // interop comes later
		}
		for _, dependency := range list(t, "-deps", pkg) {
			if slices.Contains(forbidden, dependency) {
				t.Errorf("%s depends on %s", pkg, dependency)
			}
		}
		if direct := imports(t, pkg); slices.Contains(direct, "os") || slices.Contains(direct, "syscall") {
			t.Errorf("%s imports os or syscall", pkg)
		}
	}
}

// TestOnlyTheKernelSideSpeaksNetlink: a socket in the wrong namespace, or a thread left in one, is a mistake that few can
// make if few packages can.
func TestOnlyTheKernelSideSpeaksNetlink(t *testing.T) {
	for _, pkg := range packages(t) {
		for _, imported := range imports(t, pkg) {
			if slices.Contains(netlinkPackages, imported) && !slices.Contains(kernelSide, pkg) {
				t.Errorf("%s imports %s", pkg, imported)
			}
		}
	}
}

// TestSystemCallsHaveAPlace: unix is for the kernel side, and for these, each for a reason.
func TestSystemCallsHaveAPlace(t *testing.T) {
	reasons := map[string]string{
		"vethlab":                        "doctor tries what labs need, and run hands its terminal on",
		"vethlab/labengine/live":         "tells errnos apart, and passes file descriptors of its terminals",
		"vethlab/labengine/live/labtest": "looks at the kernel from outside a lab, for tests",
	}
	for _, pkg := range packages(t) {
		if slices.Contains(imports(t, pkg), "golang.org/x/sys/unix") && !slices.Contains(kernelSide, pkg) && reasons[pkg] == "" {
			t.Errorf("%s imports golang.org/x/sys/unix", pkg)
		}
	}
}

// TestServerSeesNothingOfTheKernel: the server outlives labs and they outlive it. It knows a lab by the types of package
// labengine and by the client of the lab process, and could run on another machine.
func TestServerSeesNothingOfTheKernel(t *testing.T) {
	forbidden := slices.Concat(kernelSide, netlinkPackages, []string{"vethlab/labengine/live"})
	for _, pkg := range packages(t) {
		if pkg != "vethlab/labengine/client" && pkg != "vethlab/server" && !strings.HasPrefix(pkg, "vethlab/server/") {
			continue
		}
		for _, dependency := range list(t, "-deps", pkg) {
			if slices.Contains(forbidden, dependency) {
				t.Errorf("%s depends on %s", pkg, dependency)
			}
		}
	}
}

// TestLabengineKnowsNoServer: labs run without one, as `vethlab run` shows.
func TestLabengineKnowsNoServer(t *testing.T) {
	for _, pkg := range packages(t) {
		if !strings.HasPrefix(pkg, "vethlab/labengine") || pkg == "vethlab/labengine/wiregen" { // writes the server's types too
			continue
		}
		for _, imported := range imports(t, pkg) {
			if strings.HasPrefix(imported, "vethlab/server") {
				t.Errorf("%s imports %s", pkg, imported)
			}
		}
	}
}

// TestNoCatchAllPackages: a package is named by what it is for.
func TestNoCatchAllPackages(t *testing.T) {
	for _, pkg := range packages(t) {
		switch name := pkg[strings.LastIndexByte(pkg, '/')+1:]; name {
		case "utils", "util", "common", "helpers", "misc", "shared":
			t.Errorf("%s is named by nothing that it is for", pkg)
		}
	}
}

func packages(t *testing.T) []string { return list(t, "vethlab/...") }

func imports(t *testing.T, pkg string) []string {
	return list(t, "-f", `{{join .Imports "\n"}}`, pkg)
}

var listed = map[string][]string{}

// list is the output of go list, line by line.
func list(t *testing.T, args ...string) []string {
	t.Helper()
	key := strings.Join(args, " ")
	if lines, ok := listed[key]; ok {
		return lines
	}
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", key, err)
	}
	listed[key] = strings.Fields(string(out))
	return listed[key]
}
