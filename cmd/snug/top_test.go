package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestTunnelTop shows the streams of a running tunnel, to people and to scripts.
func TestTunnelTop(t *testing.T) {
	far, near, _, homes := tunnelPair(t, shouter(t), "--metrics", "127.0.0.1:0")
	metrics := far.event("metrics")["addr"].(string)
	says(t, "tcp", near.event("listening")["addr"].(string), "hello")
	var table []byte
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		out, err := exec.Command(binary, "tunnel", "top", "--metrics", metrics, "--json").Output()
		if err != nil {
			t.Fatal(err)
		}
		var object struct {
			Rows []struct {
				Peer            string
				Ended, Received int64
			}
		}
		if err := json.Unmarshal(out, &object); err != nil || len(object.Rows) != 1 || object.Rows[0].Peer != "key:"+keyOf(t, homes[1]) {
			t.Fatalf("got %s, %v", out, err)
		}
		if object.Rows[0].Ended == 1 && object.Rows[0].Received == 5 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %s, want one stream of 5 bytes", out)
		}
	}
	table, err := exec.Command(binary, "tunnel", "top", "--metrics", metrics, "--once").Output()
	if lines := strings.Split(string(table), "\n"); err != nil || len(lines) < 3 || !strings.HasPrefix(lines[0], "ROUTE") || !strings.HasPrefix(lines[1], "main ") || !strings.Contains(lines[2], "ok 1") {
		t.Errorf("got\n%s%v", table, err)
	}
	cmd := exec.Command(binary, "tunnel", "top", "--metrics", nowhere)
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 5 || !strings.Contains(string(out), "--metrics") {
		t.Errorf("without a tunnel: exit %d, %s; want 5", cmd.ProcessState.ExitCode(), out)
	}
}

// TestTunnelTopIsText: whoever has the port in a tunnel's place writes text on the terminal, and no more.
func TestTunnelTopIsText(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const evil = `\u001b]0;mine\u0007`
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"rows":[{"route":"a%[1]s","peer":"b%[1]s"}],"handshakes":{"c%[1]s":{"d%[1]s":1}},"problem":"e%[1]s"}`, evil)
	})}
	go server.Serve(l)
	defer server.Close()
	table, err := exec.Command(binary, "tunnel", "top", "--metrics", l.Addr().String(), "--once").Output()
	if err != nil || bytes.ContainsAny(table, "\x1b\x07") {
		t.Errorf("got %q, %v; want no control characters", table, err)
	}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		if !strings.Contains(string(table), name+"\u241b]0;mine") {
			t.Errorf("got\n%s\nwithout %s", table, name)
		}
	}
}
