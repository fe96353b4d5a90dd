//go:build !unix

package server

import "os"

// lockFile cannot lock here: SQLite's own locks still keep two writers apart.
func lockFile(*os.File) error { return nil }
