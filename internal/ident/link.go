package ident

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrLink is the one error of a link that does not hold: another code, a message that
// was changed, or one that is of another run. Which, does not matter: it ends there.
var ErrLink = errors.New("ident: the link does not hold")

// ErrLinkCode is the only error of ParseLinkCode.
var ErrLinkCode = errors.New("ident: a link code begins with snug-link- and has 26 characters after it")

const (
	linkCodePrefix = "snug-link-"
	linkQRPrefix   = "SNUG-LINK:"
	// linkNonceSize is the size of the nonce that the old device commits to beside its key.
	linkNonceSize = 16
	linkVersion   = 1
)

// LinkCode is what an old device shows and a new one is told, by QR code or by hand:
// 128 random bits. The server never learns it. It can be read neither as an invite nor
// as a URL, and prints as "secret".
type LinkCode struct {
	hidden
	secret held[[16]byte]
}

// NewLinkCode reads 16 bytes of rand.
func NewLinkCode(rand io.Reader) (LinkCode, error) {
	secret := new([16]byte)
	if _, err := io.ReadFull(rand, secret[:]); err != nil {
		return LinkCode{}, fmt.Errorf("ident: making link code: %w", err)
	}
	return LinkCode{secret: hold(secret)}, nil
}

// ParseLinkCode reads what Secret or QR gives, with white space around it. The error is
// ErrLinkCode.
func ParseLinkCode(s string) (LinkCode, error) {
	s = strings.TrimSpace(s)
	code, found := strings.CutPrefix(s, linkQRPrefix)
	if found {
		code = strings.ToLower(code)
	} else if code, found = strings.CutPrefix(s, linkCodePrefix); !found {
		return LinkCode{}, ErrLinkCode
	}
	secret := new([16]byte)
	if parseText("link code", code, secret[:]) != nil {
		return LinkCode{}, ErrLinkCode
	}
	return LinkCode{secret: hold(secret)}, nil
}

// Secret gives the code as it is typed: "snug-link-" and 26 characters of base32.
func (c LinkCode) Secret() string { return linkCodePrefix + text.EncodeToString(c.secret()[:]) }

// QR gives what the code's QR code holds, in QR's alphanumeric mode.
func (c LinkCode) QR() string {
	return linkQRPrefix + strings.ToUpper(text.EncodeToString(c.secret()[:]))
}

// Mailbox gives the name by which the server knows the mailbox of this code.
func (c LinkCode) Mailbox() [16]byte {
	h := sha256.Sum256(append([]byte(labelLinkMailbox), c.secret()[:]...))
	return [16]byte(h[:])
}

// LinkOffer is the old device's part of a link: it commits to a key of its own before it
// sees the other one's. Used once; prints as "secret".
type LinkOffer struct {
	hidden
	private held[linkOffer]
}

type linkOffer struct {
	code  LinkCode
	key   *ecdh.PrivateKey
	nonce [linkNonceSize]byte
}

// NewLinkOffer makes a key and a nonce from 48 bytes of rand.
func NewLinkOffer(rand io.Reader, code LinkCode) (LinkOffer, error) {
	o := &linkOffer{code: code}
	var err error
	if o.key, err = newLinkKey(rand); err == nil {
		_, err = io.ReadFull(rand, o.nonce[:])
	}
	if err != nil {
		return LinkOffer{}, fmt.Errorf("ident: making link offer: %w", err)
	}
	return LinkOffer{private: hold(o)}, nil
}

// newLinkKey makes a key from 32 bytes of rand; ecdh's own generator does not promise how
// many it reads.
func newLinkKey(rand io.Reader) (*ecdh.PrivateKey, error) {
	var b [32]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return nil, err
	}
	return ecdh.X25519().NewPrivateKey(b[:])
}

// Commitment gives the old device's first message: 32 bytes that tell nothing.
func (o LinkOffer) Commitment() []byte {
	p := o.private()
	return linkCommitment(p.code, p.key.PublicKey().Bytes(), p.nonce[:])
}

// Reveal takes the new device's key, 32 bytes, and gives the old device's second message,
// which opens the commitment, and the session. The error is ErrLink.
func (o LinkOffer) Reveal(theirs []byte) (reveal []byte, s *LinkSession, err error) {
	p := o.private()
	reveal = append(p.key.PublicKey().Bytes(), p.nonce[:]...)
	s, err = newLinkSession(p.code, p.key, theirs, linkTranscript(p.code, o.Commitment(), theirs, reveal))
	return reveal, s, err
}

// LinkAnswer is the new device's part. Used once; prints as "secret".
type LinkAnswer struct {
	hidden
	private held[linkAnswer]
}

type linkAnswer struct {
	code       LinkCode
	commitment []byte
	key        *ecdh.PrivateKey
}

// NewLinkAnswer makes a key from 32 bytes of rand, for the offer with this commitment. The
// error is ErrLink for what is no commitment, or rand's.
func NewLinkAnswer(rand io.Reader, code LinkCode, commitment []byte) (LinkAnswer, error) {
	if len(commitment) != sha256.Size {
		return LinkAnswer{}, ErrLink
	}
	key, err := newLinkKey(rand)
	if err != nil {
		return LinkAnswer{}, fmt.Errorf("ident: making link answer: %w", err)
	}
	return LinkAnswer{private: hold(&linkAnswer{code, bytes.Clone(commitment), key})}, nil
}

// Public gives the new device's first message: its key, 32 bytes.
func (a LinkAnswer) Public() []byte { return a.private().key.PublicKey().Bytes() }

// Open takes what Reveal gave, holds it against the commitment, and gives the session. The
// error is ErrLink.
func (a LinkAnswer) Open(reveal []byte) (*LinkSession, error) {
	p := a.private()
	if len(reveal) != 32+linkNonceSize {
		return nil, ErrLink
	}
	if subtle.ConstantTimeCompare(linkCommitment(p.code, reveal[:32], reveal[32:]), p.commitment) != 1 {
		return nil, ErrLink
	}
	return newLinkSession(p.code, p.key, reveal[:32], linkTranscript(p.code, p.commitment, a.Public(), reveal))
}

func linkCommitment(code LinkCode, key, nonce []byte) []byte {
	h := sha256.New()
	h.Write([]byte(labelLinkCommitment))
	h.Write(code.secret()[:])
	h.Write(key)
	h.Write(nonce)
	return h.Sum(nil)
}

// linkTranscript hashes all that both have seen, and the code that only they know.
func linkTranscript(code LinkCode, commitment, answer, reveal []byte) Hash {
	h := sha256.New()
	h.Write([]byte(labelLinkTranscript))
	h.Write(code.secret()[:])
	h.Write(commitment)
	h.Write(answer)
	h.Write(reveal)
	return Hash(h.Sum(nil))
}

// LinkSession is what both devices share, if nobody is between them: that is for people
// to find out by Match. Prints as "secret".
type LinkSession struct {
	hidden
	transcript Hash
	toOld      held[[32]byte]
	toNew      held[[32]byte]
}

func newLinkSession(code LinkCode, ours *ecdh.PrivateKey, theirs []byte, transcript Hash) (*LinkSession, error) {
	public, err := ecdh.X25519().NewPublicKey(theirs)
	if err != nil {
		return nil, ErrLink
	}
	shared, err := ours.ECDH(public) // refuses keys of low order
	if err != nil {
		return nil, ErrLink
	}
	s := &LinkSession{transcript: transcript}
	for _, k := range []struct {
		label string
		to    *held[[32]byte]
	}{{labelLinkToOld, &s.toOld}, {labelLinkToNew, &s.toNew}} {
		key, err := hkdf.Key(sha256.New, append(shared, code.secret()[:]...), transcript[:], k.label, 32)
		if err != nil {
			return nil, ErrLink
		}
		*k.to = hold((*[32]byte)(key))
	}
	return s, nil
}

// Match gives the six digits that both devices show. Whoever stands between them with the
// code in hand makes them equal with a chance of one in a million, and has one try: both
// keys are chosen before either is seen.
func (s *LinkSession) Match() string {
	h := sha256.Sum256(append([]byte(labelLinkMatch), s.transcript[:]...))
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(h[:8])%1_000_000)
}

// LinkedDevice is what the new device says of itself.
type LinkedDevice struct {
	Key  PublicKey
	Name string
}

// SealDevice gives the new device's second message: its key, proven, and its name.
func (s *LinkSession) SealDevice(rand io.Reader, key DeviceKey, name string) ([]byte, error) {
	if err := CheckDeviceName(name); err != nil {
		return nil, err
	}
	public := key.Public()
	b := append([]byte{linkVersion}, public[:]...)
	b = append(b, key.Sign(labelLinkDevice, s.transcript[:])...)
	return seal(rand, s.toOld(), appendShort(b, name), []byte(labelLinkToOld))
}

// OpenDevice opens what SealDevice gave. The error is ErrLink.
func (s *LinkSession) OpenDevice(sealed []byte) (d LinkedDevice, err error) {
	b, err := open(s.toOld(), sealed, []byte(labelLinkToOld))
	if err != nil {
		return d, ErrLink
	}
	r := reader{rest: b}
	version := r.byte()
	r.fill(d.Key[:])
	signature := r.take(SignatureSize)
	d.Name = r.short()
	if r.end() != nil || version != linkVersion || CheckDeviceName(d.Name) != nil ||
		d.Key.Verify(labelLinkDevice, s.transcript[:], signature) != nil {
		return LinkedDevice{}, ErrLink
	}
	return d, nil
}

// LinkedAccount is what the old device hands over. Len and Head are of the chain as it
// knows it: the server must not show the new device an older one.
type LinkedAccount struct {
	hidden
	Account  AccountID
	Identity IdentityKey
	Vault    VaultKey
	Len      int
	Head     Hash
}

// SealAccount gives the old device's last message. It is made only after a person has
// compared the digits.
func (s *LinkSession) SealAccount(rand io.Reader, a LinkedAccount) ([]byte, error) {
	b := append([]byte{linkVersion}, a.Account[:]...)
	b = append(b, a.Identity.Secret()...)
	b = append(b, a.Vault.Secret()...)
	b = appendUint32(b, uint32(a.Len))
	return seal(rand, s.toNew(), append(b, a.Head[:]...), []byte(labelLinkToNew))
}

// OpenAccount opens what SealAccount gave. The error is ErrLink.
func (s *LinkSession) OpenAccount(sealed []byte) (a LinkedAccount, err error) {
	b, err := open(s.toNew(), sealed, []byte(labelLinkToNew))
	if err != nil {
		return a, ErrLink
	}
	r := reader{rest: b}
	version := r.byte()
	r.fill(a.Account[:])
	identity, vault := r.take(SeedSize), r.take(32)
	a.Len = int(r.uint32())
	r.fill(a.Head[:])
	if r.end() != nil || version != linkVersion || a.Len < 1 || a.Len > MaxStatements {
		return LinkedAccount{}, ErrLink
	}
	if a.Identity, err = IdentityKeyFromSecret(identity); err == nil {
		a.Vault, err = VaultKeyFromSecret(vault)
	}
	if err != nil {
		return LinkedAccount{}, ErrLink
	}
	return a, nil
}
