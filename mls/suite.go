package mls

// CipherSuite is a set of algorithms (RFC 9420, Section 5.1).
type CipherSuite uint16

// The suites of RFC 9420, and those of draft-ietf-mls-pq-ciphersuites. IANA has not given the latter numbers yet: they
// stand at 0xF000 plus their number in the draft's table, which is for private use.
const (
	MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519        CipherSuite = 1
	MLS_128_DHKEMP256_AES128GCM_SHA256_P256             CipherSuite = 2
	MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519 CipherSuite = 3
	MLS_256_DHKEMP521_AES256GCM_SHA512_P521             CipherSuite = 5
	MLS_256_DHKEMP384_AES256GCM_SHA384_P384             CipherSuite = 7
	MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519     CipherSuite = 0xF001
	MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519     CipherSuite = 0xF002
	MLS_128_MLKEM768P256_AES128GCM_SHA256_P256          CipherSuite = 0xF003
	MLS_128_MLKEM768P256_AES256GCM_SHA384_P256          CipherSuite = 0xF004
	MLS_192_MLKEM1024P384_AES256GCM_SHA384_P384         CipherSuite = 0xF005
)

// DefaultSuite is the one to take without a reason for another: secrets of today stay secret from a quantum computer.
const DefaultSuite = MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519
