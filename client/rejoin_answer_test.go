package client

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// nothing is a store that has nothing.
type nothing struct{}

func (nothing) Get(context.Context, string) ([]byte, error)         { return nil, nil }
func (nothing) Scan(context.Context, ScanOptions) ([]Record, error) { return nil, nil }

// everybody is a verifier that takes all for whom they say they are: what is tried here comes after it.
type everybody struct{}

func (everybody) VerifyMember(mls.Member) error          { return nil }
func (everybody) VerifySuccession(_, _ mls.Member) error { return nil }

// asker is a core whose device has lost a room's keys and has asked to be let in anew.
type asker struct {
	*Core
	t        *testing.T
	room     *room
	identity ident.IdentityKey
	phone    leaf // another device of the account
	revoked  leaf
}

func newAsker(t *testing.T) *asker {
	t.Helper()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	identity, chain, err := ident.NewAccount(rand.Reader, "myself", now)
	if err != nil {
		t.Fatal(err)
	}
	a := &asker{Core: newCore(coreConfig{rand: rand.Reader, log: slog.New(slog.DiscardHandler)}), t: t, identity: identity}
	a.step, a.mem = newStep(t.Context(), nothing{}, now), newMemory()
	enrol := func(name string) (ident.DeviceKey, leaf) {
		key, err := ident.NewDeviceKey(rand.Reader)
		if err == nil {
			err = chain.Append(identity, ident.Enrol{Key: key.Public(), Name: name}, now)
		}
		if err != nil {
			t.Fatal(err)
		}
		return key, leaf{account: chain.Account(), device: ident.NewDeviceID(chain.Account(), key.Public())}
	}
	key, me := enrol("laptop")
	_, a.phone = enrol("phone")
	_, a.revoked = enrol("stolen")
	if err := chain.Append(identity, ident.Revoke{Device: a.revoked.device}, now); err != nil {
		t.Fatal(err)
	}
	a.mem.key, a.mem.chains[me.account] = key, chain
	a.mem.account = &account{me: Me{Account: me.account, Device: me.device}, identity: identity}
	a.room = a.newRoom(ident.RoomID{7}, Sealed, joined)
	a.startRejoin(a.room, causeLost)
	a.requestPackage(a.room.rejoin)
	return a
}

// answer makes a group with this roster in which somebody lets the asker in, by the key package that it asks with or by
// another one.
func (a *asker) answer(now roster, by leaf, asked bool) (*mls.Group, *mls.KeyPackagePrivate) {
	a.t.Helper()
	keyPackage, err := mls.ParseKeyPackage(a.room.rejoin.keyPackage)
	if !asked {
		keyPackage, err = a.newKeyPackage(a.mem.chains[a.phone.account], a.mem.account.me.Device, false), nil
	}
	_, signer, keyErr := ed25519.GenerateKey(nil)
	if err := firstError(err, keyErr); err != nil {
		a.t.Fatal(err)
	}
	group, err := mls.NewGroup(mls.Config{Verifier: everybody{}, Policy: mls.AllowAll, Signer: signer}, mls.CreateOptions{
		GroupID:    a.room.id.Bytes(),
		Credential: mls.BasicCredential(ident.Credential{Account: by.account, Device: by.device}.Marshal()),
		Lifetime:   a.packageLifetime(), Extensions: mls.Extensions{{Type: extensionRoster, Data: now.encode()}},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	staged, err := group.Commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.Add{KeyPackage: keyPackage}}})
	if err != nil {
		a.t.Fatal(err)
	}
	var used *mls.KeyPackagePrivate
	joined, err := mls.Join(mls.Config{Verifier: everybody{}, Policy: mls.AllowAll, Signer: a.mem.key.Signer()}, staged.Welcome(),
		func(ref mls.KeyPackageRef) *mls.KeyPackagePrivate {
			used, _ = mls.LoadKeyPackagePrivate(a.get(keyPackagePrivate(string(ref))))
			return used
		}, mls.JoinOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	return joined, used
}

// TestCheckAnswer has each Welcome that could reach a device which has asked to be let in anew, all of them to a group whose leaves
// stand up to the checks. The server knows the key package; what it does not know is a member's key.
func TestCheckAnswer(t *testing.T) {
	a := newAsker(t)
	me := a.mem.account.me.Account
	boss, bob, carol, mallory := who(1), who(2), who(3), who(4)
	room := newRoster("room", false, boss.account, 2).with([]ident.AccountID{bob.account, carol.account, me}, nil)
	mine := newRoster("room", false, me, 2).with([]ident.AccountID{bob.account, carol.account}, nil)
	pair := newRoster("", true, bob.account, 2).with([]ident.AccountID{me}, nil)
	role := func(r roster, l leaf, to role) roster {
		return r.change(l.account, func(m *rosterMember) { m.role = to })
	}
	with := func(r roster, l leaf) roster { return r.with([]ident.AccountID{l.account}, nil) }
	open := mine
	open.adds = roleMember
	renamed := mine
	renamed.name = "other"
	for _, row := range []struct {
		name      string
		last, now roster
		by        leaf
		want      string // in the error; empty for none
	}{
		{"by the owner", room, room, boss, ""},
		{"by the owner, who has changed much", room, with(role(room, bob, roleAdmin), mallory), boss, ""},
		{"by an admin", role(room, bob, roleAdmin), room, bob, ""},
		{"by one's own other device", room, room, a.phone, ""},
		{"by one's own other device, revoked", room, room, a.revoked, "not known"},
		{"by a member", room, room, bob, "role does not let"},
		{"by a member who says to be the owner", room, role(room, bob, roleOwner), bob, "role does not let"},
		{"by a reader", role(room, bob, roleReader), room, bob, "role does not let"},
		{"by a stranger", room, with(room, mallory), mallory, "not known"},
		{"by a stranger who says to be the owner", room, newRoster("room", false, mallory.account, 2).with([]ident.AccountID{me}, nil), mallory, "not known"},
		{"by an owner of after the loss", room, role(with(room, mallory), mallory, roleOwner), mallory, "not known"},
		{"a chain is shorter", room, room.change(boss.account, func(m *rosterMember) { m.statements = 1 }), boss, "shorter"},
		{"a chain is longer", room, room.change(boss.account, func(m *rosterMember) { m.statements = 3 }), boss, ""},
		{"in a 1:1 room", pair, pair, bob, ""},
		{"a 1:1 room with somebody else", pair, newRoster("", true, carol.account, 2).with([]ident.AccountID{me}, nil), carol, "not known"},
		{"a 1:1 room with somebody else, by one's own device", pair, newRoster("", true, carol.account, 2).with([]ident.AccountID{me}, nil), a.phone, "1:1"},
		{"a 1:1 room that becomes a group", pair, newRoster("room", false, bob.account, 2).with([]ident.AccountID{me}, nil), bob, "1:1"},
		{"a group that becomes a 1:1 room", room, pair, boss, "1:1"},
		{"the only owner, by a member", mine, mine, bob, ""},
		{"the only owner, by a member with another name for the room", mine, renamed, bob, ""},
		{"the only owner, by a member who left somebody out", mine, mine.with(nil, []ident.AccountID{carol.account}), bob, ""},
		{"the only owner, by a member who adds", mine, with(mine, mallory), bob, "could not give"},
		{"the only owner, by a member who may add", open, with(open, mallory), bob, ""},
		{"the only owner, by a member who adds an admin", open, role(with(open, mallory), mallory, roleAdmin), bob, "could not give"},
		{"the only owner, by a member who became one", mine, role(mine, bob, roleOwner), bob, "could not give"},
		{"the only owner, by a member who lets members add", mine, open, bob, "settings"},
		{"the only owner, by a reader who may not add", role(open, bob, roleReader), with(open, mallory), bob, "could not give"},
		{"the only owner, by a stranger", mine, with(mine, mallory), mallory, "not known"},
	} {
		a.room.cachedRoster = &row.last
		group, used := a.answer(row.now, row.by, true)
		err := a.checkReturn(a.room, group, &wire.WelcomeEvent{Seq: 5}, used)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
	}
}

// TestCheckAnswerPlace has the right member answer what was not asked, or where the log has something else.
func TestCheckAnswerPlace(t *testing.T) {
	a := newAsker(t)
	boss := who(1)
	last := newRoster("room", false, boss.account, 2).with([]ident.AccountID{a.mem.account.me.Account}, nil)
	a.room.cachedRoster = &last
	head := ident.Hash{9}
	a.room.seq, a.room.rejoin.seq, a.room.rejoin.head = 8, 6, head
	for _, row := range []struct {
		name  string
		asked bool
		seq   uint64
		head  []byte
		want  string
	}{
		{"beyond what was read", true, 9, nil, ""},
		{"at the commit that was read over", true, 6, head[:], ""},
		{"at another head", true, 6, make([]byte, 32), "something else"},
		{"at another place", true, 7, head[:], "something else"},
		{"in the past", true, 2, head[:], "something else"},
		{"to another key package of this device", false, 9, nil, "without having asked"},
	} {
		group, used := a.answer(last, boss, row.asked)
		err := a.checkReturn(a.room, group, &wire.WelcomeEvent{Seq: row.seq, Head: row.head}, used)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
	}
}

// FuzzRejoin has what parses be what was written, and nothing panic.
func FuzzRejoin(f *testing.F) {
	f.Add((&rejoin{cause: causeLost, keyPackage: []byte("package"), ref: "ref", asked: 3, askAt: time.UnixMilli(5).UTC(), refusals: 1,
		spent: true, seq: 9, head: ident.Hash{1}}).encode())
	f.Add((&rejoin{}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := decodeRejoin(b)
		if err != nil || j.askAt.Year() == 1 {
			return
		}
		if again := j.encode(); string(again) != string(b) {
			t.Errorf("%x became %x", b, again)
		}
	})
}
