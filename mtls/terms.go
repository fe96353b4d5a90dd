package mtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// Terms are what one end asks of a connection, for who brings connections of their
// own: they take Config, and Judge says who the peer is. They never change; what
// may change is in Live, which does not know of such connections, so JudgeAgain has
// to be asked after a change. Safe from any goroutine.
type Terms struct {
	live      *Live
	dialing   bool
	protocols []string // with a confirmation
	plain     []string // without
	patience  time.Duration
	decide    Decide // may be nil
}

// DialTerms gives the terms of who dials. There is nobody to ask DecideUnverified, so
// it has to be nil. Errors as those of Dial.
func DialTerms(opts *ClientOptions) (*Terms, error) { return brought(opts.terms()) }

// ListenTerms gives the terms of who listens, as DialTerms does.
func ListenTerms(opts *ListenerOptions) (*Terms, error) { return brought(opts.terms()) }

func brought(t *Terms, err error) (*Terms, error) {
	if err == nil && t.decide != nil {
		return nil, errors.New("mtls: terms with a decision that nobody would ask for")
	}
	return t, err
}

// Config gives the TLS: its handshake judges the peer. It is the caller's, but a
// change to it can undo its checks. The confirmation is left to the caller.
func (t *Terms) Config() *tls.Config { return t.config() }

// Judge gives the peer of a connection whose handshake is complete, by the present
// trust; the error is a *PeerError.
func (t *Terms) Judge(state tls.ConnectionState) (Peer, error) {
	return t.judged(state, time.Time{})
}

// JudgeAgain judges a peer again that was let in at a time, as Live.Set does: by the
// present trust, but of dates by that time, and without asking whether revocation
// lists have grown old since. Results as those of Judge.
func (t *Terms) JudgeAgain(state tls.ConnectionState, since time.Time) (Peer, error) {
	return t.judged(state, since)
}

func (t *Terms) judged(state tls.ConnectionState, since time.Time) (Peer, error) {
	if !state.HandshakeComplete {
		return Peer{}, &PeerError{Rule: RuleNone, Reason: "handshake not complete"}
	}
	peer, refusal := t.judge(t.live.current.Load(), state, since)
	return peer, asError(refusal)
}

func (o *ClientOptions) terms() (*Terms, error) {
	if o == nil {
		return nil, errNoIdentity
	}
	t := &Terms{dialing: true, protocols: o.Protocols, plain: o.PlainProtocols, patience: o.Patience, decide: o.DecideUnverified}
	return t.with(o.Live, o.Identity, o.Trust)
}

func (o *ListenerOptions) terms() (*Terms, error) {
	if o == nil {
		return nil, errNoIdentity
	}
	t := &Terms{protocols: o.Protocols, plain: o.PlainProtocols, patience: o.Patience, decide: o.DecideUnverified}
	if t.decide != nil {
		t.decide = bounded(t.decide)
	}
	return t.with(o.Live, o.Identity, o.Trust)
}

// with completes the terms by who we are and whom we trust, and checks them.
func (t *Terms) with(live *Live, id *Identity, trust Trust) (*Terms, error) {
	switch {
	case live == nil:
		live = &Live{}
		s, err := newStanding(id, trust, t.decide != nil)
		if err != nil {
			return nil, err
		}
		live.current.Store(s)
	case id != nil || !trust.empty():
		return nil, errors.New("mtls: Live and an Identity or a Trust beside it")
	}
	t.live = live
	if t.dialing {
		if err := live.Trust().checkDialing(); err != nil {
			return nil, err
		}
	}
	if len(t.protocols) == 0 && len(t.plain) == 0 {
		t.protocols = []string{Protocol}
	}
	if t.patience <= 0 {
		t.patience = handshakeTimeout
	}
	if slices.Contains(t.protocols, NoProtocol) {
		return nil, errors.New("mtls: no protocol")
	}
	t.protocols, t.plain = slices.Clone(t.protocols), slices.Clone(t.plain)
	return t, nil
}

// confirmed reports whether a listener says one byte when it has judged.
func (t *Terms) confirmed(conn *tls.Conn) bool {
	return slices.Contains(t.protocols, conn.ConnectionState().NegotiatedProtocol)
}

// verify is what VerifyConnection calls, inside of the handshake.
func (t *Terms) verify(state tls.ConnectionState) error {
	_, err := t.judge(t.live.current.Load(), state, time.Time{})
	if err != nil && t.decide != nil && err.undecided {
		return nil // decided in accept, before the application hears of the peer
	}
	return asError(err)
}

// judge is the only judgement of a peer that there is. since is when the peer was
// let in before; the zero time, if it was not.
func (t *Terms) judge(s *standing, state tls.ConnectionState, since time.Time) (Peer, *PeerError) {
	cert, refusal := peerCertificate(state, slices.Concat(t.protocols, t.plain)...)
	if refusal != nil {
		refusal.Expected = slices.Clone(s.verifier.trust.Pins)
		return Peer{}, refusal
	}
	h := hearing{leaf: cert, others: state.PeerCertificates[1:], purpose: x509.ExtKeyUsageClientAuth, at: since, again: !since.IsZero()}
	if t.dialing {
		h.purpose = x509.ExtKeyUsageServerAuth
	}
	if !h.again {
		h.at = s.verifier.now()
	}
	peer, refusal := s.verifier.judge(h)
	if h.again && refusal != nil && refusal.Rule == RuleNotYetValid {
		// There are authorities in the trust that were not yet then.
		h.at = s.verifier.now()
		peer, refusal = s.verifier.judge(h)
	}
	return peer, refusal
}

// accept makes a Conn of a connection whose handshake is complete. Between the
// handshake's judgement and the moment from which changes of trust reach the
// connection there may have been one, so it is judged again once they do.
func (t *Terms) accept(ctx context.Context, conn *tls.Conn, w *wire) (*Conn, error) {
	c := &living{wire: w, terms: t, state: conn.ConnectionState(), since: t.live.current.Load().verifier.now()}
	if t.decide != nil {
		c.verdict = pending
	}
	t.live.enter(c)
	peer, err := t.admit(ctx, conn, c)
	if err != nil {
		t.live.leave(w)
		return nil, err
	}
	return &Conn{Conn: conn, peer: peer}, nil
}

// admit judges who has entered, or has them decided about.
func (t *Terms) admit(ctx context.Context, conn *tls.Conn, c *living) (Peer, error) {
	s, final := t.live.current.Load(), uncalled
	peer, refusal := t.judge(s, c.state, time.Time{})
	if refusal != nil && refusal.undecided && t.decide != nil {
		decided, err := t.ask(ctx, conn, c.wire, refusal)
		if err != nil {
			return Peer{}, err
		}
		peer, refusal, final = decided, nil, accepted
	}
	if refusal != nil {
		return Peer{}, refusal
	}
	if t.decide == nil {
		return peer, nil
	}
	// While it was pending a change of trust did not reach it.
	t.live.settle(c, final)
	if now := t.live.current.Load(); now != s {
		if refusal := c.judge(now, final); refusal != nil {
			return Peer{}, refusal
		}
	}
	return peer, nil
}

// asError keeps a nil *PeerError from becoming an error.
func asError(err *PeerError) error {
	if err == nil {
		return nil
	}
	return err
}
