package tunnel_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// An ending is how a side of a stream leaves off.
type ending int

const (
	ends   ending = iota // after all of it, and reads on
	resets               // somewhere in the middle
	goes                 // likewise, without a reset of its own
)

// A part is what one side of a stream does in the model.
type part struct {
	says   []byte
	leaves ending
}

// plan gives both parts of the stream of a number: no two say the same.
func plan(number uint64) (client, service part) {
	r := rand.New(rand.NewPCG(number, 1))
	one := func(side byte) part {
		var seed [32]byte
		binary.BigEndian.PutUint64(seed[:], number)
		seed[8] = side
		sizes := []int{0, 1, r.IntN(100), r.IntN(20_000), 16<<10 - 4 + r.IntN(9), r.IntN(300_000)}
		p := part{says: make([]byte, sizes[r.IntN(len(sizes))])}
		rand.NewChaCha8(seed).Read(p.says)
		if len(p.says) > 0 {
			p.leaves = []ending{ends, ends, ends, ends, resets, goes}[r.IntN(6)]
		}
		return p
	}
	return one('c'), one('s')
}

// play does one part to the end, and compares what comes with the other's.
func play(conn *net.TCPConn, number uint64, ours, theirs part) error {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	r := rand.New(rand.NewPCG(number, uint64(len(ours.says))))
	pieces := make([]int, 64)
	for i := range pieces {
		pieces[i] = 1 + r.IntN(1<<(4+i%14))
	}
	said := make(chan error, 1)
	go func() { said <- ours.say(conn, pieces) }()
	var got []byte
	var err error
	buffer := make([]byte, 1<<18)
	for i := 0; err == nil; i++ {
		var n int
		n, err = conn.Read(buffer[:pieces[i%len(pieces)]])
		got = append(got, buffer[:n]...)
	}
	// Whoever of the two asks first hears of a reset, and the other of an end (TestResetTakenByWrite).
	if wrote := <-said; err == io.EOF && errors.Is(wrote, syscall.ECONNRESET) {
		err = wrote
	}
	switch {
	case !bytes.HasPrefix(theirs.says, got):
		return fmt.Errorf("stream %d: %d bytes that the other side has not said", number, len(got))
	case err == io.EOF && theirs.leaves != goes && len(got) < len(theirs.says):
		return fmt.Errorf("stream %d: an end after %d of %d bytes", number, len(got), len(theirs.says))
	case err != io.EOF && ours.leaves == ends && theirs.leaves == ends:
		return fmt.Errorf("stream %d: %w after %d of %d bytes", number, err, len(got), len(theirs.says))
	}
	return nil
}

// say says all of it, or leaves in the middle.
func (p part) say(conn *net.TCPConn, pieces []int) error {
	left := p.says
	if p.leaves != ends {
		left = left[:len(left)/2]
	}
	for i := 0; len(left) > 0; i++ {
		n := min(pieces[i%len(pieces)], len(left))
		if _, err := conn.Write(left[:n]); err != nil {
			return err
		}
		left = left[n:]
	}
	switch p.leaves {
	case ends:
		return conn.CloseWrite()
	case resets:
		conn.SetLinger(0)
	}
	return conn.Close()
}

// TestModel has many streams at a time end, reset and go in the middle, in pieces of all sizes, be quiet and share
// carriers. What comes out is a beginning of what the other side has said on the same stream, and all of it where it ends
// properly.
func TestModel(t *testing.T) {
	t.Parallel()
	const streams, atATime = 400, 16
	failures := make(chan error, 2*streams)
	var services atomic.Int64
	p, pass := parkedPair(t, backend(t, func(conn *net.TCPConn) {
		services.Add(1)
		defer services.Add(-1)
		var number [8]byte
		if _, err := io.ReadFull(conn, number[:]); err != nil {
			conn.Close()
			return
		}
		n := binary.BigEndian.Uint64(number[:])
		client, service := plan(n)
		if err := play(conn, n, service, client); err != nil {
			failures <- fmt.Errorf("the service: %w", err)
		}
	}))
	var last atomic.Uint64
	var running sync.WaitGroup
	for range atATime {
		running.Go(func() {
			for n := last.Add(1); n <= streams; n = last.Add(1) {
				client, service := plan(n)
				conn, err := net.Dial("tcp", p.near.addr())
				if err == nil {
					_, err = conn.Write(binary.BigEndian.AppendUint64(nil, n))
				}
				if err == nil {
					err = play(conn.(*net.TCPConn), n, client, service)
				}
				if err != nil {
					failures <- fmt.Errorf("the client: %w", err)
				}
				if n%4 == 0 { // often enough for all to be quiet now and then, and not for carriers to grow old between two words
					pass()
				}
			}
		})
	}
	running.Wait()
	until(t, "all streams end", func() bool {
		return p.near.row("main").Streams == 0 && p.far.row("main").Streams == 0 && services.Load() == 0
	})
	close(failures)
	for err := range failures {
		t.Error(err)
	}
}
