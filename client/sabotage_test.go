package client_test

import (
	"bytes"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit/evil"
	"snug/internal/wire"
	"snug/mls"
)

// TestSabotage has members whose clients keep no rule act on a room through an honest server.
func TestSabotage(t *testing.T) {
	besiege(t, []siege{
		{"a path that is broken for one of five", `
			Mallory renews her keys by a commit in which the path secret for one member is sealed to a key that nobody has. All others
			can follow it. She hopes that the one is out of the room and does not notice, or that the room falls apart.`, brokenPath},
		{"a friend brought in", `
			Mallory, a member, commits the adding of her friend's device, with and without a place on the roster. She hopes that
			the server lets it pass, which cannot read it, and that nobody else looks.`, friendBroughtIn},
		{"a proposal that nobody may commit", `
			Mallory proposes the removal of the owner and a new roster. She hopes that the next honest commit takes everything along
			that is pending, or that nobody can speak until it is committed.`, poisonedPending},
		{"another's name in the body", `
			Mallory sends alice's sealed message once more as her own, one of hers under the id of alice's, one of another room, and
			one that says that it is a commit. She hopes that others read it as said by somebody else, elsewhere or later.`, namesClaimed},
		{"another's name in an open room", `
			Mallory copies what alice signed in one open room into another one, under another id, or signs it herself in
			alice's name. She hopes that people there read it as alice's.`, openNamesClaimed},
		{"a server accused", `
			Mallory's messages say that she has been shown another history. She hopes that the others stop trusting their honest
			server, and the room stands still.`, serverAccused},
		{"a chain that nobody has", `
			Carol has signed out everywhere and stays a member. Mallory commits that the room goes by a thousand statements of carol's chain, of which
			there are four. She hopes that no device of carol's can ever be added again, and that everybody who tries says nothing more.`, chainThatNobodyHas},
		{"a key package that no room takes", `
			Mallory signs in a second device, whose key packages are rightly signed and do not say that it knows rosters. Every member's
			client adds the device before it says anything. She hopes that none of them ever says anything again.`, packageThatNoRoomTakes},
		{"a Welcome of noise", `
			Mallory makes rooms, one after the other, and lets bob into each by a Welcome that nobody can open. She hopes that his list
			is full of them, and that he gets rid of none.`, welcomeOfNoise},
		{"a new device let in wrongly", `
			Alice signs in on a phone. Mallory, a member, is quicker than all others to add it, by a Welcome of noise. She hopes that it
			is out of the room for good, as the others take it for in, and that alice is not told what to do.`, newDeviceShutOut},
		{"an envelope that lies", `
			Mallory tells the server that her commit removes carol, which it does not. She hopes that carol is cut off.`, falseEnvelope},
	})
}

func chainThatNobodyHas(t *testing.T, s *evil.Service) {
	alice, bob, carol, m := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "carol"), settle(t, s, "mallory")
	room := club(t, "garden", alice, bob, carol, m)
	mallory, account := hack(t, m), carol.me().Account
	if err := carol.Logout(carol.ctx()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Second)
	equal(t, alice.members(room), []string{"alice owner 1", "bob member 1", "carol member 0", "mallory member 1"})
	g := mallory.group(room)
	long := roster(g, client.Ranked(account, "member", ident.MaxStatements))
	mallory.enforce(room, g, mallory.commit(g, mls.CommitOptions{ByValue: []mls.Proposal{long}}), new(wire.CommitEnvelope))
	time.Sleep(time.Minute)
	carol = signIn(t, s, "carol", "phone")
	time.Sleep(10 * time.Second)
	talks(t, room, alice, bob, carol)
	equal(t, alice.members(room), []string{"alice owner 1", "bob member 1", "carol member 1"})
}

func packageThatNoRoomTakes(t *testing.T, s *evil.Service) {
	alice, bob, m := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	room := club(t, "garden", alice, bob, m)
	phone := arrive(t, s)
	phone.line.Ask(func(f *wire.ClientFrame) (*wire.ClientFrame, []*wire.ServerFrame) {
		if enrol := f.GetEnrolDevice(); enrol != nil {
			enrol.KeyPackages, enrol.LastResortKeyPackage = [][]byte{ignorant(t, phone, enrol.KeyPackages[0])}, nil
		} else if f.GetPutKeyPackages() != nil {
			return nil, nil // good ones, from a client that knows nothing of this
		}
		return f, nil
	})
	if _, err := phone.Login(phone.ctx(), client.LoginOptions{Handle: "mallory", Passphrase: passphrase, DeviceName: "phone"}); err != nil {
		t.Fatal(err)
	}
	phone.stop()
	time.Sleep(time.Minute)
	talks(t, room, alice, bob)
	// A device that is added in the same commit comes in all the same.
	laptop := signIn(t, s, "bob", "bob's second laptop")
	time.Sleep(10 * time.Second)
	talks(t, room, alice, bob, laptop)
	equal(t, alice.members(room), []string{"alice owner 1", "bob member 2", "mallory member 1"})
}

func welcomeOfNoise(t *testing.T, s *evil.Service) {
	bob, m := settle(t, s, "bob"), settle(t, s, "mallory")
	mallory := hack(t, m)
	before := bob.dump()
	var rooms []ident.RoomID
	for range 3 {
		room := club(t, "junk", m)
		rooms = append(rooms, room)
		g := mallory.group(room)
		parsed, err := mls.ParseKeyPackage(bob.keyPackage().KeyPackage)
		if err != nil {
			t.Fatal(err)
		}
		staged := mallory.commit(g, mls.CommitOptions{ByValue: []mls.Proposal{&mls.Add{KeyPackage: parsed}, roster(g, client.Ranked(bob.me().Account, "member", 2))}})
		mallory.accepted(mallory.submit(room, &wire.Submit{Kind: wire.EntryKind_ENTRY_KIND_COMMIT, Epoch: g.Epoch(), Payload: staged.Message(),
			Commit: &wire.CommitEnvelope{Added: []*wire.DeviceRef{bob.ref()}, Welcome: []byte("noise")}}))
		wait()
		bob.told(room, "does not stand up to the checks")
		if err := bob.LeaveRoom(bob.ctx(), room); err != nil {
			t.Errorf("getting rid of a room: %v", err)
		}
		bob.unchanged(before)
	}
	bob.stop()
	bob = arriveOn(t, s, bob.disk)
	wait()
	bob.unchanged(before)
	// Who lets him in by one that he can open is believed.
	welcome := mallory.found(rooms[0], []*wire.KeyPackage{bob.keyPackage()}, mallory.group(rooms[1]), client.Named("junk"),
		client.Ranked(m.me().Account, "owner", 2), client.Ranked(bob.me().Account, "member", 2))
	bob.welcome(rooms[0], 100, m.me(), welcome)
	equal(t, bob.members(rooms[0]), []string{"bob member 1", "mallory owner 1"})
	if r, err := bob.Room(bob.ctx(), rooms[0]); err != nil || !r.Request || r.Inviter != "mallory" || r.Gone {
		t.Errorf("the room is %+v, %v, want a request of mallory's", r, err)
	}
}

func newDeviceShutOut(t *testing.T, s *evil.Service) {
	alice, bob, m := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	room := club(t, "garden", alice, bob, m)
	mallory := hack(t, m)
	g := mallory.group(room)
	alice.stop()
	bob.stop()
	phone := arrive(t, s)
	m.line.Tell(func(f *wire.ServerFrame) []*wire.ServerFrame { // her own client is not to be quicker
		if f.GetChain() != nil {
			return nil
		}
		return []*wire.ServerFrame{f}
	})
	if _, err := phone.Login(phone.ctx(), client.LoginOptions{Handle: "alice", Passphrase: passphrase, DeviceName: "phone"}); err != nil {
		t.Fatal(err)
	}
	parsed, err := mls.ParseKeyPackage(phone.keyPackage().KeyPackage)
	if err != nil {
		t.Fatal(err)
	}
	longer := roster(g, client.Ranked(phone.me().Account, "owner", 3))
	staged := mallory.commit(g, mls.CommitOptions{ByValue: []mls.Proposal{&mls.Add{KeyPackage: parsed}, longer}})
	mallory.accepted(mallory.submit(room, &wire.Submit{Kind: wire.EntryKind_ENTRY_KIND_COMMIT, Epoch: g.Epoch(), Payload: staged.Message(),
		Commit: &wire.CommitEnvelope{Added: []*wire.DeviceRef{phone.ref()}, Welcome: []byte("noise")}}))
	wait()
	alice, bob = arriveOn(t, s, alice.disk), arriveOn(t, s, bob.disk)
	wait()
	if r, err := phone.Room(phone.ctx(), room); err != nil || r.Joined || r.Problem == "" || !strings.Contains(r.Try, "sign out on this device and in again") {
		t.Errorf("the room is %+v, %v, want a problem and what to do", r, err)
	}
	if err := phone.Logout(phone.ctx()); err != nil {
		t.Fatal(err)
	}
	phone.signInOn("alice", "phone")
	time.Sleep(time.Minute)
	talks(t, room, alice, bob, phone)
}

// ignorant gives a key package like another one of the same device, which does not say that the device knows rosters.
func ignorant(t *testing.T, p *target, like []byte) []byte {
	t.Helper()
	parsed, err := mls.ParseKeyPackage(like)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ident.DeviceKeyFromSecret(p.disk.Snapshot()["device"])
	if err != nil {
		t.Fatal(err)
	}
	known := parsed.Member()
	public, _, err := mls.NewKeyPackage(mls.KeyPackageOptions{Credential: known.Credential, Signer: key.Signer(), Lifetime: known.Lifetime,
		LeafExtensions: known.Extensions})
	if err != nil {
		t.Fatal(err)
	}
	return public.Marshal()
}

// breakPathBeside spoils the key that a group's next commit seals the path secret to, for the member beside the
// committer, without anybody else seeing it: the hashes of the tree are there already. It gives the member's device.
func breakPathBeside(t *testing.T, g *mls.Group) ident.DeviceID {
	t.Helper()
	if _, err := g.GroupInfo(); err != nil {
		t.Fatal(err)
	}
	for m := range g.Members() {
		if m.Index == g.OwnLeaf().Index^1 {
			m.EncryptionKey[len(m.EncryptionKey)-1] ^= 1
			c, err := ident.ParseCredential(m.Credential.Identity)
			if err != nil {
				t.Fatal(err)
			}
			return c.Device
		}
	}
	t.Fatal("nobody is beside the committer")
	return ident.DeviceID{}
}

// enforce has the server take a commit whose maker is responsible for it.
func (h *hacked) enforce(room ident.RoomID, g *mls.Group, staged *mls.StagedCommit, envelope *wire.CommitEnvelope) {
	h.t.Helper()
	envelope.Welcome = staged.Welcome()
	h.accepted(h.submit(room, &wire.Submit{Kind: wire.EntryKind_ENTRY_KIND_COMMIT, Epoch: g.Epoch(), Payload: staged.Message(), Commit: envelope}))
	wait()
}

func brokenPath(t *testing.T, s *evil.Service) {
	people := []*target{settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "carol"), settle(t, s, "dave"), settle(t, s, "erin")}
	m := settle(t, s, "mallory")
	room := club(t, "garden", people[0], append(people[1:], m)...)
	mallory := hack(t, m)
	g := mallory.group(room)
	device := breakPathBeside(t, g)
	i := slices.IndexFunc(people, func(p *target) bool { return p.me().Device == device })
	victim, others := people[i], slices.Delete(slices.Clone(people), i, i+1)
	mallory.enforce(room, g, mallory.commit(g, mls.CommitOptions{}), new(wire.CommitEnvelope))
	victim.told(room, "") // let in anew by who could follow
	victim.send(room, "I am back")
	wait()
	others[0].sees(room, victim.handle()+": I am back")
	for i, p := range others {
		p.told(room, "")
		p.send(room, "we go on")
		wait()
		others[(i+1)%len(others)].sees(room, p.handle()+": we go on")
	}
}

func friendBroughtIn(t *testing.T, s *evil.Service) {
	for name, rostered := range map[string]bool{"roster": true, "no roster": false} {
		t.Log(name)
		alice, bob, m := settle(t, s, "alice-"+name[:2]), settle(t, s, "bob-"+name[:2]), settle(t, s, "mallory-"+name[:2])
		friend := settle(t, s, "eve-"+name[:2])
		room := club(t, "garden", alice, bob, m)
		mallory := hack(t, m)
		g := mallory.group(room)
		parsed, err := mls.ParseKeyPackage(friend.keyPackage().KeyPackage)
		if err != nil {
			t.Fatal(err)
		}
		proposals := []mls.Proposal{&mls.Add{KeyPackage: parsed}}
		if rostered {
			proposals = append(proposals, roster(g, client.Ranked(friend.me().Account, "member", 2)))
		}
		mallory.enforce(room, g, mallory.commit(g, mls.CommitOptions{ByValue: proposals}), &wire.CommitEnvelope{Added: []*wire.DeviceRef{friend.ref()}})
		time.Sleep(15 * time.Second)
		if rostered {
			// The friend's client goes on from there, so that the server does not let it be replaced.
			for _, p := range []*target{alice, bob} {
				p.told(room, "@"+m.handle()+"'s device")
			}
			if _, err := alice.Send(alice.ctx(), room, "who is there"); err == nil {
				t.Error("alice's message has gone out to the friend's room")
			}
		} else {
			alice.send(room, "who is there")
			wait()
			for _, p := range []*target{alice, bob} {
				p.told(room, "")
				p.sees(room, alice.handle()+": who is there")
				equal(t, p.members(room), []string{alice.handle() + " owner 1", bob.handle() + " member 1"})
			}
		}
		if strings.Contains(friend.dump(), "who is there") {
			t.Error("the friend reads along")
		}
	}
}

func poisonedPending(t *testing.T, s *evil.Service) {
	alice, bob, m := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	room := club(t, "garden", alice, bob, m)
	mallory := hack(t, m)
	g := mallory.group(room)
	epoch := g.Epoch()
	members := alice.members(room)
	var messages [][]byte
	remove, err := g.ProposeRemove(0)
	if err == nil {
		messages = append(messages, remove)
		remove, err = g.ProposeGroupContextExtensions(client.EditRoster(g.Extensions(), client.Ranked(m.me().Account, "owner", 2)))
		messages = append(messages, remove)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, payload := range messages {
		mallory.accepted(mallory.submit(room, &wire.Submit{Kind: wire.EntryKind_ENTRY_KIND_PROPOSAL, Epoch: epoch, Payload: payload}))
	}
	wait()
	bob.send(room, "business as usual")
	wait()
	alice.send(room, "indeed")
	wait()
	for _, p := range []*target{alice, bob} {
		equal(t, p.members(room), members)
		p.told(room, "")
		p.sees(room, "bob: business as usual", "alice: indeed")
	}
}

func namesClaimed(t *testing.T, s *evil.Service) {
	alice, bob, m := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	room, attic := club(t, "garden", alice, bob, m), club(t, "attic", alice, bob, m)
	mallory := hack(t, m)
	sealed := func(room ident.RoomID) *wire.Entry {
		for _, heard := range slices.Backward(frames(m.line, (*wire.ServerFrame).GetEntries)) {
			for _, e := range slices.Backward(heard.Entries) {
				if bytes.Equal(heard.Room, room[:]) && bytes.Equal(e.Device, alice.ref().Device) && e.Kind == wire.EntryKind_ENTRY_KIND_SEALED {
					return e
				}
			}
		}
		t.Fatal("mallory has heard nothing of alice's")
		return nil
	}
	alice.send(room, "I leave her the house")
	alice.send(attic, "I sell the cat")
	wait()
	g := mallory.group(room)
	own := func(id []byte) []byte {
		content, err := (&wire.Content{Body: &wire.Content_Text{Text: "I am alice"}}).MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		b, err := g.Seal(content, id)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	house, cat, fresh := sealed(room), sealed(attic), bytes.Repeat([]byte{3}, 16)
	for _, row := range []struct {
		name string
		say  *wire.Submit
		want string // says bob's client; alice's knows her own messages
	}{
		{"alice's message again", &wire.Submit{Kind: wire.EntryKind_ENTRY_KIND_SEALED, Payload: house.Payload}, "its key was used already"},
		{"alice's message under its own id", &wire.Submit{Kind: wire.EntryKind_ENTRY_KIND_SEALED, Id: house.Id, Payload: house.Payload}, "its key was used already"},
		{"alice's message of another room", &wire.Submit{Kind: wire.EntryKind_ENTRY_KIND_SEALED, Payload: cat.Payload}, "not decryptable"},
		{"mallory's message under another id than it has sealed", &wire.Submit{Kind: wire.EntryKind_ENTRY_KIND_SEALED, Id: fresh, Payload: own(house.Id)}, "as another message"},
		{"mallory's message as a proposal", &wire.Submit{Kind: wire.EntryKind_ENTRY_KIND_PROPOSAL, Id: bytes.Repeat([]byte{4}, 16), Payload: own(bytes.Repeat([]byte{4}, 16))}, "not what the server says it is"},
	} {
		row.say.Epoch = g.Epoch()
		mallory.accepted(mallory.submit(room, row.say))
		wait()
		for _, p := range []*target{alice, bob} {
			got := p.shown(room)
			if last := got[len(got)-1]; !strings.HasPrefix(last, "gap: ") || p == bob && !strings.Contains(last, row.want) {
				t.Errorf("%s: %s sees %q, want a gap that says %q", row.name, p.handle(), last, row.want)
			}
			p.told(room, "")
		}
	}
}

func openNamesClaimed(t *testing.T, s *evil.Service) {
	alice, bob, m := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	var squares []ident.RoomID
	for _, name := range []string{"square", "market"} {
		made, err := alice.CreateRoom(alice.ctx(), client.CreateRoomOptions{Name: name, Open: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*target{bob, m} {
			if err := p.JoinRoom(p.ctx(), made.ID); err != nil {
				t.Fatal(err)
			}
		}
		squares = append(squares, made.ID)
	}
	wait()
	alice.send(squares[0], "I sell the bicycle")
	wait()
	mallory := hack(t, m)
	entries := frames(m.line, (*wire.ServerFrame).GetEntries)
	said := entries[len(entries)-1].Entries[0]
	var open wire.OpenPayload
	if err := open.UnmarshalVT(said.Payload); err != nil {
		t.Fatal(err)
	}
	id, err := ident.NewMessageID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := (&wire.OpenPayload{Content: open.Content, Signature: ident.SignOpen(mallory.key, squares[1], id, open.Content)}).MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	for name, submit := range map[string]*wire.Submit{
		"into another room":           {Id: said.Id, Payload: said.Payload},
		"into another room, other id": {Payload: said.Payload},
	} {
		answer := mallory.submit(squares[1], &wire.Submit{Kind: wire.EntryKind_ENTRY_KIND_OPEN, Id: submit.Id, Payload: submit.Payload})
		if answer.GetError() == nil {
			t.Errorf("%s: the server answers %v, want it to refuse a signature that is not mallory's", name, answer)
		}
		// A server that lets it pass is found out by the clients.
		entryID := said.Id
		bob.line.Insert(squares[1], &wire.Entry{Kind: wire.EntryKind_ENTRY_KIND_OPEN, Device: said.Device, Account: said.Account, Id: entryID,
			At: time.Now().UnixMilli(), Payload: submit.Payload})
		wait()
		bob.sees(squares[1], "gap: its signature does not verify")
	}
	bob.line.Insert(squares[1], &wire.Entry{Kind: wire.EntryKind_ENTRY_KIND_OPEN, Device: said.Device, Account: said.Account, Id: id.Bytes(),
		At: time.Now().UnixMilli(), Payload: forged})
	wait()
	bob.sees(squares[1], "gap: its signature does not verify")
}

func serverAccused(t *testing.T, s *evil.Service) {
	alice, bob, m := settle(t, s, "alice"), settle(t, s, "bob"), settle(t, s, "mallory")
	room := club(t, "garden", alice, bob, m)
	mallory := hack(t, m)
	g := mallory.group(room)
	for i, content := range []*wire.Content{
		{SeenSeq: 2, SeenHead: bytes.Repeat([]byte{1}, 32)},
		{SeenSeq: 1 << 40, SeenHead: bytes.Repeat([]byte{1}, 32)},
		{SeenSeq: 2, SeenHead: []byte("short")},
	} {
		content.Body = &wire.Content_Text{Text: "they lie to you"}
		id := bytes.Repeat([]byte{byte(i) + 1}, 16)
		b, err := content.MarshalVT()
		if err == nil {
			b, err = g.Seal(b, id)
		}
		if err != nil {
			t.Fatal(err)
		}
		mallory.accepted(mallory.submit(room, &wire.Submit{Kind: wire.EntryKind_ENTRY_KIND_SEALED, Id: id, Epoch: g.Epoch(), Payload: b}))
		wait()
		bob.told(room, "the server shows @mallory another history of this room, up to message")
		bob.told(room, "or their device says so falsely")
		bob.send(room, "we shall see")
		wait()
		alice.sees(room, "mallory: they lie to you", "bob: we shall see")
	}
}

func falseEnvelope(t *testing.T, s *evil.Service) {
	alice, carol, m := settle(t, s, "alice"), settle(t, s, "carol"), settle(t, s, "mallory")
	room := club(t, "garden", alice, carol, m)
	mallory := hack(t, m)
	g := mallory.group(room)
	mallory.enforce(room, g, mallory.commit(g, mls.CommitOptions{}), &wire.CommitEnvelope{Removed: []*wire.DeviceRef{carol.ref()}})
	time.Sleep(15 * time.Second)
	// The members find the lie, and it is undone with the commit: carol is back, and mallory out.
	carol.send(room, "am I still here")
	wait()
	alice.sees(room, "carol: am I still here")
	for _, p := range []*target{alice, carol} {
		p.told(room, "")
		equal(t, p.members(room), []string{"alice owner 1", "carol member 1"})
	}
}
