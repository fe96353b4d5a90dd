package player

import (
	"bytes"
	"slices"

	pb "snug/mls/interop/mlsclient"
)

// An entrance is how somebody joins by a commit of its own.
type entrance struct {
	// resync replaces the actor's own leaf.
	resync, externalTree bool
	psks                 []*pb.ProposalDescription
}

// groupInfo asks a member for the description of the group.
func (s *stage) groupInfo(name string, externalTree bool) *pb.GroupInfoResponse {
	a := s.actor(name)
	response := call(s, a, "GroupInfo", a.client.rpc.GroupInfo, &pb.GroupInfoRequest{StateId: a.state, ExternalTree: externalTree})
	if s.err == nil && externalTree && len(response.GetRatchetTree()) == 0 {
		s.fail("the GroupInfo of %s (%s) has no tree beside it", name, a.client.Name)
	}
	return response
}

// enterBy lets an actor join with the GroupInfo of a member, and all members follow.
func (s *stage) enterBy(member, joiner string, e entrance) {
	a, info := s.actor(joiner), s.groupInfo(member, e.externalTree)
	request := &pb.ExternalJoinRequest{
		GroupInfo: info.GetGroupInfo(), RatchetTree: info.GetRatchetTree(), EncryptHandshake: s.setting.Encrypt,
		Identity: []byte(joiner), RemovePrior: e.resync,
	}
	for _, d := range e.psks {
		request.Psks = append(request.Psks, &pb.PreSharedKey{PskId: d.PskId, PskSecret: s.secrets[string(d.PskId)]})
	}
	response := call(s, a, "ExternalJoin", a.client.rpc.ExternalJoin, request)
	if e.resync {
		s.members = slices.DeleteFunc(s.members, func(m *actor) bool { return m == a })
		s.freeState(a)
	}
	s.begin(response.GetEpochAuthenticator())
	a.state, a.since = response.GetStateId(), s.epoch
	s.follow(a, nil, response.GetCommit())
	s.members = append(s.members, a)
	s.agree(a)
}

// asks lets an actor propose, from outside, to be added.
func (s *stage) asks(member, joiner string) []byte {
	a := s.actor(joiner)
	response := call(s, a, "NewMemberAddProposal", a.client.rpc.NewMemberAddProposal, &pb.NewMemberAddProposalRequest{
		GroupInfo: s.groupInfo(member, false).GetGroupInfo(), Identity: []byte(joiner),
	})
	a.transaction = response.GetTransactionId()
	return response.GetProposal()
}

// list makes an external signer, and lets a member propose to list it in the group.
func (s *stage) list(member, signer string) []byte {
	a, x := s.actor(member), s.actor(signer)
	response := call(s, x, "CreateExternalSigner", x.client.rpc.CreateExternalSigner,
		&pb.CreateExternalSignerRequest{CipherSuite: s.suite, Identity: []byte(signer)})
	x.signer = response.GetSignerId()
	return call(s, a, "AddExternalSigner", a.client.rpc.AddExternalSigner, &pb.AddExternalSignerRequest{
		StateId: a.state, ExternalSender: response.GetExternalSender(),
	}).GetProposal()
}

// signs lets an external signer, the index-th of the group's, propose to the group as a member describes it.
func (s *stage) signs(signer string, index uint32, member string, d *pb.ProposalDescription) []byte {
	x, info := s.actor(signer), s.groupInfo(member, true)
	return call(s, x, "ExternalSignerProposal", x.client.rpc.ExternalSignerProposal, &pb.ExternalSignerProposalRequest{
		SignerId: x.signer, SignerIndex: index, GroupInfo: info.GetGroupInfo(), RatchetTree: info.GetRatchetTree(), Description: d,
	}).GetProposal()
}

var externalJoins = []Scenario{
	{"an external join", func(s *stage) {
		s.create("alice")
		s.enterBy("alice", "bob", entrance{})
		s.commit("bob", change{})
		s.commit("alice", change{})
	}},
	{"external joins of a group of four", func(s *stage) {
		s.create("alice", "bob", "carol", "diana")
		s.enterBy("diana", "eliza", entrance{})
		s.commit("alice", change{values: []*pb.ProposalDescription{removeOf("bob")}, leavers: []string{"bob"}})
		s.enterBy("eliza", "frank", entrance{})
		s.commit("frank", change{values: s.adds("gina"), joiners: []string{"gina"}})
	}},
	{"an external join with the tree apart", func(s *stage) {
		s.create("alice", "bob")
		s.enterBy("alice", "carol", entrance{externalTree: true})
		s.commit("carol", change{})
	}},
	{"an external join with a pre-shared key", func(s *stage) {
		s.create("alice", "bob")
		s.enterBy("bob", "carol", entrance{psks: []*pb.ProposalDescription{s.psk()}})
		s.commit("carol", change{})
	}},
	{"a member comes back by an external join", func(s *stage) {
		s.create("alice", "bob", "carol")
		s.enterBy("alice", "bob", entrance{resync: true})
		s.enterBy("carol", "alice", entrance{resync: true, externalTree: true})
		s.commit("bob", change{})
	}},
	{"an external commit counts unchanged", func(s *stage) {
		s.create("alice", "bob")
		bob, carol := s.actor("bob"), s.actor("carol")
		response := call(s, carol, "ExternalJoin", carol.client.rpc.ExternalJoin, &pb.ExternalJoinRequest{
			GroupInfo: s.groupInfo("alice", false).GetGroupInfo(), Identity: []byte("carol"),
		})
		carol.state = response.GetStateId()
		if s.err != nil {
			return
		}
		changed := bytes.Clone(response.GetCommit())
		changed[len(changed)-1] ^= 1
		refused(s, bob, "HandleCommit changed", bob.client.rpc.HandleCommit, &pb.HandleCommitRequest{StateId: bob.state, Commit: changed})
		s.commit("bob", change{})
		refused(s, bob, "HandleCommit late", bob.client.rpc.HandleCommit,
			&pb.HandleCommitRequest{StateId: bob.state, Commit: response.GetCommit()})
	}},
}

var externalProposals = []Scenario{
	{"a newcomer proposes its own add", func(s *stage) {
		s.create("alice", "bob")
		s.commit("alice", change{refs: [][]byte{s.asks("bob", "carol")}, joiners: []string{"carol"}})
		s.commit("carol", change{refs: [][]byte{s.asks("alice", "diana"), s.propose("bob", update)}, joiners: []string{"diana"}})
	}},
	{"an external signer proposes to add and to remove", func(s *stage) {
		s.create("alice", "bob", "carol")
		s.commit("alice", change{refs: [][]byte{s.list("alice", "signer")}})
		s.commit("bob", change{refs: [][]byte{s.signs("signer", 0, "alice", s.add("diana"))}, joiners: []string{"diana"}})
		s.commit("alice", change{refs: [][]byte{s.signs("signer", 0, "diana", removeOf("bob"))}, leavers: []string{"bob"}})
	}},
	{"an external signer proposes keys and extensions", func(s *stage) {
		s.create("alice", "bob")
		s.commit("alice", change{refs: [][]byte{s.list("bob", "signer")}})
		s.commit("alice", change{refs: [][]byte{s.signs("signer", 0, "alice", s.psk())}})
		s.commit("bob", change{refs: [][]byte{s.signs("signer", 0, "bob", resumptionOf(s.epoch))}})
		s.commit("bob", change{refs: [][]byte{s.signs("signer", 0, "alice", extensionsOf(noRequirements))}})
	}},
	{"two external signers", func(s *stage) {
		s.create("alice", "bob")
		s.commit("alice", change{refs: [][]byte{s.list("alice", "first signer")}})
		s.commit("bob", change{refs: [][]byte{s.list("bob", "second signer")}})
		refs := [][]byte{s.signs("first signer", 0, "alice", s.psk()), s.signs("second signer", 1, "bob", s.psk())}
		s.commit("alice", change{refs: refs})
	}},
}
