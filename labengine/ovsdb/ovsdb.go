// Package ovsdb reads what an Open vSwitch has from its database, and hears of changes: the part of the Open vSwitch Database
// Management Protocol, RFC 7047, that this takes. Who changes the database is ovs-vsctl(8).
package ovsdb

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"vethlab/labengine"
)

// Bridge is a row of table Bridge, ovs-vswitchd.conf.db(5).
type Bridge struct {
	Name     string
	Datapath string // datapath_type: "netdev", or "" for the kernel's
	Options  string // as a document has them
	Ports    []Port // by name, with the bridge's own, which has its name
}

// Port is a row of table Port.
type Port struct {
	Name       string
	VLANs      labengine.SwitchPort
	Interfaces []Interface // by name: one, or the several of a bond
}

// Interface is a row of table Interface.
type Interface struct {
	Name    string
	Type    string // "" is a network device of the kernel's; "internal", "patch", "vxlan", …
	Options pairs  // of that type
}

// IsInternal says whether the port is a device that Open vSwitch makes, for whoever is on the switch itself.
func (p Port) IsInternal() bool { return len(p.Interfaces) == 1 && p.Interfaces[0].Type == "internal" }

// Other is what the port is, where it is no network device: "patch", "vxlan", … or "bond", and its options as ovs-vsctl(8)
// takes them; "" for a network device.
func (p Port) Other() (kind, options string) {
	switch {
	case len(p.Interfaces) == 1 && slices.Contains([]string{"", "system", "internal"}, p.Interfaces[0].Type):
		return "", ""
	case len(p.Interfaces) == 1:
		return p.Interfaces[0].Type, p.Interfaces[0].Options.String()
	case len(p.Interfaces) == 0:
		return "", ""
	}
	names := make([]string, len(p.Interfaces))
	for at, i := range p.Interfaces {
		names[at] = i.Name
	}
	return "bond", strings.Join(names, " ")
}

// maxMessage bounds what a server says at once, in bytes: whoever is root in a machine can be that server.
const maxMessage = 16 << 20

// ErrClosed is what calls return once the connection has ended.
var ErrClosed = errors.New("the connection to the database has ended")

// Conn is a connection to ovsdb-server(1). Its methods may be called by many goroutines at once.
type Conn struct {
	conn    net.Conn
	changed func()
	done    chan struct{}

	sending sync.Mutex // a message goes out whole
	mu      sync.Mutex // guards what follows
	last    int
	calls   map[int]chan message
}

// message is a request, a reply or a notification, RFC 7047 §4.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
}

// Watch takes a connection over, and calls changed after each change of bridges and ports from now on, on a goroutine of its
// own; changed must not wait.
func Watch(ctx context.Context, conn net.Conn, changed func()) (*Conn, error) {
	c := &Conn{conn: conn, changed: changed, done: make(chan struct{}), calls: map[int]chan message{}}
	go c.read()
	_, err := c.call(ctx, "monitor", database, nil, map[string]any{
		"Bridge": map[string]any{"columns": bridgeColumns}, "Port": map[string]any{"columns": portColumns},
		"Interface": map[string]any{"columns": interfaceColumns},
	})
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

const database = "Open_vSwitch"

var (
	bridgeColumns    = append([]string{"name", "datapath_type", "ports"}, optionColumns...)
	optionColumns    = []string{"stp_enable", "rstp_enable", "mcast_snooping_enable", "fail_mode"}
	portColumns      = []string{"name", "tag", "trunks", "vlan_mode", "interfaces"}
	interfaceColumns = []string{"name", "type", "options"}
)

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close ends the connection, and waits for its goroutine.
func (c *Conn) Close() {
	c.conn.Close()
	<-c.done
}

// read hands replies to their callers until the connection ends.
func (c *Conn) read() {
	defer close(c.done)
	defer c.conn.Close()
	limited := &io.LimitedReader{R: c.conn, N: maxMessage}
	for decoder := json.NewDecoder(limited); ; limited.N = maxMessage {
		var m message
		if err := decoder.Decode(&m); err != nil {
			return
		}
		var id int // of a call of ours
		switch {
		case m.Method == "update":
			c.changed()
		case m.Method == "echo": // whether we are still there, RFC 7047 §4.1.11
			c.send(map[string]any{"id": m.ID, "result": m.Params, "error": nil})
		case m.Method == "" && json.Unmarshal(m.ID, &id) == nil:
			c.mu.Lock()
			reply := c.calls[id]
			delete(c.calls, id)
			c.mu.Unlock()
			if reply != nil {
				reply <- m // has room for it
			}
		}
	}
}

func (c *Conn) send(m any) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	_, err = c.conn.Write(data)
	return err
}

// call sends a request and waits for its reply.
func (c *Conn) call(ctx context.Context, method string, params ...any) (json.RawMessage, error) {
	reply := make(chan message, 1)
	c.mu.Lock()
	c.last++
	id := c.last
	c.calls[id] = reply
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.calls, id)
	}()
	if err := c.send(map[string]any{"id": id, "method": method, "params": params}); err != nil {
		return nil, err
	}
	select {
	case m := <-reply:
		if len(m.Error) > 0 && string(m.Error) != "null" {
			return nil, fmt.Errorf("%s: %s", method, m.Error)
		}
		return m.Result, nil
	case <-c.done:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Bridges is what the database has, by name.
func (c *Conn) Bridges(ctx context.Context) ([]Bridge, error) {
	all := []any{}
	result, err := c.call(ctx, "transact", database,
		map[string]any{"op": "select", "table": "Bridge", "where": all, "columns": bridgeColumns},
		map[string]any{"op": "select", "table": "Port", "where": all, "columns": append([]string{"_uuid"}, portColumns...)},
		map[string]any{"op": "select", "table": "Interface", "where": all, "columns": append([]string{"_uuid"}, interfaceColumns...)})
	if err != nil {
		return nil, err
	}
	return parse(result)
}

// parse reads the result of the transaction of [Conn.Bridges].
func parse(result []byte) ([]Bridge, error) {
	var tables []struct {
		Rows []struct {
			UUID       set[uuid]   `json:"_uuid"`
			Name       string      `json:"name"`
			Datapath   string      `json:"datapath_type"`
			Ports      set[uuid]   `json:"ports"`
			Tag        set[int]    `json:"tag"`
			Trunks     set[int]    `json:"trunks"`
			Mode       set[string] `json:"vlan_mode"`
			STP        bool        `json:"stp_enable"`
			RSTP       bool        `json:"rstp_enable"`
			Snooping   bool        `json:"mcast_snooping_enable"`
			FailMode   set[string] `json:"fail_mode"`
			Interfaces set[uuid]   `json:"interfaces"`
			Type       string      `json:"type"`
			Options    pairs       `json:"options"`
		} `json:"rows"`
	}
	if err := json.Unmarshal(result, &tables); err != nil {
		return nil, fmt.Errorf("what the database says: %w", err)
	}
	if len(tables) < 3 {
		return nil, errors.New("the database does not say what it has")
	}
	interfaces := map[uuid]Interface{}
	for _, row := range tables[2].Rows {
		if len(row.UUID) > 0 {
			interfaces[row.UUID[0]] = Interface{row.Name, row.Type, row.Options}
		}
	}
	ports := map[uuid]Port{}
	for _, row := range tables[1].Rows {
		p := Port{Name: row.Name, VLANs: labengine.SwitchPort{Tag: -1, Trunks: row.Trunks}}
		slices.Sort(p.VLANs.Trunks)
		if len(row.Tag) > 0 {
			p.VLANs.Tag = row.Tag[0]
		}
		if len(row.Mode) > 0 {
			p.VLANs.Mode = row.Mode[0]
		}
		for _, id := range row.Interfaces {
			if i, ok := interfaces[id]; ok {
				p.Interfaces = append(p.Interfaces, i)
			}
		}
		slices.SortFunc(p.Interfaces, func(a, b Interface) int { return cmp.Compare(a.Name, b.Name) })
		if len(row.UUID) > 0 {
			ports[row.UUID[0]] = p
		}
	}
	bridges := []Bridge{}
	for _, row := range tables[0].Rows {
		options := map[string]string{
			"stp_enable": strconv.FormatBool(row.STP), "rstp_enable": strconv.FormatBool(row.RSTP),
			"mcast_snooping_enable": strconv.FormatBool(row.Snooping),
		}
		if len(row.FailMode) > 0 {
			options["fail_mode"] = row.FailMode[0]
		}
		b := Bridge{Name: row.Name, Datapath: row.Datapath, Options: labengine.WriteOptions(labengine.OVS, options)}
		for _, id := range row.Ports {
			if p, ok := ports[id]; ok {
				b.Ports = append(b.Ports, p)
			}
		}
		slices.SortFunc(b.Ports, func(a, b Port) int { return cmp.Compare(a.Name, b.Name) })
		bridges = append(bridges, b)
	}
	slices.SortFunc(bridges, func(a, b Bridge) int { return cmp.Compare(a.Name, b.Name) })
	return bridges, nil
}
