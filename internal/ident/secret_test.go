package ident_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"snug/internal/ident"
)

// TestSecretsDoNotPrint prints every secret type in every way, itself and as an
// unexported field of something else.
func TestSecretsDoNotPrint(t *testing.T) {
	random := seeded("secrets")
	p := newPerson(t, "alice")
	auth, wrap := must2(ident.DerivePassphraseKeysInsecure("x", salt, cheap))(t)
	opened := must(ident.OpenVault(newVault(t, p, "x", []byte("recovery data")), p.chain.Account(), wrap))
	store := must(ident.NewStoreKey(random))
	invite := must(ident.NewInvite(random))
	code := must(ident.ParseMessageID(invite.Secret()))
	server := bytes.Repeat([]byte{0xa7}, 32)
	link := must(ident.NewLinkCode(random))
	linked := ident.LinkedAccount{Identity: p.identity, Vault: opened.Key}
	room := must(ident.NewRoomInvite(random, ident.RoomID{1}))
	for name, row := range map[string]struct {
		value  any
		nested any
		secret []byte
	}{
		"DeviceKey":     {p.device, struct{ k ident.DeviceKey }{p.device}, p.device.Secret()},
		"Signer":        {p.device.Signer(), struct{ k any }{p.device.Signer()}, p.device.Secret()},
		"IdentityKey":   {p.identity, struct{ k ident.IdentityKey }{p.identity}, p.identity.Secret()},
		"AuthKey":       {auth, struct{ k ident.AuthKey }{auth}, auth.Secret()},
		"WrapKey":       {wrap, struct{ k ident.WrapKey }{wrap}, nil},
		"VaultKey":      {opened.Key, struct{ k ident.VaultKey }{opened.Key}, opened.Key.Secret()},
		"OpenedVault":   {opened, struct{ o ident.OpenedVault }{*opened}, []byte("recovery data")},
		"StoreKey":      {store, struct{ k ident.StoreKey }{store}, store.Secret()},
		"Invite":        {invite, struct{ i ident.Invite }{invite}, code.Bytes()},
		"RoomInvite":    {room, struct{ i ident.RoomInvite }{room}, []byte(room.Secret()[37:])},
		"LinkCode":      {link, struct{ c ident.LinkCode }{link}, []byte(strings.TrimPrefix(link.Secret(), "snug-link-"))},
		"LinkedAccount": {linked, struct{ a ident.LinkedAccount }{linked}, p.identity.Secret()},
		"ServerSecret":  {must(ident.ServerSecretFromBytes(server)), struct{ s ident.ServerSecret }{must(ident.ServerSecretFromBytes(server))}, server},
	} {
		t.Run(name, func(t *testing.T) {
			for _, printed := range print(t, row.value) {
				if !strings.Contains(printed, "secret") {
					t.Errorf("printed %q, want secret", printed)
				}
				noTrace(t, printed, row.secret)
			}
			for _, printed := range print(t, row.nested) {
				noTrace(t, printed, row.secret)
			}
		})
	}
}

// print gives a value as each way of printing shows it.
func print(t *testing.T, v any) (all []string) {
	t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		all = append(all, fmt.Sprintf(verb, v))
	}
	all = append(all, fmt.Sprint(v))
	b, err := json.Marshal(v)
	if err != nil {
		t.Error(err)
	}
	if string(b) != "{}" { // a struct without exported fields
		all = append(all, string(b))
	}
	var text, lines bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&lines, nil)).Info("m", "v", v)
	if strings.Contains(lines.String(), `"v":{}`) {
		return append(all, text.String())
	}
	return append(all, text.String(), lines.String())
}

func noTrace(t *testing.T, printed string, secret []byte) {
	t.Helper()
	if len(secret) == 0 {
		return
	}
	decimal := strings.Trim(fmt.Sprint(secret), "[]")
	for _, form := range []string{string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)), decimal, base64.StdEncoding.EncodeToString(secret)} {
		if strings.Contains(printed, form) {
			t.Errorf("%q shows the secret", printed)
		}
	}
}
