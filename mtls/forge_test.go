package mtls_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snug/mtls"
)

// A forge makes certificates with openssl, as bad as they are wanted.
type forge struct {
	t   *testing.T
	dir string
}

// needOpenSSL ends a test without openssl, loudly.
func needOpenSSL(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err == nil {
		return
	}
	if os.Getenv("SNUG_REQUIRE") != "" {
		t.Fatal("openssl is not installed")
	}
	t.Skip("SKIPPED: openssl is not installed: apt-get install openssl")
}

// sections are the extensions that can be asked for by name.
const sections = `[ca]
default_ca = here
[here]
dir = .
database = ./index.txt
new_certs_dir = .
crlnumber = ./crlnumber
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[between]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[short]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
[nobody]
basicConstraints = critical, CA:FALSE
keyUsage = critical, keyCertSign, cRLSign
[silent]
keyUsage = critical, keyCertSign, cRLSign
[signless]
basicConstraints = critical, CA:TRUE
keyUsage = critical, digitalSignature
[elsewhere]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
nameConstraints = critical, permitted;DNS:example.com
[mailers]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
extendedKeyUsage = emailProtection
[oddca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
1.2.3.4.5 = critical, ASN1:UTF8String:what
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:peer.example.org
[plain]
subjectAltName = DNS:peer.example.org
[client]
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = DNS:peer.example.org
[server]
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:peer.example.org
[mailer]
keyUsage = critical, digitalSignature
extendedKeyUsage = emailProtection
subjectAltName = DNS:peer.example.org
[encrypter]
keyUsage = critical, keyEncipherment
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:peer.example.org
[other]
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:other.example.org
[longer]
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:peer.example.org.example.com, DNS:xpeer.example.org
[wild]
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:*.example.org
[nameless]
extendedKeyUsage = serverAuth, clientAuth
[odd]
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:peer.example.org
1.2.3.4.5 = critical, ASN1:UTF8String:what
[users]
issuingDistributionPoint = critical, @onlyusers
[onlyusers]
onlyuser = TRUE
[lenient]
issuingDistributionPoint = @onlyusers
[delta]
2.5.29.27 = critical, ASN1:INTEGER:1
[oddlist]
1.2.3.4.5 = critical, ASN1:UTF8String:what
`

func newForge(t *testing.T) *forge {
	t.Helper()
	needOpenSSL(t)
	f := &forge{t, t.TempDir()}
	for name, text := range map[string]string{"openssl.cnf": sections, "index.txt": "", "crlnumber": "01\n"} {
		if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// take copies what another forge has made.
func (f *forge) take(from *forge, name string) {
	f.t.Helper()
	for _, kind := range []string{".key", ".pem"} {
		if err := os.WriteFile(f.path(name+kind), from.read(name+kind), 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *forge) path(name string) string { return filepath.Join(f.dir, name) }

func (f *forge) openssl(args ...string) {
	f.t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = f.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// A mould says how a certificate is to be; what is left out is as it should be.
type mould struct {
	section string // of extensions
	issuer  string // itself where empty
	subject string // its own name where empty
	key     string // a kind of key
	md      string
	from    string // dates, as openssl writes them
	until   string
}

// make makes NAME.key and NAME.pem.
func (f *forge) make(name string, m mould) {
	f.t.Helper()
	kind := []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}
	if m.key != "" {
		kind = []string{"-newkey", m.key}
	}
	subject := m.subject
	if subject == "" {
		subject = name
	}
	for field, otherwise := range map[*string]string{&m.md: "sha256", &m.from: "20260101000000Z", &m.until: "20400101000000Z"} {
		if *field == "" {
			*field = otherwise
		}
	}
	f.openssl(append([]string{"req", "-new", "-config", "openssl.cnf", "-nodes", "-keyout", name + ".key", "-subj", "/CN=" + subject, "-out", name + ".csr"}, kind...)...)
	args := []string{"ca", "-config", "openssl.cnf", "-batch", "-notext", "-md", m.md, "-extensions", m.section, "-startdate", m.from, "-enddate", m.until, "-in", name + ".csr", "-out", name + ".pem"}
	if m.issuer == "" {
		args = append(args, "-selfsign", "-keyfile", name+".key")
	} else {
		args = append(args, "-cert", m.issuer+".pem", "-keyfile", m.issuer+".key")
	}
	f.openssl(args...)
}

// list signs the revocation list of an authority, on which the others stand. It begins now, and the tests play then.
func (f *forge) list(issuer string, revoked ...string) *x509.RevocationList {
	f.t.Helper()
	// A database of its own: the list is of what this one has revoked.
	if err := os.WriteFile(f.path("index.txt"), nil, 0o600); err != nil {
		f.t.Fatal(err)
	}
	for _, name := range revoked {
		f.openssl("ca", "-config", "openssl.cnf", "-cert", issuer+".pem", "-keyfile", issuer+".key", "-revoke", name+".pem")
	}
	f.openssl("ca", "-config", "openssl.cnf", "-cert", issuer+".pem", "-keyfile", issuer+".key", "-gencrl", "-crldays", "30", "-out", issuer+".crl")
	lists, err := mtls.ParseRevocationLists(f.read(issuer + ".crl"))
	if err != nil {
		f.t.Fatal(err)
	}
	return lists[0]
}

func (f *forge) read(name string) []byte {
	f.t.Helper()
	b, err := os.ReadFile(f.path(name))
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

func (f *forge) certificate(name string) *x509.Certificate {
	f.t.Helper()
	certs, err := mtls.ParseCertificates(f.read(name + ".pem"))
	if err != nil {
		f.t.Fatal(err)
	}
	return certs[0]
}

// shown is what somebody shows who does not care whether it is right: these certificates, in this order, and the key of
// the one that is named.
func (f *forge) shown(key string, names ...string) tls.Certificate {
	f.t.Helper()
	var chain [][]byte
	for _, name := range names {
		chain = append(chain, f.certificate(name).Raw)
	}
	pair, err := tls.X509KeyPair(f.read(key+".pem"), f.read(key+".key"))
	if err != nil {
		f.t.Fatal(err)
	}
	return tls.Certificate{Certificate: chain, PrivateKey: pair.PrivateKey}
}

// chain is a file of certificates for openssl.
func (f *forge) chain(file string, names ...string) string {
	f.t.Helper()
	var all [][]byte
	for _, name := range names {
		all = append(all, f.read(name+".pem"))
	}
	if err := os.WriteFile(f.path(file), bytes.Join(all, nil), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return f.path(file)
}

// identity is one of ours by a certificate of the forge's.
func (f *forge) identity(names ...string) *mtls.Identity {
	f.t.Helper()
	id, err := mtls.ParseCertificate(bytes.Join(mapped(names, func(name string) []byte { return f.read(name + ".pem") }), nil), f.read(names[0]+".key"))
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

func mapped[A, B any](all []A, change func(A) B) []B {
	var changed []B
	for _, one := range all {
		changed = append(changed, change(one))
	}
	return changed
}

// number makes names that are all different.
func number(name string, n int) string { return fmt.Sprintf("%s%d", name, n) }
