package ident

import (
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
	var b [9]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("ident: making passphrase: %w", err)
	}
	chosen := make([]string, passphraseWords)
	bits, n, next := uint32(0), 0, 0
	for i := range chosen {
		for n < 11 {
			bits, n, next = bits<<8|uint32(b[next]), n+8, next+1
		}
		n -= 11
		chosen[i] = words()[bits>>n&2047]
	}
	return strings.Join(chosen, " "), nil
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
