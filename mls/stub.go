package mls

import "iter"

type writer struct{}

type ratchetTree struct{}

func (t *ratchetTree) members() iter.Seq[Member]              { return nil }
func (t *ratchetTree) member(i LeafIndex) (Member, bool)      { return Member{}, false }
func (*Add) encode(*writer)                                   {}
func (*Update) encode(*writer)                                {}
func (*Remove) encode(*writer)                                {}
func (*PreSharedKey) encode(*writer)                          {}
func (*ReInit) encode(*writer)                                {}
func (*ExternalInit) encode(*writer)                          {}
func (*GroupContextExtensions) encode(*writer)                {}
