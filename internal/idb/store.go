//go:build js && wasm

package idb

import (
	"context"
	"fmt"
	"sync"
	"syscall/js"
	"time"

	"snug/client"
)

const (
	// version is IndexedDB's number for the object stores below.
	version = 1
	// records maps keys to values, both as bytes: IndexedDB orders binary keys as byte strings.
	records = "records"
	// meta holds the generation under generationKey.
	meta          = "meta"
	generationKey = "generation"
	// pollEvery bounds how late Wait hears of a commit where the browser loses the broadcast, as it may for a tab that
	// was frozen.
	pollEvery = time.Second
)

// Store is an open database. Its methods are safe from any goroutine.
type Store struct {
	db      js.Value
	channel js.Value // BroadcastChannel; undefined where the browser has none
	onNews  js.Func
	onStale js.Func

	mu     sync.Mutex
	closed bool          // guarded by mu
	news   chan struct{} // guarded by mu; closed and replaced whenever somebody may have written
}

var _ client.Store = (*Store)(nil)

// Open opens the database of this name, and makes it where there is none.
func Open(ctx context.Context, name string) (*Store, error) {
	factory := js.Global().Get("indexedDB")
	if factory.IsUndefined() || factory.IsNull() {
		return nil, errDenied
	}
	request, err := ask(factory, name)
	if err != nil {
		return nil, errDenied
	}
	upgrade := js.FuncOf(func(js.Value, []js.Value) any {
		db := request.Get("result")
		db.Call("createObjectStore", records)
		db.Call("createObjectStore", meta)
		return nil
	})
	defer upgrade.Release()
	request.Set("onupgradeneeded", upgrade)
	if err := finish(ctx, request, "success", "error", "blocked"); err != nil {
		return nil, opening(ctx, request, err)
	}
	s := &Store{db: request.Get("result"), news: make(chan struct{})}
	s.listen(name)
	return s, nil
}

// ask opens the database. A browser that was told to keep nothing for the page throws, or fails the request.
func ask(factory js.Value, name string) (request js.Value, err error) {
	defer catch(&err)
	return factory.Call("open", name, version), nil
}

// opening is why a request to open the database has failed, in words that help a person where there are any.
func opening(ctx context.Context, request js.Value, err error) error {
	if ctx.Err() == nil && denials[request.Get("error").Get("name").String()] {
		return errDenied
	}
	return fmt.Errorf("idb: opening: %w", err)
}

// denials are the exceptions by which browsers say that the page may keep nothing: each has its own.
var denials = map[string]bool{"SecurityError": true, "InvalidStateError": true, "UnknownError": true, "NotAllowedError": true}

// Delete removes the database of this name, for tests.
func Delete(ctx context.Context, name string) error {
	return finish(ctx, js.Global().Get("indexedDB").Call("deleteDatabase", name), "success", "error", "blocked")
}

// listen hears of other tabs' commits, and gives the database up when a newer build of the page wants to change it.
func (s *Store) listen(name string) {
	s.onStale = js.FuncOf(func(js.Value, []js.Value) any {
		s.db.Call("close")
		return nil
	})
	s.db.Set("onversionchange", s.onStale)
	s.onNews = js.FuncOf(func(js.Value, []js.Value) any {
		s.announce()
		return nil
	})
	if constructor := js.Global().Get("BroadcastChannel"); !constructor.IsUndefined() {
		s.channel = constructor.New("snug " + name)
		s.channel.Set("onmessage", s.onNews)
	}
}

// announce wakes everybody who waits in this tab.
func (s *Store) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.news)
	s.news = make(chan struct{})
}

// Get implements client.Store.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	tx, err := s.begin("readonly", records)
	if err != nil {
		return nil, err
	}
	request := tx.Call("objectStore", records).Call("get", toJS([]byte(key)))
	if err := finish(ctx, request, "success", "error"); err != nil {
		return nil, fmt.Errorf("idb: getting: %w", err)
	}
	value := request.Get("result")
	if value.IsUndefined() {
		return nil, nil
	}
	return toGo(value), nil
}

// Generation implements client.Store.
func (s *Store) Generation(ctx context.Context) (uint64, error) {
	tx, err := s.begin("readonly", meta)
	if err != nil {
		return 0, err
	}
	request := tx.Call("objectStore", meta).Call("get", generationKey)
	if err := finish(ctx, request, "success", "error"); err != nil {
		return 0, fmt.Errorf("idb: reading the generation: %w", err)
	}
	return toGeneration(request.Get("result")), nil
}

// Wait implements client.Store.
func (s *Store) Wait(ctx context.Context, generation uint64) error {
	for {
		s.mu.Lock()
		news := s.news
		s.mu.Unlock()
		now, err := s.Generation(ctx)
		if err != nil {
			return err
		}
		if now > generation {
			return nil
		}
		timer := time.NewTimer(pollEvery)
		select {
		case <-news:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		timer.Stop()
	}
}

// Close implements client.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return client.ErrStoreClosed
	}
	s.closed = true
	s.db.Call("close")
	if s.channel.Truthy() {
		s.channel.Call("close")
	}
	s.onNews.Release()
	s.onStale.Release()
	return nil
}

// begin opens a transaction over the object stores.
func (s *Store) begin(mode string, stores ...any) (tx js.Value, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return js.Undefined(), client.ErrStoreClosed
	}
	defer catch(&err)
	return s.db.Call("transaction", js.ValueOf(stores), mode, map[string]any{"durability": "strict"}), nil
}

// toGeneration reads what Commit wrote: a number, exact below 2^53, which a commit every microsecond reaches in 285
// years.
func toGeneration(v js.Value) uint64 {
	if v.Type() != js.TypeNumber {
		return 0
	}
	return uint64(v.Float())
}
