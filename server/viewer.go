package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"vethlab/labengine"
)

// The queue of messages to one page. Policy: a page that is this far behind is cut off, and asks for a snapshot when it
// comes back; nobody else waits for it. The bytes leave room for one large snapshot, which is counted only behind others.
const (
	viewerMessages = 4096
	viewerBytes    = 16 << 20
)

// maxRequest bounds a websocket message from a page, in bytes: some thousand edits.
const maxRequest = 256 << 10

const (
	pageWriteWait = 10 * time.Second // to write one message
	pagePing      = 30 * time.Second // between pings, RFC 6455 §5.5.2; under the 60 s after which common proxies hang up
	pagePongWait  = 75 * time.Second // without any pong the page is gone
	farewellWait  = 2 * time.Second  // for a page to answer a close
)

// closeLabDeleted is the websocket close code for a lab that is gone for good; a page does not come back after it.
const closeLabDeleted = 4404

// viewer is one page that looks at a lab: a websocket, read by the goroutine of its HTTP request and written by another.
type viewer struct {
	ws     *websocket.Conn
	author string

	queue  chan []byte
	queued atomic.Int64 // bytes in the queue

	ending  sync.Once
	ended   chan struct{} // closed by end
	code    int           // why it ended; written before ended is closed
	reason  string
	written chan struct{} // closed when the writing goroutine has ended

	// Of the room that it looks at, and used by that room's goroutine alone.
	knows int64 // the change as of which it got its snapshot
	asked map[labengine.ID]labengine.ID
}

func newViewer(ws *websocket.Conn, author string) *viewer {
	v := &viewer{
		ws: ws, author: author, queue: make(chan []byte, viewerMessages),
		ended: make(chan struct{}), written: make(chan struct{}), asked: map[labengine.ID]labengine.ID{},
	}
	go v.write()
	return v
}

// send queues an encoded message; it does not wait. A viewer that lags too far is cut off.
func (v *viewer) send(data []byte) {
	select {
	case <-v.ended:
		return
	default:
	}
	if behind := v.queued.Add(int64(len(data))); behind > viewerBytes && behind > int64(len(data)) {
		v.cutOff()
		return
	}
	select {
	case v.queue <- data:
	default:
		v.cutOff()
	}
}

// cutOff ends the connection of a page that does not read: a close frame would wait behind what it has not read.
func (v *viewer) cutOff() {
	v.end(websocket.CloseTryAgainLater, "too far behind")
	v.ws.NetConn().Close()
}

// end closes the websocket once what is queued has been written.
func (v *viewer) end(code int, reason string) {
	v.ending.Do(func() {
		v.code, v.reason = code, reason
		close(v.ended)
	})
}

func (v *viewer) write() {
	defer close(v.written)
	ping := time.NewTicker(pagePing)
	defer ping.Stop()
	for {
		select {
		case data := <-v.queue:
			if !v.writeOne(data) {
				return
			}
		case <-ping.C:
			if v.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(pageWriteWait)) != nil {
				v.ws.Close()
				return
			}
		case <-v.ended:
			for {
				select {
				case data := <-v.queue:
					if !v.writeOne(data) {
						return
					}
					continue
				default:
				}
				break
			}
			// The reader waits for the page's answer, so that what was written last is not lost to a reset.
			v.ws.NetConn().SetReadDeadline(time.Now().Add(farewellWait))
			farewell := websocket.FormatCloseMessage(v.code, v.reason)
			if v.ws.WriteControl(websocket.CloseMessage, farewell, time.Now().Add(farewellWait)) != nil {
				v.ws.Close()
			}
			return
		}
	}
}

func (v *viewer) writeOne(data []byte) bool {
	v.queued.Add(-int64(len(data)))
	v.ws.SetWriteDeadline(time.Now().Add(pageWriteWait))
	if err := v.ws.WriteMessage(websocket.TextMessage, data); err != nil {
		v.ws.Close() // wakes the reader
		return false
	}
	return true
}

// read hands each request to ask, one at a time, until the websocket ends.
func (v *viewer) read(ask func(labengine.Request)) {
	alive := func(string) error { return v.ws.SetReadDeadline(time.Now().Add(pagePongWait)) }
	alive("")
	v.ws.SetPongHandler(alive)
	for {
		kind, reader, err := v.ws.NextReader()
		if err != nil {
			return
		}
		data, err := io.ReadAll(io.LimitReader(reader, maxRequest+1))
		if err != nil {
			return
		}
		select {
		case <-v.ended: // what comes after the end is not listened to
			continue
		default:
		}
		if len(data) > maxRequest {
			p := labengine.Problemf(labengine.CodeTooLarge, "a message may have %d KiB; this one has more", maxRequest>>10).
				WithHint("send fewer edits in one op")
			v.refuse("", p)
			v.end(websocket.CloseMessageTooBig, p.Message)
			continue
		}
		if kind != websocket.TextMessage {
			v.refuse("", labengine.Problemf(labengine.CodeBadRequest, "requests are text messages; this one was binary"))
			continue
		}
		request, problem := decodeRequest(data)
		if problem != nil {
			v.refuse(request.ID, problem)
			continue
		}
		request.Author = v.author
		ask(request)
	}
}

func (v *viewer) refuse(id labengine.ID, p *labengine.Problem) {
	v.sendMessage(labengine.Message{Reply: &labengine.Reply{Request: id, Problem: p}})
}

func (v *viewer) sendMessage(m labengine.Message) { v.send(encode(m)) }

// encode is a message as JSON. The types of a message can all be encoded, but for a number that is none.
func encode(m labengine.Message) []byte {
	data, err := json.Marshal(m)
	if err != nil {
		var number *json.UnsupportedValueError
		if !errors.As(err, &number) {
			panic(fmt.Sprintf("a message cannot be encoded: %v", err))
		}
		p := labengine.Problemf(labengine.CodeInternal, "a message could not be sent: %v", err)
		data, _ = json.Marshal(labengine.Message{Reply: &labengine.Reply{Problem: p}})
	}
	return data
}

// close ends the viewer at once and waits for its goroutine. The goroutine that reads calls it last.
func (v *viewer) close() {
	v.end(websocket.CloseNormalClosure, "")
	v.ws.Close()
	<-v.written
}
