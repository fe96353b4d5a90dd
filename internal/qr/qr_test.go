package qr_test

import (
	"strings"
	"testing"

	"snug/internal/qr"
)

// TestReads draws codes and reads them again with a reader of this file's own, written after ISO/IEC 18004.
func TestReads(t *testing.T) {
	for _, row := range []struct {
		name, text string
		size       int
	}{
		{"a digit", "7", 21},
		{"an odd number of characters", "SNUG:", 21},
		{"a safety number", "SNUG-SAFETY:" + strings.Repeat("0123456789", 6), 33},
		{"a link code", "SNUG-LINK:" + strings.Repeat("A2B3", 8), 29},
		{"lower case", "snug-link", 21},
	} {
		t.Run(row.name, func(t *testing.T) {
			code, err := qr.Encode(row.text)
			if err != nil {
				t.Fatal(err)
			}
			if code.Size != row.size {
				t.Errorf("%d modules a side, want %d", code.Size, row.size)
			}
			if got := read(t, code); got != row.text {
				t.Errorf("reads %q, want %q", got, row.text)
			}
		})
	}
}

func TestTooLong(t *testing.T) {
	if _, err := qr.Encode(strings.Repeat("x", 3000)); err == nil {
		t.Error("3,000 bytes fit into a QR code")
	}
}

// TestDrawings: path and half blocks show the modules, with light around them.
func TestDrawings(t *testing.T) {
	code, err := qr.Encode("SNUG")
	if err != nil {
		t.Fatal(err)
	}
	if side := code.Side(); side != 29 {
		t.Errorf("drawn on %d modules, want 21 and 4 on each side", side)
	}
	if path := code.Path(); !strings.HasPrefix(path, "M4 4h7v1h-7z") {
		t.Errorf("the path begins %.20s, want the finder's upper side", path)
	}
	lines := strings.Split(strings.TrimSuffix(code.Terminal(), "\n"), "\n")
	if len(lines) != 15 {
		t.Fatalf("%d lines, want 15", len(lines))
	}
	for i, line := range lines {
		line = strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[30;107m"), "\x1b[0m")
		if n := len([]rune(line)); n != 29 {
			t.Errorf("line %d has %d columns, want 29", i, n)
		}
		if i < 2 && strings.TrimSpace(line) != "" {
			t.Errorf("line %d of the quiet zone is %q", i, line)
		}
	}
}

// read takes a code's text: versions 1 to 4, mask 0, level M.
func read(t *testing.T, c *qr.Code) string {
	t.Helper()
	version := (c.Size - 17) / 4
	var bits []bool
	up := true
	for right := c.Size - 1; right > 0; right -= 2 {
		if right == 6 {
			right-- // the timing pattern's column
		}
		for i := range c.Size {
			y := i
			if up {
				y = c.Size - 1 - i
			}
			for _, x := range []int{right, right - 1} {
				if !function(c.Size, version, x, y) {
					bits = append(bits, c.Dark(x, y) != ((x+y)%2 == 0))
				}
			}
		}
		up = !up
	}
	return text(t, blocks(bits, version))
}

// function reports whether a module belongs to a pattern: finders with format, timing, alignment.
func function(size, version, x, y int) bool {
	corner := x <= 8 && y <= 8 || x >= size-8 && y <= 8 || x <= 8 && y >= size-8
	aligned := version > 1 && x >= size-9 && x <= size-5 && y >= size-9 && y <= size-5
	return corner || x == 6 || y == 6 || aligned
}

// blocks gives the data, put together from interleaved blocks: how many of how many bytes there are at level M.
func blocks(bits []bool, version int) []byte {
	shape := [][2]int{{1, 16}, {1, 28}, {1, 44}, {2, 32}}[version-1]
	bytes := make([]byte, len(bits)/8)
	for i := range len(bytes) * 8 {
		if bits[i] {
			bytes[i/8] |= 0x80 >> (i % 8)
		}
	}
	var data []byte
	for block := range shape[0] {
		for i := range shape[1] {
			data = append(data, bytes[i*shape[0]+block])
		}
	}
	return data
}

// text reads one segment, alphanumeric or of bytes.
func text(t *testing.T, data []byte) string {
	t.Helper()
	at := 0
	take := func(n int) (v int) {
		for range n {
			v = v<<1 | int(data[at/8]>>(7-at%8)&1)
			at++
		}
		return v
	}
	var b strings.Builder
	switch mode := take(4); mode {
	case 2:
		const characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
		n := take(9)
		for ; n > 1; n -= 2 {
			pair := take(11)
			b.WriteByte(characters[pair/45])
			b.WriteByte(characters[pair%45])
		}
		if n == 1 {
			b.WriteByte(characters[take(6)])
		}
	case 4:
		for range take(8) {
			b.WriteByte(byte(take(8)))
		}
	default:
		t.Fatalf("mode %d", mode)
	}
	return b.String()
}
