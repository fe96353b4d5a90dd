package testkit

import (
	"bytes"
	"slices"

	"snug/internal/ident"
	"snug/internal/wire"
)

// modelTurn is a room before one of its last commits, which one account has made.
type modelTurn struct {
	seq      uint64
	device   ident.DeviceID
	account  *modelAccount
	epoch    uint64
	members  []modelMember
	rejected []ident.DeviceID
	target   *modelAccount // whose commit a reboot replaces
	undone   bool
}

// in reports whether the device was in the room then.
func (t *modelTurn) in(device ident.DeviceID) bool {
	return slices.ContainsFunc(t.members, func(m modelMember) bool { return m.device == device && m.until == 0 })
}

// accounts counts those that were in the room then.
func (t *modelTurn) accounts() int {
	accounts := make(map[*modelAccount]bool)
	for _, m := range t.members {
		if m.until == 0 {
			accounts[m.account] = true
		}
	}
	return len(accounts)
}

// turn finds one of the last commits by what a reject or reboot says of it.
func (r *modelRoom) turn(seq uint64, head []byte) *modelTurn {
	for _, t := range r.turns {
		if t.seq == seq && bytes.Equal(r.entries[seq-1].Head, head) {
			return t
		}
	}
	return nil
}

// begins notes how the room is before a commit. A reboot goes with the commits that it replaces; any other one makes an
// end of those of other accounts.
func (r *modelRoom) begins(s *Session, undone *modelTurn) {
	now := &modelTurn{seq: r.seq() + 1, device: s.device, account: s.account, epoch: r.epoch}
	if undone != nil {
		now.target = undone.account
	}
	for _, m := range r.members {
		now.members = append(now.members, *m)
	}
	for _, t := range r.turns {
		if undone != nil {
			if t.seq >= undone.seq {
				t.undone, t.rejected = true, nil
			}
		} else if t.account != s.account {
			r.turns = nil
			break
		}
	}
	r.turns = append(r.turns, now)
}

// undo makes members and epoch what they were, but that who was added since reads up to the reboot.
func (r *modelRoom) undo(t *modelTurn, reboot uint64) {
	members := make([]*modelMember, 0, len(t.members))
	for _, m := range t.members {
		members = append(members, &m)
	}
	for _, m := range r.members {
		if !t.in(m.device) {
			if m.until == 0 {
				m.until = reboot
			}
			m.welcome = nil
			members = append(members, m)
		}
	}
	r.members, r.epoch = members, t.epoch
}

// replacing gives the commit that a submit rejects or replaces. ok is false where it does neither.
func (s *Session) replacing(r *modelRoom, m *wire.Submit) (t *modelTurn, refusal *wire.ServerFrame, ok bool) {
	key, known := s.account.chain.EverEnrolled(s.device)
	bad := fault(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "an entry that is not as its device signs it")
	switch m.Kind {
	case wire.EntryKind_ENTRY_KIND_REJECT:
		p := new(wire.RejectPayload)
		if p.UnmarshalVT(m.Payload) != nil || len(p.Head) != 32 || !known || ident.VerifyReject(key.Key, &ident.Reject{Room: r.id,
			Message: ident.MessageID(m.Id), Seq: p.Seq, Head: ident.Hash(p.Head), Reason: uint8(p.Reason)}, p.Signature) != nil {
			return nil, bad, true
		}
		t, refusal = s.replaceable(r, p.Seq, p.Head)
		if refusal == nil && slices.Contains(t.rejected, s.device) {
			refusal = fault(wire.ErrorCode_ERROR_CODE_CONFLICT, "rejected already")
		}
		return t, refusal, true
	case wire.EntryKind_ENTRY_KIND_COMMIT:
		p := new(wire.CommitPayload)
		if p.UnmarshalVT(m.Payload) != nil || !known {
			return nil, bad, true
		}
		signed := &ident.Commit{Room: r.id, Message: ident.MessageID(m.Id), Epoch: m.Epoch, Replaces: p.Replaces,
			Devices: ident.DevicesHash(refs(m.Commit.GetAdded()), refs(m.Commit.GetRemoved())), Payload: ident.PayloadHash(p.Commit)}
		copy(signed.ReplacedHead[:], p.ReplacedHead)
		if !bytes.Equal(p.Devices, signed.Devices[:]) || ident.VerifyCommit(key.Key, signed, p.Signature) != nil {
			return nil, bad, true
		}
		if p.Replaces == 0 {
			return nil, nil, false
		}
		t, refusal = s.replaceable(r, p.Replaces, p.ReplacedHead)
		if refusal == nil {
			refusal = s.judgeReboot(t, m)
		}
		return t, refusal, true
	}
	return nil, nil, false
}

func refs(list []*wire.DeviceRef) (credentials []ident.Credential) {
	for _, ref := range list {
		credentials = append(credentials, ident.Credential{Account: ident.AccountID(ref.Account), Device: ident.DeviceID(ref.Device)})
	}
	return credentials
}

func (s *Session) replaceable(r *modelRoom, seq uint64, head []byte) (*modelTurn, *wire.ServerFrame) {
	t := r.turn(seq, head)
	switch {
	case t == nil:
		return nil, fault(wire.ErrorCode_ERROR_CODE_CONFLICT, "that commit cannot be replaced")
	case !t.in(s.device) || t.device == s.device || r.barred(s.account) ||
		t.account == s.account && t.accounts() > 1 || t.target == s.account && t.accounts() > 2:
		return nil, fault(wire.ErrorCode_ERROR_CODE_FORBIDDEN, "you were not in this room, or made the commit")
	}
	return t, nil
}

// barred reports whether a reboot of the account was replaced.
func (r *modelRoom) barred(account *modelAccount) bool {
	return slices.ContainsFunc(r.turns, func(t *modelTurn) bool { return t.target != nil && t.undone && t.account == account })
}

func (s *Session) judgeReboot(t *modelTurn, m *wire.Submit) *wire.ServerFrame {
	removed := refs(m.Commit.Removed)
	maker := ident.Credential{Account: ident.AccountID(t.account.id()), Device: t.device}
	switch {
	case !slices.Contains(t.rejected, s.device):
		return fault(wire.ErrorCode_ERROR_CODE_CONFLICT, "not rejected")
	case m.Epoch != t.epoch:
		return fault(wire.ErrorCode_ERROR_CODE_EPOCH, "of another epoch")
	case len(m.Commit.Added) > 0 || t.in(t.device) && !slices.Contains(removed, maker):
		return fault(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "it keeps the maker")
	}
	for _, ref := range removed {
		if ref.Account != maker.Account || !t.in(ref.Device) || ref.Device == s.device {
			return fault(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "it removes others")
		}
	}
	return nil
}
