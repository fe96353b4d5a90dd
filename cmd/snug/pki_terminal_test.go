//go:build linux

package main_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestAuthorityPassphrase chooses a passphrase on a terminal, and is asked for it where the key is used, and only there.
func TestAuthorityPassphrase(t *testing.T) {
	home, dir := filepath.Join(t.TempDir(), "home"), filepath.Join(t.TempDir(), "ca")
	const passphrase = "open sesame"
	run := func(args ...string) *screen {
		t.Helper()
		return onScreen(t, nil, append([]string{"pki"}, append(args, "--home", home, "--dir", dir)...)...)
	}
	differs := run("init", "ours", "--ask-passphrase")
	differs.shows("passphrase of the new authority: ")
	differs.types(passphrase)
	differs.shows("the same again: ")
	differs.types(passphrase + "!")
	differs.shows("differ")
	differs.ends(2)

	made := run("init", "ours", "--ask-passphrase")
	made.shows("passphrase of the new authority: ")
	made.types(passphrase)
	made.shows("the same again: ")
	made.types(passphrase)
	made.shows("an authority until")
	made.ends(0)

	wrong := run("issue", "db")
	wrong.shows("passphrase of the authority: ")
	wrong.types("shut sesame")
	wrong.shows("wrong passphrase")
	wrong.ends(3)

	right := run("issue", "db")
	right.shows("passphrase of the authority: ")
	right.types(passphrase)
	right.shows("db: valid until")
	right.ends(0)

	// What cannot be done is said before anybody types, and what needs no key asks for none.
	again := run("issue", "db")
	again.shows("there already")
	again.ends(3)
	list := run("list")
	list.shows("db +valid")
	list.ends(0)
	for _, s := range []*screen{differs, made, wrong, right} {
		if strings.Contains(s.text.String(), "sesame") {
			t.Errorf("the screen shows what was typed:\n%s", s.text)
		}
	}
}

// TestTunnelPassphraseTyped: a tunnel that starts on a terminal asks for what it needs, once for each key, and shows
// nothing of it.
func TestTunnelPassphraseTyped(t *testing.T) {
	h, _, _ := sealedHouse(t)
	end := onScreen(t, nil, "tunnel", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:1", "--tls", "accept", "--pki", h.dir+"/far", "--allow", "dns:near", "--home", h.home)
	end.shows(`passphrase of \S+/ca\.key: `)
	end.types("open sesame")
	end.shows(`passphrase of \S+/far\.key: `)
	end.types("shut sesame")
	end.shows("route main listens on")
	if strings.Contains(end.text.String(), "sesame") {
		t.Errorf("the screen shows what was typed:\n%s", end.text)
	}
}
