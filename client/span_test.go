package client_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"snug/client"
)

// TestSpans compares sums and differences of parts of a log with sets of places.
func TestSpans(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		parts := func() (parts [][2]uint64, set map[uint64]bool) {
			set = make(map[uint64]bool)
			for range rng.IntN(6) {
				first := 1 + rng.Uint64N(30)
				part := [2]uint64{first, first + rng.Uint64N(6)}
				parts = append(parts, part)
				for seq := part[0]; seq <= part[1]; seq++ {
					set[seq] = true
				}
			}
			return parts, set
		}
		add, has := parts()
		take, gone := parts()
		var want []uint64
		for seq := range uint64(40) {
			if has[seq] && !gone[seq] {
				want = append(want, seq)
			}
		}
		if got := client.Spans(add, take); !slices.Equal(got, want) {
			t.Fatalf("%v without %v: got %v, want %v", add, take, got, want)
		}
	}
}
