package client

import (
	"context"

	"snug/internal/ident"
)

// RoomKind says who can read a room.
type RoomKind string

const (
	// Sealed rooms can be read by their members' devices and by nobody else.
	Sealed RoomKind = "sealed"
	// Open rooms can be read by everybody on the server, and by the server.
	OpenToAll RoomKind = "open"
)

// Room is a room as this device knows it.
type Room struct {
	ID   ident.RoomID
	Kind RoomKind
	// Name is the group's own name for a sealed room, "@handle" of the other account for a 1:1 room, and the server's
	// for an open one.
	Name string
	// Direct is the other account's handle in a 1:1 room, else empty.
	Direct string
	// Joined rooms can be written to.
	Joined bool
	// Members is the number of member accounts.
	Members int
	// Seq is the last entry that this device has processed.
	Seq uint64
	// ServerSeq is the last entry that the server is known to have.
	ServerSeq uint64
	// Unread is how many text messages of others have come since this device last wrote or MarkRead was called.
	Unread int
	// Last is the last message that is shown; nil in an empty room.
	Last *Message
	// Problem says why the room does not go on; empty while it is healthy.
	Problem string
}

// Member is an account in a room.
type Member struct {
	Account ident.AccountID
	Handle  string
	// Role is "owner", "admin" or "member".
	Role string
	// Devices is how many devices of the account are in the room.
	Devices int
}

// CreateRoomOptions say what room to make.
type CreateRoomOptions struct {
	Name string
	// Open makes a room that everybody on the server can read.
	Open bool
	// Handles are the first members besides this account. Sealed rooms only.
	Handles []string
}

// Rooms lists the joined rooms and the open ones, the most recently active first. It waits for the first answer of the
// server, unless that cannot be reached.
func (c *Client) Rooms(ctx context.Context) ([]Room, error) { return nil, errUnwritten }

// Room gives one room.
func (c *Client) Room(ctx context.Context, room ident.RoomID) (Room, error) {
	return Room{}, errUnwritten
}

// Resolve finds a room by "@handle" (the 1:1 room, where it exists), by the text of its id, or by a name that only one
// room has.
func (c *Client) Resolve(ctx context.Context, name string) (ident.RoomID, error) {
	return ident.RoomID{}, errUnwritten
}

// Direct gives the 1:1 room with an account, and makes it if there is none.
func (c *Client) Direct(ctx context.Context, handle string) (ident.RoomID, error) {
	return ident.RoomID{}, errUnwritten
}

// CreateRoom makes a room and returns when its first members are in it.
func (c *Client) CreateRoom(ctx context.Context, options CreateRoomOptions) (Room, error) {
	return Room{}, errUnwritten
}

// AddMembers adds accounts to a sealed room and returns when they are in.
func (c *Client) AddMembers(ctx context.Context, room ident.RoomID, handles ...string) error {
	return errUnwritten
}

// RemoveMembers removes accounts from a sealed room and returns when they are out.
func (c *Client) RemoveMembers(ctx context.Context, room ident.RoomID, handles ...string) error {
	return errUnwritten
}

// JoinRoom makes this account a member of an open room.
func (c *Client) JoinRoom(ctx context.Context, room ident.RoomID) error { return errUnwritten }

// LeaveRoom takes this account out of a room. From a sealed room with others in it the account is gone when another
// member's device has carried it out; LeaveRoom returns when the server has the request.
func (c *Client) LeaveRoom(ctx context.Context, room ident.RoomID) error { return errUnwritten }

// Members lists the accounts of a room: of a sealed one as the group itself says.
func (c *Client) Members(ctx context.Context, room ident.RoomID) ([]Member, error) {
	return nil, errUnwritten
}

// MarkRead sets the room's Unread to zero, on this device.
func (c *Client) MarkRead(ctx context.Context, room ident.RoomID) error { return errUnwritten }

// CatchUp returns when everything that the server had in the room at the time of the call has been processed and
// stored.
func (c *Client) CatchUp(ctx context.Context, room ident.RoomID) error { return errUnwritten }
