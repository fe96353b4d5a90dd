package testkit

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/wire"
)

// modelSeeds are fixed, so that a failure happens again; a new one is added when
// it has found something.
var modelSeeds = []uint64{1, 2, 3, 4}

// modelSteps is how many operations each seed makes.
const modelSteps = 400

// model is a room as simply as it can be said.
type model struct {
	epoch   uint64
	entries []*server.Submission
	in      map[ident.DeviceID]uint64 // since
	out     map[ident.DeviceID][2]uint64
	// run is how the room was before each of the commits that can be replaced.
	run []*modelBefore
}

type modelBefore struct {
	commit   *server.Submission
	epoch    uint64
	in       map[ident.DeviceID]uint64
	rejected map[ident.DeviceID]bool
	target   ident.DeviceID // whose commit a reboot replaces
	undone   bool
}

// testModel makes random operations and compares with a model.
func testModel(f *fixture) {
	devices := make([]server.Device, 5)
	for i := range devices {
		devices[i] = f.account()
	}
	for _, seed := range modelSeeds {
		r := rand.New(rand.NewPCG(seed, 0))
		room := f.room(devices[0])
		m := &model{in: map[ident.DeviceID]uint64{devices[0].ID: 0}, out: map[ident.DeviceID][2]uint64{}}
		for range modelSteps {
			f.step(r, m, room, devices)
		}
		f.again()
		for _, d := range devices {
			f.compare(seed, m, room, d)
		}
	}
}

func (f *fixture) step(r *rand.Rand, m *model, room ident.RoomID, devices []server.Device) {
	by := devices[r.IntN(len(devices))]
	epoch := m.epoch
	if r.IntN(5) == 0 {
		epoch += uint64(r.IntN(3)) - 1
	}
	var s *server.Submission
	switch {
	case r.IntN(8) == 0 && len(m.entries) > 0:
		s = again(m.entries[r.IntN(len(m.entries))])
	case r.IntN(4) == 0:
		var added, removed []server.Device
		for _, d := range devices {
			switch r.IntN(6) {
			case 0:
				added = append(added, d)
			case 1:
				removed = append(removed, d)
			}
		}
		s = f.commit(room, by, epoch, added, removed)
	case r.IntN(2) == 0 && len(m.run) > 0:
		before := m.run[r.IntN(len(m.run))]
		s = f.reject(room, by, before.commit)
		if r.IntN(2) == 0 {
			maker := server.Device{ID: before.commit.Device, Account: before.commit.Account}
			s = f.reboot(room, by, before.commit, maker)
			if _, in := before.in[maker.ID]; !in {
				s = f.reboot(room, by, before.commit)
			}
			s.Epoch = before.epoch
		}
	default:
		s = f.entry(room, by, sealedEntry, epoch, "x")
	}
	want := m.apply(s)
	f.submit(s)
	if want == 0 && s.Err != nil || want != 0 && !errors.Is(s.Err, server.Refuse(want, "")) {
		f.Fatalf("%+v: %v, want %v", s, s.Err, want)
	}
}

// apply gives the code with which a submission is refused; 0 for not at all.
func (m *model) apply(s *server.Submission) wire.ErrorCode {
	if slices.ContainsFunc(m.entries, func(e *server.Submission) bool { return e.ID == s.ID && e.Device == s.Device }) {
		return 0
	}
	_, in := m.in[s.Device]
	_, out := m.out[s.Device]
	switch {
	case !in && !out:
		return notFound
	case s.Reject != nil || s.Commit != nil && s.Commit.Replaces != nil:
		return m.replace(s)
	case !in:
		return forbidden
	case s.Epoch != m.epoch:
		return epochMismatch
	}
	if s.Commit != nil && !m.commit(s) {
		return badRequest
	}
	m.entries = append(m.entries, s)
	return 0
}

// replace is apply for rejects and reboots.
func (m *model) replace(s *server.Submission) wire.ErrorCode {
	which := s.Reject
	if which == nil {
		which = s.Commit.Replaces
	}
	at := slices.IndexFunc(m.run, func(b *modelBefore) bool { return b.commit.Seq == which.Seq })
	if at < 0 {
		return conflict
	}
	before := m.run[at]
	_, in := before.in[s.Device]
	barred := slices.ContainsFunc(m.run, func(b *modelBefore) bool { return !b.target.IsZero() && b.undone && b.commit.Device == s.Device })
	switch {
	case !in || before.commit.Device == s.Device || before.target == s.Device && len(before.in) > 2 || barred:
		return forbidden
	case before.rejected[s.Device] == (s.Reject != nil):
		return conflict
	case s.Reject != nil:
		before.rejected[s.Device] = true
		m.entries = append(m.entries, s)
		return 0
	}
	seq := uint64(len(m.entries) + 1)
	for d, since := range m.in {
		if _, was := before.in[d]; !was {
			m.out[d] = [2]uint64{since, seq}
		}
	}
	now, run := &modelBefore{commit: s, epoch: m.epoch, in: m.in, rejected: map[ident.DeviceID]bool{}, target: before.commit.Device}, m.run
	for _, b := range run[at:] {
		b.undone = true
		clear(b.rejected)
	}
	m.in, m.epoch = maps.Clone(before.in), before.epoch
	for d := range m.in {
		delete(m.out, d)
	}
	m.commit(s)
	m.run = append(run, now)
	m.entries = append(m.entries, s)
	return 0
}

func (m *model) commit(s *server.Submission) bool {
	seq := uint64(len(m.entries) + 1)
	before := &modelBefore{commit: s, epoch: m.epoch, in: maps.Clone(m.in), rejected: map[ident.DeviceID]bool{}}
	leaving := make(map[ident.DeviceID]bool)
	for _, d := range s.Commit.Removed {
		if _, in := m.in[d.Device]; !in || d.Device == s.Device {
			return false
		}
		leaving[d.Device] = true
	}
	for _, d := range s.Commit.Added {
		if _, in := m.in[d.Device]; in && !leaving[d.Device] {
			return false
		}
	}
	for _, d := range s.Commit.Removed {
		m.out[d.Device] = [2]uint64{m.in[d.Device], seq}
		delete(m.in, d.Device)
	}
	for _, d := range s.Commit.Added {
		m.in[d.Device] = seq
		delete(m.out, d.Device)
	}
	m.epoch++
	if slices.ContainsFunc(m.run, func(b *modelBefore) bool { return b.commit.Device != s.Device }) {
		m.run = nil
	}
	m.run = append(m.run, before)
	return true
}

// compare reads the log as a device and compares it with what the model has for it.
func (f *fixture) compare(seed uint64, m *model, room ident.RoomID, d server.Device) {
	f.Helper()
	since, in := m.in[d.ID]
	bounds, out := m.out[d.ID]
	if !in && !out {
		_, err := f.Access(f.Context(), room, d.ID)
		f.refused(notFound, err)
		return
	}
	first, last := max(since, 1), uint64(len(m.entries))
	if out {
		first, last = max(bounds[0], 1), bounds[1]
	}
	got := f.log(room, d)
	if uint64(len(got)) != last-first+1 {
		f.Fatalf("seed %d: %d entries, want %d to %d", seed, len(got), first, last)
	}
	for i, e := range got {
		want := m.entries[first-1+uint64(i)]
		if e.Seq != want.Seq || ident.MessageID(e.Id) != want.ID || ident.Hash(e.Head) != want.Head {
			f.Fatalf("seed %d: entry %v, want %+v", seed, e, want)
		}
	}
}
