package mtls_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"snug/mtls"
)

// TestHTTPServer serves a messenger's port with net/http: pages to browsers, and
// native clients handed over by TLSNextProto with their key proven.
func TestHTTPServer(t *testing.T) {
	id, alice := identity(t, "server"), identity(t, "alice")
	config, err := mtls.ServerTLS(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "page")
	}))
	server.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		mtls.Messenger: func(_ *http.Server, conn *tls.Conn, _ http.Handler) {
			defer conn.Close()
			if peer, err := mtls.PeerKey(conn.ConnectionState()); err == nil {
				fmt.Fprintf(conn, "%s", peer.Fingerprint)
			}
		},
	}
	server.Listener = tls.NewListener(server.Listener, config)
	server.Start()
	defer server.Close()

	native, err := mtls.ClientTLS(alice, id.Fingerprint(), mtls.Messenger)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ask(t, server.Listener.Addr(), native)
	if want := alice.Fingerprint().String(); err != nil || got != want {
		t.Errorf("native: got %q, %v, want %q", got, err, want)
	}

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: browser(t, id, "http/1.1")}}
	defer client.CloseIdleConnections()
	response, err := client.Get("https://" + server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if b, err := io.ReadAll(response.Body); err != nil || string(b) != "page" {
		t.Errorf("browser: got %q, %v, want the page", b, err)
	}
}
