package server

import (
	"snug/internal/ident"
	"snug/internal/wire"
)

// Submission is an entry on its way into a log. The first half is the caller's, the
// outcome the store's.
type Submission struct {
	Room        ident.RoomID
	Device      ident.DeviceID
	Account     ident.AccountID
	ID          ident.MessageID
	Kind        wire.EntryKind
	Epoch       uint64
	Payload     []byte
	PayloadHash ident.Hash
	// At is the server's clock in ms. With Repeated it becomes that of the first time.
	At int64
	// Commit is set with COMMIT only.
	Commit *Commit
	// Done hears of the outcome: see LogStore. It must not block.
	Done func(*Submission)
	// Request is the caller's own.
	Request uint64

	Err error
	Seq uint64
	// Head is the head after the entry.
	Head ident.Hash
	// Repeated says that the entry was in the log already.
	Repeated bool
}

// Commit is what the sender of a commit says of it.
type Commit struct {
	Added, Removed []DeviceRef
	Welcome        []byte
	// Hash is over the envelope as it came, to know it again.
	Hash ident.Hash
}

// Fetch names a stretch of a log: see wire.Fetch.
type Fetch struct {
	Room          ident.RoomID
	Device        ident.DeviceID
	After, Before uint64
	Limit         int
	Last          bool
}

// Fetched is what Fetch says besides the entries.
type Fetched struct {
	// More entries match than were given.
	More bool
	// Seq and Head are the log's end; for a device that was removed, the end of what
	// it may read.
	Seq  uint64
	Head ident.Hash
}
