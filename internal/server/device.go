package server

import "snug/internal/ident"

// Device is what the store knows of a device, with what a session needs of its
// account.
type Device struct {
	ID      ident.DeviceID
	Key     ident.PublicKey
	Account ident.AccountID
	Revoked bool
	// Handle and Owner are the account's.
	Handle string
	Owner  bool
}

// ChainChange replaces an account's chain, if it is still the one that the change
// was judged against.
type ChainChange struct {
	Account ident.AccountID
	// Before and After are encoded chains.
	Before, After []byte
	// At is now, in ms.
	At int64
}

// DeviceRef names a device with its account.
type DeviceRef struct {
	Account ident.AccountID
	Device  ident.DeviceID
}
