package tunnel_test

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"snug/internal/tunnel"
)

// TestRate sends through a route with a rate, by a clock that goes on only while the limited peer waits: that peer has its
// rate to the byte, in each direction and with more at a time than a second's worth, and another peer does not wait for it.
func TestRate(t *testing.T) {
	t.Parallel()
	const rate, size, most = 4096, 100 << 10, 100 * time.Millisecond
	// The target answers a question that begins with 'd' with size bytes, and any other with none.
	target := backend(t, func(conn *net.TCPConn) {
		question, _ := io.ReadAll(conn)
		if bytes.HasPrefix(question, []byte("d")) {
			conn.Write(make([]byte, size))
		}
		conn.Close()
	})
	for name, row := range map[string]struct {
		question []byte
		answer   int
	}{
		"what it sends":   {bytes.Repeat([]byte("u"), size), 0},
		"what it is sent": {[]byte("d"), size},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var now atomic.Int64
			begin := time.Now().UnixNano()
			now.Store(begin)
			pauses, resume := make(chan time.Duration, 1), make(chan struct{})
			far, bob, carol := newHome(t), newHome(t), newHome(t)
			end, err := tryStart(t, &tunnel.Config{Routes: []tunnel.Route{far.route(t, "main", "listen 127.0.0.1:0", "to "+target, "tls accept",
				"allow "+bob.rule(), "allow "+carol.rule(), "rate 4096")}}, tunnel.Options{
				Now: func() time.Time { return time.Unix(0, now.Load()) },
				Pause: func(d time.Duration) {
					select {
					case pauses <- d:
					default: // the first one is enough to know of
					}
					<-resume
					now.Add(int64(d))
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			toBob := dial(t, bob.to(t, end.addr(), far))
			type said struct {
				answer []byte
				err    error
			}
			bobs := make(chan said, 1)
			go func() {
				answer, err := ask(toBob, row.question)
				bobs <- said{answer, err}
			}()
			if d := <-pauses; d <= 0 || d > time.Second {
				t.Errorf("bob waits for %v, want up to a second", d)
			}
			if _, err := askAt(carol.to(t, end.addr(), far), "in the meantime"); err != nil {
				t.Errorf("carol, while bob waits: %v", err)
			}
			if got := now.Load(); got != begin {
				t.Errorf("carol came through after %v", time.Duration(got-begin))
			}
			close(resume)
			got := <-bobs
			if got.err != nil || len(got.answer) != row.answer {
				t.Errorf("bob got %d bytes, %v; want %d", len(got.answer), got.err, row.answer)
			}
			// The first second's worth is there in the beginning.
			want := time.Duration(len(row.question)+row.answer-rate) * time.Second / rate
			if took := time.Duration(now.Load() - begin); took < want || took > want+most {
				t.Errorf("%d bytes at %d a second took %v, want %v", size, rate, took, want)
			}
		})
	}
}
