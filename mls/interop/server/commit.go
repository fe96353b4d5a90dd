package server

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"snug/mls"
	pb "snug/mls/interop/mlsclient"
)

// Commit makes a commit of exactly the proposals that the request names. A commit that was pending is dropped.
func (s *Server) Commit(_ context.Context, request *pb.CommitRequest) (*pb.CommitResponse, error) {
	return change(s, request.StateId, func(m *state) (*pb.CommitResponse, error) {
		opts, err := m.commitOptions(request)
		if err != nil {
			return nil, err
		}
		opts.Now = s.opts.Now()
		c, err := m.group.Commit(opts)
		if err != nil {
			return nil, err
		}
		m.pending = c
		response := &pb.CommitResponse{Commit: c.Message(), Welcome: c.Welcome()}
		if request.ExternalTree {
			response.RatchetTree = c.RatchetTree()
		}
		return response, nil
	})
}

func (m *state) commitOptions(request *pb.CommitRequest) (mls.CommitOptions, error) {
	opts := mls.CommitOptions{NoPath: !request.ForcePath, NoTree: request.ExternalTree, Public: !m.encrypt}
	chosen := make(map[mls.ProposalRef]bool)
	for _, message := range request.ByReference {
		ref, err := m.hear(message)
		if err != nil {
			return opts, err
		}
		chosen[ref] = true
	}
	opts.Pending = func(p *mls.ReceivedProposal) bool { return chosen[p.Ref()] }
	for _, description := range request.ByValue {
		p, err := m.place().described(description)
		if err != nil {
			return opts, err
		}
		opts.ByValue = append(opts.ByValue, p)
	}
	return opts, nil
}

// hear takes a proposal into the state, if it is not there already, and returns its reference.
func (m *state) hear(message []byte) (mls.ProposalRef, error) {
	if ref, ok := m.refs[string(message)]; ok {
		return ref, nil
	}
	r, err := m.group.Process(message)
	if err != nil {
		return "", err
	}
	p, ok := r.(*mls.ReceivedProposal)
	if !ok {
		return "", invalid("not a proposal")
	}
	m.refs[string(message)] = p.Ref()
	return p.Ref(), nil
}

// HandlePendingCommit enters the epoch of the state's own commit.
func (s *Server) HandlePendingCommit(_ context.Context, request *pb.HandlePendingCommitRequest) (*pb.HandleCommitResponse, error) {
	return change(s, request.StateId, func(m *state) (*pb.HandleCommitResponse, error) {
		if m.pending == nil {
			return nil, status.Error(codes.FailedPrecondition, "no commit is pending")
		}
		if err := m.merge(m.pending); err != nil {
			return nil, err
		}
		return &pb.HandleCommitResponse{StateId: request.StateId, EpochAuthenticator: m.group.EpochAuthenticator()}, nil
	})
}

// HandleCommit enters the epoch of another member's commit. A pending one has lost.
func (s *Server) HandleCommit(_ context.Context, request *pb.HandleCommitRequest) (*pb.HandleCommitResponse, error) {
	return change(s, request.StateId, func(m *state) (*pb.HandleCommitResponse, error) {
		c, err := m.follow(request)
		if err != nil {
			return nil, err
		}
		if err := m.merge(c); err != nil {
			return nil, err
		}
		return &pb.HandleCommitResponse{StateId: request.StateId, EpochAuthenticator: m.group.EpochAuthenticator()}, nil
	})
}

// follow processes another member's commit and the proposals that come with it.
func (m *state) follow(request *pb.HandleCommitRequest) (*mls.StagedCommit, error) {
	for _, message := range request.Proposal {
		if _, err := m.hear(message); err != nil {
			return nil, err
		}
	}
	r, err := m.group.Process(request.Commit)
	if err != nil {
		return nil, err
	}
	c, ok := r.(*mls.StagedCommit)
	if !ok {
		return nil, invalid("not another member's commit")
	}
	return c, nil
}
