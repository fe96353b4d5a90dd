package server

import (
	"bytes"
	"context"
	"iter"

	"snug/mls"
	pb "snug/mls/interop/mlsclient"
)

// propose makes a proposal of the state's member, and remembers its reference.
func (s *Server) propose(id uint32, make func(*state) ([]byte, error)) (*pb.ProposalResponse, error) {
	return change(s, id, func(m *state) (*pb.ProposalResponse, error) {
		message, err := make(m)
		if err != nil {
			return nil, err
		}
		pending := m.group.Pending()
		m.refs[string(message)] = pending[len(pending)-1].Ref()
		return &pb.ProposalResponse{Proposal: message}, nil
	})
}

// AddProposal proposes to add the owner of a key package.
func (s *Server) AddProposal(_ context.Context, request *pb.AddProposalRequest) (*pb.ProposalResponse, error) {
	return s.propose(request.StateId, func(m *state) ([]byte, error) {
		kp, err := mls.ParseKeyPackage(request.KeyPackage)
		if err != nil {
			return nil, err
		}
		return m.group.ProposeAdd(kp)
	})
}

// UpdateProposal proposes a fresh leaf for the member itself.
func (s *Server) UpdateProposal(_ context.Context, request *pb.UpdateProposalRequest) (*pb.ProposalResponse, error) {
	return s.propose(request.StateId, func(m *state) ([]byte, error) { return m.group.ProposeUpdate(mls.LeafOptions{}) })
}

// RemoveProposal proposes to remove a member, which may be the proposer.
func (s *Server) RemoveProposal(_ context.Context, request *pb.RemoveProposalRequest) (*pb.ProposalResponse, error) {
	return s.propose(request.StateId, func(m *state) ([]byte, error) {
		leaf, err := m.place().leafOf(request.RemovedId)
		if err != nil {
			return nil, err
		}
		return m.group.ProposeRemove(leaf)
	})
}

// ExternalPSKProposal proposes to mix an external pre-shared key into the next epoch.
func (s *Server) ExternalPSKProposal(_ context.Context, request *pb.ExternalPSKProposalRequest) (*pb.ProposalResponse, error) {
	return s.propose(request.StateId, func(m *state) ([]byte, error) {
		return m.group.ProposePreSharedKey(externalPSK(request.PskId))
	})
}

// ResumptionPSKProposal proposes to mix the resumption secret of an epoch of the group into the next.
func (s *Server) ResumptionPSKProposal(_ context.Context, request *pb.ResumptionPSKProposalRequest) (*pb.ProposalResponse, error) {
	return s.propose(request.StateId, func(m *state) ([]byte, error) {
		return m.group.ProposePreSharedKey(resumptionPSK(m.group.GroupID(), request.EpochId))
	})
}

// GroupContextExtensionsProposal proposes to replace the extensions of the group.
func (s *Server) GroupContextExtensionsProposal(_ context.Context, request *pb.GroupContextExtensionsProposalRequest) (*pb.ProposalResponse, error) {
	return s.propose(request.StateId, func(m *state) ([]byte, error) {
		extensions, err := extensionsOf(request.Extensions)
		if err != nil {
			return nil, err
		}
		return m.group.ProposeGroupContextExtensions(extensions)
	})
}

// A place is what a description of a proposal is read against: a group, seen from inside or outside.
type place struct {
	groupID []byte
	members iter.Seq[mls.Member]
}

func (m *state) place() place { return place{m.group.GroupID(), m.group.Members()} }

// described turns the description of a proposal into one.
func (p place) described(d *pb.ProposalDescription) (mls.Proposal, error) {
	switch string(d.GetProposalType()) {
	case "add":
		kp, err := mls.ParseKeyPackage(d.KeyPackage)
		return &mls.Add{KeyPackage: kp}, err
	case "remove":
		leaf, err := p.leafOf(d.RemovedId)
		return &mls.Remove{Removed: leaf}, err
	case "externalPSK":
		return &mls.PreSharedKey{PSK: externalPSK(d.PskId)}, nil
	case "resumptionPSK":
		return &mls.PreSharedKey{PSK: resumptionPSK(p.groupID, d.EpochId)}, nil
	case "groupContextExtensions":
		extensions, err := extensionsOf(d.Extensions)
		return &mls.GroupContextExtensions{Extensions: extensions}, err
	case "reinit":
		return reInitOf(d.CipherSuite, d.GroupId, d.Extensions)
	}
	return nil, invalid("a proposal of a type that has no description here")
}

// leafOf finds a member by its identity.
func (p place) leafOf(identity []byte) (mls.LeafIndex, error) {
	for member := range p.members {
		if bytes.Equal(member.Credential.Identity, identity) {
			return member.Index, nil
		}
	}
	return 0, invalid("no member has this identity")
}

func externalPSK(id []byte) mls.PreSharedKeyID {
	return mls.PreSharedKeyID{Type: mls.PSKExternal, ID: id}
}

func resumptionPSK(groupID []byte, epoch uint64) mls.PreSharedKeyID {
	return mls.PreSharedKeyID{Type: mls.PSKResumption, Usage: mls.UsageApplication, GroupID: groupID, Epoch: epoch}
}

func extensionsOf(list []*pb.Extension) (mls.Extensions, error) {
	extensions := make(mls.Extensions, 0, len(list))
	for _, x := range list {
		if x.GetExtensionType() > 0xFFFF {
			return nil, invalid("an extension type above 65535")
		}
		extensions = append(extensions, mls.Extension{Type: mls.ExtensionType(x.GetExtensionType()), Data: x.GetExtensionData()})
	}
	return extensions, nil
}
