package mls

import (
	"testing"
)

// A founder makes a group that is said to come from another, by whatever rules the test leaves.
type founder struct {
	suite      CipherSuite
	groupID    string
	extensions Extensions
	usage      PSKUsage
	// epoch and of name the secret by which the groups are linked, if they are not those of the old group.
	epoch func(uint64) uint64
	of    []byte
	// nonce is how much longer the link's nonce is than it should be.
	nonce int
	// more are further keys of the commit.
	more []PreSharedKeyID
	// unlinked leaves the key out, and later founds the group one epoch later.
	unlinked, later bool
	// alone leaves the third member of the old group out, and strange adds somebody.
	alone, strange bool
}

// found returns the Welcome and the private half of its receiver, the old group's second member.
func (f founder) found(t *testing.T, old []*Group) ([]byte, Config, *KeyPackagePrivate) {
	t.Helper()
	s, err := f.suite.suite()
	if err != nil {
		t.Fatal(err)
	}
	named := func(name string) (Config, *KeyPackage, *KeyPackagePrivate) {
		cfg := Config{Verifier: acceptAnyone{}, Policy: AllowAll, Signer: newSignerOf(t, s)}
		cfg.PSK = func(PreSharedKeyID) (Secret, error) { return Secret("known"), nil }
		kp, private, err := NewKeyPackage(KeyPackageOptions{Suite: f.suite, Credential: BasicCredential([]byte(name)), Signer: cfg.Signer, Lifetime: always})
		if err != nil {
			t.Fatal(err)
		}
		return cfg, kp, private
	}
	cfg, _, _ := named("0")
	g, err := NewGroup(cfg, CreateOptions{Suite: f.suite, GroupID: []byte(f.groupID), Credential: BasicCredential([]byte("0")), Extensions: f.extensions})
	if err != nil {
		t.Fatal(err)
	}
	if f.later {
		c, err := g.Commit(CommitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		follow(t, []*Group{g}, c)
	}
	id := PreSharedKeyID{Type: PSKResumption, Usage: f.usage, GroupID: old[0].GroupID(), Epoch: old[0].Epoch(), Nonce: random(s.nh + f.nonce)}
	if f.epoch != nil {
		id.Epoch = f.epoch(id.Epoch)
	}
	if f.of != nil {
		id.GroupID = f.of
	}
	cfg, kp, private := named("1")
	list := committed(g, &Add{kp})
	if !f.unlinked {
		g.link = &preSharedKey{id: id, key: old[0].secrets.resumption}
		list = append(list, committed(g, &PreSharedKey{id})...)
	}
	for i := range f.more {
		if f.more[i].Nonce == nil {
			f.more[i].Nonce = random(s.nh)
		}
		list = append(list, committed(g, &PreSharedKey{f.more[i]})...)
	}
	if !f.alone {
		_, third, _ := named("2")
		list = append(list, committed(g, &Add{third})...)
	}
	if f.strange {
		_, stranger, _ := named("stranger")
		list = append(list, committed(g, &Add{stranger})...)
	}
	return careless{t: t, g: g, list: list}.commit().Welcome(), cfg, private
}

// threeNamed makes a group of three whose credentials are their numbers.
func threeNamed(t *testing.T) []*Group {
	t.Helper()
	members := groupOf(t, 1)
	for _, name := range []string{"1", "2"} {
		cfg, kp, private := party(t, name)
		c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
		if err != nil {
			t.Fatal(err)
		}
		follow(t, members, c)
		members = append(members, enter(t, cfg, c, private))
	}
	return members
}

// byCredential takes everybody for who its credential names.
type byCredential struct{ acceptAnyone }

func (byCredential) VerifySuccession(old, next Member) error {
	if !old.Credential.Equal(next.Credential) {
		return errNoSuchMember
	}
	return nil
}

// TestSuccessorRules has a member found groups in the old one's name that are not what RFC 9420, Sections 11.2, 11.3 and 12.4.3.1
// ask for.
func TestSuccessorRules(t *testing.T) {
	ended, alive := threeNamed(t), threeNamed(t)
	extensions := Extensions{{ExtensionApplicationID, []byte("next")}}
	c, err := ended[0].Commit(CommitOptions{ByValue: []Proposal{&ReInit{GroupID: []byte("next"), Version: MLS10, Suite: 2, Extensions: extensions}}})
	if err != nil {
		t.Fatal(err)
	}
	follow(t, ended, c)
	newer := threeNamed(t)
	c = careless{t: t, g: newer[0], noPath: true, list: committed(newer[0], &ReInit{GroupID: []byte("next"), Version: MLS10 + 1, Suite: 2, Extensions: extensions})}.commit()
	follow(t, newer, c)
	good := founder{suite: 2, groupID: "next", extensions: extensions, usage: UsageReInit}
	branch := founder{suite: 1, groupID: "aside", usage: UsageBranch}
	const (
		unlinked = "a welcome to a group that does not come from this one"
		absent   = "a welcome to a group that comes from one that is not at hand"
		not      = "a group is not the one that the reinit asks for"
		mixed    = "a reinit of a group that goes on, or a branch of one that has ended"
		two      = "a welcome with two keys for reinit or branch"
		nonce    = "a pre-shared key's nonce has the wrong length"
		member   = "a group has a member that the one that it comes from has not"
	)
	with := func(f founder, change func(*founder)) founder { change(&f); return f }
	link := PreSharedKeyID{Type: PSKResumption, Usage: UsageBranch, GroupID: []byte("x")}
	plain := PreSharedKeyID{Type: PSKExternal, ID: []byte("x")}
	for _, row := range []struct {
		name, rule string
		founder    founder
		of         *Group
	}{
		{"a reinit", "", good, ended[1]},
		{"a reinit with another key beside", "", with(good, func(f *founder) { f.more = []PreSharedKeyID{plain} }), ended[1]},
		{"a reinit without its group", absent, good, nil},
		{"a reinit of another group", absent, good, alive[1]},
		{"a reinit of another epoch", absent, with(good, func(f *founder) { f.epoch = func(n uint64) uint64 { return n - 1 } }), ended[1]},
		{"a nonce that is short", nonce, with(good, func(f *founder) { f.nonce = -1 }), ended[1]},
		{"a nonce that is long", nonce, with(good, func(f *founder) { f.nonce = 1 }), ended[1]},
		{"no key", unlinked, with(good, func(f *founder) { f.unlinked = true }), ended[1]},
		{"a key for the application", unlinked, with(good, func(f *founder) {
			f.unlinked, f.more = true, []PreSharedKeyID{{Type: PSKResumption, Usage: UsageApplication, GroupID: ended[0].GroupID(), Epoch: ended[0].Epoch()}}
		}), ended[1]},
		{"two keys", two, with(good, func(f *founder) { f.more = []PreSharedKeyID{link} }), ended[1]},
		{"a branch of a group that has ended", mixed, with(good, func(f *founder) { f.usage = UsageBranch }), ended[1]},
		{"a later epoch", "a welcome to a later epoch than the first commit's", with(good, func(f *founder) { f.later = true }), ended[1]},
		{"another id", not, with(good, func(f *founder) { f.groupID = "other" }), ended[1]},
		{"another suite", not, with(good, func(f *founder) { f.suite = 1 }), ended[1]},
		{"another version", not, good, newer[1]},
		{"other extensions", not, with(good, func(f *founder) { f.extensions = nil }), ended[1]},
		{"a member less", "a reinitialized group lacks members", with(good, func(f *founder) { f.alone = true }), ended[1]},
		{"a member more", member, with(good, func(f *founder) { f.strange = true }), ended[1]},
		{"another member", member, with(good, func(f *founder) { f.alone, f.strange = true, true }), ended[1]},
		{"a branch", "", branch, alive[1]},
		{"a branch of two", "", with(branch, func(f *founder) { f.alone = true }), alive[1]},
		{"a branch without its group", absent, branch, nil},
		{"a reinit of a group that goes on", mixed, with(branch, func(f *founder) { f.usage = UsageReInit }), alive[1]},
		{"a branch with a short nonce", nonce, with(branch, func(f *founder) { f.nonce = -1 }), alive[1]},
		{"a branch of another suite", "a branch has another cipher suite", with(branch, func(f *founder) { f.suite = 3 }), alive[1]},
		{"a branch later", "a welcome to a later epoch than the first commit's", with(branch, func(f *founder) { f.later = true }), alive[1]},
		{"a branch with a stranger", member, with(branch, func(f *founder) { f.strange = true }), alive[1]},
		{"a branch of another group of the same member", absent, with(branch, func(f *founder) { f.of = []byte("another") }), alive[1]},
		{"no branch at all", unlinked, with(branch, func(f *founder) { f.unlinked = true }), alive[1]},
		{"a group of its own", "", with(branch, func(f *founder) { f.unlinked = true }), nil},
	} {
		old := ended
		if row.founder.usage == UsageBranch && row.of != ended[1] || row.of == alive[1] && row.rule != absent {
			old = alive
		}
		if row.of == newer[1] {
			old = newer
		}
		welcome, cfg, private := row.founder.found(t, old)
		cfg.Verifier = byCredential{}
		_, err := Join(cfg, welcome, func(KeyPackageRef) *KeyPackagePrivate { return private }, JoinOptions{Predecessor: row.of})
		if row.rule == "" {
			if err != nil {
				t.Errorf("%s: %v", row.name, err)
			}
			continue
		}
		isBroken(t, row.name, err, row.rule, nil)
	}
}

// TestReInitRules has a member commit a ReInit that RFC 9420, Sections 12.1.5 and 12.2 forbid.
func TestReInitRules(t *testing.T) {
	members := groupOf(t, 3)
	evil, good := members[0], members[1]
	reinit := &ReInit{GroupID: []byte("next"), Version: MLS10, Suite: 1}
	_, eve, _ := party(t, "eve")
	for _, row := range []struct {
		name, rule string
		want       error
		list       []Proposal
	}{
		{"alone", "", nil, []Proposal{reinit}},
		{"in favour of a suite that is not known here", "", nil, []Proposal{&ReInit{GroupID: []byte("next"), Version: MLS10, Suite: 99}}},
		{"in favour of a later version", "", nil, []Proposal{&ReInit{GroupID: []byte("next"), Version: MLS10 + 1, Suite: 1}}},
		{"with an add", "a reinit together with other proposals", nil, []Proposal{reinit, &Add{eve}}},
		{"after an add", "a reinit together with other proposals", nil, []Proposal{&Add{eve}, reinit}},
		{"with another", "a reinit together with other proposals", nil, []Proposal{reinit, &ReInit{GroupID: []byte("other"), Version: MLS10, Suite: 1}}},
		{"to an earlier version", "a reinit to an earlier version", nil, []Proposal{&ReInit{GroupID: []byte("next"), Suite: 1}}},
		{"with an extension twice", "an extension type occurs twice", ErrMalformed, []Proposal{&ReInit{
			GroupID: []byte("next"), Version: MLS10, Suite: 1, Extensions: Extensions{{0xF001, nil}, {0xF001, nil}},
		}}},
		{"with required capabilities that do not parse", "", ErrMalformed, []Proposal{&ReInit{
			GroupID: []byte("next"), Version: MLS10, Suite: 1, Extensions: Extensions{{ExtensionRequiredCapabilities, []byte{9}}},
		}}},
		{"with external senders that do not parse", "", ErrMalformed, []Proposal{&ReInit{
			GroupID: []byte("next"), Version: MLS10, Suite: 1, Extensions: Extensions{{ExtensionExternalSenders, []byte{9}}},
		}}},
	} {
		c := careless{t: t, g: evil.Clone(), list: committed(evil, row.list...), noPath: true}.commit()
		switch {
		case row.rule == "" && row.want == nil:
			accepts(t, good.Clone(), c)
		case row.want == ErrMalformed:
			refuses(t, row.name, good, c.Message(), "", ErrMalformed)
		default:
			refuses(t, row.name, good, c.Message(), row.rule, nil)
		}
	}
	for _, err := range []error{(&ReInit{Version: MLS10, Extensions: Extensions{{0xF001, nil}, {0xF001, nil}}}).check()} {
		isBroken(t, "an extension twice", err, "an extension type occurs twice", nil)
	}
}

// TestReInitSent has a member propose to end the group in favour of one that nobody here can make: it is valid, and others may commit
// it who can, but this member does not, be it asked to or not.
func TestReInitSent(t *testing.T) {
	members := groupOf(t, 2)
	for name, p := range map[string]*ReInit{
		"a later version":    {GroupID: []byte("next"), Version: MLS10 + 1, Suite: 1},
		"a suite of another": {GroupID: []byte("next"), Version: MLS10, Suite: 99},
	} {
		g := members[1].Clone()
		heard(t, g, members[0], p)
		_, err := g.Commit(CommitOptions{Pending: func(*ReceivedProposal) bool { return true }})
		isBroken(t, name+", chosen", err, "", ErrUnsupported)
		c, err := g.Commit(CommitOptions{})
		if err != nil || len(c.Proposals()) != 0 {
			t.Errorf("%s, left to Commit: %v, %v", name, c, err)
		}
	}
}

// TestReInitWithoutID reinitializes a group in favour of one whose id is left open: by us it is filled in before the proposal is sent,
// and an empty one that another member has sent is the id of the group to come.
func TestReInitWithoutID(t *testing.T) {
	for name, list := range map[string][]Proposal{"ours": nil, "another's": {&ReInit{Version: MLS10, Suite: 1}}} {
		members := threeNamed(t)
		c, err := members[0].Commit(CommitOptions{ByValue: []Proposal{&ReInit{Version: MLS10, Suite: 1}}})
		if list != nil {
			c = careless{t: t, g: members[0], list: committed(members[0], list...)}.commit()
		}
		if err != nil {
			t.Fatal(err)
		}
		follow(t, members, c)
		if id := c.ReInit().GroupID; (len(id) == 32) != (list == nil) {
			t.Errorf("%s: the group to come is %x", name, id)
		}
		var packages []*KeyPackage
		var secret *KeyPackagePrivate
		theirs, _, _ := party(t, "2")
		for _, who := range []string{"1", "2"} {
			cfg, kp, private := party(t, who)
			packages, secret, theirs = append(packages, kp), private, cfg
		}
		cfg, _, _ := party(t, "0")
		cfg.Verifier, theirs.Verifier = byCredential{}, byCredential{}
		_, staged, err := members[0].Reinitialize(cfg, SuccessorOptions{Credential: BasicCredential([]byte("0")), KeyPackages: packages})
		if err != nil {
			t.Fatal(err)
		}
		find := func(ref KeyPackageRef) *KeyPackagePrivate {
			if ref == secret.keyPackage.Ref() {
				return secret
			}
			return nil
		}
		if _, err := Join(theirs, staged.Welcome(), find, JoinOptions{Predecessor: members[2]}); err != nil {
			t.Errorf("%s: joining: %v", name, err)
		}
	}
}

// TestLinkIsForOneEpoch looks for the key that ties a group to its predecessor after the commit that mixes it in: by then it is one
// that no proposal names, and the group knows it no more.
func TestLinkIsForOneEpoch(t *testing.T) {
	old := threeNamed(t)
	for name, usage := range map[string]PSKUsage{"a reinit": UsageReInit, "a branch": UsageBranch} {
		cfg, _, _ := party(t, "0")
		_, kp, _ := party(t, "1")
		cfg.Verifier = byCredential{}
		next, staged, err := old[0].succeed(cfg, 1, usage, SuccessorOptions{
			Credential: BasicCredential([]byte("0")), GroupID: []byte("next"), KeyPackages: append([]*KeyPackage{kp}, thirdOf(t, usage)...),
		})
		if err != nil {
			t.Fatal(err)
		}
		link := next.link
		if link == nil || next.ownPSK(link.id) == nil {
			t.Fatalf("%s: the test looks for nothing: no link to begin with", name)
		}
		again := CommitOptions{ByValue: []Proposal{&PreSharedKey{link.id}}}
		if _, err := next.Commit(again); err != nil {
			t.Errorf("%s: in the epoch that the link is for: %v", name, err)
		}
		if err := next.Merge(staged); err != nil {
			t.Fatal(err)
		}
		_, err = next.Commit(again)
		isBroken(t, name+", committed", err, "a resumption key for reinit or branch outside of one", nil)
		_, err = next.ProposePreSharedKey(link.id)
		isBroken(t, name+", proposed", err, "a resumption key for reinit or branch outside of one", nil)
		if next.ownPSK(link.id) != nil || secretsOf(next.epoch)[string(link.key)] {
			t.Errorf("%s: the second epoch still has the old group's secret", name)
		}
	}
}

// thirdOf makes the key package of the third member, for a successor that must have all.
func thirdOf(t *testing.T, usage PSKUsage) []*KeyPackage {
	t.Helper()
	if usage != UsageReInit {
		return nil
	}
	_, kp, _ := party(t, "2")
	return []*KeyPackage{kp}
}
