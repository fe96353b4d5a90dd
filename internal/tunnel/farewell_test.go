package tunnel_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"net"
	"strings"
	"testing"
	"time"

	"snug/internal/tunnel"
	"snug/mtls"
)

// hurried is a connection on which the time to write is over sooner.
type hurried struct{ net.Conn }

func (h hurried) SetWriteDeadline(at time.Time) error {
	if soon := time.Now().Add(50 * time.Millisecond); at.After(soon) {
		at = soon
	}
	return h.Conn.SetWriteDeadline(at)
}

// TestFarewellToTheDeaf: a peer that asks for new keys and reads no answer cannot keep the end of its connection waiting,
// and all that waits for that: a tunnel that is to stop, another route in the place, a program with a connection of mtls.
func TestFarewellToTheDeaf(t *testing.T) {
	t.Parallel()
	for name, accept := range map[string]func(t *testing.T, far, near *home, conn net.Conn) (read func() error, end func()){
		"a link": waiting,
		"mtls, closed": func(t *testing.T, far, near *home, conn net.Conn) (func() error, func()) {
			return accepted(t, far, near, conn, (*mtls.Conn).Close)
		},
		"mtls, one direction": func(t *testing.T, far, near *home, conn net.Conn) (func() error, func()) {
			return accepted(t, far, near, conn, (*mtls.Conn).CloseWrite)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far, near := newHome(t), newHome(t)
			ours, theirs := net.Pipe() // no buffer: what is written waits for who reads
			defer theirs.Close()
			read, end := accept(t, far, near, hurried{ours})
			reading := make(chan error, 1)
			go func() { reading <- read() }()
			turnDeaf(t, far, near, theirs)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				end()
			}()
			select {
			case <-ended:
			case <-time.After(patience):
				t.Fatal("the end waits for a peer that reads nothing")
			}
			theirs.Close()
			if err := <-reading; err == nil {
				t.Error("the reader has heard something")
			}
		})
	}
}

// waiting is a link of the far end's.
func waiting(t *testing.T, far, near *home, conn net.Conn) (read func() error, end func()) {
	served, err := mtls.ServerConfig(far.id, mtls.Pin(near.id.Fingerprint()), tunnel.Protocol)
	if err != nil {
		t.Fatal(err)
	}
	return tunnel.Waiting(conn, served)
}

// accepted is a connection that a listener of the far end's accepts.
func accepted(t *testing.T, far, near *home, conn net.Conn, end func(*mtls.Conn) error) (func() error, func()) {
	one := make(chan net.Conn, 1)
	one <- conn
	l, err := mtls.NewListener(&queue{conns: one, done: make(chan struct{})}, &mtls.ListenerOptions{
		Identity: far.id, Trust: mtls.Pin(near.id.Fingerprint()), PlainProtocols: []string{tunnel.Protocol},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	come := make(chan *mtls.Conn, 1)
	read := func() error {
		accepted, err := l.AcceptConn()
		if err != nil {
			return err
		}
		come <- accepted
		_, err = accepted.Read(make([]byte, 1))
		return err
	}
	return read, func() { _ = end(<-come) }
}

// queue is a listener whose connections come by a channel.
type queue struct {
	conns chan net.Conn
	done  chan struct{}
}

func (q *queue) Accept() (net.Conn, error) {
	select {
	case conn := <-q.conns:
		return conn, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

func (q *queue) Close() error {
	close(q.done)
	return nil
}

func (q *queue) Addr() net.Addr { return &net.TCPAddr{} }

// turnDeaf shakes hands as the near end, asks for new keys, and takes the first byte of the answer: the rest is under way, and
// waits.
func turnDeaf(t *testing.T, far, near *home, conn net.Conn) {
	t.Helper()
	dialed, err := mtls.ClientConfig(near.id, mtls.Pin(far.id.Fingerprint()), tunnel.Protocol)
	if err != nil {
		t.Fatal(err)
	}
	var secrets safeBuffer
	dialed.KeyLogWriter = &secrets
	client := tls.Client(conn, dialed)
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(keyUpdate(t, client.ConnectionState().CipherSuite, secrets.String())); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// keyUpdate is a dialer's first record after its handshake: a KeyUpdate that asks for another (RFC 8446, Sections 4.6.3
// and 5.2).
func keyUpdate(t *testing.T, suite uint16, keyLog string) []byte {
	t.Helper()
	if suite != tls.TLS_AES_128_GCM_SHA256 {
		t.Skipf("no AES in this processor: the cipher suite is %s, and this test knows one", tls.CipherSuiteName(suite))
	}
	_, line, found := strings.Cut(keyLog, "CLIENT_TRAFFIC_SECRET_0 ")
	line, _, _ = strings.Cut(line, "\n")
	_, text, _ := strings.Cut(line, " ")
	secret, err := hex.DecodeString(text)
	if err != nil || !found {
		t.Fatalf("the secret of the dialer: %q, %v", text, err)
	}
	block, err := aes.NewCipher(expand(t, secret, "key", 16))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	inner := []byte{24, 0, 0, 1, 1, 22} // KeyUpdate, one byte: update_requested; handshake
	header := binary.BigEndian.AppendUint16([]byte{23, 3, 3}, uint16(len(inner)+aead.Overhead()))
	return aead.Seal(bytes.Clone(header), expand(t, secret, "iv", aead.NonceSize()), inner, header)
}

// expand is HKDF-Expand-Label without a context (RFC 8446, Section 7.1).
func expand(t *testing.T, secret []byte, label string, n int) []byte {
	t.Helper()
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(append(append(info, byte(len(label))), label...), 0)
	b, err := hkdf.Expand(sha256.New, secret, string(info), n)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
