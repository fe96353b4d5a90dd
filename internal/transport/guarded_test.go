//go:build !js

package transport_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"testing"

	"github.com/lxzan/gws"

	"snug/internal/ident"
	"snug/internal/transport"
	"snug/mtls"
)

// evilServer has every connection that has asked for an upgrade answered by play.
func evilServer(t *testing.T, play func(conn *tls.Conn, r *http.Request)) transport.Address {
	t.Helper()
	identity, err := mtls.Generate()
	if err != nil {
		t.Fatal(err)
	}
	config, err := mtls.ServerTLS(identity, nil)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			play(conn.(*tls.Conn), r)
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return transport.Address{HostPort: listener.Addr().String(), Pin: identity.Fingerprint()}
}

// TestFrameThatIsNone: lengths that no frame has end the connection, and not the client.
func TestFrameThatIsNone(t *testing.T) {
	for _, row := range []struct {
		name   string
		frames []byte
	}{
		{"2^64 - 1", append([]byte{0x82, 127}, bytes.Repeat([]byte{0xff}, 8)...)},
		{"2^63", append([]byte{0x82, 127, 0x80}, make([]byte, 7)...)},
		{"a gigabyte", []byte{0x82, 127, 0, 0, 0, 0, 0x40, 0, 0, 0}},
		{"2^64 - 1 in all", append([]byte{0x02, 1, 0, 0x80, 127}, bytes.Repeat([]byte{0xff}, 8)...)},
	} {
		t.Run(row.name, func(t *testing.T) {
			address := evilServer(t, func(conn *tls.Conn, r *http.Request) {
				if _, err := gws.NewUpgrader(nil, nil).UpgradeFromConn(conn, bufio.NewReader(conn), r); err != nil {
					t.Errorf("upgrading: %v", err)
					return
				}
				_, _ = conn.Write(row.frames)
				_, _ = conn.Read(make([]byte, 1)) // until the client goes
			})
			conn, err := transport.NewNative(address).Connect(limit(t), deviceKey(t))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got, err := conn.Receive(limit(t)); err == nil {
				t.Errorf("received %d bytes, want an error", len(got))
			}
		})
	}
}

// TestEndlessAnswer: a server that never comes to the end of its answer to the upgrade is not waited for.
func TestEndlessAnswer(t *testing.T) {
	const most = 4 << 20 // what the system may hold for a reader that is gone, and more
	said := 0
	t.Cleanup(func() { // after the server's end
		if said > most {
			t.Errorf("the client has read %d bytes of an answer", said)
		}
	})
	address := evilServer(t, func(conn *tls.Conn, _ *http.Request) {
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nX: ")
		line := bytes.Repeat([]byte("a"), 16<<10)
		for said < 10*most {
			n, err := conn.Write(line)
			if said += n; err != nil {
				return
			}
		}
	})
	conn, err := transport.NewNative(address).Connect(limit(t), deviceKey(t))
	if err == nil {
		conn.Close()
		t.Fatal("connected")
	}
}

func deviceKey(t *testing.T) ident.DeviceKey {
	t.Helper()
	key, err := ident.NewDeviceKey(ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	return key
}
