package wire_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"snug/internal/wire"
)

// header begins a masked frame, whose length is written as it stands.
func header(first byte, length uint64) []byte {
	b := []byte{first}
	switch {
	case length < 126:
		b = append(b, 0x80|byte(length))
	case length < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), length)
	}
	return append(b, 1, 2, 3, 4)
}

func frame(first byte, n int) []byte { return append(header(first, uint64(n)), make([]byte, n)...) }

func TestGate(t *testing.T) {
	const (
		final, begin, more, last = 0x82, 0x02, 0x00, 0x80
		ping, closing            = 0x89, 0x88
	)
	for _, row := range []struct {
		name string
		b    [][]byte
		want bool
	}{
		{"a message", [][]byte{frame(final, 300)}, true},
		{"one after the other", [][]byte{frame(final, 300), frame(final, 300), frame(final, 0)}, true},
		{"one byte more", [][]byte{header(final, 301)}, false},
		{"after a message that may be", [][]byte{frame(final, 300), header(final, 301)}, false},
		{"fragments", [][]byte{frame(begin, 100), frame(more, 100), frame(last, 100)}, true},
		{"fragments that are more together", [][]byte{frame(begin, 100), frame(more, 100), header(last, 101)}, false},
		{"fragments around a ping", [][]byte{frame(begin, 200), frame(ping, 125), frame(last, 100)}, true},
		{"more than a message around a ping", [][]byte{frame(begin, 200), frame(ping, 0), header(last, 101)}, false},
		{"a message between fragments and their end", [][]byte{frame(begin, 200), frame(last, 100), frame(final, 300)}, true},
		{"a large ping", [][]byte{header(ping, 126)}, false},
		{"a large end", [][]byte{header(closing, 1<<20)}, false},
		{"a length that some read as negative", [][]byte{header(final, math.MaxUint64)}, false},
		{"the least of them", [][]byte{header(final, 1<<63)}, false},
		{"a sum that overflows", [][]byte{frame(begin, 200), header(last, math.MaxUint64-199)}, false},
	} {
		whole := bytes.Join(row.b, nil)
		for _, step := range []int{1, 7, len(whole)} {
			g := new(wire.Gate)
			g.SetLimit(300)
			if err := look(g, whole, step); (err == nil) != row.want {
				t.Errorf("%s, %d bytes at a time: %v, want passing %v", row.name, step, err, row.want)
			}
		}
	}
	if new(wire.Gate).Look(frame(final, 1)) == nil {
		t.Error("a gate without a limit lets a message pass")
	}
}

func look(g *wire.Gate, b []byte, step int) error {
	for len(b) > 0 {
		n := min(step, len(b))
		if err := g.Look(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// FuzzGate: it makes no difference how the bytes come, and no message that passes is larger than it may be.
func FuzzGate(f *testing.F) {
	f.Add(append(frame(0x02, 90), frame(0x80, 10)...), uint8(3))
	f.Add(header(0x82, math.MaxUint64), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		const limit = 100
		whole, parts := new(wire.Gate), new(wire.Gate)
		whole.SetLimit(limit)
		parts.SetLimit(limit)
		at, piecemeal := whole.Look(b), look(parts, b, 1+int(step))
		if (at == nil) != (piecemeal == nil) {
			t.Fatalf("at once: %v; in parts: %v", at, piecemeal)
		}
		if largest := largestMessage(b); (at == nil) != (largest <= limit) {
			t.Fatalf("the largest message has %d bytes, and it passes: %v", largest, at == nil)
		}
	})
}

// largestMessage reads frames as RFC 6455 has them, as far as their headers came. A control frame of more than 125 bytes
// counts as a message of any size.
func largestMessage(b []byte) (largest uint64) {
	var message uint64
	for len(b) >= 2 {
		first, size, at := b[0], uint64(b[1]&0x7f), 2
		switch size {
		case 126:
			if at += 2; len(b) >= at {
				size = uint64(binary.BigEndian.Uint16(b[2:]))
			}
		case 127:
			if at += 8; len(b) >= at {
				size = binary.BigEndian.Uint64(b[2:])
			}
		}
		if b[1]&0x80 != 0 {
			at += 4
		}
		if len(b) < at {
			return largest
		}
		if first&0x0f > 2 {
			if size > 125 {
				return math.MaxUint64
			}
		} else {
			if size > math.MaxUint64-message {
				return math.MaxUint64
			}
			message += size
			largest = max(largest, message)
			if first&0x80 != 0 {
				message = 0
			}
		}
		if size > uint64(len(b)-at) {
			return largest
		}
		b = b[uint64(at)+size:]
	}
	return largest
}
