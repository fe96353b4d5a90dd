package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snug/internal/ident"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// TestMigrations brings a database of every former version to the newest one: its
// schema is then the same as a new database's.
func TestMigrations(t *testing.T) {
	want := dump(t, blank(t, schema, migrations()))
	for version := 1; version <= len(migrations())+1; version++ {
		script, err := os.ReadFile(fmt.Sprintf("testdata/schema_%d.sql", version))
		if err != nil {
			t.Fatal(err)
		}
		conn := blank(t, string(script), migrations()[:version-1])
		if err := migrate(conn, schema, migrations()); err != nil {
			t.Fatal(err)
		}
		if got := dump(t, conn); got != want {
			t.Errorf("version %d becomes\n%s\nwant\n%s", version, got, want)
		}
	}
}

// TestMigratedCounts: of a database of before it is known who has said something where, and what accounts have stored.
func TestMigratedCounts(t *testing.T) {
	script, err := os.ReadFile("testdata/schema_3.sql")
	if err != nil {
		t.Fatal(err)
	}
	conn := blank(t, string(script), migrations()[:2])
	const before = `
		INSERT INTO account VALUES (1, x'01', 'a', 0, x'', x'', x'', 1, 1, 1, x'', x'', 0, 0), (2, x'02', 'b', 0, x'', x'', x'', 1, 1, 1, x'', x'', 0, 0),
			(3, x'03', 'c', 0, x'', x'', x'', 1, 1, 1, x'', x'', 0, 0);
		INSERT INTO device VALUES (1, x'01', x'01', 1, NULL, 0), (2, x'02', x'02', 2, NULL, 0), (3, x'03', x'03', 3, NULL, 0);
		INSERT INTO room VALUES (7, x'07', 1, NULL, 0, 0, NULL, NULL, 1, 0), (8, x'08', 2, 'open', 0, 0, NULL, NULL, 1, 0);
		INSERT INTO entry VALUES (7 << 32 | 1, 2, 1, x'01', 0, 0, x'', NULL, zeroblob(100)), (7 << 32 | 2, 1, 2, x'02', 1, 0, x'', NULL, zeroblob(20)),
			(7 << 32 | 3, 1, 2, x'03', 1, 0, x'', NULL, zeroblob(30)), (7 << 32 | 4, 3, 3, x'04', 1, 0, x'', NULL, zeroblob(40)),
			(8 << 32 | 1, 4, 3, x'05', 0, 0, x'', NULL, zeroblob(50));
		INSERT INTO key_package VALUES (1, 2, 0, zeroblob(3000));
		INSERT INTO archive VALUES (1, 1, zeroblob(1000));
		INSERT INTO archive_chunk VALUES (1, 1, 7, 0, 5000, zeroblob(5000));`
	err = sqlitex.ExecuteScript(conn, before, nil)
	if err == nil {
		err = migrate(conn, schema, migrations())
	}
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"SELECT group_concat(account || ':' || room) FROM (SELECT * FROM spoken ORDER BY account, room)": "1:7,2:7",
		"SELECT group_concat(account || ':' || bytes) FROM (SELECT * FROM usage ORDER BY account)":       "1:6260,2:3370,3:410",
		"SELECT count(*) FROM admission": "0",
	} {
		if got, err := sqlitex.ResultText(conn.Prep(query)); got != want || err != nil {
			t.Errorf("%s: %s, %v, want %s", query, got, err, want)
		}
	}
}

// TestMigrate tries the machinery itself with scripts of its own.
func TestMigrate(t *testing.T) {
	first := "CREATE TABLE a (x INTEGER) STRICT;"
	scripts := []string{"ALTER TABLE a ADD y INTEGER;", "CREATE TABLE b (z TEXT) STRICT; INSERT INTO b VALUES ('moved');"}
	conn := blank(t, first, nil)
	if err := migrate(conn, "never used", scripts); err != nil {
		t.Fatal(err)
	}
	if n, err := sqlitex.ResultInt(conn.Prep("SELECT count(*) FROM b")); n != 1 || err != nil {
		t.Errorf("%d rows in b, %v", n, err)
	}
	// A newer one is refused and left as it is.
	if err := migrate(conn, first, nil); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer schema: %v", err)
	}
	// One that fails leaves nothing behind.
	failing := blank(t, first, nil)
	if err := migrate(failing, first, []string{"CREATE TABLE c (x) STRICT; nonsense;"}); err == nil {
		t.Error("nonsense was carried out")
	}
	if v, err := sqlitex.ResultInt(failing.Prep("PRAGMA user_version")); v != 1 || err != nil {
		t.Errorf("version %d after a failure, %v, want 1", v, err)
	}
}

func TestNewerSchema(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Config{Rand: ident.Random()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := sqlite.OpenConn(filepath.Join(dir, fileName), sqlite.OpenReadWrite)
	if err == nil {
		err = sqlitex.ExecuteTransient(conn, "PRAGMA user_version = 99", nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := Open(dir, Config{Rand: ident.Random()}); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("opening a newer schema: %v", err)
	}
}

// TestFiles: what we write is for its owner only.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Config{Rand: ident.Random()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

func blank(t *testing.T, schema string, scripts []string) *sqlite.Conn {
	t.Helper()
	conn, err := sqlite.OpenConn(":memory:", sqlite.OpenReadWrite|sqlite.OpenMemory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := migrate(conn, schema, scripts); err != nil {
		t.Fatal(err)
	}
	return conn
}

func dump(t *testing.T, conn *sqlite.Conn) string {
	t.Helper()
	var b strings.Builder
	err := sqlitex.Execute(conn, "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name", &sqlitex.ExecOptions{
		ResultFunc: func(row *sqlite.Stmt) error {
			fmt.Fprintln(&b, row.ColumnText(0), row.ColumnText(1), row.ColumnText(2))
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
