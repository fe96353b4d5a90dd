package client_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/testkit/evil"
	"snug/internal/wire"
)

// A siege is an attack of the server on people who use it, on the real server. What the attacker does, and what it hopes
// for, is told first; then come the steps, and what must hold.
type siege struct {
	name   string
	attack string
	script func(t *testing.T, s *evil.Service)
}

// besiege runs sieges, each in a bubble with a server of its own.
func besiege(t *testing.T, sieges []siege) {
	for _, row := range sieges {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			t.Log(strings.Join(strings.Fields(row.attack), " "))
			synctest.Test(t, func(t *testing.T) { row.script(t, evil.Start(t)) })
		})
	}
}

// target is a person whose server lies, and the server's hand on their line.
type target struct {
	*person
	line *evil.Victim
}

// settle signs somebody up at an evil server.
func settle(t *testing.T, s *evil.Service, handle string) *target {
	t.Helper()
	p := arrive(t, s)
	if _, err := p.Register(t.Context(), client.RegisterOptions{Handle: handle, Passphrase: passphrase, DeviceName: handle + "'s laptop"}); err != nil {
		t.Fatalf("registering %s: %v", handle, err)
	}
	return p
}

// arrive starts a client at an evil server, of nobody yet.
func arrive(t *testing.T, s *evil.Service) *target { return arriveOn(t, s, testkit.NewDisk()) }

func arriveOn(t *testing.T, s *evil.Service, disk *testkit.Disk) *target {
	t.Helper()
	line := s.Victim()
	p := startOver(t, line, disk, nil)
	p.StretchInName()
	return &target{p, line}
}

// signIn starts one more device of somebody's.
func signIn(t *testing.T, s *evil.Service, handle, device string) *target {
	t.Helper()
	p := arrive(t, s)
	if _, err := p.Login(p.ctx(), client.LoginOptions{Handle: handle, Passphrase: passphrase, DeviceName: device}); err != nil {
		t.Fatalf("signing in %s: %v", device, err)
	}
	return p
}

// club makes a room of these people, in which everybody has spoken.
func club(t *testing.T, name string, owner *target, members ...*target) ident.RoomID {
	t.Helper()
	var handles []string
	for _, m := range members {
		handles = append(handles, m.handle())
	}
	made, err := owner.CreateRoom(owner.ctx(), client.CreateRoomOptions{Name: name, Handles: handles})
	if err != nil {
		t.Fatal(err)
	}
	wait()
	for _, p := range append([]*target{owner}, members...) {
		p.send(made.ID, "I am "+p.handle())
		wait()
	}
	return made.ID
}

func (p *target) handle() string {
	me, _ := p.Me()
	return me.Handle
}

// me gives who the device is.
func (p *target) me() client.Me {
	p.t.Helper()
	me, signedIn := p.Me()
	if !signedIn {
		p.t.Fatal("nobody is signed in")
	}
	return me
}

// dump is all that a person sees of their rooms, but for problems.
func (p *target) dump() string {
	p.t.Helper()
	rooms, err := p.Rooms(p.ctx())
	if err != nil {
		p.t.Fatal(err)
	}
	var all []string
	for _, r := range rooms {
		if r.Kind == client.OpenToAll {
			continue
		}
		var members []string
		if r.Joined {
			members = p.members(r.ID)
		}
		all = append(all, fmt.Sprintf("%s %q %q joined=%v role=%s\n  %v\n  %q", r.ID, r.Name, r.Topic, r.Joined, r.Role, members, p.shown(r.ID)))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// shown is what a person sees in a room, whatever the server says there is more.
func (p *target) shown(room ident.RoomID) (texts []string) {
	p.t.Helper()
	messages, err := p.History(p.ctx(), room, client.HistoryOptions{Limit: 1000})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range messages {
		switch m.Kind {
		case client.Text:
			texts = append(texts, m.From+": "+m.Text)
		case client.Gap:
			texts = append(texts, "gap: "+m.Gap)
		}
	}
	return texts
}

// unchanged fails unless a person sees what they saw.
func (p *target) unchanged(before string) {
	p.t.Helper()
	if after := p.dump(); after != before {
		p.t.Errorf("%s now sees\n%s\nwant\n%s", p.handle(), after, before)
	}
}

// told fails unless the room tells the person what is wrong.
func (p *target) told(room ident.RoomID, what string) {
	p.t.Helper()
	r, err := p.Room(p.ctx(), room)
	if err != nil || what == "" && r.Problem != "" || !strings.Contains(r.Problem, what) {
		p.t.Errorf("%s is told %q, %v, want a problem that says %q", p.handle(), r.Problem, err, what)
	}
}

// sees fails unless the last that a person sees in a room is this.
func (p *target) sees(room ident.RoomID, want ...string) {
	p.t.Helper()
	got := p.shown(room)
	if len(got) > len(want) {
		got = got[len(got)-len(want):]
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("%s sees  %q\nwant %q", p.handle(), got, want)
	}
}

// refusal fails unless err is the client's and says this.
func refusal(t *testing.T, doing string, err error, says string) {
	t.Helper()
	wantCode(t, doing, err, client.Refused)
	if err != nil && !strings.Contains(err.Error(), says) {
		t.Errorf("%s: got %q, want it to say %q", doing, err, says)
	}
}

// frames gives the frames of one kind that a victim was sent, as pick picks them.
func frames[T any](v *evil.Victim, pick func(*wire.ServerFrame) *T) (list []*T) {
	for _, f := range v.Heard() {
		if picked := pick(f); picked != nil {
			list = append(list, picked)
		}
	}
	return list
}
