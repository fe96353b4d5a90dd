package mls

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"testing"
)

// A tbs is bytes that a test writes out by RFC 9420 alone, without the codec of the package.
type tbs []byte

func (b tbs) number(size int, n uint64) tbs {
	return append(b, binary.BigEndian.AppendUint64(nil, n)[8-size:]...)
}

// vector is opaque<V> of Section 2.1.2, for less than 2^14 bytes.
func (b tbs) vector(data []byte) tbs {
	if len(data) < 1<<6 {
		return append(b.number(1, uint64(len(data))), data...)
	}
	return append(b.number(2, 1<<14|uint64(len(data))), data...)
}

// context is GroupContext of Section 8.1.
func (b tbs) context(g *Group) tbs {
	var extensions tbs
	for _, x := range g.context.extensions {
		extensions = extensions.number(2, uint64(x.Type)).vector(x.Data)
	}
	return b.number(2, 1).number(2, uint64(g.context.suite)).vector(g.context.groupID).number(8, g.context.epoch).
		vector(g.context.treeHash).vector(g.context.confirmedTranscriptHash).vector(extensions)
}

// signContent is SignContent of Section 5.1.2.
func (b tbs) signContent(label string) []byte {
	return tbs{}.vector([]byte("MLS 1.0 " + label)).vector(b)
}

// TestSignedBytes writes out what a message of each type of sender signs (RFC 9420, Section 6.1), and verifies the signature over it
// with crypto/ed25519. The two sides of this package may agree on anything: what others sign is this.
func TestSignedBytes(t *testing.T) {
	members, service := withSender(t, 3)
	alice := members[0]
	place := Place{1, alice.GroupID(), alice.Epoch()}
	must := func(message []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return message
	}
	newcomer, kp, _ := party(t, "newcomer")
	stranger, _, _ := party(t, "stranger")
	join, err := JoinExternally(stranger, must(alice.GroupInfo()), ExternalOptions{
		Credential: BasicCredential([]byte("stranger")), Capabilities: Capabilities{Extensions: []ExtensionType{ExtensionExternalSenders}},
		AuthenticatedData: []byte("data"),
	})
	if err != nil {
		t.Fatal(err)
	}
	commit, err := alice.Commit(CommitOptions{Public: true, AuthenticatedData: []byte("data")})
	if err != nil {
		t.Fatal(err)
	}
	alice.cfg.PublicProposals = true
	const signature, tag = 2 + ed25519.SignatureSize, 1 + 32
	for _, row := range []struct {
		name    string
		signer  any
		message []byte
		sender  tbs
		data    string
		content uint64
		// macs is how many bytes of tags follow the signature.
		macs int
		// bound says that the signature covers the GroupContext.
		bound bool
	}{
		{"a member's proposal", alice.cfg.Signer, must(alice.ProposeRemove(2)), tbs{1, 0, 0, 0, 0}, "", 2, tag, true},
		{"a member's commit", alice.cfg.Signer, commit.Message(), tbs{1, 0, 0, 0, 0}, "data", 3, 2 * tag, true},
		{"an external sender's proposal", service, must(ProposeExternally(place, 0, service, &Remove{2})), tbs{2, 0, 0, 0, 0}, "", 2, 0, false},
		{"a newcomer's proposal", newcomer.Signer, must(ProposeOwnAdd(place, kp, newcomer.Signer)), tbs{3}, "", 2, 0, false},
		{"a newcomer's commit", stranger.Signer, join.Message(), tbs{4}, "data", 3, tag, true},
	} {
		head := tbs{}.number(2, 1).number(2, 1).vector(alice.GroupID()).number(8, alice.Epoch())
		head = append(head, row.sender...).vector([]byte(row.data)).number(1, row.content)
		if !bytes.HasPrefix(row.message, head) {
			t.Errorf("%s begins with %x, want %x", row.name, row.message[:len(head)], head)
			continue
		}
		end := len(row.message) - row.macs - signature
		signed := tbs(bytes.Clone(row.message[:end]))
		if row.bound {
			signed = signed.context(alice)
		}
		key := row.signer.(ed25519.PrivateKey).Public().(ed25519.PublicKey)
		if !ed25519.Verify(key, signed.signContent("FramedContentTBS"), row.message[end+2:end+signature]) {
			t.Errorf("%s does not sign what Section 6.1 says", row.name)
		}
	}
}

// TestSignedBytesPrivate is TestSignedBytes for a private message, whose signature is inside.
func TestSignedBytesPrivate(t *testing.T) {
	g := groupOf(t, 2)[1]
	a := g.frame(ContentApplication, []byte("data"), false)
	a.content.application = []byte("hello")
	if err := a.sign(g.suite, g.cfg.Signer, g.encoded); err != nil {
		t.Fatal(err)
	}
	signed := tbs{}.number(2, 1).number(2, 2).vector(g.GroupID()).number(8, g.Epoch()).number(1, 1).number(4, 1).vector([]byte("data")).
		number(1, 1).vector([]byte("hello")).context(g)
	key := g.cfg.Signer.(ed25519.PrivateKey).Public().(ed25519.PublicKey)
	if !ed25519.Verify(key, signed.signContent("FramedContentTBS"), a.signature) {
		t.Error("a private message does not sign what Section 6.1 says")
	}
}
