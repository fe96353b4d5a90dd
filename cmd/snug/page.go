package main

import (
	"io/fs"

	"snug/web"
)

// page is the web client that is built into the binary, or nil where `make web` has not run before the build.
func page() fs.FS {
	files, built := web.FS()
	if !built {
		return nil
	}
	return files
}
