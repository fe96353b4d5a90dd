package mls

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// TestSendRules asks the group for what it must not send. It refuses, and stays as it was.
func TestSendRules(t *testing.T) {
	g := groupOf(t, 3)[0]
	long := make([]byte, maxPlaintext+1)
	_, twin, _ := party(t, "twin")
	_, signer, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	psk := &PreSharedKey{PreSharedKeyID{Type: PSKExternal, ID: []byte("x")}}
	var many []Proposal
	for range 0x10000 {
		many = append(many, psk)
	}
	commit := func(opts CommitOptions) error {
		_, err := g.Commit(opts)
		return err
	}
	byValue := func(list ...Proposal) error { return commit(CommitOptions{ByValue: list}) }
	before := stateOf(g)
	for _, row := range []struct {
		name, rule string
		want       error
		try        func() error
	}{
		{"a long message", "a message that is too long", nil, func() error { _, err := g.Seal(long, nil); return err }},
		{"long data beside it", "a message that is too long", nil, func() error { _, err := g.Seal(nil, long); return err }},
		{"the own update", "a commit contains the committer's own update", nil, func() error { return byValue(ownUpdate(t, g)) }},
		{"the own removal", "a commit removes its committer", nil, func() error { return byValue(&Remove{0}) }},
		{"nobody's removal", "a remove of a leaf that is not a member's", nil, func() error { return byValue(&Remove{3}) }},
		{"a removal twice", "two proposals of which a list can hold one", nil, func() error { return byValue(&Remove{1}, &Remove{1}) }},
		{"two contexts", "two proposals of which a list can hold one", nil, func() error { return byValue(&GroupContextExtensions{}, &GroupContextExtensions{}) }},
		{"an add twice", "two nodes have the same encryption key", nil, func() error { return byValue(&Add{twin}, &Add{twin}) }},
		{"an add of nothing", "an add without a key package", nil, func() error { return byValue(&Add{}) }},
		{"an add of half a key package", "an add without a key package", nil, func() error { return byValue(&Add{&KeyPackage{}}) }},
		{"nothing", "a proposal that is nil", nil, func() error { return byValue(nil) }},
		{"an external init", "an external init outside of an external commit", nil, func() error { return byValue(&ExternalInit{}) }},
		{"extensions twice", "an extension type occurs twice", nil, func() error { return byValue(&GroupContextExtensions{Extensions{{0xF001, nil}, {0xF001, nil}}}) }},
		{"a key that is not known", "a pre-shared key is not known here", nil, func() error { return byValue(psk) }},
		{"a key of no type", "a pre-shared key of an unknown type or usage", nil, func() error { return byValue(&PreSharedKey{PreSharedKeyID{ID: []byte("x")}}) }},
		{"a key of no usage", "a pre-shared key of an unknown type or usage", nil, func() error { return byValue(&PreSharedKey{PreSharedKeyID{Type: PSKResumption}}) }},
		{"a proposed key of no type", "a pre-shared key of an unknown type or usage", nil, func() error {
			_, err := g.ProposePreSharedKey(PreSharedKeyID{ID: []byte("x")})
			return err
		}},
		{"a proposed context that requires what nobody can read", "", ErrMalformed, func() error {
			_, err := g.ProposeGroupContextExtensions(Extensions{{ExtensionRequiredCapabilities, []byte{1}}})
			return err
		}},
		{"a proposed context with senders that nobody can read", "", ErrMalformed, func() error {
			_, err := g.ProposeGroupContextExtensions(Extensions{{ExtensionExternalSenders, []byte{1}}})
			return err
		}},
		{"a reinit to a group that requires what nobody can read", "", ErrMalformed, func() error {
			return byValue(&ReInit{Version: MLS10, Suite: 1, Extensions: Extensions{{ExtensionRequiredCapabilities, []byte{1}}}})
		}},
		{"65,536 keys", "more pre-shared keys than can be counted", nil, func() error { return byValue(many...) }},
		{"another leaf without a path", "a change of the own leaf in a commit without a path", nil, func() error {
			return commit(CommitOptions{ByValue: []Proposal{&Add{twin}}, NoPath: true, Leaf: LeafOptions{Signer: signer}})
		}},
		{"a leaf with an extension twice", "an extension type occurs twice", nil, func() error {
			return commit(CommitOptions{Leaf: LeafOptions{Extensions: Extensions{{0xF001, nil}, {0xF001, nil}}}})
		}},
		{"an update with an extension twice", "an extension type occurs twice", nil, func() error {
			_, err := g.ProposeUpdate(LeafOptions{Extensions: Extensions{{0xF001, nil}, {0xF001, nil}}})
			return err
		}},
		{"a proposed context with an extension twice", "an extension type occurs twice", nil, func() error {
			_, err := g.ProposeGroupContextExtensions(Extensions{{0xF001, nil}, {0xF001, nil}})
			return err
		}},
		{"a leaf with another's key", "two members have the same signature key", nil, func() error {
			return commit(CommitOptions{Leaf: LeafOptions{Signer: stolenFrom(t, g)}})
		}},
		{"a new signer in an update", "a new signature key in a proposal", nil, func() error { _, err := g.ProposeUpdate(LeafOptions{Signer: signer}); return err }},
		{"a proposal to remove nobody", "a remove of a leaf that is not a member's", nil, func() error { _, err := g.ProposeRemove(9); return err }},
		{"a proposal to add nothing", "an add without a key package", nil, func() error { _, err := g.ProposeAdd(nil); return err }},
		{"a GroupInfo with an extension twice", "an extension type occurs twice", nil, func() error {
			_, err := g.GroupInfoWith(GroupInfoOptions{Extensions: Extensions{{0xF001, nil}, {0xF001, nil}}})
			return err
		}},
		{"a context with too many external senders", "", ErrMalformed, func() error {
			most := slices.Repeat([]ExternalSender{{make([]byte, 32), BasicCredential(nil)}}, maxExternalSenders)
			if _, err := ParseExternalSenders(MarshalExternalSenders(most)); err != nil {
				t.Errorf("as many external senders as there may be: %v", err)
			}
			data := MarshalExternalSenders(append(most, most[0]))
			return byValue(&GroupContextExtensions{Extensions{{ExtensionExternalSenders, data}}})
		}},
		{"an export of less than nothing", "an export of a length that the KDF does not have", nil, func() error { _, err := g.Export("x", nil, -1); return err }},
		{"a long export", "an export of a length that the KDF does not have", nil, func() error { _, err := g.Export("x", nil, 255*32+1); return err }},
	} {
		isBroken(t, row.name, row.try(), row.rule, row.want)
		if after := stateOf(g); fmt.Sprint(len(after)) != fmt.Sprint(len(before)) {
			t.Errorf("%s: a refusal leaves %d records of %d", row.name, len(after), len(before))
		}
	}
	for key, value := range stateOf(g) {
		if !bytes.Equal(value, before[key]) {
			t.Errorf("refusals have changed record %s", key)
		}
	}
	if _, err := g.Seal(nil, nil); err != nil {
		t.Error(err)
	}
}

// ownUpdate makes an Update of the member's own leaf as a value.
func ownUpdate(t *testing.T, g *Group) *Update {
	t.Helper()
	leaf := *g.tree.leaf(g.own)
	leaf.Source = LeafUpdate
	if _, err := leaf.renew(g.suite, g.cfg.Signer, g.context.groupID, g.own); err != nil {
		t.Fatal(err)
	}
	return &Update{&leaf}
}

// A claimed signer says that it holds another's key.
type claimed struct {
	ed25519.PrivateKey
	public ed25519.PublicKey
}

func (c claimed) Public() crypto.PublicKey { return c.public }

func stolenFrom(t *testing.T, g *Group) crypto.Signer {
	t.Helper()
	return claimed{g.cfg.Signer.(ed25519.PrivateKey), ed25519.PublicKey(g.tree.leaf(2).SignatureKey)}
}

// TestCreateRules asks for groups and key packages that must not be.
func TestCreateRules(t *testing.T) {
	cfg, _, _ := party(t, "alice")
	who := BasicCredential([]byte("alice"))
	for _, row := range []struct {
		name, rule string
		want       error
		opts       CreateOptions
	}{
		{"a suite that is not known", "", ErrUnsupported, CreateOptions{Suite: 4, Credential: who}},
		{"another suite than the signer's", "", ErrSigner, CreateOptions{Suite: 2, Credential: who}},
		{"no credential", "a credential of an unknown type", nil, CreateOptions{Suite: 1}},
		{"an extension twice", "an extension type occurs twice", nil, CreateOptions{Suite: 1, Credential: who, Extensions: Extensions{{0xF001, nil}, {0xF001, nil}}}},
		{"a leaf extension twice", "an extension type occurs twice", nil, CreateOptions{Suite: 1, Credential: who, LeafExtensions: Extensions{{0xF001, nil}, {0xF001, nil}}}},
		{"required capabilities that the creator lacks", "a leaf lacks required capabilities", nil, CreateOptions{
			Suite: 1, Credential: who, Extensions: Extensions{{ExtensionRequiredCapabilities, RequiredCapabilities{Proposals: []ProposalType{0xF001}}.Marshal()}},
		}},
		{"another suite in the capabilities", "a leaf does not support the group's cipher suite", nil, CreateOptions{
			Suite: 1, Credential: who, Capabilities: Capabilities{CipherSuites: []CipherSuite{2}},
		}},
	} {
		_, err := NewGroup(cfg, row.opts)
		isBroken(t, row.name, err, row.rule, row.want)
		if len(row.opts.Extensions) > 0 {
			continue // these are the group's alone
		}
		_, _, err = NewKeyPackage(KeyPackageOptions{
			Suite: row.opts.Suite, Credential: row.opts.Credential, Signer: cfg.Signer, Lifetime: always, LeafExtensions: row.opts.LeafExtensions,
			Capabilities: row.opts.Capabilities,
		})
		isBroken(t, row.name+", in a key package", err, row.rule, row.want)
	}
}

// TestLifetimeGiven asks for key packages that nobody could ever be added by, and shows a leaf without a lifetime to nobody.
func TestLifetimeGiven(t *testing.T) {
	cfg, _, _ := party(t, "alice")
	who := BasicCredential([]byte("alice"))
	for _, row := range []struct {
		name     string
		lifetime Lifetime
	}{
		{"no lifetime", Lifetime{}},
		{"one that begins and never ends", Lifetime{NotBefore: 1000}},
		{"one that ends before it begins", Lifetime{NotBefore: 1001, NotAfter: 1000}},
	} {
		_, _, err := NewKeyPackage(KeyPackageOptions{Suite: 1, Credential: who, Signer: cfg.Signer, Lifetime: row.lifetime})
		isBroken(t, row.name, err, "a key package without a lifetime", nil)
	}
	_, bob, _ := party(t, "bob")
	for _, row := range []struct {
		name     string
		lifetime Lifetime
		noPath   bool
		rule     string
	}{
		{"no lifetime, and no path", Lifetime{}, true, "a leaf without a lifetime is shown to those who join"},
		{"no lifetime, and a path", Lifetime{}, false, ""},
		{"a lifetime, and no path", always, true, ""},
	} {
		g, err := NewGroup(cfg, CreateOptions{Suite: 1, Credential: who, Lifetime: row.lifetime})
		if err != nil {
			t.Fatal(err)
		}
		_, err = g.Commit(CommitOptions{ByValue: []Proposal{&Add{bob}}, NoPath: row.noPath})
		if row.rule == "" {
			if err != nil {
				t.Errorf("%s: %v", row.name, err)
			}
			continue
		}
		isBroken(t, row.name, err, row.rule, nil)
	}
}

// TestFirstEpoch counts a group's epochs from where another one has ended: who joins, who commits and who loads what was
// stored finds nothing special about it.
func TestFirstEpoch(t *testing.T) {
	cfg, _, _ := party(t, "alice")
	alice, err := NewGroup(cfg, CreateOptions{Suite: 1, Credential: BasicCredential([]byte("alice")), Epoch: 7})
	if err != nil || alice.Epoch() != 7 {
		t.Fatalf("the first epoch is %d, %v, want 7", alice.Epoch(), err)
	}
	theirs, kp, private := party(t, "bob")
	c, err := alice.Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.Merge(c); err != nil {
		t.Fatal(err)
	}
	bob, err := Join(theirs, c.Welcome(), func(KeyPackageRef) *KeyPackagePrivate { return private }, JoinOptions{})
	if err != nil || bob.Epoch() != 8 || alice.Epoch() != 8 {
		t.Fatalf("joined at %d, %v, want 8", bob.Epoch(), err)
	}
	sealed, err := bob.Seal([]byte("hello"), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := alice.Process(sealed)
	if message, ok := got.(*ApplicationMessage); err != nil || !ok || string(message.Data) != "hello" {
		t.Errorf("alice reads %v, %v", got, err)
	}
}

// TestRefusedByTheApplication names the rules under which a refusal of verifier, policy and the source of keys comes out.
func TestRefusedByTheApplication(t *testing.T) {
	no := errors.New("no")
	members := groupOf(t, 3)
	cfg, kp, private := party(t, "eve")
	c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}, Public: true})
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := members[0].Commit(CommitOptions{Public: true})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Verifier = refusing{no}
	_, err = NewGroup(cfg, CreateOptions{Suite: 1, Credential: BasicCredential(nil)})
	isBroken(t, "creating", err, "verifying the creator", nil)
	_, err = joinBy(cfg, c.Welcome(), private)
	isBroken(t, "joining", err, "verifying a member of the group to join", nil)
	g := members[1].Clone()
	g.cfg.Verifier = refusing{no}
	refuses(t, "an added member", g, c.Message(), "verifying an added member", nil)
	refuses(t, "an updated member", g, renewed.Message(), "verifying an updated member", nil)
	g.cfg.Verifier, g.cfg.Policy = acceptAnyone{}, PolicyFunc(func(*CommitContext) error { return no })
	refuses(t, "a commit", g, c.Message(), "authorizing a commit", nil)
	psk := careless{t: t, g: members[0].Clone(), list: committed(members[0], &PreSharedKey{PreSharedKeyID{Type: PSKExternal, Nonce: random(32)}})}
	psk.g.cfg.PSK = func(PreSharedKeyID) (Secret, error) { return Secret("known"), nil }
	g = members[1].Clone()
	g.cfg.PSK = func(PreSharedKeyID) (Secret, error) { return nil, no }
	refuses(t, "a pre-shared key", g, psk.commit().Message(), "looking up a pre-shared key", nil)
	g.cfg.PSK = func(PreSharedKeyID) (Secret, error) { return Secret("another"), nil }
	refuses(t, "another pre-shared key", g, psk.commit().Message(), "", ErrVerify)
}

// A refusing verifier knows nobody.
type refusing struct{ err error }

func (v refusing) VerifyMember(Member) error          { return v.err }
func (v refusing) VerifySuccession(_, _ Member) error { return v.err }
