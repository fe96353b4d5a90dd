package ident

import (
	"fmt"
	"io"
)

// hidden is embedded in every type that holds a secret. It answers every way of
// printing (fmt with any verb, log/slog in text and in JSON, encoding/json, %x)
// with the word "secret".
//
// There is no LogValue: log/slog asks MarshalText and MarshalJSON of values
// without one, and importing it would draw encoding/json into the browser's
// download.
//
// But fmt does not ask the methods of unexported struct fields, it prints what is
// in them, and follows pointers when the verb does not fit. So the secrets
// themselves are always held by a function, of which nothing can be printed but
// its address.
type hidden struct{}

// held keeps a secret out of the reach of reflection; nil holds none. It also
// makes what holds it incomparable with ==, which would take different times.
type held[T any] func() *T

func hold[T any](secret *T) held[T] { return func() *T { return secret } }

// hold32 copies a secret of 32 bytes, or says which noun has another size.
func hold32(noun string, b []byte) (held[[32]byte], error) {
	if len(b) != 32 {
		return nil, fmt.Errorf("ident: %s must have 32 bytes, not %d", noun, len(b))
	}
	secret := [32]byte(b)
	return hold(&secret), nil
}

const hiddenText = "secret"

// String says "secret".
func (hidden) String() string { return hiddenText }

// GoString says "secret".
func (hidden) GoString() string { return hiddenText }

// Format says "secret" whatever the verb.
func (hidden) Format(s fmt.State, _ rune) { io.WriteString(s, hiddenText) }

// MarshalText says "secret".
func (hidden) MarshalText() ([]byte, error) { return []byte(hiddenText), nil }

// MarshalJSON says "secret", quoted.
func (hidden) MarshalJSON() ([]byte, error) { return []byte(`"` + hiddenText + `"`), nil }
