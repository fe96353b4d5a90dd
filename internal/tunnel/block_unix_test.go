//go:build unix

package tunnel_test

import (
	"os"
	"sync"
	"syscall"
	"testing"
)

// blockReading puts a pipe in a file's place: who opens it waits until release.
func blockReading(t *testing.T, path string) (release func()) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() {
		if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil { // which who has opened it waits for
			os.Remove(path) // for who has not
			f.Close()
		}
	})
	t.Cleanup(release)
	return release
}
