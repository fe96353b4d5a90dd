package mls

import (
	"crypto/hkdf"
	"crypto/hmac"
	"fmt"
	"testing"
)

// TestMessageAllocations counts the allocations of a message of 1 KiB. Four are the two ciphers, which crypto/aes and crypto/cipher
// cannot make on the stack; the others are the signature and the message, or the data and its result, and the next
// ratchet.
func TestMessageAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector sync.Pool forgets at random")
	}
	for _, id := range []CipherSuite{1, DefaultSuite} {
		t.Run(fmt.Sprintf("suite %#x", uint16(id)), func(t *testing.T) {
			bg := builtGroup(t, "filled", id, 7)
			sender, receiver := bg.first.Clone(), bg.last.Clone()
			text, aad := make([]byte, 1024), []byte("aad")
			const runs = 100
			var messages [][]byte
			seal := func() {
				m, err := sender.Seal(text, aad)
				if err != nil {
					t.Fatal(err)
				}
				messages = append(messages, m)
			}
			messages = make([][]byte, 0, runs+2)
			seal()
			if n := testing.AllocsPerRun(runs, seal); n >= 8 {
				t.Errorf("%v allocations to seal, want fewer than 8", n)
			}
			open := func() {
				if _, err := receiver.Process(messages[0]); err != nil {
					t.Fatal(err)
				}
				messages = messages[1:]
			}
			open()
			if n := testing.AllocsPerRun(runs, open); n >= 8 {
				t.Errorf("%v allocations to open, want fewer than 8", n)
			}
		})
	}
}

// TestKDF holds the KDF on the stack against the standard library's, over keys, contexts and outputs of all lengths.
func TestKDF(t *testing.T) {
	for _, s := range suites {
		for n := range 300 {
			key, context := random(n/2), random(n)
			var got [maxHash]byte
			s.hmac(&got, key, context)
			h := hmac.New(s.hash, key)
			h.Write(context)
			equal(t, fmt.Sprintf("HMAC of suite %#x over %d bytes", uint16(s.id), n), got[:s.nh], h.Sum(nil))
			equal(t, fmt.Sprintf("hash of suite %#x of %d bytes", uint16(s.id), n), s.digest(context), s.digest(context[:n/2], context[n/2:]))
			extracted, err := hkdf.Extract(s.hash, context, key)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, fmt.Sprintf("extraction of suite %#x from %d bytes", uint16(s.id), n), s.extract(key, context), extracted)
			w := writer{}
			w.uint16(uint16(n))
			w.label("label")
			w.opaque(context)
			want, err := hkdf.Expand(s.hash, key, string(w.b), n)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, fmt.Sprintf("expansion of suite %#x to %d bytes", uint16(s.id), n), s.expandWithLabel(key, "label", context, n), want)
		}
	}
}
