package client

import (
	"bytes"
	"slices"
	"sort"

	"snug/internal/ident"
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
)

func (r role) String() string {
	switch r {
	case roleOwner:
		return "owner"
	case roleAdmin:
		return "admin"
	}
	return "member"
}

// roster is what all members of a sealed room agree upon beside its keys. It is a value: changed copies are made.
type roster struct {
	name string
	// direct rooms have two accounts for ever.
	direct bool
	// members are in order of their ids, each once.
	members []rosterMember
}

type rosterMember struct {
	account ident.AccountID
	role    role
}

const rosterVersion = 1

func (r roster) encode() []byte {
	e := newEncoder(rosterVersion)
	e.string(r.name)
	e.bool(r.direct)
	e.uint(uint64(len(r.members)))
	for _, m := range r.members {
		e.bytes(m.account[:])
		e.uint(uint64(m.role))
	}
	return e.b
}

// decodeRoster accepts the only encoding of a roster with one member or more.
func decodeRoster(b []byte) (roster, error) {
	d := newDecoder(b, rosterVersion)
	r := roster{name: d.string(), direct: d.bool()}
	n := d.uint()
	for i := uint64(0); i < n && d.err == nil; i++ {
		m := rosterMember{account: d.id(), role: role(d.uint())}
		if m.role < roleOwner || m.role > roleMember {
			return roster{}, errRecord
		}
		if i > 0 && bytes.Compare(r.members[i-1].account[:], m.account[:]) >= 0 {
			return roster{}, errRecord
		}
		r.members = append(r.members, m)
	}
	if len(r.members) == 0 {
		return roster{}, errRecord
	}
	return r, d.end()
}

func (r roster) equal(other roster) bool {
	return r.name == other.name && r.direct == other.direct && slices.Equal(r.members, other.members)
}

// role gives the account's role, and whether it is a member at all.
func (r roster) role(account ident.AccountID) (role, bool) {
	for _, m := range r.members {
		if m.account == account {
			return m.role, true
		}
	}
	return 0, false
}

func (r roster) has(account ident.AccountID) bool {
	_, ok := r.role(account)
	return ok
}

// with gives the roster after accounts have come and gone. Who comes is a member. If no owner stays, the first admin
// becomes it, or the first member: rooms are never without one.
func (r roster) with(added, removed []ident.AccountID) roster {
	next := roster{name: r.name, direct: r.direct}
	owned := false
	for _, m := range r.members {
		if slices.Contains(removed, m.account) {
			continue
		}
		owned = owned || m.role == roleOwner
		next.members = append(next.members, m)
	}
	for _, account := range added {
		if !next.has(account) {
			next.members = append(next.members, rosterMember{account, roleMember})
		}
	}
	sort.Slice(next.members, func(i, j int) bool {
		return bytes.Compare(next.members[i].account[:], next.members[j].account[:]) < 0
	})
	if !owned {
		next.promote()
	}
	return next
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
