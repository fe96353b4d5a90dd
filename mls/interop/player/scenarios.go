package player

import (
	"bytes"
	"slices"

	pb "snug/mls/interop/mlsclient"
)

// Scenarios returns all scenarios but the random session, for which there is [Random].
func Scenarios() []Scenario {
	return slices.Concat(welcomes, applications, commits, externalJoins, externalProposals, reinits, branches)
}

var welcomes = []Scenario{
	{"welcome without a path", func(s *stage) {
		s.create("alice")
		s.commit("alice", change{refs: [][]byte{s.propose("alice", s.add("bob"))}, joiners: []string{"bob"}})
	}},
	{"welcome with a path", func(s *stage) {
		s.create("alice")
		s.commit("alice", change{values: s.adds("bob", "carol"), joiners: []string{"bob", "carol"}, forcePath: true})
		s.commit("carol", change{})
	}},
	{"welcome with the tree apart", func(s *stage) {
		s.create("alice")
		s.commit("alice", change{values: s.adds("bob"), joiners: []string{"bob"}, externalTree: true})
		s.commit("bob", change{values: s.adds("carol"), joiners: []string{"carol"}, externalTree: true, forcePath: true})
	}},
	{"welcome with a pre-shared key", func(s *stage) {
		s.create("alice")
		add := s.add("bob")
		s.commit("alice", change{values: []*pb.ProposalDescription{add, s.psk("bob")}, joiners: []string{"bob"}})
	}},
}

var applications = []Scenario{
	{"messages in order", func(s *stage) {
		s.create("alice", "bob", "carol")
		for range 3 {
			for _, m := range s.members {
				s.hear(m, s.protect(m))
			}
		}
	}},
	{"messages out of order", func(s *stage) {
		s.create("alice", "bob")
		alice, bob := s.actor("alice"), s.actor("bob")
		sent := []said{s.protect(alice), s.protect(alice), s.protect(alice)}
		for _, i := range []int{2, 0, 1} {
			s.unprotect(bob, sent[i])
		}
	}},
	{"messages after their epoch", func(s *stage) {
		s.create("alice", "bob")
		alice, bob := s.actor("alice"), s.actor("bob")
		early := []said{s.protect(alice), s.protect(alice)}
		s.commit("alice", change{})
		late := []said{s.protect(alice), s.protect(alice)}
		for _, m := range []said{late[1], late[0], early[1], early[0]} {
			s.unprotect(bob, m)
		}
	}},
	{"a message counts once, and unchanged", func(s *stage) {
		s.create("alice", "bob")
		alice, bob := s.actor("alice"), s.actor("bob")
		m := s.protect(alice)
		if s.err != nil {
			return
		}
		changed := bytes.Clone(m.sealed)
		changed[len(changed)-1] ^= 1
		refused(s, bob, "Unprotect changed", bob.client.rpc.Unprotect, &pb.UnprotectRequest{StateId: bob.state, Ciphertext: changed})
		s.unprotect(bob, m)
		refused(s, bob, "Unprotect again", bob.client.rpc.Unprotect, &pb.UnprotectRequest{StateId: bob.state, Ciphertext: m.sealed})
		s.agree(bob)
	}},
}

var commits = []Scenario{
	{"empty commits", func(s *stage) {
		s.create("alice", "bob", "carol")
		for _, name := range []string{"bob", "alice", "carol", "carol"} {
			s.commit(name, change{})
		}
	}},
	{"commits of adds", func(s *stage) {
		s.create("alice", "bob")
		for round, names := range [][]string{{"carol", "diana", "eliza"}, {"frank", "gina", "henry"}} {
			refs := [][]byte{s.propose("alice", s.add(names[0])), s.propose("bob", s.add(names[1]))}
			s.commit("alice", change{refs: refs, values: s.adds(names[2]), joiners: names, forcePath: round == 0})
		}
		s.commit("henry", change{})
	}},
	{"commits of removes", func(s *stage) {
		s.create("alice", "bob", "carol", "diana", "eliza", "frank")
		refs := [][]byte{s.propose("alice", removeOf("carol")), s.propose("bob", removeOf("eliza")), s.propose("frank", removeOf("frank"))}
		s.commit("alice", change{
			refs: refs, values: []*pb.ProposalDescription{removeOf("diana")}, leavers: []string{"carol", "diana", "eliza", "frank"},
		})
		s.commit("bob", change{values: s.adds("gina"), joiners: []string{"gina"}})
	}},
	{"commits of updates", func(s *stage) {
		s.create("alice", "bob", "carol")
		s.commit("alice", change{refs: [][]byte{s.propose("bob", update), s.propose("carol", update)}})
		s.commit("carol", change{refs: [][]byte{s.propose("bob", update)}})
	}},
	{"commits of extensions", func(s *stage) {
		s.create("alice", "bob")
		s.commit("alice", change{refs: [][]byte{s.propose("alice", extensionsOf(noRequirements, noSenders))}})
		s.commit("alice", change{refs: [][]byte{s.propose("bob", extensionsOf())}})
		s.commit("bob", change{values: []*pb.ProposalDescription{extensionsOf(noRequirements)}})
	}},
	{"commits of pre-shared keys", func(s *stage) {
		s.create("alice", "bob")
		for _, path := range []bool{true, false} {
			refs := [][]byte{s.propose("alice", s.psk()), s.propose("bob", s.psk())}
			s.commit("alice", change{refs: refs, values: []*pb.ProposalDescription{s.psk()}, forcePath: path})
		}
	}},
	{"commits of resumption secrets", func(s *stage) {
		s.create("alice", "bob")
		s.commit("alice", change{})
		s.commit("bob", change{})
		for epoch := uint64(1); epoch <= 2; epoch++ {
			refs := [][]byte{s.propose("alice", resumptionOf(epoch)), s.propose("bob", resumptionOf(epoch+1))}
			s.commit("alice", change{refs: refs, values: []*pb.ProposalDescription{resumptionOf(epoch + 2)}, forcePath: true})
		}
	}},
	{"commits of everything", func(s *stage) {
		s.create("alice", "bob", "carol", "diana")
		refs := [][]byte{
			s.propose("bob", update), s.propose("alice", s.add("eliza")), s.propose("bob", removeOf("carol")),
			s.propose("alice", extensionsOf(noRequirements)),
		}
		values := append(s.adds("frank"), removeOf("diana"))
		refs = append(refs, s.propose("bob", s.psk("eliza", "frank")))
		s.commit("alice", change{refs: refs, values: values, joiners: []string{"eliza", "frank"}, leavers: []string{"carol", "diana"}})
		s.commit("bob", change{refs: [][]byte{s.propose("alice", resumptionOf(s.epoch))}})
	}},
	{"a commit counts in its epoch, and unchanged", func(s *stage) {
		s.create("alice", "bob")
		alice, bob := s.actor("alice"), s.actor("bob")
		m := call(s, alice, "Commit", alice.client.rpc.Commit, &pb.CommitRequest{StateId: alice.state}).GetCommit()
		if s.err != nil {
			return
		}
		changed := bytes.Clone(m)
		changed[len(changed)-1] ^= 1
		handle := bob.client.rpc.HandleCommit
		refused(s, bob, "HandleCommit changed", handle, &pb.HandleCommitRequest{StateId: bob.state, Commit: changed})
		s.commit("bob", change{})
		refused(s, bob, "HandleCommit late", handle, &pb.HandleCommitRequest{StateId: bob.state, Commit: m})
		s.commit("alice", change{})
	}},
}
