package sqlite_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	engine "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"snug/client"
	"snug/client/sqlite"
	"snug/internal/testkit"
)

func open(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	testkit.TestClientStore(t, func(t *testing.T) func() client.Store {
		path := filepath.Join(t.TempDir(), "client.db")
		return func() client.Store { return open(t, path) }
	})
}

// endingContext ends after it was first asked whether it had, as one does whose deadline passes in the middle of a call.
type endingContext struct {
	context.Context
	asked bool
}

func (c *endingContext) Err() error {
	if !c.asked {
		c.asked = true
		return nil
	}
	return c.Context.Err()
}

func TestInterrupted(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "client.db"))
	defer s.Close()
	if _, err := s.Commit(t.Context(), 0, client.Batch{Puts: []client.Record{{Key: "a", Value: []byte("1")}}}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		call func(ctx context.Context) error
	}{
		{"get", func(ctx context.Context) error { _, err := s.Get(ctx, "a"); return err }},
		{"scan", func(ctx context.Context) error { _, err := s.Scan(ctx, client.ScanOptions{}); return err }},
		{"generation", func(ctx context.Context) error { _, err := s.Generation(ctx); return err }},
		{"commit", func(ctx context.Context) error {
			_, err := s.Commit(ctx, 1, client.Batch{Puts: []client.Record{{Key: "a", Value: []byte("2")}}})
			return err
		}},
		{"wait", func(ctx context.Context) error { return s.Wait(ctx, 1) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			if err := test.call(&endingContext{Context: ended}); err != context.Canceled {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
			if value, err := s.Get(t.Context(), "a"); err != nil || string(value) != "1" {
				t.Errorf("the store holds %q, %v, want what it held", value, err)
			}
		})
	}
}

// TestSealed looks for what was written in every file that the store leaves.
func TestSealed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "client.db"))
	canary := "a canary sings"
	if _, err := s.Commit(t.Context(), 0, client.Batch{Puts: []client.Record{{Key: "message/1", Value: []byte(canary)}}}); err != nil {
		t.Fatal(err)
	}
	look := func() {
		files, err := os.ReadDir(dir)
		if err != nil || len(files) < 2 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		for _, file := range files {
			b, err := os.ReadFile(filepath.Join(dir, file.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, []byte(canary)) {
				t.Errorf("%s holds what was sealed", file.Name())
			}
			if info, _ := file.Info(); info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %v, others can read it", file.Name(), info.Mode())
			}
		}
	}
	look()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look()
}

func TestRefusedFiles(t *testing.T) {
	for _, row := range []struct {
		name   string
		damage func(t *testing.T, path string)
		want   string
	}{
		{"newer schema", func(t *testing.T, path string) {
			conn, err := engine.OpenConn(path, engine.OpenReadWrite)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := sqlitex.ExecuteTransient(conn, "PRAGMA user_version = 99", nil); err != nil {
				t.Fatal(err)
			}
		}, "use a newer one"},
		{"key file gone", func(t *testing.T, path string) { os.Remove(path + ".key") }, "restore both"},
		{"key file cut", func(t *testing.T, path string) { os.Truncate(path+".key", 7) }, "key"},
		{"no database", func(t *testing.T, path string) {
			os.Remove(path + "-wal")
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "opening"},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "client.db")
			open(t, path).Close()
			row.damage(t, path)
			s, err := sqlite.Open(path)
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %q, want it to say %q", err, row.want)
			}
		})
	}
}

// TestSwappedRecords puts one record's value in another's place.
func TestSwappedRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client.db")
	s := open(t, path)
	puts := []client.Record{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}}
	if _, err := s.Commit(t.Context(), 0, client.Batch{Puts: puts}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	conn, err := engine.OpenConn(path, engine.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlitex.ExecuteTransient(conn, "UPDATE records SET value = (SELECT value FROM records WHERE key = x'61')", nil); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	s = open(t, path)
	defer s.Close()
	if _, err := s.Get(t.Context(), "a"); err != nil {
		t.Errorf("the record that is where it belongs: %v", err)
	}
	if v, err := s.Get(t.Context(), "b"); err == nil {
		t.Errorf("got %q in another record's place", v)
	}
}
