package ident

import "io"

// RoomID names a room: 128 random bits, never reused.
type RoomID [idSize]byte

// NewRoomID reads 16 bytes of rand.
func NewRoomID(rand io.Reader) (RoomID, error) { return randomID[RoomID]("room id", rand) }

// ParseRoomID reads the text form, strictly: exactly what String gives.
func ParseRoomID(s string) (RoomID, error) { return parseID[RoomID]("room id", s) }

// RoomIDFromBytes reads the 16 bytes that Bytes gives.
func RoomIDFromBytes(b []byte) (RoomID, error) { return idFromBytes[RoomID]("room id", b) }

// String gives the text form: 26 characters of lower-case base32.
func (id RoomID) String() string { return text.EncodeToString(id[:]) }

// Bytes gives a copy of the 16 bytes.
func (id RoomID) Bytes() []byte { return append([]byte(nil), id[:]...) }

// IsZero reports whether the id was never set; no real id is zero.
func (id RoomID) IsZero() bool { return id == RoomID{} }

// MarshalText gives the text form.
func (id RoomID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form, as strictly as ParseRoomID.
func (id *RoomID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseRoomID(string(b))
	return err
}
