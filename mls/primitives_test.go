package mls

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hpke"
	"math"
	"testing"
	"time"
)

// primitives are the cryptographic operations of a suite as the standard library offers them, without anything of ours around
// them. What an operation of the protocol costs is stated as a multiple of those that the protocol itself demands.
type primitives struct {
	tb      testing.TB
	suite   *suite
	signer  ed25519.PrivateKey
	secret  []byte
	private hpke.PrivateKey
	public  hpke.PublicKey
	scratch []byte
	// sealed and signed are what open and verify are given, by length.
	sealed map[int][2][]byte
	signed map[int][]byte
}

func newPrimitives(tb testing.TB, s *suite) *primitives {
	tb.Helper()
	p := &primitives{tb: tb, suite: s, secret: random(s.nh), sealed: make(map[int][2][]byte), signed: make(map[int][]byte)}
	var err error
	if _, p.signer, err = ed25519.GenerateKey(nil); err != nil {
		tb.Fatal(err)
	}
	if p.private, err = s.kem.GenerateKey(); err != nil {
		tb.Fatal(err)
	}
	p.public = p.private.PublicKey()
	return p
}

// bytes are n bytes to be signed or hashed.
func (p *primitives) bytes(n int) []byte {
	if len(p.scratch) < n {
		p.scratch = make([]byte, n)
	}
	return p.scratch[:n]
}

// derive derives a key pair and encodes its public half.
func (p *primitives) derive(times int) {
	for range times {
		key, err := p.suite.kem.DeriveKeyPair(p.secret)
		if err != nil {
			p.tb.Fatal(err)
		}
		key.PublicKey().Bytes()
	}
}

// expand derives secrets from secrets. Each takes a label that names it, as in ExpandWithLabel (RFC 9420, Section 8).
func (p *primitives) expand(times int) {
	const info = "..\x12MLS 1.0 some label\x00"
	for range times {
		if _, err := hkdf.Expand(p.suite.hash, p.secret, info, p.suite.nh); err != nil {
			p.tb.Fatal(err)
		}
	}
}

// seal is an HPKE encryption of a secret with an info of n bytes.
func (p *primitives) seal(times, n int) {
	for range times {
		_, sender, err := hpke.NewSender(p.public, p.suite.kdf, p.suite.aead, p.bytes(n))
		if err != nil {
			p.tb.Fatal(err)
		}
		if _, err := sender.Seal(nil, p.secret); err != nil {
			p.tb.Fatal(err)
		}
	}
}

// open opens what seal makes, with a key that was parsed before.
func (p *primitives) open(times, n int) {
	in, ok := p.sealed[n]
	if !ok {
		enc, sender, err := hpke.NewSender(p.public, p.suite.kdf, p.suite.aead, p.bytes(n))
		if err != nil {
			p.tb.Fatal(err)
		}
		ct, err := sender.Seal(nil, p.secret)
		if err != nil {
			p.tb.Fatal(err)
		}
		in = [2][]byte{enc, ct}
		p.sealed[n] = in
	}
	for range times {
		recipient, err := hpke.NewRecipient(in[0], p.private, p.suite.kdf, p.suite.aead, p.bytes(n))
		if err != nil {
			p.tb.Fatal(err)
		}
		if _, err := recipient.Open(nil, in[1]); err != nil {
			p.tb.Fatal(err)
		}
	}
}

func (p *primitives) sign(times, n int) {
	for range times {
		ed25519.Sign(p.signer, p.bytes(n))
	}
}

func (p *primitives) verify(times, n int) {
	if p.signed[n] == nil {
		p.signed[n] = ed25519.Sign(p.signer, p.bytes(n))
	}
	public := p.signer.Public().(ed25519.PublicKey)
	for range times {
		if !ed25519.Verify(public, p.bytes(n), p.signed[n]) {
			p.tb.Fatal("a signature that does not verify")
		}
	}
}

func (p *primitives) hash(times, n int) {
	h := p.suite.hash()
	sum := make([]byte, 0, h.Size())
	for range times {
		h.Reset()
		h.Write(p.bytes(n))
		h.Sum(sum)
	}
}

// aead encrypts n bytes.
func (p *primitives) aead(n int) {
	a, err := p.suite.newAEAD(p.secret[:p.suite.nk])
	if err != nil {
		p.tb.Fatal(err)
	}
	a.Seal(nil, p.bytes(nonceSize), p.bytes(n), nil)
}

// multiple is how often the time of what the protocol demands an operation takes: the least time of the one over the least of the
// other, over rounds of both in turn, so that what else the machine does counts for little.
func multiple(operation, demand func()) float64 {
	const rounds, budget = 3, time.Second
	batch := 1 + int(time.Millisecond/2/(elapsed(1, operation)+1))
	demand()
	took, demanded := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	start := time.Now()
	for round := 0; round < rounds || time.Since(start) < budget; round++ {
		took = min(took, elapsed(batch, operation))
		demanded = min(demanded, elapsed(batch, demand))
	}
	return float64(took) / float64(demanded+1)
}

func elapsed(times int, f func()) time.Duration {
	start := time.Now()
	for range times {
		f()
	}
	return time.Since(start)
}
