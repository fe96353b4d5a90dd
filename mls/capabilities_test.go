package mls

import (
	"slices"
	"testing"
)

// fatParty is a member-to-be whose leaf lists a million bytes of capabilities, and has every extension that is for private use.
func fatParty(t *testing.T) (Config, *KeyPackage, *KeyPackagePrivate) {
	t.Helper()
	return ruledParty(t, func(l *LeafNode) {
		l.Extensions = nil
		for v := range 0x10000 {
			if x := ExtensionType(v); !x.isDefault() {
				l.Extensions = append(l.Extensions, Extension{Type: x})
			}
		}
		l.Capabilities.Extensions = slices.Repeat([]ExtensionType{0xFFFF}, 400_000)
		for _, x := range l.Extensions {
			l.Capabilities.Extensions = append(l.Capabilities.Extensions, x.Type)
		}
	}, nil)
}

// TestFatLeaf takes a leaf in whose lists would take minutes to compare if each were searched through for each of the other's.
func TestFatLeaf(t *testing.T) {
	members := ruledGroup(t, 2)
	cfg, kp, private := fatParty(t)
	parsed, err := ParseKeyPackage(kp.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	c := careless{t: t, g: members[0], list: committed(members[0], &Add{parsed})}.commit()
	accepts(t, members[1], c)
	if _, err := joinBy(cfg, c.Welcome(), private); err != nil {
		t.Fatal(err)
	}
	parsed.LeafNode.Capabilities.Extensions = parsed.LeafNode.Capabilities.Extensions[:400_000]
	isBroken(t, "a leaf that lists one of its extensions a thousand times and not the others",
		parsed.LeafNode.check(suites[0], RequiredCapabilities{}, nil), "a leaf does not list one of its own extensions", nil)
}

// TestFatList holds every kind of proposal that an application can have against members who list them behind a million others.
func TestFatList(t *testing.T) {
	var kinds []ProposalType
	var list []Proposal
	for v := firstPrivateUse; v < 0x10000; v++ {
		kinds, list = append(kinds, ProposalType(v)), append(list, &CustomProposal{ProposalType: ProposalType(v)})
	}
	g := groupOf(t, 4)[0]
	fat := func(i LeafIndex, kinds []ProposalType) {
		leaf := *g.tree.leaf(i)
		leaf.Capabilities.Proposals = append(slices.Repeat([]ProposalType{0xEFFF}, 400_000), kinds...)
		g.tree.set(i.node(), &node{leaf: &leaf})
	}
	for i := range LeafIndex(4) {
		fat(i, kinds)
	}
	if err := g.checkKnown(committed(g, list...)); err != nil {
		t.Errorf("all kinds: %v", err)
	}
	fat(3, kinds[:len(kinds)-1])
	isBroken(t, "one that a member lacks", g.checkKnown(committed(g, list...)), "a proposal of a type that a member does not support", nil)
	if err := g.checkKnown(committed(g, append(list, &Remove{3})...)); err != nil {
		t.Errorf("and that member's removal: %v", err)
	}
}
