package server

import (
	"context"
	"sync"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// presence knows who came and went, and tells those who watch. Its Run is the one
// that tells; came, left and watch are safe from any goroutine.
type presence struct {
	server *Server
	wake   chan struct{} // of size 1: somebody came or went

	mu struct {
		sync.Mutex
		changed  map[ident.AccountID]string // handles of those who came or went
		seen     map[ident.AccountID]int64  // when those who left did, until it is stored
		watching map[*session]bool
	}
}

// presenceEvery is the pause between two AccountsEvents.
const presenceEvery = time.Second

func newPresence(s *Server) *presence {
	p := &presence{server: s, wake: make(chan struct{}, 1)}
	p.mu.changed = make(map[ident.AccountID]string)
	p.mu.seen = make(map[ident.AccountID]int64)
	p.mu.watching = make(map[*session]bool)
	return p
}

func (p *presence) watch(n *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.watching[n] = true
}

func (p *presence) unwatch(n *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.watching, n)
}

// came notes that a device of an account has connected.
func (p *presence) came(d *Device) { p.note(d) }

// left notes that one has gone.
func (p *presence) left(d *Device) { p.note(d) }

func (p *presence) note(d *Device) {
	p.mu.Lock()
	p.mu.changed[d.Account] = d.Handle
	p.mu.seen[d.Account] = p.server.now()
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// seenAt is when an account was last connected, by what is stored or newer.
func (p *presence) seenAt(a *Account) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(a.SeenAt, p.mu.seen[a.ID])
}

// Run tells at most once a second, until ctx ends.
func (p *presence) Run(ctx context.Context) {
	defer p.tell()
	pause := time.NewTimer(0)
	defer pause.Stop()
	<-pause.C
	for {
		select {
		case <-p.wake:
			p.tell()
		case <-ctx.Done():
			return
		}
		pause.Reset(presenceEvery)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
	}
}

// tell sends one event to all who watch, and has the times stored.
func (p *presence) tell() {
	p.mu.Lock()
	changed, seen := p.mu.changed, p.mu.seen
	p.mu.changed = make(map[ident.AccountID]string)
	p.mu.seen = make(map[ident.AccountID]int64)
	watching := make([]*session, 0, len(p.mu.watching))
	for n := range p.mu.watching {
		watching = append(watching, n)
	}
	p.mu.Unlock()
	if len(changed) == 0 {
		return
	}
	p.server.Store.Touch(seen)
	event := &wire.AccountsEvent{}
	for id, handle := range changed {
		a := &wire.Account{Account: id.Bytes(), Handle: handle, Online: p.server.registry.online(id)}
		if !a.Online {
			a.SeenAt = seen[id]
		}
		event.Accounts = append(event.Accounts, a)
	}
	f := &wire.ServerFrame{Body: &wire.ServerFrame_AccountsChanged{AccountsChanged: event}}
	for _, n := range watching {
		n.event(f)
	}
}

func (n *session) watchAccounts() (*wire.ServerFrame, error) {
	if _, err := n.acting(); err != nil {
		return nil, err
	}
	n.server.presence.watch(n)
	return done(0), nil
}
