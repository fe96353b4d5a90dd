package tunnel

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"time"

	"snug/internal/pki"
	"snug/mtls"
)

// Files are where the policy of a route lies, besides its rules.
type Files struct {
	// Key is a private key in PEM, with a certificate of its own in it or none; Certificate, if not empty, is an
	// authority's for that key.
	Key, Certificate string
	// Authority is the certificates of the authority that names in rules are of; List its revocation lists.
	Authority, List string
	// Revoked is a list of keys that are let in nowhere, a fingerprint to a line.
	Revoked string
	// PKI is DIR/NAME of a certificate in a directory of `snug pki`, which the tunnel renews; or empty.
	PKI string
	// Peers is where `snug key add` remembers peers.
	Peers string
	// Secrets opens what of them is under a passphrase.
	Secrets *pki.Secrets

	// own, if not nil, is in the place of Key and Certificate.
	own *mtls.Identity
}

// paths are all files that a policy is made of.
func (f Files) paths() []string {
	var paths []string
	for _, path := range []string{f.Key, f.Certificate, f.Authority, f.List, f.Revoked, f.Peers} {
		if path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

// A policy is who we are on a route and whom we let in, as of one reading of the files. It never changes.
type policy struct {
	terms   *mtls.Terms // nil where nobody is let in
	config  *tls.Config // theirs
	rules   []Rule
	peers   map[string]mtls.Fingerprint
	own     *mtls.Identity
	expires time.Time // of our own certificate
	now     func() time.Time
	// revoked is what is known of revocation; older says why the list that lies in the files is not a part of it.
	revoked *mtls.Revoked
	older   error
	// half says why own is not what lies in the files.
	half error
}

// ErrNobody is the refusal of a route whose rules name only peers that were forgotten.
var ErrNobody = errors.New("tunnel: no rule lets anybody in: none of the peers that it names is remembered")

// loadPolicy reads the files. now is the clock for dates of certificates and lists. A list that is older than that of
// before, which may be nil, is not taken: otherwise yesterday's file would undo a revocation.
func loadPolicy(r *Route, now func() time.Time, before *policy) (*policy, error) {
	p := &policy{rules: r.Allow, now: now}
	if before != nil {
		p.revoked = before.revoked
	}
	var err error
	if p.peers, err = readPeers(r.Files.Peers); err != nil {
		return nil, err
	}
	trust, some := trustOf(r.Allow, p.peers)
	if !some {
		return p, nil
	}
	id, trust, err := load(r.Files, trust)
	if err != nil {
		return nil, err
	}
	trust.Revoked, p.older = trust.Revoked.KeepNewest(p.revoked)
	p.revoked, trust.Now = trust.Revoked, now
	if p.terms, err = termsOf(r, id, trust); err != nil {
		return nil, err
	}
	p.config = p.terms.Config()
	// A carrier is long-lived: small records at its beginning would help nobody.
	p.config.DynamicRecordSizingDisabled = true
	p.own, p.expires = id, id.NotAfter()
	return p, nil
}

// reloadPolicy is loadPolicy for files that have changed under a running route. Certificate and key are two files, which
// whoever replaces them can replace one after the other only, and be stopped in the middle: as long as they do not fit
// together we show the pair of before, and all else goes by the files as they are.
func reloadPolicy(r *Route, now func() time.Time, before *policy) (*policy, error) {
	p, err := loadPolicy(r, now, before)
	if !errors.Is(err, mtls.ErrMismatch) || before == nil || before.own == nil {
		return p, err
	}
	shown := *r
	shown.Files.own = before.own
	half := err
	if p, err = loadPolicy(&shown, now, before); err == nil {
		p.half = half
	}
	return p, err
}

// termsOf is what a route asks of its far end.
func termsOf(r *Route, id *mtls.Identity, trust mtls.Trust) (*mtls.Terms, error) {
	protocols, plain := []string{Protocol, mtls.Protocol}, []string{mtls.NoProtocol}
	if r.Accept {
		return mtls.ListenTerms(&mtls.ListenerOptions{Identity: id, Trust: trust, Protocols: protocols, PlainProtocols: plain})
	}
	return mtls.DialTerms(&mtls.ClientOptions{Identity: id, Trust: trust, Protocols: protocols, PlainProtocols: plain})
}

// load reads who we are, the authority and who is revoked.
func load(f Files, trust mtls.Trust) (*mtls.Identity, mtls.Trust, error) {
	files := mtls.Files{Trust: trust, RevokedKeys: f.Revoked}
	if f.Authority != "" {
		files.Authorities = []string{f.Authority}
	}
	if f.List != "" {
		files.Lists = []string{f.List}
	}
	if f.own != nil {
		files.Identity = f.own
		return files.Load()
	}
	if f.Certificate != "" {
		files.Certificate, files.Key, files.OpenKey = f.Certificate, f.Key, f.Secrets.Opener(f.Key, false)
		return files.Load()
	}
	var err error
	if files.Identity, err = mtls.Load(f.Key); err != nil {
		return nil, mtls.Trust{}, err
	}
	return files.Load()
}

// judge says who the far end of a handshake is, or why it is refused.
func (p *policy) judge(state tls.ConnectionState) (identity, error) {
	if p.terms == nil {
		return identity{}, ErrNobody
	}
	peer, err := p.terms.Judge(state)
	if err != nil {
		return identity{}, err
	}
	return match(p.rules, p.peers, peer)
}

// judgeAgain says why a peer that was let in at a time is to be thrown out. That a certificate, or what we know of
// revocation, has grown old since is no reason; all else is asked as if it came now.
func (p *policy) judgeAgain(state tls.ConnectionState, since time.Time) error {
	if p.terms == nil {
		return ErrNobody
	}
	peer, err := p.terms.JudgeAgain(state, since)
	if err == nil {
		_, err = match(p.rules, p.peers, peer)
	}
	return err
}

// peerName is what a peer may be called.
var peerName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)

// readPeers reads remembered peers: a name, a space and a fingerprint to a line. What is not as we wrote it is refused
// whole; where there is no file nobody is remembered.
func readPeers(path string) (map[string]mtls.Fingerprint, error) {
	peers := make(map[string]mtls.Fingerprint)
	if path == "" {
		return peers, nil
	}
	text, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return peers, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tunnel: reading peers: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		name, print, _ := strings.Cut(lines.Text(), " ")
		key, err := mtls.ParseFingerprint(print)
		if _, twice := peers[name]; err != nil || twice || !peerName.MatchString(name) {
			return nil, fmt.Errorf("tunnel: reading peers: %s, line %d: want a name, a space and a fingerprint, each name once", path, n)
		}
		peers[name] = key
	}
	return peers, lines.Err()
}

// readBounded reads a file of at most maxFile bytes.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes, at most %d", path, info.Size(), maxFile)
	}
	return os.ReadFile(path)
}
