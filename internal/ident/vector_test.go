package ident_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snug/internal/ident"
)

var update = flag.Bool("update", false, "write testdata/vectors.txt anew")

// TestVectors computes one of everything from fixed seeds. The file is what
// docs/protocol.md quotes: a difference is a change of the protocol.
func TestVectors(t *testing.T) {
	path := filepath.Join("testdata", "vectors.txt")
	got := vectors(t)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	if len(wantLines) < 40 || len(gotLines) != len(wantLines) {
		t.Fatalf("%d lines, want %d", len(gotLines), len(wantLines))
	}
	for i := range gotLines {
		if gotLines[i] != wantLines[i] {
			t.Errorf("line %d:\n got %s\nwant %s", i+1, gotLines[i], wantLines[i])
		}
	}
}

// counting gives the bytes from first on, one more each time.
type counting byte

func (c *counting) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(*c)
		*c++
	}
	return len(b), nil
}

func from(first byte) *counting { c := counting(first); return &c }

// vectorFile collects lines "name = value", bytes in hexadecimal.
type vectorFile struct{ bytes.Buffer }

func (f *vectorFile) note(s string) { fmt.Fprintf(f, "\n# %s\n", s) }

func (f *vectorFile) add(name string, value any) {
	switch v := value.(type) {
	case []byte:
		fmt.Fprintf(f, "%s = %s\n", name, hex.EncodeToString(v))
	default:
		fmt.Fprintf(f, "%s = %v\n", name, v)
	}
}

func vectors(t *testing.T) string {
	f := &vectorFile{}
	f.WriteString("# Made from fixed seeds: see vector_test.go. Bytes are hexadecimal; random input counts up from its first byte.\n")
	p := chainVectors(t, f)
	secretVectors(t, f, p)
	logVectors(f, p)
	return f.String()
}

func chainVectors(t *testing.T, f *vectorFile) person {
	f.note("account, device and chain; all times are 2026-01-02T03:04:05Z = 1767323045")
	identity, chain := must2(ident.NewAccount(from(0), "alice", start))(t)
	p := person{identity: identity, chain: chain, device: must(ident.NewDeviceKey(from(0x40)))}
	phone := must(ident.NewDeviceKey(from(0x60)))
	appendTo(t, p, ident.Enrol{Key: p.device.Public(), Name: "laptop"})
	appendTo(t, p, ident.Enrol{Key: phone.Public(), Name: "téléphone"})
	appendTo(t, p, ident.Revoke{Device: ident.NewDeviceID(chain.Account(), phone.Public())})
	appendTo(t, p, ident.ClaimHandle{Handle: "alice.b"})
	appendTo(t, p, ident.Rename{Device: p.id(), Name: "desk"})
	f.add("identity_secret", identity.Secret())
	f.add("identity_public", identity.Public().Bytes())
	f.add("account_salt", []byte("\x20\x21\x22\x23\x24\x25\x26\x27\x28\x29\x2a\x2b\x2c\x2d\x2e\x2f"))
	f.add("account_id", chain.Account().Bytes())
	f.add("account_id_text", chain.Account())
	f.add("device_secret", p.device.Secret())
	f.add("device_public", p.device.Public().Bytes())
	f.add("device_id", p.id().Bytes())
	f.add("device_id_text", p.id())
	for i, s := range split(chain.Marshal()) {
		f.add(fmt.Sprintf("statement_%d", i), s)
		f.add(fmt.Sprintf("head_%d", i), must(ident.ParseChain(join(split(chain.Marshal())[:i+1]))).Head())
	}
	f.add("chain", chain.Marshal())
	f.add("credential", credential(p))
	f.add("certificate", certificate(t, p))
	return p
}

func secretVectors(t *testing.T, f *vectorFile, p person) {
	f.note("passphrase: Argon2id with the default parameters, 65536 KiB, 3 passes, 1 lane")
	auth, wrap := must2(ident.DerivePassphraseKeys(" amber  canoe ", salt, ident.DefaultPassphraseParams()))(t)
	f.add("passphrase", "amber canoe")
	f.add("passphrase_salt", salt)
	f.add("auth_key", auth.Secret())
	f.add("auth_stored", must(ident.HashAuthKey(from(0), auth)))
	f.add("generated_passphrase", must(ident.GeneratePassphrase(from(0))))

	f.note("vault: key and nonces from 00 on, sealed under the wrap key of that passphrase, recovery data \"recovery\"")
	vault := must(ident.SealVault(from(0), wrap, p.chain.Account(), p.identity, []byte("recovery")))
	f.add("vault", vault.Marshal())
	opened := must(ident.OpenVault(vault, p.chain.Account(), wrap))
	f.add("vault_key", opened.Key.Secret())

	f.note("archive: under that vault key, nonces from 00 on; chunk 3 of room 16 x c3, previous 32 x d4, entries 5 to 9, contents \"chunk\"; head of revision 7, contents \"head\"")
	place := ident.ArchivePlace{Account: p.chain.Account(), Room: ident.RoomID(bytes.Repeat([]byte{0xc3}, 16)), Index: 3}
	chunk := must(ident.SealArchiveChunk(from(0), opened.Key, place,
		ident.ArchiveChunk{Previous: ident.Hash(bytes.Repeat([]byte{0xd4}, 32)), First: 5, Last: 9, Contents: []byte("chunk")}))
	f.add("archive_chunk", chunk)
	f.add("archive_chunk_hash", ident.ArchiveChunkHash(chunk))
	f.add("archive_head", must(ident.SealArchiveHead(from(0), opened.Key, p.chain.Account(), 7, []byte("head"))))

	f.note("store: record \"key\" with the value \"value\"")
	store := must(ident.NewStoreKey(from(0x80)))
	f.add("store_key", store.Secret())
	f.add("record", must(ident.SealRecord(from(0), store, []byte("key"), []byte("value"))))

	f.note("server: secret 32 x a7, handle nobody")
	secret := must(ident.ServerSecretFromBytes(bytes.Repeat([]byte{0xa7}, 32)))
	fake := ident.FakeSalt(secret, "nobody")
	f.add("fake_salt", fake[:])
	f.add("fake_auth", ident.FakeAuth(secret, "nobody"))
	invite := must(ident.NewInvite(from(0)))
	f.add("invite", invite.Secret())
	f.add("invite_hash", ident.HashInvite(invite).Bytes())
}

func linkVectors(f *vectorFile, p person) {
	f.note("link: code from 00 on, the old device's key and nonce from 20, the new device's key from 60, which is also its device key's seed; sealings with nonces from 00")
	code := must(ident.NewLinkCode(from(0)))
	mailbox := code.Mailbox()
	offer := must(ident.NewLinkOffer(from(0x20), code))
	answer := must(ident.NewLinkAnswer(from(0x60), code, offer.Commitment()))
	reveal, _, err := offer.Reveal(answer.Public())
	if err != nil {
		panic(err)
	}
	session := must(answer.Open(reveal))
	f.add("link_code", code.Secret())
	f.add("link_qr", code.QR())
	f.add("link_mailbox", mailbox[:])
	f.add("link_commitment", offer.Commitment())
	f.add("link_answer", answer.Public())
	f.add("link_reveal", reveal)
	f.add("link_match", session.Match())
	f.add("link_device", must(session.SealDevice(from(0), must(ident.NewDeviceKey(from(0x60))), "phone")))
	vault := must(ident.VaultKeyFromSecret(bytes.Repeat([]byte{0xb2}, 32)))
	f.add("link_account", must(session.SealAccount(from(0), ident.LinkedAccount{Account: p.chain.Account(), Identity: p.identity, Vault: vault, Len: p.chain.Len(), Head: p.chain.Head()})))
}

func logVectors(f *vectorFile, p person) {
	f.note("login: server 32 x 01, nonce 32 x 02")
	login := ident.Login{Server: [32]byte(bytes.Repeat([]byte{1}, 32)), Nonce: [32]byte(bytes.Repeat([]byte{2}, 32)), Account: p.chain.Account(), Device: p.id()}
	f.add("login_signature", ident.SignLogin(p.device, login))

	f.note("safety number: of alice and of bob, whose identity key and salt count up from 80")
	_, bob, err := ident.NewAccount(from(0x80), "bob", start)
	if err != nil {
		panic(err)
	}
	f.add("bob_account_id", bob.Account().Bytes())
	f.add("safety_number", ident.NewSafetyNumber(p.chain, bob))

	linkVectors(f, p)

	f.note("log: entry 1, kind 2, epoch 5, 1767323045000 ms, payload \"hello\"")
	room, message := must(ident.NewRoomID(from(0))), must(ident.NewMessageID(from(0x10)))
	entry := ident.LogEntry{
		Room: room, Seq: 1, Kind: 2, Sender: p.id(), Message: message, Epoch: 5,
		UnixMilli: 1767323045000, Payload: ident.PayloadHash([]byte("hello")),
	}
	f.add("room_id", room.Bytes())
	f.add("message_id", message.Bytes())
	f.add("empty_head", ident.EmptyHead(room))
	f.add("payload_hash", entry.Payload)
	f.add("next_head", ident.NextHead(ident.EmptyHead(room), entry))
	f.add("open_signature", ident.SignOpen(p.device, room, message, []byte("hello")))

	f.note("restart: of that room, by that message, in epoch 7, with 3 statements")
	f.add("restart_signature", ident.SignRestart(p.device, &ident.Restart{Room: room, Message: message, Epoch: 7, Statements: 3}))

	commitVectors(f, p, room, message)
	knockVectors(f, p, room)
}

func commitVectors(f *vectorFile, p person, room ident.RoomID, message ident.MessageID) {
	f.note("commit: of that room, as that message, in epoch 5, of the MLS commit \"hello\"; it adds 32 x 02 and 32 x 01, accounts and devices, and removes 32 x 03; as a reboot it replaces entry 4 with the head 32 x d4")
	device := func(b byte) ident.Credential {
		return ident.Credential{Account: ident.AccountID(bytes.Repeat([]byte{b}, 16)), Device: ident.DeviceID(bytes.Repeat([]byte{b}, 16))}
	}
	commit := &ident.Commit{Room: room, Message: message, Epoch: 5, Payload: ident.PayloadHash([]byte("hello")),
		Devices: ident.DevicesHash([]ident.Credential{device(2), device(1)}, []ident.Credential{device(3)})}
	f.add("commit_devices", commit.Devices)
	f.add("commit_signature", ident.SignCommit(p.device, commit))
	commit.Replaces, commit.ReplacedHead = 4, ident.Hash(bytes.Repeat([]byte{0xd4}, 32))
	f.add("reboot_signature", ident.SignCommit(p.device, commit))
	f.note("reject: by that message, of entry 4 with the head 32 x d4, for reason 2")
	f.add("reject_signature", ident.SignReject(p.device, &ident.Reject{Room: room, Message: message, Seq: 4, Head: commit.ReplacedHead, Reason: 2}))
}

func knockVectors(f *vectorFile, p person, room ident.RoomID) {
	f.note("invite to that room: secret from 00 on, letter by alice's device with the nonce 16 x 05, answered with verdict 3")
	invite := must(ident.NewRoomInvite(from(0), room))
	keys, id := invite.Keys(), invite.Keys().ID()
	letter := invite.Letter(p.chain.Account(), p.device, [16]byte(bytes.Repeat([]byte{5}, 16)))
	f.add("room_invite", invite.Secret())
	f.add("room_invite_letter_key", keys.Letter[:])
	f.add("room_invite_answer_key", keys.Answer[:])
	f.add("room_invite_id", id[:])
	f.add("knock_letter", letter)
	f.add("knock_answer", must(ident.ParseKnock(room, p.chain.Account(), letter)).Answer(keys, 3))
}
