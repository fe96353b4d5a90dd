package main_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"snug/mtls"
)

// receiver is `snug listen` with nothing to send, and out in the place of stdout, and a peer that has dialed it.
func receiver(t *testing.T, out *os.File) (listener *socket, peer *mtls.Conn) {
	t.Helper()
	id, err := mtls.Generate()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.Command(binary, "listen", "127.0.0.1:0", "--home", home, "--peer", id.Fingerprint().String(), "--json")
	cmd.Stdout = out // and stdin is the null device
	listener = observed(t, cmd)
	address := listener.event("listening")["addr"].(string)
	listening, err := mtls.ParseFingerprint(keyOf(t, home))
	if err != nil {
		t.Fatal(err)
	}
	peer, err = mtls.Dial(t.Context(), "tcp", address, &mtls.ClientOptions{Identity: id, Trust: mtls.Pin(listening)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	peer.SetDeadline(time.Now().Add(patience))
	return listener, peer
}

// TestSenderKnows: where who listens only receives, its end says that all that came is written, and not before.
func TestSenderKnows(t *testing.T) {
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	listener, peer := receiver(t, in)
	in.Close()
	payload := bytes.Repeat([]byte("0123456789abcdef"), 64<<10) // more than a pipe holds
	ended := make(chan error, 1)
	go func() {
		_, err := peer.Read(make([]byte, 1))
		ended <- err
	}()
	go func() {
		peer.Write(payload)
		peer.CloseWrite()
	}()
	got := make([]byte, len(payload))
	if _, err := io.ReadFull(out, got[:len(got)/2]); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		t.Fatalf("with half of it read: got %v", err)
	default:
	}
	if _, err := io.ReadFull(out, got[len(got)/2:]); err != nil || !bytes.Equal(got, payload) {
		t.Errorf("received: %v", err)
	}
	if err := <-ended; err != io.EOF {
		t.Errorf("with all of it read: got %v, want the end", err)
	}
	listener.ends(0)
}

// TestSenderHearsOfFullDisk: what could not be written is no success to who has sent it.
func TestSenderHearsOfFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no disk that is full: %v", err)
	}
	defer full.Close()
	listener, peer := receiver(t, full)
	io.WriteString(peer, "all of it")
	peer.CloseWrite()
	if _, err := peer.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("got %v, want a cut", err)
	}
	listener.ends(1)
}
