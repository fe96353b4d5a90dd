package sqlite

import (
	"errors"
	"testing"

	"snug/internal/ident"
	"snug/internal/server"

	"zombiezen.com/go/sqlite"
)

// TestFailure: after an I/O error nobody is told that anything was refused or done,
// those in the same batch included, and the store says so once and for all.
func TestFailure(t *testing.T) {
	for name, broken := range map[string]func(*writer) error{
		"in a write":  func(*writer) error { return sqlite.ResultIOErrWrite.ToError() },
		"in an fsync": func(*writer) error { return sqlite.ResultIOErrFsync.ToError() },
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.TempDir(), Config{Rand: ident.Random()})
			if err != nil {
				t.Fatal(err)
			}
			unknown := func(err error) {
				t.Helper()
				var refusal *server.Refusal
				if err == nil || errors.As(err, &refusal) {
					t.Errorf("the outcome is %v, want an error that is no refusal", err)
				}
			}
			unknown(s.update(t.Context(), broken))
			<-s.Failed()
			unknown(s.Err())
			unknown(s.update(t.Context(), func(*writer) error { return nil }))
			done := make(chan error, 1)
			s.Submit(&server.Submission{Done: func(s *server.Submission) { done <- s.Err }})
			unknown(<-done)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOwnError: an error that is the write's own undoes that write only.
func TestOwnError(t *testing.T) {
	s, err := Open(t.TempDir(), Config{Rand: ident.Random()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	own := errors.New("own")
	err = s.update(t.Context(), func(w *writer) error {
		if err := run(w.conn, "INSERT INTO secret (name, value) VALUES ('x', x'00')", nil); err != nil {
			return err
		}
		return own
	})
	if !errors.Is(err, own) || s.Err() != nil {
		t.Fatalf("got %v, store %v", err, s.Err())
	}
	err = s.update(t.Context(), func(w *writer) error {
		found, err := one(w.conn, "SELECT 1 FROM secret WHERE name = 'x'", nil)
		if found {
			t.Error("the write was not undone")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
