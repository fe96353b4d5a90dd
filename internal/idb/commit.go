//go:build js && wasm

package idb

import (
	"context"
	"fmt"
	"syscall/js"

	"snug/client"
)

// Commit implements client.Store.
func (s *Store) Commit(ctx context.Context, generation uint64, batch client.Batch) (next uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	tx, err := s.begin("readwrite", records, meta)
	if err != nil {
		return 0, err
	}
	conflict := false
	request := tx.Call("objectStore", meta).Call("get", generationKey)
	// The writes are queued inside this callback: the transaction is alive in it, and commits by itself after it.
	check := js.FuncOf(func(js.Value, []js.Value) any {
		if toGeneration(request.Get("result")) != generation {
			conflict = true
			tx.Call("abort")
			return nil
		}
		defer func() {
			if thrown := recover(); thrown != nil {
				err = fmt.Errorf("idb: writing: %v", thrown)
				tx.Call("abort")
			}
		}()
		write(tx, batch)
		tx.Call("objectStore", meta).Call("put", float64(generation+1), generationKey)
		return nil
	})
	defer check.Release()
	request.Set("onsuccess", check)

	// Not cut short by ctx: the outcome of a transaction under way would be unknown, and it is a matter of milliseconds.
	failure := finish(context.WithoutCancel(ctx), tx, "complete", "abort")
	switch {
	case conflict:
		return 0, client.ErrConflict
	case err != nil:
		return 0, err
	case failure != nil:
		return 0, fmt.Errorf("idb: committing: %w", failure)
	}
	if s.channel.Truthy() {
		s.channel.Call("postMessage", float64(generation+1))
	}
	s.announce()
	return generation + 1, nil
}

// write queues the batch's requests on a transaction that is alive.
func write(tx js.Value, batch client.Batch) {
	store := tx.Call("objectStore", records)
	for _, prefix := range batch.DeletePrefixes {
		if keys := prefixRange(prefix); keys.IsNull() {
			store.Call("clear")
		} else {
			store.Call("delete", keys)
		}
	}
	for _, key := range batch.Deletes {
		store.Call("delete", toJS([]byte(key)))
	}
	for _, record := range batch.Puts {
		store.Call("put", toJS(record.Value), toJS([]byte(record.Key)))
	}
}
