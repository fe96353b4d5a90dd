package ident_test

import (
	"strings"
	"testing"

	"snug/internal/ident"
)

func TestHandle(t *testing.T) {
	for _, good := range []string{"bob", "alice", "a.b", "0-9", "x_y.z-1", strings.Repeat("a", 32)} {
		if h, err := ident.ParseHandle(good); err != nil || h.String() != good {
			t.Errorf("ParseHandle(%q) = %q, %v", good, h, err)
		}
	}
	for _, bad := range []string{"", "al", "@bob", "Bob", "bob ", " bob", ".bob", "bob.", "-bob", "bob_", "b/ob", "b\x00b", "bób", "bob\n", strings.Repeat("a", 33)} {
		if h, err := ident.ParseHandle(bad); err != ident.ErrHandle {
			t.Errorf("ParseHandle(%q) = %q, %v, want ErrHandle", bad, h, err)
		}
	}
}

func TestIDText(t *testing.T) {
	id := must(ident.NewRoomID(seeded("room")))
	s := id.String()
	if len(s) != 26 {
		t.Fatalf("text of an id has %d characters, want 26", len(s))
	}
	if got, err := ident.ParseRoomID(s); err != nil || got != id {
		t.Errorf("ParseRoomID(%q) = %v, %v", s, got, err)
	}
	if got, err := ident.RoomIDFromBytes(id.Bytes()); err != nil || got != id {
		t.Errorf("RoomIDFromBytes = %v, %v", got, err)
	}
	var back ident.RoomID
	if err := back.UnmarshalText([]byte(s)); err != nil || back != id {
		t.Errorf("UnmarshalText = %v, %v", back, err)
	}
	for name, bad := range map[string]string{
		"empty":       "",
		"short":       s[:25],
		"long":        s + "a",
		"upper case":  strings.ToUpper(s),
		"padded":      s[:25] + "=",
		"stray bits":  s[:25] + "z",
		"line break":  s[:25] + "\n",
		"digit 1":     "1" + s[1:],
		"white space": " " + s[1:],
	} {
		if got, err := ident.ParseRoomID(bad); err == nil {
			t.Errorf("%s: ParseRoomID(%q) = %v, want an error", name, bad, got)
		}
	}
}

// TestPrefixIsNobody: al is not alice, in any form.
func TestPrefixIsNobody(t *testing.T) {
	if _, err := ident.ParseHandle("al"); err == nil {
		t.Error("the handle al is too short to exist")
	}
	ali, alice := newPerson(t, "ali"), newPerson(t, "alice")
	if ali.chain.Account() == alice.chain.Account() || ali.chain.Handle() == alice.chain.Handle() {
		t.Error("ali is alice")
	}
	err := ident.VerifyMember(alice.chain, credential(ali), ali.device.Public().Bytes(), certificate(t, ali))
	wantMemberError(t, err, "not the account of this chain")
}
