package mtls_test

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"testing"
	"time"

	"snug/mtls"
)

// newPair makes a certificate and its key, in PEM.
func (h *home) newPair(ca *authority, name string) (certificate, key []byte) {
	h.t.Helper()
	private := newKey(h.t)
	leaf := ca.sign(&x509.Certificate{
		SerialNumber: newSerial(ca), DNSNames: []string{name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}, ca.cert, &private.PublicKey)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		h.t.Fatal(err)
	}
	return pemOf("CERTIFICATE", leaf.Raw), pemOf("PRIVATE KEY", der)
}

// paired has the certificate and the key in two files, which a Watcher follows.
func paired(t *testing.T, ca *authority, name, peer string) (*home, *mtls.Watcher) {
	t.Helper()
	h, _ := newHome(t, ca, name, peer)
	certificate, key := h.newPair(ca, name)
	h.put("pair.pem", certificate)
	h.put("pair.key", key)
	h.files.Certificate, h.files.Key = h.path("pair.pem"), h.path("pair.key")
	w, err := mtls.Watch(h.files, func(cut int, err error) { h.told <- telling{cut, err} })
	if err != nil {
		t.Fatal(err)
	}
	return h, w
}

// TestHalfPair: of a pair that is replaced one file after the other, or was left half replaced, the old one is used until the
// new one is there whole; and who is revoked meanwhile is.
func TestHalfPair(t *testing.T) {
	for _, first := range []string{"pair.key", "pair.pem"} {
		t.Run(first, func(t *testing.T) {
			ca := newAuthority(t, "ours")
			_, dialing := newHome(t, ca, "alice", "bob")
			h, listening := paired(t, ca, "bob", "alice")
			before := listening.Live().Identity().Fingerprint()
			certificate, key := h.newPair(ca, "bob")
			pair := map[string][]byte{"pair.pem": certificate, "pair.key": key}
			h.put(first, pair[first])
			for range 2 { // and told once
				if err := listening.Check(); !errors.Is(err, mtls.ErrMismatch) {
					t.Errorf("half a pair: %v, want ErrMismatch", err)
				}
			}
			if got := len(h.told); got != 1 || listening.Live().Identity().Fingerprint() != before {
				t.Errorf("told %d times, want once; shown is %v, want %v", got, listening.Live().Identity().Fingerprint(), before)
			}
			if told := <-h.told; !errors.Is(told.err, mtls.ErrMismatch) {
				t.Errorf("told %v, want ErrMismatch", told.err)
			}

			dialed, accepted, dialError, refusal := rendezvous(t, &mtls.ClientOptions{Live: dialing.Live()}, &mtls.ListenerOptions{Live: listening.Live()})
			if dialError != nil {
				t.Fatal(dialError, refusal)
			}
			h.put("keys", []byte(dialing.Live().Identity().Fingerprint().String()+"\n"))
			if err := listening.Check(); !errors.Is(err, mtls.ErrMismatch) {
				t.Errorf("half a pair still: %v, want ErrMismatch", err)
			}
			_, err := accepted.Read(make([]byte, 1))
			wantRule(t, err, mtls.RuleRevoked)
			dialed.Close()
			if told := <-h.told; told.err != nil || told.cut != 1 {
				t.Errorf("told %v, want one cut", told)
			}

			for name, text := range pair {
				h.put(name, text)
			}
			if err := listening.Check(); err != nil {
				t.Errorf("the whole pair: %v", err)
			}
			if got := listening.Live().Identity().Fingerprint(); got == before || len(h.told) != 1 {
				t.Errorf("shown is %v, and told %d times", got, len(h.told))
			}
		})
	}
}

// TestPairReadInTheMiddle: a pair that is replaced between the reading of its two files is read again.
func TestPairReadInTheMiddle(t *testing.T) {
	ca := newAuthority(t, "ours")
	h, _ := paired(t, ca, "bob", "alice")
	certificate, key := h.newPair(ca, "bob")
	h.put("pair.key", key)
	opened := 0
	h.files.OpenKey = func(text []byte) (crypto.Signer, error) {
		if opened++; opened == 1 { // the old certificate was read
			h.put("pair.pem", certificate)
		}
		block, _ := pem.Decode(text)
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		return parsed.(crypto.Signer), nil
	}
	id, _, err := h.files.Load()
	if err != nil || opened != 2 {
		t.Fatalf("%v, after %d times", err, opened)
	}
	certs, err := mtls.ParseCertificates(certificate)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := id.Fingerprint(), mtls.FingerprintOf(certs[0]); got != want {
		t.Errorf("shown is %v, want %v", got, want)
	}
}
