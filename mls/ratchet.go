package mls

import (
	"math"
	"slices"
)

// Bounds on how far messages of one sender may come out of order. Both are checked before a key is derived.
const (
	// MaxForward is how many generations a message may be ahead of the sender's next one. A derivation costs about a
	// microsecond, so that the worst message costs about as much as a signature does in some suites.
	MaxForward = 1024
	// MaxSkipped is how many generations behind the newest one the keys of skipped messages are kept.
	MaxSkipped = 32
)

// A messageKey is a key and nonce for one message.
type messageKey struct {
	unprintable
	generation uint32
	key, nonce Secret
}

// A ratchet is one sender's chain of keys (RFC 9420, Section 9.1). It is never changed: each step makes the next one, which the
// caller keeps if the message turns out to be good.
type ratchet struct {
	unprintable
	// next is the generation of secret.
	next   uint32
	secret Secret
	// skipped are the unused keys of earlier generations, in increasing order.
	skipped []messageKey
	// room is where a secret that was derived here lies.
	room [maxHash]byte
}

// step derives the keys of the next generation.
func (r *ratchet) step(s *suite) (messageKey, *ratchet) {
	return r.key(s, new(keyRoom)), r.skip(s)
}

// key derives the keys of the next generation into room.
func (r *ratchet) key(s *suite, room *keyRoom) messageKey {
	key := messageKey{generation: r.next, key: room.key[:s.nk], nonce: room.nonce[:]}
	s.deriveTreeSecret(key.key, r.secret, "key", r.next)
	s.deriveTreeSecret(key.nonce, r.secret, "nonce", r.next)
	return key
}

// skip is step for a generation whose keys are not wanted.
func (r *ratchet) skip(s *suite) *ratchet {
	next := &ratchet{next: r.next + 1, skipped: r.skipped}
	next.secret = next.room[:s.nh]
	s.deriveTreeSecret(next.secret, r.secret, "secret", r.next)
	return next
}

// open returns the keys of a generation, and the ratchet without them. Unless they were skipped, the keys lie in room.
func (r *ratchet) open(s *suite, room *keyRoom, sender LeafIndex, generation uint32) (messageKey, *ratchet, error) {
	if generation < r.next {
		at, found := slices.BinarySearchFunc(r.skipped, generation, func(k messageKey, g uint32) int {
			return int(int64(k.generation) - int64(g))
		})
		if !found {
			return messageKey{}, nil, &GenerationError{sender, generation, r.next}
		}
		rest := slices.Concat(r.skipped[:at], r.skipped[at+1:])
		return r.skipped[at], &ratchet{next: r.next, secret: r.secret, skipped: rest}, nil
	}
	// The last generation of all is never used: there would be no next.
	if generation-r.next > MaxForward || generation == math.MaxUint32 {
		return messageKey{}, nil, &GenerationError{sender, generation, r.next}
	}
	return r.forward(s, room, generation)
}

// forward goes on to a generation, and keeps the keys of those in between that lie in the window.
func (r *ratchet) forward(s *suite, room *keyRoom, generation uint32) (messageKey, *ratchet, error) {
	oldest := uint32(0)
	if generation > MaxSkipped {
		oldest = generation - MaxSkipped
	}
	var kept []messageKey
	if len(r.skipped) > 0 {
		kept = slices.DeleteFunc(slices.Clone(r.skipped), func(k messageKey) bool { return k.generation < oldest })
	}
	for r.next < generation {
		if r.next < oldest {
			r = r.skip(s)
			continue
		}
		var key messageKey
		key, r = r.step(s)
		kept = append(kept, key)
	}
	next := r.skip(s)
	next.skipped = kept
	return r.key(s, room), next, nil
}

func (r *ratchet) encode(w *writer) {
	w.uint32(r.next)
	w.opaque(r.secret)
	start := w.open()
	for _, k := range r.skipped {
		w.uint32(k.generation)
		w.opaque(k.key)
		w.opaque(k.nonce)
	}
	w.close(start)
}

func decodeRatchet(s *suite, r *reader) *ratchet {
	out := &ratchet{next: r.uint32(), secret: r.opaque()}
	r.each(func(r *reader) {
		k := messageKey{generation: r.uint32(), key: r.opaque(), nonce: r.opaque()}
		if len(k.key) != s.nk || len(k.nonce) != nonceSize || k.generation >= out.next {
			r.fail("a skipped key that is none")
		}
		if n := len(out.skipped); n > 0 && out.skipped[n-1].generation >= k.generation {
			r.fail("skipped keys out of order")
		}
		out.skipped = append(out.skipped, k)
	})
	if r.err == nil && len(out.secret) != s.nh {
		r.fail("a ratchet secret of the wrong length")
	}
	return out
}
