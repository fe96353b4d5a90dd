package server

import (
	"net/netip"
	"strconv"
	"time"

	"snug/internal/ident"
)

// TryLogins has n handles tried, each from another prefix, and gives how many tries were let through and how many
// buckets there are for handles with prefixes afterwards.
func TryLogins(now func() time.Time, n int) (tried, kept int) {
	l := newLimits(now)
	for i := range n {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i)}), 24)
		if l.login(strconv.Itoa(i), prefix) == nil {
			tried++
		}
	}
	return tried, len(l.ownLogins.mu.full)
}

// Knock keeps an account's letter for a room, as if it had come over a connection.
func Knock(s *Server, room ident.RoomID, account ident.AccountID) error {
	_, _, err := s.knocks.put(room, account, []byte("letter"))
	return err
}
