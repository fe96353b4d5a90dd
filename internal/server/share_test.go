package server_test

import (
	"encoding/binary"
	"testing"
	"testing/synctest"

	"snug/internal/server"
	"snug/internal/wire"
)

// again is another connection of a device's, which it acts for.
func (l *pipes) again(t *testing.T, of *peer) *peer {
	t.Helper()
	p := l.connect(t)
	p.key, p.device = of.key, of.device
	reply := p.ask(&wire.ClientFrame{Body: &wire.ClientFrame_Authenticate{Authenticate: &wire.Authenticate{
		Account: of.device.Account[:], Device: of.device.ID[:], Signature: p.sign()}}})
	if reply.GetAuthenticated() == nil {
		t.Fatalf("authenticating: %v", reply)
	}
	return p
}

// begin sends the first half of a large ping, and gives how to send the rest and have it answered.
func (p *peer) begin(size int) (finish func()) {
	id, b := p.padded(ping(), size)
	f := clientFrame(0x82, b)
	p.write(f[:len(f)/2])
	return func() {
		p.t.Helper()
		p.write(f[len(f)/2:])
		if p.answer(id).GetPong() == nil {
			p.t.Error("a large ping is not answered")
		}
	}
}

// TestLargeMessages: an account has so many large messages under way at once, whether they come whole or not; what is too
// much ends that connection, and neither the others nor other accounts.
func TestLargeMessages(t *testing.T) {
	for _, c := range []struct {
		name   string
		places int
		join   func(t *testing.T, l *pipes) func() *peer
	}{
		{"of an account", server.LargeOfAccount, func(t *testing.T, l *pipes) func() *peer {
			mallory := l.join(t, "mallory")
			return func() *peer { return l.again(t, mallory) }
		}},
		{"of strangers", server.LargeOfStrangers, func(t *testing.T, l *pipes) func() *peer {
			return func() *peer { return l.connect(t) }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, l := openPipes(t)
				alice := l.join(t, "alice")
				connect := c.join(t, l)
				var finish []func()
				for range c.places {
					finish = append(finish, connect().begin(2*server.LargeFrame))
				}
				synctest.Wait()
				small := connect()
				small.begin(server.LargeFrame - 100)()
				small.begin(2 * server.LargeFrame)
				if code := small.end(); code != 1013 {
					t.Errorf("one more ends with %d, want 1013", code)
				}
				alice.begin(2 * server.LargeFrame)()
				finish[0]()
				synctest.Wait() // the place is given back after the answer
				last := connect()
				for range 3 { // one after the other they are not too many
					last.begin(2 * server.LargeFrame)()
				}
				for _, f := range finish[1:] {
					f()
				}
			})
		})
	}
}

// TestLargeCommits: a commit that waits for the disk keeps its place until it is answered, and gives it back, refused or not.
func TestLargeCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, l := openPipes(t)
		mallory := l.join(t, "mallory")
		room := mallory.room()
		large := make([]byte, 2*server.LargeFrame)
		h.held.hold()
		all := make([]*peer, server.LargeOfAccount)
		ids := make([]uint64, len(all))
		for i := range all {
			all[i] = l.again(t, mallory)
			binary.BigEndian.PutUint64(large, uint64(i))
			ids[i] = all[i].send(all[i].committing(room, 0, large, new(wire.CommitEnvelope), nil))
		}
		synctest.Wait()
		more := l.again(t, mallory)
		more.begin(2 * server.LargeFrame)
		if code := more.end(); code != 1013 {
			t.Errorf("one more ends with %d, want 1013", code)
		}
		h.held.release()
		won := 0
		for i, p := range all {
			if p.answer(ids[i]).GetAck() != nil {
				won++
			}
		}
		if won != 1 {
			t.Errorf("%d commits of one epoch were taken", won)
		}
		synctest.Wait()
		for range server.LargeOfAccount {
			l.again(t, mallory).begin(2 * server.LargeFrame)
		}
	})
}
