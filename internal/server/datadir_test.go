package server_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"snug/internal/server"
)

func TestDataDir(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "data")
	d, err := server.OpenDataDir(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v", info.Mode(), err)
	}
	if _, err := server.OpenDataDir(path); !errors.Is(err, server.ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := server.OpenDataDir(path)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := server.OpenDataDir(path); err == nil {
		t.Error("a directory that others can enter is accepted")
	}
}
