package server

import (
	"bytes"
	"context"
	"crypto"
	"time"

	"snug/mls"
	pb "snug/mls/interop/mlsclient"
)

// A transaction is a key package that waits for a Welcome.
type transaction struct {
	private *mls.KeyPackagePrivate
	signer  crypto.Signer
	keys    *keyring
}

// lifetime of key packages: as long as the strictest peer takes, and begun already for one whose clock is behind.
const (
	lifetimeBefore = time.Hour
	lifetimeAfter  = 28 * 24 * time.Hour
)

func (s *Server) lifetime() mls.Lifetime {
	now := s.opts.Now()
	return mls.Lifetime{NotBefore: uint64(now.Add(-lifetimeBefore).Unix()), NotAfter: uint64(now.Add(lifetimeAfter).Unix())}
}

// CreateGroup makes a group of one.
func (s *Server) CreateGroup(_ context.Context, request *pb.CreateGroupRequest) (*pb.CreateGroupResponse, error) {
	suite, err := suiteOf(request.CipherSuite)
	if err != nil {
		return nil, err
	}
	if len(request.GroupId) == 0 {
		return nil, invalid("a group without an id")
	}
	signer, err := newSigner(suite)
	if err != nil {
		return nil, statusOf(err)
	}
	keys := newKeyring()
	g, err := mls.NewGroup(config(signer, keys, request.EncryptHandshake), mls.CreateOptions{
		Suite: suite, GroupID: request.GroupId, Credential: mls.BasicCredential(request.Identity), Lifetime: s.lifetime(),
	})
	if err != nil {
		return nil, statusOf(err)
	}
	id, err := s.newState(g, signer, keys, request.EncryptHandshake)
	if err != nil {
		return nil, err
	}
	return &pb.CreateGroupResponse{StateId: id}, nil
}

// newTransaction makes a key package.
func (s *Server) newTransaction(suite mls.CipherSuite, identity []byte) (*transaction, error) {
	signer, err := newSigner(suite)
	if err != nil {
		return nil, statusOf(err)
	}
	_, private, err := mls.NewKeyPackage(mls.KeyPackageOptions{
		Suite: suite, Credential: mls.BasicCredential(identity), Signer: signer, Lifetime: s.lifetime(),
	})
	if err != nil {
		return nil, statusOf(err)
	}
	return &transaction{private, signer, newKeyring()}, nil
}

// CreateKeyPackage makes a key package for one JoinGroup or HandleBranch.
func (s *Server) CreateKeyPackage(_ context.Context, request *pb.CreateKeyPackageRequest) (*pb.CreateKeyPackageResponse, error) {
	suite, err := suiteOf(request.CipherSuite)
	if err != nil {
		return nil, err
	}
	t, err := s.newTransaction(suite, request.Identity)
	if err != nil {
		return nil, err
	}
	response := &pb.CreateKeyPackageResponse{KeyPackage: t.private.KeyPackage().Marshal()}
	response.InitPriv, response.EncryptionPriv = t.private.Keys()
	if response.SignaturePriv, err = signaturePrivate(t.signer); err != nil {
		return nil, statusOf(err)
	}
	if response.TransactionId, err = s.entries.put(t); err != nil {
		return nil, err
	}
	return response, nil
}

// find is for mls.Join.
func (t *transaction) find(ref mls.KeyPackageRef) *mls.KeyPackagePrivate {
	if ref != t.private.KeyPackage().Ref() {
		return nil
	}
	return t.private
}

// JoinGroup enters the group of a Welcome. The transaction is used up by it.
func (s *Server) JoinGroup(_ context.Context, request *pb.JoinGroupRequest) (*pb.JoinGroupResponse, error) {
	t, err := get[*transaction](&s.entries, request.TransactionId)
	if err != nil {
		return nil, err
	}
	if own := t.private.KeyPackage().LeafNode.Credential.Identity; len(request.Identity) > 0 && !bytes.Equal(request.Identity, own) {
		return nil, invalid("the key package is of another identity")
	}
	g, err := mls.Join(config(t.signer, t.keys, request.EncryptHandshake), request.Welcome, t.find, mls.JoinOptions{
		RatchetTree: request.RatchetTree, Now: s.opts.Now(),
	})
	if err != nil {
		return nil, statusOf(err)
	}
	id, err := s.newState(g, t.signer, t.keys, request.EncryptHandshake)
	if err != nil {
		return nil, err
	}
	s.entries.remove(request.TransactionId)
	return &pb.JoinGroupResponse{StateId: id, EpochAuthenticator: g.EpochAuthenticator()}, nil
}
