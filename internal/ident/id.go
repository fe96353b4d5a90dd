package ident

import (
	"encoding/base32"
	"fmt"
	"io"
)

// idSize is the size of every id in bytes. 128 bits are enough for ids that are
// random, or that are hashes for which only second preimages matter (2^128).
const idSize = 16

// text is how ids and codes are written: lower-case base32 without padding. It
// survives being read aloud, typed, used as a file name, in a shell and in a URL.
var text = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// parseText decodes s into dst and accepts nothing but what EncodeToString would
// give for it: no upper case, no line breaks (the decoder skips them), no stray
// bits in the last character.
func parseText(noun, s string, dst []byte) error {
	if len(s) != text.EncodedLen(len(dst)) {
		return fmt.Errorf("ident: %s must have %d characters", noun, text.EncodedLen(len(dst)))
	}
	b, err := text.DecodeString(s)
	if err != nil || text.EncodeToString(b) != s {
		return fmt.Errorf("ident: %s is not lower-case base32", noun)
	}
	copy(dst, b)
	return nil
}

func parseID[T ~[idSize]byte](noun, s string) (T, error) {
	var b [idSize]byte
	if err := parseText(noun, s, b[:]); err != nil {
		return T{}, err
	}
	return T(b), nil
}

func idFromBytes[T ~[idSize]byte](noun string, b []byte) (T, error) {
	if len(b) != idSize {
		return T{}, fmt.Errorf("ident: %s must have %d bytes, not %d", noun, idSize, len(b))
	}
	return T(b), nil
}

func randomID[T ~[idSize]byte](noun string, rand io.Reader) (T, error) {
	var b [idSize]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return T{}, fmt.Errorf("ident: making %s: %w", noun, err)
	}
	return T(b), nil
}
