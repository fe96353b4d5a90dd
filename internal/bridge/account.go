package bridge

import (
	"context"
	"errors"
	"time"

	"snug/client"
	"snug/internal/ident"
)

func (s *Server) state() isPacket_Body {
	state := new(State)
	if me, ok := s.core.Me(); ok {
		state.Me = toMe(me)
	}
	s.mu.Lock()
	state.Connection = s.connection
	s.mu.Unlock()
	return &Packet_State{State: state}
}

// entering is how long signing in and signing up may take: a slow phone stretches the passphrase for a good part of it. Whoever
// looks at a form in which nothing can be changed meanwhile gets it back then, if the server has not come.
const entering = 2 * time.Minute

func (s *Server) register(ctx context.Context, r *Register) (isPacket_Body, error) {
	ctx, cancel := context.WithTimeout(ctx, entering)
	defer cancel()
	me, err := s.core.Register(ctx, client.RegisterOptions{
		Handle: r.GetHandle(), Passphrase: r.GetPassphrase(), Invite: r.GetInvite(), DeviceName: r.GetDeviceName(), Progress: s.progress,
	})
	if err != nil {
		return nil, err
	}
	return &Packet_Me{Me: toMe(me)}, nil
}

func (s *Server) login(ctx context.Context, l *Login) (isPacket_Body, error) {
	ctx, cancel := context.WithTimeout(ctx, entering)
	defer cancel()
	me, err := s.core.Login(ctx, client.LoginOptions{
		Handle: l.GetHandle(), Passphrase: l.GetPassphrase(), DeviceName: l.GetDeviceName(), Progress: s.progress,
	})
	if err != nil {
		return nil, err
	}
	return &Packet_Me{Me: toMe(me)}, nil
}

func (s *Server) progress(p client.Progress) {
	s.post(&Packet{Body: &Packet_Progress{Progress: &Progress{Step: p.Step, ExpectMs: uint32(p.Expect.Milliseconds())}}})
	// The page paints the step before the core takes the processor for a second: in a browser the two share a thread
	// until the message has left.
	time.Sleep(time.Millisecond)
}

// patience is how long a verb of the account waits for the server: people who look at a button want to hear that it did
// not work, and what they can do.
const patience = 30 * time.Second

// bounded carries out a verb that gives nothing but its error, with a deadline.
func bounded(ctx context.Context, verb func(context.Context) error) (isPacket_Body, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return done(verb(ctx))
}

func (s *Server) changePassphrase(ctx context.Context, p *ChangePassphrase) (isPacket_Body, error) {
	return bounded(ctx, func(ctx context.Context) error {
		return s.core.ChangePassphrase(ctx, client.ChangePassphraseOptions{Passphrase: p.GetPassphrase(), Repair: p.GetRepair(), Progress: s.progress})
	})
}

func (s *Server) suggestPassphrase() (isPacket_Body, error) {
	words, err := ident.GeneratePassphrase(s.rand)
	if err != nil {
		return nil, err
	}
	return &Packet_Passphrase{Passphrase: &Passphrase{Words: words}}, nil
}

func judgePassphrase(passphrase string) (isPacket_Body, error) {
	judgement := new(Judgement)
	if err := ident.CheckPassphrase(passphrase); err != nil {
		judgement.Problem = err.Error()
		if weak, ok := errors.AsType[*ident.WeakPassphraseError](err); ok {
			judgement.Problem = weak.Reason
		}
	}
	return &Packet_Judgement{Judgement: judgement}, nil
}

// accounts answers with what list gives.
func accounts(ctx context.Context, list func(context.Context) ([]client.Account, error)) (isPacket_Body, error) {
	accounts, err := list(ctx)
	if err != nil {
		return nil, err
	}
	answer := new(Accounts)
	for _, a := range accounts {
		answer.Accounts = append(answer.Accounts, &Account{
			Account: a.ID.String(), Handle: a.Handle, Online: a.Online, SeenAt: milliseconds(a.SeenAt),
		})
	}
	return &Packet_Accounts{Accounts: answer}, nil
}

func (s *Server) createInvite(ctx context.Context) (isPacket_Body, error) {
	invite, err := s.core.Invite(ctx)
	if err != nil {
		return nil, err
	}
	return &Packet_Invite{Invite: &Invite{Code: invite.Code, ExpiresAt: milliseconds(invite.ExpiresAt)}}, nil
}

func toMe(me client.Me) *Me {
	return &Me{
		Account: me.Account.String(), Handle: me.Handle, Device: me.Device.String(), DeviceName: me.DeviceName, Owner: me.Owner,
	}
}

// milliseconds since 1970; 0 for the zero time, which is no time.
func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
