package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// patience bounds every single step.
const patience = 60 * time.Second

// A backend is the service behind all tunnels. The first byte of a connection says what it does: sink takes so many
// bytes and says when it has them, echo sends back what comes.
type backend struct {
	net.Listener
	running sync.WaitGroup
}

const (
	doSink = 's'
	doEcho = 'e'
)

func newBackend() (*backend, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &backend{Listener: l}
	b.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	})
	return b, nil
}

func (b *backend) close() {
	b.Close()
	b.running.Wait()
}

func serve(conn net.Conn) {
	defer conn.Close()
	var what [1]byte
	if _, err := io.ReadFull(conn, what[:]); err != nil {
		return
	}
	if what[0] == doSink {
		var size [8]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		if sink(conn, int64(binary.BigEndian.Uint64(size[:]))) == nil {
			conn.Write(what[:])
		}
		return
	}
	conn.Write(what[:])
	buffer := make([]byte, 64)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func sink(conn net.Conn, left int64) error {
	buffer := make([]byte, 256<<10)
	for left > 0 {
		n, err := conn.Read(buffer)
		left -= int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

// begin connects and says what is wanted.
func begin(address string, what ...byte) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(what); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// answer waits for the backend's byte.
func answer(conn net.Conn) error {
	var b [1]byte
	_, err := io.ReadFull(conn, b[:])
	return err
}

// A yield is what a piece of work came to: how many units in how long.
type yield struct {
	units float64
	took  time.Duration
}

func (y yield) rate() float64 { return y.units / y.took.Seconds() }

// bulk counts MiB, over n streams at once. The streams are open before the clock starts.
func bulk(address string, n int, total int64) (yield, error) {
	each := total / int64(n)
	conns := make([]net.Conn, n)
	for i := range conns {
		conn, err := begin(address, binary.BigEndian.AppendUint64([]byte{doSink}, uint64(each))...)
		if err != nil {
			return yield{}, err
		}
		defer conn.Close()
		conns[i] = conn
	}
	payload := make([]byte, 256<<10)
	failed := make(chan error, n)
	start := time.Now()
	for _, conn := range conns {
		go func() {
			for left := each; left > 0; {
				n, err := conn.Write(payload[:min(left, int64(len(payload)))])
				if left -= int64(n); err != nil {
					failed <- err
					return
				}
			}
			failed <- answer(conn)
		}()
	}
	var err error
	for range conns {
		err = errors.Join(err, <-failed)
	}
	return yield{float64(each*int64(n)) / (1 << 20), time.Since(start)}, err
}

// connections counts new connections, each of which has had an answer from the backend, by so many at a time.
func connections(ctx context.Context, address string, concurrent int, span time.Duration) (yield, error) {
	var done, failed atomic.Int64
	var first atomic.Pointer[error]
	var running sync.WaitGroup
	start := time.Now()
	for range concurrent {
		running.Go(func() {
			for time.Since(start) < span && ctx.Err() == nil {
				conn, err := begin(address, doEcho)
				if err == nil {
					err = answer(conn)
					conn.Close()
				}
				if err != nil {
					failed.Add(1)
					first.CompareAndSwap(nil, &err)
					continue
				}
				done.Add(1)
			}
		})
	}
	running.Wait()
	if failed.Load() > done.Load()/100 {
		return yield{}, fmt.Errorf("%d of %d failed, the first with: %w", failed.Load(), failed.Load()+done.Load(), *first.Load())
	}
	return yield{float64(done.Load()), time.Since(start)}, nil
}

// ping counts round trips of 64 bytes, and gives their median and 99th percentile in microseconds.
func ping(address string, span time.Duration) (y yield, half, worst float64, err error) {
	conn, err := begin(address, doEcho)
	if err != nil {
		return y, 0, 0, err
	}
	defer conn.Close()
	if err := answer(conn); err != nil {
		return y, 0, 0, err
	}
	buffer := make([]byte, 64)
	var took []time.Duration
	begun := time.Now()
	for time.Since(begun) < span {
		start := time.Now()
		if _, err := conn.Write(buffer); err != nil {
			return y, 0, 0, err
		}
		if _, err := io.ReadFull(conn, buffer); err != nil {
			return y, 0, 0, err
		}
		took = append(took, time.Since(start))
	}
	y = yield{float64(len(took)), time.Since(begun)}
	slices.Sort(took)
	micro := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	return y, micro(took[len(took)/2]), micro(took[len(took)*99/100]), nil
}

// idle gives KiB of resident memory for each of many connections that have said something once, both ends together.
func (m *machine) idle(ctx context.Context, p plan, t *tool) (float64, error) {
	conns := make([]net.Conn, 0, p.idle)
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	// What the first connections cost is not theirs alone.
	if _, err := connections(ctx, t.address, 4, 50*time.Millisecond); err != nil {
		return 0, err
	}
	before, err := t.resident()
	if err != nil {
		return 0, err
	}
	for range p.idle {
		conn, err := begin(t.address, doEcho)
		if err == nil {
			err = answer(conn)
			conns = append(conns, conn)
		}
		if err != nil {
			return 0, fmt.Errorf("connection %d: %w", len(conns), err)
		}
	}
	select {
	case <-time.After(p.settle):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	after, err := t.resident()
	return float64(after-before) / 1024 / float64(p.idle), err
}
