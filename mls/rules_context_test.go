package mls

import "testing"

// unevenGroup is a group of three, of whom the first two can what ruledCapabilities say, and the third cannot.
func unevenGroup(t *testing.T) []*Group {
	t.Helper()
	cfg, _, _ := party(t, "0")
	first, err := NewGroup(cfg, CreateOptions{Suite: 1, Credential: BasicCredential([]byte("0")), Capabilities: ruledCapabilities})
	if err != nil {
		t.Fatal(err)
	}
	members := []*Group{first}
	for n := range 2 {
		cfg, kp, private := ruledParty(t, nil, nil)
		if n == 1 {
			cfg, kp, private = party(t, "2")
		}
		c, err := first.Commit(CommitOptions{ByValue: []Proposal{&Add{kp}}})
		if err != nil {
			t.Fatal(err)
		}
		follow(t, members, c)
		members = append(members, enter(t, cfg, c, private))
	}
	return members
}

// TestContextOfAll sets a context that committer and receiver support, and a third member does not: sender and receiver refuse it for
// the third one's sake, unless the commit removes that one.
func TestContextOfAll(t *testing.T) {
	members := unevenGroup(t)
	evil, good := members[0], members[1]
	required := func(r RequiredCapabilities) Extensions {
		return Extensions{{ExtensionRequiredCapabilities, r.Marshal()}}
	}
	for _, row := range []struct {
		name, rule string
		context    Extensions
	}{
		{"an extension", "a leaf does not support one of the group's extensions", Extensions{{ruledExtension, nil}}},
		{"a required extension", "a leaf lacks required capabilities", required(RequiredCapabilities{Extensions: []ExtensionType{ruledExtension}})},
		{"a required proposal", "a leaf lacks required capabilities", required(RequiredCapabilities{Proposals: []ProposalType{ruledProposal}})},
	} {
		set := &GroupContextExtensions{row.context}
		c := careless{t: t, g: evil.Clone(), list: committed(evil, set)}.commit()
		refuses(t, row.name, good, c.Message(), row.rule, nil)
		_, err := evil.Commit(CommitOptions{ByValue: []Proposal{set}})
		isBroken(t, row.name+", sent", err, row.rule, nil)
		c, err = evil.Commit(CommitOptions{ByValue: []Proposal{set, &Remove{2}}, Public: true})
		if err != nil {
			t.Fatalf("%s, and who lacks it removed: %v", row.name, err)
		}
		accepts(t, good.Clone(), c)
	}
}

// TestGREASEIsNotSupportToJoin has a joiner that lists all reserved values come to a group whose context has one: by what its leaf says
// it could, and in earnest it cannot.
func TestGREASEIsNotSupportToJoin(t *testing.T) {
	var all []ExtensionType
	for v := range 1 << 16 {
		if isGREASE(ExtensionType(v)) {
			all = append(all, ExtensionType(v))
		}
	}
	says := func(l *LeafNode) { l.Capabilities.Extensions = all }
	for rule, context := range map[string]Extensions{
		"a leaf does not support one of the group's extensions": {{all[3], []byte("x")}},
		"a leaf lacks required capabilities":                    {{ExtensionRequiredCapabilities, RequiredCapabilities{Extensions: all[:1]}.Marshal()}},
	} {
		evil := groupOf(t, 1)[0]
		caps := evil.OwnLeaf().Capabilities
		caps.Extensions = all
		renewed, err := evil.Commit(CommitOptions{Leaf: LeafOptions{Capabilities: &caps}})
		if err != nil {
			t.Fatal(err)
		}
		follow(t, []*Group{evil}, renewed)
		cfg, kp, private := ruledParty(t, says, nil)
		c := careless{t: t, g: evil, list: committed(evil, &Add{kp}, &GroupContextExtensions{context})}.commit()
		_, err = joinBy(cfg, c.Welcome(), private)
		isBroken(t, "by a welcome", err, rule, nil)
		if err := evil.Merge(c); err != nil {
			t.Fatal(err)
		}
		info, err := evil.GroupInfo()
		if err != nil {
			t.Fatal(err)
		}
		cfg, _, _ = party(t, "stranger")
		_, err = JoinExternally(cfg, info, ExternalOptions{Credential: BasicCredential(nil), Capabilities: Capabilities{Extensions: all}})
		isBroken(t, "by a commit of its own", err, rule, nil)
	}
}
