package server

import (
	"net"
	"net/http"
	"slices"
	"sync"
)

// maxVisitors bounds the HTTP connections that are no sockets, or not yet: a browser has six, for as long as it fetches the
// page and a little longer.
const maxVisitors = 1024

// visitors are the HTTP connections of both ports. State is safe from any goroutine.
type visitors struct {
	mu    sync.Mutex
	conns []visitor // those that are idle for longest, or came first, before the others
}

type visitor struct {
	conn net.Conn
	idle bool
}

// State is http.Server.ConnState. Where a connection is one too many, the one that has been idle for longest has to go; where
// none is idle, the oldest.
func (v *visitors) State(conn net.Conn, state http.ConnState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := slices.IndexFunc(v.conns, func(other visitor) bool { return other.conn == conn })
	if at >= 0 {
		v.conns = slices.Delete(v.conns, at, at+1)
	}
	switch {
	case state == http.StateHijacked || state == http.StateClosed:
		return
	case at < 0 && state != http.StateNew:
		return // it had to go
	}
	if len(v.conns) >= maxVisitors {
		oldest := max(0, slices.IndexFunc(v.conns, func(other visitor) bool { return other.idle }))
		v.conns[oldest].conn.Close()
		v.conns = slices.Delete(v.conns, oldest, oldest+1)
	}
	v.conns = append(v.conns, visitor{conn, state == http.StateIdle})
}
