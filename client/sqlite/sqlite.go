// Package sqlite is client.Store in one SQLite file, for terminals and bots. Begin with Open. Several processes may have
// the same file open.
//
// Values are sealed with AES-256-GCM under a key in a file beside it (its path with ".key" at the end, mode 0600), each
// bound to its record. What that protects: a copy of the database without the key file (a backup of the one, a synced
// folder, a page of a discarded disk) tells which rooms there are and how many records, and nothing else; and no record
// can be changed or put in another's place unnoticed. What it does not: whoever reads both files, as this user's other
// programs can, reads everything; and an old copy of the whole database is not known to be old. Deleted values are
// overwritten (secure_delete); until the write-ahead log is next checkpointed, at the latest by Close, it may still
// hold them, sealed.
package sqlite

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"snug/client"
	"snug/internal/ident"
)

const (
	// busyTimeout is how long a commit waits for another process's: far longer than any takes.
	busyTimeout = 10 * time.Second
	// pollEvery is how often Wait looks: a person does not notice the delay, nor the machine the load.
	pollEvery = 50 * time.Millisecond
)

// Store is a client.Store. Its methods are safe from any goroutine.
type Store struct {
	key    ident.StoreKey
	closed chan struct{}

	mu   sync.Mutex // guards all below
	conn *sqlite.Conn
}

var _ client.Store = (*Store)(nil)

// Open opens the store at path, or makes it and its key file. The directory must exist.
func Open(path string) (*Store, error) {
	key, err := loadKey(path+".key", ident.Random())
	if err != nil {
		return nil, err
	}
	conn, err := openConn(path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	if err := migrate(conn); err != nil {
		conn.Close()
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return &Store{key: key, conn: conn, closed: make(chan struct{})}, nil
}

func openConn(path string) (*sqlite.Conn, error) {
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(busyTimeout)
	for _, pragma := range []string{
		"journal_mode = wal",
		"synchronous = full", // a commit is on stable storage when it returns
		"secure_delete = on", // keys of opened messages must not stay in free pages
		"foreign_keys = on",
	} {
		if err := sqlitex.ExecuteTransient(conn, "PRAGMA "+pragma, nil); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// use gives f the connection, interrupted when ctx ends: f's error is the context's then, as the contract has it.
func (s *Store) use(ctx context.Context, f func(conn *sqlite.Conn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return client.ErrStoreClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.conn.SetInterrupt(ctx.Done())
	defer s.conn.SetInterrupt(nil)
	err := f(s.conn)
	if ended := ctx.Err(); ended != nil && sqlite.ErrCode(err).ToPrimary() == sqlite.ResultInterrupt {
		return ended
	}
	return err
}

// Get implements client.Store.
func (s *Store) Get(ctx context.Context, key string) (value []byte, err error) {
	err = s.use(ctx, func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare("SELECT value FROM records WHERE key = ?")
		if err != nil {
			return err
		}
		defer stmt.Reset()
		stmt.BindBytes(1, []byte(key))
		found, err := stmt.Step()
		if err != nil || !found {
			return err
		}
		value, err = s.open(key, column(stmt, 0))
		return err
	})
	if err != nil {
		return nil, wrap("reading a record", err)
	}
	return value, nil
}

// Scan implements client.Store.
func (s *Store) Scan(ctx context.Context, options client.ScanOptions) (records []client.Record, err error) {
	query, bounds := scanQuery(options)
	err = s.use(ctx, func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare(query)
		if err != nil {
			return err
		}
		defer stmt.Reset()
		for i, bound := range bounds {
			stmt.BindBytes(i+1, bound)
		}
		for options.Limit == 0 || len(records) < options.Limit {
			found, err := stmt.Step()
			if err != nil || !found {
				return err
			}
			key := string(column(stmt, 0))
			value, err := s.open(key, column(stmt, 1))
			if err != nil {
				return err
			}
			records = append(records, client.Record{Key: key, Value: value})
		}
		return nil
	})
	if err != nil {
		return nil, wrap("reading records", err)
	}
	return records, nil
}

// scanQuery gives the query of a scan and the keys that bound it.
func scanQuery(options client.ScanOptions) (query string, bounds [][]byte) {
	query = "SELECT key, value FROM records WHERE true"
	add := func(condition, key string) {
		query += " AND key " + condition + " ?"
		bounds = append(bounds, []byte(key))
	}
	if options.Prefix != "" {
		add(">=", options.Prefix)
		if end, bounded := after(options.Prefix); bounded {
			add("<", end)
		}
	}
	switch {
	case options.From != "" && options.Reverse:
		add("<=", options.From)
	case options.From != "":
		add(">=", options.From)
	}
	query += " ORDER BY key"
	if options.Reverse {
		query += " DESC"
	}
	return query, bounds
}

// after gives the first key that is larger than every key with the prefix; there is none after 0xff bytes only.
func after(prefix string) (string, bool) {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return string(b[:i+1]), true
		}
	}
	return "", false
}

// Generation implements client.Store.
func (s *Store) Generation(ctx context.Context) (generation uint64, err error) {
	err = s.use(ctx, func(conn *sqlite.Conn) error {
		generation, err = readGeneration(conn)
		return err
	})
	if err != nil {
		return 0, wrap("reading the generation", err)
	}
	return generation, nil
}

func readGeneration(conn *sqlite.Conn) (uint64, error) {
	stmt, err := conn.Prepare("SELECT value FROM generation")
	if err != nil {
		return 0, err
	}
	v, err := sqlitex.ResultInt64(stmt)
	return uint64(v), err
}

// Commit implements client.Store.
func (s *Store) Commit(ctx context.Context, generation uint64, batch client.Batch) (uint64, error) {
	err := s.use(ctx, func(conn *sqlite.Conn) (err error) {
		end, err := sqlitex.ImmediateTransaction(conn)
		if err != nil {
			return err
		}
		defer end(&err)
		now, err := readGeneration(conn)
		if err != nil {
			return err
		}
		if now != generation {
			return client.ErrConflict
		}
		return s.write(conn, batch)
	})
	if err != nil {
		return 0, wrap("writing records", err)
	}
	return generation + 1, nil
}

// write carries out a batch, in a transaction.
func (s *Store) write(conn *sqlite.Conn, batch client.Batch) error {
	for _, prefix := range batch.DeletePrefixes {
		if err := deletePrefix(conn, prefix); err != nil {
			return err
		}
	}
	for _, key := range batch.Deletes {
		if err := exec(conn, "DELETE FROM records WHERE key = ?", []byte(key)); err != nil {
			return err
		}
	}
	for _, record := range batch.Puts {
		sealed, err := ident.SealRecord(ident.Random(), s.key, []byte(record.Key), record.Value)
		if err != nil {
			return err
		}
		if err := exec(conn, "INSERT OR REPLACE INTO records (key, value) VALUES (?, ?)", []byte(record.Key), sealed); err != nil {
			return err
		}
	}
	return exec(conn, "UPDATE generation SET value = value + 1")
}

func deletePrefix(conn *sqlite.Conn, prefix string) error {
	end, bounded := after(prefix)
	if !bounded {
		return exec(conn, "DELETE FROM records WHERE key >= ?", []byte(prefix))
	}
	return exec(conn, "DELETE FROM records WHERE key >= ? AND key < ?", []byte(prefix), []byte(end))
}

func exec(conn *sqlite.Conn, query string, values ...[]byte) error {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return err
	}
	defer stmt.Reset()
	for i, value := range values {
		stmt.BindBytes(i+1, value)
	}
	_, err = stmt.Step()
	return err
}

// Wait implements client.Store.
func (s *Store) Wait(ctx context.Context, generation uint64) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		now, err := s.Generation(ctx)
		if err != nil {
			return err
		}
		if now > generation {
			return nil
		}
		select {
		case <-ticker.C:
		case <-s.closed:
			return client.ErrStoreClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close implements client.Store. It empties the write-ahead log, where no other process has the file open.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return client.ErrStoreClosed
	}
	close(s.closed)
	checkpointErr := sqlitex.ExecuteTransient(s.conn, "PRAGMA wal_checkpoint(TRUNCATE)", nil)
	err := s.conn.Close()
	s.conn = nil
	if err == nil {
		err = checkpointErr
	}
	return wrap("closing the store", err)
}

// open unseals a value. An empty one is not nil.
func (s *Store) open(key string, sealed []byte) ([]byte, error) {
	value, err := ident.OpenRecord(s.key, []byte(key), sealed)
	if err == nil && value == nil {
		value = []byte{}
	}
	return value, err
}

// column copies a blob.
func column(stmt *sqlite.Stmt, i int) []byte {
	b := make([]byte, stmt.ColumnLen(i))
	_, err := io.ReadFull(stmt.ColumnReader(i), b)
	if err != nil {
		return nil
	}
	return b
}

// wrap says what failed, and lets the errors of the contract through as they are.
func wrap(doing string, err error) error {
	switch err {
	case nil, client.ErrConflict, client.ErrStoreClosed, context.Canceled, context.DeadlineExceeded:
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}
