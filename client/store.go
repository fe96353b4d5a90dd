package client

import (
	"context"
	"errors"
)

// ErrConflict is what Commit gives where the store's generation is not the one that the caller knows: somebody else has
// written, and nothing of the batch was.
var ErrConflict = errors.New("client: the store was written by somebody else")

// ErrStoreClosed is what every method of a closed Store gives.
var ErrStoreClosed = errors.New("client: the store is closed")

// Store is a transactional, ordered key-value store that holds one device. Its methods may be called concurrently, and
// several Stores may be open on the same data at once: other processes, other tabs.
//
// Keys are ordered as byte strings, are not empty, and have at most 512 bytes. They are structure, not content: an implementation seals
// values and may leave keys readable. Values have at most 16 MiB and belong to who reads them.
//
// Every implementation passes the suite in internal/testkit.
type Store interface {
	// Get gives the value at key; nil where there is none. An empty value is not nil.
	Get(ctx context.Context, key string) ([]byte, error)

	// Scan gives the records whose keys begin with Prefix, in ascending order from the first key >= From (where From is
	// not empty), or with Reverse in descending order from the last key <= From. It reads one state of the store.
	Scan(ctx context.Context, options ScanOptions) ([]Record, error)

	// Generation is the number of commits so far, by whomever.
	Generation(ctx context.Context) (uint64, error)

	// Commit writes the batch, all or nothing, and gives the new generation, which is generation + 1. On return it is on
	// stable storage. DeletePrefixes apply first, then Deletes, then Puts. ErrConflict: generation is not the store's and
	// nothing was written. After any other error it is unknown whether the batch was written: the caller reads again.
	Commit(ctx context.Context, generation uint64, batch Batch) (uint64, error)

	// Wait returns nil when the store's generation is larger than generation, and the context's error when that ends
	// first. Up to a second of delay is allowed.
	Wait(ctx context.Context, generation uint64) error

	// Close releases what the store holds. It is called once, after every other call has returned.
	Close() error
}

// Record is one key and its value.
type Record struct {
	Key   string
	Value []byte
}

// ScanOptions say which records Scan gives.
type ScanOptions struct {
	// Prefix of every key; empty for all.
	Prefix string
	// From is the first key to be considered in the scan's direction; empty for its beginning.
	From string
	// Reverse scans in descending order.
	Reverse bool
	// Limit is the most records to give; 0 means all.
	Limit int
}

// Batch is what one Commit writes.
type Batch struct {
	Puts           []Record
	Deletes        []string
	DeletePrefixes []string
}

// Empty reports whether the batch writes nothing.
func (b Batch) Empty() bool {
	return len(b.Puts) == 0 && len(b.Deletes) == 0 && len(b.DeletePrefixes) == 0
}
