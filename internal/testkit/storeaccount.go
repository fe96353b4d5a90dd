package testkit

import (
	"errors"
	"reflect"
	"slices"
	"sync/atomic"

	"snug/internal/ident"
	"snug/internal/server"
)

func testAccounts(f *fixture) {
	ctx := f.Context()
	alice, al := NewAccount(f.T, "alice"), NewAccount(f.T, "ali")
	for _, n := range []server.NewAccount{alice, al} {
		owner, err := f.CreateAccount(ctx, n)
		f.must(err)
		if owner {
			f.Error("an account without an invite is the owner")
		}
	}
	taken := NewAccount(f.T, "alice")
	_, err := f.CreateAccount(ctx, taken)
	f.refused(handleTaken, err)
	twice := alice
	twice.Handle = "alice2"
	_, err = f.CreateAccount(ctx, twice)
	f.refused(conflict, err)
	f.again()

	got, err := f.AccountByHandle(ctx, "alice")
	f.must(err)
	if got.ID != alice.ID || string(got.Chain) != string(alice.Chain) || string(got.Auth) != string(alice.Auth) || got.Argon2 != alice.Argon2 {
		f.Errorf("got %+v, want %+v", got, alice.Account)
	}
	for _, handle := range []string{"alic", "Alice", "alice%", "%", "", "alic_"} {
		_, err := f.AccountByHandle(ctx, handle)
		f.refused(notFound, err)
	}
	list, err := f.Accounts(ctx, "ali", 10)
	f.must(err)
	if len(list) != 1 || list[0].Handle != "alice" {
		f.Errorf("accounts after ali: %+v, want alice", list)
	}
	_, err = f.Account(ctx, ident.AccountID{1})
	f.refused(notFound, err)
}

func testInvites(f *fixture) {
	ctx := f.Context()
	invite := func(b byte, owner bool, expires int64) ident.InviteHash {
		h := ident.InviteHash{b}
		f.must(f.CreateInvite(ctx, server.NewInvite{Hash: h, Owner: owner, ExpiresAt: expires}))
		return h
	}
	join := func(handle string, h ident.InviteHash) (bool, error) {
		n := NewAccount(f.T, handle)
		n.Invite, n.UseInvite = h, true
		return f.CreateAccount(ctx, n)
	}
	former := invite(1, true, 0)
	owners := invite(2, true, 0)
	// refused wants this very refusal: each says another thing to do.
	refused := func(want *server.Refusal, err error) {
		f.Helper()
		if got, ok := errors.AsType[*server.Refusal](err); !ok || *got != *want {
			f.Errorf("refused with %v, want %v", err, want)
		}
	}
	_, err := join("eve", former)
	refused(server.ErrInviteUnknown, err)
	owner, err := join("alice", owners)
	f.must(err)
	if has, err := f.HasOwner(ctx); !owner || !has || err != nil {
		f.Errorf("owner %v, has owner %v, %v", owner, has, err)
	}
	_, err = join("eve", owners)
	refused(server.ErrInviteUsed, err)
	_, err = join("eve", invite(3, false, 1000)) // accounts are made at 1000
	refused(server.ErrInviteExpired, err)
	n := NewAccount(f.T, "eve")
	n.Invite, n.UseInvite, n.OwnerOnly = invite(5, false, 1001), true, true
	_, err = f.CreateAccount(ctx, n)
	refused(server.ErrClosed, err)
	_, err = join("alice", invite(4, false, 1001))
	f.refused(handleTaken, err)
	f.again()

	// A refusal has not used the invite up; of many at once it lets one in.
	var won atomic.Int32
	together(8, func(i int) {
		if _, err := join("bob"+string(rune('0'+i)), ident.InviteHash{4}); err == nil {
			won.Add(1)
		}
	})
	if won.Load() != 1 {
		f.Errorf("%d accounts came by one invite, want 1", won.Load())
	}
}

// testChangePassphrase: of two changes that build on one vault one is made, whole.
func testChangePassphrase(f *fixture) {
	ctx := f.Context()
	first := f.account()
	before, err := f.Account(ctx, first.Account)
	f.must(err)
	change := server.PassphraseChange{Account: before.ID, Before: before.Vault, Vault: []byte("second vault"), Salt: []byte("a salt of 16 byt"),
		Argon2: server.Argon2{MemoryKiB: 131072, Passes: 4, Lanes: 2}, Auth: []byte("second auth")}
	f.must(f.ChangePassphrase(ctx, change))
	late := change
	late.Vault, late.Auth = []byte("third vault"), []byte("third auth")
	f.refused(conflict, f.ChangePassphrase(ctx, late))
	nobody := change
	nobody.Account, nobody.Before = ident.AccountID{1}, change.Vault
	f.refused(conflict, f.ChangePassphrase(ctx, nobody))
	f.again()
	after, err := f.Account(ctx, first.Account)
	f.must(err)
	want := before
	want.Vault, want.Salt, want.Argon2, want.Auth = change.Vault, change.Salt, change.Argon2, change.Auth
	if !reflect.DeepEqual(after, want) {
		f.Errorf("got  %+v\nwant %+v", after, want)
	}
	// Who has logged in with the former passphrase enrols nobody.
	grown := server.ChainChange{Account: before.ID, Before: before.Chain, After: append(slices.Clone(before.Chain), 'x'), Auth: before.Auth}
	tablet := server.Device{ID: ident.DeviceID{3}, Key: ident.PublicKey{3}, Account: before.ID}
	f.refused(conflict, f.Enrol(ctx, grown, tablet, server.KeyPackages{}))
	grown.Auth = change.Auth
	f.must(f.Enrol(ctx, grown, tablet, server.KeyPackages{}))
}

func testDevices(f *fixture) {
	ctx := f.Context()
	first := f.account()
	second := f.device(first.Account)
	a, err := f.Account(ctx, first.Account)
	f.must(err)
	stale := server.ChainChange{Account: a.ID, Before: []byte("older"), After: []byte("newer")}
	f.refused(conflict, f.Enrol(ctx, stale, server.Device{ID: ident.DeviceID{1}, Key: ident.PublicKey{1}, Account: a.ID}, server.KeyPackages{}))
	stolen := server.ChainChange{Account: a.ID, Before: a.Chain, After: append(slices.Clone(a.Chain), 'y')}
	f.refused(conflict, f.Enrol(ctx, stolen, server.Device{ID: ident.DeviceID{2}, Key: first.Key, Account: a.ID}, server.KeyPackages{}))
	if after, err := f.Account(ctx, a.ID); err != nil || string(after.Chain) != string(a.Chain) {
		f.Errorf("a refused enrolment changed the chain (%v)", err)
	}
	f.refused(conflict, f.ChangeChain(ctx, stale))
	named := server.ChainChange{Account: a.ID, Before: a.Chain, After: append(slices.Clone(a.Chain), 'n')}
	f.must(f.ChangeChain(ctx, named))
	if after, err := f.Account(ctx, a.ID); err != nil || string(after.Chain) != string(named.After) {
		f.Errorf("the chain was not changed (%v)", err)
	}
	f.revoke(second)
	f.again()
	d, err := f.DeviceByKey(ctx, second.Key)
	f.must(err)
	if d.ID != second.ID || !d.Revoked || d.Account != first.Account || d.Handle != first.Handle {
		f.Errorf("got %+v, want the revoked %+v", d, second)
	}
	if d, err = f.Device(ctx, first.ID); err != nil || d.Revoked || d.Key != first.Key {
		f.Errorf("got %+v, %v", d, err)
	}
	_, err = f.Device(ctx, ident.DeviceID{9})
	f.refused(notFound, err)
}

// testRevokedChanges: a revoked device changes nothing of its account, nor does one that it has let in.
func testRevokedChanges(f *fixture) {
	ctx := f.Context()
	first := f.account()
	lost := f.device(first.Account)
	f.revoke(lost)
	before, err := f.Account(ctx, first.Account)
	f.must(err)
	c := server.ChainChange{Account: before.ID, Before: before.Chain, After: append(slices.Clone(before.Chain), 'z'), By: lost.ID}
	f.refused(noAuth, f.ChangeChain(ctx, c))
	f.refused(noAuth, f.Revoke(ctx, c, first.ID))
	f.refused(noAuth, f.Enrol(ctx, c, server.Device{ID: ident.DeviceID{4}, Key: ident.PublicKey{4}, Account: before.ID}, server.KeyPackages{}))
	f.refused(noAuth, f.ChangePassphrase(ctx, server.PassphraseChange{Account: before.ID, By: lost.ID, Before: before.Vault, Vault: []byte("v"),
		Salt: before.Salt, Argon2: before.Argon2, Auth: []byte("a")}))
	f.again()
	if after, err := f.Account(ctx, first.Account); err != nil || !reflect.DeepEqual(after, before) {
		f.Errorf("got  %+v, %v\nwant %+v", after, err, before)
	}
	c.By = first.ID
	f.must(f.ChangeChain(ctx, c))
}

func testKeyPackages(f *fixture) {
	ctx := f.Context()
	bob := f.account()
	tablet := f.device(bob.Account)
	put := func(d server.Device, p server.KeyPackages) int {
		f.Helper()
		n, err := f.PutKeyPackages(ctx, d.ID, p)
		f.must(err)
		return n
	}
	if n := put(bob, server.KeyPackages{OneTime: [][]byte{[]byte("1"), []byte("2")}, LastResort: []byte("last")}); n != 2 {
		f.Errorf("%d one-time packages, want 2", n)
	}
	if n := put(bob, server.KeyPackages{OneTime: [][]byte{[]byte("3")}, Replace: true}); n != 1 {
		f.Errorf("%d one-time packages after replacing, want 1", n)
	}
	put(tablet, server.KeyPackages{OneTime: [][]byte{[]byte("t")}})
	claim := func() (got []string) {
		f.Helper()
		claimed, err := f.ClaimKeyPackages(ctx, []ident.AccountID{bob.Account}, []ident.DeviceID{bob.ID, {7}}, 100)
		f.must(err)
		for _, p := range claimed {
			got = append(got, string(p.Bytes))
		}
		return got
	}
	for _, want := range [][]string{{"3", "t"}, {"last"}, {"last"}} {
		if got := claim(); !slices.Equal(got, want) {
			f.Errorf("claimed %q, want %q", got, want)
		}
		f.again()
	}
	f.revoke(bob)
	if got := claim(); got != nil {
		f.Errorf("claimed %q of a revoked device", got)
	}
	// One package is never handed out twice.
	many := make([][]byte, 40)
	for i := range many {
		many[i] = []byte{byte(i)}
	}
	put(tablet, server.KeyPackages{OneTime: many})
	got := make([]string, len(many))
	together(len(many), func(i int) {
		if p, err := f.ClaimKeyPackages(ctx, nil, []ident.DeviceID{tablet.ID}, 1); err == nil && len(p) == 1 {
			got[i] = string(p[0].Bytes)
		}
	})
	slices.Sort(got)
	if len(slices.Compact(got)) != len(many) {
		f.Errorf("%d packages were claimed by %d", len(slices.Compact(got)), len(many))
	}
}

func testPeers(f *fixture) {
	alice, bob, eve := f.account(), f.account(), f.account()
	f.room(alice, bob)
	peers, err := f.Peers(f.Context(), alice.Account)
	f.must(err)
	if len(peers) != 2 || !slices.Contains(peers, bob.Account) || slices.Contains(peers, eve.Account) {
		f.Errorf("peers are %v, want alice and bob", peers)
	}
}
