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
// and all that waits for that: a tunnel that is to stop, another route in the place.
func TestFarewellToTheDeaf(t *testing.T) {
	t.Parallel()
	far, near := newHome(t), newHome(t)
	served, err := mtls.ServerConfig(far.id, mtls.Pin(near.id.Fingerprint()), tunnel.Protocol)
	if err != nil {
		t.Fatal(err)
	}
	dialed, err := mtls.ClientConfig(near.id, mtls.Pin(far.id.Fingerprint()), tunnel.Protocol)
	if err != nil {
		t.Fatal(err)
	}
	var secrets safeBuffer
	dialed.KeyLogWriter = &secrets
	ours, theirs := net.Pipe() // no buffer: what is written waits for who reads
	defer theirs.Close()
	read, end := tunnel.Waiting(hurried{ours}, served)
	reading := make(chan error, 1)
	go func() { reading <- read() }()
	client := tls.Client(theirs, dialed)
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.Write(keyUpdate(t, client.ConnectionState().CipherSuite, secrets.String())); err != nil {
		t.Fatal(err)
	}
	// Its first byte: the rest is under way, and waits.
	if _, err := theirs.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
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
	if err := <-reading; err == nil {
		t.Error("the reader goes on")
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
