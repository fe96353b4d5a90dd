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

// A disk is what files are written by. before, if not nil, is asked about each step first, and an error takes its place:
// so a test ends a process in the middle.
type disk struct{ before func(step string) error }

// do does a step.
func (d disk) do(step string, work func() error) error {
	if d.before != nil {
		if err := d.before(step); err != nil {
			return err
		}
	}
	return work()
}

// write replaces a file: it is the old one or the new one whole, whatever happens, and on the disk when it returns.
func (d disk) write(path string, text []byte, mode fs.FileMode) error {
	if err := d.replace(path, text, mode); err != nil {
		return fmt.Errorf("pki: writing %s: %w", path, err)
	}
	return nil
}

func (d disk) replace(path string, text []byte, mode fs.FileMode) error {
	var f *os.File
	err := d.do("create", func() (err error) {
		f, err = os.CreateTemp(filepath.Dir(path), unfinished) // 0600
		return err
	})
	if err != nil {
		return err
	}
	defer d.do("remove", func() error { return os.Remove(f.Name()) })
	defer f.Close()
	for _, step := range []struct {
		name string
		work func() error
	}{
		{"write", func() error { _, err := f.Write(text); return err }},
		{"chmod", func() error { return f.Chmod(mode) }},
		{"sync", f.Sync},
		{"close", f.Close},
		{"rename", func() error { return os.Rename(f.Name(), path) }},
		{"sync the directory", func() error { return syncDir(filepath.Dir(path)) }},
	} {
		if err := d.do(step.name, step.work); err != nil {
			return err
		}
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
