package server

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"snug/mls"
)

// suiteOf returns the suite of a request, if it is one that we have.
func suiteOf(number uint32) (mls.CipherSuite, error) {
	suite := mls.CipherSuite(number)
	if uint32(suite) != number || !suite.Supported() {
		return 0, status.Errorf(codes.InvalidArgument, "cipher suite %d is not supported", number)
	}
	return suite, nil
}

// newSigner makes a signature key for a suite.
func newSigner(suite mls.CipherSuite) (crypto.Signer, error) {
	switch suite {
	case mls.MLS_128_DHKEMP256_AES128GCM_SHA256_P256,
		mls.MLS_128_MLKEM768P256_AES128GCM_SHA256_P256, mls.MLS_128_MLKEM768P256_AES256GCM_SHA384_P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case mls.MLS_256_DHKEMP384_AES256GCM_SHA384_P384, mls.MLS_192_MLKEM1024P384_AES256GCM_SHA384_P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case mls.MLS_256_DHKEMP521_AES256GCM_SHA512_P521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// signaturePrivate returns a signature key as the working group's vectors have it: the seed of an Ed25519 key, the scalar of an
// ECDSA one.
func signaturePrivate(signer crypto.Signer) ([]byte, error) {
	switch key := signer.(type) {
	case ed25519.PrivateKey:
		return key.Seed(), nil
	case *ecdsa.PrivateKey:
		return key.Bytes()
	}
	return nil, status.Error(codes.Internal, "a signature key of an unknown kind")
}
