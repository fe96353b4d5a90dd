package pki

import (
	"cmp"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Renewal says how to renew.
type Renewal struct {
	// NewKey makes a new key too. Peers who have pinned the old one then have to be told.
	NewKey bool
	// Passphrase seals the new key.
	Passphrase []byte
}

// Renew issues a certificate anew, in the place of the old one: with its names and purposes, as long as it, from now. The
// old one holds until it ends. One that was revoked is not renewed: whoever has its key would be let in again.
func (a *Authority) Renew(of string, r Renewal) (*Issued, error) {
	for {
		old, err := a.Show(of)
		if err != nil {
			return nil, err
		}
		issued, err := a.renew(of, old, r)
		if err != errReplaced {
			return issued, err
		}
	}
}

// errReplaced says that another process has issued the certificate anew since it was looked at.
var errReplaced = errors.New("pki: another process has renewed it")

// renew issues a certificate in the place of old. Where that does not lie there any more, its key may not either.
func (a *Authority) renew(of string, old *Issued, r Renewal) (*Issued, error) {
	var err error
	var key crypto.Signer
	var sealed []byte
	public := old.Certificate.PublicKey
	if r.NewKey {
		if key, err = generate(algorithm(public)); err != nil {
			return nil, err
		}
		if sealed, err = MarshalKey(key, r.Passphrase); err != nil {
			return nil, err
		}
		public = key.Public()
	}
	live := func(ix *index) error {
		for _, e := range ix.named(of) {
			if e.Serial.Cmp(old.Certificate.SerialNumber) == 0 && !e.Revoked.IsZero() {
				return fmt.Errorf("pki: %s was revoked on %s: issue another one", of, e.Revoked.Format(time.RFC3339))
			}
		}
		return nil
	}
	return a.change(live, func(ix *index, authority crypto.Signer) (*Issued, error) {
		if now, err := a.Show(of); err != nil || !now.Certificate.Equal(old.Certificate) {
			return nil, cmp.Or(err, errReplaced)
		}
		return a.issue(ix, authority, of, again(old.Certificate), public, life(old.Certificate), sealed)
	})
}

// algorithm is the kind of key that takes the place of another.
func algorithm(public crypto.PublicKey) Algorithm {
	if _, edwards := public.(ed25519.PublicKey); edwards {
		return Ed25519
	}
	return P256
}

// again is the certificate as it was asked for.
func again(old *x509.Certificate) *x509.Certificate {
	return &x509.Certificate{
		Subject: old.Subject, KeyUsage: old.KeyUsage, ExtKeyUsage: old.ExtKeyUsage, BasicConstraintsValid: true,
		DNSNames: old.DNSNames, IPAddresses: old.IPAddresses, URIs: old.URIs,
	}
}

// life is how long a certificate holds that date has dated.
func life(cert *x509.Certificate) time.Duration {
	return max(cert.NotAfter.Sub(cert.NotBefore)-skew, minTTL)
}

// DueAt gives when a certificate should be renewed: with two thirds of its life gone, so that a third is left for trying
// again.
func DueAt(cert *x509.Certificate) time.Time {
	return cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore) / 3 * 2)
}

// RenewDue renews a certificate if it is due, with its key, for programs that run on: whoever watches its file takes it
// over. next is when to ask again: when the certificate that lies there then is due.
func (a *Authority) RenewDue(of string) (renewed bool, next time.Time, err error) {
	for {
		old, err := a.Show(of)
		if err != nil {
			return false, time.Time{}, err
		}
		if due := DueAt(old.Certificate); a.settings.now().Before(due) {
			return false, due, nil
		}
		issued, err := a.renew(of, old, Renewal{})
		switch {
		case err == nil:
			return true, DueAt(issued.Certificate), nil
		case err != errReplaced:
			return false, time.Time{}, err
		}
	}
}
