package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestMain lets this program be an end of the bare pair, as the command itself is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == bareVerb {
		if err := bareEnd(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestQuick measures our own pair and plain loopback, and whatever else is there, in the quick plan.
func TestQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts programs")
	}
	var out bytes.Buffer
	p := quickPlan
	if err := measure(t.Context(), p, "", []string{plainName, "snug", "snug without reuse", "bare Go pair (X25519)"}, &out, t.Output()); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{"plain loopback", "snug ", "snug without reuse", "snug ÷ plain", "new conn/s", "µs/conn", "snug: X25519MLKEM768, TLS_", "bare Go pair (X25519): X25519, TLS_"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "failed:") {
		t.Errorf("got\n%s", &out)
	}
}

// TestReport: medians, the best of the others whichever way is better, and ratios for which more is better.
func TestReport(t *testing.T) {
	r := newReport(plan{streams: []int{1}, rounds: 3})
	for name, samples := range map[string][]float64{plainName: {1000, 4000, 2000}, "snug": {900, 300, 600}, "nginx": {500, 100, 300}, "haproxy": {200}} {
		for _, v := range samples {
			r.add(name, "bulk 1", v)
		}
	}
	for name, v := range map[string]float64{plainName: 5, "snug": 40, "nginx": 50, "haproxy": 30} {
		r.add(name, "ping p50", v)
	}
	for name, v := range map[string]float64{"snug": 100, "nginx": 150, "bare Go pair": 50} {
		r.add(name, endsCost+"bulk 1", v)
	}
	r.skip("socat", "socat is not there")
	var out bytes.Buffer
	r.print(&out)
	for _, want := range []string{"best peer, bulk ×1 MiB/s: nginx with 300", "best peer, ping p50 µs: haproxy with 30.0",
		"best peer, bulk ×1 ms/GiB: nginx with 154", "not measured: socat: socat is not there"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	for _, line := range strings.Split(out.String(), "\n") {
		fields := strings.Fields(line)
		switch {
		case strings.Contains(line, "snug ÷ best peer") && len(fields) == 5:
			if fields[4] != "1.50" {
				t.Errorf("ratios of costs to the best are %q, want 1.50", fields)
			}
		case strings.Contains(line, "snug ÷ plain") && len(fields) == 4:
		case strings.Contains(line, "snug ÷ best peer") && (fields[4] != "2.00" || fields[5] != "0.75"):
			t.Errorf("ratios to the best are %q, want 2.00 and 0.75", fields)
		case strings.Contains(line, "snug ÷ plain") && (fields[3] != "0.30" || fields[4] != "0.12" && fields[4] != "0.13"):
			t.Errorf("ratios to plain are %q, want 0.30 and 0.12", fields)
		}
	}
}

// TestServerTerms reads what crypto/tls agrees on with itself, with and without a second try.
func TestServerTerms(t *testing.T) {
	m := &machine{directory: t.TempDir()}
	if err := m.makeKeys(); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name           string
		client, server []tls.CurveID
		want           string
	}{
		{"hybrid", nil, nil, "X25519MLKEM768, TLS_"},
		{"old", []tls.CurveID{tls.X25519}, nil, "X25519, TLS_"},
		{"again", []tls.CurveID{tls.X25519, tls.CurveP384}, []tls.CurveID{tls.CurveP384}, "after a HelloRetryRequest"},
	} {
		t.Run(row.name, func(t *testing.T) {
			server, err := bareConfig("accept", m.directory)
			if err != nil {
				t.Fatal(err)
			}
			client, err := bareConfig("connect", m.directory)
			if err != nil {
				t.Fatal(err)
			}
			server.CurvePreferences, client.CurvePreferences = row.server, row.client
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			said := &recorder{}
			done := make(chan error, 1)
			go func() {
				var err error
				if said.Conn, err = l.Accept(); err == nil {
					defer said.Close()
					err = tls.Server(said, server).Handshake()
				}
				done <- err
			}()
			conn, err := tls.Dial("tcp", l.Addr().String(), client)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			got, err := serverTerms(said.said)
			if err != nil || !strings.Contains(got, row.want) {
				t.Errorf("got %q and %v, want %q", got, err, row.want)
			}
			for n := range said.said {
				serverTerms(said.said[:n]) // which must not panic
			}
		})
	}
	if got, err := serverTerms([]byte("220 ready\r\n")); err == nil {
		t.Errorf("got %q for what is no TLS", got)
	}
}

// A recorder keeps what is written.
type recorder struct {
	net.Conn
	said []byte
}

func (r *recorder) Write(b []byte) (int, error) {
	r.said = slices.Concat(r.said, b)
	return r.Conn.Write(b)
}
