package ident

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Statement is what an identity key can say in a chain: Genesis, Enrol, Revoke,
// ClaimHandle or Rename.
type Statement interface {
	kind() byte
	encode(b []byte) []byte
	check() error
}

// Genesis is the first statement of every chain and only the first. The account
// id is computed from Key and Salt.
type Genesis struct {
	Key    PublicKey
	Salt   [idSize]byte
	Handle Handle
}

// Enrol makes a device one of the account's. Chain.Append computes Device when
// it is zero. Name is for people: 1 to 64 bytes of UTF-8 without control
// characters.
type Enrol struct {
	Device DeviceID
	Key    PublicKey
	Name   string
}

// Revoke ends a device, for ever: its id, and so its key, cannot be enrolled again.
type Revoke struct {
	Device DeviceID
}

// ClaimHandle gives the account another handle. Whether it is free is the server's
// to say.
type ClaimHandle struct {
	Handle Handle
}

// Rename calls an enrolled device otherwise. Its certificate keeps the name that it
// was enrolled with: names are for people.
type Rename struct {
	Device DeviceID
	Name   string
}

const (
	kindGenesis     = 1
	kindEnrol       = 2
	kindRevoke      = 3
	kindClaimHandle = 4
	kindRename      = 5
)

// MaxDeviceName is the longest name of a device in bytes.
const MaxDeviceName = 64

const (
	statementVersion = 1
	// maxStatement bounds a signed statement in bytes. The longest today is an
	// enrolment: header 62, content 48+1+64, signature 64, together 239.
	maxStatement = 1024
	// maxUnix is the last second of the year 9999, so that every time can be shown.
	maxUnix = 253402300799
)

// header stands before the content of every statement.
type header struct {
	account AccountID
	seq     uint32 // 0 for the genesis, gapless
	at      uint64 // seconds since 1970, as the signer's clock has it; for people
	prev    Hash   // of the signed statement before; zero for the genesis
}

// signed is a statement with its place in a chain, and the bytes that say so.
type signed struct {
	header
	statement Statement
	raw       []byte // body and signature
}

func (s Genesis) kind() byte     { return kindGenesis }
func (s Enrol) kind() byte       { return kindEnrol }
func (s Revoke) kind() byte      { return kindRevoke }
func (s ClaimHandle) kind() byte { return kindClaimHandle }
func (s Rename) kind() byte      { return kindRename }

func (s Genesis) encode(b []byte) []byte {
	b = append(b, s.Key[:]...)
	b = append(b, s.Salt[:]...)
	return appendShort(b, string(s.Handle))
}

func (s Enrol) encode(b []byte) []byte {
	b = append(b, s.Device[:]...)
	b = append(b, s.Key[:]...)
	return appendShort(b, s.Name)
}

func (s Revoke) encode(b []byte) []byte      { return append(b, s.Device[:]...) }
func (s ClaimHandle) encode(b []byte) []byte { return appendShort(b, string(s.Handle)) }

func (s Rename) encode(b []byte) []byte { return appendShort(append(b, s.Device[:]...), s.Name) }

func (s Genesis) check() error {
	if err := checkKey(s.Key); err != nil {
		return err
	}
	return checkHandle(s.Handle)
}

func (s Enrol) check() error {
	if err := checkKey(s.Key); err != nil {
		return err
	}
	return CheckDeviceName(s.Name)
}

func (s Revoke) check() error      { return nil }
func (s ClaimHandle) check() error { return checkHandle(s.Handle) }
func (s Rename) check() error      { return CheckDeviceName(s.Name) }

func checkKey(k PublicKey) error {
	if k.smallOrder() {
		return errors.New("ident: a key for which anybody can sign")
	}
	return nil
}

func checkHandle(h Handle) error {
	_, err := ParseHandle(string(h))
	return err
}

// CheckDeviceName says what is wrong with a device's name, or nil.
func CheckDeviceName(name string) error {
	if len(name) == 0 || len(name) > MaxDeviceName {
		return fmt.Errorf("ident: a device name has 1 to %d bytes, not %d", MaxDeviceName, len(name))
	}
	if !utf8.ValidString(name) {
		return fmt.Errorf("ident: device name is not UTF-8")
	}
	for _, r := range name {
		if unprintable(r) {
			return fmt.Errorf("ident: device name has the control character %U", r)
		}
	}
	return nil
}

// unprintable finds controls, line separators and marks of direction, which could
// make a name look like another. The list is fixed here, and not unicode.IsPrint,
// because what a chain may say must not change with a version of Go.
func unprintable(r rune) bool {
	switch {
	case r < 0x20, 0x7f <= r && r < 0xa0:
	case r == 0x061c, r == 0x200e, r == 0x200f, r == 0xfeff:
	case 0x2028 <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069:
	default:
		return false
	}
	return true
}

// sign encodes and signs a statement at its place.
func sign(key IdentityKey, h header, s Statement) signed {
	body := encodeBody(h, s)
	return signed{header: h, statement: s, raw: append(body, key.Sign(labelStatement, body)...)}
}

func encodeBody(h header, s Statement) []byte {
	b := make([]byte, 0, 256)
	b = append(b, statementVersion, s.kind())
	b = append(b, h.account[:]...)
	b = appendUint32(b, h.seq)
	b = appendUint64(b, h.at)
	b = append(b, h.prev[:]...)
	return s.encode(b)
}

// parseSigned reads a signed statement, strictly. It proves nothing yet: neither
// the signature nor the place is checked.
func parseSigned(raw []byte) (signed, error) {
	if len(raw) > maxStatement {
		return signed{}, fmt.Errorf("statement of %d bytes", len(raw))
	}
	r := reader{rest: raw}
	if v := r.byte(); r.err == nil && v != statementVersion {
		return signed{}, fmt.Errorf("statement version %d is unknown", v)
	}
	kind := r.byte()
	s := signed{raw: raw}
	r.fill(s.account[:])
	s.seq = r.uint32()
	s.at = r.uint64()
	r.fill(s.prev[:])
	s.statement = parseContent(kind, &r)
	r.take(SignatureSize)
	if err := r.end(); err != nil {
		return signed{}, err
	}
	if s.statement == nil {
		return signed{}, fmt.Errorf("statement kind %d is unknown", kind)
	}
	if s.at > maxUnix {
		return signed{}, fmt.Errorf("statement time %d is out of range", s.at)
	}
	return s, s.statement.check()
}

// parseContent gives nil for an unknown kind.
func parseContent(kind byte, r *reader) Statement {
	switch kind {
	case kindGenesis:
		var s Genesis
		r.fill(s.Key[:])
		r.fill(s.Salt[:])
		s.Handle = Handle(r.short())
		return s
	case kindEnrol:
		var s Enrol
		r.fill(s.Device[:])
		r.fill(s.Key[:])
		s.Name = r.short()
		return s
	case kindRevoke:
		var s Revoke
		r.fill(s.Device[:])
		return s
	case kindClaimHandle:
		return ClaimHandle{Handle: Handle(r.short())}
	case kindRename:
		var s Rename
		r.fill(s.Device[:])
		s.Name = r.short()
		return s
	}
	return nil
}

func (s *signed) verify(key PublicKey) error {
	cut := len(s.raw) - SignatureSize
	return key.Verify(labelStatement, s.raw[:cut], s.raw[cut:])
}

func (s *signed) time() time.Time { return time.Unix(int64(s.at), 0).UTC() }
