package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"snug/internal/server"
	"snug/internal/transport"
)

// serving is `snug serve` in this process.
type serving struct {
	ready struct {
		Event  string `json:"event"`
		TLS    string `json:"tls"`
		HTTP   string `json:"http"`
		Pin    string `json:"pin"`
		Invite string `json:"owner_invite"`
	}
	stop func() int
}

func serve(t *testing.T, data string) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	code := make(chan int, 1)
	var log bytes.Buffer
	go func() {
		code <- run(ctx, []string{"serve", "--json", "--data", data, "--tls", "127.0.0.1:0", "--http", "127.0.0.1:0"}, streams{out: in, err: &log})
		in.Close()
	}()
	s := &serving{stop: func() int { cancel(); return <-code }}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &s.ready)
	}
	if err != nil {
		t.Fatalf("the first line is %q: %v; %s", line, err, &log)
	}
	return s
}

// TestServe starts in an empty directory, answers, refuses a second server there,
// stops, and starts again with the same key.
func TestServe(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, data)
	if s.ready.Event != "ready" || len(s.ready.Pin) != 52 || s.ready.Invite == "" {
		t.Errorf("ready says %+v", s.ready)
	}
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/": "Snug"} {
		reply, err := http.Get("http://" + s.ready.HTTP + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(reply.Body)
		reply.Body.Close()
		if reply.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %q", path, reply.StatusCode, body)
		}
	}
	var errs bytes.Buffer
	if code := run(t.Context(), []string{"serve", "--data", data, "--tls", "127.0.0.1:0"}, streams{out: io.Discard, err: &errs}); code != exitFailed || !strings.Contains(errs.String(), "another server") {
		t.Errorf("a second server there: exit %d, %s", code, &errs)
	}
	if code := s.stop(); code != exitDone {
		t.Errorf("stopped with exit %d", code)
	}
	again := serve(t, data)
	if again.ready.Pin != s.ready.Pin || again.ready.Invite == s.ready.Invite {
		t.Errorf("started again it says %+v, was %+v", again.ready, s.ready)
	}
	if code := again.stop(); code != exitDone {
		t.Errorf("stopped with exit %d", code)
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"serve", "--registration", "sometimes"}, exitUsage, "try: snug serve"},
		{[]string{"serve", "--port", "1"}, exitUsage, "try: snug serve"},
		{[]string{"serve", "now"}, exitUsage, "one argument too many"},
		{[]string{"dance"}, exitUsage, "no verb"},
		{[]string{"help", "serve"}, exitDone, "--registration MODE"},
		{[]string{"version"}, exitDone, version},
		{[]string{"serve", "--help"}, exitDone, "Example: snug serve"},
		{nil, exitDone, "Begin with"},
		{[]string{"help", "serve"}, exitDone, "plain HTTP; off for not at all (default " + defaultHTTP + ")"},
		{[]string{"help", "send"}, exitDone, "such as 2m (default 20s)"},
		{[]string{"help", "room", "invite"}, exitDone, "at most 720h (default 168h)"},
		{[]string{"help", "room"}, exitDone, "room uninvite ROOM INVITE"},
		{[]string{"room"}, exitUsage, "which of create, add, remove, role, set, join, leave, members, invite, invites, uninvite?\nsnug: try: snug help room\n"},
		{[]string{"pki", "dance"}, exitUsage, "try: snug help pki"},
		{[]string{"--json", "rooms"}, exitUsage, "flags come after it"},
		{[]string{"rooms", "--jsn"}, exitUsage, "rooms: there is no flag -jsn\n"},
		{[]string{"send", "@bob", "-5 degrees"}, exitUsage, "what begins with a dash and is none comes after --"},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), c.args, streams{out: &out, err: &out}); code != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("%q: exit %d, %q, want %d, %q", c.args, code, &out, c.code, c.want)
		}
	}
}

// at is a listener that stands at an address and does nothing.
type at struct {
	net.Listener
	addr string
}

func (l at) Addr() net.Addr {
	addr, err := net.ResolveTCPAddr("tcp", l.addr)
	if err != nil {
		panic(err)
	}
	return addr
}

// TestInvitation: what serve prints can be typed as it stands, wherever the server listens.
func TestInvitation(t *testing.T) {
	for _, row := range []struct {
		name, tls, http, invite string
		says                    []string
	}{
		{"this machine", "127.0.0.1:8443", "127.0.0.1:8080", "code", []string{"http://127.0.0.1:8080/#invite=code",
			"snug register HANDLE --server 127.0.0.1:8443#pin --invite code", "Others on this machine reach it at this; --tls 0.0.0.0:8443"}},
		{"all addresses", "[::]:9443", "127.0.0.1:8080", "code", []string{"http://127.0.0.1:8080/#invite=code",
			"--server 127.0.0.1:9443#pin", " HOST:9443#pin", "https://HOST:9443/"}},
		{"all of version 4", "0.0.0.0:9443", "", "code", []string{"https://127.0.0.1:9443/#invite=code", "--server 127.0.0.1:9443#pin", " HOST:9443#pin"}},
		{"one address", "192.0.2.7:8443", "", "", []string{"https://192.0.2.7:8443/", "Others reach it at:\n    192.0.2.7:8443#pin"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			ports := server.Ports{TLS: at{addr: row.tls}}
			if row.http != "" {
				ports.HTTP = at{addr: row.http}
			}
			got := invitation(ports, "pin", row.invite)
			for _, want := range row.says {
				if !strings.Contains(got, want) {
					t.Errorf("it says %s, want %q in it", got, want)
				}
			}
			if strings.Contains(got, "[::]") || strings.Contains(got, "//0.0.0.0") || strings.Contains(got, " 0.0.0.0:9443") {
				t.Errorf("it says %s, which names an address that nobody can connect to", got)
			}
		})
	}
}

// TestServeTaken: what is in another's use says what to do, and leaves nothing behind that is in its own.
func TestServeTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	data := filepath.Join(t.TempDir(), "data")
	for _, row := range []struct{ name, flag, other, says string }{
		{"TLS", "--tls", "--http", "something listens there already; :0 finds a port that is free; --tls ADDR takes another address"},
		{"HTTP", "--http", "--tls", "something listens there already; :0 finds a port that is free; --http ADDR takes another address"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var errs bytes.Buffer
			code := run(t.Context(), []string{"serve", "--data", data, row.flag, taken.Addr().String(), row.other, "127.0.0.1:0"}, streams{out: io.Discard, err: &errs})
			if code != exitFailed || !strings.Contains(errs.String(), row.says) {
				t.Errorf("exit %d, %q; want %d and %q in it", code, &errs, exitFailed, row.says)
			}
		})
	}
	s := serve(t, data)
	defer s.stop()
	var errs bytes.Buffer
	code := run(t.Context(), []string{"serve", "--data", data, "--tls", "127.0.0.1:0"}, streams{out: io.Discard, err: &errs})
	if code != exitFailed || !strings.Contains(errs.String(), "--data DIR") {
		t.Errorf("a directory in use: exit %d, %q; want %d and what to do", code, &errs, exitFailed)
	}
}

// TestSayLoopback: who hands on an address that is good on this machine alone is told so.
func TestSayLoopback(t *testing.T) {
	for _, row := range []struct {
		name, address string
		json, says    bool
	}{
		{"version 4", "127.0.0.1:8443", false, true},
		{"version 6", "[::1]:8443", false, true},
		{"by name", "localhost:8443", false, true},
		{"another machine's", "chat.example.org:8443", false, false},
		{"another machine's number", "192.0.2.7:8443", false, false},
		{"for a script", "127.0.0.1:8443", true, false},
	} {
		var errs bytes.Buffer
		c := &call{streams: streams{err: &errs}, json: row.json}
		c.sayLoopback(&device{server: transport.Address{HostPort: row.address}})
		if got := strings.Contains(errs.String(), "is this machine"); got != row.says {
			t.Errorf("%s: it says %q, want something: %v", row.name, &errs, row.says)
		}
	}
}
