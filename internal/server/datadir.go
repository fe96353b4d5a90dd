package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// DataDir is a server's data directory, locked for one process.
type DataDir struct {
	path string
	lock *os.File
}

// ErrInUse says that another server has the data directory.
var ErrInUse = errors.New("server: another server is using the data directory")

// OpenDataDir locks a data directory, and makes it with mode 0700 if there is none.
// It refuses one that others than its owner can enter. The system frees the lock
// when the process ends, however it ends.
func OpenDataDir(path string) (*DataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening the data directory: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("server: the data directory %s has mode %04o and must be 0700: chmod 700 %s", path, mode, path)
	}
	f, err := os.OpenFile(filepath.Join(path, "snug.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the data directory: %w", err)
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", ErrInUse, path), f.Close())
	}
	return &DataDir{path: path, lock: f}, nil
}

// Path gives the directory.
func (d *DataDir) Path() string { return d.path }

// File gives the path of a file in it.
func (d *DataDir) File(name string) string { return filepath.Join(d.path, name) }

// Close frees the lock.
func (d *DataDir) Close() error { return d.lock.Close() }
