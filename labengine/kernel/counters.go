package kernel

import (
	"os"
	"strconv"
	"strings"

	"vethlab/labengine"
)

// Dropped counts the packets that an internet's edge has dropped because it knows no way back to where they came from:
// those of IPv4 on their way out, by reverse path filtering, and the answers to those of IPv6 on their way back.
func (w *World) Dropped(edge *Netns) (packets uint64, err error) {
	err = w.enter.in(edge.File, func() error {
		netstat, err := os.ReadFile("/proc/thread-self/net/netstat") // proc_pid_net(5)
		if err != nil {
			return err
		}
		packets = extended(string(netstat), "TcpExt:", "IPReversePathFilter")
		snmp, err := os.ReadFile("/proc/thread-self/net/dev_snmp6/" + labengine.UplinkName)
		if os.IsNotExist(err) { // a kernel without IPv6
			return nil
		}
		for line := range strings.Lines(string(snmp)) {
			if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "Ip6InNoRoutes" {
				n, _ := strconv.ParseUint(fields[1], 10, 64)
				packets += n
			}
		}
		return err
	})
	return packets, err
}

// extended finds a counter in a file that has a line of names and then a line of values for each group.
func extended(text, group, name string) uint64 {
	var names []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != group {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, n := range names {
			if n == name && i < len(fields) {
				value, _ := strconv.ParseUint(fields[i], 10, 64)
				return value
			}
		}
	}
	return 0
}
