package client_test

import (
	"context"
	"testing"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
)

// turned reaches a server that has become another one.
type turned struct {
	client.Transport
	away bool
}

func (t *turned) Connect(ctx context.Context, device ident.DeviceKey) (client.Conn, error) {
	if t.away {
		return nil, &client.Error{Code: client.Refused, Message: "not the server that the pin names"}
	}
	return t.Transport.Connect(ctx, device)
}

// TestAskedAfterARefusal asks something after the first attempt to connect was turned away, which is when a command on a
// slow machine comes to it: it is told so too, and does not wait out the time until the next attempt.
func TestAskedAfterARefusal(t *testing.T) {
	world(t, func(t *testing.T, net *testkit.Net) {
		transport := &turned{Transport: net.Transport(true)}
		alice := startOver(t, transport, testkit.NewDisk(), nil)
		if _, err := alice.Register(t.Context(), client.RegisterOptions{Handle: "alice", Passphrase: passphrase, DeviceName: "a"}); err != nil {
			t.Fatal(err)
		}
		transport.away = true
		net.Cut(nil)
		time.Sleep(3 * time.Second) // the one attempt was made, and the next one is far off
		began := time.Now()
		_, err := alice.Accounts(alice.ctx())
		wantCode(t, "asking", err, client.Refused)
		if waited := time.Since(began); waited > time.Second {
			t.Errorf("the answer took %v", waited)
		}
		transport.away = false
		if _, err := alice.Accounts(alice.ctx()); err != nil {
			t.Errorf("asking when the server is the right one again: %v", err)
		}
	})
}
