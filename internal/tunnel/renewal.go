package tunnel

import (
	"path/filepath"
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

// renew renews the route's certificate when it is due. The files change by it, which the watch sees.
func (r *route) renew(now time.Time) {
	path := r.standing.Load().Files.PKI
	if path == "" || now.Before(r.renewAt) {
		return
	}
	r.renewAt = now.Add(renewRetry)
	dir, name := filepath.Split(path)
	authority, err := pki.Open(pki.Settings{Dir: filepath.Clean(dir), Now: func() time.Time { return now }})
	if err != nil {
		r.log.Error("the certificate is not renewed", "reason", err)
		return
	}
	renewed, next, err := authority.RenewDue(name)
	switch {
	case err != nil:
		r.log.Error("the certificate is not renewed", "reason", err)
	case renewed:
		r.log.Info("the certificate is renewed")
		r.renewAt = next
	default:
		r.renewAt = next
	}
}
