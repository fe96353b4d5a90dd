package main

import (
	"os"
	"path/filepath"
)

// locked runs change while nobody else changes the file at path: who reads a file, changes what it says and writes it
// whole would otherwise lose what somebody wrote in between. The lock is a file beside it, which stays; the system
// releases it when the process ends, however it ends.
func locked(path string, change func() error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := lockFile(f); err != nil {
		return err
	}
	return change()
}
