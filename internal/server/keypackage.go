package server

import "snug/internal/ident"

// KeyPackages is what a device publishes for others to add it by.
type KeyPackages struct {
	// OneTime are handed out once each.
	OneTime [][]byte
	// LastResort is handed out when none of those is left; nil leaves the former.
	LastResort []byte
	// Replace forgets the one-time packages stored before.
	Replace bool
}

// KeyPackage is a claimed one.
type KeyPackage struct {
	Account ident.AccountID
	Device  ident.DeviceID
	Bytes   []byte
}
