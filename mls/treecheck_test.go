package mls

import (
	"encoding/binary"
	"testing"
)

// TestSimilarKeys fills a tree with keys of the same beginning and the same end: each is compared with few others.
func TestSimilarKeys(t *testing.T) {
	const n = 4096
	seen := make(map[uint64]int, n)
	most := 0
	for i := range n {
		key := make([]byte, 32)
		binary.BigEndian.PutUint32(key[14:], uint32(i))
		seen[keyHash(key)]++
		most = max(most, seen[keyHash(key)])
	}
	if most > 2 {
		t.Errorf("%d of %d similar keys look the same", most, n)
	}
}
