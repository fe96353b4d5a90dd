package ident_test

import (
	"testing"

	"snug/internal/ident"
)

func entry() ident.LogEntry {
	return ident.LogEntry{
		Room: ident.RoomID{1}, Seq: 1, Kind: 2, Sender: ident.DeviceID{3}, Message: ident.MessageID{4},
		Epoch: 5, UnixMilli: 1767323045000, Payload: ident.PayloadHash([]byte("hello")),
	}
}

// TestNextHead: a change of anything changes the head.
func TestNextHead(t *testing.T) {
	prev := ident.EmptyHead(ident.RoomID{1})
	heads := map[ident.Hash]string{prev: "empty", ident.NextHead(prev, entry()): "entry"}
	for name, change := range map[string]func(*ident.LogEntry){
		"room":    func(e *ident.LogEntry) { e.Room[15]++ },
		"seq":     func(e *ident.LogEntry) { e.Seq++ },
		"kind":    func(e *ident.LogEntry) { e.Kind++ },
		"sender":  func(e *ident.LogEntry) { e.Sender[15]++ },
		"message": func(e *ident.LogEntry) { e.Message[0]++ },
		"epoch":   func(e *ident.LogEntry) { e.Epoch++ },
		"time":    func(e *ident.LogEntry) { e.UnixMilli++ },
		"payload": func(e *ident.LogEntry) { e.Payload = ident.PayloadHash([]byte("hellp")) },
	} {
		e := entry()
		change(&e)
		head := ident.NextHead(prev, e)
		if other, ok := heads[head]; ok {
			t.Errorf("another %s has the head of %s", name, other)
		}
		heads[head] = name
	}
	if other, ok := heads[ident.NextHead(ident.EmptyHead(ident.RoomID{2}), entry())]; ok {
		t.Errorf("another head before has the head of %s", other)
	}
}

func TestNextHeadAllocates(t *testing.T) {
	prev, e := ident.EmptyHead(ident.RoomID{1}), entry()
	if n := testing.AllocsPerRun(100, func() { prev = ident.NextHead(prev, e) }); n != 0 {
		t.Errorf("NextHead allocates %v times, want none", n)
	}
}

func TestOpenEntry(t *testing.T) {
	alice, mallory := newPerson(t, "alice"), newPerson(t, "mallory")
	room, message, payload := ident.RoomID{1}, ident.MessageID{2}, []byte("hello")
	signature := ident.SignOpen(alice.device, room, message, payload)
	key := alice.device.Public()
	if err := ident.VerifyOpen(key, room, message, payload, signature); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"another room":    ident.VerifyOpen(key, ident.RoomID{2}, message, payload, signature),
		"another message": ident.VerifyOpen(key, room, ident.MessageID{3}, payload, signature),
		"another payload": ident.VerifyOpen(key, room, message, []byte("hellp"), signature),
		"another device":  ident.VerifyOpen(mallory.device.Public(), room, message, payload, signature),
		"no signature":    ident.VerifyOpen(key, room, message, payload, nil),
	} {
		if err != ident.ErrSignature {
			t.Errorf("%s: got %v, want ErrSignature", name, err)
		}
	}
}

// TestDomains: what was signed for one purpose is good for no other.
func TestDomains(t *testing.T) {
	key := must(ident.NewDeviceKey(seeded("key")))
	signature := key.Sign("snug one", []byte("message"))
	if err := key.Public().Verify("snug one", []byte("message"), signature); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ context, message string }{
		{"snug two", "message"}, {"snug onem", "essage"}, {"snug on", "emessage"}, {"snug ", "onemessage"},
	} {
		if err := key.Public().Verify(row.context, []byte(row.message), signature); err != ident.ErrSignature {
			t.Errorf("verifies as %q of %q", row.message, row.context)
		}
	}
	for _, bad := range []string{"", "one", "MLS 1.0 x", "snug " + string(make([]byte, 60))} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("signed in the context %q", bad)
				}
			}()
			key.Sign(bad, nil)
		}()
	}
}

func BenchmarkNextHead(b *testing.B) {
	prev, e := ident.EmptyHead(ident.RoomID{1}), entry()
	b.ReportAllocs()
	for b.Loop() {
		prev = ident.NextHead(prev, e)
	}
}

func BenchmarkPayloadHash(b *testing.B) {
	payload := make([]byte, 300)
	b.ReportAllocs()
	b.SetBytes(300)
	for b.Loop() {
		ident.PayloadHash(payload)
	}
}
