//go:build unix

package main

import (
	"os"
	"syscall"
)

// lockFile waits until the lock is ours; closing the file gives it back.
func lockFile(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != syscall.EINTR {
			return err
		}
	}
}
