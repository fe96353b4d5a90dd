package player

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "snug/mls/interop/mlsclient"
)

// A stage is a scenario while it is played. The first error stays, and every step after it does nothing, so that a
// scenario reads as the story that it tells.
type stage struct {
	ctx     context.Context
	setting Setting
	chance  *rand.Rand
	err     error
	// steps counts calls, for messages.
	steps int

	actors map[string]*actor
	// members are in the group, in the order in which they came.
	members []*actor
	groupID []byte
	// secrets are the pre-shared keys by their ids.
	secrets map[string][]byte
	// suite is the setting's, until the group is reinitialized with another.
	suite         uint32
	epoch         uint64
	authenticator []byte
}

// An actor is a device, played by one of the cast.
type actor struct {
	name   string
	client *Client
	state  uint32
	// earlier are states that the client gave another number in the next epoch. They may still be asked for messages.
	earlier []uint32
	// since is the epoch in which the state began.
	since       uint64
	transaction uint32
	keyPackage  []byte
	signer      uint32
	reinit      uint32
}

// actor returns the actor of this name, who comes on when first called.
func (s *stage) actor(name string) *actor {
	a := s.actors[name]
	if a == nil {
		a = &actor{name: name, client: s.setting.Cast[len(s.actors)%len(s.setting.Cast)]}
		s.actors[name] = a
	}
	return a
}

func (s *stage) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// call asks an actor's client for something. The answer is nil once the scenario has failed; its getters are good all the same.
func call[Q, R any](s *stage, a *actor, what string, f func(context.Context, Q, ...grpc.CallOption) (*R, error), request Q) *R {
	if s.err != nil {
		return nil
	}
	s.steps++
	response, err := f(s.ctx, request)
	if err != nil {
		s.fail("%s of %s (%s): %w", what, a.name, a.client.Name, err)
		return nil
	}
	return response
}

// refused is call for what must fail, and not for want of the call or of the peer.
func refused[Q, R any](s *stage, a *actor, what string, f func(context.Context, Q, ...grpc.CallOption) (*R, error), request Q) {
	if s.err != nil {
		return
	}
	s.steps++
	_, err := f(s.ctx, request)
	switch status.Code(err) {
	case codes.OK:
		s.fail("%s of %s (%s) was not refused", what, a.name, a.client.Name)
	case codes.Unimplemented, codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		s.fail("%s of %s (%s) should be refused: %w", what, a.name, a.client.Name, err)
	}
}

// create makes the group, with a first member.
func (s *stage) create(name string, others ...string) {
	a := s.actor(name)
	s.groupID = newGroupID()
	s.suite, s.epoch = s.setting.Suite, 0
	a.state = call(s, a, "CreateGroup", a.client.rpc.CreateGroup, &pb.CreateGroupRequest{
		GroupId: s.groupID, CipherSuite: s.suite, EncryptHandshake: s.setting.Encrypt, Identity: []byte(a.name),
	}).GetStateId()
	s.members = []*actor{a}
	if len(others) > 0 {
		s.commit(name, change{values: s.adds(others...), joiners: others})
	}
}

// keyPackages makes a key package for each actor.
func (s *stage) keyPackages(names ...string) {
	for _, name := range names {
		a := s.actor(name)
		response := call(s, a, "CreateKeyPackage", a.client.rpc.CreateKeyPackage,
			&pb.CreateKeyPackageRequest{CipherSuite: s.suite, Identity: []byte(name)})
		a.transaction, a.keyPackage = response.GetTransactionId(), response.GetKeyPackage()
	}
}

// A change is what a commit does.
type change struct {
	// refs are proposals as they were sent, and values go into the commit itself.
	refs   [][]byte
	values []*pb.ProposalDescription
	// joiners enter by the Welcome, and leavers go.
	joiners, leavers        []string
	forcePath, externalTree bool
}

// commit lets a member commit, and all others follow.
func (s *stage) commit(name string, c change) {
	a := s.actor(name)
	response := call(s, a, "Commit", a.client.rpc.Commit, &pb.CommitRequest{
		StateId: a.state, ByReference: c.refs, ByValue: c.values, ForcePath: c.forcePath, ExternalTree: c.externalTree,
	})
	if c.externalTree && len(c.joiners) > 0 && len(response.GetRatchetTree()) == 0 || !c.externalTree && len(response.GetRatchetTree()) > 0 {
		s.fail("the commit of %s has a tree of %d bytes", name, len(response.GetRatchetTree()))
	}
	handled := call(s, a, "HandlePendingCommit", a.client.rpc.HandlePendingCommit, &pb.HandlePendingCommitRequest{StateId: a.state})
	a.enter(handled.GetStateId())
	s.begin(handled.GetEpochAuthenticator())
	var left []*actor
	s.members = slices.DeleteFunc(s.members, func(m *actor) bool {
		if slices.Contains(c.leavers, m.name) {
			left = append(left, m)
			return true
		}
		return false
	})
	s.follow(a, c.refs, response.GetCommit())
	s.expel(left, c.refs, response.GetCommit())
	for _, joiner := range c.joiners {
		s.join(joiner, response)
	}
	s.agree(a)
}

// enter takes the number of an actor's state in the next epoch.
func (a *actor) enter(state uint32) {
	if a.state != state && a.state != 0 {
		a.earlier = append(a.earlier, a.state)
	}
	a.state = state
}

// begin begins the next epoch.
func (s *stage) begin(authenticator []byte) {
	if bytes.Equal(s.authenticator, authenticator) {
		s.fail("the epoch authenticator is still %x", authenticator)
	}
	s.epoch++
	s.authenticator = authenticator
}

// follow lets all members but the committer handle a commit.
func (s *stage) follow(committer *actor, proposals [][]byte, commit []byte) {
	for _, m := range s.members {
		if m == committer {
			continue
		}
		response := call(s, m, "HandleCommit", m.client.rpc.HandleCommit,
			&pb.HandleCommitRequest{StateId: m.state, Proposal: proposals, Commit: commit})
		m.enter(response.GetStateId())
		s.same(m, response.GetEpochAuthenticator())
	}
}

// expel checks that those who are removed do not get into the next epoch, and lets them go.
func (s *stage) expel(left []*actor, proposals [][]byte, commit []byte) {
	for _, m := range left {
		if s.err != nil {
			return
		}
		response, err := m.client.rpc.HandleCommit(s.ctx, &pb.HandleCommitRequest{StateId: m.state, Proposal: proposals, Commit: commit})
		if err == nil && bytes.Equal(response.GetEpochAuthenticator(), s.authenticator) {
			s.fail("%s (%s) was removed and follows", m.name, m.client.Name)
		}
		s.freeState(m)
	}
}

// join lets an actor enter by the Welcome of a commit.
func (s *stage) join(name string, commit *pb.CommitResponse) {
	a := s.actor(name)
	response := call(s, a, "JoinGroup", a.client.rpc.JoinGroup, &pb.JoinGroupRequest{
		TransactionId: a.transaction, Welcome: commit.GetWelcome(), EncryptHandshake: s.setting.Encrypt,
		Identity: []byte(name), RatchetTree: commit.GetRatchetTree(),
	})
	a.state = response.GetStateId()
	a.since = s.epoch
	s.same(a, response.GetEpochAuthenticator())
	s.members = append(s.members, a)
}

// same checks that a member is in the epoch of the others.
func (s *stage) same(a *actor, authenticator []byte) {
	if !bytes.Equal(authenticator, s.authenticator) || len(authenticator) == 0 {
		s.fail("%s (%s) has the epoch authenticator %x, want %x", a.name, a.client.Name, authenticator, s.authenticator)
	}
}

// agree checks that all members are in one state, and hear one of them.
func (s *stage) agree(speaker *actor) {
	var exported []byte
	for _, m := range s.members {
		auth := call(s, m, "StateAuth", m.client.rpc.StateAuth, &pb.StateAuthRequest{StateId: m.state}).GetStateAuthSecret()
		if len(auth) > 0 || !s.setting.Lenient {
			s.same(m, auth)
		}
		secret := call(s, m, "Export", m.client.rpc.Export, &pb.ExportRequest{
			StateId: m.state, Label: "interop", Context: s.groupID, KeyLength: 40,
		}).GetExportedSecret()
		if len(secret) == 0 && s.setting.Lenient {
			continue
		}
		if exported == nil {
			exported = secret
		}
		if s.err == nil && (!bytes.Equal(secret, exported) || len(secret) != 40) {
			s.fail("%s (%s) exports %x, want %x", m.name, m.client.Name, secret, exported)
		}
	}
	s.hear(speaker, s.protect(speaker))
}

// A said is application data on its way.
type said struct {
	by                 *actor
	data, text, sealed []byte
}

// protect lets a member say something.
func (s *stage) protect(a *actor) said {
	m := said{by: a, data: fmt.Appendf(nil, "data %d", s.steps), text: fmt.Appendf(nil, "%s in epoch %d", a.name, s.epoch)}
	m.sealed = call(s, a, "Protect", a.client.rpc.Protect,
		&pb.ProtectRequest{StateId: a.state, AuthenticatedData: m.data, Plaintext: m.text}).GetCiphertext()
	return m
}

// hear lets all others read it.
func (s *stage) hear(speaker *actor, m said) {
	for _, a := range s.members {
		if a != speaker {
			s.unprotect(a, m)
		}
	}
}

func (s *stage) unprotect(a *actor, m said) {
	response := call(s, a, "Unprotect", a.client.rpc.Unprotect, &pb.UnprotectRequest{StateId: a.state, Ciphertext: m.sealed})
	if !bytes.Equal(response.GetPlaintext(), m.text) || !bytes.Equal(response.GetAuthenticatedData(), m.data) {
		s.fail("%s (%s) reads %q with %q, want %q with %q", a.name, a.client.Name,
			response.GetPlaintext(), response.GetAuthenticatedData(), m.text, m.data)
	}
}

// free forgets all states that are left.
func (s *stage) free() {
	for _, a := range s.actors {
		s.freeState(a)
	}
}

// freeState forgets an actor's state. A client that has forgotten it by itself, or does not know Free, may say so.
func (s *stage) freeState(a *actor) {
	for _, state := range append(a.earlier, a.state) {
		if state == 0 {
			continue
		}
		_, err := a.client.rpc.Free(s.ctx, &pb.FreeRequest{StateId: state})
		if status.Code(err) == codes.Unavailable {
			s.err = errors.Join(s.err, err)
		}
	}
	a.state, a.earlier = 0, nil
}
