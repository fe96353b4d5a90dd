package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// makeKeys makes an authority and a certificate for each end, ECDSA P-256 all, which every program knows; and for those
// that know no certificates a key that both ends share.
func (m *machine) makeKeys() error {
	authority, key, err := certificate(nil, nil, "bench authority")
	if err != nil {
		return err
	}
	if err := m.writePEM("ca.pem", authority, nil); err != nil {
		return err
	}
	for _, end := range []string{"server", "client"} {
		leaf, leafKey, err := certificate(authority, key, end)
		if err != nil {
			return err
		}
		if err := m.writePEM(end+".pem", leaf, leafKey); err != nil {
			return err
		}
		if err := m.writePEM(end+".crt", leaf, nil); err != nil {
			return err
		}
		if err := m.writePEM(end+".key", nil, leafKey); err != nil {
			return err
		}
	}
	shared := make([]byte, 32)
	rand.Read(shared)
	return os.WriteFile(m.path("shared.key"), shared, 0o600)
}

func (m *machine) path(name string) string { return filepath.Join(m.directory, name) }

// certificate makes a certificate, of an authority or for its own.
func certificate(authority *x509.Certificate, signer *ecdsa.PrivateKey, name string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	if authority == nil {
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		authority, signer = template, key
	} else {
		template.KeyUsage = x509.KeyUsageDigitalSignature
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
		template.DNSNames, template.IPAddresses = []string{name, "localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority, key.Public(), signer)
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

// writePEM writes the certificate and the key that are not nil.
func (m *machine) writePEM(name string, cert *x509.Certificate, key *ecdsa.PrivateKey) error {
	var text []byte
	if cert != nil {
		text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	}
	if key != nil {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	}
	return os.WriteFile(m.path(name), text, 0o600)
}
