package client_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"snug/client"
	"snug/internal/testkit/evil"
	"snug/internal/wire"
)

// TestSiegeByInvite has people without a place on the server come in by invites that are not theirs any more. An invite is
// for one account and for a time; the server is honest here.
func TestSiegeByInvite(t *testing.T) {
	for _, row := range []struct {
		name, attack string
		script       func(t *testing.T, s *evil.Service, owner *target, code string)
		first        bool // the code is the one by which the owner came
	}{
		{"used again", `Mallory has seen the code that bob was sent, and registers by it after him.`, inviteAgain, false},
		{"used at once", `Mallory and bob register by one code in the same moment, in the hope that it counts for both.`, inviteRace, false},
		{"expired", `Mallory finds the code in an old mail.`, inviteExpired, false},
		{"guessed", `Mallory registers by codes that are almost right, or none.`, inviteGuessed, false},
		{"the owner's, too late", `Mallory finds the first start's one-time link in a log, and would own the server.`, inviteOwner, true},
		{"made by nobody", `Bob, who does not own the server, makes invites for his friends.`, inviteMade, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			t.Log(row.attack)
			synctest.Test(t, func(t *testing.T) {
				s := evil.StartWith(t, wire.RegistrationMode_REGISTRATION_MODE_INVITE)
				code, err := s.Server().OwnerInvite(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				owner := arrive(t, s)
				if err := owner.registerBy("owner", code); err != nil {
					t.Fatal(err)
				}
				made, err := owner.Invite(owner.ctx())
				if err != nil {
					t.Fatal(err)
				}
				if !row.first {
					code = made.Code
				}
				row.script(t, s, owner, code)
			})
		})
	}
}

func (p *target) registerBy(handle, code string) error {
	_, err := p.Register(p.ctx(), client.RegisterOptions{Handle: handle, Passphrase: passphrase, DeviceName: "laptop", Invite: code})
	return err
}

// outside fails unless a registration was refused for its invite and the server knows nobody of this handle.
func outside(t *testing.T, who, owner *target, handle string, err error) {
	t.Helper()
	refusal(t, "registering "+handle, err, "invite")
	if _, signedIn := who.Me(); signedIn {
		t.Errorf("%s is signed in", handle)
	}
	accounts, err := owner.Accounts(owner.ctx())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		if a.Handle == handle {
			t.Errorf("the server has an account of %s", handle)
		}
	}
}

func inviteAgain(t *testing.T, s *evil.Service, owner *target, code string) {
	bob, mallory := arrive(t, s), arrive(t, s)
	if err := bob.registerBy("bob", code); err != nil {
		t.Fatal(err)
	}
	outside(t, mallory, owner, "mallory", mallory.registerBy("mallory", code))
	// Nothing is lost: with an invite of her own the same client comes in.
	made, err := owner.Invite(owner.ctx())
	if err != nil {
		t.Fatal(err)
	}
	if err := mallory.registerBy("mallory", made.Code); err != nil {
		t.Errorf("registering by an invite of one's own: %v", err)
	}
}

func inviteRace(t *testing.T, s *evil.Service, owner *target, code string) {
	who := map[string]*target{"bob": arrive(t, s), "mallory": arrive(t, s)}
	errs := make(map[string]chan error)
	for handle, p := range who {
		ended := make(chan error, 1)
		errs[handle] = ended
		go func() { ended <- p.registerBy(handle, code) }()
	}
	in := 0
	for handle, ended := range errs {
		err := <-ended
		if err == nil {
			in++
			continue
		}
		outside(t, who[handle], owner, handle, err)
	}
	if in != 1 {
		t.Errorf("%d came in by one invite", in)
	}
}

func inviteExpired(t *testing.T, s *evil.Service, owner *target, code string) {
	owner.stop() // no week of pings
	s.Turn(7*24*time.Hour + time.Minute)
	mallory := arrive(t, s)
	err := mallory.registerBy("mallory", code)
	outside(t, mallory, &target{startOver(t, owner.line, owner.disk, nil), owner.line}, "mallory", err)
}

func inviteGuessed(t *testing.T, s *evil.Service, owner *target, code string) {
	mallory := arrive(t, s)
	other := byte('a')
	if code[len(code)-2] == other {
		other = 'b'
	}
	for name, guess := range map[string]string{"none": "", "changed": code[:len(code)-2] + string(other) + code[len(code)-1:],
		"cut": code[:len(code)-1], "a pattern": "%", "of another kind": "snug-link-" + strings.Repeat("a", 26)} {
		t.Log(name)
		err := mallory.registerBy("mallory", guess)
		if err == nil || !strings.Contains(err.Error(), "invite") {
			t.Errorf("registering: got %v, want it to say what is wrong with the invite", err)
		}
	}
	if err := mallory.registerBy("mallory", code); err != nil {
		t.Errorf("by the right one after wrong ones: %v", err)
	}
}

func inviteOwner(t *testing.T, s *evil.Service, owner *target, first string) {
	mallory := arrive(t, s)
	outside(t, mallory, owner, "mallory", mallory.registerBy("mallory", first))
	again, err := s.Server().OwnerInvite(t.Context())
	if err != nil || again != "" {
		t.Errorf("a server that is owned made the owner's invite %q, %v", again, err)
	}
	if !owner.me().Owner {
		t.Error("who came by the owner's invite is not the owner")
	}
}

func inviteMade(t *testing.T, s *evil.Service, _ *target, code string) {
	bob := arrive(t, s)
	if err := bob.registerBy("bob", code); err != nil {
		t.Fatal(err)
	}
	_, err := bob.Invite(bob.ctx())
	refusal(t, "making an invite", err, "only the server's owner makes invites")
}
