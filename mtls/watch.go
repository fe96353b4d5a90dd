package mtls

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"hash"
	"os"
	"sync"
	"time"
)

// watchEvery is how often a Watcher looks: a revocation takes effect within that
// and the time to read the files, far below the 5 s that we promise.
const watchEvery = time.Second

// racy is how close to each other a file's last change and our reading may be for
// another change in the same tick of the file system's clock to go unseen: FAT
// counts in 2 s.
const racy = 2 * time.Second

// Files are where an identity and a trust lie. What is not used is left empty.
type Files struct {
	// Certificate and Key are as for LoadCertificate. Identity is in their place
	// where it lies in no such files; it never changes.
	Certificate, Key string
	Identity         *Identity

	// Authorities are files of certificates in PEM: the Roots of each Authority in
	// Trust that has none of its own.
	Authorities []string

	// Lists are files as for ParseRevocationLists, RevokedKeys one as for
	// ParseKeyList: they add to what is Revoked in Trust.
	Lists       []string
	RevokedKeys string

	// Trust is what lies in no file: pins, names.
	Trust Trust

	// OpenKey, if not nil, reads the private key of Key: one under a passphrase,
	// for instance.
	OpenKey func(pem []byte) (crypto.Signer, error)
}

// Load reads all files once.
func (f *Files) Load() (*Identity, Trust, error) {
	loaded, err := f.load()
	if err != nil {
		return nil, Trust{}, err
	}
	return loaded.id, loaded.trust, nil
}

// A loading is what is read in one go, and the hashes of what was read of whom we
// are and of whom we trust.
type loading struct {
	id        *Identity
	trust     Trust
	own, rest hash.Hash
}

func (f *Files) load() (*loading, error) {
	l := &loading{id: f.Identity, own: sha256.New()}
	if f.Identity == nil {
		if err := l.readIdentity(f); err != nil {
			return nil, err
		}
	} else if f.Certificate != "" || f.Key != "" {
		return nil, errors.New("mtls: an identity, and files of another")
	}
	return l, l.readTrust(f)
}

// readTrust reads the authorities and who is revoked.
func (l *loading) readTrust(f *Files) error {
	l.trust, l.rest = f.Trust.clone(), sha256.New()
	var roots []*x509.Certificate
	for _, path := range f.Authorities {
		certs, err := read(l, path, maxCertificates, ParseCertificates)
		if err != nil {
			return err
		}
		roots = append(roots, certs...)
	}
	l.trust = l.trust.withRoots(roots)
	if len(f.Lists) == 0 && f.RevokedKeys == "" {
		return nil
	}
	revoked := &Revoked{}
	for _, path := range f.Lists {
		lists, err := read(l, path, maxList, ParseRevocationLists)
		if err != nil {
			return err
		}
		revoked.Lists = append(revoked.Lists, lists...)
	}
	if f.RevokedKeys != "" {
		keys, err := read(l, f.RevokedKeys, maxKeyList, ParseKeyList)
		if err != nil {
			return err
		}
		revoked.Keys = keys
	}
	l.trust.Revoked = l.trust.Revoked.and(revoked)
	return nil
}

// readIdentity reads the certificate and its key.
func (l *loading) readIdentity(f *Files) error {
	open := f.OpenKey
	if open == nil {
		open = parseKey
	}
	pair, err := readPair(f.Certificate, f.Key, open)
	if err != nil {
		return err
	}
	l.id = pair.id
	fmt.Fprintf(l.own, "%d\n%s%s", len(pair.certificates), pair.certificates, pair.key)
	return nil
}

func read[T any](l *loading, path string, most int64, parse func([]byte) (T, error)) (T, error) {
	var none T
	b, err := readFile(path, most)
	if err != nil {
		return none, fmt.Errorf("mtls: loading: %w", err)
	}
	fmt.Fprintf(l.rest, "%d\n", len(b))
	l.rest.Write(b)
	parsed, err := parse(b)
	if err != nil {
		return none, fmt.Errorf("mtls: loading %s: %w", path, err)
	}
	return parsed, nil
}

// withRoots gives roots to each authority that has none. t is our own.
func (t Trust) withRoots(roots []*x509.Certificate) Trust {
	if t.Authority != nil && len(t.Authority.Roots) == 0 {
		t.Authority.Roots = roots
	}
	for i, other := range t.alternatives {
		t.alternatives[i] = other.withRoots(roots)
	}
	return t
}

// paths are all files.
func (f *Files) paths() []string {
	paths := append([]string{f.Certificate, f.Key, f.RevokedKeys}, f.Authorities...)
	var used []string
	for _, path := range append(paths, f.Lists...) {
		if path != "" {
			used = append(used, path)
		}
	}
	return used
}

// Watcher keeps a Live as its files are: it looks at them every second, because
// nobody has to be told then that they have changed. Files of trust that do not fit
// together change nothing, and neither does a revocation list that is older than the
// one before; what was last good holds on, and is what the next look is compared
// with. Where only the identity cannot be read, it holds on, and what the others say
// is taken: a certificate that waits for its key delays no revocation.
type Watcher struct {
	files Files
	live  *Live
	told  func(cut int, err error)

	looking struct {
		sync.Mutex
		seen      map[string]sight
		own, rest []byte // hashes of what was read
		problem   string // that was told
	}
}

// A sight is a file as it was when it was read.
type sight struct {
	info os.FileInfo
	at   time.Time
}

// Watch reads the files. Run has to be called for more than that. told, if not nil,
// is called after every change: with the number of connections that it cut, or with
// the reason why it was not taken over, once for each. It must not call the Watcher.
func Watch(files Files, told func(cut int, err error)) (*Watcher, error) {
	w := &Watcher{files: files, told: told}
	w.looking.seen, _ = w.look()
	loaded, err := files.load()
	if err != nil {
		return nil, err
	}
	if w.live, err = NewLive(loaded.id, loaded.trust); err != nil {
		return nil, err
	}
	w.looking.own, w.looking.rest = loaded.own.Sum(nil), loaded.rest.Sum(nil)
	return w, nil
}

// Live gives what dialers and listeners are to use.
func (w *Watcher) Live() *Live { return w.live }

// Run looks every second until ctx ends, and gives its error.
func (w *Watcher) Run(ctx context.Context) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.Check()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Check looks once, at once: after a signal, for instance. The error is what told
// was told, now or earlier: the files as they lie are not in use. Safe from any
// goroutine.
func (w *Watcher) Check() error {
	w.looking.Lock()
	defer w.looking.Unlock()
	seen, same := w.look()
	if same && w.looking.problem == "" {
		return nil
	}
	if err := w.read(); err != nil {
		if problem := err.Error(); problem != w.looking.problem {
			w.looking.problem = problem
			w.tell(0, err)
		}
		return err
	}
	w.looking.seen, w.looking.problem = seen, ""
	return nil
}

// read reads the files, and puts what they say in use.
func (w *Watcher) read() error {
	l := &loading{id: w.files.Identity, own: sha256.New()}
	var unfit error
	if l.id == nil {
		unfit = l.readIdentity(&w.files)
	}
	own := l.own.Sum(nil)
	if unfit != nil {
		l.id, own = w.live.Identity(), w.looking.own
	}
	if err := l.readTrust(&w.files); err != nil {
		return errors.Join(unfit, err)
	}
	return errors.Join(unfit, w.take(l, own))
}

// take puts what was read in use, if it is anything new.
func (w *Watcher) take(loaded *loading, own []byte) error {
	rest := loaded.rest.Sum(nil)
	if bytes.Equal(own, w.looking.own) && bytes.Equal(rest, w.looking.rest) {
		return nil
	}
	if _, err := loaded.trust.Revoked.KeepNewest(w.live.Trust().Revoked); err != nil {
		return err
	}
	cut, err := w.live.Set(loaded.id, loaded.trust)
	if err != nil {
		return err
	}
	w.looking.own, w.looking.rest = own, rest
	w.tell(cut, nil)
	return nil
}

func (w *Watcher) tell(cut int, err error) {
	if w.told != nil {
		w.told(cut, err)
	}
}

// look gives what is to be seen of the files without reading them, and whether that
// is what was seen last and leaves no doubt.
func (w *Watcher) look() (seen map[string]sight, same bool) {
	seen, same = make(map[string]sight), true
	for _, path := range w.files.paths() {
		now := sight{at: time.Now()}
		var err error
		if now.info, err = os.Stat(path); err != nil {
			same = false
			continue
		}
		seen[path] = now
		before, known := w.looking.seen[path]
		same = same && known && before.is(now.info)
	}
	return seen, same
}

// is reports whether the file is surely the one that was read.
func (s sight) is(now os.FileInfo) bool {
	changed := now.ModTime()
	return os.SameFile(s.info, now) && s.info.Size() == now.Size() && s.info.ModTime().Equal(changed) && s.at.Sub(changed).Abs() > racy
}
