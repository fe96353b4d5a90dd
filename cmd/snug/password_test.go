package main_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snug/mtls"
)

// inviting has a listener that made a password.
func inviting(t *testing.T, flags ...string) (listener *socket, address, password string) {
	t.Helper()
	listener = openSocket(t, filepath.Join(t.TempDir(), "inviting"), "listen", "127.0.0.1:0", append([]string{"--password"}, flags...)...)
	address = listener.event("listening")["addr"].(string)
	return listener, address, listener.event("password")["password"].(string)
}

// dialKnowing dials with a password, from a home of its own.
func dialKnowing(t *testing.T, address, password string, flags ...string) *socket {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return openSocket(t, filepath.Join(dir, "home"), "dial", address, append([]string{"--password-file", file}, flags...)...)
}

// TestPassword joins two homes that know nothing of each other but four words, and remembers nobody unless told to.
func TestPassword(t *testing.T) {
	listener, address, password := inviting(t, "--words", "--remember", "alice")
	if n := len(strings.Split(password, "-")); n != 4 {
		t.Errorf("the password is %q, want four words", password)
	}
	dialer := dialKnowing(t, address, "  "+strings.ToUpper(strings.ReplaceAll(password, "-", " ")), "--words")
	io.WriteString(dialer.in, "at last")
	dialer.in.Close()
	listener.in.Close()
	words, others := listener.event("connected"), dialer.event("connected")
	if words["words"] == nil || words["words"] != others["words"] || words["name"] != "alice" || others["name"] != nil {
		t.Errorf("connected: %v and %v; want the same words, and alice remembered", words, others)
	}
	dialer.ends(0)
	listener.ends(0)
	if got := listener.out.String(); got != "at last" {
		t.Errorf("the listener received %q", got)
	}
	list := &person{t: t, handle: "listener", home: homeOf(listener)}
	if peers := list.must("key", "list"); len(peers) != 1 || peers[0]["fingerprint"] != words["peer"] {
		t.Errorf("the listener remembers %v", peers)
	}
	if peers := (&person{t: t, handle: "dialer", home: homeOf(dialer)}).must("key", "list"); len(peers) != 0 {
		t.Errorf("the dialer remembers %v, and was not asked to", peers)
	}
}

// homeOf is the home that a socket was opened in.
func homeOf(s *socket) string { return s.cmd.Args[4] }

// TestPasswordEnds: three wrong tries, from different homes, end it, and the right password comes too late.
func TestPasswordEnds(t *testing.T) {
	listener, address, password := inviting(t)
	for try := range 3 {
		wrong := dialKnowing(t, address, password+"-not")
		io.WriteString(wrong.in, "secret")
		wrong.ends(3)
		if !strings.Contains(wrong.log.String(), "the password is wrong") {
			t.Errorf("try %d says %q", try, wrong.log)
		}
		listener.event("refused")
	}
	listener.ends(3)
	if !strings.Contains(listener.log.String(), "3 times in vain") || listener.out.Len() != 0 {
		t.Errorf("the listener says %q, and received %q", listener.log, listener.out)
	}
	dialKnowing(t, address, password).ends(5)
}

// TestPasswordAborted: to go away before the answer, or to send garbage, is a try all the same; not to begin is none.
func TestPasswordAborted(t *testing.T) {
	listener, address, password := inviting(t)
	identity, err := mtls.Generate()
	if err != nil {
		t.Fatal(err)
	}
	for i, say := range [][]byte{nil, nil, make([]byte, 32), []byte(strings.Repeat("x", 32)), nil, []byte(strings.Repeat("y", 96))} {
		_, err := mtls.Dial(t.Context(), "tcp", address, &mtls.ClientOptions{
			Identity: identity, Protocols: []string{"snug-password/1"},
			DecideUnverified: func(_ context.Context, u *mtls.Unverified) (mtls.Fingerprint, error) {
				u.Write(say)
				if i == 3 {
					io.ReadFull(u, make([]byte, 1)) // what it answers to garbage
				}
				return mtls.Fingerprint{}, errors.New("gone")
			},
		})
		if err == nil {
			t.Fatal("let in")
		}
		reason := listener.event("refused")["reason"].(string)
		counted := strings.Contains(reason, "tries left") || strings.Contains(reason, "no try is left")
		if counted != (say != nil) {
			t.Errorf("visit %d, %d bytes: %q", i, len(say), reason)
		}
	}
	listener.ends(3)
	_ = password
}

// TestPasswordMiddle: somebody in between with a key of their own, who passes on every byte, gains nothing, and the two
// notice.
func TestPasswordMiddle(t *testing.T) {
	listener, address, password := inviting(t)
	middle := inBetween(t, address, "snug-password/1")
	dialer := dialKnowing(t, middle, password)
	io.WriteString(dialer.in, "for the listener only")
	dialer.ends(3)
	if reason := listener.event("refused")["reason"].(string); !strings.Contains(reason, "tries left: 2") {
		t.Errorf("the listener says %q, want a try counted", reason)
	}
	if !strings.Contains(dialer.log.String(), "somebody is in between") || listener.out.Len() != 0 {
		t.Errorf("the dialer says %q; the listener received %q", dialer.log, listener.out)
	}
	// The password is still good for the right one.
	dialer = dialKnowing(t, address, password)
	dialer.in.Close()
	listener.in.Close()
	dialer.ends(0)
	listener.ends(0)
}

// inBetween is somebody between a dialer and a listener, known to neither, with a key of their own on each side, who
// passes on what is said, before the two accept each other and after.
func inBetween(t *testing.T, behind, protocol string) (address string) {
	t.Helper()
	identity, err := mtls.Generate()
	if err != nil {
		t.Fatal(err)
	}
	l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{
		Identity: identity, Protocols: []string{protocol}, Patience: patience,
		DecideUnverified: func(ctx context.Context, front *mtls.Unverified) (mtls.Fingerprint, error) {
			conn, err := mtls.Dial(ctx, "tcp", behind, &mtls.ClientOptions{
				Identity: identity, Protocols: []string{protocol}, Patience: patience,
				DecideUnverified: func(_ context.Context, back *mtls.Unverified) (mtls.Fingerprint, error) {
					go io.Copy(back, front)
					if _, err := io.Copy(front, back); err != nil {
						return mtls.Fingerprint{}, err
					}
					return back.Peer().Fingerprint, nil
				},
			})
			if err == nil {
				conn.Close()
			}
			return front.Peer().Fingerprint, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// TestPasswordRemembered: a name that stands for another key is not moved to who knows the password.
func TestPasswordRemembered(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	alice := &person{t: t, handle: "alice", home: home}
	alice.must("key", "add", "bob", keyOf(t, home))
	listener := openSocket(t, home, "listen", "127.0.0.1:0", "--password", "--remember", "bob")
	address := listener.event("listening")["addr"].(string)
	dialer := dialKnowing(t, address, listener.event("password")["password"].(string))
	dialer.ends(3)
	listener.ends(3)
	if !strings.Contains(listener.log.String(), "bob IS REMEMBERED WITH ANOTHER KEY") {
		t.Errorf("the listener says %q", listener.log)
	}
	if list := alice.must("key", "list"); len(list) != 1 || list[0]["fingerprint"] != keyOf(t, home) {
		t.Errorf("key list is %v", list)
	}
}

// TestPasswordOnce: of several who know it one comes in.
func TestPasswordOnce(t *testing.T) {
	listener, address, password := inviting(t)
	dialers := make([]*socket, 3)
	for i := range dialers {
		dialers[i] = dialKnowing(t, address, password)
		dialers[i].in.Close()
	}
	listener.in.Close()
	listener.ends(0)
	in := 0
	for _, d := range dialers {
		select {
		case status := <-d.status:
			if status == 0 {
				in++
			}
		case <-time.After(patience):
			t.Fatalf("a dialer hangs\n%s", d.log)
		}
	}
	if in != 1 {
		t.Errorf("%d came in, want 1", in)
	}
}

// TestToken lets in who shows a token, to the server that is known, and nobody else.
func TestToken(t *testing.T) {
	dir := t.TempDir()
	tokens, home := filepath.Join(dir, "tokens"), filepath.Join(dir, "server")
	server := &person{t: t, handle: "server", home: home}
	write := func(name string, text any) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text.(string)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	backup := write("backup", server.must("key", "token", "backup", tokens)[0]["token"])
	other := write("other", server.must("key", "token", "other", tokens)[0]["token"])
	stranger := write("stranger", server.must("key", "token", "stranger", filepath.Join(dir, "elsewhere"))[0]["token"])
	server.mustRefuse(3, "already", "key", "token", "backup", tokens)
	kept, err := os.ReadFile(tokens)
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(backup); strings.Contains(string(kept), strings.TrimPrefix(strings.TrimSpace(string(text)), "snug-token-")) {
		t.Errorf("the token itself is kept: %s", kept)
	}

	listener := openSocket(t, home, "listen", "127.0.0.1:0", "--token-file", tokens, "--keep", "--exec", `echo "$SNUG_PEER_NAME"; cat`)
	address, key := listener.event("listening")["addr"].(string), keyOf(t, home)
	client := func(file string, flags ...string) *socket {
		return openSocket(t, filepath.Join(t.TempDir(), "client"), "dial", address, append([]string{"--token-file", file}, flags...)...)
	}
	in := client(backup, "--peer", key)
	io.WriteString(in.in, "echo")
	in.in.Close()
	in.ends(0)
	if got := in.out.String(); got != "backup\necho" {
		t.Errorf("the answer is %q", got)
	}
	if name := listener.event("connected")["name"]; name != "backup" {
		t.Errorf("connected with %v, want the token's name", name)
	}
	client(stranger, "--peer", key).ends(3)
	if reason := listener.event("refused")["reason"]; reason != "an unknown token" {
		t.Errorf("refused for %v", reason)
	}
	// Not to another server than the one that is known: not a byte of the token.
	impostor := client(other, "--peer", keyOf(t, t.TempDir()))
	impostor.ends(3)
	if reason := listener.event("refused")["reason"].(string); strings.Contains(reason, "unknown token") {
		t.Errorf("the token was shown to a server that is not the one: %q", reason)
	}
	client(other).ends(2)
	client(tokens, "--peer", key).ends(2)
	// A line that is taken out lets nobody in, at once.
	rest := ""
	for line := range strings.Lines(string(kept)) {
		if !strings.HasPrefix(line, "backup ") {
			rest += line
		}
	}
	if err := os.WriteFile(tokens, []byte(rest), 0o600); err != nil {
		t.Fatal(err)
	}
	client(backup, "--peer", key).ends(3)
	listener.event("refused")
	client(other, "--peer", key).in.Close()
	if name := listener.event("connected")["name"]; name != "other" {
		t.Errorf("connected with %v, want other", name)
	}
}

// TestWordsMiddle: who is in between of two, and accepted by both, gives them different words.
func TestWordsMiddle(t *testing.T) {
	here, there := filepath.Join(t.TempDir(), "here"), filepath.Join(t.TempDir(), "there")
	mallory, err := mtls.Generate()
	if err != nil {
		t.Fatal(err)
	}
	key := mallory.Fingerprint().String()
	listener := socketOf(t, here, "listen", "127.0.0.1:0", key, "--words")
	behind := listener.event("listening")["addr"].(string)
	l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{Identity: mallory, Trust: trustOf(t, keyOf(t, there))})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialer := socketOf(t, there, "dial", l.Addr().String(), key, "--words")
	front, err := l.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	back, err := mtls.Dial(t.Context(), "tcp", behind, &mtls.ClientOptions{Identity: mallory, Trust: trustOf(t, keyOf(t, here))})
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	a, b := dialer.event("connected")["words"], listener.event("connected")["words"]
	if a == nil || b == nil || a == b {
		t.Errorf("the words are %v and %v, want two different ones", a, b)
	}
}

func trustOf(t *testing.T, key string) mtls.Trust {
	t.Helper()
	pin, err := mtls.ParseFingerprint(key)
	if err != nil {
		t.Fatal(err)
	}
	return mtls.Pin(pin)
}

// TestPasswordScan: somebody who only connects, and speaks no TLS, uses up nothing.
func TestPasswordScan(t *testing.T) {
	listener, address, password := inviting(t)
	for range 5 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		conn.Close()
		listener.event("refused")
	}
	dialer := dialKnowing(t, address, password)
	dialer.in.Close()
	listener.in.Close()
	dialer.ends(0)
	listener.ends(0)
}
