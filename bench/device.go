package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mtls"
)

// device is an enrolled device of an account of its own, and what it needs to connect. It can be connected any number
// of times.
type device struct {
	account ident.AccountID
	id      ident.DeviceID
	key     ident.DeviceKey
	tls     *tls.Config
	address string
}

// registrations is how many devices register at once: the server stretches every auth key, which takes it a core.
const registrations = 4

// newDevice makes the TLS of a key for a server; register makes the server know it.
func newDevice(server *process, key ident.DeviceKey) (*device, error) {
	identity, err := mtls.FromKey(key.Signer())
	if err != nil {
		return nil, err
	}
	config, err := mtls.ClientTLS(identity, server.pin, mtls.Messenger)
	return &device{key: key, tls: config, address: server.address}, err
}

// register makes an account with one device. Where the server asks for patience, it waits.
func register(ctx context.Context, server *process, handle string) (*device, error) {
	key, err := ident.NewDeviceKey(ident.Random())
	if err != nil {
		return nil, err
	}
	d, err := newDevice(server, key)
	if err != nil {
		return nil, err
	}
	request, err := d.registration(key, handle)
	if err != nil {
		return nil, err
	}
	s, err := d.hello(readBuffer)
	if err != nil {
		return nil, err
	}
	defer s.close()
	for {
		_, err := s.request(request)
		if err == nil {
			return d, nil
		}
		refused, ok := errors.AsType[*refusal](err)
		if !ok || refused.code != wire.ErrorCode_ERROR_CODE_RATE_LIMITED {
			return nil, fmt.Errorf("registering %s: %w", handle, err)
		}
		select {
		case <-time.After(time.Duration(refused.retryAfter) * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("registering %s: %w", handle, err)
		}
	}
}

// registration makes the account's chain and the request. No passphrase is behind it: the auth key is random, and
// vault and key package are random bytes, which the server cannot tell from sealed ones.
func (d *device) registration(key ident.DeviceKey, handle string) (*wire.ClientFrame, error) {
	identity, chain, err := ident.NewAccount(ident.Random(), ident.Handle(handle), time.Now())
	if err != nil {
		return nil, err
	}
	if err := chain.Append(identity, ident.Enrol{Key: key.Public(), Name: "bench"}, time.Now()); err != nil {
		return nil, err
	}
	d.account, d.id = chain.Account(), ident.NewDeviceID(chain.Account(), key.Public())
	random := make([]byte, 32+16+256+1024)
	if _, err := io.ReadFull(ident.Random(), random); err != nil {
		return nil, err
	}
	return &wire.ClientFrame{Body: &wire.ClientFrame_Register{Register: &wire.Register{
		Handle:               handle,
		Chain:                chain.Marshal(),
		AuthKey:              random[:32],
		Salt:                 random[32:48],
		Argon2:               &wire.Argon2Parameters{MemoryKib: 64 << 10, Passes: 3, Lanes: 1},
		Vault:                random[48:304],
		LastResortKeyPackage: random[304:],
	}}}, nil
}

// hello connects and says Hello, whoever we are.
func (d *device) hello(buffer int) (*socket, error) {
	s, _, err := d.open(buffer)
	return s, err
}

// connect connects as a device that the server must know.
func (d *device) connect(buffer int) (*socket, error) {
	s, reply, err := d.open(buffer)
	if err != nil {
		return nil, err
	}
	if got := reply.GetAuthenticated().GetDevice(); string(got) != string(d.id[:]) {
		s.close()
		return nil, fmt.Errorf("connecting: the server takes device %v for %x", d.id, got)
	}
	return s, nil
}

func (d *device) open(buffer int) (*socket, *wire.HelloReply, error) {
	conn, err := dialTLS(d.address, d.tls)
	if err != nil {
		return nil, nil, err
	}
	s, err := upgrade(conn, d.address, buffer)
	if err != nil {
		return nil, nil, err
	}
	reply, err := s.request(&wire.ClientFrame{Body: &wire.ClientFrame_Hello{Hello: &wire.Hello{
		Versions: []uint32{wire.Version},
		Agent:    "snug-bench",
	}}})
	if err != nil {
		s.close()
		return nil, nil, fmt.Errorf("saying hello: %w", err)
	}
	return s, reply.GetHello(), nil
}

// dialTLS connects to a server and completes the handshake.
func dialTLS(address string, config *tls.Config) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", address, stepTimeout)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	secure := tls.Client(conn, config)
	if err := conn.SetDeadline(time.Now().Add(stepTimeout)); err != nil {
		conn.Close()
		return nil, fmt.Errorf("connecting: %w", err)
	}
	if err := secure.Handshake(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return secure, nil
}

// connectAll connects each of the devices once.
func connectAll(devices []*device, buffer int) ([]*socket, error) {
	sockets := make([]*socket, len(devices))
	err := each(len(devices), connecting, func(i int) (err error) {
		sockets[i], err = devices[i].connect(buffer)
		return err
	})
	if err != nil {
		closeAll(sockets)
		return nil, err
	}
	return sockets, nil
}

// connecting is how many connections are being made at once: enough to keep both sides busy, and well under a
// listener's queue.
const connecting = 32

func closeAll(sockets []*socket) {
	for _, s := range sockets {
		if s != nil {
			s.close()
		}
	}
}
