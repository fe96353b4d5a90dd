module snug

go 1.26.0

// wire messages without reflection: over the standard runtime it saves 3.6 MiB of the WASM; maintained by its author,
// no dependencies in what we link. By hand we would write 2,000 lines of codec.
require github.com/aperturerobotics/protobuf-go-lite v0.14.0

// Argon2id for passphrases (RFC 9106) and ChaCha20-Poly1305, which the standard library does not have. We
// would have to write 500 lines of it and of BLAKE2b ourselves. By the Go team; it
// needs x/sys to know the processor.
require golang.org/x/crypto v0.58.0

require golang.org/x/sys v0.49.0 // indirect
