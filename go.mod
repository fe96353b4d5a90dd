module snug

go 1.26.0

// wire messages without reflection: over the standard runtime it saves 3.6 MiB of the WASM; maintained by its author,
// no dependencies in what we link. By hand we would write 2,000 lines of codec.
require github.com/aperturerobotics/protobuf-go-lite v0.14.0

// Argon2id for passphrases (RFC 9106), and for mls ChaCha20-Poly1305, which the standard library has only inside of
// crypto/hpke and crypto/tls. We would have to write 500 lines of it and of BLAKE2b ourselves. By the Go team; it needs
// x/sys to know the processor.
require golang.org/x/crypto v0.58.0

// WebSockets: 22 KiB per idle TLS connection, half of what other libraries take; MIT, one maintainer (lxzan) and regular
// releases; 60 KiB of code, klauspost/compress and dolthub/maphash under it, of which we use nothing. Instead we would
// write the upgrade and the reading of frames, 400 lines.
require github.com/lxzan/gws v1.8.9

// QR codes of safety numbers and link codes, for the page and the terminal alike: its package coding, 1,000 lines without
// dependencies, by Russ Cox. Instead we would write the same: Reed-Solomon over GF(256), the tables of 40 versions, the
// placing of bits. It has been still for years, and the standard is as well.
require rsc.io/qr v0.2.0

// the server's and the native client's database, without cgo: SQLite's C code translated to Go, 7 MiB of the binary.
// zombiezen.com/go/sqlite (Roxy Light) gives its own API (prepared statements, blobs, no database/sql in the way: a
// fifth faster in batches); modernc.org/sqlite (Jan Mercl and others) is the engine, with modernc.org/libc, memory and
// mathutil under it. We pin the engine ourselves: before 3.51.3 SQLite has the WAL-reset bug, and a test asserts it.
// Instead we would write a log-structured store, and find out for ourselves what SQLite has found out.
require (
	modernc.org/sqlite v1.61.1
	zombiezen.com/go/sqlite v1.4.2
)

// the group under the one-time passwords of sockets (RFC 9496): 3,100 lines of constant-time field and curve arithmetic by
// George Tankersley, Filippo Valsorda and Henry de Valence, a third of them reduction modulo the order; no dependencies,
// BSD, finished rather than maintained, and held to the vectors of CPace here. The standard library keeps its curve to
// itself; we would write all of it.
require github.com/gtank/ristretto255 v0.1.2

require (
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/dolthub/maphash v0.1.0 // indirect
	github.com/dustin/go-humanize v1.1.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/klauspost/compress v1.20.1 // indirect
	github.com/mattn/go-isatty v0.0.24 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/ncruces/go-strftime v1.1.0 // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	golang.org/x/sys v0.49.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	modernc.org/libc v1.79.0 // indirect
	modernc.org/mathutil v1.7.1 // indirect
	modernc.org/memory v1.12.1 // indirect
)

// asking for a passphrase on a terminal without showing it: by the Go team, on x/sys alone. Instead we would write the
// system calls of each platform.
require golang.org/x/term v0.47.0

// the metrics of tunnels in the text that Prometheus reads, by the Prometheus project itself. It brings its data model,
// the standard protobuf runtime and most of 2.6 MiB of binary with it, in the native binary only. Instead we would write the text
// format with its escapes, and whatever scrapers come to negotiate: 200 lines for ever one version behind.
require github.com/prometheus/client_golang v1.25.0
