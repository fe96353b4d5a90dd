package testkit

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"
)

func testLog(f *fixture) {
	alice, bob := f.account(), f.account()
	room := f.room(alice, bob)
	for i := range 30 {
		by := []server.Device{alice, bob}[i%2]
		kind := []wire.EntryKind{sealedEntry, sealedEntry, proposalEntry}[i%3]
		s := f.appended(f.entry(room, by, kind, 1, fmt.Sprint(i)))
		if s.Seq != uint64(i+2) || s.Repeated {
			f.Fatalf("entry %d has seq %d", i, s.Seq)
		}
		if i%10 == 9 {
			f.again()
		}
	}
	entries := f.log(room, alice)
	CheckLog(f.T, room, entries)
	if len(entries) != 31 || string(entries[30].Payload) != "29" || ident.AccountID(entries[30].Account) != bob.Account {
		f.Errorf("the last of %d entries is %v", len(entries), entries[len(entries)-1])
	}
	f.refused(badRequest, f.submit(f.entry(room, bob, openEntry, 1, "kind")).Err)
	f.refused(badRequest, f.submit(f.entry(room, bob, 9, 1, "kind")).Err)
}

func testIdempotence(f *fixture) {
	alice, bob := f.account(), f.account()
	room, elsewhere := f.room(alice, bob), f.room(alice)
	s := f.appended(f.entry(room, alice, sealedEntry, 1, "once"))
	c := f.appended(f.commit(room, alice, 1, nil, []server.Device{bob}))
	f.again()
	// The same again, though the epoch has passed.
	for _, first := range []*server.Submission{s, c} {
		r := f.appended(again(first))
		if r.Seq != first.Seq || r.Head != first.Head || r.At != first.At || !r.Repeated {
			f.Errorf("again it is %+v, want the outcome of %+v", r, first)
		}
	}
	for name, change := range map[string]func(*server.Submission){
		"payload": func(s *server.Submission) { s.Payload = []byte("other") },
		"room":    func(s *server.Submission) { s.Room, s.Epoch = elsewhere, 0 },
		"kind":    func(s *server.Submission) { s.Kind = proposalEntry },
		"epoch":   func(s *server.Submission) { s.Epoch = 2 },
	} {
		r := again(s)
		change(r)
		if f.submit(r); !errors.Is(r.Err, server.Refuse(conflict, "")) {
			f.Errorf("with another %s: %v, want CONFLICT", name, r.Err)
		}
	}
	other := again(c)
	other.Commit = &server.Commit{Hash: ident.Hash{1}}
	f.refused(conflict, f.submit(other).Err)
	// Ids are a device's own.
	b := again(s)
	b.Device, b.Account, b.Room, b.Epoch = alice.ID, alice.Account, room, 1
	f.appended(b)
	if n := len(f.log(room, alice)); n != 3 {
		f.Errorf("the log has %d entries, want 3", n)
	}
	// The same request many times at once is one entry.
	e := f.entry(room, alice, sealedEntry, 2, "race")
	var seqs sync.Map
	together(16, func(int) {
		r := f.submit(again(e))
		seqs.Store(r.Seq, r.Err)
	})
	seqs.Range(func(seq, err any) bool {
		if seq != uint64(4) || err != nil {
			f.Errorf("seq %v, %v, want 4", seq, err)
		}
		return true
	})
}

func testEpochs(f *fixture) {
	alice := f.account()
	room := f.room(alice)
	for _, kind := range []wire.EntryKind{sealedEntry, proposalEntry} {
		f.refused(epochMismatch, f.submit(f.entry(room, alice, kind, 1, "early")).Err)
	}
	f.appended(f.entry(room, alice, sealedEntry, 0, "in time"))
	f.appended(f.commit(room, alice, 0, nil, nil))
	for _, epoch := range []uint64{0, 2, math.MaxUint64} {
		s := f.submit(f.entry(room, alice, sealedEntry, epoch, "x"))
		f.refused(epochMismatch, s.Err)
		var r *server.Refusal
		if errors.As(s.Err, &r); r.Epoch != 1 || r.Seq != 2 {
			f.Errorf("EPOCH says epoch %d and seq %d, want 1 and 2", r.Epoch, r.Seq)
		}
		f.refused(epochMismatch, f.submit(f.commit(room, alice, epoch, nil, nil)).Err)
	}
}

// testEpochRace: of many commits for one epoch one wins, in every round.
func testEpochRace(f *fixture) {
	devices := make([]server.Device, 8)
	for i := range devices {
		devices[i] = f.account()
	}
	room := f.room(devices[0], devices[1:]...)
	for epoch := uint64(1); epoch < 20; epoch++ {
		var won atomic.Int32
		together(len(devices), func(i int) {
			s := f.submit(f.commit(room, devices[i], epoch, nil, nil))
			if s.Err == nil {
				won.Add(1)
			} else if !errors.Is(s.Err, server.Refuse(epochMismatch, "")) {
				f.Errorf("epoch %d: %v", epoch, s.Err)
			}
		})
		if won.Load() != 1 {
			f.Fatalf("epoch %d: %d commits won, want 1", epoch, won.Load())
		}
	}
	CheckLog(f.T, room, f.log(room, devices[0]))
}

func testEnvelopes(f *fixture) {
	alice, bob, eve := f.account(), f.account(), f.account()
	revoked := f.device(eve.Account)
	f.revoke(revoked)
	room := f.room(alice, bob)
	unknown := server.Device{ID: ident.DeviceID{1}, Account: eve.Account}
	mismatched := server.Device{ID: eve.ID, Account: alice.Account}
	for name, c := range map[string]struct{ added, removed []server.Device }{
		"adds a member":                  {[]server.Device{bob}, nil},
		"adds one twice":                 {[]server.Device{eve, eve}, nil},
		"adds a revoked device":          {[]server.Device{revoked}, nil},
		"adds an unknown device":         {[]server.Device{unknown}, nil},
		"adds a device of another":       {[]server.Device{mismatched}, nil},
		"removes a stranger":             {nil, []server.Device{eve}},
		"removes one twice":              {nil, []server.Device{bob, bob}},
		"removes its sender":             {nil, []server.Device{alice}},
		"adds one good and one bad":      {[]server.Device{eve, unknown}, nil},
		"adds one good and removes none": {[]server.Device{eve}, []server.Device{unknown}},
	} {
		s := f.submit(f.commit(room, alice, 1, c.added, c.removed))
		if !errors.Is(s.Err, server.Refuse(badRequest, "")) {
			f.Errorf("%s: %v, want BAD_REQUEST", name, s.Err)
		}
	}
	// Nothing of them has happened.
	f.appended(f.commit(room, alice, 1, []server.Device{eve}, nil))
	f.appended(f.commit(room, eve, 2, []server.Device{bob}, []server.Device{bob}))
	if a, err := f.Access(f.Context(), room, bob.ID); err != nil || a.Since != 3 || a.Until != server.NoEnd {
		f.Errorf("bob, removed and added by one commit, has %+v, %v", a, err)
	}
}

func testRemoved(f *fixture) {
	ctx := f.Context()
	alice, bob, eve := f.account(), f.account(), f.account()
	room := f.room(alice, bob)
	f.appended(f.entry(room, bob, sealedEntry, 1, "bob's")) // 2
	f.appended(f.commit(room, alice, 1, []server.Device{eve}, nil))
	f.appended(f.commit(room, alice, 2, nil, []server.Device{bob})) // 4
	f.appended(f.entry(room, alice, sealedEntry, 3, "after bob"))
	f.again()
	if got := f.log(room, bob); len(got) != 4 || got[3].Seq != 4 {
		f.Errorf("bob reads %d entries, want 1 to 4", len(got))
	}
	if got := f.log(room, eve); len(got) != 3 || got[0].Seq != 3 {
		f.Errorf("eve reads %d entries, want 3 to 5", len(got))
	}
	got, err := f.Fetch(ctx, server.Fetch{Room: room, Device: bob.ID, After: 4, Limit: 10}, func(*wire.Entry) bool {
		f.Error("bob reads beyond his end")
		return true
	})
	if err != nil || got.Seq != 4 {
		f.Errorf("bob's end is %d, %v, want 4", got.Seq, err)
	}
	f.refused(forbidden, f.submit(f.entry(room, bob, sealedEntry, 3, "x")).Err)
	_, err = f.Members(ctx, room, bob.ID)
	f.refused(notFound, err)
	if seen, err := f.Room(ctx, room, bob.ID); err != nil || seen.Joined || seen.Seq != 4 || seen.Epoch != 0 {
		f.Errorf("bob sees %+v, %v", seen, err)
	}
	f.revoke(eve)
	f.refused(forbidden, f.submit(f.entry(room, eve, sealedEntry, 3, "x")).Err)
	_, err = f.Access(ctx, room, eve.ID)
	f.refused(notFound, err)
}

// welcomes gives a device's welcomes, fetched one by one.
func (f *fixture) welcomes(d server.Device) (list []server.Welcome, err error) {
	for place := uint64(0); ; place = list[len(list)-1].Place {
		next, err := f.Welcomes(f.Context(), d.ID, place, 1)
		if err != nil || len(next) == 0 {
			return list, err
		}
		if len(next) > 1 || next[0].Place <= place {
			return list, fmt.Errorf("%d welcomes after place %d, the first at %d", len(next), place, next[0].Place)
		}
		list = append(list, next[0])
	}
}

// testManyWelcomes: however they are fetched, a device gets all of its welcomes, and those of a room in their order.
func testManyWelcomes(f *fixture) {
	alice, bob := f.account(), f.account()
	wanted := 0
	for range 3 {
		room := f.room(alice, bob)
		f.appended(f.commit(room, alice, 1, nil, []server.Device{bob}))
		f.appended(f.commit(room, alice, 2, []server.Device{bob}, nil))
		wanted += 2
	}
	one, err := f.welcomes(bob)
	f.must(err)
	all, err := f.Welcomes(f.Context(), bob.ID, 0, 100)
	f.must(err)
	if len(all) != wanted || !reflect.DeepEqual(one, all) {
		f.Errorf("%d welcomes at once, %d one by one, want %d and the same", len(all), len(one), wanted)
	}
	seqs := make(map[ident.RoomID][]uint64)
	for _, w := range all {
		seqs[w.Room] = append(seqs[w.Room], w.Seq)
	}
	for room, got := range seqs {
		if !slices.Equal(got, []uint64{1, 3}) {
			f.Errorf("those of %v are of the entries %v, want 1 and 3", room, got)
		}
	}
	if none, err := f.Welcomes(f.Context(), bob.ID, math.MaxUint64, 100); err != nil || len(none) != 0 {
		f.Errorf("after all there are %d, %v", len(none), err)
	}
}

func testWelcomes(f *fixture) {
	ctx := f.Context()
	alice, bob, eve := f.account(), f.account(), f.account()
	room := f.room(alice, bob, eve)
	f.again()
	for _, d := range []server.Device{bob, eve} {
		w, err := f.welcomes(d)
		f.must(err)
		if len(w) != 1 || w[0].Room != room || w[0].Seq != 1 || string(w[0].Bytes) != "welcome" || w[0].By.Device != alice.ID || w[0].By.Account != alice.Account {
			f.Fatalf("welcomes are %+v", w)
		}
		if entries := f.log(room, d); ident.Hash(entries[0].Head) != w[0].Head {
			f.Errorf("the welcome's head is %v", w[0].Head)
		}
	}
	f.must(f.TakeWelcome(ctx, bob.ID, room, 1))
	f.must(f.TakeWelcome(ctx, bob.ID, room, 1))
	f.must(f.TakeWelcome(ctx, bob.ID, room, math.MaxUint64))
	f.again()
	for d, want := range map[server.Device]int{bob: 0, eve: 1, alice: 0} {
		if w, err := f.welcomes(d); err != nil || len(w) != want {
			f.Errorf("%d welcomes, %v, want %d", len(w), err, want)
		}
	}
	f.revoke(eve)
	if w, err := f.welcomes(eve); err != nil || len(w) != 0 {
		f.Errorf("a revoked device has %d welcomes, %v", len(w), err)
	}
}

func testFetch(f *fixture) {
	alice := f.account()
	room := f.room(alice)
	for i := range 10 {
		f.appended(f.entry(room, alice, sealedEntry, 0, fmt.Sprint(i)))
	}
	for _, c := range []struct {
		name  string
		fetch server.Fetch
		stop  int // yield says no to the nth
		want  []uint64
		more  bool
	}{
		{"all", server.Fetch{Limit: 100}, 0, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, false},
		{"limited", server.Fetch{Limit: 3}, 0, []uint64{1, 2, 3}, true},
		{"after", server.Fetch{After: 8, Limit: 2}, 0, []uint64{9, 10}, false},
		{"before", server.Fetch{After: 3, Before: 6, Limit: 9}, 0, []uint64{4, 5}, false},
		{"the last, backwards", server.Fetch{Last: true, Limit: 2}, 0, []uint64{10, 9}, true},
		{"the last before", server.Fetch{Last: true, After: 3, Before: 6, Limit: 5}, 0, []uint64{5, 4}, false},
		{"a full frame", server.Fetch{Limit: 100}, 3, []uint64{1, 2}, true},
		{"beyond the end", server.Fetch{After: 10, Limit: 5}, 0, nil, false},
		{"far beyond", server.Fetch{After: math.MaxUint64, Before: math.MaxUint64, Limit: 5}, 0, nil, false},
		{"crossed", server.Fetch{After: 6, Before: 3, Limit: 5}, 0, nil, false},
	} {
		c.fetch.Room, c.fetch.Device = room, alice.ID
		var seqs []uint64
		n := 0
		got, err := f.Fetch(f.Context(), c.fetch, func(e *wire.Entry) bool {
			if n++; n == c.stop {
				return false
			}
			seqs = append(seqs, e.Seq)
			return true
		})
		if err != nil || fmt.Sprint(seqs) != fmt.Sprint(c.want) || got.More != c.more || got.Seq != 10 {
			f.Errorf("%s: %v, more %v, end %d, %v; want %v, more %v", c.name, seqs, got.More, got.Seq, err, c.want, c.more)
		}
	}
}

// testOrder: what one goroutine submits without waiting lands in that order.
func testOrder(f *fixture) {
	const senders, each = 8, 200
	devices := make([]server.Device, senders)
	for i := range devices {
		devices[i] = f.account()
	}
	room := f.room(devices[0], devices[1:]...)
	var last atomic.Uint64 // seq of the Done before, in this room
	together(senders, func(i int) {
		var wg sync.WaitGroup
		next := 0
		for n := range each {
			wg.Add(1)
			s := f.entry(room, devices[i], sealedEntry, 1, fmt.Sprint(n))
			s.Done = func(s *server.Submission) {
				defer wg.Done()
				if s.Err != nil || string(s.Payload) != fmt.Sprint(next) {
					f.Errorf("sender %d: %q is done, %v, want %d", i, s.Payload, s.Err, next)
				}
				if before := last.Swap(s.Seq); s.Seq <= before {
					f.Errorf("seq %d is done after %d", s.Seq, before)
				}
				next++
			}
			f.Submit(s)
		}
		wg.Wait()
	})
	f.again()
	entries := f.log(room, devices[0])
	CheckLog(f.T, room, entries)
	next := make(map[ident.DeviceID]int)
	for _, e := range entries[1:] {
		d := ident.DeviceID(e.Device)
		if string(e.Payload) != fmt.Sprint(next[d]) {
			f.Fatalf("entry %d is %s's %s, want %d", e.Seq, d, e.Payload, next[d])
		}
		next[d]++
	}
	if len(entries) != senders*each+1 {
		f.Errorf("%d entries, want %d", len(entries), senders*each+1)
	}
}
