package mtls_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"snug/mtls"
)

func TestExport(t *testing.T) {
	alice, bob := pair(t)
	a, err := alice.Export("EXPORTER-Snug-Test", []byte("context"), 32)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, label, context string
		same                 bool
	}{
		{"the same", "EXPORTER-Snug-Test", "context", true},
		{"another label", "EXPORTER-Snug-Other", "context", false},
		{"another context", "EXPORTER-Snug-Test", "contexT", false},
	} {
		b, err := bob.Export(row.label, []byte(row.context), 32)
		if err != nil || bytes.Equal(a, b) != row.same || len(b) != 32 {
			t.Errorf("%s: %x and %x, %v; want the same: %v", row.name, a, b, err, row.same)
		}
	}
	other, _ := pair(t)
	if b, err := other.Export("EXPORTER-Snug-Test", []byte("context"), 32); err != nil || bytes.Equal(a, b) {
		t.Errorf("another connection gives %x, %v", b, err)
	}
	for _, row := range []struct {
		name, label string
		n           int
	}{
		{"no label", "", 32}, {"one of TLS", "client finished", 32}, {"a line break", "EXPORTER-\n", 32}, {"not ASCII", "EXPORTER-é", 32},
		{"too long a label", "EXPORTER-" + strings.Repeat("x", 250), 32}, {"too few bytes", "EXPORTER-Snug-Test", 15}, {"too many bytes", "EXPORTER-Snug-Test", 257},
	} {
		if b, err := alice.Export(row.label, nil, row.n); err == nil {
			t.Errorf("%s: gave %x", row.name, b)
		}
	}
}

// undecided connects alice with bob, who both decide, and gives what came of it on both sides.
func undecided(t *testing.T, alice, bob mtls.Decide) (dialed, accepted *mtls.Conn, dialError, refusal error) {
	t.Helper()
	refusals := make(chan error, 1)
	l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{
		Identity: identity(t, "bob"), DecideUnverified: bob, Patience: patience,
		Refused: func(_ net.Addr, err error) { refusals <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	dialed, dialError = mtls.Dial(t.Context(), "tcp", l.Addr().String(), &mtls.ClientOptions{
		Identity: identity(t, "alice"), DecideUnverified: alice, Patience: patience,
	})
	if dialError != nil {
		// Where the dialer refused, the listener had confirmed.
		select {
		case refusal = <-refusals:
		case accepted = <-acceptedBy(l):
			t.Cleanup(func() { accepted.Close() })
		}
		return nil, accepted, dialError, refusal
	}
	if accepted, err = l.AcceptConn(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	return dialed, accepted, nil, nil
}

func acceptedBy(l *mtls.Listener) <-chan *mtls.Conn {
	c := make(chan *mtls.Conn, 1)
	go func() {
		if conn, err := l.AcceptConn(); err == nil {
			c <- conn
		}
	}()
	return c
}

// acceptAfter accepts whoever says and hears these words first.
func acceptAfter(say, hear string) mtls.Decide {
	return func(_ context.Context, peer *mtls.Unverified) (mtls.Fingerprint, error) {
		if _, err := io.WriteString(peer, say); err != nil {
			return mtls.Fingerprint{}, err
		}
		heard := make([]byte, len(hear))
		if _, err := io.ReadFull(peer, heard); err != nil {
			return mtls.Fingerprint{}, err
		}
		if string(heard) != hear {
			return mtls.Fingerprint{}, errors.New("heard " + string(heard))
		}
		return peer.Peer().Fingerprint, nil
	}
}

// TestDecideUnverified: both sides talk, bound to the connection, before either accepts, and then the stream begins.
func TestDecideUnverified(t *testing.T) {
	alice, bob, _, _ := undecided(t, acceptAfter("from alice", "from bob"), acceptAfter("from bob", "from alice"))
	if alice == nil || alice.Peer().Fingerprint != identity(t, "bob").Fingerprint() || bob.Peer().Fingerprint != identity(t, "alice").Fingerprint() {
		t.Fatalf("alice has %v, bob %v", alice, bob)
	}
	io.WriteString(alice, "question")
	alice.CloseWrite()
	if b, err := io.ReadAll(bob); err != nil || string(b) != "question" {
		t.Errorf("bob read %q, %v", b, err)
	}
}

// TestDecideRefuses: all but the peer's own fingerprint refuses, on either side, and nobody hears an end that looks
// like one of a stream.
func TestDecideRefuses(t *testing.T) {
	accept := func(_ context.Context, peer *mtls.Unverified) (mtls.Fingerprint, error) {
		return peer.Peer().Fingerprint, nil
	}
	for name, refuse := range map[string]mtls.Decide{
		"nothing decided": func(context.Context, *mtls.Unverified) (mtls.Fingerprint, error) { return mtls.Fingerprint{}, nil },
		"another key":     func(context.Context, *mtls.Unverified) (mtls.Fingerprint, error) { return mtls.Fingerprint{1}, nil },
		"a key and an error": func(_ context.Context, p *mtls.Unverified) (mtls.Fingerprint, error) {
			return p.Peer().Fingerprint, errors.New("no")
		},
		"words that do not match": acceptAfter("", "never said"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			speak := accept
			if strings.HasPrefix(name, "words") {
				speak = acceptAfter("other word", "")
			}
			dialed, accepted, dialError, refusal := undecided(t, speak, refuse)
			if dialed != nil || accepted != nil || refusal == nil {
				t.Errorf("refused by the listener: %v, %v; it says %v", dialed, accepted, refusal)
			}
			wantRefused(t, dialError)
			dialed, accepted, dialError, _ = undecided(t, refuse, speak)
			if dialed != nil || dialError == nil {
				t.Errorf("refused by the dialer: %v, %v", dialed, dialError)
			}
			if accepted != nil {
				accepted.SetDeadline(time.Now().Add(patience))
				if b, err := io.ReadAll(accepted); err == nil || len(b) > 0 {
					t.Errorf("the refused listener reads %q, %v; want a cut", b, err)
				}
			}
		})
	}
}

// TestDecideIsLastResort: whom Trust covers nobody is asked about, and about whom no decision helps neither.
func TestDecideIsLastResort(t *testing.T) {
	alice, bob, mallory := identity(t, "alice"), identity(t, "bob"), identity(t, "mallory")
	asked := make(chan mtls.Fingerprint, 4)
	l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{
		Identity: bob, Trust: mtls.Pin(alice.Fingerprint()),
		DecideUnverified: func(_ context.Context, peer *mtls.Unverified) (mtls.Fingerprint, error) {
			asked <- peer.Peer().Fingerprint
			wantPeerError(t, peer.Refusal(), "unknown key", mallory.Fingerprint())
			return peer.Peer().Fingerprint, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, id := range []*mtls.Identity{alice, mallory} {
		if _, err := dial(t, l.Addr(), id, bob.Fingerprint()); err != nil {
			t.Fatal(err)
		}
		if _, err := l.AcceptConn(); err != nil {
			t.Fatal(err)
		}
	}
	if len(asked) != 1 || <-asked != mallory.Fingerprint() {
		t.Errorf("asked %d times more than about mallory", len(asked))
	}
}

// TestDecideEnds: a decision that does not come is a refusal, for the one side by Patience, for the other by Close.
func TestDecideEnds(t *testing.T) {
	wait := func(ctx context.Context, _ *mtls.Unverified) (mtls.Fingerprint, error) {
		<-ctx.Done()
		return mtls.Fingerprint{}, ctx.Err()
	}
	begun := make(chan struct{})
	l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{
		Identity: identity(t, "bob"), Patience: time.Hour,
		DecideUnverified: func(ctx context.Context, peer *mtls.Unverified) (mtls.Fingerprint, error) {
			close(begun)
			return wait(ctx, peer)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := dial(t, l.Addr(), identity(t, "alice"), identity(t, "bob").Fingerprint())
		ended <- err
	}()
	<-begun
	l.Close()
	if err := <-ended; err == nil {
		t.Error("a peer that nobody decided about came in")
	}

	l, _ = listener(t, identity(t, "bob"), identity(t, "alice").Fingerprint())
	_, err = mtls.Dial(t.Context(), "tcp", l.Addr().String(), &mtls.ClientOptions{
		Identity: identity(t, "alice"), DecideUnverified: wait, Patience: time.Millisecond,
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want DeadlineExceeded", err)
	}
}

// TestDecideUnderChange: a change of trust while somebody decides ends nothing but those whom no decision helps.
func TestDecideUnderChange(t *testing.T) {
	alice, bob := identity(t, "alice"), identity(t, "bob")
	trust := mtls.Pin(identity(t, "somebody").Fingerprint())
	revoking := trust
	revoking.Revoked = &mtls.Revoked{Keys: []mtls.Fingerprint{alice.Fingerprint()}}
	for name, row := range map[string]struct {
		while, after mtls.Trust
		refused      bool
	}{
		"of others":              {trust, trust, false},
		"of the peer, meanwhile": {revoking, revoking, true},
		"of the peer, later":     {trust, revoking, false},
	} {
		t.Run(name, func(t *testing.T) {
			live, err := mtls.NewLive(bob, trust)
			if err != nil {
				t.Fatal(err)
			}
			dialed, accepted, dialError, refusal := rendezvous(t, &mtls.ClientOptions{Identity: alice, Trust: mtls.Pin(bob.Fingerprint())}, &mtls.ListenerOptions{
				Live: live,
				DecideUnverified: func(_ context.Context, peer *mtls.Unverified) (mtls.Fingerprint, error) {
					_, err := live.Set(bob, row.while)
					return peer.Peer().Fingerprint, err
				},
			})
			if row.refused {
				if dialError == nil || refusal == nil {
					t.Errorf("got %v, and the listener %v", dialError, refusal)
				}
				return
			}
			if dialError != nil {
				t.Fatal(dialError, refusal)
			}
			want := 0
			if row.after.Revoked != nil {
				want = 1
			}
			if cut, err := live.Set(bob, row.after); err != nil || cut != want {
				t.Errorf("cut %d, %v; want %d", cut, err, want)
			}
			dialed.Close()
			accepted.Close()
		})
	}
}

// TestDecideFlood: peers who say nothing while they are decided about do not keep out who does, and one about whom a
// person is being asked does not have to go for them.
func TestDecideFlood(t *testing.T) {
	const most = 32
	bob := identity(t, "bob")
	begun, asked := make(chan struct{}, 2*most), make(chan struct{})
	ended := make(chan error, 4*most)
	var first atomic.Bool
	l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{
		Identity: bob, Patience: time.Hour, Refused: func(_ net.Addr, err error) { ended <- err },
		DecideUnverified: func(ctx context.Context, peer *mtls.Unverified) (mtls.Fingerprint, error) {
			person := first.CompareAndSwap(false, true)
			begun <- struct{}{}
			if person {
				<-asked
				return peer.Peer().Fingerprint, nil
			}
			_, err := io.ReadFull(peer, make([]byte, 4))
			return peer.Peer().Fingerprint, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	came := make(chan error, 4*most)
	come := func(says string) {
		conn, err := mtls.Dial(t.Context(), "tcp", l.Addr().String(), &mtls.ClientOptions{
			Identity: identity(t, "alice"), Patience: patience,
			DecideUnverified: func(_ context.Context, peer *mtls.Unverified) (mtls.Fingerprint, error) {
				_, err := io.WriteString(peer, says)
				return peer.Peer().Fingerprint, err
			},
		})
		if err == nil {
			conn.Close()
		}
		came <- err
	}
	go come("")
	<-begun
	for range 2 * most {
		go come("")
		<-begun
	}
	for range most + 1 {
		if err := <-ended; !errors.Is(err, mtls.ErrCrowded) {
			t.Errorf("somebody silent: %v, want ErrCrowded", err)
		}
		if err := <-came; err == nil {
			t.Error("somebody silent came in")
		}
	}
	for _, row := range []struct {
		name string
		come func()
	}{
		{"somebody who speaks", func() { come("here") }},
		{"who was there first", func() { close(asked) }},
	} {
		go row.come()
		accepted, err := l.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		accepted.Close()
	}
}
