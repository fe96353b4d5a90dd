package transport

import (
	"context"
	"errors"
	"sync"
	"syscall/js"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/wire"
)

const (
	// dialTimeout bounds the opening of a WebSocket: after it the network is as good as gone.
	dialTimeout = 20 * time.Second
	// maxInbox is how many bytes of frames may wait for the core. A browser's WebSocket cannot be slowed down, so a
	// connection with more is closed, and the core asks again from its cursor: a whole page of catching up fits, 16
	// times over.
	maxInbox = 16 * wire.MaxFrame
	// maxOutbox is how many bytes the browser may hold for a network that does not take them, before Send waits.
	maxOutbox = 4 * wire.MaxFrame
	// outboxPoll is how often a Send that waits looks again; browsers tell of no event for it.
	outboxPoll = 20 * time.Millisecond
)

// errGone is what a connection gives after its end.
var errGone = errors.New("transport: the connection has ended")

// Page is client.Transport over the WebSocket of a page, or of its worker. The server is recognised by the page's origin,
// and does not learn the device's key from it.
type Page struct{ url string }

// NewPage gives the transport to the server whose origin is given, such as "https://snug.example".
func NewPage(origin string) *Page {
	return &Page{url: "ws" + origin[len("http"):] + wire.Path} // http becomes ws, https wss
}

var _ client.Transport = (*Page)(nil)

// ProvesDevice implements client.Transport.
func (p *Page) ProvesDevice() bool { return false }

// Connect implements client.Transport.
func (p *Page) Connect(ctx context.Context, _ ident.DeviceKey) (client.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c := &pageConn{opened: make(chan struct{}), ended: make(chan struct{}), news: make(chan struct{}, 1)}
	c.socket = js.Global().Get("WebSocket").New(p.url)
	c.socket.Set("binaryType", "arraybuffer")
	c.listen()
	select {
	case <-c.opened:
		return c, nil
	case <-c.ended:
		return nil, errors.New("transport: the server does not answer")
	case <-ctx.Done():
		c.Close()
		return nil, ctx.Err()
	}
}

// pageConn is one WebSocket. Its callbacks run on the browser's event loop and never wait.
type pageConn struct {
	socket js.Value
	opened chan struct{} // closed once it is open
	ended  chan struct{} // closed once it is over
	news   chan struct{} // holds a token while the inbox may have something

	mu       sync.Mutex
	inbox    [][]byte // guarded by mu
	waiting  int      // guarded by mu: bytes in inbox
	over     bool     // guarded by mu
	handlers []js.Func
}

func (c *pageConn) listen() {
	on := func(event string, act func(event js.Value)) {
		handler := js.FuncOf(func(_ js.Value, args []js.Value) any {
			act(args[0])
			return nil
		})
		c.handlers = append(c.handlers, handler)
		c.socket.Set("on"+event, handler)
	}
	on("open", func(js.Value) { close(c.opened) })
	on("message", func(event js.Value) { c.take(event.Get("data")) })
	on("close", func(js.Value) { c.end() })
	on("error", func(js.Value) {}) // "close" follows, and neither tells a script the cause
}

// take puts a frame into the inbox.
func (c *pageConn) take(frame js.Value) {
	if !frame.InstanceOf(js.Global().Get("ArrayBuffer")) {
		c.Close() // a text message is no frame
		return
	}
	array := js.Global().Get("Uint8Array").New(frame)
	b := make([]byte, array.Length())
	js.CopyBytesToGo(b, array)
	c.mu.Lock()
	c.waiting += len(b)
	full := c.waiting > maxInbox
	if !full {
		c.inbox = append(c.inbox, b)
	}
	c.mu.Unlock()
	if full {
		c.Close()
		return
	}
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// end is called by the socket's close event and by Close; the first of them counts.
func (c *pageConn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.over = true
	for _, event := range []string{"open", "message", "close", "error"} {
		c.socket.Set("on"+event, js.Null())
	}
	for _, handler := range c.handlers {
		handler.Release()
	}
	close(c.ended)
}

// Send implements client.Conn.
func (c *pageConn) Send(ctx context.Context, frame []byte) (err error) {
	for c.socket.Get("bufferedAmount").Int() > maxOutbox {
		select {
		case <-time.After(outboxPoll):
		case <-c.ended:
			return errGone
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case <-c.ended:
		return errGone
	default:
	}
	array := js.Global().Get("Uint8Array").New(len(frame))
	js.CopyBytesToJS(array, frame)
	defer func() {
		if recover() != nil {
			err = errGone // send throws only while a socket is not open
		}
	}()
	c.socket.Call("send", array)
	return nil
}

// Receive implements client.Conn. What came before the end is given before the end is told.
func (c *pageConn) Receive(ctx context.Context) ([]byte, error) {
	for {
		c.mu.Lock()
		if len(c.inbox) > 0 {
			frame := c.inbox[0]
			c.inbox[0] = nil
			c.inbox = c.inbox[1:]
			c.waiting -= len(frame)
			c.mu.Unlock()
			return frame, nil
		}
		over := c.over
		c.mu.Unlock()
		if over {
			return nil, errGone
		}
		select {
		case <-c.news:
		case <-c.ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close implements client.Conn.
func (c *pageConn) Close() error {
	c.socket.Call("close")
	c.end()
	return nil
}
