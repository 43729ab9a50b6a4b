package ovsdb

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"vethlab/labengine"
)

// Control speaks to a daemon of Open vSwitch as ovs-appctl(8) does.
type Control struct {
	conn    net.Conn
	decoder *json.Decoder
	id      int
}

// NewControl takes over a connection to the socket that ovs-appctl(8) uses. It is over when ctx is.
func NewControl(ctx context.Context, conn net.Conn) *Control {
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	return &Control{conn: conn, decoder: json.NewDecoder(io.LimitReader(conn, maxMessage))}
}

// Close ends the connection.
func (c *Control) Close() { c.conn.Close() }

// call runs a command of ovs-appctl(8), and gives what it prints.
func (c *Control) call(command string, args ...string) (string, error) {
	c.id++
	data, err := json.Marshal(map[string]any{"id": c.id, "method": command, "params": append([]string{}, args...)})
	if err != nil {
		return "", err
	}
	if _, err := c.conn.Write(data); err != nil {
		return "", err
	}
	var reply struct{ Result, Error *string }
	if err := c.decoder.Decode(&reply); err != nil {
		return "", err
	}
	if reply.Result == nil {
		return "", fmt.Errorf("%s: %s", command, *cmp.Or(reply.Error, new("no answer")))
	}
	return *reply.Result, nil
}

// Table is what a bridge has learnt, and by which rules it goes.
func (c *Control) Table(bridge string) (labengine.SwitchTable, error) {
	table := labengine.SwitchTable{Bridge: bridge}
	ports, err := c.call("dpif/show")
	if err != nil {
		return table, err
	}
	learnt, err := c.call("fdb/show", bridge)
	if err != nil {
		return table, err
	}
	flows, err := c.call("bridge/dump-flows", bridge)
	if err != nil {
		return table, err
	}
	table.FDB, table.Flows = parseFDB(learnt, parsePorts(ports, bridge)), parseFlows(flows)
	return table, nil
}

// parsePorts reads the names of a bridge's ports by their OpenFlow numbers, of dpif/show: "    veth-red-br 2/3: (system)".
func parsePorts(out, bridge string) map[string]string {
	names := map[string]string{"LOCAL": bridge}
	in := ""
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) == 1 && strings.HasPrefix(line, "  ") {
			in = strings.TrimSuffix(words[0], ":")
		}
		if len(words) < 2 || in != bridge {
			continue
		}
		if number, _, ok := strings.Cut(words[1], "/"); ok {
			names[number] = words[0]
		}
	}
	return names
}

// parseFDB reads fdb/show: port, VLAN, MAC and age in seconds, or "static".
func parseFDB(out string, names map[string]string) []labengine.SwitchEntry {
	list := []labengine.SwitchEntry{}
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) < 4 {
			continue
		}
		vlan, err := strconv.Atoi(words[1])
		if err != nil {
			continue // the heading
		}
		list = append(list, labengine.SwitchEntry{Port: cmp.Or(names[words[0]], words[0]), VLAN: vlan, MAC: words[2], Age: words[3]})
	}
	slices.SortFunc(list, func(a, b labengine.SwitchEntry) int {
		return cmp.Or(cmp.Compare(a.VLAN, b.VLAN), cmp.Compare(a.Port, b.Port), cmp.Compare(a.MAC, b.MAC))
	})
	return list
}

// hiddenTable is the one in which Open vSwitch has rules of its own, TBL_INTERNAL in ofproto/ofproto-dpif.h.
const hiddenTable = 254

// parseFlows reads bridge/dump-flows: "table_id=1, duration=0s, n_packets=0, n_bytes=0, priority=5,in_port=1,actions=drop".
func parseFlows(out string) []labengine.SwitchFlow {
	list := []labengine.SwitchFlow{}
	for line := range strings.Lines(out) {
		flow := labengine.SwitchFlow{}
		rest := strings.TrimSpace(line)
		for {
			field, after, more := strings.Cut(rest, ", ")
			name, value, ok := strings.Cut(field, "=")
			if !more || !ok || strings.Contains(field, "actions=") {
				break
			}
			number, _ := strconv.ParseUint(value, 10, 63)
			switch name {
			case "table_id":
				flow.Table = int(number)
			case "n_packets":
				flow.Packets = number
			case "n_bytes":
				flow.Bytes = number
			}
			rest = after
		}
		match, actions, ok := strings.Cut(rest, ",actions=")
		if !ok || flow.Table == hiddenTable {
			continue
		}
		flow.Text = match + " actions=" + actions
		list = append(list, flow)
	}
	return list
}
