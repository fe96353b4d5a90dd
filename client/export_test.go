package client

import (
	"context"
	"io"
	"time"

	"snug/internal/ident"
	"snug/mls"
)

// CheckLifetime is what members are held to.
func CheckLifetime(l mls.Lifetime) error { return checkLifetime(l) }

// StretchCheaply makes passphrases cost next to nothing, so that many accounts can sign in.
func (c *Client) StretchCheaply() {
	c.stretch = ident.DerivePassphraseKeysInsecure
	c.params = func() ident.PassphraseParams { return cheap }
}

// StretchInName stretches as cheaply, and says that it did what a real server insists upon.
func (c *Client) StretchInName() {
	c.params = ident.DefaultPassphraseParams
	c.stretch = func(passphrase string, salt []byte, _ ident.PassphraseParams) (ident.AuthKey, ident.WrapKey, error) {
		return ident.DerivePassphraseKeysInsecure(passphrase, salt, cheap)
	}
}

// FollowRequests has so many rooms followed that wait to be accepted, rather than thousands.
func (c *Client) FollowRequests(n int) { c.core.cfg.requests = n }

// StretchTruly stretches as people's clients do.
func (c *Client) StretchTruly() { c.stretch = ident.DerivePassphraseKeys }

var cheap = ident.PassphraseParams{MemoryKiB: 8, Passes: 1, Lanes: 1}

// Stepper drives a core by hand. Output is what its last step asked for.
type Stepper struct {
	core    *Core
	Batch   Batch
	Frames  [][]byte
	Dial    bool
	HangUp  bool
	Wake    time.Time
	Replies []Reply
}

// Reply answers a call.
type Reply struct {
	Call  uint64
	Value any
	Err   error
}

func NewStepper(rand io.Reader, log Logger) *Stepper {
	return &Stepper{core: newCore(coreConfig{rand: rand, agent: "sim", provesDevice: true, log: log})}
}

func (s *Stepper) step(ctx context.Context, store Store, now time.Time, in input) error {
	out, err := s.core.Step(ctx, store, now, in)
	s.Batch, s.Frames, s.Dial, s.HangUp, s.Wake, s.Replies = out.batch, out.frames, out.dial, out.hangUp, out.wake, nil
	for _, d := range out.done {
		s.Replies = append(s.Replies, Reply{d.call, d.value, d.err})
	}
	return err
}

// StepFunc is one step; it can be taken again after Rollback.
type StepFunc func(ctx context.Context, store Store, now time.Time) error

func (s *Stepper) of(in input) StepFunc {
	return func(ctx context.Context, store Store, now time.Time) error { return s.step(ctx, store, now, in) }
}

func (s *Stepper) Tick() StepFunc              { return s.of(inputTick{}) }
func (s *Stepper) Connected() StepFunc         { return s.of(inputConnected{}) }
func (s *Stepper) Disconnected() StepFunc      { return s.of(inputDisconnected{io.ErrUnexpectedEOF}) }
func (s *Stepper) Frame(frame []byte) StepFunc { return s.of(inputFrame{frame}) }
func (s *Stepper) Rollback()                   { s.core.rollback() }
func (s *Stepper) Key() ident.PublicKey        { return s.core.mem.key.Public() }
func (s *Stepper) Device() ident.DeviceID      { return s.me().Device }
func (s *Stepper) Account() ident.AccountID    { return s.me().Account }
func (s *Stepper) me() Me {
	if s.core.mem == nil || s.core.mem.account == nil {
		return Me{}
	}
	return s.core.mem.account.me
}
func (s *Stepper) verb(call uint64, begin func(c *Core)) StepFunc {
	return s.of(inputCall{call, func(c *Core, _ uint64) { begin(c) }})
}

// LimitRooms has rooms be full with so many devices, until the test ends.
func LimitRooms(t interface{ Cleanup(func()) }, devices int) {
	was := roomLimit
	roomLimit = devices
	t.Cleanup(func() { roomLimit = was })
}

// KeyPackageAt makes a key package as this device would have done at another time.
func (c *Client) KeyPackageAt(ctx context.Context, at time.Time) ([]byte, error) {
	return call[[]byte](ctx, c, func(c *Core, call uint64) {
		now, me := c.now, c.mem.account.me
		c.now = at
		packages, _ := c.newKeyPackages(c.chain(me.Account), me.Device, 1)
		c.now = now
		c.reply(call, packages[0], nil)
	})
}
