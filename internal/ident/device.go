package ident

import "crypto/sha256"

// DeviceID names one device of one account: the first 16 bytes of
//
//	SHA-256("snug device v1" ‖ account id ‖ device public key)
//
// So it certifies its key as an AccountID does, and one key under two accounts
// has two ids.
type DeviceID [idSize]byte

// NewDeviceID gives the id of the device of an account that holds key.
func NewDeviceID(account AccountID, key PublicKey) DeviceID {
	h := sha256.New()
	h.Write([]byte(labelDevice))
	h.Write(account[:])
	h.Write(key[:])
	return DeviceID(h.Sum(nil)[:idSize])
}

// ParseDeviceID reads the text form, strictly: exactly what String gives.
func ParseDeviceID(s string) (DeviceID, error) { return parseID[DeviceID]("device id", s) }

// DeviceIDFromBytes reads the 16 bytes that Bytes gives.
func DeviceIDFromBytes(b []byte) (DeviceID, error) { return idFromBytes[DeviceID]("device id", b) }

// String gives the text form: 26 characters of lower-case base32.
func (id DeviceID) String() string { return text.EncodeToString(id[:]) }

// Bytes gives a copy of the 16 bytes.
func (id DeviceID) Bytes() []byte { return append([]byte(nil), id[:]...) }

// IsZero reports whether the id was never set; no real id is zero.
func (id DeviceID) IsZero() bool { return id == DeviceID{} }

// MarshalText gives the text form.
func (id DeviceID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form, as strictly as ParseDeviceID.
func (id *DeviceID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseDeviceID(string(b))
	return err
}
