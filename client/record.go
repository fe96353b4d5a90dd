package client

import (
	"encoding/hex"
	"fmt"

	"snug/internal/ident"
)

// The records of the store. Every value of ours begins with a version byte; mls versions its own.
//
//	account                 who is signed in: ids, handle, device name, owner; absent while nobody is
//	device                  the device's private key; made by Open
//	identity                the account's private identity key
//	vault                   the newest vault that this device has seen the server have
//	vaultkey                what opens it without the passphrase
//	passphrase              a change of passphrase that the server has not answered: a wire.ChangePassphrase
//	alerts                  what the person is told of the account's devices and passphrase, and how far that was looked at
//	chain/<account>         the longest chain of the account that was seen
//	known/<handle>          the account that this device knows by a handle
//	stranger/<account>      the handle of an account that is not the one known by it
//	verified/<account>      the identity key that was verified, and when
//	room/<room>             the room: how far the log is processed, what is wanted
//	group/<room>/<key>      the room's MLS group, in mls's own records
//	roster/<room>           the room's roster as this device last knew it
//	rejoin/<room>           that this device cannot follow the room, and asks to be let in anew
//	message/<room>/<seq>    what stands at seq, 16 hex digits
//	head/<room>/<seq>       the head after an entry of a sealed room, of the last keptHeads
//	hole/<room>/<seq>       why nothing is known of the entries up to seq, and where that begins
//	own/<room>/<message>    the seq of a message that this device sent
//	said/<room>/<device>/<message>
//	                        the seq of a message of an open room, which the server could show a second time
//	outbox/<room>/<order>   what is on its way, 16 hex digits
//	past/<room>             the epoch in which this device was when it went out of the room
//	pending/<room>          this device's commit that has not won or lost yet
//	archive                 the newest head of the account's archive that was seen
//	archive/<room>          what this device knows of a room's archive beside the head
//	invite/<room>/<invite>  the code of an invite that this device has made
//	knock/<room>            the invite by which this device asks to be let in, and what was answered
//	admission/<room>        a room that nobody has accepted, and who let this account in
//	block/<account>         since when the account is blocked
//	fault/<room>            the commit that this device cannot take
//	restart/<room>          how this device begins the room anew
//	key/<ref>               the private half of a key package
//	supplied                when the key packages were made that the server has
const (
	keyAccount    = "account"
	keyDevice     = "device"
	keyIdentity   = "identity"
	keyVault      = "vault"
	keyVaultKey   = "vaultkey"
	keyChange     = "passphrase"
	keyAlerts     = "alerts"
	keyChains     = "chain/"
	keyKnowns     = "known/"
	keyStrange    = "stranger/"
	keyVerifies   = "verified/"
	keyRooms      = "room/"
	keyGroups     = "group/"
	keyRosters    = "roster/"
	keyRejoins    = "rejoin/"
	keyMessages   = "message/"
	keyHeads      = "head/"
	keyHoles      = "hole/"
	keyOwn        = "own/"
	keySaid       = "said/"
	keyOutbox     = "outbox/"
	keyPast       = "past/"
	keyPending    = "pending/"
	keyFaults     = "fault/"
	keyRestarts   = "restart/"
	keyInvites    = "invite/"
	keyKnocks     = "knock/"
	keyAdmissions = "admission/"
	keyBlocks     = "block/"
	keyPackages   = "key/"
	keySupplied   = "supplied"
	keyArchive    = "archive"
	keyCaughtUp   = "caughtup"
	keyArchives   = "archive/"
)

func keyChain(account ident.AccountID) string { return keyChains + account.String() }

func keyKnown(handle string) string { return keyKnowns + handle }

func keyStranger(account ident.AccountID) string { return keyStrange + account.String() }

func keyVerified(account ident.AccountID) string { return keyVerifies + account.String() }

func keyRoom(room ident.RoomID) string { return keyRooms + room.String() }

func keyGroup(room ident.RoomID) string { return keyGroups + room.String() + "/" }

func keyRoster(room ident.RoomID) string { return keyRosters + room.String() }

func keyRejoin(room ident.RoomID) string { return keyRejoins + room.String() }

func keyMessagesOf(room ident.RoomID) string { return keyMessages + room.String() + "/" }

func keyMessage(room ident.RoomID, seq uint64) string {
	return fmt.Sprintf("%s%016x", keyMessagesOf(room), seq)
}

func keyHead(room ident.RoomID, seq uint64) string {
	return fmt.Sprintf("%s%s/%016x", keyHeads, room.String(), seq)
}

func keyOwnMessage(room ident.RoomID, id ident.MessageID) string {
	return keyOwn + room.String() + "/" + id.String()
}

func keySaidMessage(room ident.RoomID, device ident.DeviceID, id ident.MessageID) string {
	return keySaid + room.String() + "/" + device.String() + "/" + id.String()
}

func keyOutboxOf(room ident.RoomID) string { return keyOutbox + room.String() + "/" }

func keyOutboxRow(room ident.RoomID, order uint64) string {
	return fmt.Sprintf("%s%016x", keyOutboxOf(room), order)
}

func keyPastEpoch(room ident.RoomID) string { return keyPast + room.String() }

func keyFault(room ident.RoomID) string { return keyFaults + room.String() }

func keyRestart(room ident.RoomID) string { return keyRestarts + room.String() }

func keyPendingCommit(room ident.RoomID) string { return keyPending + room.String() }

func keyArchiveOf(room ident.RoomID) string { return keyArchives + room.String() }
func keyInvite(room ident.RoomID, id ident.RoomInviteID) string {
	return keyInvites + room.String() + "/" + hex.EncodeToString(id[:])
}

func keyKnock(room ident.RoomID) string { return keyKnocks + room.String() }

func keyAdmission(room ident.RoomID) string { return keyAdmissions + room.String() }

func keyBlock(account ident.AccountID) string { return keyBlocks + account.String() }

func keyPackagePrivate(ref string) string { return keyPackages + hex.EncodeToString([]byte(ref)) }
