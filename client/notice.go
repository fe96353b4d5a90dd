package client

import (
	"fmt"
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
	return strings.Join(parts, ", ")
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
