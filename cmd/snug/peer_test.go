package main_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRememberedPeers calls a peer by a name, and holds the name to its key.
func TestRememberedPeers(t *testing.T) {
	bob, carol := filepath.Join(t.TempDir(), "bob"), filepath.Join(t.TempDir(), "carol")
	alice := &person{t: t, handle: "alice", home: filepath.Join(t.TempDir(), "alice")}
	alice.must("key", "add", "bob", keyOf(t, bob))
	alice.must("key", "add", "bob", keyOf(t, bob)) // again is no change
	alice.must("key", "add", "carol", keyOf(t, carol))

	// The name holds; the peer is told by it.
	listener := socketOf(t, alice.home, "listen", "127.0.0.1:0", "bob")
	address := listener.event("listening")["addr"].(string)
	socketOf(t, carol, "dial", address, keyOf(t, alice.home)).ends(3) // remembered, but not asked for
	dialer := socketOf(t, bob, "dial", address, keyOf(t, alice.home))
	if name := listener.event("connected")["name"]; name != "bob" {
		t.Errorf("connected with %v, want bob", name)
	}
	dialer.in.Close()
	listener.in.Close()
	dialer.ends(0)
	listener.ends(0)

	// Another key under the name is refused loudly, on the wire and on the command line, and nothing is changed by it.
	imposter := socketOf(t, carol, "listen", "127.0.0.1:0", keyOf(t, alice.home))
	address = imposter.event("listening")["addr"].(string)
	alice.mustRefuse(3, "THIS IS NOT bob", "dial", address, "--peer", "bob")
	alice.mustRefuse(3, "ANOTHER KEY", "key", "add", "bob", keyOf(t, carol))
	if list := alice.must("key", "list"); len(list) != 2 || list[0]["peer"] != "bob" || list[0]["fingerprint"] != keyOf(t, bob) {
		t.Errorf("key list is %v", list)
	}
	alice.must("key", "forget", "bob")
	alice.mustRefuse(4, "key add bob", "dial", address, "--peer", "bob")
	alice.mustRefuse(4, "bob", "key", "forget", "bob")
	alice.must("key", "add", "bob", keyOf(t, carol))
}

// TestBadPeers: names that are none, and a file that somebody has written into.
func TestBadPeers(t *testing.T) {
	alice := &person{t: t, handle: "alice", home: filepath.Join(t.TempDir(), "alice")}
	key := keyOf(t, alice.home)
	for _, name := range []string{"Bob", "a b", "", "../x", "-", strings.Repeat("a", 33), key} {
		alice.mustRefuse(2, "no name", "key", "add", name, key)
	}
	alice.mustRefuse(2, "no fingerprint", "key", "add", "bob", key+"a")
	for _, text := range []string{"bob\n", "bob  " + key + "\n", "bob " + key + "\nbob " + key + "\n", "bob " + key + " x\n", "# bob\n"} {
		if err := os.WriteFile(filepath.Join(alice.home, "peers"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		alice.mustRefuse(1, "line", "dial", "127.0.0.1:1", "--peer", "bob")
	}
}

// TestPeersAtOnce: of many that are remembered at the same time none is lost.
func TestPeersAtOnce(t *testing.T) {
	alice := &person{t: t, handle: "alice", home: filepath.Join(t.TempDir(), "alice")}
	key := keyOf(t, alice.home)
	const n = 12
	outcomes := make(chan outcome, n)
	for i := range n {
		go func() { outcomes <- alice.try("", "key", "add", fmt.Sprintf("peer-%d", i), key) }()
	}
	for range n {
		if o := <-outcomes; o.status != 0 {
			t.Errorf("exit %d\n%s", o.status, o.stderr)
		}
	}
	if list := alice.must("key", "list"); len(list) != n {
		t.Errorf("%d are remembered, want %d: %v", len(list), n, list)
	}
}

// TestPeerFromRooms: whom one has verified in the messenger is a peer of sockets by the handle, on both sides, by the
// devices of the account; whom the server alone vouches for is not.
func TestPeerFromRooms(t *testing.T) {
	s := serve(t)
	people := everybody(t, s, "alice", "bob", "carol")
	alice, bob, carol := people[0], people[1], people[2]
	alice.mustRefuse(4, "nobody as @bob", "listen", "127.0.0.1:0", "--peer", "@bob")
	alice.must("verify", "@bob") // looked at, and not compared
	alice.mustRefuse(3, "not verified", "listen", "127.0.0.1:0", "--peer", "@bob")
	alice.mustRefuse(4, "nobody as @dave", "dial", "127.0.0.1:1", "--peer", "@dave")
	alice.mustRefuse(4, "no other device", "dial", "127.0.0.1:1", "--peer", "@alice")
	alice.mustRefuse(2, "--cert", "dial", "127.0.0.1:1", "--peer", "@bob", "--cert", "cert.pem")
	(&person{t: t, handle: "nobody", home: t.TempDir()}).mustRefuse(3, "nobody is signed in", "dial", "127.0.0.1:1", "--peer", "@bob")
	alice.must("verify", "@bob", "--matches")
	bob.must("verify", "@alice", "--matches")
	carol.must("verify", "@alice", "--matches")

	listener := openSocket(t, alice.home, "listen", "127.0.0.1:0", "--peer", "@bob")
	address := listener.event("listening")["addr"].(string)
	// Carol has verified alice, but is not bob; and bob's home is known by its device's key alone.
	openSocket(t, carol.home, "dial", address, "--peer", "@alice").ends(3)
	listener.event("refused")
	openSocket(t, bob.home, "dial", address, "--peer", keyOf(t, alice.home)).ends(3)
	listener.event("refused")
	dialer := openSocket(t, bob.home, "dial", address, "--peer", "@alice")
	io.WriteString(dialer.in, "from room to socket")
	dialer.in.Close()
	listener.in.Close()
	if theirs, ours := dialer.event("connected")["name"], listener.event("connected")["name"]; theirs != "@alice" || ours != "@bob" {
		t.Errorf("connected with %v and %v, want @alice and @bob", theirs, ours)
	}
	dialer.ends(0)
	listener.ends(0)
	if got := listener.out.String(); got != "from room to socket" {
		t.Errorf("the listener received %q", got)
	}

	// Somebody else answers at alice's address.
	impostor := openSocket(t, carol.home, "listen", "127.0.0.1:0", "--peer", "@alice")
	address = impostor.event("listening")["addr"].(string)
	bob.mustRefuse(3, "THIS IS NO DEVICE OF @alice", "dial", address, "--peer", "@alice")

	// What is known is enough without the server.
	s.kill()
	listener = openSocket(t, alice.home, "listen", "127.0.0.1:0", "--peer", "@bob")
	dialer = openSocket(t, bob.home, "dial", listener.event("listening")["addr"].(string), "--peer", "@alice")
	dialer.in.Close()
	listener.in.Close()
	dialer.ends(0)
	listener.ends(0)
}
