package ident

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

const (
	// safetyHalf is how many digits of a safety number are one account's: 10^30 is
	// nearly 2^100, what it takes to make an account whose digits are another's.
	safetyHalf = 30
	// safetyGroup is how many digits stand together, from 40 bits: the remainder of
	// 2^40 by 10^5 favours no digits by more than one in 10^7.
	safetyGroup = 5
	// safetyRounds is how often an account's hash is hashed again. Who compares but
	// some of the digits is as safe as if it were 12 bits more; it takes some
	// milliseconds, and nobody waits for more than one.
	safetyRounds = 4096
	// safetyScheme begins what the QR code of a safety number holds: the characters of
	// QR's alphanumeric mode, so that the code is small.
	safetyScheme = "SNUG-SAFETY:"
)

// ErrSafetyNumber is the only error of ParseSafetyNumber.
var ErrSafetyNumber = errors.New("ident: a safety number has 60 digits")

// SafetyNumber is what two people compare to know that each has the other's keys: 60
// digits, the same on both sides, that stand for both accounts' ids and identity keys.
// It is not secret. Comparable with ==.
type SafetyNumber [2 * safetyHalf]byte // ASCII digits

// NewSafetyNumber gives the number of a pair of chains; whose is first makes no
// difference. Each account gives 30 digits of its own, the smaller ones first: a number
// of the pair as a whole could be made to collide at half the bits, by who chooses what
// each of the two is shown.
func NewSafetyNumber(ours, theirs *Chain) (n SafetyNumber) {
	a, b := safetyDigits(ours), safetyDigits(theirs)
	if string(a[:]) > string(b[:]) {
		a, b = b, a
	}
	copy(n[:safetyHalf], a[:])
	copy(n[safetyHalf:], b[:])
	return n
}

// safetyDigits gives an account's half: six groups of five from the first 30 bytes of
// h(4096), where h(0) = SHA-256(label ‖ account ‖ identity key) and
// h(i) = SHA-256(label ‖ h(i-1) ‖ account ‖ identity key).
func safetyDigits(c *Chain) (digits [safetyHalf]byte) {
	account, key := c.Account(), c.Identity()
	base := append(account[:], key[:]...)
	hash := sha256.Sum256(append([]byte(labelSafety), base...))
	for range safetyRounds {
		hash = sha256.Sum256(append(append([]byte(labelSafety), hash[:]...), base...))
	}
	for i := range safetyHalf / safetyGroup {
		var b [8]byte
		copy(b[3:], hash[5*i:5*i+5])
		copy(digits[safetyGroup*i:], fmt.Sprintf("%05d", binary.BigEndian.Uint64(b[:])%100_000))
	}
	return digits
}

// ParseSafetyNumber reads 60 digits with any white space and hyphens between them, or
// what QR gives. The error is ErrSafetyNumber.
func ParseSafetyNumber(s string) (n SafetyNumber, err error) {
	s = strings.TrimPrefix(strings.TrimSpace(s), safetyScheme)
	at := 0
	for _, r := range s {
		switch {
		case r == ' ', r == '\t', r == '\n', r == '\r', r == '-', r == '\u00a0':
			continue
		case r < '0' || r > '9' || at == len(n):
			return SafetyNumber{}, ErrSafetyNumber
		}
		n[at] = byte(r)
		at++
	}
	if at != len(n) {
		return SafetyNumber{}, ErrSafetyNumber
	}
	return n, nil
}

// String gives twelve groups of five digits with single spaces between them.
func (n SafetyNumber) String() string {
	groups := make([]string, 0, len(n)/safetyGroup)
	for i := 0; i < len(n); i += safetyGroup {
		groups = append(groups, string(n[i:i+safetyGroup]))
	}
	return strings.Join(groups, " ")
}

// QR gives what the number's QR code holds. It is no URL: opened somewhere else it does
// nothing.
func (n SafetyNumber) QR() string { return safetyScheme + string(n[:]) }
