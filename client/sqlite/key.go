package sqlite

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"snug/internal/ident"
)

// loadKey reads the key file, or makes it: whole or not at all, and never over one that is there. Two processes that
// begin at once end with the same key.
func loadKey(path string, rand io.Reader) (ident.StoreKey, error) {
	secret, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(path, rand); err != nil {
			return ident.StoreKey{}, fmt.Errorf("making the store's key: %w", err)
		}
		secret, err = os.ReadFile(path)
	}
	if err != nil {
		return ident.StoreKey{}, fmt.Errorf("reading the store's key: %w", err)
	}
	key, err := ident.StoreKeyFromSecret(secret)
	if err != nil {
		return ident.StoreKey{}, fmt.Errorf("reading the store's key %s: %w", path, err)
	}
	return key, nil
}

func makeKey(path string, rand io.Reader) error {
	if _, err := os.Stat(path[:len(path)-len(".key")]); err == nil {
		return errors.New("the database is there and its key file is not: restore both from one backup, or delete the database")
	}
	key, err := ident.NewStoreKey(rand)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(key.Secret())
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a new file's name durable. Not every system can; a key that is lost with its database loses nothing.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	d.Sync()
	return d.Close()
}

// createPrivate makes the file with mode 0600 if it is not there, before SQLite makes it with another.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}
