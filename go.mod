module snug

go 1.26.0

// For mls: ChaCha20-Poly1305, which the standard library has only inside of crypto/hpke and crypto/tls.
require golang.org/x/crypto v0.58.0

require golang.org/x/sys v0.49.0 // indirect
