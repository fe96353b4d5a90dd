package server

import (
	"bytes"
	"crypto"
	"errors"
	"maps"
	"slices"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"snug/mls"
)

// maxPast is how many past epochs a state keeps, for messages that arrive after the commit that ended theirs, and maxResumption
// of how many it keeps the resumption secret. The runner's scripts look back one epoch and three.
const (
	maxPast       = 4
	maxResumption = 64
)

// A state is one member's view of one group.
type state struct {
	// keys has a lock of its own: groups ask it while the state is locked.
	keys    *keyring
	signer  crypto.Signer
	encrypt bool
	reload  bool

	mu sync.Mutex
	view
	// records are what a database would hold, with reload.
	records map[string][]byte
}

// A view is what a call may change, and what is as before when it fails.
type view struct {
	group *mls.Group
	// past are groups of earlier epochs, the latest last.
	past []*mls.Group
	// pending is the own commit that waits for HandlePendingCommit.
	pending *mls.StagedCommit
	// refs are the epoch's proposals by the message that brought them.
	refs map[string]mls.ProposalRef
}

// config is that of the state's groups.
func (m *state) config() mls.Config { return config(m.signer, m.keys, m.encrypt) }

func config(signer crypto.Signer, keys *keyring, encrypt bool) mls.Config {
	return mls.Config{
		Verifier: basic{}, Policy: mls.AllowAll, Signer: signer, PSK: keys.find, PublicProposals: !encrypt,
		ExternalCommits: true, Admit: func(*mls.ReceivedProposal) error { return nil },
	}
}

// newState holds a group that was just made or joined. The keyring gets its resumption secret.
func (s *Server) newState(g *mls.Group, signer crypto.Signer, keys *keyring, encrypt bool) (uint32, error) {
	m := &state{keys: keys, signer: signer, encrypt: encrypt, reload: s.opts.Reload, records: make(map[string][]byte)}
	m.view = view{group: g, refs: make(map[string]mls.ProposalRef)}
	if err := m.save(); err != nil {
		return 0, err
	}
	m.keepResumption()
	return s.entries.put(m)
}

// change runs f on a state. When f fails the state is as it was, and the error becomes a status.
func change[R any](s *Server, id uint32, f func(*state) (R, error)) (R, error) {
	var none R
	m, err := get[*state](&s.entries, id)
	if err != nil {
		return none, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.view
	before.group, before.refs = m.group.Clone(), maps.Clone(m.refs)
	response, err := f(m)
	if err == nil {
		err = m.save()
	}
	if err != nil {
		m.view = before
		if loading := m.load(); loading != nil {
			err = loading
		}
		return none, statusOf(err)
	}
	return response, nil
}

// save writes the group's delta to the records and loads it from them.
func (m *state) save() error {
	if !m.reload {
		return nil
	}
	d := m.group.Delta()
	for _, r := range d.Puts {
		m.records[r.Key] = bytes.Clone(r.Value)
	}
	for _, key := range d.Deletes {
		delete(m.records, key)
	}
	return m.load()
}

// load takes group and pending commit from what was saved.
func (m *state) load() error {
	if !m.reload {
		return nil
	}
	g, err := mls.LoadGroup(m.config(), maps.All(m.records))
	if err != nil {
		return status.Errorf(codes.Internal, "loading a saved state: %v", err)
	}
	m.group = g
	if m.pending == nil {
		return nil
	}
	if m.pending, err = mls.LoadStagedCommit(g, m.pending.Save()); err != nil {
		return status.Errorf(codes.Internal, "loading a saved commit: %v", err)
	}
	return nil
}

// merge takes the state into the epoch that a commit begins.
func (m *state) merge(c *mls.StagedCommit) error {
	before := m.group.Clone()
	if err := m.group.Merge(c); err != nil {
		return err
	}
	m.past = append(m.past, before)
	m.past = slices.Clone(m.past[max(0, len(m.past)-maxPast):])
	m.pending, m.refs = nil, make(map[string]mls.ProposalRef)
	m.keepResumption()
	return nil
}

func (m *state) keepResumption() {
	m.keys.addResumption(m.group.GroupID(), m.group.Epoch(), m.group.ResumptionPSK())
}

// inEpoch returns the group as it is or was in the epoch of a message.
func (m *state) inEpoch(message []byte) (*mls.Group, error) {
	_, epoch, err := mls.MessageEpoch(message)
	if err != nil {
		return nil, err
	}
	for _, g := range m.past {
		if g.Epoch() == epoch {
			return g, nil
		}
	}
	return m.group, nil
}

// basic is the verifier of a test: a basic credential belongs to whoever shows it, and a member stays who it is.
type basic struct{}

var errIdentity = errors.New("server: a member's identity changes")

func (basic) VerifyMember(m mls.Member) error {
	if m.Credential.Type != mls.CredentialBasic {
		return errors.New("server: not a basic credential")
	}
	return nil
}

func (b basic) VerifySuccession(old, next mls.Member) error {
	if !old.Credential.Equal(next.Credential) {
		return errIdentity
	}
	return b.VerifyMember(next)
}
