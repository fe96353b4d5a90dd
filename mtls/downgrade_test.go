package mtls_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"snug/mtls"
)

// A hello is a ClientHello or a ServerHello in a record of its own (RFC 8446, Sections 4.1.2 and 4.1.3), as somebody on
// the way can take it apart.
type hello struct {
	head       []byte // of the record and the message, up to the length of the extensions
	extensions []extension
}

type extension struct {
	kind uint16
	body []byte
}

const (
	supportedVersions = 43
	versionAt         = 5 + 4 // of the legacy version, behind the headers of record and message
	randomAt          = versionAt + 2
	sessionAt         = randomAt + 32
)

// parseHello takes a record of our own peers apart; client says whose hello it is.
func parseHello(client bool, record []byte) *hello {
	at := sessionAt + 1 + int(record[sessionAt])
	if client {
		at += 2 + int(binary.BigEndian.Uint16(record[at:])) // cipher suites
		at += 1 + int(record[at])                           // compression
	} else {
		at += 3 // one of each
	}
	h := &hello{head: bytes.Clone(record[:at])}
	for rest := record[at+2:]; len(rest) > 0; {
		size := int(binary.BigEndian.Uint16(rest[2:]))
		h.extensions = append(h.extensions, extension{binary.BigEndian.Uint16(rest), bytes.Clone(rest[4 : 4+size])})
		rest = rest[4+size:]
	}
	return h
}

// record puts it together, with the lengths that it has now.
func (h *hello) record() []byte {
	var list []byte
	for _, e := range h.extensions {
		list = binary.BigEndian.AppendUint16(list, e.kind)
		list = binary.BigEndian.AppendUint16(list, uint16(len(e.body)))
		list = append(list, e.body...)
	}
	record := append(binary.BigEndian.AppendUint16(bytes.Clone(h.head), uint16(len(list))), list...)
	binary.BigEndian.PutUint16(record[3:], uint16(len(record)-5))
	binary.BigEndian.PutUint16(record[7:], uint16(len(record)-9)) // of three bytes the first is 0
	return record
}

// drop takes supported_versions out: what is left is a hello of TLS 1.2.
func (h *hello) drop() {
	h.extensions = slices.DeleteFunc(h.extensions, func(e extension) bool { return e.kind == supportedVersions })
}

// dropFully is drop for a dialer's, with cipher suites of TLS 1.2 for whoever would take it.
func (h *hello) dropFully() {
	h.drop()
	suites := sessionAt + 1 + int(h.head[sessionAt])
	size := binary.BigEndian.Uint16(h.head[suites:])
	binary.BigEndian.PutUint16(h.head[suites:], size+4)
	h.head = slices.Insert(h.head, suites+2, 0xc0, 0x2b, 0xc0, 0x2f) // ECDHE with ECDSA or RSA, and AES-128-GCM
}

// versions gives what it says in supported_versions.
func (h *hello) versions() []byte {
	for _, e := range h.extensions {
		if e.kind == supportedVersions {
			return e.body
		}
	}
	return nil
}

// say puts other bytes into supported_versions.
func (h *hello) say(body ...byte) {
	h.drop()
	h.extensions = append(h.extensions, extension{supportedVersions, body})
}

// rewriting changes the first record of each direction; nil leaves it as it is.
func rewriting(client, server func(*hello)) func(up bool, n int, record []byte) ([]byte, bool) {
	const handshake = 22
	return func(up bool, n int, record []byte) ([]byte, bool) {
		change := server
		if up {
			change = client
		}
		// What is no hello is the alert of a listener that has refused the other one.
		if n != 0 || change == nil || record[0] != handshake {
			return record, true
		}
		h := parseHello(up, record)
		change(h)
		return h.record(), true
	}
}

// sentinel is how the end of a server's random says that it could have spoken TLS 1.3 (RFC 8446, Section 4.1.3).
var sentinel = []byte("DOWNGRD\x01")

// downgrades are what somebody on the way may do to the hellos, to bring two who speak TLS 1.3 down to TLS 1.2.
var downgrades = []struct {
	name           string
	client, server func(*hello)
	alice, bob     string // what they say
}{
	{"the dialer offers no versions", (*hello).drop, nil, toldVersion, offeredVersions},
	{"the dialer offers all of 1.2", (*hello).dropFully, nil, toldVersion, offeredVersions},
	{"the dialer offers 1.2 alone", func(h *hello) { h.say(2, 3, 3) }, nil, toldVersion, offeredVersions},
	{"the dialer offers 1.2 first", func(h *hello) { h.say(4, 3, 3, 3, 4) }, nil, otherKeys, otherKeys},
	{"the dialer offers 1.1 alone", func(h *hello) { h.say(2, 3, 2); h.head[versionAt+1] = 2 }, nil, toldVersion, offeredVersions},
	{"the dialer's older field says 1.1", func(h *hello) { h.head[versionAt+1] = 2 }, nil, otherKeys, otherKeys},
	{"the listener chooses no version", nil, (*hello).drop, chosenVersion, ""},
	{"the listener chooses 1.2", nil, func(h *hello) { h.say(3, 3) }, chosenVersion, ""},
	{"the listener's older field says 1.1", nil, func(h *hello) { h.head[versionAt+1] = 2 }, "incorrect legacy version", ""},
	{"the listener warns of a downgrade", nil, func(h *hello) { copy(h.head[sessionAt-len(sentinel):], sentinel) }, otherKeys, otherKeys},
	{"both are of 1.2", (*hello).dropFully, (*hello).drop, toldVersion, offeredVersions},
	{"each hears 1.2 of the other", func(h *hello) { h.say(4, 3, 3, 3, 4) }, (*hello).drop, chosenVersion, ""},
}

// What crypto/tls says where the version is the reason, and where the two have not seen the same hellos: the keys come of
// their transcript (RFC 8446, Section 7.1).
const (
	toldVersion     = "refused by the peer: protocol version"
	offeredVersions = "unsupported versions"
	chosenVersion   = "unsupported protocol version"
	otherKeys       = "bad record MAC"
)

// TestDowngrade has somebody in the middle rewrite the hellos of a real handshake: both ends refuse, and neither
// application is told anything.
func TestDowngrade(t *testing.T) {
	alice, bob := identity(t, "alice"), identity(t, "bob")
	for _, row := range downgrades {
		t.Run(row.name, func(t *testing.T) {
			l, refusals := listener(t, bob, alice.Fingerprint())
			way := between(t, l.Addr(), rewriting(row.client, row.server))
			_, err := dial(t, way.Addr(), alice, bob.Fingerprint())
			if err == nil || !strings.Contains(err.Error(), row.alice) {
				t.Errorf("alice says %v, want %q", err, row.alice)
			}
			if err := <-refusals; err == nil || !strings.Contains(err.Error(), row.bob) {
				t.Errorf("bob says %v, want %q", err, row.bob)
			}
			noneAccepted(t, l)
		})
	}
}

// TestHellosRewritten: a middle that puts the hellos together as they were is not noticed, so that what TestDowngrade sees
// is for what was changed; and nothing but TLS 1.3 is in them.
func TestHellosRewritten(t *testing.T) {
	v := newVictim(t)
	says := func(who string, want ...byte) func(*hello) {
		return func(h *hello) {
			if got := h.versions(); !bytes.Equal(got, want) {
				t.Errorf("the %s says versions %x, want %x", who, got, want)
			}
		}
	}
	way := between(t, v.Addr(), rewriting(says("dialer", 2, 3, 4), says("listener", 3, 4)))
	if got, err := v.say(t, way.Addr(), canary); err != nil || got != echo {
		t.Errorf("got %q, %v", got, err)
	}
}

// noneAccepted sees that no connection waits for the application.
func noneAccepted(t *testing.T, l *mtls.Listener) {
	t.Helper()
	l.Close()
	if conn, err := l.AcceptConn(); err == nil {
		t.Errorf("the application has %v", conn.Peer().Fingerprint)
	}
}

// lenient is a program of somebody else, with the right key, that would do with TLS 1.2.
func lenient(t *testing.T, config *tls.Config, err error) *tls.Config {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	config.MinVersion = tls.VersionTLS12
	config.VerifyConnection = nil
	return config
}

// TestDowngradeOfListener dials a lenient listener: it is the dialer that refuses.
func TestDowngradeOfListener(t *testing.T) {
	alice, bob := identity(t, "alice"), identity(t, "bob")
	run := func(t *testing.T, client, server func(*hello)) (heard string, dialed error) {
		config, err := mtls.ServerConfig(bob, mtls.Pin(alice.Fingerprint()), mtls.Protocol)
		config = lenient(t, config, err)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		all := make(chan string, 1)
		go func() { all <- hearLenient(l, config) }()
		way := between(t, l.Addr(), rewriting(client, server))
		conn, err := dial(t, way.Addr(), alice, bob.Fingerprint())
		if err == nil {
			io.WriteString(conn, canary)
			conn.Close()
		}
		return <-all, err
	}
	if got, err := run(t, nil, nil); err != nil || got != canary {
		t.Fatalf("nothing is changed: heard %q, %v", got, err)
	}
	for _, row := range downgrades {
		t.Run(row.name, func(t *testing.T) {
			if got, err := run(t, row.client, row.server); err == nil || got != "" {
				t.Errorf("heard %q, and the dialer says %v; want a refusal", got, err)
			}
		})
	}
}

// hearLenient welcomes the next dialer and gives what it says.
func hearLenient(l net.Listener, config *tls.Config) string {
	raw, err := l.Accept()
	if err != nil {
		return err.Error()
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(patience))
	conn := tls.Server(raw, config)
	conn.Write([]byte{1})
	b, _ := io.ReadAll(conn)
	return string(b)
}

// TestDowngradeOfDialer has a lenient dialer come: it is the listener that refuses.
func TestDowngradeOfDialer(t *testing.T) {
	alice, bob := identity(t, "alice"), identity(t, "bob")
	// run reports whether the dialer was welcomed.
	run := func(t *testing.T, l net.Addr, client, server func(*hello)) bool {
		config, err := mtls.ClientConfig(alice, mtls.Pin(bob.Fingerprint()), mtls.Protocol)
		config = lenient(t, config, err)
		raw, err := net.Dial("tcp", between(t, l, rewriting(client, server)).Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		raw.SetDeadline(time.Now().Add(patience))
		conn := tls.Client(raw, config)
		io.WriteString(conn, canary)
		_, err = io.ReadFull(conn, make([]byte, 1))
		return err == nil
	}
	control, _ := listener(t, bob, alice.Fingerprint())
	if !run(t, control.Addr(), nil, nil) {
		t.Fatal("nothing is changed: the dialer was refused")
	}
	control.Close() // who waits there keeps the middle waiting
	for _, row := range downgrades {
		t.Run(row.name, func(t *testing.T) {
			l, refusals := listener(t, bob, alice.Fingerprint())
			if run(t, l.Addr(), row.client, row.server) {
				t.Error("the dialer was welcomed")
			}
			if err := <-refusals; err == nil {
				t.Error("the listener was told nothing")
			}
			noneAccepted(t, l)
		})
	}
}
