package ident

import "bytes"

// Words gives the word list to the test that counts it.
func Words() []string { return words() }

// EncodeCertificate encodes anew what was parsed, up to the signature.
func EncodeCertificate(c Certificate) []byte {
	s, err := parseSigned(bytes.Clone(c.raw))
	if err != nil {
		panic(err)
	}
	return encodeBody(s.header, s.statement)
}
