package server

import (
	"context"

	"snug/mls"
	pb "snug/mls/interop/mlsclient"
)

// GroupInfo describes the epoch to those who are not members.
func (s *Server) GroupInfo(_ context.Context, request *pb.GroupInfoRequest) (*pb.GroupInfoResponse, error) {
	return change(s, request.StateId, func(m *state) (*pb.GroupInfoResponse, error) {
		info, err := m.group.GroupInfoWith(mls.GroupInfoOptions{NoTree: request.ExternalTree})
		response := &pb.GroupInfoResponse{GroupInfo: info}
		if request.ExternalTree {
			response.RatchetTree = m.group.RatchetTree()
		}
		return response, err
	})
}

// StateAuth returns the epoch authenticator.
func (s *Server) StateAuth(_ context.Context, request *pb.StateAuthRequest) (*pb.StateAuthResponse, error) {
	return change(s, request.StateId, func(m *state) (*pb.StateAuthResponse, error) {
		return &pb.StateAuthResponse{StateAuthSecret: m.group.EpochAuthenticator()}, nil
	})
}

// Export derives a secret of the epoch.
func (s *Server) Export(_ context.Context, request *pb.ExportRequest) (*pb.ExportResponse, error) {
	return change(s, request.StateId, func(m *state) (*pb.ExportResponse, error) {
		secret, err := m.group.Export(request.Label, request.Context, int(request.KeyLength))
		return &pb.ExportResponse{ExportedSecret: secret}, err
	})
}

// Protect seals application data. It fails while the state has proposals that no commit has taken
// (RFC 9420, Section 12.4).
func (s *Server) Protect(_ context.Context, request *pb.ProtectRequest) (*pb.ProtectResponse, error) {
	return change(s, request.StateId, func(m *state) (*pb.ProtectResponse, error) {
		ciphertext, err := m.group.Seal(request.Plaintext, request.AuthenticatedData)
		return &pb.ProtectResponse{Ciphertext: ciphertext}, err
	})
}

// Unprotect opens application data of this epoch, or of one of the last few.
func (s *Server) Unprotect(_ context.Context, request *pb.UnprotectRequest) (*pb.UnprotectResponse, error) {
	return change(s, request.StateId, func(m *state) (*pb.UnprotectResponse, error) {
		g, err := m.inEpoch(request.Ciphertext)
		if err != nil {
			return nil, err
		}
		r, err := g.Process(request.Ciphertext)
		if err != nil {
			return nil, err
		}
		data, ok := r.(*mls.ApplicationMessage)
		if !ok {
			return nil, invalid("not another member's application data")
		}
		return &pb.UnprotectResponse{AuthenticatedData: data.AuthenticatedData, Plaintext: data.Data}, nil
	})
}

// StorePSK gives a state, or one to come, an external pre-shared key.
func (s *Server) StorePSK(_ context.Context, request *pb.StorePSKRequest) (*pb.StorePSKResponse, error) {
	var keys *keyring
	if m, err := get[*state](&s.entries, request.StateOrTransactionId); err == nil {
		keys = m.keys
	} else if t, err := get[*transaction](&s.entries, request.StateOrTransactionId); err == nil {
		keys = t.keys
	} else {
		return nil, errNotHeld
	}
	if err := keys.addExternal(request.PskId, request.PskSecret); err != nil {
		return nil, err
	}
	return &pb.StorePSKResponse{}, nil
}
