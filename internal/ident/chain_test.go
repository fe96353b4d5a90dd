package ident_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"snug/internal/ident"
)

// story is a chain of eight statements: genesis, three devices, one revoked, two
// new handles, one new name.
func story(t testing.TB) person {
	t.Helper()
	p := newPerson(t, "alice")
	random := seeded("story")
	p.enrol(t, random, "phone")
	lost := p.enrol(t, random, "lost phone")
	appendTo(t, p, ident.Revoke{Device: ident.NewDeviceID(p.chain.Account(), lost.Public())})
	appendTo(t, p, ident.ClaimHandle{Handle: "alicia"})
	appendTo(t, p, ident.ClaimHandle{Handle: "alice.b"})
	appendTo(t, p, ident.Rename{Device: p.id(), Name: "desk"})
	return p
}

func appendTo(t testing.TB, p person, s ident.Statement) {
	t.Helper()
	if err := p.chain.Append(p.identity, s, start); err != nil {
		t.Fatal(err)
	}
}

func TestChainRoundTrip(t *testing.T) {
	p := story(t)
	b := p.chain.Marshal()
	got, err := ident.ParseChain(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Marshal(), b) {
		t.Error("the chain does not encode to the bytes it was parsed from")
	}
	if got.Account() != p.chain.Account() || got.Head() != p.chain.Head() || got.Len() != 8 || got.Identity() != p.identity.Public() {
		t.Errorf("got account %v head %v len %d", got.Account(), got.Head(), got.Len())
	}
	if got.Handle() != "alice.b" {
		t.Errorf("handle = %q, want alice.b", got.Handle())
	}
	if !slices.Equal(got.Devices(), p.chain.Devices()) {
		t.Errorf("devices = %v, want %v", got.Devices(), p.chain.Devices())
	}
	names := []string{}
	for _, d := range got.Devices() {
		names = append(names, d.Name)
		if !d.Enrolled.Equal(start) {
			t.Errorf("%s enrolled at %v, want %v", d.Name, d.Enrolled, start)
		}
	}
	if !slices.Equal(names, []string{"desk", "phone"}) {
		t.Errorf("devices = %v, want desk and phone", names)
	}
}

func TestChainFlips(t *testing.T) {
	b := story(t).chain.Marshal()
	for i := range b {
		for _, mask := range []byte{0x01, 0x80} {
			b[i] ^= mask
			if _, err := ident.ParseChain(b); !errors.Is(err, ident.ErrChain) {
				t.Fatalf("byte %d flipped with %#x: got %v, want ErrChain", i, mask, err)
			}
			b[i] ^= mask
		}
	}
}

func TestChainTruncated(t *testing.T) {
	b := story(t).chain.Marshal()
	for n := range b {
		if _, err := ident.ParseChain(b[:n]); !errors.Is(err, ident.ErrChain) {
			t.Fatalf("cut to %d bytes: got %v, want ErrChain", n, err)
		}
	}
	if _, err := ident.ParseChain(append(b, 0)); !errors.Is(err, ident.ErrChain) {
		t.Errorf("one byte more: got %v, want ErrChain", err)
	}
}

func TestChainRearranged(t *testing.T) {
	s := split(story(t).chain.Marshal())
	other := split(newPerson(t, "mallory").chain.Marshal())
	for name, statements := range map[string][][]byte{
		"none":                {},
		"no genesis":          s[1:],
		"duplicated":          {s[0], s[1], s[1], s[2]},
		"genesis twice":       {s[0], s[0]},
		"two swapped":         {s[0], s[2], s[1]},
		"one left out":        {s[0], s[1], s[3]},
		"foreign enrolment":   {s[0], other[1]},
		"foreign at its seq":  {s[0], s[1], s[2], other[1]},
		"foreign genesis":     {other[0], s[1]},
		"enrolment as first":  {s[1]},
		"replayed revocation": {s[0], s[1], s[2], s[3], s[4], s[4]},
	} {
		if _, err := ident.ParseChain(join(statements)); !errors.Is(err, ident.ErrChain) {
			t.Errorf("%s: got %v, want ErrChain", name, err)
		}
	}
	for n := 1; n <= len(s); n++ {
		if _, err := ident.ParseChain(join(s[:n])); err != nil {
			t.Errorf("the first %d statements: %v", n, err)
		}
	}
}

// TestChainRules signs, with the right key, what no chain may say.
func TestChainRules(t *testing.T) {
	p := newPerson(t, "alice")
	id, key := p.id(), p.device.Public()
	fresh := must(ident.NewDeviceKey(seeded("fresh"))).Public()
	freshID := ident.NewDeviceID(p.chain.Account(), fresh)
	enrol := func(id ident.DeviceID, key ident.PublicKey, name string) []byte {
		return append(append(append(id.Bytes(), key[:]...), byte(len(name))), name...)
	}
	for name, row := range map[string]struct {
		kind    byte
		content []byte
		want    string
	}{
		"control":               {2, enrol(freshID, fresh, "ok"), ""},
		"device id of no key":   {2, enrol(ident.DeviceID{1}, fresh, "x"), "does not belong"},
		"device id of another":  {2, enrol(id, fresh, "x"), "does not belong"},
		"enrolled twice":        {2, enrol(id, key, "x"), "enrolled already"},
		"nameless":              {2, enrol(freshID, fresh, ""), "device name has 1 to 64"},
		"long name":             {2, enrol(freshID, fresh, strings.Repeat("x", 65)), "device name has 1 to 64"},
		"name not UTF-8":        {2, enrol(freshID, fresh, "\xff"), "not UTF-8"},
		"name with a control":   {2, enrol(freshID, fresh, "a\nb"), "U+000A"},
		"name turned around":    {2, enrol(freshID, fresh, "a\u202eb"), "U+202E"},
		"key of small order":    {2, enrol(ident.NewDeviceID(p.chain.Account(), ident.PublicKey{1}), ident.PublicKey{1}, "x"), "anybody can sign"},
		"unknown device ends":   {3, freshID.Bytes(), "not enrolled"},
		"a rename":              {5, append(id.Bytes(), "\x04desk"...), ""},
		"unknown device named":  {5, append(freshID.Bytes(), "\x04desk"...), "not enrolled"},
		"renamed to nothing":    {5, append(id.Bytes(), 0), "device name has 1 to 64"},
		"renamed with trailing": {5, append(id.Bytes(), "\x04deskx"...), "trailing"},
		"bad handle":            {4, []byte("\x03Bob"), "handle"},
		"handle cut short":      {4, []byte("\x04bob"), "cut short"},
		"trailing content":      {4, []byte("\x03bobx"), "trailing"},
		"unknown kind":          {9, nil, "unknown"},
		"kind zero":             {0, nil, "unknown"},
		"a genesis in between":  {1, append(append(key.Bytes(), make([]byte, 16)...), "\x03bob"...), "genesis"},
		"statement of over 1 K": {4, make([]byte, 1024), "statement of"},
	} {
		_, err := ident.ParseChain(join(append(split(p.chain.Marshal()), forge(p, row.kind, row.content))))
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	p, mallory := newPerson(t, "alice"), newPerson(t, "mallory")
	before := p.chain.Marshal()
	key := must(ident.NewDeviceKey(seeded("fresh"))).Public()
	for name, err := range map[string]error{
		"another's key":   p.chain.Append(mallory.identity, ident.Enrol{Key: key, Name: "x"}, start),
		"a second start":  p.chain.Append(p.identity, ident.Genesis{Key: key, Handle: "bob"}, start),
		"unknown device":  p.chain.Append(p.identity, ident.Revoke{}, start),
		"a bad handle":    p.chain.Append(p.identity, ident.ClaimHandle{Handle: "al"}, start),
		"a long name":     p.chain.Append(p.identity, ident.Enrol{Key: key, Name: strings.Repeat("x", 300)}, start),
		"a time in 1969":  p.chain.Append(p.identity, ident.ClaimHandle{Handle: "bob"}, start.AddDate(-60, 0, 0)),
		"the same device": p.chain.Append(p.identity, ident.Enrol{Key: p.device.Public(), Name: "x"}, start),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if !bytes.Equal(p.chain.Marshal(), before) || len(p.chain.Devices()) != 1 {
		t.Error("a refused statement changed the chain")
	}
}

// TestEnrolledAt asks about each length of a chain: genesis, laptop, lost phone, a handle, the phone's revocation, a
// handle.
func TestEnrolledAt(t *testing.T) {
	p := newPerson(t, "alice")
	lost := ident.NewDeviceID(p.chain.Account(), p.enrol(t, seeded("lost"), "lost phone").Public())
	appendTo(t, p, ident.ClaimHandle{Handle: "alicia"})
	appendTo(t, p, ident.Revoke{Device: lost})
	appendTo(t, p, ident.ClaimHandle{Handle: "alice.b"})
	for _, row := range []struct {
		name   string
		device ident.DeviceID
		want   []uint64
	}{{"laptop", p.id(), []uint64{2, 3, 4, 5, 6}}, {"lost phone", lost, []uint64{3, 4}}} {
		var got []uint64
		for length := range uint64(p.chain.Len() + 1) {
			if d, ok := p.chain.EverEnrolled(row.device); ok && d.EnrolledAt(length) {
				got = append(got, length)
			}
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s was enrolled at lengths %v, want %v", row.name, got, row.want)
		}
	}
}

func TestRevokedStaysRevoked(t *testing.T) {
	p := newPerson(t, "alice")
	id := p.id()
	appendTo(t, p, ident.Revoke{Device: id})
	if err := p.chain.Append(p.identity, ident.Enrol{Key: p.device.Public(), Name: "again"}, start); err == nil {
		t.Error("a revoked device was enrolled again")
	}
	if err := p.chain.Append(p.identity, ident.Revoke{Device: id}, start); err == nil {
		t.Error("a device was revoked twice")
	}
	if _, ok := p.chain.Device(id); ok || len(p.chain.Devices()) != 0 {
		t.Error("a revoked device is listed")
	}
	if d, ok := p.chain.EverEnrolled(id); !ok || !d.Revoked || d.Name != "laptop" {
		t.Errorf("EverEnrolled = %v, %v", d, ok)
	}
	if _, err := p.chain.Certificate(id); err == nil {
		t.Error("a revoked device has a certificate")
	}
}

// TestFullChain: the last places are for revocations.
func TestFullChain(t *testing.T) {
	p := newPerson(t, "alice")
	p.enrol(t, seeded("second"), "phone")
	devices := p.chain.Devices()
	for i := range ident.MaxStatements {
		handle := ident.Handle(fmt.Sprintf("alice%d", i))
		if p.chain.Append(p.identity, ident.ClaimHandle{Handle: handle}, start) != nil {
			break
		}
	}
	if got, want := p.chain.Len(), ident.MaxStatements-len(devices); got != want {
		t.Fatalf("a chain with %d devices took %d statements, want %d", len(devices), got, want)
	}
	for _, d := range devices {
		appendTo(t, p, ident.Revoke{Device: d.ID})
	}
	if p.chain.Append(p.identity, ident.ClaimHandle{Handle: "bob"}, start) == nil {
		t.Error("a full chain grew")
	}
	b := p.chain.Marshal()
	if _, err := ident.ParseChain(b); err != nil || len(b) > ident.MaxChain {
		t.Errorf("parsing a full chain of %d bytes: %v", len(b), err)
	}
}

// TestRename: a name changes and nothing else, not a revoked device's, and never so often that nothing else fits.
func TestRename(t *testing.T) {
	p := newPerson(t, "alice")
	certificate := must(p.chain.Certificate(p.id()))
	before, _ := p.chain.Device(p.id())
	appendTo(t, p, ident.Rename{Device: p.id(), Name: "desk"})
	before.Name = "desk"
	if after, ok := p.chain.Device(p.id()); !ok || after != before {
		t.Errorf("got %+v, want %+v", after, before)
	}
	if !bytes.Equal(must(p.chain.Certificate(p.id())), certificate) {
		t.Error("a rename changed the certificate")
	}
	renames := 1
	for p.chain.Append(p.identity, ident.Rename{Device: p.id(), Name: fmt.Sprint("desk ", renames)}, start) == nil {
		renames++
	}
	if got, want := p.chain.Len(), ident.MaxStatements-256; got != want {
		t.Errorf("renames filled the chain to %d statements, want %d", got, want)
	}
	if _, err := ident.ParseChain(p.chain.Marshal()); err != nil {
		t.Error(err)
	}
	p.enrol(t, seeded("another"), "phone")
	appendTo(t, p, ident.Revoke{Device: p.id()})
	if p.chain.Append(p.identity, ident.Rename{Device: p.id(), Name: "gone"}, start) == nil {
		t.Error("a revoked device was renamed")
	}
}

func TestExtends(t *testing.T) {
	p := newPerson(t, "alice")
	old := p.chain.Clone()
	fork := p.chain.Clone()
	if err := fork.Append(p.identity, ident.ClaimHandle{Handle: "evil"}, start); err != nil {
		t.Fatal(err)
	}
	appendTo(t, p, ident.ClaimHandle{Handle: "alicia"})
	appendTo(t, p, ident.ClaimHandle{Handle: "alice.b"})
	if old.Len() != 2 || old.Handle() != "alice" {
		t.Fatalf("a clone changed: %d statements, %s", old.Len(), old.Handle())
	}
	for name, row := range map[string]struct {
		c, older *ident.Chain
		want     ident.ConflictKind
	}{
		"itself":               {p.chain, p.chain, 0},
		"grown":                {p.chain, old, 0},
		"rollback":             {old, p.chain, ident.Rollback},
		"fork, longer":         {p.chain, fork, ident.Fork},
		"fork, shorter":        {fork, p.chain, ident.Rollback},
		"another's":            {p.chain, newPerson(t, "bob").chain, ident.OtherAccount},
		"the same, made again": {newPerson(t, "alice").chain, old, 0},
	} {
		err := row.c.Extends(row.older)
		var conflict *ident.ConflictError
		switch {
		case row.want == 0 && err != nil:
			t.Errorf("%s: got %v", name, err)
		case row.want != 0 && (!errors.As(err, &conflict) || conflict.Kind != row.want):
			t.Errorf("%s: got %v, want %v", name, err, row.want)
		}
	}
	if err := p.chain.ExtendsHead(p.chain.Account(), 0, ident.Hash{}); err == nil {
		t.Error("a chain extends a state without statements")
	}
}

// split gives the statements of a marshalled chain.
func split(b []byte) (statements [][]byte) {
	for b = b[3:]; len(b) > 0; {
		n := 2 + int(binary.BigEndian.Uint16(b))
		statements = append(statements, b[2:n])
		b = b[n:]
	}
	return statements
}

// join is the reverse of split.
func join(statements [][]byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{1}, uint16(len(statements)))
	for _, s := range statements {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
	}
	return b
}

// forge signs any content at the next place of p's chain.
func forge(p person, kind byte, content []byte) []byte {
	b := append([]byte{1, kind}, p.chain.Account().Bytes()...)
	b = binary.BigEndian.AppendUint32(b, uint32(p.chain.Len()))
	b = binary.BigEndian.AppendUint64(b, uint64(start.Unix()))
	b = append(b, p.chain.Head().Bytes()...)
	b = append(b, content...)
	return append(b, p.identity.Sign("snug statement v1", b)...)
}

func BenchmarkParseChain(b *testing.B) {
	p := newPerson(b, "alice")
	for i := range 98 {
		appendTo(b, p, ident.ClaimHandle{Handle: ident.Handle(fmt.Sprintf("alice%d", i))})
	}
	chain := p.chain.Marshal()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ident.ParseChain(chain); err != nil {
			b.Fatal(err)
		}
	}
}
