package server_test

import (
	"bytes"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "snug/mls/interop/mlsclient"
	"snug/mls/interop/server"
)

func create(t *testing.T, s *server.Server) uint32 {
	t.Helper()
	r, err := s.CreateGroup(t.Context(), &pb.CreateGroupRequest{GroupId: []byte("group"), CipherSuite: 1, Identity: []byte("alice")})
	if err != nil {
		t.Fatal(err)
	}
	return r.StateId
}

func keyPackage(t *testing.T, s *server.Server, name string) *pb.CreateKeyPackageResponse {
	t.Helper()
	r, err := s.CreateKeyPackage(t.Context(), &pb.CreateKeyPackageRequest{CipherSuite: 1, Identity: []byte(name)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestBound fills the table, and makes room by Free.
func TestBound(t *testing.T) {
	s := server.New(server.Options{MaxEntries: 2})
	first := create(t, s)
	keyPackage(t, s, "bob")
	if _, err := s.CreateKeyPackage(t.Context(), &pb.CreateKeyPackageRequest{CipherSuite: 1}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("one more than fits: %v, want ResourceExhausted", err)
	}
	if _, err := s.Free(t.Context(), &pb.FreeRequest{StateId: first}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.StateAuth(t.Context(), &pb.StateAuthRequest{StateId: first}); status.Code(err) != codes.NotFound {
		t.Errorf("a state that was freed: %v, want NotFound", err)
	}
	if next := create(t, s); next == first {
		t.Errorf("the number %d was given out twice", next)
	}
}

// TestRefusals makes calls that must fail, and looks at the code; the state is then as it was.
func TestRefusals(t *testing.T) {
	for _, reload := range []bool{false, true} {
		s := server.New(server.Options{Reload: reload})
		id := create(t, s)
		bob := keyPackage(t, s, "bob")
		ctx := t.Context()
		for _, row := range []struct {
			name string
			want codes.Code
			call func() error
		}{
			{"no such state", codes.NotFound, func() error { return second(s.StateAuth(ctx, &pb.StateAuthRequest{StateId: 99})) }},
			{"a transaction for a state", codes.NotFound, func() error {
				return second(s.StateAuth(ctx, &pb.StateAuthRequest{StateId: bob.TransactionId}))
			}},
			{"a state for a transaction", codes.NotFound, func() error { return second(s.JoinGroup(ctx, &pb.JoinGroupRequest{TransactionId: id})) }},
			{"free nothing", codes.NotFound, func() error { return second(s.Free(ctx, &pb.FreeRequest{StateId: 99})) }},
			{"a key for nobody", codes.NotFound, func() error { return second(s.StorePSK(ctx, &pb.StorePSKRequest{StateOrTransactionId: 99})) }},
			{"an unknown suite", codes.InvalidArgument, func() error {
				return second(s.CreateKeyPackage(ctx, &pb.CreateKeyPackageRequest{CipherSuite: 4}))
			}},
			{"a suite beyond 16 bits", codes.InvalidArgument, func() error {
				return second(s.CreateGroup(ctx, &pb.CreateGroupRequest{CipherSuite: 1 << 16, GroupId: []byte("g")}))
			}},
			{"no group id", codes.InvalidArgument, func() error { return second(s.CreateGroup(ctx, &pb.CreateGroupRequest{CipherSuite: 1})) }},
			{"nothing pending", codes.FailedPrecondition, func() error {
				return second(s.HandlePendingCommit(ctx, &pb.HandlePendingCommitRequest{StateId: id}))
			}},
			{"a key package that is none", codes.InvalidArgument, func() error {
				return second(s.AddProposal(ctx, &pb.AddProposalRequest{StateId: id, KeyPackage: []byte("none")}))
			}},
			{"a member that is none", codes.InvalidArgument, func() error {
				return second(s.RemoveProposal(ctx, &pb.RemoveProposalRequest{StateId: id, RemovedId: []byte("bob")}))
			}},
			{"a description of nothing", codes.InvalidArgument, func() error {
				return second(s.Commit(ctx, &pb.CommitRequest{StateId: id, ByValue: []*pb.ProposalDescription{{}}}))
			}},
			{"no description", codes.InvalidArgument, func() error {
				return second(s.Commit(ctx, &pb.CommitRequest{StateId: id, ByValue: []*pb.ProposalDescription{nil}}))
			}},
			{"a proposal that is none", codes.InvalidArgument, func() error {
				return second(s.Commit(ctx, &pb.CommitRequest{StateId: id, ByReference: [][]byte{{0, 1, 0, 1}}}))
			}},
			{"an extension type beyond 16 bits", codes.InvalidArgument, func() error {
				return second(s.GroupContextExtensionsProposal(ctx, &pb.GroupContextExtensionsProposalRequest{
					StateId: id, Extensions: []*pb.Extension{{ExtensionType: 1 << 16}},
				}))
			}},
			{"an unknown key", codes.InvalidArgument, func() error {
				return second(s.Commit(ctx, &pb.CommitRequest{
					StateId: id, ByValue: []*pb.ProposalDescription{{ProposalType: []byte("externalPSK"), PskId: []byte("none")}},
				}))
			}},
			{"too long an export", codes.InvalidArgument, func() error {
				return second(s.Export(ctx, &pb.ExportRequest{StateId: id, KeyLength: 1 << 31}))
			}},
			{"a ciphertext that is none", codes.InvalidArgument, func() error {
				return second(s.Unprotect(ctx, &pb.UnprotectRequest{StateId: id, Ciphertext: []byte{0, 1}}))
			}},
			{"a welcome that is none", codes.InvalidArgument, func() error {
				return second(s.JoinGroup(ctx, &pb.JoinGroupRequest{TransactionId: bob.TransactionId, Welcome: []byte{0, 1, 0, 3}}))
			}},
			{"another identity", codes.InvalidArgument, func() error {
				return second(s.JoinGroup(ctx, &pb.JoinGroupRequest{TransactionId: bob.TransactionId, Identity: []byte("eve")}))
			}},
		} {
			before, err := s.StateAuth(ctx, &pb.StateAuthRequest{StateId: id})
			if err != nil {
				t.Fatal(err)
			}
			if err := row.call(); status.Code(err) != row.want {
				t.Errorf("%s: %v, want %v", row.name, err, row.want)
			}
			after, err := s.StateAuth(ctx, &pb.StateAuthRequest{StateId: id})
			if err != nil || !bytes.Equal(before.StateAuthSecret, after.GetStateAuthSecret()) {
				t.Errorf("%s: the state is another (%v)", row.name, err)
			}
		}
		// What failed has left no proposal behind: application data can be sent.
		if _, err := s.Protect(ctx, &pb.ProtectRequest{StateId: id}); err != nil {
			t.Error(err)
		}
	}
}

// second is the error of a call.
func second[T any](_ T, err error) error { return err }

// TestFailedCommitForgets lets a commit fail after it has heard a proposal: the proposal can be heard again.
func TestFailedCommitForgets(t *testing.T) {
	for _, reload := range []bool{false, true} {
		s := server.New(server.Options{Reload: reload})
		ctx := t.Context()
		alice := create(t, s)
		bob := keyPackage(t, s, "bob")
		c, err := s.Commit(ctx, &pb.CommitRequest{StateId: alice, ByValue: []*pb.ProposalDescription{{
			ProposalType: []byte("add"), KeyPackage: bob.KeyPackage,
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.HandlePendingCommit(ctx, &pb.HandlePendingCommitRequest{StateId: alice}); err != nil {
			t.Fatal(err)
		}
		joined, err := s.JoinGroup(ctx, &pb.JoinGroupRequest{TransactionId: bob.TransactionId, Welcome: c.Welcome, EncryptHandshake: true})
		if err != nil {
			t.Fatal(err)
		}
		update, err := s.UpdateProposal(ctx, &pb.UpdateProposalRequest{StateId: joined.StateId})
		if err != nil {
			t.Fatal(err)
		}
		request := &pb.CommitRequest{StateId: alice, ByReference: [][]byte{update.Proposal, {0}}}
		if _, err := s.Commit(ctx, request); status.Code(err) != codes.InvalidArgument {
			t.Fatalf("half of the proposals are none: %v", err)
		}
		request.ByReference = request.ByReference[:1]
		if c, err = s.Commit(ctx, request); err != nil {
			t.Fatalf("the commit that failed keeps another from being made: %v", err)
		}
		if _, err := s.HandleCommit(ctx, &pb.HandleCommitRequest{StateId: joined.StateId, Commit: c.Commit}); err != nil {
			t.Fatal(err)
		}
	}
}
