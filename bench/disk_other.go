//go:build !linux

package main

import "os"

// datasync forces a file's content to stable storage; what Linux leaves out for speed is included here.
func datasync(f *os.File) error { return f.Sync() }
