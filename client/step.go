package client

import (
	"context"
	"sort"
	"strings"
	"time"

	"snug/internal/ident"
)

// reader is the part of a Store that a step may read.
type reader interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Scan(ctx context.Context, options ScanOptions) ([]Record, error)
}

// output is what one step asks of the driver, in this order: commit the batch; then send the frames, dial or hang up;
// then deliver events and replies; then step again at wake at the latest.
type output struct {
	batch  Batch
	frames [][]byte
	dial   bool
	hangUp bool
	events []Event
	done   []done
	wake   time.Time
	// touched says that the step has read the store: its result is good only for the generation that it began with.
	touched bool
}

// done answers one call.
type done struct {
	call  uint64
	value any
	err   error
}

// step is one step in progress: what it has read and what it will write. Its reads see its own writes.
type step struct {
	ctx     context.Context
	store   reader
	now     time.Time
	out     output
	puts    map[string][]byte
	deletes map[string]bool
	erased  []string // prefixes
	// missing are the accounts whose chains said too little, since it was last emptied.
	missing []ident.AccountID
	// proposer is the device that has sent the proposal which is being processed, as the server says.
	proposer leaf
	// replaced is the fault that the commit being judged replaces; nil of other commits.
	replaced *fault
	err      error // the first failure of the store; it voids the step
}

func newStep(ctx context.Context, store reader, now time.Time) *step {
	return &step{ctx: ctx, store: store, now: now, puts: make(map[string][]byte), deletes: make(map[string]bool)}
}

// fail voids the step.
func (s *step) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *step) get(key string) []byte {
	if v, ok := s.puts[key]; ok {
		return v
	}
	if s.gone(key) {
		return nil
	}
	s.out.touched = true
	v, err := s.store.Get(s.ctx, key)
	if err != nil {
		s.fail(err)
	}
	return v
}

// gone reports whether the step has deleted what the store has at key.
func (s *step) gone(key string) bool {
	if s.deletes[key] {
		return true
	}
	for _, prefix := range s.erased {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// scan is Store.Scan over the state that the step will leave. The limit counts after the merge, so a little more than
// needed may be read.
func (s *step) scan(options ScanOptions) []Record {
	s.out.touched = true
	ask := options
	if ask.Limit > 0 {
		ask.Limit += len(s.deletes) + len(s.puts)
	}
	stored, err := s.store.Scan(s.ctx, ask)
	if err != nil {
		s.fail(err)
	}
	merged := stored[:0]
	for _, r := range stored {
		if _, rewritten := s.puts[r.Key]; !rewritten && !s.gone(r.Key) {
			merged = append(merged, r)
		}
	}
	for key, value := range s.puts {
		if strings.HasPrefix(key, options.Prefix) && inDirection(key, options) {
			merged = append(merged, Record{Key: key, Value: value})
		}
	}
	sort.Slice(merged, func(i, j int) bool { return (merged[i].Key < merged[j].Key) != options.Reverse })
	if options.Limit > 0 && len(merged) > options.Limit {
		merged = merged[:options.Limit]
	}
	return merged
}

func inDirection(key string, options ScanOptions) bool {
	if options.From == "" {
		return true
	}
	if options.Reverse {
		return key <= options.From
	}
	return key >= options.From
}

func (s *step) put(key string, value []byte) {
	delete(s.deletes, key)
	s.puts[key] = value
}

func (s *step) delete(key string) {
	delete(s.puts, key)
	s.deletes[key] = true
}

// erase deletes every key with this prefix.
func (s *step) erase(prefix string) {
	for key := range s.puts {
		if strings.HasPrefix(key, prefix) {
			delete(s.puts, key)
		}
	}
	s.erased = append(s.erased, prefix)
}

// emit tells an event once the step is durable.
func (s *step) emit(e Event) { s.out.events = append(s.out.events, e) }

// reply answers a call once the step is durable. Call 0 is nobody's.
func (s *step) reply(call uint64, value any, err error) {
	if call != 0 {
		s.out.done = append(s.out.done, done{call, value, err})
	}
}

// finish gives the output, with the batch in order of keys: one input gives one batch, byte for byte.
func (s *step) finish() (output, error) {
	for key, value := range s.puts {
		s.out.batch.Puts = append(s.out.batch.Puts, Record{Key: key, Value: value})
	}
	for key := range s.deletes {
		s.out.batch.Deletes = append(s.out.batch.Deletes, key)
	}
	sort.Slice(s.out.batch.Puts, func(i, j int) bool { return s.out.batch.Puts[i].Key < s.out.batch.Puts[j].Key })
	sort.Strings(s.out.batch.Deletes)
	s.out.batch.DeletePrefixes = s.erased
	return s.out, s.err
}
