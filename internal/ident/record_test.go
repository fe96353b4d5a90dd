package ident_test

import (
	"bytes"
	"testing"

	"snug/internal/ident"
)

func TestRecord(t *testing.T) {
	random := seeded("store")
	key := must(ident.NewStoreKey(random))
	for _, value := range [][]byte{nil, []byte("v"), bytes.Repeat([]byte("value"), 1000)} {
		sealed := must(ident.SealRecord(random, key, []byte("room/1"), value))
		if len(sealed) != len(value)+ident.RecordOverhead {
			t.Errorf("sealed %d bytes to %d", len(value), len(sealed))
		}
		same := must(ident.StoreKeyFromSecret(key.Secret()))
		if got, err := ident.OpenRecord(same, []byte("room/1"), sealed); err != nil || !bytes.Equal(got, value) {
			t.Errorf("OpenRecord = %q, %v", got, err)
		}
		if _, err := ident.OpenRecord(key, []byte("room/2"), sealed); err != ident.ErrRecord {
			t.Errorf("in another's place: got %v, want ErrRecord", err)
		}
		if _, err := ident.OpenRecord(must(ident.NewStoreKey(random)), []byte("room/1"), sealed); err != ident.ErrRecord {
			t.Errorf("another key: got %v, want ErrRecord", err)
		}
	}
	sealed := must(ident.SealRecord(random, key, []byte("k"), []byte("value")))
	for i := range sealed {
		sealed[i] ^= 1
		if _, err := ident.OpenRecord(key, []byte("k"), sealed); err != ident.ErrRecord {
			t.Errorf("byte %d flipped: got %v, want ErrRecord", i, err)
		}
		sealed[i] ^= 1
	}
	for n := range sealed {
		if _, err := ident.OpenRecord(key, []byte("k"), sealed[:n]); err != ident.ErrRecord {
			t.Errorf("cut to %d bytes: got %v, want ErrRecord", n, err)
		}
	}
}
