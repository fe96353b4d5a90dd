//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package pki

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// lock waits until no other process is at work here. A process that was killed leaves its file behind, which somebody
// has to remove: better than two who write.
func lock(path string) (unlock func(), err error) {
	deadline := time.Now().Add(lockPatience)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			f.Close()
			return func() { os.Remove(path) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("pki: locking: %w", err)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%w: if no other process is, remove %s", ErrBusy, path)
		}
		time.Sleep(lockPause)
	}
}
