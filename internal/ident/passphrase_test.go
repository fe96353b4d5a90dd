package ident_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"snug/internal/ident"
)

var salt = []byte("0123456789abcdef")

func TestPassphraseParams(t *testing.T) {
	good := ident.DefaultPassphraseParams()
	for name, change := range map[string]func(*ident.PassphraseParams){
		"zero":            func(p *ident.PassphraseParams) { *p = ident.PassphraseParams{} },
		"little memory":   func(p *ident.PassphraseParams) { p.MemoryKiB-- },
		"too much memory": func(p *ident.PassphraseParams) { p.MemoryKiB = 256<<10 + 1 },
		"all memory":      func(p *ident.PassphraseParams) { p.MemoryKiB = 1<<32 - 1 },
		"two passes":      func(p *ident.PassphraseParams) { p.Passes = 2 },
		"eleven passes":   func(p *ident.PassphraseParams) { p.Passes = 11 },
		"no lanes":        func(p *ident.PassphraseParams) { p.Lanes = 0 },
		"five lanes":      func(p *ident.PassphraseParams) { p.Lanes = 5 },
	} {
		p := good
		change(&p)
		if _, _, err := ident.DerivePassphraseKeys("x", salt, p); !errors.Is(err, ident.ErrParams) || !errors.Is(p.Check(), ident.ErrParams) {
			t.Errorf("%s: got %v, want ErrParams", name, err)
		}
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	if _, _, err := ident.DerivePassphraseKeysInsecure("x", salt, ident.PassphraseParams{MemoryKiB: 1 << 30, Passes: 1, Lanes: 1}); err == nil {
		t.Error("the insecure derivation has no ceiling")
	}
	if _, _, err := ident.DerivePassphraseKeysInsecure("x", salt[1:], cheap); err == nil {
		t.Error("a salt of 15 bytes was accepted")
	}
}

func TestPassphraseNormalised(t *testing.T) {
	derive := func(s string) []byte {
		auth, _ := must2(ident.DerivePassphraseKeysInsecure(s, salt, cheap))(t)
		return auth.Secret()
	}
	want := derive("correct horse battery")
	for _, same := range []string{" correct horse battery\n", "correct\t horse \u00a0 battery"} {
		if !bytes.Equal(derive(same), want) {
			t.Errorf("%q gives another key", same)
		}
	}
	for _, other := range []string{"Correct horse battery", "correcthorse battery", "correct horse batterx"} {
		if bytes.Equal(derive(other), want) {
			t.Errorf("%q gives the same key", other)
		}
	}
}

func TestGeneratePassphrase(t *testing.T) {
	random := seeded("words")
	seen := map[string]bool{}
	for range 1000 {
		p := must(ident.GeneratePassphrase(random))
		if n := len(strings.Fields(p)); n != 6 || seen[p] {
			t.Fatalf("%q has %d words, or came twice", p, n)
		}
		seen[p] = true
		if err := ident.CheckPassphrase(p); err != nil {
			t.Fatalf("%q: %v", p, err)
		}
	}
	if _, err := ident.GeneratePassphrase(strings.NewReader("short")); err == nil {
		t.Error("a generator that ends gave a passphrase")
	}
}

func TestWordList(t *testing.T) {
	words := ident.Words()
	if len(words) != 2048 {
		t.Fatalf("%d words, want 2048", len(words))
	}
	seen := map[string]bool{}
	for _, w := range words {
		if seen[w] || len(w) < 3 || len(w) > 8 || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" {
			t.Errorf("word %q is not plain or not unique", w)
		}
		seen[w] = true
	}
}

func TestCheckPassphrase(t *testing.T) {
	for _, weak := range []string{
		"", "short", "elevenchars", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abcdefghijklmnopqrstuvwxyz", "123456789012345678901234",
		"qwertyuiopasdfghjkl", "password1234", "passwordpasswordpassword", "PasswordPassword1!", "abcabcabcabcabcabcabc",
		"correct horse battery staple", "zebra zebra zebra zebra zebra", "letmein letmein letmein", "            x            ",
		"iloveyou12345678", "snugsnugsnugsnug", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4\xf3\xf2", strings.Repeat("xq7!", 300),
		"hello world hello world",
	} {
		var err *ident.WeakPassphraseError
		if !errors.As(ident.CheckPassphrase(weak), &err) {
			t.Errorf("%q passes", weak)
		}
	}
	for _, strong := range []string{
		"kV9#mw2!pLz7Qe4", "our goat ate Dr Fink's umbrella", "mein Hund heißt nicht Rüdiger", "我们的猫昨天晚上吃了三条很大的鱼",
	} {
		if err := ident.CheckPassphrase(strong); err != nil {
			t.Errorf("%q: %v", strong, err)
		}
	}
}

// TestTellApart: every one of the 44 bits shows, and only those.
func TestTellApart(t *testing.T) {
	var zero [32]byte
	base := ident.TellApart(zero)
	if w := ident.Words()[0]; base != strings.Join([]string{w, w, w, w}, " ") {
		t.Errorf("the zero fingerprint is %q", base)
	}
	for bit := range 256 {
		f := zero
		f[bit/8] = 0x80 >> (bit % 8)
		if changed := ident.TellApart(f) != base; changed != (bit < 44) {
			t.Errorf("bit %d changes the words: %v", bit, changed)
		}
	}
}
