package wire_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"snug/internal/wire"
)

// field is a field with a length.
func field(number int, content []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(number)<<3|2)
	return append(binary.AppendUvarint(b, uint64(len(content))), content...)
}

// repeated is a field of one byte, many times.
func repeated(number, n int) []byte { return bytes.Repeat(field(number, []byte{0}), n) }

const manyTimes = 40_000 // and more than 64 KiB

func TestCheckClientFrame(t *testing.T) {
	large := make([]byte, 1<<20)
	for _, row := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"10,000 rooms", field(42, bytes.Repeat(field(1, make([]byte, 20)), 10_000)), true},
		{"more rooms", field(42, repeated(1, manyTimes)), false},
		{"more rooms in several bodies", bytes.Repeat(field(42, repeated(1, manyTimes/20)), 20), false},
		{"more rooms behind a group", append([]byte{100<<3&0x7f | 3 | 0x80, 100 >> 4, 100<<3&0x7f | 4 | 0x80, 100 >> 4}, field(42, repeated(1, manyTimes))...), false},
		{"more rooms by a tag that overflows", append(binary.AppendUvarint(nil, 1<<35|42<<3|2), field(42, repeated(1, manyTimes))[2:]...), false},
		{"key packages", field(11, bytes.Repeat(field(8, make([]byte, 3000)), 100)), true},
		{"more key packages", field(11, repeated(8, manyTimes)), false},
		{"a commit", field(40, append(field(5, large), field(6, append(bytes.Repeat(field(1, make([]byte, 36)), 1000), field(3, large)...))...)), true},
		{"a commit of more devices", field(40, field(6, repeated(1, manyTimes))), false},
		{"a message that looks like fields", field(40, field(5, repeated(1, manyTimes))), true},
		{"a body that we do not know", field(1000, repeated(1, manyTimes)), true},
		{"fields that we do not know", repeated(1000, manyTimes), false},
		{"no frame", bytes.Repeat([]byte{0xff}, 100_000), true},
		{"a length too large", append(field(5, make([]byte, 70_000)), 42<<3&0x7f|2|0x80, 42>>4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), true},
	} {
		if err := wire.CheckClientFrame(row.b); (err == nil) != row.want {
			t.Errorf("%s: %v, want passing %v", row.name, err, row.want)
		}
	}
}

// TestFieldsAreCounted: in every message that a client's frame can hold, fields that stand any number of times are counted.
func TestFieldsAreCounted(t *testing.T) {
	messages := make(map[string]string) // by name
	files, err := filepath.Glob("../../proto/snug/v1/*.proto")
	if err != nil || len(files) == 0 {
		t.Fatalf("no schema: %v", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?ms)^message (\w+) \{\n(.*?)^\}`).FindAllStringSubmatch(string(text), -1) {
			messages[m[1]] = m[2]
		}
	}
	found := 0
	var look func(path []int, message string)
	look = func(path []int, message string) {
		for _, f := range regexp.MustCompile(`(?m)^\s+(repeated )?(\w+) \w+ = (\d+);`).FindAllStringSubmatch(messages[message], -1) {
			number := 0
			for _, digit := range f[3] {
				number = 10*number + int(digit-'0')
			}
			if f[1] == "" {
				if messages[f[2]] != "" {
					look(append(path[:len(path):len(path)], number), f[2])
				}
				continue
			}
			found++
			b := repeated(number, manyTimes)
			for i := len(path) - 1; i >= 0; i-- {
				b = field(path[i], b)
			}
			if wire.CheckClientFrame(b) == nil {
				t.Errorf("%s: %d times field %d pass", strings.TrimSpace(message), manyTimes, number)
			}
		}
	}
	look(nil, "ClientFrame")
	if found < 11 {
		t.Errorf("the schema has %d repeated fields in a client's frames, want 11 or more", found)
	}
}

// FuzzCheckClientFrame: what passes decodes into no more rooms, devices and packages than we count.
func FuzzCheckClientFrame(f *testing.F) {
	f.Add(field(42, repeated(1, 10)), uint16(1000))
	f.Add(field(40, field(6, repeated(1, 10))), uint16(2000))
	f.Fuzz(func(t *testing.T, b []byte, times uint16) {
		b = bytes.Repeat(b, 1+int(times))
		if len(b) > wire.MaxFrame || wire.CheckClientFrame(b) != nil {
			return
		}
		frame := new(wire.ClientFrame)
		_ = frame.UnmarshalVT(b)
		commit := frame.GetSubmit().GetCommit()
		n := len(frame.GetFollow().GetRooms()) + len(commit.GetAdded()) + len(commit.GetRemoved()) + len(frame.GetRegister().GetKeyPackages())
		if n > 1<<15 {
			t.Errorf("%d bytes pass and have %d fields", len(b), n)
		}
	})
}
