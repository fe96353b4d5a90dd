package server

import (
	"bytes"
	"context"
	"crypto"
	"slices"

	"snug/mls"
	pb "snug/mls/interop/mlsclient"
)

// An externalSigner is a party outside of groups that proposes to them (RFC 9420, Section 12.1.8.1).
type externalSigner struct {
	suite  mls.CipherSuite
	signer crypto.Signer
	sender mls.ExternalSender
}

// ExternalJoin enters a group by a commit of one's own (RFC 9420, Section 12.4.3.2).
func (s *Server) ExternalJoin(_ context.Context, request *pb.ExternalJoinRequest) (*pb.ExternalJoinResponse, error) {
	info, err := mls.ParseGroupInfo(request.GroupInfo)
	if err != nil {
		return nil, statusOf(err)
	}
	signer, err := newSigner(info.Place().Suite)
	if err != nil {
		return nil, statusOf(err)
	}
	keys := newKeyring()
	opts := mls.ExternalOptions{
		Credential: mls.BasicCredential(request.Identity), RatchetTree: request.RatchetTree, Now: s.opts.Now(),
	}
	for _, psk := range request.Psks {
		if err := keys.addExternal(psk.GetPskId(), psk.GetPskSecret()); err != nil {
			return nil, err
		}
		opts.PSKs = append(opts.PSKs, externalPSK(psk.GetPskId()))
	}
	if request.RemovePrior {
		opts.Replaces = func(m mls.Member) bool { return bytes.Equal(m.Credential.Identity, request.Identity) }
	}
	join, err := mls.JoinExternally(config(signer, keys, request.EncryptHandshake), request.GroupInfo, opts)
	if err != nil {
		return nil, statusOf(err)
	}
	g := join.Group()
	id, err := s.newState(g, signer, keys, request.EncryptHandshake)
	if err != nil {
		return nil, err
	}
	return &pb.ExternalJoinResponse{StateId: id, Commit: join.Message(), EpochAuthenticator: g.EpochAuthenticator()}, nil
}

// NewMemberAddProposal makes a key package and proposes, from outside, to add its owner.
func (s *Server) NewMemberAddProposal(_ context.Context, request *pb.NewMemberAddProposalRequest) (*pb.NewMemberAddProposalResponse, error) {
	info, err := mls.ParseGroupInfo(request.GroupInfo)
	if err != nil {
		return nil, statusOf(err)
	}
	t, err := s.newTransaction(info.Place().Suite, request.Identity)
	if err != nil {
		return nil, err
	}
	response := new(pb.NewMemberAddProposalResponse)
	if response.Proposal, err = mls.ProposeOwnAdd(info.Place(), t.private.KeyPackage(), t.signer); err != nil {
		return nil, statusOf(err)
	}
	response.InitPriv, response.EncryptionPriv = t.private.Keys()
	if response.SignaturePriv, err = signaturePrivate(t.signer); err != nil {
		return nil, statusOf(err)
	}
	if response.TransactionId, err = s.entries.put(t); err != nil {
		return nil, err
	}
	return response, nil
}

// CreateExternalSigner makes a party that can propose to groups which list it.
func (s *Server) CreateExternalSigner(_ context.Context, request *pb.CreateExternalSignerRequest) (*pb.CreateExternalSignerResponse, error) {
	suite, err := suiteOf(request.CipherSuite)
	if err != nil {
		return nil, err
	}
	x := &externalSigner{suite: suite}
	if x.signer, err = newSigner(suite); err != nil {
		return nil, statusOf(err)
	}
	if x.sender, err = mls.NewExternalSender(suite, x.signer, mls.BasicCredential(request.Identity)); err != nil {
		return nil, statusOf(err)
	}
	id, err := s.entries.put(x)
	if err != nil {
		return nil, err
	}
	return &pb.CreateExternalSignerResponse{SignerId: id, ExternalSender: x.sender.Marshal()}, nil
}

// AddExternalSigner proposes to list an external sender, beside those that are listed.
func (s *Server) AddExternalSigner(_ context.Context, request *pb.AddExternalSignerRequest) (*pb.ProposalResponse, error) {
	return s.propose(request.StateId, func(m *state) ([]byte, error) {
		sender, err := mls.ParseExternalSender(request.ExternalSender)
		if err != nil {
			return nil, err
		}
		extensions := m.group.Extensions()
		listed, err := externalSenders(extensions)
		if err != nil {
			return nil, err
		}
		data := mls.MarshalExternalSenders(append(listed, sender))
		return m.group.ProposeGroupContextExtensions(extensions.Set(mls.ExtensionExternalSenders, data))
	})
}

func externalSenders(extensions mls.Extensions) ([]mls.ExternalSender, error) {
	data, ok := extensions.Get(mls.ExtensionExternalSenders)
	if !ok {
		return nil, nil
	}
	return mls.ParseExternalSenders(data)
}

// ExternalSignerProposal proposes to a group that lists the signer. Its place in the list is looked up there: a runner need
// not know it.
func (s *Server) ExternalSignerProposal(_ context.Context, request *pb.ExternalSignerProposalRequest) (*pb.ProposalResponse, error) {
	x, err := get[*externalSigner](&s.entries, request.SignerId)
	if err != nil {
		return nil, err
	}
	info, err := mls.ParseGroupInfo(request.GroupInfo)
	if err != nil {
		return nil, statusOf(err)
	}
	members, err := info.Members(request.RatchetTree)
	if err != nil {
		return nil, statusOf(err)
	}
	listed, err := externalSenders(info.Context())
	if err != nil {
		return nil, statusOf(err)
	}
	for i, sender := range listed {
		if !bytes.Equal(sender.SignatureKey, x.sender.SignatureKey) {
			continue
		}
		p, err := place{info.Place().GroupID, slices.Values(members)}.described(request.Description)
		if err != nil {
			return nil, statusOf(err)
		}
		message, err := mls.ProposeExternally(info.Place(), uint32(i), x.signer, p)
		if err != nil {
			return nil, statusOf(err)
		}
		return &pb.ProposalResponse{Proposal: message}, nil
	}
	return nil, invalid("the group does not list this signer")
}
