package client

import (
	"context"
	"fmt"

	"snug/internal/ident"
	"snug/mls"
)

func (s *Stepper) Register(call uint64, handle string) StepFunc {
	salt := make([]byte, ident.SaltSize)
	auth, wrap, err := ident.DerivePassphraseKeysInsecure("passphrase of "+handle, salt, cheap)
	if err != nil {
		panic(err)
	}
	return s.verb(call, func(c *Core) {
		c.register(call, registration{handle: ident.Handle(handle), device: "first", stretched: stretched{salt: salt, params: cheap, auth: auth, wrap: wrap}})
	})
}

func (s *Stepper) Login(call uint64, handle string) StepFunc {
	auth, wrap, err := ident.DerivePassphraseKeysInsecure("passphrase of "+handle, make([]byte, ident.SaltSize), cheap)
	if err != nil {
		panic(err)
	}
	return s.verb(call, func(c *Core) {
		c.login(call, login{handle: ident.Handle(handle), device: "second", auth: auth, wrap: wrap})
	})
}

func (s *Stepper) Logout(call uint64) StepFunc {
	return s.verb(call, func(c *Core) { c.logout(call, maxLoginTries) })
}

// Alerts answers with what this device tells of its account.
func (s *Stepper) Alerts(call uint64) StepFunc {
	return s.verb(call, func(c *Core) { c.listAlerts(call) })
}

// RenameSelf gives this device another name.
func (s *Stepper) RenameSelf(call uint64, name string) StepFunc {
	return s.verb(call, func(c *Core) {
		if c.mem.account != nil {
			c.renameDevice(call, c.mem.account.me.Device, name)
		}
	})
}

func (s *Stepper) Send(call uint64, room ident.RoomID, text string) StepFunc {
	return s.verb(call, func(c *Core) { c.send(call, room, text) })
}

// History answers with what this device has stored of a room.
func (s *Stepper) History(call uint64, room ident.RoomID, options HistoryOptions) StepFunc {
	return s.verb(call, func(c *Core) { c.reply(call, c.local(c.mem.rooms[room], options), nil) })
}

func (s *Stepper) Leave(call uint64, room ident.RoomID) StepFunc {
	return s.verb(call, func(c *Core) { c.leave(call, room) })
}

func (s *Stepper) CreateRoom(call uint64, name string, accounts []ident.AccountID) StepFunc {
	return s.verb(call, func(c *Core) {
		c.fetchChains("", accounts, func(c *Core) { c.createRoom(call, CreateRoomOptions{Name: name}, accounts) })
	})
}

func (s *Stepper) Direct(call uint64, account ident.AccountID) StepFunc {
	return s.verb(call, func(c *Core) {
		c.fetchChains("", []ident.AccountID{account}, func(c *Core) { c.direct(call, account) })
	})
}

func (s *Stepper) Change(call uint64, room ident.RoomID, remove bool, accounts ...ident.AccountID) StepFunc {
	return s.verb(call, func(c *Core) {
		c.fetchChains("", accounts, func(c *Core) {
			var wants []want
			for _, account := range accounts {
				wants = append(wants, want{kind: map[bool]wantKind{true: wantRemove}[remove], account: account})
			}
			c.wantChecked(call, room, wants)
		})
	})
}

func (s *Stepper) SetRole(call uint64, room ident.RoomID, account ident.AccountID, role string) StepFunc {
	return s.verb(call, func(c *Core) {
		r, _ := parseRole(role)
		c.wantChecked(call, room, []want{{kind: wantRole, account: account, role: r}})
	})
}

func (s *Stepper) Rename(call uint64, room ident.RoomID, name string) StepFunc {
	return s.verb(call, func(c *Core) { c.wantChecked(call, room, []want{{kind: wantName, text: name}}) })
}

// SendUnchecked says something whatever this account may.
func (c *Client) SendUnchecked(room ident.RoomID, text string) {
	call[struct{}](context.Background(), c, func(c *Core, call uint64) {
		r := c.mem.rooms[room]
		w := c.queue(r, text)
		c.seal(r, w)
		c.submitRow(r, w)
		c.reply(call, struct{}{}, nil)
	})
}

// OwnAdd makes the proposal of this device to be added to a room in an epoch, whatever that is good for.
func (c *Client) OwnAdd(room ident.RoomID, epoch uint64) []byte {
	payload, err := call[[]byte](context.Background(), c, func(c *Core, call uint64) {
		me := c.mem.account.me
		kp := c.newKeyPackage(c.chain(me.Account), me.Device, false)
		payload, err := mls.ProposeOwnAdd(mls.Place{Suite: kp.Suite, GroupID: room.Bytes(), Epoch: epoch}, kp, c.mem.key.Signer())
		c.reply(call, payload, err)
	})
	if err != nil {
		panic(err)
	}
	return payload
}

// AskedWith gives the key package with which a store's device asks to be let into a room anew.
func AskedWith(records map[string][]byte, room ident.RoomID) []byte {
	j, err := decodeRejoin(records[keyRejoin(room)])
	if err != nil {
		return nil
	}
	return j.keyPackage
}

// View gives what the core knows of its rooms; between steps only.
type View struct {
	ID       ident.RoomID
	Joined   bool
	Keyless  bool
	Refusals uint64
	// Waits are the accounts that may let this device in anew, as far as it knows.
	Waits    []ident.AccountID
	Seq      uint64
	Since    uint64
	Problem  string
	Epoch    uint64
	Roster   string
	Leaves   int
	Pending  int
	Undone   int // outbox rows, wishes, a pending commit
	Debug    string
	Messages []Message
	// Alone says that nobody else is in the room, and Name what it is called.
	Alone bool
	Name  string
}

func (s *Stepper) Rooms() (views []View) { return s.core.views() }

func (c *Core) views() (views []View) {
	for _, id := range c.mem.order {
		r, rejoins := c.mem.rooms[id], ""
		v := View{ID: id, Joined: r.status == joined, Seq: r.seq, Since: r.since, Problem: r.problem, Undone: len(r.wanted)}
		if r.status == joined && r.kind == Sealed && r.rejoin == nil {
			v.Alone, v.Name = recoveryOf(known(r)) != nil, known(r).name
		}
		if r.rejoin != nil {
			v.Keyless, v.Refusals = true, r.rejoin.refusals
			debug := *r.rejoin
			debug.keyPackage, debug.ref = nil, ""
			for _, m := range known(r).members {
				if mayLetIn(known(r), m.account, c.mem.account.me.Account) {
					v.Waits = append(v.Waits, m.account)
				}
			}
			rejoins = fmt.Sprintf("; rejoin %+v", debug)
		}
		for _, w := range r.rows {
			if w.state != rowFailed {
				v.Undone++
			}
		}
		if r.pending != nil {
			v.Undone++
		}
		v.Debug = fmt.Sprintf("pending %v, wanted %v, leaving %v asked %d, log %+v, commitAt %v, submitAt %v, replan %v", r.pending != nil, r.wanted,
			r.leaving, r.leaveAsked, c.vol.logs[id], c.vol.commitAt[id], c.vol.submitAt[id], r.replan)
		v.Debug += rejoins
		for _, w := range r.rows {
			v.Debug += fmt.Sprintf("; row kind %d state %d epoch %d", w.kind, w.state, w.epoch)
		}
		if r.group != nil {
			v.Epoch = r.group.Epoch()
			v.Pending = len(r.group.Pending())
			v.Roster = string(c.roster(r).encode())
			for range r.group.Members() {
				v.Leaves++
			}
		}
		views = append(views, v)
	}
	return views
}

func known(r *room) roster {
	if r.cachedRoster == nil {
		return roster{}
	}
	return *r.cachedRoster
}

// ReadMessages decodes what a store holds of a room.
func ReadMessages(records map[string][]byte, room ident.RoomID, upTo uint64) (messages []Message) {
	for seq := uint64(1); seq <= upTo; seq++ {
		if b, ok := records[keyMessage(room, seq)]; ok {
			if m, err := decodeMessage(room, seq, b); err == nil {
				messages = append(messages, *m)
			}
		}
	}
	return messages
}

// Hidden reports whether a store holds an entry of a room of which there is nothing to show.
func Hidden(records map[string][]byte, room ident.RoomID, seq uint64) bool {
	b, ok := records[keyMessage(room, seq)]
	m, err := decodeMessage(room, seq, b)
	return ok && err == nil && m.hidden()
}
