package mls

import "iter"

// A Record is a piece of a group's state.
type Record struct {
	Key   string
	Value []byte
}

// A Delta is what has changed since the last one. Apply all of it in one transaction. Until it is applied the group must not
// speak: a ciphertext that left the device before its key was marked as used is sealed twice after a crash.
type Delta struct {
	Puts    []Record
	Deletes []string
}

// Empty says that there is nothing to write.
func (d Delta) Empty() bool { return len(d.Puts) == 0 && len(d.Deletes) == 0 }

// Delta returns the records that have changed since the last call, all of them the first time, and takes them as saved. Keys are
// short printable ASCII, unique within the group. The values hold the secrets of the epoch: keep them sealed. A message that is
// sealed or opened changes one record, or O(log n) small ones for the first of a sender in an epoch.
func (g *Group) Delta() Delta { return Delta{} }

// LoadGroup reads a group from all of its records, in any order.
func LoadGroup(cfg Config, records iter.Seq2[string, []byte]) (*Group, error) {
	return nil, ErrUnsupported
}
