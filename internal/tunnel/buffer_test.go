package tunnel_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"snug/internal/tunnel"
	"snug/mtls"
)

// noise gives n bytes that are the same each time.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// A recorder is a connection that keeps what is written.
type recorder struct {
	net.Conn
	bytes.Buffer
}

func (r *recorder) Read(b []byte) (int, error)  { return 0, io.EOF }
func (r *recorder) Write(b []byte) (int, error) { return r.Buffer.Write(b) }

// asRecord makes a record as long as TLS 1.3 does, of a kind.
func asRecord(kind byte, data []byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{kind, 3, 3}, uint16(len(data)+17))
	return append(append(b, data...), make([]byte, 17)...)
}

// TestGatherInPlace: records lie over the data of those before them, never over what is still to be sealed, also where
// crypto/tls sends something of its own in between, of any length that it has.
func TestGatherInPlace(t *testing.T) {
	t.Parallel()
	const full = 16 << 10
	for _, large := range []bool{false, true} {
		b := tunnel.TakeBuffer(large)
		defer tunnel.GiveBuffer(b)
		most := len(b) - tunnel.SendRoom
		for _, n := range []int{full + 1, full + 5, 2 * full, 100_000, most - full + 1, most - full + 5, most - 1, most} {
			for _, header := range []int{0, tunnel.HeaderSize} {
				records := (n + header + full - 1) / full
				for at := range records + 1 {
					for _, foreign := range []int{2, 5, 1 + (n+header-1)%full} {
						if foreign > 40 {
							continue // crypto/tls has an alert and an update of keys to send
						}
						name := fmt.Sprintf("%d bytes, header %d, %d others four times before record %d", n, header, foreign, at)
						begin := tunnel.SendRoom - header
						out := b[begin : tunnel.SendRoom+n]
						copy(out, noise(len(out)))
						var wire recorder
						l := tunnel.NewLine(&wire)
						l.Gather(b, len(out))
						// Four of them have no room any more.
						other := asRecord(21, bytes.Repeat([]byte{0xaa}, foreign))
						interrupt := func() {
							for range 4 {
								l.Write(other)
							}
						}
						for i := range records {
							if i == at {
								interrupt()
							}
							l.Write(asRecord(23, out[i*full:min(len(out), (i+1)*full)]))
						}
						if at == records {
							interrupt()
						}
						if err := l.Flush(); err != nil {
							t.Fatalf("%s: %v", name, err)
						}
						var data []byte
						var order []int
						for rest := wire.Bytes(); len(rest) > 0; {
							size := 5 + int(binary.BigEndian.Uint16(rest[3:]))
							if rest[0] == 21 {
								order = append(order, len(data))
							} else {
								data = append(data, rest[5:size-17]...)
							}
							rest = rest[size:]
						}
						if !bytes.Equal(data, noise(n+header)) {
							t.Errorf("%s: other data", name)
						}
						if after := min(at*full, n+header); !slices.Equal(order, []int{after, after, after, after}) {
							t.Errorf("%s: the other records came after bytes %v", name, order)
						}
					}
				}
			}
		}
	}
}

// A chopped connection gives what has come in pieces of chosen lengths.
type chopped struct {
	net.Conn
	piece func() int
}

func (c *chopped) Read(b []byte) (int, error) {
	// All that is wanted is waited for, so that the pieces are as long as they should be.
	n, err := io.ReadAtLeast(c.Conn, b[:min(len(b), c.piece())], 1)
	if n > 0 {
		err = nil
	}
	return n, err
}

// TestOpenInPlace: what records carry lies where they lay, however they were cut: nothing is lost, and nothing comes
// twice.
func TestOpenInPlace(t *testing.T) {
	t.Parallel()
	alice, bob := newHome(t), newHome(t)
	server, err := mtls.ServerConfig(bob.id, mtls.Pin(alice.id.Fingerprint()), tunnel.Protocol)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mtls.ClientConfig(alice.id, mtls.Pin(bob.id.Fingerprint()), tunnel.Protocol)
	if err != nil {
		t.Fatal(err)
	}
	client.DynamicRecordSizingDisabled = true
	for most, size := range map[int]int{1: 30_000, 30: 300_000, 17_000: 4 << 20, 140_000: 16 << 20, 1 << 20: 32 << 20} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			t.Parallel()
			want := noise(size)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			var sending sync.WaitGroup
			sending.Go(func() {
				conn, err := tls.Dial("tcp", l.Addr().String(), client)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				sizes := rand.New(rand.NewPCG(uint64(most), 1))
				for rest := want; len(rest) > 0; {
					n := min(len(rest), 1+sizes.IntN(1<<sizes.IntN(20)))
					if _, err := conn.Write(rest[:n]); err != nil {
						t.Error(err)
						return
					}
					rest = rest[n:]
				}
			})
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			pieces := rand.New(rand.NewPCG(uint64(most), 2))
			var got []byte
			err = tunnel.Receive(&chopped{conn, func() int { return 1 + pieces.IntN(most) }}, server, func(b []byte) { got = append(got, b...) })
			if err != io.EOF || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes, %v; want %d and the end", len(got), err, len(want))
			}
			sending.Wait()
		})
	}
}

// TestLargeBuffers: streams on which nobody reads have few large buffers, and give them back however they end.
func TestLargeBuffers(t *testing.T) {
	const most, streams = 6, 3 * 4
	defer tunnel.SetMaxLarge(tunnel.SetMaxLarge(most))
	served := make(chan *net.TCPConn, streams)
	p := newPair(t, backend(t, func(conn *net.TCPConn) { served <- conn }))
	want := noise(48 << 20) // more than the sockets on the way hold
	var sending sync.WaitGroup
	clients := make([]*net.TCPConn, streams)
	services := make([]*net.TCPConn, streams)
	for i := range clients {
		clients[i] = p.dial(t)
		io.WriteString(clients[i], "?")
		services[i] = <-served
		io.ReadFull(services[i], make([]byte, 1))
		sending.Go(func() {
			clients[i].Write(want)
			clients[i].CloseWrite()
		})
	}
	until(t, "all large buffers are in use, and no more", func() bool { return tunnel.LargeTaken() == most })
	for i := range clients {
		switch i % 3 {
		case 0:
			clients[i].SetLinger(0)
			clients[i].Close()
			sending.Go(func() {
				services[i].SetDeadline(time.Now().Add(patience))
				if _, err := io.Copy(io.Discard, services[i]); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("stream %d broke, and ended with %v", i, err)
				}
			})
		case 1:
			services[i].SetLinger(0)
			services[i].Close()
		case 2:
			sending.Go(func() {
				services[i].SetDeadline(time.Now().Add(patience))
				if got, err := io.ReadAll(services[i]); err != nil || !bytes.Equal(got, want) {
					t.Errorf("stream %d: got %d bytes, %v; want %d", i, len(got), err, len(want))
				}
				services[i].Close()
			})
		}
	}
	sending.Wait()
	until(t, "all are given back", func() bool { return tunnel.LargeTaken() == 0 })
}

// TestHold: the end of a handshake and the first opening go in one write, as soon as somebody waits for the answer.
func TestHold(t *testing.T) {
	t.Parallel()
	var wire counted
	l := tunnel.NewLine(&wire)
	l.Hold()
	for _, record := range []string{"finished", "open"} {
		l.Write([]byte(record))
	}
	if wire.writes != 0 {
		t.Errorf("%d writes before anybody waits", wire.writes)
	}
	if err := l.Fill(); !errors.Is(err, mtls.ErrTruncated) {
		t.Errorf("waiting: got %v, want the end", err)
	}
	if got := wire.String(); wire.writes != 1 || got != "finishedopen" {
		t.Errorf("sent %q in %d writes", got, wire.writes)
	}
	l.Write([]byte(", more"))
	if err := l.Release(); err != nil || wire.writes != 2 {
		t.Errorf("released: %v, %d writes", err, wire.writes)
	}
	l.Write([]byte(", and more"))
	if got := wire.String(); wire.writes != 3 || got != "finishedopen, more, and more" {
		t.Errorf("then: %q in %d writes", got, wire.writes)
	}
}

// A counted connection counts what is written to it.
type counted struct {
	recorder
	writes int
}

func (c *counted) Write(b []byte) (int, error) {
	c.writes++
	return c.recorder.Write(b)
}

// TestResetTakenByWrite: a connection that was reset does not look like one that has ended because a write has heard of it
// first; and one that has ended is that, whatever comes of what is written to it afterwards.
func TestResetTakenByWrite(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		linger  int
		written error // by which it is known that the other side is gone
		read    error // mtls.ErrTruncated is what a line makes of an end
	}{
		{"reset", 0, syscall.ECONNRESET, syscall.ECONNRESET},
		{"end", -1, syscall.EPIPE, mtls.ErrTruncated},
	} {
		ours, theirs := connected(t)
		io.WriteString(theirs, "said before")
		theirs.SetLinger(row.linger)
		theirs.Close()
		l := tunnel.NewLine(ours)
		until(t, "a write hears of it", func() bool {
			_, err := l.Write([]byte("a record"))
			if err != nil && !errors.Is(err, row.written) {
				t.Fatalf("%s: writing: got %v, want %v", row.name, err, row.written)
			}
			return err != nil
		})
		err := l.Fill()
		if err == nil {
			l.Drop()
			err = l.Fill()
		}
		if !errors.Is(err, row.read) {
			t.Errorf("%s: reading then: got %v, want %v", row.name, err, row.read)
		}
	}
}

// connected gives both ends of a connection on loopback.
func connected(t *testing.T) (ours, theirs *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ours = dial(t, l.Addr().String())
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	return ours, other.(*net.TCPConn)
}
