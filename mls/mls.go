// Package mls is Messaging Layer Security, RFC 9420, for programs that do their own input and output.
//
// A Group is one member's view of one group. It reads no socket, no clock and no disk: it turns calls and received
// bytes into messages to send, results to show and records to save. Start with [NewGroup], or with [NewKeyPackage] and
// [Join]; then Seal and Process carry the conversation, and Commit, Merge and Delta its changes.
//
// # The life of a commit
//
// Commit computes a candidate, the [StagedCommit], and leaves the group alone. The caller saves it, sends its message, and
// calls Merge when the delivery service says that it won; a loser is simply dropped. A commit that another member sent
// comes out of Process as a StagedCommit too. Nothing changes the epoch but Merge.
//
// # Save, then speak
//
// Seal, the proposals, Merge and a Process that opened something change what the group knows. [Group.Delta] says which records to write:
// do it in one transaction with what the caller makes of the call, and only then let a message leave the device.
// [LoadGroup] goes on from the records after a restart, and [LoadStagedCommit] from a saved candidate.
//
// # Who decides
//
// RFC 9420 leaves to the application who a credential belongs to (the authentication service, Section 5.3.1) and who may
// do what. Both are asked through [Config], on what is sent exactly as on what is received: [MemberVerifier] for every leaf,
// [Policy] for every commit. A Config without them is refused.
//
// # Promises
//
//   - Process and Commit that return an error leave the group as it was, and no input panics.
//   - Input that breaks a rule gives a [*ValidationError] that names the rule; a cryptographic failure gives [ErrDecrypt]
//     or [ErrVerify] and no more.
//   - Once the records of a [Delta] are applied, keys of opened messages and the secrets of past epochs are in them no more.
//     Skipped messages keep their key and nonce, never a ratchet secret.
//   - Saved state holds no signature key, and has a version byte: a later version of the package reads what this one wrote.
//   - Values that hold secrets print, log and marshal as "secret".
//
// # From outside, and beyond
//
// [JoinExternally] joins by a commit of one's own, for the first time or again; [ProposeExternally] and [ProposeOwnAdd] make
// the proposals of those who are no members. None of it is let in unless Config says so. A group ends in favour of another
// by a [ReInit], after which [Group.Reinitialize] makes its successor; [Group.Branch] makes one of some of its members.
//
// # Left out
//
// There is no X448 (suites 4 and 6) and no ML-DSA: the standard library has neither. Of draft-ietf-mls-pq-ciphersuites there are
// the suites that have a curve beside ML-KEM and sign as before. Past epochs are not kept: a message of an
// earlier epoch is an [*EpochError]. Of draft-ietf-mls-extensions there are SelfRemove and last-resort key packages.
//
// A program whose size counts can be built with the tag mls_ed25519: it then knows only the suites that sign with Ed25519,
// the mandatory one and the default among them, and links neither ECDSA nor math/big.
package mls
