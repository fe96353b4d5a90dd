//go:build js && wasm

package idb

import (
	"context"
	"fmt"
	"syscall/js"

	"snug/client"
)

// Scan implements client.Store.
func (s *Store) Scan(ctx context.Context, options client.ScanOptions) ([]client.Record, error) {
	keys, some := scanRange(options)
	if !some {
		return nil, nil
	}
	tx, err := s.begin("readonly", records)
	if err != nil {
		return nil, err
	}
	store := tx.Call("objectStore", records)
	if options.Reverse {
		return scanBack(ctx, store, keys, options.Limit)
	}
	// Two requests of one transaction see one state. getAll crosses into the database once, whatever the number.
	limit := js.Undefined()
	if options.Limit > 0 {
		limit = js.ValueOf(options.Limit)
	}
	names, values := store.Call("getAllKeys", keys, limit), store.Call("getAll", keys, limit)
	if err := finish(ctx, values, "success", "error"); err != nil {
		return nil, fmt.Errorf("idb: scanning: %w", err)
	}
	k, v := names.Get("result"), values.Get("result")
	found := make([]client.Record, v.Length())
	for i := range found {
		found[i] = client.Record{Key: string(toGo(k.Index(i))), Value: toGo(v.Index(i))}
	}
	return found, nil
}

// scanBack walks a cursor from the range's end. The callback only takes what is there and asks for the next.
func scanBack(ctx context.Context, store, keys js.Value, limit int) (found []client.Record, err error) {
	request := store.Call("openCursor", keys, "prev")
	ended := make(chan error, 1)
	step := js.FuncOf(func(js.Value, []js.Value) any {
		cursor := request.Get("result")
		if cursor.IsNull() {
			ended <- nil
			return nil
		}
		found = append(found, client.Record{Key: string(toGo(cursor.Get("key"))), Value: toGo(cursor.Get("value"))})
		if limit > 0 && len(found) == limit {
			ended <- nil
			return nil
		}
		cursor.Call("continue")
		return nil
	})
	failed := js.FuncOf(func(js.Value, []js.Value) any {
		ended <- fmt.Errorf("idb: scanning: %w", errorOf(request))
		return nil
	})
	request.Set("onsuccess", step)
	request.Set("onerror", failed)
	// Not cut short by ctx either: the callbacks must outlive the request.
	err = <-ended
	request.Set("onsuccess", js.Null())
	request.Set("onerror", js.Null())
	step.Release()
	failed.Release()
	if err != nil {
		return nil, err
	}
	return found, ctx.Err()
}

// scanRange is the range of keys that the options name; null for all. False: no key can match.
func scanRange(options client.ScanOptions) (keys js.Value, some bool) {
	low, high := options.Prefix, after(options.Prefix)
	highOpen := true
	switch from := options.From; {
	case from == "":
	case !options.Reverse && from > low:
		low = from
	case options.Reverse && (high == "" || from < high):
		high, highOpen = from, false
	}
	switch ranges := js.Global().Get("IDBKeyRange"); {
	case high == "" && low == "":
		return js.Null(), true
	case high == "":
		return ranges.Call("lowerBound", toJS([]byte(low))), true
	case low > high || low == high && highOpen:
		return js.Null(), false
	default:
		return ranges.Call("bound", toJS([]byte(low)), toJS([]byte(high)), false, highOpen), true
	}
}

// prefixRange is the range of the keys that begin with prefix; null for all.
func prefixRange(prefix string) js.Value {
	keys, _ := scanRange(client.ScanOptions{Prefix: prefix})
	return keys
}

// after is the least string that is larger than every string with this prefix; empty where there is none.
func after(prefix string) string {
	b := []byte(prefix)
	for len(b) > 0 && b[len(b)-1] == 0xff {
		b = b[:len(b)-1]
	}
	if len(b) == 0 {
		return ""
	}
	b[len(b)-1]++
	return string(b)
}
