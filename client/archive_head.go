package client

import (
	"bytes"
	"slices"
	"sort"

	"snug/internal/ident"
)

// archiveHead is what the account's devices agree upon about its archive: the switches, and for each archived room which
// chunks there are and what they cover. It is sealed under a key from the vault key, and every change of the archive
// replaces it. Its revision is the counter by which an old one is known.
type archiveHead struct {
	revision uint64
	// on is the switch of the account. An account that has no head yet archives.
	on bool
	// rooms is in ascending order of ids, and is never changed in place.
	rooms []archivedRoom
}

// archivedRoom is what the head says of a room.
type archivedRoom struct {
	room ident.RoomID
	// off is the room's own switch.
	off bool
	// born is the revision with which the room's list of chunks began. It tells a list from one that was deleted.
	born uint64
	// chunks is how many there are, last the hash of the last one.
	chunks uint32
	last   ident.Hash
	// covered is what of the log they cover.
	covered spans
	// recovery is what a new device needs of a room in which the account is alone; nil of all others.
	recovery *recovery
}

// maxCovered bounds how many stretches the chunks of a room cover: one for each time that nobody of the account was there.
const maxCovered = 64

// A head with recovery data is of version 2, so that clients which do not know them read all others.
const (
	archiveHeadVersion         = 1
	archiveHeadRecoveryVersion = 2
)

func (h *archiveHead) recovers() bool {
	return slices.ContainsFunc(h.rooms, func(r archivedRoom) bool { return r.recovery != nil })
}

func (h *archiveHead) encode() []byte {
	e := newEncoder(archiveHeadVersion)
	if h.recovers() {
		e = newEncoder(archiveHeadRecoveryVersion)
	}
	e.bool(h.on)
	e.uint(uint64(len(h.rooms)))
	for _, r := range h.rooms {
		e.bytes(r.room[:])
		e.bool(r.off)
		e.uint(r.born)
		e.uint(uint64(r.chunks))
		e.bytes(r.last[:])
		r.covered.encode(e)
		if e.b[0] == archiveHeadRecoveryVersion {
			r.recovery.encode(e)
		}
	}
	return e.b
}

// decodeArchiveHead reads what encode wrote, and nothing that does not encode to the same bytes.
func decodeArchiveHead(revision uint64, b []byte) (*archiveHead, error) {
	d, recovers := newDecoder(b, archiveHeadVersion), false
	if len(b) > 0 && b[0] == archiveHeadRecoveryVersion {
		d, recovers = newDecoder(b, archiveHeadRecoveryVersion), true
	}
	h := &archiveHead{revision: revision, on: d.bool()}
	for n := d.uint(); n > 0 && d.err == nil; n-- {
		r := archivedRoom{room: d.id(), off: d.bool(), born: d.uint()}
		chunks := d.uint()
		r.chunks, r.last = uint32(chunks), d.hash()
		r.covered = decodeSpans(d, maxCovered)
		if recovers {
			r.recovery = decodeRecovery(d)
		}
		if uint64(r.chunks) != chunks || r.born > revision || (chunks == 0) != (len(r.covered) == 0) {
			d.err = errRecord
		}
		if last := len(h.rooms) - 1; last >= 0 && bytes.Compare(h.rooms[last].room[:], r.room[:]) >= 0 {
			d.err = errRecord
		}
		h.rooms = append(h.rooms, r)
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	if recovers && !h.recovers() {
		return nil, errRecord // that is version 1
	}
	return h, nil
}

// room gives what the head says of a room; nothing archived, and its switch on, where it says nothing.
func (h *archiveHead) room(id ident.RoomID) archivedRoom {
	if i, found := h.find(id); found {
		return h.rooms[i]
	}
	return archivedRoom{room: id}
}

func (h *archiveHead) find(id ident.RoomID) (int, bool) {
	return sort.Find(len(h.rooms), func(i int) int { return bytes.Compare(id[:], h.rooms[i].room[:]) })
}

// archives reports whether what is said in a room is archived.
func (h *archiveHead) archives(id ident.RoomID) bool { return h.on && !h.room(id).off }

// with gives a head that says this of the room; one that says nothing in particular is left out.
func (h *archiveHead) with(r archivedRoom) *archiveHead {
	next := *h
	next.rooms = slices.Clone(h.rooms)
	i, found := next.find(r.room)
	plain := !r.off && r.chunks == 0 && r.recovery == nil
	switch {
	case found && plain:
		next.rooms = slices.Delete(next.rooms, i, i+1)
	case found:
		next.rooms[i] = r
	case !plain:
		next.rooms = slices.Insert(next.rooms, i, r)
	}
	return &next
}

// without gives what is said of the room when nothing of it is archived any more.
func (r archivedRoom) without() archivedRoom {
	return archivedRoom{room: r.room, off: r.off, recovery: r.recovery}
}

// emptied gives a head under which nothing is archived, with the same switches and recovery data.
func (h *archiveHead) emptied() *archiveHead {
	next := &archiveHead{revision: h.revision, on: h.on}
	for _, r := range h.rooms {
		if r.off || r.recovery != nil {
			next.rooms = append(next.rooms, r.without())
		}
	}
	return next
}

// append gives a head after one more chunk of a room, which covers this. A stretch too many is joined to the one before,
// so that what lies between is not archived any more.
func (h *archiveHead) append(id ident.RoomID, covers span, hash ident.Hash) *archiveHead {
	r := h.room(id)
	if r.chunks == 0 {
		r.born = h.revision + 1
	}
	r.chunks, r.last = r.chunks+1, hash
	r.covered = r.covered.add(covers)
	next := h.with(r)
	next.revision++
	return next
}
