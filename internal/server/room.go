package server

import (
	"math"

	"snug/internal/ident"
	"snug/internal/wire"
)

// NewRoom is a room to be made.
type NewRoom struct {
	ID   ident.RoomID
	Kind wire.RoomKind
	// Name is an open room's.
	Name string
	// Direct is the other account of a 1:1 room, else zero.
	Direct ident.AccountID
	// By is the device that makes it; zero for the room of the first start.
	By ident.DeviceID
	// Everyone makes every account a member, those of today and those to come.
	Everyone bool
	// At is now, in ms.
	At int64
}

// Room is a room as one device sees it.
type Room struct {
	ID        ident.RoomID
	Kind      wire.RoomKind
	Name      string
	Seq       uint64
	Head      ident.Hash
	Epoch     uint64
	Joined    bool
	Since     uint64
	Direct    []ident.AccountID // none or two, in order
	Members   uint32
	CreatedAt int64
}

// NoEnd is Access.Until of a device that is in the room.
const NoEnd = math.MaxUint64

// Access is what of a room's log a device may read: Since <= seq <= Until.
type Access struct {
	Since, Until uint64
	// Kind is the room's.
	Kind wire.RoomKind
	// Seq is the log's end when this was found out: what later commits say is not in
	// it.
	Seq uint64
}
