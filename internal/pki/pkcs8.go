package pki

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"slices"
)

// Private keys under a passphrase are PKCS #8 (RFC 5958) sealed by PBES2 (RFC 8018, Section 6.2), the form that openssl
// reads and writes: PBKDF2 with HMAC-SHA-256, then AES-256 in CBC mode. The mode does not authenticate; whoever opens a
// key compares it with its certificate, so a changed file is a key that does not fit.

const (
	// iterations of PBKDF2 are those that OWASP's Password Storage Cheat Sheet asks for with HMAC-SHA-256, a quarter of a
	// second here: a scheme that needs memory too would be better, and openssl of Debian would not read it.
	iterations = 600_000
	// maxIterations bounds what a file can ask of us: some five seconds.
	maxIterations = 10_000_000
	saltSize      = 16
	// maxSalt bounds what a file can have.
	maxSalt = 64
	keySize = 32 // AES-256
)

const (
	pemKey       = "PRIVATE KEY"           // PKCS #8
	pemSealedKey = "ENCRYPTED PRIVATE KEY" // PKCS #8
	pemKeyEC     = "EC PRIVATE KEY"        // SEC 1
	pemKeyRSA    = "RSA PRIVATE KEY"       // PKCS #1
)

var (
	// ErrPassphrase says that a private key did not open: the passphrase is another, or the file was changed.
	ErrPassphrase = errors.New("pki: wrong passphrase, or a broken file")

	// ErrSealed says that a private key is under a passphrase and none was given.
	ErrSealed = errors.New("pki: the private key is under a passphrase")
)

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}

	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidHMACSHA512 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 11}

	oidAES128CBC = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}
	oidAES256CBC = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

// sealedKey is EncryptedPrivateKeyInfo (RFC 5958, Section 3).
type sealedKey struct {
	Algorithm struct {
		Scheme     asn1.ObjectIdentifier
		Parameters struct {
			Derivation pkix.AlgorithmIdentifier
			Encryption struct {
				Algorithm asn1.ObjectIdentifier
				IV        []byte
			}
		}
	}
	Ciphertext []byte
}

// derivation is PBKDF2-params (RFC 8018, Appendix A.2), whose default for PRF we do not take: it is HMAC-SHA-1.
type derivation struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// MarshalKey writes a private key as PKCS #8 in PEM, sealed if there is a passphrase.
func MarshalKey(key crypto.Signer, passphrase []byte) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("pki: encoding private key: %w", err)
	}
	if len(passphrase) == 0 {
		return encode(pemKey, der), nil
	}
	sealed, err := seal(der, passphrase)
	if err != nil {
		return nil, err
	}
	return encode(pemSealedKey, sealed), nil
}

func seal(der, passphrase []byte) ([]byte, error) {
	random := make([]byte, saltSize+aes.BlockSize)
	rand.Read(random)
	salt, iv := random[:saltSize], random[saltSize:]
	var sealed sealedKey
	parameters, err := asn1.Marshal(derivation{Salt: salt, Iterations: iterations, PRF: pkix.AlgorithmIdentifier{Algorithm: oidHMACSHA256, Parameters: asn1.NullRawValue}})
	if err != nil {
		return nil, err
	}
	sealed.Algorithm.Scheme = oidPBES2
	sealed.Algorithm.Parameters.Derivation = pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: asn1.RawValue{FullBytes: parameters}}
	sealed.Algorithm.Parameters.Encryption.Algorithm = oidAES256CBC
	sealed.Algorithm.Parameters.Encryption.IV = iv
	key, err := pbkdf2.Key(sha256.New, string(passphrase), salt, iterations, keySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	padding := aes.BlockSize - len(der)%aes.BlockSize // RFC 8018, Section 6.1.1, step 4
	padded := append(slices.Clone(der), slices.Repeat([]byte{byte(padding)}, padding)...)
	sealed.Ciphertext = make([]byte, len(padded))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(sealed.Ciphertext, padded)
	return asn1.Marshal(sealed)
}

// ParseKey reads the first private key of a PEM text: PKCS #8, SEC 1 or PKCS #1. passphrase is asked for that of a sealed
// one; where it is nil, the error is ErrSealed.
func ParseKey(text []byte, passphrase func() ([]byte, error)) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case pemSealedKey:
			return openKey(block.Bytes, passphrase)
		case pemKey, pemKeyEC, pemKeyRSA:
			if block.Headers["DEK-Info"] != "" {
				return nil, errors.New("pki: the key is sealed in a way that does not withstand guessing: openssl pkcs8 -topk8 -in OLD -out NEW")
			}
			return parseKey(block.Type, block.Bytes)
		}
	}
	return nil, errors.New("pki: no private key in it")
}

func parseKey(kind string, der []byte) (crypto.Signer, error) {
	var key any
	var err error
	switch kind {
	case pemKeyEC:
		key, err = x509.ParseECPrivateKey(der)
	case pemKeyRSA:
		key, err = x509.ParsePKCS1PrivateKey(der)
	default:
		key, err = x509.ParsePKCS8PrivateKey(der)
	}
	if err != nil {
		return nil, errors.New("pki: the private key does not parse")
	}
	switch key := key.(type) {
	case ed25519.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	case *rsa.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("pki: a %T cannot sign", key)
}

func openKey(der []byte, passphrase func() ([]byte, error)) (crypto.Signer, error) {
	var sealed sealedKey
	if rest, err := asn1.Unmarshal(der, &sealed); err != nil || len(rest) > 0 || !sealed.Algorithm.Scheme.Equal(oidPBES2) {
		return nil, errors.New("pki: the private key is sealed in a way that we do not know: openssl pkcs8 -topk8 -in OLD -out NEW")
	}
	how, err := sealed.derivation()
	if err != nil {
		return nil, err
	}
	if passphrase == nil {
		return nil, ErrSealed
	}
	secret, err := passphrase()
	if err != nil {
		return nil, err
	}
	plain, err := how.open(&sealed, secret)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(pemKey, plain)
	if err != nil {
		return nil, ErrPassphrase
	}
	return key, nil
}

// opening is how a sealed key opens.
type opening struct {
	derivation
	prf     func() hash.Hash
	keySize int
}

// derivation reads the parameters, and refuses those that are too much or too little.
func (s *sealedKey) derivation() (*opening, error) {
	d := s.Algorithm.Parameters.Derivation
	how := &opening{}
	switch {
	case d.Algorithm.Equal(oidScrypt):
		return nil, errors.New("pki: the private key is sealed with scrypt: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW")
	case !d.Algorithm.Equal(oidPBKDF2):
		return nil, fmt.Errorf("pki: the private key is sealed by %v, which we do not know", d.Algorithm)
	}
	if rest, err := asn1.Unmarshal(d.Parameters.FullBytes, &how.derivation); err != nil || len(rest) > 0 {
		return nil, errors.New("pki: the private key's parameters do not parse")
	}
	switch {
	case how.PRF.Algorithm.Equal(oidHMACSHA256):
		how.prf = sha256.New
	case how.PRF.Algorithm.Equal(oidHMACSHA512):
		how.prf = sha512.New
	default:
		return nil, errors.New("pki: the private key is sealed with an old hash: openssl pkcs8 -topk8 -v2prf hmacWithSHA256 -in OLD -out NEW")
	}
	switch e := s.Algorithm.Parameters.Encryption; {
	case e.Algorithm.Equal(oidAES256CBC):
		how.keySize = keySize
	case e.Algorithm.Equal(oidAES128CBC):
		how.keySize = keySize / 2
	default:
		return nil, fmt.Errorf("pki: the private key is sealed by the cipher %v: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW", e.Algorithm)
	}
	if how.Iterations < 1 || how.Iterations > maxIterations || len(how.Salt) == 0 || len(how.Salt) > maxSalt || how.KeyLength != 0 && how.KeyLength != how.keySize ||
		len(s.Algorithm.Parameters.Encryption.IV) != aes.BlockSize || len(s.Ciphertext) == 0 || len(s.Ciphertext)%aes.BlockSize != 0 {
		return nil, errors.New("pki: the private key's parameters are out of bounds")
	}
	return how, nil
}

// open gives the plain text. All that goes wrong here is one error, so that nobody learns from it.
func (how *opening) open(s *sealedKey, passphrase []byte) ([]byte, error) {
	key, err := pbkdf2.Key(how.prf, string(passphrase), how.Salt, how.Iterations, how.keySize)
	if err != nil {
		return nil, fmt.Errorf("pki: deriving a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(s.Ciphertext))
	cipher.NewCBCDecrypter(block, s.Algorithm.Parameters.Encryption.IV).CryptBlocks(plain, s.Ciphertext)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil, ErrPassphrase
	}
	for _, b := range plain[len(plain)-padding:] {
		if int(b) != padding {
			return nil, ErrPassphrase
		}
	}
	return plain[:len(plain)-padding], nil
}
