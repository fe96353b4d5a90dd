package mls

import (
	"errors"
	"fmt"
)

// Secret is bytes that must not be shown. It converts to []byte where they are used; printed, logged or marshalled it
// is the word "secret". Package fmt asks no method of what lies in an unexported field: a struct that keeps one there prints it,
// unless it has methods of its own. There is no LogValue: log/slog asks MarshalText or MarshalJSON where there is none, and importing
// it would bring encoding/json into every browser's download. What takes the bytes as bytes cannot be kept from them: io.Writer,
// binary.Write of a Secret by itself, a template that ranges over one.
type Secret []byte

const redacted = "secret"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) Format(f fmt.State, _ rune)   { f.Write([]byte(redacted)) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// GobEncode and MarshalBinary refuse: of what they write somebody expects to read a secret back. What is to be saved has a Save method, or
// is a Record, whose Value is written as the bytes that it converts to.
func (Secret) GobEncode() ([]byte, error)     { return nil, errSecret }
func (Secret) MarshalBinary() ([]byte, error) { return nil, errSecret }

// errSecret answers encoders that would write a secret for others to read.
var errSecret = errors.New("mls: a secret is not marshalled")

// unprintable makes a struct that embeds it print, log and marshal as "secret". The fields' own methods would not do:
// package fmt does not call those of unexported fields.
type unprintable struct{}

func (unprintable) String() string                 { return redacted }
func (unprintable) GoString() string               { return redacted }
func (unprintable) Format(f fmt.State, _ rune)     { f.Write([]byte(redacted)) }
func (unprintable) MarshalText() ([]byte, error)   { return []byte(redacted), nil }
func (unprintable) MarshalJSON() ([]byte, error)   { return []byte(`"` + redacted + `"`), nil }
func (unprintable) GobEncode() ([]byte, error)     { return nil, errSecret }
func (unprintable) MarshalBinary() ([]byte, error) { return nil, errSecret }
