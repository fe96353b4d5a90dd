// Package server is Snug's delivery service: it keeps accounts' chains, hands out
// key packages, orders what is said in rooms, and can read none of it but in open
// rooms. It never imports the packages that could decrypt.
//
// Begin with New and Run. A Store keeps the state and a Bus joins several
// servers; the protocol is package wire's. Page and sockets come on two
// listeners, one with TLS and one, for loopback or a proxy, without.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// sweepEvery is how often we look for connections that say nothing. A variable, because tests that turn the clock look
// themselves.
var sweepEvery = wire.PingEvery / 3

// Limits of one server. Those that clients must know are in package wire.
const (
	// greetWithin is how long a connection may take for its handshake, its upgrade
	// and its Hello: long for a slow phone, short for a flood.
	greetWithin = 10 * time.Second
	// silentFor is after how long we hang up on a connection that says nothing.
	silentFor = 3 * wire.PingEvery
	// drainWithin is how long requests under way may take when the server stops;
	// with the closing of sockets it stays below the 10 s that systemd's users
	// commonly wait.
	drainWithin = 6 * time.Second
	// closeWithin is how long a peer may take to read our last words.
	closeWithin = 2 * time.Second
	// farewell is how long a device that has revoked itself may take to go by itself.
	farewell = time.Second

	// maxGreeting bounds a connection's first message, in bytes.
	maxGreeting = 1 << 10
	// maxStranger bounds a message of a connection that acts for no device yet, in
	// bytes: a Register with its key packages comes as one. It is more than a frame of
	// 64 KiB because of those: 100 hybrid key packages of 3 KiB are 300.
	maxStranger = 512 << 10
	// readBuffer is each connection's, in bytes: most frames are smaller, larger ones
	// are read past it.
	readBuffer = 1 << 10
	// maxPendingBytes is how much of a connection's submits waits for the disk before
	// we stop reading from it: one largest commit always may.
	maxPendingBytes = 1 << 20
	// highWater is how many bytes of answers wait for a socket before we stop reading
	// its requests; maxOutgoing how many with events, before we hang up. An event is
	// at most a Welcome of a frame's size. maxOwn is how many of them may be the
	// connection's own: what goes to many is in memory once. sharedSize is how large
	// that is, in bytes.
	highWater   = 128 << 10
	maxOutgoing = 2*wire.MaxFrame + highWater
	maxOwn      = 1 << 20
	sharedSize  = 4 << 10
	// flushSize is about how much is written at once: four TLS records.
	flushSize = wire.MaxBatch

	// maxFollows is how many rooms one connection follows.
	maxFollows = 10_000
	// tailSize bounds the newest entries of a followed room that are kept in memory,
	// in bytes, and tailsSize those of all rooms together.
	tailSize  = 128 << 10
	tailsSize = 32 << 20

	// slowHashes is how many passphrase hashes run at once: each takes 19 MiB and
	// 20 ms of a core. hashQueue is how many wait, 2 s of work, before we say so.
	slowHashes = 2
	hashQueue  = 200

	// inviteFor and maxInviteFor are how long an invite is valid.
	inviteFor    = 7 * 24 * time.Hour
	maxInviteFor = 30 * 24 * time.Hour

	// maxKeyPackages is how many one-time key packages one device keeps here.
	maxKeyPackages = 500
	// maxClaim is how many key packages one request takes: so many of the largest fit a frame. A client's commit adds 100.
	maxClaim = 300
	// maxMoved is how many devices one commit adds, and removes: a full room.
	maxMoved = 1000
	// maxAgent bounds Hello.agent, maxVersions Hello.versions.
	maxAgent    = 64
	maxVersions = 16
)

// CommonRoom is the name of the open room that the first start makes for everyone.
const CommonRoom = "common"

// Config says what a server is made of. Store and Rand are needed.
type Config struct {
	Store Store
	// Bus joins this server with others over the same Store; nil for a single one.
	Bus Bus
	// Registration says who may register; by default who has an invite.
	Registration wire.RegistrationMode
	// ID is the pin of the server's TLS key: what clients sign over.
	ID [32]byte
	// Proxies are who may say whom they speak for, in X-Forwarded-For: the addresses of
	// reverse proxies. By default nobody: the header is the client's own to write.
	Proxies []netip.Prefix
	// Page is the web client, served as it is; nil for a short notice.
	Page fs.FS
	// Rand gives ids, nonces and codes. Now is the clock, time.Now by default.
	Rand io.Reader
	Now  func() time.Time
	// Log hears what an operator would want to know; nil for nothing.
	Log *slog.Logger
}

// Server is a delivery service. Run it once.
type Server struct {
	Config
	secret   ident.ServerSecret
	bus      Bus
	hub      *hub
	registry *registry
	presence *presence
	crier    *crier
	limits   *limits
	// mailboxes are where devices that are linked meet.
	mailboxes *mailboxes
	// knocks are the letters of who asks to be let into rooms.
	knocks   *knocks
	hashing  chan struct{} // a place for each slow hash under way
	hashWait atomic.Int64  // hashes under way or waiting
	hashed   atomic.Int64  // hashes begun, ever

	draining atomic.Bool
	// life ends when connections are cut. Sockets call us back without a context,
	// so this is the one place that keeps one.
	life context.Context
	cut  context.CancelFunc
	// sessions counts goroutines that serve a connection.
	sessions sync.WaitGroup
}

// New makes a server. It makes the common room if the store has never had one.
func New(ctx context.Context, config Config) (*Server, error) {
	if config.Store == nil || config.Rand == nil {
		return nil, errors.New("server: config needs Store and Rand")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Registration == wire.RegistrationMode_REGISTRATION_MODE_UNSPECIFIED {
		config.Registration = wire.RegistrationMode_REGISTRATION_MODE_INVITE
	}
	s := &Server{Config: config, secret: config.Store.Secret(), bus: config.Bus, hashing: make(chan struct{}, slowHashes)}
	if s.bus == nil {
		s.bus = &localBus{}
	}
	s.life, s.cut = context.WithCancel(context.WithoutCancel(ctx))
	s.hub = newHub(s.bus)
	s.registry = newRegistry()
	s.presence = newPresence(s)
	s.crier = newCrier()
	s.hub.committed = func(c *Submission) { s.crier.tell(func(ctx context.Context) { s.committed(ctx, c) }) }
	s.limits = newLimits(config.Now)
	s.mailboxes = newMailboxes(config.Now)
	s.knocks = newKnocks(config.Now)
	return s, s.makeCommonRoom(ctx)
}

// makeCommonRoom makes the open room of everyone, unless a start before has.
func (s *Server) makeCommonRoom(ctx context.Context) error {
	id, err := ident.NewRoomID(s.Rand)
	if err != nil {
		return err
	}
	_, err = s.Store.CreateRoom(ctx, NewRoom{
		ID: id, Kind: wire.RoomKind_ROOM_KIND_OPEN, Name: CommonRoom, Everyone: true, At: s.now(),
	})
	if err != nil && !errors.Is(err, Refuse(wire.ErrorCode_ERROR_CODE_CONFLICT, "")) {
		return fmt.Errorf("making the common room: %w", err)
	}
	return nil
}

// OwnerInvite makes the code by which the first account becomes the owner, for as
// long as there is none: empty when there is one. Codes made before are void then,
// so that none needs to be kept.
func (s *Server) OwnerInvite(ctx context.Context) (string, error) {
	has, err := s.Store.HasOwner(ctx)
	if err != nil || has {
		return "", err
	}
	invite, err := ident.NewInvite(s.Rand)
	if err != nil {
		return "", err
	}
	if err := s.Store.CreateInvite(ctx, NewInvite{Hash: ident.HashInvite(invite), Owner: true}); err != nil {
		return "", fmt.Errorf("making the owner's invite: %w", err)
	}
	return invite.Secret(), nil
}

// Ready reports whether the server takes requests.
func (s *Server) Ready() bool { return !s.draining.Load() && s.Store.Err() == nil }

// now is the clock in ms.
func (s *Server) now() int64 { return s.Now().UnixMilli() }
