package live

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"vethlab/labengine"
	"vethlab/labengine/sandbox"
)

// maxTerminals bounds the shells of one lab.
const maxTerminals = 64

// terminals are the lab's shells, by the token that a page made for each.
type terminals struct {
	mu   sync.Mutex // guards what follows
	open map[labengine.ID]*terminal
	next int
}

type terminal struct {
	labengine.Terminal
	number int // in the order in which they were opened
	box    *sandbox.Terminal
	ready  chan struct{} // closed when box is set, or err
	err    error
}

func (t *terminals) init() { t.open = map[labengine.ID]*terminal{} }

func (t *terminals) list() []labengine.Terminal {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*terminal, 0, len(t.open))
	for _, one := range t.open {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *terminal) int { return cmp.Compare(a.number, b.number) })
	list := make([]labengine.Terminal, len(all))
	for i, one := range all {
		list[i] = one.Terminal
	}
	return list
}

// find is the terminal with this token, or a new one that the caller has to make ready.
func (t *terminals) find(want labengine.Terminal) (found *terminal, isNew bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found, ok := t.open[want.ID]; ok {
		return found, false, nil
	}
	if len(t.open) >= maxTerminals {
		return nil, false, labengine.Problemf(labengine.CodeTooLarge, "the lab has %d terminals already", maxTerminals).
			WithHint("close one that is not used")
	}
	t.next++
	found = &terminal{Terminal: want, number: t.next, ready: make(chan struct{})}
	t.open[want.ID] = found
	return found, true, nil
}

func (t *terminals) remove(id labengine.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, id)
}

// close ends a terminal: its shell gets SIGHUP. The problem is "gone".
func (t *terminals) close(id labengine.ID) error {
	t.mu.Lock()
	found, ok := t.open[id]
	t.mu.Unlock()
	if !ok {
		return labengine.Problemf(labengine.CodeGone, "this terminal has ended already")
	}
	<-found.ready
	if found.box != nil {
		go found.box.Close() // waits for the shell, which may take its time
	}
	return nil
}

// hangUp ends the terminals of some nodes, and waits until their shells have ended.
func (t *terminals) hangUp(of func(node labengine.ID) bool) {
	t.mu.Lock()
	var ending sync.WaitGroup
	for _, one := range t.open {
		if of(one.Node) && one.isReady() {
			ending.Go(func() { one.box.Close() })
		}
	}
	t.mu.Unlock()
	ending.Wait()
}

// isReady says whether there is a shell.
func (t *terminal) isReady() bool {
	select {
	case <-t.ready:
		return t.box != nil
	default:
		return false
	}
}

func (t *terminals) closeAll() {
	for _, one := range t.list() {
		t.close(one.ID)
	}
}

// serveTerminal attaches to the terminal with a token, and opens it first if there is none.
func (l *Lab) serveTerminal(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	number := func(name string, or int64) int64 {
		if n, err := strconv.ParseInt(q.Get(name), 10, 64); err == nil && n >= 0 {
			return n
		}
		return or
	}
	size := labengine.TerminalSize{Cols: int(number("cols", 80)), Rows: int(number("rows", 24))}
	t, err := l.terminal(labengine.Terminal{
		ID: labengine.ID(q.Get("id")), Node: labengine.ID(q.Get("node")), Author: q.Get("author"),
	}, size)
	if err != nil {
		refuse(w, err)
		return
	}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	attach(ws, t, number("offset", 0))
}

// terminal is the shell with this token, opened if need be.
func (l *Lab) terminal(want labengine.Terminal, size labengine.TerminalSize) (*terminal, error) {
	if want.ID == "" || len(want.ID) > 120 {
		return nil, labengine.Problemf(labengine.CodeBadRequest, "a terminal needs an id of 1 to 120 characters")
	}
	t, isNew, err := l.terminals.find(want)
	if err != nil {
		return nil, err
	}
	if !isNew {
		<-t.ready
		return t, t.err
	}
	t.box, t.err = l.openTerminal(&t.Terminal, size)
	close(t.ready)
	if t.err != nil {
		l.terminals.remove(t.ID)
		return nil, t.err
	}
	l.tellTerminals()
	go func() {
		<-t.box.Done()
		l.terminals.remove(t.ID)
		l.tellTerminals()
	}()
	return t, nil
}

func (l *Lab) tellTerminals() {
	l.hub.broadcast(labengine.Message{Terminals: &labengine.Terminals{Terminals: l.terminals.list()}})
}

func (l *Lab) openTerminal(t *labengine.Terminal, size labengine.TerminalSize) (*sandbox.Terminal, error) {
	var at spot
	var node labengine.Node
	err := error(labengine.Problemf(labengine.CodeGone, "the lab has ended"))
	l.do(func() {
		node = l.journal.Lab.Nodes[t.Node]
		at, err = l.spotOf(t.Node)
		t.Title = node.Name
	})
	if err != nil {
		return nil, err
	}
	defer at.netns.Close()
	config := sandbox.TerminalConfig{
		Cols: clampSize(size.Cols), Rows: clampSize(size.Rows), Color: promptColor(node.Name),
		Activity: l.active,
	}
	switch node.Kind {
	case labengine.Machine:
	case labengine.Container:
		config.Container = at.container // whose hostname is in the prompt
	default:
		config.Node, config.NetNS = node.Name, at.netns
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return at.box.OpenTerminal(ctx, config)
}

// active says that a program in the lab did something: a good moment to look at what it changed, and again for a while.
func (l *Lab) active() {
	l.typed.Store(time.Now().UnixNano())
	l.lookForNames()
	l.inspector.soon()
}

func clampSize(n int) uint16 { return uint16(min(max(n, 2), 1000)) }

// attach joins a websocket and a terminal until one of them ends.
func attach(ws *websocket.Conn, t *terminal, offset int64) {
	reader, skipped := t.box.Attach(offset)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer reader.Close()
		typeInto(ws, t.box)
	})
	defer reading.Wait()
	defer ws.Close()
	defer reader.Close()
	write := func(kind int, data []byte) error {
		ws.SetWriteDeadline(time.Now().Add(10 * time.Second))
		return ws.WriteMessage(kind, data)
	}
	say := func(v any) error {
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return write(websocket.TextMessage, data)
	}
	if say(labengine.TerminalHello{ID: t.ID, Offset: reader.Offset(), Skipped: skipped}) != nil {
		return
	}
	buffer := make([]byte, 32<<10)
	for {
		n, err := reader.Read(buffer)
		if n > 0 && write(websocket.BinaryMessage, buffer[:n]) != nil {
			return
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			status, _ := t.box.Wait()
			say(labengine.TerminalEnd{Status: status, Reason: "the shell ended with status " + strconv.Itoa(status)})
			return
		case errors.Is(err, sandbox.ErrSlow):
			say(labengine.TerminalEnd{Status: -1, Reason: "fell behind: attach again"})
			return
		default:
			return
		}
	}
}

// typeInto passes keys and sizes on until the websocket ends.
func typeInto(ws *websocket.Conn, box *sandbox.Terminal) {
	ws.SetReadLimit(1 << 20)
	for {
		kind, data, err := ws.ReadMessage()
		if err != nil {
			return
		}
		if kind == websocket.BinaryMessage {
			box.Write(data) // what a program does not read is lost, as on any terminal
			continue
		}
		var size labengine.TerminalSize
		if json.Unmarshal(data, &size) == nil && size.Cols > 0 && size.Rows > 0 {
			box.Resize(clampSize(size.Cols), clampSize(size.Rows))
		}
	}
}

// promptColor is the colour of a node in its prompt: that of a colour's name in it, as on the canvas.
func promptColor(name string) string {
	word := ""
	for _, r := range name + "-" {
		if r >= 'a' && r <= 'z' {
			word += string(r)
			continue
		}
		if color, ok := promptColors[word]; ok {
			return color
		}
		word = ""
	}
	return ""
}

// promptColors are readable on a light and on a dark page.
var promptColors = map[string]string{
	"red": "#e5484d", "orange": "#d97706", "yellow": "#b08800", "green": "#2f9e5b", "cyan": "#1593a5",
	"blue": "#3b82f6", "purple": "#9a67e0", "pink": "#d6409f", "brown": "#a56a3f", "gray": "#7c888f", "grey": "#7c888f",
}
