package sqlite_test

import (
	"testing"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/server/sqlite"
	"snug/internal/testkit"
)

func openStore(t testing.TB, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(dir, sqlite.Config{Rand: ident.Random()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	dirs := make(map[server.Store]string)
	open := func(t *testing.T) server.Store {
		dir := t.TempDir()
		s := openStore(t, dir)
		dirs[s] = dir
		return s
	}
	reopen := func(t *testing.T, s server.Store) server.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := openStore(t, dirs[s])
		dirs[again] = dirs[s]
		return again
	}
	testkit.StoreSuite(t, open, reopen)
}
