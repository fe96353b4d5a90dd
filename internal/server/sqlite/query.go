package sqlite

import (
	"context"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// errStop is for row functions that found out all they wanted.
var errStop = errors.New("sqlite: stop")

// run executes a statement, prepared once for each connection, and calls row for
// each row of the result.
func run(conn *sqlite.Conn, query string, row func(*sqlite.Stmt) error, args ...any) error {
	err := sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: row})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// one is run for a statement with at most one row, and reports whether it had one.
func one(conn *sqlite.Conn, query string, row func(*sqlite.Stmt), args ...any) (found bool, err error) {
	err = run(conn, query, func(stmt *sqlite.Stmt) error {
		found = true
		if row != nil {
			row(stmt)
		}
		return nil
	}, args...)
	return found, err
}

// blob copies a column's bytes; nil for NULL and for none.
func blob(row *sqlite.Stmt, column int) []byte {
	n := row.ColumnLen(column)
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	row.ColumnBytes(column, b)
	return b
}

// fill copies a column of fixed size, an id or a hash. Another size means that the
// file was changed by somebody else; the zero value that is left matches nothing.
func fill(row *sqlite.Stmt, column int, dst []byte) {
	if row.ColumnLen(column) == len(dst) {
		row.ColumnBytes(column, dst)
	}
}

// view runs reads in one snapshot, on a connection of their own.
func (s *Store) view(ctx context.Context, read func(*sqlite.Conn) error) error {
	select {
	case conn := <-s.read:
		defer func() { s.read <- conn }()
		return snapshot(conn, read)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func snapshot(conn *sqlite.Conn, read func(*sqlite.Conn) error) (err error) {
	if err := run(conn, "BEGIN", nil); err != nil {
		return fmt.Errorf("beginning to read: %w", err)
	}
	defer func() { err = errors.Join(err, run(conn, "ROLLBACK", nil)) }()
	return read(conn)
}
