package server

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"snug/mls"
	pb "snug/mls/interop/mlsclient"
)

// A reinit is a member of a group that has ended, with the key package that it gave for the one in its place.
type reinit struct {
	// The mutex is held over each use of the group.
	mu      sync.Mutex
	over    *mls.Group
	encrypt bool
	*transaction
}

// ReInitProposal proposes to end the group in favour of another.
func (s *Server) ReInitProposal(_ context.Context, request *pb.ReInitProposalRequest) (*pb.ProposalResponse, error) {
	return s.propose(request.StateId, func(m *state) ([]byte, error) {
		p, err := reInitOf(request.CipherSuite, request.GroupId, request.Extensions)
		if err != nil {
			return nil, err
		}
		return m.group.ProposeReInit(*p)
	})
}

func reInitOf(suite uint32, groupID []byte, list []*pb.Extension) (*mls.ReInit, error) {
	id, err := suiteOf(suite)
	if err != nil {
		return nil, err
	}
	extensions, err := extensionsOf(list)
	return &mls.ReInit{GroupID: groupID, Version: mls.MLS10, Suite: id, Extensions: extensions}, err
}

// ReInitCommit is Commit: what it is of makes the difference.
func (s *Server) ReInitCommit(ctx context.Context, request *pb.CommitRequest) (*pb.CommitResponse, error) {
	return s.Commit(ctx, request)
}

// HandlePendingReInitCommit ends the group by the state's own commit.
func (s *Server) HandlePendingReInitCommit(_ context.Context, request *pb.HandlePendingCommitRequest) (*pb.HandleReInitCommitResponse, error) {
	return s.end(request.StateId, func(m *state) error {
		if m.pending == nil {
			return status.Error(codes.FailedPrecondition, "no commit is pending")
		}
		return m.merge(m.pending)
	})
}

// HandleReInitCommit ends the group by another member's commit.
func (s *Server) HandleReInitCommit(_ context.Context, request *pb.HandleCommitRequest) (*pb.HandleReInitCommitResponse, error) {
	return s.end(request.StateId, func(m *state) error {
		c, err := m.follow(request)
		if err != nil {
			return err
		}
		return m.merge(c)
	})
}

// end merges a commit that must be of a ReInit, and makes a key package for the group to come.
func (s *Server) end(id uint32, merge func(*state) error) (*pb.HandleReInitCommitResponse, error) {
	return change(s, id, func(m *state) (*pb.HandleReInitCommitResponse, error) {
		if err := merge(m); err != nil {
			return nil, err
		}
		next, ok := m.group.Reinitialized()
		if !ok {
			return nil, invalid("a commit that is not of a ReInit")
		}
		t, err := s.newTransaction(next.Suite, m.group.OwnLeaf().Credential.Identity)
		if err != nil {
			return nil, err
		}
		number, err := s.entries.put(&reinit{over: m.group.Clone(), encrypt: m.encrypt, transaction: t})
		if err != nil {
			return nil, err
		}
		return &pb.HandleReInitCommitResponse{
			ReinitId: number, KeyPackage: t.private.KeyPackage().Marshal(), EpochAuthenticator: m.group.EpochAuthenticator(),
		}, nil
	})
}

// ReInitWelcome makes the group in place of the one that has ended, with the other members' key packages.
func (s *Server) ReInitWelcome(_ context.Context, request *pb.ReInitWelcomeRequest) (*pb.CreateSubgroupResponse, error) {
	r, err := get[*reinit](&s.entries, request.ReinitId)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	opts, err := s.successorOptions(r.over, request.KeyPackage, request.ForcePath, request.ExternalTree)
	if err != nil {
		return nil, statusOf(err)
	}
	next, c, err := r.over.Reinitialize(config(r.signer, r.keys, r.encrypt), opts)
	if err != nil {
		return nil, statusOf(err)
	}
	response, err := s.begin(next, c, r.transaction, r.encrypt, request.ExternalTree)
	if err == nil {
		s.entries.remove(request.ReinitId)
	}
	return response, err
}

func (s *Server) successorOptions(from *mls.Group, packages [][]byte, path, externalTree bool) (mls.SuccessorOptions, error) {
	opts := mls.SuccessorOptions{
		Credential: from.OwnLeaf().Credential, Lifetime: s.lifetime(), Now: s.opts.Now(), NoPath: !path, NoTree: externalTree,
	}
	for _, encoded := range packages {
		kp, err := mls.ParseKeyPackage(encoded)
		if err != nil {
			return opts, err
		}
		opts.KeyPackages = append(opts.KeyPackages, kp)
	}
	return opts, nil
}

// begin merges the commit that fills a new group, and holds its state.
func (s *Server) begin(next *mls.Group, c *mls.StagedCommit, t *transaction, encrypt, externalTree bool) (*pb.CreateSubgroupResponse, error) {
	if err := next.Merge(c); err != nil {
		return nil, statusOf(err)
	}
	id, err := s.newState(next, t.signer, t.keys, encrypt)
	if err != nil {
		return nil, err
	}
	response := &pb.CreateSubgroupResponse{StateId: id, Welcome: c.Welcome(), EpochAuthenticator: next.EpochAuthenticator()}
	if externalTree {
		response.RatchetTree = next.RatchetTree()
	}
	return response, nil
}

// HandleReInitWelcome enters the group in place of the one that has ended.
func (s *Server) HandleReInitWelcome(_ context.Context, request *pb.HandleReInitWelcomeRequest) (*pb.JoinGroupResponse, error) {
	r, err := get[*reinit](&s.entries, request.ReinitId)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	response, err := s.follow(r.over, r.transaction, r.encrypt, request.Welcome, request.RatchetTree)
	if err == nil {
		s.entries.remove(request.ReinitId)
	}
	return response, err
}

// follow joins a group that comes from another.
func (s *Server) follow(from *mls.Group, t *transaction, encrypt bool, welcome, tree []byte) (*pb.JoinGroupResponse, error) {
	g, err := mls.Join(config(t.signer, t.keys, encrypt), welcome, t.find, mls.JoinOptions{
		RatchetTree: tree, Predecessor: from, Now: s.opts.Now(),
	})
	if err != nil {
		return nil, statusOf(err)
	}
	id, err := s.newState(g, t.signer, t.keys, encrypt)
	if err != nil {
		return nil, err
	}
	return &pb.JoinGroupResponse{StateId: id, EpochAuthenticator: g.EpochAuthenticator()}, nil
}

// CreateBranch makes a group of some members of another, which goes on.
func (s *Server) CreateBranch(_ context.Context, request *pb.CreateBranchRequest) (*pb.CreateSubgroupResponse, error) {
	if len(request.GroupId) == 0 {
		return nil, invalid("a group without an id")
	}
	return change(s, request.StateId, func(m *state) (*pb.CreateSubgroupResponse, error) {
		opts, err := s.successorOptions(m.group, request.KeyPackages, request.ForcePath, request.ExternalTree)
		if err != nil {
			return nil, err
		}
		opts.GroupID = request.GroupId
		if opts.Extensions, err = extensionsOf(request.Extensions); err != nil {
			return nil, err
		}
		signer, err := newSigner(m.group.Suite())
		if err != nil {
			return nil, err
		}
		t := &transaction{signer: signer, keys: newKeyring()}
		next, c, err := m.group.Branch(config(signer, t.keys, m.encrypt), opts)
		if err != nil {
			return nil, err
		}
		return s.begin(next, c, t, m.encrypt, request.ExternalTree)
	})
}

// HandleBranch enters such a group. The transaction is used up by it.
func (s *Server) HandleBranch(_ context.Context, request *pb.HandleBranchRequest) (*pb.HandleBranchResponse, error) {
	t, err := get[*transaction](&s.entries, request.TransactionId)
	if err != nil {
		return nil, err
	}
	return change(s, request.StateId, func(m *state) (*pb.HandleBranchResponse, error) {
		joined, err := s.follow(m.group, t, m.encrypt, request.Welcome, request.RatchetTree)
		if err != nil {
			return nil, err
		}
		s.entries.remove(request.TransactionId)
		return &pb.HandleBranchResponse{StateId: joined.StateId, EpochAuthenticator: joined.EpochAuthenticator}, nil
	})
}
