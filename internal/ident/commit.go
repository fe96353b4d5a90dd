package ident

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// Commit is what a device signs of a commit that it sends to a room. MLS signs the commit too, but nobody can tell who
// sent one that does not open; by this signature everybody can, and the server refuses a commit without it.
type Commit struct {
	Room    RoomID
	Message MessageID
	Epoch   uint64
	// Devices is the DevicesHash of those that the server is told of.
	Devices Hash
	// Replaces is the seq of the commit that a reboot replaces, ReplacedHead the head after it; zero for other commits.
	Replaces     uint64
	ReplacedHead Hash
	// Payload is the PayloadHash of the MLS commit.
	Payload Hash
}

func (c *Commit) transcript() []byte {
	b := make([]byte, 0, 2*idSize+2*8+3*sha256.Size)
	b = append(b, c.Room[:]...)
	b = append(b, c.Message[:]...)
	b = binary.BigEndian.AppendUint64(b, c.Epoch)
	b = append(b, c.Devices[:]...)
	b = binary.BigEndian.AppendUint64(b, c.Replaces)
	b = append(b, c.ReplacedHead[:]...)
	return append(b, c.Payload[:]...)
}

// SignCommit signs what a commit is and does: 64 bytes.
func SignCommit(key DeviceKey, c *Commit) []byte { return key.Sign(labelCommit, c.transcript()) }

// VerifyCommit checks what SignCommit made, with the device's key from its account's chain. The error is ErrSignature.
func VerifyCommit(key PublicKey, c *Commit, signature []byte) error {
	return key.Verify(labelCommit, c.transcript(), signature)
}

// DevicesHash hashes the devices that a commit adds and removes. Their order does not matter.
func DevicesHash(added, removed []Credential) Hash {
	b := []byte(labelCommitDevices)
	for _, list := range [][]Credential{added, removed} {
		sorted := make([][]byte, 0, len(list))
		for _, d := range list {
			sorted = append(sorted, slices.Concat(d.Account[:], d.Device[:]))
		}
		slices.SortFunc(sorted, bytes.Compare)
		b = binary.BigEndian.AppendUint32(b, uint32(len(sorted)))
		b = append(b, bytes.Join(sorted, nil)...)
	}
	return sha256.Sum256(b)
}

// Reject is a device's word that it cannot take a commit.
type Reject struct {
	Room    RoomID
	Message MessageID
	// Seq is the commit's, Head the head after it.
	Seq    uint64
	Head   Hash
	Reason uint8 // as the wire numbers them
}

func (r *Reject) transcript() []byte {
	b := make([]byte, 0, 2*idSize+8+sha256.Size+1)
	b = append(b, r.Room[:]...)
	b = append(b, r.Message[:]...)
	b = binary.BigEndian.AppendUint64(b, r.Seq)
	b = append(b, r.Head[:]...)
	return append(b, r.Reason)
}

// SignReject signs a reject: 64 bytes.
func SignReject(key DeviceKey, r *Reject) []byte { return key.Sign(labelReject, r.transcript()) }

// VerifyReject checks what SignReject made, with the device's key from its account's chain. The error is ErrSignature.
func VerifyReject(key PublicKey, r *Reject, signature []byte) error {
	return key.Verify(labelReject, r.transcript(), signature)
}

// Restart is a device's word that it begins a room anew, in which its account is alone and of which it has no keys.
type Restart struct {
	Room    RoomID
	Message MessageID
	// Epoch is the room's before it.
	Epoch uint64
	// Statements is how long a chain of its account the device goes by.
	Statements uint64
}

func (r *Restart) transcript() []byte {
	b := make([]byte, 0, 2*idSize+2*8)
	b = append(b, r.Room[:]...)
	b = append(b, r.Message[:]...)
	b = binary.BigEndian.AppendUint64(b, r.Epoch)
	return binary.BigEndian.AppendUint64(b, r.Statements)
}

// SignRestart signs a restart: 64 bytes.
func SignRestart(key DeviceKey, r *Restart) []byte { return key.Sign(labelRestart, r.transcript()) }

// VerifyRestart checks what SignRestart made, with the device's key from its account's chain. The error is ErrSignature.
func VerifyRestart(key PublicKey, r *Restart, signature []byte) error {
	return key.Verify(labelRestart, r.transcript(), signature)
}
