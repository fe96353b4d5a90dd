package ident_test

import (
	"bytes"
	"strings"
	"testing"

	"snug/internal/ident"
)

// Each target: it never panics, and what parses encodes to the same bytes again.

func FuzzParseChain(f *testing.F) {
	f.Add(story(f).chain.Marshal())
	f.Add([]byte{1, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ident.ParseChain(b); err == nil && !bytes.Equal(c.Marshal(), b) {
			t.Errorf("%x encodes to %x", b, c.Marshal())
		}
	})
}

func FuzzParseCertificate(f *testing.F) {
	for _, s := range split(story(f).chain.Marshal()) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ident.ParseCertificate(b)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Marshal(), b) || !bytes.Equal(ident.EncodeCertificate(c), b[:len(b)-ident.SignatureSize]) {
			t.Errorf("%x encodes to %x", b, ident.EncodeCertificate(c))
		}
	})
}

func FuzzParseVault(f *testing.F) {
	f.Add(newVault(f, newPerson(f, "alice"), "x", []byte("recovery")).Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := ident.ParseVault(b); err == nil && !bytes.Equal(v.Marshal(), b) {
			t.Errorf("%x encodes to %x", b, v.Marshal())
		}
	})
}

func FuzzParseCredential(f *testing.F) {
	f.Add(make([]byte, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ident.ParseCredential(b); err == nil && !bytes.Equal(c.Marshal(), b) {
			t.Errorf("%x encodes to %x", b, c.Marshal())
		}
	})
}

func FuzzSafetyNumber(f *testing.F) {
	f.Add(strings.Repeat("12345 ", 12))
	f.Add("SNUG-SAFETY:" + strings.Repeat("0", 60))
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ident.ParseSafetyNumber(s)
		if err != nil {
			return
		}
		for _, again := range []string{n.String(), n.QR()} {
			if same, err := ident.ParseSafetyNumber(again); err != nil || same != n {
				t.Errorf("%q is written %q and read %q, %v", s, again, same, err)
			}
		}
	})
}

// FuzzLinkCode: what is a link code is no invite, no safety number and no URL, and the reverse.
func FuzzLinkCode(f *testing.F) {
	code := must(ident.NewLinkCode(from(0)))
	f.Add(code.Secret())
	f.Add(code.QR())
	f.Add(must(ident.NewInvite(from(0))).Secret())
	f.Add("SNUG-SAFETY:" + strings.Repeat("0", 60))
	f.Fuzz(func(t *testing.T, s string) {
		code, err := ident.ParseLinkCode(s)
		if err != nil {
			return
		}
		for _, again := range []string{code.Secret(), code.QR()} {
			same, err := ident.ParseLinkCode(again)
			if err != nil || same.Secret() != code.Secret() {
				t.Errorf("%q is written %q, which reads %v", s, again, err)
			}
		}
		for _, form := range []string{s, strings.TrimSpace(s), code.Secret(), code.QR()} {
			if _, err := ident.ParseInvite(form); err == nil {
				t.Errorf("%q is a link code and an invite", form)
			}
			if _, err := ident.ParseSafetyNumber(form); err == nil {
				t.Errorf("%q is a link code and a safety number", form)
			}
		}
	})
}

// FuzzLink: a session opens nothing but what its other side has sealed, whatever comes.
func FuzzLink(f *testing.F) {
	code := must(ident.NewLinkCode(from(0)))
	f.Add([]byte{}, []byte{}, []byte{})
	f.Add(make([]byte, 32), make([]byte, 48), make([]byte, 200))
	f.Fuzz(func(t *testing.T, first, second, sealed []byte) {
		offer := must(ident.NewLinkOffer(from(1), code))
		if _, s, err := offer.Reveal(first); err == nil {
			if _, err := s.OpenDevice(sealed); err == nil {
				t.Error("a device that nobody has sealed")
			}
		}
		if answer, err := ident.NewLinkAnswer(from(50), code, first); err == nil {
			if _, err := answer.Open(second); err == nil {
				t.Error("a reveal that nobody has committed to")
			}
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add("alice")
	f.Add("aaaaaaaaaaaaaaaaaaaaaaaaaa")
	f.Fuzz(func(t *testing.T, s string) {
		if h, err := ident.ParseHandle(s); err == nil && h.String() != s {
			t.Errorf("handle %q is written %q", s, h)
		}
		if id, err := ident.ParseAccountID(s); err == nil && id.String() != s {
			t.Errorf("id %q is written %q", s, id)
		}
		if i, err := ident.ParseInvite(s); err == nil && i.Secret() != s {
			t.Errorf("invite %q is written %q", s, i.Secret())
		}
		ident.CheckPassphrase(s)
	})
}
