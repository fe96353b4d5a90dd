package client_test

import (
	"crypto/rand"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// hacked is somebody who has replaced their client: they have all its keys and groups and its connection, and keep no
// rule but those without which nobody would listen.
type hacked struct {
	*target
	key ident.DeviceKey
}

func hack(t *testing.T, p *target) *hacked {
	t.Helper()
	key, err := p.DeviceKey(p.ctx())
	if err != nil {
		t.Fatal(err)
	}
	return &hacked{p, key}
}

// believer verifies nothing.
type believer struct{}

func (believer) VerifyMember(mls.Member) error          { return nil }
func (believer) VerifySuccession(_, _ mls.Member) error { return nil }

// config allows everything.
func (h *hacked) config() mls.Config {
	return mls.Config{Verifier: believer{}, Policy: mls.AllowAll, Signer: h.key.Signer(), ExternalCommits: true,
		Admit: func(*mls.ReceivedProposal) error { return nil }}
}

// group gives a copy of the room's group as the hacked client has stored it.
func (h *hacked) group(room ident.RoomID) *mls.Group {
	h.t.Helper()
	group, err := mls.LoadGroup(h.config(), client.GroupRecords(h.disk.Snapshot(), room))
	if err != nil {
		h.t.Fatalf("the hacked client's group: %v", err)
	}
	return group
}

// commit makes a commit and says what it is.
func (h *hacked) commit(group *mls.Group, options mls.CommitOptions) *mls.StagedCommit {
	h.t.Helper()
	staged, err := group.Commit(options)
	if err != nil {
		h.t.Fatalf("the hacked client's commit: %v", err)
	}
	return staged
}

// submit appends something to a room's log, and gives the server's answer. An id is made where there is none.
func (h *hacked) submit(room ident.RoomID, submit *wire.Submit) *wire.ServerFrame {
	h.t.Helper()
	submit.Room = room.Bytes()
	if submit.Id == nil {
		id, err := ident.NewMessageID(rand.Reader)
		if err != nil {
			h.t.Fatal(err)
		}
		submit.Id = id.Bytes()
	}
	if submit.Commit != nil {
		client.SignCommit(h.key, submit)
	}
	answer, err := h.line.Speak(h.ctx(), &wire.ClientFrame{Body: &wire.ClientFrame_Submit{Submit: submit}})
	if err != nil {
		h.t.Fatal(err)
	}
	return answer
}

// accepted fails unless the server has taken what was submitted.
func (h *hacked) accepted(answer *wire.ServerFrame) {
	h.t.Helper()
	if answer.GetAck() == nil {
		h.t.Fatalf("the server answers %v %q", answer.GetError().GetCode(), answer.GetError().GetMessage())
	}
}

// found makes a group of the attacker's own with any id and any roster, with these people in it, and gives the Welcome.
func (h *hacked) found(room ident.RoomID, packages []*wire.KeyPackage, like *mls.Group, roster ...client.RosterEdit) []byte {
	h.t.Helper()
	own := like.OwnLeaf()
	certificate, _ := own.Extensions.Get(client.CertificateType)
	now := uint64(time.Now().Unix())
	group, err := mls.NewGroup(h.config(), mls.CreateOptions{GroupID: room.Bytes(), Credential: own.Credential,
		LeafExtensions: mls.Extensions{{Type: client.CertificateType, Data: certificate}},
		Lifetime:       mls.Lifetime{NotBefore: now - 60, NotAfter: now + 86400}, Extensions: client.EditRoster(nil, roster...),
		Epoch: 1000}) // later than any room in a test has come to
	if err != nil {
		h.t.Fatal(err)
	}
	var adds []mls.Proposal
	for _, p := range packages {
		parsed, err := mls.ParseKeyPackage(p.KeyPackage)
		if err != nil {
			h.t.Fatal(err)
		}
		adds = append(adds, &mls.Add{KeyPackage: parsed})
	}
	return h.commit(group, mls.CommitOptions{ByValue: adds}).Welcome()
}

// ref names a device to the server.
func (p *target) ref() *wire.DeviceRef {
	me := p.me()
	return &wire.DeviceRef{Account: me.Account.Bytes(), Device: me.Device.Bytes()}
}

// package gives a fresh key package of this device.
func (p *target) keyPackage() *wire.KeyPackage {
	p.t.Helper()
	b, err := p.KeyPackageAt(p.ctx(), time.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	me := p.me()
	return &wire.KeyPackage{Account: me.Account.Bytes(), Device: me.Device.Bytes(), KeyPackage: b}
}
