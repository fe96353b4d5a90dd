package ident

import "errors"

// Handle is what people call an account: 3 to 32 of a-z, 0-9, dot, underscore
// and hyphen, with a letter or digit at both ends. Make one with ParseHandle.
// It is a claim, never an authority: see AccountID.
type Handle string

const (
	minHandle = 3
	maxHandle = 32
)

// ErrHandle is the only error of ParseHandle.
var ErrHandle = errors.New("ident: a handle has 3 to 32 of a-z, 0-9, '.', '_' and '-', and begins and ends with a letter or digit")

// ParseHandle accepts s as it is or refuses it with ErrHandle. It neither folds
// case nor strips '@' or spaces: two texts are one handle only if they are equal.
func ParseHandle(s string) (Handle, error) {
	if len(s) < minHandle || len(s) > maxHandle {
		return "", ErrHandle
	}
	for i := range len(s) {
		edge := i == 0 || i == len(s)-1
		if !alphanumeric(s[i]) && (edge || s[i] != '.' && s[i] != '_' && s[i] != '-') {
			return "", ErrHandle
		}
	}
	return Handle(s), nil
}

// String gives the handle without an '@'.
func (h Handle) String() string { return string(h) }

func alphanumeric(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }
