package client

import (
	"errors"
	"slices"

	"snug/internal/ident"
)

// judgement is about what a commit does to the roster.
type judgement struct {
	before, after roster
	// rank and account of who commits.
	rank      role
	committer ident.AccountID
	// added and removed are the accounts that come and go.
	added, removed []ident.AccountID
}

// roster refuses every difference between before and after that the committer has no right to.
func (j *judgement) roster(commit change) error {
	j.added = missingFrom(j.before, j.after)
	j.removed = missingFrom(j.after, j.before)
	if j.before.direct || j.after.direct {
		if err := j.direct(); err != nil {
			return err
		}
	}
	if err := j.comings(); err != nil {
		return err
	}
	if err := j.goings(commit); err != nil {
		return err
	}
	if err := firstError(j.settings(), j.invites()); err != nil {
		return err
	}
	if err := j.after.check(); err != nil {
		return errors.New("client: the roster is not one that a room can have")
	}
	return j.members()
}

// missingFrom gives the accounts of b that a does not have.
func missingFrom(a, b roster) (accounts []ident.AccountID) {
	for _, m := range b.members {
		if !a.has(m.account) {
			accounts = append(accounts, m.account)
		}
	}
	return accounts
}

// direct keeps a room of two as it was made: the other account comes, and after that nothing changes but devices.
func (j *judgement) direct() error {
	if !j.before.direct || !j.after.direct || len(j.removed) > 0 || len(j.after.members) > 2 {
		return errors.New("client: the two accounts of a 1:1 room stay the same")
	}
	for _, m := range j.before.members {
		if role, _ := j.after.role(m.account); role != m.role {
			return errors.New("client: nobody changes roles in a 1:1 room")
		}
	}
	if j.before.name != j.after.name || j.before.topic != j.after.topic || j.before.adds != j.after.adds || j.before.edits != j.after.edits {
		return errors.New("client: a 1:1 room has no settings")
	}
	if len(j.before.invites) > 0 || len(j.after.invites) > 0 {
		return errors.New("client: nobody is invited to a 1:1 room")
	}
	return nil
}

var errInvites = errors.New("client: the committer may not change the invites so")

func (j *judgement) comings() error {
	if len(j.added) > 0 && j.rank > j.before.adds {
		return errors.New("client: the committer's role does not add accounts")
	}
	for _, account := range j.added {
		m, _ := j.after.member(account)
		if m.role < roleMember {
			return errors.New("client: who comes is a member or a reader")
		}
		if m.statements == 0 {
			return errors.New("client: who comes is checked by a chain")
		}
	}
	return nil
}

func (j *judgement) goings(commit change) error {
	for _, account := range j.removed {
		target, _ := j.before.role(account)
		switch {
		case account == j.committer:
			return errors.New("client: nobody commits the removal of their own account")
		case leaves(commit, account):
		case j.rank > roleAdmin:
			return errors.New("client: only the owner and admins remove accounts")
		case j.rank >= target && j.rank != roleOwner:
			return errors.New("client: an admin removes members only")
		}
	}
	return nil
}

// leaves reports whether the account itself has asked to go: one of its devices proposed the removal of one of them.
func leaves(commit change, account ident.AccountID) bool {
	for _, r := range commit.removals {
		if r.target.account == account && r.sender.account == account {
			return true
		}
	}
	return false
}

func (j *judgement) settings() error {
	if (j.before.name != j.after.name || j.before.topic != j.after.topic) && j.rank > j.before.edits {
		return errors.New("client: the committer's role does not change the room's name and topic")
	}
	if (j.before.adds != j.after.adds || j.before.edits != j.after.edits) && j.rank != roleOwner {
		return errors.New("client: only an owner changes who may do what")
	}
	return nil
}

// members judges role and chain of everybody who stays. If the last owner goes, the heir that roster.with names becomes
// it, whoever commits.
func (j *judgement) members() error {
	expected := j.before.with(j.added, j.removed)
	for _, m := range j.after.members {
		old, stays := expected.member(m.account)
		if !stays || slices.Contains(j.added, m.account) {
			continue
		}
		if m.statements < old.statements {
			return errors.New("client: an account's chain would be shorter than the room knows it")
		}
		if m.role != old.role && !j.mayChangeRole(m.account, old.role, m.role) {
			return errors.New("client: the committer may not give this role")
		}
	}
	return nil
}

// mayChangeRole: an owner gives and takes every role; an admin makes readers of members and the reverse; and everybody may
// step down.
func (j *judgement) mayChangeRole(account ident.AccountID, from, to role) bool {
	switch {
	case j.rank == roleOwner:
		return true
	case account == j.committer:
		return to > from
	}
	return j.rank == roleAdmin && from >= roleMember && to >= roleMember
}
