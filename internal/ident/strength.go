package ident

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// minPassphrase is the least number of characters in a chosen passphrase.
	minPassphrase = 12
	// maxPassphrase bounds one in bytes.
	maxPassphrase = 1024
	// floorBits is what a chosen passphrase must be worth by our estimate: at 64
	// MiB and 0.1 s a guess, half of 2^45 tries are 55,000 years of a core.
	floorBits = 45
)

// What the parts of a passphrase are worth in bits. They are what a guesser who
// tries words, rows of keys and repetitions first would pay; a random letter is
// worth 4.7, but people's letters are not random.
const (
	bitsCommon   = 4  // a text of everybody's password list
	bitsWord     = 11 // a word of our list
	bitsLetter   = 4
	bitsDigit    = 3
	bitsOther    = 5
	bitsSpace    = 1
	bitsFollows  = 1 // repeats or follows the character before, or was said before
	bitsRepeated = 2 // a word that was said before
)

// common are texts that guessers try first; they count as such even where they
// are words of our list.
var common = []string{
	"correct horse battery staple", "password", "passwort", "passphrase", "passw0rd", "p@ssword", "p@ssw0rd",
	"qwertyuiop", "qwerty", "qwertz", "azerty", "asdf", "zxcv", "1q2w3e4r", "1qaz2wsx", "q1w2e3r4",
	"iloveyou", "letmein", "welcome", "admin", "administrator", "login", "changeme", "whatever",
	"trustno1", "superman", "batman", "starwars", "pokemon", "football", "baseball", "sunshine", "princess",
	"mypassword", "mysecret", "messenger", "snug", "hello world", "test", "default", "root", "access",
	"michael", "jessica", "charlie", "jordan", "ashley", "daniel", "thomas", "liverpool", "chelsea",
}

// rows are characters that lie side by side.
var rows = []string{"abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm"}

// WeakPassphraseError says why a chosen passphrase is refused.
type WeakPassphraseError struct {
	Reason string // for people: what is wrong and what to do
}

// Error gives the reason.
func (e *WeakPassphraseError) Error() string { return "ident: weak passphrase: " + e.Reason }

// CheckPassphrase is nil for a passphrase above the floor, and otherwise a
// *WeakPassphraseError. Those of GeneratePassphrase pass. The estimate is a floor
// against the worst, no measure: it cannot know what somebody's dog is called.
func CheckPassphrase(passphrase string) error {
	s := normalise(passphrase)
	switch {
	case !utf8.ValidString(s):
		return &WeakPassphraseError{Reason: "it is not valid text"}
	case utf8.RuneCountInString(s) < minPassphrase:
		return &WeakPassphraseError{Reason: fmt.Sprintf("it needs %d characters or more", minPassphrase)}
	case len(s) > maxPassphrase:
		return &WeakPassphraseError{Reason: fmt.Sprintf("it is longer than %d bytes", maxPassphrase)}
	case estimate(s) < floorBits:
		return &WeakPassphraseError{Reason: "it is easy to guess: common words, repeated characters and rows of keys count for little; add words that have nothing to do with each other"}
	}
	return nil
}

// estimate adds up what the parts of s are worth.
func estimate(s string) int {
	s = strings.ToLower(s)
	seen := map[string]bool{}
	total := 0
	previous := rune(0)
	for at := 0; at < len(s); {
		part, worth := longestWord(s[at:])
		if part != "" {
			if seen[part] {
				worth = bitsRepeated
			}
			seen[part] = true
			previous, _ = utf8.DecodeLastRuneInString(part)
			total += worth
			at += len(part)
			continue
		}
		r, size := utf8.DecodeRuneInString(s[at:])
		total += worthOf(s, at, size, previous, r)
		previous = r
		at += size
	}
	return total
}

// longestWord gives the longest text at the front of s that a guesser knows.
func longestWord(s string) (part string, worth int) {
	for n := min(8, len(s)); n >= 4; n-- {
		if rank()[s[:n]] {
			part, worth = s[:n], bitsWord
			break
		}
	}
	for _, c := range common {
		if len(c) >= len(part) && strings.HasPrefix(s, c) {
			part, worth = c, bitsCommon
		}
	}
	return part, worth
}

func worthOf(s string, at, size int, previous, r rune) int {
	switch end := at + size; {
	case r == ' ':
		return bitsSpace
	case follows(previous, r):
		return bitsFollows
	case at >= 2 && strings.Contains(s[:end-1], s[at-2:end]):
		return bitsFollows // the last three bytes were there before
	case unicode.IsDigit(r):
		return bitsDigit
	case unicode.IsLetter(r):
		return bitsLetter
	}
	return bitsOther
}

// follows reports whether two characters are the same or side by side.
func follows(a, b rune) bool {
	if a == b {
		return true
	}
	for _, row := range rows {
		if strings.Contains(row, string([]rune{a, b})) || strings.Contains(row, string([]rune{b, a})) {
			return true
		}
	}
	return false
}
