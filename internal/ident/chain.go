package ident

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	chainVersion = 1
	// MaxStatements bounds a chain. Nothing but revocations is accepted where it
	// would leave less room than it takes to revoke every device.
	MaxStatements = 1024
	// renamesLeave is how many places renames leave to everything else, so that nobody
	// names an account full.
	renamesLeave = 256
	// MaxChain bounds a marshalled chain in bytes: 3 + 1,024 × (2 + 1,024).
	MaxChain = 3 + MaxStatements*(2+maxStatement)
)

// ErrChain is wrapped by every error of ParseChain.
var ErrChain = errors.New("ident: bad chain")

// Chain is the history of an account: statements, each signed by the identity
// key and carrying the hash of the one before. A *Chain that one holds is always
// valid: NewAccount makes it, ParseChain verifies it, Append keeps it so.
//
// It is safe to read from any goroutine while nobody calls Append.
type Chain struct {
	account    AccountID
	identity   PublicKey
	handle     Handle
	statements []signed
	heads      []Hash // heads[i] is the hash of statement i
	devices    []Device
	index      map[DeviceID]int // into devices
	live       int              // devices not revoked
}

// Device is what a chain says of a device.
type Device struct {
	ID       DeviceID
	Key      PublicKey
	Name     string
	Seq      uint32    // of the enrolment in the chain
	Enrolled time.Time // as the signer's clock had it, in seconds
	Revoked  bool
	// RevokedSeq is that of the revocation in the chain; 0 while there is none.
	RevokedSeq uint32
}

// EnrolledAt reports whether the device was enrolled and not revoked when the
// chain had length statements. Everybody whose copy is that long agrees about it,
// whatever has come since.
func (d Device) EnrolledAt(length uint64) bool {
	return uint64(d.Seq) < length && (!d.Revoked || uint64(d.RevokedSeq) >= length)
}

// ParseChain verifies a chain from its bytes alone: encoding, links, signatures,
// ids and rules. What it accepts, Marshal gives back byte for byte. It does not
// know whether the chain is the newest: see Extends.
func ParseChain(b []byte) (*Chain, error) {
	r := reader{rest: b}
	if v := r.byte(); r.err == nil && v != chainVersion {
		return nil, fmt.Errorf("%w: version %d is unknown", ErrChain, v)
	}
	n := int(r.uint16())
	if r.err == nil && (n == 0 || n > MaxStatements) {
		return nil, fmt.Errorf("%w: %d statements", ErrChain, n)
	}
	c := &Chain{}
	for i := range n {
		raw := r.take(int(r.uint16()))
		if r.err != nil {
			break
		}
		s, err := parseSigned(slices.Clone(raw))
		if err == nil {
			err = c.admit(s)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: statement %d: %w", ErrChain, i, err)
		}
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrChain, err)
	}
	return c, nil
}

// Marshal gives the encoding that ParseChain reads, at most MaxChain bytes.
func (c *Chain) Marshal() []byte {
	b := appendUint16([]byte{chainVersion}, uint16(len(c.statements)))
	for _, s := range c.statements {
		b = appendUint16(b, uint16(len(s.raw)))
		b = append(b, s.raw...)
	}
	return b
}

// Append signs a statement and adds it. It refuses, and leaves the chain as it
// was, when key is not the account's or the statement breaks a rule. now is
// recorded in seconds. Only for the chain's owner: not concurrently with
// anything.
func (c *Chain) Append(key IdentityKey, s Statement, now time.Time) error {
	if e, ok := s.(Enrol); ok && e.Device.IsZero() {
		e.Device = NewDeviceID(c.account, e.Key)
		s = e
	}
	return c.append(key, s, now)
}

func (c *Chain) append(key IdentityKey, s Statement, now time.Time) error {
	if now.Unix() < 0 || now.Unix() > maxUnix {
		return fmt.Errorf("ident: adding to a chain: time %d is out of range", now.Unix())
	}
	if err := s.check(); err != nil {
		return err
	}
	h := header{account: c.account, seq: uint32(len(c.statements)), at: uint64(now.Unix()), prev: c.Head()}
	if err := c.admit(sign(key, h, s)); err != nil {
		return fmt.Errorf("ident: adding to a chain: %w", err)
	}
	return nil
}

// Clone gives a copy, so that one can append to it and keep the other.
func (c *Chain) Clone() *Chain {
	clone := *c
	clone.statements = slices.Clone(c.statements)
	clone.heads = slices.Clone(c.heads)
	clone.devices = slices.Clone(c.devices)
	clone.index = make(map[DeviceID]int, len(c.index))
	for id, i := range c.index {
		clone.index[id] = i
	}
	return &clone
}

// Account gives the id of the account whose chain this is.
func (c *Chain) Account() AccountID { return c.account }

// Identity gives the account's identity key.
func (c *Chain) Identity() PublicKey { return c.identity }

// Handle gives the handle that the account claims now.
func (c *Chain) Handle() Handle { return c.handle }

// Len gives the number of statements, 1 or more.
func (c *Chain) Len() int { return len(c.statements) }

// Last gives the newest statement.
func (c *Chain) Last() Statement { return c.statements[len(c.statements)-1].statement }

// Statement gives the statement at a place below Len, and when it was made, as the
// signer's clock had it, in seconds.
func (c *Chain) Statement(seq int) (Statement, time.Time) {
	s := c.statements[seq]
	return s.statement, s.time()
}

// Head gives the hash of the last statement. With Len it names this state of the
// chain: store both to detect a rollback later.
func (c *Chain) Head() Hash {
	if len(c.heads) == 0 {
		return Hash{}
	}
	return c.heads[len(c.heads)-1]
}

// Devices gives the devices that are enrolled and not revoked, in order of
// enrolment.
func (c *Chain) Devices() []Device {
	live := make([]Device, 0, c.live)
	for _, d := range c.devices {
		if !d.Revoked {
			live = append(live, d)
		}
	}
	return live
}

// Device gives a device that is enrolled and not revoked.
func (c *Chain) Device(id DeviceID) (Device, bool) {
	d, ok := c.EverEnrolled(id)
	if !ok || d.Revoked {
		return Device{}, false
	}
	return d, true
}

// EverEnrolled gives a device even when it is revoked: to name who wrote an old
// message. It is no authorization.
func (c *Chain) EverEnrolled(id DeviceID) (Device, bool) {
	i, ok := c.index[id]
	if !ok {
		return Device{}, false
	}
	return c.devices[i], true
}

// Certificate gives what the device's MLS leaf carries: see VerifyMember. It is
// the signed statement of enrolment, with its seq inside.
func (c *Chain) Certificate(id DeviceID) ([]byte, error) {
	d, ok := c.Device(id)
	if !ok {
		return nil, fmt.Errorf("ident: device %s is not enrolled", id)
	}
	return bytes.Clone(c.statements[d.Seq].raw), nil
}

// admit checks one more statement against the chain so far and adds it. It is
// the only way in, for our own statements and for others'.
func (c *Chain) admit(s signed) error {
	if g, ok := s.statement.(Genesis); ok && len(c.statements) == 0 {
		c.account = accountID(g.Key, g.Salt)
		c.identity = g.Key
		c.index = make(map[DeviceID]int)
	}
	if err := c.checkPlace(s); err != nil {
		return err
	}
	if err := s.verify(c.identity); err != nil {
		return err
	}
	if err := c.apply(s); err != nil {
		return err
	}
	c.statements = append(c.statements, s)
	c.heads = append(c.heads, hashStatement(s.raw))
	return nil
}

func (c *Chain) checkPlace(s signed) error {
	_, genesis := s.statement.(Genesis)
	switch {
	case genesis != (len(c.statements) == 0):
		return errors.New("a genesis is the first statement and only the first")
	case s.account != c.account:
		return errors.New("of another account")
	case s.seq != uint32(len(c.statements)):
		return fmt.Errorf("has seq %d", s.seq)
	case s.prev != c.Head():
		return errors.New("does not follow the one before")
	case len(c.statements) >= MaxStatements:
		return errors.New("the chain is full")
	}
	if _, revoke := s.statement.(Revoke); !revoke && len(c.statements)+1+c.liveAfter(s.statement) > MaxStatements {
		return errors.New("the chain is full but for revocations")
	}
	if _, rename := s.statement.(Rename); rename && len(c.statements)+1+renamesLeave > MaxStatements {
		return errors.New("the chain has no more room for renames")
	}
	return nil
}

func (c *Chain) liveAfter(s Statement) int {
	if _, ok := s.(Enrol); ok {
		return c.live + 1
	}
	return c.live
}

// apply changes what the chain says, or refuses and changes nothing.
func (c *Chain) apply(s signed) error {
	switch t := s.statement.(type) {
	case Genesis:
		c.handle = t.Handle
	case Enrol:
		return c.enrol(s, t)
	case Revoke:
		return c.revoke(s, t)
	case ClaimHandle:
		c.handle = t.Handle
	case Rename:
		return c.rename(t)
	}
	return nil
}

func (c *Chain) enrol(s signed, e Enrol) error {
	if e.Device != NewDeviceID(c.account, e.Key) {
		return errors.New("device id does not belong to its key")
	}
	if i, ok := c.index[e.Device]; ok {
		if c.devices[i].Revoked {
			return errors.New("a revoked device cannot be enrolled again")
		}
		return errors.New("device is enrolled already")
	}
	c.index[e.Device] = len(c.devices)
	c.devices = append(c.devices, Device{ID: e.Device, Key: e.Key, Name: e.Name, Seq: s.seq, Enrolled: s.time()})
	c.live++
	return nil
}

func (c *Chain) revoke(s signed, r Revoke) error {
	i, ok := c.index[r.Device]
	if !ok || c.devices[i].Revoked {
		return errors.New("device is not enrolled")
	}
	c.devices[i].Revoked, c.devices[i].RevokedSeq = true, s.seq
	c.live--
	return nil
}

func (c *Chain) rename(r Rename) error {
	i, ok := c.index[r.Device]
	if !ok || c.devices[i].Revoked {
		return errors.New("device is not enrolled")
	}
	c.devices[i].Name = r.Name
	return nil
}

func hashStatement(raw []byte) Hash {
	h := sha256.New()
	h.Write([]byte(labelStatementHash))
	h.Write(raw)
	return Hash(h.Sum(nil))
}
