package mls

import "fmt"

// Secret is bytes that must not be shown. It converts to []byte where they are used; printed, logged or marshalled it
// is the word "secret". Package fmt asks no method of what lies in an unexported field: a struct that keeps one there prints it,
// unless it has methods of its own. There is no LogValue: log/slog asks MarshalText or MarshalJSON where there is none, and importing
// it would bring encoding/json into every browser's download.
type Secret []byte

const redacted = "secret"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) Format(f fmt.State, _ rune)   { f.Write([]byte(redacted)) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// unprintable makes a struct that embeds it print, log and marshal as "secret". The fields' own methods would not do:
// package fmt does not call those of unexported fields.
type unprintable struct{}

func (unprintable) String() string               { return redacted }
func (unprintable) GoString() string             { return redacted }
func (unprintable) Format(f fmt.State, _ rune)   { f.Write([]byte(redacted)) }
func (unprintable) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (unprintable) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
