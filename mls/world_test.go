package mls_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"testing"

	"snug/mls"
)

// The suites over which the group tests run: the mandatory one, one with ECDSA, and the default.
var groupSuites = []mls.CipherSuite{
	mls.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
	mls.MLS_128_DHKEMP256_AES128GCM_SHA256_P256,
	mls.DefaultSuite,
}

// The extension types of a pretended application.
const (
	roomExtension   mls.ExtensionType = 0xF001
	deviceExtension mls.ExtensionType = 0xF002
)

// A store holds the records of one group, as a device's database would.
type store map[string][]byte

func (s store) apply(d mls.Delta) {
	for _, r := range d.Puts {
		s[r.Key] = bytes.Clone(r.Value)
	}
	for _, key := range d.Deletes {
		delete(s, key)
	}
}

// A verifier accepts members whose credential names a device that it knows, and can be told to refuse.
type verifier struct {
	refuse      string
	refuseNext  string
	members     int
	successions int
}

var errRefused = errors.New("refused by the test")

func (v *verifier) VerifyMember(m mls.Member) error {
	v.members++
	if string(m.Credential.Identity) == v.refuse {
		return errRefused
	}
	return nil
}

func (v *verifier) VerifySuccession(old, next mls.Member) error {
	v.successions++
	if !old.Credential.Equal(next.Credential) {
		return errors.New("another identity")
	}
	if string(next.Credential.Identity) == v.refuseNext {
		return errRefused
	}
	return v.VerifyMember(next)
}

// A device is a member-to-be with its keys and its saved state. After every step it is reloaded from its store.
type device struct {
	t        testing.TB
	name     string
	suite    mls.CipherSuite
	signer   crypto.Signer
	verifier *verifier
	policy   func(*mls.CommitContext) error
	group    *mls.Group
	store    store
	packages map[mls.KeyPackageRef][]byte
	// reload is off in benchmarks.
	reload bool
	// outside changes the configuration for what comes from outside of the group.
	outside func(*mls.Config)
}

func newSigner(t testing.TB, suite mls.CipherSuite) crypto.Signer {
	t.Helper()
	curve := map[mls.CipherSuite]elliptic.Curve{2: elliptic.P256(), 5: elliptic.P521(), 7: elliptic.P384(),
		0xF003: elliptic.P256(), 0xF004: elliptic.P256(), 0xF005: elliptic.P384()}[suite]
	if curve != nil {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newDevice(t testing.TB, suite mls.CipherSuite, name string) *device {
	return &device{
		t: t, name: name, suite: suite, signer: newSigner(t, suite), verifier: &verifier{}, store: store{},
		packages: map[mls.KeyPackageRef][]byte{}, reload: true,
	}
}

func (d *device) config() mls.Config {
	c := mls.Config{Verifier: d.verifier, Signer: d.signer, Policy: mls.PolicyFunc(func(c *mls.CommitContext) error {
		if d.policy == nil {
			return nil
		}
		return d.policy(c)
	})}
	if d.outside != nil {
		d.outside(&c)
	}
	return c
}

var (
	leafExtensions = mls.Extensions{{Type: deviceExtension, Data: []byte("certificate")}}
	capabilities   = mls.Capabilities{Extensions: []mls.ExtensionType{roomExtension}}
	lifetime       = mls.Lifetime{NotBefore: 1000, NotAfter: 2000}
)

func (d *device) create(extensions mls.Extensions) {
	d.t.Helper()
	g, err := mls.NewGroup(d.config(), mls.CreateOptions{
		Suite: d.suite, Credential: mls.BasicCredential([]byte(d.name)), LeafExtensions: leafExtensions,
		Capabilities: capabilities, Lifetime: lifetime, Extensions: extensions,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.group = g
	d.save()
}

func (d *device) keyPackage() *mls.KeyPackage {
	d.t.Helper()
	kp, private, err := mls.NewKeyPackage(mls.KeyPackageOptions{
		Suite: d.suite, Credential: mls.BasicCredential([]byte(d.name)), Signer: d.signer, Lifetime: lifetime,
		LeafExtensions: leafExtensions, Capabilities: capabilities,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.packages[kp.Ref()] = private.Save()
	parsed, err := mls.ParseKeyPackage(kp.Marshal())
	if err != nil {
		d.t.Fatal(err)
	}
	return parsed
}

func (d *device) find(ref mls.KeyPackageRef) *mls.KeyPackagePrivate {
	saved, ok := d.packages[ref]
	if !ok {
		return nil
	}
	private, err := mls.LoadKeyPackagePrivate(saved)
	if err != nil {
		d.t.Fatal(err)
	}
	return private
}

func (d *device) join(welcome []byte) {
	d.t.Helper()
	g, err := mls.Join(d.config(), welcome, d.find, mls.JoinOptions{})
	if err != nil {
		d.t.Fatalf("%s joining: %v", d.name, err)
	}
	d.group, d.store = g, store{}
	d.save()
}

// save applies the delta, and reloads the group from what was saved.
func (d *device) save() {
	d.t.Helper()
	d.store.apply(d.group.Delta())
	if !d.reload {
		return
	}
	g, err := mls.LoadGroup(d.config(), maps.All(d.store))
	if err != nil {
		d.t.Fatalf("%s loading: %v", d.name, err)
	}
	full := store{}
	full.apply(g.Clone().Delta())
	if !maps.EqualFunc(full, d.store, bytes.Equal) {
		d.t.Fatalf("%s: the records are not those of a full delta", d.name)
	}
	if again := g.Delta(); !again.Empty() {
		d.t.Fatalf("%s: a loaded group has changes", d.name)
	}
	d.group = g
}

// loaded is the device's group as its records have it, with this configuration.
func (d *device) loaded(cfg mls.Config) *mls.Group {
	d.t.Helper()
	g, err := mls.LoadGroup(cfg, maps.All(d.store))
	if err != nil {
		d.t.Fatalf("%s loading: %v", d.name, err)
	}
	return g
}

// snapshot is the whole state, to be compared.
func (d *device) snapshot() store {
	s := store{}
	s.apply(d.group.Clone().Delta())
	return s
}

func (d *device) commit(opts mls.CommitOptions) *mls.StagedCommit {
	d.t.Helper()
	c, err := d.group.Commit(opts)
	if err != nil {
		d.t.Fatalf("%s committing: %v", d.name, err)
	}
	return c
}

func (d *device) merge(c *mls.StagedCommit) {
	d.t.Helper()
	if err := d.group.Merge(c); err != nil {
		d.t.Fatalf("%s merging: %v", d.name, err)
	}
	d.save()
}

func (d *device) process(message []byte) mls.Result {
	d.t.Helper()
	r, err := d.group.Process(message)
	if err != nil {
		d.t.Fatalf("%s processing: %v", d.name, err)
	}
	d.save()
	return r
}

func (d *device) seal(text string) []byte {
	d.t.Helper()
	m, err := d.group.Seal([]byte(text), []byte("aad"))
	if err != nil {
		d.t.Fatalf("%s sealing: %v", d.name, err)
	}
	d.save()
	return m
}

func (d *device) open(message []byte) string {
	d.t.Helper()
	m, ok := d.process(message).(*mls.ApplicationMessage)
	if !ok {
		d.t.Fatalf("%s: not an application message", d.name)
	}
	return string(m.Data)
}

// A world is the members of one group.
type world struct {
	t       testing.TB
	suite   mls.CipherSuite
	members []*device
}

func newWorld(t testing.TB, suite mls.CipherSuite, n int) *world {
	t.Helper()
	w := &world{t: t, suite: suite}
	w.members = append(w.members, newDevice(t, suite, "device 0"))
	w.members[0].create(mls.Extensions{{Type: roomExtension, Data: []byte("room")}})
	if n > 1 {
		w.add(w.members[0], n-1)
	}
	return w
}

// add lets a member add n new devices in one commit.
func (w *world) add(by *device, n int) []*device {
	w.t.Helper()
	var opts mls.CommitOptions
	var fresh []*device
	for range n {
		d := newDevice(w.t, w.suite, fmt.Sprintf("device %d", len(w.members)+len(fresh)))
		opts.ByValue = append(opts.ByValue, &mls.Add{KeyPackage: d.keyPackage()})
		fresh = append(fresh, d)
	}
	c := by.commit(opts)
	w.deliver(by, c)
	for _, d := range fresh {
		d.join(c.Welcome())
	}
	w.members = append(w.members, fresh...)
	w.agree()
	return fresh
}

// commit lets a member commit, and all others follow.
func (w *world) commit(by *device, opts mls.CommitOptions) *mls.StagedCommit {
	w.t.Helper()
	c := by.commit(opts)
	w.deliver(by, c)
	w.agree()
	return c
}

// deliver hands a commit to all members. Those that it removes leave the world.
func (w *world) deliver(by *device, c *mls.StagedCommit) {
	w.t.Helper()
	var stay []*device
	for _, d := range w.members {
		if d == by {
			d.merge(c)
			stay = append(stay, d)
			continue
		}
		got, ok := d.process(c.Message()).(*mls.StagedCommit)
		if !ok {
			w.t.Fatalf("%s: not a commit", d.name)
		}
		if got.RemovesSelf() {
			continue
		}
		d.merge(got)
		stay = append(stay, d)
	}
	w.members = stay
}

// agree checks that all members are in the same state and hear each other.
func (w *world) agree() {
	w.t.Helper()
	want := w.members[0].group
	for _, d := range w.members {
		if d.group.Epoch() != want.Epoch() || !bytes.Equal(d.group.EpochAuthenticator(), want.EpochAuthenticator()) {
			w.t.Fatalf("%s disagrees in epoch %d (%d)", d.name, d.group.Epoch(), want.Epoch())
		}
	}
	from := w.members[int(want.Epoch())%len(w.members)]
	w.talk(from)
}

// talk lets one member say something to all others.
func (w *world) talk(from *device) {
	w.t.Helper()
	text := fmt.Sprintf("epoch %d", from.group.Epoch())
	m := from.seal(text)
	for _, d := range w.members {
		if d == from {
			if _, ok := d.process(m).(*mls.OwnMessage); !ok {
				w.t.Fatal("the own message is not one")
			}
			continue
		}
		if got := d.open(m); got != text {
			w.t.Fatalf("%s read %q, want %q", d.name, got, text)
		}
	}
}
