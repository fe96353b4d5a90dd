package player

import (
	"crypto/rand"
	"slices"

	pb "snug/mls/interop/mlsclient"
)

// A succession is a group in place of another.
type succession struct {
	// proposer asks for it, unless the proposal was made elsewhere; committer ends the old group and welcomer makes the new one.
	proposer, committer, welcomer string
	proposal                      []byte
	// groupID and suite are of the new group; the old one's where they are empty.
	groupID                 []byte
	suite                   uint32
	extensions              []*pb.Extension
	forcePath, externalTree bool
}

// anotherSuite is one that all of the cast have and the group has not, if there is any.
func (s *stage) anotherSuite() uint32 {
	for _, suite := range Suites(s.setting.Cast...) {
		if suite != s.suite {
			return suite
		}
	}
	return s.suite
}

// newGroupID is not left to the seed: a client may look for an old epoch by the group's id.
func newGroupID() []byte { return []byte("group " + rand.Text()) }

// reinitialize ends the group and makes the one in its place.
func (s *stage) reinitialize(r succession) {
	if r.groupID == nil {
		r.groupID = s.groupID
	}
	if r.suite == 0 {
		r.suite = s.suite
	}
	if r.proposal == nil {
		a := s.actor(r.proposer)
		r.proposal = call(s, a, "ReInitProposal", a.client.rpc.ReInitProposal, &pb.ReInitProposalRequest{
			StateId: a.state, CipherSuite: r.suite, GroupId: r.groupID, Extensions: r.extensions,
		}).GetProposal()
	}
	s.end(r)
	s.groupID, s.suite = r.groupID, r.suite
	s.welcome(r)
}

// end commits the ReInit.
func (s *stage) end(r succession) {
	a := s.actor(r.committer)
	refs := [][]byte{r.proposal}
	commit := call(s, a, "ReInitCommit", a.client.rpc.ReInitCommit, &pb.CommitRequest{StateId: a.state, ByReference: refs})
	handled := call(s, a, "HandlePendingReInitCommit", a.client.rpc.HandlePendingReInitCommit,
		&pb.HandlePendingCommitRequest{StateId: a.state})
	s.begin(handled.GetEpochAuthenticator())
	a.reinit, a.keyPackage = handled.GetReinitId(), handled.GetKeyPackage()
	for _, m := range s.members {
		if m != a {
			handled := call(s, m, "HandleReInitCommit", m.client.rpc.HandleReInitCommit,
				&pb.HandleCommitRequest{StateId: m.state, Proposal: refs, Commit: commit.GetCommit()})
			s.same(m, handled.GetEpochAuthenticator())
			m.reinit, m.keyPackage = handled.GetReinitId(), handled.GetKeyPackage()
		}
		m.enter(0)
	}
}

// welcome makes the new group.
func (s *stage) welcome(r succession) {
	a := s.actor(r.welcomer)
	others := slices.DeleteFunc(slices.Clone(s.members), func(m *actor) bool { return m == a })
	request := &pb.ReInitWelcomeRequest{ReinitId: a.reinit, ForcePath: r.forcePath, ExternalTree: r.externalTree}
	for _, m := range others {
		request.KeyPackage = append(request.KeyPackage, m.keyPackage)
	}
	made := call(s, a, "ReInitWelcome", a.client.rpc.ReInitWelcome, request)
	s.begin(made.GetEpochAuthenticator())
	s.epoch = 1
	a.state, a.since = made.GetStateId(), 1
	for _, m := range others {
		joined := call(s, m, "HandleReInitWelcome", m.client.rpc.HandleReInitWelcome,
			&pb.HandleReInitWelcomeRequest{ReinitId: m.reinit, Welcome: made.GetWelcome(), RatchetTree: made.GetRatchetTree()})
		m.state, m.since = joined.GetStateId(), 1
		s.same(m, joined.GetEpochAuthenticator())
	}
	s.agree(a)
}

// A branching is a group beside another.
type branching struct {
	by                      string
	others                  []string
	extensions              []*pb.Extension
	forcePath, externalTree bool
}

// branch makes a group beside this one, tells a story in it, and comes back.
func (s *stage) branch(b branching, story func()) {
	s.keyPackages(b.others...)
	a := s.actor(b.by)
	request := &pb.CreateBranchRequest{
		StateId: a.state, GroupId: newGroupID(), Extensions: b.extensions, ForcePath: b.forcePath, ExternalTree: b.externalTree,
	}
	for _, name := range b.others {
		request.KeyPackages = append(request.KeyPackages, s.actor(name).keyPackage)
	}
	made := call(s, a, "CreateBranch", a.client.rpc.CreateBranch, request)
	trunk, states := *s, make(map[*actor]uint32)
	for _, m := range s.members {
		states[m] = m.state
	}
	s.groupID, s.members = request.GroupId, []*actor{a}
	s.begin(made.GetEpochAuthenticator())
	s.epoch = 1
	a.state = made.GetStateId()
	for _, name := range b.others {
		s.enterBranch(s.actor(name), made)
	}
	s.agree(a)
	story()
	for _, m := range s.members {
		m.earlier = append(m.earlier, m.state)
	}
	s.groupID, s.members, s.epoch, s.authenticator = trunk.groupID, trunk.members, trunk.epoch, trunk.authenticator
	for m, state := range states {
		m.state = state
	}
}

func (s *stage) enterBranch(m *actor, made *pb.CreateSubgroupResponse) {
	joined := call(s, m, "HandleBranch", m.client.rpc.HandleBranch, &pb.HandleBranchRequest{
		StateId: m.state, TransactionId: m.transaction, Welcome: made.GetWelcome(), RatchetTree: made.GetRatchetTree(),
	})
	m.state = joined.GetStateId()
	s.same(m, joined.GetEpochAuthenticator())
	s.members = append(s.members, m)
}

var reinits = []Scenario{
	{"a reinit of everything", func(s *stage) {
		s.create("alice", "bob", "carol", "diana")
		s.reinitialize(succession{
			proposer: "alice", committer: "bob", welcomer: "carol", suite: s.anotherSuite(), groupID: newGroupID(),
			extensions: []*pb.Extension{noRequirements, noSenders},
		})
		s.commit("diana", change{values: s.adds("eliza"), joiners: []string{"eliza"}})
	}},
	{"a reinit of nothing but the epoch", func(s *stage) {
		s.create("alice", "bob")
		s.reinitialize(succession{proposer: "bob", committer: "bob", welcomer: "bob"})
		s.commit("alice", change{})
	}},
	{"a reinit with a path and the tree apart", func(s *stage) {
		s.create("alice", "bob", "carol")
		s.reinitialize(succession{
			proposer: "carol", committer: "alice", welcomer: "bob", groupID: newGroupID(), forcePath: true, externalTree: true,
		})
		s.commit("carol", change{})
	}},
	{"a reinit that an external signer proposes", func(s *stage) {
		s.create("alice", "bob", "carol")
		s.commit("alice", change{refs: [][]byte{s.list("alice", "signer")}})
		r := succession{committer: "alice", welcomer: "bob", suite: s.anotherSuite(), groupID: newGroupID()}
		r.proposal = s.signs("signer", 0, "alice", &pb.ProposalDescription{
			ProposalType: []byte("reinit"), GroupId: r.groupID, CipherSuite: r.suite, Extensions: []*pb.Extension{noRequirements},
		})
		s.reinitialize(r)
	}},
}

var branches = []Scenario{
	{"a branch of all members", func(s *stage) {
		s.create("alice", "bob", "carol")
		s.branch(branching{by: "alice", others: []string{"bob", "carol"}, extensions: []*pb.Extension{noRequirements}}, func() {
			s.commit("carol", change{})
		})
		s.commit("bob", change{})
	}},
	{"a branch of some, with a path and the tree apart", func(s *stage) {
		s.create("alice", "bob", "carol", "diana")
		s.branch(branching{by: "bob", others: []string{"diana"}, forcePath: true, externalTree: true}, func() {
			s.commit("diana", change{values: []*pb.ProposalDescription{removeOf("bob")}, leavers: []string{"bob"}})
		})
		s.commit("carol", change{})
	}},
}
