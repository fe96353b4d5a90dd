// Package ident holds the keys of snug and everything that is hashed, signed or
// sealed with them outside of MLS and TLS: accounts and their chains of devices,
// certificates, passphrases and vaults, logins, invites, the hash chain of a
// room's log, signatures of open rooms, and the sealing of the client's store.
//
// Begin with NewAccount, which makes an identity key and a Chain, and with
// ParseChain and VerifyMember, which judge what others show.
//
// Nothing here does I/O, knows the time or has state of its own: randomness and
// clocks are arguments. It also runs in browsers, so it stays away from
// encoding/json, crypto/x509, crypto/tls and net.
//
// All encodings and labels are part of the protocol (docs/protocol.md) and
// carry a version; testdata/vectors.txt holds examples of each.
package ident
