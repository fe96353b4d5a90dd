package client

import (
	"context"
	"errors"
	"strings"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// verdict is what a member's device says to a letter that it does not follow. The numbers are part of the protocol.
type verdict byte

const (
	verdictNone verdict = iota
	verdictExpired
	verdictOnce
	verdictUsedUp
	verdictRevoked
	verdictFull
	verdictAgain
	// verdictFailed: the account has no device with key packages, or the server would not have the commit.
	verdictFailed
	// verdictUnknown: the room has no such invite. Who asks shares no key with the room then, and cannot tell a member's word
	// from the server's: it is a doubt, and never ends the asking.
	verdictUnknown
)

// unknownInvite is what somebody has said to who asked; that may be the server.
const unknownInvite = "a member's device knows no such invite"

// error says a verdict to who asked to be let in.
func (v verdict) error() *Error {
	switch v {
	case verdictExpired:
		return refuse(Refused, "ask whoever gave it to you for a new one", "this invite has expired")
	case verdictOnce:
		return refuse(Refused, "ask for a new one; if it was meant for you alone, say that somebody else has come by it",
			"this invite was good for one person, and somebody has used it")
	case verdictUsedUp:
		return refuse(Refused, "ask whoever gave it to you for a new one", "this invite has been used as often as it may be")
	case verdictRevoked:
		return refuse(Refused, "ask somebody in the room for a new one", "this invite was withdrawn")
	case verdictFull:
		return refuse(Refused, "ask the room's owner to make place, then open the invite again", "the room is full: it has place for %d devices", maxDevices)
	case verdictAgain:
		return refuse(Refused, "ask an owner or admin of the room to add you", "you have come by this invite before, and are not in the room any more")
	case verdictFailed:
		return refuse(Refused, "open the invite again in a minute", "none of your devices could be added to the room")
	}
	return refuse(Refused, "this version may be too old: ask whoever invited you", "the room does not let you in")
}

// knocking is an invite by which this device asks to be let into a room.
type knocking struct {
	invite ident.RoomInvite
	nonce  [16]byte
	// verdict is what was answered.
	verdict verdict
	// doubts is how many letters were written since somebody has claimed to know no such invite, and one; again when the next
	// one is: the server keeps what was said to this one. Neither is stored.
	doubts int
	again  time.Time
}

// doubtFirst is how long a letter rests that somebody knows no invite of, and is doubled up to doubtMost times.
const (
	doubtFirst = 10 * time.Second
	doubtMost  = 9
)

const knockingVersion = 1

func (k *knocking) encode() []byte {
	e := newEncoder(knockingVersion)
	e.string(k.invite.Secret())
	e.bytes(k.nonce[:])
	e.uint(uint64(k.verdict))
	return e.b
}

func decodeKnocking(b []byte) (*knocking, error) {
	d := newDecoder(b, knockingVersion)
	code := d.string()
	k := &knocking{nonce: d.id(), verdict: verdict(d.uint())}
	invite, err := ident.ParseRoomInvite(code)
	k.invite = invite
	return k, firstError(d.end(), err)
}

func (c *Core) loadKnocks() {
	for _, record := range c.scan(ScanOptions{Prefix: keyKnocks}) {
		id, err := ident.ParseRoomID(strings.TrimPrefix(record.Key, keyKnocks))
		k, knockErr := decodeKnocking(record.Value)
		if err != nil || knockErr != nil {
			c.fail(failed("reading an invite", errors.Join(err, knockErr)))
			return
		}
		c.mem.knocking[id] = k
	}
}

// JoinByInvite asks to be let into a room by the code of an invite, or a link with it. It returns when the server has the
// request; members' devices carry it out when they are there, and AwaitRoom waits for that. A room that this device is in
// already it just gives.
func (c *Client) JoinByInvite(ctx context.Context, code string) (Room, error) {
	invite, err := ident.ParseRoomInvite(code)
	if errors.Is(err, ident.ErrRoomInviteCheck) {
		return Room{}, refuse(Usage, "copy it once more: a character of it is wrong", "there is a typing error in that invite")
	}
	if err != nil {
		return Room{}, refuse(Usage, "copy all of it: snug-room-, 26 characters, a hyphen and 30 more at the end",
			"that is no invite to a room")
	}
	return call[Room](ctx, c, func(c *Core, call uint64) {
		if r := c.mem.rooms[invite.Room()]; r != nil && r.status == joined {
			c.reply(call, c.view(r), nil)
			return
		}
		c.beginKnock(invite)
		c.awaitKept(call, keptKnock, func(c *Core) (bool, any, error) { return c.knocked(invite.Room(), false) })
	})
}

// AwaitRoom waits until this device has been let into the room that it asked for by JoinByInvite, or until a member's
// device says why not.
func (c *Client) AwaitRoom(ctx context.Context, room ident.RoomID) (Room, error) {
	return call[Room](ctx, c, func(c *Core, call uint64) {
		c.awaitKept(call, keptKnock, func(c *Core) (bool, any, error) { return c.knocked(room, true) })
	})
}

// knocked reports whether the server has the letter, or with in whether the room is joined; or that it never will be.
func (c *Core) knocked(room ident.RoomID, in bool) (bool, any, error) {
	r, k := c.mem.rooms[room], c.mem.knocking[room]
	switch {
	case r != nil && r.status == joined:
		return true, c.view(r), nil
	case r == nil || k == nil:
		return true, nil, errNoRoom
	case k.verdict != verdictNone:
		err := k.verdict.error()
		c.endKnock(room)
		return true, nil, err
	case in && k.doubts > 0:
		return true, nil, refuse(Refused, "the link may be wrong or withdrawn: ask whoever gave it to you for a new one, and stop asking by this one", unknownInvite).run("snug room leave " + room.String())
	case !in && c.vol.logs[room].knocked == knockLeft:
		return true, c.view(r), nil
	}
	return false, nil, nil
}

// beginKnock keeps the invite. An older one for the same room is forgotten.
func (c *Core) beginKnock(invite ident.RoomInvite) {
	id := invite.Room()
	k := &knocking{invite: invite, nonce: [16]byte(c.random(16))}
	if old := c.mem.knocking[id]; old != nil && old.invite.Secret() == invite.Secret() && old.verdict == verdictNone && old.doubts == 0 {
		k = old
	}
	c.mem.knocking[id] = k
	c.put(keyKnock(id), k.encode())
	r := c.mem.rooms[id]
	if r == nil {
		r = c.newRoom(id, Sealed, awaited)
		r.name = placeholder(id)
	}
	r.dirty = true
	log := c.vol.logs[id]
	log.knocked = knockUnsaid
	c.vol.logs[id] = log
}

// endKnock stops asking to be let in, and forgets a room that it never saw.
func (c *Core) endKnock(id ident.RoomID) {
	delete(c.mem.knocking, id)
	c.delete(keyKnock(id))
	body := &wire.WithdrawKnock{Room: id.Bytes()}
	c.ask(request{needs: ready, then: func(*Core, *wire.ServerFrame) {}, refused: func(*Core, *wire.Error) {},
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_WithdrawKnock{WithdrawKnock: body}}})
	if r := c.mem.rooms[id]; r != nil && r.status == awaited {
		c.removeRoom(r)
		c.emit(RoomChanged{Room{ID: id, Kind: Sealed, Gone: true}})
	}
}

// knockState is how far this connection has come with a letter.
type knockState int

const (
	knockUnsaid knockState = iota
	knockAsked
	knockLeft
)

// knock leaves the letter at the server, once on each connection.
func (c *Core) knock(r *room) {
	c.knockAnew(r)
	k, log, id := c.mem.knocking[r.id], c.vol.logs[r.id], r.id
	if k == nil || k.verdict != verdictNone || log.knocked != knockUnsaid {
		return
	}
	c.knockIs(id, knockAsked)
	letter := k.invite.Letter(c.mem.account.me.Account, c.mem.key, k.nonce)
	body := &wire.KnockRoom{Room: id.Bytes(), Letter: letter}
	c.ask(request{needs: ready, frame: &wire.ClientFrame{Body: &wire.ClientFrame_KnockRoom{KnockRoom: body}},
		then: func(c *Core, _ *wire.ServerFrame) { c.knockIs(id, knockLeft) },
		// Too many wait: who is connected again later has another try.
		refused: func(c *Core, e *wire.Error) {
			if r := c.mem.rooms[id]; r != nil {
				r.setProblem("asking to be let in: " + e.Message)
			}
			c.knockIs(id, knockLeft)
		}})
}

// knockAnew writes another letter where somebody has said to the last one that there is no such invite.
func (c *Core) knockAnew(r *room) {
	k, state := c.mem.knocking[r.id], c.vol.logs[r.id].knocked
	if k == nil || k.doubts == 0 || state == knockAsked || c.now.Before(k.again) {
		return
	}
	changed := *k
	changed.nonce, changed.again = [16]byte(c.random(16)), c.now.Add(doubtFirst<<k.doubts)
	changed.doubts = min(k.doubts+1, doubtMost)
	c.mem.knocking[r.id] = &changed
	c.put(keyKnock(r.id), changed.encode())
	c.knockIs(r.id, knockUnsaid)
}

func (c *Core) knockIs(id ident.RoomID, s knockState) {
	log := c.vol.logs[id]
	log.knocked = s
	c.vol.logs[id] = log
}

// receivedKnock takes a letter for one of this device's rooms, or the answer to its own. The server is believed in
// nothing of it.
func (c *Core) receivedKnock(event *wire.KnockEvent) {
	id, err := ident.RoomIDFromBytes(event.Room)
	account, accountErr := ident.AccountIDFromBytes(event.Account)
	if err != nil || accountErr != nil {
		return
	}
	if len(event.Answer) > 0 {
		c.answeredKnock(id, event.Answer)
		return
	}
	if len(c.vol.knocks) < maxKnocksHeard {
		c.vol.knocks = append(c.vol.knocks, heardKnock{room: id, account: account, letter: event.Letter})
	}
}

// answeredKnock takes what a member's device says to this device's letter.
func (c *Core) answeredKnock(id ident.RoomID, answer []byte) {
	k, r := c.mem.knocking[id], c.mem.rooms[id]
	if k == nil || r == nil || k.verdict != verdictNone {
		return
	}
	if len(answer) == 1 && verdict(answer[0]) == verdictUnknown {
		if k.doubts == 0 { // said again it changes nothing: the server must not put off the next letter by it
			changed := *k
			changed.doubts, changed.again = 1, c.now.Add(doubtFirst)
			c.mem.knocking[id] = &changed
			r.dirty = true
		}
		return
	}
	own, err := ident.ParseKnock(id, c.mem.account.me.Account, k.invite.Letter(c.mem.account.me.Account, c.mem.key, k.nonce))
	if err != nil {
		return
	}
	said, err := own.OpenAnswer(k.invite.Keys(), answer)
	if err != nil || said == byte(verdictNone) {
		c.cfg.log.Warn("refused an answer to a letter", "room", id)
		return
	}
	changed := *k
	changed.verdict = verdict(said)
	c.mem.knocking[id] = &changed
	c.put(keyKnock(id), changed.encode())
	r.dirty = true
}

// letIn ends the asking for a room that this device has just entered. It reports whether that is the room which the invite
// is for: it holds the invite, whose keys the server cannot know.
func (c *Core) letIn(r *room) bool {
	k := c.mem.knocking[r.id]
	if k == nil {
		return false
	}
	i, known := c.roster(r).invite(k.invite.Keys().ID())
	if !known || i.keys != k.invite.Keys() {
		return false
	}
	c.endKnock(r.id)
	return true
}

// viewKnock shows a room that this device has asked to be let into.
func (c *Core) viewKnock(k *knocking, v *Room) {
	if k.verdict == verdictNone {
		v.Waiting = true
		if k.doubts > 0 {
			v.Try = unknownInvite + ": the link may be wrong or withdrawn; ask for a new one"
		}
		return
	}
	err := k.verdict.error()
	v.Problem, v.Try = err.Message, err.Hint
}
