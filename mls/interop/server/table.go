package server

import (
	"math"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A table holds what the interface names by numbers: *state, *transaction, *signer and *reinit. Numbers begin at one and
// are never given out twice.
type table struct {
	limit int

	// The mutex is held for the lookup only; states have their own.
	mu   sync.Mutex
	last uint32
	held map[uint32]any
}

var (
	errNotHeld = status.Error(codes.NotFound, "nothing of this kind is held under this number")
	errFull    = status.Error(codes.ResourceExhausted, "as many states and transactions are held as may be: free some")
)

// put holds v and returns its number.
func (t *table) put(v any) (uint32, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.held) >= t.limit || t.last == math.MaxUint32 {
		return 0, errFull
	}
	t.last++
	t.held[t.last] = v
	return t.last, nil
}

func (t *table) remove(id uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.held[id]
	delete(t.held, id)
	return ok
}

// get returns what is held under the number, if it is of this kind.
func get[T any](t *table, id uint32) (T, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.held[id].(T)
	if !ok {
		return v, errNotHeld
	}
	return v, nil
}
