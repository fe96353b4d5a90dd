package testkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"snug/client"
)

// TestClientStore is the contract of client.Store. open opens a store on the same data each time it is called.
func TestClientStore(t *testing.T, fresh func(t *testing.T) (open func() client.Store)) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s client.Store, open func() client.Store)
	}{
		{"empty", storeEmpty}, {"get", storeGet}, {"scan", storeScan}, {"delete", storeDelete},
		{"conflict", storeConflict}, {"durable", storeDurable}, {"wait", storeWait}, {"large", storeLarge},
		{"closed", storeClosed}, {"concurrent", storeConcurrent},
	} {
		t.Run(test.name, func(t *testing.T) {
			open := fresh(t)
			s := open()
			test.run(t, s, open)
			if test.name != "closed" {
				if err := s.Close(); err != nil {
					t.Fatalf("closing: %v", err)
				}
			}
		})
	}
}

func storePut(t *testing.T, s client.Store, records ...string) uint64 {
	t.Helper()
	var batch client.Batch
	for i := 0; i < len(records); i += 2 {
		batch.Puts = append(batch.Puts, client.Record{Key: records[i], Value: []byte(records[i+1])})
	}
	return storeCommit(t, s, batch)
}

func storeCommit(t *testing.T, s client.Store, batch client.Batch) uint64 {
	t.Helper()
	before, err := s.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	after, err := s.Commit(t.Context(), before, batch)
	if err != nil {
		t.Fatalf("committing: %v", err)
	}
	if after != before+1 {
		t.Fatalf("generation %d after %d, want one more", after, before)
	}
	return after
}

func storeWant(t *testing.T, s client.Store, options client.ScanOptions, want string) {
	t.Helper()
	records, err := s.Scan(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		got = append(got, r.Key+"="+string(r.Value))
	}
	if strings.Join(got, " ") != want {
		t.Errorf("scanning %+v: got %q, want %q", options, strings.Join(got, " "), want)
	}
}

func storeEmpty(t *testing.T, s client.Store, _ func() client.Store) {
	generation, err := s.Generation(t.Context())
	if err != nil || generation != 0 {
		t.Fatalf("generation %d, %v, want 0", generation, err)
	}
	value, err := s.Get(t.Context(), "a")
	if err != nil || value != nil {
		t.Fatalf("got %q, %v, want nil", value, err)
	}
	storeWant(t, s, client.ScanOptions{}, "")
}

func storeGet(t *testing.T, s client.Store, _ func() client.Store) {
	storePut(t, s, "a", "1", "empty", "", "\x00\xff", "\x00")
	storePut(t, s, "a", "2")
	for key, want := range map[string]string{"a": "2", "empty": "", "\x00\xff": "\x00"} {
		got, err := s.Get(t.Context(), key)
		if err != nil || got == nil || string(got) != want {
			t.Errorf("at %q: got %#v, %v, want %q", key, got, err, want)
		}
	}
	got, err := s.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	got[0] = 'x'
	if again, _ := s.Get(t.Context(), "a"); string(again) != "2" {
		t.Errorf("a caller's write is seen: %q", again)
	}
}

func storeScan(t *testing.T, s client.Store, _ func() client.Store) {
	storePut(t, s, "b/2", "2", "a", "0", "b/1", "1", "b/3", "3", "c", "4", "b/\xff", "5", "b", "6")
	for _, row := range []struct {
		options client.ScanOptions
		want    string
	}{
		{client.ScanOptions{Prefix: "b/"}, "b/1=1 b/2=2 b/3=3 b/\xff=5"},
		{client.ScanOptions{Prefix: "b/", From: "b/2"}, "b/2=2 b/3=3 b/\xff=5"},
		{client.ScanOptions{Prefix: "b/", From: "b/2x", Limit: 1}, "b/3=3"},
		{client.ScanOptions{Prefix: "b/", Reverse: true, Limit: 2}, "b/\xff=5 b/3=3"},
		{client.ScanOptions{Prefix: "b/", From: "b/2", Reverse: true}, "b/2=2 b/1=1"},
		{client.ScanOptions{Prefix: "b/", From: "a", Reverse: true}, ""},
		{client.ScanOptions{Prefix: "b/", From: "z"}, ""},
		{client.ScanOptions{Limit: 2}, "a=0 b=6"},
		{client.ScanOptions{Prefix: "nothing"}, ""},
	} {
		storeWant(t, s, row.options, row.want)
	}
}

func storeDelete(t *testing.T, s client.Store, _ func() client.Store) {
	storePut(t, s, "a/1", "1", "a/2", "2", "b", "3", "c", "4")
	// What is deleted and put in one batch is there.
	storeCommit(t, s, client.Batch{DeletePrefixes: []string{"a/"}, Deletes: []string{"b", "absent"},
		Puts: []client.Record{{Key: "a/2", Value: []byte("new")}}})
	storeWant(t, s, client.ScanOptions{}, "a/2=new c=4")
	storeCommit(t, s, client.Batch{DeletePrefixes: []string{""}})
	storeWant(t, s, client.ScanOptions{}, "")
}

func storeConflict(t *testing.T, s client.Store, open func() client.Store) {
	other := open()
	defer other.Close()
	generation := storePut(t, s, "a", "1")
	storePut(t, other, "a", "2")
	batch := client.Batch{Puts: []client.Record{{Key: "a", Value: []byte("3")}}, Deletes: []string{"b"}}
	for _, stale := range []uint64{generation, generation + 2, 0} {
		if _, err := s.Commit(t.Context(), stale, batch); !errors.Is(err, client.ErrConflict) {
			t.Errorf("committing at %d: %v, want ErrConflict", stale, err)
		}
	}
	storeWant(t, s, client.ScanOptions{}, "a=2")
	if _, err := s.Commit(t.Context(), generation+1, batch); err != nil {
		t.Errorf("committing at the right generation: %v", err)
	}
}

func storeDurable(t *testing.T, s client.Store, open func() client.Store) {
	generation := storePut(t, s, "a", "1")
	again := open()
	defer again.Close()
	storeWant(t, again, client.ScanOptions{}, "a=1")
	if got, err := again.Generation(t.Context()); err != nil || got != generation {
		t.Errorf("generation %d, %v, want %d", got, err, generation)
	}
}

func storeWait(t *testing.T, s client.Store, open func() client.Store) {
	other := open()
	defer other.Close()
	generation := storePut(t, s, "a", "1")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Wait(ctx, generation); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting without a write: %v, want the context's error", err)
	}
	if err := s.Wait(t.Context(), generation-1); err != nil {
		t.Errorf("waiting for what has been: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Wait(t.Context(), generation) }()
	storePut(t, other, "a", "2")
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("waiting: %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("another store's write was not noticed")
	}
}

func storeLarge(t *testing.T, s client.Store, _ func() client.Store) {
	value := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	storeCommit(t, s, client.Batch{Puts: []client.Record{{Key: strings.Repeat("k", 512), Value: value}}})
	got, err := s.Get(t.Context(), strings.Repeat("k", 512))
	if err != nil || !bytes.Equal(got, value) {
		t.Errorf("a large value came back with %d bytes, %v", len(got), err)
	}
}

func storeClosed(t *testing.T, s client.Store, open func() client.Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, getErr := s.Get(t.Context(), "a")
	_, scanErr := s.Scan(t.Context(), client.ScanOptions{})
	_, generationErr := s.Generation(t.Context())
	_, commitErr := s.Commit(t.Context(), 0, client.Batch{})
	for i, err := range []error{getErr, scanErr, generationErr, commitErr, s.Wait(t.Context(), 0), s.Close()} {
		if !errors.Is(err, client.ErrStoreClosed) {
			t.Errorf("call %d on a closed store: %v, want ErrStoreClosed", i, err)
		}
	}
}

// storeConcurrent has writers race: each commit that was told to have happened must be there.
func storeConcurrent(t *testing.T, s client.Store, open func() client.Store) {
	const writers, each = 4, 10
	ended := make(chan error, writers)
	for w := range writers {
		go func() {
			own := open()
			defer own.Close()
			ended <- storeCount(t.Context(), own, fmt.Sprint(w), each)
		}()
	}
	for range writers {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	records, err := s.Scan(t.Context(), client.ScanOptions{})
	if err != nil || len(records) != writers*each {
		t.Errorf("%d records, %v, want %d", len(records), err, writers*each)
	}
	if generation, _ := s.Generation(t.Context()); generation != writers*each {
		t.Errorf("generation %d, want %d", generation, writers*each)
	}
}

func storeCount(ctx context.Context, s client.Store, name string, n int) error {
	for i := 0; i < n; {
		generation, err := s.Generation(ctx)
		if err != nil {
			return err
		}
		_, err = s.Commit(ctx, generation, client.Batch{Puts: []client.Record{{Key: fmt.Sprint(name, "/", i)}}})
		switch {
		case errors.Is(err, client.ErrConflict):
		case err != nil:
			return err
		default:
			i++
		}
	}
	return nil
}
