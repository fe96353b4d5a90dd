package pki

import (
	"crypto"
	"crypto/x509"
	"time"

	"snug/mtls"
)

// Info is what people and scripts want to know of a certificate.
type Info struct {
	Name        string
	Serial      string // in hex
	Names       []string
	Client      bool
	Server      bool
	From, Until time.Time
	Fingerprint mtls.Fingerprint // of its key
}

// Describe gives what there is to know of a certificate.
func Describe(cert *x509.Certificate) Info {
	info := Info{
		Name: cert.Subject.CommonName, Serial: hexSerial(cert.SerialNumber),
		From: cert.NotBefore, Until: cert.NotAfter, Fingerprint: mtls.FingerprintOf(cert),
	}
	for _, name := range mtls.NamesOf(cert) {
		info.Names = append(info.Names, name.String())
	}
	for _, usage := range cert.ExtKeyUsage {
		info.Client = info.Client || usage == x509.ExtKeyUsageClientAuth
		info.Server = info.Server || usage == x509.ExtKeyUsageServerAuth
	}
	return info
}

// KeyOpener gives what reads private keys of files, for mtls.Files: passphrase is asked for that of a sealed one.
func KeyOpener(passphrase func() ([]byte, error)) func(pem []byte) (crypto.Signer, error) {
	return func(text []byte) (crypto.Signer, error) { return ParseKey(text, passphrase) }
}
