package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"slices"
	"time"
)

// Reason is why a certificate is revoked (RFC 5280, Section 5.3.1), in the words of the command line.
type Reason string

// reasons are all of them, with what openssl calls them and their code. Of those of lists only the hold is not for us to
// give; it may stand in an index that is taken over.
var reasons = []struct {
	ours    Reason
	openSSL string
	code    int
}{
	{"unspecified", "unspecified", 0},
	{"key-compromise", "keyCompromise", 1},
	{"ca-compromise", "CACompromise", 2},
	{"affiliation-changed", "affiliationChanged", 3},
	{"superseded", "superseded", 4},
	{"cessation", "cessationOfOperation", 5},
	{"hold", "certificateHold", 6},
}

// ParseReason reads one; empty is none.
func ParseReason(s string) (Reason, error) {
	for _, r := range reasons[:len(reasons)-1] {
		if s == string(r.ours) || s == "" {
			return Reason(s), nil
		}
	}
	return "", fmt.Errorf("pki: %q is no reason: want key-compromise, affiliation-changed, superseded, cessation or unspecified", s)
}

func parseOpenSSL(s string) (Reason, error) {
	for _, r := range reasons {
		switch s {
		case "":
			return "", nil
		case r.openSSL:
			return r.ours, nil
		case "holdInstruction": // with an instruction, which nobody heeds any more
			return "hold", nil
		case "keyTime":
			return "key-compromise", nil
		case "CAkeyTime":
			return "ca-compromise", nil
		}
	}
	return "", fmt.Errorf("the reason %q", s)
}

func (r Reason) openSSL() string {
	for _, other := range reasons {
		if other.ours == r {
			return other.openSSL
		}
	}
	return "unspecified"
}

func (r Reason) code() int {
	for _, other := range reasons {
		if other.ours == r {
			return other.code
		}
	}
	return 0
}

// Revoke withdraws all certificates of a name that have not ended, or the one with a serial number in hex, and signs a
// new list. What was revoked already stays so, and is no error as long as there is something: the list is signed anew. It
// gives the entries that were withdrawn now.
func (a *Authority) Revoke(of string, reason Reason) ([]*Entry, error) {
	if _, err := ParseReason(string(reason)); err != nil {
		return nil, err
	}
	var revoked []*Entry
	now := a.settings.now().UTC().Truncate(time.Second)
	some := func(ix *index) error {
		found := ix.named(of)
		if len(found) == 0 {
			return fmt.Errorf("%w: no certificate %q", ErrNone, of)
		}
		if !slices.ContainsFunc(found, func(e *Entry) bool { return e.StateAt(now) != Expired }) {
			return fmt.Errorf("%w: every certificate %q has ended", ErrNone, of)
		}
		return nil
	}
	_, err := a.change(some, func(ix *index, _ crypto.Signer) (*Issued, error) {
		for _, e := range ix.named(of) {
			if e.StateAt(now) == Valid {
				e.Revoked, e.Reason = now, reason
				revoked = append(revoked, e)
			}
		}
		return nil, a.saveIndex(ix)
	})
	return revoked, err
}

// SignList signs a new list of what is revoked, so that those who rely on it know that it is the newest.
func (a *Authority) SignList() error {
	_, err := a.change(func(*index) error { return nil }, func(*index, crypto.Signer) (*Issued, error) { return nil, nil })
	return err
}

// signList writes the list of what is revoked. Entries stay after their certificates have ended: a clock that is behind
// would take those for valid.
func (a *Authority) signList(ix *index, key crypto.Signer) error {
	number, err := a.nextNumber()
	if err != nil {
		return err
	}
	now := a.settings.now()
	shape := &x509.RevocationList{Number: number, ThisUpdate: now.Add(-skew), NextUpdate: now.Add(listTTL)}
	for _, e := range ix.entries {
		if !e.Revoked.IsZero() {
			shape.RevokedCertificateEntries = append(shape.RevokedCertificateEntries,
				x509.RevocationListEntry{SerialNumber: e.Serial, RevocationTime: e.Revoked, ReasonCode: e.Reason.code()})
		}
	}
	der, err := x509.CreateRevocationList(rand.Reader, shape, a.certificate, key)
	if err != nil {
		return fmt.Errorf("pki: signing the revocation list: %w", err)
	}
	// The number first: it must never stand on two lists. Like openssl's, the file holds the next one.
	next := new(big.Int).Add(number, big.NewInt(1))
	if err := a.settings.disk.write(a.Path(numberFile), fmt.Appendf(nil, "%s\n", hexSerial(next)), 0o644); err != nil {
		return err
	}
	return a.settings.disk.write(a.Path(ListFile), encode(pemList, der), 0o644)
}

// nextNumber gives the number of the next list, by the file and by the last list: the higher one.
func (a *Authority) nextNumber() (*big.Int, error) {
	number, err := readNumber(a.Path(numberFile))
	if errors.Is(err, fs.ErrNotExist) {
		number, err = big.NewInt(1), nil
	}
	if err != nil {
		return nil, err
	}
	list, err := a.RevocationList()
	if errors.Is(err, fs.ErrNotExist) {
		return number, nil
	}
	if err != nil {
		return nil, err
	}
	if list.Number != nil && list.Number.Cmp(number) >= 0 {
		number = new(big.Int).Add(list.Number, big.NewInt(1))
	}
	return number, nil
}

// RevocationList reads the list that was signed last.
func (a *Authority) RevocationList() (*x509.RevocationList, error) {
	text, err := read(a.Path(ListFile), maxIndex)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemList {
		return nil, fmt.Errorf("pki: %s holds no revocation list", a.Path(ListFile))
	}
	list, err := x509.ParseRevocationList(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("pki: %s does not parse: %v", a.Path(ListFile), err)
	}
	return list, nil
}
