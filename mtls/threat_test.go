package mtls_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"snug/mtls"
)

// A middle is somebody on the way between a dialer and a listener, who sees each record of TLS and sends on what it
// likes.
type middle struct {
	net.Listener
	running sync.WaitGroup
	// change is given each record, with its direction and its number in it, and returns what is sent on in its place, and
	// whether the direction goes on after it. It may be called from two goroutines at a time.
	change func(up bool, n int, record []byte) (sent []byte, on bool)
}

// between starts a middle in front of a listener, for one dialer after the other.
func between(t testing.TB, behind net.Addr, change func(up bool, n int, record []byte) (sent []byte, on bool)) *middle {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &middle{Listener: l, change: change}
	m.running.Go(func() {
		for {
			front, err := l.Accept()
			if err != nil {
				return
			}
			back, err := net.Dial("tcp", behind.String())
			if err != nil {
				front.Close()
				continue
			}
			m.running.Go(func() { m.join(front, back) })
		}
	})
	t.Cleanup(m.stop)
	return m
}

func (m *middle) stop() {
	m.Close()
	m.running.Wait()
}

// join carries both directions of a connection.
func (m *middle) join(front, back net.Conn) {
	for _, conn := range []net.Conn{front, back} {
		conn.SetDeadline(time.Now().Add(patience))
		defer conn.Close()
	}
	var both sync.WaitGroup
	both.Go(func() { m.carry(true, front, back) })
	both.Go(func() { m.carry(false, back, front) })
	both.Wait()
}

// carry sends one direction on, record by record, and its end too.
func (m *middle) carry(up bool, from, to net.Conn) {
	defer to.(*net.TCPConn).CloseWrite()
	for n := 0; ; n++ {
		record, err := readRecord(from)
		if err != nil {
			to.Write(record)
			return
		}
		changed, on := m.change(up, n, record)
		if _, err := to.Write(changed); err != nil || !on {
			return
		}
	}
}

// readRecord reads a record of TLS with its header (RFC 8446, Section 5.1).
func readRecord(r io.Reader) ([]byte, error) {
	record := make([]byte, 5)
	if n, err := io.ReadFull(r, record); err != nil {
		return record[:n], err
	}
	record = append(record, make([]byte, binary.BigEndian.Uint16(record[3:]))...)
	n, err := io.ReadFull(r, record[5:])
	return record[:5+n], err
}

// A tap keeps what goes by.
type tap struct {
	sync.Mutex
	up, down [][]byte
}

func (t *tap) keep(up bool, _ int, record []byte) ([]byte, bool) {
	t.Lock()
	defer t.Unlock()
	if up {
		t.up = append(t.up, bytes.Clone(record))
	} else {
		t.down = append(t.down, bytes.Clone(record))
	}
	return record, true
}

// records gives what went by in a direction.
func (t *tap) records(up bool) [][]byte {
	t.Lock()
	defer t.Unlock()
	if up {
		return t.up
	}
	return t.down
}

// A victim is bob, who waits for alice and answers her.
type victim struct {
	*mtls.Listener
	alice, bob *mtls.Identity

	running sync.WaitGroup
	heard   chan heard
}

// heard is what came on one connection, and what ended it.
type heard struct {
	text string
	err  error
}

const (
	canary = "the canary sings at noon"
	echo   = "bob has heard it"
)

func newVictim(t testing.TB) *victim {
	t.Helper()
	// No test makes more connections than this between two looks at what was heard.
	v := &victim{alice: identity(t, "alice"), bob: identity(t, "bob"), heard: make(chan heard, 8192)}
	l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{Identity: v.bob, Trust: mtls.Pin(v.alice.Fingerprint())})
	if err != nil {
		t.Fatal(err)
	}
	v.Listener = l
	t.Cleanup(func() { l.Close() })
	v.running.Go(func() {
		for {
			conn, err := l.AcceptConn()
			if err != nil {
				return
			}
			v.running.Go(func() { v.hear(conn) })
		}
	})
	return v
}

// hear reads to the end, and answers if that is one.
func (v *victim) hear(conn *mtls.Conn) {
	defer conn.NetConn().Close()
	conn.SetDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(conn)
	if err == nil {
		io.WriteString(conn, echo)
		conn.Close()
	}
	v.heard <- heard{string(b), err}
}

// all ends the listening and gives what was heard.
func (v *victim) all() []heard {
	v.Close()
	v.running.Wait()
	close(v.heard)
	var all []heard
	for h := range v.heard {
		all = append(all, h)
	}
	return all
}

// say has alice dial, say things in a record each, end, and read the answer.
func (v *victim) say(t testing.TB, way net.Addr, texts ...string) (answer string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := mtls.Dial(ctx, "tcp", way.String(), &mtls.ClientOptions{Identity: v.alice, Trust: mtls.Pin(v.bob.Fingerprint())})
	if err != nil {
		return "", err
	}
	defer conn.NetConn().Close()
	conn.SetDeadline(time.Now().Add(patience))
	for _, text := range texts {
		if _, err := io.WriteString(conn, text); err != nil {
			return "", err
		}
	}
	if err := conn.CloseWrite(); err != nil {
		return "", err
	}
	b, err := io.ReadAll(conn)
	return string(b), err
}

// record has a session go by whole, and keeps it.
func (v *victim) record(t *testing.T, texts ...string) *tap {
	t.Helper()
	var line tap
	way := between(t, v.Addr(), line.keep)
	if got, err := v.say(t, way.Addr(), texts...); err != nil || got != echo {
		t.Fatalf("an honest line: %q, %v", got, err)
	}
	way.stop()
	<-v.heard
	return &line
}

// TestEavesdropper: what goes by on the line holds nothing of what is said, nor of who the two are.
func TestEavesdropper(t *testing.T) {
	v := newVictim(t)
	line := v.record(t, canary)
	seen := bytes.Join(append(line.records(true), line.records(false)...), nil)
	if len(seen) < 2000 {
		t.Fatalf("the line carried %d bytes", len(seen))
	}
	aliceCertificate, bobCertificate := v.alice.Certificate(), v.bob.Certificate()
	for name, secret := range map[string][]byte{
		"what was said": []byte(canary), "the answer": []byte(echo),
		"alice's certificate": aliceCertificate[len(aliceCertificate)-64:], "bob's certificate": bobCertificate[len(bobCertificate)-64:],
		"alice's fingerprint": []byte(v.alice.Fingerprint().String()), "bob's fingerprint": []byte(v.bob.Fingerprint().String()),
	} {
		if bytes.Contains(seen, secret) {
			t.Errorf("the line shows %s", name)
		}
	}
}

// TestBitFlips changes one bit of each byte of each record of a whole session, one at a time: nothing changed is ever
// heard, and nobody takes what came before it for all there is.
func TestBitFlips(t *testing.T) {
	line := newVictim(t).record(t, canary)
	for _, up := range []bool{true, false} {
		t.Run(map[bool]string{true: "up", false: "down"}[up], func(t *testing.T) {
			v := newVictim(t)
			flips, harmless := 0, 0
			for n, record := range line.records(up) {
				for at := range record {
					if testing.Short() && at > 16 && at%37 != 0 {
						continue
					}
					flips++
					if v.flip(t, up, n, at, record[0]) {
						harmless++
					}
				}
			}
			complete := 0
			for _, h := range v.all() {
				if h.err == nil {
					complete++
				}
				if h.err == nil && h.text != canary || h.text != "" && h.text != canary {
					t.Errorf("bob heard %q, %v", h.text, h.err)
				}
			}
			if up && complete != harmless {
				t.Errorf("bob took %d sessions for complete, alice %d", complete, harmless)
			}
			t.Logf("%d flips, %d of them in what nobody reads", flips, harmless)
		})
	}
}

// flip has a session with one bit changed, and reports whether alice took it for complete.
func (v *victim) flip(t *testing.T, up bool, number, at int, kind byte) (harmless bool) {
	t.Helper()
	const handshake, changeCipherSpec, headerSize = 22, 20, 5
	// A length that was made longer is waited for: what does not come must end.
	length := at == 3 || at == 4 || kind == handshake && at > headerSize && at < headerSize+4
	way := between(t, v.Addr(), func(upward bool, n int, record []byte) ([]byte, bool) {
		if upward != up || n != number {
			return record, true
		}
		record[at] ^= 1 << (at % 8)
		return record, !length
	})
	defer way.stop()
	got, err := v.say(t, way.Addr(), canary)
	if got != "" && got != echo {
		t.Errorf("record %d, byte %d: alice heard %q", number, at, got)
	}
	// RFC 8446, Section 5.1: the version in the header of a record must be ignored. In sealed records it is
	// authenticated.
	version := kind != 23 && (at == 1 || at == 2)
	if err == nil && !version {
		t.Errorf("record %d, byte %d: alice noticed nothing", number, at)
	}
	return err == nil
}

// TestRecordsMoved repeats, swaps, drops, makes up and cuts off records on their way: bob hears what alice said up to
// there, and that the stream broke.
func TestRecordsMoved(t *testing.T) {
	texts := []string{"one ", "two ", "three"}
	// The records of what she says come after the handshake's; the last one is her end.
	end := len(newVictim(t).record(t, texts...).records(true)) - 1
	one, two, three := end-3, end-2, end-1
	var held []byte
	// Each row gives what is sent in place of a record, and whether the line goes on.
	for name, row := range map[string]struct {
		change   func(n int, record []byte) ([]byte, bool)
		want     string
		harmless bool
	}{
		"repeated": {change: func(n int, r []byte) ([]byte, bool) {
			if n == one {
				return append(r, r...), true
			}
			return r, true
		}, want: "one "},
		"swapped": {change: func(n int, r []byte) ([]byte, bool) {
			switch n {
			case two:
				held = r
				return nil, true
			case three:
				return append(r, held...), true
			}
			return r, true
		}, want: "one "},
		"dropped": {change: func(n int, r []byte) ([]byte, bool) {
			if n == two {
				return nil, true
			}
			return r, true
		}, want: "one "},
		"without the end":  {change: cut(three, 0), want: "one two three"},
		"cut between two":  {change: cut(one, 0), want: "one "},
		"cut in a header":  {change: cut(one, 3), want: "one "},
		"cut in a record":  {change: cut(one, 12), want: "one "},
		"an alert made up": {change: madeUp(one, 21, 1, 0), want: "one "},
		"a word made up":   {change: madeUp(one, 23, 'h', 'i'), want: "one "},
		"a new handshake":  {change: madeUp(one, 22, 1, 0), want: "one "},
		// crypto/tls reads over it (RFC 8446, Appendix D.4, made it mean nothing), and nothing is changed by it.
		"a change of cipher": {change: madeUp(one, 20, 1), want: "one two three", harmless: true},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVictim(t)
			way := between(t, v.Addr(), func(up bool, n int, record []byte) ([]byte, bool) {
				if !up {
					return record, true
				}
				return row.change(n, record)
			})
			if got, err := v.say(t, way.Addr(), texts...); (err == nil) != row.harmless {
				t.Errorf("alice heard %q, %v", got, err)
			}
			if all := v.all(); len(all) != 1 || (all[0].err == nil) != row.harmless || all[0].text != row.want {
				t.Errorf("bob heard %v, want %q", all, row.want)
			}
		})
	}
}

// cut ends the line after a record and the first bytes of the next one.
func cut(after, more int) func(n int, record []byte) ([]byte, bool) {
	return func(n int, record []byte) ([]byte, bool) {
		if n > after {
			return record[:more], false
		}
		return record, true
	}
}

// madeUp puts a record in plain text behind another, as anybody on the line can write one.
func madeUp(behind int, kind byte, content ...byte) func(n int, record []byte) ([]byte, bool) {
	return func(n int, record []byte) ([]byte, bool) {
		if n == behind {
			record = append(record, kind, 3, 3, 0, byte(len(content)))
			record = append(record, content...)
		}
		return record, true
	}
}
