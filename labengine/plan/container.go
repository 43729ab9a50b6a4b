package plan

import (
	"fmt"
	"regexp"

	"vethlab/labengine"
)

type (
	// AddContainer makes a container: network, pid, mount, uts and ipc namespaces with an init of their own, and starts its
	// command in it.
	AddContainer struct {
		At            Spot
		Name, Command string
	}
	// DeleteContainer ends a container's init, and with it all that runs in it.
	DeleteContainer struct {
		At   Spot
		Name string
	}
	// RenameContainer changes a container's hostname.
	RenameContainer struct {
		At       Spot
		From, To string
	}
)

// containerFolder is where a machine keeps the number of each container's init, so that commands can name its namespaces:
// unlike `ip netns`, unshare(1) gives them no name.
const containerFolder = "/run/containers"

func pidFile(container string) string { return containerFolder + "/" + container + ".pid" }

func logFile(container string) string { return containerFolder + "/" + container + ".log" }

// containerSpot is a container's spot. Its name is one of a host, which a shell needs no quotes for.
func containerSpot(node labengine.ID, machine, name string) Spot {
	return Spot{Node: node, Machine: machine, Pid: "$(cat " + pidFile(name) + ")"}
}

// rfc1123 are the names that hostname(1) takes, RFC 1123 §2.1.
var rfc1123 = regexp.MustCompile(`^[[:alnum:]]([[:alnum:]-]*[[:alnum:]])?(\.[[:alnum:]]([[:alnum:]-]*[[:alnum:]])?)*$`)

// hostname is the command that sets one. The kernel takes any, as that of a container that is called my_app; so does busybox.
func hostname(name string) string {
	if rfc1123.MatchString(name) {
		return "hostname " + name
	}
	return "busybox hostname " + name
}

// Commands implements [Step]. The second line finds the init, which is unshare's child, once it is there.
func (s AddContainer) Commands() []labengine.Command {
	inside := hostname(s.Name) + "; "
	if s.Command != "" {
		inside += "(" + s.Command + ") > " + logFile(s.Name) + " 2>&1 & "
	}
	return in(s.At.Machine,
		"unshare --net --pid --mount --uts --ipc --fork --mount-proc sh -c "+quote(inside+"exec sleep infinity")+" &",
		fmt.Sprintf("until pgrep -P $! > %s; do kill -0 $!; sleep 0.1; done", pidFile(s.Name)))
}

// Commands implements [Step].
func (s DeleteContainer) Commands() []labengine.Command {
	return in(s.At.Machine, "kill -9 "+s.At.Pid)
}

// Commands implements [Step].
func (s RenameContainer) Commands() []labengine.Command {
	return in(s.At.Machine, "nsenter -t "+s.At.Pid+" -u "+hostname(s.To), "mv "+pidFile(s.From)+" "+pidFile(s.To))
}
