package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"
)

func knockRoom(room ident.RoomID, letter string) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_KnockRoom{KnockRoom: &wire.KnockRoom{Room: room[:], Letter: []byte(letter)}}}
}

func withdrawKnock(room ident.RoomID) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_WithdrawKnock{WithdrawKnock: &wire.WithdrawKnock{Room: room[:]}}}
}

func answerKnock(room ident.RoomID, to *peer, answer string) *wire.ClientFrame {
	return &wire.ClientFrame{Body: &wire.ClientFrame_AnswerKnock{AnswerKnock: &wire.AnswerKnock{Room: room[:], Account: to.device.Account[:], Answer: []byte(answer)}}}
}

// hearsKnock waits for a letter, or for the answer to one.
func (p *peer) hearsKnock(room ident.RoomID, of *peer, letter, answer string) {
	p.t.Helper()
	e := p.event("a knock", func(f *wire.ServerFrame) bool { return f.GetKnock() != nil }).GetKnock()
	if !bytes.Equal(e.Room, room[:]) || !bytes.Equal(e.Account, of.device.Account[:]) || string(e.Letter) != letter || string(e.Answer) != answer {
		p.t.Fatalf("heard %v, want letter %q or answer %q", e, letter, answer)
	}
}

// barrier begins the letters that only say how far the server has come; one may be told twice, by the room's Follow too.
const barrier = "barrier "

// silent fails if a knock has come that is no barrier. The answer to a request of its own says that all before has been sent.
func (p *peer) silent(why string) {
	p.t.Helper()
	p.ask(&wire.ClientFrame{Body: &wire.ClientFrame_Ping{Ping: &wire.Ping{}}})
	heard := func(f *wire.ServerFrame) bool {
		k := f.GetKnock()
		return k != nil && !strings.HasPrefix(string(k.Letter), barrier)
	}
	if f := p.take(heard); f != nil {
		p.t.Fatalf("%s: heard %v", why, f)
	}
}

// TestKnock has letters reach those who are in the room, at once and when they come, and answers reach who wrote them.
func TestKnock(t *testing.T) {
	h := open(t)
	alice, bob, carol := h.join(t, "alice"), h.join(t, "bob"), h.join(t, "carol")
	room, hers := alice.room(), carol.room()
	carol.done(follow(hers, 0))
	// The server tells of letters one after the other, after it has answered: when carol hears of this one, of all before it
	// those are told who are told at all.
	count := 0
	told := func() {
		t.Helper()
		count++
		letter := fmt.Sprint(barrier, count)
		bob.done(knockRoom(hers, letter))
		carol.event(letter, func(f *wire.ServerFrame) bool { return f.GetKnock() != nil && string(f.GetKnock().Letter) == letter })
	}
	bob.done(knockRoom(room, "early"))
	told()
	alice.done(follow(room, 0))
	alice.hearsKnock(room, bob, "early", "")
	bob.done(knockRoom(room, "let me in"))
	alice.hearsKnock(room, bob, "let me in", "")
	// The same again wakes nobody.
	bob.done(knockRoom(room, "let me in"))
	told()
	alice.silent("the same letter again")
	// Who is not in the room neither hears nor answers, and is not told whether there is one.
	carol.refused(notFound, follow(room, 0))
	carol.refused(notFound, answerKnock(room, bob, "no"))
	carol.done(knockRoom(ident.RoomID{1}, "anybody?"))
	told()
	carol.silent("a stranger")
	alice.done(answerKnock(room, bob, "no"))
	bob.hearsKnock(room, bob, "", "no")
	// It is there for who asks again, and the letter is not handed out any more.
	bob.done(knockRoom(room, "let me in"))
	bob.hearsKnock(room, bob, "", "no")
	alice.done(follow(room, 0))
	alice.silent("a letter that was answered")
	// Another letter is another question.
	bob.done(knockRoom(room, "please"))
	alice.hearsKnock(room, bob, "please", "")
	bob.done(withdrawKnock(room))
	alice.done(answerKnock(room, bob, "too late"))
	bob.silent("an answer to nothing")
	// Who was put out hears no more.
	alice.acked(alice.commit(room, 0, []*wire.DeviceRef{carol.ref()}, nil))
	carol.done(follow(room, 0))
	alice.acked(alice.commit(room, 1, nil, []*wire.DeviceRef{carol.ref()}))
	bob.done(knockRoom(room, "once more"))
	alice.hearsKnock(room, bob, "once more", "")
	told()
	carol.silent("who was put out")
	carol.refused(forbidden, answerKnock(room, bob, "no"))
}

// returned connects a device again.
func (h *house) returned(t *testing.T, p *peer) *peer {
	again := h.connect(t, p.key)
	again.device = p.device
	return again
}

// TestKnockBounds: letters are small, few for each, and end.
func TestKnockBounds(t *testing.T) {
	h := open(t)
	alice, bob := h.join(t, "alice"), h.join(t, "bob")
	room := alice.room()
	h.connect(t, newKey(t)).refused(noAuth, knockRoom(room, "x"))
	bob.refused(bad, knockRoom(room, ""))
	bob.refused(tooLarge, knockRoom(room, string(make([]byte, wire.MaxKnock+1))))
	bob.refused(bad, &wire.ClientFrame{Body: &wire.ClientFrame_KnockRoom{KnockRoom: &wire.KnockRoom{Room: []byte("x"), Letter: []byte("x")}}})
	alice.refused(bad, answerKnock(room, bob, ""))
	alice.refused(bad, answerKnock(room, bob, string(make([]byte, wire.MaxKnockAnswer+1))))
	for i := range byte(16) {
		bob.done(knockRoom(ident.RoomID{1, i}, "x"))
	}
	bob.refused(rateLimited, knockRoom(room, "x"))
	bob.done(withdrawKnock(ident.RoomID{1, 1}))
	bob.done(withdrawKnock(ident.RoomID{1, 1}))
	bob.done(knockRoom(room, "x"))
	h.clock.turn(7 * 24 * time.Hour)
	server.Sweep(h.server) // which also hangs up on who was silent
	alice, bob = h.returned(t, alice), h.returned(t, bob)
	alice.done(follow(room, 0))
	alice.silent("a letter of last week")
	bob.done(knockRoom(room, "x"))
	alice.hearsKnock(room, bob, "x", "")
	h.clock.stop()
	for range 100 {
		if e := bob.ask(knockRoom(room, "x")).GetError(); e.GetCode() == rateLimited && e.RetryAfterMs > 0 {
			return
		}
	}
	t.Error("100 letters at once, and no limit")
}

// TestKnockCrowd: many accounts together fill one room's box and no other's, and the server's memory to its bound, until their letters
// have ended.
func TestKnockCrowd(t *testing.T) {
	h := open(t)
	h.clock.stop()
	const inRoom, inAll = 64, 4096
	full := server.Refuse(rateLimited, "")
	knock := func(room, account int) error {
		return server.Knock(h.server, ident.RoomID{byte(room), 1}, ident.AccountID{byte(account), byte(account >> 8), 1})
	}
	for room := range inAll / inRoom {
		for i := range inRoom {
			if err := knock(room, room*inRoom+i); err != nil {
				t.Fatalf("letter %d for room %d: %v", i, room, err)
			}
		}
		if err := knock(room, inAll+room); !errors.Is(err, full) {
			t.Fatalf("one letter more for room %d: got %v, want too many", room, err)
		}
	}
	if err := knock(inAll/inRoom, inAll); !errors.Is(err, full) {
		t.Errorf("one letter more for the server: got %v, want too many", err)
	}
	h.clock.turn(7 * 24 * time.Hour)
	server.Sweep(h.server)
	if err := knock(0, inAll); err != nil {
		t.Errorf("when all have ended: %v", err)
	}
}
