package server

import (
	"sync"

	"snug/internal/ident"
	"snug/internal/wire"
)

// registry knows the sessions, and whose they are. Safe from any goroutine.
type registry struct {
	mu struct {
		sync.Mutex
		all       map[*session]bool
		byAccount map[ident.AccountID]map[*session]bool
		came      int // since turnover was asked last
	}
}

func newRegistry() *registry {
	r := &registry{}
	r.mu.all = make(map[*session]bool)
	r.mu.byAccount = make(map[ident.AccountID]map[*session]bool)
	return r
}

func (r *registry) add(n *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.all[n] = true
	r.mu.came++
}

// turnover is how many sessions have begun since it was called last.
func (r *registry) turnover() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	came := r.mu.came
	r.mu.came = 0
	return came
}

func (r *registry) identify(n *session, d *Device) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.mu.all[n] {
		return
	}
	of := r.mu.byAccount[d.Account]
	if of == nil {
		of = make(map[*session]bool, 1)
		r.mu.byAccount[d.Account] = of
	}
	of[n] = true
}

func (r *registry) remove(n *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.mu.all, n)
	if d := n.device.Load(); d != nil {
		delete(r.mu.byAccount[d.Account], n)
		if len(r.mu.byAccount[d.Account]) == 0 {
			delete(r.mu.byAccount, d.Account)
		}
	}
}

// sessions gives all of them, strangers included.
func (r *registry) sessions() []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*session, 0, len(r.mu.all))
	for n := range r.mu.all {
		all = append(all, n)
	}
	return all
}

// of gives an account's sessions.
func (r *registry) of(account ident.AccountID) []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*session, 0, len(r.mu.byAccount[account]))
	for n := range r.mu.byAccount[account] {
		list = append(list, n)
	}
	return list
}

func (r *registry) online(account ident.AccountID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.mu.byAccount[account]) > 0
}

// tell sends an event to an account's sessions.
func (r *registry) tell(account ident.AccountID, f *wire.ServerFrame) {
	for _, n := range r.of(account) {
		n.event(f)
	}
}
