package client

import (
	"fmt"
	"slices"
	"strings"

	"snug/internal/ident"
	"snug/mls"
)

// noticeOf says what a commit did to the room, or nothing if it only renewed keys or changed devices.
func (c *Core) noticeOf(before, after roster, staged *mls.StagedCommit) string {
	by := leafOf(staged.Sender()).account
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	for _, account := range missingFrom(before, after) {
		if maker, came := cameAnew(before, after, account); came {
			say("@%s came by an invite of @%s%s", c.handle(account), c.handle(maker), c.strangeTo(account))
			continue
		}
		say("@%s added @%s%s", c.handle(by), c.handle(account), c.strangeTo(account))
	}
	for _, account := range missingFrom(after, before) {
		if askedToGo(staged, account) {
			say("@%s left", c.handle(account))
		} else {
			say("@%s removed @%s", c.handle(by), c.handle(account))
		}
	}
	for _, m := range after.members {
		if old, stays := before.role(m.account); stays && old != m.role {
			say("@%s made @%s %s", c.handle(by), c.handle(m.account), withArticle(m.role))
		}
	}
	if before.name != after.name {
		say("@%s named the room %q", c.handle(by), after.name)
	}
	switch {
	case before.topic == after.topic:
	case after.topic == "":
		say("@%s took away the topic", c.handle(by))
	default:
		say("@%s set the topic: %s", c.handle(by), after.topic)
	}
	if before.adds != after.adds {
		say("@%s decided that it takes %s to add members", c.handle(by), atLeast(after.adds))
	}
	if before.edits != after.edits {
		say("@%s decided that it takes %s to change name and topic", c.handle(by), atLeast(after.edits))
	}
	for _, i := range after.invites {
		if old, known := before.invite(i.id()); !known {
			say("@%s made an invite", c.handle(by))
		} else if i.revoked && !old.revoked && after.has(i.maker) {
			say("@%s withdrew an invite", c.handle(by))
		}
	}
	for _, account := range missingFrom(after, before) {
		if n := c.endedWith(before, account); n == 1 {
			say("an invite of @%s is withdrawn with that", c.handle(account))
		} else if n > 1 {
			say("%d invites of @%s are withdrawn with that", n, c.handle(account))
		}
	}
	return strings.Join(parts, ", ")
}

// endedWith counts the invites that end because the account which made them goes: those that let somebody in until then.
func (c *Core) endedWith(before roster, maker ident.AccountID) (n int) {
	for _, i := range before.invites {
		if i.maker == maker && !i.spent() && uint64(c.now.Unix()) < i.expires {
			n++
		}
	}
	return n
}

// cameAnew gives who made the invite by which an account has come, if it has.
func cameAnew(before, after roster, account ident.AccountID) (maker ident.AccountID, came bool) {
	for _, i := range after.invites {
		if old, _ := before.invite(i.id()); slices.Contains(i.used, account) && !slices.Contains(old.used, account) {
			return i.maker, true
		}
	}
	return maker, false
}

func withArticle(r role) string {
	if r == roleOwner || r == roleAdmin {
		return "an " + r.String()
	}
	return "a " + r.String()
}

// askedToGo reports whether one of the account's devices has proposed a removal in the commit.
func askedToGo(staged *mls.StagedCommit, account ident.AccountID) bool {
	for _, p := range staged.Proposals() {
		if p.ByReference && p.Proposal.Type() == mls.ProposalRemove && leafOf(p.Sender).account == account {
			return true
		}
	}
	return false
}
