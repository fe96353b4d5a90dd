package server

import (
	"context"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Store keeps everything that the server must not forget. What holds for every
// method of it:
//
//   - Durability: a write that returned nil (a Submission whose Done was called
//     with a nil Err) is on stable storage, and survives a crash of the process, of
//     the system and of the power.
//   - Atomicity: a write is carried out whole or not at all.
//   - Order: a read that begins after a write has returned sees it.
//   - Concurrency: every method may be called from any goroutine, Close once.
//   - Errors: a *Refusal means that nothing was written and why; it is the answer
//     to the client. Refusals with STORAGE_FULL are transient: ErrStorageFull, and
//     ErrQuota where a write would have an account store more than it may. What says
//     nothing and lets nobody in, such as a commit that removes somebody, may take an
//     eighth more. Any other error
//     leaves the outcome of a write unknown: it happens when ctx ends while the
//     write waits, or after the store has failed.
//   - Failure: when the store can promise durability no longer (an I/O error, a
//     failed fsync), Failed is closed, everything from there on is refused, and the
//     process must end: only a new start finds out what is on the disk.
//
// Ids compare for equality and nothing else; handles and names byte by byte.
type Store interface {
	AccountStore
	DeviceStore
	RoomStore
	LogStore
	ArchiveStore

	// Secret gives the server's 32 random bytes, which the first start made.
	Secret() ident.ServerSecret
	// Failed is closed when the store has failed; Err says why.
	Failed() <-chan struct{}
	// Err gives the reason after Failed, else nil.
	Err() error
	// Close finishes what is queued and frees everything.
	Close() error
}

// AccountStore keeps accounts, their chains and the invites to the server.
type AccountStore interface {
	// CreateAccount makes an account and its first device, uses the invite up, and
	// makes the account a member of every open room that has Everyone set. Refusals:
	// HANDLE_TAKEN; ErrInviteUnknown, ErrInviteUsed, ErrInviteExpired (at n.At), ErrClosed
	// (n.OwnerOnly, and the invite is not an owner's); CONFLICT (the account exists,
	// or the key is another device's). owner reports whether the invite was an owner's.
	CreateAccount(ctx context.Context, n NewAccount) (owner bool, err error)
	// Account gives an account by id, NOT_FOUND.
	Account(ctx context.Context, id ident.AccountID) (Account, error)
	// AccountByHandle gives an account by handle, NOT_FOUND.
	AccountByHandle(ctx context.Context, handle string) (Account, error)
	// ChangePassphrase replaces the account's vault, salt, parameters and slow hash.
	// CONFLICT: the stored vault is not c.Before. ErrRevoked: c.By is.
	ChangePassphrase(ctx context.Context, c PassphraseChange) error
	// Accounts gives accounts with handle > after in order of handle, at most limit,
	// without their chains and keys.
	Accounts(ctx context.Context, after string, limit int) ([]Account, error)
	// Touch records when accounts were last connected. It is not waited for and may
	// be lost in a crash.
	Touch(seen map[ident.AccountID]int64)
	// HasOwner reports whether an account came by an owner's invite.
	HasOwner(ctx context.Context) (bool, error)
	// CreateInvite stores an invite; one with Owner set replaces those before it.
	CreateInvite(ctx context.Context, i NewInvite) error
	// Peers gives the accounts that are in a room together with one, itself included.
	Peers(ctx context.Context, id ident.AccountID) ([]ident.AccountID, error)
}

// DeviceStore keeps devices and their key packages.
type DeviceStore interface {
	// Device gives a device by id, revoked ones included, NOT_FOUND.
	Device(ctx context.Context, id ident.DeviceID) (Device, error)
	// DeviceByKey gives the device that has a key, NOT_FOUND.
	DeviceByKey(ctx context.Context, key ident.PublicKey) (Device, error)
	// Enrol, Revoke and ChangeChain give ErrRevoked where c.By is a revoked device.

	// Enrol replaces the account's chain by one that is longer by d's enrolment.
	// CONFLICT: the stored chain is not c.Before, the stored hash not c.Auth, or the key is another device's.
	Enrol(ctx context.Context, c ChainChange, d Device, p KeyPackages) error
	// Revoke replaces the account's chain by one that revokes the device, and deletes
	// the device's key packages and welcomes. CONFLICT: the stored chain is not c.Before.
	Revoke(ctx context.Context, c ChainChange, id ident.DeviceID) error
	// ChangeChain replaces the account's chain by one that changes nothing of what the
	// store knows of devices. CONFLICT: the stored chain is not c.Before.
	ChangeChain(ctx context.Context, c ChainChange) error
	// PutKeyPackages adds to the device's key packages, and gives the number of
	// one-time packages that it has then.
	PutKeyPackages(ctx context.Context, id ident.DeviceID, p KeyPackages) (int, error)
	// ClaimKeyPackages takes one key package of each enrolled device of the accounts
	// and of each device named, at most limit: one-time ones first, which are deleted
	// before this returns, and handed out to nobody else; then the last-resort one.
	ClaimKeyPackages(ctx context.Context, accounts []ident.AccountID, devices []ident.DeviceID, limit int) ([]KeyPackage, error)
	// RemainingKeyPackages counts the one-time packages of a device.
	RemainingKeyPackages(ctx context.Context, id ident.DeviceID) (int, error)
}

// RoomStore keeps rooms and who is in them. A sealed room is NOT_FOUND for every
// device that was never in it.
type RoomStore interface {
	// CreateRoom makes a room with the device in it; the same NewRoom (but for At)
	// again gives the room as it is now. Refusals: CONFLICT (the id, the name or the
	// pair exists otherwise), NOT_FOUND (Direct is no account).
	CreateRoom(ctx context.Context, n NewRoom) (Room, error)
	// Rooms gives, as the device sees them, the open rooms and the sealed ones that its
	// account is in or has a pair with: those with an id after one, in order of their
	// ids. It looks at limit rooms at most, and gives after which one to go on; the
	// zero id where those were the last.
	Rooms(ctx context.Context, device ident.DeviceID, after ident.RoomID, limit int) (rooms []Room, next ident.RoomID, err error)
	// Room gives one of those.
	Room(ctx context.Context, room ident.RoomID, device ident.DeviceID) (Room, error)
	// JoinRoom makes the device's account a member of an open room, again or for the
	// first time. FORBIDDEN in a sealed one.
	JoinRoom(ctx context.Context, room ident.RoomID, device ident.DeviceID, at int64) (Room, error)
	// LeaveRoom takes the account out of an open room, or the device out of a sealed
	// room in which it is alone; FORBIDDEN where it is not alone.
	LeaveRoom(ctx context.Context, room ident.RoomID, device ident.DeviceID) error
	// Members gives the accounts that are in the room now. NOT_FOUND also for a
	// device that was removed.
	Members(ctx context.Context, room ident.RoomID, device ident.DeviceID) ([]Account, error)
	// Access gives what the device may read, NOT_FOUND.
	Access(ctx context.Context, room ident.RoomID, device ident.DeviceID) (Access, error)
}

// LogStore keeps the rooms' logs.
//
// A log is a sequence of entries with seq 1, 2, 3 …, without a gap, each with the
// head that ident.NextHead gives for it. An entry never changes.
type LogStore interface {
	// Submit queues an entry and returns; it blocks while the queue is full. The
	// store calls s.Done exactly once, with the outcome in s, from a goroutine of
	// its own, when the entry is durable or refused. Submissions of one goroutine
	// are appended, and their Done is called, in the order of the calls; the Done of
	// one room's submissions are called in order of seq. Until Done nobody else may
	// touch s.
	//
	// What is checked, in this order: the room exists and is no secret to the device
	// (NOT_FOUND); the device is enrolled and in the room (FORBIDDEN); (device, id)
	// is new, or else the entry is the same (room, kind, epoch, payload, envelope):
	// then the outcome is that of the first time and Repeated is set, or CONFLICT;
	// the kind fits the room (BAD_REQUEST); the epoch is the room's (EPOCH, with the
	// room's epoch and seq); the envelope's devices are enrolled devices of their
	// accounts, those added are not in the room but for ones also removed, those
	// removed are in it and not the sender (BAD_REQUEST). A sameness is found even
	// where a later check would refuse by now, and after the device was removed.
	//
	// A commit can be replaced while no other account than its own has committed since;
	// commits that replace one (reboots) do not count, and can be replaced themselves.
	// For a reject and a reboot the room's members count as they were before the commit
	// in question: a device that was in the room then may send it, but not the one that
	// made that commit; nor, where other accounts were there, one of the same account; nor,
	// where two more were there, one of the account whose commit that commit replaces; nor
	// one of an account of whose reboots one was replaced since (FORBIDDEN). CONFLICT where the commit cannot be
	// replaced or its head is another; for a reject also where the device has sent one
	// for it, for a reboot where it has not. A reject's epoch is 0. A reboot's epoch is
	// that of the room before the commit (EPOCH); it voids the rejects of what it replaces; it adds nobody, and removes the
	// commit's device, if it was in, and no device of other accounts (BAD_REQUEST).
	//
	// A reboot undoes what the commit and those after it did to epoch and members, and
	// deletes their welcomes, before it does what any commit does. Whom they added
	// reads up to and including it.
	//
	// A restart is for a device whose account is the only one that has devices in the
	// room, and one at least; the device itself need not be in it, nor have been
	// (NOT_FOUND where none of its account has been in it, FORBIDDEN where other accounts
	// have devices in it, or had until a commit less than ObjectWithin ago that can be replaced and
	// in whose epoch they have proposed nothing, or it is a 1:1 room). It makes the epoch grow by one, lets the
	// device in from its seq on, and all others out, who read up to and including it; it
	// deletes the room's welcomes, and no commit before it can be replaced.
	//
	// A commit that lets an account of others than the sender's into the room, in which it has
	// no device yet and which it has not asked for (s.Commit.Asked), is FORBIDDEN where there
	// are too many of those in which that account has said nothing (a SEALED entry): by the
	// sender MaxAdmissionsByStranger, or MaxAdmissionsByOne if it has said something in a room
	// that the sender is in; and where it has not, MaxAdmissions by all such strangers. This is
	// checked last. Who makes a room, or restarts it, has said something there.
	//
	// A commit makes the epoch grow by one, gives devices added access from its seq
	// on, lets those removed read up to and including it, and keeps the welcome for
	// each device added, all in one with the entry.
	Submit(s *Submission)
	// Fetch gives a stretch of the log as far as the device may read it. yield is
	// called for each entry in order, with Last in reverse order, with memory that is
	// its own to keep; when it returns false the entry does not count as given, and no
	// more come. NOT_FOUND.
	Fetch(ctx context.Context, f Fetch, yield func(*wire.Entry) bool) (Fetched, error)
	// Welcomes gives the device's welcomes with a Place > after, at most limit, in order of their places: by rooms, and those of
	// a room in order of their commits.
	Welcomes(ctx context.Context, device ident.DeviceID, after uint64, limit int) ([]Welcome, error)
	// TakeWelcome deletes a welcome; no error where there is none.
	TakeWelcome(ctx context.Context, device ident.DeviceID, room ident.RoomID, seq uint64) error
}

// ArchiveStore keeps what accounts archive: for each a head with a revision, and for
// each of its rooms chunks, counted from 0 without a gap.
type ArchiveStore interface {
	// Archive gives the head; revision 0 and no head where there is none.
	Archive(ctx context.Context, account ident.AccountID) (revision uint64, head []byte, err error)
	// ChangeArchive replaces the head, deletes and appends chunks; all in one. The same
	// change again does nothing. Refusals: CONFLICT (the stored revision is not c.Before,
	// or the room's next chunk not c.Index); of a chunk: NOT_FOUND (the room is none, or
	// a secret to the device), FORBIDDEN (the device was removed from it), BAD_REQUEST
	// (it is open), TOO_LARGE (there would be more than c.Most bytes).
	ChangeArchive(ctx context.Context, c ArchiveChange) error
	// ArchiveChunks calls yield with the account's chunks of a room from the one before
	// an index on downwards, at most limit, until it returns false; with none where that
	// one does not exist. The memory is yield's own to keep.
	ArchiveChunks(ctx context.Context, account ident.AccountID, room ident.RoomID, before uint32, limit int, yield func([]byte) bool) error
}
