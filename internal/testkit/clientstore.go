package testkit

import (
	"context"
	"errors"
	"sort"
	"strings"
	"sync"

	"snug/client"
)

// ErrFault is what a store gives where a test made it fail.
var ErrFault = errors.New("testkit: the store was made to fail")

// Fault is what happens to a commit.
type Fault int

const (
	// NoFault lets it be.
	NoFault Fault = iota
	// LostCommit fails, and nothing was written.
	LostCommit
	// UnknownCommit fails, although everything was written.
	UnknownCommit
)

// Disk holds what stores in memory have in common: several may be open on it, as several processes are on one file.
type Disk struct {
	mu         sync.Mutex
	records    map[string][]byte
	generation uint64
	grown      chan struct{} // closed and replaced with each commit
}

// NewDisk gives an empty disk.
func NewDisk() *Disk {
	return &Disk{records: make(map[string][]byte), grown: make(chan struct{})}
}

// Open gives a store on the disk.
func (d *Disk) Open() *ClientStore { return &ClientStore{disk: d} }

// Snapshot copies what is stored: a thief's view.
func (d *Disk) Snapshot() map[string][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	records := make(map[string][]byte, len(d.records))
	for key, value := range d.records {
		records[key] = append([]byte{}, value...)
	}
	return records
}

// Restore puts back what Snapshot gave.
func (d *Disk) Restore(records map[string][]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records = make(map[string][]byte, len(records))
	for key, value := range records {
		d.records[key] = append([]byte{}, value...)
	}
	d.generation++
}

// ClientStore is a client.Store in memory.
type ClientStore struct {
	disk *Disk
	// OnCommit, where not nil, decides what becomes of each commit.
	OnCommit func() Fault
	closed   bool // guarded by disk.mu
}

// Get implements client.Store.
func (s *ClientStore) Get(ctx context.Context, key string) ([]byte, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if s.closed {
		return nil, client.ErrStoreClosed
	}
	value, ok := s.disk.records[key]
	if !ok {
		return nil, nil
	}
	return append([]byte{}, value...), nil
}

// Scan implements client.Store.
func (s *ClientStore) Scan(ctx context.Context, options client.ScanOptions) ([]client.Record, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if s.closed {
		return nil, client.ErrStoreClosed
	}
	var records []client.Record
	for key, value := range s.disk.records {
		inDirection := options.From == "" || options.Reverse && key <= options.From || !options.Reverse && key >= options.From
		if strings.HasPrefix(key, options.Prefix) && inDirection {
			records = append(records, client.Record{Key: key, Value: append([]byte{}, value...)})
		}
	}
	sort.Slice(records, func(i, j int) bool { return (records[i].Key < records[j].Key) != options.Reverse })
	if options.Limit > 0 && len(records) > options.Limit {
		records = records[:options.Limit]
	}
	return records, nil
}

// Generation implements client.Store.
func (s *ClientStore) Generation(ctx context.Context) (uint64, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if s.closed {
		return 0, client.ErrStoreClosed
	}
	return s.disk.generation, nil
}

// Commit implements client.Store.
func (s *ClientStore) Commit(ctx context.Context, generation uint64, batch client.Batch) (uint64, error) {
	fault := NoFault
	if s.OnCommit != nil {
		fault = s.OnCommit()
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	switch {
	case s.closed:
		return 0, client.ErrStoreClosed
	case fault == LostCommit:
		return 0, ErrFault
	case generation != s.disk.generation:
		return 0, client.ErrConflict
	}
	s.disk.apply(batch)
	if fault == UnknownCommit {
		return 0, ErrFault
	}
	return s.disk.generation, nil
}

func (d *Disk) apply(batch client.Batch) {
	for _, prefix := range batch.DeletePrefixes {
		for key := range d.records {
			if strings.HasPrefix(key, prefix) {
				delete(d.records, key)
			}
		}
	}
	for _, key := range batch.Deletes {
		delete(d.records, key)
	}
	for _, record := range batch.Puts {
		d.records[record.Key] = append([]byte{}, record.Value...)
	}
	d.generation++
	close(d.grown)
	d.grown = make(chan struct{})
}

// Wait implements client.Store.
func (s *ClientStore) Wait(ctx context.Context, generation uint64) error {
	for {
		s.disk.mu.Lock()
		now, grown, closed := s.disk.generation, s.disk.grown, s.closed
		s.disk.mu.Unlock()
		switch {
		case closed:
			return client.ErrStoreClosed
		case now > generation:
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close implements client.Store.
func (s *ClientStore) Close() error {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if s.closed {
		return client.ErrStoreClosed
	}
	s.closed = true
	return nil
}
