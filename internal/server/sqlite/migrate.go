package sqlite

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// schema is the newest one.
//
//go:embed schema.sql
var schema string

// migrationFiles has migrations/0001.sql, which brings version 1 to 2, and so on.
//
//go:embed migrations
var migrationFiles embed.FS

// migrations gives the scripts in order: the first brings version 1 to 2.
func migrations() []string {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		panic("sqlite: internal error: " + err.Error())
	}
	slices.Sort(names)
	scripts := make([]string, 0, len(names))
	for _, name := range names {
		script, err := migrationFiles.ReadFile(name)
		if err != nil {
			panic("sqlite: internal error: " + err.Error())
		}
		scripts = append(scripts, string(script))
	}
	return scripts
}

// migrate gives a new database the schema, and an old one the scripts that it has
// not had; each in a transaction with its version number. A version newer than we
// know is refused: we would break what it relies on.
func migrate(conn *sqlite.Conn, schema string, scripts []string) error {
	newest := len(scripts) + 1
	version, err := sqlitex.ResultInt(conn.Prep("PRAGMA user_version"))
	if err != nil {
		return fmt.Errorf("reading schema version: %w", err)
	}
	switch {
	case version > newest:
		return fmt.Errorf("sqlite: the database has schema %d, this program knows %d: use a newer snug", version, newest)
	case version == 0:
		return step(conn, schema, newest)
	}
	for ; version < newest; version++ {
		if err := step(conn, scripts[version-1], version+1); err != nil {
			return err
		}
	}
	return nil
}

func step(conn *sqlite.Conn, script string, version int) error {
	script += fmt.Sprintf("\nPRAGMA user_version = %d;", version)
	if err := sqlitex.ExecuteScript(conn, script, nil); err != nil {
		return fmt.Errorf("bringing the schema to version %d: %w", version, err)
	}
	return nil
}
