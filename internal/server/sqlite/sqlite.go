// Package sqlite is the server's Store in one SQLite file.
//
// One goroutine writes: it takes what is queued, up to a thousand writes, into
// one transaction and so into one fsync. Readers have connections of their own
// and never wait for it. Begin with Open.
//
// The database is in WAL mode with synchronous=FULL: a commit has returned when
// fsync has. Checkpoints are made by the writer and never by SQLite on its own,
// because SQLite keeps their errors to itself, and a failed fsync must end the
// process.
package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"snug/internal/ident"
	"snug/internal/server"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const (
	// fileName is the database in the data directory; SQLite puts -wal and -shm beside it.
	fileName = "snug.db"
	// readers is how many reads run at once: more than cores gains nothing, and one
	// long read must not keep the others waiting.
	readers = 4
	// queued is how many writes wait before callers do: enough for the next batch to
	// be full when the last one's fsync returns.
	queued = 2 * maxBatch
	// maxBatch is how many writes one transaction gathers. The cost of a batch is the
	// pages that it touches more than the rows: with 256 rooms busy, batches of 1,024
	// make 107,000 entries a second where batches of 256 make 39,000. 2,048 are slower
	// again, and 1,024 take 10 ms.
	maxBatch = 1024
	// maxBatchBytes ends a batch early, so that a few huge commits do not hold up
	// many small messages.
	maxBatchBytes = 4 << 20
	// checkpointPages is about how many pages go into the WAL (32 MiB) before they
	// are copied to the database. Rarely enough that a page changed often is copied
	// once, often enough that a start after a crash is quick.
	checkpointPages = 8192
	// writerCache and readerCache bound the page caches, in KiB.
	writerCache = 16 << 10
	readerCache = 2 << 10
	// cachedRooms and cachedDevices bound what the writer remembers for
	// authorization; beyond them it forgets all and reads anew.
	cachedRooms   = 4096
	cachedDevices = 65536
)

// Config says how to open a database. The zero value will do but for Rand.
type Config struct {
	// Rand gives the secret of a new database.
	Rand io.Reader
	// MaxPages bounds the database's size in pages of 4 KiB; 0 means the disk does.
	MaxPages int
	// Quota bounds what each account stores, in bytes; 0 means nothing does.
	Quota int64
}

// Store is a server.Store. Its methods are safe from any goroutine.
type Store struct {
	secret ident.ServerSecret
	write  *writer
	read   chan *sqlite.Conn // idle readers

	failed chan struct{}
	fail   sync.Once
	err    error // set before failed is closed
}

var _ server.Store = (*Store)(nil)

// Open opens the database in a directory that exists, or makes it. It refuses one
// with a schema newer than it knows. The caller holds the directory's lock.
func Open(dir string, config Config) (*Store, error) {
	path := filepath.Join(dir, fileName)
	if err := private(path); err != nil {
		return nil, err
	}
	conn, err := connect(path, writerCache)
	if err != nil {
		return nil, err
	}
	s := &Store{failed: make(chan struct{}), read: make(chan *sqlite.Conn, readers)}
	if err := s.prepare(conn, config); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	for range readers {
		r, err := connect(path, readerCache)
		if err == nil {
			err = sqlitex.ExecuteTransient(r, "PRAGMA query_only = on", nil)
		}
		if err != nil {
			return nil, errors.Join(err, s.closeReaders(), conn.Close())
		}
		s.read <- r
	}
	s.write = newWriter(conn, config.Quota, s.broken)
	return s, nil
}

// private makes the database's file before SQLite does, for us alone. SQLite gives
// the files beside it the same permissions.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening database: %w", err)
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

func connect(path string, cacheKiB int) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	// journal_mode answers with the mode: anything but wal means that the file
	// system cannot do it, and our promises would not hold.
	mode, err := sqlitex.ResultText(conn.Prep("PRAGMA journal_mode = wal"))
	if err == nil && mode != "wal" {
		err = fmt.Errorf("journal mode is %s, not wal", mode)
	}
	for _, pragma := range []string{
		"synchronous = full", "foreign_keys = on", "wal_autocheckpoint = 0", "temp_store = memory", "trusted_schema = off",
		fmt.Sprintf("cache_size = -%d", cacheKiB),
	} {
		if err == nil {
			err = sqlitex.ExecuteTransient(conn, "PRAGMA "+pragma, nil)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening database: %w", errors.Join(err, conn.Close()))
	}
	return conn, nil
}

// prepare brings the schema up to date and reads or makes the secret.
func (s *Store) prepare(conn *sqlite.Conn, config Config) error {
	if err := migrate(conn, schema, migrations()); err != nil {
		return err
	}
	if config.MaxPages > 0 {
		if err := sqlitex.ExecuteTransient(conn, fmt.Sprintf("PRAGMA max_page_count = %d", config.MaxPages), nil); err != nil {
			return err
		}
	}
	fresh := make([]byte, 32)
	if _, err := io.ReadFull(config.Rand, fresh); err != nil {
		return fmt.Errorf("making the server's secret: %w", err)
	}
	err := run(conn, "INSERT INTO secret (name, value) VALUES ('server', ?) ON CONFLICT DO NOTHING", nil, fresh)
	var value []byte
	if err == nil {
		err = run(conn, "SELECT value FROM secret WHERE name = 'server'", func(row *sqlite.Stmt) error {
			value = blob(row, 0)
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("reading the server's secret: %w", err)
	}
	s.secret, err = ident.ServerSecretFromBytes(value)
	return err
}

// Secret is server.Store's.
func (s *Store) Secret() ident.ServerSecret { return s.secret }

// Failed is server.Store's.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Err is server.Store's.
func (s *Store) Err() error {
	select {
	case <-s.failed:
		return s.err
	default:
		return nil
	}
}

// broken says that durability can be promised no longer.
func (s *Store) broken(err error) {
	s.fail.Do(func() {
		s.err = err
		close(s.failed)
	})
}

// Close is server.Store's.
func (s *Store) Close() error {
	// Readers first: the last connection to close copies the WAL into the database.
	return errors.Join(s.closeReaders(), s.write.close())
}

func (s *Store) closeReaders() (err error) {
	for range len(s.read) {
		err = errors.Join(err, (<-s.read).Close())
	}
	return err
}
