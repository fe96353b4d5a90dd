package server

import "snug/internal/ident"

// Welcome is an MLS Welcome that waits for a device.
type Welcome struct {
	Room ident.RoomID
	// Seq is that of the commit which added the device, Head the head after it.
	Seq  uint64
	Head ident.Hash
	// By is the device that made the commit.
	By    DeviceRef
	Bytes []byte
}
