package cpace

import (
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"io"

	"github.com/gtank/ristretto255"
)

const (
	// dsi is G_Ristretto255.DSI, dsiISK what ISK is derived under.
	dsi    = "CPaceRistretto255"
	dsiISK = dsi + "_ISK"

	shareSize  = 32 // of an encoded element
	scalarSize = 32
)

// identity is G.I, the encoding of the neutral element: what scalarMultVfy gives
// for every share that must not be used.
var identity [shareSize]byte

// prependLen gives b with its length in front, in LEB128.
func prependLen(b []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(b))), b...)
}

// lvCat gives the strings one after the other, each with its length in front.
func lvCat(parts ...[]byte) []byte {
	var cat []byte
	for _, part := range parts {
		cat = append(cat, prependLen(part)...)
	}
	return cat
}

// generatorString puts the password into the hash's first block, filled up with
// zeros, so that the number of blocks does not depend on its length.
func generatorString(prs, ci, sid []byte) []byte {
	pad := max(0, sha512.BlockSize-1-len(prependLen(prs))-len(prependLen([]byte(dsi))))
	return lvCat([]byte(dsi), prs, make([]byte, pad), ci, sid)
}

// calculateGenerator gives the element that the password selects.
func calculateGenerator(prs, ci, sid []byte) *ristretto255.Element {
	hash := sha512.Sum512(generatorString(prs, ci, sid))
	return ristretto255.NewElement().FromUniformBytes(hash[:])
}

// sampleScalar gives 252 random bits: always below the group's order, and as good
// as uniform below it for this purpose (draft-irtf-cfrg-cpace, Sampling of scalars).
func sampleScalar(rand io.Reader) (*ristretto255.Scalar, error) {
	var b [scalarSize]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return nil, err
	}
	b[scalarSize-1] &= 0x0f
	return decodeScalar(b[:])
}

func decodeScalar(b []byte) (*ristretto255.Scalar, error) {
	s := ristretto255.NewScalar()
	return s, s.Decode(b)
}

// scalarMult gives the encoding of y*g.
func scalarMult(y *ristretto255.Scalar, g *ristretto255.Element) (share [shareSize]byte) {
	ristretto255.NewElement().ScalarMult(y, g).Encode(share[:0])
	return share
}

// scalarMultVfy gives the encoding of y*X for an encoded X, and identity where X
// is no encoding, or that of the neutral element.
func scalarMultVfy(y *ristretto255.Scalar, x []byte) [shareSize]byte {
	element := ristretto255.NewElement()
	if element.Decode(x) != nil {
		return identity
	}
	return scalarMult(y, element)
}

// isIdentity compares in constant time.
func isIdentity(k *[shareSize]byte) bool {
	return subtle.ConstantTimeCompare(k[:], identity[:]) == 1
}

// transcriptIR is the transcript of a run with an initiator and a responder.
func transcriptIR(ya, ada, yb, adb []byte) []byte {
	return append(lvCat(ya, ada), lvCat(yb, adb)...)
}

// intermediateKey is ISK.
func intermediateKey(sid, k, transcript []byte) [sha512.Size]byte {
	return sha512.Sum512(append(lvCat([]byte(dsiISK), sid, k), transcript...))
}
