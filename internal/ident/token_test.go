package ident_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"snug/internal/ident"
)

func TestToken(t *testing.T) {
	raw := bytes.Repeat([]byte{0xa5}, ident.TokenSize)
	token, err := ident.NewToken(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	text := token.Secret()
	again, err := ident.ParseToken(text)
	if err != nil || again.Bytes() != [ident.TokenSize]byte(raw) || !strings.HasPrefix(text, "snug-token-") {
		t.Fatalf("%q reads as %x, %v; want %x", text, again.Bytes(), err, raw)
	}
	hash := ident.HashToken(token)
	if read, err := ident.ParseTokenHash(hash.String()); err != nil || !read.Equal(hash) || !read.Equal(ident.HashToken(ident.TokenFromBytes(token.Bytes()))) {
		t.Errorf("the hash %s reads as %s, %v", hash, read, err)
	}
	other := token.Bytes()
	other[31] ^= 1
	if hash.Equal(ident.HashToken(ident.TokenFromBytes(other))) || bytes.Contains(raw, hash[:8]) {
		t.Error("the hash of another token is the same, or the token is in it")
	}
	for _, bad := range []string{"", text[:len(text)-1], text + "a", strings.ToUpper(text), strings.TrimPrefix(text, "snug-token-"), hash.String(), text[:62] + "b"} {
		if _, err := ident.ParseToken(bad); !errors.Is(err, ident.ErrToken) {
			t.Errorf("%q: %v, want ErrToken", bad, err)
		}
	}
	for _, bad := range []string{"", text, hash.String()[1:], hash.String() + "\n"} {
		if _, err := ident.ParseTokenHash(bad); !errors.Is(err, ident.ErrToken) {
			t.Errorf("%q: %v, want ErrToken", bad, err)
		}
	}
	if printed := fmt.Sprintf("%v %+v %#v %x", token, token, token, token); strings.Contains(printed, text[11:20]) || strings.Contains(printed, "a5a5") {
		t.Errorf("a token prints as %q", printed)
	}
	if _, err := ident.NewToken(bytes.NewReader(raw[1:])); err == nil {
		t.Error("a token of 31 random bytes")
	}
}

// TestDigits: the same number as math/big has it.
func TestDigits(t *testing.T) {
	modulus := new(big.Int).Exp(big.NewInt(10), big.NewInt(60), nil)
	for _, fingerprint := range [][32]byte{{}, {31: 1}, {0: 0xff, 31: 0xff}, [32]byte(bytes.Repeat([]byte{0xff}, 32)), [32]byte(bytes.Repeat([]byte{0x12, 0x9a}, 16))} {
		number := new(big.Int).Mod(new(big.Int).SetBytes(fingerprint[:]), modulus)
		want := fmt.Sprintf("%060s", number)
		got := ident.Digits(fingerprint)
		if groups := strings.Fields(got); len(groups) != 12 || strings.Join(groups, "") != want {
			t.Errorf("%x: %s, want %s in twelve groups", fingerprint, got, want)
		}
	}
}

// TestPasswordWords: every bit of what they are made of shows.
func TestPasswordWords(t *testing.T) {
	zero := make([]byte, 6)
	base, err := ident.GeneratePassword(bytes.NewReader(zero))
	if err != nil || len(strings.Split(base, "-")) != 4 {
		t.Fatalf("%q, %v; want four words with hyphens", base, err)
	}
	for bit := range 48 {
		b := make([]byte, 6)
		b[bit/8] = 0x80 >> (bit % 8)
		if got, err := ident.GeneratePassword(bytes.NewReader(b)); err != nil || (got != base) != (bit < 44) {
			t.Errorf("bit %d: %q, %v", bit, got, err)
		}
	}
	if got, err := ident.GeneratePassword(bytes.NewReader(zero[1:])); err == nil {
		t.Errorf("too little randomness gives %q", got)
	}
	words := ident.SessionWords([32]byte{})
	for bit := range 256 {
		var secret [32]byte
		secret[bit/8] = 0x80 >> (bit % 8)
		if got := ident.SessionWords(secret); (got != words) != (bit < 66) || len(strings.Fields(got)) != 6 {
			t.Errorf("bit %d: %q", bit, got)
		}
	}
}
