package server

import (
	"net/http"
	"net/netip"
)

// The server would hang up on whom it has not heard since a test has turned the clock, whenever its own time comes.
func init() { sweepEvery = 1 << 62 }

// Sweep is what the server does every now and then.
func Sweep(s *Server) { s.sweepOnce() }

// Waiting gives the bytes that wait for peers to read.
func Waiting(s *Server) (n int) {
	for _, session := range s.registry.sessions() {
		session.mu.Lock()
		n += cap(session.mu.out.own) + session.mu.out.size
		session.mu.Unlock()
	}
	return n + int(s.hub.tails.size.Load())
}

// Lagging gives how many cursors wait to be read from, of all sessions.
func Lagging(s *Server) (n int) {
	for _, session := range s.registry.sessions() {
		session.mu.Lock()
		n += len(session.mu.lagging)
		session.mu.Unlock()
	}
	return n
}

// Sessions gives how many connections there are.
func Sessions(s *Server) int { return len(s.registry.sessions()) }

// Handler gives what the plain HTTP port serves.
func Handler(s *Server) http.Handler { return s.handler(&listening{server: s}, false) }

// Followed gives how many cursors the hub knows, of all sessions.
func Followed(s *Server) (n int) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	for _, t := range s.hub.mu.topics {
		t.mu.Lock()
		n += len(t.followers)
		t.mu.Unlock()
	}
	return n
}

// Hashed gives how many slow hashes the server has begun.
func Hashed(s *Server) int64 { return s.hashed.Load() }

// Prefix gives what a connection's tries are limited by.
func Prefix(proxies []netip.Prefix, peer string, forwarded []string) netip.Prefix {
	s := &Server{Config: Config{Proxies: proxies}}
	return addressPrefix(s.clientAddress(peer, &http.Request{Header: http.Header{"X-Forwarded-For": forwarded}}))
}

// The largest messages of who is not known yet, in bytes.
const (
	MaxGreeting = maxGreeting
	MaxStranger = maxStranger
)

// MaxHandshakes is how many handshakes go on at once, ShakeWithin how long each may then take.
const (
	MaxHandshakes = maxHandshakes
	ShakeWithin   = shakeWithin
)

// MaxOutgoing is how many bytes wait for a peer before it is hung up on, HighWater before its requests are read no more.
const (
	MaxOutgoing = maxOutgoing
	HighWater   = highWater
)

// How long a revoked device's connection may take to go, and what is under way when the server stops.
const (
	CloseWithin = closeWithin
	Farewell    = farewell
	DrainWithin = drainWithin
)
