// Package web holds the built browser client, for the binary to serve. FS gives it; `make web` builds it. It serves
// nothing itself: headers, compression and caching are internal/server's.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// FS gives the files of the page (index.html, assets/…), each that shrinks with a .br and a .gz beside it. False: this
// binary was built without the page. Files in assets/ have their content's hash in the name and never change.
func FS() (fs.FS, bool) {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("internal error: " + err.Error())
	}
	_, err = fs.Stat(files, "index.html")
	return files, err == nil
}
