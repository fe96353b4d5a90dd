package tunnel_test

import (
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"snug/internal/tunnel"
	"snug/mtls"
)

// TestAnswerToTheDeaf: a peer that asks and takes no answer is cut, by a clock of the test's, before it has a stream and
// the stream's deadlines.
func TestAnswerToTheDeaf(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, protocol  string
		asks, reachable bool
	}{
		{"that its target is reached", tunnel.Protocol, true, true},
		{"that it is not", tunnel.Protocol, true, false},
		{"that it is let in", mtls.Protocol, false, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var now atomic.Int64
			now.Store(time.Now().UnixNano())
			far, near := newHome(t), newHome(t)
			reached := make(chan struct{}, 1)
			target := backend(t, func(conn *net.TCPConn) { reached <- struct{}{}; conn.Read(make([]byte, 1)) })
			if !row.reachable {
				target = "unix:" + far.path("nobody")
			}
			end := startHeld(t, func() time.Time { return time.Unix(0, now.Load()) },
				far.route(t, "main", "listen 127.0.0.1:0", "to "+target, "tls accept", "allow "+near.rule()))
			ours, theirs := net.Pipe() // no buffer: what is written waits for who reads
			defer theirs.Close()
			if !end.Take("main", ours) {
				t.Fatal("the route takes nobody")
			}
			config, err := mtls.ClientConfig(near.id, mtls.Pin(far.id.Fingerprint()), row.protocol)
			if err != nil {
				t.Fatal(err)
			}
			conn := tls.Client(theirs, config)
			if err := conn.Handshake(); err != nil {
				t.Fatal(err)
			}
			if row.asks {
				if _, err := conn.Write(tunnel.AppendControl(nil, tunnel.KindOpen, 1, 0)); err != nil {
					t.Fatal(err)
				}
			}
			// No time goes by before it is about to answer: by that it could be cut for being idle.
			switch {
			case row.asks && row.reachable:
				<-reached
			case row.asks:
				until(t, "the target is not reached", func() bool { return end.row("main").Refused == 1 })
			default:
				until(t, "it is in", func() bool { return end.row("main").Connections == 1 })
			}
			until(t, "it is cut", func() bool {
				now.Add(int64(tunnel.Patience))
				end.Sweep()
				return end.row("main").Connections == 0
			})
		})
	}
}
