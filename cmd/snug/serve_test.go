package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
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
	} {
		var out bytes.Buffer
		if code := run(t.Context(), c.args, streams{out: &out, err: &out}); code != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("%q: exit %d, %q, want %d, %q", c.args, code, &out, c.code, c.want)
		}
	}
}
