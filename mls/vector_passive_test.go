package mls

import (
	"bytes"
	"maps"
	"testing"
)

type passiveVector struct {
	Suite        CipherSuite `json:"cipher_suite"`
	ExternalPSKs []struct {
		ID  hexBytes `json:"psk_id"`
		PSK hexBytes
	} `json:"external_psks"`
	KeyPackage     hexBytes  `json:"key_package"`
	SignaturePriv  hexBytes  `json:"signature_priv"`
	EncryptionPriv hexBytes  `json:"encryption_priv"`
	InitPriv       hexBytes  `json:"init_priv"`
	Welcome        hexBytes  `json:"welcome"`
	RatchetTree    *hexBytes `json:"ratchet_tree"`
	Authenticator  hexBytes  `json:"initial_epoch_authenticator"`
	Epochs         []struct {
		Proposals     []hexBytes
		Commit        hexBytes
		Authenticator hexBytes `json:"epoch_authenticator"`
	}
}

// acceptAnyone is the verifier for members about whom nothing is known.
type acceptAnyone struct{}

func (acceptAnyone) VerifyMember(Member) error          { return nil }
func (acceptAnyone) VerifySuccession(_, _ Member) error { return nil }

// join enters the group of the vector.
func (v *passiveVector) join(t *testing.T, s *suite) *Group {
	t.Helper()
	kp, err := ParseKeyPackage(v.KeyPackage)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "key package", kp.Marshal(), v.KeyPackage)
	saved := &KeyPackagePrivate{keyPackage: kp, initKey: hpkeFrom(t, s, v.InitPriv).secret, leafKey: hpkeFrom(t, s, v.EncryptionPriv).secret}
	private, err := LoadKeyPackagePrivate(saved.Save())
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Verifier: acceptAnyone{}, Policy: AllowAll, Signer: signerFrom(t, s, v.SignaturePriv), PSK: v.findPSK}
	opts := JoinOptions{}
	if v.RatchetTree != nil {
		opts.RatchetTree = *v.RatchetTree
	}
	g, err := Join(cfg, v.Welcome, func(ref KeyPackageRef) *KeyPackagePrivate {
		if ref != kp.Ref() {
			return nil
		}
		return private
	}, opts)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "initial epoch authenticator", g.EpochAuthenticator(), v.Authenticator)
	return g
}

func (v *passiveVector) findPSK(id PreSharedKeyID) (Secret, error) {
	for _, p := range v.ExternalPSKs {
		if id.Type == PSKExternal && bytes.Equal(id.ID, p.ID) {
			return Secret(p.PSK), nil
		}
	}
	return nil, nil
}

// follow processes the epochs. After each message the group, and each commit, is saved and loaded.
func (v *passiveVector) follow(t *testing.T, g *Group) *Group {
	t.Helper()
	past := make(map[uint64]Secret)
	g.cfg.PSK = func(id PreSharedKeyID) (Secret, error) {
		if id.Type == PSKResumption && bytes.Equal(id.GroupID, g.GroupID()) {
			return past[id.Epoch], nil
		}
		return v.findPSK(id)
	}
	records := make(map[string][]byte)
	for n, e := range v.Epochs {
		past[g.Epoch()] = g.ResumptionPSK()
		for _, p := range e.Proposals {
			if _, err := g.Process(p); err != nil {
				t.Fatalf("epoch %d: %v", n, err)
			}
			g = reload(t, g, records)
		}
		r, err := g.Process(e.Commit)
		if err != nil {
			t.Fatalf("epoch %d: %v", n, err)
		}
		c, err := LoadStagedCommit(g, r.(*StagedCommit).Save())
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Merge(c); err != nil {
			t.Fatal(err)
		}
		g = reload(t, g, records)
		equal(t, "epoch authenticator", g.EpochAuthenticator(), e.Authenticator)
	}
	return g
}

// carryOn lets the client of the vector act in the group that others made: it invites somebody, they talk, and the newcomer commits.
func (v *passiveVector) carryOn(t *testing.T, g *Group) {
	t.Helper()
	cfg, _, _ := partyOf(t, v.Suite, "newcomer")
	capabilities := Capabilities{}
	for _, x := range g.Extensions() {
		capabilities.Extensions = append(capabilities.Extensions, x.Type)
	}
	kp, private, err := NewKeyPackage(KeyPackageOptions{
		Suite: v.Suite, Credential: BasicCredential([]byte("newcomer")), Signer: cfg.Signer, Lifetime: always, Capabilities: capabilities,
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := g.Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
	if err != nil {
		t.Fatal(err)
	}
	newcomer := enter(t, cfg, c, private)
	members := []*Group{g, newcomer}
	if err := g.Merge(c); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for from, to := range []int{1, 0} {
			m, err := members[from].Seal([]byte("hello"), nil)
			if err != nil {
				t.Fatal(err)
			}
			r, err := members[to].Process(m)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "message", r.(*ApplicationMessage).Data, []byte("hello"))
		}
		if c, err = newcomer.Commit(CommitOptions{Public: true}); err != nil {
			t.Fatal(err)
		}
		follow(t, members, c)
		equal(t, "epoch authenticator", g.EpochAuthenticator(), newcomer.EpochAuthenticator())
	}
	tree, err := parseRatchetTree(g.suite, g.RatchetTree())
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.check(g.context.groupID, g.context.extensions); err != nil {
		t.Fatal(err)
	}
}

// rewritten checks that a message of the vector, once decoded, encodes to the same bytes, and counts it.
func rewritten(t *testing.T, b []byte, count *int) {
	t.Helper()
	r := reader{b: b}
	peek := r
	encode := message(readFormat(&peek))(&r)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	reencodes(t, "message", b, encode)
	*count++
}

// reload applies the delta to the records and loads the group from them.
func reload(t *testing.T, g *Group, records map[string][]byte) *Group {
	t.Helper()
	d := g.Delta()
	for _, r := range d.Puts {
		records[r.Key] = r.Value
	}
	for _, key := range d.Deletes {
		delete(records, key)
	}
	loaded, err := LoadGroup(g.cfg, maps.All(records))
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func TestVectorsPassiveClient(t *testing.T) {
	for _, file := range []struct {
		name                     string
		groups, epochs, messages int
	}{
		{"passive-client-welcome.json", 40, 0, 40},
		{"passive-client-handling-commit.json", 65, 130, 255},
		{"passive-client-random.json", 1, 200, 1743},
	} {
		t.Run(file.name, func(t *testing.T) {
			groups, epochs, messages := 0, 0, 0
			for _, v := range readVectors[passiveVector](t, file.name) {
				s := vectorSuite(t, v.Suite)
				if s == nil {
					continue
				}
				v.carryOn(t, v.follow(t, v.join(t, s)))
				groups++
				epochs += len(v.Epochs)
				rewritten(t, v.Welcome, &messages)
				for _, e := range v.Epochs {
					for _, m := range append(e.Proposals, e.Commit) {
						rewritten(t, m, &messages)
					}
				}
			}
			counted(t, file.name+" groups", groups, file.groups)
			counted(t, file.name+" epochs", epochs, file.epochs)
			counted(t, file.name+" messages encoded again", messages, file.messages)
		})
	}
}
