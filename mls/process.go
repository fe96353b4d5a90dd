package mls

// A Result is what a message turned out to be: *ApplicationMessage, *ReceivedProposal, *StagedCommit or *OwnMessage.
type Result interface{ result() }

// An ApplicationMessage is data that a member sealed. Its key is gone from the group: save Delta with what becomes of the data.
type ApplicationMessage struct {
	Sender            Member
	AuthenticatedData []byte
	Data              []byte
	Generation        uint32
}

// A ReceivedProposal is a proposal by another member, or by this one. It is pending until the epoch ends.
type ReceivedProposal struct {
	Sender            Member
	Proposal          Proposal
	AuthenticatedData []byte
	// Own says that this member made it.
	Own bool

	ref []byte
}

// An OwnMessage is a message that this member sent, come back. The key was gone when it was sent, so nothing of it
// was verified: compare the bytes with what was sent, if that matters, and merge the StagedCommit that was saved.
type OwnMessage struct {
	Epoch             uint64
	Content           ContentType
	AuthenticatedData []byte
	// Generation is that of a PrivateMessage.
	Generation uint32
}

func (*ApplicationMessage) result() {}
func (*ReceivedProposal) result()   {}
func (*StagedCommit) result()       {}
func (*OwnMessage) result()         {}

// ContentType is what a message carries (RFC 9420, Section 6).
type ContentType uint8

const (
	ContentApplication ContentType = 1
	ContentProposal    ContentType = 2
	ContentCommit      ContentType = 3
)

// Process opens a PublicMessage or PrivateMessage of the group. A message of another epoch is an *EpochError; used and
// far-off generations are a *GenerationError. On any error g is as it was.
func (g *Group) Process(message []byte) (Result, error) { return nil, ErrUnsupported }

// Seal encrypts and signs plaintext for the group. The key is used up: save Delta before the message leaves the device.
// authenticatedData is readable by the delivery service, and protected by the signature.
// It returns ErrPendingProposals while proposals wait for a commit.
func (g *Group) Seal(plaintext, authenticatedData []byte) (message []byte, err error) {
	return nil, ErrUnsupported
}

// MessageEpoch reads from a PublicMessage or PrivateMessage the group and the epoch that it says it is of, without
// checking anything.
func MessageEpoch(message []byte) (groupID []byte, epoch uint64, err error) {
	return nil, 0, ErrUnsupported
}
