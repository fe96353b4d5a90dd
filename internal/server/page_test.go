package server_test

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"snug/internal/server"
)

var page = fstest.MapFS{
	"index.html":           {Data: []byte("<!doctype html>")},
	"assets/app-abc.js":    {Data: []byte("plain")},
	"assets/app-abc.js.br": {Data: []byte("brotli")},
	"assets/app-abc.js.gz": {Data: []byte("gzipped")},
	"assets/core.wasm":     {Data: []byte("wasm")},
}

func TestPage(t *testing.T) {
	for _, c := range []struct {
		name, path, host, accept string
		page                     fs.FS
		status                   int
		body                     string
		header                   map[string]string
	}{
		{"index", "/", "127.0.0.1:8080", "", page, 200, "<!doctype html>", map[string]string{"Cache-Control": "no-cache", "Content-Type": "text/html; charset=utf-8"}},
		{"a room's address", "/room/abc", "localhost", "", page, 200, "<!doctype html>", nil},
		{"brotli", "/assets/app-abc.js", "[::1]:80", "gzip, br", page, 200, "brotli", map[string]string{
			"Content-Encoding": "br", "Content-Type": "text/javascript; charset=utf-8", "Cache-Control": "public, max-age=31536000, immutable"}},
		{"gzip", "/assets/app-abc.js", "127.0.0.1", "gzip", page, 200, "gzipped", map[string]string{"Content-Encoding": "gzip"}},
		{"not brotli", "/assets/app-abc.js", "127.0.0.1", "br;q=0", page, 200, "plain", map[string]string{"Content-Encoding": ""}},
		{"wasm", "/assets/core.wasm", "127.0.0.1", "", page, 200, "wasm", map[string]string{"Content-Type": "application/wasm"}},
		{"no such file", "/assets/gone.js", "127.0.0.1", "", page, 404, "no such file\n", nil},
		{"out of the page", "/../server.pem", "127.0.0.1", "", page, 404, "no such file\n", nil},
		{"no page", "/", "127.0.0.1", "", nil, 200, "", nil},
		{"another name for us", "/", "evil.example", "", page, 403, "", nil},
		{"health", "/healthz", "127.0.0.1", "", nil, 200, "ok\n", nil},
		{"ready", "/readyz", "127.0.0.1", "", nil, 200, "ready\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := server.Handler(&server.Server{Config: server.Config{Page: c.page, Store: alive{}}})
			r := httptest.NewRequest(http.MethodGet, "http://x/", nil)
			r.URL.Path, r.Host = c.path, c.host
			r.Header.Set("Accept-Encoding", c.accept)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if c.name == "out of the page" && w.Code == http.StatusTemporaryRedirect || w.Code == http.StatusMovedPermanently {
				return // to the clean path, which is no file's
			}
			body, _ := io.ReadAll(w.Body)
			if w.Code != c.status || c.body != "" && string(body) != c.body {
				t.Errorf("%d %q, want %d %q", w.Code, body, c.status, c.body)
			}
			for name, want := range c.header {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			for name, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
				"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			} {
				if got := w.Header().Get(name); !strings.HasPrefix(got, want) {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if w.Header().Get("Set-Cookie") != "" {
				t.Error("a cookie was set")
			}
		})
	}
}

// alive is a store that has not failed.
type alive struct{ server.Store }

func (alive) Err() error { return nil }
