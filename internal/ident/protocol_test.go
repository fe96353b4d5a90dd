package ident_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"snug/internal/ident"
)

// protocolFile has the chains that every implementation must judge alike, between these lines.
const (
	protocolFile = "../../docs/protocol.md"
	vectorsBegin = "```chain\n"
	vectorsEnd   = "```\n"
)

// written gives the chain vectors as the protocol has them.
func written(t *testing.T) (before, vectors, after string) {
	t.Helper()
	b, err := os.ReadFile(protocolFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(b), vectorsBegin)
	vectors, after, ends := strings.Cut(rest, vectorsEnd)
	if !begins || !ends {
		t.Fatalf("%s has no chain vectors", protocolFile)
	}
	return before, vectors, after
}

// TestWrittenChains reads the vectors of docs/protocol.md as another implementation would, from the text alone, and
// judges each chain.
func TestWrittenChains(t *testing.T) {
	if *update {
		before, _, after := written(t)
		if err := os.WriteFile(protocolFile, []byte(before+vectorsBegin+writeChains(t)+vectorsEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, vectors, _ := written(t)
	statements := make(map[string][]byte)
	valid, refused := 0, 0
	for line := range strings.Lines(vectors) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case len(fields) == 3 && fields[1] == "=":
			b, err := hex.DecodeString(fields[2])
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			statements[fields[0]] = b
		case fields[0] == "valid":
			valid++
			chain, err := ident.ParseChain(assemble(t, statements, fields[1:]))
			if err != nil {
				t.Errorf("%q: %v", line, err)
			} else if head := chain.Head(); !slices.Equal(head[:], statements["head-"+fields[len(fields)-1]]) {
				t.Errorf("%q: head %x, want %x", line, head, statements["head-"+fields[len(fields)-1]])
			}
		case fields[0] == "refused":
			refused++
			names, _, _ := strings.Cut(strings.Join(fields[1:], " "), " — ")
			if _, err := ident.ParseChain(assemble(t, statements, strings.Fields(names))); err == nil {
				t.Errorf("%q: accepted", line)
			}
		default:
			t.Errorf("%q is no line of a vector", line)
		}
	}
	if valid < 3 || refused < 15 {
		t.Errorf("%d valid chains and %d refused ones, want 3 and 15 or more", valid, refused)
	}
	if want := writeChains(t); vectors != want {
		t.Errorf("the vectors are not those of this code: go test ./internal/ident -update, and say why in the commit\ngot\n%s\nwant\n%s", vectors, want)
	}
}

func assemble(t *testing.T, statements map[string][]byte, names []string) []byte {
	t.Helper()
	var list [][]byte
	for _, name := range names {
		s, ok := statements[name]
		if !ok {
			t.Fatalf("there is no statement %q", name)
		}
		list = append(list, s)
	}
	return join(list)
}

// writeChains makes the vectors: one chain with every kind of statement, and what must not follow it.
func writeChains(t *testing.T) string {
	var f strings.Builder
	identity, chain := must2(ident.NewAccount(from(0), "alice", start))(t)
	p := person{identity: identity, chain: chain, device: must(ident.NewDeviceKey(from(0x40)))}
	phone := must(ident.NewDeviceKey(from(0x60))).Public()
	phoneID := ident.NewDeviceID(chain.Account(), phone)
	names := []string{"genesis"}
	heads := []ident.Hash{chain.Head()}
	for _, s := range []struct {
		name      string
		statement ident.Statement
	}{
		{"enrol-laptop", ident.Enrol{Key: p.device.Public(), Name: "laptop"}},
		{"enrol-phone", ident.Enrol{Key: phone, Name: "phone"}},
		{"rename-laptop", ident.Rename{Device: p.id(), Name: "desk"}},
		{"revoke-phone", ident.Revoke{Device: phoneID}},
		{"handle", ident.ClaimHandle{Handle: "alice.b"}},
	} {
		appendTo(t, p, s.statement)
		names, heads = append(names, s.name), append(heads, chain.Head())
	}
	all := split(chain.Marshal())
	for i, name := range names {
		fmt.Fprintf(&f, "%s = %x\nhead-%s = %s\n", name, all[i], name, heads[i])
	}
	f.WriteString("\n")
	for _, n := range []int{1, 2, len(names)} {
		fmt.Fprintf(&f, "valid %s\n", strings.Join(names[:n], " "))
	}
	f.WriteString("\n")
	refusedOrders(&f, names)
	whole := strings.Join(names, " ")
	for _, bad := range badStatements(t, p, all) {
		fmt.Fprintf(&f, "%s = %x\nrefused %s %s — %s\n", bad.name, bad.raw, whole, bad.name, bad.why)
	}
	return f.String()
}

// refusedOrders writes good statements in bad places.
func refusedOrders(f *strings.Builder, names []string) {
	for _, row := range []struct {
		chain []string
		why   string
	}{
		{names[1:], "a chain begins with a genesis"},
		{[]string{names[0], names[0]}, "a genesis is the first and only the first"},
		{[]string{names[0], names[2]}, "seq counts without gaps"},
		{[]string{names[0], names[1], names[1]}, "a statement has one place"},
		{[]string{names[0], names[2], names[1]}, "statements have an order"},
		{slices.Concat(names[:4], names[5:]), "nothing is left out"},
	} {
		fmt.Fprintf(f, "refused %s — %s\n", strings.Join(row.chain, " "), row.why)
	}
}

// badStatement is one that must not come after the whole chain.
type badStatement struct {
	name, why string
	raw       []byte
}

func badStatements(t *testing.T, p person, all [][]byte) []badStatement {
	fresh := must(ident.NewDeviceKey(from(0x90))).Public()
	freshID := ident.NewDeviceID(p.chain.Account(), fresh)
	phone := must(ident.NewDeviceKey(from(0x60))).Public()
	phoneID := ident.NewDeviceID(p.chain.Account(), phone)
	enrol := func(id ident.DeviceID, key ident.PublicKey, name string) []byte {
		return append(append(append(id.Bytes(), key[:]...), byte(len(name))), name...)
	}
	flipped := slices.Clone(forge(p, 2, enrol(freshID, fresh, "x")))
	flipped[len(flipped)-1] ^= 1
	other, _ := must2(ident.NewAccount(from(0xb0), "mallory", start))(t)
	// The same body under another key, another label, another account's header, another place.
	stranger := forge(person{identity: other, chain: p.chain}, 2, enrol(freshID, fresh, "x"))
	body := stranger[:len(stranger)-ident.SignatureSize]
	login := append(slices.Clone(body), p.identity.Sign("snug login v1", body)...)
	sign := func(change func(body []byte)) []byte {
		b := slices.Clone(body)
		change(b)
		return append(b, p.identity.Sign("snug statement v1", b)...)
	}
	return []badStatement{
		{"bad-signature", "the signature does not verify", flipped},
		{"bad-signer", "signed by another key", stranger},
		{"bad-label", "signed for another purpose", login},
		{"bad-account", "of another account", sign(func(b []byte) { b[2] ^= 1 })},
		{"bad-seq", "seq is not the next", sign(func(b []byte) { b[21] ^= 1 })},
		{"bad-previous", "does not follow the one before", sign(func(b []byte) { b[30] ^= 1 })},
		{"bad-time", "a time after the year 9999", sign(func(b []byte) { b[22] = 1 })},
		{"bad-version", "a version that is unknown", sign(func(b []byte) { b[0] = 2 })},
		{"bad-kind", "a kind that is unknown", forge(p, 6, nil)},
		{"bad-device", "the device id is not its key's", forge(p, 2, enrol(p.id(), fresh, "x"))},
		{"bad-key", "a key for which anybody can sign", forge(p, 2, enrol(ident.NewDeviceID(p.chain.Account(), ident.PublicKey{1}), ident.PublicKey{1}, "x"))},
		{"bad-name", "a name with a mark of direction", forge(p, 2, enrol(freshID, fresh, "a\u202eb"))},
		{"bad-enrol-again", "what was revoked is never enrolled again", forge(p, 2, enrol(phoneID, phone, "phone"))},
		{"bad-enrol-twice", "a device is enrolled once", forge(p, 2, enrol(p.id(), p.device.Public(), "laptop"))},
		{"bad-revoke-again", "what is revoked was enrolled", forge(p, 3, phoneID.Bytes())},
		{"bad-revoke-unknown", "what is revoked was enrolled", forge(p, 3, freshID.Bytes())},
		{"bad-rename-revoked", "a name is an enrolled device's", forge(p, 5, append(phoneID.Bytes(), "\x01x"...))},
		{"bad-handle", "no handle", forge(p, 4, []byte("\x03Bob"))},
		{"bad-trailing", "bytes after the content", forge(p, 4, []byte("\x03bobx"))},
	}
}
