package client_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
)

var (
	simSeeds = flag.Int("sim.seeds", 6, "how many simulations to run")
	simFirst = flag.Uint64("sim.first", 1, "the first simulation's seed")
	simSteps = flag.Int("sim.steps", 2500, "how many things happen in a simulation")
	simLog   = flag.Bool("sim.log", false, "log what the cores say")
)

// sim is a world of devices and one server, all of whose chance comes from one seed.
type sim struct {
	t       *testing.T
	rng     *rand.Rand
	bytes   *rand.ChaCha8
	now     time.Time
	model   *testkit.Model
	log     client.Logger
	people  []ident.AccountID
	devices []*device
	faults  bool
	calls   uint64
	// promised are the messages that were acknowledged: text to place.
	promised map[string]client.Sent
	trace    []string
	// refusals are the calls that failed, where somebody wants to know.
	refusals map[uint64]error
	// losses counts the groups that stores have lost.
	losses int
	// restarted counts the rooms that a last device has begun anew.
	restarted int
	// taken is what devices had that signed out.
	taken map[ident.RoomID][]client.Message
}

// device is one process of one device. Two of them may have one disk.
type device struct {
	sim    *sim
	name   string
	handle string
	disk   *testkit.Disk
	store  *testkit.ClientStore
	core   *client.Stepper
	// generation is the store's, as far as the core has read.
	generation uint64
	session    *testkit.Session
	out        [][]byte // on the way to the server
	wake       time.Time
	texts      map[uint64]string // calls that send
	me         ident.AccountID
	gone       bool
	history    []client.Message // the last answer
	alerts     []client.Alert   // as well
}

func newSim(t *testing.T, seed uint64) *sim {
	cryptotest.SetGlobalRandom(t, seed)
	s := &sim{t: t, rng: rand.New(rand.NewPCG(seed, 1)), bytes: rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}),
		now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), promised: make(map[string]client.Sent), taken: make(map[ident.RoomID][]client.Message)}
	s.log = slog.New(slog.DiscardHandler)
	if *simLog {
		s.log = testLog()
	}
	s.model = testkit.NewModel(func() time.Time { return s.now })
	return s
}

func (s *sim) note(format string, args ...any) {
	s.trace = append(s.trace, s.now.Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (s *sim) fatalf(format string, args ...any) {
	s.t.Helper()
	for _, line := range s.trace[max(0, len(s.trace)-40):] {
		s.t.Log(line)
	}
	s.t.Fatalf(format, args...)
}

// boot starts a process on a disk.
func (s *sim) boot(name, handle string, disk *testkit.Disk) *device {
	d := &device{sim: s, name: name, handle: handle, disk: disk}
	s.devices = append(s.devices, d)
	d.restart()
	return d
}

func (d *device) restart() {
	if d.session != nil {
		d.session.Close()
		d.session = nil
	}
	d.store, d.core, d.out, d.texts = d.disk.Open(), client.NewStepper(d.sim.bytes, d.sim.log), nil, make(map[uint64]string)
	d.reread()
	d.take(d.core.Tick())
}

// take carries out one step as the driver does, and crashes where the chance says so.
func (d *device) take(step client.StepFunc) {
	s := d.sim
	for {
		err := step(context.Background(), d.store, s.now)
		if err != nil {
			s.fatalf("%s: stepping: %v", d.name, err)
		}
		if s.crash(d, "before writing") {
			return
		}
		if !d.core.Batch.Empty() {
			if s.faults && s.rng.IntN(400) == 0 {
				d.core.Rollback()
				s.note("%s: a write failed", d.name)
				d.restart()
				return
			}
			d.generation, err = d.store.Commit(context.Background(), d.generation, d.core.Batch)
		} else if d.stale() {
			err = client.ErrConflict
		}
		if err == nil {
			break
		}
		if !errors.Is(err, client.ErrConflict) {
			s.fatalf("%s: writing: %v", d.name, err)
		}
		d.core.Rollback()
		d.reread()
	}
	if s.crash(d, "after writing") {
		return
	}
	d.carryOut()
}

// reread notes the generation that the core is about to load.
func (d *device) reread() {
	generation, err := d.store.Generation(context.Background())
	if err != nil {
		d.sim.fatalf("%s: %v", d.name, err)
	}
	d.generation = generation
}

// stale reports whether somebody else has written since the core has read.
func (d *device) stale() bool {
	generation, err := d.store.Generation(context.Background())
	return err != nil || generation != d.generation
}

func (d *device) carryOut() {
	s := d.sim
	d.out = append(d.out, d.core.Frames...)
	d.wake = d.core.Wake
	for _, r := range d.core.Replies {
		d.answered(r)
	}
	if d.core.HangUp && d.session != nil {
		for _, frame := range d.out {
			d.session.Handle(frame)
		}
		d.session.Close()
		d.session, d.out = nil, nil
	}
	if d.core.Dial {
		key := d.core.Key()
		d.session = s.model.Connect(&key)
		d.out = nil
		d.take(d.core.Connected())
	}
}

func (d *device) answered(r client.Reply) {
	s := d.sim
	if r.Err != nil && s.refusals != nil {
		s.refusals[r.Call] = r.Err
	}
	if r.Err != nil {
		s.note("%s: call %d: %v", d.name, r.Call, r.Err)
	}
	switch value := r.Value.(type) {
	case client.Sent:
		text := d.texts[r.Call]
		if before, ok := s.promised[text]; ok && before != value {
			s.fatalf("%q was acknowledged twice, as %v and %v", text, before, value)
		}
		s.promised[text] = value
	case client.Me:
		d.me = value.Account
	case []client.Message:
		d.history = value
	case []client.Alert:
		d.alerts = value
	}
}

// crash ends the process here, by chance, and starts it again.
func (s *sim) crash(d *device, where string) bool {
	if !s.faults || s.rng.IntN(300) != 0 {
		return false
	}
	s.note("%s: crashed %s", d.name, where)
	d.core.Rollback()
	d.restart()
	return true
}

func (s *sim) call() uint64 {
	s.calls++
	return s.calls
}

// deliver moves one frame, in either direction; false if there is none.
func (d *device) deliver() bool {
	s := d.sim
	if d.session == nil {
		return false
	}
	if len(d.out) > 0 && s.rng.IntN(2) == 0 || len(d.out) > 0 && !d.session.Waiting() {
		frame := d.out[0]
		d.out = d.out[1:]
		d.session.Handle(frame)
		if s.faults && s.rng.IntN(60) == 0 && !d.session.Closed() {
			d.session.Handle(frame) // said twice: answered twice
		}
		return true
	}
	if d.session.Closed() && !d.session.Waiting() {
		d.session, d.out = nil, nil
		d.take(d.core.Disconnected())
		return true
	}
	if d.session.Waiting() {
		d.take(d.core.Frame(d.session.TakeOne()))
		return true
	}
	return false
}

// drop cuts the connection: what is under way in either direction is lost.
func (d *device) drop() {
	if d.session == nil {
		return
	}
	d.sim.note("%s: cut off", d.name)
	d.session.Close()
	d.session, d.out = nil, nil
	d.take(d.core.Disconnected())
}

// settle lets everything happen that happens by itself, for so long.
func (s *sim) settle(d time.Duration) {
	end := s.now.Add(d)
	for round := 0; ; round++ {
		moved := false
		for _, d := range s.devices {
			for range 200 {
				if d.gone || !d.deliver() {
					break
				}
				moved = true
			}
		}
		if moved {
			if round > 200_000 {
				s.fatalf("no end of talking")
			}
			continue
		}
		next := time.Time{}
		for _, d := range s.devices {
			if !d.wake.IsZero() && !d.gone && (next.IsZero() || d.wake.Before(next)) {
				next = d.wake
			}
		}
		if next.IsZero() || next.After(end) {
			s.now = end
			return
		}
		s.now = maxTime(s.now, next)
		for _, d := range s.devices {
			if !d.wake.IsZero() && !d.wake.After(s.now) && !d.gone {
				d.take(d.core.Tick())
			}
		}
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// populate registers people, some with two devices, some with two processes on one.
func (s *sim) populate(n int) {
	for i := range n {
		handle := fmt.Sprintf("person%d", i)
		d := s.boot(handle+"/1", handle, testkit.NewDisk())
		d.take(d.core.Register(s.call(), handle))
		s.settle(time.Second)
		if d.me.IsZero() {
			s.fatalf("%s did not register", handle)
		}
		s.people = append(s.people, d.me)
		switch i % 3 {
		case 1:
			second := s.boot(handle+"/2", handle, testkit.NewDisk())
			second.take(second.core.Login(s.call(), handle))
		case 2:
			s.boot(handle+"/1b", handle, d.disk).me = d.me
		}
		s.settle(time.Second)
	}
}

// act has somebody do something.
func (s *sim) act(n int) {
	d := s.devices[s.rng.IntN(len(s.devices))]
	if d.gone {
		return
	}
	var rooms []client.View
	for _, v := range d.core.Rooms() {
		if v.Joined {
			rooms = append(rooms, v)
		}
	}
	other := s.people[s.rng.IntN(len(s.people))]
	call := s.call()
	dice := s.rng.IntN(100)
	switch {
	case len(rooms) == 0 && dice < 30:
		s.note("%s: makes a room", d.name)
		d.take(d.core.CreateRoom(call, fmt.Sprint("room ", n), []ident.AccountID{other}))
	case len(rooms) == 0 && dice < 40:
		d.take(d.core.Direct(call, other))
	case len(rooms) == 0:
	case dice < 3:
		d.take(d.core.CreateRoom(call, fmt.Sprint("room ", n), []ident.AccountID{other}))
	case dice < 5:
		d.take(d.core.Direct(call, other))
	case dice < 11:
		s.note("%s: adds %s", d.name, other)
		d.take(d.core.Change(call, rooms[s.rng.IntN(len(rooms))].ID, false, other))
	case dice < 14:
		s.note("%s: removes %s", d.name, other)
		d.take(d.core.Change(call, rooms[s.rng.IntN(len(rooms))].ID, true, other))
	case dice < 16:
		s.note("%s: leaves", d.name)
		d.take(d.core.Leave(call, rooms[s.rng.IntN(len(rooms))].ID))
	case dice < 19:
		role := []string{"owner", "admin", "member", "reader"}[s.rng.IntN(4)]
		s.note("%s: makes %s %s", d.name, other, role)
		d.take(d.core.SetRole(call, rooms[s.rng.IntN(len(rooms))].ID, other, role))
	case dice < 21:
		s.note("%s: names a room", d.name)
		d.take(d.core.Rename(call, rooms[s.rng.IntN(len(rooms))].ID, fmt.Sprint("renamed ", n)))
	case dice < 23:
		s.note("%s: names itself", d.name)
		d.take(d.core.RenameSelf(call, fmt.Sprint("device ", n)))
	default:
		text := fmt.Sprintf("%s says %d", d.name, n)
		d.texts[call] = text
		d.take(d.core.Send(call, rooms[s.rng.IntN(len(rooms))].ID, text))
	}
}

func (s *sim) run(steps int) {
	s.faults = true
	for n := range steps {
		d := s.devices[s.rng.IntN(len(s.devices))]
		switch dice := s.rng.IntN(1000); {
		case dice < 90:
			s.act(n)
		case dice < 94:
			d.drop()
		case dice < 96:
			s.note("%s: killed", d.name)
			d.restart()
		case dice < 99:
			s.forget(d)
		case dice < 112:
			s.now = s.now.Add(time.Duration(s.rng.IntN(2000)) * time.Millisecond)
			d.take(d.core.Tick())
		default:
			d.deliver()
		}
	}
	s.faults = false
	s.settle(5 * time.Minute)
	for _, d := range s.devices {
		s.signInAnew(d)
	}
}

// check holds everybody's view against the server's log and against each other's.
func (s *sim) check() {
	rooms := make(map[ident.RoomID][]*device)
	for _, d := range s.devices {
		d.take(d.core.Tick())
		for _, v := range d.core.Rooms() {
			if s.lost(d, v) {
				continue
			}
			if v.Problem != "" || v.Keyless {
				s.noteRoom(v.ID)
				s.fatalf("%s: room %s has a problem: %s; %+v", d.name, v.ID, v.Problem, v)
			}
			if v.Joined {
				rooms[v.ID] = append(rooms[v.ID], d)
			}
		}
	}
	for id, members := range rooms {
		s.checkRoom(id, members)
	}
	for _, d := range s.devices {
		for _, v := range d.core.Rooms() {
			s.checkPlaces(d, v)
		}
	}
	s.checkPromises()
	s.checkAlerts()
}

func (d *device) view(id ident.RoomID) client.View {
	for _, v := range d.core.Rooms() {
		if v.ID == id {
			return v
		}
	}
	return client.View{}
}

func (s *sim) checkRoom(id ident.RoomID, members []*device) {
	first := members[0].view(id)
	seen := make(map[uint64]client.Message)
	for _, d := range members {
		v := d.view(id)
		if v.Seq != first.Seq || v.Epoch != first.Epoch && v.Epoch*first.Epoch > 0 || v.Roster != first.Roster && v.Epoch*first.Epoch > 0 {
			s.fatalf("%s is at seq %d epoch %d of %s, %s at seq %d epoch %d", d.name, v.Seq, v.Epoch, id, members[0].name, first.Seq, first.Epoch)
		}
		if v.Undone > 0 {
			s.fatalf("%s: things are still undone in %s: %s", d.name, id, v.Debug)
		}
		messages := client.ReadMessages(d.disk.Snapshot(), id, v.Seq)
		last := uint64(0)
		for _, m := range messages {
			if m.Kind == client.Gap && !strings.HasPrefix(m.Gap, "this device") {
				s.fatalf("%s: seq %d of %s is a gap: %s", d.name, m.Seq, id, m.Gap)
			}
			if m.Seq <= v.Since {
				continue // of an earlier stay, or the notice of joining, which is one's own
			}
			if last > 0 && m.Seq != last+1 {
				s.fatalf("%s: %d follows %d in %s", d.name, m.Seq, last, id)
			}
			last = m.Seq
			if before, ok := seen[m.Seq]; ok && (before.Text != m.Text || before.ID != m.ID || before.Kind != m.Kind) {
				s.fatalf("%s: seq %d of %s is %q, elsewhere %q", d.name, m.Seq, id, m.Text, before.Text)
			}
			seen[m.Seq] = m
		}
		if last != v.Seq && v.Seq > v.Since {
			s.fatalf("%s: the last message of %s is %d, not %d", d.name, id, last, v.Seq)
		}
	}
}

// checkPromises looks for every acknowledged message, once, at its place, on every device that could read it.
func (s *sim) checkPromises() {
	for _, d := range s.devices {
		records := d.disk.Snapshot()
		for _, v := range d.core.Rooms() {
			count := make(map[string]int)
			for _, m := range client.ReadMessages(records, v.ID, v.Seq) {
				count[m.Text]++
				if promise, ok := s.promised[m.Text]; ok && m.Kind == client.Text && (promise.Seq != m.Seq || promise.Room != v.ID) {
					s.fatalf("%s: %q stands at %d, and was acknowledged at %d", d.name, m.Text, m.Seq, promise.Seq)
				}
			}
			for text, promise := range s.promised {
				if promise.Room == v.ID && v.Joined && promise.Seq > v.Since && count[text] != 1 && !v.Keyless {
					s.fatalf("%s: %q was acknowledged and is there %d times", d.name, text, count[text])
				}
			}
		}
	}
}

// TestSimulation runs worlds of 3 to 6 accounts with faults until they are quiet again.
func TestSimulation(t *testing.T) {
	losses, restarted := 0, 0
	for i := range *simSeeds {
		seed := *simFirst + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			s := newSim(t, seed)
			s.populate(3 + int(seed%4))
			s.run(*simSteps)
			s.check()
			s.checkArchive()
			s.checkLastDevices()
			t.Logf("%d acknowledged messages, %d rooms, %d groups lost", len(s.promised), len(s.model.Rooms()), s.losses)
			losses += s.losses
			restarted += s.restarted
		})
	}
	if losses == 0 {
		t.Error("no store has lost a group")
	}
	if restarted == 0 {
		t.Error("no room was begun anew")
	}
}
