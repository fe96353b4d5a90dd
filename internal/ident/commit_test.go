package ident_test

import (
	"bytes"
	"testing"

	"snug/internal/ident"
)

// TestCommitSignature changes everything that a device signs of a commit, one thing at a time.
func TestCommitSignature(t *testing.T) {
	key, err := ident.NewDeviceKey(from(1))
	if err != nil {
		t.Fatal(err)
	}
	signed := ident.Commit{Room: ident.RoomID{1}, Message: ident.MessageID{2}, Epoch: 3, Devices: ident.Hash{4}, Replaces: 5,
		ReplacedHead: ident.Hash{6}, Payload: ident.Hash{7}}
	signature := ident.SignCommit(key, &signed)
	if err := ident.VerifyCommit(key.Public(), &signed, signature); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		change func(c *ident.Commit)
	}{
		{"room", func(c *ident.Commit) { c.Room[0]++ }},
		{"message", func(c *ident.Commit) { c.Message[0]++ }},
		{"epoch", func(c *ident.Commit) { c.Epoch++ }},
		{"devices", func(c *ident.Commit) { c.Devices[0]++ }},
		{"replaces", func(c *ident.Commit) { c.Replaces++ }},
		{"replaced head", func(c *ident.Commit) { c.ReplacedHead[0]++ }},
		{"payload", func(c *ident.Commit) { c.Payload[0]++ }},
	} {
		changed := signed
		row.change(&changed)
		if err := ident.VerifyCommit(key.Public(), &changed, signature); err != ident.ErrSignature {
			t.Errorf("another %s: got %v, want %v", row.name, err, ident.ErrSignature)
		}
	}
}

// TestRejectSignature changes everything that a device signs of a reject, and says it for a commit.
func TestRejectSignature(t *testing.T) {
	key, err := ident.NewDeviceKey(from(1))
	if err != nil {
		t.Fatal(err)
	}
	signed := ident.Reject{Room: ident.RoomID{1}, Message: ident.MessageID{2}, Seq: 3, Head: ident.Hash{4}, Reason: 1}
	signature := ident.SignReject(key, &signed)
	if err := ident.VerifyReject(key.Public(), &signed, signature); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		change func(c *ident.Reject)
	}{
		{"room", func(r *ident.Reject) { r.Room[0]++ }},
		{"message", func(r *ident.Reject) { r.Message[0]++ }},
		{"seq", func(r *ident.Reject) { r.Seq++ }},
		{"head", func(r *ident.Reject) { r.Head[0]++ }},
		{"reason", func(r *ident.Reject) { r.Reason++ }},
	} {
		changed := signed
		row.change(&changed)
		if err := ident.VerifyReject(key.Public(), &changed, signature); err != ident.ErrSignature {
			t.Errorf("another %s: got %v, want %v", row.name, err, ident.ErrSignature)
		}
	}
	if err := ident.VerifyOpen(key.Public(), signed.Room, signed.Message, nil, signature); err != ident.ErrSignature {
		t.Errorf("as an open entry: got %v, want %v", err, ident.ErrSignature)
	}
}

// TestDevicesHash tells apart who comes and who goes, and does not mind the order.
func TestDevicesHash(t *testing.T) {
	a := ident.Credential{Account: ident.AccountID{1}, Device: ident.DeviceID{1}}
	b := ident.Credential{Account: ident.AccountID{2}, Device: ident.DeviceID{2}}
	type list = []ident.Credential
	first := ident.DevicesHash(list{a, b}, nil)
	if again := ident.DevicesHash(list{b, a}, list{}); again != first {
		t.Errorf("in another order: got %v, want %v", again, first)
	}
	for name, h := range map[string]ident.Hash{
		"removed":            ident.DevicesHash(nil, list{a, b}),
		"one added, one not": ident.DevicesHash(list{a}, list{b}),
		"nobody":             ident.DevicesHash(nil, nil),
		"one twice":          ident.DevicesHash(list{a, a}, nil),
	} {
		if bytes.Equal(h[:], first[:]) {
			t.Errorf("%s: got %v, want another hash", name, h)
		}
	}
}

// TestRestartSignature changes everything that a device signs of a restart, and says it for a reject.
func TestRestartSignature(t *testing.T) {
	key, err := ident.NewDeviceKey(from(1))
	if err != nil {
		t.Fatal(err)
	}
	signed := ident.Restart{Room: ident.RoomID{1}, Message: ident.MessageID{2}, Epoch: 3, Statements: 4}
	signature := ident.SignRestart(key, &signed)
	if err := ident.VerifyRestart(key.Public(), &signed, signature); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		change func(r *ident.Restart)
	}{
		{"room", func(r *ident.Restart) { r.Room[0]++ }},
		{"message", func(r *ident.Restart) { r.Message[0]++ }},
		{"epoch", func(r *ident.Restart) { r.Epoch++ }},
		{"length of the chain", func(r *ident.Restart) { r.Statements++ }},
	} {
		changed := signed
		row.change(&changed)
		if err := ident.VerifyRestart(key.Public(), &changed, signature); err != ident.ErrSignature {
			t.Errorf("another %s: got %v, want %v", row.name, err, ident.ErrSignature)
		}
	}
	if err := ident.VerifyReject(key.Public(), &ident.Reject{Room: signed.Room, Message: signed.Message}, signature); err != ident.ErrSignature {
		t.Errorf("as a reject: got %v, want %v", err, ident.ErrSignature)
	}
}
