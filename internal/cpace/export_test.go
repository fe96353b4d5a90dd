package cpace

// What the draft's vectors and attackers need.
var (
	PrependLen      = prependLen
	LvCat           = lvCat
	GeneratorString = generatorString
	TranscriptIR    = transcriptIR
	IntermediateKey = intermediateKey
)

const (
	ShareSize = shareSize
	TagSize   = tagSize
)

// Generator gives the encoded generator.
func Generator(prs, ci, sid []byte) []byte { return calculateGenerator(prs, ci, sid).Encode(nil) }

// Share gives Y for a scalar, and K for a scalar and the other side's Y.
func Share(scalar, prs, ci, sid []byte) ([ShareSize]byte, error) {
	y, err := decodeScalar(scalar)
	return scalarMult(y, calculateGenerator(prs, ci, sid)), err
}

// ScalarMultVfy multiplies an encoded element.
func ScalarMultVfy(scalar, x []byte) ([ShareSize]byte, error) {
	y, err := decodeScalar(scalar)
	return scalarMultVfy(y, x), err
}
