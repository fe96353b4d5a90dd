package ident

import "io"

// MessageID is what a sender calls its message: 128 random bits. (device,
// message id) is unique, so a message that is sent again is known again.
type MessageID [idSize]byte

// NewMessageID reads 16 bytes of rand.
func NewMessageID(rand io.Reader) (MessageID, error) {
	return randomID[MessageID]("message id", rand)
}

// ParseMessageID reads the text form, strictly: exactly what String gives.
func ParseMessageID(s string) (MessageID, error) { return parseID[MessageID]("message id", s) }

// MessageIDFromBytes reads the 16 bytes that Bytes gives.
func MessageIDFromBytes(b []byte) (MessageID, error) { return idFromBytes[MessageID]("message id", b) }

// String gives the text form: 26 characters of lower-case base32.
func (id MessageID) String() string { return text.EncodeToString(id[:]) }

// Bytes gives a copy of the 16 bytes.
func (id MessageID) Bytes() []byte { return append([]byte(nil), id[:]...) }

// IsZero reports whether the id was never set; no real id is zero.
func (id MessageID) IsZero() bool { return id == MessageID{} }

// MarshalText gives the text form.
func (id MessageID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form, as strictly as ParseMessageID.
func (id *MessageID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseMessageID(string(b))
	return err
}
