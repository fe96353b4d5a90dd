package server

import (
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// ObjectWithin is how long other accounts have to replace the commit that took them out of a room, before the one that is left
// may begin it anew, which nobody can replace: a day, in which some device of theirs comes online. The server tells who
// went from who was thrown out, maybe by a false envelope, by a proposal of theirs before it.
const ObjectWithin = 24 * time.Hour

// errUnsigned refuses what the log may not hold: by these signatures the members tell what a device has sent from what a
// server makes of it.
var errUnsigned = Refuse(wire.ErrorCode_ERROR_CODE_FORBIDDEN, "the entry's signature does not verify")

// verifyCommit checks the device's signature of a commit, and that it covers the envelope.
func verifyCommit(key ident.PublicKey, s *Submission) error {
	payload := new(wire.CommitPayload)
	if payload.UnmarshalVT(s.Payload) != nil || len(payload.Commit) == 0 {
		return badRequest("a commit's entry holds a CommitPayload")
	}
	signed := &ident.Commit{
		Room: s.Room, Message: s.ID, Epoch: s.Epoch, Devices: ident.DevicesHash(credentials(s.Commit.Added), credentials(s.Commit.Removed)),
		Replaces: payload.Replaces, Payload: ident.PayloadHash(payload.Commit),
	}
	if string(payload.Devices) != string(signed.Devices[:]) {
		return badRequest("the commit's devices are not those of its envelope")
	}
	if payload.Replaces > 0 {
		head, err := ident.HashFromBytes(payload.ReplacedHead)
		if err != nil {
			return badRequest("a head has 32 bytes")
		}
		signed.ReplacedHead = head
		s.Commit.Replaces = &Replaced{Seq: payload.Replaces, Head: head}
	} else if len(payload.ReplacedHead) > 0 {
		return badRequest("a commit that replaces none has no head of it")
	}
	if ident.VerifyCommit(key, signed, payload.Signature) != nil {
		return errUnsigned
	}
	return nil
}

func credentials(refs []DeviceRef) []ident.Credential {
	list := make([]ident.Credential, len(refs))
	for i, ref := range refs {
		list[i] = ident.Credential(ref)
	}
	return list
}

// verifyReject checks the device's signature of a reject.
func verifyReject(key ident.PublicKey, s *Submission) error {
	payload := new(wire.RejectPayload)
	if payload.UnmarshalVT(s.Payload) != nil {
		return badRequest("a reject's entry holds a RejectPayload")
	}
	head, err := ident.HashFromBytes(payload.Head)
	if err != nil {
		return badRequest("a head has 32 bytes")
	}
	if payload.Reason <= 0 || payload.Reason > wire.RejectReason_REJECT_REASON_UNREADABLE {
		return badRequest("a reject has a reason")
	}
	signed := &ident.Reject{Room: s.Room, Message: s.ID, Seq: payload.Seq, Head: head, Reason: uint8(payload.Reason)}
	if ident.VerifyReject(key, signed, payload.Signature) != nil {
		return errUnsigned
	}
	s.Reject = &Replaced{Seq: payload.Seq, Head: head}
	return nil
}

// verifyRestart checks the device's signature of a restart.
func verifyRestart(key ident.PublicKey, s *Submission) error {
	payload := new(wire.RestartPayload)
	if payload.UnmarshalVT(s.Payload) != nil {
		return badRequest("a restart's entry holds a RestartPayload")
	}
	signed := &ident.Restart{Room: s.Room, Message: s.ID, Epoch: s.Epoch, Statements: payload.Statements}
	if ident.VerifyRestart(key, signed, payload.Signature) != nil {
		return errUnsigned
	}
	s.Restart = true
	return nil
}

// movesMembers reports whether entries of a kind can take devices out of a room, or let them in.
func movesMembers(kind wire.EntryKind) bool {
	return kind == wire.EntryKind_ENTRY_KIND_COMMIT || kind == wire.EntryKind_ENTRY_KIND_RESTART
}
