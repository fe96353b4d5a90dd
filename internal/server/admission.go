package server

import "time"

// An account that has been let into a sealed room by another one has not *answered* before it says something there, or in
// any room that the other one is in. Up to then it may be that nobody has asked it: so these bound how many rooms it is let
// into, by one and by all. The reasons stand in docs/decisions/0069-rooms-of-strangers.md.
const (
	// MaxAdmissionsByStranger is how often one account lets another one in that has never answered it. The 1:1 room of the two
	// is open for as many times more.
	MaxAdmissionsByStranger = 20
	// MaxAdmissionsByOne is the same for one that has answered: of rooms in which it has said nothing.
	MaxAdmissionsByOne = 500
	// ManyAdmissions is how many rooms of strangers an account is in before each stranger has one only, and MaxAdmissions how
	// many at all: so many rooms and an account's own are well below maxFollows.
	ManyAdmissions = 1000
	MaxAdmissions  = 4000
	// AdmissionCounts is for how long a room counts that an account went out of without a word.
	AdmissionCounts = 7 * 24 * time.Hour
)
