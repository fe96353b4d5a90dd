package mtls

import (
	"errors"
	"strings"
)

var (
	// ErrUnpinned refuses to talk to just anybody: no fingerprint of the peer was
	// given. Nothing has been sent.
	ErrUnpinned = errors.New("mtls: no fingerprint to expect from the peer")

	// ErrTruncated ends the reading of a connection whose peer went away without
	// saying that it was done: data may be missing.
	ErrTruncated = errors.New("mtls: connection cut before the peer ended it")

	// errNoIdentity is a mistake of the caller.
	errNoIdentity = errors.New("mtls: no identity to show")
)

// PeerError says that the peer is not the one expected. Nothing was sent to it but
// a handshake. Find it with errors.As.
type PeerError struct {
	Expected []Fingerprint // the pins; empty where any key may come
	Got      Fingerprint   // of the key that came; zero if none did
	Reason   string        // in few words: "unknown key", "no certificate", "weak key: …"

	// undecided says that only trust is missing, so that Decide may be asked.
	undecided bool
}

// Error names the reason, what was expected and what came.
func (e *PeerError) Error() string {
	var b strings.Builder
	b.WriteString("mtls: wrong peer: " + e.Reason)
	if len(e.Expected) > 0 {
		b.WriteString(", expected ")
		for i, f := range e.Expected {
			if i > 0 {
				b.WriteString(" or ")
			}
			b.WriteString(f.String())
		}
	}
	if !e.Got.IsZero() {
		b.WriteString(", got " + e.Got.String())
	}
	return b.String()
}

// RefusedError says that the peer refused us: our key is not one that it accepts,
// as a rule. Nothing that was written has reached its application.
type RefusedError struct {
	Reason string // the peer's alert, such as "tls: bad certificate"
}

// Error gives the peer's reason.
func (e *RefusedError) Error() string {
	return "mtls: refused by the peer: " + strings.TrimPrefix(e.Reason, "tls: ")
}
