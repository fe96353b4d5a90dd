package pki

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// write replaces a file: it is the old one or the new one whole, whatever happens, and on the disk when it returns.
func write(path string, text []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), unfinished) // 0600
	if err != nil {
		return fmt.Errorf("pki: writing %s: %w", path, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("pki: writing %s: %w", path, err)
	}
	return nil
}

// tidy removes what a process that was killed has left half-written: a private key perhaps. Called with the lock held.
func (a *Authority) tidy() {
	for _, dir := range []string{a.Path(""), a.Path(issuedDir)} {
		left, _ := filepath.Glob(filepath.Join(dir, unfinished))
		for _, path := range left {
			os.Remove(path)
		}
	}
}

// unfinished are the names of files that are being written.
const unfinished = ".new-*"

// syncDir makes a new name durable. Windows cannot, and does not need to.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// read reads a file of at most so many bytes.
func read(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("pki: reading: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("pki: reading: %w", err)
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("pki: %s has more than %d bytes", path, most)
	}
	return text, nil
}

// readPrivate reads a private key that nobody but its owner may read.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("pki: reading: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("pki: %s has mode %04o and must be 0600", path, mode)
	}
	return read(path, maxPEM)
}
