package mls

import "crypto/hpke"

// What can be told of an encryption key without parsing it: the rest, such as whether a point lies on its curve, is seen when
// it is parsed, which is when it comes in with a proposal or a path, and for the nodes of a tree that is joined when
// something is first sealed to them. With ML-KEM parsing costs nearly as much as verifying a signature.

// keySizes are the lengths of encoded public keys by KEM.
var keySizes = map[uint16]int{
	0x0010: 65, 0x0011: 97, 0x0012: 133, 0x0020: x25519Size, // the curves of RFC 9180
	0x647a: 1184 + x25519Size, 0x0050: 1184 + 65, 0x0051: 1568 + 97, // ML-KEM, then a curve
}

const x25519Size = 32

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
		return invalid("7.3", "an encryption key is not one of the cipher suite")
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

// publicKey checks and parses an encryption key.
func (s *suite) publicKey(b []byte) (hpke.PublicKey, error) {
	if err := s.checkKey(b); err != nil {
		return nil, err
	}
	key, err := s.kem.NewPublicKey(b)
	if err != nil {
		return nil, invalid("7.3", "an encryption key is not one of the cipher suite")
	}
	return key, nil
}
