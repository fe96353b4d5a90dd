package main

import (
	"os"
	"syscall"
)

// datasync forces a file's content to stable storage, as the server's database does before an ack.
func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
