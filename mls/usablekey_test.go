package mls

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestUsableKeys spoils keys of all suites, bit by bit and number by number: what is said of them without parsing is what the
// parser says.
func TestUsableKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, s := range suites {
		refused, accepted := 0, 0
		check := func(what string, b []byte) {
			t.Helper()
			_, parsing := s.publicKey(b)
			got := s.checkUsable(b)
			if (got == nil) != (parsing == nil) {
				t.Fatalf("suite %#x, %s: %v, and parsing says %v", uint16(s.id), what, got, parsing)
			}
			if got == nil {
				accepted++
			} else {
				refused++
			}
		}
		key, err := s.generateKey()
		if err != nil {
			t.Fatal(err)
		}
		good, err := key.public(s)
		if err != nil {
			t.Fatal(err)
		}
		check("a key", good)
		for range 400 {
			bad := append([]byte(nil), good...)
			at, bit := r.IntN(len(bad)), r.IntN(8)
			bad[at] ^= 1 << bit
			check(fmt.Sprintf("bit %d of byte %d", bit, at), bad)
			bad[at] = 0xff
			check(fmt.Sprintf("ff in byte %d", at), bad)
		}
		check("a short key", good[1:])
		check("no key", nil)
		if refused < 2 || accepted < 1 {
			t.Errorf("suite %#x: %d keys refused, %d accepted", uint16(s.id), refused, accepted)
		}
	}
}

// TestReduced puts each number of 12 bits into each of four neighbouring places of an ML-KEM key.
func TestReduced(t *testing.T) {
	for _, size := range []int{1184, 1568} {
		for place := range 4 {
			for v := range 1 << 12 {
				key := make([]byte, size)
				group := uint64(v) << (12 * place)
				for i := range 6 {
					key[size-32-6+i] = byte(group >> (8 * i))
				}
				if got, want := reduced(key), v < 3329; got != want {
					t.Fatalf("%d in place %d of the last four: %v, want %v", v, place, got, want)
				}
			}
		}
	}
}
