package ident

import "io"

// GeneratePassphrase gives six random words of the word list with single spaces
// between them: 6 × 11 = 66 bits. rand gives 12 bytes.
func GeneratePassphrase(rand io.Reader) (string, error) { panic("ident: internal error: to come") }

// WeakPassphraseError says why a chosen passphrase is refused.
type WeakPassphraseError struct {
	Reason string // for people: what is wrong
}

// Error gives the reason.
func (e *WeakPassphraseError) Error() string { return "ident: weak passphrase: " + e.Reason }

// CheckPassphrase is nil for a passphrase above the floor, and otherwise a
// *WeakPassphraseError. Generated ones always pass.
func CheckPassphrase(passphrase string) error { panic("ident: internal error: to come") }
