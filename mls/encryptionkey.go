package mls

import (
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/mlkem"
	"encoding/binary"
)

// What can be told of an encryption key without parsing it. With ML-KEM parsing costs nearly as much as verifying a
// signature, because a matrix is expanded that only encryption needs: keys are parsed when something is first sealed to them. That they will parse is
// seen when they come in: with a proposal, a path or the tree of a group that is joined.

// keySizes are the lengths of encoded public keys by KEM.
var keySizes = map[uint16]int{
	0x0010: 65, 0x0011: 97, 0x0012: 133, 0x0020: x25519Size, // the curves of RFC 9180
	0x647a: 1184 + x25519Size, 0x0050: 1184 + 65, 0x0051: 1568 + 97, // ML-KEM, then a curve
}

const x25519Size = 32

func notOfSuite() error { return invalid("7.3", "an encryption key is not one of the cipher suite") }

// smallOrder are the encodings of the points of X25519 with which every exchange gives zero, so that HPKE does not seal to
// them (RFC 7748, Section 6.1), without the bit that X25519 ignores. Were such a key let in, nobody else could commit with a
// path any more.
var smallOrder = map[[x25519Size]byte]bool{
	{}:  true,
	{1}: true,
	{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
		0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00}: true,
	{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
		0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57}: true,
	nearPrime(0xec): true, nearPrime(0xed): true, nearPrime(0xee): true,
}

// nearPrime is 2^255-19 with another lowest byte, little-endian.
func nearPrime(lowest byte) (p [x25519Size]byte) {
	for i := range p {
		p[i] = 0xff
	}
	p[0], p[x25519Size-1] = lowest, 0x7f
	return p
}

// checkKey holds an encryption key against the KEM.
func (s *suite) checkKey(b []byte) error {
	if len(b) != keySizes[s.kem.ID()] {
		return notOfSuite()
	}
	if id := s.kem.ID(); id != 0x0020 && id != 0x647a {
		return nil
	}
	point := [x25519Size]byte(b[len(b)-x25519Size:])
	point[x25519Size-1] &= 0x7f
	if smallOrder[point] {
		return invalid("7.3", "an encryption key cannot be used")
	}
	return nil
}

// checkUsable is checkKey for a key that was just received: it tells whether publicKey would parse it.
func (s *suite) checkUsable(b []byte) error {
	if err := s.checkKey(b); err != nil {
		return err
	}
	var err error
	switch s.kem.ID() {
	case 0x647a:
		if !reduced(b[:mlkem.EncapsulationKeySize768]) {
			return notOfSuite()
		}
		return nil
	case 0x0050:
		_, err = ecdh.P256().NewPublicKey(b[mlkem.EncapsulationKeySize768:])
		b = b[:mlkem.EncapsulationKeySize768]
	case 0x0051:
		_, err = ecdh.P384().NewPublicKey(b[mlkem.EncapsulationKeySize1024:])
		b = b[:mlkem.EncapsulationKeySize1024]
	default:
		_, err = s.publicKey(b)
		return err
	}
	if err != nil || !reduced(b) {
		return notOfSuite()
	}
	return nil
}

// reduced is the check of an encapsulation key in FIPS 203, Section 7.2: that its numbers of 12 bits, up to the seed of 32 bytes, are
// less than the modulus.
func reduced(key []byte) bool {
	// Four numbers at a time, each in 16 bits of its own: what is added takes those that are too great, and no others, over 2^12.
	const lane, toCarry, carry = 1<<12 - 1, (1<<12 - 3329) * 0x0001_0001_0001_0001, 0x1000_1000_1000_1000
	var over uint64
	for b := key; len(b) > 32; b = b[6:] {
		v := binary.LittleEndian.Uint64(b)
		over |= (v&lane | v<<4&(lane<<16) | v<<8&(lane<<32) | v<<12&(lane<<48)) + toCarry
	}
	return over&carry == 0
}

// publicKey checks and parses an encryption key.
func (s *suite) publicKey(b []byte) (hpke.PublicKey, error) {
	if err := s.checkKey(b); err != nil {
		return nil, err
	}
	key, err := s.kem.NewPublicKey(b)
	if err != nil {
		return nil, notOfSuite()
	}
	return key, nil
}
