package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// maxConflicts bounds how often one step is tried again because others keep writing: each time somebody has got on, so
// only a broken store gets here.
const maxConflicts = 100

// dialTimeout bounds one attempt to connect.
const dialTimeout = 15 * time.Second

// load reads the store once, so that Me can tell who is signed in and a damaged store is found early.
func (c *Client) load(ctx context.Context) error {
	d := &driver{Client: c}
	if err := d.read(ctx); err != nil {
		return failed("reading the store", err)
	}
	_, err := d.step(ctx, inputTick{})
	was := c.core.vol
	c.core.vol = newVolatile() // nothing was asked of the network yet
	c.core.vol.shown, c.core.vol.shownAs, c.core.vol.alertsShown, c.core.vol.begun = was.shown, was.shownAs, was.alertsShown, true
	if err != nil {
		return failed("reading the store", err)
	}
	c.generation = d.generation
	c.publish()
	return nil
}

// driver is a Client that runs: the goroutine that owns the core, and what it has started.
type driver struct {
	*Client
	conn    Conn
	frames  chan connected
	foreign chan struct{}
	replies map[uint64]chan<- done
	workers sync.WaitGroup
	// number tells connections apart, so that what a past one says is ignored.
	number int
}

// connected is what a connection's goroutine tells the driver: first itself or an error, then frames, then an error.
type connected struct {
	number int
	conn   Conn
	frame  []byte
	err    error
}

// Run drives the core until ctx ends, and returns when all that it started has ended. It is called once.
func (c *Client) Run(ctx context.Context) error {
	d := &driver{Client: c, frames: make(chan connected), foreign: make(chan struct{}, 1), replies: make(map[uint64]chan<- done)}
	defer close(c.stopped)
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		d.closeConn()
		d.workers.Wait()
	}()
	d.workers.Go(func() { d.watchStore(ctx) })
	return d.loop(ctx)
}

func (d *driver) loop(ctx context.Context) error {
	wake, err := d.take(ctx, inputTick{})
	for err == nil {
		timer := time.NewTimer(wake)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
			wake, err = d.take(ctx, inputTick{})
		case message := <-d.frames:
			wake, err = d.takeMessage(ctx, message, wake)
		case in := <-d.calls:
			if in.reply != nil {
				d.replies[callOf(in.input)] = in.reply
			}
			wake, err = d.take(ctx, in.input)
		case <-d.foreign:
			wake, err = d.takeForeign(ctx, wake)
		}
		timer.Stop()
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// takeMessage takes what a connection's goroutine says.
func (d *driver) takeMessage(ctx context.Context, message connected, wake time.Duration) (time.Duration, error) {
	switch {
	case message.number != d.number:
		if message.conn != nil {
			message.conn.Close()
		}
		return wake, nil
	case message.conn != nil:
		d.conn = message.conn
		d.workers.Go(func() { d.receive(ctx, message.number, message.conn) })
		return d.take(ctx, inputConnected{})
	case message.err != nil:
		d.closeConn()
		return d.take(ctx, inputDisconnected{message.err})
	}
	return d.take(ctx, inputFrame{message.frame})
}

// takeForeign reads the store anew if somebody else has written to it.
func (d *driver) takeForeign(ctx context.Context, wake time.Duration) (time.Duration, error) {
	generation, err := d.cfg.Store.Generation(ctx)
	if err != nil || generation == d.generation {
		return wake, err
	}
	d.core.mem = nil
	if err := d.read(ctx); err != nil {
		return wake, err
	}
	return d.take(ctx, inputForeign{})
}

// take steps the core, and carries out what it asks for. It gives how long until the next tick.
func (d *driver) take(ctx context.Context, in input) (time.Duration, error) {
	out, err := d.step(ctx, in)
	if err != nil {
		return d.storeFailed(ctx, in, err)
	}
	d.publish()
	for _, frame := range out.frames {
		if d.conn == nil || d.conn.Send(ctx, frame) != nil {
			break // its Receive fails as well, and tells
		}
	}
	if out.hangUp {
		d.closeConn()
	}
	if out.dial {
		d.dial(ctx)
	}
	d.emit(out.events)
	for _, answer := range out.done {
		if reply := d.replies[answer.call]; reply != nil {
			delete(d.replies, answer.call)
			reply <- answer
		}
	}
	if out.wake.IsZero() {
		return time.Hour, nil
	}
	return max(out.wake.Sub(d.cfg.Now()), time.Millisecond), nil
}

// step steps the core until its batch is committed. After ErrConflict the same input is stepped again on what the other
// writer has left: nothing has been said yet.
func (d *driver) step(ctx context.Context, in input) (output, error) {
	// What is begun is written, even when Run is about to end.
	write := context.WithoutCancel(ctx)
	for range maxConflicts {
		out, err := d.core.Step(write, d.cfg.Store, d.cfg.Now(), in)
		if err == nil {
			err = d.commit(write, out)
		}
		if err == nil {
			return out, nil
		}
		d.core.rollback()
		if !errors.Is(err, ErrConflict) {
			return output{}, err
		}
		if err := d.read(write); err != nil {
			return output{}, err
		}
	}
	return output{}, ErrConflict
}

// read notes the generation that the core is about to load. The core's own memory is empty here.
func (d *driver) read(ctx context.Context) (err error) {
	d.generation, err = d.cfg.Store.Generation(ctx)
	return err
}

// commit makes the step durable. A step that has only read is good if nobody wrote meanwhile.
func (d *driver) commit(ctx context.Context, out output) error {
	if !out.batch.Empty() {
		generation, err := d.cfg.Store.Commit(ctx, d.generation, out.batch)
		if err == nil {
			d.generation = generation
		}
		return err
	}
	if !out.touched {
		return nil
	}
	generation, err := d.cfg.Store.Generation(ctx)
	if err == nil && generation != d.generation {
		return ErrConflict
	}
	return err
}

// storeFailed answers the call that could not be written and goes on; a store that cannot even be read ends Run. Frames
// are not lost: the connection is closed, and another one begins where the store stands.
func (d *driver) storeFailed(ctx context.Context, in input, err error) (time.Duration, error) {
	d.cfg.Log.Error("writing the store", "error", err)
	if readErr := d.read(context.WithoutCancel(ctx)); readErr != nil {
		return 0, fmt.Errorf("client: the store is unusable: %w", readErr)
	}
	if call := callOf(in); call != 0 {
		if reply := d.replies[call]; reply != nil {
			delete(d.replies, call)
			reply <- done{call, nil, &Error{Code: Failed, Message: "nothing was saved: " + err.Error(),
				Hint: "is the disk full?", cause: err}}
		}
		return time.Second, nil
	}
	if d.conn != nil {
		d.closeConn()
		d.core.before = d.core.vol.clone()
		d.core.vol.connection.phase = greeting
		return d.pause(ctx)
	}
	return time.Second, nil
}

// callOf is the call that an input is about; 0 where it is about none.
func callOf(in input) uint64 {
	switch in := in.(type) {
	case inputCall:
		return in.call
	case inputCancel:
		return in.call
	}
	return 0
}

// pause lets the core know that the connection is gone, without writing: the store may still be full.
func (d *driver) pause(ctx context.Context) (time.Duration, error) {
	out, err := d.core.Step(ctx, d.cfg.Store, d.cfg.Now(), inputDisconnected{errors.New("the store cannot be written")})
	if err != nil || !out.batch.Empty() {
		d.core.rollback()
		return time.Second, nil
	}
	d.emit(out.events)
	return time.Second, nil
}

// dial connects in the background.
func (d *driver) dial(ctx context.Context) {
	d.closeConn()
	number, key := d.number, d.core.mem.key
	d.workers.Go(func() {
		dialing, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		conn, err := d.cfg.Transport.Connect(dialing, key)
		message := connected{number: number, conn: conn, err: err}
		if err != nil {
			message.conn = nil
		}
		select {
		case d.frames <- message:
		case <-ctx.Done():
			if conn != nil && err == nil {
				conn.Close()
			}
		}
	})
}

// receive hands over the frames of one connection until it ends.
func (d *driver) receive(ctx context.Context, number int, conn Conn) {
	for {
		frame, err := conn.Receive(ctx)
		select {
		case d.frames <- connected{number: number, frame: frame, err: err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// closeConn ends the connection; what its goroutine still says is ignored.
func (d *driver) closeConn() {
	d.number++
	if d.conn != nil {
		d.conn.Close()
		d.conn = nil
	}
}

// watchStore tells of writes by others. Own ones are told as well, and seen to be own by their generation.
func (d *driver) watchStore(ctx context.Context) {
	generation, err := d.cfg.Store.Generation(ctx)
	for err == nil {
		if err = d.cfg.Store.Wait(ctx, generation); err != nil {
			return
		}
		if generation, err = d.cfg.Store.Generation(ctx); err != nil {
			return
		}
		select {
		case d.foreign <- struct{}{}:
		default:
		}
	}
}

// publish lets Me know who is signed in.
func (c *Client) publish() {
	c.shared.Lock()
	defer c.shared.Unlock()
	a := c.core.mem.account
	c.shared.signedIn = a != nil
	c.shared.me = Me{}
	if a != nil {
		c.shared.me = a.me
	}
}

func (c *Client) emit(events []Event) {
	c.shared.Lock()
	defer c.shared.Unlock()
	for _, event := range events {
		if connection, ok := event.(ConnectionChanged); ok {
			c.shared.connection = connection
		}
		for s := range c.shared.subscriptions {
			s.offer(event)
		}
	}
}
