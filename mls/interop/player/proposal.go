package player

import (
	"fmt"

	pb "snug/mls/interop/mlsclient"
)

// Descriptions of proposals, for commits by value and, by propose, for proposals of their own.
func removeOf(name string) *pb.ProposalDescription {
	return &pb.ProposalDescription{ProposalType: []byte("remove"), RemovedId: []byte(name)}
}

func pskOf(id []byte) *pb.ProposalDescription {
	return &pb.ProposalDescription{ProposalType: []byte("externalPSK"), PskId: id}
}

func resumptionOf(epoch uint64) *pb.ProposalDescription {
	return &pb.ProposalDescription{ProposalType: []byte("resumptionPSK"), EpochId: epoch}
}

func extensionsOf(list ...*pb.Extension) *pb.ProposalDescription {
	return &pb.ProposalDescription{ProposalType: []byte("groupContextExtensions"), Extensions: list}
}

// update is for propose only.
var update = &pb.ProposalDescription{ProposalType: []byte("update")}

// The extensions that every implementation knows: required_capabilities and external_senders, both empty.
var (
	noRequirements = &pb.Extension{ExtensionType: 3, ExtensionData: []byte{0, 0, 0}}
	noSenders      = &pb.Extension{ExtensionType: 5, ExtensionData: []byte{0}}
)

// adds makes a key package for each actor, and describes their Adds.
func (s *stage) adds(names ...string) []*pb.ProposalDescription {
	s.keyPackages(names...)
	var list []*pb.ProposalDescription
	for _, name := range names {
		list = append(list, &pb.ProposalDescription{ProposalType: []byte("add"), KeyPackage: s.actor(name).keyPackage})
	}
	return list
}

// add is adds for one.
func (s *stage) add(name string) *pb.ProposalDescription { return s.adds(name)[0] }

// psk gives all members and these actors, who have a key package, an external pre-shared key.
func (s *stage) psk(joiners ...string) *pb.ProposalDescription {
	id, secret := fmt.Appendf(nil, "psk %x", s.chance.Uint64()), fmt.Appendf(nil, "secret %x", s.chance.Uint64())
	s.secrets[string(id)] = secret
	store := func(a *actor, number uint32) {
		call(s, a, "StorePSK", a.client.rpc.StorePSK, &pb.StorePSKRequest{StateOrTransactionId: number, PskId: id, PskSecret: secret})
	}
	for _, m := range s.members {
		store(m, m.state)
	}
	for _, name := range joiners {
		store(s.actor(name), s.actor(name).transaction)
	}
	return pskOf(id)
}

// propose lets a member propose, and returns the message.
func (s *stage) propose(name string, d *pb.ProposalDescription) []byte {
	a := s.actor(name)
	rpc, kind := a.client.rpc, string(d.ProposalType)
	switch kind {
	case "add":
		return call(s, a, kind, rpc.AddProposal, &pb.AddProposalRequest{StateId: a.state, KeyPackage: d.KeyPackage}).GetProposal()
	case "update":
		return call(s, a, kind, rpc.UpdateProposal, &pb.UpdateProposalRequest{StateId: a.state}).GetProposal()
	case "remove":
		return call(s, a, kind, rpc.RemoveProposal, &pb.RemoveProposalRequest{StateId: a.state, RemovedId: d.RemovedId}).GetProposal()
	case "externalPSK":
		return call(s, a, kind, rpc.ExternalPSKProposal, &pb.ExternalPSKProposalRequest{StateId: a.state, PskId: d.PskId}).GetProposal()
	case "resumptionPSK":
		return call(s, a, kind, rpc.ResumptionPSKProposal, &pb.ResumptionPSKProposalRequest{StateId: a.state, EpochId: d.EpochId}).GetProposal()
	case "groupContextExtensions":
		return call(s, a, kind, rpc.GroupContextExtensionsProposal,
			&pb.GroupContextExtensionsProposalRequest{StateId: a.state, Extensions: d.Extensions}).GetProposal()
	}
	s.fail("nobody proposes %q", kind)
	return nil
}
