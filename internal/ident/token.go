package ident

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"strings"
)

// TokenSize is the size of a token in bytes: nobody tries 256 bits.
const TokenSize = 32

// tokenScheme begins a token's text, so that it can be told from a fingerprint, and
// be found where it should not be.
const tokenScheme = "snug-token-"

// ErrToken is the only error of ParseToken and ParseTokenHash.
var ErrToken = errors.New(`ident: a token is "` + tokenScheme + `" and 52 of a-z and 2-7, its hash 52 of them`)

// Token lets a program in that shows it: 256 random bits. It prints as "secret";
// Secret gives the text to hand over.
type Token struct {
	hidden
	token held[[TokenSize]byte]
}

// TokenHash is what is kept of a token where it is accepted. A plain hash is enough:
// 256 random bits cannot be guessed from it.
type TokenHash [sha256.Size]byte

// NewToken reads 32 bytes of rand.
func NewToken(rand io.Reader) (Token, error) {
	token := new([TokenSize]byte)
	if _, err := io.ReadFull(rand, token[:]); err != nil {
		return Token{}, fmt.Errorf("ident: making token: %w", err)
	}
	return Token{token: hold(token)}, nil
}

// ParseToken reads the text that Secret gives, strictly.
func ParseToken(s string) (Token, error) {
	token := new([TokenSize]byte)
	rest, ok := strings.CutPrefix(s, tokenScheme)
	if !ok || parseText("token", rest, token[:]) != nil {
		return Token{}, ErrToken
	}
	return Token{token: hold(token)}, nil
}

// TokenFromBytes takes the 32 bytes that Bytes gives.
func TokenFromBytes(b [TokenSize]byte) Token { return Token{token: hold(&b)} }

// Secret gives the text: "snug-token-" and 52 characters of lower-case base32.
func (t Token) Secret() string { return tokenScheme + text.EncodeToString(t.token()[:]) }

// Bytes gives the 32 bytes to show.
func (t Token) Bytes() [TokenSize]byte { return *t.token() }

// HashToken gives what is kept of a token.
func HashToken(t Token) TokenHash {
	h := sha256.New()
	h.Write([]byte(labelToken))
	h.Write(t.token()[:])
	return TokenHash(h.Sum(nil))
}

// ParseTokenHash reads the text that String gives, strictly.
func ParseTokenHash(s string) (h TokenHash, err error) {
	if parseText("token hash", s, h[:]) != nil {
		return TokenHash{}, ErrToken
	}
	return h, nil
}

// String gives 52 characters of lower-case base32.
func (h TokenHash) String() string { return text.EncodeToString(h[:]) }

// Equal compares in constant time.
func (h TokenHash) Equal(other TokenHash) bool {
	return subtle.ConstantTimeCompare(h[:], other[:]) == 1
}
