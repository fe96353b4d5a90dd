package mtls_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"snug/mtls"
)

// oneAtATime listens for alice as bob, with room for one connection, and gives what is told of releases and refusals.
func oneAtATime(t *testing.T, inner net.Listener, opts mtls.ListenerOptions) (l *mtls.Listener, released <-chan struct{}, refusals <-chan error) {
	t.Helper()
	room, gone, told := make(chan struct{}, 1), make(chan struct{}, 16), make(chan error, 16)
	opts.Identity, opts.Trust = identity(t, "bob"), mtls.Pin(identity(t, "alice").Fingerprint())
	opts.Refused = func(_ net.Addr, err error) { told <- err }
	admit := opts.Admit
	opts.Admit = func(peer mtls.Peer, remote net.Addr) (func(), error) {
		if got, want := peer.Fingerprint, identity(t, "alice").Fingerprint(); got != want {
			t.Errorf("asked about %v, want %v", got, want)
		}
		select {
		case room <- struct{}{}:
		default:
			return nil, errors.New("no room")
		}
		if admit != nil {
			admit(peer, remote)
		}
		return func() {
			<-room
			gone <- struct{}{}
		}, nil
	}
	l, err := mtls.NewListener(inner, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, gone, told
}

func loopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestAdmit: who is accepted and has no room is told so before a byte of its reaches the application, and gets in when there
// is room again.
func TestAdmit(t *testing.T) {
	a, b := identity(t, "alice"), identity(t, "bob").Fingerprint()
	l, released, refusals := oneAtATime(t, loopback(t), mtls.ListenerOptions{})
	if _, err := dial(t, l.Addr(), a, b); err != nil {
		t.Fatal(err)
	}
	first, err := l.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	_, err = dial(t, l.Addr(), a, b)
	var refused *mtls.RefusedError
	if !errors.As(err, &refused) || !refused.Busy {
		t.Errorf("the second one: %v, want a RefusedError that is Busy", err)
	}
	if err := <-refusals; !strings.Contains(err.Error(), "no room") {
		t.Errorf("the listener hears %v", err)
	}
	first.Close()
	first.Close()
	<-released
	if _, err := dial(t, l.Addr(), a, b); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
	third, err := l.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	third.NetConn().Close() // a cut is an end too
	<-released
	if len(released) > 0 {
		t.Error("room was given back twice")
	}
}

// TestAdmitPlain: who waits for no confirmation sees the connection end.
func TestAdmitPlain(t *testing.T) {
	a, b := identity(t, "alice"), identity(t, "bob").Fingerprint()
	l, _, refusals := oneAtATime(t, loopback(t), mtls.ListenerOptions{PlainProtocols: []string{"plain"}})
	opts := &mtls.ClientOptions{Identity: a, Trust: mtls.Pin(b), PlainProtocols: []string{"plain"}}
	first, err := mtls.Dial(t.Context(), "tcp", l.Addr().String(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := l.AcceptConn(); err != nil {
		t.Fatal(err)
	}
	second, err := mtls.Dial(t.Context(), "tcp", l.Addr().String(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	second.SetDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(second); err != nil || len(b) > 0 {
		t.Errorf("read %q, %v; want an end", b, err)
	}
	second.Close()
	if err := <-refusals; !strings.Contains(err.Error(), "no room") {
		t.Errorf("the listener hears %v", err)
	}
}

// known is a listener that remembers the last connection.
type known struct {
	net.Listener
	last chan net.Conn
}

func (k *known) Accept() (net.Conn, error) {
	conn, err := k.Listener.Accept()
	if err == nil {
		k.last <- conn
	}
	return conn, err
}

// TestAdmitGone: who is gone before it could be told that it is in has no room any more.
func TestAdmitGone(t *testing.T) {
	inner := &known{loopback(t), make(chan net.Conn, 1)}
	l, released, refusals := oneAtATime(t, inner, mtls.ListenerOptions{
		Admit: func(mtls.Peer, net.Addr) (func(), error) {
			(<-inner.last).Close()
			return nil, nil
		},
	})
	if _, err := dial(t, l.Addr(), identity(t, "alice"), identity(t, "bob").Fingerprint()); err == nil {
		t.Error("a dialer that was not told is in")
	}
	if err := <-refusals; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener hears %v", err)
	}
	<-released
}

// TestListenerEndsWithSomebodyWaiting: who was told that it is in, and whom nobody has accepted when the listener ends, sees
// a cut. An end would say that all it has sent was taken.
func TestListenerEndsWithSomebodyWaiting(t *testing.T) {
	a, b := identity(t, "alice"), identity(t, "bob")
	l, _ := listener(t, b, a.Fingerprint())
	conn, err := dial(t, l.Addr(), a, b.Fingerprint())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := conn.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("read: %v, want a cut", err)
	}
}
