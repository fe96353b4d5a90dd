package client

import (
	"strings"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// Thief has read all that a device had stored at one moment, and goes on as a copy of it that sees the log of a room and
// says nothing.
type Thief struct {
	victim  ident.DeviceID
	group   *mls.Group
	pending *pendingCommit
	lost    bool
}

// gullible takes everybody for who they say.
type gullible struct{}

func (gullible) VerifyMember(mls.Member) error                 { return nil }
func (gullible) VerifySuccession(mls.Member, mls.Member) error { return nil }

// NewThief copies a device's records.
func NewThief(records map[string][]byte, room ident.RoomID) (*Thief, error) {
	a, err := decodeAccount(records[keyAccount])
	if err != nil {
		return nil, err
	}
	key, err := ident.DeviceKeyFromSecret(records[keyDevice])
	if err != nil {
		return nil, err
	}
	t := &Thief{victim: a.me.Device}
	if b := records[keyPendingCommit(room)]; b != nil {
		if t.pending, err = decodePending(b); err != nil {
			return nil, err
		}
	}
	t.group, err = mls.LoadGroup(mls.Config{Verifier: gullible{}, Policy: mls.AllowAll, Signer: key.Signer()},
		func(yield func(string, []byte) bool) {
			for k, v := range records {
				if name, ok := strings.CutPrefix(k, keyGroup(room)); ok && !yield(name, v) {
					return
				}
			}
		})
	return t, err
}

// See takes the next entry of the log and reports whether the thief has its keys, or those that a commit leads to. A
// message of somebody else it opens; what the victim itself seals is sealed with the same epoch's keys.
func (t *Thief) See(entry *wire.Entry) (bool, error) {
	if t.lost || entry.Epoch != t.group.Epoch() {
		t.lost = true
		return false, nil
	}
	own := string(entry.Device) == string(t.victim[:])
	if own && entry.Kind != wire.EntryKind_ENTRY_KIND_COMMIT {
		return true, nil
	}
	if own {
		t.lost = !t.has(entry)
		return !t.lost, nil
	}
	message := entry.Payload
	if payload := new(wire.CommitPayload); entry.Kind == wire.EntryKind_ENTRY_KIND_COMMIT && payload.UnmarshalVT(message) == nil {
		message = payload.Commit
	}
	result, err := t.group.Process(message)
	if staged, ok := result.(*mls.StagedCommit); ok && err == nil {
		err = t.group.Merge(staged)
	}
	return err == nil, err
}

// has reports whether the victim's commit is the one that was stolen with the rest, and follows it then. Otherwise the
// thief tries as a receiver, who is not among those that it is encrypted to.
func (t *Thief) has(entry *wire.Entry) bool {
	submit := new(wire.Submit)
	if t.pending != nil && submit.UnmarshalVT(t.pending.submit) == nil && string(submit.Payload) == string(entry.Payload) {
		staged, err := mls.LoadStagedCommit(t.group, t.pending.staged)
		return err == nil && t.group.Merge(staged) == nil
	}
	result, err := t.group.Process(entry.Payload)
	staged, ok := result.(*mls.StagedCommit)
	return err == nil && ok && t.group.Merge(staged) == nil
}
