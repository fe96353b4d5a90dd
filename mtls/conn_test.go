package mtls_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"snug/mtls"
)

// What a net.Conn has to do; each row is run in both directions.
var conformance = []struct {
	name string
	test func(t *testing.T, here, there *mtls.Conn)
}{
	{"both ways at once", func(t *testing.T, here, there *mtls.Conn) {
		const size = 1 << 20
		var running sync.WaitGroup
		for _, way := range [][2]*mtls.Conn{{here, there}, {there, here}} {
			sent := make([]byte, size)
			rand.Read(sent)
			running.Go(func() {
				if n, err := way[0].Write(sent); n != size || err != nil {
					t.Errorf("wrote %d, %v", n, err)
				}
			})
			running.Go(func() {
				got := make([]byte, size)
				if _, err := io.ReadFull(way[1], got); err != nil || !bytes.Equal(got, sent) {
					t.Errorf("read something else, %v", err)
				}
			})
		}
		running.Wait()
	}},
	{"nothing, and little by little", func(t *testing.T, here, there *mtls.Conn) {
		if n, err := here.Write(nil); n != 0 || err != nil {
			t.Errorf("wrote %d of nothing, %v", n, err)
		}
		if n, err := there.Read(nil); n != 0 || err != nil {
			t.Errorf("read %d into nothing, %v", n, err)
		}
		io.WriteString(here, "abc")
		b := make([]byte, 1)
		for _, want := range "abc" {
			if n, err := there.Read(b); n != 1 || err != nil || b[0] != byte(want) {
				t.Errorf("read %q, %v; want %q", b[:n], err, want)
			}
		}
	}},
	{"a deadline that is past", func(t *testing.T, here, there *mtls.Conn) {
		here.SetReadDeadline(time.Unix(1, 0))
		wantTimeout(t, read(here))
		wantTimeout(t, read(here))
		// It ends what it is set for, and nothing else.
		here.SetReadDeadline(time.Time{})
		io.WriteString(there, "x")
		if err := read(here); err != nil {
			t.Errorf("with the deadline taken away: %v", err)
		}
		here.SetReadDeadline(time.Unix(1, 0))
		io.WriteString(here, "y")
		if err := read(there); err != nil {
			t.Errorf("a deadline of reading ended writing: %v", err)
		}
	}},
	{"a deadline that comes", func(t *testing.T, here, _ *mtls.Conn) {
		here.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		wantTimeout(t, read(here))
	}},
	{"a deadline in the midst of reading", func(t *testing.T, here, _ *mtls.Conn) {
		reading := make(chan error, 1)
		go func() { reading <- read(here) }()
		here.SetReadDeadline(time.Unix(1, 0))
		wantTimeout(t, <-reading)
	}},
	{"a deadline of writing", func(t *testing.T, here, _ *mtls.Conn) {
		// Nobody reads: at some point the buffers between are full.
		here.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		var err error
		for err == nil {
			_, err = here.Write(make([]byte, 1<<20))
		}
		wantTimeout(t, err)
	}},
	{"closing in the midst of reading", func(t *testing.T, here, there *mtls.Conn) {
		reading := make(chan error, 1)
		go func() { reading <- read(here) }()
		here.Close()
		if err := <-reading; err == nil {
			t.Error("a read went on after Close")
		}
		if err := read(there); err != io.EOF {
			t.Errorf("the peer reads %v, want io.EOF", err)
		}
	}},
	{"after Close", func(t *testing.T, here, _ *mtls.Conn) {
		if err := here.Close(); err != nil {
			t.Fatal(err)
		}
		if err := read(here); !errors.Is(err, net.ErrClosed) {
			t.Errorf("reading gives %v, want net.ErrClosed", err)
		}
		if _, err := here.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("writing gives %v, want net.ErrClosed", err)
		}
		if err := here.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closing gives %v, want net.ErrClosed", err)
		}
	}},
	{"after CloseWrite", func(t *testing.T, here, there *mtls.Conn) {
		io.WriteString(here, "last")
		if err := here.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := here.Write([]byte("x")); err == nil {
			t.Error("wrote after the end")
		}
		if b, err := io.ReadAll(there); string(b) != "last" || err != nil {
			t.Errorf("the peer reads %q, %v", b, err)
		}
		if err := read(there); err != io.EOF {
			t.Errorf("and then %v, want io.EOF again", err)
		}
		io.WriteString(there, "answer")
		there.CloseWrite()
		if b, err := io.ReadAll(here); string(b) != "answer" || err != nil {
			t.Errorf("read %q, %v", b, err)
		}
	}},
	{"every method at once", func(t *testing.T, here, there *mtls.Conn) {
		var running sync.WaitGroup
		for range 20 {
			running.Go(func() { here.Read(make([]byte, 8)) })
			running.Go(func() { here.Write(make([]byte, 8)) })
			running.Go(func() { here.SetDeadline(time.Now().Add(10 * time.Millisecond)) })
			running.Go(func() { here.LocalAddr(); here.RemoteAddr(); here.ConnectionState(); here.Peer() })
			running.Go(func() { here.Export("EXPORTER-test", nil, 16) })
		}
		running.Wait()
		there.Close()
	}},
	{"addresses", func(t *testing.T, here, there *mtls.Conn) {
		if here.LocalAddr().String() != there.RemoteAddr().String() || here.RemoteAddr().Network() != "tcp" {
			t.Errorf("%v and %v", here.LocalAddr(), there.RemoteAddr())
		}
	}},
}

func read(conn net.Conn) error {
	_, err := conn.Read(make([]byte, 1))
	return err
}

// wantTimeout looks for a deadline as net's connections report it.
func wantTimeout(t *testing.T, err error) {
	t.Helper()
	var timeout net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
}

// TestConn runs them.
func TestConn(t *testing.T) {
	for _, row := range conformance {
		for _, side := range []string{"dialer", "listener"} {
			t.Run(row.name+"/"+side, func(t *testing.T) {
				here, there := pair(t)
				if side == "listener" {
					here, there = there, here
				}
				row.test(t, here, there)
			})
		}
	}
}
