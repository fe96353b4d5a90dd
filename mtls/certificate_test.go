package mtls_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snug/mtls"
)

// TestLoadCertificate: a chain and a key from files, or one clear error.
func TestLoadCertificate(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t, "ours")
	key, other := newKey(t), newKey(t)
	leaf := ca.sign(&x509.Certificate{SerialNumber: big.NewInt(9), NotBefore: now, NotAfter: now.Add(time.Hour), DNSNames: []string{"alice"}}, ca.cert, &key.PublicKey)
	chain := string(pemOf("CERTIFICATE", leaf.Raw)) + string(pemOf("CERTIFICATE", ca.cert.Raw))
	pkcs8 := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pemOf("PRIVATE KEY", der))
	}
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		certificate, key string
		mode             os.FileMode
		words            string
	}{
		"PKCS #8":             {chain, pkcs8(key), 0o600, ""},
		"SEC 1":               {chain, string(pemOf("EC PRIVATE KEY", sec1)), 0o600, ""},
		"both in one text":    {pkcs8(key) + chain, pkcs8(key) + chain, 0o600, ""},
		"two keys":            {chain, pkcs8(other) + pkcs8(key), 0o600, ""},
		"a sealed one first":  {chain, string(pemOf("ENCRYPTED PRIVATE KEY", []byte("x"))) + pkcs8(key), 0o600, ""},
		"two of others":       {chain, pkcs8(other) + pkcs8(newKey(t)), 0o600, "not that of the certificate"},
		"too many keys":       {chain, strings.Repeat(pkcs8(other), 8) + pkcs8(key), 0o600, "not that of the certificate"},
		"another key":         {chain, pkcs8(other), 0o600, "not that of the certificate"},
		"the wrong order":     {string(pemOf("CERTIFICATE", ca.cert.Raw)) + string(pemOf("CERTIFICATE", leaf.Raw)), pkcs8(key), 0o600, "has to be the first"},
		"no certificate":      {"", pkcs8(key), 0o600, "no \"CERTIFICATE\""},
		"no key":              {chain, chain, 0o600, "no private key"},
		"a broken key":        {chain, string(pemOf("PRIVATE KEY", []byte("x"))), 0o600, "does not parse"},
		"a broken one":        {string(pemOf("CERTIFICATE", []byte("x"))), pkcs8(key), 0o600, "certificate 1 does not parse"},
		"a key for all":       {chain, pkcs8(key), 0o644, "must be 0600"},
		"under a passphrase":  {chain, string(pemOf("ENCRYPTED PRIVATE KEY", []byte("x"))), 0o600, "passphrase"},
		"a chain too long":    {strings.Repeat(chain, 5), pkcs8(key), 0o600, "at most 8"},
		"far too big":         {chain, pkcs8(key) + strings.Repeat("x", 20_000), 0o600, "more than"},
		"far too big a chain": {chain + strings.Repeat("x", 600_000), pkcs8(key), 0o600, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			certificatePath, keyPath := filepath.Join(dir, "certificate"), filepath.Join(dir, "key")
			for path, text := range map[string]string{certificatePath: row.certificate, keyPath: row.key} {
				os.Remove(path)
				if err := os.WriteFile(path, []byte(text), row.mode); err != nil {
					t.Fatal(err)
				}
			}
			id, err := mtls.LoadCertificate(certificatePath, keyPath)
			if row.words != "" {
				if err == nil || !strings.Contains(err.Error(), row.words) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want a line with %q", err, row.words)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if names := id.Names(); id.Fingerprint() != mtls.FingerprintOf(leaf) || !id.NotAfter().Equal(leaf.NotAfter) || len(names) != 1 || names[0].String() != "dns:alice" {
				t.Errorf("loaded %v until %v, named %v", id.Fingerprint(), id.NotAfter(), names)
			}
			if err := id.Save(filepath.Join(dir, "saved")); err == nil {
				t.Error("saved, and so lost the chain")
			}
		})
	}
	if _, err := mtls.LoadCertificate(filepath.Join(dir, "none"), filepath.Join(dir, "key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v, want ErrNotExist", err)
	}
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// TestFlippedCertificates changes a bit in each byte of a chain: nothing that is not what the authority has signed is
// taken for it.
func TestFlippedCertificates(t *testing.T) {
	ca := newAuthority(t, "ours")
	alice := ca.issue([]string{"dns:alice"}, nil)
	terms, err := mtls.ListenTerms(&mtls.ListenerOptions{Identity: alice, Trust: ca.trust("alice")})
	if err != nil {
		t.Fatal(err)
	}
	state := tls.ConnectionState{HandshakeComplete: true, Version: tls.VersionTLS13, NegotiatedProtocol: mtls.Protocol}
	judge := func(der []byte) (parsed bool, err error) {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return false, err
		}
		state.PeerCertificates = []*x509.Certificate{cert, ca.cert}
		_, err = terms.Judge(state)
		return true, err
	}
	leaf := alice.Certificate()
	if _, err := judge(leaf); err != nil {
		t.Fatalf("as it is: %v", err)
	}
	judged := 0
	for at := range leaf {
		for bit := range 8 {
			leaf[at] ^= 1 << bit
			parsed, err := judge(leaf)
			if err == nil {
				t.Errorf("byte %d, bit %d: accepted", at, bit)
			}
			if parsed {
				judged++
			}
			leaf[at] ^= 1 << bit
		}
	}
	if judged < 500 {
		t.Errorf("only %d of them were certificates at all", judged)
	}
}

// FuzzParseCertificate: an identity's certificate is for its key, or there is none.
func FuzzParseCertificate(f *testing.F) {
	ca := newAuthority(f, "ours")
	key := newKey(f)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.Fatal(err)
	}
	leaf := ca.sign(&x509.Certificate{SerialNumber: big.NewInt(9), NotBefore: now, NotAfter: now}, ca.cert, &key.PublicKey)
	f.Add(pemOf("CERTIFICATE", leaf.Raw), pemOf("PRIVATE KEY", der))
	f.Add(pemOf("CERTIFICATE", ca.cert.Raw), pemOf("ENCRYPTED PRIVATE KEY", der))
	f.Fuzz(func(t *testing.T, certificates, key []byte) {
		id, err := mtls.ParseCertificate(certificates, key)
		if (id == nil) == (err == nil) {
			t.Fatalf("got %v and %v", id, err)
		}
		if id == nil {
			return
		}
		cert, err := x509.ParseCertificate(id.Certificate())
		if err != nil || mtls.FingerprintOf(cert) != id.Fingerprint() {
			t.Errorf("an identity of %v with a certificate for another, %v", id.Fingerprint(), err)
		}
	})
}
