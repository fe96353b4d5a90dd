package server

import (
	"io/fs"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"snug/internal/wire"
)

// contentPolicy is what the page may do: run its own script and WASM, and talk to
// where it came from. The named policy is Svelte's; {@html} is banned in the page.
const contentPolicy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; " +
	"img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types snug"

// hashedAssets is the folder whose file names change with their content.
const hashedAssets = "assets/"

// handler serves one port's HTTP.
func (s *Server) handler(l *listening, secure bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+wire.Path, l.socket)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.Ready() {
			say(w, http.StatusServiceUnavailable, "stopping")
			return
		}
		say(w, http.StatusOK, "ready")
	})
	mux.HandleFunc("GET /", s.page)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		harden(w.Header())
		if why := foreign(r, secure); why != "" {
			say(w, http.StatusForbidden, why)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func harden(h http.Header) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", "camera=(self), microphone=(), geolocation=()")
}

// foreign says why a request is none of ours, or nothing. A page of another site
// must not open our socket (WebSockets know no same-origin policy), nor may a name
// that its owner points at this machine (DNS rebinding) reach a port that is
// meant for this machine: on plain HTTP we answer to addresses and to localhost.
// A proxy for browsers passes on to the TLS port, where a name of its own is good.
func foreign(r *http.Request, secure bool) string {
	if origin := r.Header.Get("Origin"); origin != "" && r.Header.Get("Upgrade") != "" {
		u, err := url.Parse(origin)
		if err != nil || !strings.EqualFold(u.Host, r.Host) {
			return "this page belongs to another site"
		}
	}
	if secure {
		return ""
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if strings.EqualFold(host, "localhost") {
		return ""
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil {
		return "on plain HTTP this server answers to its address and to localhost only; a proxy in front of it passes on to the port with TLS"
	}
	return ""
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

const noPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Snug</title>
<h1>Snug</h1>
<p>This server was built without the web client. Use the terminal: <code>snug help</code>.</p>
</html>
`

// page serves the web client: files as they are, compressed where a .br or .gz
// lies beside them, and index.html for every path that is no file's.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if s.Page == nil {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write([]byte(noPage))
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	info, err := fs.Stat(s.Page, nameOrIndex(name))
	if err != nil || info.IsDir() {
		if path.Ext(name) != "" {
			say(w, http.StatusNotFound, "no such file")
			return
		}
		name = ""
	}
	s.file(w, r, nameOrIndex(name))
}

func nameOrIndex(name string) string {
	if name == "" {
		return "index.html"
	}
	return name
}

func (s *Server) file(w http.ResponseWriter, r *http.Request, name string) {
	h := w.Header()
	kind := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) {
	// The system's table of types may lack or change these.
	case ".wasm":
		kind = "application/wasm"
	case ".js":
		kind = "text/javascript; charset=utf-8"
	case ".webmanifest":
		kind = "application/manifest+json"
	case "":
		kind = "application/octet-stream"
	}
	h.Set("Content-Type", kind)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, hashedAssets) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	for _, c := range []struct{ encoding, suffix string }{{"br", ".br"}, {"gzip", ".gz"}} {
		if !accepts(r.Header.Get("Accept-Encoding"), c.encoding) {
			continue
		}
		if _, err := fs.Stat(s.Page, name+c.suffix); err == nil {
			h.Set("Content-Encoding", c.encoding)
			name += c.suffix
			break
		}
	}
	http.ServeFileFS(w, r, s.Page, name)
}

func accepts(header, encoding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(name, encoding) && strings.TrimSpace(q) != "q=0" {
			return true
		}
	}
	return false
}
