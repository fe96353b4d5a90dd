package mtls

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

var (
	// ErrUnpinned refuses to talk to just anybody: no fingerprint of the peer was
	// given. Nothing has been sent.
	ErrUnpinned = errors.New("mtls: no fingerprint to expect from the peer")

	// ErrUnnamed refuses to take anybody whom an authority has certified for the
	// one that was meant: no name was given. Nothing has been sent.
	ErrUnnamed = errors.New("mtls: no name to expect from the authority's certificates")

	// ErrTruncated ends the reading of a connection whose peer went away without
	// saying that it was done: data may be missing.
	ErrTruncated = errors.New("mtls: connection cut before the peer ended it")

	// errNoIdentity is a mistake of the caller.
	errNoIdentity = errors.New("mtls: no identity to show")
)

// Rule is what a peer did not satisfy, for programs: the text of a Reason may change.
type Rule string

// The rules. Those of trust may be overruled by a Decide: all but RuleNone,
// RuleProtocol, RuleWeak, RuleRevoked and RuleUnknownRevocation.
const (
	RuleNone              Rule = "no-certificate"     // it showed none
	RuleProtocol          Rule = "protocol"           // another ALPN or version of TLS
	RuleWeak              Rule = "weak"               // a key or signature of too few bits, anywhere in the chain
	RuleKey               Rule = "key"                // not a pinned one
	RuleAuthority         Rule = "authority"          // no chain to a root of ours
	RuleChain             Rule = "chain"              // more certificates than we look at
	RuleConstraint        Rule = "constraint"         // an authority did what it may not
	RuleExtension         Rule = "extension"          // critical, and unknown
	RuleExpired           Rule = "expired"            // anywhere in the chain
	RuleNotYetValid       Rule = "not-yet-valid"      // anywhere in the chain
	RulePurpose           Rule = "purpose"            // a client's for a server, and the like
	RuleName              Rule = "name"               // not one of those expected
	RuleRevoked           Rule = "revoked"            // a key, or a certificate by its list
	RuleUnknownRevocation Rule = "unknown-revocation" // a list is missing or out of date
)

// open reports whether a Decide may overrule it.
func (r Rule) open() bool {
	return !slices.Contains([]Rule{RuleNone, RuleProtocol, RuleWeak, RuleRevoked, RuleUnknownRevocation}, r)
}

// PeerError says that the peer is not the one expected. Nothing was sent to it but
// a handshake. Find it with errors.As.
type PeerError struct {
	Expected []Fingerprint // the pins; empty where any key may come
	Got      Fingerprint   // of the key that came; zero if none did

	ExpectedNames []Name // of an Authority; empty where any name may come
	GotNames      []Name // where the name was wrong: what the certificate carries

	Rule   Rule
	Reason string // in few words: "unknown key", "no certificate", "weak key: …"

	// undecided says that only trust is missing, so that Decide may be asked.
	undecided bool
}

// maxNamed and maxNameText bound what an error's text says of the peer's names: how
// many, and how many bytes of each.
const (
	maxNamed    = 8
	maxNameText = 120
)

// Error names the reason, what was expected and what came.
func (e *PeerError) Error() string {
	text := "mtls: wrong peer: " + e.Reason
	expected := either(e.Expected, "")
	if len(e.GotNames) > 0 || e.Rule == RuleName {
		if names := either(e.ExpectedNames, ""); names != "" {
			expected = names
		}
	}
	if expected != "" {
		text += ", expected " + expected
	}
	if e.Rule == RuleName {
		text += ", got " + either(e.GotNames[:min(len(e.GotNames), maxNamed)], "none") + " with the key"
	} else if !e.Got.IsZero() {
		text += ", got"
	}
	if !e.Got.IsZero() {
		text += " " + e.Got.String()
	}
	return text
}

// either lists alternatives.
func either[T fmt.Stringer](all []T, none string) string {
	if len(all) == 0 {
		return none
	}
	var texts []string
	for _, one := range all {
		text := one.String()
		if len(text) > maxNameText {
			text = strings.ToValidUTF8(text[:maxNameText], "") + "…"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " or ")
}

// RefusedError says that the peer refused us: our key is not one that it accepts,
// as a rule. Nothing that was written has reached its application.
type RefusedError struct {
	Reason string // the peer's alert, such as "tls: bad certificate"

	// Busy says that the peer accepts our key, and has no room for another
	// connection: later it may have.
	Busy bool
}

// Error gives the peer's reason.
func (e *RefusedError) Error() string {
	return "mtls: refused by the peer: " + strings.TrimPrefix(e.Reason, "tls: ")
}
