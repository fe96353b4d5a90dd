package ident

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// ErrArchive says that a part of an archive did not open: damaged, of another place,
// or sealed under another account's vault key. Which, cryptography cannot tell.
var ErrArchive = errors.New("ident: a part of the archive does not open")

const (
	archiveVersion = 1
	// minChunk and maxChunk are the least and the most that a chunk's text is padded to,
	// in bytes; minHead and maxHead those of a head.
	minChunk, maxChunk = 2 << 10, 64 << 10
	minHead, maxHead   = 1 << 10, 256 << 10
	// chunkFields is what stands before a chunk's contents: previous, first, last.
	chunkFields = 32 + 8 + 8
	// lengthSize is the length before what is padded.
	lengthSize = 4

	// MaxChunkContents bounds what one chunk holds, in bytes, MaxHeadContents a head.
	MaxChunkContents = maxChunk - chunkFields - lengthSize
	MaxHeadContents  = maxHead - lengthSize
	// MaxArchiveChunk and MaxArchiveHead bound what is sealed, in bytes.
	MaxArchiveChunk = 1 + nonceSize + maxChunk + tagSize
	MaxArchiveHead  = 1 + nonceSize + maxHead + tagSize
)

// ArchivePlace is where a chunk stands: Index counts the room's chunks from 0.
type ArchivePlace struct {
	Account AccountID
	Room    RoomID
	Index   uint32
}

// ArchiveChunk is a stretch of a room's history, for the account's devices to come. It
// covers the log from First to Last, both included.
type ArchiveChunk struct {
	// Previous is ArchiveChunkHash of the chunk before; zero in the first.
	Previous    Hash
	First, Last uint64
	// Contents has at most MaxChunkContents bytes.
	Contents []byte
}

// SealArchiveChunk seals a chunk with AES-256-GCM, under a key that is derived from the
// vault key for this account and room, with version and place as associated data. It is
// padded to a power of two from 2 KiB to 64 KiB and not compressed: how well a text
// compresses tells of what it says. rand gives 12 bytes.
func SealArchiveChunk(rand io.Reader, key VaultKey, at ArchivePlace, c ArchiveChunk) ([]byte, error) {
	if c.First == 0 || c.Last < c.First || len(c.Contents) > MaxChunkContents {
		return nil, fmt.Errorf("ident: sealing a chunk of %d to %d with %d bytes", c.First, c.Last, len(c.Contents))
	}
	b := append([]byte(nil), c.Previous[:]...)
	b = appendUint64(appendUint64(b, c.First), c.Last)
	return sealArchive(rand, chunkKey(key, at), pad(b, c.Contents, minChunk), at.associated())
}

// OpenArchiveChunk opens what SealArchiveChunk gave for the same place. Whether it is the
// right one of several that were ever sealed for the place, its hash tells. The error is
// ErrArchive.
func OpenArchiveChunk(key VaultKey, at ArchivePlace, sealed []byte) (c ArchiveChunk, err error) {
	b, err := openArchive(chunkKey(key, at), sealed, maxChunk, at.associated())
	if err != nil || len(b) < minChunk {
		return c, ErrArchive
	}
	r := reader{rest: b}
	r.fill(c.Previous[:])
	c.First, c.Last = r.uint64(), r.uint64()
	if c.Contents, err = unpad(&r); err != nil || c.First == 0 || c.Last < c.First {
		return ArchiveChunk{}, ErrArchive
	}
	return c, nil
}

// ArchiveChunkHash names a sealed chunk in the one after it, and in the head.
func ArchiveChunkHash(sealed []byte) Hash {
	return sha256.Sum256(append([]byte(labelArchiveHash), sealed...))
}

// SealArchiveHead seals what an account's devices agree upon about its archive. revision
// is from 1 and grows with every change, by which a device tells an old head.
func SealArchiveHead(rand io.Reader, key VaultKey, account AccountID, revision uint64, contents []byte) ([]byte, error) {
	if revision == 0 || len(contents) > MaxHeadContents {
		return nil, fmt.Errorf("ident: sealing head %d of an archive with %d bytes", revision, len(contents))
	}
	return sealArchive(rand, headKey(key, account), pad(nil, contents, minHead), headLabel(account, revision))
}

// OpenArchiveHead opens what SealArchiveHead gave for the same revision. The error is
// ErrArchive.
func OpenArchiveHead(key VaultKey, account AccountID, revision uint64, sealed []byte) ([]byte, error) {
	b, err := openArchive(headKey(key, account), sealed, maxHead, headLabel(account, revision))
	if err != nil {
		return nil, ErrArchive
	}
	contents, err := unpad(&reader{rest: b})
	if err != nil {
		return nil, ErrArchive
	}
	return contents, nil
}

func (p ArchivePlace) associated() []byte {
	b := append([]byte(labelArchiveChunk), archiveVersion)
	b = append(b, p.Account[:]...)
	b = append(b, p.Room[:]...)
	return appendUint32(b, p.Index)
}

func headLabel(account AccountID, revision uint64) []byte {
	b := append([]byte(labelArchiveHead), archiveVersion)
	b = append(b, account[:]...)
	return appendUint64(b, revision)
}

func chunkKey(key VaultKey, at ArchivePlace) *[32]byte {
	return archiveKey(key, labelArchiveChunk+string(at.Account[:])+string(at.Room[:]))
}

func headKey(key VaultKey, account AccountID) *[32]byte {
	return archiveKey(key, labelArchiveHead+string(account[:]))
}

func archiveKey(key VaultKey, info string) *[32]byte {
	b, err := hkdf.Key(sha256.New, key.key()[:], nil, info, 32)
	if err != nil {
		panic("ident: internal error: " + err.Error())
	}
	return (*[32]byte)(b)
}

func sealArchive(rand io.Reader, key *[32]byte, plaintext, associated []byte) ([]byte, error) {
	sealed, err := seal(rand, key, plaintext, associated)
	if err != nil {
		return nil, err
	}
	return append([]byte{archiveVersion}, sealed...), nil
}

func openArchive(key *[32]byte, sealed []byte, most int, associated []byte) ([]byte, error) {
	if len(sealed) < 1 || sealed[0] != archiveVersion || len(sealed) > 1+nonceSize+most+tagSize {
		return nil, ErrArchive
	}
	b, err := open(key, sealed[1:], associated)
	if err != nil || len(b)&(len(b)-1) != 0 {
		return nil, ErrArchive
	}
	return b, nil
}

// pad writes contents after b, with their length before and zeros after them, up to the
// next power of two that is at least least.
func pad(b, contents []byte, least int) []byte {
	size := least
	for size < len(b)+lengthSize+len(contents) {
		size *= 2
	}
	b = append(appendUint32(b, uint32(len(contents))), contents...)
	return append(b, make([]byte, size-len(b))...)
}

// unpad reads what pad wrote.
func unpad(r *reader) ([]byte, error) {
	contents := r.take(int(r.uint32()))
	if r.err != nil || len(bytes.TrimLeft(r.rest, "\x00")) > 0 {
		return nil, ErrArchive
	}
	return contents, nil
}
