package mtls_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// TestReplay sends what one side said in a session once more, whole and by single records, to that side's peer: it takes
// nothing of it, and its application is told nothing.
func TestReplay(t *testing.T) {
	line := newVictim(t).record(t, canary)
	for _, row := range []struct {
		name string
		up   bool
		// play has bob, or alice, hear it. alice's part fails the test where it comes to a connection.
		play func(t *testing.T, v *victim, sent []byte)
	}{
		{"to the listener", true, replayToBob},
		{"to the dialer", false, replayToAlice},
	} {
		records := line.records(row.up)
		if len(records) < 4 { // a hello, a change of cipher, the rest of the handshake, what was said
			t.Fatalf("%s: the session had %d records", row.name, len(records))
		}
		t.Run(row.name, func(t *testing.T) {
			v := newVictim(t)
			row.play(t, v, bytes.Join(records, nil))
			for n, record := range records {
				row.play(t, v, record)
				if n > 0 { // as if the hello had been answered
					row.play(t, v, append(bytes.Clone(records[0]), record...))
				}
			}
			if all := v.all(); len(all) != 0 {
				t.Errorf("bob heard %v", all)
			}
		})
	}
}

// replayToBob has bob hear it from a new connection.
func replayToBob(t *testing.T, v *victim, sent []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", v.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	conn.Write(sent)
	conn.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, conn)
}

// replayToAlice has her hear it when she dials anew: there is no connection that she could read or write.
func replayToAlice(t *testing.T, v *victim, sent []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	played := make(chan error, 1)
	go func() { played <- playBack(l, sent) }()
	if conn, err := dial(t, l.Addr(), v.alice, v.bob.Fingerprint()); err == nil {
		answer, err := io.ReadAll(conn)
		t.Errorf("alice is connected, and heard %q, %v", answer, err)
	}
	if err := <-played; err != nil {
		t.Error(err)
	}
}

// playBack answers the next dialer's hello with a recording.
func playBack(l net.Listener, sent []byte) error {
	conn, err := l.Accept()
	if err != nil {
		return fmt.Errorf("nobody came: %w", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := readRecord(conn); err != nil {
		return fmt.Errorf("no hello: %w", err)
	}
	conn.Write(sent) // she may have hung up already
	conn.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, conn)
	return nil
}

// TestReplayInSession puts single records that bob sent in an earlier session into a new one with him: alice hears what
// came before, and that the stream broke.
func TestReplayInSession(t *testing.T) {
	v := newVictim(t)
	earlier := v.record(t, canary).records(false)
	later := v.record(t, canary).records(false)
	if len(earlier) != len(later) {
		t.Fatalf("two sessions of the same had %d and %d records", len(earlier), len(later))
	}
	for n := range earlier {
		if bytes.Equal(earlier[n], later[n]) {
			continue // a change of cipher, which means nothing
		}
		t.Run(fmt.Sprint("record ", n), func(t *testing.T) {
			way := between(t, v.Addr(), func(up bool, at int, record []byte) ([]byte, bool) {
				if !up && at == n {
					return earlier[n], true
				}
				return record, true
			})
			defer way.stop()
			answer, err := v.say(t, way.Addr(), canary)
			if err == nil || answer != "" && answer != echo {
				t.Errorf("alice heard %q, %v", answer, err)
			}
		})
	}
	for _, h := range v.all() {
		if h.text != "" && h.text != canary {
			t.Errorf("bob heard %q, %v", h.text, h.err)
		}
	}
}
