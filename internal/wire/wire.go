// Package wire is the client-server protocol: the messages of proto/snug/v1 as Go types, and the limits that both
// sides keep. Begin with ClientFrame and ServerFrame; docs/protocol.md tells the story.
//
// The *.pb.go files are generated (make generate) without reflection: each message has SizeVT, MarshalVT, UnmarshalVT
// and EqualVT. Decoding is bounded by the frame's size, copies what it keeps and never panics.
package wire

import "time"

// Version is the protocol version of this package.
const Version = 1

// Path is where the WebSocket is served.
const Path = "/v1/socket"

// ALPN is the application protocol of native clients: TLS with a device's key, then HTTP/1.1 for the upgrade.
const ALPN = "snug/1"

// Limits of what either side accepts. They are part of the protocol: a larger value is refused, not truncated.
const (
	// MaxPayload bounds a message or proposal in a log, in bytes. With its envelope it fits a frame of 64 KiB.
	MaxPayload = 60 << 10
	// MaxCommit bounds a commit with its Welcome, in bytes. A group of 1,000 devices with hybrid keys fits: 3 MiB of tree in
	// the Welcome, 1.2 of secrets for a tree in which nobody else has committed, and 0.5 for 100 devices that come.
	MaxCommit = 5 << 20
	// MaxFrame bounds a frame of either direction, in bytes: the largest commit and its envelope.
	MaxFrame = MaxCommit + 64<<10
	// MaxBatch is where the sender of many entries or chains begins the next frame, in bytes, so that one slow reader
	// holds little memory. A single larger entry is sent in a frame of its own.
	MaxBatch = 64 << 10
	// MaxText bounds a text message, in bytes of UTF-8: padding and the MLS frame around it stay under MaxPayload.
	MaxText = 32 << 10
	// MaxRoomName bounds a room's name, in bytes of UTF-8.
	MaxRoomName = 64
	// MaxVault bounds a vault, in bytes.
	MaxVault = 16 << 10
	// MaxKeyPackage bounds a key package, in bytes: a hybrid one has about 3 KiB.
	MaxKeyPackage = 16 << 10
	// MaxKeyPackages is how many key packages one request may carry.
	MaxKeyPackages = 100
	// MaxLinkMessage bounds a message of a mailbox, in bytes, MaxLinkMessages how many each end posts.
	MaxLinkMessage  = 4 << 10
	MaxLinkMessages = 4
	// MaxKnock bounds the letter of who asks to be let into a room, in bytes, and MaxKnockAnswer the answer.
	MaxKnock       = 1 << 10
	MaxKnockAnswer = 256
	// MaxArchiveChunk bounds a sealed chunk of an archive, in bytes, MaxArchiveHead a sealed head: 64 KiB and 256 KiB of
	// text, which holds some 3,500 rooms, and what sealing adds.
	MaxArchiveChunk = 64<<10 + 64
	MaxArchiveHead  = 256<<10 + 64
	// MaxArchivePage is the most chunks that one answer holds.
	MaxArchivePage = 64
	// MaxPage is the most rows that one answer holds: accounts, chains, entries.
	MaxPage = 1000
	// MaxAccounts is the most accounts that one request names or one page of them holds.
	MaxAccounts = 500
	// MaxPending is how many unanswered requests a connection may have.
	MaxPending = 256
)

// PingEvery is how often a client that has nothing else to say sends Ping; a server hangs up on a connection that has
// been silent for three times as long. It is under the minute after which many NATs forget a connection.
const PingEvery = 45 * time.Second
