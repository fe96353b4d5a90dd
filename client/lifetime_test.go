package client_test

import (
	"math"
	"testing"

	"snug/client"
	"snug/mls"
)

// TestLifetime holds leaves to the longest lifetime that all clients accept.
func TestLifetime(t *testing.T) {
	const day = 24 * 60 * 60
	for _, row := range []struct {
		name     string
		lifetime mls.Lifetime
		ok       bool
	}{
		{"renewed in the group", mls.Lifetime{}, true},
		{"ours", mls.Lifetime{NotBefore: 1_000_000 - 3600, NotAfter: 1_000_000 + 90*day}, true},
		{"the longest", mls.Lifetime{NotBefore: 1_000_000, NotAfter: 1_000_000 + 91*day}, true},
		{"a second more", mls.Lifetime{NotBefore: 1_000_000, NotAfter: 1_000_001 + 91*day}, false},
		{"for ever", mls.Lifetime{NotAfter: math.MaxUint64}, false},
		{"backwards", mls.Lifetime{NotBefore: math.MaxUint64, NotAfter: 5}, false},
	} {
		if err := client.CheckLifetime(row.lifetime); (err == nil) != row.ok {
			t.Errorf("%s: got %v, want accepted: %v", row.name, err, row.ok)
		}
	}
}
