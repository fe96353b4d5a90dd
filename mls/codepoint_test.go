package mls

import "testing"

// TestCodePoints checks that the numbers which are not IANA's are where nobody else's are, and that no two are alike.
func TestCodePoints(t *testing.T) {
	seen := make(map[CipherSuite]bool)
	private := 0
	for _, s := range suites {
		if seen[s.id] {
			t.Errorf("suite %#x is there twice", s.id)
		}
		seen[s.id] = true
		switch {
		case s.id >= firstPrivateUse:
			private++
		case s.id > 7 || s.id == 4 || s.id == 6:
			t.Errorf("suite %#x is not one of RFC 9420 that this package has", s.id)
		}
	}
	if private != 5 || len(seen) != 10 {
		t.Errorf("%d suites, %d of them private, want 10 and 5", len(seen), private)
	}
	for name, number := range map[string]uint16{
		"self_remove": uint16(ProposalSelfRemove), "last_resort": uint16(ExtensionLastResort),
	} {
		if number >= firstPrivateUse || isGREASE(number) || ProposalType(number).isDefault() || ExtensionType(number).isDefault() {
			t.Errorf("%s has the number %#x, which is for something else", name, number)
		}
	}
}
