package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"snug/internal/wire"
)

// Ports are what a server listens on; Run closes them.
type Ports struct {
	// TLS takes native clients (ALPN "snug/1") and browsers, by TLSConfig:
	// mtls.ServerTLS. May be nil.
	TLS       net.Listener
	TLSConfig *tls.Config
	// HTTP takes browsers in plain HTTP. May be nil.
	HTTP net.Listener
}

// Run serves until ctx ends, and then drains: who is connected is told, new
// requests are refused, those under way are finished, connections are closed. When
// it returns nothing of it runs any more, and the Store may be closed. The error
// is nil after ctx, or why the store or a listener has failed.
func (s *Server) Run(ctx context.Context, ports Ports) error {
	// workers live until the last session has ended.
	workers, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var running sync.WaitGroup
	running.Go(func() { s.hub.Run(workers) })
	running.Go(func() { s.crier.Run(workers) })
	running.Go(func() { s.presence.Run(workers) })
	running.Go(func() { s.sweep(workers) })
	listening := s.listen(ports)
	err := s.wait(ctx, listening)
	s.draining.Store(true)
	listening.stop()
	if err == nil {
		s.drain()
	}
	s.hangUpAll()
	s.cut()
	s.sessions.Wait()
	stop()
	running.Wait()
	return err
}

func (s *Server) wait(ctx context.Context, l *listening) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.Store.Failed():
		return fmt.Errorf("the store has failed: %w", s.Store.Err())
	case err := <-l.failed:
		return fmt.Errorf("listening: %w", err)
	}
}

// drain lets what is under way end, for a while.
func (s *Server) drain() {
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		all := s.registry.sessions()
		for _, n := range all {
			n.event(&wire.ServerFrame{Body: &wire.ServerFrame_Draining{Draining: &wire.Draining{}}})
		}
		for _, n := range all {
			n.waitIdle()
		}
	}()
	// A peer that reads nothing keeps its session busy: hanging up ends that wait.
	timeout := time.NewTimer(drainWithin)
	defer timeout.Stop()
	select {
	case <-idle:
		return
	case <-timeout.C:
	}
	s.hangUpAll()
	<-idle
}

func (s *Server) hangUpAll() {
	for _, n := range s.registry.sessions() {
		n.hangUp(closeGoingAway, "server is stopping")
	}
}

// manyCame is how many new sessions in one sweep make it worth to collect their handshakes' garbage at once, about 20 KiB
// each, and to give the memory back: idle, the server would not collect for minutes. It takes 20 ms of a core.
const manyCame = 200

// sweep hangs up on who is silent, frees tails that nobody reads, and tidies up after a rush.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.sweepOnce()
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) sweepOnce() {
	deadline := s.Now().Add(-silentFor).UnixMilli()
	for _, n := range s.registry.sessions() {
		if n.heard.Load() < deadline {
			n.hangUp(closeGoingAway, "silent for too long")
		}
	}
	s.hub.dropIdleTails()
	s.mailboxes.sweep()
	s.knocks.sweep()
	if s.registry.turnover() >= manyCame {
		debug.FreeOSMemory()
	}
}
