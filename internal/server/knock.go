package server

import (
	"context"
	"sync"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

const (
	// knockFor is how long a letter waits for a member who may let somebody in.
	knockFor = 7 * 24 * time.Hour
	// maxKnocksIn bounds the letters for one room, maxKnocksOf those of one account.
	maxKnocksIn = 64
	maxKnocksOf = 16
	// maxKnocks bounds the memory that letters and answers take: 1.3 KiB each.
	maxKnocks = 4096
)

// knocks are the letters of who asks to be let into rooms. They live in memory: who still waits when the server stopped
// knocks again. Nothing here is read; the server does not know which letters are genuine, nor whether a room exists that
// one is for. Safe from any goroutine.
type knocks struct {
	now func() time.Time

	mu struct {
		sync.Mutex
		byRoom map[ident.RoomID]map[ident.AccountID]*knock
		of     map[ident.AccountID]int
		total  int
	}
}

// knock is one letter, and what was answered. Guarded by knocks.mu.
type knock struct {
	letter, answer []byte
	until          time.Time
}

func newKnocks(now func() time.Time) *knocks {
	k := &knocks{now: now}
	k.mu.byRoom = make(map[ident.RoomID]map[ident.AccountID]*knock)
	k.mu.of = make(map[ident.AccountID]int)
	return k
}

var errManyKnocks = &Refusal{Code: wire.ErrorCode_ERROR_CODE_RATE_LIMITED, Message: "too many people are waiting to be let into rooms",
	Hint: "try again later", RetryAfter: time.Minute}

// knockRoom keeps a letter and hands it to the members who are there.
func (n *session) knockRoom(m *wire.KnockRoom) (*wire.ServerFrame, error) {
	d, room, err := n.actingIn(m.Room)
	switch {
	case err != nil:
		return nil, err
	case len(m.Letter) == 0:
		return nil, badRequest("a letter is empty")
	case len(m.Letter) > wire.MaxKnock:
		return nil, Refuse(wire.ErrorCode_ERROR_CODE_TOO_LARGE, "a letter has at most 1 KiB")
	}
	if err := n.server.limits.knocks.take(d.Account); err != nil {
		return nil, err
	}
	fresh, answer, err := n.server.knocks.put(room, d.Account, m.Letter)
	if err != nil {
		return nil, err
	}
	if fresh {
		n.server.crier.tell(func(ctx context.Context) { n.server.announceKnock(ctx, room, d.Account) })
	}
	if answer != nil {
		n.afterAnswer = func() { n.event(knockAnswer(room, d.Account, answer)) }
	}
	return done(0), nil
}

func (n *session) withdrawKnock(m *wire.WithdrawKnock) (*wire.ServerFrame, error) {
	d, room, err := n.actingIn(m.Room)
	if err != nil {
		return nil, err
	}
	n.server.knocks.drop(room, d.Account)
	return done(0), nil
}

// answerKnock takes the answer of a member, and hands it to the devices that wait for it.
func (n *session) answerKnock(ctx context.Context, m *wire.AnswerKnock) (*wire.ServerFrame, error) {
	d, room, err := n.actingIn(m.Room)
	if err != nil {
		return nil, err
	}
	account, err := ident.AccountIDFromBytes(m.Account)
	if err != nil {
		return nil, errBadAccount
	}
	if len(m.Answer) == 0 || len(m.Answer) > wire.MaxKnockAnswer {
		return nil, badRequest("an answer has 1 to 256 bytes")
	}
	if in, err := n.server.isIn(ctx, room, d.ID); err != nil {
		return nil, err
	} else if !in {
		return nil, Refuse(wire.ErrorCode_ERROR_CODE_FORBIDDEN, "this device is not in the room")
	}
	if n.server.knocks.answer(room, account, m.Answer) {
		n.server.registry.tell(account, knockAnswer(room, account, m.Answer))
	}
	return done(0), nil
}

// isIn reports whether a device is in a sealed room now; NOT_FOUND where it never was.
func (s *Server) isIn(ctx context.Context, room ident.RoomID, device ident.DeviceID) (bool, error) {
	a, err := s.Store.Access(ctx, room, device)
	return err == nil && a.Until == NoEnd && a.Kind == wire.RoomKind_ROOM_KIND_SEALED, err
}

// announceKnock hands a letter to the devices that follow the room and are in it.
func (s *Server) announceKnock(ctx context.Context, room ident.RoomID, account ident.AccountID) {
	for _, n := range s.hub.followers(room) {
		n.tellKnocks(ctx, room, account)
	}
}

// tellKnocks hands over the letters for a room, if the connection's device is in it: one account's, or with a zero id
// all. It may be called from any goroutine.
func (n *session) tellKnocks(ctx context.Context, room ident.RoomID, only ident.AccountID) {
	letters := n.server.knocks.letters(room, only)
	d := n.device.Load()
	if len(letters) == 0 || d == nil {
		return
	}
	if in, err := n.server.isIn(ctx, room, d.ID); err != nil || !in {
		return
	}
	for _, l := range letters {
		n.event(l)
	}
}

func knockAnswer(room ident.RoomID, account ident.AccountID, answer []byte) *wire.ServerFrame {
	return knockEvent(&wire.KnockEvent{Room: room[:], Account: account[:], Answer: answer})
}

func knockEvent(e *wire.KnockEvent) *wire.ServerFrame {
	return &wire.ServerFrame{Body: &wire.ServerFrame_Knock{Knock: e}}
}

// put keeps a letter. fresh says that it was not there; answer is what was said to this very letter, or nil.
func (k *knocks) put(room ident.RoomID, account ident.AccountID, letter []byte) (fresh bool, answer []byte, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	of := k.mu.byRoom[room]
	if former := of[account]; former != nil {
		former.until = k.now().Add(knockFor)
		if string(former.letter) == string(letter) {
			return false, former.answer, nil
		}
		former.letter, former.answer = letter, nil
		return true, nil, nil
	}
	if len(of) >= maxKnocksIn || k.mu.of[account] >= maxKnocksOf || k.mu.total >= maxKnocks {
		return false, nil, errManyKnocks
	}
	if of == nil {
		of = make(map[ident.AccountID]*knock)
		k.mu.byRoom[room] = of
	}
	of[account] = &knock{letter: letter, until: k.now().Add(knockFor)}
	k.mu.of[account]++
	k.mu.total++
	return true, nil, nil
}

// answer keeps what was said to a letter, the last word counting; it reports whether there is the letter.
func (k *knocks) answer(room ident.RoomID, account ident.AccountID, answer []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	of := k.mu.byRoom[room][account]
	if of == nil {
		return false
	}
	of.answer = answer
	return true
}

// asked gives the accounts that have a letter there for the room; nil for none.
func (k *knocks) asked(room ident.RoomID, added []DeviceRef) (accounts map[ident.AccountID]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	of := k.mu.byRoom[room]
	for _, ref := range added {
		if of[ref.Account] == nil {
			continue
		}
		if accounts == nil {
			accounts = make(map[ident.AccountID]bool)
		}
		accounts[ref.Account] = true
	}
	return accounts
}

// letters gives the letters for a room that nobody has answered: an account's, or with a zero id everybody's.
func (k *knocks) letters(room ident.RoomID, only ident.AccountID) (events []*wire.ServerFrame) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for account, of := range k.mu.byRoom[room] {
		if of.answer == nil && (only.IsZero() || only == account) {
			events = append(events, knockEvent(&wire.KnockEvent{Room: room.Bytes(), Account: account.Bytes(), Letter: of.letter}))
		}
	}
	return events
}

func (k *knocks) drop(room ident.RoomID, account ident.AccountID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget(room, account)
}

// forget wants mu held.
func (k *knocks) forget(room ident.RoomID, account ident.AccountID) {
	of := k.mu.byRoom[room]
	if of[account] == nil {
		return
	}
	if delete(of, account); len(of) == 0 {
		delete(k.mu.byRoom, room)
	}
	if k.mu.of[account]--; k.mu.of[account] == 0 {
		delete(k.mu.of, account)
	}
	k.mu.total--
}

// sweep drops what has waited for too long.
func (k *knocks) sweep() {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	for room, of := range k.mu.byRoom {
		for account, letter := range of {
			if !now.Before(letter.until) {
				k.forget(room, account)
			}
		}
	}
}
