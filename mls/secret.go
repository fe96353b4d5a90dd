package mls

import "log/slog"

// Secret is bytes that must not be shown. It converts to []byte where they are used; printed, logged or marshalled it
// is the word "secret".
type Secret []byte

const redacted = "secret"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
