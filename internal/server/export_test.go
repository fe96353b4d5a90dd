package server

import "net/http"

// Sweep is what the server does every now and then.
func Sweep(s *Server) { s.sweepOnce() }

// Waiting gives the bytes that wait for peers to read.
func Waiting(s *Server) (n int) {
	for _, session := range s.registry.sessions() {
		session.mu.Lock()
		n += cap(session.mu.out)
		session.mu.Unlock()
	}
	return n + int(s.hub.tails.size.Load())
}

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
