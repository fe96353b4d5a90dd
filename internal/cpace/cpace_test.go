package cpace_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"snug/internal/cpace"
)

func input(password, channel, session string) cpace.Input {
	return cpace.Input{Password: cpace.ParsePassword(password), Channel: []byte(channel), Session: []byte(session)}
}

const session = "32 bytes exported from a channel"

// outcome is how a run ended on both sides, and how many tries the responder counted.
type outcome struct {
	initiator, responder error
	tries                int
}

// meet runs the protocol between two sides, through a middle if there is one.
func meet(a, b cpace.Input, middle func(a, b net.Conn)) (o outcome) {
	front, back := net.Pipe()
	answering := back
	if middle != nil {
		left, right := back, net.Conn(nil)
		right, answering = net.Pipe()
		go middle(left, right)
	}
	done := make(chan error)
	go func() {
		err := cpace.Respond(answering, rand.Reader, b, func() error { o.tries++; return nil })
		answering.Close()
		done <- err
	}()
	o.initiator = cpace.Initiate(front, rand.Reader, a)
	front.Close()
	o.responder = <-done
	return o
}

func TestExchange(t *testing.T) {
	good := input("walnut-orbit-canvas-ring", "ab", session)
	for _, row := range []struct {
		name  string
		other cpace.Input
		same  bool
	}{
		{"the same", good, true},
		{"as people type it", input("  Walnut orbit\tCANVAS - ring\n", "ab", session), true},
		{"another password", input("walnut-orbit-canvas-rink", "ab", session), false},
		{"fewer words", input("walnut-orbit-canvas", "ab", session), false},
		{"words run together", input("walnutorbit-canvas-ring", "ab", session), false},
		{"another channel", input("walnut-orbit-canvas-ring", "ba", session), false},
		{"another session", input("walnut-orbit-canvas-ring", "ab", strings.ToUpper(session)), false},
		{"channel and session cut elsewhere", input("walnut-orbit-canvas-ring", "ab3", session[1:]), false},
	} {
		for _, turned := range []bool{false, true} {
			a, b := good, row.other
			if turned {
				a, b = b, a
			}
			got := meet(a, b, nil)
			var refusal error
			if !row.same {
				refusal = cpace.ErrPassword
			}
			if got != (outcome{refusal, refusal, 1}) {
				t.Errorf("%s: got %v, want %v on both sides, one try", row.name, got, refusal)
			}
		}
	}
}

// pass carries one direction, and its end.
func pass(to, from net.Conn) {
	io.Copy(to, from)
	to.Close()
}

// TestReflection: who sends back what it hears proves nothing, though the sums would come out right.
func TestReflection(t *testing.T) {
	good := input("walnut orbit canvas ring", "ab", session)
	for _, size := range []int{cpace.ShareSize, cpace.ShareSize + cpace.TagSize} {
		got := meet(good, good, func(left, right net.Conn) {
			defer right.Close()
			defer left.Close()
			io.CopyN(left, left, int64(size))
		})
		if !errors.Is(got.initiator, cpace.ErrPassword) {
			t.Errorf("%d bytes sent back: %v, want ErrPassword", size, got.initiator)
		}
	}
}

// TestMiddle changes each byte of what goes by: nothing changed is accepted, and the try is counted.
func TestMiddle(t *testing.T) {
	good := input("walnut orbit canvas ring", "ab", session)
	const up, down = true, false
	for _, direction := range []bool{up, down} {
		for at := range cpace.ShareSize + cpace.TagSize {
			got := meet(good, good, func(left, right net.Conn) {
				if direction == down {
					left, right = right, left
				}
				go pass(left, right)
				defer right.Close()
				if _, err := io.CopyN(right, left, int64(at)); err != nil {
					return
				}
				b := make([]byte, 1)
				if _, err := io.ReadFull(left, b); err != nil {
					return
				}
				right.Write([]byte{b[0] ^ 0x40})
				io.Copy(right, left)
			})
			// The last message tells the initiator of the responder's agreement: only this one can be left alone with it.
			last := direction == down && at >= cpace.ShareSize
			if got.initiator == nil || got.tries != 1 || (got.responder == nil) != last {
				t.Errorf("byte %d changed on its way up %v: %v", at, direction, got)
			}
		}
	}
}

// TestRefusedTry: the responder says nothing to whom it gives no try.
func TestRefusedTry(t *testing.T) {
	front, back := net.Pipe()
	none := errors.New("no more tries")
	done := make(chan error)
	go func() {
		err := cpace.Respond(back, rand.Reader, input("word", "", session), func() error { return none })
		back.Close()
		done <- err
	}()
	if err := cpace.Initiate(front, rand.Reader, input("word", "", session)); !errors.Is(err, cpace.ErrRefused) {
		t.Errorf("the initiator gets %v, want ErrRefused", err)
	}
	if err := <-done; err != none {
		t.Errorf("the responder gets %v, want what try gave", err)
	}
}

// TestBadInput: without a password, a unique session or randomness nothing is said.
func TestBadInput(t *testing.T) {
	for name, row := range map[string]struct {
		in   cpace.Input
		rand io.Reader
	}{
		"no password":     {cpace.Input{Session: []byte(session)}, rand.Reader},
		"white space":     {input(" - ", "", session), rand.Reader},
		"short session":   {input("word", "", session[:15]), rand.Reader},
		"no random bytes": {input("word", "", session), bytes.NewReader(make([]byte, 31))},
	} {
		var said bytes.Buffer
		if err := cpace.Initiate(&said, row.rand, row.in); err == nil || said.Len() != 0 {
			t.Errorf("%s: %v, and %d bytes sent", name, err, said.Len())
		}
		err := cpace.Respond(&said, row.rand, row.in, func() error { t.Errorf("%s: a try was counted", name); return nil })
		if err == nil || said.Len() != 0 {
			t.Errorf("%s: %v, and %d bytes sent", name, err, said.Len())
		}
	}
}

// TestPasswordIsSecret prints it in every way there is.
func TestPasswordIsSecret(t *testing.T) {
	in := input("walnut orbit", "", session)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "p", in.Password, "in", in)
	j, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %x %q %v", in, in, in, in.Password, in.Password, in.Password, &in) + string(j) + log.String()
	if strings.Contains(all, "walnut") || strings.Contains(all, fmt.Sprintf("%x", "walnut")) || !strings.Contains(all, "secret") {
		t.Errorf("printed: %s", all)
	}
}

// script plays a fixed other side.
type script struct {
	io.Reader
	said bytes.Buffer
}

func (s *script) Write(b []byte) (int, error) { return s.said.Write(b) }

// FuzzReceived gives both sides whatever came: never a panic, never an agreement, and no tag for a share that is none.
func FuzzReceived(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, cpace.ShareSize))
	f.Add(make([]byte, cpace.ShareSize+cpace.TagSize))
	honest, err := cpace.Share(bytes.Repeat([]byte{7}, 32)[:32], []byte("other"), nil, []byte(session))
	if err == nil {
		f.Add(append(honest[:], make([]byte, cpace.TagSize)...))
	}
	f.Fuzz(func(t *testing.T, received []byte) {
		in := input("walnut orbit", "", session)
		a := &script{Reader: bytes.NewReader(received)}
		if err := cpace.Initiate(a, rand.Reader, in); err == nil {
			t.Error("the initiator agreed")
		}
		b := &script{Reader: bytes.NewReader(received)}
		tries := 0
		if err := cpace.Respond(b, rand.Reader, in, func() error { tries++; return nil }); err == nil {
			t.Error("the responder agreed")
		}
		if spoke := len(received) >= cpace.ShareSize; (tries == 1) != spoke || b.said.Len() > cpace.ShareSize {
			t.Errorf("%d tries and %d bytes said for %d received", tries, b.said.Len(), len(received))
		}
	})
}
