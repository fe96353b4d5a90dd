package ident_test

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"snug/internal/ident"
)

// TestSafetyNumber: both sides see the same, and anybody else's keys something else in one half and nothing in the other.
func TestSafetyNumber(t *testing.T) {
	alice, bob, mallory := newPerson(t, "alice").chain, newPerson(t, "bob").chain, newPerson(t, "mallory").chain
	number := ident.NewSafetyNumber(alice, bob)
	if other := ident.NewSafetyNumber(bob, alice); other != number {
		t.Errorf("alice sees %s, bob %s", number, other)
	}
	text := number.String()
	if groups := strings.Fields(text); len(groups) != 12 || len(text) != 71 {
		t.Errorf("the number is written %q", text)
	}
	halves := func(n ident.SafetyNumber) []string { return []string{string(n[:30]), string(n[30:])} }
	common := 0
	for _, half := range halves(ident.NewSafetyNumber(alice, mallory)) {
		if slices.Contains(halves(number), half) {
			common++
		}
	}
	if common != 1 {
		t.Errorf("the numbers with bob and with mallory have %d halves in common, want alice's", common)
	}
	// New devices and names do not change it.
	p := newPerson(t, "alice")
	p.enrol(t, seeded("phone"), "phone")
	appendTo(t, p, ident.ClaimHandle{Handle: "alicia"})
	if grown := ident.NewSafetyNumber(p.chain, bob); grown != number {
		t.Errorf("a new device changed the number from %s to %s", number, grown)
	}
}

// TestSafetyDigits computes a number by the protocol's words.
func TestSafetyDigits(t *testing.T) {
	half := func(c *ident.Chain) string {
		account, key := c.Account(), c.Identity()
		base := string(account[:]) + string(key[:])
		hash := sha256.Sum256([]byte("snug safety number v1" + base))
		for range 4096 {
			hash = sha256.Sum256([]byte("snug safety number v1" + string(hash[:]) + base))
		}
		digits := ""
		for i := range 6 {
			n := new(big.Int).SetBytes(hash[5*i : 5*i+5])
			digits += fmt.Sprintf("%05d", n.Mod(n, big.NewInt(100_000)).Int64())
		}
		return digits
	}
	alice, bob := newPerson(t, "alice").chain, newPerson(t, "bob").chain
	halves := []string{half(alice), half(bob)}
	slices.Sort(halves)
	if got, want := ident.NewSafetyNumber(alice, bob), strings.Join(halves, ""); string(got[:]) != want {
		t.Errorf("got %s, want %s", got[:], want)
	}
}

func TestParseSafetyNumber(t *testing.T) {
	digits := strings.Repeat("0123456789", 6)
	for _, row := range []struct {
		name, text string
		want       bool
	}{
		{"digits", digits, true},
		{"groups", ident.SafetyNumber([]byte(digits)).String(), true},
		{"a QR code", "SNUG-SAFETY:" + digits, true},
		{"lines and hyphens", digits[:30] + "\r\n" + digits[30:40] + "-" + digits[40:] + "\n", true},
		{"one short", digits[1:], false},
		{"one long", digits + "0", false},
		{"nothing", "", false},
		{"a letter", digits[:59] + "o", false},
		{"another script's digit", digits[:59] + "٣", false},
		{"another scheme", "SNUG-LINK:" + digits, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			n, err := ident.ParseSafetyNumber(row.text)
			if (err == nil) != row.want || row.want && string(n[:]) != digits {
				t.Errorf("got %q, %v", n[:], err)
			}
		})
	}
}

func BenchmarkSafetyNumber(b *testing.B) {
	alice, bob := newPerson(b, "alice").chain, newPerson(b, "bob").chain
	for b.Loop() {
		ident.NewSafetyNumber(alice, bob)
	}
}
