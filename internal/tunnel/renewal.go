package tunnel

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"time"

	"snug/internal/pki"
)

// renewRetry is how long after a renewal that failed the next one is tried. A certificate is due with a third of its life
// left.
const renewRetry = time.Minute

// usePKI takes key, certificate, authority and revocation list from a directory of `snug pki`; path is DIR/NAME. Where
// the authority's key lies there too, the running tunnel renews the certificate.
func usePKI(r *Route, path string) error {
	dir, name := filepath.Split(path)
	a := &r.Files
	a.PKI = path
	a.Authority, a.List = filepath.Join(dir, pki.CertificateFile), filepath.Join(dir, pki.ListFile)
	authority, err := pki.Open(pki.Settings{Dir: filepath.Clean(dir)})
	if err != nil {
		return err
	}
	issued, err := authority.Show(name)
	if err != nil {
		return err
	}
	a.Certificate, a.Key = issued.CertificatePath, issued.KeyPath
	return nil
}

// Unlock opens the key of the authority that the route's certificate is renewed by, if it lies there, so that its
// passphrase is asked for now, and not when the certificate is due.
func (r *Route) Unlock() error {
	if r.Files.PKI == "" {
		return nil
	}
	path := authorityKey(r.Files.PKI)
	text, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, err = r.Files.Secrets.Opener(path, true)(text)
	}
	return err
}

// authorityKey is the file with the key of the authority that has certified DIR/NAME.
func authorityKey(path string) string { return filepath.Join(filepath.Dir(path), pki.KeyFile) }

// A renewal is what a route knows of renewing its certificate. Whoever has set underway owns the rest until it is unset.
type renewal struct {
	underway atomic.Bool
	at       time.Time // of the next one
	failed   string    // why the last one did, as the log has it
}

// renew renews the route's certificate when it is due. The files change by it, which the watch sees. Nobody waits for it
// who looks after revocations: a disk may be slow, and another process at work on the authority.
func (r *route) renew(now time.Time) {
	files := r.standing.Load().Files
	if files.PKI == "" || !r.renewal.underway.CompareAndSwap(false, true) {
		return
	}
	if now.Before(r.renewal.at) {
		r.renewal.underway.Store(false)
		return
	}
	r.streams.Go(func() {
		defer r.renewal.underway.Store(false)
		r.renewal.at = now.Add(renewRetry)
		r.renewDue(files, now)
	})
}

// renewDue is one try.
func (r *route) renewDue(files Files, now time.Time) {
	dir, name := filepath.Split(files.PKI)
	authority, err := pki.Open(pki.Settings{
		Dir: filepath.Clean(dir), Now: func() time.Time { return now }, Passphrase: files.Secrets.Authority(authorityKey(files.PKI)),
	})
	if err != nil {
		r.notRenewed(err)
		return
	}
	renewed, next, err := authority.RenewDue(name)
	if err != nil {
		r.notRenewed(err)
		return
	}
	if renewed {
		r.log.Info("the certificate is renewed")
	}
	r.renewal.at, r.renewal.failed = next, ""
}

// notRenewed logs why, once for each reason: it is tried again every minute.
func (r *route) notRenewed(err error) {
	if reason := err.Error(); reason != r.renewal.failed {
		r.renewal.failed = reason
		r.log.Error("the certificate is not renewed", "reason", err)
	}
}
