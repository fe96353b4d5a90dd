package client

import (
	"bytes"
	"testing"

	"snug/internal/ident"
)

// FuzzPlaces reads the records of heads and of past epochs from any bytes: what is read is written the same.
func FuzzPlaces(f *testing.F) {
	f.Add(encodePast(7))
	f.Add(encodeHead(ident.Hash{1, 2, 3}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if epoch, err := decodePast(b); err == nil && !bytes.Equal(encodePast(epoch), b) {
			t.Errorf("epoch %d was read from %x and is written as %x", epoch, b, encodePast(epoch))
		}
		if head, err := decodeHead(b); err == nil && !bytes.Equal(encodeHead(head), b) {
			t.Errorf("a head was read from %x and is written as %x", b, encodeHead(head))
		}
	})
}
