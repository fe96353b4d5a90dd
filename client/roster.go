package client

import (
	"bytes"
	"slices"
	"sort"
	"unicode/utf8"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// Our extensions, of the range for private use.
const (
	// extensionRoster is in the GroupContext and holds the roster.
	extensionRoster mls.ExtensionType = 0xF510
	// extensionCertificate is in every leaf and holds the device's certificate.
	extensionCertificate mls.ExtensionType = 0xF511
)

// role is what an account may do in a room. The smaller, the more.
type role uint64

const (
	roleOwner role = iota + 1
	roleAdmin
	roleMember
	// roleReader reads and does not write.
	roleReader
)

var roleNames = map[role]string{roleOwner: "owner", roleAdmin: "admin", roleMember: "member", roleReader: "reader"}

func (r role) String() string { return roleNames[r] }

// parseRole gives the role of a name.
func parseRole(name string) (role, bool) {
	for r, known := range roleNames {
		if known == name {
			return r, true
		}
	}
	return 0, false
}

// roster is what all members of a sealed room agree upon beside its keys. It is a value: changed copies are made.
type roster struct {
	name, topic string
	// direct rooms have two accounts for ever, and nothing else in them changes either.
	direct bool
	// adds is the least role that adds accounts; edits that which changes name and topic. Neither is roleReader.
	adds, edits role
	// members are in order of their ids, each once.
	members []rosterMember
	// invites are in order of their keys, each once.
	invites []invite
}

type rosterMember struct {
	account ident.AccountID
	role    role
	// statements is how many of the account's chain the room goes by: the account's devices in the room are among those
	// that were enrolled when the chain was that long. It only grows, so a revocation that one member has seen cannot be
	// kept from the others. 0 in rooms of before there was this field: any device of the chain.
	statements uint64
}

// rosterVersion 1 had neither topic nor policy nor the length of chains. A roster with invites is of version 3, so that
// clients which do not know them fail in no other room.
const (
	rosterVersion        = 2
	rosterInvitesVersion = 3
)

// newRoster gives the roster of a new room.
func newRoster(name string, direct bool, owner ident.AccountID, statements uint64) roster {
	return roster{name: name, direct: direct, adds: roleAdmin, edits: roleAdmin,
		members: []rosterMember{{owner, roleOwner, statements}}}
}

func (r roster) encode() []byte {
	e := newEncoder(rosterVersion)
	if len(r.invites) > 0 {
		e = newEncoder(rosterInvitesVersion)
	}
	e.string(r.name)
	e.string(r.topic)
	e.bool(r.direct)
	e.uint(uint64(r.adds))
	e.uint(uint64(r.edits))
	e.uint(uint64(len(r.members)))
	for _, m := range r.members {
		e.bytes(m.account[:])
		e.uint(uint64(m.role))
		e.uint(m.statements)
	}
	if len(r.invites) > 0 {
		e.uint(uint64(len(r.invites)))
	}
	for _, i := range r.invites {
		i.encode(e)
	}
	return e.b
}

// decodeRoster accepts the only encoding of a roster that could be.
func decodeRoster(b []byte) (roster, error) {
	if len(b) > 0 && b[0] == 1 {
		return decodeFirstRoster(b)
	}
	d, invites := newDecoder(b, rosterVersion), false
	if len(b) > 0 && b[0] == rosterInvitesVersion {
		d, invites = newDecoder(b, rosterInvitesVersion), true
	}
	r := roster{name: d.string(), topic: d.string(), direct: d.bool(), adds: role(d.uint()), edits: role(d.uint())}
	n := d.uint()
	for i := uint64(0); i < n && d.err == nil; i++ {
		r.members = append(r.members, rosterMember{d.id(), role(d.uint()), d.uint()})
	}
	if invites {
		if n = d.uint(); n == 0 {
			d.err = errRecord // that is version 2
		}
		for i := uint64(0); i < n && d.err == nil; i++ {
			r.invites = append(r.invites, decodeInvite(d))
		}
	}
	return r, firstError(d.end(), r.check())
}

// decodeFirstRoster reads version 1.
func decodeFirstRoster(b []byte) (roster, error) {
	d := newDecoder(b, 1)
	r := roster{name: d.string(), direct: d.bool(), adds: roleAdmin, edits: roleAdmin}
	n := d.uint()
	for i := uint64(0); i < n && d.err == nil; i++ {
		r.members = append(r.members, rosterMember{account: d.id(), role: role(d.uint())})
	}
	return r, firstError(d.end(), r.check())
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// check says whether a roster is one that a room can have, whoever wrote it.
func (r roster) check() error {
	if checkRoomText(r.name, wire.MaxRoomName) != nil || checkRoomText(r.topic, maxTopic) != nil ||
		r.adds < roleOwner || r.adds > roleMember || r.edits < roleOwner || r.edits > roleMember || len(r.members) == 0 {
		return errRecord
	}
	owned := false
	for i, m := range r.members {
		owned = owned || m.role == roleOwner
		if m.role < roleOwner || m.role > roleReader || m.statements > ident.MaxStatements ||
			i > 0 && bytes.Compare(r.members[i-1].account[:], m.account[:]) >= 0 {
			return errRecord
		}
	}
	if !owned {
		return errRecord
	}
	return r.checkInvites()
}

// maxTopic is the longest topic in bytes: some lines of text.
const maxTopic = 1024

// checkRoomText refuses what cannot be shown as the name or topic of a room.
func checkRoomText(text string, most int) error {
	if len(text) > most || !utf8.ValidString(text) {
		return errRecord
	}
	return nil
}

func (r roster) equal(other roster) bool {
	return r.name == other.name && r.topic == other.topic && r.direct == other.direct && r.adds == other.adds &&
		r.edits == other.edits && slices.Equal(r.members, other.members) &&
		slices.EqualFunc(r.invites, other.invites, invite.equal)
}

// role gives the account's role, and whether it is a member at all.
func (r roster) role(account ident.AccountID) (role, bool) {
	m, ok := r.member(account)
	return m.role, ok
}

func (r roster) has(account ident.AccountID) bool {
	_, ok := r.member(account)
	return ok
}

func (r roster) member(account ident.AccountID) (rosterMember, bool) {
	i, found := slices.BinarySearchFunc(r.members, account, func(m rosterMember, account ident.AccountID) int {
		return bytes.Compare(m.account[:], account[:])
	})
	if !found {
		return rosterMember{}, false
	}
	return r.members[i], true
}

// owners counts them.
func (r roster) owners() (n int) {
	for _, m := range r.members {
		if m.role == roleOwner {
			n++
		}
	}
	return n
}

// with gives the roster after accounts have come and gone. Who comes is a member. If no owner stays, the first admin
// becomes it, or the first of those who are left: rooms are never without one. What who goes has invited to is withdrawn.
func (r roster) with(added, removed []ident.AccountID) roster {
	next := r
	next.members = nil
	for _, m := range r.members {
		if !slices.Contains(removed, m.account) {
			next.members = append(next.members, m)
		}
	}
	for _, account := range added {
		if !r.has(account) {
			next.members = append(next.members, rosterMember{account: account, role: roleMember})
		}
	}
	sort.Slice(next.members, func(i, j int) bool {
		return bytes.Compare(next.members[i].account[:], next.members[j].account[:]) < 0
	})
	if next.owners() == 0 {
		next.promote()
	}
	return next.changeInvites(func(i invite) bool { return slices.Contains(removed, i.maker) }, func(i *invite) { i.revoked = true })
}

// change gives the roster with one member changed.
func (r roster) change(account ident.AccountID, how func(*rosterMember)) roster {
	r.members = slices.Clone(r.members)
	for i := range r.members {
		if r.members[i].account == account {
			how(&r.members[i])
		}
	}
	return r
}

func (r roster) promote() {
	heir := -1
	for i, m := range r.members {
		if heir < 0 || m.role < r.members[heir].role {
			heir = i
		}
	}
	if heir >= 0 {
		r.members[heir].role = roleOwner
	}
}
