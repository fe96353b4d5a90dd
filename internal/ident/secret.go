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
// fmt does not ask methods of unexported struct fields, it prints their bytes;
// so the secrets themselves always lie behind a pointer, of which fmt shows the
// address at most.
type hidden struct{}

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
