package ident

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"sync"
)

// wordList has 2,048 words of three to eight letters, so that each is 11 bits. We
// made it: plain words, none hurtful, and no two that differ in one letter or are
// spoken alike where we noticed. A change to it changes nothing for passphrases
// that exist.
//
//go:embed words.txt
var wordList string

// passphraseWords is how many words a generated passphrase has: 66 bits. At 0.1 s
// a guess that is 10^11 years of a core.
const passphraseWords = 6

// words gives the list; rank gives the set of it.
var (
	words = sync.OnceValue(func() []string { return strings.Fields(wordList) })
	rank  = sync.OnceValue(func() map[string]bool {
		set := make(map[string]bool, len(words()))
		for _, w := range words() {
			set[w] = true
		}
		return set
	})
)

// GeneratePassphrase gives six random words of the list with single spaces between
// them: 6 × 11 = 66 bits, from 9 bytes of rand.
func GeneratePassphrase(rand io.Reader) (string, error) {
	return randomWords(rand, passphraseWords, " ")
}

// passwordWords is how many words a one-time password has: 44 bits. It can be tried
// three times, so that four words are plenty.
const passwordWords = 4

// GeneratePassword gives a one-time password: four random words of the list with
// hyphens between them, 4 × 11 = 44 bits, from 6 bytes of rand. It is for protocols
// that count tries, and never for what can be tried in silence.
func GeneratePassword(rand io.Reader) (string, error) {
	return randomWords(rand, passwordWords, "-")
}

// SessionWords gives six words of the list for a secret that both ends of a
// connection derive: for two people to compare aloud. They show 66 bits of it: who is
// in between has the time of a handshake to find a connection with equal ones.
func SessionWords(secret [32]byte) string {
	said, err := randomWords(bytes.NewReader(secret[:]), passphraseWords, " ")
	if err != nil {
		panic("ident: internal error: " + err.Error())
	}
	return said
}

// randomWords chooses n words by 11 bits of rand each.
func randomWords(rand io.Reader, n int, between string) (string, error) {
	b := make([]byte, (11*n+7)/8)
	if _, err := io.ReadFull(rand, b); err != nil {
		return "", fmt.Errorf("ident: choosing words: %w", err)
	}
	chosen := make([]string, n)
	bits, have, next := uint32(0), 0, 0
	for i := range chosen {
		for have < 11 {
			bits, have, next = bits<<8|uint32(b[next]), have+8, next+1
		}
		have -= 11
		chosen[i] = words()[bits>>have&2047]
	}
	return strings.Join(chosen, between), nil
}

// Digits gives a key's fingerprint as people compare it: the last 60 decimal digits
// of the fingerprint as a number, most significant byte first, in twelve groups of
// five. They are 199 of its 256 bits: nobody can make a key that has the same.
func Digits(fingerprint [32]byte) string {
	groups := make([]string, 12)
	for i := range groups {
		rest := uint32(0)
		for j, b := range fingerprint {
			rest = rest<<8 | uint32(b)
			fingerprint[j] = byte(rest / 100_000)
			rest %= 100_000
		}
		groups[len(groups)-1-i] = fmt.Sprintf("%05d", rest)
	}
	return strings.Join(groups, " ")
}

// tellWords is how many words tell keys apart at a glance: 44 bits, enough that no
// two keys share them by chance, too few to withstand who makes keys until one
// fits.
const tellWords = 4

// TellApart gives four words of the list for a key's fingerprint: for people who
// look or read aloud to notice a wrong one. They prove nothing: only the whole
// fingerprint does.
func TellApart(fingerprint [32]byte) string {
	bits := binary.BigEndian.Uint64(fingerprint[:8])
	chosen := make([]string, tellWords)
	for i := range chosen {
		chosen[i] = words()[bits>>(64-11*(i+1))&2047]
	}
	return strings.Join(chosen, " ")
}
