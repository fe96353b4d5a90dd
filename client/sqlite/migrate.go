package sqlite

import (
	_ "embed"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

//go:embed schema.sql
var schema string

// migrations lead from version i+1 to i+2. Version 1 is the first schema.
var migrations []string

// applicationID marks the file as ours: "snug" in ASCII.
const applicationID = 0x736e7567

// migrate makes the schema, or brings an older one up to date. A newer one is refused: an older program would not keep
// what it does not know of.
func migrate(conn *sqlite.Conn) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	current := int64(1 + len(migrations))
	version, err := pragma(conn, "user_version")
	if err != nil || version == current {
		return err
	}
	if version > current {
		return fmt.Errorf("the store is of version %d, and this program knows %d: use a newer one", version, current)
	}
	steps := []string{schema}
	if version > 0 {
		steps = migrations[version-1:]
	}
	for _, step := range steps {
		if err := sqlitex.ExecuteScript(conn, step, nil); err != nil {
			return fmt.Errorf("migrating from version %d: %w", version, err)
		}
	}
	if err := sqlitex.ExecuteTransient(conn, fmt.Sprintf("PRAGMA application_id = %d", applicationID), nil); err != nil {
		return err
	}
	return sqlitex.ExecuteTransient(conn, fmt.Sprintf("PRAGMA user_version = %d", current), nil)
}

func pragma(conn *sqlite.Conn, name string) (int64, error) {
	stmt, _, err := conn.PrepareTransient("PRAGMA " + name)
	if err != nil {
		return 0, err
	}
	defer stmt.Finalize()
	return sqlitex.ResultInt64(stmt)
}
