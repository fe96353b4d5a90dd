package snug_test

import (
	"os"
	"testing"
)

// TestLicence keeps the licence file in the checkout: the binary is given away under it.
func TestLicence(t *testing.T) {
	info, err := os.Stat("LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() < 10_000 {
		t.Fatalf("LICENSE has %d bytes, want the whole Apache-2.0 text", info.Size())
	}
}
