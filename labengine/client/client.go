// Package client talks to a lab process: the control websocket that changes and watches the lab, and one websocket for
// each terminal. It knows nothing of the kernel, and is all of a running lab that the server sees.
//
// Order: messages arrive in the order in which the lab process sent them; requests are written in the order of [Conn.Send].
package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/segmentio/encoding/json"

	"vethlab/labengine"
)

// sendQueue bounds the requests that wait for a lab process to read them. Policy: one that reads none for so long is
// not working, and [Conn.Send] says so instead of waiting.
const sendQueue = 1024

// maxMessage is the largest message taken from a lab process, in bytes: the snapshot of a lab with thousands of nodes
// and 2,000 changes is some megabytes.
const maxMessage = 128 << 20

// writeWait is how long one request may take to be written; the other end is a process on the same machine.
const writeWait = 10 * time.Second

// ErrBusy says that the lab process does not read its requests.
var ErrBusy = errors.New("the lab process does not read its requests")

// Client makes connections to one lab process.
type Client struct {
	dialer websocket.Dialer
}

// New is a client of the lab process that dial reaches.
func New(dial func(ctx context.Context) (net.Conn, error)) *Client {
	return &Client{dialer: websocket.Dialer{
		NetDialContext:   func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		HandshakeTimeout: 30 * time.Second,
		ReadBufferSize:   32 << 10,
	}}
}

// Conn is the control connection. One goroutine at a time may call Receive; the other methods are safe for several.
type Conn struct {
	ws    *websocket.Conn
	hello labengine.Hello
	queue chan []byte

	closing   chan struct{}
	closeOnce sync.Once
	written   chan struct{} // closed when the writing goroutine has ended
}

// Message is a message with the JSON that it came as, which can be passed on without encoding it again.
type Message struct {
	labengine.Message
	Raw []byte
}

// Connect opens the control connection and reads the lab process's hello. The context ends the attempt, not the
// connection. The problem is "not-supported" where the lab process speaks another version of the protocol.
func (c *Client) Connect(ctx context.Context) (*Conn, error) {
	ws, err := c.dialWebsocket(ctx, "/ws", nil)
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(maxMessage)
	stop := context.AfterFunc(ctx, func() { ws.Close() })
	conn := &Conn{ws: ws, queue: make(chan []byte, sendQueue), closing: make(chan struct{}), written: make(chan struct{})}
	first, err := conn.Receive()
	if !stop() {
		err = errors.Join(ctx.Err(), err)
	}
	switch {
	case err != nil:
	case first.Hello == nil:
		err = errors.New("the lab process did not say hello")
	case first.Hello.Protocol != labengine.Protocol:
		err = labengine.Problemf(labengine.CodeNotSupported, "the lab was started by vethlab %s, which speaks version %d of the protocol; this one speaks %d",
			first.Hello.Version, first.Hello.Protocol, labengine.Protocol).WithHint("stop the lab and start it again")
	}
	if err != nil {
		ws.Close()
		return nil, err
	}
	conn.hello = *first.Hello
	go conn.write()
	return conn, nil
}

// Terminal opens a terminal's websocket. The query names it as the lab process takes it: id, node, author, offset, cols,
// rows. An answer other than a websocket is returned as the [labengine.Problem] in it.
func (c *Client) Terminal(ctx context.Context, query url.Values) (*websocket.Conn, error) {
	return c.dialWebsocket(ctx, "/terminal", query)
}

func (c *Client) dialWebsocket(ctx context.Context, path string, query url.Values) (*websocket.Conn, error) {
	u := url.URL{Scheme: "ws", Host: "lab", Path: path, RawQuery: query.Encode()}
	ws, response, err := c.dialer.DialContext(ctx, u.String(), nil)
	if errors.Is(err, websocket.ErrBadHandshake) && response != nil {
		return nil, refusal(response)
	}
	if err != nil {
		return nil, fmt.Errorf("reach the lab process: %w", err)
	}
	return ws, nil
}

// refusal is why a lab process did not open a websocket: a problem as JSON, or whatever text it sent.
func refusal(response *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)) // gorilla hands over what it has read, at most 1,024 bytes
	var p labengine.Problem
	if json.Unmarshal(body, &p) == nil && p.Code != "" && p.Message != "" {
		return &p
	}
	text := string(bytes.TrimSpace(body))
	if text == "" {
		text = response.Status
	}
	return labengine.Problemf(labengine.CodeInternal, "the lab process refused: %s", text)
}

// Hello is what the lab process said of itself.
func (c *Conn) Hello() labengine.Hello { return c.hello }

// Send queues a request. It does not wait: the error is [ErrBusy], or [net.ErrClosed] after Close.
func (c *Conn) Send(r labengine.Request) error {
	data, err := Encode(r)
	if err != nil {
		return err
	}
	return c.SendEncoded(data)
}

// Encode gives a request as it is sent. Of a Begin with a large lab that takes milliseconds, which need not be spent when the
// lab process waits for it already.
func Encode(r labengine.Request) ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	return data, nil
}

// SendEncoded is Send for what [Encode] has given.
func (c *Conn) SendEncoded(data []byte) error {
	select {
	case <-c.closing:
		return net.ErrClosed
	default:
	}
	select {
	case c.queue <- data:
		return nil
	default:
		return ErrBusy
	}
}

// Receive waits for the next message. Any error is final: the connection is of no more use, and wants a Close.
func (c *Conn) Receive() (Message, error) {
	_, data, err := c.ws.ReadMessage()
	if err != nil {
		return Message{}, fmt.Errorf("read from the lab process: %w", err)
	}
	m := Message{Raw: data}
	if err := json.Unmarshal(data, &m.Message); err != nil {
		return Message{}, fmt.Errorf("a message from the lab process: %w", err)
	}
	return m, nil
}

// Close ends the connection, and Receive with it. The lab goes on.
func (c *Conn) Close() error {
	c.closeOnce.Do(func() { close(c.closing) })
	err := c.ws.Close()
	<-c.written
	return err
}

func (c *Conn) write() {
	defer close(c.written)
	for {
		select {
		case <-c.closing:
			return
		case data := <-c.queue:
			c.ws.SetWriteDeadline(time.Now().Add(writeWait))
			if err := c.ws.WriteMessage(websocket.TextMessage, data); err != nil {
				c.ws.Close() // wakes Receive, which reports it
				return
			}
		}
	}
}
