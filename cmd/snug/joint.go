package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"snug/internal/progress"
	"snug/mtls"
)

// A joint is a socket and what it is joined with.
type joint struct {
	conn *mtls.Conn
	in   io.Reader
	out  io.Writer
	// inEnded, where set, is called at the end of in, before the peer is told of it; its error cuts the stream.
	inEnded func() error
	// broke, where set, is called when the stream has failed, before the connection is closed.
	broke func()
	// outEnded, where set, is called when the peer has ended its direction. Whether out was still open is no matter.
	outEnded func() error
	// person is somebody at a terminal: nobody says there that they are done before the other side is, so it ends with
	// that side.
	person bool
	// receiving leaves in alone.
	receiving bool
	// confirming keeps our end back until all that the peer has sent is written, so that the peer's own success says that.
	confirming bool
	// over is closed when receive has ended, and complete says before it how.
	over     chan struct{}
	complete bool

	// streams says that in and out are ours, and no command's.
	streams bool

	received, sent atomic.Int64
}

// joinStreams joins the socket with stdin and stdout. Of two sides that only receive, the one that listens confirms, or both
// would wait.
func (c *call) joinStreams(ctx context.Context, conn *mtls.Conn, listens bool) error {
	person := isTerminal(c.in)
	receiving := person && !isTerminal(c.out)
	j := &joint{conn: conn, in: c.in, out: c.out, person: person, receiving: receiving, streams: true}
	j.confirming = listens && (receiving || isNothing(c.in))
	return c.join(ctx, j)
}

// isNothing reports whether a stream is the null device.
func isNothing(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}

// join carries bytes both ways until both sides have said that they are done. Whatever else ends it, the far side sees
// a stream that was cut, never one that ended: the connection is closed under TLS, without its farewell.
func (c *call) join(ctx context.Context, j *joint) error {
	interrupted := context.AfterFunc(ctx, func() { j.conn.NetConn().Close() })
	defer interrupted()
	size := sizeOf(c.in) // before any of it is read
	j.over = make(chan struct{})
	up, down := make(chan error, 1), make(chan error, 1)
	go func() { up <- j.send() }()
	go func() { down <- j.receive() }()
	endProgress := c.showProgress(j, size)

	err := j.settle(up, down)
	endProgress()
	if err != nil {
		if j.broke != nil {
			j.broke()
		}
		j.conn.NetConn().Close()
	} else {
		j.conn.Close()
	}
	if ctx.Err() != nil {
		return &cutError{errors.New("interrupted")}
	}
	if err == nil {
		in, out := j.received.Load(), j.sent.Load()
		peer := j.conn.Peer().Fingerprint.String()
		c.tell(socketEvent{Event: "ended", Peer: peer, Received: &in, Sent: &out}, "ended: %d bytes received, %d sent", in, out)
	}
	return err
}

// showProgress keeps a line on the terminal that says how far the stream has come, where somebody looks on who is not
// talking with the peer there. The function that it returns takes it away.
func (c *call) showProgress(j *joint, size int64) (end func()) {
	piped := !isTerminal(c.in) || !isTerminal(c.out)
	if c.json || !j.streams || !piped || !isTerminal(c.err) {
		return func() {}
	}
	return progress.Show(c.err, progress.Stream{
		Moved: func() (received, sent int64) { return j.received.Load(), j.sent.Load() },
		Size:  size,
		Width: func() int { return width(c.err) },
		// What the peer says stands there.
		Quiet: func() bool { return j.received.Load() > 0 && isTerminal(c.out) },
	})
}

// sizeOf is how many bytes are to be read, where that is known; else it is negative.
func sizeOf(in io.Reader) int64 {
	f, ok := in.(*os.File)
	if !ok {
		return -1
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return -1
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return -1
	}
	return max(0, info.Size()-at)
}

// settle waits for both directions, or for the first that fails.
func (j *joint) settle(up, down <-chan error) error {
	for range 2 {
		select {
		case err := <-up:
			if err != nil {
				return err
			}
			up = nil
		case err := <-down:
			if err != nil {
				return err
			}
			down = nil
			if j.person && up != nil {
				return j.conn.CloseWrite()
			}
		}
	}
	return nil
}

// send carries in to the peer and tells it when that has ended.
func (j *joint) send() error {
	if !j.receiving {
		reading, writing := carry(j.conn, j.in, &j.sent)
		switch {
		case writing != nil:
			return &cutError{writing}
		case reading != nil:
			return fmt.Errorf("reading what to send: %w", reading)
		}
	}
	if j.inEnded != nil {
		if err := j.inEnded(); err != nil {
			return err
		}
	}
	if j.confirming {
		if <-j.over; !j.complete {
			return nil // which receive tells of
		}
	}
	if err := j.conn.CloseWrite(); err != nil {
		return &cutError{err}
	}
	return nil
}

// receive carries what the peer sends to out, until it says that this is all.
func (j *joint) receive() error {
	defer close(j.over)
	reading, writing := carry(j.out, j.conn, &j.received)
	switch {
	case writing != nil:
		return fmt.Errorf("writing what was received: %w", writing)
	case reading != nil:
		return &cutError{reading}
	}
	if j.outEnded != nil {
		j.outEnded()
	}
	j.complete = true
	return nil
}

// carry copies until the end of from, counts, and tells which of the two failed, which is not told by the kind of error.
func carry(to io.Writer, from io.Reader, n *atomic.Int64) (reading, writing error) {
	buffer := make([]byte, 64<<10)
	for {
		got, err := from.Read(buffer)
		if got > 0 {
			if _, writing = to.Write(buffer[:got]); writing != nil {
				return nil, writing
			}
			n.Add(int64(got))
		}
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return err, nil
		}
	}
}
