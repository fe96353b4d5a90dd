package ident

// Every hash, signature, MAC and sealing of the protocol begins with one of
// these labels, so that a value made for one purpose is never valid for another.
//
// Hashes and MACs begin with the label's bytes; what follows it has fixed sizes
// or is the last field, so that no two inputs collide.
//
// Signed texts begin with the label's length in one byte and the label, which
// begins with "snug ". A device key also signs in TLS 1.3 (64 spaces come first)
// and for MLS (a length, then "MLS 1.0 "), and certificates (a DER sequence of
// more than 127 bytes: 0x30 0x81 or 0x30 0x82): none of these can be read as ours.
const (
	// labelAccount hashes identity public key and salt to an AccountID.
	labelAccount = "snug account v1"
	// labelDevice hashes account id and device public key to a DeviceID.
	labelDevice = "snug device v1"

	// labelStatement signs a statement of a chain, with the identity key.
	labelStatement = "snug statement v1"
	// labelStatementHash hashes a signed statement; the next one carries it.
	labelStatementHash = "snug statement hash v1"

	// labelLogin signs a server's nonce, with the device key.
	labelLogin = "snug login v1"
	// labelOpenEntry signs an entry of an open room, with the device key.
	labelOpenEntry = "snug open entry v1"
	// labelCommit signs a commit of a sealed room, with the device key.
	labelCommit = "snug commit v1"
	// labelCommitDevices hashes the devices that a commit adds and removes.
	labelCommitDevices = "snug commit devices v1"
	// labelReject signs that a commit cannot be taken, with the device key.
	labelReject = "snug reject v1"
	// labelRestart signs that a room is begun anew, with the device key.
	labelRestart = "snug restart v1"

	// labelLog hashes a room id to the head of its empty log.
	labelLog = "snug log v1"
	// labelLogEntry hashes the head before an entry and the entry to the next head.
	labelLogEntry = "snug log entry v1"
	// labelPayload hashes the payload of an entry.
	labelPayload = "snug payload v1"

	// labelVaultKey is the associated data of the vault key under the wrap key.
	labelVaultKey = "snug vault key v1"
	// labelVaultBody is the associated data of the vault's contents under the vault key.
	labelVaultBody = "snug vault body v1"
	// labelArchiveChunk and labelArchiveHead derive the keys of an account's archive from
	// the vault key, and begin the associated data of what is sealed with them.
	labelArchiveChunk = "snug archive chunk v1"
	labelArchiveHead  = "snug archive head v1"
	// labelArchiveHash hashes a sealed chunk; the next one and the head carry it.
	labelArchiveHash = "snug archive chunk hash v1"
	// labelRecord is the associated data of a record in the client's store.
	labelRecord = "snug record v1"

	// labelSafety hashes an account's id and identity key to its half of a safety number.
	labelSafety = "snug safety number v1"

	// labelLinkMailbox hashes a link code to the name of its mailbox.
	labelLinkMailbox = "snug link mailbox v1"
	// labelLinkCommitment hashes what the old device will reveal.
	labelLinkCommitment = "snug link commitment v1"
	// labelLinkTranscript hashes what both devices have seen.
	labelLinkTranscript = "snug link transcript v1"
	// labelLinkMatch hashes the transcript to the digits that people compare.
	labelLinkMatch = "snug link match v1"
	// labelLinkToOld and labelLinkToNew derive the key of each direction, and are the
	// associated data of what is sealed with it.
	labelLinkToOld = "snug link to old v1"
	labelLinkToNew = "snug link to new v1"
	// labelLinkDevice signs the transcript, with the new device's key.
	labelLinkDevice = "snug link device v1"

	// labelInviteLetter and labelInviteAnswer derive the keys of a room's invite.
	labelInviteLetter = "snug room invite letter v1"
	labelInviteAnswer = "snug room invite answer v1"
	// labelInviteCheck hashes an invite to the characters at its end.
	labelInviteCheck = "snug room invite check v1"
	// labelInviteID hashes the public key of a room's invite to its name.
	labelInviteID = "snug room invite id v1"
	// labelKnockInvite and labelKnockDevice sign a letter, with the invite's key and the device key.
	labelKnockInvite = "snug knock invite v1"
	labelKnockDevice = "snug knock device v1"
	// labelKnockAnswer is what the MAC of an answer to a letter begins with.
	labelKnockAnswer = "snug knock answer v1"

	// labelInvite hashes an invite code to what the server stores.
	labelInvite = "snug invite v1"
	// labelToken hashes a token to what is kept of it.
	labelToken = "snug token v1"
	// labelFakeSalt keys the salt that is shown for a handle nobody has.
	labelFakeSalt = "snug fake salt v1"
	// labelFakeAuth keys the stored hash that is compared for a handle nobody has.
	labelFakeAuth = "snug fake auth v1"
)
